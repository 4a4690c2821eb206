"""What runs by the clock: scores, forecast and plan after each local midnight, training weekly.

``python -m pipelines.schedules DIR`` tells Prefect's server of both and runs them when due, each in
a process of its own; ``presage up`` starts it. The flows are those of ``pipelines.flows``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import flow, serve
from prefect.schedules import Cron

from data.errors import NotEnoughHistory, PresageError
from data.workspace import Workspace
from pipelines.console import Progress, Result, say, silent
from pipelines.flows import run_in_prefect

Execute = Callable[[str, Progress, dict[str, Any]], Result]
NIGHTLY = "15 0 * * *"
WEEKLY = "30 1 * * 0"


@flow(name="presage-nightly", persist_result=False)
def nightly(workspace: str) -> None:
    """Score everybody, forecast, plan the people it takes, and look at how all of it holds."""
    publish_all(Path(workspace), run_in_prefect)


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
    done, refusals, errors = list[str](), list[PresageError](), list[PresageError]()
    for name in ("score", "forecast", "staff"):
        try:
            execute(name, silent, {"workspace": workspace, "as_of": None})
        except NotEnoughHistory as error:
            say(f"presage {name}: {error}")
            refusals.append(error)
        except PresageError as error:
            errors.append(error)
        else:
            done.append(name)
    if done:  # alarms are published and shown; they are no failure of the night
        execute("monitor", silent, {"workspace": workspace, "as_of": None})
    if errors or not done:
        raise (errors or refusals)[-1]
    return done


def main(directory: str) -> None:
    """Serve both schedules for a workspace, by its own time zone, until ended."""
    workspace = Workspace.open(Path(directory))
    zone = workspace.settings.company.time_zone
    parameters = {"workspace": str(workspace.path)}
    due: Any = [
        nightly.to_deployment(
            "nightly", schedule=Cron(NIGHTLY, timezone=zone), parameters=parameters
        ),
        weekly.to_deployment("weekly", schedule=Cron(WEEKLY, timezone=zone), parameters=parameters),
    ]
    serve(*due, print_starting_message=False, pause_on_shutdown=False)


if __name__ == "__main__":
    main(sys.argv[1])
