"""What messages of the past say, as columns: tables as a text model reads them, and features.

``WithTexts`` adds text_complaint, text_sentiment and text_topic to tickets and feedback, and
text_known_at, from when on they count: a model that was fitted as of M knows nothing of after M,
and nobody could have asked it before. So at T < M these columns are null, and at T >= M
they tell what a person with this model would have seen: no feature can know the future, however
late the model was fitted.

>>> from data.tables import MemoryTables
>>> from features.text import BUCKETS, Question
>>> asked = Question(("bad", "good"), np.zeros((1, BUCKETS)), np.array([-2.0]))
>>> model = TextModel(datetime(2026, 1, 5), "{}", {"sentiment": asked}, {}, {})
>>> tickets = pd.DataFrame({"ticket_id": ["1"], "opened_at": ["2026-01-01"], "channel": ["email"],
...                         "text": ["hello"]})
>>> tables = WithTexts(MemoryTables({"tickets": tickets}), model)
>>> tables.frame("tickets", ["ticket_id", "text_sentiment", "text_known_at"])
  ticket_id  text_sentiment              text_known_at
0         1          -0.762 2026-01-04 23:59:59.999999
>>> [feature.name for feature in text_features(tables)][:2]
['tickets_text_sentiment_mean_90d', 'tickets_text_sentiment_mean_365d']
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from data.contract import MICROSECOND
from data.errors import NotEnoughHistory
from data.tables import Tables
from features.complaint import ComplaintRule
from features.expression import DERIVED
from features.language import change, count, last, mean, share, since_last, smallest
from features.predicate import Compare, Given
from features.sources import FEEDBACK, TICKETS
from features.spec import Feature
from features.text import TextModel
from features.text_learning import fit_text, rule_text

WRITTEN = Given(TICKETS["text_sentiment"]).named("written")
NEGATIVE = Compare("<", TICKETS["text_sentiment"], -0.25).named("negative")
COMPLAINING = Compare(">=", TICKETS["text_complaint"], 0.5).named("complaining")

PLENTY = 1000
"""So many texts are waited for before a model is fitted, if the wait is not too long."""

Texts = Literal["auto", "yes", "no"]

TEXT_FEATURES = (
    mean(TICKETS, "text_sentiment", days=90),
    mean(TICKETS, "text_sentiment", days=365),
    smallest(TICKETS, "text_sentiment", days=90),
    last(TICKETS, "text_sentiment"),
    change(mean(TICKETS, "text_sentiment", days=90), mean(TICKETS, "text_sentiment", days=365)),
    share(TICKETS, of=NEGATIVE, where=WRITTEN, days=90),
    since_last(TICKETS, where=NEGATIVE),
    mean(TICKETS, "text_complaint", days=90),
    count(TICKETS, where=COMPLAINING, days=28),
    count(TICKETS, where=COMPLAINING, days=90),
    since_last(TICKETS, where=COMPLAINING),
    last(TICKETS, "text_topic"),
    mean(FEEDBACK, "text_sentiment", days=365),
    last(FEEDBACK, "text_sentiment"),
    last(FEEDBACK, "text_topic"),
)
"""Features of what was written; a view has those whose columns the tables have."""


class _OverTables:
    """Tables that are those of ``base`` but for columns that ``model`` reads from texts."""

    def __init__(self, base: Tables, model: TextModel) -> None:
        self.base, self.model = base, model

    @property
    def names(self) -> tuple[str, ...]:
        return self.base.names

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.base.attributes

    def has(self, name: str) -> bool:
        return self.base.has(name)

    def seen_from_birth(self, name: str) -> bool:
        return self.base.seen_from_birth(name)


class WithTexts(_OverTables):
    """``base`` with the columns that ``model`` derives from texts; satisfies ``Tables``."""

    @property
    def fingerprint(self) -> str:
        parts = self.base.fingerprint + self.model.fingerprint
        return hashlib.sha256(parts.encode()).hexdigest()

    def file(self, name: str) -> Path | None:
        return None if name in DERIVED else self.base.file(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        derived = DERIVED.get(name, {})
        wanted = None if columns is None else [*columns]
        names = list(derived) if wanted is None else [c for c in wanted if c in derived]
        if not names:
            return self.base.frame(name, columns)
        own = None if wanted is None else [*(c for c in wanted if c not in derived), "text"]
        frame = self.base.frame(name, None if own is None else list(dict.fromkeys(own)))
        frame = frame.assign(**self._read(frame["text"], names))
        return frame if wanted is None else frame[wanted]

    def _read(self, texts: pd.Series, names: Sequence[str]) -> dict[str, pd.Series]:
        known = np.full(len(texts), self.model.as_of - MICROSECOND, dtype="datetime64[us]")
        columns = {"text_known_at": pd.Series(known, index=texts.index)}
        if set(names) - set(columns):
            read = self.model.read(texts.astype(object).where(texts.notna(), None))
            columns |= {name: read[name].set_axis(texts.index) for name in read.columns}
        return {name: columns[name] for name in names}


class WithReadComplaints(_OverTables):
    """``base`` with ``is_complaint`` filled where it is null and the text reads as a complaint;
    the ``[complaint]`` rule has the rest. For labels, which look back on it all: features take
    ``text_complaint``, which knows from when it counts. Satisfies ``Tables``."""

    def __init__(self, base: Tables, model: TextModel, least: float = 0.5) -> None:
        super().__init__(base, model)
        self.least = least

    @property
    def fingerprint(self) -> str:
        parts = f"{self.base.fingerprint}{self.model.fingerprint}{self.least}"
        return hashlib.sha256(parts.encode()).hexdigest()

    def file(self, name: str) -> Path | None:
        return None if name == "tickets" else self.base.file(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        if name != "tickets" or (columns is not None and "is_complaint" not in columns):
            return self.base.frame(name, columns)
        own = None if columns is None else list(dict.fromkeys([*columns, "text"]))
        frame = self.base.frame(name, own)
        unstated = frame["is_complaint"].isna()
        read = self.model.read(frame["text"].astype(object).where(unstated, None))
        complains = unstated & (read["text_complaint"] >= self.least).to_numpy()
        frame = frame.assign(is_complaint=frame["is_complaint"].mask(complains, True))
        return frame if columns is None else frame[list(columns)]


def text_features(tables: WithTexts) -> tuple[Feature, ...]:
    """Those of ``TEXT_FEATURES`` whose questions the tables' model has learned."""
    there = {*tables.model.columns, "text_known_at"}
    return tuple(
        feature
        for feature in TEXT_FEATURES
        if {c.name for t in feature.node.terms() for c in t.columns if c.name in DERIVED[c.table]}
        <= there
    )


@dataclass(frozen=True)
class Reading:
    """A company's tables as its texts are read: what features see, and what labels do."""

    features: Tables
    labels: Tables
    model: TextModel | None = None
    """What reads for features, to travel with the model that is trained on them."""
    labeller: TextModel | None = None
    """What reads for labels, a part of the id of their set."""


def reading(
    tables: Tables,
    moments: Sequence[datetime],
    rule: ComplaintRule,
    *,
    texts: Texts = "yes",
    by_text: bool = False,
) -> Reading:
    """Texts read by a model of the first of the training times at which there is plenty to learn.

    ``texts``: whether features are made of them; auto: where a tenth of the written tickets does
    not state if it is a complaint, or its topic. ``by_text``: what reads as a complaint is one
    where nothing is stated. The tables as they are where neither is asked for, or texts are few.
    """
    model = first_model(tables, moments, rule) if texts != "no" or by_text else None
    if model is None:
        return Reading(tables, tables)
    as_features = texts == "yes" or (texts == "auto" and model.tells)
    fills = by_text and "complaint" in model.questions
    return Reading(
        WithTexts(tables, model) if as_features else tables,
        WithReadComplaints(tables, model) if fills else tables,
        model if as_features else None,
        model if fills else None,
    )


def first_model(
    tables: Tables, moments: Sequence[datetime], rule: ComplaintRule
) -> TextModel | None:
    """The model as of the first of some moments by which ``PLENTY`` texts were recorded, else of
    the middle one; None where even those are not enough.

    Training times before it lack its columns, so it is looked for in their first half. Nothing
    recorded after that moment has a say in it.
    """
    if not tables.has("tickets"):
        return None
    rising = sorted(moments)[: (len(moments) + 1) // 2]
    rows = tables.frame("tickets", ["text", "opened_at", "recorded_at"])
    rows = rows[rows["text"].notna()]
    there = np.sort(rows[["opened_at", "recorded_at"]].max(axis=1).to_numpy("datetime64[us]"))
    texts = np.searchsorted(there, np.array(rising, dtype="datetime64[us]"))
    plenty = [at for at, count in enumerate(texts) if count >= PLENTY]
    try:
        return fit_text(tables, rising[plenty[0] if plenty else -1], rule) if rising else None
    except NotEnoughHistory:
        return None


def label_set(rule: ComplaintRule, model: TextModel | None = None) -> str:
    """The id of the labels that a rule makes, and the model that reads what it leaves open.

    >>> from data.settings import Complaint
    >>> label_set(Complaint(all=True)) == label_set(Complaint(topics=("billing",)))
    False
    """
    identity = rule_text(rule) + ("" if model is None else model.fingerprint)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
