"""What about, and through which channel: the choice that the next complaint will make.

Learned from the rows that were followed by a complaint, by a small multiclass LightGBM that stands
on what the complaints of each cause are about (models/risk/about.py), where there are causes and
later rows say that they help. Rare choices (under 1 % or 20 rows) are not told apart. Where rows
are too few to learn from, everyone gets the shares of the past, which is what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax

from data.arrays import Bools, Floats, Ints
from models.risk.about import About, about, about_from_json
from models.risk.encode import Matrix
from models.risk.hazards import Hazards
from models.risk.trees import TreeSettings, grow, raw_score, staged

ENOUGH = 300
"""Rows followed by a complaint that a model of the choice needs."""
ROUNDS = (10, 20, 30, 45, 60)
TREES = TreeSettings(learning_rate=0.1, num_leaves=7, max_depth=4, ridge=20.0, rounds=ROUNDS)
MOST = 16


@dataclass(frozen=True)
class Choice:
    """The choices, the shares of the past, the trees that refine them (or None), and what the
    causes say, on which the trees stand (or None)."""

    values: tuple[str, ...]
    shares: tuple[float, ...]
    booster: Any | None
    about: About | None = None

    def probabilities(self, matrix: Matrix, *, num_threads: int = 1) -> Floats:
        """Rows × choices; each row adds up to 1."""
        if self.booster is None:
            return np.tile(np.array(self.shares), (len(matrix), 1))
        return softmax(self._raw(matrix, num_threads), axis=1)

    def likeliest(self, matrix: Matrix, *, num_threads: int = 1) -> npt.NDArray[np.object_]:
        """The likeliest choice per row."""
        if self.booster is None:
            return np.full(len(matrix), self.values[int(np.argmax(self.shares))], dtype=object)
        best = self._raw(matrix, num_threads).argmax(axis=1)
        return np.array(self.values, dtype=object)[best]

    def _raw(self, matrix: Matrix, num_threads: int) -> Floats:
        raw = raw_score(self.booster, matrix, num_threads=num_threads)
        raw = raw.reshape(len(matrix), len(self.values))
        return raw if self.about is None else raw + self.about.score(matrix)

    def to_json(self) -> dict[str, Any]:
        causes = None if self.about is None else self.about.to_json()
        return {"values": list(self.values), "shares": list(self.shares), "about": causes}


def choice_from_json(document: Mapping[str, Any], booster: Any | None) -> Choice:
    causes = document.get("about")
    of_causes = about_from_json(causes) if causes else None
    return Choice(tuple(document["values"]), tuple(document["shares"]), booster, of_causes)


def learn_choice(
    matrix: Matrix,
    chosen: pd.Series,
    weights: Floats,
    as_of: Ints,
    categorical: Sequence[int],
    *,
    causes: Hazards | None = None,
    seed: int,
    num_threads: int,
) -> Choice | None:
    """From rows × features and what each row's next complaint chose (null: unknown, left out).

    None if no row has a choice. The number of trees, and whether they stand on the ``causes``, is
    the best by log loss on the newest fifth of the as-of times.
    """
    text = chosen.astype("str").where(chosen.notna())
    mass = pd.Series(weights).groupby(text.to_numpy()).sum()
    counts = text.value_counts()
    if counts.empty:
        return None
    common = [
        value
        for value in sorted(counts.index, key=lambda value: (-mass[value], value))
        if counts[value] >= max(20, 0.01 * counts.sum()) or len(counts) == 1
    ][:MOST]
    if not common:
        common = [str(min(counts.index, key=lambda value: (-mass[value], value)))]
    shares = np.array([mass[value] for value in common], dtype=np.float64)
    shares = shares / shares.sum()
    rows = text.isin(common).to_numpy()
    if len(common) == 1 or rows.sum() < ENOUGH:
        return Choice(tuple(common), tuple(shares.tolist()), None)
    position = {value: at for at, value in enumerate(common)}
    y = text[rows].map(position).to_numpy(dtype=np.float64)
    x, w, times = matrix[rows], weights[rows], as_of[rows]

    def of_causes(part: Bools) -> About | None:
        if causes is None:
            return None
        return about(causes, x[part], y[part].astype(np.int64), w[part], len(common))

    def fit(part: Bools, rounds: int, base: About | None) -> Any:
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
            offset=None if base is None else base.score(x[part]).ravel(order="F"),
            num_class=len(common),
        )

    distinct = np.unique(times)
    late = times >= distinct[-max(len(distinct) // 5, 1)]
    rounds, standing = ROUNDS[1], causes is not None
    if 50 <= late.sum() < len(late) - 50:
        chosen_late = y[late].astype(np.int64)
        losses: dict[tuple[bool, int], float] = {}
        for on in {False, standing}:
            base = of_causes(~late) if on else None
            tried = fit(~late, ROUNDS[-1], base)
            offset = 0.0 if base is None else base.score(x[late])
            for many, raw in zip(
                ROUNDS, staged(tried, x[late], ROUNDS, num_threads=num_threads), strict=True
            ):
                losses[on, many] = _loss(softmax(raw + offset, axis=1), chosen_late, w[late])
        standing, rounds = min(losses, key=losses.__getitem__)
        usual = np.tile(shares, (len(chosen_late), 1))
        if losses[standing, rounds] > _loss(usual, chosen_late, w[late]):
            return Choice(tuple(common), tuple(shares.tolist()), None)
    every = np.ones(len(y), dtype=bool)
    base = of_causes(every) if standing else None
    return Choice(tuple(common), tuple(shares.tolist()), fit(every, rounds, base), base)


def _loss(probabilities: Floats, chosen: Ints, weights: Floats) -> float:
    """The mean log loss of what was chosen."""
    of_chosen = probabilities[np.arange(len(chosen)), chosen]
    return float(np.average(-np.log(np.maximum(of_chosen, 1e-12)), weights=weights))
