"""May this decision still be sent now? Asked again at the moment of sending, and of handing out.

Days may lie between a decision and its sending, and between two attempts. So consent, hold-out,
quiet hours and caps are read once more, in the transaction that marks the message: an opt-out that
was committed before is seen, and one that comes later finds the message marked.

>>> policy = Outreach(quiet_from="20:00", quiet_to="08:00")
>>> late = datetime(2026, 3, 1, 19, 30)
>>> quiet_until(late, "Europe/Oslo", policy)  # 20:30 there
datetime.datetime(2026, 3, 2, 7, 0)
>>> quiet_until(late, "UTC", policy)
"""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from data.settings import Outreach, Settings, minute_of_day
from data.store import (
    CONTACT,
    EVERY_CHANNEL,
    Message,
    Verdict,
    consent_in,
    contacted_since,
    contacts,
)
from serving.outreach.people import People, Person
from serving.outreach.policy import uniforms

ALLOWED = Verdict(True)


@dataclass(frozen=True)
class Circumstances:
    """What is known at the moment of sending.

    ``words``: the customer's newest word on each channel. ``contacted_at``: their newest contact
    by another decision. ``held_out``: whether they are in the hold-out. ``full``: whether as many
    messages as the day allows have left the house since ``day``, its local midnight in UTC.
    """

    person: Person
    words: dict[str, bool]
    contacted_at: datetime | None
    held_out: bool
    full: bool
    day: datetime


def still_allowed(
    message: Message, known: Circumstances, policy: Outreach, zone: str, now: datetime
) -> Verdict:
    """Whether a decision may be sent at ``now`` (naive UTC); ``zone``: where the customer names
    none. What never holds again is looked at first, then what holds later."""
    reason = _never(message, known, policy, now)
    if reason:
        return Verdict(False, reason)
    until = quiet_until(now, known.person.time_zone or zone, policy)
    if until is not None:
        return Verdict(False, "quiet hours where the customer lives", until)
    if known.full and (message.contacted_at is None or message.contacted_at < known.day):
        tomorrow = midnight(now, zone, days=1)
        return Verdict(False, f"the day's {policy.capacity_per_day} contacts are used", tomorrow)
    return ALLOWED


def _never(message: Message, known: Circumstances, policy: Outreach, now: datetime) -> str | None:
    """Why the decision may not be sent any more, None where it may."""
    person, words = known.person, known.words
    if message.decision.get("arm", "treat") != "treat":
        return f"decided as {message.decision['arm']}: nobody acts on it"
    refused = not words[CONTACT] if CONTACT in words else bool(person.do_not_contact)
    if refused:
        return "asked not to be contacted"
    consent = person.consents.get(message.channel)
    consent = words.get(message.channel, words.get(EVERY_CHANNEL, consent))
    if consent is None and not policy.consent_when_unknown:
        return f"no consent for {message.channel} is known"
    if consent is False:
        return f"no consent for {message.channel}"
    if person.closed:
        return "has closed the account"
    if known.held_out:
        return "is in the hold-out"
    apart = timedelta(days=policy.min_days_between)
    if known.contacted_at is not None and known.contacted_at > now - apart:
        return f"contacted within {policy.min_days_between:g} days by another decision"
    return None


def quiet_until(now: datetime, zone: str, policy: Outreach) -> datetime | None:
    """When the quiet hours of that zone end (naive UTC); None outside them.

    Equal ``quiet_from`` and ``quiet_to``: no hour is quiet. An unknown zone is taken for UTC.
    """
    begin, end = minute_of_day(policy.quiet_from), minute_of_day(policy.quiet_to)
    here = _zone(zone)
    local = now.replace(tzinfo=UTC).astimezone(here)
    minute = local.hour * 60 + local.minute
    quiet = begin <= minute < end if begin <= end else minute >= begin or minute < end
    if begin == end or not quiet:
        return None
    days = 1 if end <= minute else 0
    over = (local.date() + timedelta(days=days), end)
    return max(_at(*over, here), now + timedelta(minutes=1))


def midnight(now: datetime, zone: str, days: int = 0) -> datetime:
    """The local midnight at which the day of ``now`` began, or one ``days`` later (naive UTC)."""
    here = _zone(zone)
    local = now.replace(tzinfo=UTC).astimezone(here)
    return _at(local.date() + timedelta(days=days), 0, here)


def _at(day: Any, minute: int, zone: zoneinfo.ZoneInfo) -> datetime:
    if minute == 24 * 60:
        day, minute = day + timedelta(days=1), 0
    local = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)
    return local.astimezone(UTC).replace(tzinfo=None)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


@dataclass(frozen=True)
class Gate:
    """``still_allowed`` over the store: the judge of the outbox.

    ``salt``: the secret that decides the hold-out.
    """

    people: People
    settings: Settings
    salt: bytes

    def __call__(
        self, connection: Any, messages: Sequence[Message], now: datetime
    ) -> list[Verdict]:
        """A verdict for each message, on what is committed when the transaction reads it."""
        policy, zone = self.settings.outreach, self.settings.company.time_zone
        ids = list(dict.fromkeys(message.customer_id for message in messages))
        people = self.people.of(connection, ids, now)
        words = consent_in(connection, ids)
        earlier = contacts(connection, ids)
        held = dict(
            zip(ids, uniforms(self.salt, ids, "holdout") < policy.holdout_share, strict=True)
        )
        day, capacity = midnight(now, zone), policy.capacity_per_day
        full = contacted_since(connection, day, math.ceil(capacity)) >= capacity
        verdicts = []
        for message in messages:
            others = [
                at for name, at in earlier[message.customer_id] if name != message.decision_id
            ]
            known = Circumstances(
                people[message.customer_id],
                words[message.customer_id],
                max(others, default=None),
                bool(held[message.customer_id]),
                full,
                day,
            )
            verdicts.append(still_allowed(message, known, policy, zone, now))
        return verdicts
