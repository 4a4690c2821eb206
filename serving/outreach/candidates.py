"""Everybody who is considered: predictions, consent, past contacts, open complaints, money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Bools
from data.errors import DefinitionError
from data.settings import Outreach, Settings
from data.store import Store, outcomes_of, selected_decisions
from data.tables import Tables
from features.asof import as_of_view
from features.complaint import is_complaint
from serving.outreach.actions import CHANNELS, action_named
from serving.outreach.consent import consent_now
from serving.outreach.facts import known_facts
from serving.outreach.policy import Spent
from serving.outreach.worth import Prices, avoided_cost

QUARTER = timedelta(days=90)
RUN = "outreach-"
"""What the ids of outreach's runs begin with; the moment follows."""
UNWELCOME = ("complained", "disagreed")
"""Outcomes after which a customer is left alone for ``[outreach] suppress_days``."""
COMPLAINT_COLUMNS = ("customer_id", "opened_at", "resolved_at", "reopened_at", "is_complaint",
                     "topic", "priority", "csat", "is_machine")  # fmt: skip


@dataclass(frozen=True)
class Contacts:
    """Contacts before a moment, treated and held out alike: ``last`` the newest by customer id,
    ``in_90_days`` their number, ``suppressed`` why a customer is left alone for now."""

    last: Mapping[str, pd.Timestamp]
    in_90_days: Mapping[str, int]
    suppressed: Mapping[str, str]


def past_contacts(tables: Tables, store: Store, policy: Outreach, as_of: datetime) -> Contacts:
    """Contacts by past campaigns (``treatments``) and by our own decisions, those held out too.

    A decision that came back as a treatment of the same moment counts once.
    """
    back = max(QUARTER, timedelta(days=max(policy.min_days_between, policy.suppress_days) + 1))
    ours = selected_decisions(store, run_name(as_of - back))
    frames = [
        pd.DataFrame(
            {
                "customer_id": [d["customer_id"] for d in ours],
                "at": pd.to_datetime([d["as_of"] for d in ours]).astype("datetime64[us]"),
            }
        )
    ]
    if tables.has("treatments"):
        past = as_of_view(tables, "treatments", as_of, ["customer_id", "treated_at", "action"])
        past = past.loc[past["action"].notna(), ["customer_id", "treated_at"]]
        frames.append(past.rename(columns={"treated_at": "at"}))
    every = pd.concat(frames, ignore_index=True).drop_duplicates()
    every = every[every["at"] <= as_of]
    recent = every[every["at"] > as_of - QUARTER]
    return Contacts(
        every.groupby("customer_id")["at"].max().to_dict(),
        recent["customer_id"].value_counts().to_dict(),
        _suppressed(store, ours, policy, as_of),
    )


def _suppressed(
    store: Store, ours: Sequence[Mapping[str, Any]], policy: Outreach, as_of: datetime
) -> dict[str, str]:
    since = as_of - timedelta(days=policy.suppress_days)
    owners = {d["decision_id"]: d["customer_id"] for d in ours if "decision_id" in d}
    found = {}
    for decision, outcomes in outcomes_of(store, list(owners)).items():
        for word, at in outcomes:
            if word in UNWELCOME and since < at:
                told = "complained of a contact" if word == "complained" else "an agent disagreed"
                found[owners[decision]] = f"left alone for a while: {told} on {at:%Y-%m-%d}"
    return found


def spent_on(store: Store, day: tuple[datetime, datetime]) -> Spent:
    """What runs whose moment lies in [begin, end) have selected, the hold-out included."""
    begin, end = day
    found = selected_decisions(store, run_name(begin), run_name(end))
    channels = pd.Series([d["channel"] for d in found], dtype=object).value_counts()
    return Spent(
        total=len(found),
        channels={name: int(channels.get(name, 0)) for name in CHANNELS},
        minutes=sum(_minutes(d) for d in found),
        explored=sum(bool(d.get("explored")) for d in found),
    )


def _minutes(decision: Mapping[str, Any]) -> float:
    try:
        return action_named(decision["action"]).minutes(decision["channel"])
    except DefinitionError:  # an action of an older catalogue: as long as a check-in
        return action_named("check_in").minutes(decision["channel"])


def run_name(moment: datetime) -> str:
    """The id of the run as of a moment; ids order as their moments do."""
    return f"{RUN}{moment.isoformat()}"


def open_complaints(tables: Tables, settings: Settings, as_of: datetime) -> set[str]:
    """Customers with a complaint that is not resolved, or was opened again."""
    if not tables.has("tickets"):
        return set()
    tickets = as_of_view(tables, "tickets", as_of, COMPLAINT_COLUMNS)
    resolved, again = tickets["resolved_at"], tickets["reopened_at"]
    is_open = resolved.isna() | (again > resolved).fillna(False)
    tickets = tickets[is_open.to_numpy(bool) & tickets["customer_id"].notna().to_numpy(bool)]
    complaints: Bools = is_complaint(tickets, settings.complaint).to_numpy(bool)
    human = ~tickets["is_machine"].fillna(False).to_numpy(bool)
    return set(tickets.loc[complaints & human, "customer_id"])


def candidates(
    scores: pd.DataFrame,
    tables: Tables,
    store: Store,
    settings: Settings,
    as_of: datetime,
    *,
    prices: Prices,
    risk_column: str,
) -> pd.DataFrame:
    """A row per score, in its order, as ``policy.plan`` takes them."""
    policy = settings.outreach
    ids = scores["customer_id"].astype(str).tolist()
    index = pd.Index(ids)
    consent = consent_now(tables, store, ids, as_of)
    columns = ["customer_id", "segment", "time_zone", "value", "vulnerable", "closed_at"]
    known = as_of_view(tables, "customers", as_of, columns).set_index("customer_id").reindex(ids)
    contacts = past_contacts(tables, store, policy, as_of)
    suppressed = pd.Series(index.map(contacts.suppressed), index=ids, dtype=object)
    listed = known["segment"].isin(list(policy.suppress_segments)).to_numpy(bool)
    suppressed[listed] = "the segment is suppressed: [outreach] suppress_segments"
    channel = scores["channel"] if "channel" in scores else pd.Series([None] * len(ids))
    handling, _ = prices.of(channel)
    facts = known_facts(tables, ids, scores["topic"].tolist(), as_of)
    avoided = avoided_cost(channel, known["value"].reset_index(drop=True), policy, prices)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "risk": scores[risk_column].to_numpy(np.float64),
            "topic": scores["topic"].to_numpy(),
            "avoided_cost": avoided,
            "contact_cost": handling,
            **{name: consent[name].array for name in consent.columns},
            "last_contacted_at": pd.Series(index.map(contacts.last)).astype("datetime64[us]"),
            "contacts_90d": pd.Series(index.map(contacts.in_90_days)).fillna(0).astype("float64"),
            "has_open_complaint": index.isin(open_complaints(tables, settings, as_of)),
            **{f"has_{name}": so for name, so in facts.items()},
            "time_zone": known["time_zone"].array,
            "vulnerable": known["vulnerable"].array,
            "closed": known["closed_at"].notna().to_numpy(bool),
            "suppressed": suppressed.array,
        }
    )
