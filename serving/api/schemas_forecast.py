"""What the planners' reads answer with, as types: forecasts, accuracy, counts, plans, reasons."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType


class ForecastRow(
    Struct,
    rename={
        "median": "presage-median",
        "lo_80": "presage-lo-80",
        "hi_80": "presage-hi-80",
        "lo_95": "presage-lo-95",
        "hi_95": "presage-hi-95",
        "outreach_lo_95": "outreach-lo-95",
        "outreach_hi_95": "outreach-hi-95",
        "outreach_averted": "outreach-averted",
        "outreach_induced": "outreach-induced",
        "outreach_held": "outreach-held",
    },
):
    """A step of a series: the mean, which adds up, median and intervals (those that ``[volume]
    levels`` names), and ``overridden``, the number with the planners' changes, null without.
    ``outreach``: what of ``presage`` is measured outreach, with interval and parts; absent: none is
    measured (docs/volume.md)."""

    unique_id: str
    ds: datetime
    presage: float
    median: float | UnsetType = UNSET
    lo_80: float | UnsetType = UNSET
    hi_80: float | UnsetType = UNSET
    lo_95: float | UnsetType = UNSET
    hi_95: float | UnsetType = UNSET
    overridden: float | None = None
    outreach: float | UnsetType = UNSET
    outreach_lo_95: float | UnsetType = UNSET
    outreach_hi_95: float | UnsetType = UNSET
    outreach_averted: float | UnsetType = UNSET
    outreach_induced: float | UnsetType = UNSET
    outreach_held: float | UnsetType = UNSET


class ForecastPage(Struct):
    """A page of a forecast; ``next`` is the cursor of the following page, or null."""

    items: list[ForecastRow]
    as_of: datetime
    published_at: datetime
    next: str | None


class AccuracyRow(Struct):
    """How far off one series was: WAPE beside two plain rules, of steps and of whole days."""

    unique_id: str
    trials: int
    mean_count: float | None
    presage: float | None
    seasonal_naive: float | None
    mean_of_8: float | None
    presage_days: float | None = None
    seasonal_naive_days: float | None = None
    mean_of_8_days: float | None = None
    within_days: float | None = None


class AccuracyPage(Struct):
    """A page of accuracies; ``next`` is the cursor of the following page, or null."""

    items: list[AccuracyRow]
    as_of: datetime
    published_at: datetime
    next: str | None


class ActualRow(Struct):
    """A count that came: ``y`` contacts in the step from ``ds`` on."""

    unique_id: str
    ds: datetime
    y: float | None


class ActualsPage(Struct):
    """A page of counts; ``next`` is the cursor of the following page, or null."""

    items: list[ActualRow]
    as_of: datetime
    published_at: datetime
    next: str | None


class StaffingRow(Struct):
    """People for one channel and interval; docs/staffing.md says what each number means."""

    channel: str
    starts_at: datetime
    agents_gross: float | None
    agents_net: float | None = None
    ends_at: datetime | None = None
    volume: float | None = None
    volume_lo_80: float | None = None
    volume_hi_80: float | None = None
    volume_forecast: float | None = None
    planned_volume: float | None = None
    handle_seconds: float | None = None
    open_seconds: float | None = None
    service_level: float | None = None
    confidence: float | None = None
    reachable: float | None = None
    occupancy: float | None = None
    abandonment: float | None = None
    backlog: float | None = None
    asa_seconds: float | None = None
    gain_per_hour: float | None = None
    kind: str | None = None


class StaffingPage(Struct):
    """A page of the plan; ``next`` is the cursor of the following page, or null."""

    items: list[StaffingRow]
    as_of: datetime
    published_at: datetime
    next: str | None


class RosterRow(Struct):
    """A shift; ``day`` is the date in the agent's ``time_zone``, ``skills`` the channels
    joined by ``+``."""

    agent_id: str
    day: str
    starts_at: datetime
    ends_at: datetime
    break_starts_at: datetime | None
    break_ends_at: datetime | None
    paid_hours: float
    cost: float
    skills: str
    time_zone: str


class RosterWeek(Struct):
    """How a week's search ended: its cost, what no roster goes below, the gap as a share."""

    first_day: str
    search_cost: float
    bound: float
    gap: float
    seconds: float
    ended_by_clock: bool


class RosterPage(Struct):
    """A page of shifts. ``stale``: the plan in force needs others than they were made for."""

    items: list[RosterRow]
    as_of: datetime
    published_at: datetime
    stale: bool
    weeks: list[RosterWeek]
    next: str | None


class GapRow(Struct):
    """People on one channel for a whole interval: needed by the plan in force, rostered, and
    ``gap``, rostered less needed: below 0 so many are missing."""

    channel: str
    starts_at: datetime
    ends_at: datetime
    needed: float
    rostered: float
    gap: float


class GapPage(Struct):
    """A page of gaps; ``next`` is the cursor of the following page, or null."""

    items: list[GapRow]
    as_of: datetime
    published_at: datetime
    next: str | None


class Member(Struct):
    """One forecasting method's say: its own forecast, its weight, and the product."""

    member: str
    forecast: float
    weight: float
    part: float


class Before(Struct):
    """What an earlier forecast said of the same step."""

    presage: float
    issued_at: datetime


class Change(Struct):
    """What moved a number ``since`` an earlier forecast's as-of time: all between ``before`` and
    ``after`` adds up to their difference.
    """

    since: datetime
    before: float
    model: float
    corrected: float
    calendar: float
    new_counts: float
    drivers: float
    today: float
    outreach: float
    one_number: float
    after: float


class Explained(Struct):
    """One number taken apart. The members' parts add up to ``combined``; with ``reconciled`` (what
    adding up moved it by) and times ``adjusted`` (the one number, today so far) it is ``presage``.
    ``holiday_effect`` and ``event_effect`` are in every member, ``load`` in those with drivers.
    ``before``: the same step in the forecast that was in force a day before this one's as-of time,
    or null. ``change``: what moved it since the forecast before, or null.
    """

    unique_id: str
    ds: datetime
    presage: float
    combined: float
    holiday_effect: float
    event_effect: float
    load: float
    reconciled: float
    adjusted: float
    members: list[Member]
    before: Before | None
    change: Change | None
