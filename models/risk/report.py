"""What a manager and an auditor ask of a risk model: for whom, from what, for how long is it good?

Tables about rows that the model has not learned from. ``segments``: is it calibrated and sharp in
each group, new customers included? ``ablation``: what is lost without what a source contributed
(contributions are exact, so nothing is trained again)? ``decay``: how good are scores of a model
that is so many weeks old? ``one_line`` is what a manager wants to hear.

>>> import numpy as np
>>> one_line(np.array([1.0] + [0.0] * 19), np.linspace(1, 0.01, 20), 7)
"the 5 % we would call hold 100 % of the next 7 days' complaints"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pandas as pd
from scipy.special import expit

from data.arrays import Bools, Floats
from data.errors import DataError
from models.metrics import average_precision, bootstrap, log_loss, recall_at
from models.risk.mixture import levelled
from models.risk.model import RiskModel

NEW_DAYS = 30.0
"""A customer is new for so long after signing up."""
MOST_VALUES = 12
"""Categories with more values than this are no segments."""
MOST_EXPLAINED = 5_000
"""Rows that an ablation explains: contributions cost a hundred times a score."""
DECAY = (
    "weeks_old",
    "average_precision",
    "average_precision_low",
    "average_precision_high",
    "predicted_over_observed",
)
RESAMPLES = 100


def one_line(y: Floats, risk: Floats, horizon: int, share: float = 0.05) -> str:
    """The share of complaints among those whom we would call."""
    called, held = 100 * share, 100 * recall_at(y, risk, share)
    return (
        f"the {called:.0f} % we would call hold {held:.0f} % of the next {horizon} days' complaints"
    )


def segments(features: pd.DataFrame, y: Floats, risk: Floats) -> pd.DataFrame:
    """Per segment: rows, complaints, observed and predicted rate, and average precision.

    ``segment`` is ``column=value``, ``everybody`` or ``new customers``; AP is NaN where a segment
    has no complaint or nothing else.
    """
    table = []
    for name, rows in groups_of(features):
        actual, predicted = y[rows], risk[rows]
        both = 0 < actual.sum() < len(actual)
        table.append(
            {
                "segment": name,
                "rows": len(actual),
                "complaints": int(actual.sum()),
                "observed": float(actual.mean()),
                "predicted": float(predicted.mean()),
                "average_precision": average_precision(actual, predicted) if both else np.nan,
            }
        )
    return pd.DataFrame(table)


def groups_of(features: pd.DataFrame) -> Iterator[tuple[str, Bools]]:
    """The segments that a model is looked at in, by name, with the rows of each."""
    yield "everybody", np.ones(len(features), dtype=bool)
    since = "customers_since_first_days"
    if since in features.columns:
        new = (features[since] < NEW_DAYS).to_numpy()
        if new.any():
            yield "new customers", new
    for column in features.columns:
        values = features[column]
        if not column.startswith("customer_") or column == "customer_id":
            continue
        if not isinstance(values.dtype, pd.CategoricalDtype) or values.nunique() > MOST_VALUES:
            continue
        for value in sorted(values.dropna().unique(), key=str):
            yield f"{column.removeprefix('customer_')}={value}", (values == value).to_numpy()


def ablation(
    model: RiskModel, features: pd.DataFrame, y: Floats, horizon: int, *, num_threads: int = 1
) -> pd.DataFrame:
    """Per source: average precision and log loss without what its features contributed.

    On at most ``MOST_EXPLAINED`` rows, spread evenly; empty where they hold one class only. The
    first row, ``nothing``, is the model.
    The level is set again after taking a source away, so the loss is of telling people apart.
    """
    step = max(-(-len(features) // MOST_EXPLAINED), 1)
    few, actual = features.iloc[::step], y[::step]
    if not 0 < actual.sum() < len(actual):
        return pd.DataFrame(columns=["without", "average_precision", "log_loss"])
    amounts, base = model.explain(few, horizon, num_threads=num_threads)
    sources = np.array([_source(model, name) for name in model.encoder.columns])
    odds = base + amounts.sum(axis=1)
    table = [_judged("nothing", actual, odds)]
    for source in sorted(set(sources)):
        left = odds - amounts[:, sources == source].sum(axis=1)
        table.append(_judged(source, actual, left))
    return pd.DataFrame(table)


def _source(model: RiskModel, name: str) -> str:
    return str(model.cards.get(name, {}).get("source") or name.split("_")[0])


def _judged(name: str, y: Floats, odds: Floats) -> dict[str, object]:
    risk = expit(odds + levelled(odds, y, np.ones(len(y)), strength=1.0))
    return {
        "without": name,
        "average_precision": average_precision(y, risk),
        "log_loss": log_loss(y, risk),
    }


def decay(as_of: pd.Series, y: Floats, risk: Floats, learned_until: pd.Timestamp) -> pd.DataFrame:
    """Per moment: how many weeks old the model was, and how well it then ranked and levelled.

    ``average_precision_low`` and ``_high`` are its 95 % interval over resampled customers, NaN
    where complaints are too few for one.
    """
    table = []
    for moment in sorted(as_of.unique()):
        rows = (as_of == moment).to_numpy()
        actual, predicted = y[rows], risk[rows]
        if not 0 < actual.sum() < len(actual):
            continue
        low, high = np.nan, np.nan
        with suppress(DataError):
            _, low, high = bootstrap(average_precision, actual, predicted, resamples=RESAMPLES)
        table.append(
            {
                "weeks_old": (pd.Timestamp(moment) - learned_until) / pd.Timedelta(days=7),
                "average_precision": average_precision(actual, predicted),
                "average_precision_low": low,
                "average_precision_high": high,
                "predicted_over_observed": float(predicted.sum() / actual.sum()),
            }
        )
    return pd.DataFrame(table, columns=list(DECAY))
