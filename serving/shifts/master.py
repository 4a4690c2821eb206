"""The linear programme over weeks: how much of each week each group works, and what a slot is
worth.

Column generation (Dantzig and Wolfe 1960): the programme knows some weeks of each group; its dual
values price every slot; the dynamic programme of ``weeks`` finds the best week at these prices,
which is added where it would pay. What the duals are worth at any time bounds every roster from
below (Farley 1990), so the search may end early and still say how near it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from data.arrays import Bools, Floats
from serving.shifts.ascent import Ascent
from serving.shifts.groups import Problem
from serving.shifts.response import Draft
from serving.shifts.weeks import Week, WeekRules, worked

SMOOTHING = 0.6
"""Share of the best prices yet in those that are searched at (Wentges 1997)."""
CLOSE = 1e-3
MOST_ROUNDS = 200
MOST_AT_ONCE = 4
"""Weeks that a round adds for a set of rules, besides each group's best."""


@dataclass(frozen=True)
class Column:
    """A week that agents under some rules could work: its units of paid time, what its wishes cost,
    and the slots in which they answer."""

    rules: int
    week: Week
    units: int
    cost: float
    there: Bools = field(compare=False, repr=False)


@dataclass(frozen=True)
class Duals:
    """What the programme says of a slot (``prices``, skills x slots), and of weeks of so many
    units (``hours``, by rules and units)."""

    prices: Floats
    hours: Mapping[tuple[int, int], float]


@dataclass
class Master:
    """The programme being built. ``columns`` only grow; ``bound`` is valid whenever it is read."""

    problem: Problem
    columns: list[Column] = field(default_factory=list)
    bound: float = -np.inf
    value: float = np.inf
    by_clock: bool = False
    amounts: Floats = field(default_factory=lambda: np.zeros(0))
    reduced: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        from ortools.linear_solver import pywraplp

        self._solver: Any = pywraplp.Solver.CreateSolver("GLOP")
        # solved again and again with some columns more: each time from where it stood
        self._solver.SetSolverSpecificParametersAsString("use_preprocessing: false")
        self._infinity = self._solver.infinity()
        need, problem = self.problem.need, self.problem
        self._known: set[tuple[int, Week]] = set()
        self._variables: list[Any] = []
        self._cover: dict[tuple[int, int], Any] = {}
        self._supply: dict[tuple[int, int], Any] = {}
        self.hours: dict[tuple[int, int], Any] = {}
        self._objective = self._solver.Objective()
        self._objective.SetMinimization()
        for c, t in np.argwhere(need.people > 0).tolist():
            row = self._solver.Constraint(float(need.people[c, t]), self._infinity)
            row.SetCoefficient(self._variable(problem.short_cost), 1)
            self._cover[c, t] = row
        for k, channels in enumerate(problem.skills):
            for t in np.flatnonzero(need.people[list(channels)].any(axis=0)).tolist():
                row = self._solver.Constraint(-float(problem.standing[k, t]), self._infinity)
                self._supply[k, t] = row
                for c in channels:
                    if (c, t) in self._cover:
                        flow = self._variable(0.0)
                        row.SetCoefficient(flow, -1)
                        self._cover[c, t].SetCoefficient(flow, 1)
        for group in problem.groups:
            everybody = self._solver.Constraint(group.size, group.size)
            for units in problem.hours_of(group):
                key = (group.rules, units)
                if key not in self.hours:
                    self.hours[key] = self._solver.Constraint(0, 0)
                agents = self._variable(problem.rate(group) * units)
                everybody.SetCoefficient(agents, 1)
                self.hours[key].SetCoefficient(agents, -1)
        self._allowed = [_allowed(rules) for rules in problem.rules]

    @cached_property
    def by_promise(self) -> list[int]:
        """The columns by reduced cost, once the programme is solved."""
        return [int(i) for i in np.argsort(self.reduced, kind="stable")]

    def _variable(self, cost: float) -> Any:
        variable = self._solver.NumVar(0, self._infinity, "")
        self._objective.SetCoefficient(variable, cost)
        return variable

    def add(self, rules: int, week: Week) -> bool:
        """Add a week to a set of rules that allow it; False where it is known."""
        if (rules, week) in self._known:
            return False
        self._known.add((rules, week))
        problem = self.problem
        units = sum(shift.paid for shift in week) // problem.rules[rules].unit if week else 0
        if (rules, units) not in self.hours:
            return False
        cost = sum(shift.wished for shift in week) * problem.wish_cost
        there = worked(week, problem.need.slots)
        variable = self._variable(cost)
        self.hours[rules, units].SetCoefficient(variable, 1)
        for t in np.flatnonzero(there).tolist():
            row = self._supply.get((problem.skill_of[rules], t))
            if row is not None:
                row.SetCoefficient(variable, 1)
        self._variables.append(variable)
        self.columns.append(Column(rules, week, units, cost, there))
        return True

    def share(self, rules: int, week: Week) -> int:
        """Add a week to all rules of the family that allow it; how many did not know it."""
        added = 0
        for other, family in enumerate(self.problem.families):
            if family == self.problem.families[rules]:
                again = _under(self._allowed[other], week)
                added += again is not None and self.add(other, again)
        return added

    def solve(self) -> Duals:
        """Solve it; its duals."""
        status = self._solver.Solve()
        if status != self._solver.OPTIMAL:
            raise RuntimeError(f"the linear programme of the roster ended with status {status}")
        self.value = self._objective.Value()
        problem, need = self.problem, self.problem.need
        prices = np.zeros((len(problem.skills), need.slots))
        for (k, t), row in self._supply.items():
            prices[k, t] = max(row.dual_value(), 0.0)
        hours = {key: row.dual_value() for key, row in self.hours.items()}
        self.amounts = np.array([one.solution_value() for one in self._variables])
        self.reduced = np.array([one.reduced_cost() for one in self._variables])
        return Duals(prices, hours)

    def price(self, at: Duals, duals: Duals) -> int:
        """Search at the prices of ``at``, sharpen the bound, add weeks that ``duals`` pay; how
        many."""
        searches = self.problem.searches(at.prices)
        wanted: list[set[int]] = [set() for _ in searches]
        bound = self.problem.worth(at.prices)
        groups = self.problem.groups
        for group, (hours, gain) in zip(groups, self.problem.best_hours(searches), strict=True):
            bound -= group.size * gain
            wanted[group.rules].add(hours)
        self.bound = max(self.bound, bound)
        added = 0
        for rules, search in enumerate(searches):
            known = [units for of, units in self.hours if of == rules]
            pays = {units: search.best[units] + duals.hours[rules, units] for units in known}
            most = [units for _, units in sorted((-worth, units) for units, worth in pays.items())]
            for units in dict.fromkeys([*most[:MOST_AT_ONCE], *sorted(wanted[rules])]):
                if pays[units] > CLOSE:
                    added += self.share(rules, search.week(units))
        return added


def _allowed(rules: WeekRules) -> dict[tuple[int, int, int], float]:
    """The shifts that rules allow (day, start, end) with their minutes against wishes."""
    return {
        (d, a, b): wished
        for d, day in enumerate(rules.days)
        for a, b, wished in zip(
            day.start.tolist(), day.end.tolist(), day.wished.tolist(), strict=True
        )
    }


def _under(allowed: Mapping[tuple[int, int, int], float], week: Week) -> Week | None:
    """The same week under other rules of the family; None where they do not allow it."""
    keys = [(shift.day, shift.start, shift.end) for shift in week]
    if not all(key in allowed for key in keys):
        return None
    return tuple(replace(shift, wished=allowed[key]) for shift, key in zip(week, keys, strict=True))


def solved(
    problem: Problem,
    gap: float,
    ascent: Ascent,
    draft: Draft,
    seconds_left: Callable[[], float],
    report: Callable[[str], None],
) -> Master:
    """The programme with weeks enough that it, or the roster of ``draft``, is within ``gap`` of the
    bound; or time is out. It begins with the weeks of ``ascent`` and ``draft``."""
    master = Master(problem)
    cost = draft.cost
    best, master.bound = Duals(ascent.prices, {}), ascent.bound
    _first(master, ascent.prices)
    for rules, week in ascent.weeks:
        master.add(rules, week)
    for group, weeks in zip(problem.groups, draft.weeks, strict=True):
        for of_agent in weeks:
            master.add(group.rules, of_agent or ())
    for _ in range(MOST_ROUNDS):
        duals = master.solve()
        mixed = SMOOTHING * best.prices + (1 - SMOOTHING) * duals.prices
        at = Duals(mixed, duals.hours)
        before = master.bound
        added = master.price(at, duals)
        if master.bound > before:
            best = at
        if not added:
            added, best = master.price(duals, duals), duals
        away = (master.value - master.bound) / max(master.value, 1e-9)
        report(f"{len(master.columns)} weeks, at least {master.bound:,.0f}")
        if not added or away < gap / 2 or cost - master.bound <= gap * cost:
            break
        if seconds_left() < 0:
            master.by_clock = True
            break
    master.solve()
    return master


def _first(master: Master, prices: Floats) -> None:
    """A week of every number of hours, so that there is a solution."""
    for rules, search in enumerate(master.problem.searches(prices)):
        for of, units in list(master.hours):
            if of == rules:
                master.add(rules, search.week(units))
