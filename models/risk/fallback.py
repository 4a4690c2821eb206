"""When there is too little to learn from, or nothing passed: what stands in the model's place.

Whoever trains tries ``train_risk`` first; what it raises as NotEnoughHistory comes here. The rule
needs one complete label and one complaint. Where even the shortest horizon is not over anywhere, a
day's labels stand in for it. Without tickets, or without one complaint, there is no rate to tell:
that stays a refusal. Where a model learned and the gate refused it, the logistic regression of
models/risk/standin.py can stand in as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from data.errors import NotEnoughHistory
from data.tables import Tables
from features.asof import as_of_view
from features.labels import COLUMNS
from features.messages import Reading, Texts, reading
from features.spec import FeatureView
from models.risk.enough import days_until_enough
from models.risk.model import RiskModel
from models.risk.population import (
    RiskCase,
    TrainingSet,
    first_event,
    training_set,
    training_times,
)
from models.risk.repeat import repeat_of
from models.risk.rule import rule_view, train_rule
from models.risk.settings import RiskSettings
from models.risk.standin import train_logistic, view_of_logistic

A_DAY = 1
Kind = Literal["rule", "logistic"]


@dataclass(frozen=True)
class Fallback:
    """The rows that a stand-in learns from, its features, and why there is nothing better."""

    rows: TrainingSet
    lengths: tuple[int, ...]
    view: FeatureView
    read: Reading
    horizons: tuple[int, ...]
    case: RiskCase
    why: str
    kind: Kind = "rule"

    @property
    def called(self) -> str:
        """What it is, in words."""
        if self.kind == "logistic":
            return "logistic regression on recency, frequency and the state of orders"
        return "shrunk rule of recency and frequency"

    def learn(self, rows: TrainingSet | None = None) -> RiskModel:
        """The stand-in of these rows, or of others of the same kind (a twin's)."""
        of = self.rows if rows is None else rows
        train = train_rule if self.kind == "rule" else train_logistic
        model = train(
            of.features,
            of.labels,
            as_of_view(self.read.labels, "tickets", of.known_as_of, COLUMNS),
            complaint=self.case.complaint,
            horizons=self.horizons,
            gap_days=self.case.risk.gap_days,
            cards=self.view.cards(),
            why=self.why,
        )
        return replace(model, repeat=repeat_of(of, self.read.labels))


def fall_back(
    tables: Tables,
    as_of: datetime,
    horizons: Sequence[int],
    case: RiskCase,
    missing: NotEnoughHistory,
    *,
    texts: Texts = "no",
    by_text: bool = False,
    why: str | None = None,
    kind: Kind = "rule",
) -> Fallback:
    """Everything that a stand-in needs, as of ``as_of``; ``missing`` is why there is no model.

    ``why``: what is told of it; by default what ``missing`` says, and by when there is enough.

    Raises ``missing`` again without tickets, and NotEnoughHistory where not even a day's label is
    complete.
    """
    if not tables.has("tickets"):
        raise missing
    wanted = tuple(sorted(set(horizons)))
    try:
        lengths = wanted
        times = training_times(tables, as_of, lengths, case.risk)
    except NotEnoughHistory:
        lengths = tuple(sorted({A_DAY, *wanted}))
        times = training_times(tables, as_of, lengths, case.risk)
    read = reading(tables, times, case.complaint, texts=texts, by_text=by_text)
    view = (rule_view if kind == "rule" else view_of_logistic)(case.complaint, read.features)
    rows = training_set(read.features, view, as_of, lengths, case, labels_from=read.labels)
    span = (as_of - first_event(tables, as_of)) / timedelta(days=1)
    days = days_until_enough(rows.labels, span, case.risk.as_of_step_days, RiskSettings())
    reason = why or warning(missing, as_of, days)
    return Fallback(rows, lengths, view, read, wanted, case, reason, kind)


def warning(missing: NotEnoughHistory, as_of: datetime, days: float | None) -> str:
    """What is missing, what stands in, and by when there will be enough, ``days`` from now.

    >>> few = NotEnoughHistory("7-day risk: 12 rows are missing")
    >>> warning(few, datetime(2026, 3, 1), 30.0).partition("; ")[2]
    'enough by about 2026-03-31'
    """
    when = "waiting alone will not do, more customers who complain are needed"
    if days is not None:
        when = f"enough by about {as_of + timedelta(days=days):%Y-%m-%d}"
    lack = str(missing).rstrip(".")
    return (
        f"too little history to learn from ({lack}): the shrunk rule of recency and frequency "
        f"stands in; {when}"
    )
