"""Definitions as JSON values and back: how a view travels with the model that was trained on it.

Each part is written with the name of its class; reading makes it again, so every check of a
definition is made again too.

>>> from features.language import count
>>> from features.sources import ORDERS
>>> feature = count(ORDERS, days=7)
>>> written(feature.node)["window"]
604800000000
>>> read(written(feature.node)) == feature.node
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

from data.errors import DefinitionError
from features import expression, predicate, terms
from features.sources import Source

PARTS: Mapping[str, type] = MappingProxyType(
    {
        part.__name__: part
        for part in (
            Source,
            terms.Term,
            terms.Constant,
            terms.Combine,
            terms.Of,
            terms.OfEach,
            expression.Column,
            expression.Minus,
            expression.Earliest,
            expression.Day,
            expression.Period,
            expression.Joint,
            predicate.Compare,
            predicate.In,
            predicate.Is,
            predicate.Null,
            predicate.Past,
            predicate.And,
            predicate.Or,
            predicate.Not,
            predicate.Named,
            predicate.Given,
        )
    }
)
"""Everything that a definition is made of."""


def written(value: Any) -> Any:
    """A definition, or a part of one, as JSON values."""
    if is_dataclass(value):
        out = {f.name: written(getattr(value, f.name)) for f in fields(value)}
        return {"is": type(value).__name__, **{k: v for k, v in out.items() if v is not None}}
    return [written(part) for part in value] if isinstance(value, tuple) else value


def read(value: Any, also: Mapping[str, type] = MappingProxyType({})) -> Any:
    """What ``written`` wrote; DefinitionError for a part that there is not, or a wrong one.

    ``also``: parts beside ``PARTS``, by name.
    """
    if isinstance(value, list):
        return tuple(read(part, also) for part in value)
    if not isinstance(value, dict):
        return value
    parts = {name: read(part, also) for name, part in value.items() if name != "is"}
    known = {**PARTS, **also}
    if value.get("is") not in known:
        raise DefinitionError(f"a view names the unknown part {value.get('is')!r}")
    return known[value["is"]](**parts)
