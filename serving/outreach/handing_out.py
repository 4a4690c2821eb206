"""May this decision still be acted on? Asked at the moment of handing out or sending.

A decision is as old as its run; since then the customer may have opted out, closed their account,
complained, or been contacted by another decision. Whoever hands out or sends asks here, with the
newest tables and the store, and leaves out whom it may not contact. Quiet hours are no refusal but
a wait: ``not_before`` and ``not_after`` say when, in naive UTC, by the customer's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from data.settings import Settings
from data.store import Store, outcomes_of, selected_decisions
from data.tables import Tables
from features.asof import as_of_view
from serving.of_customers import OfCustomers
from serving.outreach.actions import CHANNELS
from serving.outreach.candidates import UNWELCOME, open_complaints, run_name
from serving.outreach.consent import consent_now
from serving.outreach.eligibility import eligibility
from serving.outreach.quiet import window

ARRIVED = ("sent", "answered", "resolved", "complained")
"""Outcomes that say that a contact took place."""


@dataclass(frozen=True)
class Standing:
    """Whether a decision may be acted on; ``reason`` why not, "" where it may. ``waits``: not yet,
    it is quiet there until ``not_before``."""

    decision_id: str
    may: bool
    reason: str
    waits: bool
    not_before: datetime | None
    not_after: datetime | None


def eligibility_now(
    tables: Tables,
    store: Store,
    settings: Settings,
    decisions: Sequence[Mapping[str, Any]],
    now: datetime,
) -> list[Standing]:
    """How each logged decision (``decision_id, customer_id, channel, arm``) stands at ``now``.

    Read again: consent by its channel, do_not_contact, closed accounts, suppression, vulnerability,
    open complaints, the hold-out, time zones, and whether another decision about the customer was
    carried out within ``[outreach] min_days_between``.
    """
    if not decisions:
        return []
    policy = settings.outreach
    ids = [str(d["customer_id"]) for d in decisions]
    people = sorted(set(ids))
    own = OfCustomers(tables, frozenset(people))
    consent = consent_now(own, store, people, now)
    columns = ["customer_id", "segment", "time_zone", "vulnerable", "closed_at"]
    known = as_of_view(own, "customers", now, columns).set_index("customer_id").reindex(people)
    suppressed = pd.Series(None, index=people, dtype=object)
    listed = known["segment"].isin(list(policy.suppress_segments)).to_numpy(bool)
    suppressed[listed] = "the segment is suppressed: [outreach] suppress_segments"
    rules = eligibility(
        pd.DataFrame(
            {
                **{name: consent[name].array for name in consent.columns},
                "last_contacted_at": pd.Series(pd.NaT, index=range(len(people))),
                "has_open_complaint": pd.Index(people).isin(open_complaints(own, settings, now)),
                "time_zone": known["time_zone"].array,
                "vulnerable": known["vulnerable"].array,
                "closed": known["closed_at"].notna().to_numpy(bool),
                "suppressed": suppressed.array,
            }
        ),
        policy,
        now,
        settings.company.time_zone,
    )
    carried, unwelcome = _since(store, policy.min_days_between, policy.suppress_days, people, now)
    at = {customer: k for k, customer in enumerate(people)}
    out = []
    for decision, customer in zip(decisions, ids, strict=True):
        row = at[customer]
        name = str(decision["decision_id"])
        reason = str(rules.blocked[row])
        channel = decision.get("channel")
        if not reason and channel not in CHANNELS:
            reason = f"{channel} is no channel of outreach: {', '.join(CHANNELS)}"
        elif not reason and not rules.channels[row, CHANNELS.index(channel)]:
            reason = f"no consent for {channel}"
        if decision.get("arm", "treat") != "treat":
            reason = "held out: never contacted"
        if not reason and customer in unwelcome:
            reason = f"left alone for a while: {unwelcome[customer]}"
        if not reason and any(other != name for other in carried.get(customer, ())):
            reason = f"contacted within the last {policy.min_days_between:g} days"
        zone = known["time_zone"].iloc[row]
        zone = settings.company.time_zone if pd.isna(zone) else str(zone)
        span = None if reason else window(now, zone, policy.quiet_from, policy.quiet_to)
        opens, closes = span if span is not None else (None, None)
        waits = opens is not None and opens > now
        out.append(Standing(name, not reason, reason, waits, opens, closes))
    return out


def _since(
    store: Store, days: float, suppress_days: float, people: Sequence[str], now: datetime
) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Decisions about each of these customers that were carried out in the last ``days``, and whose
    contacts were unwelcome in the last ``suppress_days``."""
    back = timedelta(days=max(days, suppress_days) + 1)
    wanted = set(people)
    chosen = [
        d for d in selected_decisions(store, run_name(now - back)) if d["customer_id"] in wanted
    ]
    owners = {d["decision_id"]: d["customer_id"] for d in chosen if "decision_id" in d}
    carried: dict[str, set[str]] = {}
    unwelcome: dict[str, str] = {}
    for decision, outcomes in outcomes_of(store, list(owners)).items():
        for word, moment in outcomes:
            if word in ARRIVED and moment > now - timedelta(days=days):
                carried.setdefault(owners[decision], set()).add(decision)
            if word in UNWELCOME and moment > now - timedelta(days=suppress_days):
                told = "complained of a contact" if word == "complained" else "an agent disagreed"
                unwelcome[owners[decision]] = f"{told} on {moment:%Y-%m-%d}"
    return carried, unwelcome
