"""What about, and through which channel: the choice that the next complaint will make.

Learned from the rows that were followed by a complaint, by a small multiclass LightGBM; rare
choices (under 1 % or 20 rows) are not told apart. Where rows are too few to learn from, everyone
gets the shares of the past, which is what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax

from models.risk.encode import Matrix
from models.risk.trees import TreeSettings, grow, raw_score, staged

Array = npt.NDArray[np.float64]

ENOUGH = 300
"""Rows followed by a complaint that a model of the choice needs."""
ROUNDS = (10, 20, 30, 45, 60)
TREES = TreeSettings(learning_rate=0.1, num_leaves=7, max_depth=4, ridge=20.0, rounds=ROUNDS)
MOST = 16


@dataclass(frozen=True)
class Choice:
    """The choices, the shares of the past, and the trees that refine them (or None)."""

    values: tuple[str, ...]
    shares: tuple[float, ...]
    booster: Any | None

    def probabilities(self, matrix: Matrix, *, num_threads: int = 1) -> Array:
        """Rows × choices; each row adds up to 1."""
        if self.booster is None:
            return np.tile(np.array(self.shares), (len(matrix), 1))
        raw = raw_score(self.booster, matrix, num_threads=num_threads)
        return softmax(raw.reshape(len(matrix), len(self.values)), axis=1)

    def likeliest(self, matrix: Matrix, *, num_threads: int = 1) -> npt.NDArray[np.object_]:
        """The likeliest choice per row."""
        if self.booster is None:
            return np.full(len(matrix), self.values[int(np.argmax(self.shares))], dtype=object)
        raw = raw_score(self.booster, matrix, num_threads=num_threads)
        best = raw.reshape(len(matrix), len(self.values)).argmax(axis=1)
        return np.array(self.values, dtype=object)[best]

    def to_json(self) -> dict[str, Any]:
        return {"values": list(self.values), "shares": list(self.shares)}


def choice_from_json(found: Mapping[str, Any], booster: Any | None) -> Choice:
    return Choice(tuple(found["values"]), tuple(found["shares"]), booster)


def learn_choice(
    matrix: Matrix,
    chosen: pd.Series,
    weights: Array,
    as_of: npt.NDArray[np.int64],
    categorical: Sequence[int],
    *,
    seed: int,
    num_threads: int,
) -> Choice | None:
    """From rows × features and what each row's next complaint chose (null: unknown, left out).

    None if no row has a choice. The number of trees is the best by log loss on the newest fifth of
    the as-of times.
    """
    text = chosen.astype("str").where(chosen.notna())
    mass = pd.Series(weights).groupby(text.to_numpy()).sum()
    counts = text.value_counts()
    if counts.empty:
        return None
    kept = [
        value
        for value in sorted(counts.index, key=lambda value: (-mass[value], value))
        if counts[value] >= max(20, 0.01 * counts.sum()) or len(counts) == 1
    ][:MOST]
    if not kept:
        kept = [str(min(counts.index, key=lambda value: (-mass[value], value)))]
    shares = np.array([mass[value] for value in kept], dtype=np.float64)
    shares = shares / shares.sum()
    rows = text.isin(kept).to_numpy()
    if len(kept) == 1 or rows.sum() < ENOUGH:
        return Choice(tuple(kept), tuple(shares.tolist()), None)
    position = {value: at for at, value in enumerate(kept)}
    y = text[rows].map(position).to_numpy(dtype=np.float64)
    x, w, times = matrix[rows], weights[rows], as_of[rows]

    def fit(part: npt.NDArray[np.bool_], rounds: int) -> Any:
        return grow(
            x[part],
            y[part],
            w[part],
            categorical,
            TREES,
            objective="multiclass",
            rounds=rounds,
            seed=seed,
            num_threads=num_threads,
            num_class=len(kept),
        )

    distinct = np.unique(times)
    late = times >= distinct[-max(len(distinct) // 5, 1)]
    rounds = ROUNDS[1]
    if 50 <= late.sum() < len(late) - 50:
        tried = fit(~late, ROUNDS[-1])
        losses = []
        for raw in staged(tried, x[late], ROUNDS, num_threads=num_threads):
            shares_of = softmax(raw, axis=1)[np.arange(int(late.sum())), y[late].astype(int)]
            losses.append(float(np.average(-np.log(np.maximum(shares_of, 1e-12)), weights=w[late])))
        rounds = ROUNDS[int(np.argmin(losses))]
        told = np.log(shares)[y[late].astype(int)]
        if min(losses) > float(np.average(-told, weights=w[late])):
            return Choice(tuple(kept), tuple(shares.tolist()), None)
    booster = fit(np.ones(len(y), dtype=bool), rounds)
    return Choice(tuple(kept), tuple(shares.tolist()), booster)
