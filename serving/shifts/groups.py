"""A week's problem: groups of agents who are alike, and the weeks that each could work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.errors import DataError
from data.settings import Shifts
from serving.shifts.crew import Agent
from serving.shifts.free_times import spans_of
from serving.shifts.need import Need
from serving.shifts.patterns import day_shifts
from serving.shifts.weeks import WeekRules, WeekSearch

LEAST_WORTH = 0.01
"""Of the price of a missing hour: what an hour costs at least to the search, so that nobody works
for nothing where no cost is known."""


@dataclass(frozen=True)
class Group:
    """Agents who are alike. ``rules`` counts into the problem's; ``least`` and ``most`` are units
    of paid time; ``hour_cost`` is what the search counts for an hour."""

    agents: tuple[Agent, ...]
    rules: int
    least: int
    most: int
    hour_cost: float

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.agents)


@dataclass(frozen=True)
class Problem:
    """A week to roster. By set of rules: ``rules``, ``skill_of`` (counts into ``skills``, sets of
    channels) and ``families`` (rules of one differ in days off and wishes only). ``standing``:
    people who are there anyway (skills x slots); ``wish_cost``: money a minute; ``short_cost``: a
    slot."""

    need: Need
    groups: tuple[Group, ...]
    rules: tuple[WeekRules, ...]
    skill_of: tuple[int, ...]
    families: tuple[int, ...]
    skills: tuple[tuple[int, ...], ...]
    standing: Floats
    wish_cost: float
    short_cost: float

    def rate(self, group: Group) -> float:
        """What a unit of a group's paid time costs."""
        return group.hour_cost * self.rules[group.rules].unit / 60

    def hours_of(self, group: Group) -> list[int]:
        """Units of paid time that some week of this group's has, within their contract."""
        low, high = group.least, group.most
        return [int(h) for h in self.reachable[group.rules] if low <= h <= high]

    @cached_property
    def reachable(self) -> list[Ints]:
        """By rules, the units of paid time that some week has."""
        flat = np.zeros((len(self.skills), self.need.slots))
        return [np.flatnonzero(np.isfinite(one.best)) for one in self.searches(flat)]

    @property
    def usual_price(self) -> float:
        """What a slot of an agent costs, on the mean of the groups."""
        hour = np.mean([group.hour_cost for group in self.groups])
        return float(hour * self.need.slot_minutes / 60)

    def worth(self, prices: Floats) -> float:
        """What the need is worth at these prices of people (skills x slots): the most that
        feasible duals say."""
        channel = np.full(self.need.people.shape, self.short_cost)
        for k, channels in enumerate(self.skills):
            for c in channels:
                channel[c] = np.minimum(channel[c], prices[k])
        return float((channel * self.need.people).sum() - (prices * self.standing).sum())

    def best_hours(self, searches: list[WeekSearch]) -> list[tuple[int, float]]:
        """Of each group the units of paid time whose best week earns most, and what it earns."""
        best = []
        for group in self.groups:
            hours = np.array(self.hours_of(group))
            gains = searches[group.rules].best[hours] - self.rate(group) * hours
            place = int(gains.argmax())
            best.append((int(hours[place]), float(gains[place])))
        return best

    def searches(self, prices: Floats) -> list[WeekSearch]:
        """The best weeks of every set of rules at ``prices`` (skills x slots)."""
        most = [0] * len(self.rules)
        for group in self.groups:
            most[group.rules] = max(most[group.rules], group.most)
        return [
            WeekSearch(rules, prices[self.skill_of[i]], self.wish_cost, most[i])
            for i, rules in enumerate(self.rules)
        ]


def problem_of(
    need: Need,
    agents: tuple[Agent, ...],
    settings: Shifts,
    standing: Mapping[tuple[str, ...], Floats] | None = None,
) -> Problem:
    """The problem of a week; DataError where an agent cannot work the hours of their contract, with
    the rules that forbid it. ``standing``: people there already, by skills."""
    known = {name: i for i, name in enumerate(need.channels)}
    rules: dict[tuple[object, ...], int] = {}
    all_rules: list[WeekRules] = []
    skill_of, families = [], []
    skills: dict[tuple[int, ...], int] = {}
    family: dict[tuple[object, ...], int] = {}
    members: dict[tuple[object, ...], list[Agent]] = {}
    for agent in agents:
        if agent.rules not in rules:
            rules[agent.rules] = len(all_rules)
            all_rules.append(week_rules(need, agent))
            able = tuple(sorted(known[name] for name in agent.skills))
            skill_of.append(skills.setdefault(able, len(skills)))
            families.append(family.setdefault(agent.rules[:3], len(family)))
        alike = (agent.rules, agent.cost, agent.min_hours, agent.max_hours)
        members.setdefault(alike, []).append(agent)
    groups = []
    for alike_agents in members.values():
        one = alike_agents[0]
        at = rules[one.rules]
        least, most = _units(one, all_rules[at])
        worth = max(one.cost, LEAST_WORTH * settings.shortfall_cost)
        group = Group(tuple(alike_agents), at, least, most, worth)
        _check_hours(need, one, all_rules[at], group)
        groups.append(group)
    there = np.zeros((len(skills), need.slots))
    for names, people in (standing or {}).items():
        key = tuple(sorted(known[name] for name in names if name in known))
        if key in skills:
            there[skills[key]] += people
    return Problem(
        need,
        tuple(groups),
        tuple(all_rules),
        tuple(skill_of),
        tuple(families),
        tuple(skills),
        there,
        settings.wish_cost / 60,
        settings.shortfall_cost * need.slot_minutes / 60,
    )


def week_rules(need: Need, agent: Agent) -> WeekRules:
    """The shifts that an agent may work this week."""
    days = np.array(need.days, "datetime64[D]")
    shifts = day_shifts(
        agent.contract,
        agent.zone,
        need,
        opened_to(need, agent),
        away=spans_of(agent.unavailable, days, agent.zone),
        wishes=spans_of(agent.wishes, days, agent.zone),
        not_before=agent.not_before,
    )
    rest = -(-round(agent.contract.rest_hours * 60) // need.slot_minutes)
    return WeekRules(tuple(shifts), agent.contract.max_days, rest)


def opened_to(need: Need, agent: Agent) -> Bools:
    """The slots in which one of the agent's channels is open."""
    rows = [i for i, name in enumerate(need.channels) if name in agent.skills]
    return np.asarray(need.opened[rows].any(axis=0))


def _units(agent: Agent, rules: WeekRules) -> tuple[int, int]:
    """Units of paid time at least and at most. Days off that leave fewer days than a week of theirs
    has lower the least in proportion: leave is paid elsewhere."""
    usual = min(agent.contract.max_days, 7)
    share = min(1.0, rules.workable_days / usual)
    least = int(np.ceil(agent.min_hours * share * 60 / rules.unit - 1e-9))
    return least, int(agent.max_hours * 60 / rules.unit + 1e-9)


def _reached(rules: WeekRules, most: int) -> float:
    """The most units up to ``most`` that some week has."""
    value = WeekSearch(rules, np.zeros(_last_slot(rules)), 0.0, most).best
    return float(np.flatnonzero(np.isfinite(value))[-1])


def _last_slot(rules: WeekRules) -> int:
    return int(max((day.end.max() for day in rules.days if len(day)), default=0)) + 1


def _check_hours(need: Need, agent: Agent, rules: WeekRules, group: Group) -> None:
    """DataError where no week of this agent's has the hours of their contract."""
    reached = _reached(rules, group.most)
    if reached >= group.least:
        return
    contract = agent.contract
    eased = {
        f"max_week_hours ({agent.max_hours:g})": replace(agent, max_hours=168.0),
        f"max_days ({contract.max_days})": replace(agent, contract=replace(contract, max_days=7)),
        f"rest_hours ({contract.rest_hours:g})": replace(
            agent, contract=replace(contract, rest_hours=0.0), not_before=None
        ),
        f"starts ({', '.join(contract.starts)})": replace(
            agent, contract=replace(contract, starts=("00:00-24:00",))
        ),
        f"shift_hours ({', '.join(f'{h:g}' for h in contract.shift_hours)})": replace(
            agent,
            contract=replace(contract, shift_hours=tuple({*contract.shift_hours, 4.0, 6.0, 8.0})),
        ),
    }
    if agent.unavailable:
        name = f"unavailable ({', '.join(agent.unavailable)})"
        eased[name] = replace(agent, unavailable=())
    hinder = []
    for name, other in eased.items():
        again = week_rules(need, other)
        if (
            again.workable_days
            and _reached(again, int(other.max_hours * 60 / again.unit)) * again.unit
            >= group.least * rules.unit
        ):
            hinder.append(name)
    days = [str(day) for day, of in zip(need.days, rules.days, strict=True) if not len(of)]
    raise DataError(
        f"agent {agent.agent_id} cannot work the hours of their contract in the week of "
        f"{need.days[0]}: {group.least * rules.unit / 60:g} at least, and "
        f"{reached * rules.unit / 60:g} at most are possible. What forbids more: "
        f"{'; or '.join(hinder) or 'several rules together'}."
        + (f" Without any shift: {', '.join(days)}." if days else "")
        + " Ease that rule, or lower min_week_hours or hours_per_week."
    )
