"""Hours for outreach, inside the plan: people in the troughs who may call customers.

Decisions take ``[outreach] agent_hours_per_day``; a plan without them would promise these hours to
callers. Idle time of backlog channels counts first (``serving.outreach.agent_hours``); what is
missing is added where the day is emptiest, a block at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from data.settings import Settings
from features.opening import local_days


def with_outreach(frame: pd.DataFrame, settings: Settings, hours: float) -> pd.DataFrame:
    """The plan with ``hours`` a day that agents of backlog channels have to spare.

    A day on which no backlog channel is open gets none. ``frame``: as ``plan`` makes it.
    """
    later = frame["kind"] == "backlog"
    if hours <= 0 or not later.any():
        return frame
    out = frame.copy()
    zone, most = settings.company.time_zone, settings.staffing.max_occupancy
    day = pd.Series(local_days(out["starts_at"].to_numpy(), zone), out.index)
    minutes = settings.staffing.block_minutes
    block = out["starts_at"].dt.floor(f"{minutes}min")
    for date in day.unique():
        rows = out[later & (day == date) & (out["open_seconds"] > 0)]
        if rows.empty:
            continue
        spare = rows["agents_net"] * rows["open_seconds"] / 3600
        spare = (spare * (most - rows["occupancy"].fillna(0.0)).clip(lower=0.0)).sum()
        missing = hours - float(spare)
        widest = rows.groupby("channel")["open_seconds"].sum().idxmax()
        rows = rows[rows["channel"] == widest]
        blocks = rows.groupby(block[rows.index])
        load = blocks["occupancy"].mean().sort_values(kind="stable")
        for start, people in _people(blocks["open_seconds"].sum()[load.index], most, missing):
            _add(out, rows.index[block[rows.index] == start], people)
    gross = out["agents_net"] / (1 - settings.staffing.shrinkage)
    changed = out["agents_net"] != frame["agents_net"]
    out.loc[changed, "agents_gross"] = np.ceil(gross[changed] * 100 - 1e-6) / 100
    return out


def _people(seconds: pd.Series, most: float, missing: float) -> Iterator[tuple[pd.Timestamp, int]]:
    """The agents to add in each block, the emptiest first, one after the other round by round until
    ``missing`` hours are there. Whole rounds are counted at once: a million hours take no longer
    than one."""
    if missing <= 1e-9:
        return
    hours = (seconds / 3600 * most).to_numpy()
    rounds = max(math.ceil((missing - 1e-9) / hours.sum()) - 1, 0)
    before = np.cumsum(hours) - hours  # of the last round, by the blocks before this one
    last = missing - rounds * hours.sum() - before > 1e-9
    for start, one_more in zip(seconds.index, last, strict=True):
        if people := rounds + int(one_more):
            yield start, people


def _add(out: pd.DataFrame, here: pd.Index, people: int) -> None:
    """So many agents more in these rows of one channel, and in their pool."""
    net = out.loc[here, "agents_net"]
    out.loc[here, "occupancy"] = out.loc[here, "occupancy"] * net / (net + people)
    out.loc[here, "agents_net"] = net + people
    first = out.loc[here[0]]
    same = (out["pool"] == first["pool"]) & out["starts_at"].isin(out.loc[here, "starts_at"])
    same &= out["open_seconds"] > 0
    out.loc[same, "pool_agents"] = out.loc[same, "pool_agents"] + people
