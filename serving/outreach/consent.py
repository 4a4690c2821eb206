"""What holds of a customer's consent: the newest word on each channel, whoever it was said to.

Words come from the customers table and posted events (each version of a customer's row says what it
states, at its ``recorded_at``) and from the API (``PUT /v1/customers/{id}/consent``). A row that
states nothing takes nothing back. Of words of one moment a refusal holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Floats, Ints, Times
from data.store import CONTACT, EVERY_CHANNEL, Store, Word, words_in
from data.tables import ROW, Tables
from features.asof import as_of_view
from serving.outreach.actions import CHANNELS

WORDS = (*(f"{name}_consent" for name in CHANNELS), "do_not_contact")
REFUSAL = np.array([*(0.0 for _ in CHANNELS), 1.0])


@dataclass(frozen=True)
class Statements:
    """The newest statement of n customers on each of ``WORDS``: ``values`` (n, words), 1 true,
    0 false, NaN where nothing was said, and ``when`` (n, words)."""

    values: Floats
    when: Times

    def then(self, other: Statements) -> Statements:
        """On each word the newer statement; of one moment, the refusal.

        >>> first, second = datetime(2026, 3, 1), datetime(2026, 3, 2)
        >>> no = said_in({"email_consent": False}, first)
        >>> [float(said_in({"email_consent": True}, at).then(no).values[0, 0])
        ...  for at in (first, second)]
        [0.0, 1.0]
        """
        newer = np.isnat(self.when) | (other.when > self.when)
        refused = (other.when == self.when) & (other.values == REFUSAL)
        take = ~np.isnat(other.when) & (newer | refused)
        return Statements(
            np.where(take, other.values, self.values), np.where(take, other.when, self.when)
        )

    def of(self, rows: Ints) -> Statements:
        """Those of customers at these positions; below 0: nothing."""
        some = nothing_said(len(rows))
        known = rows >= 0
        some.values[known], some.when[known] = self.values[rows[known]], self.when[rows[known]]
        return some

    def say(self, row: int, one: Statements) -> None:
        """Add what one customer said, in place."""
        after = Statements(self.values[row : row + 1], self.when[row : row + 1]).then(one)
        self.values[row], self.when[row] = after.values[0], after.when[0]


def nothing_said(customers: int) -> Statements:
    """Of none of so many customers is anything known."""
    shape = (customers, len(WORDS))
    return Statements(np.full(shape, np.nan), np.full(shape, "NaT", dtype="datetime64[us]"))


def said_in(row: Mapping[str, Any], at: datetime) -> Statements:
    """What one row of customers states, recorded at ``at``: of one customer."""
    statements = nothing_said(1)
    for k, name in enumerate(WORDS):
        if row.get(name) is not None:
            statements.values[0, k], statements.when[0, k] = float(bool(row[name])), at
    return statements


def said_in_tables(tables: Tables, ids: Sequence[str] | pd.Index, as_of: datetime) -> Statements:
    """What rows known by ``as_of`` state, all versions of them; of these customers, each
    once."""
    columns = ["customer_id", "signed_up_at", "recorded_at", "deleted", ROW, *WORDS]
    rows = tables.frame("customers", columns)
    known = (rows["recorded_at"] <= as_of) & (rows["signed_up_at"] < as_of) & ~rows["deleted"]
    rows = rows[known.fillna(False).to_numpy(bool)]
    if rows["customer_id"].duplicated().any():
        rows = rows.sort_values(["recorded_at", ROW], kind="stable")
    whose = pd.Index(ids).get_indexer(pd.Index(rows["customer_id"]))
    recorded = rows["recorded_at"].to_numpy("datetime64[us]")
    statements = nothing_said(len(ids))
    for k, name in enumerate(WORDS):
        values = rows[name].astype("Float64").to_numpy(np.float64, na_value=np.nan)
        stated = np.flatnonzero(~np.isnan(values) & (whose >= 0))
        last = np.full(len(ids), -1)
        np.maximum.at(last, whose[stated], stated)
        any_word = last >= 0
        statements.values[any_word, k] = values[last[any_word]]
        statements.when[any_word, k] = recorded[last[any_word]]
    return statements


def said_to_us(words: Mapping[str, Mapping[str, Word]], ids: Sequence[str]) -> Statements:
    """What these customers said over the API: their newest words (``data.store.words_in``)."""
    statements = nothing_said(len(ids))
    for row, customer in enumerate(ids):
        newest = words.get(customer)
        if not newest:
            continue
        for k, channel in enumerate((*CHANNELS, CONTACT)):
            word = newest.get(channel, newest.get(EVERY_CHANNEL))
            if word is not None:
                statements.values[row, k] = float(word.granted != (channel == CONTACT))
                statements.when[row, k] = word.at
    return statements


def consent_now(
    tables: Tables, store: Store, customer_ids: list[str], as_of: datetime
) -> pd.DataFrame:
    """Per customer (index) email_consent, sms_consent, phone_consent, do_not_contact (nullable
    bools) and preferred_channel: the newest words, as said in tables by ``as_of`` and to us."""
    view = as_of_view(tables, "customers", as_of, ["customer_id", "preferred_channel"])
    frame = view.set_index("customer_id").reindex(customer_ids)
    few = len(customer_ids) <= 1000
    with store.reading() as connection:
        words = words_in(connection, customer_ids if few else None)
    statements = said_in_tables(tables, customer_ids, as_of).then(said_to_us(words, customer_ids))
    for k, name in enumerate(WORDS):
        unknown = np.isnan(statements.values[:, k])
        frame[name] = pd.arrays.BooleanArray(statements.values[:, k] == 1.0, unknown)
    return frame[[*WORDS, "preferred_channel"]]
