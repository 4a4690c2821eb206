"""A roster: who works when, how near it is to the best there can be, and whom it lacks.

A week at a time. Each agent's best week beside the others' (``response``); prices of people that
bound every roster from below (``ascent``); some agents give up their weeks and take others, as long
as that pays. Where the gap is not small then: a linear programme over whole weeks of work sharpens
the bound (``master``), and some agents at a time choose among its weeks by CP-SAT (``choice``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.errors import DataError
from data.settings import Settings
from features.calendar import utc_times
from serving.shifts.ascent import ascend
from serving.shifts.choice import choose_weeks
from serving.shifts.coverage import coverage_of, presence
from serving.shifts.crew import Agent, Crew, crew_of
from serving.shifts.dealing import dealt
from serving.shifts.groups import Problem, problem_of
from serving.shifts.master import solved
from serving.shifts.need import MINUTE, Need, days_to_roster, need_of
from serving.shifts.patterns import slot_minutes_for
from serving.shifts.reasons import Short, shortfalls
from serving.shifts.response import Draft

EFFORT = 0.3
AT_ONCE = 20
TRIES, CHOSEN_IN_VAIN = 12, 4
FEW_GAINS = 0.05
"""A round, as many tries as agents, is in vain where no more of them than this share gain."""
IN_VAIN = 2
FOR_CHOICE = 0.15
"""Of the time limit: what is left for single agents when the clock ends the linear programme."""
SHIFT_COLUMNS = (
    "agent_id",
    "day",
    "starts_at",
    "ends_at",
    "break_starts_at",
    "break_ends_at",
    "paid_hours",
    "cost",
    "skills",
    "time_zone",
)


@dataclass(frozen=True)
class WeekDone:
    """How a week's search ended: ``cost`` of hours, missing people and wishes as the search counts
    them, the ``bound`` that no roster goes below, seconds, and whether the clock ended it."""

    first_day: str
    cost: float
    bound: float
    seconds: float
    by_clock: bool

    @property
    def gap(self) -> float:
        """How far the cost may be above the best, as a share of the cost."""
        return (self.cost - self.bound) / self.cost if self.cost > 0 else 0.0


@dataclass(frozen=True)
class Roster:
    """``shifts``: one row each (``SHIFT_COLUMNS``, times naive UTC, ``day`` the agent's local
    date); ``people``: channel x interval with ``needed, rostered, gap``; ``short``: where people
    are missing and which rules keep others from it; ``notes``: what was assumed."""

    shifts: pd.DataFrame
    people: pd.DataFrame
    weeks: tuple[WeekDone, ...]
    short: tuple[Short, ...]
    notes: tuple[str, ...]


def roster(
    frame: pd.DataFrame,
    agents: pd.DataFrame,
    settings: Settings,
    *,
    before: pd.DataFrame | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Roster:
    """The roster of a plan.

    Parameters
    ----------
    frame : a plan, as ``serving.staffing.plan`` makes it.
    agents : the ``agents`` table as of now.
    settings : ``[shifts]``, ``[contracts]``, ``[company] time_zone``.
    before : shifts of an earlier roster: those that began before this one hold.
    report : takes lines about bound, best roster yet and gap.

    Raises
    ------
    DataError : no agents, an unknown contract, hours nobody can work; each named.
    NotEnoughHistory : the plan has no whole day.
    """
    if frame.empty:
        raise DataError("the plan has no rows, so there is nothing to roster; run presage staff")
    channels = tuple(sorted(map(str, frame["channel"].unique())))
    shifts_settings, zone = settings.shifts, settings.company.time_zone
    weeks, named = days_to_roster(frame, zone, shifts_settings.week_start, shifts_settings.weeks)
    notes = []
    if not named:
        notes.append(
            f"the plan has no whole week from {shifts_settings.week_start} on: the roster begins "
            f"on {weeks[0][0]}, the plan's first whole day"
        )
    crew = crew_of(agents, channels, settings)
    rows: list[pd.DataFrame] = []
    solutions, people, short = [], [], []
    earlier = _rows_before(before, weeks[0], zone)
    for days in weeks:
        need = _need(frame, crew, channels, days, settings)
        gone = pd.concat([earlier, *rows])
        ends = gone.groupby("agent_id")["ends_at"].max().to_dict()
        problem = problem_of(need, _rested(crew, ends), shifts_settings, presence(gone, need))
        draft, solution = _week(problem, settings, report)
        part = _rows(draft)
        solutions.append(solution)
        people.append(coverage_of(draft, frame, shifts_settings.absence))
        short += shortfalls(draft, zone)
        rows.append(part)
    return Roster(
        pd.concat(rows, ignore_index=True),
        pd.concat(people, ignore_index=True),
        tuple(solutions),
        tuple(short),
        (*notes, *crew.notes),
    )


def _rows_before(
    before: pd.DataFrame | None, days: tuple[np.datetime64, ...], zone: str
) -> pd.DataFrame:
    """The shifts of an earlier roster that began before the first of these days."""
    if before is None:
        return pd.DataFrame(columns=list(SHIFT_COLUMNS))
    midnight = utc_times(np.array(days[:1]).astype("datetime64[us]"), zone)[0]
    return before[before["starts_at"] < midnight]


def _rested(crew: Crew, ends: Mapping[str, pd.Timestamp]) -> tuple[Agent, ...]:
    agents = []
    for agent in crew.agents:
        end = ends.get(agent.agent_id)
        rest = round(agent.contract.rest_hours * 60) * MINUTE
        before = None if end is None else np.datetime64(end, "us") + rest
        agents.append(replace(agent, not_before=before))
    return tuple(agents)


def _need(
    frame: pd.DataFrame,
    crew: Crew,
    channels: tuple[str, ...],
    days: tuple[np.datetime64, ...],
    settings: Settings,
) -> Need:
    zone = settings.company.time_zone
    interval = int((frame["ends_at"] - frame["starts_at"]).min().total_seconds() // 60)
    contracts = list(
        {(a.contract_name, a.zone): (a.contract, a.zone) for a in crew.agents}.values()
    )
    dates = np.array(days, "datetime64[D]")
    begin = np.datetime64(frame["starts_at"].min(), "us")
    slot = slot_minutes_for(contracts, dates, begin, interval)
    spill = round(max(max(c.shift_hours) for c, _ in contracts) * 60) + 24 * 60
    return need_of(frame, channels, days, zone, slot, spill, settings.shifts.absence)


def _week(
    problem: Problem, settings: Settings, report: Callable[[str], None]
) -> tuple[Draft, WeekDone]:
    """One week's roster."""
    shifts, first = settings.shifts, str(problem.need.days[0])
    begun = time.monotonic()

    def left() -> float:
        return shifts.time_limit_seconds - (time.monotonic() - begun)

    rng = np.random.default_rng(shifts.seed)
    draft = Draft(problem, [[None] * group.size for group in problem.groups])
    draft.settle(rng, lambda: 1.0)  # everybody has a week, whatever the clock says
    report(f"roster of {first}: best yet {draft.cost:,.0f}")
    ascent = ascend(problem, draft.cost, shifts.gap, left)
    bound = ascent.bound

    def near() -> bool:
        gap = (draft.cost - bound) / max(draft.cost, 1e-9)
        report(
            f"roster of {first}: best yet {draft.cost:,.0f}, at least {bound:,.0f}, gap {gap:.1%}"
        )
        return gap <= shifts.gap

    places = [(g, m) for g, weeks in enumerate(draft.weeks) for m in range(len(weeks))]
    idle = 0
    while not near() and idle < IN_VAIN and left() > 0:
        gains = [draft.retake(rng) for _ in range(len(places)) if left() > 0]
        idle = 0 if sum(gains) > FEW_GAINS * len(places) else idle + 1
    by_clock = left() <= 0
    if not near() and not by_clock:
        master = solved(
            problem,
            shifts.gap,
            ascent,
            draft,
            lambda: left() - FOR_CHOICE * shifts.time_limit_seconds,
            lambda text: report(f"roster of {first}: {text}"),
        )
        by_clock, bound = master.by_clock, master.bound
        amounts = np.floor(master.amounts + 0.5).astype(int).tolist()
        other = dealt(problem, master.columns, amounts)
        by_clock |= not other.settle(rng, lambda: 1.0)
        for _ in places:
            other.retake(rng)
        if other.cost < draft.cost:
            draft = other
        in_vain = 0
        for attempt in range(TRIES):
            if near() or in_vain == CHOSEN_IN_VAIN:
                break
            if left() < 0:
                by_clock = True
                break
            cost = draft.cost
            few = min(AT_ONCE, len(places))
            some = [places[i] for i in rng.choice(len(places), few, replace=False).tolist()]
            by_clock |= choose_weeks(
                draft, master, some, effort=EFFORT, seconds=left(), seed=shifts.seed + attempt
            )
            in_vain = 0 if draft.cost < cost else in_vain + 1
    seconds = time.monotonic() - begun
    return draft, WeekDone(first, draft.cost, min(bound, draft.cost), seconds, by_clock)


def _rows(draft: Draft) -> pd.DataFrame:
    """The shifts as rows, by agent and time."""
    need, rows = draft.problem.need, []
    for group, weeks in zip(draft.problem.groups, draft.weeks, strict=True):
        for agent, week in zip(group.agents, weeks, strict=True):
            for shift in week or ():
                rest = (
                    (need.time_of(shift.rest_at), need.time_of(shift.rest_at + shift.rest))
                    if shift.rest
                    else (np.datetime64("NaT", "us"), np.datetime64("NaT", "us"))
                )
                rows.append(
                    (
                        agent.agent_id,
                        str(need.days[shift.day]),
                        need.time_of(shift.start),
                        need.time_of(shift.end),
                        *rest,
                        shift.paid / 60,
                        shift.paid / 60 * agent.cost,
                        "+".join(agent.skills),
                        agent.zone,
                    )
                )
    shifts = pd.DataFrame(rows, columns=list(SHIFT_COLUMNS))
    for name in SHIFT_COLUMNS[2:6]:
        shifts[name] = shifts[name].astype("datetime64[us]")
    return shifts.sort_values(["agent_id", "starts_at"], ignore_index=True)
