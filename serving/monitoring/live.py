"""Was the model at work right? What it said of past nights beside what came.

The scores are those of the prediction log, as they were published, with the outcomes that the night
joined to them (serving/prediction_outcomes.py). Where the log holds none that the model made, the
customers are scored again as of past moments after it learned: predictions that it never saw the
answers of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from data.errors import DataError
from data.settings import Settings
from data.tables import Tables
from features.compute import compute
from features.labels import labels
from features.opt_out import profiled
from features.spine import customers_at
from models.bootstrap import bootstrap, with_weights
from models.metrics import (
    average_precision,
    calibration_slope,
    observed_over_predicted,
    roc_auc,
)
from serving.monitoring.finding import Finding
from serving.prediction_outcomes import Night, apart
from serving.predictor import Predictor

RIGHT = (0.8, 1.25)
"""Observed over predicted: wrong only if the whole interval lies outside."""
MOMENTS = 4
FEWEST = 10
"""Complaints below which nothing is judged."""
FORMER = 2
"""So many models that are no longer at work are shown beside the one that is."""


def logged(nights: Sequence[Night], version: str, horizon: int) -> pd.DataFrame:
    """What came of a version's scores of one horizon, of nights that are a week apart; empty where
    no window is over."""
    over = [n for n in nights if n.model_version == version and n.joined(horizon)]
    parts = [night.outcomes(horizon) for night in apart(over, MOMENTS)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def live_findings(
    predictor: Predictor,
    learned_as_of: datetime | None,
    nights: Sequence[Night],
    tables: Tables,
    settings: Settings,
    as_of: datetime,
) -> list[Finding]:
    """Observed over predicted, slope and ranking of each horizon on labels that came afterwards, by
    ``nights`` of the log where they hold some."""
    findings = []
    for horizon in predictor.model.horizons:
        rows = logged(nights, predictor.model_version, horizon)
        moments = live_moments(horizon, learned_as_of, settings, as_of)
        if len(rows):
            findings.append(judged_rows(horizon, rows))
        elif moments:
            findings.append(_scored_again(predictor, horizon, moments, tables, settings, as_of))
        else:
            ready = (learned_as_of or as_of) + timedelta(days=horizon + settings.risk.gap_days)
            text = (
                f"{horizon} days: the first labels after this model are complete {ready:%d %B %Y}"
            )
            findings.append(Finding("predictions", f"risk {horizon} d", "too early", text))
    return findings


def former_findings(nights: Sequence[Night], at_work: str, horizon: int) -> list[Finding]:
    """How the models that published before the one at work did: shown, and no alarm."""
    versions = list(dict.fromkeys(n.model_version for n in nights if n.model_version != at_work))
    findings = []
    for version in versions[:FORMER]:
        rows = logged(nights, version, horizon)
        if len(rows):
            finding = judged_rows(horizon, rows)
            text = f"{version}, no longer at work, {finding.text}"
            findings.append(Finding("predictions", f"former {version}", "ok", text))
    return findings


def judged_rows(horizon: int, rows: pd.DataFrame) -> Finding:
    """``judged``, of rows of the log with their outcomes."""
    return judged(
        horizon,
        rows["outcome"].to_numpy(np.float64),
        rows["value"].to_numpy(np.float64),
        rows["pseudonym"].to_numpy(),
        rows["as_of"].min().to_pydatetime(),
        rows["weight"].to_numpy(np.float64),
    )


def live_moments(
    horizon: int, learned_as_of: datetime | None, settings: Settings, as_of: datetime
) -> list[datetime]:
    """The past moments after the model learned whose labels are complete, the newest first."""
    if learned_as_of is None:
        return []
    last = as_of - timedelta(days=horizon + settings.risk.gap_days)
    moments = [last - timedelta(days=7 * back) for back in range(MOMENTS)]
    return [moment for moment in moments if moment >= learned_as_of]


def live_rows(
    predictors: Sequence[Predictor],
    horizon: int,
    moments: list[datetime],
    tables: Tables,
    settings: Settings,
    as_of: datetime,
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """``customer_id, label_{h}d`` of everybody at these moments, and what each model says."""
    spine = customers_at(tables, moments, settings.risk.active_within_days)
    spine = profiled(spine, tables)
    if spine.empty:
        return pd.DataFrame({"customer_id": [], f"label_{horizon}d": []}), []
    outcomes = labels(
        spine,
        tables,
        horizons=[horizon],
        gap_days=settings.risk.gap_days,
        known_as_of=as_of,
        complaint=settings.complaint,
    )
    predictions = []
    for predictor in predictors:
        features = compute(predictor.view, spine, predictor.reads(tables))
        risks = predictor.model.predict(features, choices=False, num_threads=2)
        predictions.append(risks[f"risk_{horizon}d"].to_numpy(np.float64))
    return outcomes, predictions


def _scored_again(
    predictor: Predictor,
    horizon: int,
    moments: list[datetime],
    tables: Tables,
    settings: Settings,
    as_of: datetime,
) -> Finding:
    outcomes, predictions = live_rows([predictor], horizon, moments, tables, settings, as_of)
    if outcomes.empty:
        text = f"{horizon} days: no customer to judge by"
        return Finding("predictions", f"risk {horizon} d", "too early", text)
    return judged(
        horizon,
        outcomes[f"label_{horizon}d"].to_numpy(np.float64),
        predictions[0],
        outcomes["customer_id"].to_numpy(),
        min(moments),
    )


def judged(
    horizon: int,
    y: np.ndarray,
    risk: np.ndarray,
    groups: np.ndarray,
    since: datetime,
    weight: np.ndarray | None = None,
) -> Finding:
    """What is said of predictions (n,) against what came (n,), customers drawn as wholes;
    ``weight``: for how many each row stands."""
    what, weight = f"risk {horizon} d", np.ones(len(y)) if weight is None else weight
    if y.sum() < FEWEST or y.sum() == len(y):
        text = f"{horizon} days: {int(y.sum())} complaints so far, too few to judge by"
        return Finding("predictions", what, "too early", text)
    try:
        ratio, slope, precision = (
            bootstrap(with_weights(metric), y, (risk, weight), groups=groups, resamples=200)
            for metric in (observed_over_predicted, calibration_slope, average_precision)
        )
    except DataError as error:  # everybody got the same risk, or it separates the classes
        text = f"{horizon} days: {int(y.sum())} complaints so far, not judged: {error}"
        return Finding("predictions", what, "too early", text)
    wrong = ratio.high < RIGHT[0] or ratio.low > RIGHT[1]
    flat = slope.high < 0.75 or slope.low > 1.33
    text = (
        f"{horizon} days: observed over predicted {ratio.estimate:.2f} "
        f"[{ratio.low:.2f}, {ratio.high:.2f}], slope {slope.estimate:.2f} "
        f"[{slope.low:.2f}, {slope.high:.2f}], average precision "
        f"{precision.estimate:.3f} [{precision.low:.3f}, {precision.high:.3f}] (base rate "
        f"{np.average(y, weights=weight):.3f}), AUC {roc_auc(y, risk, weights=weight):.3f}; "
        f"{int(y.sum())} complaints since {since:%d %B %Y}"
    )
    act = ""
    if wrong or flat:
        act = (
            "Train anew; if that is refused or no better, `presage models DIR rollback`. Until "
            "then read the risks as a ranking, not as probabilities."
        )
    return Finding(
        "predictions",
        what,
        "alarm" if wrong or flat else "ok",
        text,
        act,
        since=since if act else None,
        value=ratio.estimate,
        low=ratio.low,
        high=ratio.high,
        limit=RIGHT[1] if ratio.estimate > 1 else RIGHT[0],
    )
