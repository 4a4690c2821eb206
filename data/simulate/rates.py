"""Every rate of the simulated company, in one place, with its unit.

``Rates()`` is the usual company; ``dataclasses.replace`` makes another one, and ``makes.py`` draws
whole companies of other kinds. The hazard that these numbers enter is stated in ``hazard.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

CHANNELS = ("phone", "email", "chat", "social")
REAL_TIME = ("phone", "chat")
TOPICS = ("delivery", "defect", "app_error", "billing", "account", "returns", "product", "other")
CAUSES = ("delivery", "defect", "app_error", "billing", "open_ticket", "unmet_need", "general")
"""Why a customer complains. ``open_ticket`` and ``unmet_need`` carry the topic of what is open."""
QUESTIONS = ("delivery", "returns", "billing", "app_error", "account", "product", "outreach")
"""Why a customer asks. ``outreach`` is the contact that our own outreach caused."""
REGIONS = ("north", "south", "east", "west", "central", "coast", "capital", "islands")
CARRIERS = ("posten", "swift", "parcelo", "nordfrakt")
SEGMENTS = ("consumer", "business", "student")
PLANS = ("basic", "plus", "premium")
PLATFORMS = ("ios", "android", "web")
LANGUAGES = ("en", "nb", "es")
CATEGORIES = ("audio", "kitchen", "outdoor", "toys", "office")
FEATURES = ("browse", "search", "track_order", "wishlist", "payment", "payment_failed")


@dataclass(frozen=True)
class Rates:
    """The rates of the world. Shares are of one, rates a day unless the name says otherwise."""

    make: int | None = None
    """The number of the make that these were drawn for; None: the usual company."""

    # who: shares of each word (any sum), as in REGIONS, SEGMENTS, ...
    region_shares: tuple[float, ...] = (12, 10, 14, 15, 11, 9, 24, 5)
    segment_shares: tuple[float, ...] = (0.70, 0.16, 0.14)
    plan_shares: tuple[float, ...] = (0.55, 0.30, 0.15)
    platform_shares: tuple[float, ...] = (0.36, 0.38, 0.26)
    language_shares: tuple[float, ...] = (0.48, 0.34, 0.18)
    channel_shares: tuple[float, ...] = (0.34, 0.32, 0.25, 0.09)
    segment_complaints: tuple[float, ...] = (1.0, 1.15, 0.85)

    # when: factors of the weekdays from Monday on, and yearly waves, highest on a day of the year
    weekday_contacts: tuple[float, ...] = (1.16, 1.10, 1.04, 1.02, 0.98, 0.62, 0.55)
    weekday_orders: tuple[float, ...] = (1.05, 1.0, 0.98, 1.0, 1.02, 0.95, 1.1)
    season_contacts: float = 0.06
    season_contacts_day: int = 20
    season_orders: float = 0.15
    season_orders_day: int = 345
    campaign_size: float = 1.0

    # gamma tendencies of mean one; shape a means a variance of 1 / a
    complaint_shape: float = 0.8
    inquiry_shape: float = 1.5
    before_start_share: float = 0.65
    closing: float = 0.00015
    closing_dissatisfied: float = 0.004

    # orders
    orders: float = 0.020
    ship: float = 0.68
    deliver: tuple[float, ...] = (0.62, 0.72, 0.50, 0.56)
    promise_days: tuple[int, ...] = (5, 4, 7, 6)
    in_hand_days: int = 21
    cancel_waiting: float = 0.004
    cancel_overdue: float = 0.012
    return_usual: float = 0.002
    return_defective: float = 0.035

    # incidents
    strike_start: float = 0.0042
    strike_end: float = 0.09
    strike_share: float = 0.6
    strike_region_share: float = 0.5
    slow_factor: float = 0.35
    defective_lot: float = 0.022
    release_every_days: int = 21
    broken_release: float = 0.35
    release_fixed: float = 0.14
    outage: float = 0.010

    # usage
    active: float = 0.16
    second_feature: float = 0.3
    error_usual: float = 0.012
    error_broken: float = 0.45
    error_outage: float = 0.35
    error_memory: float = 0.70
    fade: float = 0.0020
    fade_back: float = 0.012
    fade_out: float = 0.030
    wake: float = 0.0035
    payment_fails: float = 0.035
    payment_retry_days: int = 3
    payment_recovers: float = 0.5

    # complaints a day for a tendency of one (see hazard.py)
    c_overdue: float = 0.055
    c_overdue_day: float = 0.030
    c_overdue_cap_days: int = 8
    c_delivered_late: float = 0.035
    c_defective: float = 0.100
    c_item: float = 0.0008
    c_error: float = 0.040
    c_error_cap: float = 6.0
    c_payment: float = 0.085
    c_open_ticket: float = 0.010
    c_open_ticket_cap_days: int = 8
    c_unmet: float = 0.15
    c_general: float = 0.0013
    c_dissatisfied: float = 0.25
    dissatisfaction_memory: float = 0.97
    most_complaints: float = inf
    unmet_memory: float = 0.65

    # questions a day for a tendency of one
    q_waiting: float = 0.008
    q_due: float = 0.018
    q_overdue: float = 0.050
    q_item: float = 0.0012
    q_defective: float = 0.012
    q_payment: float = 0.030
    q_bill: float = 0.004
    q_error: float = 0.009
    q_account: float = 0.0009
    q_product: float = 0.0014
    q_outreach: float = 0.020
    q_outreach_days: int = 3

    # self-service, by topic as in TOPICS: share that tries it first, and what comes of it
    bot_share: tuple[float, ...] = (0.24, 0.10, 0.14, 0.20, 0.22, 0.18, 0.10, 0.0)
    bot_contains: tuple[float, ...] = (0.62, 0.30, 0.35, 0.45, 0.60, 0.55, 0.40, 0.5)
    bot_gives_up: float = 0.25
    article_share: tuple[float, ...] = (0.08, 0.08, 0.16, 0.12, 0.16, 0.14, 0.16, 0.0)
    article_quality: tuple[float, ...] = (0.72, 0.28)
    article_then_ticket: float = 0.55

    # contacts; topics as in TOPICS
    general_topics: tuple[float, ...] = (0.06, 0.08, 0.12, 0.18, 0.26, 0.06, 0.16, 0.08)
    public_topics: tuple[float, ...] = (0.16, 0.02, 0.06, 0.04, 0.10, 0.04, 0.40, 0.18)
    public: float = 0.0007
    public_complaint_share: float = 0.2
    machine: float = 0.0002
    preferred_share: float = 0.62
    staffing_slack: float = 1.12
    patience_seconds: tuple[float, ...] = (240.0, 0.0, 420.0, 0.0)
    concurrency: tuple[int, ...] = (1, 1, 2, 1)
    handle_seconds: tuple[float, ...] = (400.0, 460.0, 620.0, 330.0)
    handle_topic: tuple[float, ...] = (0.85, 1.25, 1.2, 1.0, 0.8, 0.95, 0.9, 0.8)
    handle_sigma: float = 0.5
    first_contact_resolution: tuple[float, ...] = (0.66, 0.55, 0.55, 0.72, 0.85, 0.7, 0.9, 0.85)
    back_office_days: float = 1.6
    reopened: float = 0.05
    abandoned_closed_days: int = 3
    csat: float = 0.30

    # outreach: the log of the complaint intensity's multiplier for ``effect_days``. What shifts it
    # a customer is in the tables, so exposures stay known; effect_sigma adds what is not
    effect_days: int = 14
    effect_matched: float = -1.00
    effect_unmatched: float = -0.45
    effect_no_problem: float = 0.30
    effect_segment: tuple[float, ...] = (0.0, -0.20, 0.45)
    effect_channel: tuple[float, ...] = (-0.15, 0.0, 0.05, 0.40)
    effect_business_phone: float = -0.30
    effect_sigma: float = 0.0
    effect_fatigue: float = 0.35
    considered_weekly: float = 0.02
    considered_treated: float = 0.5


def asking_more(rates: Rates, factor: float) -> Rates:
    """The same company, whose customers ask ``factor`` times as often; what makes them complain is
    as it was.

    >>> asking_more(Rates(), 2).q_bill == 2 * Rates().q_bill
    True
    """
    return replace(rates, **{name: factor * getattr(rates, name) for name in QUESTION_RATES})


QUESTION_RATES = (
    "q_waiting",
    "q_due",
    "q_overdue",
    "q_item",
    "q_defective",
    "q_payment",
    "q_bill",
    "q_error",
    "q_account",
    "q_product",
)
"""The rates of questions, those about our own outreach aside."""
