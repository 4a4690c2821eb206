"""What a day has left, and who gets it: some by value, a share by chance, with known odds.

Those drawn to explore are drawn evenly among everybody eligible who was not chosen by value,
channel by channel; the action is drawn too. So each customer's odds are known, and every effect can
be learned, also of those whom the ranking leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.settings import Outreach
from serving.outreach.actions import CHANNELS
from serving.outreach.choice import Limits, choose
from serving.outreach.draws import Draws
from serving.outreach.offers import Offers

OWN_ACTION_SHARE = 0.5
"""Of those drawn to explore, the share that gets the action of their topic; the rest any other."""


@dataclass(frozen=True)
class Spent:
    """What earlier runs of the day selected: contacts, by channel, agents' minutes, explored."""

    total: int = 0
    channels: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    minutes: float = 0.0
    explored: int = 0


@dataclass(frozen=True)
class Day:
    """What is left of the day, and how much of it explores."""

    left: Limits
    explore: int


def day_of(policy: Outreach, spent: Spent, agent_hours: float | None) -> Day:
    """What earlier runs (``spent``) and the staffing plan (``agent_hours``) leave of the day."""
    total = max(0, policy.capacity_per_day - spent.total)
    channels = []
    for name in CHANNELS:
        most = policy.most_a_day(name)
        used = spent.channels.get(name, 0)
        channels.append(np.inf if most is None else float(max(0, most - used)))
    minutes = np.inf if agent_hours is None else max(0.0, agent_hours * 60.0 - spent.minutes)
    share = round(policy.capacity_per_day * policy.explore_share) - spent.explored
    return Day(Limits(total, tuple(channels), float(minutes)), min(max(0, share), total))


@dataclass(frozen=True)
class Exploring:
    """P(selected), P(the action | selected), and the option each would explore: all (n,)."""

    selected: Floats
    option: Floats
    choice: Ints


def select(
    offers: Offers,
    policy: Outreach,
    day: Day,
    draws: Draws,
) -> tuple[Ints, Bools, Exploring]:
    """The option chosen by value (-1: none), who is drawn to explore, and with which odds."""
    flat_minutes = np.nan_to_num(offers.minutes.ravel())
    of_channel = np.tile(np.arange(len(CHANNELS)), len(offers.minutes))
    keep = 1.0 - policy.explore_share
    for_value = Limits(
        day.left.total - day.explore,
        tuple(np.ceil(c * keep) if np.isfinite(c) else c for c in day.left.channels),
        day.left.minutes * keep,
    )
    chosen = choose(offers.flat(offers.value), flat_minutes, of_channel, for_value, draws.order)
    used = chosen[chosen >= 0]
    counts = np.bincount(of_channel[used], minlength=len(CHANNELS))
    left: Floats = np.array(day.left.channels, dtype=np.float64) - counts
    minutes_left = day.left.minutes - flat_minutes[used].sum()

    # the channel to explore through is theirs, or the first of ours; the action is drawn
    through = np.asarray(offers.explorable.any(axis=1))
    first = through.argmax(axis=1)
    line = np.arange(len(first))
    theirs = (offers.preferred >= 0) & through[line, np.maximum(offers.preferred, 0)]
    channel = np.where(theirs, offers.preferred, first)
    can = offers.explorable[line, :, channel]
    odds = action_odds(can, offers.own)
    at = (draws.action[:, None] >= odds.cumsum(axis=1)).sum(axis=1)
    at = np.minimum(at, can.shape[1] - 1 - can[:, ::-1].argmax(axis=1))
    choice = at * len(CHANNELS) + channel

    rest: Bools = chosen < 0
    longest = [
        np.nan_to_num(offers.minutes[can[rest & (channel == c)].any(axis=0), c]).max(initial=0.0)
        for c in range(len(CHANNELS))
    ]
    pools = np.bincount(channel[rest], minlength=len(CHANNELS)).astype(np.int64)
    quotas = quotas_of(pools, day.explore, left, np.array(longest), minutes_left)
    explored = np.zeros(len(rest), dtype=bool)
    selected = np.zeros(len(rest))
    for c, quota in enumerate(quotas):
        pool = np.flatnonzero(rest & (channel == c))
        if len(pool):
            explored[pool[np.argsort(draws.explore[pool])[:quota]]] = True
            selected[pool] = quota / len(pool)
    return chosen, explored, Exploring(selected, odds[line, at], choice)


def action_odds(can: Bools, own: Ints) -> Floats:
    """With which odds each action is drawn: the topic's own half of the time, where it can be."""
    line = np.arange(len(own))
    odds = can.astype(np.float64)
    theirs = can[line, own]
    others = odds.sum(axis=1) - theirs
    share = np.where(theirs & (others > 0), 1.0 - OWN_ACTION_SHARE, 1.0)
    odds *= (share / np.maximum(others, 1.0))[:, None]
    odds[line[theirs], own[theirs]] = np.where(others > 0, OWN_ACTION_SHARE, 1.0)[theirs]
    return odds


def quotas_of(pools: Ints, most: int, left: Floats, longest: Floats, minutes: float) -> list[int]:
    """How many of each channel's pool explore: in proportion to the pools, within what is left.

    >>> quotas_of(np.array([90, 10, 0]), 5, np.array([np.inf, 0, np.inf]), np.zeros(3), np.inf)
    [5, 0, 0]
    """
    room = np.minimum(pools, np.maximum(left, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        by_time = np.where(longest > 0, np.floor(minutes / longest), np.inf)
    room = np.minimum(room, by_time).astype(np.int64)
    quotas = np.zeros(len(pools), dtype=np.int64)
    if pools.sum():
        quotas = np.minimum(pools * most // pools.sum(), room)
    for c in range(len(pools)):
        quotas[c] += min(int(room[c] - quotas[c]), max(0, most - int(quotas.sum())))
    # each channel's calls fit by themselves; together they may not, where two take agents' time
    while (quotas * longest).sum() > minutes:
        quotas[(quotas * longest).argmax()] -= 1
    return [int(q) for q in quotas]
