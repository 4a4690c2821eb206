"""The outbox: what was decided and is to leave the house, message by message, each under a lease.

To claim a message is one transaction that no other writer overlaps: whether it may still be sent is
judged on what is committed by then, the bytes to send are rendered once and kept for ever, and it
is marked ``sending`` under a lease. A sender that dies loses its lease, and the next one sends the
same bytes under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from data.errors import UsageError
from data.store.decision_log import publish_head
from data.store.expiry import close_expired, has_expired
from data.store.messages import (
    CHUNK,
    DEAD,
    NOTE_CHARS,
    SENDING,
    SENT,
    WAITING,
    Judge,
    Limits,
    Message,
    Now,
    Verdict,
    change,
    given_up,
    next_number,
    put_aside,
    read_messages,
)
from data.store.opening import Store
from data.store.schema import ENDPOINTS, OUTBOX

LOOKED_AT = 8
"""Messages that one claim looks at: those that may not be sent are put aside on the way."""
Render = Callable[[Message], bytes]


@dataclass(frozen=True)
class Claim:
    """What one look at the outbox did: the message to send now, and those put aside, counted."""

    message: Message | None = None
    deferred: int = 0
    refused: int = 0
    dead: int = 0
    expired: int = 0

    @property
    def looked_at(self) -> int:
        """Messages that were due."""
        aside = self.deferred + self.refused + self.dead + self.expired
        return (self.message is not None) + aside


def claim(
    store: Store,
    judge: Judge,
    render: Render,
    *,
    holder: str,
    lease: timedelta,
    limits: Limits,
    now_of: Now,
) -> Claim:
    """Take the first due message that may still be sent, if there is one.

    Parameters
    ----------
    store, judge, render : the open store, what decides, and what makes the bytes (once).
    holder : who sends, for people to read.
    lease : so long nobody else takes it; what a sender needs at most for one attempt.
    limits : when a message is dead.
    now_of : the clock, asked once the store is ours.
    """
    counted = {"deferred": 0, "refused": 0, "dead": 0, "expired": 0}
    taken: Message | None = None
    with store.writing() as connection:
        now = now_of()
        due = read_messages(
            connection,
            OUTBOX.c.status.in_((WAITING, SENDING)) & (OUTBOX.c.next_attempt_at <= now),
            order=(OUTBOX.c.next_attempt_at, OUTBOX.c.seq),
            limit=LOOKED_AT,
        )
        old = [message for message in due if has_expired(message, limits, now)]
        close_expired(store, connection, old, limits, now)
        counted["expired"] = len(old)
        for message in [one for one in due if one not in old]:
            gone = given_up(message, limits, now)
            if gone:
                counted["dead"] += 1
                change(connection, message, now, status=DEAD, note=gone, holder=None)
                continue
            (verdict,) = judge(connection, [message], now)
            if verdict.allowed:
                taken = _taken(connection, message, render, holder, now + lease, now)
                break
            counted["deferred" if verdict.until else "refused"] += 1
            put_aside(connection, message, verdict, now)
    if old:
        publish_head(store)
    return Claim(taken, **counted)


def record_delivery(store: Store, message: Message, now: datetime) -> None:
    """The receiver has it: true whoever holds the lease by now."""
    with store.writing() as connection:
        number = sa.func.coalesce(OUTBOX.c.handed_out, next_number(connection))
        own = (OUTBOX.c.seq == message.seq) & (OUTBOX.c.status != SENT)
        values = {
            "status": SENT,
            "settled_at": now,
            "updated_at": now,
            "note": None,
            "holder": None,
            "handed_out": number,
        }
        connection.execute(sa.update(OUTBOX).where(own).values(values))


def record_failure(
    store: Store, message: Message, note: str, again_at: datetime, limits: Limits, now: datetime
) -> bool:
    """An attempt failed: it waits until ``again_at``, or is dead after its last. Whether it waits.

    Nothing happens if the lease was lost: somebody else is at it.
    """
    dead = message.attempts >= limits.attempts
    if dead:
        note = f"gave up after {message.attempts} attempts: {note}"
    with store.writing() as connection:
        own = (
            (OUTBOX.c.seq == message.seq)
            & (OUTBOX.c.token == message.token)
            & (OUTBOX.c.status == SENDING)
        )
        values = {
            "status": DEAD if dead else WAITING,
            "next_attempt_at": again_at,
            "updated_at": now,
            "note": note[:NOTE_CHARS],
            "holder": None,
        }
        connection.execute(sa.update(OUTBOX).where(own).values(values))
    return not dead


def replay(
    store: Store, judge: Judge, decision_ids: Sequence[str], now: datetime, *, commit: bool = True
) -> list[tuple[Message, Verdict]]:
    """Queue these messages again, under the same id and with the same bytes: each with its verdict.

    What may not be sent any more stays as it is; what may be later waits until then. All are judged
    again when they are sent. Without ``commit`` nothing is changed. UsageError names the first that
    is not there, and one that is being sent.
    """
    names, judged = list(dict.fromkeys(decision_ids)), []
    with store.writing() if commit else store.reading() as connection:
        for start in range(0, len(names), CHUNK):
            some = names[start : start + CHUNK]
            where = OUTBOX.c.decision_id.in_(some)
            messages = read_messages(connection, where, order=(OUTBOX.c.seq,), limit=None)
            _check_replayed(some, messages)
            judged += list(zip(messages, judge(connection, messages, now), strict=True))
        for message, verdict in judged if commit else ():
            if verdict.allowed or verdict.until is not None:
                change(
                    connection, message, now, status=WAITING, attempts=0, queued_at=now,
                    next_attempt_at=verdict.until or now,
                    note=f"queued again by hand{': ' * bool(verdict.reason)}{verdict.reason}",
                )  # fmt: skip
    return judged


def _check_replayed(decision_ids: Sequence[str], messages: Sequence[Message]) -> None:
    status = {message.decision_id: message.status for message in messages}
    for identity in decision_ids:
        if identity not in status:
            raise UsageError(f"the outbox has no message {identity!r}")
        if status[identity] == SENDING:
            raise UsageError(f"message {identity!r} is being sent; look again in a moment")


def disable_endpoint(store: Store, url: str, note: str, now: datetime) -> None:
    """Send nothing more to ``url`` until it is enabled again."""
    with store.writing() as connection:
        connection.execute(sa.delete(ENDPOINTS).where(ENDPOINTS.c.url == url))
        values = {"url": url, "disabled_at": now, "note": note[:NOTE_CHARS]}
        connection.execute(sa.insert(ENDPOINTS), values)


def enable_endpoint(store: Store, url: str) -> bool:
    """Send to ``url`` again; whether it was disabled."""
    with store.writing() as connection:
        gone = connection.execute(sa.delete(ENDPOINTS).where(ENDPOINTS.c.url == url))
        return bool(gone.rowcount)


def disabled_since(store: Store, url: str) -> tuple[datetime, str] | None:
    """When and why nothing is sent to ``url`` any more; None where it is."""
    query = sa.select(ENDPOINTS).where(ENDPOINTS.c.url == url, ENDPOINTS.c.disabled_at.is_not(None))
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else (row.disabled_at, str(row.note))


def _taken(
    connection: sa.Connection,
    message: Message,
    render: Render,
    holder: str,
    until: datetime,
    now: datetime,
) -> Message:
    values: dict[str, Any] = {
        "status": SENDING,
        "attempts": message.attempts + 1,
        "token": message.token + 1,
        "holder": holder,
        "next_attempt_at": until,
        "contacted_at": message.contacted_at or now,
    }
    if message.body is None:
        values["body"] = render(message)
    change(connection, message, now, **values)
    del values["holder"]
    return Message(**{**vars(message), **values})
