"""Negative feedback, answered in five timed steps, each with an owner and a deadline.

acknowledge → own → solve → take_offline → follow_up. A step is due so many hours after the case
opened (the last: after the step before it was done), sooner where the feedback is public. Steps are
done in order; a step done late stays late. The state is what the log of done steps makes of the
feedback: nothing else is kept, so it can be read and checked again at any time.

>>> case = open_case("f1", "c1", datetime(2026, 3, 2, 9), public=True)
>>> case = with_step(case, "acknowledge", datetime(2026, 3, 2, 9, 30), by="Kari")
>>> [(s.step, s.owner, s.state) for s in states(case, datetime(2026, 3, 2, 12))][:3]
[('acknowledge', 'Kari', 'done'), ('own', 'team lead', 'late'), ('solve', 'owner', 'waiting')]
>>> with_step(case, "solve", datetime(2026, 3, 2, 12), by="Kari")
Traceback (most recent call last):
...
data.errors.UsageError: case f1: own comes before solve; do that first
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from data.errors import UsageError, did_you_mean
from data.settings import Settings
from data.tables import Tables
from features.asof import as_of_view
from features.complaint import is_complaint
from serving.outreach.candidates import COMPLAINT_COLUMNS


@dataclass(frozen=True)
class Step:
    """A step: who owns it until somebody takes it, and within how many hours, of private and public
    feedback. ``after_step``: hours count from when the step before it was done."""

    name: str
    note: str
    owner: str
    hours: float
    public_hours: float
    after_step: bool = False


STEPS = (
    Step("acknowledge", "say that it was heard, where it was said", "first line", 8, 1),
    Step("own", "name one person who sees it through", "team lead", 12, 2),
    Step("solve", "put right what was wrong, or say what will be done", "owner", 48, 24),
    Step("take_offline", "go on in private, by the customer's channel", "owner", 48, 24),
    Step("follow_up", "ask whether it is right now", "owner", 168, 72, after_step=True),
)
"""The protocol, in its order."""
NAMES = tuple(step.name for step in STEPS)


@dataclass(frozen=True)
class Case:
    """One piece of negative feedback and the steps done: (step, when, by whom), in order."""

    case_id: str
    customer_id: str | None
    opened_at: datetime
    public: bool
    steps: tuple[tuple[str, datetime, str], ...] = ()


@dataclass(frozen=True)
class StepState:
    """How a step stands. ``state``: done, done late, due, late, or waiting for the step before;
    ``deadline`` None while it counts from a step that is not done."""

    step: str
    owner: str
    deadline: datetime | None
    done_at: datetime | None
    state: str


def open_case(
    case_id: str, customer_id: str | None, opened_at: datetime, public: bool = False
) -> Case:
    """A case of which no step is done."""
    return Case(case_id, customer_id, opened_at, public)


def with_step(case: Case, step: str, at: datetime, by: str) -> Case:
    """The case after a step; UsageError for an unknown step, one out of order or done before, a
    time before the step before it, or nobody named."""
    if step not in NAMES:
        raise UsageError(
            f"case {case.case_id}: {step!r} is no step; they are {', '.join(NAMES)}."
            f"{did_you_mean(step, NAMES)}"
        )
    if not by.strip():
        raise UsageError(f"case {case.case_id}: say who did {step}")
    if NAMES.index(step) < len(case.steps):
        _, when, who = case.steps[NAMES.index(step)]
        raise UsageError(f"case {case.case_id}: {step} was done on {when:%Y-%m-%d %H:%M} by {who}")
    if NAMES.index(step) > len(case.steps):
        raise UsageError(
            f"case {case.case_id}: {NAMES[len(case.steps)]} comes before {step}; do that first"
        )
    before = case.steps[-1][1] if case.steps else case.opened_at
    if at < before:
        raise UsageError(
            f"case {case.case_id}: {step} at {at:%Y-%m-%d %H:%M} lies before "
            f"{before:%Y-%m-%d %H:%M}"
        )
    return replace(case, steps=(*case.steps, (step, at, by)))


def states(case: Case, now: datetime) -> list[StepState]:
    """Every step with owner, deadline and state at ``now``."""
    taken_by = next((by for step, _, by in case.steps if step == "own"), None)
    out = []
    for at, step in enumerate(STEPS):
        start: datetime | None = case.opened_at
        if step.after_step:
            start = case.steps[at - 1][1] if len(case.steps) >= at else None
        hours = step.public_hours if case.public else step.hours
        deadline = None if start is None else start + timedelta(hours=hours)
        if at < len(case.steps):
            _, when, by = case.steps[at]
            late = deadline is not None and when > deadline
            out.append(StepState(step.name, by, deadline, when, "done late" if late else "done"))
            continue
        owner = taken_by if step.owner == "owner" and taken_by else step.owner
        late = deadline is not None and now > deadline
        state = "late" if late else ("due" if at == len(case.steps) else "waiting")
        out.append(StepState(step.name, owner, deadline, None, state))
    return out


def negative_feedback(tables: Tables, settings: Settings, as_of: datetime, days: int) -> list[Case]:
    """The cases of the last ``days``, oldest first: feedback rated at most
    ``[outreach] negative_rating``, and complaints made in public."""
    since = as_of - timedelta(days=days)
    cases = []
    if tables.has("feedback"):
        columns = ["feedback_id", "customer_id", "given_at", "rating", "public"]
        view = as_of_view(tables, "feedback", as_of, columns)
        view = view[(view["rating"] <= settings.outreach.negative_rating).fillna(False)]
        for row in view[view["given_at"] >= since].itertuples():
            cases.append(_case(f"feedback-{row.feedback_id}", row, row.given_at))
    if tables.has("tickets"):
        columns = ["ticket_id", "public", *COMPLAINT_COLUMNS]
        view = as_of_view(tables, "tickets", as_of, columns)
        view = view[(view["opened_at"] >= since) & view["public"].fillna(False).astype(bool)]
        view = view[is_complaint(view, settings.complaint).to_numpy(bool)]
        for row in view.itertuples():
            cases.append(_case(f"ticket-{row.ticket_id}", row, row.opened_at))
    return sorted(cases, key=lambda case: (case.opened_at, case.case_id))


def _case(case_id: str, row: Any, opened_at: pd.Timestamp) -> Case:
    customer = None if pd.isna(row.customer_id) else str(row.customer_id)
    public = bool(row.public) if pd.notna(row.public) else False
    return open_case(case_id, customer, opened_at.to_pydatetime(), public)


def replayed(entries: Sequence[Mapping[str, Any]]) -> list[Case]:
    """The cases that logged entries make: each opened once, its steps in the order logged."""
    cases: dict[str, Case] = {}
    for entry in entries:
        if entry.get("kind") != "case":
            continue
        case_id = entry["case_id"]
        at = datetime.fromisoformat(entry["at"])
        if entry["step"] == "open":
            opened = open_case(case_id, entry["customer_id"], at, entry["public"])
            cases.setdefault(case_id, opened)
        elif case_id in cases:
            cases[case_id] = with_step(cases[case_id], entry["step"], at, entry["by"])
    return list(cases.values())
