"""Is the model at work still right? Inputs against those of training, and what came against risk.

Live calibration scores the customers again as of past moments after the model learned, when their
labels are complete: predictions that the model never saw the answers of. Before labels mature the
ranking is estimated from the probabilities alone, as if they were right (confidence-based
performance estimation): the expected AUC of p against labels drawn from p.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt

import numpy as np
import pandas as pd

from data.errors import DataError
from data.settings import Settings
from data.tables import Tables
from features.compute import compute
from features.expression import Column
from features.labels import labels
from features.opt_out import profiled
from features.spine import customers_at
from models.metrics import (
    average_precision,
    bootstrap,
    calibration_slope,
    observed_over_predicted,
    roc_auc,
)
from serving.monitoring.finding import Finding
from serving.predictor import Predictor

MOVED, FAR = 0.25, 0.45
"""Kolmogorov and Smirnov's distance between a feature's values then and now: worth a notice, and an
alarm. A share of empty values that changed by as much counts the same."""
RIGHT = (0.8, 1.25)
"""Observed over predicted: wrong only if the whole interval lies outside."""
MANY = 0.02
"""Share of features that have to be far before it is an alarm."""
CHANCE = 1.63
"""Kolmogorov and Smirnov's 99 % point of a sample of one, which falls with the root of its size."""
MOMENTS = 4
MOST = 20_000
"""Customers whose features are compared with those of training, at most."""


def input_findings(predictor: Predictor, tables: Tables, as_of: datetime) -> list[Finding]:
    """Today's features beside the rows of training that travel with the model."""
    model = predictor.model
    spine = profiled(customers_at(tables, [as_of]), tables)
    if len(spine) > MOST:
        spine = spine.iloc[:: len(spine) // MOST + 1]
    if spine.empty or not len(model.golden):
        return [Finding("inputs", "features", "too early", "no customers to compare")]
    now = model.encoder.matrix(compute(predictor.view, spine, predictor.reads(tables)))
    then = np.asarray(model.golden, dtype=np.float64)
    own, moved = _of_customers(predictor), []
    for at, name in enumerate(model.encoder.columns):
        distance = _distance(then[:, at], now[:, at].astype(np.float64))
        if name not in own:
            # one value for a whole channel or product: a few draws, not one for each customer
            distance -= CHANCE / sqrt(max(len(np.unique(now[:, at])), 1))
        if distance >= MOVED:
            moved.append((distance, name))
    moved.sort(reverse=True)
    worst = moved[0][0] if moved else 0.0
    names = ", ".join(f"{name} {distance:.2f}" for distance, name in moved[:5])
    count = len(model.encoder.columns)
    if not moved:
        text = f"none of {count} features is far from its values in training"
        return [Finding("inputs", "features", "ok", text, value=worst, limit=MOVED)]
    # the oldest customers' ages always grow: one or two features alone are no change of the world
    far = sum(distance >= FAR for distance, _ in moved) >= max(3, count * MANY)
    return [
        Finding(
            "inputs",
            "features",
            "alarm" if far else "notice",
            f"{len(moved)} of {count} features are far from their values in training, the furthest "
            f"{names} (distance of distributions, 0 to 1)",
            "See `presage check` and the sources above; if the change is real, train anew."
            if far
            else "",
            since=as_of if far else None,
            value=worst,
            limit=FAR,
        )
    ]


def _of_customers(predictor: Predictor) -> set[str]:
    """The features that follow from a customer's own rows."""
    return {
        feature.name
        for feature in predictor.view.features
        if all(
            isinstance(term.key, Column) and term.key.name == "customer_id"
            for term in feature.node.terms()
        )
    }


def _distance(then: np.ndarray, now: np.ndarray) -> float:
    """The larger of the distance of the known values' distributions and the change of the share
    that is known."""
    from scipy.stats import ks_2samp

    known = [values[~np.isnan(values)] for values in (then, now)]
    change = abs(len(known[0]) / len(then) - len(known[1]) / len(now))
    if min(map(len, known)) < 100:
        return float(change)
    return float(max(change, ks_2samp(*known, method="asymp").statistic))


def live_findings(
    predictor: Predictor,
    learned_as_of: datetime | None,
    tables: Tables,
    settings: Settings,
    as_of: datetime,
) -> list[Finding]:
    """Observed over predicted, slope and ranking of each horizon on labels that came afterwards."""
    findings = []
    for horizon in predictor.model.horizons:
        moments = live_moments(horizon, learned_as_of, settings, as_of)
        if not moments:
            ready = (learned_as_of or as_of) + timedelta(days=horizon + settings.risk.gap_days)
            text = (
                f"{horizon} days: the first labels after this model are complete {ready:%d %B %Y}"
            )
            findings.append(Finding("predictions", f"risk {horizon} d", "too early", text))
            continue
        findings.append(_of_horizon(predictor, horizon, moments, tables, settings, as_of))
    return findings


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
    came = labels(
        spine,
        tables,
        horizons=[horizon],
        gap_days=settings.risk.gap_days,
        known_as_of=as_of,
        complaint=settings.complaint,
    )
    told = []
    for predictor in predictors:
        features = compute(predictor.view, spine, predictor.reads(tables))
        risks = predictor.model.predict(features, choices=False, num_threads=2)
        told.append(risks[f"risk_{horizon}d"].to_numpy(np.float64))
    return came, told


def _of_horizon(
    predictor: Predictor,
    horizon: int,
    moments: list[datetime],
    tables: Tables,
    settings: Settings,
    as_of: datetime,
) -> Finding:
    came, told = live_rows([predictor], horizon, moments, tables, settings, as_of)
    if came.empty:
        text = f"{horizon} days: no customer to judge by"
        return Finding("predictions", f"risk {horizon} d", "too early", text)
    return judged(
        horizon,
        came[f"label_{horizon}d"].to_numpy(np.float64),
        told[0],
        came["customer_id"].to_numpy(),
        min(moments),
    )


def judged(
    horizon: int, y: np.ndarray, risk: np.ndarray, groups: np.ndarray, since: datetime
) -> Finding:
    """What is said of predictions (n,) against what came (n,), customers drawn as wholes."""
    what, rate = f"risk {horizon} d", float(y.mean())
    if y.sum() < 10 or y.sum() == len(y):
        text = f"{horizon} days: {int(y.sum())} complaints so far, too few to judge by"
        return Finding("predictions", what, "too early", text)
    try:
        ratio = bootstrap(observed_over_predicted, y, risk, groups=groups, resamples=200)
        slope = bootstrap(calibration_slope, y, risk, groups=groups, resamples=200)
    except DataError as error:  # everybody got the same risk, or it separates the classes
        text = f"{horizon} days: {int(y.sum())} complaints so far, not judged: {error}"
        return Finding("predictions", what, "too early", text)
    wrong = ratio.high < RIGHT[0] or ratio.low > RIGHT[1]
    flat = slope.high < 0.75 or slope.low > 1.33
    text = (
        f"{horizon} days: observed over predicted {ratio.estimate:.2f} "
        f"[{ratio.low:.2f}, {ratio.high:.2f}], slope {slope.estimate:.2f} "
        f"[{slope.low:.2f}, {slope.high:.2f}], average precision "
        f"{average_precision(y, risk):.3f} (base rate {rate:.3f}), AUC {roc_auc(y, risk):.3f}; "
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


def expected_findings(scores: pd.DataFrame) -> list[Finding]:
    """The AUC to be expected of published scores if their probabilities are right, of each horizon
    that they have."""
    out = []
    for name in (column for column in scores if str(column).startswith("risk_")):
        horizon = str(name).removeprefix("risk_").removesuffix("d")
        p = scores[name].dropna().to_numpy(np.float64)
        if len(p) < 2 or np.ptp(p) == 0:
            continue
        auc = roc_auc(p, p)
        text = (
            f"{horizon} days: an AUC of {auc:.3f} is to be expected of today's scores, "
            f"{p.sum():.0f} complaints of {len(p)} customers"
        )
        out.append(Finding("predictions", f"expected {horizon} d", "ok", text, value=auc))
    return out
