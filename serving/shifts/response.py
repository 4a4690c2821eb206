"""Each agent's best week beside everybody else's, again and again until nobody's can be better.
Then some give up theirs and take others, as long as that pays.

Beside the others' weeks, one more person in a slot either fills a gap or does not, so the dynamic
programme of ``weeks`` finds an agent's best week exactly. The cost falls with every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.arrays import Ints
from serving.shifts.groups import Problem
from serving.shifts.shortage import Shortage
from serving.shifts.weeks import Week, WeekSearch, worked

BETTER = 1e-6
MOST_PASSES = 20
FEW, MANY = 3, 15
"""Agents who give up their weeks at once: at least, and fewer than."""


@dataclass
class Draft:
    """A roster while it is made: the week of every agent of every group (None: not yet)."""

    problem: Problem
    weeks: list[list[Week | None]]

    def __post_init__(self) -> None:
        need, problem = self.problem.need, self.problem
        self.shortage = Shortage(need.people, problem.skills)
        self.supply: Ints = problem.standing.astype(np.int64)
        for group, weeks in zip(problem.groups, self.weeks, strict=True):
            for week in weeks:
                self._count(group.rules, week, 1)

    def _count(self, rules: int, week: Week | None, sign: int) -> None:
        if week:
            there = worked(week, self.problem.need.slots)
            self.supply[self.problem.skill_of[rules]] += sign * there

    def own_cost(self, g: int, week: Week) -> float:
        """What a week costs without what it covers."""
        group = self.problem.groups[g]
        wished = sum(shift.wished for shift in week) * self.problem.wish_cost
        return sum(shift.paid for shift in week) / 60 * group.hour_cost + wished

    @property
    def cost(self) -> float:
        """Hours, wishes and missing people, in money."""
        own = [self.own_cost(g, w) for g, ws in enumerate(self.weeks) for w in ws if w is not None]
        missing = self.shortage.missing(self.supply).sum()
        return sum(own) + float(missing) * self.problem.short_cost

    def respond(self, g: int, member: int) -> bool:
        """Give one agent their best week beside the others; whether it is better than theirs."""
        problem, group = self.problem, self.problem.groups[g]
        before = self.weeks[g][member]
        self._count(group.rules, before, -1)
        skill = problem.skill_of[group.rules]
        prices = self.shortage.price(self.supply, problem.short_cost)[skill]
        rules = problem.rules[group.rules]
        search = WeekSearch(rules, prices, problem.wish_cost, group.most)
        hours = np.array(problem.hours_of(group))
        gains = search.best[hours] - problem.rate(group) * hours
        best = int(gains.argmax())
        better = True
        if before is not None:
            worth = prices[worked(before, len(prices))].sum() - self.own_cost(g, before)
            better = bool(gains[best] > worth + BETTER)
        after = search.week(int(hours[best])) if better else before
        self.weeks[g][member] = after
        self._count(group.rules, after, 1)
        return better

    def put(self, g: int, member: int, week: Week | None) -> None:
        """Give one agent this week in the place of theirs."""
        rules = self.problem.groups[g].rules
        self._count(rules, self.weeks[g][member], -1)
        self._count(rules, week, 1)
        self.weeks[g][member] = week

    def settle(self, rng: np.random.Generator, seconds_left: Callable[[], float]) -> bool:
        """Let agents respond in turn, in an order drawn anew for each pass; False if time is
        out."""
        agents = [(g, m) for g, weeks in enumerate(self.weeks) for m in range(len(weeks))]
        for _ in range(MOST_PASSES):
            moved = False
            for i in rng.permutation(len(agents)).tolist():
                if seconds_left() < 0:
                    return False
                moved |= self.respond(*agents[i])
            if not moved:
                break
        return True

    def retake(self, rng: np.random.Generator) -> bool:
        """Some agents give up their weeks and take the best ones in turn, twice (ruin and recreate,
        Schrimpf and others 2000); what came of it stays unless it is dearer. True: it is cheaper.
        """
        agents = [(g, m) for g, weeks in enumerate(self.weeks) for m in range(len(weeks))]
        few = min(int(rng.integers(FEW, MANY)), len(agents))
        some = [agents[i] for i in rng.choice(len(agents), few, replace=False).tolist()]
        cost, before = self.cost, [self.weeks[g][m] for g, m in some]
        for g, m in some:
            self.put(g, m, None)
        for g, m in some:
            self.respond(g, m)
        for i in rng.permutation(few).tolist():
            self.respond(*some[i])
        gained = cost - self.cost
        if gained < -BETTER:
            for (g, m), week in zip(some, before, strict=True):
                self.put(g, m, week)
        return gained > BETTER
