"""Who can do what: channels that the same agents serve.

``[pools.NAME] channels = [...]`` says it, most urgent first. Without it, the ``agents`` table does:
channels join, the best match first, while at least ``ENOUGH`` of all agents with any of their
skills, and ``FEWEST`` people, have all of them. A channel that joins none is a pool of its own.

>>> skills = [["phone", "email"]] * 3 + [["chat"]] * 2
>>> [pool.channels for pool in pools_by_skills(skills, ["chat", "email", "phone"])]
[('email', 'phone'), ('chat',)]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import numpy as np
import pandas as pd

from data.errors import DataError, did_you_mean
from data.settings import Settings

ENOUGH, FEWEST = 0.3, 2


@dataclass(frozen=True)
class Pool:
    """Channels, by priority; ``at_most`` agents at a time, None: any number."""

    channels: tuple[str, ...]
    at_most: int | None = None

    @property
    def name(self) -> str:
        """The channels, joined."""
        return "+".join(self.channels)


def pools_of(
    settings: Settings, channels: Sequence[str], known: Iterable[Sequence[str]] = ()
) -> tuple[Pool, ...]:
    """The pools of ``channels``: as the settings say, else ``known`` ones, else each its own.

    Within a pool the settings' order is kept; known pools put real-time channels first, the
    shorter target before the longer. DataError for a channel in two pools.
    """
    stated = [Pool(one.channels, one.at_most) for one in settings.pools.values()]
    if not stated:
        stated = [Pool(_by_urgency(settings, names)) for names in known]
    taken: set[str] = set()
    pools = []
    for pool in stated:
        for name in pool.channels:
            if name in taken:
                raise DataError(f"channel {name!r} is in two pools; an agent's work is in one")
            if settings.pools and name not in {*channels, *settings.service_levels}:
                raise DataError(
                    f"[pools] names channel {name!r}, which there is not."
                    f"{did_you_mean(name, channels)}"
                )
        taken.update(pool.channels)
        here = tuple(name for name in pool.channels if name in channels)
        if here:
            pools.append(Pool(here, pool.at_most))
    return (*pools, *(Pool((name,)) for name in channels if name not in taken))


def _by_urgency(settings: Settings, names: Iterable[str]) -> tuple[str, ...]:
    def urgency(name: str) -> tuple[bool, float, str]:
        level = settings.service_levels.get(name)
        if level is None:
            return True, float("inf"), name
        return level.kind == "backlog", level.target_seconds or 0.0, name

    return tuple(sorted(names, key=urgency))


def pools_by_skills(skills: Sequence[Iterable[str]], channels: Sequence[str]) -> tuple[Pool, ...]:
    """Pools by the agents' ``skills`` (channels of each)."""
    able = [frozenset(one) & frozenset(channels) for one in skills]
    groups = [frozenset([name]) for name in channels]
    while True:
        best, pair = 0.0, None
        for one, other in combinations(groups, 2):
            both = one | other
            every = sum(both <= have for have in able)
            some = sum(bool(both & have) for have in able)
            match = every / some if some and every >= FEWEST else 0.0
            if match > best:
                best, pair = match, (one, other)
        if pair is None or best < ENOUGH:
            break
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    joined = sorted((tuple(sorted(group)) for group in groups), key=lambda names: -len(names))
    return tuple(Pool(names) for names in joined)


def skills_of(agents: pd.DataFrame, as_of: datetime) -> list[tuple[str, ...]]:
    """The channels of each agent in service at ``as_of``; an agent without skills counts not."""
    if "skills" not in agents or agents.empty:
        return []
    here = agents["left_at"].isna() | (agents["left_at"] > as_of) if "left_at" in agents else None
    rows = agents if here is None else agents[here]
    return [
        tuple(map(str, one)) for one in rows["skills"] if isinstance(one, list | tuple | np.ndarray)
    ]
