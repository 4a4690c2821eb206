"""What customers said about being contacted; the newest word on a channel holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from data.store.opening import Store
from data.store.schema import CONSENT

CHUNK = 400
CONSENT_CHANNELS = {
    "email_consent": "email",
    "sms_consent": "sms",
    "phone_consent": "phone",
    "do_not_contact": "contact",
}
"""The columns of customers that speak about consent, and the channel of their words; the last one
says the opposite of a grant."""


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


def consent_of(store: Store, customer_ids: Sequence[str]) -> dict[str, dict[str, bool]]:
    """Per customer the newest word on each channel; channels never spoken of are absent.

    A word on ``all`` takes the place of every earlier word on single channels.
    """
    found: dict[str, dict[str, bool]] = {customer: {} for customer in customer_ids}
    with store.reading() as connection:
        for start in range(0, len(customer_ids), CHUNK):
            query = (
                sa.select(CONSENT)
                .where(CONSENT.c.customer_id.in_(list(customer_ids[start : start + CHUNK])))
                .order_by(CONSENT.c.seq)
            )
            for row in connection.execute(query):
                said = found[row.customer_id]
                if row.channel == "all":
                    said.clear()
                said[row.channel] = bool(row.granted)
    return found
