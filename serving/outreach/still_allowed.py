"""May this decision still be sent now? Asked again in the transaction that marks its message.

Days may lie between a decision and its sending, and between two attempts. So every rule of
eligibility.py is asked once more, with the hold-out, the day's limits, and which actions have
stopped by the log: an opt-out that was committed before is seen, and one that comes later finds the
message marked. What asks for whole tables is looked up shortly before (``standing_of``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np

from data.settings import Outreach, Settings
from data.store import Message, Verdict, contacted_since, contacts, unwelcome_in
from data.tables import Tables
from serving.of_customers import OfCustomers
from serving.outreach.actions import CHANNELS
from serving.outreach.candidates import campaign_contacts, open_complaints, since, unwelcome_words
from serving.outreach.consent import WORDS
from serving.outreach.draws import held_out
from serving.outreach.eligibility import QUARTER, QUIET_ALL_DAY, Facts, eligibility
from serving.outreach.people import People
from serving.outreach.quiet import AHEAD, local_date, local_day
from serving.outreach.stops import WORDS as HAS_STOPPED
from serving.outreach.stops import stopped_in

PROMISE_PASSED = "its text promises a day that has passed"


@dataclass(frozen=True)
class Standing:
    """What only whole tables know: who has an open complaint, and contacts by other campaigns."""

    open_complaints: frozenset[str] = frozenset()
    campaigns: Mapping[str, Sequence[datetime]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def __or__(self, other: Standing) -> Standing:
        """Both, of different customers."""
        return Standing(
            self.open_complaints | other.open_complaints, {**self.campaigns, **other.campaigns}
        )


def standing_of(
    tables: Tables, settings: Settings, customer_ids: Sequence[str], now: datetime
) -> Standing:
    """How these customers stand by the tables as they are."""
    own = OfCustomers(tables, frozenset(customer_ids))
    rows = campaign_contacts(own, since(settings.outreach, now), now)
    campaigns: dict[str, list[datetime]] = {}
    for customer, at in zip(rows["customer_id"], rows["at"], strict=True):
        campaigns.setdefault(customer, []).append(at.to_pydatetime())
    return Standing(frozenset(open_complaints(own, settings, now)), campaigns)


@dataclass(frozen=True)
class Gate:
    """The rules over the store: the judge of the outbox.

    ``salt``: the secret that decides the hold-out. ``waits``: whether quiet hours hold a message
    back; where it is handed out with its hours they do not.
    """

    people: People
    settings: Settings
    salt: bytes
    standing: Standing = Standing()
    waits: bool = True

    def __call__(
        self, connection: Any, messages: Sequence[Message], now: datetime
    ) -> list[Verdict]:
        """A verdict for each message, on what is committed when the transaction reads it."""
        policy, zone = self.settings.outreach, self.settings.company.time_zone
        facts = self._facts(connection, messages, now)
        rules = eligibility(facts, policy, now, zone)
        held = held_out(self.salt, [m.customer_id for m in messages], policy.holdout_share)
        stopped, today = stopped_in(connection), local_date(now, zone).isoformat()
        day, tomorrow = local_day(now, zone)
        full = {c: _full(connection, policy, c, day) for c in {m.channel for m in messages}}
        verdicts = []
        for row, message in enumerate(messages):
            arm = message.decision.get("arm", "treat")
            reason = f"decided as {arm}: nobody acts on it" if arm != "treat" else ""
            reason = reason or (HAS_STOPPED if message.action in stopped else "")
            reason = reason or (PROMISE_PASSED if _good_until(message) < today else "")
            reason = reason or rules.through(row, message.channel)
            reason = reason or ("is in the hold-out" if held[row] else "")
            if reason:
                until = now + AHEAD if reason == QUIET_ALL_DAY else None
                verdicts.append(Verdict(False, reason, until))
                continue
            opens, closes = rules.opens[row].item(), rules.closes[row].item()
            left_today = message.contacted_at is not None and message.contacted_at >= day
            used_up = None if left_today else full[message.channel]
            if self.waits and opens > now:
                quiet = "quiet hours where the customer lives"
                verdicts.append(Verdict(False, quiet, opens, (opens, closes)))
            elif used_up:
                verdicts.append(Verdict(False, used_up, tomorrow, (opens, closes)))
            else:
                verdicts.append(Verdict(True, span=(opens, closes)))
        return verdicts

    def _facts(self, connection: Any, messages: Sequence[Message], now: datetime) -> Facts:
        """What the rules ask of each message's customer, contacts by its own decision apart."""
        policy = self.settings.outreach
        ids = list(dict.fromkeys(message.customer_id for message in messages))
        persons, words = self.people.of(connection, ids, now)
        left = contacts(connection, ids)
        unwelcome = unwelcome_words(unwelcome_in(connection, ids, now - policy.suppressed_for))
        place = {customer: row for row, customer in enumerate(ids)}
        rows = np.array([place[message.customer_id] for message in messages], dtype=np.int64)
        people, statements = [persons[row] for row in rows], words.of(rows)
        moments = []
        for message in messages:
            # a campaign's contact after ours left may be ours, come back with the tables
            own = [
                at
                for at in self.standing.campaigns.get(message.customer_id, ())
                if message.contacted_at is None or at < message.contacted_at
            ]
            by_us = left[message.customer_id]
            own += [at for name, at in by_us.items() if name != message.decision_id]
            moments.append(sorted(set(own)))
        hand = self.standing.open_complaints
        return Facts(
            statements.values[:, : len(CHANNELS)],
            statements.values[:, WORDS.index("do_not_contact")] == 1.0,
            np.array([person.closed for person in people], dtype=bool),
            np.array([person.vulnerable for person in people], dtype=bool),
            np.array([person.segment for person in people], dtype=object),
            np.array([unwelcome.get(m.customer_id) for m in messages], dtype=object),
            np.array([m.customer_id in hand for m in messages], dtype=bool),
            np.array([own[-1] if own else "NaT" for own in moments], dtype="datetime64[us]"),
            np.array([sum(at > now - QUARTER for at in own) for own in moments], dtype=np.float64),
            np.array([person.time_zone for person in people], dtype=object),
        )


def _good_until(message: Message) -> str:
    """The day that the message's text promises (ISO 8601), after every day where it promises none.

    A decision may wait for days, or be replayed weeks later.
    """
    text = message.decision.get("message") or {}
    return str(text.get("good_until") or "9999-12-31")


def _full(connection: Any, policy: Outreach, channel: str, day: datetime) -> str | None:
    """Which limit of the day is used up for a channel, None where one more may leave."""
    most = policy.most_a_day(channel)
    if contacted_since(connection, day, policy.capacity_per_day) >= policy.capacity_per_day:
        return f"the day's {policy.capacity_per_day} contacts are used"
    if most is not None and contacted_since(connection, day, most, channel) >= most:
        return f"the day's {most} contacts by {channel} are used"
    return None
