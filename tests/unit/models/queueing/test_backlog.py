"""Backlog work: due times by hand, the fluid against single contacts, the smallest staffing."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import DataError
from models.queueing import (
    BacklogGrid,
    agents_required,
    clear,
    due_seconds,
    reachable,
    simulate_queue,
    smallest_levels,
)

HOUR = 3600.0


def week(days: int = 5, opens: int = 8, closes: int = 18) -> tuple[BacklogGrid, np.ndarray]:
    hours = np.arange(24 * days)
    opened = np.where((hours % 24 >= opens) & (hours % 24 < closes), HOUR, 0.0)
    return BacklogGrid(np.arange(24 * days + 1) * HOUR, opened), hours // 24


def test_due_times_by_opening_and_by_calendar() -> None:
    grid, _ = week()
    at = np.array([9.0, 16.0, 18.0, 20.0]) * HOUR
    opening = due_seconds(grid, at, 4 * HOUR, "opening") / HOUR
    assert opening.tolist() == [13.0, 34.0, 36.0, 36.0]
    # all the time left today: due at closing, not at the next opening
    assert due_seconds(grid, np.array([14 * HOUR]), 4 * HOUR, "opening") == 18 * HOUR
    assert (due_seconds(grid, at, 4 * HOUR, "calendar") == at + 4 * HOUR).all()


def test_a_calendar_clock_that_runs_out_at_night_is_not_reachable() -> None:
    grid, _ = week()
    can = reachable(grid, 12 * HOUR, "calendar")
    assert can[8:17].all()
    assert not can[17:20].any()  # 17:30 leaves half an hour; 19:30 + 12 h = 07:30, before opening
    assert can[22:24].all()
    assert reachable(grid, 2 * HOUR, "opening")[:96].all()


def test_what_waits_is_carried_over_the_night() -> None:
    grid, _ = week(2)
    arrivals = np.zeros((1, 48))
    arrivals[0, 17] = 30.0
    capacity = np.where(grid.open_seconds > 0, 10.0, 0.0)
    out = clear(grid, arrivals, capacity, target_seconds=3 * HOUR)
    assert out.backlog[0, 17] == out.backlog[0, 31] == 20.0
    assert out.backlog[0, 33] == 0.0
    assert out.handled.sum() == 30.0
    assert out.on_time[0, 17] == 30.0
    assert clear(grid, arrivals, capacity, target_seconds=HOUR).on_time[0, 17] == 15.0


def test_the_fluid_agrees_with_single_contacts_in_a_queue() -> None:
    """200 contacts an hour for two days, five agents too few at noon: shares within 2 points."""
    grid, _ = week(3)
    rng = np.random.default_rng(5)
    volume = np.zeros(72)
    volume[:48] = 60 + 40 * np.sin(np.arange(48) / 24 * 2 * np.pi - 1.5)
    agents = np.where(grid.open_seconds > 0, 26, 0)
    per_agent = grid.open_seconds / 600.0
    fluid = clear(grid, volume[None], agents * per_agent, target_seconds=2 * HOUR)
    shares = []
    for _ in range(8):
        counts = rng.poisson(volume)
        place = np.repeat(np.arange(72), counts)
        at = np.sort(grid.edges[place] + rng.random(len(place)) * HOUR)
        work = rng.exponential(600.0, len(at))
        played = simulate_queue(at, work, edges=grid.edges[:-1], servers=agents)
        due = due_seconds(grid, at, 2 * HOUR, "opening")
        shares.append((np.nan_to_num(played.end_times, nan=np.inf) <= due + 600).mean())
    fluid_share = fluid.on_time.sum() / volume.sum()
    assert 0.3 < fluid_share < 0.97
    assert np.mean(shares) == pytest.approx(fluid_share, abs=0.02 + 3 * np.std(shares) / 8**0.5)


def asked(share: float = 0.9, confidence: float = 0.9) -> dict[str, float]:
    return {"target_seconds": 4 * HOUR, "share": share, "confidence": confidence}


def test_the_levels_keep_the_promise_and_one_agent_less_does_not() -> None:
    grid, days = week(6)
    rng = np.random.default_rng(1)
    arrivals = np.zeros((100, 144))
    arrivals[:, :96] = rng.poisson(20.0, (100, 96)) * rng.gamma(30, 1 / 30, (100, 1))
    per_agent = grid.open_seconds / 700.0
    levels = smallest_levels(
        grid, arrivals, days=days, per_agent=per_agent, limit_seconds=8 * HOUR, **asked()
    )

    def kept(agents: np.ndarray) -> np.ndarray:
        out = clear(
            grid, arrivals, agents * per_agent, target_seconds=4 * HOUR, limit_seconds=8 * HOUR
        )
        day = out.on_time.reshape(100, 6, 24).sum(2)[:, :4]
        late = (arrivals - out.in_limit).reshape(100, 6, 24).sum(2)[:, :4]
        every = arrivals.reshape(100, 6, 24).sum(2)[:, :4]
        return ((day >= 0.9 * every - 1e-6) & (late <= 1e-6)).mean(axis=0)

    assert (kept(levels) >= 0.9).all()
    assert (levels == np.round(levels)).all()
    assert (levels[grid.open_seconds == 0] == 0).all()
    for day in range(1, 4):
        fewer = levels.copy()
        fewer[24 * day : 24 * (day + 1)] = np.maximum(levels[24 * day : 24 * (day + 1)] - 1, 0)
        assert (kept(fewer) < 0.9).any()


def test_those_who_clear_a_weekend_go_home_when_it_is_cleared() -> None:
    hours = np.arange(24 * 5)
    opened = np.where((hours >= 72) & (hours % 24 >= 8) & (hours % 24 < 18), HOUR, 0.0)
    grid = BacklogGrid(np.arange(121) * HOUR, opened)
    levels = smallest_levels(
        grid,
        np.where(hours < 96, 10.0, 0.0)[None],
        days=hours // 24,
        per_agent=opened / 600.0,
        **asked(),
    )
    monday = levels[80:90]
    assert monday.argmax() == 0
    assert monday[0] > 3 * monday[-1]


def test_nobody_is_needed_for_nothing_and_the_minimum_is_kept() -> None:
    grid, days = week(2)
    kwargs = {"days": days, "per_agent": grid.open_seconds / 600.0, **asked()}
    none = np.zeros((3, 48))
    assert smallest_levels(grid, none, **kwargs).sum() == 0
    least = (grid.open_seconds > 0).astype(int)
    assert (smallest_levels(grid, none, minimum=least, **kwargs) == least).all()


def test_a_grid_that_does_not_ascend_is_refused() -> None:
    with pytest.raises(DataError, match="ascend"):
        BacklogGrid(np.array([0.0, 1.0, 1.0]), np.array([0.0, 0.0]))
    with pytest.raises(DataError, match="longer than it is"):
        BacklogGrid(np.array([0.0, 1.0]), np.array([2.0]))


def test_required_agents_refuse_what_no_promise_can_be() -> None:
    for name, value in (("share", 0.0), ("max_occupancy", 1.5), ("concurrency", 0.5)):
        with pytest.raises(DataError, match=name):
            agents_required(0.1, 60.0, **{"target_seconds": 20.0, "share": 0.8, name: value})
