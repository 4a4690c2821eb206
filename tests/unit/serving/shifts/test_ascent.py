"""The bound of the ascent, the value of the linear programme, and a roster stand in this order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data.settings import Settings
from serving.shifts.ascent import ascend
from serving.shifts.crew import crew_of
from serving.shifts.groups import Problem, problem_of
from serving.shifts.master import solved
from serving.shifts.need import need_of
from serving.shifts.response import Draft

Make = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def problem(week: Make, agents: Make, oslo: Callable[..., Settings]) -> Problem:
    settings = oslo(shift_hours=(8.0, 5.0), starts=("08:00-13:00",))
    crew = pd.concat(
        [agents(4, ["phone"], "p", hourly_cost=30.0), agents(3, ["chat", "phone"], "b")]
    )
    days = tuple(np.arange("2026-03-02", "2026-03-07", dtype="datetime64[D]"))
    plan = week({"phone": 3, "chat": 1}, days=5)
    need = need_of(plan, ("chat", "phone"), days, "Europe/Oslo", 60, 48 * 60, 0.0)
    return problem_of(need, crew_of(crew, need.channels, settings).agents, settings.shifts)


def test_no_roster_costs_less_than_the_ascent_says(problem: Problem) -> None:
    draft = Draft(problem, [[None] * group.size for group in problem.groups])
    rng = np.random.default_rng(0)
    draft.settle(rng, lambda: 1.0)
    ascent = ascend(problem, draft.cost, 0.0, lambda: 1.0)
    programme = solved(problem, 0.0, ascent, draft, lambda: 1.0, lambda _: None)
    assert 0.97 * programme.value < ascent.bound <= programme.bound <= programme.value + 1e-6
    assert programme.value <= draft.cost + 1e-6
    cost = draft.cost
    for _ in range(30):
        cheaper = draft.retake(rng)
        assert (draft.cost < cost) == cheaper and draft.cost <= cost + 1e-6
        cost = draft.cost
    assert programme.value <= cost + 1e-6, "still no cheaper than any roster can be"


def test_the_ascent_ends_where_the_roster_is_near(problem: Problem) -> None:
    once = ascend(problem, 1e9, 1.0, lambda: 1.0)
    assert once.weeks == () and once.bound <= ascend(problem, 1e9, 0.0, lambda: 1.0).bound
