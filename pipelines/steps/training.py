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
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from data.clock import SYSTEM
from data.errors import DamagedFile
from data.files import staging_folder, write_whole
from data.store import open_store, registry_event
from data.workspace import Workspace
from models.bundle import copy_bundle, verify
from models.champion import champion, models_folder
from models.gate import GateDecision
from models.metrics import Interval
from models.run_log import ChildRun
from pipelines.console import Progress, Result, say
from pipelines.exclusive import still_ours, writing
from pipelines.steps.promotion import USUAL, Promotion
from pipelines.steps.provenance import code
from pipelines.tracking import tell_server

if TYPE_CHECKING:
    from models.registry import ModelVersion


class Saveable(Protocol):
    """A model of any kind."""

    def save(self, folder: Path) -> object:
        """Write it as a bundle (models.bundle) to a folder that is not there yet."""


@dataclass(frozen=True)
class Candidate:
    """A trained model, its twin, and everything MLflow is told of it."""

    kind: str
    model: Saveable
    twin: Saveable
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
    rows: Mapping[str, int] = field(default_factory=dict)
    children: tuple[ChildRun, ...] = ()


def twin_folder(state_dir: Path, kind: str, version: str) -> Path:
    """Where the twin of a version lies: a bundle, like the version's own."""
    return models_folder(state_dir, kind) / "twins" / version


def champion_twin(state_dir: Path, kind: str, known_by: datetime) -> Path | None:
    """The champion's twin if it had learned from nothing after ``known_by``, else None; None too
    where it is damaged, which is said: a model can be judged without it."""
    at_work = champion(state_dir, kind)
    if at_work is None:
        return None
    folder = twin_folder(state_dir, kind, at_work.version)
    date_file = folder.with_suffix(".as_of")
    if not folder.is_dir() or not date_file.exists():
        return None
    try:
        verify(folder)
        as_of = datetime.fromisoformat(date_file.read_text().strip())
    except (DamagedFile, ValueError) as error:
        say(f"the twin of the {kind} model at work cannot be compared with: {error}")
        return None
    return folder if as_of <= known_by else None


def register(
    workspace: Workspace,
    candidate: Candidate,
    report: Progress,
    promotion: Promotion = USUAL,
) -> Result:
    """Log and register the candidate, keep its twin, and promote it if the gate lets it pass and
    ``promotion`` wants it; alone in the workspace while it does so."""
    with writing(workspace, "train"):
        still_ours()
        result = _registered(workspace, candidate, report, promotion)
    tell_server(workspace, candidate.kind)
    return result


def _registered(
    workspace: Workspace, candidate: Candidate, report: Progress, promotion: Promotion
) -> Result:
    from models.registry import artifact, challenge, promote, record_gate

    state, kind = workspace.state_dir, candidate.kind
    report(f"logging the {kind} model to MLflow")
    with staging_folder(models_folder(state, kind) / "new") as staged:
        bundle, twin = staged / "model", staged / "twin"
        candidate.model.save(bundle)
        candidate.twin.save(twin)
        version = _logged(state, candidate, bundle)
        _keep_twin(state, candidate, twin, version.version)
    decision = candidate.decision
    with open_store(workspace) as store:

        def record(move: dict[str, Any]) -> None:
            details = {**move, "at": move["at"].isoformat()}
            registry_event(
                store, kind, str(move["version"]), move["event"], SYSTEM.now(), details=details
            )

        if not promotion.promote:
            record_gate(state, kind, version.version, decision)
            challenge(state, kind, version.version, at=SYSTEM.now(), record=record)
        elif decision.passed:
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
    if not promotion.promote:
        word = f"challenger; the gate {'lets it pass' if decision.passed else 'refuses it'}"
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
        "promoted": decision.passed and promotion.promote,
        "reasons": list(decision.reasons),
        "refusals": list(decision.refusals),
        "metrics": dict(decision.numbers),
        "pages": [str(path) for path in pages],
    }
    return Result(data, lines, exit_code=0 if decision.passed or not promotion.promote else 1)


def _logged(state: Path, candidate: Candidate, bundle: Path) -> ModelVersion:
    from models.registry import log_training_run

    return log_training_run(
        state,
        candidate.kind,
        bundle,
        params={**candidate.params, **code()},
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
        rows=candidate.rows,
        children=candidate.children,
    )


def _keep_twin(state: Path, candidate: Candidate, twin: Path, version: str) -> None:
    """The twin beside the version, and what it had learned from: durable, the moment last."""
    place = twin_folder(state, candidate.kind, version)
    shutil.rmtree(place, ignore_errors=True)  # of a registry that was deleted and begun anew
    copy_bundle(twin, place)
    text = candidate.twin_as_of.isoformat() + "\n"
    write_whole(place.with_suffix(".as_of"), text.encode())


def summarise_training(results: list[Result], as_of: datetime) -> Result:
    """All models' results as one; exit 1 if the gate refused any."""
    lines = [line for result in results for line in result.lines]
    return Result(
        {"as_of": as_of, "models": [result.data for result in results]},
        lines,
        exit_code=max((result.exit_code for result in results), default=0),
    )
