"""``presage models``: the registry's history, and its levers."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.clock import SYSTEM
from data.errors import PresageError, UsageError, did_you_mean
from data.store import open_store, registry_event, registry_history
from data.workspace import Workspace
from pipelines.console import Progress, Result, table
from pipelines.exclusive import writing
from pipelines.flows import run
from pipelines.model_comparison import compare
from pipelines.tracking import tell_server
from serving.published import Kind, pointer

ACTIONS = ("show", "compare", "promote", "rollback")
KINDS = ("risk", "volume")
PUBLISHED: dict[Kind, str] = {"forecast": "forecast", "staffing": "staff"}
"""What stands on the volume model, and the verb that publishes it."""


def act(
    directory: Path,
    action: str,
    kind: str,
    version: int | None,
    report: Progress,
    against: int | None = None,
) -> Result:
    """Show every version of a kind, compare the figures of two, promote one that passed the gate,
    or go back one champion."""
    from models.registry import history, promote, rollback

    workspace = Workspace.open(directory)
    state = workspace.state_dir
    if action not in ACTIONS:
        raise UsageError(
            f"models {action!r}: there are {', '.join(ACTIONS)}.{did_you_mean(action, ACTIONS)}"
        )
    if kind not in KINDS:
        raise UsageError(
            f"--kind {kind!r}: there are {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}"
        )
    takes = ("promote", "compare")
    if action == "promote" and version is None:
        raise UsageError("models promote needs --version; `presage models DIR show` lists them")
    if action not in takes and version is not None:
        raise UsageError(f"--version is for promote and compare; models {action} takes none")
    if against is not None and action != "compare":
        raise UsageError(f"--against is for compare; models {action} takes none")
    report("asking the registry")
    if not (state / "mlflow.db").exists():
        if action == "show":
            return Result({"versions": [], "moves": []}, [f"no {kind} model was trained yet"])
        raise UsageError(f"no {kind} model was trained yet; run `presage train {directory}`")
    if action == "compare":
        versions = (None if one is None else str(one) for one in (version, against))
        return compare(state, kind, *versions)
    lever = f"models {action}" if action != "show" else None
    with (
        contextlib.nullcontext() if lever is None else writing(workspace, lever),
        open_store(workspace) as store,
    ):

        def record(move: dict[str, Any]) -> None:
            details = {**move, "at": move["at"].isoformat()}
            at = SYSTEM.now()
            registry_event(store, kind, str(move["version"]), move["event"], at, details=details)

        if action == "show":
            moves = registry_history(store, kind)
            return _shown(kind, [asdict(each) for each in history(state, kind)], moves)
        if action == "promote":
            champion = promote(state, kind, str(version), at=SYSTEM.now(), record=record)
        else:
            champion = rollback(state, kind, at=SYSTEM.now(), record=record)
    tell_server(workspace, kind)
    return Result(
        {"kind": kind, "version": champion.version, "champion": champion.model_version},
        [f"{kind} version {champion.version} is champion", *_reached(workspace, kind, report)],
    )


def _reached(workspace: Workspace, kind: str, report: Progress) -> list[str]:
    """Whom the new champion reaches, as lines. A service scores by it from its next answer on; the
    forecast and the plan that are published are built again here."""
    if kind == "risk":
        return [
            "a running service answers with it from now on; `presage score` publishes everybody's "
            "scores by it"
        ]
    published = [
        verb for of, verb in PUBLISHED.items() if pointer(workspace.state_dir, of) is not None
    ]
    if not published:
        return ["the next forecast is made with it"]
    try:
        run(published[-1], report, workspace=workspace.path, as_of=None)
    except PresageError as error:
        return [f"the published forecast is still the one before: {error}"]
    return [f"presage {published[-1]} has published with it"]


def _shown(kind: str, versions: list[dict[str, Any]], moves: list[dict[str, Any]]) -> Result:
    rows = [
        [
            each["version"],
            each["as_of"][:16],
            f"{each['created_at']:%Y-%m-%d %H:%M}",
            each["gate"] or "not judged",
            "champion" if each["is_champion"] else "",
            each["gate_reasons"].replace("\n", "; "),
        ]
        for each in versions
    ]
    header = ["version", "as of", "trained (UTC)", "gate", "", "reasons"]
    lines = table(header, rows) if rows else [f"no {kind} model was trained yet"]
    lines += [
        f"{move['recorded_at']:%Y-%m-%d %H:%M} version {move['version']} {move['event']}"
        for move in moves
    ]
    return Result({"versions": versions, "moves": moves}, lines)
