"""`presage demo`: the whole loop on a simulated company, told as it goes, then served."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from data.errors import UsageError
from data.workspace import Workspace, set_setting
from pipelines.console import Progress, Result, say, table
from pipelines.flows import FLOWS, plain
from serving.published import newest

TRIAL_DAYS, TRIAL_FUTURES = 7, 2


def run(
    directory: Path,
    once: bool,
    customers: int,
    days: int,
    seed: int,
    as_json: bool,
    report: Progress,
) -> Result:
    """Simulate, train, score, forecast, staff, decide; serve unless ``once`` or no terminal."""
    from data.simulate import simulate

    made_here = directory / ".presage" / "demo"
    if made_here.exists():
        say(f"{directory} holds an earlier demo: making it anew")
        shutil.rmtree(directory)
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(f"{directory} is not empty and no earlier demo; name another folder")
    lines: list[str] = []
    data: dict[str, Any] = {}

    def tell(title: str, result: Result) -> None:
        shown = [f"\n{title}", *(f"  {line}" for line in result.lines)]
        if not as_json:
            for line in shown:
                say(line)
        lines.extend(shown)
        data[title] = result.data

    say(f"a company of {customers} customers over {days} days is being simulated")
    company = simulate(directory, customers, days, seed, progress=report)
    made_here.parent.mkdir(exist_ok=True)
    made_here.touch()
    # the simulated company rosters by the hour; half a year of moments teaches enough for a demo
    set_setting(directory, "staffing.interval_minutes", 60)
    set_setting(directory, "risk.as_ofs", 26)
    workspace = Workspace.open(directory)
    at: dict[str, Any] = {"workspace": directory, "as_of": None}
    trained = FLOWS["train"](plain, report, **at, only=None)
    tell("What the models are worth", trained)
    tell("Which customers, and why", FLOWS["score"](plain, report, **at))
    tell("How many contacts", FLOWS["forecast"](plain, report, **at))
    plan = FLOWS["staff"](plain, report, **at)
    tell("How many people, and when", plan)
    tell(
        f"Is the plan enough? {TRIAL_FUTURES} futures of the company itself, staffed so",
        trial(workspace, company, report),
    )
    tell("Whom to contact, and for what", FLOWS["outreach"](plain, report, **at, commit=True))
    say("")
    if once or not sys.stdout.isatty():
        closing = f"{directory} is ready: presage serve {directory}, or presage up {directory}"
        return Result({"workspace": str(directory), **data}, [closing])
    from pipelines.services import up

    return up(directory, 3000, report)


def _verdict(row: Any) -> str:
    if row.achieved >= row.promised:
        return "kept"
    if row.reachable < row.promised:
        return "MISSED: the opening hours allow no more"
    return "MISSED"


def trial(workspace: Workspace, company: Any, report: Progress) -> Result:
    """The published plan, played by the simulated company over the next seven days."""
    from pipelines.trial import staffed_as_planned

    published = newest(workspace.state_dir, "staffing")
    assert published is not None, "the demo staffs first"
    report(
        f"running {TRIAL_FUTURES} futures of the company for {TRIAL_DAYS} days, staffed as planned"
    )
    found = staffed_as_planned(
        company,
        published.frame,
        workspace.settings,
        days=TRIAL_DAYS,
        futures=TRIAL_FUTURES,
    )
    rows = [
        [
            row.channel,
            row.contacts,
            f"{row.promised:.0%}",
            f"{row.achieved:.1%}",
            f"{row.days_kept:.0%}",
            f"{row.reachable:.0%}",
            _verdict(row),
        ]
        for row in found.itertuples()
    ]
    header = ["channel", "contacts", "promised", "in time", "days kept", "reachable", ""]
    return Result({"channels": found.to_dict("records")}, table(header, rows))
