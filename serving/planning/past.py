"""How the forecast did on the days that have passed, day by day, beside the same day a week ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from data.store import Publication, publication, publications
from serving.desk import Desk
from serving.planning.days import day_names

WEEK = pd.Timedelta(days=7)


def past_days(desk: Desk, unique_id: str) -> pd.DataFrame:
    """A row per local day that has counts: ``day, ds, y``, ``presage`` (what the forecast in force
    at the day's start said, NaN where none was), ``naive`` (the same day a week before), and the
    absolute ``error`` and ``error_naive`` of both, in contacts of the whole day.
    """
    frame = desk.published("actuals").frame
    rows = frame[(frame["unique_id"] == unique_id) & frame["y"].notna()]
    zone = desk.workspace.settings.company.time_zone
    if rows.empty:
        return pd.DataFrame()
    rows = rows.assign(day=day_names(rows["ds"], zone))
    shifted = rows.assign(ds=rows["ds"] + WEEK)[["ds", "y"]].rename(columns={"y": "naive"})
    rows = rows.merge(shifted, on="ds", how="left")
    issued = publications(desk.store, "forecast")  # the newest first

    @lru_cache(maxsize=2)
    def frames(seq: int) -> pd.DataFrame:
        issue = publication(desk.store, "forecast", seq)
        assert issue is not None
        return issue[1]

    days = []
    for day, part in rows.groupby("day", sort=True):
        starts = part["ds"].min().to_pydatetime()
        issued_sum = _as_issued(issued, frames, unique_id, starts, part["ds"])
        y = float(part["y"].sum())
        naive = float(part["naive"].sum()) if part["naive"].notna().all() else np.nan
        row: dict[str, Any] = {
            "day": day,
            "ds": starts,
            "y": y,
            "presage": issued_sum,
            "naive": naive,
        }
        days.append({**row, "error": abs(issued_sum - y), "error_naive": abs(naive - y)})
    return pd.DataFrame(days)


def _as_issued(
    issued: list[Publication],
    frames: Callable[[int], pd.DataFrame],
    unique_id: str,
    starts: datetime,
    steps: pd.Series,
) -> float:
    """What the forecast in force at ``starts`` said of these steps in all, NaN where it did not."""
    then = next((one for one in issued if one.issued_at <= starts), None)
    if then is None:
        return float("nan")
    frame = frames(then.seq)
    rows = frame[(frame["unique_id"] == unique_id) & frame["ds"].isin(steps)]
    return float(rows["presage"].sum()) if len(rows) == len(steps) else float("nan")
