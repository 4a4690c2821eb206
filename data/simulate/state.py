"""The world that does not change, and the state that does.

``World`` is drawn once; ``State`` is everything a day hands to the next, so copying it is enough to
run the world on from a moment as often as one likes. What was recorded is not part of it: the log
(``record.py``) is written by the days and read by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.arrays import Bools, Floats, Ints
from data.simulate.answering import Desk
from data.simulate.incidents import Incidents
from data.simulate.population import Population
from data.simulate.rates import CHANNELS, Rates
from data.simulate.rows import Rows
from data.simulate.timeline import Timeline
from data.simulate.words import Words


@dataclass(frozen=True)
class Catalogue:
    """The products: category, price, popularity (cumulative), and the carriers of each region."""

    category: Ints
    price: Floats
    popularity: Floats
    carrier: Floats

    @property
    def size(self) -> int:
        """How many products there are."""
        return len(self.category)


@dataclass(frozen=True)
class World:
    """All that is fixed: rates, calendar, customers, products, channel habits, words."""

    rates: Rates
    timeline: Timeline
    people: Population
    catalogue: Catalogue
    everyone: Ints
    segment_complaints: Floats
    ticket_share: Floats
    channel_mix: Floats
    words: Words = field(default_factory=Words)

    @property
    def size(self) -> int:
        """How many customers there ever are."""
        return self.people.size

    @property
    def entities(self) -> int:
        """The factor that makes (day, entity) one number; entities past ``size`` are the public."""
        return 2 * self.people.size + 1000


@dataclass
class State:
    """What a day hands to the next. One value a customer, unless said otherwise."""

    incidents: Incidents
    plan: Ints
    region: Ints
    closed: Ints
    engagement: NDArray[np.int8]
    errors: Floats
    payment_failed: Ints
    charged: Ints
    unmet: Floats
    unmet_topic: Ints
    dissatisfaction: Floats
    effect: Floats
    effect_until: Ints
    contacted: Ints
    orders: Rows
    tickets: Rows
    scores: Rows
    desks: list[Desk]
    habit: Floats
    signed_up: Ints

    def present(self, day: int) -> Bools:
        """Signed up before the day and not closed before it."""
        here: Bools = (self.signed_up < day) & (self.closed >= day)
        return here

    def copy(self) -> State:
        """An independent copy of everything that can change."""
        twin: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            twin[each.name] = (
                [desk.copy() for desk in value] if isinstance(value, list) else value.copy()
            )
        return State(**twin)


FAR = 10**6
"""A day that never comes."""


def first_state(world: World, incidents: Incidents) -> State:
    """The state before the first day: no order, no ticket, nobody in line."""
    n = world.size
    none = np.full(n, -FAR, dtype=np.int64)
    return State(
        incidents=incidents,
        plan=world.people.plan.copy(),
        region=world.people.region.copy(),
        closed=np.full(n, FAR, dtype=np.int64),
        engagement=np.zeros(n, dtype=np.int8),
        errors=np.zeros(n),
        payment_failed=np.zeros(n, dtype=np.int64),
        charged=none.copy(),
        unmet=np.zeros(n),
        unmet_topic=np.zeros(n, dtype=np.int64),
        dissatisfaction=np.zeros(n),
        effect=np.zeros(n),
        effect_until=none.copy(),
        contacted=none.copy(),
        orders=Rows(
            key="int64",
            customer="int64",
            product="int64",
            carrier="int64",
            region="int64",
            ordered="int64",
            promised="int64",
            status="int8",
            delivered="int64",
            defective="bool",
            row="int64",
        ),
        tickets=Rows(
            key="int64",
            customer="int64",
            opened_day="int64",
            topic="int64",
            channel="int64",
            complaint="bool",
            issue="int64",
            opened="int64",
            resolved="int64",
            reopened="int64",
            settled="int64",
            row="int64",
        ),
        scores=Rows(customer="int64", at="int64", score="int64"),
        desks=[Desk() for _ in CHANNELS],
        habit=np.zeros((len(CHANNELS), 7, 24)),
        signed_up=world.people.signed_up,
    )
