"""Features as values: what is counted, in which rows, when; with names derived from that.

A ``Feature`` is a tree of terms (``terms.py``) with a name; a ``FeatureView`` the features that a
model sees.

>>> from features.language import count
>>> from features.sources import ORDERS
>>> feature = count(ORDERS, days=28)
>>> feature.name, feature.formula
('orders_count_28d', 'count(orders, 28d)')
>>> FeatureView.from_json(FeatureView((feature,)).to_json()).names
('orders_count_28d',)
>>> count(ORDERS, days=-1)
Traceback (most recent call last):
...
data.errors.DefinitionError: a window of -1 days: windows are above 0
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from data.errors import DefinitionError, did_you_mean
from features.cards import card
from features.terms import Combine, Constant, Node, Of, OfEach, Term
from features.written import read, written

__all__ = ["Combine", "Constant", "Feature", "FeatureView", "Node", "Of", "OfEach", "Term"]


@dataclass(frozen=True)
class Feature:
    """A named tree. ``note`` says in words what the formula does not."""

    name: str
    node: Node
    note: str = ""

    def __post_init__(self) -> None:
        if not self.name.replace("_", "a").isalnum() or not self.name.isascii():
            raise DefinitionError(f"{self.name!r} is no feature name: ASCII letters, digits and _")
        if self.node.kind not in ("number", "text") or (
            self.node.kind == "text" and not self.categorical
        ):
            raise DefinitionError(
                f"{self.name} would be a {self.node.kind}, {self.formula}: a feature is a number "
                "or a last text; turn moments and durations into days"
            )

    @property
    def formula(self) -> str:
        """The definition, to be read by people."""
        return self.node.text

    @property
    def categorical(self) -> bool:
        """Whether its values are texts."""
        node = self.node
        return (
            isinstance(node, Term)
            and node.operation == "last"
            and node.value is not None
            and node.value.kind == "text"
        )

    def named(self, name: str, note: str = "") -> Feature:
        """The same under another name."""
        return Feature(name, self.node, note or self.note)

    def card(self) -> dict[str, object]:
        """What `presage features` shows: name, formula, source, window, cost, note."""
        return card(self.name, self.node, self.note)


class FeatureView:
    """The features that a model sees, in order; two with one name are refused."""

    def __init__(self, features: tuple[Feature, ...] | list[Feature]) -> None:
        self.features = tuple(features)
        names = [feature.name for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DefinitionError(f"two features have the name {', '.join(twice)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digest of every definition, so of what a model was trained on."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, name: str) -> Feature:
        for feature in self.features:
            if feature.name == name:
                return feature
        raise DefinitionError(f"the view has no feature {name!r}.{did_you_mean(name, self.names)}")

    def select(self, names: tuple[str, ...] | list[str]) -> FeatureView:
        """The view of these features only, in this order."""
        return FeatureView(tuple(self[name] for name in names))

    def cards(self, sample: pd.DataFrame | None = None) -> list[dict[str, object]]:
        """A card per feature; with a ``sample`` of computed features also its ``null_share``."""
        cards = [feature.card() for feature in self.features]
        if sample is not None:
            for card in cards:
                card["null_share"] = float(sample[card["name"]].isna().mean())
        return cards

    def _repr_html_(self) -> str:
        """A table of the features, as notebooks show it."""
        from html import escape

        shown = ("name", "note", "formula", "source", "window")
        head = "".join(f"<th>{name}</th>" for name in shown)
        rows = (
            "".join(f"<td>{escape(str(card[name]))}</td>" for name in shown)
            for card in self.cards()
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        count = f"{len(self.features)} feature{'' if len(self.features) == 1 else 's'}"
        return f"<table><caption>{count}</caption><tr>{head}</tr>{body}</table>"

    def to_json(self) -> str:
        """The whole definition as JSON; ``from_json`` gives an equal view."""
        return json.dumps([written(feature) for feature in self.features], sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> FeatureView:
        """The view that ``to_json`` wrote; every definition is checked again."""
        return cls(tuple(read(feature, {"Feature": Feature}) for feature in json.loads(text)))
