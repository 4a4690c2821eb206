"""A plan put to the test: contacts arrive one by one, and a queue is played with its agents.

The simulator knows nothing of the formulas that made the plan: single arrivals, handling times
drawn one by one, patience, agents who come and go with the plan's intervals, a queue that is
carried from one interval to the next.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.arrays import Floats
from data.errors import DataError
from data.settings import ServiceLevel, Settings
from models.queueing import BacklogGrid, due_seconds, simulate_queue
from serving.staffing.hours import local_days
from serving.staffing.workload import Workload, scenarios

HANDLE_SPREAD = 0.8
"""Coefficient of variation of simulated handling times (lognormal)."""


def check_plan(
    plan: pd.DataFrame,
    *,
    settings: Settings,
    arrivals: Mapping[str, NDArray[np.datetime64]] | None = None,
    runs: int = 40,
    seed: int = 1,
) -> pd.DataFrame:
    """A row per channel: what callers would have seen.

    Arrivals are ``arrivals`` (UTC times by channel, inside the plan), or drawn from the plan's
    volumes and intervals; the plan is played ``runs`` times either way. ``service_level`` is
    answered within the target / offered, with a 95 % interval over runs (over days, with given
    arrivals) in ``service_level_low`` and ``_high``; ``days_reached`` the share of days that reach
    the promised ``share``. Backlog contacts due after the plan's end do not count, and agents fill
    ``max_occupancy`` of their time with them: a contact takes so much longer.
    """
    rows = []
    for channel, part in plan.groupby("channel", sort=True):
        level = settings.service_levels.get(str(channel))
        if level is None:
            raise DataError(f"channel {channel!r} of the plan has no service level in the settings")
        given = None if arrivals is None else arrivals.get(str(channel), np.array([], "M8[us]"))
        pace = settings.staffing.max_occupancy if level.kind == "backlog" else 1.0
        ordered = part.sort_values("starts_at")
        played = _Played(ordered, level, settings.company.time_zone, pace)
        rows.append({"channel": channel, **played.report(given, runs, seed)})
    return pd.DataFrame(rows)


class _Played:
    """One channel's plan on a clock of seconds since its start."""

    def __init__(
        self, part: pd.DataFrame, level: ServiceLevel, time_zone: str, pace: float
    ) -> None:
        self.level, self.time_zone, self.pace = level, time_zone, pace
        self.channel = str(part["channel"].iloc[0])
        self.starts = part["starts_at"].to_numpy("datetime64[us]")
        ends = part["ends_at"].to_numpy("datetime64[us]")
        self.step = float((ends[0] - self.starts[0]).astype(np.int64)) / 1e6
        edges = np.append(self.starts, ends[-1:])
        self.edges = (edges - edges[0]).astype(np.int64) / 1e6
        self.agents = part["agents_net"].to_numpy(np.int64)
        self.opened = part["open_seconds"].to_numpy(float)
        self.handle = float(part["handle_seconds"].iloc[0])
        self.days = local_days(self.starts, time_zone)
        names = ("volume", "volume_lo_80", "volume_hi_80")
        volume, low, high = (part[name].to_numpy(float) for name in names)
        self.load = Workload(self.channel, self.starts, self.step, volume, low, high, volume)
        self.grid = BacklogGrid(self.edges, self.opened)
        self.turns, self.servers = self._shifts()

    def _shifts(self) -> tuple[Floats, NDArray[np.int64]]:
        """Agents work the open seconds of an interval: from its start if the one before was open
        to its end, else up to its end."""
        turns, servers = [], []
        slots = np.floor(self.agents * self.level.concurrency).astype(np.int64)
        for at, (begin, opened, here) in enumerate(
            zip(self.edges[:-1], self.opened, slots, strict=True)
        ):
            closed = self.step - opened
            if opened <= 0 or closed < 1e-6:
                steps = [(begin, here if opened > 0 else 0)]
            elif at > 0 and self.opened[at - 1] > 0:
                steps = [(begin, here), (begin + opened, 0)]
            else:
                steps = [(begin, 0), (begin + closed, here)]
            turns += [step[0] for step in steps]
            servers += [step[1] for step in steps]
        return np.array([*turns, self.edges[-1]]), np.array([*servers, 0], np.int64)

    def report(
        self, given: NDArray[np.datetime64] | None, runs: int, seed: int
    ) -> dict[str, object]:
        rng = np.random.default_rng([seed, zlib.crc32(self.channel.encode())])
        paths = scenarios(self.load, self.time_zone, runs, seed + 1_000_003)
        played = [self._play(self._arrivals(given, path), rng) for path in paths]
        offered, good, lost, busy = (np.array([run[k] for run in played]) for k in range(4))
        per_day, days_good = offered.sum(axis=1), good.sum(axis=1)
        if given is not None:
            per_day, days_good = offered.sum(axis=0), good.sum(axis=0)
        estimate, low, high = _ratio(days_good, per_day)
        some = offered > 0
        reached = (good >= self.level.share * offered - 1e-9)[some]
        paid = float((self.agents * self.opened).sum()) * self.level.concurrency
        return {
            "contacts": float(offered.sum(axis=1).mean()),
            "share": self.level.share,
            "service_level": estimate,
            "service_level_low": low,
            "service_level_high": high,
            "days_reached": float(reached.mean()) if some.any() else float("nan"),
            "abandonment": float(lost.sum() / max(offered.sum(), 1)),
            "occupancy": float(busy.mean() / paid) if paid > 0 else 0.0,
            "agent_hours": float((self.agents * self.opened).sum() / 3600),
        }

    def _arrivals(
        self, given: NDArray[np.datetime64] | None, path: Floats, rng_seed: int = 0
    ) -> Floats:
        if given is not None:
            at = (np.sort(given).astype("M8[us]") - self.starts[0]).astype(np.int64) / 1e6
            return at[(at >= 0) & (at < self.edges[-1])]
        counts = path.astype(np.int64)
        rng = np.random.default_rng([rng_seed, int(counts.sum()), zlib.crc32(counts.tobytes())])
        place = np.repeat(np.arange(len(counts)), counts)
        return np.sort(self.edges[:-1][place] + rng.random(len(place)) * self.step)

    def _play(self, at: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, float, float]:
        """Offered and well answered per day, abandoned, busy seconds of one run."""
        level, target = self.level, self.level.target_seconds or 0.0
        place = np.clip(np.searchsorted(self.edges, at, side="right") - 1, 0, len(self.days) - 1)
        if level.kind == "real_time":
            turn = np.clip(np.searchsorted(self.turns, at, side="right") - 1, 0, None)
            is_open = (self.opened[place] > 0) & (
                (self.servers[turn] > 0) | (self.agents[place] == 0)
            )
            at, place = at[is_open], place[is_open]
        sigma = np.sqrt(np.log1p(HANDLE_SPREAD**2))
        work = self.handle * np.exp(sigma * rng.standard_normal(len(at)) - sigma**2 / 2)
        patience = None
        if level.kind == "real_time" and level.patience_seconds:
            patience = rng.exponential(level.patience_seconds, len(at))
        work = work / self.pace
        served = simulate_queue(at, work, edges=self.turns, servers=self.servers, patience=patience)
        if level.kind == "real_time":
            good = served.answered & (served.waited <= target)
            counted = np.ones(len(at), bool)
        else:
            due = due_seconds(self.grid, at, target, level.clock)
            counted = due <= self.edges[-1]
            good = served.answered & (np.nan_to_num(served.done, nan=np.inf) <= due + 1e-6)
        first = self.days[0]
        size = int(self.days[-1] - first) + 1
        day = self.days[place] - first
        lost = float((~served.answered & counted).sum()) if patience is not None else 0.0
        return (
            np.bincount(day[counted], minlength=size).astype(float),
            np.bincount(day[counted & good], minlength=size).astype(float),
            lost,
            served.busy_seconds * self.pace,
        )


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
