"""Everybody who is considered: predictions, consent, past contacts, open complaints, money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Bools
from data.errors import DefinitionError, did_you_mean
from data.settings import Outreach, Settings
from data.store import Store, contacts, expired_among, selected_decisions, unwelcome_in
from data.tables import Tables
from features.asof import as_of_view
from features.complaint import is_complaint
from serving.outreach.actions import CHANNELS, action_named, pairs
from serving.outreach.consent import consent_now
from serving.outreach.eligibility import QUARTER, UNWELCOME
from serving.outreach.facts import known_facts
from serving.outreach.policy import Spent
from serving.outreach.worth import Prices, avoided_cost

RUN = "outreach-"
"""What the ids of outreach's runs begin with; the moment follows."""
COMPLAINT_COLUMNS = ("customer_id", "opened_at", "resolved_at", "reopened_at", "is_complaint",
                     "topic", "priority", "csat", "is_machine")  # fmt: skip


@dataclass(frozen=True)
class Contacts:
    """Contacts before a moment, treated and held out alike: ``last`` the newest by customer id,
    ``in_90_days`` their number, ``unwelcome`` what was said of one of late."""

    last: Mapping[str, pd.Timestamp]
    in_90_days: Mapping[str, int]
    unwelcome: Mapping[str, str]


def past_contacts(tables: Tables, store: Store, policy: Outreach, as_of: datetime) -> Contacts:
    """Contacts by past campaigns (``treatments``) and by our own decisions, those held out too.

    Our own took place when they left the house, or else count from when they were decided. One that
    came back as a treatment of the same moment counts once.
    """
    begin = since(policy, as_of)
    ours = selected_decisions(store, run_name(begin))
    with store.reading() as connection:
        left = {name: at for of in contacts(connection, None).values() for name, at in of.items()}
        unwelcome = unwelcome_in(connection, None, as_of - policy.suppressed_for)
    decided = pd.to_datetime([d["as_of"] for d in ours]).astype("datetime64[us]")
    at = [left.get(str(d.get("decision_id")), t) for d, t in zip(ours, decided, strict=True)]
    own = pd.DataFrame(
        {
            "customer_id": [d["customer_id"] for d in ours],
            "at": pd.Series(at, dtype="datetime64[us]"),
        }
    )
    known = set(zip(own["customer_id"], decided, strict=True))
    campaigns = campaign_contacts(tables, begin, as_of)
    again = [pair in known for pair in zip(campaigns["customer_id"], campaigns["at"], strict=True)]
    every = pd.concat([own, campaigns[~np.array(again, dtype=bool)]], ignore_index=True)
    every = every.drop_duplicates()
    every = every[every["at"] <= as_of]
    recent = every[every["at"] > as_of - QUARTER]
    return Contacts(
        every.groupby("customer_id")["at"].max().to_dict(),
        recent["customer_id"].value_counts().to_dict(),
        unwelcome_words(unwelcome),
    )


def since(policy: Outreach, now: datetime) -> datetime:
    """From when on contacts count for any rule."""
    days = timedelta(days=max(policy.min_days_between, policy.suppress_days) + 1)
    return now - max(QUARTER, days)


def campaign_contacts(tables: Tables, begin: datetime, as_of: datetime) -> pd.DataFrame:
    """``customer_id, at``: contacts by campaigns (``treatments``) after ``begin``, known at
    ``as_of``."""
    if not tables.has("treatments"):
        none = {
            "customer_id": pd.Series([], dtype="str"),
            "at": pd.Series([], dtype="datetime64[us]"),
        }
        return pd.DataFrame(none)
    past = as_of_view(tables, "treatments", as_of, ["customer_id", "treated_at", "action"])
    past = past[past["action"].notna() & (past["treated_at"] > begin)]
    return past[["customer_id", "treated_at"]].rename(columns={"treated_at": "at"})


def unwelcome_words(outcomes: Mapping[str, tuple[str, datetime]]) -> dict[str, str]:
    """What the outcome after which each customer is left alone says, in words."""
    return {who: f"{UNWELCOME[word]} on {at:%Y-%m-%d}" for who, (word, at) in outcomes.items()}


def spent_on(store: Store, day: tuple[datetime, datetime]) -> Spent:
    """What runs whose moment lies in [begin, end) have selected, the hold-out included; what
    expired is free again."""
    begin, end = day
    decisions = selected_decisions(store, run_name(begin), run_name(end))
    gone = expired_among(store, [d["decision_id"] for d in decisions])
    decisions = [d for d in decisions if d["decision_id"] not in gone]
    channels = pd.Series([d["channel"] for d in decisions], dtype=object).value_counts()
    return Spent(
        total=len(decisions),
        channels={name: int(channels.get(name, 0)) for name in CHANNELS},
        minutes=sum(_minutes(d) for d in decisions),
        explored=sum(bool(d.get("explored")) for d in decisions),
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


def named_in_vain(people: pd.DataFrame, tables: Tables, policy: Outreach) -> list[str]:
    """What ``[outreach]`` names and nobody has, in sentences: most likely misspelt, and a segment
    that was to be left alone is contacted."""
    segments = sorted(set(people["segment"].dropna().astype(str)))
    lines = [
        f"[outreach] suppress_segments: no customer is in {name!r}."
        f"{did_you_mean(name, segments)} There are {', '.join(segments) or 'none'}"
        for name in policy.suppress_segments
        if name not in segments
    ]
    if not policy.action_of_topics or not tables.has("tickets"):
        return lines
    topics = tables.frame("tickets", ["topic"])["topic"].dropna().astype(str).str.lower().unique()
    return lines + [
        f"[outreach] action_of_topics: no ticket is of the topic {name!r}."
        f"{did_you_mean(name, sorted(topics))}"
        for name in pairs(policy.action_of_topics)
        if name not in topics
    ]


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
    past = past_contacts(tables, store, policy, as_of)
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
            "last_contacted_at": pd.Series(index.map(past.last)).astype("datetime64[us]"),
            "contacts_90d": pd.Series(index.map(past.in_90_days)).fillna(0).astype("float64"),
            "has_open_complaint": index.isin(open_complaints(tables, settings, as_of)),
            **{f"has_{name}": so for name, so in facts.items()},
            "time_zone": known["time_zone"].array,
            "vulnerable": known["vulnerable"].array,
            "closed": known["closed_at"].notna().to_numpy(bool),
            "segment": known["segment"].array,
            "unwelcome": pd.Series(index.map(past.unwelcome), dtype=object).array,
        }
    )
