"""Many lines are searched at once, few one by one: the same places."""

from __future__ import annotations

import numpy as np

from features.asof import NEVER
from features.kernel import Spells
from features.timeline import FEW, Timeline


def test_many_lines_at_once_give_what_each_gives_alone() -> None:
    draw = np.random.default_rng(5)
    lines = 3 * FEW
    line = np.sort(draw.integers(0, lines - 2, 200))  # the last ones have no rows
    at = draw.integers(0, 50, 200)
    at = at[np.lexsort((at, line))]
    hi = np.where(draw.random(200) < 0.3, at + draw.integers(1, 9, 200), NEVER)
    timeline = Timeline(Spells(line, at + 1, hi, at), lines)
    asked = draw.integers(-1, lines, 300)
    times = draw.integers(-2, 60, 300)
    weights = draw.integers(-5, 5, 200)
    together = timeline.sums("sum", weights, (None, 10), asked, times)
    for window, sums in together.items():
        alone = [
            int(timeline.sums("sum", weights, (window,), asked[[i]], times[[i]])[window][0])
            for i in range(len(asked))
        ]
        counts = (at + 1 <= times[:, None]) & (hi > times[:, None]) & (line == asked[:, None])
        if window is not None:
            counts &= at + window + 1 > times[:, None]
        assert sums.tolist() == alone == (counts * weights).sum(axis=1).tolist()
