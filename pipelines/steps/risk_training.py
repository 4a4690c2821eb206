"""Training the risk model: learned from everything, judged through a twin on the newest labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import DataError, NotEnoughHistory
from data.settings import Settings
from data.snapshot import Snapshot, open_snapshot
from data.workspace import Workspace
from features.messages import Reading, label_set, reading
from features.spec import FeatureView
from features.views import default_view
from models.gate import Evaluation, gate
from models.risk.backtest import BASELINES, judged_baselines
from models.risk.model import RiskModel
from models.risk.page import Report, page
from models.risk.population import TrainingSet, known_by, training_set, training_times
from models.risk.repeat import repeat_of
from models.risk.repeat import told as told_of_repeats
from models.risk.report import ablation, decay, one_line, segments
from models.risk.search import Found, search
from models.risk.settings import RiskSettings, risk_settings
from models.risk.train import train_risk
from pipelines.console import Progress, Result, say
from pipelines.steps.risk_evaluation import RESAMPLES, measured, said_before
from pipelines.steps.risk_rule import KIND, train_rule_model
from pipelines.steps.training import Candidate, champion_twin, cleared, register
from serving.predictor import with_view

HORIZONS = (7, 14, 30)
COMPARED = (*BASELINES, "lightgbm")
"""What the report sets beside the model; the gate asks about the first ones only."""


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
    searched: Found | None


def train_risk_model(
    workspace: Path,
    snapshot: Path,
    as_of: datetime,
    report: Progress,
    search_minutes: float | None = None,
) -> Result:
    """Train, evaluate, register, gate, promote; the shrunk rule where there is too little.

    ``search_minutes``: how long to search for better settings; None: as ``[risk]`` says.
    """
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    if not tables.has("tickets"):
        raise NotEnoughHistory("risk is learned from past complaints; there is no tickets table")
    try:
        found = _learn(opened, tables, as_of, search_minutes, report)
    except NotEnoughHistory as missing:
        return train_rule_model(opened, tables, as_of, HORIZONS, missing, report)
    return _judge_and_register(opened, tables, as_of, found, report)


def _learn(
    opened: Workspace,
    tables: Snapshot,
    as_of: datetime,
    search_minutes: float | None,
    report: Progress,
) -> Learned:
    """Model and twin, of every horizon that history is long enough for."""
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
    report(f"computing {len(view.names)} features")
    rows = training_set(read.features, view, as_of, HORIZONS, settings, labels_from=read.labels)
    horizons, twin, judged = _longest_possible(rows, read, settings, view, report)
    learner, searched = risk_settings(settings.risk), None
    if minutes > 0:
        since = judged["as_of"].min().to_pydatetime()
        known = known_by(rows, since, read.labels, HORIZONS, settings)
        labels = label_set(settings.complaint, read.labeller)
        told = f"{tables.fingerprint} {view.fingerprint} {labels} {since} {horizons} {learner}"
        report(f"searching for better settings for {minutes:g} minutes")
        searched = search(
            known.features,
            known.labels,
            horizons=horizons,
            settings=learner,
            storage=opened.state_dir / "search.db",
            study=hashlib.sha256(told.encode()).hexdigest()[:16],
            minutes=minutes,
            seed=settings.risk.seed,
            gap_days=settings.risk.gap_days,
            say=report,
        )
        learner = searched.settings
        twin = with_view(_trained(known, settings, view, horizons, learner), view, read.model)
    report(f"training on {len(rows.features)} rows, {len(view.names)} features")
    model = with_view(_trained(rows, settings, view, horizons, learner), view, read.model)
    model = replace(model, repeat=repeat_of(rows, read.labels))
    return Learned(model, twin, judged, rows, horizons, view, read, searched)


def _judge_and_register(
    opened: Workspace, tables: Snapshot, as_of: datetime, found: Learned, report: Progress
) -> Result:
    settings, view, read = opened.settings, found.view, found.read
    model, twin, learned, horizons = found.model, found.twin, found.rows, found.horizons
    for alarm in model.alarms:
        say(f"look at this before the model is used: {alarm}")
    staging = opened.state_dir / "staging"
    bundle, twin_bundle = cleared(staging / "risk"), cleared(staging / "risk-twin")
    model.save(bundle)
    twin.save(twin_bundle)

    report("evaluating")
    at = found.judged.index
    features = learned.features.loc[at].reset_index(drop=True)
    judged = found.judged.reset_index(drop=True)
    told = twin.predict(features, choices=False, num_threads=2)
    twin_as_of: datetime = judged["as_of"].min().to_pydatetime()
    known = known_by(learned, twin_as_of, read.labels, HORIZONS, settings)
    beside = judged_baselines(known, features, horizons, COMPARED)
    middle = horizons[len(horizons) // 2]
    before = None
    earlier = champion_twin(opened.state_dir, KIND, twin_as_of)
    if earlier is not None:
        before = said_before(earlier, judged, tables, middle)
    y = judged[f"label_{middle}d"].to_numpy(np.float64)
    groups = judged["customer_id"].to_numpy()
    decision = gate(
        told[f"risk_{middle}d"].to_numpy(),
        before,
        Evaluation(
            y,
            groups=groups,
            baselines={name: beside[f"{name}_{middle}d"] for name in BASELINES},
            seed=settings.risk.seed,
            resamples=RESAMPLES,
        ),
    )
    metrics, plots, rates = measured(
        judged, told, beside, COMPARED, horizons, settings.outreach.capacity_per_day
    )
    risk = told[f"risk_{middle}d"].to_numpy()
    tables_of = {
        f"segments_{middle}d": segments(features, y, risk),
        f"ablation_{middle}d": ablation(twin, features, y, middle, num_threads=2),
        f"decay_{middle}d": decay(judged["as_of"], y, risk, pd.Timestamp(twin_as_of)),
    }
    judged_on = (
        f"judged at {judged['as_of'].nunique()} moments from {twin_as_of:%Y-%m-%d} on "
        f"{len(judged)} customers x moments, {y.mean():.2%} of which complained within "
        f"{middle} days"
    )
    of_repeats, repeat_lines = told_of_repeats(model.repeat)
    candidate = Candidate(
        kind=KIND,
        bundle=bundle,
        twin=twin_bundle,
        as_of=as_of,
        twin_as_of=twin_as_of,
        decision=decision,
        params={
            "model": "trees and regressions",
            "horizons": horizons,
            "as_ofs": learned.features["as_of"].nunique(),
            "as_of_step_days": settings.risk.as_of_step_days,
            "rows": len(learned.features),
            "features": len(view.names),
            "gap_days": settings.risk.gap_days,
            "active_within_days": settings.risk.active_within_days,
            "seed": settings.risk.seed,
            "repeat_contact": model.repeat.kind if model.repeat else None,
            "label_set": label_set(settings.complaint, read.labeller),
            "judged_from": judged["as_of"].min(),
            "judged_to": judged["as_of"].max(),
            **(found.searched.params() if found.searched else {}),
        },
        metrics=metrics | of_repeats,
        base_rates=rates,
        data_fingerprint=tables.fingerprint,
        feature_fingerprint=view.fingerprint,
        example=features.head(5).drop(columns=["customer_id", "as_of"]),
        predictions=told[[f"risk_{h}d" for h in horizons]].head(5),
        plots=plots,
        tables={
            "features": pd.DataFrame(view.cards()).astype(str),
            **tables_of,
        },
        pages={
            "report": page(
                Report(
                    f"Risk of complaints, as of {as_of:%Y-%m-%d %H:%M}",
                    one_line(y, risk, middle),
                    [judged_on, *(line.strip() for line in repeat_lines), *decision.reasons],
                    horizons,
                    COMPARED,
                    metrics,
                    rates,
                    plots,
                    tables_of,
                    warning="; ".join(model.alarms) or None,
                )
            )
        },
        summary=(
            *_of_search(found.searched),
            f"  {judged_on}",
            *repeat_lines,
            f"  {one_line(y, risk, middle)}",
        ),
    )
    return register(opened, candidate, report)


def _of_search(searched: Found | None) -> list[str]:
    """What a search found, as a line; none where there was no search."""
    if searched is None:
        return []
    return [
        f"  search: {searched.trials} trials, mean log loss on later slices "
        f"{searched.log_loss:.5f}, {searched.log_loss_before:.5f} with the settings as they were"
    ]


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
            found = _twin(learned, read, settings, view, horizons, report)
        except NotEnoughHistory as error:
            if count == 1:
                raise
            left_out.append(f"leaving out the horizon of {horizons[-1]} days: {error}")
            continue
        for line in left_out:
            say(line)
        return horizons, *found
    raise AssertionError("the loop returns or raises")


def _trained(
    learned: TrainingSet,
    settings: Settings,
    view: FeatureView,
    horizons: tuple[int, ...],
    learner: RiskSettings,
) -> RiskModel:
    return train_risk(
        learned.features,
        learned.labels,
        horizons=horizons,
        seed=settings.risk.seed,
        settings=learner,
        cards=view.cards(),
        gap_days=settings.risk.gap_days,
    )


def _twin(
    learned: TrainingSet,
    read: Reading,
    settings: Settings,
    view: FeatureView,
    horizons: tuple[int, ...],
    report: Progress,
) -> tuple[RiskModel, pd.DataFrame]:
    """A model that learned from what was known at E, and the labels from E on that judge it.

    Four moments judge; in a short history one. The index of the judging rows is ``learned``'s.
    """
    complete = learned.labels[f"label_{max(horizons)}d"].notna()
    times = sorted(learned.labels.loc[complete, "as_of"].unique())
    if not times:
        raise NotEnoughHistory(
            f"no moment has a complete label of {max(horizons)} days to judge a model by; "
            f"about {max(horizons)} more days of history are needed"
        )
    refusal: DataError | None = None
    for count in (4, 1):
        if count > len(times):
            continue
        judged = learned.labels[learned.labels["as_of"].isin(times[-count:]) & complete]
        since = pd.Timestamp(times[-count]).to_pydatetime()
        report(f"training the twin on what was known at {since:%Y-%m-%d}")
        try:
            known = known_by(learned, since, read.labels, HORIZONS, settings)
            twin = _trained(known, settings, view, horizons, risk_settings(settings.risk))
            return with_view(twin, view, read.model), judged
        except DataError as error:
            refusal = error
    assert refusal is not None
    raise refusal
