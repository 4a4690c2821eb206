"""What a caller pulls: the messages that may be acted upon now, each with a number to go on after.

A number is given when a message is first handed out, larger than any before. So what may be had
only later (quiet hours, a full day) comes later, and no cursor passes over it.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from data.store.expiry import expire_decisions
from data.store.messages import (
    CHUNK,
    DEAD,
    HANDED_OUT,
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
from data.store.schema import OUTBOX


def hand_out(
    store: Store,
    judge: Judge,
    *,
    after: int,
    most: int,
    take: bool,
    limits: Limits,
    now_of: Now,
) -> tuple[list[tuple[Message, Verdict]], int | None]:
    """Messages for a caller who pulls, in the order in which they were first handed out.

    Every one is judged now, in one transaction with its mark, also those handed out before.

    Parameters
    ----------
    store, judge : the open store, and what decides.
    after : the number to go on after; 0: from the first.
    most : messages to give.
    take : hand out what waits too; False where a sender pushes it.
    limits : when a message is dead.
    now_of : the clock, asked once the store is ours.

    Returns
    -------
    The messages, each with its verdict, and the number to go on after; None where there are no more
    by now.
    """
    page: list[tuple[Message, Verdict]] = []
    if take:
        expire_decisions(store, limits, now_of())
    with store.writing() as connection:
        now = now_of()
        while len(page) < most:
            wanted = most - len(page)
            messages = read_messages(
                connection, _numbered(after), order=(OUTBOX.c.handed_out,), limit=wanted
            )
            if not messages:
                if take and _number_waiting(connection, judge, wanted, limits, now):
                    continue
                return page, None
            for message in messages:
                after = message.handed_out or after
                (verdict,) = judge(connection, [message], now)
                if verdict.allowed or (message.status == SENT and verdict.until):
                    page.append((message, verdict))
                elif message.status == HANDED_OUT and verdict.until is not None:
                    put_aside(connection, message, verdict, now)
        more = _numbered(after) | (_due(now) if take else sa.false())
        follows = connection.execute(sa.select(OUTBOX.c.seq).where(more).limit(1)).first()
    return page, after if follows else None


def ahead(store: Store, after: int, most: int, now: datetime, *, take: bool) -> list[Message]:
    """The messages that ``hand_out`` would look at first; nothing is changed."""
    with store.reading() as connection:
        messages = read_messages(
            connection, _numbered(after), order=(OUTBOX.c.handed_out,), limit=most
        )
        if take and len(messages) < most:
            order = (OUTBOX.c.next_attempt_at, OUTBOX.c.seq)
            messages += read_messages(connection, _due(now), order=order, limit=2 * most)
    return messages


def _numbered(after: int) -> sa.ColumnElement[bool]:
    return OUTBOX.c.status.in_((HANDED_OUT, SENT)) & (OUTBOX.c.handed_out > after)


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return (OUTBOX.c.status == WAITING) & (OUTBOX.c.next_attempt_at <= now)


def _number_waiting(
    connection: sa.Connection, judge: Judge, wanted: int, limits: Limits, now: datetime
) -> int:
    """Hand out so many waiting messages, if there are; how many.

    Who may not be contacted is passed over and asked about again next time: a caller who pulls
    gives nothing up for good.
    """
    number, count, last = next_number(connection), 0, 0
    while count < wanted:
        where = _due(now) & (OUTBOX.c.seq > last)
        due = read_messages(connection, where, order=(OUTBOX.c.seq,), limit=CHUNK)
        if not due:
            break
        for message in due:  # one by one: each counts against the caps of the next
            if count == wanted:
                break
            last = message.seq
            gone = given_up(message, limits, now)
            if gone:
                change(connection, message, now, status=DEAD, note=gone)
                continue
            (verdict,) = judge(connection, [message], now)
            if verdict.allowed:
                change(
                    connection,
                    message,
                    now,
                    status=HANDED_OUT,
                    handed_out=number + count,
                    contacted_at=message.contacted_at or now,
                    note=None,
                )
                count += 1
            elif verdict.until is not None:
                put_aside(connection, message, verdict, now)
    return count
