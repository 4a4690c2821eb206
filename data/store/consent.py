"""What customers said about being contacted; the newest word on a channel holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
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


def consent_of(store: Store, customer_ids: Sequence[str]) -> dict[str, dict[str, bool]]:
    """Per customer the newest word on each channel; channels never spoken of are absent.

    A word on ``all`` takes the place of every earlier word on single channels.
    """
    with store.reading() as connection:
        found = words_in(connection, customer_ids)
    return {c: {name: word.granted for name, word in said.items()} for c, said in found.items()}


@dataclass(frozen=True)
class Word:
    """What a customer said, and when we learned it (naive UTC)."""

    granted: bool
    at: datetime


def words_in(connection: sa.Connection, customer_ids: Sequence[str]) -> dict[str, dict[str, Word]]:
    """``consent_of`` with times, within a transaction: what follows in it stands on these words."""
    found: dict[str, dict[str, Word]] = {customer: {} for customer in customer_ids}
    for start in range(0, len(customer_ids), CHUNK):
        query = (
            sa.select(CONSENT)
            .where(CONSENT.c.customer_id.in_(list(customer_ids[start : start + CHUNK])))
            .order_by(CONSENT.c.seq)
        )
        for row in connection.execute(query):
            said = found[row.customer_id]
            if row.channel == EVERY_CHANNEL:
                said.clear()
            said[row.channel] = Word(bool(row.granted), row.recorded_at)
    return found


def consent_words(store: Store, customer_ids: Sequence[str] | None = None) -> pd.DataFrame:
    """``customer_id, channel, granted, recorded_at``: the newest word of each customer on each
    channel, with when it was said; of these customers, or of all. A word on ``all`` takes the place
    of every earlier word on single channels, as in ``consent_of``.
    """
    few = customer_ids is not None and len(customer_ids) <= 10 * CHUNK
    rows: list[tuple[str, str, bool, datetime]] = []
    query = sa.select(
        CONSENT.c.customer_id, CONSENT.c.channel, CONSENT.c.granted, CONSENT.c.recorded_at
    ).order_by(CONSENT.c.seq)
    with store.reading() as connection:
        if few and customer_ids is not None:
            for start in range(0, len(customer_ids), CHUNK):
                ids = list(customer_ids[start : start + CHUNK])
                found = connection.execute(query.where(CONSENT.c.customer_id.in_(ids)))
                rows += [(r[0], r[1], bool(r[2]), r[3]) for r in found]
        else:
            rows = [(r[0], r[1], bool(r[2]), r[3]) for r in connection.execute(query)]
    names = ["customer_id", "channel", "granted", "recorded_at"]
    words = pd.DataFrame(rows, columns=names)
    words["recorded_at"] = words["recorded_at"].astype("datetime64[us]")
    words["at"] = range(len(words))
    of_all = words[words["channel"] == "all"].groupby("customer_id")["at"].max()
    last = words["customer_id"].map(of_all).fillna(-1)
    words = words[words["at"] >= last]
    return words.drop_duplicates(["customer_id", "channel"], keep="last")[names].reset_index(
        drop=True
    )
