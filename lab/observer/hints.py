"""What single events say of the items a customer holds: complaints, questions, the company's coin.

An event's weight is linear in the number of defective items among those held: a complaint about a
defect has the hazards of all causes that lead to one, and each defective item adds its own. A
ticket names the last defective item, or the last one if none is. The company considers customers
with a problem more often, and its action answers their largest: it knows more than its tables, so
they tell what it knew.

>>> Hint(np.array([4, 7]), without=0.002, each=0.5).weight(np.array([False, True]))
0.502
>>> Hint(np.array([4, 7]), without=1.0, each=0.0, about=4).weight(np.array([False, True]))
0.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.simulate.contacts import oldest_open
from data.simulate.expectation import general_shares
from data.simulate.hazard import causes
from data.simulate.outreach import PROBLEM_CAUSES
from data.simulate.rates import CAUSES
from data.simulate.state import State, World
from lab.observer.columns import DEFECT, RETURNS
from lab.observer.observations import Observations

_DEFECT, _UNMET, _GENERAL = (CAUSES.index(c) for c in ("defect", "unmet_need", "general"))


@dataclass
class Hint:
    """An event that says something of the items a customer held when it happened.

    ``without`` is the weight of the event if none of ``items`` (orders) was defective, ``each``
    what every defective one adds (or one number for each item); ``about`` the order that the event
    names (-2: none asked for).
    """

    items: Ints
    without: float
    each: float | Floats
    about: int = -2

    def weight(self, bad: Bools) -> float:
        """The weight of the event if of the items those are defective; zero if it cannot be."""
        if self.about >= 0:
            named = self.items[bad][-1] if bad.any() else self.items[-1]
            if named != self.about:
                return 0.0
        return max(float(self.without + np.sum(self.each * bad)), 0.0)


def consider(
    world: World, state: State, shown: Observations, rows: Ints, day: int, cause: Ints
) -> tuple[list[Hint], Ints, float]:
    """What the company's weekly coin tells: hints, and of which orders it tells how much.

    ``rows``: the treatments of the morning, ``cause`` each customer's problem if no item is
    defective. Orders of customers with no other problem whom the company left alone are more
    probably sound: the log likelihood ratio is the last part of the answer.
    """
    rates, log = world.rates, shown.treatments
    rows = rows[log["drawn"][rows]]
    considered = np.zeros(shown.size, dtype=bool)
    considered[log["customer"][rows]] = True
    may = state.present(day) & shown.customers["may_email"]
    held = np.flatnonzero(state.orders["status"] == 2)
    owner = state.orders["customer"][held]
    left_alone = held[may[owner] & ~considered[owner] & (cause[owner] < 0)]
    share = rates.considered_weekly
    hints = []
    x = causes(world, state, day)[:PROBLEM_CAUSES]
    others = np.delete(x, _DEFECT, axis=0).max(axis=0)
    for row in rows:
        c = log["customer"][row]
        items = state.orders["row"][held[owner == c]]
        if not len(items):
            continue
        if log["action"][row] == "replacement":
            if cause[c] != _DEFECT:  # so many items that the company thinks of them anyway
                hints.append(Hint(items, 0.0, 1.0))
        elif rates.c_defective > others[c]:
            hints.append(Hint(items, 1.0, -1.0))
    log_ratio = float(np.log((1 - 8 * share) / (1 - share / 2)))
    return hints, state.orders["row"][left_alone], log_ratio


def notice(world: World, state: State, shown: Observations, rows: Ints, day: int) -> list[Hint]:
    """What the day's tickets of customers, ``rows``, tell."""
    tickets, rates = shown.tickets, world.rates
    topic = tickets["topic"][rows]
    rows = rows[(topic == DEFECT) | (topic == RETURNS)]
    if not len(rows):
        return []
    hints = []
    who = tickets["customer"][rows]
    x = causes(world, state, day)
    owner, status = state.orders["customer"], state.orders["status"]
    name = shown.orders["id"]
    oldest = oldest_open(world, state, day)
    for row, c in zip(rows, who, strict=True):
        items = state.orders["row"][(owner == c) & (status == 2)]
        if not len(items):
            continue
        about = np.flatnonzero(name[items] == tickets["order"][row])
        point = int(items[about[0]]) if len(about) else -2
        again = oldest[c] >= 0 and tickets["issue"][row] == state.tickets["issue"][oldest[c]]
        without, each = 1.0, 0.0
        if tickets["complaint"][row] and tickets["topic"][row] == DEFECT and not again:
            without = x[_DEFECT, c] + x[_GENERAL, c] * general_shares(rates)[DEFECT]
            without += x[_UNMET, c] * (state.unmet_topic[c] == DEFECT)
            each = rates.c_defective
        elif not tickets["complaint"][row] and tickets["topic"][row] == RETURNS:
            without, each = rates.q_item * len(items), rates.q_defective
        hints.append(Hint(items, without, each, point))
    return hints
