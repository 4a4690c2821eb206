"""A small run of ``python -m benchmarks.staffing_milp``: the plan beside an integer programme."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.staffing import MAKES
from benchmarks.staffing_milp import answered, at_equal_kept, compared, solve
from data.settings import ServiceLevel

PHONE = ServiceLevel(target_seconds=20, share=0.8, kind="real_time", patience_seconds=120)


def test_the_programme_finds_what_trying_everything_finds() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson([4.0, 9.0, 2.0], (12, 3)).astype(float)
    good, offered = answered(counts, 1800.0, PHONE, 300.0, 6), counts.sum(axis=1)
    least = np.array([1, 2, 1])
    found = solve(good, offered, least, least, share=0.8, confidence=0.75, seconds=60.0)

    def is_kept(agents: tuple[int, ...]) -> bool:
        in_time = good[:, range(3), agents].sum(axis=1)
        return bool((in_time >= 0.8 * offered - 1e-6).mean() >= 0.75)

    every = itertools.product(*(range(one, 7) for one in least))
    fewest = min(sum(agents) for agents in every if is_kept(agents))
    assert is_kept(tuple(found.tolist())) and found.sum() == fewest > least.sum()


def test_a_day_takes_hardly_more_hours_than_the_programme_at_equal_kept_share() -> None:
    table = compared(MAKES["usual"], 30.0, (0.6, 0.8, 0.95, 0.99), days=1, minutes=60, runs=100)
    ours, others = table.iloc[0], table.iloc[1:]
    assert 0.8 < ours["kept"] < 1
    assert others["kept"].is_monotonic_increasing and others["hours"].is_monotonic_increasing
    equal = at_equal_kept(ours["kept"], others["hours"].tolist(), others["kept"].tolist())
    assert ours["hours"] <= 1.05 * equal
