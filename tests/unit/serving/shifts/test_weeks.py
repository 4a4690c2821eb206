"""The best week at given prices, against every week; missing people, against a flow."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from data.settings import Contract
from serving.shifts.coverage import served_by
from serving.shifts.need import Need
from serving.shifts.patterns import day_shifts
from serving.shifts.shortage import Shortage
from serving.shifts.weeks import WeekRules, WeekSearch, worked

SLOTS = 24 * 4 + 10


@pytest.fixture(scope="module")
def rules() -> WeekRules:
    """Four days of early, late and night shifts of 8 and 4 hours, three days of work at most."""
    days = tuple(np.arange("2026-03-02", "2026-03-06", dtype="datetime64[D]"))
    every = np.ones((1, SLOTS), bool)
    begin = np.datetime64("2026-03-02T00:00")
    need = Need(("a",), begin, 60, every.astype(np.int64), every, days, 96)
    contract = Contract(
        shift_hours=(8.0, 4.0), starts=("06:00", "14:00", "20:00"), break_minutes=60
    )
    none = np.empty((0, 2), "datetime64[us]")
    shifts = day_shifts(contract, "UTC", need, every[0], away=none, wishes=none)
    return WeekRules(tuple(shifts), max_days=3, rest_slots=11)


def every_week(rules: WeekRules, prices: np.ndarray) -> dict[int, float]:
    """The worth of the best week of each length, by trying all."""
    options = [[None, *range(len(day))] for day in rules.days]
    best: dict[int, float] = {}
    for choice in product(*options):
        on = [
            (d, int(day.start[i]), int(day.end[i]), i)
            for d, (day, i) in enumerate(zip(rules.days, choice, strict=True))
            if i is not None
        ]
        rested = all(b[1] - a[2] >= rules.rest_slots or b[0] > a[0] + 1 for a, b in pairwise(on))
        if len(on) > rules.max_days or not rested:
            continue
        worth, paid = 0.0, 0
        for d, start, end, i in on:
            day = rules.days[d]
            rest = int(day.rest[i])
            worth += prices[start:end].sum()
            paid += int(day.paid[i])
            if rest:
                places = range(int(day.low[i]), int(day.high[i]) + 1)
                worth -= min(prices[at : at + rest].sum() for at in places)
        units = paid // rules.unit
        best[units] = max(best.get(units, -np.inf), worth)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_the_best_week_is_the_best_of_all_weeks(rules: WeekRules, seed: int) -> None:
    prices = np.random.default_rng(seed).normal(0.3, 1, SLOTS)
    search = WeekSearch(rules, prices, 0.0, 24)
    known = {units: worth for units, worth in every_week(rules, prices).items() if units <= 24}
    assert set(np.flatnonzero(np.isfinite(search.best))) == set(known)
    for units, worth in known.items():
        assert search.best[units] == pytest.approx(worth)
        week = search.week(units)
        assert sum(shift.paid for shift in week) == units * rules.unit
        assert prices[worked(week, SLOTS)].sum() == pytest.approx(worth)


def test_missing_people_are_what_a_flow_cannot_serve() -> None:
    rng = np.random.default_rng(3)
    skills = ((0,), (0, 1), (1, 2), (0, 1, 2))
    people = rng.integers(0, 5, (3, 60))
    supply = rng.integers(0, 4, (4, 60))
    short = Shortage(people, skills)
    served = np.minimum(served_by(supply, people, skills), people)
    assert short.missing(supply).tolist() == (people - served).sum(axis=0).tolist()
    for k in range(4):
        more = supply.copy()
        more[k] += 1
        assert (
            short.worth(supply)[k].tolist()
            == (short.missing(supply) - short.missing(more)).tolist()
        )
