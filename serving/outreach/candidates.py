"""Everybody who is considered: predictions beside consent, past contacts and open tickets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from data.settings import Settings
from data.store import Store, consent_of, decisions_of
from data.tables import Tables
from features.asof import as_of_view
from features.complaint import is_complaint
from models.uplift import (
    Effect,
    Trial,
    joined,
    relative_effects,
    trial_of_log,
    trial_of_treatments,
    uplift,
)
from serving.outreach.actions import action_for
from serving.outreach.policy import CHANNELS

CONTACT = "contact"
"""The store's word on being contacted at all; refusing it is ``do_not_contact``."""


def consent_now(
    tables: Tables, store: Store, customer_ids: list[str], as_of: datetime
) -> pd.DataFrame:
    """Per customer (index) email_consent, sms_consent, phone_consent, do_not_contact and
    preferred_channel: the customers table as of ``as_of``, and what was said to us since."""
    columns = [f"{name}_consent" for name in CHANNELS]
    wanted = ["customer_id", *columns, "do_not_contact", "preferred_channel"]
    known = as_of_view(tables, "customers", as_of, wanted).set_index("customer_id")
    frame = known.reindex(customer_ids)
    said = consent_of(store, customer_ids)
    for customer, words in said.items():
        for channel, granted in words.items():
            if channel in CHANNELS:
                frame.loc[customer, f"{channel}_consent"] = granted
            elif channel == CONTACT:
                frame.loc[customer, "do_not_contact"] = not granted
    for column in (*columns, "do_not_contact"):
        frame[column] = frame[column].astype("boolean")
    return frame


def last_contacts(tables: Tables, store: Store, as_of: datetime) -> pd.Series:
    """The newest contact per customer id: past treatments and our own decisions to treat."""
    found = []
    if tables.has("treatments"):
        past = as_of_view(tables, "treatments", as_of, ["customer_id", "treated_at", "action"])
        past = past[past["action"].notna()]
        found.append(past.set_index("customer_id")["treated_at"])
    ours = [d for d in decisions_of(store) if d["arm"] == "treat"]
    if ours:
        found.append(
            pd.Series(
                pd.to_datetime([d["as_of"] for d in ours]).astype("datetime64[us]"),
                index=[d["customer_id"] for d in ours],
            )
        )
    if not found:
        return pd.Series(dtype="datetime64[us]")
    return pd.concat(found).groupby(level=0).max()


def past_trial(tables: Tables, store: Store, settings: Settings, as_of: datetime) -> Trial | None:
    """What chance decided and what came of it, as known at ``as_of``: the ``treatments`` table and
    our own arms. None without tickets, or where nothing was decided."""
    if not tables.has("tickets"):
        return None
    columns = ("customer_id", "opened_at", "is_complaint", "topic", "priority", "csat")
    tickets = as_of_view(tables, "tickets", as_of, columns)
    tickets = tickets.assign(is_complaint=is_complaint(tickets, settings.complaint))
    found = []
    ours = decisions_of(store)
    if ours:
        found.append(trial_of_log(ours, tickets, as_of=as_of))
    if tables.has("treatments"):
        # what was done without known odds compares unlike customers: it is left out, not guessed
        known = as_of_view(tables, "treatments", as_of)
        found.append(
            trial_of_treatments(known, tickets, as_of=as_of, leave_out_without_propensity=True)
        )
    return joined(found) if found else None


def effects_of(past: Trial | None) -> list[Effect]:
    """What past randomised contacts changed."""
    return [] if past is None else relative_effects(past)


def candidates(
    scores: pd.DataFrame,
    tables: Tables,
    store: Store,
    settings: Settings,
    as_of: datetime,
    *,
    effects: list[Effect],
    risk_column: str,
) -> pd.DataFrame:
    """A row per score, in its order, as ``policy.plan`` takes them."""
    ids = scores["customer_id"].astype(str).tolist()
    consent = consent_now(tables, store, ids, as_of).reset_index(drop=True)
    contacts = last_contacts(tables, store, as_of)
    last: Mapping[str, pd.Timestamp] = contacts.to_dict()
    open_tickets: set[str] = set()
    if tables.has("tickets"):
        tickets = as_of_view(tables, "tickets", as_of, ["customer_id", "resolved_at"])
        open_tickets = set(tickets.loc[tickets["resolved_at"].isna(), "customer_id"].dropna())
    topics = [None if pd.isna(t) else str(t) for t in scores["topic"]]
    risk = scores[risk_column].to_numpy(np.float64)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "risk": risk,
            "topic": scores["topic"].to_numpy(),
            "uplift": uplift(risk, [action_for(t).name for t in topics], effects),
            **{name: consent[name] for name in consent.columns},
            "last_contacted_at": pd.Series(
                [last.get(i, pd.NaT) for i in ids], dtype="datetime64[us]"
            ),
            "has_open_ticket": [i in open_tickets for i in ids],
        }
    )
