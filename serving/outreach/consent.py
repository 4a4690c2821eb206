"""What holds of a customer's consent: the newest word on each channel, whoever it was said to.

Words come from the customers table and posted events (each version of a customer's row says what it
states, at its ``recorded_at``) and from the API (``PUT /v1/customers/{id}/consent``). A row that
states nothing takes nothing back. Of words of one moment a refusal holds.
"""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from data.store import CONTACT, EVERY_CHANNEL, Store, consent_words
from data.tables import ROW, Tables
from features.asof import as_of_view
from serving.outreach.actions import CHANNELS

WORDS = (*(f"{name}_consent" for name in CHANNELS), "do_not_contact")


def consent_now(
    tables: Tables, store: Store, customer_ids: list[str], as_of: datetime
) -> pd.DataFrame:
    """Per customer (index) email_consent, sms_consent, phone_consent, do_not_contact (nullable
    bools) and preferred_channel: the newest words, as said in tables by ``as_of`` and to us."""
    view = as_of_view(tables, "customers", as_of, ["customer_id", "preferred_channel"])
    frame = view.set_index("customer_id").reindex(customer_ids)
    said, at = _of_tables(tables, customer_ids, as_of)
    ours, ours_at = _of_store(store, customer_ids)
    for name in WORDS:
        newer = ours_at[name].notna() & (at[name].isna() | (ours_at[name] > at[name]))
        tie = (ours_at[name] == at[name]).fillna(False)
        refuses = ours[name] == (name == "do_not_contact")
        take = (newer | (tie & refuses.fillna(False))).to_numpy(bool)
        values = said[name].to_numpy(object).copy()
        values[take] = ours[name].to_numpy(object)[take]
        frame[name] = pd.array([None if pd.isna(v) else bool(v) for v in values], dtype="boolean")
    return frame[[*WORDS, "preferred_channel"]]


def _of_tables(
    tables: Tables, ids: list[str], as_of: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What rows known by ``as_of`` say, and when it was recorded: frames of WORDS by customer."""
    columns = ["customer_id", "signed_up_at", "recorded_at", "deleted", ROW, *WORDS]
    rows = tables.frame("customers", columns)
    known = (rows["recorded_at"] <= as_of) & (rows["signed_up_at"] < as_of) & ~rows["deleted"]
    rows = rows[known.fillna(False).to_numpy(bool)]
    if rows["customer_id"].duplicated().any():
        rows = rows.sort_values(["recorded_at", ROW], kind="stable")
    said, at = {}, {}
    for name in WORDS:
        stated = rows.loc[rows[name].notna(), ["customer_id", "recorded_at", name]]
        last = stated.drop_duplicates("customer_id", keep="last").set_index("customer_id")
        said[name] = last[name].reindex(ids)
        at[name] = last["recorded_at"].reindex(ids)
    return pd.DataFrame(said, index=ids), pd.DataFrame(at, index=ids)


def _of_store(store: Store, ids: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    words = consent_words(store, ids)
    said, at = {}, {}
    every = words[words["channel"] == EVERY_CHANNEL].set_index("customer_id")
    for name, channel in zip(WORDS, (*CHANNELS, CONTACT), strict=True):
        own = words[words["channel"] == channel].set_index("customer_id")
        own = pd.concat([every[~every.index.isin(own.index)], own])
        granted = own["granted"].astype("boolean").reindex(ids)
        said[name] = ~granted if channel == CONTACT else granted
        at[name] = own["recorded_at"].reindex(ids)
    found = pd.DataFrame(said, index=ids)
    times = pd.DataFrame(at, index=ids).astype("datetime64[us]")
    return found, times
