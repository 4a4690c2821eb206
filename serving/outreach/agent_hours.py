"""Agent hours of a day that the staffing plan leaves for outreach.

Only backlog channels leave any: their work waits for whoever comes back from a call. Idle minutes
of real-time channels are what makes their service level, and are nobody's to give away.
"""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from data.settings import Settings


def hours_left(
    plan: pd.DataFrame, settings: Settings, begin: datetime, end: datetime
) -> float | None:
    """Hours in [begin, end) in which agents of backlog channels are neither busy nor needed to stay
    below ``[staffing] max_occupancy``; None where the plan says nothing of that time.

    ``plan``: as ``presage staff`` writes it.
    """
    starts = plan["starts_at"]
    day = plan[(starts >= begin) & (starts < end)]
    if day.empty:
        return None
    backlog = {name for name, level in settings.service_levels.items() if level.kind == "backlog"}
    own = day[day["channel"].isin(backlog)]
    free = (settings.staffing.max_occupancy - own["occupancy"].fillna(0.0)).clip(lower=0.0)
    hours = own["agents_net"] * own["open_seconds"] / 3600.0 * free
    return float(hours.sum())
