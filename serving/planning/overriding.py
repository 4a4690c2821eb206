"""A planner's override: what it would change, what it meets, and what cannot be meant.

Overrides act one after the other: two factors over the same contacts multiply. That is said with
each (``overlaps``, ``notes``), and shown by its own effect beside all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

import numpy as np
import pandas as pd

from data.errors import UsageError, did_you_mean
from data.store import Override, overrides_of, read_forecast
from features.opening import hours_of, open_seconds
from serving.desk import Desk
from serving.overrides import overridden, value_added
from serving.planning.days import totals
from serving.planning.in_force import plan_in_force, settings_in_force, standing_with
from serving.planning.replanning import replanned
from serving.planning.spans import company_time, local_days_of, overlapping
from serving.planning.versions import locked


@dataclass(frozen=True)
class Effect:
    """Contacts of a series over an override's span, without it and with it."""

    contacts_before: float
    contacts_after: float


@dataclass(frozen=True)
class PlanEffect:
    """Paid hours and most people at a time on the days that it touches, without it and with it."""

    hours_gross_before: float
    hours_gross_after: float
    people_most_before: float
    people_most_after: float


def draft_of(
    desk: Desk,
    *,
    unique_id: str,
    starts_at: datetime,
    ends_at: datetime,
    factor: float | None,
    value: float | None,
    author: str,
    reason: str,
    expires_at: datetime | None,
) -> Override:
    """The override as it would be kept, numbered 0; UsageError names what cannot be meant."""
    frame, now = desk.published("forecast").frame, desk.now()
    ids = sorted(map(str, frame["unique_id"].unique()))
    if unique_id not in ids:
        raise UsageError(f"there is no unique_id {unique_id!r}.{did_you_mean(unique_id, ids)}")
    if not reason.strip():
        raise UsageError("reason is blank; say why, for whoever reads the plan later")
    if (factor is None) == (value is None):
        raise UsageError("give either factor or value, not both and not neither")
    zone = desk.workspace.settings.company.time_zone
    starts, ends = (
        company_time(starts_at, "starts_at", zone),
        company_time(ends_at, "ends_at", zone),
    )
    expires = None if expires_at is None else company_time(expires_at, "expires_at", zone)
    if ends <= starts:
        raise UsageError(f"ends_at {ends} UTC is not after starts_at {starts} UTC")
    if ends <= now:
        raise UsageError(
            f"{starts} to {ends} UTC lies in the past (it is {now:%Y-%m-%d %H:%M} UTC); an "
            "override changes what is still to come"
        )
    inside = frame["ds"].between(starts, ends, inclusive="left")
    if not inside.any():
        span = f"{frame['ds'].min()} to {frame['ds'].max()}"
        raise UsageError(f"no step of the forecast ({span}) lies from {starts} to {ends} UTC")
    ahead = frame.loc[inside & (frame["ds"] >= _step_start(frame, now)), "ds"]
    if ahead.empty:
        raise UsageError(f"no step of the forecast from {starts} to {ends} UTC is still to come")
    if expires is not None and expires <= now:
        raise UsageError(f"expires_at {expires} UTC has passed; it is {now:%Y-%m-%d %H:%M} UTC")
    starts = max(starts, ahead.min().to_pydatetime())
    return Override(0, unique_id, starts, ends, factor, value, author, reason.strip(), now, expires)


def _step_start(frame: pd.DataFrame, now: datetime) -> datetime:
    """The start of the forecast's first step that has not begun."""
    later = frame.loc[frame["ds"] >= now, "ds"]
    return later.min().to_pydatetime() if len(later) else datetime.max


def effect_of(forecast: pd.DataFrame, one: Override, others: Sequence[Override]) -> Effect:
    """What an override does beside ``others``."""
    rows = (forecast["unique_id"] == one.unique_id) & forecast["ds"].between(
        one.starts_at, one.ends_at, inclusive="left"
    )
    unchanged = forecast["presage"]
    without = overridden(forecast, list(others)).fillna(unchanged)[rows].sum()
    every = sorted([*others, one], key=lambda other: (other.seq == 0, other.seq))
    return Effect(float(without), float(overridden(forecast, every).fillna(unchanged)[rows].sum()))


def plan_effect(desk: Desk, draft: Override) -> PlanEffect:
    """What a draft would do to the plan in force on the days that it touches."""
    before, now = plan_in_force(desk).frame, desk.now()
    settings = settings_in_force(desk)
    in_force = overrides_of(desk.store, in_force_at=now)
    days = local_days_of(before["starts_at"], settings.company.time_zone)
    standing = standing_with(desk, [*in_force, draft])
    after = replanned(before, standing, [draft], now, days)
    first = max((day for day in days if day <= draft.starts_at), default=days[0])
    last = min((day for day in days if day >= draft.ends_at), default=datetime.max)
    sums = [
        totals(frame[(frame["starts_at"] >= first) & (frame["starts_at"] < last)], settings)
        for frame in (before, after)
    ]
    return PlanEffect(
        sums[0]["hours_gross"],
        sums[1]["hours_gross"],
        sums[0]["people_most"],
        sums[1]["people_most"],
    )


def notes_of(desk: Desk, one: Override, others: Sequence[Override]) -> list[str]:
    """What follows of an override that its author may not expect."""
    notes = []
    for other in overlapping(one.unique_id, one.starts_at, one.ends_at, others):
        what = f"x {other.factor:g}" if other.factor is not None else f"to {other.value:g} in all"
        notes.append(
            f"override {other.seq} by {other.author} ({other.unique_id} {what}: {other.reason}) "
            "changes some of the same contacts; both hold, one after the other"
        )
    closed = _closed(desk, one)
    if closed:
        notes.append(closed)
    if locked(desk.store) is not None:
        notes.append("the plan is locked: contacts move, people do not until it is unlocked")
    return notes


def _closed(desk: Desk, one: Override) -> str | None:
    """That the channel is closed all through the span, if it is."""
    if not one.unique_id.startswith("channel="):
        return None
    channel = unquote(one.unique_id.split("/")[0].removeprefix("channel="))
    settings = desk.workspace.settings
    length = (one.ends_at - one.starts_at).total_seconds()
    starts = np.array([one.starts_at], "datetime64[us]")
    hours = hours_of(settings, channel, np.array([one.starts_at, one.ends_at], "datetime64[us]"))
    if hours is None:
        return None
    if open_seconds(starts, length, hours, settings.company.time_zone).sum() > 0:
        return None
    level = settings.service_levels.get(channel)
    if level is not None and level.kind == "real_time":
        return f"{channel} is closed in all of this span: contacts move, people do not"
    return f"{channel} is closed in all of this span: its contacts wait for the next opening"


def state_of(one: Override, now: datetime) -> str:
    """In force, withdrawn, expired, or over: its span has passed."""
    if one.withdrawn_at is not None and one.withdrawn_at <= now:
        return "withdrawn"
    if one.expires_at is not None and one.expires_at <= now:
        return "expired"
    return "over" if one.ends_at <= now else "in force"


def result_of(desk: Desk, one: Override, every: Sequence[Override]) -> dict[str, float] | None:
    """By how much an override came nearer than the forecast that it changed; None without counts.

    Only hours count that began while it was in force.
    """
    issue = read_forecast(desk.store, one.created_at)
    if issue is None:
        return None
    before = issue[1]
    earlier = [other for other in every if other.seq < one.seq and other.in_force(one.created_at)]
    if earlier:
        overridden_then = overridden(before, earlier).fillna(before["presage"])
        before = before.assign(presage=overridden_then)
    held = before["ds"] >= one.created_at
    if one.ended_at is not None:
        held &= before["ds"] < one.ended_at
    changed = overridden(before, [one])
    actuals = desk.published("actuals").frame
    return value_added(before[held], changed[held], actuals, one)
