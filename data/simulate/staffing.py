"""Who is staffed: the company's own habit, or what is fed in.

The habit staffs each channel by the load of the last weeks at the same weekday and hour with some
slack, and a little more while e-mail piles up. Staffing that is fed in replaces it, channel by
channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from data.arrays import Floats, Ints
from data.errors import DataError, did_you_mean
from data.simulate.rates import CHANNELS, REAL_TIME
from data.simulate.state import State, World
from data.simulate.timeline import HOUR

if TYPE_CHECKING:
    import pandas as pd

LEARNING = 0.25
SAFETY = 0.9


def first_habit(world: World) -> Floats:
    """A first guess of the load in agents from the company's size, channel × weekday × hour."""
    rates = world.rates
    daily = 0.011 * world.people.written * rates.before_start_share
    load = np.zeros((len(CHANNELS), 7, 24))
    for c, share in enumerate((0.34, 0.33, 0.25, 0.08)):
        work = daily * share * rates.handle_seconds[c] / rates.concurrency[c]
        opened = world.timeline.is_open[:14, c].any(axis=0)
        load[c] = work / 3600 / max(opened.sum(), 1)
    return load


def own_staffing(world: World, state: State, day: int) -> Floats:
    """Agents by channel × local hour that the company plans by habit."""
    weekday = world.timeline.weekday[day]
    load = state.habit[:, weekday, :].copy()
    opened = world.timeline.is_open[day]
    for c, channel in enumerate(CHANNELS):
        if channel not in REAL_TIME and opened[c].any():
            hours = opened[c].sum()
            load[c] = load[c].sum() / hours
            load[c] += state.desks[c].waiting_work() / HOUR / hours / 3
    agents = np.ceil(load * world.rates.staffing_slack + SAFETY * np.sqrt(load))
    return np.where(opened, np.maximum(agents, 1), 0)


def fed_staffing(world: World, day: int, staffing: Any, own: Floats) -> Floats:
    """The habit replaced by what is fed in, for the channels that it names.

    A mapping channel → 24 numbers by local hour, or a frame ``channel, starts_at, agents`` of
    intervals of an hour or less, starts in UTC: an hour has the mean of the intervals that start in
    it, and nobody if none does. Numbers are rounded to whole agents.
    """
    agents = own.copy()
    if hasattr(staffing, "columns"):
        staffing = _by_hour(world.timeline.hour_edges(day), staffing)
    known = world.words.channels
    for channel, values in staffing.items():
        if channel not in known:
            raise DataError(
                f"staffing: no channel {channel!r}.{did_you_mean(channel, known)} "
                f"The company has {', '.join(known)}."
            )
        hours = np.asarray(values, dtype=np.float64)
        if hours.shape != (24,) or not np.isfinite(hours).all() or (hours < 0).any():
            raise DataError(
                f"staffing of {channel!r}: 24 numbers of agents >= 0, one a local hour, are "
                f"needed; found {values!r}."
            )
        agents[known.index(channel)] = hours
    return np.rint(agents)


def _by_hour(edges: Ints, frame: pd.DataFrame) -> dict[str, Floats]:
    for column in ("channel", "starts_at", "agents"):
        if column not in frame.columns:
            raise DataError(f"staffing: column {column!r} is missing; found {list(frame.columns)}.")
    fed: dict[str, Floats] = {}
    for channel, rows in frame.groupby("channel"):
        starts = rows["starts_at"].to_numpy().astype("datetime64[us]").astype(np.int64)
        values = rows["agents"].to_numpy(dtype=np.float64)
        hour = np.searchsorted(edges, starts, side="right") - 1
        inside = (hour >= 0) & (hour < 24)
        count = np.bincount(hour[inside], minlength=24)
        fed[str(channel)] = np.bincount(hour[inside], values[inside], 24) / np.maximum(count, 1)
    return fed


def learn(state: State, channel: int, weekday: int, offered: Floats) -> None:
    old = state.habit[channel, weekday]
    state.habit[channel, weekday] = old + LEARNING * (offered - old)
