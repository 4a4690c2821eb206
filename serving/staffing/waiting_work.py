"""E-mail and social: agents per day so that what waits is answered by its deadline.

The contacts of every hour, closed ones too, join the line; the line is worked off in opening
hours, first come first served. ``models.queueing.levels`` finds the level of each local day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats, Ints
from data.settings import ServiceLevel
from models.queueing import BacklogGrid, clear, reachable, smallest_levels
from serving.staffing.realtime import Answer

AFTER_SECONDS = 10 * 86_400.0
"""How far past the plan (and the last deadline) its last contacts are followed."""


def staff_waiting_work(
    paths: Floats,
    step_seconds: float,
    open_seconds: Floats,
    days: Ints,
    handle_seconds: float,
    level: ServiceLevel,
    max_occupancy: float,
    waiting: float = 0.0,
    at_most: int | None = None,
) -> Answer:
    """Agents of each planned interval.

    ``open_seconds`` and ``days`` go on past the planned intervals (the columns of ``paths``), far
    enough for the last contacts' deadlines; what is left then is taken to be staffed for likewise.
    ``waiting`` contacts are there at the start.
    """
    planned, every = paths.shape[1], len(open_seconds)
    arrivals = np.pad(paths, ((0, 0), (0, every - planned)))
    edges = np.asarray(np.arange(every + 1) * step_seconds, np.float64)
    grid = BacklogGrid(edges, open_seconds)
    per_agent = open_seconds * max_occupancy * level.concurrency / handle_seconds
    expected = arrivals.mean(axis=0)
    least = ((open_seconds > 0) & (expected > 0)).astype(np.int64)
    target = level.target_seconds or 0.0
    agents = smallest_levels(
        grid,
        arrivals,
        days=days,
        per_agent=per_agent,
        target_seconds=target,
        share=level.share,
        confidence=level.confidence,
        limit_seconds=level.limit_seconds,
        clock=level.clock,
        waiting=waiting,
        margin_seconds=min(handle_seconds, target / 2),
        minimum=least,
    )
    if at_most is not None:
        agents = np.minimum(agents, at_most)
    outcome = clear(
        grid,
        arrivals,
        agents * per_agent,
        target_seconds=target,
        limit_seconds=level.limit_seconds,
        clock=level.clock,
        waiting=waiting,
        margin_seconds=min(handle_seconds, target / 2),
    )
    here = slice(0, planned)
    total = arrivals[:, here].sum(axis=0)
    some = np.where(total > 0, total, 1.0)
    on_time = outcome.on_time[:, here]
    seconds = agents[here] * open_seconds[here] * level.concurrency
    busy = outcome.handled[:, here].mean(axis=0) * handle_seconds
    weight = np.where(arrivals[:, here] > 0, arrivals[:, here], 0.0)
    waited = np.where(weight > 0, outcome.waited[:, here], 0.0)
    return Answer(
        agents=agents[here].astype(np.int64),
        planned_volume=np.quantile(arrivals[:, here], level.confidence, axis=0),
        service_level=np.where(total > 0, on_time.sum(axis=0) / some, np.nan),
        occupancy=np.where(seconds > 0, busy / np.where(seconds > 0, seconds, 1.0), 0.0),
        abandonment=np.where(total > 0, 0.0, np.nan),
        backlog=outcome.backlog[:, here].mean(axis=0),
        asa_seconds=np.where(total > 0, (waited * weight).sum(axis=0) / some, np.nan),
        confidence=_confidence(on_time, arrivals[:, here], days[here], level.share),
        reachable=_reachable(
            reachable(grid, target, level.clock)[here], expected[here], days[here]
        ),
    )


def _confidence(on_time: Floats, arrivals: Floats, days: Ints, share: float) -> Floats:
    """Share of scenarios in which the interval's day is answered within the target as promised."""
    _, day = np.unique(days, return_inverse=True)
    begins = np.searchsorted(day, np.arange(day[-1] + 1))
    good = np.add.reduceat(on_time, begins, axis=1)
    every = np.add.reduceat(arrivals, begins, axis=1)
    return np.asarray((good >= share * every - 1e-6).mean(axis=0)[day])


def _reachable(can: NDArray[np.bool_], expected: Floats, days: Ints) -> Floats:
    """The share of the interval's day that any staffing could answer within the target."""
    _, day = np.unique(days, return_inverse=True)
    every = np.bincount(day, expected)
    some = np.where(every > 0, every, 1.0)
    return np.asarray(np.where(every > 0, np.bincount(day, expected * can) / some, 1.0)[day])
