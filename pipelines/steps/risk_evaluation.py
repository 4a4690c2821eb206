"""What is measured of a risk model on rows that it has not learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats
from data.errors import DataError
from data.snapshot import Snapshot
from models.metrics import (
    Interval,
    average_precision,
    bootstrap,
    calibration_slope,
    ece,
    lift_at,
    log_loss_skill,
    observed_over_predicted,
    paired_bootstrap,
    recall_at,
    roc_auc,
)
from serving.predictor import Predictor

RESAMPLES = 200
ROWS_RESAMPLED = 20_000_000
"""Of a metric, at most: 100,000 rows are drawn 200 times, 400,000 50 times, never under 40."""

Scores = Mapping[str, Floats]
Metric = Callable[..., float]


def measured(
    judged: pd.DataFrame,
    predictions: pd.DataFrame,
    beside: Scores,
    baselines: tuple[str, ...],
    horizons: tuple[int, ...],
    capacity: float,
) -> tuple[dict[str, float | Interval], dict[str, bytes], dict[str, float]]:
    """Metrics with intervals, plots (PNG files' bytes) and base rates, per horizon.

    ``judged``: customers and labels, ``predictions`` a model's and ``beside`` those of each of
    ``baselines`` (``rule_7d``), row by row. ``capacity``: customers that can be called a day. A
    horizon whose labels are not all known, or of one class, has none but its base rate.
    """
    from models.figures import gains_plot, png, precision_recall_plot, reliability_plot

    groups = judged["customer_id"].to_numpy()
    share = max(min(capacity * judged["as_of"].nunique() / len(judged), 1.0), 1 / len(judged))
    of_interest: dict[str, Metric] = {
        "average_precision": average_precision,
        "roc_auc": roc_auc,
        "log_loss_skill": log_loss_skill,
        "ece": ece,
        "lift_at_5_percent": partial(lift_at, share=0.05),
        "recall_at_capacity": partial(recall_at, share=share),
        "calibration_slope": calibration_slope,
        "observed_over_predicted": observed_over_predicted,
    }
    metrics: dict[str, float | Interval] = {}
    plots: dict[str, bytes] = {}
    rates: dict[str, float] = {}
    for h in horizons:
        y = judged[f"label_{h}d"].to_numpy(np.float64)
        p = predictions[f"risk_{h}d"].to_numpy(np.float64)
        if np.isnan(y).any():
            continue
        rates[f"{h}d"] = float(y.mean())
        if y.min() == y.max():
            continue
        others = {name: beside[f"{name}_{h}d"] for name in baselines}
        for name, metric in of_interest.items():
            metrics[f"{name}_{h}d"] = _with_interval(metric, y, p, groups)
            for other, q in others.items():
                metrics[f"{name}_{h}d_{other}"] = _or_nan(metric, y, q)
        for other, q in others.items():
            gain = _gain(y, p, q, groups)
            if gain is not None:
                metrics[f"average_precision_gain_{h}d_{other}"] = gain
        scores = {"presage": p, **others}
        plots[f"reliability_{h}d"] = png(reliability_plot(y, p, title=f"{h} days"))
        curve = precision_recall_plot(y, scores, title=f"{h} days")
        plots[f"precision_recall_{h}d"] = png(curve)
        plots[f"gains_{h}d"] = png(gains_plot(y, scores, title=f"{h} days"))
    return metrics, plots, rates


def _gain(y: Floats, p: Floats, q: Floats, groups: npt.ArrayLike) -> Interval | None:
    """Average precision of ``p`` less that of ``q``; None where complaints are too few."""
    try:
        draws = resamples(len(y))
        return paired_bootstrap(average_precision, y, p, q, groups=groups, resamples=draws)
    except DataError:
        return None


def _with_interval(metric: Metric, y: Floats, p: Floats, groups: npt.ArrayLike) -> float | Interval:
    """The metric with its interval over customers; without one where resamples lack complaints."""
    try:
        return bootstrap(metric, y, p, groups=groups, seed=0, resamples=resamples(len(y)))
    except DataError:
        return _or_nan(metric, y, p)


def resamples(rows: int) -> int:
    """How often a metric of so many rows is resampled."""
    return min(RESAMPLES, max(ROWS_RESAMPLED // rows, 40))


def _or_nan(metric: Metric, y: Floats, p: Floats) -> float:
    try:
        return metric(y, p)
    except DataError:  # a rule may say the same of everybody: no slope, say
        return float("nan")


def said_before(
    twin: Path, judged: pd.DataFrame, tables: Snapshot, horizons: Sequence[int]
) -> dict[int, Floats]:
    """What the champion's twin says of the judging rows, by each of ``horizons`` that it has."""
    from features.compute import compute

    earlier = Predictor.of_bundle(twin, "champion's twin")
    wanted = [horizon for horizon in horizons if horizon in earlier.model.horizons]
    if not wanted:
        return {}
    features = compute(earlier.view, judged[["customer_id", "as_of"]], earlier.reads(tables))
    predictions = earlier.model.predict(features, choices=False, num_threads=2)
    return {h: np.asarray(predictions[f"risk_{h}d"], dtype=np.float64) for h in wanted}
