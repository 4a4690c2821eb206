"""The roster of a plan: the agents' shifts, where people are missing, as files and published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.errors import DataError
from features.asof import as_of_view
from pipelines.console import Result, table
from pipelines.exclusive import still_ours
from pipelines.run import Run
from serving.published import newest, publish
from serving.shifts import Roster, roster, write_roster

MOST_SHORT = 5


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
    before = newest(run.state_dir, "roster")
    made = roster(
        frame,
        agents,
        run.settings,
        before=None if before is None else before.frame,
        report=run.report,
    )
    now, told = SYSTEM.now(), _told(made)
    if run.publishes("staffing"):
        still_ours()
        about: Mapping[str, Any] = {"as_of": run.as_of, "now": now, "model_version": model_version}
        publish(run.state_dir, "roster_people", made.people, **about)
        publish(run.state_dir, "roster", made.shifts, weeks=told["weeks"], **about)
    files: list[Path] = []
    if out is not None:
        zone = run.settings.company.time_zone
        files = write_roster(made.shifts, made.people, out, zone, now)
    return Result(
        {**told, "files": [str(path) for path in files]},
        [
            *_weeks(made, told, run.settings.company.currency),
            *made.notes,
            *_short(made),
            *(f"written to {path}" for path in files),
        ],
    )


def _told(made: Roster) -> dict[str, Any]:
    short = made.people.loc[made.people["gap"] < 0]
    hours = (short["ends_at"] - short["starts_at"]).dt.total_seconds() / 3600
    return {
        "agents": int(made.shifts["agent_id"].nunique()),
        "shifts": len(made.shifts),
        "paid_hours": float(made.shifts["paid_hours"].sum()),
        "cost": float(made.shifts["cost"].sum()),
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
            for week in made.weeks
        ],
        "short": [asdict(one) for one in made.short],
        "notes": list(made.notes),
    }


def _weeks(made: Roster, told: Mapping[str, Any], currency: str) -> list[str]:
    """Each week's shifts, hours, cost and how near it is to the best there can be."""
    rows = [
        [
            week.first_day,
            f"{week.cost:,.0f}",
            f"{week.bound:,.0f}",
            f"{week.gap:.1%}",
            f"{week.seconds:.0f} s{', ended by the clock' if week.by_clock else ''}",
        ]
        for week in made.weeks
    ]
    header = ["roster from", f"cost with gaps and wishes ({currency})", "at least", "gap", "took"]
    return [
        *table(header, rows),
        f"{told['agents']} agents, {told['shifts']} shifts, {told['paid_hours']:,.1f} paid hours, "
        f"{told['cost']:,.0f} {currency}; {told['missing_hours']:,.1f} hours of people missing",
    ]


def _short(made: Roster) -> list[str]:
    lines = [f"  MISSING: {one}" for one in made.short[:MOST_SHORT]]
    if len(made.short) > MOST_SHORT:
        lines.append(f"  and {len(made.short) - MOST_SHORT} times more")
    return lines
