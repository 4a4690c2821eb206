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

from data.arrays import Floats
from data.settings import Settings
from features.opening import local_days
from serving.staffing.check import PlayedChannel, play
from serving.staffing.waiting_work import found_with

ROUNDS = 5
ABOVE = 0.03
LEAST_SHORT = 0.02
"""A day fails where it is kept so much less often than promised, and chance does not explain it."""
STEP = 0.05
SLOWEST, FASTEST = 3.0, 0.75
CONTACTS_PLAYED = 800_000
FEWEST_RUNS, MOST_RUNS = 40, 100


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
    of them over all ``runs``, ``failing`` the days that any number of agents could keep and this
    does not, the worst first."""

    frame: pd.DataFrame
    pace: Mapping[str, float]
    days_kept: Mapping[str, float]
    failing: tuple[Failing, ...] = field(default=())
    runs: int = 0


Make = Callable[[Mapping[str, float]], tuple[pd.DataFrame, Mapping[str, Floats]]]


def raise_to_pass(
    make: Make,
    settings: Settings,
    *,
    waiting: Mapping[str, float] | None = None,
    pace: Mapping[str, float] | None = None,
    rounds: int = ROUNDS,
    seed: int = 11,
) -> PlayedPlan:
    """The plan that ``make(pace)`` gives once the simulator agrees with it.

    ``make`` gives a plan and its scenarios (scenarios x intervals, by channel). Of all plans played
    the cheapest that passes is taken, else the one that fails least.
    """
    now = dict(pace or {})
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    best: tuple[tuple[float, float], PlayedPlan] | None = None
    before: dict[str, float] = {}
    memory: dict[str, tuple[bytes, dict[str, PlayedChannel]]] = {}
    for _ in range(max(rounds, 1)):
        frame, counts = make(now)
        if frame.empty:
            return PlayedPlan(frame, now, {})
        judges = _judges(counts)
        runs = len(next(iter(judges.values())))
        played: dict[str, PlayedChannel] = {}
        for pool, rows in frame.groupby(frame["pool"].astype(str), sort=True):
            agents = rows[["agents_net", "pool_agents"]].to_numpy(np.int64).tobytes()
            if memory.get(str(pool), (b"",))[0] != agents:
                again_played = play(
                    rows, settings=settings, counts=judges, waiting=waiting, runs=runs, seed=seed
                )
                memory[str(pool)] = agents, again_played
            played |= memory[str(pool)][1]
        zone = settings.company.time_zone
        day = pd.Series(local_days(frame["starts_at"].to_numpy(), zone), frame.index)
        shares = {name: _share_kept(one, frame, day, name) for name, one in played.items()}
        short = sum(
            max(played[name].level.confidence - share, 0.0) for name, share in shares.items()
        )
        hours = float((frame["agents_net"] * frame["open_seconds"]).sum())
        with_played = _with_played(frame, day, played)
        standing = (round(short, 4), hours)
        if best is None or standing < best[0]:
            failing = _failing(with_played, day, played)
            plan = PlayedPlan(with_played, dict(now), shares, failing, runs)
            best = standing, plan
        again = False
        paid = (frame["agents_net"] * frame["open_seconds"]).groupby(frame["channel"]).sum()
        for name, share in shares.items():
            wanted = played[name].level.confidence
            mine = now.get(name, 1.0)
            if share < wanted:
                low[name] = mine
                again |= _move(now, name, mine, low, high, up=True)
            elif share > wanted + ABOVE and paid[name] != before.get(name):
                high[name] = mine  # where a faster pace spared nobody, none will
                again |= _move(now, name, mine, low, high, up=False)
        before = dict(paid)
        if not again:
            break
    assert best is not None
    return best[1]


def _move(
    now: dict[str, float],
    name: str,
    mine: float,
    low: dict[str, float],
    high: dict[str, float],
    *,
    up: bool,
) -> bool:
    """The next pace to try: between a pace that failed and one that was too good, else further."""
    if name in low and name in high:
        wanted = (low[name] + high[name]) / 2
    elif up:
        wanted = min(mine * (1 + STEP) + (mine - 1 if mine > 1 else 0), SLOWEST)
    else:
        wanted = max(mine * (1 - STEP), FASTEST)
    if abs(wanted - mine) < 0.01:
        return False
    now[name] = wanted
    return True


def _judges(counts: Mapping[str, Floats]) -> dict[str, Floats]:
    """The scenarios that are played, by channel."""
    contacts = {name: one.sum(axis=1) for name, one in counts.items()}
    mean = sum(float(one.mean()) for one in contacts.values())
    runs = int(np.clip(CONTACTS_PLAYED / max(mean, 1.0), FEWEST_RUNS, MOST_RUNS))
    many = max(len(one) for one in counts.values())
    others = np.ones(many, bool)
    others[found_with(many)] = False
    if others.sum() < FEWEST_RUNS:
        others[:] = True
    size = np.zeros(many)
    for one in contacts.values():
        size += np.resize(one, many) / max(float(one.mean()), 1.0)
    order = np.flatnonzero(others)[np.argsort(size[others], kind="stable")]
    steps = ((np.arange(runs) + 0.5) * len(order) / runs).astype(np.int64)
    return {name: one[order[steps] % len(one)] for name, one in counts.items()}


def _share_kept(played: PlayedChannel, frame: pd.DataFrame, day: pd.Series, channel: str) -> float:
    """Share of days kept, of those that could be; 1 where there is none."""
    can = _keepable(frame, day, channel, played)
    some = (played.offered > 0) & can[None, :]
    return float(played.days_kept[some].mean()) if some.any() else 1.0


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
