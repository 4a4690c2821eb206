"""``presage erase``: a person forgotten, with the proof, and the models that learned from them;
``presage export``: all that is held about one."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from data.clock import SYSTEM
from data.erasure import Erasure, NamedPlace, erase, expire, export_held, survey, unfinished
from data.store import Store, open_store
from data.workspace import Workspace
from pipelines.console import Progress, Result, say
from pipelines.exclusive import TRAINING, writing

KINDS = ("risk", "volume")


def erase_customer(directory: Path, customer_id: str, commit: bool, report: Progress) -> Result:
    """Say what would be removed where, or remove it and prove it.

    An erasure that was killed before it ended is finished first. Exit 1 where something is left
    that only somebody else can remove.
    """
    workspace = Workspace.open(directory)
    if not commit:
        report("looking for them")
        with open_store(workspace) as store:
            planned = survey(workspace, store, customer_id)
        return _planned(workspace, planned, _models_of(workspace, planned))
    with (
        writing(workspace, "erase", name=TRAINING),  # a model would learn from them meanwhile
        writing(workspace, "erase"),
        open_store(workspace) as store,
    ):
        for traces, _ in unfinished(workspace):
            if traces.customer_id != customer_id:
                say("an earlier erasure did not end: finishing it")
                _erase(workspace, store, traces.customer_id, report)
        return _erase(workspace, store, customer_id, report)


def erase_expired(directory: Path, commit: bool, report: Progress) -> Result:
    """Say what is kept longer than ``[retention]`` says, or remove it."""
    workspace = Workspace.open(directory)
    with ExitStack() as stack:
        if commit:
            stack.enter_context(writing(workspace, "erase"))
        store = stack.enter_context(open_store(workspace))
        places = expire(workspace, store, SYSTEM.now(), report if commit else None)
    first = "removed:" if commit else "a dry run: nothing was changed. --commit would remove:"
    nothing = ["  nothing is older than [retention] says"]
    return Result(
        {"committed": commit, "places": [asdict(place) for place in places]},
        [first, *(_lines(places) or nothing)],
    )


def export_customer(directory: Path, customer_id: str, out: Path, report: Progress) -> Result:
    """Write all that is held about a person into a new folder."""
    workspace = Workspace.open(directory)
    report("looking for them")
    with open_store(workspace) as store:
        held = export_held(workspace, store, customer_id, out, SYSTEM.now())
    lines = [f"  {one.file}: {one.what} ({one.rows:,})" for one in held]
    return Result(
        {"out": str(out), "files": [asdict(one) for one in held]},
        [f"written to {out}, with a README:", *lines],
    )


def _erase(workspace: Workspace, store: Store, customer_id: str, report: Progress) -> Result:
    report("looking for them")
    planned = survey(workspace, store, customer_id)
    models = _models_of(workspace, planned)
    now, by = SYSTEM.now(), _user()
    erasure = erase(
        workspace, store, planned, now=now, by=by, models=models, step=lambda s: report(s)
    )
    return _result_of(workspace, erasure, models, now, by)


def _planned(workspace: Workspace, planned: Erasure, models: Sequence[str]) -> Result:
    lines = ["a dry run: nothing was changed. --commit would remove:"]
    lines += _lines(planned.places) or ["  nothing: nothing is left of them"]
    if planned.before is not None:
        lines.append(f"this id was erased at {planned.before:%Y-%m-%d %H:%M} UTC")
    return Result(
        {
            "committed": False,
            "places": [asdict(place) for place in planned.places],
            "models": list(models),
        },
        [*lines, *_model_lines(workspace, models)],
    )


def _result_of(
    workspace: Workspace, erasure: Erasure, models: Sequence[str], now: datetime, by: str
) -> Result:
    assert erasure.log is not None
    left = sum(place.count for place in erasure.left)
    lines = ["removed:", *(_lines([p for p in erasure.places if not p.by_hand]) or ["  nothing"])]
    lines += [
        f"proof: {erasure.files:,} files ({erasure.bytes / 1e6:,.1f} MB) and the store read for "
        f"{erasure.strings} strings, also URL-encoded, escaped and in base64: {left} found",
        f"the decision log verifies: {erasure.log.entries} entries, the texts of "
        f"{erasure.log.forgotten} forgotten",
        f"recorded at {now:%Y-%m-%d %H:%M:%S} UTC by {by}; rows of that id are left out from now "
        "on, wherever they come from",
    ]
    if erasure.left:
        lines += ["still there, and not ours to change; run again when it is gone:"]
        lines += _lines(erasure.left)
    data: dict[str, Any] = {
        "committed": True,
        "complete": erasure.complete,
        "places": [asdict(place) for place in erasure.places],
        "left": [asdict(place) for place in erasure.left],
        "files": erasure.files,
        "bytes": erasure.bytes,
        "strings": erasure.strings,
        "models": list(models),
        "log": {"entries": erasure.log.entries, "forgotten": erasure.log.forgotten},
        "at": now,
        "by": by,
    }
    return Result(data, [*lines, *_model_lines(workspace, models)], 0 if erasure.complete else 1)


def _lines(places: Sequence[NamedPlace]) -> list[str]:
    return [f"  {place.words}" for place in places]


def _model_lines(workspace: Workspace, models: Sequence[str]) -> list[str]:
    if not models:
        return []
    return [
        "models that learned from their rows, until they are trained again "
        f"(`presage train {workspace.path}`):",
        *(f"  {model}" for model in models),
    ]


def _models_of(workspace: Workspace, erasure: Erasure) -> list[str]:
    """The versions that were trained as of a moment after the person's first row."""
    if not (workspace.state_dir / "mlflow.db").exists():
        return []
    from models.registry import history

    since = _moment(erasure.traces.first_seen)
    return [
        f"{kind} {each.version}, trained as of {each.as_of[:16].replace('T', ' ')} UTC"
        + (", at work" if each.is_champion else "")
        for kind in KINDS
        for each in history(workspace.state_dir, kind)
        if erasure.traces.rows and (since is None or datetime.fromisoformat(each.as_of) > since)
    ]


def _moment(text: str | None) -> datetime | None:
    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment is None else moment.replace(tzinfo=None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "an unknown user"
