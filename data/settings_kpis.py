"""Settings of the key figures: how they are counted, and what they are held to until when.

>>> KpiTarget(kpi="csat", at_least=4.2).holds(4.3)
True
>>> KpiTarget(kpi="cast")
Traceback (most recent call last):
...
data.errors.SettingsError: kpi 'cast' is no key figure; they are contacts, ... Did you mean "csat"?
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from data.errors import SettingsError, did_you_mean
from data.setting_checks import above_zero, not_negative, setting

KPIS = (
    "contacts",
    "answered_in_time",
    "first_response_p50",
    "first_response_p90",
    "first_response_open_p50",
    "resolved_in_time",
    "resolution_p50",
    "resolution_p90",
    "first_contact_resolution",
    "reopened",
    "backlog",
    "backlog_age_p50",
    "arrived_in_opening_hours",
    "bot_contained",
    "csat",
    "csat_good",
    "csat_response_rate",
    "complaint_rate",
)
"""Names of the key figures, in the order in which they are shown."""


@dataclass(frozen=True)
class Kpis:
    """How key figures are counted."""

    automatic_within_seconds: float = setting(
        5.0, "a first answer on a backlog channel this soon is an automatic reply, not an answer"
    )
    repeat_within_days: float = setting(
        7.0, "a contact on the topic so soon after the solution: it was not solved at first contact"
    )
    weeks: int = setting(13, "weeks shown")
    issue_hours: float = setting(24.0, "the newest hours in which emerging issues are looked for")

    def __post_init__(self) -> None:
        not_negative(self.automatic_within_seconds, "automatic_within_seconds")
        above_zero(self.repeat_within_days, "repeat_within_days")
        above_zero(self.weeks, "weeks")
        if not 1 <= self.issue_hours <= 24:
            raise SettingsError(f"issue_hours is {self.issue_hours:g}, but must be from 1 to 24")


@dataclass(frozen=True)
class KpiTarget:
    """What a key figure is held to."""

    kpi: str = setting("", "which figure, e.g. 'csat' or 'first_response_p50'")
    channel: str = setting("", "of which channel; empty: of all together")
    at_least: float | None = setting(None, "the figure must not be lower")
    at_most: float | None = setting(None, "the figure must not be higher")
    valid_from: datetime | None = field(
        default=None,
        metadata={"comment": "UTC; periods that begin earlier are not held to it"},
    )
    valid_to: datetime | None = field(
        default=None,
        metadata={"comment": "UTC; periods that begin then or later neither"},
    )

    def __post_init__(self) -> None:
        if self.kpi and self.kpi not in KPIS:
            raise SettingsError(
                f"kpi {self.kpi!r} is no key figure; they are {', '.join(KPIS)}."
                f"{did_you_mean(self.kpi, KPIS)}"
            )
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise SettingsError(
                f"valid_to {self.valid_to.isoformat()} is not after valid_from "
                f"{self.valid_from.isoformat()}"
            )

    def check(self) -> None:
        """SettingsError unless the target names a figure and one limit."""
        if not self.kpi or (self.at_least is None) == (self.at_most is None):
            raise SettingsError("a target needs kpi, and one of at_least and at_most")

    def holds(self, value: float) -> bool:
        """Whether the value keeps the target."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is None or value <= self.at_most

    def valid_at(self, moment: datetime) -> bool:
        """Whether a period that begins at ``moment`` is held to the target."""
        return (self.valid_from is None or moment >= self.valid_from) and (
            self.valid_to is None or moment < self.valid_to
        )
