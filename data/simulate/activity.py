"""Usage of a day: who is active, what breaks, which payments fail, who fades, who leaves.

Usage is a summary: one row a customer, feature and active day. Engagement is a Markov chain
(engaged 0, fading 1, gone quiet 2). Charges fall on the customer's billing day; a failed payment is
tried again every few days until it is made good.
"""

from __future__ import annotations

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.simulate.draws import Draws
from data.simulate.rates import FEATURES, PLANS, REGIONS
from data.simulate.record import Record
from data.simulate.state import State, World

ENGAGED = np.array([1.0, 0.35, 0.03])
ORDERING = np.array([1.0, 0.6, 0.2])
PAYMENT, PAYMENT_FAILED = FEATURES.index("payment"), FEATURES.index("payment_failed")
MOST_ERRORS = 5
PLAN_CHANGES, MOVES = 0.0004, 0.0001


def ordering(state: State) -> Floats:
    """The factor of engagement on the order rate."""
    return ORDERING[state.engagement]


def use(world: World, state: State, draws: Draws, day: int, record: Record | None) -> None:
    """The day's usage, errors and payments."""
    rates, people, everyone = world.rates, world.people, world.everyone
    incidents = state.incidents
    present = state.present(day)
    rate = people.active_rate * ENGAGED[state.engagement] * world.timeline.activity_factor[day]
    active = np.flatnonzero(present & (draws.uniform("active", day, everyone) < -np.expm1(-rate)))
    platform = people.platform[active]
    fails = np.full(len(active), rates.error_usual)
    fails = np.where(incidents.broken[platform], rates.error_broken, fails)
    fails = np.maximum(fails, rates.error_outage * incidents.outage)
    u = draws.uniform("error", day, active)
    # given an error the count is geometric with a mean of two: the same draw, rescaled
    count = 1 + np.floor(np.log(np.maximum(u / fails, 1e-9)) / np.log(0.5)).astype(np.int64)
    errors = np.where(u < fails, np.minimum(count, MOST_ERRORS), 0)
    state.errors *= rates.error_memory
    state.errors[active] += errors
    if record is not None:
        _record_usage(world, state, draws, day, active, errors, record)
    _pay(world, state, draws, day, present, record)


def _record_usage(
    world: World,
    state: State,
    draws: Draws,
    day: int,
    active: Ints,
    errors: Ints,
    record: Record,
) -> None:
    people = world.people
    second = draws.uniform("second feature", day, active) < world.rates.second_feature
    moment = draws.uniform("used at", day, active)
    main = (draws.uniform("feature", day, active) * 3).astype(np.int64)
    main = np.where((errors == 0) & (main == 2), 3, main)
    for slot, (who, feature, wrong, at) in enumerate(
        (
            (active, main, errors, moment),
            (active[second], (main[second] + 1) % 4, 0 * errors[second], moment[second] * 0.99),
        )
    ):
        quantity = 1 + np.floor(-3 * np.log(draws.uniform("quantity used", day, who + slot)))
        platform = people.platform[who]
        record.usage.add(
            key=(day * world.entities + who) * 4 + slot,
            customer=who,
            at=world.timeline.utc(day, (6 + 17.5 * at) * 3600),
            feature=feature,
            quantity=quantity,
            errors=wrong,
            seconds=np.round(quantity * 40 * (0.5 + draws.uniform("seconds", day, who)), 1),
            platform=platform,
            version=state.incidents.release[platform],
        )


def _pay(
    world: World, state: State, draws: Draws, day: int, present: Bools, record: Record | None
) -> None:
    """Charges on the billing day, retries while one has failed."""
    rates = world.rates
    due = present & (world.people.billing_day == world.timeline.dates[day].day)
    due &= (state.plan > 0) & (state.payment_failed == 0)
    waited = state.payment_failed > 0
    retry = waited & present & (state.payment_failed % rates.payment_retry_days == 0)
    who = np.flatnonzero(due | retry)
    u = draws.uniform("payment", day, who)
    good = np.where(retry[who], u < rates.payment_recovers, u >= rates.payment_fails)
    state.payment_failed[waited] += 1
    state.payment_failed[who[good]] = 0
    fresh = who[~good & due[who]]
    state.payment_failed[fresh] = 1
    state.charged[who[good]] = day
    if record is not None and len(who):
        record.usage.add(
            key=(day * world.entities + who) * 4 + 3,
            customer=who,
            at=world.timeline.utc(day, (4 + draws.uniform("paid at", day, who)) * 3600),
            feature=np.where(good, PAYMENT, PAYMENT_FAILED),
            quantity=1,
            errors=0,
            seconds=0.0,
            platform=world.people.platform[who],
            version=state.incidents.release[world.people.platform[who]],
        )


def move_on(world: World, state: State, draws: Draws, day: int, record: Record | None) -> None:
    """Engagement, attributes and closed accounts, at the end of the day."""
    rates = world.rates
    u = draws.uniform("engagement", day, world.everyone)
    now = state.engagement
    fade = (now == 0) & (u < rates.fade)
    out = (now == 1) & (u < rates.fade_out)
    back = (now == 1) & (u > 1 - rates.fade_back) | (now == 2) & (u < rates.wake)
    state.engagement = np.where(back, 0, now + fade + out).astype(np.int8)

    present = state.present(day)
    leave = (
        rates.closing * (1 + 2 * (now == 2))
        + rates.closing_dissatisfied * np.minimum(state.dissatisfaction, 2.0) / 2
    )
    u = draws.uniform("close", day, world.everyone)
    leaving = np.flatnonzero(present & (u < leave))
    state.closed[leaving] = day
    u = draws.uniform("attribute", day, world.everyone)
    planning = np.flatnonzero(present & (u < PLAN_CHANGES))
    moving = np.flatnonzero(present & (u > 1 - MOVES))
    step = 1 + (draws.uniform("which plan", day, planning) < 0.5)
    state.plan[planning] = (state.plan[planning] + step) % len(PLANS)
    state.payment_failed[planning] = np.where(
        state.plan[planning] == 0, 0, state.payment_failed[planning]
    )
    step = 1 + (draws.uniform("which region", day, moving) * (len(REGIONS) - 1)).astype(np.int64)
    state.region[moving] = (state.region[moving] + step) % len(REGIONS)
    if record is not None:
        at = world.timeline.utc(day, (9 + 12 * draws.uniform("closed at", day, leaving)) * 3600)
        record.closed.add(customer=leaving, at=at)
        changed = np.union1d(planning, moving)
        at = world.timeline.utc(day, (9 + 12 * draws.uniform("changed", day, changed)) * 3600)
        record.versions.add(
            customer=changed, at=at, plan=state.plan[changed], region=state.region[changed]
        )
