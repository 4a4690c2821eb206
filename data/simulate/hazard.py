"""The stated hazard: how many complaints and questions a customer has on a day, and why.

For customer i on local day t, everything on the right being known at the day's first moment,

    complaints(i, t) ~ Poisson(G_i w_i f_t exp(m_it) (1 + c_dissatisfied d_it) Σ_k x_ikt)
    questions(i, t)  ~ Poisson(Q_i f_t Σ_k y_ikt)

with G and Q the gamma tendencies (``population.py``), w_i the factor of the segment, f_t that
of weekday, season and holiday (``timeline.py``), m_it the logarithm of what outreach changed
(``outreach.py``), d_it the dissatisfaction of low satisfaction scores given (decaying), and the
causes x (names of rates in ``rates.py``; an *overdue* order is one not delivered whose promise was
for yesterday or before):

- delivery      Σ over overdue orders (c_overdue + c_overdue_day · min(days late, cap)),
                + c_delivered_late for each order delivered late within the last 5 days
- defect        c_defective for each defective item in hand, c_item for every item in hand
- app_error     c_error · min(recent errors, cap); recent errors decay by error_memory a day
- billing       c_payment while a payment has failed and not been made good
- open_ticket   c_open_ticket · Σ over tickets opened before today and not resolved, min(age, cap)
- unmet_need    c_unmet · min(what bots, articles and lost calls left unanswered, 2)
- general       c_general

and y: waiting, due and overdue orders (delivery), items in hand (returns; more if defective), the
bill (billing: failed, or charged yesterday), recent errors (app_error), account, product (more in
campaigns), and q_outreach on the days after we contacted the customer (induced contact).

All that stands beside the tendency G is most_complaints at most (no end but in makes).

A complaint becomes a ticket. A question may meet a bot or an article first, with shares by topic
(``contacts.py``), and becomes a ticket with probability ``ticket_share(topic)``: thinned Poisson.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from data.arrays import Floats
from data.simulate.rates import CAUSES, QUESTIONS, TOPICS, Rates
from data.simulate.state import State, World

LATE_DAYS = 5
MOST_UNMET = 2.0

QUESTION_TOPIC = np.array([TOPICS.index(q if q in TOPICS else "other") for q in QUESTIONS])


def ticket_share(rates: Rates) -> Floats:
    """P(a question becomes a ticket), by topic."""
    bot, article = np.array(rates.bot_share), np.array(rates.article_share)
    contains = np.array(rates.bot_contains)
    handed = (1 - contains) * (1 - rates.bot_gives_up)
    unhelped = (1 - np.mean(rates.article_quality)) * rates.article_then_ticket
    return 1 - bot - article + bot * handed + article * unhelped


@dataclass(frozen=True)
class Hazard:
    """Intensities of one day: expected complaints and questions a customer and cause.

    ``exposure`` and ``question_exposure`` are the same without the tendency: given it, the counts
    are Poisson of tendency × exposure. ``contact`` is what is expected to become a ticket.
    """

    complaints: Floats
    questions: Floats
    exposure: Floats
    question_exposure: Floats
    complaint: Floats
    contact: Floats


def causes(world: World, state: State, day: int) -> Floats:
    """The sums x of each cause before any factor, causes × customers."""
    rates, n = world.rates, world.size
    x = np.zeros((len(CAUSES), n))
    orders, tickets = state.orders, state.tickets
    customer = orders["customer"]
    late = day - orders["promised"]
    overdue = (orders["status"] < 2) & (late >= 1)
    just_late = (
        (orders["status"] == 2)
        & (orders["delivered"] > orders["promised"])
        & (day - orders["delivered"] <= LATE_DAYS)
    )
    weight = overdue * (
        rates.c_overdue + rates.c_overdue_day * np.minimum(late, rates.c_overdue_cap_days)
    )
    weight = weight + just_late * rates.c_delivered_late
    x[0] = np.bincount(customer, weight, n)
    held = (orders["status"] == 2) * (rates.c_item + rates.c_defective * orders["defective"])
    x[1] = np.bincount(customer, held, n)
    x[2] = rates.c_error * np.minimum(state.errors, rates.c_error_cap)
    x[3] = rates.c_payment * (state.payment_failed > 0)
    age = np.minimum(day - tickets["opened_day"], rates.c_open_ticket_cap_days)
    known = tickets["customer"] >= 0
    weight = rates.c_open_ticket * age * is_open(world, state, day)
    x[4] = np.bincount(tickets["customer"][known], weight[known], n)
    x[5] = rates.c_unmet * np.minimum(state.unmet, MOST_UNMET)
    x[6] = rates.c_general
    return x


def is_open(world: World, state: State, day: int) -> Floats:
    """1.0 for live tickets unresolved, or reopened, at the day's first moment, else 0.0."""
    now = world.timeline.midnight[day]
    tickets = state.tickets
    unresolved = tickets["resolved"] >= now
    again = (tickets["reopened"] < now) & (tickets["settled"] >= now)
    return (unresolved | again).astype(np.float64)


def question_causes(world: World, state: State, day: int) -> Floats:
    """The sums y of each kind of question before any factor, kinds × customers."""
    rates, n = world.rates, world.size
    y = np.zeros((len(QUESTIONS), n))
    orders = state.orders
    left = orders["promised"] - day
    waiting = np.where(left > 1, rates.q_waiting, rates.q_due)
    waiting = np.where(left < 0, rates.q_overdue, waiting) * (orders["status"] < 2)
    y[0] = np.bincount(orders["customer"], waiting, n)
    held = (orders["status"] == 2) * (rates.q_item + rates.q_defective * orders["defective"])
    y[1] = np.bincount(orders["customer"], held, n)
    y[2] = rates.q_payment * (state.payment_failed > 0)
    y[2] += rates.q_bill * (state.charged == day - 1)
    y[3] = rates.q_error * np.minimum(state.errors, rates.c_error_cap)
    y[4] = rates.q_account
    y[5] = rates.q_product * world.timeline.product_factor[day]
    y[6] = rates.q_outreach * (day - state.contacted < rates.q_outreach_days)
    return y


def hazard(world: World, state: State, day: int) -> Hazard:
    """The day's intensities as the module states them."""
    rates, people = world.rates, world.people
    present = state.present(day)
    factor = world.timeline.contact_factor[day]
    touched = np.where(day < state.effect_until, np.exp(state.effect), 1.0)
    each = (
        present
        * factor
        * world.segment_complaints
        * touched
        * (1 + rates.c_dissatisfied * state.dissatisfaction)
    )
    x = causes(world, state, day) * each
    if rates.most_complaints < inf:
        x *= np.minimum(1.0, rates.most_complaints / np.maximum(x.sum(axis=0), 1e-12))
    y = question_causes(world, state, day) * (present * factor)
    complaints = x * people.complaint_tendency
    questions = y * people.inquiry_tendency
    complaint = complaints.sum(axis=0)
    contact = complaint + world.ticket_share[QUESTION_TOPIC] @ questions
    return Hazard(complaints, questions, x.sum(axis=0), y.sum(axis=0), complaint, contact)
