"""Prices of people in each slot that make the bound high: no roster costs less than it says.

At any prices, what the need is worth less what the best weeks earn bounds every roster from below
(Lagrange). A best week is found in milliseconds (``weeks``), a linear programme over weeks is
solved in seconds: so prices are moved, up where people are missing, down where there are too many,
by the volume algorithm (Barahona and Anbil 2000). Each step sets out from the best prices yet,
along who was missing on the mean of the steps before, as far as the distance to the best roster
allows (Polyak 1969). The weeks that were best on the way are those that the programme begins with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats
from serving.shifts.groups import Problem
from serving.shifts.weeks import Week, worked

ROUNDS = 200
KEPT_ROUNDS = 60
"""The last rounds, whose weeks are kept."""
SCALES = (0.5, 0.6, 0.7, 0.8, 1.0, 1.5, 2.5, 4.0)
NEWEST, LEAST_NEW = 0.2, 0.03
"""Weight of the newest step among those before: at first, and at least."""
LONGER, SHORTER, SHORTEST = 1.1, 0.66, 1e-3
PATIENCE = 6
GAIN = 3e-4
AHEAD, OF_THE_WAY = 0.03, 0.5
"""The cost aimed at lies so far above the bound, or so much of the way to the best roster."""
NEAR = 0.02
"""Channels whose prices differ by less, as a share of what a slot costs, share their people."""


@dataclass(frozen=True)
class Ascent:
    """``prices`` (skills x slots) with the highest ``bound``, and weeks that were best on the way,
    by rules, the last first."""

    prices: Floats
    bound: float
    weeks: tuple[tuple[int, Week], ...]


def ascend(problem: Problem, cost: float, gap: float, seconds_left: Callable[[], float]) -> Ascent:
    """The ascent from prices that follow the need, until the bound is within ``gap`` of the
    ``cost`` of the best roster yet."""
    need = problem.need.people.astype(float)
    start: Floats = 0.5 + need / np.maximum(need.max(axis=1, keepdims=True), 1)
    start = problem.usual_price * start * (need > 0)
    points = [_Point(problem, np.clip(one * start, 0.0, problem.short_cost)) for one in SCALES]
    # the dearest, too: where people are missing in most slots it is the best
    points.append(_Point(problem, np.where(need > 0, problem.short_cost, 0.0)))
    best = max(points, key=lambda one: one.bound)
    missing, length, newest, idle = best.missing, 1.0, NEWEST, 0
    weeks: list[dict[tuple[int, Week], None]] = []
    for _ in range(ROUNDS):
        ahead = max(AHEAD * best.bound, OF_THE_WAY * (cost - best.bound))
        size = float((missing**2).sum())
        near = cost - best.bound <= gap * cost
        if near or size < 1e-9 or length < SHORTEST or seconds_left() < 0:
            break
        step = length * (min(cost, best.bound + ahead) - best.bound) / size
        moved = np.clip(best.prices + step * missing, 0.0, problem.short_cost)
        now = _Point(problem, moved * (need > 0))
        weeks.append(dict.fromkeys(now.weeks))
        missing = newest * now.missing + (1 - newest) * missing
        if now.bound > best.bound * (1 + GAIN):
            length, idle = length * LONGER, 0
        else:
            idle += 1
        best = max(best, now, key=lambda one: one.bound)
        if idle == PATIENCE:
            length, newest, idle = length * SHORTER, max(0.8 * newest, LEAST_NEW), 0
    late = {week: None for one in reversed(weeks[-KEPT_ROUNDS:]) for week in one}
    return Ascent(best.people_prices, best.bound, tuple(late))


class _Point:
    """Prices (channels x slots) with their bound, the weeks that are best at them, and who is
    ``missing`` beside these: the subgradient."""

    def __init__(self, problem: Problem, prices: Floats) -> None:
        self.problem, self.prices = problem, prices
        self.people_prices = np.stack([prices[list(one)].max(axis=0) for one in problem.skills])
        searches = problem.searches(self.people_prices)
        choice = problem.best_hours(searches)
        self.bound = problem.worth(self.people_prices)
        self.bound -= sum(
            g.size * gain for g, (_, gain) in zip(problem.groups, choice, strict=True)
        )
        wanted = Counter[tuple[int, int]]()
        for group, (hours, _) in zip(problem.groups, choice, strict=True):
            wanted[group.rules, hours] += group.size
        self.weeks = [(rules, searches[rules].week(hours)) for rules, hours in wanted]
        supply = problem.standing.astype(float)
        for (rules, week), count in zip(self.weeks, wanted.values(), strict=True):
            supply[problem.skill_of[rules]] += count * worked(week, problem.need.slots)
        missing = self._missing(supply)
        self.missing = np.where((prices <= 0) & (missing < 0), 0.0, missing)

    def _missing(self, supply: Floats) -> Floats:
        """Need less people, everybody where their price is highest."""
        missing = self.problem.need.people.astype(float)
        slots = np.arange(missing.shape[1])
        near = NEAR * self.problem.usual_price
        few_first = sorted(range(len(supply)), key=lambda k: len(self.problem.skills[k]))
        for k in few_first:
            left, channels = supply[k].copy(), list(self.problem.skills[k])
            for c in channels:
                worth = self.prices[c] >= self.people_prices[k] - near
                part = np.where(worth, np.minimum(left, np.maximum(missing[c], 0.0)), 0.0)
                missing[c] -= part
                left -= part
            dearest = np.array(channels)[self.prices[channels].argmax(axis=0)]
            missing[dearest, slots] -= left
        return missing
