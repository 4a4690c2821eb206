"""The smallest staffing of backlog work, day by day.

A day's **level** is the smallest at which everything in hand by the day's end meets its deadlines
if the level is kept up: of each day's contacts the share within the target, none beyond the limit,
each in at least the ``confidence`` share of the scenarios. It is found by bisection over the
agent-intervals of the day: "3 agents, and a fourth for the first hours" lies between 3 and 4.
What is not due today may wait for tomorrow's agents, and is counted there.

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

import numpy as np

from models.queueing.backlog import (
    ROUNDING,
    BacklogGrid,
    Clock,
    Floats,
    Ints,
    due_seconds,
    handled_by,
    limit_due,
    on_time_of,
    reachable,
)

REACHABLE_SHARE = 0.95
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
    planned: int | None = None,
) -> Floats:
    """Agents per interval; whole numbers in the first ``planned`` intervals (default: all).

    ``arrivals``: scenarios x intervals. ``days``: the local day of each interval, ascending.
    ``per_agent``: contacts that one agent handles in an interval (0 when closed). ``minimum``:
    agents that must be there at least. After the planned intervals the last level is kept up, so a
    grid should go on (without arrivals) until the last planned contact is due.
    """
    planned = len(grid.open_seconds) if planned is None else planned
    asked = _Asked.of(
        grid, arrivals, days, target_seconds, limit_seconds, share, clock, margin_seconds
    )
    come = np.cumsum(np.pad(arrivals, ((0, 0), (1, 0))), axis=1) + waiting
    done = np.zeros_like(come)
    agents = np.zeros(arrivals.shape[1])
    least = np.zeros(arrivals.shape[1]) if minimum is None else np.asarray(minimum, float)
    level = 0.0
    for day in np.unique(days[:planned]):
        first, last = np.searchsorted(days, day), np.searchsorted(days, day, side="right")
        last = min(int(last), planned)
        until = asked.window(grid, int(last))
        open_here = np.flatnonzero(per_agent[first:last] > 0) + first
        if len(open_here):
            step = _Step(
                grid, asked, come, done, per_agent, least, int(first), last, until, open_here
            )
            count = step.smallest(confidence, level)
            agents[first:last] = step.agents(count)
            level = count / len(open_here)
        done[:, first : last + 1] = _onward(
            come[:, first : last + 1], done[:, first], agents[first:last] * per_agent[first:last]
        )
    agents[planned:] = np.where(per_agent[planned:] > 0, level, 0.0)
    return agents


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
        self.final = np.maximum(due, last) if last is not None else due

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
        due = due_seconds(grid, grid.middles, target, clock) - margin
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

    def kept(self, grid: BacklogGrid, come: Floats, done: Floats, begin: int, end: int) -> Floats:
        """Share of scenarios in which each day with arrivals in [begin, end) keeps its promise.

        ``come`` and ``done`` are curves over all edges; begin must start a day.
        """
        slack = ROUNDING * (1.0 + come[:, -1:])
        part = slice(begin, end)
        group = self.days[part] - self.days[begin]
        stop = done.shape[1]
        view = BacklogGrid(grid.edges[begin:stop], grid.open_seconds[begin : stop - 1])
        shorter = come[:, begin : end + 1], done[:, begin:stop]
        on_time = _by_group(on_time_of(view, *shorter, self.due[part]), group)
        asked = self.share[:, self.days[begin] : self.days[begin] + on_time.shape[1]]
        fine = on_time >= asked - slack
        if self.last is not None:
            kept = _by_group(on_time_of(view, *shorter, self.last[part]), group)
            fine &= kept >= _by_group(self.arrivals[:, part], group) - slack
        return np.asarray(fine.mean(axis=0))


class _Step:
    """One day's search."""

    def __init__(
        self,
        grid: BacklogGrid,
        asked: _Asked,
        come: Floats,
        done: Floats,
        per_agent: Floats,
        least: Floats,
        first: int,
        last: int,
        until: int,
        open_here: Ints,
    ) -> None:
        self.grid, self.asked, self.come, self.done = grid, asked, come, done
        self.per_agent, self.least, self.open_here = per_agent, least, open_here
        self.first, self.last, self.until = first, last, until
        pending = np.flatnonzero(asked.final[:last] > grid.edges[first])
        oldest = int(pending[0]) if len(pending) else first
        self.begin = int(np.searchsorted(asked.days, asked.days[oldest]))

    def agents(self, count: int) -> Floats:
        """``count`` agent-intervals over the day's open intervals, the fuller ones first."""
        whole, more = divmod(count, len(self.open_here))
        agents = np.zeros(self.last - self.first)
        agents[self.open_here - self.first] = whole + (np.arange(len(self.open_here)) < more)
        return np.maximum(agents, self.least[self.first : self.last])

    def kept(self, count: int) -> Floats:
        """Share of scenarios that keep each pending day's promise, with ``count`` kept up."""
        ahead = np.full(self.until - self.last, count / len(self.open_here))
        ahead = np.maximum(ahead, self.least[self.last : self.until])
        agents = np.concatenate([self.agents(count), ahead])
        span = slice(self.first, self.until + 1)
        capacity = agents * self.per_agent[self.first : self.until]
        future = _onward(self.come[:, span], self.done[:, self.first], capacity)
        done = np.concatenate([self.done[:, : self.first], future], axis=1)
        return self.asked.kept(self.grid, self.come, done, self.begin, self.last)

    def smallest(self, confidence: float, guess: float) -> int:
        """Fewest agent-intervals that keep every promise which any number could keep."""
        wanted = np.minimum(confidence, self.kept(MOST_AGENTS * len(self.open_here))) - 1e-9
        low, high = -1, max(int(guess * len(self.open_here)), 1)
        while (self.kept(high) < wanted).any():
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if (self.kept(middle) < wanted).any():
                low = middle
            else:
                high = middle
        return high


def _by_group(values: Floats, group: Ints) -> Floats:
    """Sums over runs of equal ``group`` (ascending from 0): rows x groups."""
    begins = np.searchsorted(group, np.arange(group[-1] + 1))
    return np.asarray(np.add.reduceat(values, begins, axis=1))
