"""Why the share answered in time changed: volume, handle time, staffing, mix, and the rest.

Two weeks are compared, the one in question and the weeks before it. Over channels the change parts
into mix (other shares of the same channels) and what happened within each. Within a channel a queue
with patience (models/queueing) says what share it would answer in time with so many contacts, so
long a handling and so many agents; each of the three gets its Shapley value (Shapley 1953): its
mean effect over the six orders in which they can change. What the queue does not say is the rest.
The parts add up to the change, to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from data.settings import ServiceLevel, Settings
from features.opening import hours_of, open_seconds
from models.queueing import queue_measures

PARTS = ("volume", "handle_time", "staffing", "mix", "rest")
INPUTS = ("contacts", "handle", "agents")
USUAL_WEEKS = 4


def explained(
    tickets: pd.DataFrame, settings: Settings, week: datetime, channel: str = ""
) -> dict[str, Any] | None:
    """The change of the share answered in time in ``week`` against the four weeks before, in
    ``PARTS`` that add up; None where one of the two has no judged contact.

    ``tickets``: ``judged_tickets``. ``channel``: one of them; empty: all.
    """
    end, before = week + timedelta(days=7), week - timedelta(weeks=USUAL_WEEKS)
    judged = tickets[tickets["in_time"].notna()]
    if channel:
        judged = judged[judged["channel"] == channel]
    now = judged[(judged["opened_at"] >= week) & (judged["opened_at"] < end)]
    then = judged[(judged["opened_at"] >= before) & (judged["opened_at"] < week)]
    if now.empty or then.empty:
        return None
    old, new = float(then["in_time"].mean()), float(now["in_time"].mean())
    parts = dict.fromkeys(PARTS, 0.0)
    for name in sorted(set(now["channel"]) | set(then["channel"])):
        mine = [frame[frame["channel"] == name] for frame in (then, now)]
        weights = [len(mine[0]) / len(then), len(mine[1]) / len(now)]
        shares = [float(frame["in_time"].mean()) if len(frame) else None for frame in mine]
        known = [value if value is not None else old for value in shares]
        parts["mix"] += (weights[1] - weights[0]) * (known[0] - old)
        within = weights[1] * (known[1] - known[0])
        if None in shares:
            parts["mix"] += within
            continue
        level = settings.service_levels.get(name)
        worth = _queue_parts(mine, level, settings, name, (before, week, end))
        for part, value in worth.items():
            parts[part] += weights[1] * value
        parts["rest"] += within - weights[1] * sum(worth.values())
    return {
        "week": week,
        "channel": channel,
        "before": old,
        "now": new,
        "change": new - old,
        **parts,
    }


def _queue_parts(
    frames: list[pd.DataFrame],
    level: ServiceLevel | None,
    settings: Settings,
    channel: str,
    edges: tuple[datetime, datetime, datetime],
) -> dict[str, float]:
    """Shapley values of contacts, handle time and agents for the share that a queue answers in
    time; none where no target or no handling is known."""
    if level is None or level.target_seconds is None:
        return {}
    inputs = []
    for frame, begin, end in zip(frames, edges[:2], edges[1:], strict=True):
        of_week = _inputs(frame, begin, end, level, settings, channel)
        if of_week is None:
            return {}
        inputs.append(of_week)
    if np.isnan(inputs[0]["agents"]) or np.isnan(inputs[1]["agents"]):
        # nobody says who answered: as many as the usual weeks' share needs, in both
        agents = _agents_for(inputs[0], float(frames[0]["in_time"].mean()), level)
        inputs = [{**each, "agents": agents} for each in inputs]
    values = dict.fromkeys(INPUTS, 0.0)
    orders = list(permutations(INPUTS))
    for order in orders:
        at = dict(inputs[0])
        share = _share(at, level)
        for name in order:
            at[name] = inputs[1][name]
            after = _share(at, level)
            values[name] += (after - share) / len(orders)
            share = after
    return {
        "volume": values["contacts"],
        "handle_time": values["handle"],
        "staffing": values["agents"],
    }


def _inputs(
    frame: pd.DataFrame,
    begin: datetime,
    end: datetime,
    level: ServiceLevel,
    settings: Settings,
    channel: str,
) -> dict[str, float] | None:
    """Contacts an open second, mean handling, and agents at work at once (NaN: nobody says)."""
    starts = pd.date_range(begin, end, freq="30min", inclusive="left").to_numpy("datetime64[us]")
    hours = hours_of(settings, channel, starts)
    spent = open_seconds(starts, 1800, hours, settings.company.time_zone)
    if not spent.sum():
        return None
    handle = frame["handle_seconds"].dropna()
    seconds = float(handle.mean()) if len(handle) else level.handle_seconds
    agents = np.nan
    if frame["agent_id"].notna().any():
        answered = frame.dropna(subset=["agent_id", "answered_at"])
        day = answered["answered_at"].dt.floor("D")
        agents = float(answered.groupby(day)["agent_id"].nunique().mean())
    return {
        "contacts": len(frame) / float(spent.sum()),
        "handle": seconds / level.concurrency,
        "agents": agents,
    }


def _share(at: Mapping[str, float], level: ServiceLevel) -> float:
    measures = queue_measures(
        at["contacts"],
        at["handle"],
        servers=max(round(at["agents"]), 1),
        target_seconds=float(level.target_seconds or 0),
        patience_seconds=level.patience_seconds,
        with_asa=False,
    )
    return float(measures.service_level)


def _agents_for(at: Mapping[str, float], wanted: float, level: ServiceLevel) -> float:
    """The number of agents whose share in time is nearest to ``wanted``."""
    most = int(at["contacts"] * at["handle"] * 3) + 20
    shares = [_share({**at, "agents": n}, level) for n in range(1, most)]
    return float(1 + int(np.argmin(np.abs(np.array(shares) - wanted))))
