"""Many lines are searched at once, few one by one: the same places."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import DataError
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


def test_sums_are_refused_only_where_64_bits_may_not_hold_them() -> None:
    """Of a million rows one may be great: it is what they add up to that counts."""
    many, when = np.zeros(100, dtype=np.int64), np.arange(100)
    few_are_great = np.where(when == 7, 2**60, 3)
    timeline = Timeline(Spells(many, when + 1, np.full(100, NEVER), when), 1)
    sums = timeline.sums("one", few_are_great, (None,), np.array([0]), np.array([200]))
    assert sums[None].tolist() == [2**60 + 99 * 3]
    with pytest.raises(DataError, match="too large to be added"):
        timeline.sums("all", np.full(100, 2**60), (None,), np.array([0]), np.array([200]))
