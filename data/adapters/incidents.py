"""Every update of an IT service desk's incidents: the UCI incident event log.

Source: the publisher's ``incident_event_log.csv`` (``?`` for no value, day/month/year) or its rows
as Parquet. The log holds one row for every update of an incident, so each becomes a **version** of
the ticket, learned when the update was made: as of T a ticket reads as it stood at T. The clock
shows minutes; of several updates in one minute the last is the version.

| their column | becomes |
|---|---|
| number | ticket_id |
| sys_updated_at | recorded_at of that version |
| opened_at | opened_at |
| caller_id | customer_id |
| contact_type | channel, as written (nearly all ``Phone``) |
| category (or subcategory, ``topic=subcategory``) | topic, as it stood at that update |
| priority | priority, as it stood |
| assigned_to | agent_id, as it stood |
| cmdb_ci | product_id, as it stood |
| resolved_at | resolved_at, but only on updates not before it: see below |
| ident_state | resolved_at of an earlier resolution: the time of that update |
| reopen_count | reopened_at = the time of the update at which it grew |
| location | customers.region, a version each time an update shows another one |

**What would leak.** The publisher wrote the outcome on every row of an incident, the early ones
too: ``resolved_at``, ``closed_at``, ``closed_code``, ``resolved_by`` are constant within a ticket.
The contract hides a ``*_at`` before its own time; here it is not even on the early versions.
``closed_at``, ``closed_code``, ``resolved_by``, ``made_sla`` have no column and are left out, as
are the counters ``reassignment_count`` and ``sys_mod_count``, ``urgency`` and ``impact`` (they
decide the priority), groups, problems and changes, and who opened, created or updated the row.

Every incident is a complaint about something that does not work: ``[complaint] all = true``. The
customers are the callers, signed up when first seen; some are desks or machines, and the log does
not say which. The clock's zone is not published: times are taken as UTC.

The log is a sample that is complete only for incidents opened before 1 June 2016: a few hundred
long-lived ones follow, up to 2017. They are kept, and ``complete_to`` is 2016-06-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd

from data.adapters.interface import Imported
from data.adapters.local_time import complete_to, last_midnight
from data.adapters.reading import (
    Field,
    Sheet,
    choose,
    instants,
    numbers,
    option,
    required_text,
    sheets,
    text,
)

COMPLETE_TO = datetime(2016, 6, 1)
"""The published log is complete up to here: from about 200 incidents a day to one a week."""

FIELDS = (
    Field("number"),
    Field("ident_state", ("incident_state",)),
    Field("reopen_count"),
    Field("caller_id"),
    Field("opened_at"),
    Field("sys_updated_at"),
    Field("contact_type"),
    Field("location"),
    Field("category"),
    Field("subcategory", ("category.1",), required=False),
    Field("cmdb_ci"),
    Field("priority"),
    Field("assigned_to"),
    Field("resolved_at"),
)

FORMATS = ("%d/%m/%Y %H:%M", "ISO8601")
ENDED_STATES = ("Resolved", "Closed")


def read(source: Path, options: Mapping[str, str]) -> Imported:
    """Tickets in versions and customers in versions, of the event log at ``source``."""
    path = choose(source, options.get("which"))
    topic = option(options, "topic", ("category", "subcategory"))
    fields = [Field(f.name, f.spellings, f.required or f.name == topic) for f in FIELDS]
    sheet = sheets(path, fields, missing=("", "?"))[0]
    every = _updates(sheet, topic)
    # of versions learned in the same minute only the last is ever visible
    updates = every[~every.duplicated(["ticket_id", "recorded_at"], keep="last")]
    tickets = updates.drop(columns=["state", "reopen_count", "region", "stated_resolved_at"])

    ends = min(COMPLETE_TO, last_midnight(updates["opened_at"]))
    later = tickets.loc[tickets["opened_at"] >= ends, "ticket_id"].nunique()
    early = int((updates["recorded_at"] < updates["opened_at"]).sum())
    notes = [
        *sheet.remarks("tickets"),
        f"{len(every):,} updates are {len(updates):,} versions of "
        f"{updates['ticket_id'].nunique():,} tickets; {len(every) - len(updates):,} were "
        "overtaken within the same minute, so nobody could ever have seen them",
        "the publisher states no time zone: times are taken as UTC",
    ]
    if later:
        notes.append(
            f"{later:,} tickets opened after {ends:%Y-%m-%d} are kept, but the log is not "
            "complete there"
        )
    if early:
        notes.append(f"{early:,} updates carry a time before their ticket's opened_at; kept so")
    anonymous = updates.loc[updates["customer_id"].isna(), "ticket_id"].nunique()
    if anonymous:
        notes.append(f"{anonymous:,} tickets without a caller are anonymous")
    settings: dict[str, object] = {
        "complaint.all": True,
        "data.complete_to": complete_to(options, ends),
    }
    tables = {"customers": _customers(updates), "tickets": tickets}
    return Imported(
        tables, settings, tuple(notes), ("customers",), {"tickets": sheet.faults.rows("tickets")}
    )


def _updates(sheet: Sheet, topic: str) -> pd.DataFrame:
    """One row an update, oldest first within a ticket; rows of one minute keep their order."""
    updates = pd.DataFrame(
        {
            "ticket_id": required_text(sheet, "number"),
            "opened_at": instants(sheet, "opened_at", FORMATS, "UTC", required=True).utc,
            "recorded_at": instants(sheet, "sys_updated_at", FORMATS, "UTC", required=True).utc,
            "customer_id": text(sheet, "caller_id"),
            "channel": required_text(sheet, "contact_type"),
            "topic": text(sheet, topic),
            "priority": text(sheet, "priority"),
            "product_id": text(sheet, "cmdb_ci"),
            "agent_id": text(sheet, "assigned_to"),
            "state": text(sheet, "ident_state"),
            "reopen_count": numbers(sheet, "reopen_count"),
            "region": text(sheet, "location"),
            "stated_resolved_at": instants(sheet, "resolved_at", FORMATS, "UTC").utc,
        }
    )
    updates = sheet.faults.good_rows(updates)
    updates = updates.sort_values(["ticket_id", "recorded_at"], kind="stable", ignore_index=True)
    return updates.assign(resolved_at=_resolved(updates), reopened_at=_reopened(updates))


def _resolved(updates: pd.DataFrame) -> pd.Series:
    """When the ticket was resolved, as far as each update could know."""
    at, stated = updates["recorded_at"], updates["stated_resolved_at"]
    has_ended = updates["state"].isin(ENDED_STATES)
    before = updates.groupby("ticket_id")["state"].shift().isin(ENDED_STATES)
    begins = at.where(has_ended & ~before)
    interim = begins.groupby(updates["ticket_id"]).ffill().where(has_ended)
    return stated.where(stated <= at, interim)


def _reopened(updates: pd.DataFrame) -> pd.Series:
    """When the ticket was last reopened, on the update that says so and those after it."""
    grown = updates.groupby("ticket_id")["reopen_count"].diff() > 0
    return updates["recorded_at"].where(grown).groupby(updates["ticket_id"]).ffill()


def _customers(updates: pd.DataFrame) -> pd.DataFrame:
    known = updates[updates["customer_id"].notna()].sort_values("recorded_at", kind="stable")
    known = known[~known.duplicated(["customer_id", "recorded_at"], keep="last")]
    # an incident may be written down after a later one: the first sight known so far
    first = known.groupby("customer_id")["opened_at"].cummin()
    earlier = first != first.groupby(known["customer_id"]).shift()
    region = known["region"].groupby(known["customer_id"]).ffill()
    before = region.groupby(known["customer_id"]).shift()
    changed = earlier | (region.notna() & (region != before))
    return pd.DataFrame(
        {
            "customer_id": known["customer_id"],
            "signed_up_at": first,
            "region": region,
            "recorded_at": known["recorded_at"],
        }
    )[changed.to_numpy(dtype=bool)].reset_index(drop=True)
