"""From a trained model to the one at work: MLflow, the gate, promotion, for every kind alike.

A **twin** trains the same way on what was known at an earlier moment E and is judged on what came
after E; the model that goes to work then learns from everything. The gate compares the twin with
the champion's own twin, so neither has seen the rows that judge them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.store import open_store, registry_event
from data.workspace import Workspace
from models.champion import champion, models_folder
from models.gate import GateDecision
from models.metrics import Interval
from pipelines.console import Progress, Result


@dataclass(frozen=True)
class Candidate:
    """A trained model on disk, its twin, and everything MLflow is told of it."""

    kind: str
    bundle: Path
    twin: Path
    as_of: datetime
    twin_as_of: datetime
    decision: GateDecision
    params: Mapping[str, Any]
    metrics: Mapping[str, float | Interval]
    base_rates: Mapping[str, float]
    data_fingerprint: str
    feature_fingerprint: str
    example: pd.DataFrame
    predictions: pd.DataFrame
    plots: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    summary: tuple[str, ...] = ()


def cleared(folder: Path) -> Path:
    """The folder's place, empty, for a bundle to be written to."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def twin_folder(state_dir: Path, kind: str, version: str) -> Path:
    """Where the twin of a version lies: a bundle, like the version's own."""
    return models_folder(state_dir, kind) / "twins" / version


def champion_twin(state_dir: Path, kind: str, known_by: datetime) -> Path | None:
    """The champion's twin if it had learned from nothing after ``known_by``, else None."""
    at_work = champion(state_dir, kind)
    if at_work is None:
        return None
    folder = twin_folder(state_dir, kind, at_work.version)
    told = folder.with_suffix(".as_of")
    if not folder.is_dir() or not told.exists():
        return None
    return folder if datetime.fromisoformat(told.read_text().strip()) <= known_by else None


def register(workspace: Workspace, candidate: Candidate, report: Progress) -> Result:
    """Log and register the candidate, keep its twin, and promote it if the gate lets it pass."""
    from models.registry import artifact, log_training_run, promote, record_gate

    state, kind = workspace.state_dir, candidate.kind
    report(f"logging the {kind} model to MLflow")
    version = log_training_run(
        state,
        kind,
        candidate.bundle,
        params=candidate.params,
        metrics=candidate.metrics,
        base_rates=candidate.base_rates,
        data_fingerprint=candidate.data_fingerprint,
        feature_fingerprint=candidate.feature_fingerprint,
        as_of=candidate.as_of,
        example=candidate.example,
        predictions=candidate.predictions,
        at=SYSTEM.now(),
        plots=candidate.plots,
        tables=candidate.tables,
        pages=candidate.pages,
    )
    twin = twin_folder(state, kind, version.version)
    twin.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(twin, ignore_errors=True)
    shutil.copytree(candidate.twin, twin)
    twin.with_suffix(".as_of").write_text(candidate.twin_as_of.isoformat() + "\n")
    decision = candidate.decision
    with open_store(workspace) as store:

        def record(move: dict[str, Any]) -> None:
            told = {**move, "at": move["at"].isoformat()}
            registry_event(
                store, kind, str(move["version"]), move["event"], SYSTEM.now(), details=told
            )

        if decision.passed:
            promote(state, kind, version.version, at=SYSTEM.now(), record=record, decision=decision)
        else:
            record_gate(state, kind, version.version, decision)
            record(
                {
                    "event": "refused",
                    "kind": kind,
                    "version": version.version,
                    "reasons": str(decision),
                    "at": SYSTEM.now(),
                }
            )
    pages = [artifact(state, version.run_id, f"{name}.html") for name in candidate.pages]
    word = "promoted to champion" if decision.passed else "refused by the gate"
    lines = [
        f"{kind} model, version {version.version}: {word}",
        *(f"  {line}" for line in (decision.reasons if decision.passed else decision.refusals)),
        *candidate.summary,
        *(f"  the report: {path}" for path in pages),
    ]
    data = {
        "kind": kind,
        "version": version.version,
        "run_id": version.run_id,
        "promoted": decision.passed,
        "reasons": list(decision.reasons),
        "refusals": list(decision.refusals),
        "metrics": dict(decision.numbers),
        "pages": [str(path) for path in pages],
    }
    return Result(data, lines, exit_code=0 if decision.passed else 1)


def summarise_training(results: list[Result], as_of: datetime) -> Result:
    """All models' results as one; exit 1 if the gate refused any."""
    lines = [line for result in results for line in result.lines]
    return Result(
        {"as_of": as_of, "models": [result.data for result in results]},
        lines,
        exit_code=max((result.exit_code for result in results), default=0),
    )
