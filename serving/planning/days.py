"""A plan by local day and by channel: what is promised, what is expected, and where it is at risk.

A local day of a clock change has 23 or 25 hours; its intervals are told apart by their start.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.settings import Settings
from features.calendar import local_times
from serving.published import Published
from serving.staffing.gate import by_chance

TOLERANCE = 0.005
"""A promise missed by less is kept, as far as 200 scenarios can tell. A plan that was played says
in how many ``runs``: its confidence may miss by what chance does to so few."""
COLUMNS = (
    "day", "channel", "starts_at", "ends_at", "volume", "volume_forecast", "agents_net_most",
    "hours_net", "hours_gross", "cost", "service_level", "share", "confidence",
    "confidence_promised", "reachable", "backlog", "state",
)  # fmt: skip
SURE = "sure"
AT_RISK = "at risk"
OUT_OF_REACH = "out of reach"


def hours(frame: pd.DataFrame) -> pd.Series:
    """The open hours of each interval."""
    return frame["open_seconds"] / 3600


def expected_level(frame: pd.DataFrame) -> float:
    """The share of the offered contacts expected within the target, NaN where none is offered."""
    known = frame["service_level"].notna() & (frame["volume"] > 0)
    offered = float(frame.loc[known, "volume"].sum())
    in_time = float((frame["service_level"] * frame["volume"])[known].sum())
    return in_time / offered if offered > 0 else float("nan")


def day_names(starts: pd.Series, time_zone: str) -> pd.Series:
    """The local date of each interval, YYYY-MM-DD."""
    local = pd.DatetimeIndex(local_times(starts.to_numpy(), time_zone))
    return pd.Series(local.strftime("%Y-%m-%d"), index=starts.index)


def by_day(plan: Published, settings: Settings) -> pd.DataFrame:
    """A row per channel and local day.

    ``day, channel, starts_at, ends_at`` (UTC), ``volume`` and ``volume_forecast`` (contacts),
    ``agents_net_most`` (people answering at the busiest time), ``hours_net, hours_gross`` (agent
    hours), ``cost`` (gross hours at ``[staffing] hourly_cost``), ``service_level, share`` (expected
    and promised), ``confidence, confidence_promised``, ``reachable``, ``backlog`` (contacts waiting
    at the day's end) and ``state``: sure, at risk (the promise is kept in fewer scenarios than
    wanted), or out of reach (no staffing of these opening hours keeps it).
    """
    frame = plan.frame
    if frame.empty:
        return pd.DataFrame()
    named = frame.assign(
        day=day_names(frame["starts_at"], settings.company.time_zone),
        hours_net=frame["agents_net"] * hours(frame),
        hours_gross=frame["agents_gross"] * hours(frame),
    )
    known = named["service_level"].notna() & (named["volume"] > 0)
    named["offered"] = named["volume"].where(known, 0.0)
    named["in_time"] = (named["service_level"] * named["volume"]).where(known, 0.0)
    days = named.groupby(["day", "channel"], sort=True, as_index=False).agg(
        starts_at=("starts_at", "min"),
        ends_at=("ends_at", "max"),
        volume=("volume", "sum"),
        volume_forecast=("volume_forecast", "sum"),
        agents_net_most=("agents_net", "max"),
        hours_net=("hours_net", "sum"),
        hours_gross=("hours_gross", "sum"),
        offered=("offered", "sum"),
        in_time=("in_time", "sum"),
        confidence=("confidence", "last"),  # the last that is known
        reachable=("reachable", "last"),
        backlog=("backlog", "last"),
        kind=("kind", "first"),
    )
    levels = [settings.service_levels.get(str(channel)) for channel in days["channel"]]
    days["cost"] = days["hours_gross"] * settings.staffing.hourly_cost
    days["service_level"] = days["in_time"] / days["offered"].where(days["offered"] > 0)
    days["share"] = [level.share if level else np.nan for level in levels]
    days["confidence_promised"] = [level.confidence if level else np.nan for level in levels]
    days["backlog"] = days["backlog"].where(days["kind"] == "backlog")
    judged = (days["volume"] > 0) & days["confidence"].notna()
    out_of_reach = judged & (days["reachable"] < days["share"] - TOLERANCE)
    runs = plan.about.get("runs")
    promised = days["confidence_promised"]
    allowed = promised.map(lambda one: by_chance(one, runs)) if runs else TOLERANCE
    at_risk = judged & (days["confidence"] < promised - allowed)
    days["state"] = np.select([out_of_reach, at_risk], [OUT_OF_REACH, AT_RISK], SURE)
    return days[list(COLUMNS)]


def totals(frame: pd.DataFrame, settings: Settings) -> dict[str, float]:
    """A plan's sums: contacts, agent hours net and gross, full-time equivalents, cost, peak."""
    if frame.empty:
        return dict.fromkeys(
            ("contacts", "hours_net", "hours_gross", "cost", "people_most", "service_level"), 0.0
        )
    at_once = frame.groupby("starts_at")["agents_gross"].sum()
    gross = float((frame["agents_gross"] * hours(frame)).sum())
    return {
        "contacts": float(frame["volume"].sum()),
        "hours_net": float((frame["agents_net"] * hours(frame)).sum()),
        "hours_gross": gross,
        "cost": gross * settings.staffing.hourly_cost,
        "people_most": float(np.ceil(at_once.max() - 1e-9)),
        "service_level": expected_level(frame),
    }
