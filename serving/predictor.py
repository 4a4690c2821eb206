"""Champion and history to predictions: the one place where a customer's score is made.

Nightly scoring asks it for everybody at one time, the API for one customer now; both get the same
bits, since a row's features and score do not depend on the rows beside it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from data.contract import table
from data.errors import DamagedFile, NotEnoughHistory, UsageError
from data.languages.catalogue import language_of
from data.tables import Tables
from features.compute import compute
from features.expression import Column, Key
from features.groups_now import GroupsAt, adds_up
from features.history import History
from features.messages import WithTexts
from features.sources import Source
from features.spec import FeatureView
from features.text import TextModel
from models.champion import Champion, champion
from models.risk.evidence import evidence, read, read_of
from models.risk.model import RiskModel, cards_of, load_risk

VIEW = "view"
"""The note of a risk model that holds its feature view as JSON text."""

REPEAT = "repeat_contact_14d"
"""The chance that they come back about the same issue, in scores; null where they have none."""
TOP = 3
"""So many topics and channels are told with their probabilities."""
TEXT = "text"
"""The note that holds the text model whose answers are among its features, as JSON text."""


def with_view(model: RiskModel, view: FeatureView, text: TextModel | None = None) -> RiskModel:
    """The model with the view that its features come from, and the text model that some of them
    come from, so that they travel together."""
    notes = {**model.notes, VIEW: view.to_json()}
    return replace(model, notes=notes if text is None else {**notes, TEXT: text.to_json()})


@dataclass(frozen=True)
class Predictor:
    """A risk model, its features, and the name that its predictions carry."""

    model: RiskModel
    view: FeatureView
    model_version: str
    text: TextModel | None = None

    @classmethod
    def of_champion(cls, state_dir: Path) -> Predictor:
        """The model at work. NotEnoughHistory if there is none, DamagedFile if it is not whole."""
        at_work = champion(state_dir, "risk")
        if at_work is None:
            raise NotEnoughHistory("no risk model has been promoted yet; run `presage train` first")
        return cls.of_version(at_work)

    @classmethod
    def of_version(cls, version: Champion) -> Predictor:
        """A registered version. DamagedFile where its folder holds another model by now."""
        return cls.of_bundle(version.folder, version.model_version, version.fingerprint)

    @classmethod
    def of_bundle(
        cls, folder: Path, model_version: str, fingerprint: str | None = None
    ) -> Predictor:
        """The model saved in ``folder``."""
        model = load_risk(folder, fingerprint)
        if VIEW not in model.notes:
            raise DamagedFile(f"{folder}: the model does not name its features; train it again")
        return cls.of_model(model, model_version)

    @classmethod
    def of_model(cls, model: RiskModel, model_version: str) -> Predictor:
        """A model that names its view (``with_view``), by a name for its predictions.

        Cards of an earlier make, that say nothing of concerns, are derived again from the view.
        """
        text = TextModel.from_json(model.notes[TEXT]) if TEXT in model.notes else None
        view = FeatureView.from_json(model.notes[VIEW])
        if not all("wording" in card for card in model.cards.values()):
            model = replace(model, cards=cards_of(view.cards(), model.encoder.columns))
        return cls(model, view, model_version, text)

    @cached_property
    def groups_add_up(self) -> bool:
        """Whether all that a score asks of others adds up."""
        return adds_up(self.view)

    @cached_property
    def reads_own_rows(self) -> bool:
        """Whether a customer's score follows from their own rows and tables without customers."""
        terms = [term for feature in self.view.features for term in feature.node.terms()]
        return not any(term.joints for term in terms) and all(
            (isinstance(term.key, Column) and term.key.name == "customer_id")
            or (term.key is None and not any(map(about_customers, term.source.tables)))
            for term in terms
        )

    @property
    def sources(self) -> set[str]:
        """The tables that its features read."""
        return {
            name
            for feature in self.view.features
            for term in feature.node.terms()
            for name in term.source.tables
        }

    def reads(self, tables: Tables) -> Tables:
        """The tables as the model's features see them."""
        return tables if self.text is None else WithTexts(tables, self.text)

    def history(
        self, tables: Tables, also: Mapping[Source, Collection[Key]] | None = None
    ) -> History:
        """The rows that features and reasons need, and those of ``also``, read once, to be asked
        many times."""
        return read(self.view, self.reads(tables), also)

    def score(
        self,
        spine: pd.DataFrame,
        history: Tables | History,
        *,
        horizons: Sequence[int] | None = None,
        reasons_for: int | None = None,
        num_threads: int = 1,
        language: str = "en",
        time_zone: str = "UTC",
        memory_limit: int | None = None,
        groups: GroupsAt | None = None,
    ) -> pd.DataFrame:
        """One row per row of ``spine`` (customer_id, as_of), in its order, with the columns of
        `presage score`; ``reasons`` as JSON text.

        ``reasons_for``: only so many of the riskiest get reasons (contributions cost a hundred
        times a score), the others an empty list; None: all do. ``language``: a BCP 47 tag, of
        which en, es and nb are spoken; ``time_zone``: whose days the reasons name. ``history``:
        tables, which are read within ``memory_limit`` bytes, or what ``history`` read of them.
        ``groups``: everybody's sums at the spine's moment, where these are some customers' rows.
        """
        wanted = self.check_horizons(horizons)
        tables = history if isinstance(history, History) else self.reads(history)
        features = compute(self.view, spine, tables, memory_limit=memory_limit, groups=groups)
        predictions = self.model.predict(features, num_threads=num_threads, top=TOP)
        middle = self.model.horizons[len(self.model.horizons) // 2]
        risk = predictions[f"risk_{middle}d"].to_numpy()
        explained_rows = np.arange(len(risk))
        if reasons_for is not None and reasons_for < len(risk):
            explained_rows = np.sort(np.argsort(-risk, kind="stable")[:reasons_for])
        reasons: list[list[dict[str, Any]]] = [[] for _ in range(len(risk))]
        explained, spoken = features, language_of(language)
        if len(explained_rows) < len(features):
            explained = features.iloc[explained_rows]
        if len(explained):
            rows = tables if isinstance(tables, History) else self._rows_behind(tables, explained)
            whys = self.model.reasons(
                explained,
                num_threads=num_threads,
                language=spoken,
                behind=evidence(self.view, explained, rows, spoken, time_zone),
            )
            for row, why in zip(explained_rows, whys, strict=True):
                reasons[row] = why
        frame = pd.DataFrame(
            {
                "customer_id": features["customer_id"].astype("str"),
                "as_of": features["as_of"],
                **{f"risk_{h}d": predictions[f"risk_{h}d"] for h in wanted},
                "expected_tickets_30d": predictions["expected_tickets_30d"],
                "contact_30d": predictions["contact_30d"],
                "topic": pd.Series(predictions["topic"], dtype="str"),
                "channel": pd.Series(predictions["channel"], dtype="str"),
                "topics": _as_json(predictions["topics"]),
                "channels": _as_json(predictions["channels"]),
                "reasons": [json.dumps(why, ensure_ascii=False) for why in reasons],
                "model_version": self.model_version,
                REPEAT: self.model.repeat_contact(features),
            }
        )
        frame["model_version"] = frame["model_version"].astype("str")
        return frame

    def _rows_behind(self, tables: Tables, explained: pd.DataFrame) -> History:
        return read_of(self.view, tables, explained["customer_id"].to_numpy(dtype=object))

    def check_horizons(self, horizons: Sequence[int] | None) -> tuple[int, ...]:
        """The horizons asked for; UsageError for one that the model was not trained on."""
        return check_horizons(self.model.horizons, horizons)


def _as_json(choices: pd.Series) -> pd.Series:
    """Likely values as JSON text: ``[{"value": ..., "probability": ...}, ...]``."""
    rows = (
        msgspec.json.encode([{"value": value, "probability": p} for value, p in row]).decode()
        for row in choices
    )
    return pd.Series(list(rows), dtype="str", index=choices.index)


def about_customers(name: str) -> bool:
    """Whether the rows of a table are about customers, of themselves or through their order."""
    return name == "order_items" or "customer_id" in table(name).names


def check_horizons(has: Sequence[int], wanted: Sequence[int] | None) -> tuple[int, ...]:
    """``wanted``, or all that a model ``has`` (days); UsageError for one that it has not."""
    unknown = [h for h in wanted or () if h not in has]
    if unknown:
        known = ", ".join(map(str, has))
        raise UsageError(f"the model at work has horizons of {known} days, none of {unknown[0]}")
    return tuple(has if wanted is None else wanted)


def now_spine(customer_ids: Sequence[str], as_of: datetime) -> pd.DataFrame:
    """A spine of these customers at one moment."""
    return pd.DataFrame(
        {
            "customer_id": pd.Series(list(customer_ids), dtype="str"),
            "as_of": pd.Series([as_of] * len(customer_ids), dtype="datetime64[us]"),
        }
    )
