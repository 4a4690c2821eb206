"""`presage demo`: the whole loop on a simulated company, told as it goes, then served.

The company has eight thousand customers who order, subscribe and write often: more than two hundred
contacts a day. Its settings promise what its opening hours can keep.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UsageError
from data.workspace import Workspace, set_setting
from pipelines.console import Progress, Result, say, table
from pipelines.flows import FLOWS, plain
from serving.published import newest

if TYPE_CHECKING:
    from data.simulate import Company, Rates

TRIAL_DAYS, TRIAL_FUTURES = 7, 4
HOUR = 3600
SETTINGS: Mapping[str, object] = {
    # nine moments a month apart, smaller trees and fewer reasons teach and tell enough for a demo
    "risk.as_ofs": 9,
    "risk.as_of_step_days": 30,
    "risk.trees": 40,
    "risk.reasons_for": 1000,
    # the simulated company rosters by the hour
    "staffing.interval_minutes": 60,
    # the simulated centre, which puts the plan on trial, has desks of one channel each
    "staffing.blend": False,
    # an answer within a working day: nights and weekends, in which nobody works, do not count
    "service_levels.email.clock": "opening",
    "service_levels.email.target_seconds": 8 * HOUR,
    "service_levels.email.limit_seconds": 16 * HOUR,
    # some twenty messages a day need nobody beside them from morning to evening
    "service_levels.social.target_seconds": 4 * HOUR,
    "service_levels.social.limit_seconds": 8 * HOUR,
    "opening_hours.social": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "09:00-15:00"),
}


def rates() -> Rates:
    """The demo's company: the usual one, where more customers ask, more of them by phone, and a
    conversation takes somewhat longer."""
    from data.simulate import Rates, asking_more

    return replace(
        asking_more(Rates(), 7.0),
        channel_shares=(0.46, 0.28, 0.20, 0.06),
        handle_seconds=(480.0, 540.0, 900.0, 330.0),
        staffing_slack=1.2,
    )


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

    mark = directory / ".presage" / "demo"
    if mark.exists():
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
    company = simulate(
        directory, customers, days, seed, progress=report, rates=rates(), truth_runs=0
    )
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    settle(directory)
    workspace = Workspace.open(directory)
    at: dict[str, Any] = {"workspace": directory, "as_of": None}
    tell("What the models are worth", FLOWS["train"](plain, report, **at, only=None))
    FLOWS["score"](plain, report, **at)
    contacts = FLOWS["forecast"](plain, report, **at)
    # both are built; opened again, the scores are those that agree with the forecast
    tell("Which customers, and why", FLOWS["score"](plain, report, **at))
    tell("How many contacts", contacts)
    tell("How many people, and when", FLOWS["staff"](plain, report, **at))
    tell(
        f"Is the plan enough? {TRIAL_FUTURES} futures of the company, {TRIAL_DAYS} days each, "
        "staffed as planned",
        trial(workspace, company, report),
    )
    tell("Whom to contact, and for what", FLOWS["outreach"](plain, report, **at, commit=True))
    say("")
    if once or not sys.stdout.isatty():
        closing = f"{directory} is ready: presage serve {directory}, or presage up {directory}"
        return Result({"workspace": str(directory), **data}, [closing])
    from pipelines.services import up

    return up(directory, 3000, report)


def settle(directory: Path) -> None:
    """Write the demo's settings into its presage.toml, the patience of its customers too."""
    from data.simulate.rates import CHANNELS

    for name, value in SETTINGS.items():
        set_setting(directory, name, value)
    for channel, patience in zip(CHANNELS, rates().patience_seconds, strict=True):
        if patience:
            set_setting(directory, f"service_levels.{channel}.patience_seconds", patience)


def trial(workspace: Workspace, company: Company, report: Progress) -> Result:
    """The published plan, played by the simulated company over the next seven days."""
    from pipelines.trial import staffed_as_planned

    published = newest(workspace.state_dir, "staffing")
    assert published is not None, "the demo staffs first"
    report(
        f"running {TRIAL_FUTURES} futures of the company for {TRIAL_DAYS} days, staffed as planned"
    )
    results = staffed_as_planned(
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
            f"{row.achieved:.1%} ({row.achieved_low:.1%} to {row.achieved_high:.1%})",
            f"{row.confidence:.0%}",
            f"{row.days_kept:.0%}",
            f"{row.occupancy:.0%}",
            _verdict(row),
        ]
        for row in results.itertuples()
    ]
    header = [
        "channel",
        "contacts",
        "promised",
        "answered in time",
        "days planned",
        "days kept",
        "occupancy",
        "promise",
    ]
    return Result(
        {"channels": results.to_dict("records")},
        [
            *table(header, rows),
            "in brackets: 95 % interval over days; days kept: share of days that reach the "
            "promise, planned and as they went",
        ],
    )


def _verdict(row: Any) -> str:
    if row.achieved >= row.promised:
        return "kept"
    if row.achieved_high >= row.promised:
        return "within chance of it"
    if row.reachable < row.promised:
        return f"missed: the opening hours allow {row.reachable:.0%} at most"
    return "missed"
