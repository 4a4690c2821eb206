"""Phone and chat: agents per interval so that the day keeps its promise in most scenarios.

One number a day is searched: the **uplift** u by which every interval's expected contacts are
multiplied before Erlang A says how many agents they need. u is the smallest (in steps of 1 %) at
which, in the ``confidence`` share of scenarios, the day's contacts are answered within the target
in the ``share`` promised. A quiet interval's slack may thus carry a busy one, and any single
number can be checked by hand: expected contacts x u, into an Erlang A calculator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats, Ints
from data.settings import ServiceLevel
from models.queueing import QueueMeasures, agents_required, queue_measures

STEP = float(np.log(1.01))
LOWEST, HIGHEST = -2000, 4000
"""Powers of 1.01: contacts a day between 2e-9 and 2e17."""


@dataclass(frozen=True)
class Answer:
    """Per interval: agents, what was planned for, and what the scenarios make of it.

    ``reachable``: the largest share of the day's contacts that any staffing answers in time.
    """

    agents: Ints
    planned_volume: Floats
    service_level: Floats
    occupancy: Floats
    abandonment: Floats
    backlog: Floats
    asa_seconds: Floats
    confidence: Floats
    reachable: Floats


def staff_real_time(
    paths: Floats,
    volume: Floats,
    open_seconds: Floats,
    days: Ints,
    handle_seconds: float,
    level: ServiceLevel,
    max_occupancy: float,
    at_most: int | None = None,
) -> Answer:
    """Agents of each interval. ``paths``: scenarios x intervals of contacts; closed ones are lost.

    ``volume`` is the expected contacts: the day's profile. An open interval with contacts has at
    least one agent, and never more than ``at_most``. ``confidence`` is the share of scenarios in
    which the interval's day keeps its promise.
    """
    live = np.flatnonzero((open_seconds > 0) & (volume > 0))
    agents, planned = np.zeros(len(volume), np.int64), np.zeros(len(volume))
    result = {
        name: np.full(len(volume), np.nan)
        for name in ("service_level", "abandonment", "asa_seconds", "confidence")
    }
    occupancy, backlog = np.zeros(len(volume)), np.zeros(len(volume))
    if len(live):
        one = _RealTime(
            paths[:, live],
            volume[live],
            open_seconds[live],
            days[live],
            handle_seconds,
            level,
            max_occupancy,
            at_most,
        )
        powers = one.smallest()
        agents[live], planned[live] = one.agents(powers), one.planned(powers)
        seen = one.measures(agents[live], with_asa=False)
        weight = paths[:, live]
        for name in ("service_level", "abandonment"):
            result[name][live] = _weighted(getattr(seen, name), weight)
        occupancy[live] = seen.occupancy.mean(axis=0)
        typical = one.measures(agents[live], with_asa=True, expected=True)
        result["asa_seconds"][live] = typical.asa_seconds
        waiting = seen.abandonment if level.patience_seconds else seen.wait_probability
        backlog[live] = _in_line(waiting, weight, open_seconds[live], level, typical)
        result["confidence"][live] = one.day_confidence(agents[live])
    return Answer(
        agents,
        planned,
        result["service_level"],
        occupancy,
        result["abandonment"],
        backlog,
        result["asa_seconds"],
        result["confidence"],
        np.ones(len(volume)),
    )


def _in_line(
    share: Floats, paths: Floats, seconds: Floats, level: ServiceLevel, typical: QueueMeasures
) -> Floats:
    """Mean contacts waiting: Little's law on those who give up, or on the expected wait."""
    if level.patience_seconds:
        return np.asarray((share * paths).mean(axis=0) * level.patience_seconds / seconds)
    wait = np.where(np.isfinite(typical.asa_seconds), typical.asa_seconds, np.inf)
    return np.asarray(paths.mean(axis=0) / seconds * wait)


class _RealTime:
    """The open intervals with contacts of one channel."""

    def __init__(
        self,
        paths: Floats,
        volume: Floats,
        seconds: Floats,
        days: Ints,
        handle_seconds: float,
        level: ServiceLevel,
        max_occupancy: float,
        at_most: int | None,
    ) -> None:
        self.paths, self.volume, self.seconds = paths, volume, seconds
        self.handle, self.level, self.max_occupancy = handle_seconds, level, max_occupancy
        self.at_most = at_most
        _, self.day = np.unique(days, return_inverse=True)
        self.begins = np.searchsorted(self.day, np.arange(self.day[-1] + 1))
        total = np.add.reduceat(volume, self.begins)
        self.profile = volume / total[self.day]
        self.floor = np.round(np.log(total) / STEP).astype(np.int64)
        self.offered = np.add.reduceat(paths, self.begins, axis=1)

    def planned(self, powers: Ints) -> Floats:
        """Contacts planned for, with 1.01^power contacts on each day."""
        return np.asarray(np.exp(powers * STEP)[self.day] * self.profile)

    def agents(self, powers: Ints) -> Ints:
        """Agents for the contacts planned for: at least one, at most ``at_most``."""
        found = agents_required(
            self.planned(powers) / self.seconds,
            self.handle,
            target_seconds=self.level.target_seconds or 0.0,
            share=self.level.share,
            patience_seconds=self.level.patience_seconds,
            limit_seconds=self.level.limit_seconds,
            max_occupancy=self.max_occupancy,
            concurrency=self.level.concurrency,
        )
        found = np.maximum(found, 1)
        return found if self.at_most is None else np.minimum(found, self.at_most)

    def measures(self, agents: Ints, *, with_asa: bool, expected: bool = False) -> QueueMeasures:
        """The queue in each scenario (or with the expected contacts)."""
        return queue_measures(
            (self.volume if expected else self.paths) / self.seconds,
            self.handle,
            servers=np.floor(agents * self.level.concurrency),
            target_seconds=self.level.target_seconds or 0.0,
            patience_seconds=self.level.patience_seconds,
            limit_seconds=self.level.limit_seconds,
            with_asa=with_asa,
        )

    def day_shares(self, agents: Ints) -> Floats:
        """Share of scenarios in which each day keeps its promise."""
        level = self.measures(agents, with_asa=False).service_level
        answered = np.add.reduceat(level * self.paths, self.begins, axis=1)
        return np.asarray((answered >= self.level.share * self.offered - 1e-9).mean(axis=0))

    def day_confidence(self, agents: Ints) -> Floats:
        """``day_shares`` by interval."""
        return np.asarray(self.day_shares(agents)[self.day])

    def smallest(self) -> Ints:
        """The smallest power per day that keeps the promise, or that at_most still obeys."""
        wanted = self.level.confidence - 1e-9

        def keeps_promise(powers: Ints) -> NDArray[np.bool_]:
            agents = self.agents(powers)
            full = np.zeros(len(self.begins), bool)
            if self.at_most is not None:
                full = np.minimum.reduceat(agents, self.begins) >= self.at_most
            return np.asarray((self.day_shares(agents) >= wanted) | full)

        low, high = self.floor - 35, self.floor + 10
        while (fine := keeps_promise(low)).any() and (low > LOWEST).all():
            low = np.where(fine, low - 100, low)
        while not (fine := keeps_promise(high)).all() and (high < HIGHEST).all():
            low, high = np.where(fine, low, high), np.where(fine, high, high + 40)
        while (apart := high - low > 1).any():
            middle = np.where(apart, (low + high) // 2, high)
            fine = keeps_promise(middle)
            low = np.where(apart & ~fine, middle, low)
            high = np.where(apart & fine, middle, high)
        return np.asarray(high)


def _weighted(values: Floats, weight: Floats) -> Floats:
    total = weight.sum(axis=0)
    plain = values.mean(axis=0)
    return np.where(total > 0, (values * weight).sum(axis=0) / np.where(total > 0, total, 1), plain)
