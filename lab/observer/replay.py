"""The company's days again, driven by what the tables show instead of by chance.

Each day the state is set to what was known at its first moment and the stated hazard is asked what
a tendency of one was exposed to. What nobody sees, whether an item is defective, is left out and
kept apart: ``items`` says how much exposure each order would have added had it been defective, so
the exposure under any belief of the lots is a sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data.arrays import Floats, Ints
from data.simulate.centre import SETTLED_DAYS
from data.simulate.hazard import hazard
from data.simulate.incidents import Incidents
from data.simulate.outreach import ANSWERS, problem
from data.simulate.rates import CAUSES, CHANNELS
from data.simulate.rows import Rows
from data.simulate.staffing import first_habit, learn
from data.simulate.state import FAR, State, World, first_state
from data.simulate.timeline import HOUR, NEVER
from lab.observer.hints import Hint, consider, notice
from lab.observer.observations import Observations

DAY = 24 * HOUR
REOPEN_WITHIN = 3 * DAY
"""No ticket is reopened or scored later than this after it was resolved."""


@dataclass
class Replayed:
    """What the history comes to. Values a customer, ``items`` columns a value an order."""

    state: State
    complaints: Ints
    exposure: Floats
    questions: Ints
    question_exposure: Floats
    item_exposure: Floats
    item_question_exposure: Floats
    item_evidence: Floats
    hints: list[Hint] = field(default_factory=list)


def replay(world: World, shown: Observations) -> Replayed:
    """Run the history through the stated hazard."""
    incidents = Incidents(np.zeros((0, 0), np.int8), np.zeros((0, 0), bool))
    state = first_state(world, incidents)
    state.habit = first_habit(world)
    state.closed = shown.customers["closed"].copy()
    state.plan, state.region = world.people.plan.copy(), world.people.region.copy()
    n, orders = shown.size, shown.orders
    count = len(orders["customer"])
    out = Replayed(
        state,
        complaints=np.zeros(n, dtype=np.int64),
        exposure=np.zeros(n),
        questions=np.bincount(shown.questions["customer"], minlength=n),
        question_exposure=np.zeros(n),
        item_exposure=np.zeros(count),
        item_question_exposure=np.zeros(count),
        item_evidence=np.zeros(count),
    )
    days = _Days(shown)
    for day in range(shown.day):
        _morning(world, state, shown, days, day)
        _treat(world, state, shown, days, day, out)
        now = hazard(world, state, day)
        out.exposure += now.exposure
        out.question_exposure += now.question_exposure
        _hold(world, state, day, out)
        rows = days.rows("tickets", day)
        rows = rows[shown.tickets["customer"][rows] >= 0]
        complained = rows[shown.tickets["complaint"][rows]]
        np.add.at(out.complaints, shown.tickets["customer"][complained], 1)
        out.hints += notice(world, state, shown, rows, day)
        _evening(world, state, shown, days, day)
    _live_rows(world, state, shown, days, shown.day)
    rows = days.rows("scores", shown.day - 1)
    rows = rows[shown.tickets["customer"][rows] >= 0]
    state.scores.add(
        customer=shown.tickets["customer"][rows],
        at=shown.tickets["csat_at"][rows],
        score=shown.tickets["csat"][rows],
    )
    return out


class _Days:
    """Where each table's rows of a day begin and end."""

    def __init__(self, shown: Observations) -> None:
        self.parts: dict[str, tuple[Ints, Ints]] = {}
        for name, column in (
            ("placed", shown.orders["ordered"]),
            ("tickets", shown.tickets["day"]),
            ("scores", shown.tickets["csat_day"]),
            ("errors", shown.errors["day"]),
            ("payments", shown.payments["day"]),
            ("given_up", shown.given_up["day"]),
            ("lost", np.where(shown.tickets["lost"], _day(shown, shown.tickets["lost_at"]), FAR)),
            ("treatments", shown.treatments["day"]),
            ("versions", shown.versions["day"]),
        ):
            order = np.argsort(column, kind="stable")
            edges = np.searchsorted(column[order], np.arange(shown.day + 1))
            self.parts[name] = (order, edges)
        self.live_orders = np.empty(0, dtype=np.int64)
        self.live_tickets = np.empty(0, dtype=np.int64)

    def rows(self, name: str, day: int) -> Ints:
        order, edges = self.parts[name]
        places: Ints = order[edges[day] : edges[day + 1]]
        return places


def _day(shown: Observations, moments: Ints) -> Ints:
    days: Ints = np.searchsorted(shown.line.midnight, moments, "right") - 1
    return days


def _morning(world: World, state: State, shown: Observations, days: _Days, day: int) -> None:
    _live_rows(world, state, shown, days, day)
    _forget(world, state, day)
    if day:
        rows = days.rows("scores", day - 1)
        low = np.maximum(3 - shown.tickets["csat"][rows], 0)
        who = shown.tickets["customer"][rows]
        np.add.at(state.dissatisfaction, who[who >= 0], low[who >= 0])


def _forget(world: World, state: State, day: int) -> None:
    state.unmet *= world.rates.unmet_memory
    state.dissatisfaction *= world.rates.dissatisfaction_memory


def _live_rows(world: World, state: State, shown: Observations, days: _Days, day: int) -> None:
    """The orders and tickets that are live at the day's first moment."""
    orders = shown.orders
    if day:
        days.live_orders = np.concatenate([days.live_orders, days.rows("placed", day - 1)])
    live = days.live_orders
    gone = (
        (orders["cancelled"][live] < day)
        | (orders["returned"][live] < day)
        | (day - 1 - orders["delivered"][live] >= world.rates.in_hand_days)
    )
    live = days.live_orders = live[~gone]
    shipped, delivered = orders["shipped"][live] < day, orders["delivered"][live] < day
    state.orders = _filled(
        state.orders,
        len(live),
        key=live,
        customer=orders["customer"][live],
        product=orders["product"][live],
        carrier=orders["carrier"][live],
        region=orders["region"][live],
        ordered=orders["ordered"][live],
        promised=orders["promised"][live],
        status=shipped.astype(np.int8) + delivered,
        delivered=np.where(delivered, orders["delivered"][live], -1),
        row=live,
    )
    if day:
        fresh = days.rows("tickets", day - 1)
        fresh = fresh[shown.tickets["customer"][fresh] >= 0]
        days.live_tickets = np.concatenate([days.live_tickets, fresh])
    live, now, tickets = days.live_tickets, shown.line.midnight[day], shown.tickets
    reopened = tickets["reopened"][live]
    settled = np.where(reopened < NEVER, reopened + SETTLED_DAYS * DAY, NEVER)
    over = (tickets["resolved"][live] < now - REOPEN_WITHIN) & (
        (reopened == NEVER) | (settled < now)
    )
    live, settled = live[~over], settled[~over]
    days.live_tickets = live
    state.tickets = _filled(
        state.tickets,
        len(live),
        key=tickets["key"][live],
        customer=tickets["customer"][live],
        opened_day=tickets["day"][live],
        topic=tickets["topic"][live],
        channel=tickets["channel"][live],
        complaint=tickets["complaint"][live],
        issue=tickets["issue"][live],
        opened=tickets["opened"][live],
        resolved=tickets["resolved"][live],
        reopened=tickets["reopened"][live],
        settled=settled,
        row=live,
    )


def _filled(rows: Any, count: int, **columns: Any) -> Any:
    rows_made = Rows()
    rows_made.columns = {
        name: np.asarray(columns.get(name, np.zeros(count)), dtype=old.dtype)
        for name, old in rows.columns.items()
    }
    return rows_made


def _treat(
    world: World, state: State, shown: Observations, days: _Days, day: int, out: Replayed
) -> None:
    """Outreach of the morning; what it and its absence say of the items in hand."""
    rows = days.rows("treatments", day)
    monday = world.timeline.weekday[day] == 0
    if not len(rows) and not monday:
        return
    rates, log = world.rates, shown.treatments
    cause, _ = problem(world, state, day)
    if monday:
        hints, orders, log_ratio = consider(world, state, shown, rows, day, cause)
        out.hints += hints
        out.item_evidence[orders] += log_ratio
    who = log["customer"][rows]
    action = log["action"][rows]
    answers = np.array([CAUSES.index(ANSWERS[a]) if a in ANSWERS else -1 for a in action], int)
    # the company's own coin knows the cause: its action answers it whenever one does
    cause_known = np.where(log["drawn"][rows] & (answers >= 0), answers, cause[who])
    mean = np.where(
        cause_known >= 0,
        np.where(cause_known == answers, rates.effect_matched, rates.effect_unmatched),
        rates.effect_no_problem,
    )
    tired = day - state.contacted[who] < rates.effect_days
    changed = mean + world.people.receptivity[who] + rates.effect_fatigue * tired
    treated = log["treated"][rows]
    state.effect[who[treated]] = changed[treated]
    state.effect_until[who[treated]] = day + rates.effect_days
    state.contacted[who[treated]] = day


def _hold(world: World, state: State, day: int, out: Replayed) -> None:
    """What each item in hand would have added had it been defective."""
    rates = world.rates
    held = state.orders["status"] == 2
    row, owner = state.orders["row"][held], state.orders["customer"][held]
    usual = state.present(day) * world.timeline.contact_factor[day]
    touched = np.where(day < state.effect_until, np.exp(state.effect), 1.0)
    upset = 1 + rates.c_dissatisfied * state.dissatisfaction
    each = usual * world.segment_complaints * touched * upset
    out.item_exposure[row] += rates.c_defective * each[owner]
    out.item_question_exposure[row] += rates.q_defective * usual[owner]


def _evening(world: World, state: State, shown: Observations, days: _Days, day: int) -> None:
    rates = world.rates
    rows = days.rows("given_up", day)
    who = shown.given_up["customer"][rows]
    np.add.at(state.unmet, who, 1.0)
    state.unmet_topic[who] = shown.given_up["topic"][rows]
    _learn(world, state, shown, days, day)
    rows = days.rows("lost", day)
    rows = rows[shown.tickets["customer"][rows] >= 0]
    who = shown.tickets["customer"][rows]
    np.add.at(state.unmet, who, 1.0)
    state.unmet_topic[who] = shown.tickets["topic"][rows]
    state.errors *= rates.error_memory
    rows = days.rows("errors", day)
    np.add.at(state.errors, shown.errors["customer"][rows], shown.errors["count"][rows])
    state.payment_failed[state.payment_failed > 0] += 1
    rows = days.rows("payments", day)
    who, good = shown.payments["customer"][rows], shown.payments["good"][rows]
    state.payment_failed[who[good]] = 0
    state.charged[who[good]] = day
    fresh = who[~good]
    fresh = fresh[state.payment_failed[fresh] == 0]
    state.payment_failed[fresh] = 1
    rows = days.rows("versions", day)
    who = shown.versions["customer"][rows]
    state.plan[who], state.region[who] = (
        shown.versions["plan"][rows],
        shown.versions["region"][rows],
    )
    state.payment_failed[who] = np.where(state.plan[who] == 0, 0, state.payment_failed[who])


def _learn(world: World, state: State, shown: Observations, days: _Days, day: int) -> None:
    """The staffing habit learns the day's load; where a handle time is unknown, its mean."""
    rates, tickets = world.rates, shown.tickets
    rows = days.rows("tickets", day)
    channel = tickets["channel"][rows]
    usual = np.array(rates.handle_seconds)[channel]
    usual = usual * np.array(rates.handle_topic)[tickets["topic"][rows]]
    usual = usual * np.where(tickets["complaint"][rows], 1.2, 0.95)
    seconds = np.where(np.isnan(tickets["handle"][rows]), usual, tickets["handle"][rows])
    edges = shown.line.hour_edges(day)
    hour = np.clip(np.searchsorted(edges, tickets["opened"][rows], "right") - 1, 0, 23)
    weekday = int(world.timeline.weekday[day])
    for c in range(len(CHANNELS)):
        here = channel == c
        offered = np.bincount(hour[here], seconds[here], 24)
        learn(state, c, weekday, offered / 3600 / rates.concurrency[c])
