"""What runs by the clock: scores, forecast and plan after each local midnight, training weekly.

``python -m pipelines.schedules DIR`` tells Prefect's server of both and runs them when due, each in
a process of its own; ``presage up`` starts it. The flows are those of ``pipelines.flows``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from prefect import flow, serve
from prefect.schedules import Cron

from data.clock import SYSTEM
from data.errors import NotEnoughHistory, PresageError
from data.workspace import Workspace
from pipelines.console import Progress, Result, say, silent
from pipelines.erasing import erase_expired
from pipelines.flows import run_in_prefect
from serving.monitoring.nights import NIGHT
from serving.runs import RunRecord, Schedule, keep_schedule

Execute = Callable[[str, Progress, dict[str, Any]], Result]
NIGHTLY, WEEKLY = time(0, 15), time(1, 30)
"""Local times of the runs, or the first hours after them that every day has once."""
YEARS_AHEAD = 10


@flow(name="presage-nightly", persist_result=False)
def nightly(workspace: str) -> None:
    """Score everybody, forecast, plan the people it takes, look at how all of it holds, and remove
    what is kept too long."""
    state_dir = Workspace.open(Path(workspace)).state_dir
    with RunRecord(state_dir, NIGHT, "none", 0, "the night", SYSTEM.now):
        try:
            publish_all(Path(workspace), run_in_prefect)
        finally:  # a night that failed keeps nothing longer
            forget_expired(Path(workspace))


@flow(name="presage-weekly", persist_result=False)
def weekly(workspace: str) -> None:
    """Train, evaluate, and promote what passes the gate."""
    parameters = {"workspace": Path(workspace), "as_of": None, "only": None}
    run_in_prefect("train", silent, parameters)


def publish_all(workspace: Path, execute: Execute) -> list[str]:
    """Each of scores, forecast and plan that can be had, then the monitor; the verbs of the first
    three that were done.

    A workspace of counts has no customers to score, one of daily counts no intervals to staff:
    that is said, and the rest is done. Any other error is raised when the rest is done, and so is
    the last reason where nothing could be had at all.
    """
    verbs, refusals, errors = list[str](), list[PresageError](), list[PresageError]()
    for name in ("score", "forecast", "staff"):
        try:
            execute(name, silent, {"workspace": workspace, "as_of": None})
        except NotEnoughHistory as error:
            say(f"presage {name}: {error}")
            refusals.append(error)
        except PresageError as error:
            errors.append(error)
        else:
            verbs.append(name)
    if verbs:  # alarms are published and shown; they are no failure of the night
        try:
            execute("monitor", silent, {"workspace": workspace, "as_of": None})
        except PresageError as error:
            errors.append(error)
    if errors or not verbs:
        raise (errors or refusals)[-1]
    return verbs


def forget_expired(workspace: Path) -> int:
    """Remove what is kept longer than ``[retention]`` says; the number of things removed."""
    expired = erase_expired(workspace, True, silent)
    places = list(expired.data["places"])
    for line in expired.lines if places else ():
        say(line)
    return len(places)


def always_there(wanted: time, zone: str, first: date) -> time:
    """The first of ``wanted`` and the hours after it that a zone's clock shows once on every day of
    the next years: a run at a time that a clock change skips does not happen, and at one that is
    shown twice happens twice.

    >>> always_there(time(0, 15), "Europe/Oslo", date(2026, 1, 1))
    datetime.time(0, 15)
    >>> always_there(time(0, 15), "Africa/Cairo", date(2026, 1, 1))
    datetime.time(1, 15)
    """
    place = ZoneInfo(zone)
    days = [first + timedelta(days=n) for n in range(366 * YEARS_AHEAD)]
    for hour in range(wanted.hour, 24):
        moment = wanted.replace(hour=hour)
        if all(_shown_once(datetime.combine(day, moment), place) for day in days):
            return moment
    return wanted


def _shown_once(local: datetime, place: ZoneInfo) -> bool:
    early, late = (local.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1))
    return early == late


def main(directory: str) -> None:
    """Serve both schedules for a workspace, by its own time zone, until ended."""
    workspace = Workspace.open(Path(directory))
    zone = workspace.settings.company.time_zone
    parameters = {"workspace": str(workspace.path)}
    today = SYSTEM.now().date()
    at = [always_there(wanted, zone, today) for wanted in (NIGHTLY, WEEKLY)]
    crons = [f"{at[0].minute} {at[0].hour} * * *", f"{at[1].minute} {at[1].hour} * * 0"]
    due: Any = [
        one.to_deployment(name, schedule=Cron(cron, timezone=zone), parameters=parameters)
        for one, name, cron in zip((nightly, weekly), ("nightly", "weekly"), crons, strict=True)
    ]
    keep_schedule(workspace.state_dir, Schedule(f"{at[0]:%H:%M}", zone, SYSTEM.now()))
    serve(*due, print_starting_message=False, pause_on_shutdown=False)


if __name__ == "__main__":
    main(sys.argv[1])
