"""What training a risk model learns: the model, and the twin that can be judged.

A twin learned the same way from what was known earlier, so the newest labels can judge it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from data.errors import DataError, NotEnoughHistory
from data.settings import Settings
from data.snapshot import Snapshot
from data.store import open_store
from data.tables import Tables
from data.workspace import Workspace
from features.messages import Reading, label_set, reading
from features.spec import FeatureView
from features.untreated import WEIGHT, Exposures
from features.views import default_view, what_is_missing
from models.risk.days import learn_days
from models.risk.fallback import fall_back
from models.risk.model import RiskModel
from models.risk.population import (
    TrainingSet,
    as_treated,
    known_by,
    training_set,
    training_times,
)
from models.risk.repeat import repeat_of
from models.risk.search import SearchResult, search
from models.risk.settings import RiskSettings, risk_settings
from models.risk.train import train_risk
from pipelines.console import Progress, say
from pipelines.reports import features_line
from serving.outreach.exposures import exposures_of
from serving.predictor import Predictor, with_view

HORIZONS = (7, 14, 30)
THREADS = 2
"""Fits at once; how many changes no model."""


@dataclass(frozen=True)
class Learned:
    """A model, its twin, the labels that judge the twin, and what both were learned from."""

    model: RiskModel
    twin: RiskModel
    judged: pd.DataFrame
    rows: TrainingSet
    horizons: tuple[int, ...]
    view: FeatureView
    read: Reading
    searched: SearchResult | None
    learner: RiskSettings


def learn(
    opened: Workspace,
    tables: Snapshot,
    as_of: datetime,
    search_minutes: float | None,
    report: Progress,
) -> Learned:
    """Model and twin, of every horizon that history is long enough for.

    ``search_minutes``: for better settings first; None: as ``[risk]`` says. Raises
    NotEnoughHistory where not even the shortest horizon can be learned.
    """
    settings = opened.settings
    minutes = settings.risk.search_minutes if search_minutes is None else search_minutes
    read = reading(
        tables,
        training_times(tables, as_of, HORIZONS, settings.risk),
        settings.complaint,
        texts=settings.risk.texts,
        by_text=settings.complaint.by_text,
    )
    view = default_view(read.features, settings, as_of, settings.company.time_zone)
    missing = what_is_missing(read.features, settings, as_of, settings.company.time_zone)
    say(features_line(len(view.names), missing))
    report(f"computing {len(view.names)} features")
    rows = training_set(
        read.features, view, as_of, HORIZONS, settings, labels_from=read.labels,
        memory_limit=settings.engine.memory_limit_bytes // 4,
        exposures=_exposures(opened, tables, as_of),
    )  # fmt: skip
    rows, (horizons, twin, judged) = _untreated_if_possible(rows, read, settings, view, report)
    learner, searched = risk_settings(settings.risk, num_threads=THREADS), None
    if minutes > 0:
        since = judged["as_of"].min().to_pydatetime()
        known = known_by(rows, since, read.labels, HORIZONS, settings)
        labels = label_set(settings.complaint, read.labeller)
        what = f"{tables.fingerprint} {view.fingerprint} {labels} {since} {horizons} {learner}"
        report(f"searching for better settings for {minutes:g} minutes")
        searched = search(
            known.features,
            known.labels,
            horizons=horizons,
            settings=learner,
            storage=opened.state_dir / "search.db",
            study=hashlib.sha256(what.encode()).hexdigest()[:16],
            minutes=minutes,
            seed=settings.risk.seed,
            cards=view.cards(),
            gap_days=settings.risk.gap_days,
            say=report,
        )
        learner = searched.settings
        twin = _trained(known, read.labels, settings, view, horizons, learner, choices=False)
        twin = with_view(twin, view, read.model)
    report(f"training on {len(rows.features)} rows, {len(view.names)} features")
    model = _trained(rows, read.labels, settings, view, horizons, learner, choices=True)
    model = with_view(model, view, read.model)
    model = replace(model, repeat=repeat_of(rows, read.labels))
    return Learned(model, twin, judged, rows, horizons, view, read, searched, learner)


def trained_for(
    opened: Workspace, tables: Snapshot, as_of: datetime, report: Progress
) -> Predictor:
    """A model of what was known at ``as_of``, to score with at once; the shrunk rule where that is
    too little. It is neither judged nor registered."""
    try:
        model = learn(opened, tables, as_of, None, report).model
    except NotEnoughHistory as missing:
        settings = opened.settings
        stand_in = fall_back(
            tables,
            as_of,
            HORIZONS,
            settings,
            missing,
            texts=settings.risk.texts,
            by_text=settings.complaint.by_text,
        )
        say(f"WARNING: {stand_in.why}")
        model = with_view(stand_in.learn(), stand_in.view, stand_in.read.model)
    return Predictor.of_model(model, f"risk-trained-as-of-{as_of:%Y%m%dT%H%M%S}")


def _exposures(opened: Workspace, tables: Tables, as_of: datetime) -> Exposures | None:
    """Who could have been contacted by ``as_of``, and who was; None: nobody ever."""
    with open_store(opened) as store:
        return exposures_of(tables, store, opened.settings, as_of)


def _untreated_if_possible(
    rows: TrainingSet,
    read: Reading,
    settings: Settings,
    view: FeatureView,
    report: Progress,
) -> tuple[TrainingSet, tuple[tuple[int, ...], RiskModel, pd.DataFrame]]:
    """The rows to learn from, with what ``_longest_possible`` makes of them: those left alone by
    outreach, unless they are so few that a horizon would be lost."""
    refusal: NotEnoughHistory | None = None
    untreated = None
    if WEIGHT not in rows.labels:
        return rows, _longest_possible(rows, read, settings, view, report)
    left = int(rows.labels[WEIGHT].ne(1.0).sum())
    try:
        untreated = _longest_possible(rows, read, settings, view, report)
    except NotEnoughHistory as error:
        refusal = error
    if untreated is not None and untreated[0] == HORIZONS:
        lost = int((rows.labels[f"label_{HORIZONS[0]}d"].isna()).sum())
        say(
            f"risk is that of customers left alone: {lost} of {len(rows.labels)} rows under a "
            f"contact (or not over yet) teach nothing, {left} that chance left alone stand for them"
        )
        return rows, untreated
    every = as_treated(rows, read.labels, HORIZONS, settings)
    try:
        treated = _longest_possible(every, read, settings, view, report)
    except NotEnoughHistory:
        if untreated is None:
            raise
        return rows, untreated
    if untreated is not None and len(treated[0]) <= len(untreated[0]):
        return rows, untreated
    say(
        "WARNING: outreach left too few customers alone to learn their risk from "
        f"({refusal or 'a horizon would be lost'}); it is learned from all, and will fall where "
        "contacts help. Raise [outreach] holdout_share or lower capacity_per_day"
    )
    return every, treated


def _longest_possible(
    learned: TrainingSet,
    read: Reading,
    settings: Settings,
    view: FeatureView,
    report: Progress,
) -> tuple[tuple[int, ...], RiskModel, pd.DataFrame]:
    """The twin with every horizon that the history is long enough for; says which are left out."""
    left_out = []
    for count in range(len(HORIZONS), 0, -1):
        horizons = HORIZONS[:count]
        try:
            twin_and_labels = _twin(learned, read, settings, view, horizons, report)
        except NotEnoughHistory as error:
            if count == 1:
                raise
            left_out.append(f"leaving out the horizon of {horizons[-1]} days: {error}")
            continue
        for line in left_out:
            say(line)
        return horizons, *twin_and_labels
    raise AssertionError("the loop returns or raises")


def _trained(
    learned: TrainingSet,
    tables: Tables,
    settings: Settings,
    view: FeatureView,
    horizons: tuple[int, ...],
    learner: RiskSettings,
    *,
    choices: bool,
) -> RiskModel:
    """The model of what was known when the rows were; ``tables``: whose tickets say what
    complaints are; ``choices``: with the next topic and channel, by which no twin is judged."""
    return train_risk(
        learned.features,
        learned.labels,
        horizons=horizons,
        seed=settings.risk.seed,
        settings=learner,
        cards=view.cards(),
        gap_days=settings.risk.gap_days,
        days=learn_days(
            tables,
            learned.known_as_of,
            settings.complaint,
            countries=settings.company.country,
            time_zone=settings.company.time_zone,
            gap_days=settings.risk.gap_days,
        ),
        choices=choices,
    )


def judging_moments(many: int) -> int:
    """How many of so many moments judge: the newest fifth, four to eight of them.

    Four weeks could not tell a model from the logistic regression where two months could.

    >>> [judging_moments(many) for many in (3, 22, 30, 52)]
    [4, 4, 6, 8]
    """
    return min(max(many // 5, 4), 8)


def _twin(
    learned: TrainingSet,
    read: Reading,
    settings: Settings,
    view: FeatureView,
    horizons: tuple[int, ...],
    report: Progress,
) -> tuple[RiskModel, pd.DataFrame]:
    """A model that learned from what was known at E, and the labels from E on that judge it.

    ``judging_moments`` say how many moments judge; in a short history one does. The index of the
    judging rows is ``learned``'s.
    """
    complete = learned.labels[f"label_{max(horizons)}d"].notna()
    times = sorted(learned.labels.loc[complete, "as_of"].unique())
    if not times:
        raise NotEnoughHistory(
            f"no moment has a complete label of {max(horizons)} days to judge a model by; "
            f"about {max(horizons)} more days of history are needed"
        )
    refusal: DataError | None = None
    for count in (judging_moments(len(times)), 1):
        if count > len(times):
            continue
        judged = learned.labels[learned.labels["as_of"].isin(times[-count:]) & complete]
        since = pd.Timestamp(times[-count]).to_pydatetime()
        report(f"training the twin on what was known at {since:%Y-%m-%d}")
        try:
            known = known_by(learned, since, read.labels, HORIZONS, settings)
            usual = risk_settings(settings.risk, num_threads=THREADS)
            twin = _trained(known, read.labels, settings, view, horizons, usual, choices=False)
            return with_view(twin, view, read.model), judged
        except DataError as error:
            refusal = error
    assert refusal is not None
    raise refusal
