"""Tickets, bot sessions, views of articles, treatments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data.simulate import rates as names
from data.simulate.channels import EMAIL
from data.simulate.columns import concat, customers_of, ids, table, times, words
from data.simulate.export_company import agent_of
from data.simulate.texts import PER_CELL, pool, text_number
from data.simulate.timeline import NEVER

if TYPE_CHECKING:
    from data.simulate.record import Record
    from data.simulate.running import RunningCompany

DAY = 86_400_000_000
MISFILED = 0.012
SILENT = (0.45, 0.02, 0.02, 0.0)
"""Share of contacts without a text, by channel: a call has one only if the agent noted it."""
OTHER = names.TOPICS.index("other")


def _record(company: RunningCompany) -> Record:
    assert company.record is not None
    return company.record


def tickets(company: RunningCompany, end: int) -> pa.Table:
    """Tickets; a few are filed under a wrong topic first, a few machine ones deleted later."""
    log, draws = _record(company).tickets.columns(), company.archive
    spoken = company.world.words
    key, opened, machine = log["key"], log["opened_at"], log["machine"]
    variant = (draws.uniform("text", 0, key) * PER_CELL).astype(np.int64)
    number = text_number(
        log["topic"].astype(np.int64),
        log["complaint"].astype(np.int64),
        log["language"].astype(np.int64),
        variant,
    )
    number = np.where(machine, len(pool()) - 1, number)
    silent = draws.uniform("silent", 0, key) < np.array(SILENT)[log["channel"]]
    priority = draws.uniform("priority", 0, key) + 0.35 * log["complaint"]
    columns = {
        "ticket_id": ids("t", key),
        "opened_at": times(opened, end),
        "customer_id": customers_of(log["customer"]),
        "channel": words(spoken.channels, log["channel"]),
        "topic": words(spoken.topics, np.where(machine, -1, log["topic"])),
        "is_complaint": pa.array(log["complaint"]),
        "priority": words(("low", "normal", "high"), np.digitize(priority, (0.3, 0.95))),
        "order_id": ids("o", log["order"]),
        "product_id": ids("p", log["product"], 3),
        "text": words(pool(), np.where(silent & ~machine, -1, number)),
        "language": words(names.LANGUAGES, log["language"]),
        "public": (log["channel"] == 3) & (draws.uniform("in public", 0, key) < 0.7),
        "is_machine": pa.array(machine),
        "issue_id": ids("i", log["issue"]),
        "first_response_at": times(log["first_response_at"], end),
        "resolved_at": times(log["resolved_at"], end),
        "reopened_at": times(log["reopened_at"], end),
        "handle_seconds": pa.array(
            log["handle_seconds"],
            mask=(log["resolved_at"] >= end) | np.isnan(log["handle_seconds"]),
        ),
        "csat": pa.array(log["csat"].astype(np.float64), mask=log["csat_at"] >= end),
        "csat_at": times(log["csat_at"], end),
        "agent_id": agent_of(company, log),
        "recorded_at": times(opened, NEVER),
        "deleted": np.zeros(len(key), dtype=bool),
    }
    later = opened + (DAY * (0.2 + 1.8 * draws.uniform("refiled", 0, key))).astype(np.int64)
    wrong = (draws.uniform("misfiled", 0, key) < MISFILED) & (later < end) & ~machine
    gone = machine & (draws.uniform("cleared", 0, key) < 0.5) & (later < end)
    again = dict(columns)
    again["recorded_at"] = times(later, NEVER)
    again["deleted"] = gone
    columns["topic"] = words(
        spoken.topics, np.where(machine, -1, np.where(wrong, OTHER, log["topic"]))
    )
    return concat([table(columns), table(again, wrong | gone)])


def bot_sessions(company: RunningCompany, end: int) -> pa.Table:
    """Sessions with the bot: contained, handed over to a ticket, or given up."""
    log = _record(company).bots.columns()
    return table(
        {
            "session_id": ids("b", log["key"]),
            "started_at": times(log["started_at"], end),
            "customer_id": customers_of(log["customer"]),
            "topic": words(company.world.words.topics, log["topic"]),
            "ended_at": times(log["ended_at"], end),
            "contained": pa.array(log["contained"], mask=log["ended_at"] >= end),
            "handed_over_at": times(log["handed_over_at"], end),
            "ticket_id": ids("t", np.where(log["handed_over_at"] < end, log["ticket"], -1)),
        }
    )


def article_events(company: RunningCompany, end: int) -> pa.Table:
    """Views of articles and whether they helped."""
    log = _record(company).views.columns()
    return table(
        {
            "viewed_at": times(log["at"], end),
            "article_id": ids("a", log["article"], 3),
            "customer_id": customers_of(log["customer"]),
            "helpful": pa.array(log["helpful"]),
        }
    )


def treatments(company: RunningCompany, end: int) -> pa.Table:
    """Past outreach: the coin's arm, its probability, the action."""
    record = _record(company)
    log = record.treatments.columns()
    share = log["propensity"]
    return table(
        {
            "treatment_id": ids("x", log["key"]),
            "treated_at": times(log["at"], end),
            "customer_id": customers_of(log["customer"]),
            "campaign": words(record.campaigns, log["campaign"]),
            "arm": words(("holdout", "treat"), log["treated"]),
            "propensity": pa.array(share, mask=np.isnan(share)),
            "action": words(record.actions, log["action"]),
            "channel": pa.array([company.world.words.channels[EMAIL]] * len(share), pa.string()),
        }
    )
