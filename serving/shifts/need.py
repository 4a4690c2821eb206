"""How many people a roster should have: the plan's people answering, and who is absent of them.

>>> frame = pd.DataFrame({"channel": ["email", "phone"], "starts_at": pd.Timestamp("2026-03-02"),
...     "agents_net": [3, 6], "pool": "phone+email", "pool_agents": 9})
>>> people_needed(frame, absence=0.1).tolist()
[3, 7]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.arrays import Bools, Ints
from data.errors import NotEnoughHistory
from features.calendar import local_times, utc_times

MINUTE = np.timedelta64(1, "m")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Need:
    """People needed by channel and slot. ``begin``: the first slot's start (naive UTC);
    ``people`` and ``opened``: channels x slots; ``days``: the local dates rostered; ``own_slots``:
    those of these days, after which nobody is needed yet."""

    channels: tuple[str, ...]
    begin: np.datetime64
    slot_minutes: int
    people: Ints
    opened: Bools
    days: tuple[np.datetime64, ...]
    own_slots: int

    @property
    def slots(self) -> int:
        """How many slots there are."""
        return self.people.shape[1]

    def time_of(self, slot: int) -> np.datetime64:
        """A slot's start, naive UTC."""
        return self.begin + int(slot) * self.slot_minutes * MINUTE


def people_needed(frame: pd.DataFrame, absence: float) -> Ints:
    """Whole people to roster for each row of a plan: those answering / (1 - absence).

    A pool's number is rounded, not up: a fraction raised every half hour would hire people for
    nobody's absence. It is divided among the pool's channels as its agents are.
    """
    net = frame["agents_net"].to_numpy(np.float64)
    pooled = "pool" in frame and "pool_agents" in frame
    pool = frame["pool"] if pooled else frame["channel"]
    total = frame["pool_agents"].to_numpy(np.float64) if pooled else net
    target = np.floor(total / (1 - absence) + 0.5 + 1e-9)
    exact = np.where(total > 0, net * target / np.maximum(total, 1e-9), 0.0)
    whole = np.floor(exact + 1e-9)
    keys = [pool.to_numpy(), frame["starts_at"].to_numpy()]
    left = pd.Series(target - pd.Series(whole).groupby(keys).transform("sum").to_numpy())
    rank = pd.Series(whole - exact).groupby(keys).rank(method="first")
    return np.asarray(whole + ((rank <= left) & (total > 0)), np.int64)


def days_to_roster(
    frame: pd.DataFrame, zone: str, week_start: str, weeks: int
) -> tuple[list[tuple[np.datetime64, ...]], bool]:
    """The local dates of each week, and whether they begin on ``week_start``.

    Only whole days of the plan count. Weeks begin on the first such day that ``week_start`` names
    and after which the plan has a whole week, else on the plan's first whole day.
    """
    starts, ends = frame["starts_at"].to_numpy(), frame["ends_at"].to_numpy()
    first, last = starts.min(), ends.max()
    low, high = local_times(np.array([first, last]), zone).astype("datetime64[D]")
    dates = np.arange(low, high + 1)
    midnights = utc_times(dates.astype("datetime64[us]"), zone)
    after = utc_times((dates + 1).astype("datetime64[us]"), zone)
    whole = dates[(midnights >= first) & (after <= last)]
    if not len(whole):
        raise NotEnoughHistory(
            f"the plan reaches from {first} to {last} UTC, which is no whole day in {zone}; plan "
            "further: --horizon 7d"
        )
    at, named = 0, week_start == "plan"
    if not named:
        wanted = WEEKDAYS.index(week_start)
        first_days = [i for i, day in enumerate(whole) if (day.astype(np.int64) + 3) % 7 == wanted]
        at = next((i for i in first_days if i + 7 <= len(whole)), 0)
        named = at in first_days
    days = whole[at : at + 7 * weeks]
    return [tuple(days[i : i + 7]) for i in range(0, len(days), 7)], named


def need_of(
    frame: pd.DataFrame,
    channels: tuple[str, ...],
    days: tuple[np.datetime64, ...],
    zone: str,
    slot_minutes: int,
    spill_minutes: int,
    absence: float,
) -> Need:
    """The need from the first day's midnight until ``spill_minutes`` after the last one's, in slots
    that divide the plan's intervals."""
    ends = np.array([days[0], days[-1] + 1]).astype("datetime64[us]")
    begin, end = utc_times(ends, zone)
    count = int((end - begin) / MINUTE) // slot_minutes
    total = count + -(-spill_minutes // slot_minutes)
    people = np.zeros((len(channels), total), np.int64)
    opened = np.zeros((len(channels), total), bool)
    needed = people_needed(frame, absence)
    starts, stops = frame["starts_at"].to_numpy(), frame["ends_at"].to_numpy()
    at = np.asarray((starts - begin) / MINUTE, np.int64) // slot_minutes
    until = np.asarray((stops - begin) / MINUTE, np.int64) // slot_minutes
    rows = frame["channel"].map({name: i for i, name in enumerate(channels)}).to_numpy()
    open_rows = frame["open_seconds"].to_numpy() > 0
    for row, a, b, n, o in zip(rows, at, until, needed, open_rows, strict=True):
        if b > 0 and a < total:
            people[row, max(a, 0) : b] = n
            opened[row, max(a, 0) : b] = o
    people[:, count:] = 0  # the week after asks for these
    return Need(channels, begin, slot_minutes, people, opened, days, count)
