"""A workspace to try the API on: a small simulated company, a key for everything, served at once.

Its people are invented and its models are real; what is posted stays, until the folder is made
anew. The service's clock starts some hours after the company's last night.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from data.clock import SYSTEM
from data.errors import UsageError
from data.store import SCOPES, create_key, list_keys, open_store, revoke_key
from data.workspace import Workspace, set_setting
from pipelines.console import Progress, Result, say
from pipelines.flows import FLOWS, plain
from serving.published import pointer

CUSTOMERS, DAYS, SEED = 1000, 300, 21
"""Complaints enough that a model shows its gain on simple baselines."""
KEY = "sandbox"
HOURS = 8


def run(directory: Path, port: int, report: Progress) -> Result:
    """Make the company where it is not there yet, print a key, serve until interrupted."""
    make(directory, report)
    key, starts = opened(Workspace.open(directory))
    say(f"the sandbox's key, good for every call: {key}")
    say(f"the service's clock starts at {starts:%Y-%m-%d %H:%M} UTC; /docs has examples to run")
    from pipelines.services import serve

    return serve(directory, "127.0.0.1", port, starts, False, report)


def make(directory: Path, report: Progress) -> None:
    """The company, trained, scored, forecast and staffed; one that is there is left as it is.

    UsageError for a folder that holds something else.
    """
    mark = directory / ".presage" / "sandbox"
    if mark.exists():
        return
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(f"{directory} is not empty and no sandbox; name another folder")
    from data.simulate import simulate

    say(f"a company of {CUSTOMERS} customers is made; that takes some minutes, once")
    simulate(directory, CUSTOMERS, DAYS, SEED, progress=report, truth_runs=0)
    set_setting(directory, "risk.as_ofs", 18)
    set_setting(directory, "volume.horizon_days", 7.0)
    at = {"workspace": directory, "as_of": None}
    FLOWS["train"](plain, report, **at, only=None)
    for name in ("score", "forecast", "score", "staff"):
        FLOWS[name](plain, report, **at)
    mark.touch()


def opened(workspace: Workspace) -> tuple[str, datetime]:
    """A new key for everything in the place of the last one, and when the service's clock starts.

    UsageError where nothing is published.
    """
    about = pointer(workspace.state_dir, "scores")
    if about is None:
        raise UsageError(f"{workspace.path} has no scores; run `presage score {workspace.path}`")
    with open_store(workspace) as store:
        now = SYSTEM.now()
        if any(key.name == KEY and key.in_force(now) for key in list_keys(store)):
            revoke_key(store, KEY, now)  # a key is shown once: whoever starts again gets another
        key = create_key(store, KEY, SCOPES, now)
    return key, datetime.fromisoformat(about["as_of"]) + timedelta(hours=HOURS)
