"""What customers said about being contacted; the newest word on a channel holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from data.store.opening import Store
from data.store.schema import CONSENT

CHUNK = 400
CONTACT, EVERY_CHANNEL = "contact", "all"
"""Words on being contacted at all (refusing it is ``do_not_contact``), and on every channel."""
CONSENTS = ("email_consent", "sms_consent", "phone_consent", "do_not_contact")
"""The columns of customers that speak about consent."""


def put_consent(
    store: Store, customer_id: str, channel: str, granted: bool, now: datetime, source: str
) -> None:
    """Opt in or out of a channel; holds from the return on. ``all`` speaks for every channel."""
    values = {
        "customer_id": customer_id,
        "channel": channel,
        "granted": granted,
        "source": source,
        "recorded_at": now,
    }
    with store.writing() as connection:
        connection.execute(sa.insert(CONSENT), values)


@dataclass(frozen=True)
class Word:
    """What a customer said, and when we learned it (naive UTC)."""

    granted: bool
    at: datetime


def words_in(
    connection: sa.Connection, customer_ids: Sequence[str] | None
) -> dict[str, dict[str, Word]]:
    """Per customer the newest word on each channel, of these customers or of all who spoke, within
    a transaction: what follows in it stands on these words.

    Channels never spoken of are absent. A word on ``all`` takes the place of every earlier word.
    """
    words: dict[str, dict[str, Word]] = {customer: {} for customer in customer_ids or ()}
    for some in chunks_of(CONSENT.c.customer_id, customer_ids):
        for row in connection.execute(sa.select(CONSENT).where(some).order_by(CONSENT.c.seq)):
            own = words.setdefault(row.customer_id, {})
            if row.channel == EVERY_CHANNEL:
                own.clear()
            own[row.channel] = Word(bool(row.granted), row.recorded_at)
    return words


def chunks_of(
    column: sa.Column[Any], ids: Sequence[str] | None
) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that together hold for these ids, few at a time; None: for all."""
    if ids is None:
        yield sa.true()
        return
    for start in range(0, len(ids), CHUNK):
        yield column.in_(list(ids[start : start + CHUNK]))
