"""The agents as groups of alike: same rules, skills, cost and hours; and what is wrong with
them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from data.errors import DataError, did_you_mean
from data.settings import Contract, Settings
from serving.shifts.free_times import spans_of

LEAST_SHARE = 0.8
FULL_WEEK = 37.5
NAMED = 5


@dataclass(frozen=True)
class Agent:
    """One agent: what the roster needs to know. Hours are paid hours a week."""

    agent_id: str
    skills: tuple[str, ...]
    contract: Contract
    contract_name: str
    zone: str
    cost: float
    min_hours: float
    max_hours: float
    unavailable: tuple[str, ...] = ()
    wishes: tuple[str, ...] = ()
    not_before: np.datetime64 | None = None

    @property
    def rules(self) -> tuple[object, ...]:
        """What decides which weeks they can work."""
        return (
            self.contract_name,
            self.zone,
            self.skills,
            self.unavailable,
            self.wishes,
            str(self.not_before),
        )


@dataclass(frozen=True)
class Crew:
    """The agents that can be rostered, by id; ``notes``: what was assumed or left out, as lines."""

    agents: tuple[Agent, ...]
    notes: tuple[str, ...] = field(default=())


def crew_of(
    agents: pd.DataFrame,
    channels: Sequence[str],
    settings: Settings,
) -> Crew:
    """The crew from the ``agents`` table as of now.

    Parameters
    ----------
    channels : those of the plan; other skills are named and left out.

    Raises
    ------
    DataError : no agent is left, a contract that there is not, hours that no contract allows, a
        time nobody can read. Each names the agent.
    """
    here = agents
    if "left_at" in agents:
        here = agents[agents["left_at"].isna()]
    if here.empty:
        raise DataError(
            "there are no agents to roster: the agents table has none in service; give their "
            "agent_id, hired_at and skills, or leave --shifts out"
        )
    notes: list[str] = []
    members: list[Agent] = []
    unknown: dict[str, list[str]] = defaultdict(list)
    unskilled: list[str] = []
    no_cost: list[str] = []
    for row in here.sort_values("agent_id").to_dict("records"):
        name = str(row["agent_id"])
        skills = [str(one) for one in _texts(row.get("skills"))]
        for one in skills:
            if one not in channels:
                unknown[one].append(name)
        known = tuple(sorted({one for one in skills if one in channels}))
        if not known:
            unskilled.append(name)
            continue
        if pd.isna(row.get("hourly_cost")):
            no_cost.append(name)
        members.append(_agent(name, known, row, settings))
    for skill, names in sorted(unknown.items()):
        notes.append(
            f"skill {skill!r} of {_listed(names)} is no channel of the plan: it is left out."
            f"{did_you_mean(skill, channels)}"
        )
    if unskilled:
        notes.append(f"{_listed(unskilled)} can do nothing that the plan has: not rostered")
    if no_cost:
        cost = settings.staffing.hourly_cost
        notes.append(
            f"{_listed(no_cost)} have no hourly_cost: an hour counts as [staffing] hourly_cost, "
            f"{cost:g} {settings.company.currency}"
        )
    if not members and not unknown:
        raise DataError(
            f"none of {len(here)} agents has skills: the column skills of the agents table says "
            f"which channels they serve; the plan needs {', '.join(channels)}"
        )
    if not members:
        raise DataError(
            f"none of {len(here)} agents has a skill that the plan needs ({', '.join(channels)}). "
            + " ".join(notes)
        )
    return Crew(tuple(members), tuple(notes))


def _agent(
    name: str,
    skills: tuple[str, ...],
    row: Mapping[str, Any],
    settings: Settings,
) -> Agent:
    called = row.get("contract")
    called = "" if called is None or pd.isna(called) else str(called)
    if called and called not in settings.contracts:
        raise DataError(
            f"agent {name}: there is no contract {called!r}; presage.toml needs "
            f"[contracts.{called}].{did_you_mean(called, settings.contracts)}"
        )
    contract: Contract = settings.contracts[called] if called else settings.shifts
    hours = row.get("hours_per_week")
    stated = None if hours is None or pd.isna(hours) else float(hours)
    usual = FULL_WEEK if stated is None else stated
    high = usual if contract.max_week_hours is None else contract.max_week_hours
    if stated is not None:
        high = min(high, stated)
    low = LEAST_SHARE * high if contract.min_week_hours is None else contract.min_week_hours
    if low > high:
        raise DataError(
            f"agent {name}: min_week_hours {low:g} of their contract is more than the {high:g} "
            "hours a week that they work; lower it, or raise hours_per_week"
        )
    cost = row.get("hourly_cost")
    zone = row.get("time_zone")
    away, wishes = (tuple(_texts(row.get(key))) for key in ("unavailable", "wishes_off"))
    probe = np.array(["2026-03-02"], "datetime64[D]")
    for key, texts in (("unavailable", away), ("wishes_off", wishes)):
        try:
            spans_of(texts, probe, "UTC")
        except DataError as error:
            raise DataError(f"agent {name}, {key}: {error}") from None
    return Agent(
        name,
        skills,
        contract,
        called,
        settings.zone_of(row.get("site")) if zone is None or pd.isna(zone) else str(zone),
        settings.staffing.hourly_cost if cost is None or pd.isna(cost) else float(cost),
        low,
        high,
        away,
        wishes,
    )


def _texts(value: Any) -> list[str]:
    """A list's texts; none where the cell is empty."""
    if isinstance(value, list | tuple | np.ndarray):
        return [str(one) for one in value if one is not None]
    return []


def _listed(names: Sequence[str]) -> str:
    """``3 agents (a, b, c)``, at most ``NAMED`` of them."""
    shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    return f"{len(names)} agent{'s' * (len(names) != 1)} ({shown})"
