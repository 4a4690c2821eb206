"""The messages of the outbox as values, and what may be asked about them.

A message waits, is being sent, and ends sent, handed out, refused, dead or expired.

>>> STATES
('waiting', 'sending', 'sent', 'handed_out', 'refused', 'dead', 'expired')
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from data.errors import UsageError, did_you_mean
from data.store.consent import chunks_of
from data.store.opening import Store
from data.store.schema import DECISION_TEXTS, DECISIONS, OUTBOX, OUTCOMES

WAITING, SENDING, SENT, HANDED_OUT, REFUSED, DEAD, EXPIRED = STATES = (
    "waiting",
    "sending",
    "sent",
    "handed_out",
    "refused",
    "dead",
    "expired",
)
ARRIVED = ("sent", "answered", "resolved", "complained")
"""Outcomes that say that a contact took place."""
NOTE_CHARS = 500
CHUNK = 400


@dataclass(frozen=True)
class Message:
    """One message of the outbox with the decision it tells; times are naive UTC.

    ``decision``: as it was logged; empty where it was forgotten. ``body``: the bytes to send, from
    the first claim on. ``contacted_at``: when it was first marked as sending or handed out.
    """

    seq: int
    decision_id: str
    customer_id: str
    channel: str
    action: str
    payload: Mapping[str, Any]
    decision: Mapping[str, Any]
    status: str
    attempts: int
    token: int
    created_at: datetime
    queued_at: datetime
    next_attempt_at: datetime
    contacted_at: datetime | None
    settled_at: datetime | None
    handed_out: int | None
    body: bytes | None
    note: str | None


@dataclass(frozen=True)
class Verdict:
    """Whether a decision may be sent now; if not why, and from when on it may be asked again.

    ``until`` None: never. ``span``: from when to when it may be acted upon.
    """

    allowed: bool
    reason: str = ""
    until: datetime | None = None
    span: tuple[datetime | None, datetime | None] = (None, None)


@dataclass(frozen=True)
class Limits:
    """When a message is given up: after so many attempts, or so long after it was queued (as
    expired where it never left, ``expiry``)."""

    attempts: int
    age: timedelta


Judge = Callable[[sa.Connection, Sequence[Message], datetime], list[Verdict]]
"""Verdicts for messages at a moment, read in the transaction that it is given."""
Now = Callable[[], datetime]


def contacts(
    connection: sa.Connection, customer_ids: Sequence[str] | None
) -> dict[str, dict[str, datetime]]:
    """When each decision about these customers (None: all) was carried out: per customer the
    decisions that left the house, or of which an outcome says that a contact took place."""
    moments: dict[str, dict[str, datetime]] = {customer: {} for customer in customer_ids or ()}
    arrived = OUTCOMES.c.outcome.in_(ARRIVED)
    for some in chunks_of(OUTBOX.c.customer_id, customer_ids):
        query = (
            sa.select(
                OUTBOX.c.customer_id, OUTBOX.c.decision_id, OUTBOX.c.contacted_at, OUTCOMES.c.at,
                OUTCOMES.c.outcome,
            )
            .join_from(OUTBOX, OUTCOMES, (OUTCOMES.c.decision_id == OUTBOX.c.decision_id) & arrived,
                       isouter=True)
            .where(some, OUTBOX.c.contacted_at.is_not(None) | OUTCOMES.c.at.is_not(None))
            .order_by(OUTBOX.c.seq, OUTCOMES.c.at)
        )  # fmt: skip
        for row in connection.execute(query):
            own = moments.setdefault(row.customer_id, {})
            at = own.get(row.decision_id, row.contacted_at or row.at)
            own[row.decision_id] = max(at, row.at) if row.outcome == SENT else at
    return moments


def unwelcome_in(
    connection: sa.Connection, customer_ids: Sequence[str] | None, since: datetime
) -> dict[str, tuple[str, datetime]]:
    """Customers (of these, or of all) who complained of a contact after ``since``, or of whom an
    agent disagreed: the newest such outcome, and when."""
    outcomes: dict[str, tuple[str, datetime]] = {}
    for some in chunks_of(OUTBOX.c.customer_id, customer_ids):
        query = (
            sa.select(OUTBOX.c.customer_id, OUTCOMES.c.outcome, OUTCOMES.c.at)
            .join_from(OUTCOMES, OUTBOX, OUTBOX.c.decision_id == OUTCOMES.c.decision_id)
            .where(some, OUTCOMES.c.outcome.in_(("complained", "disagreed")), OUTCOMES.c.at > since)
            .order_by(OUTCOMES.c.at)
        )
        outcomes |= {row.customer_id: (row.outcome, row.at) for row in connection.execute(query)}
    return outcomes


def contacted_since(
    connection: sa.Connection, since: datetime, most: int, channel: str | None = None
) -> int:
    """How many messages, of a channel if named, left the house from ``since`` on, at ``most``."""
    query = sa.select(OUTBOX.c.seq).where(OUTBOX.c.contacted_at >= since)
    if channel is not None:
        query = query.where(OUTBOX.c.channel == channel)
    some = query.limit(most).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def underway(
    store: Store, customer_id: str, now: datetime, channels: Sequence[str] | None = None
) -> bool:
    """Whether a message to this customer, of any or these channels, is being sent: it is marked,
    and its lease is not over."""
    query = sa.select(OUTBOX.c.seq).where(
        OUTBOX.c.customer_id == customer_id,
        OUTBOX.c.status == SENDING,
        OUTBOX.c.next_attempt_at > now,
    )
    if channels is not None:
        query = query.where(OUTBOX.c.channel.in_(list(channels)))
    with store.reading() as connection:
        return connection.execute(query.limit(1)).first() is not None


def next_due(store: Store) -> datetime | None:
    """When the next message is due, None where none waits."""
    query = sa.select(sa.func.min(OUTBOX.c.next_attempt_at)).where(
        OUTBOX.c.status.in_((WAITING, SENDING))
    )
    with store.reading() as connection:
        due: datetime | None = connection.execute(query).scalar()
    return due


def preview(store: Store, judge: Judge, now: datetime, most: int) -> list[tuple[Message, Verdict]]:
    """The messages that are due, each with its verdict; nothing is changed."""
    with store.reading() as connection:
        due = read_messages(
            connection,
            OUTBOX.c.status.in_((WAITING, SENDING)) & (OUTBOX.c.next_attempt_at <= now),
            order=(OUTBOX.c.next_attempt_at, OUTBOX.c.seq),
            limit=most,
        )
        return list(zip(due, judge(connection, due, now), strict=True)) if due else []


def messages_of(
    store: Store,
    *,
    status: str | None = None,
    decision_ids: Sequence[str] = (),
    limit: int | None = None,
) -> list[Message]:
    """Messages of a state, or those of these decisions, in order; UsageError for no state."""
    if status is not None and status not in STATES:
        known = ", ".join(STATES)
        raise UsageError(
            f"{status!r} is no state; there are {known}.{did_you_mean(status, STATES)}"
        )
    where = sa.true() if status is None else OUTBOX.c.status == status
    if decision_ids:
        where = where & OUTBOX.c.decision_id.in_(list(decision_ids))
    with store.reading() as connection:
        return read_messages(connection, where, order=(OUTBOX.c.seq,), limit=limit)


def message_counts(store: Store) -> dict[str, int]:
    """How many messages there are in each state, those of none included."""
    query = sa.select(OUTBOX.c.status, sa.func.count().label("n")).group_by(OUTBOX.c.status)
    with store.reading() as connection:
        counts = {row.status: int(row.n) for row in connection.execute(query)}
    return {state: counts.get(state, 0) for state in STATES}


def given_up(message: Message, limits: Limits, now: datetime) -> str | None:
    """Why a due message is not tried any more; None where it is."""
    if message.attempts >= limits.attempts:
        return f"gave up after {message.attempts} attempts: {message.note or 'the sender ended'}"
    if now - message.queued_at > limits.age:
        hours = limits.age / timedelta(hours=1)
        return f"not sent within {hours:g} hours: {message.note or 'nobody sent it'}"
    return None


def put_aside(connection: sa.Connection, message: Message, verdict: Verdict, now: datetime) -> None:
    if verdict.until is None:
        change(connection, message, now, status=REFUSED, note=verdict.reason, holder=None)
        return
    again = {"status": WAITING, "next_attempt_at": verdict.until, "handed_out": None}
    change(connection, message, now, note=verdict.reason, holder=None, **again)


def change(connection: sa.Connection, message: Message, now: datetime, **values: Any) -> None:
    own = sa.update(OUTBOX).where(OUTBOX.c.seq == message.seq)
    connection.execute(own.values(updated_at=now, **values))


def next_number(connection: sa.Connection) -> int:
    """Above every number given, and every cursor of the time when entries' numbers were cursors."""
    largest = connection.execute(sa.select(sa.func.max(OUTBOX.c.handed_out))).scalar()
    logged = connection.execute(sa.select(sa.func.max(DECISIONS.c.seq))).scalar()
    return max(int(largest or 0), int(logged or 0)) + 1


def read_messages(
    connection: sa.Connection, where: Any, *, order: Sequence[Any], limit: int | None
) -> list[Message]:
    query = (
        sa.select(OUTBOX, DECISION_TEXTS.c.payload.label("text"))
        .join_from(
            OUTBOX,
            DECISION_TEXTS,
            DECISION_TEXTS.c.decision_id == OUTBOX.c.decision_id,
            isouter=True,
        )
        .where(where)
        .order_by(*order)
        .limit(limit)
    )
    return [_message(row) for row in connection.execute(query)]


def _message(row: Any) -> Message:
    return Message(
        seq=row.seq,
        decision_id=row.decision_id,
        customer_id=row.customer_id,
        channel=row.channel,
        action=row.action,
        payload=row.payload,
        decision=json.loads(row.text) if row.text else {},
        status=row.status,
        attempts=row.attempts,
        token=row.token,
        created_at=row.created_at,
        queued_at=row.queued_at or row.created_at,
        next_attempt_at=row.next_attempt_at,
        contacted_at=row.contacted_at,
        settled_at=row.settled_at,
        handed_out=row.handed_out,
        body=row.body,
        note=row.note,
    )
