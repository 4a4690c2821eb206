"""The weeks of some agents at once, by CP-SAT (OR-tools), beside everybody else's.

The agents' best answers to each other (``response``) end where no single one can do better. Here
some twenty may change together, among the weeks that the linear programme found: those that could
be in a better roster by their reduced costs. The search starts from the weeks that they have, so it
never ends with a dearer roster.

Effort is counted in deterministic time, which is the same on a busy machine and an idle one, and
one thread searches: equal seeds, equal rosters. The clock is a last resort, and the answer says if
it ended the search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.shifts.master import Column, Master
from serving.shifts.response import Draft
from serving.shifts.weeks import Week, worked

CENTS = 100
MOST_WEEKS = 40
"""Weeks of the programme that are looked at for each set of rules."""
Place = tuple[int, int]
"""Group and member."""


def choose_weeks(
    draft: Draft,
    master: Master,
    places: Sequence[Place],
    *,
    effort: float,
    seconds: float,
    seed: int,
) -> bool:
    """Change the weeks of the agents at ``places`` in ``draft`` for the better; True if the clock
    ended the search. ``effort``: deterministic time; ``seconds``: by the clock.
    """
    from ortools.sat.python import cp_model

    problem = draft.problem
    there = [draft.weeks[g][m] for g, m in places]
    for (g, m), week in zip(places, there, strict=True):
        draft.put(g, m, None)
        assert week is not None
    columns, counts = _columns(draft, master, places, there)
    size = Counter(problem.groups[g].rules for g, _ in places)
    model: Any = cp_model.CpModel()
    uses = [model.new_int_var(0, size[column.rules], "") for column in columns]
    for use, count in zip(uses, counts, strict=True):
        model.add_hint(use, count)
    terms = [round(column.cost * CENTS) * use for use, column in zip(uses, columns, strict=True)]
    of_agent = _agents(model, draft, places, there, columns, uses, terms)
    works = np.array([column.there for column in columns])
    skill = np.array([problem.skill_of[column.rules] for column in columns])
    short_cost = round(problem.short_cost * CENTS)
    full = draft.supply.copy()
    for column, count in zip(columns, counts, strict=True):
        full[problem.skill_of[column.rules]] += count * column.there
    missing = draft.shortage.missing(full)
    lacking = draft.shortage.missing(draft.supply)
    for t in np.flatnonzero(lacking).tolist():  # elsewhere nobody is missed
        short = model.new_int_var(0, int(lacking[t]), "")
        model.add_hint(short, int(missing[t]))
        for wanted, serve in draft.shortage.rows(t):
            rest = wanted - sum(int(draft.supply[k, t]) for k in serve)
            if rest > 0:
                on = np.flatnonzero(works[:, t] & np.isin(skill, serve)).tolist()
                model.add(sum(uses[i] for i in on) + short >= rest)
        terms.append(short_cost * short)
    model.minimize(sum(terms))
    solver: Any = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed % 2**31
    solver.parameters.max_deterministic_time = effort
    solver.parameters.max_time_in_seconds = max(seconds, 0.1)
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        left = [solver.value(use) for use in uses]
        for place, units in zip(places, of_agent, strict=True):
            hours = next(h for h, chosen in units.items() if solver.value(chosen))
            rules = problem.groups[place[0]].rules
            at = next(
                i
                for i, column in enumerate(columns)
                if left[i] > 0 and column.rules == rules and column.units == hours
            )
            left[at] -= 1
            draft.put(place[0], place[1], columns[at].week)
    else:
        for (g, m), week in zip(places, there, strict=True):
            draft.put(g, m, week)
    return bool(solver.wall_time >= 0.99 * max(seconds, 0.1))


def _columns(
    draft: Draft, master: Master, places: Sequence[Place], there: Sequence[Week | None]
) -> tuple[list[Column], list[int]]:
    """The weeks that the agents have, and the programme's most promising; how often they have
    each."""
    problem = draft.problem
    used = Counter(
        (problem.groups[g].rules, week or ()) for (g, _), week in zip(places, there, strict=True)
    )
    by_rules = {
        (rules, week): Column(
            rules,
            week,
            sum(shift.paid for shift in week) // problem.rules[rules].unit,
            sum(shift.wished for shift in week) * problem.wish_cost,
            worked(week, problem.need.slots),
        )
        for rules, week in used
    }
    looked = Counter[int]()
    wanted = {rules for rules, _ in used}
    for i in master.by_promise:
        column = master.columns[i]
        if column.rules in wanted and looked[column.rules] < MOST_WEEKS:
            looked[column.rules] += 1
            by_rules.setdefault((column.rules, column.week), column)
    return list(by_rules.values()), [used[key] for key in by_rules]


def _agents(
    model: Any,
    draft: Draft,
    places: Sequence[Place],
    there: Sequence[Week | None],
    columns: list[Column],
    uses: list[Any],
    terms: list[Any],
) -> list[dict[int, Any]]:
    """For each agent which paid time they work, tied to the weeks; its cost goes to ``terms``."""
    problem = draft.problem
    of_hours: dict[tuple[int, int], list[Any]] = {}
    for use, column in zip(uses, columns, strict=True):
        of_hours.setdefault((column.rules, column.units), []).append(use)
    working: dict[tuple[int, int], list[Any]] = {}
    of_agent = []
    for (g, _), week in zip(places, there, strict=True):
        group = problem.groups[g]
        now = sum(shift.paid for shift in week or ()) // problem.rules[group.rules].unit
        units = {}
        for hours in problem.hours_of(group):
            if (group.rules, hours) in of_hours:
                units[hours] = model.new_bool_var("")
                model.add_hint(units[hours], hours == now)
                working.setdefault((group.rules, hours), []).append(units[hours])
                terms.append(round(problem.rate(group) * hours * CENTS) * units[hours])
        model.add_exactly_one(units.values())
        of_agent.append(units)
    for key, some in of_hours.items():
        model.add(sum(some) == sum(working.get(key, [])))
    return of_agent
