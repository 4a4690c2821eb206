"""``[outreach]``: whom to contact, through what, what it is worth, and how it is measured.

>>> Outreach(capacity_per_day=None)  # type: ignore[arg-type]
Traceback (most recent call last):
...
data.errors.SettingsError: capacity_per_day is null, but must be a whole number of 0 or more
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from data.errors import SettingsError
from data.setting_checks import minute_of_day, not_negative, setting, share, whole_number

OUTREACH_CHANNELS = ("email", "sms", "phone")
"""Channels that outreach can send through; each has a consent of its own."""


@dataclass(frozen=True)
class Outreach:
    """Whom Presage may contact, what that is worth, and how many stay uncontacted to measure it."""

    capacity_per_day: int = setting(100, "customers contacted a day at most, over all runs")
    email_per_day: int | None = setting(None, "of them by e-mail; none: as many as a day has")
    sms_per_day: int | None = setting(None, "of them by SMS; none: as many as a day has")
    phone_per_day: int | None = setting(None, "of them by phone; none: as many as a day has")
    agent_hours_per_day: float | None = setting(
        None, "agent hours a day for outreach; none: what the published staffing plan leaves"
    )
    holdout_share: float = setting(0.1, "share randomly never contacted, always kept")
    explore_share: float = setting(0.05, "share of the capacity drawn at random among eligible")
    consent_when_unknown: bool = setting(False, "unknown consent counts as given")
    min_days_between: float = setting(14.0, "days between two contacts of one customer")
    most_in_90_days: int = setting(4, "contacts of one customer in 90 days at most")
    quiet_from: str = setting("20:00", "no contact from this time, local to the customer")
    quiet_to: str = setting("08:00", "until this one; equal to quiet_from: no quiet hours")
    contact_vulnerable: bool = setting(False, "contact vulnerable customers too")
    suppress_segments: tuple[str, ...] = setting((), "segments of customers never contacted")
    suppress_days: float = setting(
        90.0, "days without contact after a customer complained of one, or an agent disagreed"
    )
    action_of_topics: tuple[str, ...] = setting(
        (), "which action answers a topic, e.g. 'LOG = delivery_update'; others by their words"
    )
    negative_rating: float = setting(
        2.0, "feedback rated so or worse opens a case of the negative-feedback protocol"
    )
    contact_cost: float = setting(0.1, "money one contact costs, its agent's time apart")
    credit: float = setting(5.0, "money that an apology with credit gives")
    replacement_cost: float = setting(15.0, "money that a replacement or refund costs")
    complaint_cost: float | None = setting(
        None, "money one complaint costs to handle; none: from handle times and hourly costs"
    )
    public_weight: float = setting(3.0, "complaints that one in public counts as")
    churn_share: float = setting(0.02, "share of a customer's yearly value that a complaint loses")
    customer_value: float = setting(0.0, "money a year of a customer whose value is not known")
    induced_contacts: float = setting(0.01, "contacts that one of ours causes, until measured")
    annoyance_cost: float = setting(
        0.05, "money that a contact's annoyance costs; twice for the second in 90 days, and so on"
    )
    off_preferred_cost: float = setting(
        0.5, "money that a contact by another channel than the preferred one costs"
    )

    def __post_init__(self) -> None:
        whole = ("capacity_per_day", "most_in_90_days")
        optional = tuple(f"{channel}_per_day" for channel in OUTREACH_CHANNELS)
        for name in (*whole, *optional):
            whole_number(getattr(self, name), name, none=name in optional)
        for name in (
            "agent_hours_per_day",
            "min_days_between",
            "suppress_days",
            "contact_cost",
            "credit",
            "replacement_cost",
            "complaint_cost",
            "public_weight",
            "customer_value",
            "induced_contacts",
            "annoyance_cost",
            "off_preferred_cost",
        ):
            optional_number = name in ("agent_hours_per_day", "complaint_cost")
            if getattr(self, name) is None and not optional_number:
                raise SettingsError(f"{name} is null, but must be a number of 0 or more")
            not_negative(getattr(self, name), name)
        share(self.holdout_share, "holdout_share", one=False)
        share(self.explore_share, "explore_share")
        share(self.churn_share, "churn_share")
        minute_of_day(self.quiet_from, "quiet_from")
        minute_of_day(self.quiet_to, "quiet_to")
        for pair in self.action_of_topics:
            if not re.fullmatch(r"\s*\S.*=\s*\S+\s*", pair):
                raise SettingsError(
                    f"action_of_topics holds {pair!r}, but must hold pairs such as "
                    "'LOG = delivery_update'"
                )

    @property
    def suppressed_for(self) -> timedelta:
        """So long a customer is left alone after an unwelcome contact."""
        return timedelta(days=self.suppress_days)

    def most_a_day(self, channel: str) -> int | None:
        """Customers contacted a day through a channel at most; None: as many as a day has."""
        most: int | None = getattr(self, f"{channel}_per_day", None)
        return most
