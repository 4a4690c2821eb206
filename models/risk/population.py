"""Whose risk, as of when: the rows that a model of one moment may learn from.

Known at ``known_as_of``: the as-of times go back from the newest whose shortest label is complete,
step by step, to where there is history to look back on. Features see what was known at each time,
labels what is known at ``known_as_of``; a label that is not complete by then is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pandas as pd

from data.contract import TABLES
from data.errors import NotEnoughHistory
from data.sign_ups import suspect_in
from data.tables import Tables
from features.complaint import ComplaintRule
from features.compute import Progress, compute
from features.labels import labels as compute_labels
from features.language import count, since_first
from features.sources import CUSTOMERS, SIGHTINGS
from features.spec import FeatureView
from features.spine import customers_at
from features.untreated import Exposures, untreated
from models.risk.settings import Growth
from models.splits import as_of_grid, last_labelled

HISTORY_DAYS = 28.0
"""History that the first as-of time looks back on, where there is four times as much in all."""
BEGINNINGS = ("orders", "usage", "tickets")


class Population(Growth, Protocol):
    """What of ``[risk]`` decides whom, when and how; ``data.settings.Risk`` has it."""

    @property
    def active_within_days(self) -> int | None: ...
    @property
    def gap_days(self) -> float: ...
    @property
    def as_ofs(self) -> int: ...
    @property
    def as_of_step_days(self) -> int: ...


class RiskCase(Protocol):
    """What of the settings a risk model depends on; ``data.settings.Settings`` has it."""

    @property
    def risk(self) -> Population: ...
    @property
    def complaint(self) -> ComplaintRule: ...


@dataclass(frozen=True)
class TrainingSet:
    """Features and labels, row by row of the same spine, as known at ``known_as_of``.

    ``exposures``: where there are some, labels are those of the untreated world
    (features/untreated.py).
    """

    features: pd.DataFrame
    labels: pd.DataFrame
    known_as_of: datetime
    exposures: Exposures | None = None


def training_times(
    tables: Tables, known_as_of: datetime, horizons: Sequence[int], population: Population
) -> list[datetime]:
    """The as-of times to learn from, ascending; the newest has its shortest label complete.

    Raises NotEnoughHistory, naming the days missing, if there is not one.
    """
    begin = first_event(tables, known_as_of)
    shortest = min(horizons)
    last = last_labelled(known_as_of, shortest, population.gap_days)
    span = (known_as_of - begin) / timedelta(days=1)
    first = begin + timedelta(days=min(HISTORY_DAYS, span / 4))
    if last < first:
        missing = (first - last) / timedelta(days=1)
        raise NotEnoughHistory(
            f"history begins at {begin} and ends at {known_as_of}: {span:.1f} days. A label of "
            f"{shortest} days and something to look back on need {missing:.1f} days more"
        )
    times = as_of_grid(first, last, timedelta(days=population.as_of_step_days))
    return times[-population.as_ofs :]


def training_set(
    tables: Tables,
    view: FeatureView,
    known_as_of: datetime,
    horizons: Sequence[int],
    case: RiskCase,
    *,
    progress: Progress | None = None,
    labels_from: Tables | None = None,
    memory_limit: int | None = None,
    exposures: Exposures | None = None,
) -> TrainingSet:
    """Features and labels of everybody at every training time, nothing later than known_as_of.

    ``labels_from``: tables whose tickets say what complaints are, if those of features do not.
    ``memory_limit``: bytes that rows may take beside the set, as in ``features.compute``.
    ``exposures``: who could have been contacted; labels are then those of the untreated world.
    Where sign-ups seem derived from first tickets, nobody is learned from in the first day of whom
    nothing was seen yet: that they are there would tell that they are about to write.
    """
    times = training_times(tables, known_as_of, horizons, case.risk)
    active = case.risk.active_within_days
    spine = customers_at(tables, times, active, memory_limit=memory_limit)
    if suspect_in(tables, known_as_of) is not None:
        spine = settled(spine, tables)
    if spine.empty:
        raise NotEnoughHistory(
            f"nobody was a customer at any of {len(times)} times from {times[0]} to {times[-1]}; "
            "check signed_up_at, or [risk] active_within_days"
        )
    labels = _labels(
        spine, tables if labels_from is None else labels_from, known_as_of, horizons, case,
        exposures,
    )  # fmt: skip
    features = compute(view, spine, tables, progress=progress, memory_limit=memory_limit)
    return TrainingSet(features, labels, known_as_of, exposures)


def as_treated(
    learned: TrainingSet, tables: Tables, horizons: Sequence[int], case: RiskCase
) -> TrainingSet:
    """The same rows with what came of them, whoever was contacted."""
    spine = learned.features[["customer_id", "as_of"]]
    labels = _labels(spine, tables, learned.known_as_of, horizons, case, None)
    return TrainingSet(learned.features, labels, learned.known_as_of)


def _labels(
    spine: pd.DataFrame,
    tables: Tables,
    known_as_of: datetime,
    horizons: Sequence[int],
    case: RiskCase,
    exposures: Exposures | None,
) -> pd.DataFrame:
    labels = compute_labels(
        spine,
        tables,
        horizons=tuple(horizons),
        gap_days=case.risk.gap_days,
        known_as_of=known_as_of,
        complaint=case.complaint,
    )
    if exposures is None:
        return labels
    return untreated(
        labels, exposures, horizons=horizons, gap_days=case.risk.gap_days, known_as_of=known_as_of
    )


def settled(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """The rows of customers who signed up a day before, or of whom an event was seen.

    It asks only what is known at each row's time, so it leaves out nobody for what came of them.
    """
    sightings = [count(source) for source in SIGHTINGS if tables.has(source.table)]
    young = since_first(CUSTOMERS)
    frame = compute(FeatureView((young, *sightings)), spine, tables)
    there = (frame[[feature.name for feature in sightings]] > 0).any(axis=1)
    return spine[there | (frame[young.name] >= 1)].reset_index(drop=True)


def known_by(
    learned: TrainingSet,
    moment: datetime,
    tables: Tables,
    horizons: Sequence[int],
    case: RiskCase,
) -> TrainingSet:
    """The rows of before ``moment``, with the labels of ``horizons`` that were known then.

    ``tables``: whose tickets say what complaints are. NotEnoughHistory where not one label of the
    shortest horizon was complete by then.
    """
    shortest = min(horizons)
    rows = learned.features["as_of"] + timedelta(days=shortest + case.risk.gap_days) <= moment
    features = learned.features[rows].reset_index(drop=True)
    if features.empty:
        raise NotEnoughHistory(
            f"no label of {shortest} days was complete by {moment}, from when on a model "
            "would be judged; more days of history are needed"
        )
    spine = features[["customer_id", "as_of"]]
    labels = _labels(spine, tables, moment, horizons, case, learned.exposures)
    return TrainingSet(features, labels, moment, learned.exposures)


def first_event(tables: Tables, known_as_of: datetime) -> datetime:
    """The first birth in orders, usage and tickets; NotEnoughHistory if there is none by then."""
    births = []
    for name in BEGINNINGS:
        birth = TABLES[name].birth
        if tables.has(name) and birth is not None:
            births.append(tables.frame(name, [birth])[birth].min())
    first = min(births, default=pd.NaT)
    if pd.isna(first) or first >= known_as_of:
        raise NotEnoughHistory(
            f"there is no order, use or ticket before {known_as_of}; nothing can be learned from"
        )
    return pd.Timestamp(first).to_pydatetime()
