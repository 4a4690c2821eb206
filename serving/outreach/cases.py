"""Cases of negative feedback in the decision log: opened once, each step one entry of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from data.errors import Conflict, UsageError
from data.store import Store, append_decisions, decisions_of_runs
from serving.outreach.protocol import Case, replayed, states, with_step

RUN = "case-"
"""What the ids of their log entries begin with."""


def cases_of(store: Store, customer_id: str | None = None) -> list[Case]:
    """All cases, or a customer's, as the log makes them, in the order they were opened."""
    return replayed(decisions_of_runs(store, RUN, RUN[:-1] + ".", customer_id))


def open_cases(store: Store, cases: Sequence[Case], now: datetime) -> int:
    """Log those that are not there yet; how many were. Opening one twice changes nothing."""
    opened = 0
    for case in cases:
        entry = {
            "at": case.opened_at.isoformat(),
            "public": case.public,
            **_entry(case, "open"),
        }
        try:
            append_decisions(store, f"{RUN}{case.case_id}-open", [entry], now)
            opened += 1
        except Conflict:
            continue
    return opened


def record_step(
    store: Store, case_id: str, step: str, at: datetime, by: str, now: datetime
) -> Case:
    """Log that a step was done; the case after it. UsageError as in ``protocol.with_step``,
    and for a case that is not there."""
    before = next((case for case in cases_of(store) if case.case_id == case_id), None)
    if before is None:
        raise UsageError(f"there is no case {case_id!r}; `presage outreach --commit` opens them")
    after = with_step(before, step, at, by)
    entry = {**_entry(before, step), "at": at.isoformat(), "by": by}
    append_decisions(store, f"{RUN}{case_id}-{step}", [entry], now)
    return after


def as_told(case: Case, now: datetime) -> dict[str, Any]:
    """A case as the API tells it: every step with owner, deadline and state."""
    return {
        "case_id": case.case_id,
        "customer_id": case.customer_id,
        "opened_at": case.opened_at.isoformat() + "Z",
        "public": case.public,
        "steps": [
            {
                "step": each.step,
                "owner": each.owner,
                "deadline": None if each.deadline is None else each.deadline.isoformat() + "Z",
                "done_at": None if each.done_at is None else each.done_at.isoformat() + "Z",
                "state": each.state,
            }
            for each in states(case, now)
        ],
    }


def _entry(case: Case, step: str) -> dict[str, Any]:
    return {
        "kind": "case",
        "decision_id": f"{RUN}{case.case_id}-{step}",
        "case_id": case.case_id,
        "customer_id": case.customer_id,
        "step": step,
    }
