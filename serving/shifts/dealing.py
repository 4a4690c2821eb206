"""Weeks dealt out to agents, from the amounts of the linear programme."""

from __future__ import annotations

from collections import Counter

from serving.shifts.groups import Problem
from serving.shifts.master import Column
from serving.shifts.response import Draft
from serving.shifts.weeks import Week


def dealt(problem: Problem, columns: list[Column], counts: list[int]) -> Draft:
    """Weeks dealt to agents whose contract allows their hours, longer ones to cheaper agents; who
    gets none has None."""
    left = Counter({i: count for i, count in enumerate(counts) if count > 0})
    weeks: list[list[Week | None]] = [[None] * group.size for group in problem.groups]
    order = sorted(
        range(len(weeks)),
        key=lambda g: (
            len(problem.hours_of(problem.groups[g])) > 1,  # who has no choice comes first
            problem.groups[g].hour_cost,
            g,
        ),
    )
    for g in order:
        group = problem.groups[g]
        hours = set(problem.hours_of(group))
        for member in range(group.size):
            fit = [
                i
                for i in left
                if left[i] > 0 and columns[i].rules == group.rules and columns[i].units in hours
            ]
            if fit:
                best = max(fit, key=lambda i: (columns[i].units, -i))
                left[best] -= 1
                weeks[g][member] = columns[best].week
    return Draft(problem, weeks)
