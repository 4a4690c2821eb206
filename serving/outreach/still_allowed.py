"""May this decision still be sent now? Asked again in the transaction that marks its message.

Days may lie between a decision and its sending, and between two attempts. So consent, hold-out,
quiet hours and caps are read once more: an opt-out that was committed before is seen, and one that
comes later finds the message marked. What asks for all tables (open complaints) is looked up
shortly before (``handing_out.eligibility_now``) and handed in as ``refused``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from data.errors import SettingsError
from data.settings import Outreach, Settings
from data.store import (
    CONTACT,
    EVERY_CHANNEL,
    Message,
    Verdict,
    Word,
    contacted_since,
    contacts,
    unwelcome_in,
    words_in,
)
from serving.outreach.draws import held_out
from serving.outreach.people import People, Person
from serving.outreach.quiet import AHEAD, window

ALLOWED = Verdict(True)
QUARTER = timedelta(days=90)


@dataclass(frozen=True)
class Circumstances:
    """What is known at the moment of sending.

    ``words``: the customer's newest word on each channel. ``contacted_at``: their contacts by other
    decisions. ``held_out``: whether they are in the hold-out. ``unwelcome``: an outcome after which
    they are left alone. ``full``: which of the day's limits is used up. ``day``: its local midnight
    in UTC.
    """

    person: Person
    words: Mapping[str, Word]
    contacted_at: Sequence[datetime]
    held_out: bool
    unwelcome: str | None
    full: str | None
    day: datetime


def still_allowed(
    message: Message, known: Circumstances, policy: Outreach, zone: str, now: datetime
) -> Verdict:
    """Whether a decision may be sent at ``now`` (naive UTC); ``zone``: where the customer names
    none. What never holds again is looked at first, then what holds later."""
    reason = _never(message, known, policy, now)
    if reason:
        return Verdict(False, reason)
    try:
        local = known.person.time_zone or zone
        found = window(now, local, policy.quiet_from, policy.quiet_to)
    except SettingsError:
        return Verdict(False, "the time zone is unknown, so quiet hours could not be kept")
    opens = now + AHEAD if found is None else found[0]
    if opens > now:
        return Verdict(False, "quiet hours where the customer lives", opens)
    if known.full and (message.contacted_at is None or message.contacted_at < known.day):
        return Verdict(False, known.full, midnight(now, zone, days=1))
    return ALLOWED


def _never(message: Message, known: Circumstances, policy: Outreach, now: datetime) -> str | None:
    """Why the decision may not be sent any more, None where it may."""
    person = known.person
    if message.decision.get("arm", "treat") != "treat":
        return f"decided as {message.decision['arm']}: nobody acts on it"
    refuses = person.do_not_contact
    welcome = None if refuses is None else not refuses
    if newest(welcome, person.said_at(CONTACT), known.words.get(CONTACT)) is False:
        return "asked not to be contacted"
    word = known.words.get(message.channel, known.words.get(EVERY_CHANNEL))
    stated = person.consents.get(message.channel)
    consent = newest(stated, person.said_at(message.channel), word)
    if consent is None and not policy.consent_when_unknown:
        return f"no consent for {message.channel} is known"
    if consent is False:
        return f"no consent for {message.channel}"
    if person.closed:
        return "has closed the account"
    if person.vulnerable and not policy.contact_vulnerable:
        return "vulnerable: a person decides, not a machine"
    if person.segment in policy.suppress_segments:
        return "the segment is suppressed: [outreach] suppress_segments"
    if known.held_out:
        return "is in the hold-out"
    if known.unwelcome:
        return f"left alone for a while: the outcome of a contact was {known.unwelcome}"
    apart = now - timedelta(days=policy.min_days_between)
    if any(at > apart for at in known.contacted_at):
        return f"contacted within {policy.min_days_between:g} days by another decision"
    if sum(at > now - QUARTER for at in known.contacted_at) >= policy.most_in_90_days:
        return f"contacted {policy.most_in_90_days} times in 90 days, the most there may be"
    return None


def newest(stated: bool | None, at: datetime | None, word: Word | None) -> bool | None:
    """What holds of a row's statement and a word: the newer one; of one moment, the refusal.

    >>> newest(True, datetime(2026, 3, 2), Word(False, datetime(2026, 3, 1)))
    True
    >>> newest(True, datetime(2026, 3, 1), Word(False, datetime(2026, 3, 1)))
    False
    """
    if word is None or stated is None or at is None:
        return stated if word is None else word.granted
    if at == word.at:
        return stated and word.granted
    return stated if at > word.at else word.granted


def midnight(now: datetime, zone: str, days: int = 0) -> datetime:
    """The local midnight at which the day of ``now`` began, or one ``days`` later (naive UTC)."""
    here = ZoneInfo(zone)
    local = now.replace(tzinfo=UTC).astimezone(here)
    begin = datetime.combine(local.date() + timedelta(days=days), datetime.min.time(), here)
    return begin.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Gate:
    """``still_allowed`` over the store: the judge of the outbox.

    ``salt``: the secret that decides the hold-out. ``refused``: decisions that may not be acted on
    by what was looked up before, each with its reason. ``waits``: whether quiet hours hold a
    message back; where it is handed out with its hours they do not.
    """

    people: People
    settings: Settings
    salt: bytes
    refused: Mapping[str, str] = field(default_factory=dict)
    waits: bool = True

    def __call__(
        self, connection: Any, messages: Sequence[Message], now: datetime
    ) -> list[Verdict]:
        """A verdict for each message, on what is committed when the transaction reads it."""
        policy, zone = self.settings.outreach, self.settings.company.time_zone
        if not self.waits:
            policy = replace(policy, quiet_from="00:00", quiet_to="00:00")
        ids = list(dict.fromkeys(message.customer_id for message in messages))
        people = self.people.of(connection, ids, now)
        words = words_in(connection, ids)
        earlier = contacts(connection, ids)
        since = now - timedelta(days=policy.suppress_days)
        unwelcome = unwelcome_in(connection, ids, since)
        held = dict(zip(ids, held_out(self.salt, ids, policy.holdout_share), strict=True))
        day = midnight(now, zone)
        full = {c: _full(connection, policy, c, day) for c in {m.channel for m in messages}}
        verdicts = []
        for message in messages:
            customer = message.customer_id
            others = [at for name, at in earlier[customer] if name != message.decision_id]
            known = Circumstances(
                people[customer],
                words[customer],
                others,
                bool(held[customer]),
                unwelcome.get(customer),
                full[message.channel],
                day,
            )
            found = still_allowed(message, known, policy, zone, now)
            reason = self.refused.get(message.decision_id)
            if reason and (found.allowed or found.until is not None):
                found = Verdict(False, reason)
            verdicts.append(found)
        return verdicts


def _full(connection: Any, policy: Outreach, channel: str, day: datetime) -> str | None:
    """Which limit of the day is used up for a channel, None where one more may leave."""
    most: int | None = getattr(policy, f"{channel}_per_day", None)
    if contacted_since(connection, day, policy.capacity_per_day) >= policy.capacity_per_day:
        return f"the day's {policy.capacity_per_day} contacts are used"
    if most is not None and contacted_since(connection, day, most, channel) >= most:
        return f"the day's {most} contacts by {channel} are used"
    return None
