"""Training the risk model: learned from everything, judged through a twin on the newest labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError, NotEnoughHistory
from data.settings import Settings
from data.snapshot import Snapshot, open_snapshot
from data.tables import Tables
from data.workspace import Workspace
from features.labels import labels as compute_labels
from features.messages import Reading, label_set, reading
from features.spec import FeatureView
from features.views import default_view
from models.gate import Evaluation, gate
from models.metrics import (
    Interval,
    average_precision,
    bootstrap,
    calibration_slope,
    ece,
    lift_at,
    log_loss_skill,
    observed_over_predicted,
    roc_auc,
)
from models.risk.backtest import judged_baselines
from models.risk.model import TICKET_DAYS, RiskModel
from models.risk.population import TrainingSet, training_set, training_times
from models.risk.report import ablation, decay, one_line, segments
from models.risk.settings import risk_settings
from models.risk.train import train_risk
from pipelines.console import Progress, Result, say
from pipelines.steps.training import Candidate, champion_twin, cleared, register
from serving.predictor import Predictor, with_view

KIND = "risk"
HORIZONS = (7, 14, 30)
RESAMPLES = 200

Scores = Mapping[str, npt.NDArray[np.float64]]


def train_risk_model(workspace: Path, snapshot: Path, as_of: datetime, report: Progress) -> Result:
    """Train, evaluate, register, gate, promote."""
    opened = Workspace.open(workspace)
    settings = opened.settings
    tables = open_snapshot(snapshot)
    if not tables.has("tickets"):
        raise NotEnoughHistory("risk is learned from past complaints; there is no tickets table")
    read = reading(
        tables,
        training_times(tables, as_of, HORIZONS, settings.risk),
        settings.complaint,
        texts=settings.risk.texts,
        by_text=settings.complaint.by_text,
    )
    view = default_view(read.features, settings, as_of, settings.company.time_zone)
    report(f"computing {len(view.names)} features")
    learned = training_set(read.features, view, as_of, HORIZONS, settings, labels_from=read.labels)
    horizons, twin, judged = _longest_possible(learned, read, settings, view, report)
    report(f"training on {len(learned.features)} rows, {len(view.names)} features")
    model = with_view(_trained(learned, settings, view, horizons), view, read.model)
    for alarm in model.alarms:
        say(f"look at this before the model is used: {alarm}")
    report("evaluating")
    at = judged.index
    features = learned.features.loc[at].reset_index(drop=True)
    judged = judged.reset_index(drop=True)
    told = twin.predict(features, choices=False, num_threads=2)
    model = replace(model, notes={**model.notes, "tickets_judged": _tickets_judged(judged, told)})
    staging = opened.state_dir / "staging"
    bundle, twin_bundle = cleared(staging / "risk"), cleared(staging / "risk-twin")
    model.save(bundle)
    twin.save(twin_bundle)
    known = _rows_known_by(learned, judged["as_of"].min().to_pydatetime(), read.labels, settings)
    beside = judged_baselines(known, features, horizons, ("rule", "logistic"))
    twin_as_of: datetime = judged["as_of"].min().to_pydatetime()
    middle = horizons[len(horizons) // 2]
    before = None
    earlier = champion_twin(opened.state_dir, KIND, twin_as_of)
    if earlier is not None:
        before = _said_before(earlier, judged, tables, middle)
    y = judged[f"label_{middle}d"].to_numpy(np.float64)
    groups = judged["customer_id"].to_numpy()
    decision = gate(
        told[f"risk_{middle}d"].to_numpy(),
        before,
        Evaluation(
            y,
            groups=groups,
            baselines={name: beside[f"{name}_{middle}d"] for name in ("rule", "logistic")},
            seed=settings.risk.seed,
            resamples=RESAMPLES,
        ),
    )
    metrics, plots, rates = _told(judged, told, beside, groups, horizons)
    risk = told[f"risk_{middle}d"].to_numpy()
    candidate = Candidate(
        kind=KIND,
        bundle=bundle,
        twin=twin_bundle,
        as_of=as_of,
        twin_as_of=twin_as_of,
        decision=decision,
        params={
            "horizons": horizons,
            "as_ofs": learned.features["as_of"].nunique(),
            "as_of_step_days": settings.risk.as_of_step_days,
            "rows": len(learned.features),
            "features": len(view.names),
            "gap_days": settings.risk.gap_days,
            "active_within_days": settings.risk.active_within_days,
            "seed": settings.risk.seed,
            "label_set": label_set(settings.complaint, read.labeller),
            "judged_from": judged["as_of"].min(),
            "judged_to": judged["as_of"].max(),
        },
        metrics=metrics,
        base_rates=rates,
        data_fingerprint=tables.fingerprint,
        feature_fingerprint=view.fingerprint,
        example=features.head(5).drop(columns=["customer_id", "as_of"]),
        predictions=told[[f"risk_{h}d" for h in horizons]].head(5),
        plots=plots,
        tables={
            "features": pd.DataFrame(view.cards()).astype(str),
            f"segments_{middle}d": segments(features, y, risk),
            f"ablation_{middle}d": ablation(twin, features, y, middle, num_threads=2),
            f"decay_{middle}d": decay(judged["as_of"], y, risk, pd.Timestamp(twin_as_of)),
        },
        summary=(
            f"  judged at {judged['as_of'].nunique()} moments from {twin_as_of:%Y-%m-%d} on "
            f"{len(judged)} customers x moments, {y.mean():.2%} of which complained within "
            f"{middle} days",
            f"  {one_line(y, risk, middle)}",
        ),
    )
    return register(opened, candidate, report)


def _tickets_judged(judged: pd.DataFrame, told: pd.DataFrame) -> dict[str, Any]:
    """What the twin expected of all customers' contacts at each judging moment, and what came: how
    far the level can be off, for models/one_number.py. Empty without 30-day labels.
    """
    column = f"tickets_{TICKET_DAYS}d"
    if column not in judged:
        return {"said": [], "came": [], "windows": 0.0}
    both = pd.DataFrame({"said": told["expected_tickets_30d"], "came": judged[column]})
    sums = both.groupby(judged["as_of"]).sum(min_count=1).dropna()
    span = (sums.index.max() - sums.index.min()) / pd.Timedelta(days=TICKET_DAYS)
    windows = min(len(sums), span + 1) if len(sums) else 0.0
    return {name: sums[name].tolist() for name in ("said", "came")} | {"windows": float(windows)}


def _longest_possible(
    learned: TrainingSet,
    read: Reading,
    settings: Settings,
    view: FeatureView,
    report: Progress,
) -> tuple[tuple[int, ...], RiskModel, pd.DataFrame]:
    """The twin with every horizon that the history is long enough for; says which are left out."""
    for count in range(len(HORIZONS), 0, -1):
        horizons = HORIZONS[:count]
        try:
            return horizons, *_twin(learned, read, settings, view, horizons, report)
        except NotEnoughHistory as error:
            if count == 1:
                raise
            say(f"leaving out the horizon of {horizons[-1]} days: {error}")
    raise AssertionError("the loop returns or raises")


def _trained(
    learned: TrainingSet, settings: Settings, view: FeatureView, horizons: tuple[int, ...]
) -> RiskModel:
    return train_risk(
        learned.features,
        learned.labels,
        horizons=horizons,
        seed=settings.risk.seed,
        settings=risk_settings(settings.risk),
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
            known = _rows_known_by(learned, since, read.labels, settings)
            return with_view(_trained(known, settings, view, horizons), view, read.model), judged
        except DataError as error:
            refusal = error
    assert refusal is not None
    raise refusal


def _rows_known_by(
    learned: TrainingSet, moment: datetime, tables: Tables, settings: Settings
) -> TrainingSet:
    """The rows of before ``moment``, with the labels that were known then."""
    shortest = timedelta(days=min(HORIZONS) + settings.risk.gap_days)
    rows = learned.features["as_of"] + shortest <= moment
    features = learned.features[rows].reset_index(drop=True)
    if features.empty:
        raise NotEnoughHistory(
            f"no label of {min(HORIZONS)} days was complete by {moment}, from when on a model "
            "would be judged; more days of history are needed"
        )
    found = compute_labels(
        features[["customer_id", "as_of"]],
        tables,
        horizons=HORIZONS,
        gap_days=settings.risk.gap_days,
        known_as_of=moment,
        complaint=settings.complaint,
    )
    return TrainingSet(features, found, moment)


def _said_before(
    twin: Path, judged: pd.DataFrame, tables: Snapshot, horizon: int
) -> npt.NDArray[np.float64] | None:
    """What the champion's twin says of the judging rows; None if it lacks the horizon."""
    from features.compute import compute

    earlier = Predictor.of_bundle(twin, "champion's twin")
    if horizon not in earlier.model.horizons:
        return None
    features = compute(earlier.view, judged[["customer_id", "as_of"]], earlier.reads(tables))
    risk = earlier.model.predict(features, choices=False, num_threads=2)[f"risk_{horizon}d"]
    return np.asarray(risk, dtype=np.float64)


def _told(
    judged: pd.DataFrame,
    told: pd.DataFrame,
    beside: Scores,
    groups: npt.ArrayLike,
    horizons: tuple[int, ...],
) -> tuple[dict[str, float | Interval], dict[str, Any], dict[str, float]]:
    """Metrics with intervals, plots and base rates, per horizon."""
    from models.figures import gains_plot, precision_recall_plot, reliability_plot

    metrics: dict[str, float | Interval] = {}
    plots: dict[str, Any] = {}
    rates: dict[str, float] = {}
    for h in horizons:
        y = judged[f"label_{h}d"].to_numpy(np.float64)
        p = told[f"risk_{h}d"].to_numpy(np.float64)
        rates[f"{h}d"] = float(y.mean())
        if y.min() == y.max():
            continue
        for name, metric in (("average_precision", average_precision), ("roc_auc", roc_auc)):
            metrics[f"{name}_{h}d"] = bootstrap(
                metric, y, p, groups=groups, seed=0, resamples=RESAMPLES
            )
            for other in ("rule", "logistic"):
                metrics[f"{name}_{h}d_{other}"] = metric(y, beside[f"{other}_{h}d"])
        for name, single in (
            ("log_loss_skill", log_loss_skill),
            ("calibration_slope", calibration_slope),
            ("observed_over_predicted", observed_over_predicted),
            ("ece", ece),
        ):
            metrics[f"{name}_{h}d"] = single(y, p)
        metrics[f"lift_at_5_percent_{h}d"] = lift_at(y, p, 0.05)
        scores = {"presage": p, **{o: beside[f"{o}_{h}d"] for o in ("rule", "logistic")}}
        plots[f"reliability_{h}d"] = reliability_plot(y, p, title=f"{h} days")
        plots[f"precision_recall_{h}d"] = precision_recall_plot(y, scores, title=f"{h} days")
        plots[f"gains_{h}d"] = gains_plot(y, scores, title=f"{h} days")
    return metrics, plots, rates
