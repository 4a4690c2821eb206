"""Phone and chat: the fewest agent hours with which each day keeps its promise often enough.

Of every scenario the **load** in hand is followed through the day (arrivals handled at their own
pace, so that a wave reaches the next interval as it does in life), Erlang A or C says how many of
an interval's contacts are answered in time with n agents, and what agents cannot serve is carried
over as a line. A day is kept if the share of its contacts is: the chance of that, in each scenario,
is that of a sum of single contacts. ``confidence`` is its mean over scenarios.

Agents are given where they earn most: an interval's next agent has a **gain**, the further contacts
answered in time, in the scenarios in which the day is in the balance. Of each day the smallest
price of an agent hour is found at which the gains worth it keep the promise (a Lagrange
multiplier; Fox, "Discrete optimization via marginal analysis", 1966).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from data.arrays import Bools, Floats, Ints
from data.settings import ServiceLevel
from models.queueing import ServiceTable, agents_required, largest_load, service_table

SPREAD_OF_CHANCE = 2.2
"""Answered contacts of a day scatter so much more (variance) than if each had its own chance:
neighbours share a queue. Measured against the simulator; the gate corrects what is left."""
ROUNDS = 2
STEPS = 14


@dataclass(frozen=True)
class Line:
    """One real-time channel: ``counts`` (scenarios x intervals) and ``expected`` contacts, nothing
    while closed, open ``seconds`` of each interval, handling seconds and its promise."""

    channel: str
    counts: Floats
    expected: Floats
    seconds: Floats
    handle_seconds: float
    level: ServiceLevel


@dataclass(frozen=True)
class RealTimeAnswer:
    """What a line has of a number of agents, by interval; ``confidence`` is of its day."""

    service_level: Floats
    abandonment: Floats
    backlog: Floats
    asa_seconds: Floats
    confidence: Floats
    planned_volume: Floats


class RealTimePool:
    """Lines that the same agents serve. ``blocks``: intervals (ascending numbers) in which the
    number of agents stays; ``days``: of each interval; ``at_most``: agents there are.

    Nights take no part in the search: inside, there are only the intervals in which a line is open
    (``here``, of ``every``)."""

    def __init__(
        self,
        lines: Sequence[Line],
        *,
        days: Ints,
        blocks: Ints,
        max_occupancy: float,
        at_most: int | None = None,
    ) -> None:
        self.max_occupancy, self.at_most = max_occupancy, at_most
        self.every = len(days)
        opened = np.max([line.seconds for line in lines], axis=0) > 0
        self.here = np.flatnonzero(opened) if opened.any() else np.arange(self.every)
        _, whole_day = np.unique(days, return_inverse=True)
        _, self.day = np.unique(days[self.here], return_inverse=True)
        _, self.block = np.unique(blocks[self.here], return_inverse=True)
        self.follows = np.diff(self.here, prepend=-2) == 1
        self.follows[1:] &= self.day[1:] == self.day[:-1]
        self.day_begins = np.searchsorted(self.day, np.arange(self.day[-1] + 1))
        self.block_begins = np.searchsorted(self.block, np.arange(self.block[-1] + 1))
        self.block_day = self.day[self.block_begins]
        paces = {line.level.concurrency for line in lines}
        self.concurrency = paces.pop() if len(paces) == 1 else 1.0
        self.mixed = len({line.level.concurrency for line in lines}) > 1
        self.handles = [self._handle(line) for line in lines]
        loads = [
            _in_hand(_rates(line.counts, whole_day), line.seconds, handle)
            for line, handle in zip(lines, self.handles, strict=True)
        ]
        self.load = np.asarray(sum(loads))[:, self.here]
        self.lines = lines = [self._open(line) for line in lines]
        volumes = [float(line.counts.sum()) for line in lines]
        some = sum(volumes)
        self.handle = float(
            sum(v * h for v, h in zip(volumes, self.handles, strict=True)) / some
            if some > 0
            else self.handles[0]
        )
        self.expected = np.asarray(
            sum(
                line.expected / np.where(line.seconds > 0, line.seconds, 1.0) * handle
                for line, handle in zip(lines, self.handles, strict=True)
            )
        )
        self.floor = self._least()
        most = _rounded_up(max(float(self.load.max(initial=0.0)), 1.0))
        wanted = int(np.ceil((most + 6 * np.sqrt(most) + 6) / self.concurrency))
        self.most = max(wanted, int(self.floor.max(initial=0)) + 2)
        self.tables = [self._table(line, most) for line in lines]
        self.place = self.tables[0].place(self.load)
        self.offered = [np.add.reduceat(line.counts, self.day_begins, axis=1) for line in lines]

    def _open(self, line: Line) -> Line:
        """The line in the intervals that count."""
        here = self.here
        return replace(
            line,
            counts=line.counts[:, here],
            expected=line.expected[here],
            seconds=line.seconds[here],
        )

    def _whole(self, values: Floats, closed: float) -> Floats:
        """Values of all intervals (last axis); of those that do not count, ``closed``."""
        out = np.full((*values.shape[:-1], self.every), closed)
        out[..., self.here] = values
        return out

    def _handle(self, line: Line) -> float:
        """Seconds of a server: where channels differ in concurrency, of a whole agent."""
        return line.handle_seconds / (line.level.concurrency if self.mixed else 1.0)

    def _table(self, line: Line, most_load: float) -> ServiceTable:
        return service_table(
            most_agents=self.most,
            most_load=most_load,
            handle_seconds=round(self.handle, 1) or 0.1,
            target_seconds=line.level.target_seconds or 0.0,
            patience_seconds=line.level.patience_seconds,
            concurrency=self.concurrency,
        )

    def _least(self) -> Ints:
        """Agents that must be there: for ``max_occupancy`` of the expected load, for the limit, and
        one where contacts are expected."""
        expected = self.expected
        come = np.asarray(sum(line.expected for line in self.lines))
        opened = np.asarray(np.max([line.seconds for line in self.lines], axis=0))
        floor = np.ceil(expected / self.concurrency / self.max_occupancy - 1e-9)
        for line, handle in zip(self.lines, self.handles, strict=True):
            if line.level.limit_seconds is not None:
                floor = np.maximum(
                    floor,
                    agents_required(
                        expected / handle,
                        handle,
                        target_seconds=line.level.limit_seconds,
                        share=0.01,
                        patience_seconds=line.level.patience_seconds,
                        limit_seconds=line.level.limit_seconds,
                        concurrency=self.concurrency,
                    ),
                )
        floor = np.where((opened > 0) & (come > 0), np.maximum(floor, 1), 0)
        return self._blocked(floor.astype(np.int64))

    def _blocked(self, agents: Ints) -> Ints:
        """The most of each block, all through it; never more than there are."""
        most = np.maximum.reduceat(agents, self.block_begins)[self.block]
        opened = np.max([line.seconds for line in self.lines], axis=0) > 0
        most = np.where(opened, most, 0)
        return np.asarray(most if self.at_most is None else np.minimum(most, self.at_most))

    def smallest(self) -> Ints:
        """The fewest agents of each interval."""
        agents = self.floor
        for number, line in enumerate(self.lines):
            if line.counts.any():
                agents = self._for_line(number, agents)
        return self._whole(agents.astype(float), 0.0).astype(np.int64)

    def _for_line(self, number: int, least: Ints) -> Ints:
        line, table = self.lines[number], self.tables[number]
        wanted = line.level.confidence
        if self._keeps(number, least, wanted).all():
            return least
        weight = np.ones((len(line.counts), len(self.day_begins)))
        best = np.full(len(least), self.most)
        hours = np.add.reduceat(np.maximum(line.seconds, 1.0), self.block_begins)
        for turn in range(ROUNDS):
            gains = self._gains(line, table, weight)
            ratio = np.diff(gains, axis=1) / hours[:, None]
            ratio = np.maximum.accumulate(ratio[:, ::-1], axis=1)[:, ::-1]
            peak = np.log(np.maximum(np.maximum.reduceat(ratio[:, 0], self._day_blocks()), 1e-12))
            high, low = peak + 0.1, peak - 18.0
            steps = STEPS if turn == ROUNDS - 1 else STEPS // 2
            best, fewer = self._at(ratio, low, least), self._at(ratio, high, least)
            for _ in range(steps):
                if (best == fewer).all():  # no price between tells them apart
                    break
                middle = (high + low) / 2
                tried = self._at(ratio, middle, least)
                fine = self._keeps(number, tried, wanted)
                low, high = np.where(fine, middle, low), np.where(fine, high, middle)
                best = np.where(fine[self.day], tried, best)
                fewer = np.where(fine[self.day], fewer, tried)
            z, _ = self._standing(number, best)
            weight = np.exp(-(np.clip(z, -6, 6) ** 2) / 2) + 1e-3
        return self._trimmed(number, best, least)

    def _day_blocks(self) -> NDArray[np.intp]:
        return np.searchsorted(self.block_day, np.arange(self.block_day[-1] + 1))

    def _at(self, ratio: Floats, price: Floats, least: Ints) -> Ints:
        """Agents whose gain is worth the price of their day."""
        count = (np.log(np.maximum(ratio, 1e-300)) >= price[self.block_day][:, None]).sum(axis=1)
        return self._blocked(np.maximum(count[self.block], least))

    def _gains(self, line: Line, table: ServiceTable, weight: Floats) -> Floats:
        """Contacts answered in time by block and number of agents (blocks x agents from 0)."""
        n, points = self.load.shape[1], len(table.loads)
        at = np.arange(n)[None, :] * points + self.place
        mass = np.bincount(
            at.ravel(), (line.counts * weight[:, self.day]).ravel(), n * points
        ).reshape(n, points)
        by_block = np.add.reduceat(mass, self.block_begins, axis=0)
        return np.asarray(by_block @ table.service_level.T)

    def _trimmed(self, number: int, agents: Ints, least: Ints) -> Ints:
        """One agent less wherever that keeps the day: dearest blocks first, one a day at a time."""
        wanted = self.lines[number].level.confidence
        hours = np.add.reduceat(self.lines[number].seconds, self.block_begins)
        tried = np.zeros(len(hours), bool)
        for _ in range(int(np.bincount(self.block_day).max())):
            spare = agents[self.block_begins] > least[self.block_begins]
            score = np.where(spare & ~tried, agents[self.block_begins] + 1e-6 * hours, -1.0)
            chosen = [
                int(first + np.argmax(score[first:last]))
                for first, last in zip(
                    self._day_blocks(), [*self._day_blocks()[1:], len(score)], strict=True
                )
            ]
            chosen = [block for block in chosen if score[block] > 0]
            if not chosen:
                break
            tried[chosen] = True
            fewer = agents - np.isin(self.block, chosen)
            fine = self._keeps(number, fewer, wanted)
            agents = np.where(fine[self.day], fewer, agents)
        return agents

    def _expected(self, number: int, agents: Ints) -> Floats:
        """Share of each interval's contacts answered in time, scenario by scenario."""
        line, table = self.lines[number], self.tables[number]
        level = table.service_level[np.minimum(agents, self.most)[None, :], self.place]
        room = agents * self.concurrency
        over = (self.load - room) / max(self.handle, 1e-9) * line.seconds
        if not (over > 0).any():
            return np.asarray(level)
        line_up = np.cumsum(over, axis=1)
        left = line_up - np.minimum(np.minimum.accumulate(line_up, axis=1), 0.0)
        if line.level.patience_seconds:
            most = np.maximum(self.load - room, 0) / max(self.handle, 1e-9)
            left = np.minimum(left, most * line.level.patience_seconds)
        served = room / max(self.handle, 1e-9)
        left = np.maximum(left - served * (line.level.target_seconds or 0.0), 0.0)
        begin = np.zeros_like(left)
        begin[:, 1:] = left[:, :-1]
        gain = np.maximum(-over, 1e-9)
        late = np.where(self.follows & (over < 0), np.minimum(begin / gain, 1.0), 0.0)
        return np.asarray(level * (1 - late))

    def _standing(self, number: int, agents: Ints) -> tuple[Floats, Floats]:
        """How many deviations each scenario's day is above the promise, and its offered."""
        line = self.lines[number]
        level = self._expected(number, agents)
        good = np.add.reduceat(level * line.counts, self.day_begins, axis=1)
        noise = np.add.reduceat(level * (1 - level) * line.counts, self.day_begins, axis=1)
        offered = self.offered[number]
        goal = np.ceil(line.level.share * offered - 1e-9) - 0.5
        return (good - goal) / np.sqrt(SPREAD_OF_CHANCE * noise + 1e-4), offered

    def _keeps(self, number: int, agents: Ints, wanted: float) -> Bools:
        return np.asarray(self._confidence(number, agents) >= wanted - 1e-9)

    def _confidence(self, number: int, agents: Ints) -> Floats:
        """The chance that each day keeps the line's promise."""
        z, offered = self._standing(number, agents)
        return np.asarray(np.where(offered > 0, ndtr(z), 1.0).mean(axis=0))

    def answer(self, number: int, agents: Ints) -> RealTimeAnswer:
        """What the line has of these agents."""
        line, table, agents = self.lines[number], self.tables[number], agents[self.here]
        level = self._expected(number, agents)
        lost = table.abandonment[np.minimum(agents, self.most)[None, :], self.place]
        come = line.counts.sum(axis=0)
        some = np.where(come > 0, come, 1.0)
        live = come > 0
        patience = line.level.patience_seconds
        with np.errstate(divide="ignore", invalid="ignore"):
            gone = np.where(live, (lost * line.counts).sum(axis=0) / some, np.nan)
            rate = line.counts.mean(axis=0) / np.where(line.seconds > 0, line.seconds, 1.0)
        typical = self._typical(number, agents)
        waiting = gone * rate * patience if patience else rate * typical
        planned = largest_load(
            agents,
            self.handle,
            target_seconds=line.level.target_seconds or 0.0,
            share=line.level.share,
            patience_seconds=patience,
            max_occupancy=self.max_occupancy,
            concurrency=self.concurrency,
        )
        expected = self.expected
        part = np.where(expected > 0, rate * self.handles[number] / np.maximum(expected, 1e-12), 0)
        part = part if len(self.lines) > 1 else np.ones_like(part)
        return RealTimeAnswer(
            service_level=self._live(live, (level * line.counts).sum(axis=0) / some),
            abandonment=self._live(live, gone),
            backlog=self._whole(np.where(live, np.nan_to_num(waiting, nan=0.0), 0.0), 0.0),
            asa_seconds=self._live(live, typical),
            confidence=self._live(live, self._confidence(number, agents)[self.day]),
            planned_volume=self._whole(planned * part / self.handles[number] * line.seconds, 0.0),
        )

    def gain_per_hour(self, number: int, agents: Ints) -> Floats:
        """Contacts more that are answered in time for each hour of one further agent."""
        line, agents = self.lines[number], agents[self.here]
        opened = line.seconds > 0
        more = self._expected(number, agents + opened) - self._expected(number, agents)
        hours = np.where(opened, line.seconds, 1.0) / 3600
        gain = np.maximum((more * line.counts).mean(axis=0), 0.0) / hours
        return self._whole(np.where(opened, gain, np.nan), np.nan)

    def _live(self, live: Bools, values: Floats) -> Floats:
        """Values of the intervals in which anybody comes, NaN of the others."""
        return self._whole(np.where(live, values, np.nan), np.nan)

    def busy(self, number: int, agents: Ints) -> Floats:
        """Agent-seconds of handling (scenarios x intervals)."""
        line, table, agents = self.lines[number], self.tables[number], agents[self.here]
        lost = table.abandonment[np.minimum(agents, self.most)[None, :], self.place]
        handled = line.counts * (1 - lost if line.level.patience_seconds else 1.0)
        return self._whole(handled * line.handle_seconds / line.level.concurrency, 0.0)

    def _typical(self, number: int, agents: Ints) -> Floats:
        """Mean wait of the answered with the expected load, Erlang A or C."""
        from models.queueing import queue_measures

        line = self.lines[number]
        measures = queue_measures(
            self.expected / self.handle,
            self.handle,
            servers=np.floor(agents * self.concurrency),
            target_seconds=line.level.target_seconds or 0.0,
            patience_seconds=line.level.patience_seconds,
        )
        return measures.asa_seconds


def _in_hand(counts: Floats, seconds: Floats, handle: float) -> Floats:
    """Mean contacts in hand if nobody waited: the load that arrivals offer (scenarios x intervals).

    A contact handled for ``handle`` seconds on the mean is in hand beyond its interval: with
    contacts k in T seconds the expected number m obeys m' = k / T - m / handle (the modified
    offered load; Jennings, Mandelbaum, Massey and Whitt 1996).
    """
    from scipy.signal import lfilter

    opened = seconds > 0
    long = float(np.max(seconds, initial=0.0))
    if long <= 0:
        return np.zeros_like(counts)
    rate = np.where(opened, counts / np.where(opened, seconds, 1.0), 0.0) * handle
    stays = float(np.exp(-long / handle))
    after = lfilter([1 - stays], [1.0, -stays], rate, axis=1)
    before = np.zeros_like(after)
    before[:, 1:] = after[:, :-1]
    return np.asarray(np.maximum(rate + (before - rate) * handle / long * (1 - stays), 0.0))


def _rates(counts: Floats, day: Ints) -> Floats:
    """The mean that each count of a scenario came from, as far as the counts tell.

    Erlang's formulas bring Poisson noise of their own: a load that had it already would have it
    twice. Of a count's distance from the mean the part stays that is no such noise: by moments,
    v m / (1 + v m) with v the variance beyond Poisson as a share of the squared mean, first of the
    day's sum, then of the interval.
    """
    mean = counts.mean(axis=0)
    begins = np.searchsorted(day, np.arange(day[-1] + 1))
    daily, expected = np.add.reduceat(counts, begins, axis=1), np.add.reduceat(mean, begins)
    factor = _kept_part(daily, expected)[:, day]
    base = factor * mean
    within = _beyond(counts, mean) - _beyond(daily, expected)
    part = np.maximum(within, 0.0) * mean
    return np.asarray(base + part / (1 + part) * (counts - base))


def _kept_part(counts: Floats, mean: Floats) -> Floats:
    """What the mean is to be multiplied by, given the counts."""
    more = _beyond(counts, mean) * mean
    ratio = counts / np.where(mean > 0, mean, 1.0)
    return np.asarray(np.where(mean > 0, (1 + more * ratio) / (1 + more), 1.0))


def _beyond(counts: Floats, mean: Floats) -> float:
    """Variance beyond Poisson, as a share of the squared mean, over all columns."""
    if len(counts) < 2 or not mean.any():
        return 0.0
    return max(float((counts.var(axis=0, ddof=1) - mean).sum() / (mean**2).sum()), 0.0)


def _rounded_up(load: float) -> float:
    """The next power of 1.25: tables are kept, and found again, by it."""
    return float(1.25 ** np.ceil(np.log(load) / np.log(1.25) - 1e-9))
