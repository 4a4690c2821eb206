"""What any risk model must beat: a rule of thumb, a logistic regression, a usual LightGBM.

They learn from the rows of models/risk/plain.py, which come from the tables and not from a model's
view: whatever a model is shown, the baselines are the ordinary ones. They get an honest chance: the
rule's cells are shrunk, the regression's penalty and the trees' number are chosen on the newest
as-of times of their own training rows.

The **rule** knows two numbers of a customer: days since the last complaint and how many complaints
there were. Each cell of the two predicts its own rate, shrunk to the rate of its recency, which is
shrunk to the base rate: ``(hits + strength × rate above) / (rows + strength)``.

>>> import numpy as np
>>> rule = recency_frequency_rule(
...     recency_days=np.array([2.0] * 50 + [np.nan] * 50),
...     frequency=np.array([3.0] * 50 + [0.0] * 50),
...     y=np.array([1.0] * 25 + [0.0] * 75),
... )
>>> rule.predict(np.array([1.0, np.nan]), np.array([4.0, 0.0])).round(2)
array([0.48, 0.02])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Ints
from data.errors import DataError
from models.metrics import log_loss
from models.risk.plain import amounts, attributes
from models.threads import one_thread

BASELINES = ("rule", "logistic", "lightgbm")
RECENCY_EDGES = (3.0, 7.0, 14.0, 28.0, 56.0, 112.0, 224.0)
"""Days since the last complaint; a customer who never complained has a cell of their own."""
FREQUENCY_EDGES = (1.0, 2.0, 3.0, 5.0, 9.0, 17.0)
"""Complaints so far; the first cell is none."""
STRENGTH = 20.0
"""A cell's rate weighs as much as the rate above it when it has this many rows."""
PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of the regression's penalty that are tried."""
GUARD = 1e-6


@dataclass(frozen=True)
class RecencyFrequencyRule:
    """Rates by cell, ``rates[recency cell, frequency cell]``; the last recency cell is never."""

    rates: Floats

    def predict(self, recency_days: npt.ArrayLike, frequency: npt.ArrayLike) -> Floats:
        """P(complaint) per row, in (0, 1); ``recency_days`` is NaN where there never was one."""
        recency, count = cells(recency_days, frequency)
        return self.rates[recency, count]


def recency_frequency_rule(
    recency_days: npt.ArrayLike,
    frequency: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    strength: float = STRENGTH,
) -> RecencyFrequencyRule:
    """The rule learned from rows with labels ``y`` (0 or 1); DataError for one class or no row."""
    labels = _labels("the recency-frequency rule", y)
    recency, count = cells(recency_days, frequency)
    shape = (len(RECENCY_EDGES) + 2, len(FREQUENCY_EDGES) + 1)
    hits, rows = np.zeros(shape), np.zeros(shape)
    np.add.at(hits, (recency, count), labels)
    np.add.at(rows, (recency, count), 1.0)
    base = labels.mean()
    of_recency = (hits.sum(axis=1) + strength * base) / (rows.sum(axis=1) + strength)
    rates = (hits + strength * of_recency[:, None]) / (rows + strength)
    return RecencyFrequencyRule(rates)


def cells(recency_days: npt.ArrayLike, frequency: npt.ArrayLike) -> tuple[Ints, Ints]:
    """The rule's cell of each row: positions of its recency and of its frequency."""
    days = np.asarray(recency_days, dtype=np.float64)
    times = np.nan_to_num(np.asarray(frequency, dtype=np.float64), nan=0.0)
    recency = np.digitize(np.nan_to_num(days, nan=0.0), RECENCY_EDGES)
    recency = np.where(np.isnan(days), len(RECENCY_EDGES) + 1, recency)
    return recency.astype(np.int64), np.digitize(times, FREQUENCY_EDGES).astype(np.int64)


@dataclass(frozen=True)
class Fitted:
    """A learned baseline: ``columns`` of the frame in, probabilities out."""

    columns: tuple[str, ...]
    score: Callable[[Floats], Floats]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values of each category, by their codes; others are not known."""

    def predict(self, frame: pd.DataFrame) -> Floats:
        """P(complaint) per row of ``frame``, which must have the columns learned from."""
        return self.score(_matrix(frame, self.columns, self.words))


def logistic_regression(
    frame: pd.DataFrame, y: npt.ArrayLike, as_of: npt.ArrayLike, *, columns: Sequence[str]
) -> Fitted:
    """Logistic regression on ``columns`` after log1p and standardising.

    Counts and days enter as log(1 + x). Missing days since something (``since_*``) mean "never" and
    take the most seen, what else is missing is 0; each column's means and deviations are the
    training rows'. The penalty is the best by log loss on the newest fifth of the as-of times, then
    all rows are fitted with it.
    """
    from sklearn.linear_model import LogisticRegression

    labels = _labels("logistic regression", y)
    raw = _matrix(frame, columns, {})
    instead = np.array(
        [_most(raw[:, at]) if name.startswith("since_") else 0.0 for at, name in enumerate(columns)]
    )

    def logs(values: Floats) -> Floats:
        return np.log1p(np.maximum(np.where(np.isnan(values), instead, values), 0.0))

    centre, spread = logs(raw).mean(axis=0), logs(raw).std(axis=0)
    spread[spread == 0] = 1.0

    def ready(values: Floats) -> Floats:
        return (logs(values) - centre) / spread

    early, late = _newest_fifth(labels, as_of)
    x = ready(raw)
    # each penalty begins where the last one ended
    model = LogisticRegression(max_iter=100, solver="newton-cholesky", warm_start=True)
    chosen = PENALTIES[-2]
    if late.any():
        losses = []
        first, held = x[early], x[late]
        for penalty in PENALTIES:
            model.set_params(C=penalty).fit(first, labels[early])
            risk = np.clip(model.predict_proba(held)[:, 1], GUARD, 1 - GUARD)
            losses.append(log_loss(labels[late], risk))
        chosen = PENALTIES[int(np.argmin(losses))]
    model.set_params(C=chosen).fit(x, labels)
    return Fitted(tuple(columns), lambda values: model.predict_proba(ready(values))[:, 1])


def usual_lightgbm(
    frame: pd.DataFrame,
    y: npt.ArrayLike,
    as_of: npt.ArrayLike,
    *,
    columns: Sequence[str],
    seed: int = 0,
    num_threads: int = 1,
) -> Fitted:
    """LightGBM as it is usually run: learning rate 0.05, 31 leaves, early stopping, nothing else.

    The number of trees is the best by log loss on the newest fifth of the as-of times (at most
    500, patience 30), then all rows are fitted with it. Categories enter as codes.
    """
    import lightgbm

    labels = _labels("the usual LightGBM", y)
    texts = [c for c in columns if isinstance(frame[c].dtype, pd.CategoricalDtype)]
    words = {c: tuple(sorted(str(word) for word in frame[c].dropna().unique())) for c in texts}
    raw = _matrix(frame, columns, words)
    parameters = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": num_threads,
        "verbosity": -1,
    }
    early, late = _newest_fifth(labels, as_of)
    trees = 100
    if late.any():
        train = lightgbm.Dataset(raw[early], labels[early])
        held = lightgbm.Dataset(raw[late], labels[late], reference=train)
        stop = lightgbm.early_stopping(30, verbose=False)
        tried = lightgbm.train(parameters, train, 500, valid_sets=[held], callbacks=[stop])
        trees = max(tried.best_iteration, 1)
    booster = lightgbm.train(parameters, lightgbm.Dataset(raw, labels), trees)
    return Fitted(
        tuple(columns),
        lambda values: np.asarray(booster.predict(values, num_threads=num_threads)),
        words,
    )


def _newest_fifth(labels: Floats, as_of: npt.ArrayLike) -> tuple[Bools, Bools]:
    """Early and late rows; no late rows where either part would lack a class or a second time."""
    times = np.asarray(as_of)
    distinct = np.unique(times)
    everything = np.ones(len(labels), dtype=bool)
    if len(distinct) >= 3:
        late = times >= distinct[-max(len(distinct) // 5, 1)]
        if all(0 < labels[part].mean() < 1 for part in (late, ~late)):
            return ~late, late
    return everything, ~everything


def _labels(who: str, y: npt.ArrayLike) -> Floats:
    labels = np.asarray(y, dtype=np.float64)
    if labels.size == 0 or np.isnan(labels).any():
        raise DataError(
            f"{who}: {labels.size} labels, {int(np.isnan(labels).sum())} unknown; train on rows "
            "whose label is known"
        )
    if labels.min() == labels.max():
        raise DataError(
            f"{who}: all {labels.size} labels are {labels[0]:g}; complaints and their absence are "
            "both needed"
        )
    return labels


def _matrix(
    frame: pd.DataFrame, columns: Sequence[str], words: Mapping[str, Sequence[str]]
) -> Floats:
    """The columns as float64; those of ``words`` as positions there, NaN for any other value."""
    out = np.empty((len(frame), len(columns)), dtype=np.float64)
    for at, name in enumerate(columns):
        if name in words:
            codes = pd.Categorical(frame[name], categories=list(words[name])).codes
            out[:, at] = np.where(codes < 0, np.nan, codes)
        else:
            out[:, at] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return out


def _most(column: Floats) -> float:
    known = column[~np.isnan(column)]
    return float(known.max()) if known.size else 0.0


@one_thread
def fit_baselines(
    rows: pd.DataFrame,
    y: npt.ArrayLike,
    which: Sequence[str] = BASELINES,
    *,
    seed: int = 0,
) -> dict[str, Callable[[pd.DataFrame], Floats]]:
    """Each named baseline, learned from ``plain_rows`` and their labels.

    A baseline takes rows of the same kind and returns P(complaint) of each. Raises DataError for a
    name that is not one of the three.
    """
    fits: dict[str, Callable[[pd.DataFrame], Floats]] = {}
    for name in which:
        if name == "rule":
            fits[name] = _rule(rows, y)
        elif name == "logistic":
            columns = amounts(rows)
            fits[name] = logistic_regression(rows, y, rows["as_of"], columns=columns).predict
        elif name == "lightgbm":
            columns = [*amounts(rows), *attributes(rows)]
            fits[name] = usual_lightgbm(rows, y, rows["as_of"], columns=columns, seed=seed).predict
        else:
            raise DataError(f"no baseline {name!r}; there are {', '.join(BASELINES)}")
    return fits


def _rule(rows: pd.DataFrame, y: npt.ArrayLike) -> Callable[[pd.DataFrame], Floats]:
    recency, frequency = "since_complaint_days", "complaints_ever"
    rule = recency_frequency_rule(rows[recency], rows[frequency], y)
    return lambda others: rule.predict(others[recency], others[frequency])
