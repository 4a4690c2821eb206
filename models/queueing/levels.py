"""The fewest agent hours of backlog work, day by day and as level as the promises allow.

Two searches. **Long targets** (a half day, two days): the **level** of a day is the smallest at
which everything in hand by its end meets its deadlines if the level is kept up. It is found by
bisection over the agent-blocks of the day ("3 agents, and a fourth for the first hours" lies
between 3 and 4). **Short targets** (up to ``SHORT_SECONDS``): agents follow the
arrivals, smoothed over the target, times the smallest factor of the day. Either is then
**trimmed**: one agent less in the block that is idle most, wherever all promises still hold, so
that those who clear a weekend go home when it is cleared.

A day keeps its promise if the share of its contacts is answered in time, in at least the
``confidence`` share of the scenarios. What nobody could answer in time drives no peak: of a day on
which so few contacts can be reached (a calendar clock that runs out over a weekend) that the share
is out of reach, the share of those is asked for, and nothing, beyond the limit, of a day on which
not even half of the share could be kept.

>>> from models.queueing.backlog import BacklogGrid
>>> grid = BacklogGrid(np.arange(9) * 3600.0, np.full(8, 3600.0))
>>> smallest_levels(
...     grid, np.full((1, 8), 10.0), days=np.zeros(8, int), per_agent=np.full(8, 5.0),
...     target_seconds=3600.0, share=0.9, confidence=0.9).tolist()
[1, 2, 2, 2, 2, 2, 2, 2]
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
    reachable,
)

SHORT_SECONDS = 2.5 * 3600.0
HOPELESS = 0.5
MOST_AGENTS = 1 << 22
FACTORS = 1.08 ** np.arange(-6, 90)


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
    blocks: Ints | None = None,
    at_most: int | None = None,
    taken: Floats | None = None,
) -> Ints:
    """Agents per interval, whole numbers.

    Parameters
    ----------
    grid, arrivals : intervals, and contacts (scenarios x intervals). The grid should go on,
        without arrivals, until the last contact is due: what is due later is not asked for.
    days : the local day of each interval, ascending.
    per_agent : contacts that one agent handles in an interval (0 when closed).
    target_seconds, share, confidence, limit_seconds, clock : the promise.
    waiting : contacts in line at the first edge, due by the limit from then on.
    margin_seconds : taken off every due time.
    minimum : agents that are there anyhow; at_most : agents there are.
    blocks : intervals (ascending numbers) in which the number of agents stays; None: each its own.
    taken : agents that other work takes (scenarios x intervals); None: none.

    Returns
    -------
    agents : where no number keeps a promise, as many as there are, or as would help.
    """
    search = _Search(
        grid,
        arrivals,
        days=days,
        per_agent=per_agent,
        promise=_Promise.of(
            grid, arrivals, days, target_seconds, limit_seconds, share, clock, margin_seconds
        ),
        confidence=confidence,
        waiting=waiting,
        minimum=np.zeros(len(days), np.int64) if minimum is None else np.asarray(minimum, np.int64),
        blocks=np.arange(len(days)) if blocks is None else blocks,
        at_most=MOST_AGENTS if at_most is None else at_most,
        taken=taken,
    )
    if _open_target(grid, target_seconds, clock) <= SHORT_SECONDS:
        search.follow(target_seconds)
    else:
        search.level_out()
    search.trim()
    return search.agents


def _open_target(grid: BacklogGrid, target: float, clock: Clock) -> float:
    """The target in opening hours: of a calendar clock, the part of all hours that is open."""
    if clock == "opening":
        return target
    return target * float(grid.open_seconds.sum() / (grid.edges[-1] - grid.edges[0]))


class _Promise:
    """What each day's arrivals are promised, and how it stands given what was handled."""

    waiting = 0.0

    def __init__(
        self, grid: BacklogGrid, due: Floats, last: Floats | None, group: Ints, arrivals: Floats
    ) -> None:
        self.group, self.arrivals = group, arrivals
        self.begins = np.searchsorted(group, np.arange(group[-1] + 2))
        self.due = _Places.of(grid.edges, due)
        self.last = None if last is None else _Places.of(grid.edges, last)
        self.final = (np.maximum(due, last) if last is not None else due)[1]
        self.quota = np.zeros((len(arrivals), group[-1] + 1))
        self.every = np.add.reduceat(arrivals, self.begins[:-1], axis=1)

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
    ) -> _Promise:
        due = due_of_intervals(grid, target, clock) - margin
        last = limit_due(grid, limit, clock) - margin if limit is not None else None
        _, group = np.unique(days, return_inverse=True)
        one = cls(grid, due, last, group, arrivals)
        can = arrivals.mean(axis=0) * reachable(grid, target, clock)
        possible = np.add.reduceat(can, one.begins[:-1])
        every = one.every.mean(axis=0)
        best = np.where(every > 0, possible / np.where(every > 0, every, 1.0), 1.0)
        goal = np.where(best >= share, share, np.where(best < HOPELESS * share, 0.0, share * best))
        one.quota = goal[None, :] * one.every
        return one

    def share_kept(
        self,
        inflow: Floats,
        outflow: Floats,
        first_day: int,
        last_day: int,
        offset: int,
        wanted: Floats | float = 0.0,
    ) -> Floats:
        """Share of scenarios in which each day in [first_day, last_day) keeps its promise.

        ``inflow`` and ``outflow``: contacts that arrived and that were handled, added up over the
        edges from ``offset`` on; what is due after their end is judged at it. Where a day misses
        ``wanted`` by the target alone, the limit is not asked.
        """
        slack = ROUNDING * (1.0 + inflow[:, -1:])
        part = slice(int(self.begins[first_day]), int(self.begins[last_day]))
        begins = self.begins[first_day:last_day] - part.start
        good = self.due.on_time(inflow, outflow, part, offset)
        fine = np.add.reduceat(good, begins, axis=1) >= self.quota[:, first_day:last_day] - slack
        if self.last is not None and (fine.mean(axis=0) >= wanted).all():
            if first_day == 0 and self.waiting > 0:  # who waits already has the limit from now on
                place = min(int(self.last.edge[0, 0]), outflow.shape[1] - 1)
                fine[:, 0] &= outflow[:, place] >= self.waiting - slack[:, 0]
            good = self.last.on_time(inflow, outflow, part, offset)
            every = self.every[:, first_day:last_day]
            fine &= np.add.reduceat(good, begins, axis=1) >= every - slack
        return np.asarray(fine.mean(axis=0))


@dataclass(frozen=True)
class _Places:
    """Where the due times of each interval's first and last contact lie on the edges."""

    edge: Ints
    part: Floats

    @classmethod
    def of(cls, edges: Floats, due: Floats) -> _Places:
        place = np.clip(np.searchsorted(edges, due, side="right"), 1, len(edges) - 1)
        low = edges[place - 1]
        return cls(place, np.clip((due - low) / (edges[place] - low), 0.0, 1.0))

    def on_time(self, inflow: Floats, outflow: Floats, part: slice, offset: int) -> Floats:
        """As ``backlog.on_time_of``, for the intervals of ``part``, of curves from ``offset``."""
        ends = inflow[:, part.start - offset : part.stop - offset + 1]
        slack = ROUNDING * (1.0 + inflow[:, -1:])
        last, many = outflow.shape[1] - 1, part.stop - part.start
        place = self.edge[:, part] - offset
        share = np.where(place > last, 1.0, self.part[:, part]).ravel()
        place = np.minimum(place, last).ravel()
        # of first contacts and of last ones, side by side and in place: this is asked most of all
        low, value = outflow[:, place - 1], outflow[:, place]
        value -= low
        value *= share
        value += low
        value[:, :many] -= ends[:, :-1]
        value[:, many:] -= ends[:, 1:]
        value *= np.abs(value) >= slack
        size = np.abs(value)
        whole = size[:, :many] + size[:, many:]
        np.maximum(value, 0.0, out=value)
        good = value[:, :many] + value[:, many:]
        share = np.divide(good, whole, out=np.ones_like(whole), where=whole > 0)
        return np.asarray(np.diff(ends, axis=1) * share)


class _Search:
    """The agents found so far, and the curves of what came and was handled with them."""

    def __init__(
        self,
        grid: BacklogGrid,
        arrivals: Floats,
        *,
        days: Ints,
        per_agent: Floats,
        promise: _Promise,
        confidence: float,
        waiting: float,
        minimum: Ints,
        blocks: Ints,
        at_most: int,
        taken: Floats | None,
    ) -> None:
        self.grid, self.promise, self.confidence = grid, promise, confidence
        self.per_agent, self.taken, self.at_most = per_agent, taken, at_most
        self.minimum = np.minimum(minimum, at_most)
        self.inflow = np.cumsum(np.pad(arrivals, ((0, 0), (1, 0))), axis=1) + waiting
        self.outflow = np.zeros_like(self.inflow)
        self.agents = self.minimum.copy()
        _, self.block = np.unique(blocks, return_inverse=True)
        self.many_days = int(promise.group[-1]) + 1
        self.expected = arrivals.mean(axis=0)
        self.waiting = waiting
        promise.waiting = waiting

    def room(self, agents: Floats, begin: int) -> Floats:
        """Contacts that agents from interval ``begin`` on handle (scenarios or 1 x intervals)."""
        part = slice(begin, begin + len(agents))
        if self.taken is None:
            return np.asarray(agents * self.per_agent[part])[None, :]
        return np.maximum(agents[None, :] - self.taken[:, part], 0.0) * self.per_agent[part]

    def onward(self, agents: Floats, begin: int) -> Floats:
        """What is handled up to each edge from ``begin`` on, with these agents."""
        start = self.outflow[:, begin : begin + 1]
        inflow = self.inflow[:, begin : begin + len(agents) + 1] - start
        return np.asarray(handled_by(inflow, self.room(agents, begin)) + start)

    def window(self, last: int) -> int:
        """Intervals until everything that came before interval ``last`` is due."""
        until = int(np.searchsorted(self.grid.edges, self.promise.final[:last].max(), side="left"))
        return max(min(until, len(self.per_agent)), last)

    def oldest(self, first: int, last: int) -> int:
        """The first day with a contact still undecided at interval ``first``."""
        pending = np.flatnonzero(self.promise.final[:last] > self.grid.edges[first])
        return int(self.promise.group[int(pending[0]) if len(pending) else first])

    def fine(self, agents: Floats, begin: int, day: int, wanted: Floats | float) -> bool:
        """Whether all days pending at ``begin``, up to ``day``, keep what is ``wanted``."""
        return bool((self.share_kept(agents, begin, day, wanted) >= wanted).all())

    def share_kept(
        self, agents: Floats, begin: int, day: int, wanted: Floats | float = 0.0
    ) -> Floats:
        """Share of scenarios in which each pending day, up to ``day``, keeps its promise."""
        first = self.oldest(begin, int(self.promise.begins[day + 1]))
        offset = int(self.promise.begins[first])
        end = begin + len(agents) + 1
        outflow = np.concatenate(
            [self.outflow[:, offset:begin], self.onward(agents, begin)], axis=1
        )
        inflow = self.inflow[:, offset:end]
        return self.promise.share_kept(inflow, outflow, first, day + 1, offset, wanted)

    def wanted(self, begin: int, day: int, until: int) -> Floats:
        """The confidence of each pending day, or what any number of agents could reach."""
        most = np.where(self.per_agent[begin:until] > 0, self.at_most, 0).astype(float)
        return np.minimum(self.confidence, self.share_kept(most, begin, day)) - 1e-9

    def days(self) -> list[tuple[int, int, int]]:
        begins = self.promise.begins
        return [(day, int(begins[day]), int(begins[day + 1])) for day in range(self.many_days)]

    def settle(self, begin: int, end: int) -> None:
        """Keep the curve of what is handled with the agents found."""
        part = self.onward(self.agents[begin:end].astype(float), begin)
        self.outflow[:, begin : end + 1] = part

    def level_out(self) -> None:
        """Long targets: the level of each day."""
        level = 0.0
        for day, first, last in self.days():
            here = np.flatnonzero(self.per_agent[first:last] > 0) + first
            if len(here):
                blocks = np.unique(self.block[here])
                count = self._least(day, first, last, self.window(last), blocks, level)
                self.agents[first:last] = self._spread(count, blocks, first, last)
                level = count / len(blocks)
            self.settle(first, last)

    def _spread(self, count: int, left: Ints, begin: int, last: int) -> Ints:
        """``count`` agent-blocks over the blocks left in the day, the fuller ones first."""
        whole, more = divmod(count, len(left))
        of_block = dict(zip(left.tolist(), whole + (np.arange(len(left)) < more), strict=True))
        agents = np.array([of_block.get(int(b), 0) for b in self.block[begin:last]])
        agents = np.where(self.per_agent[begin:last] > 0, agents, 0)
        return np.minimum(np.maximum(agents, self.minimum[begin:last]), self.at_most)

    def _least(self, day: int, begin: int, last: int, until: int, left: Ints, guess: float) -> int:
        ahead = self.minimum[last:until]
        opened = self.per_agent[last:until] > 0

        def agents(count: int) -> Floats:
            later = np.where(opened, np.maximum(count / len(left), ahead), 0.0)
            return np.concatenate([self._spread(count, left, begin, last), later])

        wanted = self.wanted(begin, day, until)
        low, high = -1, max(int(guess * len(left)), 1)
        most = self.at_most * len(left)
        while high < most and not self.fine(agents(high), begin, day, wanted):
            low, high = high, min(2 * high, most)
        while high - low > 1:
            middle = (low + high) // 2
            if self.fine(agents(middle), begin, day, wanted):
                high = middle
            else:
                low = middle
        return high

    def follow(self, target_seconds: float) -> None:
        """Short targets: agents follow the arrivals, times the day's smallest factor."""
        demand = self._demand(target_seconds)
        for day, first, last in self.days():
            until = self.window(last)

            def agents(factor: float, first: int = first, until: int = until) -> Floats:
                number = np.ceil(factor * demand[first:until] - 1e-9)
                number = np.maximum(number, self.minimum[first:until])
                return np.asarray(np.minimum(number, self.at_most))

            wanted = self.wanted(first, day, until)
            low, high = -1, len(FACTORS) - 1
            while high - low > 1:
                middle = (low + high) // 2
                if self.fine(agents(float(FACTORS[middle])), first, day, wanted):
                    high = middle
                else:
                    low = middle
            chosen = agents(float(FACTORS[high]))[: last - first]
            self.agents[first:last] = chosen.astype(np.int64)
            self.settle(first, last)

    def _demand(self, target_seconds: float) -> Floats:
        """Agents by interval that handle the expected contacts as they come, in their blocks: what
        came while closed is spread over the target after the opening."""
        rate = np.zeros(len(self.per_agent))
        opened = self.grid.open_seconds
        reach = max(target_seconds / 2, 1.0)
        spread, carried = np.zeros(len(rate)), self.waiting
        for at, inflow in enumerate(self.expected):
            carried += inflow
            if opened[at] > 0:
                part = min(opened[at] / reach, 1.0)
                spread[at] = carried * part
                carried -= spread[at]
        use = self.per_agent > 0
        rate[use] = spread[use] / self.per_agent[use]
        if self.taken is not None:
            rate = rate + self.taken.mean(axis=0) * use
        count = np.bincount(self.block, use)
        mean = np.bincount(self.block, rate) / np.maximum(count, 1)
        return np.asarray(mean[self.block] * use)

    def trim(self) -> None:
        """One agent less in the idlest block of each day, as long as all promises hold; of hundreds
        a hundredth first, so that ten thousand take no longer than a hundred."""
        for day, first, last in self.days():
            inside = np.unique(self.block[first:last][self.per_agent[first:last] > 0])
            if not len(inside):
                self.settle(first, last)
                continue
            until = self.window(self.promise.begins[min(day + 2, self.many_days)])
            to = min(day + 1, self.many_days - 1)
            wanted = (
                np.minimum(
                    self.share_kept(self.agents[first:until].astype(float), first, to),
                    self.confidence,
                )
                - 1e-9
            )
            steps: dict[int, int] = {}  # how many fewer were too few, halved; 0: not even one
            idle = self._idle(first, last, inside)
            while True:
                spares = [self._spare(int(b)) if steps.get(int(b), 1) else 0 for b in inside]
                spare = np.where(np.array(spares) > 0, idle, -1.0)
                place = int(np.argmax(spare))
                if spare[place] <= 0:
                    break
                block = int(inside[place])
                step = min(steps.get(block, spares[place]), max(spares[place] // 100, 1))
                fewer = self.agents - step * (self.block == block)
                if self.fine(fewer[first:until].astype(float), first, to, wanted):
                    self.agents = fewer
                    idle = self._idle(first, last, inside)
                else:
                    steps[block] = step // 2
            self.settle(first, last)

    def _spare(self, block: int) -> int:
        """How many fewer there may be in a block."""
        here = self.block == block
        return int((self.agents[here] - self.minimum[here]).min())

    def _idle(self, first: int, last: int, inside: Ints) -> Floats:
        """Agents' idle part by block, with the agents found so far."""
        agents = self.agents[first:last].astype(float)
        handled = np.diff(self.onward(agents, first), axis=1).mean(axis=0)
        room = self.room(agents, first).mean(axis=0)
        block = self.block[first:last]
        have = np.bincount(block, room, self.block[-1] + 1)[inside]
        used = np.bincount(block, handled, self.block[-1] + 1)[inside]
        return np.asarray(1 - used / np.maximum(have, 1e-12) + 1e-9)
