"""Random weeks of backlog work: nothing is lost, nothing is handled before it came."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.queueing import BacklogGrid, clear, due_seconds, smallest_levels

MORE = 4 if os.environ.get("PRESAGE_FULL") == "1" else 1
"""`make test-full` tries so many times more."""


@st.composite
def a_week(draw: st.DrawFn) -> tuple[BacklogGrid, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 60))
    grid = BacklogGrid(
        np.concatenate([[0.0], np.cumsum(rng.choice([900.0, 1800.0, 3600.0], n))]), np.zeros(n)
    )
    opened = np.diff(grid.edges) * rng.choice([0.0, 0.5, 1.0], n)
    arrivals = rng.poisson(rng.uniform(0, 6), (3, n)) * (rng.random(n) < 0.8)
    return BacklogGrid(grid.edges, opened), arrivals.astype(float), opened / 900.0


@settings(max_examples=20 * MORE, deadline=None)
@given(a_week(), st.floats(60, 20_000), st.integers(0, 6), st.floats(0, 20))
def test_contacts_are_conserved_and_more_agents_never_serve_worse(
    week: tuple[BacklogGrid, np.ndarray, np.ndarray], target: float, agents: int, waiting: float
) -> None:
    grid, arrivals, per_agent = week
    few, many = (
        clear(grid, arrivals, number * per_agent, target_seconds=target, waiting=waiting)
        for number in (agents, agents + 1)
    )
    assert few.backlog[:, -1] + few.handled.sum(1) == pytest.approx(arrivals.sum(1) + waiting)
    assert (few.backlog >= -1e-9).all() and (few.handled >= -1e-9).all()
    assert (few.handled <= agents * per_agent + 1e-9).all()
    assert (few.on_time <= arrivals + 1e-9).all() and (few.on_time >= 0).all()
    assert (many.on_time >= few.on_time - 1e-9).all()
    assert (many.backlog <= few.backlog + 1e-9).all()
    oracle = np.full(3, waiting)
    for k in range(len(per_agent)):  # the recursion, one interval after another
        oracle = np.maximum(oracle + arrivals[:, k] - agents * per_agent[k], 0)
        assert few.backlog[:, k] == pytest.approx(oracle, abs=1e-6)


@settings(max_examples=15 * MORE, deadline=None)
@given(a_week(), st.floats(1, 30_000), st.sampled_from(["opening", "calendar"]))
def test_due_times_come_in_the_order_of_arrival(
    week: tuple[BacklogGrid, np.ndarray, np.ndarray], target: float, clock: str
) -> None:
    grid, _, _ = week
    at = np.sort(np.random.default_rng(0).uniform(0, grid.edges[-1], 50))
    due = due_seconds(grid, at, target, clock)  # type: ignore[arg-type]
    assert (due >= at + target - 1e-6).all() if clock == "opening" else (due == at + target).all()
    assert (np.diff(due) >= -1e-6).all()


@settings(max_examples=7 * MORE, deadline=None)
@given(a_week(), st.floats(600, 10_000), st.floats(1.0, 3.0))
def test_levels_are_whole_and_answer_to_scale(
    week: tuple[BacklogGrid, np.ndarray, np.ndarray], target: float, scale: float
) -> None:
    grid, arrivals, per_agent = week
    days = np.arange(len(per_agent)) // 12

    def levels(work: np.ndarray) -> np.ndarray:
        return smallest_levels(
            grid,
            work,
            days=days,
            per_agent=per_agent,
            target_seconds=target,
            share=0.9,
            confidence=0.6,
        )

    one = levels(arrivals)
    assert (one >= 0).all() and (one == np.round(one)).all()
    assert (one[per_agent == 0] == 0).all()
    first = np.searchsorted(days, 1)
    assert levels(arrivals * scale)[:first].sum() >= 0.8 * one[:first].sum() - 2
    assert levels(arrivals * 0).sum() == 0
