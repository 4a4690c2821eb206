"""Where a roster lacks people, and for each who could have come which rule keeps them from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.calendar import local_times
from serving.shifts.crew import Agent
from serving.shifts.free_times import spans_of
from serving.shifts.groups import Group
from serving.shifts.response import Draft
from serving.shifts.weeks import Week

WORDS = {
    "unavailable": "are unavailable",
    "starts": "have no shift then (starts, shift_hours)",
    "break": "have their break",
    "max_days": "have worked their days (max_days)",
    "max_week_hours": "have worked their hours (max_week_hours)",
    "same_day": "work at other times that day",
    "rest_hours": "have their rest (rest_hours)",
    "cost": "would cost more than what is missing (shortfall_cost)",
}


@dataclass(frozen=True)
class Short:
    """A span in which a channel lacks people: ``missing`` at most, ``able`` agents have a skill for
    it, ``there`` of them are on duty at the worst time, ``rules`` keep the others from it."""

    channel: str
    starts_at: str
    ends_at: str
    local: str
    missing: int
    able: int
    there: int
    rules: dict[str, int]

    def __str__(self) -> str:
        why = "; ".join(f"{count} {WORDS[rule]}" for rule, count in self.rules.items())
        skilled = (
            f"{self.able} can serve it, {self.there} are on duty" if self.able else "nobody can"
        )
        return f"{self.channel}, {self.local}: {self.missing} too few; {skilled}" + (
            f"; {why}" if why else ""
        )


def shortfalls(draft: Draft, zone: str) -> list[Short]:
    """The spans, the largest first."""
    from serving.shifts.coverage import served_by

    need = draft.problem.need
    gap = need.people - served_by(draft.supply, need.people, draft.problem.skills)
    places = []
    for c, channel in enumerate(need.channels):
        lacking = np.flatnonzero(gap[c] > 0)
        for run in np.split(lacking, np.flatnonzero(np.diff(lacking) > 1) + 1):
            if not len(run):
                continue
            worst = int(run[gap[c, run].argmax()])
            begin, end = need.time_of(int(run[0])), need.time_of(int(run[-1]) + 1)
            a, b = (pd.Timestamp(one) for one in local_times(np.array([begin, end]), zone))
            rules, able, there = _hindrances(draft, c, worst)
            places.append(
                Short(
                    channel,
                    str(begin),
                    str(end),
                    f"{a:%a %Y-%m-%d %H:%M} to {b:%H:%M}",
                    int(gap[c, worst]),
                    able,
                    there,
                    rules,
                )
            )
    return sorted(places, key=lambda one: (-one.missing, one.starts_at, one.channel))


def _hindrances(draft: Draft, channel: int, slot: int) -> tuple[dict[str, int], int, int]:
    rules = Counter[str]()
    able = there = 0
    for g, weeks in enumerate(draft.weeks):
        group = draft.problem.groups[g]
        if channel not in draft.problem.skills[draft.problem.skill_of[group.rules]]:
            continue
        for agent, week in zip(group.agents, weeks, strict=True):
            able += 1
            rule = _rule(draft, group, agent, week or (), slot)
            there += rule == ""
            if rule:
                rules[rule] += 1
    return {name: rules[name] for name in WORDS if rules[name]}, able, there


def _rule(draft: Draft, group: Group, agent: Agent, week: Week, slot: int) -> str:
    """The rule that keeps an agent from working in a slot; empty where they do."""
    need, rules = draft.problem.need, draft.problem.rules[group.rules]
    for shift in week:
        if shift.start <= slot < shift.end:
            return "" if not shift.rest_at <= slot < shift.rest_at + shift.rest else "break"
    at = need.time_of(slot)
    dates = np.array(need.days, "datetime64[D]")
    if any(a <= at < b for a, b in spans_of(agent.unavailable, dates, agent.zone)):
        return "unavailable"
    fits = [
        (d, int(a), int(b), int(paid))
        for d, day in enumerate(rules.days)
        for a, b, paid in zip(day.start, day.end, day.paid, strict=True)
        if a <= slot < b
    ]
    if not fits:
        return "starts"
    on = {shift.day: shift for shift in week}
    free = [one for one in fits if one[0] not in on]
    if not free:
        return "same_day"
    if len(week) >= rules.max_days:
        return "max_days"
    most = group.most * rules.unit - sum(shift.paid for shift in week)
    if all(paid > most for *_, paid in free):
        return "max_week_hours"
    rested = [
        one
        for one in free
        if (one[0] - 1 not in on or on[one[0] - 1].end + rules.rest_slots <= one[1])
        and (one[0] + 1 not in on or one[2] + rules.rest_slots <= on[one[0] + 1].start)
    ]
    return "cost" if rested else "rest_hours"
