"""A staffing plan on trial: the simulated company is staffed as planned and measured.

Its contact centre shares no code with the queueing models that made the plan. Real-time contacts
are in time when an agent answers within the target; backlog contacts when the answer is out by
their due time. Contacts that are due after the days that were run are not judged.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.settings import ServiceLevel, Settings
from data.simulate import Company, DayOutcome
from features.opening import hours_of, local_days, open_seconds
from models.bootstrap import bootstrap
from models.queueing import BacklogGrid, due_seconds

HOUR = 3600.0


def staffed_as_planned(
    company: Company, plan: pd.DataFrame, settings: Settings, *, days: int, futures: int = 2
) -> pd.DataFrame:
    """What customers got over ``days`` in ``futures`` different futures of ``company``.

    The company rosters by the hour, so the plan's intervals must be hours. A row per channel:
    ``channel, contacts, promised, achieved, achieved_low, achieved_high, days_kept, confidence,
    reachable, lost_share, occupancy``. ``promised`` and ``achieved`` are shares answered in time
    (``achieved_low`` and ``_high``: the 95 % interval over resampled days), ``reachable`` the most
    that any staffing could, ``days_kept`` the share of days that kept the promise and
    ``confidence`` what share the plan expects to; ``occupancy`` is handling over available time.
    """
    staffing = plan.rename(columns={"agents_net": "agents"})[["channel", "starts_at", "agents"]]
    start = pd.Timestamp(plan["starts_at"].min())
    end = start + pd.Timedelta(days=days)
    planned = plan[plan["starts_at"] < end]
    parts, work = [], pd.DataFrame()
    for future in range(1, futures + 1):
        run = _run(company.clone(seed=future), staffing, days)
        parts.append(_judged(run, settings, start).assign(future=future))
        work = work.add(_work(run), fill_value=0.0)
    judged = pd.concat(parts, ignore_index=True)
    judged["day"] = local_days(judged["opened_at"].to_numpy(), settings.company.time_zone)
    rows = []
    for channel, part in judged.groupby("channel"):
        level = settings.service_levels[str(channel)]
        each = part.groupby(["future", "day"])
        daily, days_of = each["good"].mean(), each.ngroup()
        good = part["good"].to_numpy(np.float64)
        share = bootstrap(_mean_share, good, good, groups=days_of.to_numpy())
        mine = planned[planned["channel"] == channel]
        expected = mine.loc[mine["confidence"].notna() & (mine["volume"] > 0), "confidence"]
        rows.append(
            {
                "channel": channel,
                "contacts": len(part),
                "promised": level.share,
                "achieved": share.estimate,
                "achieved_low": share.low,
                "achieved_high": share.high,
                "days_kept": float((daily >= level.share - 1e-9).mean()),
                "confidence": float(expected.mean()),
                "reachable": _reachable(mine),
                "lost_share": float(part["abandoned_at"].notna().mean()),
                "occupancy": float(work["busy"][channel] / max(work["staffed"][channel], 1e-9)),
            }
        )
    return pd.DataFrame(rows)


def _mean_share(y: Floats, prediction: Floats, *, weights: Floats) -> float:
    return float(np.average(y, weights=weights))


def _reachable(plan: pd.DataFrame) -> float:
    rows = plan[plan["reachable"].notna() & (plan["volume"] > 0)]
    if rows.empty:
        return 1.0
    return float(np.average(rows["reachable"], weights=rows["volume"]))


def _run(company: Company, staffing: pd.DataFrame, days: int) -> list[DayOutcome]:
    return [company.step(staffing=staffing) for _ in range(days)]


def _work(run: list[DayOutcome]) -> pd.DataFrame:
    """Agents' hours by channel: ``busy`` with contacts, and ``staffed``."""
    hours = {
        "busy": np.sum([day.load.sum(axis=1) for day in run], axis=0),
        "staffed": np.sum([day.agents.sum(axis=1) for day in run], axis=0),
    }
    return pd.DataFrame(hours, index=list(run[0].words.channels))


def _judged(run: list[DayOutcome], settings: Settings, start: pd.Timestamp) -> pd.DataFrame:
    """The contacts of one future, each with ``good``: answered in time."""
    days = len(run)
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
            opening = hours_of(settings, str(channel), hours.to_numpy("datetime64[us]"))
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
    seconds = (part["end"] - hours[0]).dt.total_seconds().to_numpy()
    return part.assign(good=seconds <= due)[due <= grid.edges[-1]]
