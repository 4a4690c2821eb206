"""A plan put to the test: contacts arrive one by one, and a queue is played with its agents.

The simulator knows nothing of the formulas that made the plan: single arrivals, handling times
drawn one by one, patience, agents who come and go with the plan's intervals, a queue that is
carried from one interval to the next. In a pool real-time contacts are served first come first
served by whoever is free; who answers backlog leaves it when called, and goes on afterwards.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.arrays import Floats, Ints
from data.errors import DataError
from data.settings import ServiceLevel, Settings
from features.opening import local_days
from models.queueing import BacklogGrid, Served, due_seconds, simulate_queue, simulate_shared
from serving.staffing.workload import Workload, scenarios

HANDLE_SPREAD = 0.8
"""Coefficient of variation of simulated handling times (lognormal)."""


@dataclass(frozen=True)
class PlayedChannel:
    """One channel: ``offered`` and ``good`` (runs x days), ``days`` (days since 1970), contacts
    ``lost``, agents' ``busy_seconds`` and those ``staffed`` of all runs."""

    level: ServiceLevel
    days: Ints
    offered: Floats
    good: Floats
    lost: float
    busy_seconds: float
    staffed_seconds: float

    @property
    def days_kept(self) -> NDArray[np.bool_]:
        """Whether each day of each run kept the promise; one without contacts did."""
        return np.asarray(self.good >= self.level.share * self.offered - 1e-9)

    @property
    def confidence(self) -> Floats:
        """Share of runs in which each day kept the promise; NaN where nothing was offered."""
        some = self.offered.sum(axis=0) > 0
        return np.where(some, self.days_kept.mean(axis=0), np.nan)


def check_plan(
    plan: pd.DataFrame,
    *,
    settings: Settings,
    arrivals: Mapping[str, NDArray[np.datetime64]] | None = None,
    counts: Mapping[str, Floats] | None = None,
    waiting: Mapping[str, float] | None = None,
    runs: int = 40,
    seed: int = 1,
) -> pd.DataFrame:
    """A row per channel: what callers would have seen.

    Arrivals are ``arrivals`` (UTC times by channel, inside the plan), or come by ``counts``
    (scenarios x intervals, by channel), or are drawn from the plan's volumes and intervals; the
    plan is played ``runs`` times. ``service_level`` is
    answered within the target / offered, with a 95 % interval over runs (over days, with given
    arrivals) in ``service_level_low`` and ``_high``; ``days_reached`` the share of days that reach
    the promised ``share``. Backlog contacts due after the plan's end do not count, and agents fill
    ``max_occupancy`` of their time with them: a contact takes so much longer. ``waiting`` contacts
    are in line at the start.
    """
    played = play(
        plan,
        settings=settings,
        arrivals=arrivals,
        counts=counts,
        waiting=waiting,
        runs=runs,
        seed=seed,
    )
    rows = []
    for channel in sorted(played):
        one = played[channel]
        part = plan[plan["channel"] == channel]
        per_day, good = one.offered.sum(axis=1), one.good.sum(axis=1)
        if arrivals is not None:
            per_day, good = one.offered.sum(axis=0), one.good.sum(axis=0)
        estimate, low, high = _ratio(good, per_day)
        some = one.offered > 0
        rows.append(
            {
                "channel": channel,
                "contacts": float(one.offered.sum(axis=1).mean()),
                "share": one.level.share,
                "service_level": estimate,
                "service_level_low": low,
                "service_level_high": high,
                "days_reached": float(one.days_kept[some].mean()) if some.any() else float("nan"),
                "abandonment": float(one.lost / max(one.offered.sum(), 1)),
                "occupancy": one.busy_seconds / max(one.staffed_seconds, 1e-9),
                "agent_hours": float((part["agents_net"] * part["open_seconds"]).sum() / 3600),
            }
        )
    return pd.DataFrame(rows)


def play(
    plan: pd.DataFrame,
    *,
    settings: Settings,
    arrivals: Mapping[str, NDArray[np.datetime64]] | None = None,
    counts: Mapping[str, Floats] | None = None,
    waiting: Mapping[str, float] | None = None,
    runs: int = 40,
    seed: int = 1,
) -> dict[str, PlayedChannel]:
    """Every channel of the plan as played: see ``check_plan``."""
    results: dict[str, PlayedChannel] = {}
    pools = plan["pool"] if "pool" in plan else plan["channel"]
    for _, rows in plan.groupby(pools, sort=True):
        channels = {}
        for name, part in rows.groupby("channel", sort=True):
            level = settings.service_levels.get(str(name))
            if level is None:
                raise DataError(
                    f"channel {name!r} of the plan has no service level in the settings"
                )
            ordered = part.sort_values("starts_at")
            arrival_times = (
                None if arrivals is None else arrivals.get(str(name), np.array([], "M8[us]"))
            )
            mine = None if counts is None else counts.get(str(name))
            line = (waiting or {}).get(str(name), 0.0)
            channels[str(name)] = _Channel(
                ordered, level, settings, arrival_times, mine, line, runs, seed
            )
        results |= _Pool(channels).play(runs, seed)
    return results


class _Channel:
    """One channel's contacts on a clock of seconds since the plan's start."""

    def __init__(
        self,
        part: pd.DataFrame,
        level: ServiceLevel,
        settings: Settings,
        arrival_times: NDArray[np.datetime64] | None,
        counts: Floats | None,
        waiting: float,
        runs: int,
        seed: int,
    ) -> None:
        self.level, self.arrival_times, self.part = level, arrival_times, part
        self.channel = str(part["channel"].iloc[0])
        self.starts = part["starts_at"].to_numpy("datetime64[us]")
        ends = part["ends_at"].to_numpy("datetime64[us]")
        self.step = float((ends[0] - self.starts[0]).astype(np.int64)) / 1e6
        edges = np.append(self.starts, ends[-1:])
        self.edges = (edges - edges[0]).astype(np.int64) / 1e6
        self.opened = part["open_seconds"].to_numpy(float)
        self.handle = float(part["handle_seconds"].iloc[0])
        self.days = local_days(self.starts, settings.company.time_zone)
        self.grid = BacklogGrid(self.edges, self.opened)
        self.pace = settings.staffing.max_occupancy if level.kind == "backlog" else 1.0
        self.waiting = round(waiting) if level.kind == "backlog" else 0
        if counts is None and arrival_times is None:
            names = ("volume", "volume_lo_80", "volume_hi_80")
            volume, low, high = (part[name].to_numpy(float) for name in names)
            load = Workload(self.channel, self.starts, self.step, volume, low, high, volume)
            counts = scenarios(load, settings.company.time_zone, runs, seed + 1_000_003)
        self.counts = counts

    def arrivals(self, run: int, rng: np.random.Generator) -> Floats:
        """Seconds of arrival, ascending, none that came to a closed real-time channel."""
        if self.arrival_times is not None:
            at = (np.sort(self.arrival_times).astype("M8[us]") - self.starts[0]).astype(
                np.int64
            ) / 1e6
            at = at[(at >= 0) & (at < self.edges[-1])]
        else:
            assert self.counts is not None
            counts = self.counts[run % len(self.counts)].astype(np.int64)
            place = np.repeat(np.arange(len(counts)), counts)
            at = np.sort(self.edges[:-1][place] + rng.random(len(place)) * self.step)
        if self.level.kind == "real_time":
            at = at[self.opened[self.place(at)] > 0]
        return np.concatenate([np.zeros(self.waiting), at])

    def place(self, at: Floats) -> Ints:
        """The interval of each time."""
        place = np.searchsorted(self.edges, at, side="right") - 1
        return np.asarray(np.clip(place, 0, len(self.days) - 1))

    def work(self, count: int, rng: np.random.Generator) -> Floats:
        """Handling seconds, drawn."""
        sigma = np.sqrt(np.log1p(HANDLE_SPREAD**2))
        drawn = np.exp(sigma * rng.standard_normal(count) - sigma**2 / 2)
        return np.asarray(self.handle * drawn / self.pace)

    def tally(self, at: Floats, served: Served) -> tuple[Floats, Floats, float]:
        """Offered and well answered per day, abandoned."""
        target = self.level.target_seconds or 0.0
        counted = np.ones(len(at), bool)
        counted[: self.waiting] = False
        if self.level.kind == "real_time":
            good = served.answered & (served.waited <= target)
        else:
            due = due_seconds(self.grid, at, target, self.level.clock)
            counted &= due <= self.edges[-1]
            good = served.answered & (np.nan_to_num(served.end_times, nan=np.inf) <= due + 1e-6)
        size = int(self.days[-1] - self.days[0]) + 1
        day = self.days[self.place(at)] - self.days[0]
        lost = float((~served.answered & counted).sum()) if self.level.patience_seconds else 0.0
        return (
            np.bincount(day[counted], minlength=size).astype(float),
            np.bincount(day[counted & good], minlength=size).astype(float),
            lost if self.level.kind == "real_time" else 0.0,
        )


class _Pool:
    """The channels that the same agents serve."""

    def __init__(self, channels: Mapping[str, _Channel]) -> None:
        self.channels = channels
        urgent = [one for one in channels.values() if one.level.kind == "real_time"]
        self.urgent = urgent
        self.later = sorted(
            (one for one in channels.values() if one.level.kind == "backlog"),
            key=lambda one: one.level.target_seconds or 0.0,
        )
        paces = {one.level.concurrency for one in urgent}
        self.concurrency = paces.pop() if len(paces) == 1 else 1.0
        self.mixed = len({one.level.concurrency for one in urgent}) > 1
        first = next(iter(channels.values()))
        self.edges, step = first.edges, first.step
        whole = "pool_agents" if "pool_agents" in first.part and len(channels) > 1 else "agents_net"
        agents = np.max([one.part[whole].to_numpy(np.int64) for one in channels.values()], axis=0)
        opened = np.max([one.opened for one in channels.values()], axis=0)
        self.turns, self.agents = _shifts(self.edges, agents, opened, step)
        self.staffed = float((agents * opened).sum())

    def play(self, runs: int, seed: int) -> dict[str, PlayedChannel]:
        outcomes: dict[str, list[tuple[Floats, Floats, float, float]]] = {
            name: [] for name in self.channels
        }
        for run in range(runs):
            free = (self.turns, self.agents)
            for one, at, served in self._urgent(run, seed):
                outcomes[one.channel].append((*one.tally(at, served), served.busy_seconds))
                free = _less(free, at, served, one.level.concurrency)
            for one in self.later:
                rng = self._rng(one, run, seed)
                at = one.arrivals(run, rng)
                work = one.work(len(at), rng)
                slots = np.floor(free[1] * one.level.concurrency).astype(np.int64)
                simulate = simulate_queue if len(self.channels) == 1 else simulate_shared
                served = simulate(at, work, edges=free[0], servers=slots)
                busy = float(work[served.answered].sum()) * one.pace
                outcomes[one.channel].append((*one.tally(at, served), busy))
                if one is not self.later[-1]:
                    free = _less(free, at, served, one.level.concurrency)
        results = {}
        for name, rows in outcomes.items():
            one = self.channels[name]
            offered, good = (np.array([row[k] for row in rows]) for k in (0, 1))
            days = np.arange(one.days[0], one.days[-1] + 1)
            lost, busy = sum(row[2] for row in rows), sum(row[3] for row in rows)
            staffed = self.staffed * runs * one.level.concurrency
            results[name] = PlayedChannel(one.level, days, offered, good, lost, busy, staffed)
        return results

    def _rng(self, one: _Channel, run: int, seed: int) -> np.random.Generator:
        return np.random.default_rng([seed, run, zlib.crc32(one.channel.encode())])

    def _urgent(self, run: int, seed: int) -> list[tuple[_Channel, Floats, Served]]:
        """Real-time contacts, first come first served, whatever their channel."""
        if not self.urgent:
            return []
        come, works, leaves, whose = [], [], [], []
        for number, one in enumerate(self.urgent):
            rng = self._rng(one, run, seed)
            at = one.arrivals(run, rng)
            patience = one.level.patience_seconds
            come.append(at)
            works.append(one.work(len(at), rng) / (one.level.concurrency if self.mixed else 1.0))
            leaves.append(
                rng.exponential(patience, len(at)) if patience else np.full(len(at), np.inf)
            )
            whose.append(np.full(len(at), number))
        together = np.concatenate(come)
        order = np.argsort(together, kind="stable")
        at, owner = together[order], np.concatenate(whose)[order]
        work, gone = np.concatenate(works)[order], np.concatenate(leaves)[order]
        slots = np.floor(self.agents * self.concurrency).astype(np.int64)
        served = simulate_queue(at, work, edges=self.turns, servers=slots, patience=gone)
        out = []
        for place, one in enumerate(self.urgent):
            mine = owner == place
            answered = served.answered[mine]
            busy = float(work[mine][answered].sum())
            part = Served(served.waited[mine], answered, served.end_times[mine], busy)
            out.append((one, at[mine], part))
        return out


def _shifts(
    edges: Floats, agents: Ints, opened: Floats, step: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Agents work the open seconds of an interval: from its start if the one before was open to
    its end, else up to its end."""
    turns, servers = [], []
    for at, (begin, seconds, here) in enumerate(zip(edges[:-1], opened, agents, strict=True)):
        closed = step - seconds
        if seconds <= 0 or closed < 1e-6:
            steps = [(begin, here if seconds > 0 else 0)]
        elif at > 0 and opened[at - 1] > 0:
            steps = [(begin, here), (begin + seconds, 0)]
        else:
            steps = [(begin, 0), (begin + closed, here)]
        turns += [step[0] for step in steps]
        servers += [step[1] for step in steps]
    return np.array([*turns, edges[-1]]), np.array([*servers, 0], np.int64)


def _less(
    free: tuple[Floats, Ints], at: Floats, served: Served, concurrency: float
) -> tuple[Floats, Ints]:
    """Free agents over time, less those who handle these contacts."""
    begin, end = (at + served.waited)[served.answered], served.end_times[served.answered]
    changes = np.concatenate([begin, end, free[0]])
    busy = np.concatenate([np.ones(len(begin)), -np.ones(len(end)), np.zeros(len(free[0]))])
    order = np.argsort(changes, kind="stable")
    times, count = changes[order], np.cumsum(busy[order])
    last = np.append(times[1:] != times[:-1], True)
    times, count = times[last], count[last]
    place = np.clip(np.searchsorted(free[0], times, side="right") - 1, 0, None)
    have = np.where(times >= free[0][0], free[1][place], 0)
    left = np.maximum(have - np.ceil(count / concurrency - 1e-9), 0)
    return times, left.astype(np.int64)


def _ratio(good: Floats, offered: Floats) -> tuple[float, float, float]:
    """Sum of good / sum of offered, with the 95 % interval of a ratio over its parts."""
    total = offered.sum()
    if total <= 0:
        return float("nan"), float("nan"), float("nan")
    ratio = good.sum() / total
    n = len(offered)
    if n < 2:
        return float(ratio), 0.0, 1.0
    error = float(np.sqrt(((good - ratio * offered) ** 2).sum() * n / (n - 1)) / total)
    return (
        float(ratio),
        max(float(ratio) - 1.96 * error, 0.0),
        min(float(ratio) + 1.96 * error, 1.0),
    )
