"""No plan goes out that the simulator did not pass.

A plan is made by formulas and played contact by contact (``check``), on scenarios of its forecast:
on those that agents were not found with, since a search keeps its own scenarios better than others,
and from quiet to busy in even steps, so that few stand for all. A channel whose days keep their
promise less often than the plan claims is planned again as if its contacts took longer (its
**pace**), one that keeps it more often as if they took less, until what is claimed and what is kept
agree. What still fails is named: the day, how often it was kept, and the interval in which most was
lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from data.arrays import Floats
from data.settings import Settings
from features.opening import local_days
from serving.staffing.check import PlayedChannel, play
from serving.staffing.waiting_work import found_with

ROUNDS = 5
ABOVE = 0.015
MOST_WANTED = 0.995
LEAST_SHORT = 0.02
"""A day fails where it is kept so much less often than promised, and chance does not explain it."""
LEAST_STEP, SMALLEST_STEP, LARGEST_STEP = 0.01, 0.02, 0.15
PACE_OF_SHARE = 1.2
"""A hundredth more of days kept takes about so many hundredths more time of a contact."""
SLOWEST, FASTEST = 3.0, 0.75
CONTACTS_PLAYED = 800_000
FEWEST_RUNS, MOST_RUNS = 40, 200


@dataclass(frozen=True)
class Failing:
    """A day of a channel that was kept in too few runs."""

    channel: str
    day: str
    share: float
    promised: float
    worst_at: str

    def __str__(self) -> str:
        return (
            f"{self.channel} on {self.day}: kept in {self.share:.0%} of runs, promised "
            f"{self.promised:.0%}; worst from {self.worst_at} UTC"
        )

    def document(self) -> dict[str, Any]:
        """As it is published with a plan."""
        return {
            "channel": self.channel,
            "day": self.day,
            "kept": self.share,
            "promised": self.promised,
            "worst_at": self.worst_at,
        }


@dataclass(frozen=True)
class PlayedPlan:
    """A plan as played. ``pace`` by channel is what it was planned with, ``days_kept`` the share
    of the days over all ``runs``, ``failing`` the days that any number of agents could keep and
    this does not, the worst first."""

    frame: pd.DataFrame
    pace: Mapping[str, float]
    days_kept: Mapping[str, float] = field(default_factory=dict)
    failing: tuple[Failing, ...] = field(default=())
    runs: int = 0

    def document(self) -> dict[str, Any]:
        """What is published of it beside the plan."""
        return {
            "kept": dict(self.days_kept),
            "failing": [one.document() for one in self.failing],
            "runs": self.runs,
        }


Make = Callable[[Mapping[str, float]], tuple[pd.DataFrame, Mapping[str, Floats]]]


def raise_to_pass(
    make: Make,
    settings: Settings,
    *,
    judges: Mapping[str, Floats] | None = None,
    waiting: Mapping[str, float] | None = None,
    pace: Mapping[str, float] | None = None,
    rounds: int = ROUNDS,
    seed: int = 11,
) -> PlayedPlan:
    """The plan that ``make(pace)`` gives once the simulator agrees with it.

    ``make`` gives a plan and its scenarios (scenarios x intervals, by channel); ``judges`` are
    others, None: those of its own that its agents were not found with. Of all plans played the
    cheapest that passes is taken, else the one that fails least.
    """
    now = dict(pace or {})
    low: dict[str, tuple[float, float]] = {}
    high: dict[str, tuple[float, float]] = {}
    best: dict[str, tuple[tuple[float, float], dict[str, float]]] = {}
    before: dict[str, float] = {}
    frame, counts = make(now)
    if frame.empty:
        return PlayedPlan(frame, now)
    jury = _Jury(_not_found_with(counts) if judges is None else judges, settings, waiting, seed)
    for turn in range(max(rounds, 1)):
        if turn:
            frame, _ = make(now)
        again = False
        for pool, rows in frame.groupby(frame["pool"].astype(str), sort=True):
            standings = jury.standings(rows)
            paces = {name: now.get(name, 1.0) for name in standings}
            short = sum(max(one.wanted - one.share, 0.0) for one in standings.values())
            key = round(short, 4), _paid(rows)
            if str(pool) not in best or key < best[str(pool)][0]:
                best[str(pool)] = key, paces
            for name, one in standings.items():
                paid = _paid(rows[rows["channel"] == name])
                if one.share < one.wanted:
                    low[name] = paces[name], one.share
                elif one.share > one.wanted + ABOVE and paid != before.get(name):
                    high[name] = paces[name], one.share
                else:  # as wanted, or a faster pace spared nobody
                    continue
                before[name] = paid
                now[name] = _next_pace(paces[name], one, low.get(name), high.get(name))
                again |= abs(now[name] - paces[name]) >= LEAST_STEP
        if not again:
            break
    for _, paces in best.values():
        now |= paces
    return jury.plan(make(now)[0], now)


def _paid(rows: pd.DataFrame) -> float:
    return float((rows["agents_net"] * rows["open_seconds"]).sum())


class _Jury:
    """Scenarios that plans are played on, and what became of the pools that were."""

    def __init__(
        self,
        counts: Mapping[str, Floats],
        settings: Settings,
        waiting: Mapping[str, float] | None,
        seed: int,
    ) -> None:
        self.counts, self.settings, self.seed = _quiet_to_busy(counts), settings, seed
        self.waiting = waiting or {}
        self.runs = len(next(iter(self.counts.values())))
        self._memory: dict[tuple[str, bytes], dict[str, PlayedChannel]] = {}

    def play(self, rows: pd.DataFrame) -> dict[str, PlayedChannel]:
        """The channels of one pool."""
        agents = rows[["agents_net", "pool_agents"]].to_numpy(np.int64).tobytes()
        key = str(rows["pool"].iloc[0]), agents
        if key not in self._memory:
            self._memory[key] = play(
                rows,
                settings=self.settings,
                counts=self.counts,
                waiting=self.waiting,
                runs=self.runs,
                seed=self.seed,
            )
        return self._memory[key]

    def day(self, rows: pd.DataFrame) -> pd.Series:
        """The local day of each interval."""
        zone = self.settings.company.time_zone
        return pd.Series(local_days(rows["starts_at"].to_numpy(), zone), rows.index)

    def standings(self, rows: pd.DataFrame) -> dict[str, _Standing]:
        """How the channels of one pool stand."""
        day = self.day(rows)
        return {name: _standing(one, rows, day, name) for name, one in self.play(rows).items()}

    def plan(self, frame: pd.DataFrame, pace: Mapping[str, float]) -> PlayedPlan:
        """The whole plan as played."""
        played: dict[str, PlayedChannel] = {}
        for _, rows in frame.groupby(frame["pool"].astype(str), sort=True):
            played |= self.play(rows)
        day = self.day(frame)
        with_played = _with_played(frame, day, played)
        shares = {name: _standing(one, frame, day, name).share for name, one in played.items()}
        failing = _failing(with_played, day, played)
        return PlayedPlan(with_played, dict(pace), shares, failing, self.runs)


@dataclass(frozen=True)
class _Standing:
    """The share of a channel's days that were kept, and the share ``wanted``."""

    share: float
    wanted: float


def _next_pace(
    mine: float,
    now: _Standing,
    low: tuple[float, float] | None,
    high: tuple[float, float] | None,
) -> float:
    """The next pace to try: between one that failed and one that was too good, on the line through
    what they kept; else further by as many hundredths as days are missing or to spare."""
    goal = now.wanted + ABOVE / 2
    if low and high:
        part = (goal - low[1]) / max(high[1] - low[1], 1e-9)
        return low[0] + float(np.clip(part, 0.2, 0.8)) * (high[0] - low[0])
    step = float(np.clip(PACE_OF_SHARE * abs(goal - now.share), SMALLEST_STEP, LARGEST_STEP))
    return min(mine + step, SLOWEST) if now.share < now.wanted else max(mine - step, FASTEST)


def _not_found_with(counts: Mapping[str, Floats]) -> dict[str, Floats]:
    """Of a plan's own scenarios those that its agents were not found with; all, of a few."""
    many = max((len(one) for one in counts.values()), default=0)
    others = np.ones(many, bool)
    others[found_with(many)] = False
    rows = np.flatnonzero(others if others.sum() >= FEWEST_RUNS else np.ones(many, bool))
    return {name: one[rows % len(one)] for name, one in counts.items()}


def _quiet_to_busy(counts: Mapping[str, Floats]) -> dict[str, Floats]:
    """Of scenarios by channel those that are played: as many as time allows, quiet to busy."""
    contacts = {name: one.sum(axis=1) for name, one in counts.items()}
    mean = sum(float(one.mean()) for one in contacts.values())
    runs = int(np.clip(CONTACTS_PLAYED / max(mean, 1.0), FEWEST_RUNS, MOST_RUNS))
    many = max(len(one) for one in counts.values())
    size = np.zeros(many)
    for one in contacts.values():
        size += np.resize(one, many) / max(float(one.mean()), 1.0)
    order = np.argsort(size, kind="stable")
    steps = ((np.arange(min(runs, many)) + 0.5) * many / min(runs, many)).astype(np.int64)
    return {name: one[order[steps] % len(one)] for name, one in counts.items()}


def _standing(
    played: PlayedChannel, frame: pd.DataFrame, day: pd.Series, channel: str
) -> _Standing:
    """The share of days kept, of those that could be (1 where there is none), and the one that is
    wanted: so many standard errors above the promise that it holds beyond these runs, as sure as
    it is promised. Runs are the units: days of a run have its level in common."""
    some = (played.offered > 0) & _keepable(frame, day, channel, played)[None, :]
    wanted = played.level.confidence
    if not some.any():
        return _Standing(1.0, wanted)
    good, every = (played.days_kept & some).sum(axis=1), some.sum(axis=1)
    share = float(good.sum() / every.sum())
    error = float(np.sqrt(((good - share * every) ** 2).sum()) / every.sum())
    margin = max(float(ndtri(min(wanted, MOST_WANTED))), 0.0) * error
    return _Standing(share, max(min(wanted + margin, MOST_WANTED), wanted))


def _keepable(
    frame: pd.DataFrame, day: pd.Series, channel: str, played: PlayedChannel
) -> np.ndarray:
    """Whether any staffing could keep each of the days played: the last, whose contacts are due
    after the plan, and those whose hours do not allow it, are nobody's fault."""
    rows = frame["channel"] == channel
    reach = frame.loc[rows, "reachable"].groupby(day[rows]).min().reindex(played.days)
    return np.asarray(reach.fillna(1.0).to_numpy() >= played.level.share)


def _with_played(
    frame: pd.DataFrame, day: pd.Series, played: Mapping[str, PlayedChannel]
) -> pd.DataFrame:
    """The plan with the confidence that was played, day by day."""
    confidence = frame["confidence"].copy()
    for name, one in played.items():
        rows = frame["channel"] == name
        shares = day[rows].map(dict(zip(one.days.tolist(), one.confidence, strict=True)))
        confidence[rows] = shares.where(shares.notna() & confidence[rows].notna(), confidence[rows])
    return frame.assign(confidence=confidence)


def by_chance(wanted: float, runs: int) -> float:
    """How far below ``wanted`` the share of so few runs in which a day was kept may lie: it fails
    where chance alone does not explain it."""
    return LEAST_SHORT + 2.5 * float(np.sqrt(wanted * (1 - wanted) / runs))


def _failing(
    frame: pd.DataFrame, day: pd.Series, played: Mapping[str, PlayedChannel]
) -> tuple[Failing, ...]:
    days_short = []
    for name, one in played.items():
        can, share, wanted = _keepable(frame, day, name, one), one.confidence, one.level.confidence
        allowed = by_chance(wanted, len(one.offered))
        for place in np.flatnonzero(can & (share < wanted - allowed)):
            rows = frame[(frame["channel"] == name) & (day == one.days[place])]
            lost = (1 - rows["service_level"].fillna(1.0)) * rows["volume"]
            worst = rows.loc[lost.idxmax(), "starts_at"]
            date = str(np.datetime64(int(one.days[place]), "D"))
            at = f"{worst:%Y-%m-%d %H:%M}"
            days_short.append(Failing(name, date, float(share[place]), wanted, at))
    return tuple(sorted(days_short, key=lambda one: one.share - one.promised))
