"""What goes in and out of the planners' calls, as types; the rest is in ``schemas.py``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1, max_length=2000)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Factors = float | dict[str, float]
Share = Annotated[float, Meta(gt=0, le=1)]
Seconds = Annotated[float, Meta(gt=0, le=1e8)]


class Target(Struct):
    """What a channel promises: see ``[service_levels]``."""

    channel: str
    kind: str
    target_seconds: float | None
    share: float
    confidence: float
    concurrency: float
    patience_seconds: float | None
    opening_hours: dict[str, str] | None


class PlanLock(Struct):
    """The version that is held in force, by whom, why, since when."""

    version: int
    author: str
    reason: str
    since: datetime


class FailingDay(Struct):
    """A day of a channel that was ``kept`` in too few of the runs in which the plan was played, and
    the start of the interval in which most was lost."""

    channel: str
    day: str
    kept: float
    promised: float
    worst_at: datetime


class Planning(Struct):
    """What the planners' page is about: channels, time zone, freshness, promises, the plan's
    version. ``stale``: the plan stands on knowledge that is older than a day and a half.
    ``failing``: days that the plan failed when it was played, the worst first. ``roster``: when one
    was published, ``monitored``: as of when the monitor looked; null where nothing is."""

    time_zone: str
    channels: list[str]
    freq: str | None
    as_of: datetime
    published_at: datetime
    model_version: str | None
    now: datetime
    stale: bool
    currency: str
    shrinkage: float
    max_occupancy: float
    hourly_cost: float
    targets: list[Target]
    series: list[str]
    first: datetime
    last: datetime
    version: int | None
    scenario: str | None
    replanned: bool
    overrides: list[int]
    lock: PlanLock | None
    key: str
    failing: list[FailingDay] = []
    roster: datetime | None = None
    monitored: datetime | None = None


class NewOverride(Struct, forbid_unknown_fields=True):
    """A planner's change to one series for steps in [starts_at, ends_at): times ``factor``, or to
    ``value`` contacts in all. Times without a zone are the company's. ``author`` is the key's name
    (another one is refused); ``expires_at``: default never.
    """

    unique_id: Annotated[str, Meta(min_length=1, max_length=500)]
    starts_at: datetime
    ends_at: datetime
    reason: Text
    factor: Annotated[float, Meta(ge=0, le=1000)] | None = None
    value: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    author: Name | None = None
    expires_at: datetime | None = None


class OverrideResult(Struct):
    """What became of an override: sums of absolute errors over the ``steps`` that have a count,
    and ``value_added``, the forecast's own minus the changed one's."""

    steps: float
    error: float
    error_overridden: float
    value_added: float


class OverrideEffect(Struct):
    """What an override does by itself: contacts of its series over its span without it and with it,
    beside all others in force; after ``preview`` also paid hours of the plan over its days."""

    contacts_before: float
    contacts_after: float
    hours_gross_before: float | None = None
    hours_gross_after: float | None = None
    people_most_before: float | None = None
    people_most_after: float | None = None


class OverrideKept(Struct):
    """An override as kept; ``result`` is null while no step of it has a count.

    ``state``: in force, withdrawn, expired, or over (its span has passed). ``overlaps``: numbers of
    the overrides in force that change some of the same contacts; ``notes`` say what follows.
    """

    override_id: str
    unique_id: str
    starts_at: datetime
    ends_at: datetime
    factor: float | None
    value: float | None
    author: str
    reason: str
    created_at: datetime
    expires_at: datetime | None
    result: OverrideResult | None = None
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None
    state: str = "in force"
    effect: OverrideEffect | None = None
    overlaps: list[str] = []
    notes: list[str] = []


class OverridePreview(Struct):
    """What an override would do; nothing is kept."""

    effect: OverrideEffect
    overlaps: list[OverrideKept]
    notes: list[str]


class AuthorResult(Struct):
    """What one author's overrides were worth in all: see ``OverrideResult``."""

    author: str
    overrides: int
    steps: float
    error: float
    error_overridden: float
    value_added: float


class Overrides(Struct):
    """All overrides, the oldest first, and what each author's were worth once counts are in."""

    items: list[OverrideKept]
    authors: list[AuthorResult] = []


class ClosedSpan(Struct, forbid_unknown_fields=True):
    """Closed in [starts_at, ends_at); without a channel: all are."""

    starts_at: datetime
    ends_at: datetime
    channel: str | None = None


class CampaignSpan(Struct, forbid_unknown_fields=True):
    """``contacts`` more on a channel in [starts_at, ends_at), spread as the forecast is."""

    channel: str
    starts_at: datetime
    ends_at: datetime
    contacts: Annotated[float, Meta(ge=0, le=1e9)]


class Promise(Struct, forbid_unknown_fields=True):
    """What a channel promises instead; left out, it stands."""

    share: Share | None = None
    target_seconds: Seconds | None = None
    confidence: Share | None = None
    patience_seconds: Seconds | None = None
    concurrency: Annotated[float, Meta(ge=1, le=50)] | None = None


class Assumed(Struct, forbid_unknown_fields=True, frozen=True):
    """What is otherwise than published. ``volume`` and ``handle_time`` are factors, ``prevented``
    the share of contacts that outreach keeps from arising: of all channels, or by channel.
    ``at_most``: people there are, by channel. ``outreach_hours``: agent hours a day for outreach.
    """

    volume: Factors = 1.0
    handle_time: Factors = 1.0
    prevented: Factors = 0.0
    shrinkage: float | None = None
    max_occupancy: float | None = None
    service_levels: dict[str, Promise] = {}
    closed: list[ClosedSpan] = []
    campaigns: list[CampaignSpan] = []
    outreach_hours: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    at_most: dict[str, Annotated[int, Meta(ge=0, le=100_000)]] = {}


class WhatIf(Struct, forbid_unknown_fields=True):
    """Assumptions, and the span to plan: default seven days from now, at most the plan's.
    ``hourly_cost``: money an agent's hour costs. ``sensitivity``: also what each assumption is
    worth."""

    assumed: Assumed = Assumed()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    hourly_cost: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    sensitivity: bool = False


class Sums(Struct):
    """A plan's sums over the span: people are paid ones, at the busiest time."""

    contacts: float
    hours_net: float
    hours_gross: float
    cost: float
    people_most: float
    service_level: float | None
    days_at_risk: float
    days_out_of_reach: float


class Swing(Struct):
    """Paid hours with an assumption a ``step`` lower and a step higher than in force."""

    assumption: str
    step: float
    lower: float
    higher: float


class WhatIfAnswer(Struct):
    """The plan in force beside the one assumed; nothing is kept. ``items``: a row per channel and
    interval, ``*_before`` in force. ``seconds``: how long planning took."""

    starts_at: datetime
    ends_at: datetime
    before: Sums
    after: Sums
    change: Sums
    items: list[dict[str, Any]]
    seconds: float
    sensitivity: list[Swing] = []


class NewScenario(Struct, forbid_unknown_fields=True):
    """Assumptions to keep under a name, as a draft."""

    name: Name
    reason: Text
    assumed: Assumed


class ScenarioKept(Struct):
    """A scenario, and its plan beside the one in force over the coming week."""

    scenario_id: str
    name: str
    author: str
    reason: str
    created_at: datetime
    published_at: datetime | None
    state: str
    assumed: dict[str, Any]
    before: Sums | None = None
    after: Sums | None = None


class Scenarios(Struct):
    """All scenarios, the oldest first."""

    items: list[ScenarioKept]


class PlanVersion(Struct):
    """A version of the plan: who put it in force, why, and what it stands on."""

    version: int
    published_at: datetime
    as_of: datetime
    author: str
    reason: str
    scenario: str | None
    restored: int | None
    overrides: list[int]
    in_force: bool
    locked: bool


class PlanVersions(Struct):
    """The last versions, the newest first."""

    items: list[PlanVersion]


class Because(Struct, forbid_unknown_fields=True):
    """Why: it is kept with the author's name."""

    reason: Text


class AllRows(Struct):
    """Rows of a table, all of them."""

    items: list[dict[str, Any]]
