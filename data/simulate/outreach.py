"""What outreach does: an effect of its own for every customer, for some of them harmful.

A contact on the morning of day t multiplies the customer's complaint intensity by exp(m) for
``effect_days`` days, and causes questions of its own for a few. With a problem at hand the mean of
m is ``effect_matched`` if the action answers the customer's largest cause, ``effect_unmatched`` if
not; without one, ``effect_no_problem``: we have woken somebody who was content. To each is added
the customer's receptivity (shifts by segment and preferred channel), and ``effect_fatigue`` when
the last contact was less than ``effect_days`` ago. Actions not named here are like ``check_in``:
they answer no cause.

>>> sorted(ANSWERS)
['callback', 'delivery_update', 'payment_help', 'replacement', 'workaround']
"""

from __future__ import annotations

import numpy as np

from data.arrays import Floats, Ints
from data.errors import DataError
from data.simulate.draws import Draws
from data.simulate.hazard import causes
from data.simulate.rates import CAUSES
from data.simulate.record import Record
from data.simulate.state import State, World

ANSWERS = {
    "delivery_update": "delivery",
    "replacement": "defect",
    "workaround": "app_error",
    "payment_help": "billing",
    "callback": "open_ticket",
}
CONTACT_HOUR = 7
PROBLEM_CAUSES = len(CAUSES) - 1
SMALLEST_PROBLEM = 0.004
"""Sums x below it are no problem."""


def problem(world: World, state: State, day: int) -> tuple[Ints, Floats]:
    """Each customer's largest cause but the general one (-1: none), and its sum x."""
    x = causes(world, state, day)[:PROBLEM_CAUSES]
    x[1] -= np.minimum(x[1], 3 * world.rates.c_item)  # an item in hand is no problem yet
    largest = x.argmax(axis=0)
    size = x[largest, np.arange(world.size)]
    return np.where(size > SMALLEST_PROBLEM, largest, -1), size


def effect(world: World, state: State, day: int, who: Ints, answers: Ints) -> Floats:
    """The logarithm of the multiplier if each of ``who`` is contacted with an action for a cause.

    ``answers``: positions in CAUSES, -1 for an action that answers none.
    """
    rates = world.rates
    cause = problem(world, state, day)[0][who]
    matched = np.where(cause == answers, rates.effect_matched, rates.effect_unmatched)
    mean = np.where(cause >= 0, matched, rates.effect_no_problem)
    tired = day - state.contacted[who] < rates.effect_days
    return mean + world.people.receptivity[who] + rates.effect_fatigue * tired


def contact(
    world: World,
    state: State,
    day: int,
    who: Ints,
    actions: list[str],
    record: Record | None,
    campaign: str,
    propensity: float,
    key: Ints,
) -> None:
    """Contact the customers on the day's morning, each with their action."""
    answers = np.array(
        [CAUSES.index(ANSWERS[a]) if a in ANSWERS else -1 for a in actions], dtype=np.int64
    )
    changed = effect(world, state, day, who, answers)
    state.effect[who] = changed
    state.effect_until[who] = day + world.rates.effect_days
    state.contacted[who] = day
    if record is not None and len(who):
        record.treatments.add(
            key=key,
            customer=who,
            at=world.timeline.utc(day, np.full(len(who), CONTACT_HOUR * 3600.0)),
            campaign=record.campaign(campaign),
            treated=True,
            propensity=propensity,
            action=np.array([record.action(a) for a in actions]),
            effect=changed,
        )


def known_customers(names: list[str], size: int) -> Ints:
    """Positions of customer ids; DataError for one that the company does not have."""
    positions = []
    for row, name in enumerate(names):
        text = str(name)
        if not (text.startswith("c") and text[1:].isdigit() and int(text[1:]) < size):
            raise DataError(
                f"actions row {row}: the company has no customer {text!r}. "
                "Ids are those of the customers table, such as 'c000012'."
            )
        positions.append(int(text[1:]))
    return np.array(positions, dtype=np.int64)


def habit(world: World, state: State, draws: Draws, day: int, record: Record | None) -> None:
    """The company's own weekly experiment: a coin for each of a few customers, on Mondays."""
    rates = world.rates
    if world.timeline.weekday[day] != 0:
        return
    cause, _ = problem(world, state, day)
    people = world.people
    may = state.present(day) & (people.do_not_contact == 0) & (people.email_consent == 1)
    share = np.where(cause >= 0, 8, 0.5) * rates.considered_weekly
    considered = np.flatnonzero(may & (draws.uniform("consider", day, world.everyone) < share))
    treat = draws.uniform("treat", day, considered) < rates.considered_treated
    name_of = {CAUSES.index(c): a for a, c in ANSWERS.items()}
    actions = [name_of.get(int(c), "check_in") for c in cause[considered]]
    key = day * world.entities + considered
    campaign = f"care-{world.timeline.dates[day]:%Y-%m}"
    chosen = [a for a, t in zip(actions, treat, strict=True) if t]
    contact(
        world,
        state,
        day,
        considered[treat],
        chosen,
        record,
        campaign,
        rates.considered_treated,
        key[treat],
    )
    held = considered[~treat]
    if record is not None and len(held):
        record.treatments.add(
            key=key[~treat],
            customer=held,
            at=world.timeline.utc(day, np.full(len(held), CONTACT_HOUR * 3600.0)),
            campaign=record.campaign(campaign),
            treated=False,
            propensity=1 - rates.considered_treated,
            action=np.array(
                [record.action(a) for a, t in zip(actions, treat, strict=True) if not t]
            ),
            effect=0.0,
        )
