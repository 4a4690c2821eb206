"""E-mail and social: agents per block so that what waits is answered by its deadline.

The contacts of every hour, closed ones too, join the line; the line is worked off in opening
hours, first come first served. ``models.queueing.levels`` finds the agents. A channel that shares
its agents has what more urgent work leaves of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats, Ints
from data.settings import ServiceLevel
from models.queueing import BacklogGrid, Outcome, clear, reachable, smallest_levels

AFTER_SECONDS = 10 * 86_400.0
"""How far past the plan (and the last deadline) its last contacts are followed."""
PARTS_OF_TARGET = 3
SHORTEST = 300.0
SHORT_SECONDS = 2.5 * 3600.0
SCENARIOS_SOUGHT_WITH = 80
"""Of all scenarios these are enough to find agents; what they have of them is told by all, and
judged by the others (``gate``)."""


def found_with(count: int) -> slice:
    """Which of so many scenarios agents are found with."""
    return slice(None, None, max(count // SCENARIOS_SOUGHT_WITH, 1))


@dataclass(frozen=True)
class Waiting:
    """One backlog channel. ``counts`` (scenarios x planned intervals) and ``expected`` contacts;
    ``seconds`` open of each
    interval, and ``days``, both going on past the planned ones far enough for the last deadlines;
    ``pace_seconds``: handling time planned with; ``waiting``: contacts in line at the start.
    """

    channel: str
    counts: Floats
    expected: Floats
    seconds: Floats
    step_seconds: float
    days: Ints
    blocks: Ints
    pace_seconds: float
    level: ServiceLevel
    max_occupancy: float
    waiting: float = 0.0

    @property
    def every(self) -> int:
        """Intervals, those past the plan included."""
        return len(self.seconds)

    @property
    def arrivals(self) -> Floats:
        """Contacts, none past the plan."""
        return np.pad(self.counts, ((0, 0), (0, self.every - self.counts.shape[1])))

    @property
    def grid(self) -> BacklogGrid:
        """The intervals as a grid."""
        edges = np.arange(self.every + 1, dtype=np.float64) * self.step_seconds
        return BacklogGrid(edges, self.seconds)

    @property
    def per_agent(self) -> Floats:
        """Contacts that one agent handles in an interval."""
        return self.seconds * self.max_occupancy * self.level.concurrency / self.pace_seconds

    @property
    def margin_seconds(self) -> float:
        """Taken off a due time: an answer is out when its handling ends."""
        return min(self.pace_seconds, (self.level.target_seconds or 0.0) / 2)

    @property
    def limit_seconds(self) -> float:
        """Nobody is to wait longer: the limit, or, solved with the answer, ``resolution_seconds``;
        never before the target."""
        limits = [self.level.resolution_seconds]
        if self.level.limit_seconds is not None:
            limits.append(self.level.limit_seconds)
        return max(min(limits), self.level.target_seconds or 0.0)

    def smallest(self, minimum: Ints, taken: Floats | None, at_most: int | None) -> Ints:
        """Agents of each interval, at least ``minimum``; ``taken`` (scenarios x intervals): agents
        that more urgent work takes."""
        parts = self._parts()
        every = found_with(len(self.counts))
        fine = _cut(self, parts, every)
        shares = None if taken is None else np.repeat(taken[every], parts, axis=1)
        levels = smallest_levels(
            fine.grid,
            fine.arrivals,
            days=fine.days,
            per_agent=fine.per_agent,
            target_seconds=fine.level.target_seconds or 0.0,
            share=fine.level.share,
            confidence=fine.level.confidence,
            limit_seconds=fine.limit_seconds,
            clock=fine.level.clock,
            waiting=fine.waiting,
            margin_seconds=fine.margin_seconds,
            minimum=np.repeat(minimum, parts),
            blocks=fine.blocks,
            at_most=at_most,
            taken=shares,
        )
        return np.asarray(levels[::parts])

    def _parts(self) -> int:
        """Into how many parts an interval is cut, so that a short target spans some."""
        target = self.level.target_seconds or 0.0
        if target > SHORT_SECONDS:
            return 1
        wanted = max((target - self.margin_seconds) / PARTS_OF_TARGET, SHORTEST)
        return max(int(np.ceil(self.step_seconds / wanted - 1e-9)), 1)

    def outcome(self, agents: Ints, taken: Floats | None) -> Outcome:
        """What becomes of the contacts."""
        free = agents[None, :] if taken is None else np.maximum(agents[None, :] - taken, 0.0)
        return clear(
            self.grid,
            self.arrivals,
            free * self.per_agent,
            target_seconds=self.level.target_seconds or 0.0,
            limit_seconds=self.limit_seconds,
            clock=self.level.clock,
            waiting=self.waiting,
            margin_seconds=self.margin_seconds,
        )

    def gain_per_hour(self, agents: Ints, taken: Floats | None, on_time: Floats) -> Floats:
        """Contacts more of each planned interval's day that are answered in time for each hour of
        one agent who is there all the time, beside those ``on_time`` with ``agents``."""
        planned = self.counts.shape[1]
        more = self.outcome(agents + (self.seconds > 0), taken).on_time - on_time
        _, day = np.unique(self.days[:planned], return_inverse=True)
        gain = np.bincount(day, np.maximum(more[:, :planned].mean(axis=0), 0.0))
        hours = np.bincount(day, self.seconds[:planned]) / 3600
        per_hour = (gain / np.where(hours > 0, hours, 1.0))[day]
        return np.asarray(np.where(self.seconds[:planned] > 0, per_hour, np.nan))

    def confidence(self, on_time: Floats) -> Floats:
        """Share of scenarios in which each planned interval's day is answered as promised."""
        planned = self.counts.shape[1]
        _, day = np.unique(self.days[:planned], return_inverse=True)
        begins = np.searchsorted(day, np.arange(day[-1] + 1))
        good = np.add.reduceat(on_time[:, :planned], begins, axis=1)
        every = np.add.reduceat(self.counts, begins, axis=1)
        return np.asarray((good >= self.level.share * every - 1e-6).mean(axis=0)[day])

    def reachable(self) -> Floats:
        """The share of each planned interval's day that any staffing could answer in time."""
        planned = self.counts.shape[1]
        can = reachable(self.grid, self.level.target_seconds or 0.0, self.level.clock)[:planned]
        return _by_day(can, self.counts.mean(axis=0), self.days[:planned])


def _cut(one: Waiting, parts: int, every: slice) -> Waiting:
    return Waiting(
        one.channel,
        np.repeat(one.counts[every] / parts, parts, axis=1),
        np.repeat(one.expected / parts, parts),
        np.repeat(one.seconds / parts, parts),
        one.step_seconds / parts,
        np.repeat(one.days, parts),
        np.repeat(one.blocks, parts),
        one.pace_seconds,
        one.level,
        one.max_occupancy,
        one.waiting,
    )


def _by_day(can: NDArray[np.bool_], expected: Floats, days: Ints) -> Floats:
    _, day = np.unique(days, return_inverse=True)
    every = np.bincount(day, expected)
    some = np.where(every > 0, every, 1.0)
    return np.asarray(np.where(every > 0, np.bincount(day, expected * can) / some, 1.0)[day])
