"""Is the model at work still right? Inputs against those of training, before anything came.

Before labels mature the ranking is estimated from the probabilities alone, as if they were right
(confidence-based performance estimation): the expected AUC of p against labels drawn from p. What
came of the scores is held to them in ``live.py``.
"""

from __future__ import annotations

from datetime import datetime
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd

from data.tables import Tables
from features.complaint import ComplaintRule
from features.compute import compute
from features.expression import Column
from features.opt_out import profiled
from features.reduced import reads_of
from features.spine import customers_at
from features.views import absent_columns
from models.metrics import roc_auc
from serving.monitoring.finding import Finding
from serving.prediction_files import missed_files
from serving.predictor import Predictor

MOVED, FAR = 0.25, 0.45
"""Kolmogorov and Smirnov's distance between a feature's values then and now: worth a notice, and an
alarm. A share of empty values that changed by as much counts the same."""
MANY = 0.02
"""Share of features that have to be far before it is an alarm."""
CHANCE = 1.63
"""Kolmogorov and Smirnov's 99 % point of a sample of one, which falls with the root of its size."""
LOST = 0.05
"""Share of a model's features that read a column without values, from which it is an alarm."""
NAMED = 5
"""Columns without values that are named."""
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


def lost_findings(predictor: Predictor, tables: Tables, complaint: ComplaintRule) -> list[Finding]:
    """A finding where columns have no value any more that the model learned from; it goes on
    without them, and answers as if nothing had ever stood there."""
    every = predictor.view.features
    lost = reads_of(every, absent_columns(tables, complaint))
    if not lost:
        return []
    named = ", ".join(f"{name} ({count})" for name, count in lost[:NAMED])
    rest = f" and {len(lost) - NAMED} more" if lost[NAMED:] else ""
    count = lost[0][1]
    return [
        Finding(
            "inputs",
            "columns",
            "alarm" if count >= max(3, LOST * len(every)) else "notice",
            f"without a value, but learned from by {predictor.model_version}: {named}{rest}; in "
            f"brackets how many of its {len(every)} features read it",
            "Bring the columns back, or train anew by `presage train --accept-changes`.",
            value=count / len(every),
            limit=LOST,
            broken=True,
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


def log_findings(home: Path, now: datetime) -> list[Finding]:
    """An alarm where files of the prediction log (``home``) are gone, none else."""
    gone, wrong = missed_files(home, now)
    texts = [f"{home / name} is gone: what it said of its scores is not judged" for name in gone]
    if wrong:
        texts.append(f"{wrong}; files that were gone by then are not missed")
    act = "Bring it back from a backup, or leave it: it is told for a week."
    return [Finding("predictions", "log", "alarm", text, act) for text in texts]
