"""The roster of a plan: the agents' shifts, where people are missing, as files and published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.errors import DamagedFile, DataError
from features.asof import as_of_view
from pipelines.console import Result, say, table
from pipelines.exclusive import still_ours
from pipelines.run import Run
from serving.published import Published, newest, publish
from serving.shifts import Roster, roster, write_roster

MOST_SHORT = 5


def _before(run: Run) -> Published | None:
    """The roster that is published; None, said, where it is damaged: this run makes another."""
    try:
        return newest(run.state_dir, "roster")
    except DamagedFile as damaged:
        say(f"{damaged}: the roster does not keep to the one before")
        return None


def roster_agents(run: Run, frame: pd.DataFrame, model_version: str, out: Path | None) -> Result:
    """The roster of the plan ``frame``, published where the run may, written beside ``out``.

    DataError where there are no agents or their contracts cannot be kept; the plan stands.
    """
    if not run.snapshot.has("agents"):
        raise DataError(
            "the plan is made, but nobody can be rostered: there is no agents table; give agents "
            "with agent_id, hired_at and skills, or leave --shifts out"
        )
    agents = as_of_view(run.snapshot, "agents", run.as_of)
    before = _before(run)
    rostered = roster(
        frame,
        agents,
        run.settings,
        before=None if before is None else before.frame,
        report=run.report,
    )
    now, summary = SYSTEM.now(), _summary(rostered)
    if run.publishes("staffing"):
        still_ours()
        about: Mapping[str, Any] = {"as_of": run.as_of, "now": now, "model_version": model_version}
        publish(run.state_dir, "roster_people", rostered.people, **about)
        publish(run.state_dir, "roster", rostered.shifts, weeks=summary["weeks"], **about)
    files: list[Path] = []
    if out is not None:
        zone = run.settings.company.time_zone
        files = write_roster(rostered.shifts, rostered.people, out, zone, now)
    return Result(
        {**summary, "files": [str(path) for path in files]},
        [
            *_weeks(rostered, summary, run.settings.company.currency),
            *rostered.notes,
            *_short(rostered),
            *(f"written to {path}" for path in files),
        ],
    )


def _summary(rostered: Roster) -> dict[str, Any]:
    short = rostered.people.loc[rostered.people["gap"] < 0]
    hours = (short["ends_at"] - short["starts_at"]).dt.total_seconds() / 3600
    return {
        "agents": int(rostered.shifts["agent_id"].nunique()),
        "shifts": len(rostered.shifts),
        "paid_hours": float(rostered.shifts["paid_hours"].sum()),
        "cost": float(rostered.shifts["cost"].sum()),
        "missing_hours": float((-short["gap"] * hours).sum()),
        "weeks": [
            {
                "first_day": week.first_day,
                "search_cost": week.cost,
                "bound": week.bound,
                "gap": week.gap,
                "seconds": round(week.seconds, 1),
                "ended_by_clock": week.by_clock,
            }
            for week in rostered.weeks
        ],
        "short": [asdict(one) for one in rostered.short],
        "notes": list(rostered.notes),
    }


def _weeks(rostered: Roster, summary: Mapping[str, Any], currency: str) -> list[str]:
    """Each week's shifts, hours, cost and how near it is to the best there can be."""
    rows = [
        [
            week.first_day,
            f"{week.cost:,.0f}",
            f"{week.bound:,.0f}",
            f"{week.gap:.1%}",
            f"{week.seconds:.0f} s{', ended by the clock' if week.by_clock else ''}",
        ]
        for week in rostered.weeks
    ]
    header = ["roster from", f"cost with gaps and wishes ({currency})", "at least", "gap", "took"]
    return [
        *table(header, rows),
        f"{summary['agents']} agents, {summary['shifts']} shifts, "
        f"{summary['paid_hours']:,.1f} paid hours, {summary['cost']:,.0f} {currency}; "
        f"{summary['missing_hours']:,.1f} hours of people missing",
    ]


def _short(rostered: Roster) -> list[str]:
    lines = [f"  MISSING: {one}" for one in rostered.short[:MOST_SHORT]]
    if len(rostered.short) > MOST_SHORT:
        lines.append(f"  and {len(rostered.short) - MOST_SHORT} times more")
    return lines
