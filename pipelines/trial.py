"""A staffing plan on trial: the simulated company is staffed as planned and measured.

Its contact centre shares no code with the queueing models that made the plan. Real-time contacts
are in time when an agent answers within the target; backlog contacts when the answer is out by
their due time. Contacts that are due after the days that were run are not judged.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.settings import ServiceLevel, Settings
from data.simulate import Company
from models.queueing import BacklogGrid, due_seconds
from serving.staffing.hours import local_days, open_seconds

HOUR = 3600.0


def staffed_as_planned(
    company: Company, plan: pd.DataFrame, settings: Settings, *, days: int, futures: int = 2
) -> pd.DataFrame:
    """What customers got over ``days`` in ``futures`` different futures of ``company``.

    The company rosters by the hour, so the plan's intervals must be hours. A row per channel:
    ``channel, contacts, promised, achieved, days_kept, confidence, reachable, lost_share``.
    ``promised`` and ``achieved`` are shares answered in time, ``reachable`` the most that any
    staffing could, ``days_kept`` the share of days that kept the promise and ``confidence`` what
    share the plan expects to.
    """
    staffing = plan.rename(columns={"agents_net": "agents"})[["channel", "starts_at", "agents"]]
    start = pd.Timestamp(plan["starts_at"].min())
    judged = pd.concat(
        [_judged(company.clone(seed=future), staffing, settings, start, days).assign(future=future)
         for future in range(1, futures + 1)],
        ignore_index=True,
    )  # fmt: skip
    judged["day"] = local_days(judged["opened_at"].to_numpy(), settings.company.time_zone)
    rows = []
    for channel, part in judged.groupby("channel"):
        level = settings.service_levels[str(channel)]
        daily = part.groupby(["future", "day"])["good"].mean()
        expected = plan.loc[plan["channel"] == channel, "confidence"]
        rows.append(
            {
                "channel": channel,
                "contacts": len(part),
                "promised": level.share,
                "achieved": float(part["good"].mean()),
                "days_kept": float((daily >= level.share - 1e-9).mean()),
                "confidence": float(expected.mean()),
                "reachable": _reachable(plan[plan["channel"] == channel]),
                "lost_share": float(part["abandoned_at"].notna().mean()),
            }
        )
    return pd.DataFrame(rows)


def _reachable(plan: pd.DataFrame) -> float:
    rows = plan[plan["reachable"].notna() & (plan["volume"] > 0)]
    if rows.empty:
        return 1.0
    return float(np.average(rows["reachable"], weights=rows["volume"]))


def _judged(
    company: Company, staffing: pd.DataFrame, settings: Settings, start: pd.Timestamp, days: int
) -> pd.DataFrame:
    """The contacts of one future, each with ``good``: answered in time."""
    run = [company.step(staffing=staffing) for _ in range(days)]
    contacts = pd.concat([day.contacts() for day in run], ignore_index=True)
    answers = pd.concat(
        pd.DataFrame(
            {
                "ticket_id": [f"t{key}" for key in day.events["key"]],
                "begin": day.events["begin"].astype("datetime64[us]"),
                "end": day.events["end"].astype("datetime64[us]"),
            }
        )
        for day in run
    )
    contacts = contacts.merge(answers, on="ticket_id", how="left")
    hours = pd.date_range(start, periods=24 * days, freq="h", unit="us")
    parts = []
    for channel, part in contacts.groupby("channel"):
        level = settings.service_levels.get(str(channel))
        if level is not None:
            opening = settings.opening_hours.get(str(channel))
            parts.append(_in_time(part, level, opening, hours, settings.company.time_zone))
    return pd.concat(parts, ignore_index=True)


def _in_time(
    part: pd.DataFrame,
    level: ServiceLevel,
    opening: object,
    hours: pd.DatetimeIndex,
    time_zone: str,
) -> pd.DataFrame:
    target = level.target_seconds or 0.0
    opened = open_seconds(hours, HOUR, opening, time_zone)  # type: ignore[arg-type]
    if level.kind == "real_time":
        at = ((part["opened_at"] - hours[0]) // pd.Timedelta("1h")).to_numpy()
        offered = part[(at < len(hours)) & (opened[np.clip(at, 0, len(hours) - 1)] > 0)]
        waited = (offered["begin"] - offered["opened_at"]).dt.total_seconds()
        return offered.assign(good=waited <= target)
    grid = BacklogGrid(np.arange(len(hours) + 1, dtype=np.float64) * HOUR, opened)
    arrived = (part["opened_at"] - hours[0]).dt.total_seconds().to_numpy()
    due = due_seconds(grid, arrived, target, level.clock)
    done = (part["end"] - hours[0]).dt.total_seconds().to_numpy()
    return part.assign(good=done <= due)[due <= grid.edges[-1]]
