"""Decisions that nobody carried out in time: closed as expired, in the outbox and in the log.

What was never handed out nor sent once so many hours have passed is not sent any more: it was
decided for a day that is over. Each expiry is an entry of the log, about its customer as the
decision is, so that both are forgotten together. What was tried and failed is dead instead: it may
have arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from data.store.consent import chunks_of
from data.store.decision_log import publish_head
from data.store.decisions import log_decisions
from data.store.messages import (
    CHUNK,
    EXPIRED,
    REFUSED,
    WAITING,
    Limits,
    Message,
    change,
    read_messages,
)
from data.store.opening import Store
from data.store.schema import OUTBOX

RUN = "expired-"
"""What the ids of their log entries begin with."""


def has_expired(message: Message, limits: Limits, now: datetime) -> bool:
    """Whether a message that was never handed out nor sent is too old by now."""
    return message.contacted_at is None and now - message.queued_at > limits.age


def close_expired(
    store: Store, connection: sa.Connection, messages: Sequence[Message], limits: Limits,
    now: datetime,
) -> None:  # fmt: skip
    """Close these messages as expired, in the caller's transaction, which publishes the head
    (``decision_log.publish_head``) once it has ended."""
    if not messages:
        return
    note = f"not handed out within {limits.age.total_seconds() / 3600:g} hours"
    for message in messages:
        change(connection, message, now, status=EXPIRED, note=note, holder=None)
    entries = [
        {
            "kind": "expired",
            # a decision that was queued again by hand may expire again
            "decision_id": f"{RUN}{one.decision_id}-{one.queued_at:%Y%m%dT%H%M%S}",
            "of": one.decision_id,
            "customer_id": one.customer_id,
            "at": now.isoformat(),
            "reason": note,
        }
        for one in messages
    ]
    log_decisions(store, connection, f"{RUN}{entries[0]['decision_id']}", entries, now)


def expire_decisions(store: Store, limits: Limits, now: datetime) -> int:
    """Close everything that waits and has expired; how many."""
    where = (
        (OUTBOX.c.status == WAITING)
        & OUTBOX.c.contacted_at.is_(None)
        & (sa.func.coalesce(OUTBOX.c.queued_at, OUTBOX.c.created_at) < now - limits.age)
    )
    closed = 0
    while True:
        with store.writing() as connection:
            messages = read_messages(connection, where, order=(OUTBOX.c.seq,), limit=CHUNK)
            close_expired(store, connection, messages, limits, now)
        closed += len(messages)
        if len(messages) < CHUNK:
            break
    if closed:
        publish_head(store)
    return closed


def refuse_waiting(store: Store, action: str, reason: str, now: datetime) -> int:
    """Refuse what waits for this action and was never handed out nor tried; how many."""
    where = (
        (OUTBOX.c.status == WAITING) & OUTBOX.c.contacted_at.is_(None) & (OUTBOX.c.action == action)
    )
    with store.writing() as connection:
        messages = read_messages(connection, where, order=(OUTBOX.c.seq,), limit=None)
        for message in messages:
            change(connection, message, now, status=REFUSED, note=reason, holder=None)
    return len(messages)


def expired_among(store: Store, decision_ids: Sequence[str]) -> set[str]:
    """Those of these decisions that expired."""
    expired: set[str] = set()
    with store.reading() as connection:
        for some in chunks_of(OUTBOX.c.decision_id, decision_ids):
            query = sa.select(OUTBOX.c.decision_id).where(some, OUTBOX.c.status == EXPIRED)
            expired |= set(connection.execute(query).scalars())
    return expired
