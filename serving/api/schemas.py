"""What goes in and out of each call, as types: msgspec decodes by them, OpenAPI is written from
them. Names are the contract's; times are ISO 8601 in UTC."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from serving.api import rows

CustomerId = Annotated[str, Meta(min_length=1, max_length=200)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class PredictionRequest(Struct, forbid_unknown_fields=True):
    """The customers to score, 1 to 1000, and the horizons in days; default: all the model has."""

    customer_ids: Annotated[list[CustomerId], Meta(min_length=1, max_length=1000)]
    horizons: Annotated[list[Annotated[int, Meta(ge=1, le=365)]], Meta(min_length=1)] | None = None


class Reason(Struct):
    """Why: a feature, its value, a sentence, and what it adds to the score (log odds)."""

    feature: str
    value: float | str | None
    text: str
    contribution: float


class Likely(Struct):
    """A topic or channel, and the probability that the next complaint has it."""

    value: str
    probability: Probability


class Prediction(Struct):
    """One customer's risk; ``status`` is "scored", or with everything else null "unknown",
    "closed" (they left) or "not_profiled" (they asked not to be).

    ``contact_30d``: the probability of any contact within 30 days, ``expected_tickets_30d`` how
    many are expected, one total with the forecast. ``topics`` and ``channels``: the three likeliest
    of the next complaint, ``topic`` and ``channel`` the first of them.
    ``repeat_contact_14d``: the probability that they come back about the same issue within 14 days;
    null unless they have a ticket that is open or was resolved within 7 days.
    """

    customer_id: str
    status: Literal["scored", "unknown", "closed", "not_profiled"]
    risk: dict[str, Probability] | None = None
    topic: str | None = None
    channel: str | None = None
    reasons: list[Reason] = []
    action: str | None = None
    as_of: datetime | None = None
    expires_at: datetime | None = None
    stale: bool = False
    stale_sources: list[str] = []
    model_version: str | None = None
    repeat_contact_14d: Probability | None = None
    contact_30d: Probability | None = None
    expected_tickets_30d: Annotated[float, Meta(ge=0)] | None = None
    topics: list[Likely] = []
    channels: list[Likely] = []


class RankedCustomer(Prediction, kw_only=True):
    """A customer's published prediction and their place in the order asked for.

    ``value``: money a year; ``value_at_risk``: that times the risk they are ordered by. ``news``:
    something was posted about them since, so ask ``/v1/predictions`` for their risk now.
    """

    rank: int
    segment: str | None
    value: float | None
    value_at_risk: float | None
    news: bool


class Ranking(Struct):
    """Customers in order; ``next`` is the cursor of the following page, or null. All are as of the
    same moment, by the same model."""

    items: list[RankedCustomer]
    as_of: datetime
    expires_at: datetime
    stale: bool
    stale_sources: list[str]
    model_version: str
    horizon_days: int
    next: str | None


class Predictions(Struct):
    """One item a customer asked for, in the order asked."""

    items: list[Prediction]


class Accepted(Struct):
    """Per table posted: rows taken now, and rows that were there already to the letter. ``erased``,
    where there are some: rows of people who were erased; they were left out."""

    accepted: dict[str, int]
    duplicates: dict[str, int]
    recorded_at: datetime
    erased: dict[str, int] | UnsetType = UNSET


class Delivered(Struct):
    """What became of a webhook: per table the rows that were taken, and those that were there
    already. ``left_out``: records that are no rows here, or that name no customer."""

    accepted: dict[str, int]
    duplicates: dict[str, int]
    recorded_at: datetime
    left_out: int
    erased: dict[str, int] | UnsetType = UNSET


class Consent(Struct, forbid_unknown_fields=True):
    """Consent to be contacted; a field left out stays as it is."""

    email_consent: bool | UnsetType = UNSET
    sms_consent: bool | UnsetType = UNSET
    phone_consent: bool | UnsetType = UNSET
    do_not_contact: bool | UnsetType = UNSET


class ConsentState(Struct):
    """A customer's consent as it holds from now on; null: never given nor refused."""

    customer_id: str
    email_consent: bool | None
    sms_consent: bool | None
    phone_consent: bool | None
    do_not_contact: bool | None


class OutcomeReport(Struct, forbid_unknown_fields=True):
    """What became of an action."""

    outcome: Literal["sent", "failed", "answered", "resolved", "complained", "disagreed"]
    at: datetime
    note: Annotated[str, Meta(max_length=2000)] | None = None


class OutcomeRecorded(Struct):
    """The outcome as recorded; ``repeated``: it was there already, and that is counted."""

    outreach_id: str
    outcome: str
    at: datetime
    repeated: bool = False


class Message(Struct):
    """What the customer is to read, in their language; ``subject`` for e-mail only, ``good_until``:
    the day that it promises, after which it is not handed out any more."""

    language: str
    subject: str | None
    text: str
    good_until: date | None = None


class Outreach(Struct):
    """One decided action; after its ``cursor`` come those handed out later. It is for a moment from
    ``not_before`` to ``not_after``, outside the customer's quiet hours, and not after
    ``expires_at``; ``message`` is null where a variable of its text is not known."""

    outreach_id: str
    customer_id: str
    as_of: datetime
    arm: str
    propensity: Probability
    action: str | None
    channel: str | None
    risk: float | None
    uplift: float | None
    value: float | None
    reason: str | None
    cursor: str
    not_before: datetime | None = None
    not_after: datetime | None = None
    expires_at: datetime | None = None
    message: Message | None = None


class CaseStep(Struct):
    """A step of the protocol; ``state``: done, done late, due, late, or waiting for the one before.
    ``deadline`` is null while it counts from a step that is not done."""

    step: str
    owner: str
    deadline: datetime | None
    done_at: datetime | None
    state: str


class Case(Struct):
    """One piece of negative feedback and how far its answer is."""

    case_id: str
    customer_id: str | None
    opened_at: datetime
    public: bool
    steps: list[CaseStep]


class Cases(Struct):
    """Every case, the oldest first."""

    items: list[Case]


class StepReport(Struct, forbid_unknown_fields=True):
    """A step was done, when and by whom; who did ``own`` owns the steps after it."""

    step: Literal["acknowledge", "own", "solve", "take_offline", "follow_up"]
    at: datetime
    by: Annotated[str, Meta(min_length=1, max_length=200)]


class OutreachPage(Struct):
    """Actions that may be taken now, first handed out first; ``next`` is the cursor of the
    following page, or null."""

    items: list[Outreach]
    next: str | None


class Rows(Struct):
    """A page of a published table; ``next`` is the cursor of the following page, or null."""

    items: list[dict[str, Any]]
    as_of: datetime
    published_at: datetime
    next: str | None


class RiskThen(Struct):
    """A risk as it was told, and when."""

    as_of: datetime
    risk: dict[str, Probability]
    model_version: str


class Usage(Struct):
    """What one feature was used for: uses and errors, in all and of late."""

    feature: str
    uses: float
    errors: float
    uses_28d: float
    last_at: datetime


class OutcomeSeen(Struct):
    """What became of an action, and when."""

    outcome: str
    at: datetime


class OutreachSeen(Struct):
    """A decided action about a customer, with what became of it."""

    outreach_id: str
    as_of: datetime
    customer_id: str
    arm: str
    propensity: Probability
    action: str | None
    channel: str | None
    risk: float | None
    uplift: float | None
    value: float | None
    reason: str | None
    message: Message | None
    outcomes: list[OutcomeSeen]


class CustomerView(Struct):
    """Everything known of a customer as of now: the newest orders and tickets first.

    A ticket has its row, and how it stands against its channel's service level: ``waited_seconds``
    for a first response, by the level's clock, ``response_state`` and ``resolution_state``: "met",
    "missed", "open" (in time so far), "late" (not answered, and too late), or null where the
    channel has no level. A decided action has its outcomes and its
    ``state`` (waiting, sending, sent, handed_out, refused, dead or expired).
    """

    customer_id: str
    as_of: datetime
    attributes: Annotated[dict[str, Any], Meta(extra_json_schema=rows.ATTRIBUTES)]
    consent: ConsentState
    orders: list[Annotated[dict[str, Any], Meta(extra_json_schema=rows.ORDER)]]
    usage: list[Usage]
    tickets: list[Annotated[dict[str, Any], Meta(extra_json_schema=rows.TICKET)]]
    prediction: Prediction | None
    risk_over_time: list[RiskThen]
    outreach: list[OutreachSeen]


class SourceReach(Struct):
    """How far a source had arrived when everybody was scored; ``stopped``: it is silent for longer
    than it ever was."""

    source: str
    until: datetime
    stopped: bool


class RunAtFault(Struct):
    """A run that is stuck, slow, late, failed or was killed, and what to do."""

    what: str
    text: str
    act: str


class Health(Struct):
    """Whether the service lives, or is ready, and what it answers from."""

    status: Literal["ok", "not ready"]
    as_of: datetime | None = None
    model_version: str | None = None
    detail: str | None = None
    sources: list[SourceReach] = []
    runs: list[RunAtFault] = []
