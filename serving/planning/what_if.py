"""What if: the plan in force beside the same plan under a planner's assumptions.

Both are planned by the same function from the same forecast; a what-if that changes nothing is the
plan in force itself. Two days before the span are planned too, so that work carried into it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from data.errors import UsageError
from data.settings import Settings
from serving.desk import Desk
from serving.planning.assumptions import combined
from serving.planning.days import AT_RISK, OUT_OF_REACH, by_day, totals
from serving.planning.in_force import (
    assumed_in_force,
    plan_in_force,
    settings_in_force,
    standing_overrides,
    standing_with,
)
from serving.planning.spans import local_days_of
from serving.published import Published
from serving.staffing.changes import EVERY, Changes

WEEK = timedelta(days=7)
LEAD = 2
"""Local days planned before the span, whose backlog reaches into it."""
RANGE = (0.5, 0.8, 0.9)
STEPS = (("volume", 0.1), ("handle", 0.1), ("shrinkage", 0.05), ("share", 0.05))


@dataclass(frozen=True)
class Compared:
    """Two plans of one span: in force, with its ``totals``, and as assumed; ``settings`` are those
    assumed, ``runs`` those in which the plan in force was played."""

    before: pd.DataFrame
    after: pd.DataFrame
    settings: Settings
    totals: Mapping[str, float]
    runs: int | None = None

    def sums(self, cost: float | None = None) -> dict[str, dict[str, float]]:
        """Both plans' totals and their difference; ``cost``: money an agent hour costs after."""
        assumed = self.settings
        if cost is not None:
            assumed = replace(assumed, staffing=replace(assumed.staffing, hourly_cost=cost))
        totals_of = {
            "before": dict(self.totals),
            "after": _sums(self.after, assumed, self.runs),
        }
        change = {
            name: totals_of["after"][name] - totals_of["before"][name]
            for name in totals_of["before"]
        }
        return {**totals_of, "change": change}

    def rows(self) -> pd.DataFrame:
        """A row per channel and interval: people and service level, before and after."""
        keys, values = ["channel", "starts_at"], ["volume", "agents_net", "agents_gross"]
        values += ["service_level", "confidence"]
        return self.before[[*keys, "ends_at", *values]].merge(
            self.after[[*keys, *values]], on=keys, how="outer", suffixes=("_before", "")
        )


def _sums(frame: pd.DataFrame, settings: Settings, runs: int | None) -> dict[str, float]:
    days = by_day(Published(frame, {"runs": runs}), settings)
    states = days["state"].value_counts() if len(days) else {}
    return {
        **totals(frame, settings),
        "days_at_risk": float(states.get(AT_RISK, 0)),
        "days_out_of_reach": float(states.get(OUT_OF_REACH, 0)),
    }


def span_of(
    desk: Desk, starts: datetime | None, ends: datetime | None
) -> tuple[datetime, datetime]:
    """The span to plan: as asked, at whole local days; default: seven days from today on.

    UsageError where it lies outside the plan.
    """
    frame = plan_in_force(desk).frame
    days = local_days_of(frame["starts_at"], desk.workspace.settings.company.time_zone)
    last = frame["ends_at"].max().to_pydatetime()
    begin = starts if starts is not None else max(desk.now(), days[0])
    if begin >= last:
        begin = days[max(len(days) - 7, 0)] if starts is None else begin
    until = ends if ends is not None else begin + WEEK
    if until <= begin:
        raise UsageError(f"to={until} is not after from={begin}")
    if begin >= last or until <= days[0]:
        raise UsageError(f"{begin} to {until} lies outside the plan ({days[0]} to {last})")
    first = max((day for day in days if day <= begin), default=days[0])
    return first, min((day for day in [*days, last] if day >= until), default=last)


def compare(
    desk: Desk,
    changes: Changes,
    starts: datetime | None,
    ends: datetime | None,
    instead: bool = False,
) -> Compared:
    """The plan in force and the plan under ``changes`` over a span (``span_of``).

    ``changes`` come on top of the published scenario's assumptions, or ``instead`` of them.
    """
    first, last = span_of(desk, starts, ends)
    before = _between(plan_in_force(desk).frame, first, last)
    settings = settings_in_force(desk)
    standing = assumed_in_force(desk)
    assumed = changes if instead else combined(standing, changes)
    runs = plan_in_force(desk).about.get("runs")
    span = (published_digest(desk), first, last)
    totals = desk.plans.recall(("totals", *span), partial(_sums, before, settings, runs))
    if assumed == standing:
        return Compared(before, before, settings, totals, runs)
    key = ("what if", *span, repr(assumed))
    after = desk.plans.recall(key, partial(_planned, desk, assumed, first, last))
    return Compared(before, after, assumed.settings(desk.workspace.settings), totals, runs)


def published_digest(desk: Desk) -> str:
    """Another value once another plan is in force."""
    return str(plan_in_force(desk).about["sha256"])


def _planned(desk: Desk, assumed: Changes, first: datetime, last: datetime) -> pd.DataFrame:
    frame = plan_in_force(desk).frame
    standing = standing_with(desk, standing_overrides(desk))
    standing = replace(standing, basis=replace(standing.basis, plan=frame))
    days = local_days_of(frame["starts_at"], standing.settings.company.time_zone)
    lead = days[max(days.index(first) - LEAD, 0)] if first in days else first
    return _between(standing.plan(assumed, begin=lead, end=last), first, last)


def _between(frame: pd.DataFrame, first: datetime, last: datetime) -> pd.DataFrame:
    inside = (frame["starts_at"] >= first) & (frame["starts_at"] < last)
    return frame[inside].reset_index(drop=True)


def people_range(desk: Desk, starts: datetime | None, ends: datetime | None) -> pd.DataFrame:
    """The people that keep the promise in 50, 80 and 90 % of scenarios, beside the plan's.

    ``channel, starts_at, ends_at, agents_net, agents_gross``, and ``agents_net_50`` and so on.
    """
    first, last = span_of(desk, starts, ends)
    frame = plan_in_force(desk).frame
    keys = ["channel", "starts_at"]
    out = _between(frame, first, last)[[*keys, "ends_at", "agents_net", "agents_gross"]]
    for share in RANGE:
        assumed = combined(assumed_in_force(desk), Changes(confidence={EVERY: share}))
        key = ("range", published_digest(desk), first, last, share)
        people = desk.plans.recall(key, partial(_planned, desk, assumed, first, last))
        name = f"{round(100 * share)}"
        people = people[[*keys, "agents_net", "agents_gross"]].rename(
            columns={"agents_net": f"agents_net_{name}", "agents_gross": f"agents_gross_{name}"}
        )
        out = out.merge(people, on=keys, how="left")
    return out


def tornado(desk: Desk, starts: datetime | None, ends: datetime | None) -> list[dict[str, Any]]:
    """What each assumption is worth: paid hours with it a step lower and a step higher, the largest
    swing first; ``share`` is the price of five points of service level.
    """
    settings = settings_in_force(desk)
    planned = set(plan_in_force(desk).frame["channel"].astype(str))
    levels = {name: level for name, level in settings.service_levels.items() if name in planned}
    settings = replace(settings, service_levels=levels)
    swings = []
    for name, step in STEPS:
        gross = []
        for sign in (-1, 1):
            after = compare(desk, _moved(settings, name, sign * step), starts, ends)
            gross.append(totals(after.after, after.settings)["hours_gross"])
        swings.append({"assumption": name, "step": step, "lower": gross[0], "higher": gross[1]})
    return sorted(swings, key=lambda one: -abs(one["higher"] - one["lower"]))


def _moved(settings: Settings, name: str, step: float) -> Changes:
    if name == "volume":
        return Changes(volume={EVERY: 1 + step})
    if name == "handle":
        return Changes(handle={EVERY: 1 + step})
    if name == "shrinkage":
        return Changes(shrinkage=float(np.clip(settings.staffing.shrinkage + step, 0, 0.95)))
    levels = settings.service_levels
    return Changes(
        share={
            channel: float(np.clip(level.share + step, 0.01, 0.99))
            for channel, level in levels.items()
        }
    )
