"""The smallest staffing of backlog work, day by day.

The **level** is the smallest at which everything in hand by the day's end meets its deadlines if
the level is kept up: of each day's contacts the share within the target, none beyond the limit,
each in at least the ``confidence`` share of the scenarios. It is found by bisection over the
agent-intervals left in the day ("3 agents, and a fourth for the first hours" lies between 3 and
4), and found again every ``BLOCK_SECONDS`` of opening hours, so that the many who clear a weekend
go home when it is cleared. What is not due today may wait for tomorrow's agents, and is counted
there.

A contact that arrives when no staffing could answer it in time (a calendar clock that runs out
over a weekend) cannot count towards the share: of such a day the share asked for is at most
``REACHABLE_SHARE`` of those that can be reached.

>>> from models.queueing.backlog import BacklogGrid
>>> grid = BacklogGrid(np.arange(9) * 3600.0, np.full(8, 3600.0))
>>> levels = smallest_levels(
...     grid, np.full((1, 8), 10.0), days=np.zeros(8, int), per_agent=np.full(8, 5.0),
...     target_seconds=3600.0, share=0.9, confidence=0.9)
>>> levels.tolist()
[2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Floats, Ints
from models.queueing.backlog import (
    ROUNDING,
    BacklogGrid,
    Clock,
    due_of_intervals,
    handled_by,
    limit_due,
    on_time_of,
    reachable,
)

REACHABLE_SHARE = 0.95
BLOCK_SECONDS = 7200.0
MOST_AGENTS = 1 << 22


def smallest_levels(
    grid: BacklogGrid,
    arrivals: Floats,
    *,
    days: Ints,
    per_agent: Floats,
    target_seconds: float,
    share: float,
    confidence: float,
    limit_seconds: float | None = None,
    clock: Clock = "opening",
    waiting: float = 0.0,
    margin_seconds: float = 0.0,
    minimum: Ints | None = None,
) -> Floats:
    """Agents per interval, whole numbers.

    ``arrivals``: scenarios x intervals. ``days``: the local day of each interval, ascending.
    ``per_agent``: contacts that one agent handles in an interval (0 when closed). ``minimum``:
    agents that must be there at least. The grid should go on (without arrivals) until the last
    contact is due: what is due later is not asked for.
    """
    asked = _Asked.of(
        grid, arrivals, days, target_seconds, limit_seconds, share, clock, margin_seconds
    )
    come = np.cumsum(np.pad(arrivals, ((0, 0), (1, 0))), axis=1) + waiting
    done = np.zeros_like(come)
    agents = np.zeros(arrivals.shape[1])
    least = np.zeros(arrivals.shape[1]) if minimum is None else np.asarray(minimum, float)
    level = 0.0
    for day in np.unique(days):
        first, last = (int(np.searchsorted(days, day, side=side)) for side in ("left", "right"))
        open_here = np.flatnonzero(per_agent[first:last] > 0) + first
        begins = _blocks(grid, open_here) if len(open_here) else [first]
        until = asked.window(grid, last)
        for begin, end in zip([first, *begins[1:]], [*begins[1:], last], strict=True):
            left = open_here[open_here >= begin]
            if len(left):
                state = _State(come, done, begin, last, until, left)
                step = _Step(grid, asked, state, per_agent, least)
                count = step.smallest(confidence, level)
                agents[begin:end] = step.agents(count)[: end - begin]
                level = count / len(left)
            part = slice(begin, end + 1)
            done[:, part] = _onward(
                come[:, part], done[:, begin], agents[begin:end] * per_agent[begin:end]
            )
    return agents


def _blocks(grid: BacklogGrid, open_here: Ints) -> list[int]:
    """First intervals of the day's blocks of about ``BLOCK_SECONDS`` of opening hours."""
    worked = grid.opened[open_here] - grid.opened[open_here[0]]
    _, first = np.unique(worked // BLOCK_SECONDS, return_index=True)
    return [int(at) for at in open_here[first]]


def _onward(come: Floats, start: Floats, capacity: Floats) -> Floats:
    """``handled_by`` from a state: ``start`` contacts were handled up to the first edge."""
    return handled_by(come - start[:, None], capacity) + start[:, None]


class _Asked:
    """What each interval's arrivals are promised: due times, and the share of each day's."""

    def __init__(
        self, due: Floats, last: Floats | None, days: Ints, arrivals: Floats, share: Floats
    ) -> None:
        self.due, self.last, self.days = due, last, days
        self.arrivals, self.share = arrivals, share
        self.final = (np.maximum(due, last) if last is not None else due)[1]

    @classmethod
    def of(
        cls,
        grid: BacklogGrid,
        arrivals: Floats,
        days: Ints,
        target: float,
        limit: float | None,
        share: float,
        clock: Clock,
        margin: float,
    ) -> _Asked:
        due = due_of_intervals(grid, target, clock) - margin
        last = limit_due(grid, limit, clock) - margin if limit is not None else None
        can = reachable(grid, target, clock)
        _, group = np.unique(days, return_inverse=True)
        every, possible = _by_group(arrivals, group), _by_group(arrivals * can, group)
        best = np.where(every > 0, possible / np.where(every > 0, every, 1.0), 1.0)
        return cls(due, last, group, arrivals, np.minimum(share, REACHABLE_SHARE * best) * every)

    def window(self, grid: BacklogGrid, last: int) -> int:
        """Intervals until everything that came before interval ``last`` is due."""
        until = int(np.searchsorted(grid.edges, self.final[:last].max(), side="left"))
        return max(min(until, len(grid.open_seconds)), last)

    def promise_share(
        self, grid: BacklogGrid, come: Floats, done: Floats, begin: int, end: int
    ) -> Floats:
        """Share of scenarios in which each day with arrivals in [begin, end) keeps its promise.

        ``come`` and ``done`` are curves over all edges; begin must start a day.
        """
        slack = ROUNDING * (1.0 + come[:, -1:])
        part = slice(begin, end)
        group = self.days[part] - self.days[begin]
        stop = done.shape[1]
        view = BacklogGrid(grid.edges[begin:stop], grid.open_seconds[begin : stop - 1])
        shorter = come[:, begin : end + 1], done[:, begin:stop]
        on_time = _by_group(on_time_of(view, *shorter, self.due[:, part]), group)
        asked = self.share[:, self.days[begin] : self.days[begin] + on_time.shape[1]]
        fine = on_time >= asked - slack
        if self.last is not None:
            in_time = _by_group(on_time_of(view, *shorter, self.last[:, part]), group)
            fine &= in_time >= _by_group(self.arrivals[:, part], group) - slack
        return np.asarray(fine.mean(axis=0))


@dataclass(frozen=True)
class _State:
    """Where a search stands: curves of what came and was handled up to ``first``, the end of the
    day, the end of the last deadline, and the open intervals left in the day."""

    come: Floats
    done: Floats
    first: int
    last: int
    until: int
    left: Ints


class _Step:
    """One block's search."""

    def __init__(
        self, grid: BacklogGrid, asked: _Asked, state: _State, per_agent: Floats, least: Floats
    ) -> None:
        self.grid, self.asked, self.state = grid, asked, state
        self.per_agent, self.least = per_agent, least
        pending = np.flatnonzero(asked.final[: state.last] > grid.edges[state.first])
        oldest = int(pending[0]) if len(pending) else state.first
        self.begin = int(np.searchsorted(asked.days, asked.days[oldest]))

    def agents(self, count: int) -> Floats:
        """``count`` agent-intervals over the open intervals left, the fuller ones first."""
        first, last, left = self.state.first, self.state.last, self.state.left
        whole, more = divmod(count, len(left))
        agents = np.zeros(last - first)
        agents[left - first] = whole + (np.arange(len(left)) < more)
        return np.maximum(agents, self.least[first:last])

    def promise_share(self, count: int) -> Floats:
        """Share of scenarios that keep each pending day's promise, with ``count`` kept up."""
        now, until = self.state, self.state.until
        ahead = np.full(until - now.last, count / len(now.left))
        ahead = np.maximum(ahead, self.least[now.last : until])
        capacity = np.concatenate([self.agents(count), ahead]) * self.per_agent[now.first : until]
        future = _onward(now.come[:, now.first : until + 1], now.done[:, now.first], capacity)
        done = np.concatenate([now.done[:, : now.first], future], axis=1)
        return self.asked.promise_share(self.grid, now.come, done, self.begin, now.last)

    def smallest(self, confidence: float, guess: float) -> int:
        """Fewest agent-intervals that keep every promise which any number could keep."""
        left = len(self.state.left)
        wanted = np.minimum(confidence, self.promise_share(MOST_AGENTS * left)) - 1e-9
        low, high = -1, max(int(guess * left), 1)
        while (self.promise_share(high) < wanted).any():
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if (self.promise_share(middle) < wanted).any():
                low = middle
            else:
                high = middle
        return high


def _by_group(values: Floats, group: Ints) -> Floats:
    """Sums over runs of equal ``group`` (ascending from 0): rows x groups."""
    begins = np.searchsorted(group, np.arange(group[-1] + 1))
    return np.asarray(np.add.reduceat(values, begins, axis=1))
