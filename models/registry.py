"""Every training run, every model, who was champion when: MLflow, on files of the workspace.

    .presage/mlflow.db        runs, registered models and their versions (SQLite)
    .presage/mlartifacts/     plots, tables, and each version's bundle with its signature

This is the only file that imports MLflow, inside functions, for the import alone costs seconds. A
registered version is our own bundle, and MLflow loads it by our own loader
(``mlflow.pyfunc.load_model``, models/frame_function.py). Nothing is ever unpickled. Nothing writes
into MLflow's tables but MLflow.

The alias ``champion`` moves through ``promote``, which wants a gate's verdict, and ``rollback``.
Each move is told to ``record`` (the store's history), and the bundle is copied beside a pointer
that scoring and serving read (models/champion.py) without MLflow.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.errors import DamagedFile, GateRefused, PresageError, UsageError, did_you_mean
from data.files import publish, replacing, staging_folder, write_whole
from models.bundle import verify
from models.champion import CHALLENGER, Champion, champion, materialise, point_at
from models.gate import GateDecision
from models.metrics import Interval
from models.registry_copy import copy_versions, not_told
from models.run_log import ChildRun, write_children, write_inputs, write_model, write_numbers
from models.training_record import flat_numbers, write_artifacts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "ModelVersion",
    "artifact",
    "log_training_run",
    "record_gate",
    "promote",
    "rollback",
    "challenge",
    "figures",
    "champion",
    "history",
    "version_bundle",
]

ALIAS = "champion"
LINE = "presage.champions"
"""Tag of a registered model: the versions that were champion, oldest first, the last one now."""

ARTIFACTS = "mlflow-artifacts:/"
"""Where artifacts lie, as MLflow's tables say it: below the folder that its server is given. So a
workspace may be moved or copied. We write the files ourselves, at ``artifact``."""

Record = Callable[[dict[str, Any]], None]
"""Takes one move of the alias: kind, version, previous, run_id, fingerprint, as_of, event, reasons,
at."""


@dataclass(frozen=True)
class ModelVersion:
    """A registered version; ``gate`` is ``"passed"``, ``"refused"`` or None if not yet judged."""

    kind: str
    version: str
    run_id: str
    fingerprint: str
    created_at: datetime
    data_fingerprint: str
    feature_fingerprint: str
    as_of: str
    gate: str | None
    gate_reasons: str
    is_champion: bool


def log_training_run(
    state_dir: Path,
    kind: str,
    bundle_folder: Path,
    *,
    params: Mapping[str, Any],
    metrics: Mapping[str, float | Interval],
    base_rates: Mapping[str, float],
    data_fingerprint: str,
    feature_fingerprint: str,
    as_of: datetime,
    example: pd.DataFrame,
    predictions: pd.DataFrame,
    at: datetime,
    plots: Mapping[str, Figure | Path | bytes] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    pages: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    rows: Mapping[str, int] | None = None,
    children: Sequence[ChildRun] = (),
) -> ModelVersion:
    """Log one training and register its bundle as the next version of ``presage-<kind>``.

    ``metrics``: an Interval is logged as ``name``, ``name_low`` and ``name_high``. ``base_rates``
    (per horizon, per series) become metrics ``base_rate_<name>``. ``example``: a few input rows,
    and ``predictions`` what the model says of them; the signature is inferred from the two.
    ``plots`` and ``tables`` become artifacts ``plots/<name>.png`` and ``tables/<name>.json``,
    ``pages`` (HTML) ``<name>.html``.
    ``rows``: how many each table had that was read. ``children``: the runs inside this one.
    ``at``: the time that the metrics carry (naive UTC). The bundle is verified first (DamagedFile).
    """
    manifest = verify(bundle_folder)
    numbers = flat_numbers({**metrics, **{f"base_rate_{n}": v for n, v in base_rates.items()}})
    mlflow, client = _client(Path(state_dir).absolute())
    experiment = _experiment(client, kind)
    identity = {
        "presage.kind": kind,
        "presage.fingerprint": manifest.fingerprint,
        "presage.data_fingerprint": data_fingerprint,
        "presage.feature_fingerprint": feature_fingerprint,
        "presage.as_of": as_of.isoformat(),
    }
    run_name = f"{kind} as of {as_of:%Y-%m-%d %H:%M}"
    run = client.create_run(experiment, run_name=run_name, tags={**(tags or {}), **identity})
    run_id = run.info.run_id
    try:
        write_numbers(mlflow, client, run_id, params, numbers, at)
        write_inputs(mlflow, client, run_id, data_fingerprint, rows or {}, as_of)
        write_children(mlflow, client, experiment, run_id, children, at)
        with staging_folder(Path(state_dir) / "mlartifacts") as staging:
            artifacts, model = staging / "run", staging / "model"
            write_artifacts(artifacts, plots or {}, tables or {}, pages)
            _place(state_dir, run_id, artifacts)
            name = _registered_name(kind)
            model_id = write_model(
                mlflow, client, name, experiment, run_id, model, bundle_folder, example, predictions
            )
            _place(state_dir, f"models/{model_id}", model)
        source = f"{ARTIFACTS}models/{model_id}/artifacts"
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=f"Presage's {kind} models")
        version = client.create_model_version(name, source, run_id=run_id, tags=identity)
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id, status="FINISHED")
    return _model_version(kind, version, None)


def artifact(state_dir: Path, run_id: str, name: str) -> Path:
    """Where an artifact of a run lies."""
    return Path(state_dir).absolute() / "mlartifacts" / run_id / "artifacts" / name


def _place(state_dir: Path, owner: str, folder: Path) -> None:
    """Put a staged folder where MLflow's server looks for the artifacts of a run or model."""
    place = artifact(state_dir, owner, "")
    place.parent.mkdir(parents=True)
    publish(folder, place)


def record_gate(state_dir: Path, kind: str, version: str, decision: GateDecision) -> None:
    """Write a gate's verdict to the version and its run, where ``promote`` and people find it."""
    mlflow, client = _client(Path(state_dir).absolute())
    name, entry = _registered_name(kind), _version(client, kind, version)
    text = str(decision)
    client.set_model_version_tag(name, version, "presage.gate_reasons", text[:4000])
    client.set_model_version_tag(
        name, version, "presage.gate", "passed" if decision.passed else "refused"
    )
    verdict = json.dumps(asdict(decision), indent=2).encode()
    write_whole(artifact(state_dir, entry.run_id, "gate.json"), verdict)
    client.set_tag(entry.run_id, "presage.gate", "passed" if decision.passed else "refused")
    client.set_tag(entry.run_id, "presage.gate_reasons", text[:4000])
    now = entry.creation_timestamp
    client.log_batch(
        entry.run_id,
        metrics=[
            mlflow.entities.Metric(f"gate_{key}", value, now, 0)
            for key, value in decision.numbers.items()
        ],
    )


def promote(
    state_dir: Path,
    kind: str,
    version: str,
    *,
    at: datetime,
    record: Record,
    decision: GateDecision | None = None,
) -> Champion:
    """Make a version champion: copied and loaded on trial, alias, history, pointer; in this order.

    ``decision`` is the gate's verdict of this version, recorded here; None: the verdict recorded
    earlier by ``record_gate``. GateRefused unless it passed; DamagedFile if the bundle does not
    load on trial: then nothing has changed. Safe to repeat after a crash.
    """
    if decision is not None:
        record_gate(state_dir, kind, version, decision)
    _, client = _client(Path(state_dir).absolute())
    entry = _version(client, kind, version)
    verdict = entry.tags.get("presage.gate")
    reasons = entry.tags.get("presage.gate_reasons", "")
    if verdict != "passed":
        raise GateRefused(
            f"{kind} version {version} was not promoted: "
            + (reasons if verdict else "no gate has judged it; run `presage train`")
        )
    line = _line(client, kind)
    if not line or line[-1] != version:
        line = [*line, version]
    return _move(state_dir, kind, version, line, "promoted", reasons, at, record)


def challenge(state_dir: Path, kind: str, version: str, *, at: datetime, record: Record) -> None:
    """Give a version the alias ``challenger``: trained and judged, and not at work. The nights
    score everybody by it too, which answers nobody. DamagedFile if it does not load on trial."""
    _, client = _client(Path(state_dir).absolute())
    entry = _version(client, kind, version)
    folder = materialise(state_dir, kind, version, version_bundle(state_dir, kind, version))
    client.set_registered_model_alias(_registered_name(kind), CHALLENGER, version)
    as_of = datetime.fromisoformat(entry.tags["presage.as_of"])
    of = {"run_id": entry.run_id, "promoted_at": at, "as_of": as_of, "name": CHALLENGER}
    point_at(state_dir, kind, version, folder, **of)
    record(
        {
            "kind": kind,
            "event": CHALLENGER,
            "version": version,
            "run_id": entry.run_id,
            "as_of": entry.tags["presage.as_of"],
            "reasons": entry.tags.get("presage.gate_reasons", ""),
            "at": at,
        }
    )


def figures(state_dir: Path, kind: str, version: str) -> dict[str, float]:
    """Every figure that the run of a version logged. UsageError for a version there is not."""
    _, client = _client(Path(state_dir).absolute())
    run = client.get_run(_version(client, kind, str(version)).run_id)
    return {str(name): float(value) for name, value in run.data.metrics.items()}


def rollback(
    state_dir: Path,
    kind: str,
    *,
    at: datetime,
    record: Record,
    why: str = "",
    figures: Mapping[str, float] | None = None,
) -> Champion:
    """Make the champion before this one champion again.

    ``why`` and ``figures`` are recorded with the move. UsageError if there was none before.
    Rolling back twice goes back two.
    """
    _, client = _client(Path(state_dir).absolute())
    line = _line(client, kind)
    if len(line) < 2:
        raise UsageError(
            f"no earlier {kind} champion to return to; `presage models show` lists what there is"
        )
    reasons = f"rolled back from version {line[-1]}" + (f": {why}" if why else "")

    def with_figures(move: dict[str, Any]) -> None:
        record({**move, "figures": dict(figures or {})})

    return _move(state_dir, kind, line[-2], line[:-1], "rolled_back", reasons, at, with_figures)


def history(state_dir: Path, kind: str) -> list[ModelVersion]:
    """All registered versions of a kind, newest first; empty where none was trained yet."""
    if not (Path(state_dir) / "mlflow.db").exists():
        return []
    _, client = _client(Path(state_dir).absolute())
    name = _registered_name(kind)
    line = _line(client, kind)
    at_work = line[-1] if line else None
    entries = client.search_model_versions(f"name = '{name}'", max_results=10_000)
    entries = sorted(entries, key=lambda each: -int(each.version))
    return [_model_version(kind, each, at_work) for each in entries]


def copy_to_server(state_dir: Path, kind: str, url: str, say: Callable[[str], None]) -> list[str]:
    """Tell a tracking server of one's own every run, version and alias of a kind that it lacks; the
    versions that were copied. PresageError where it does not answer, or refuses."""
    mlflow, here = _client(Path(state_dir).absolute())

    def folders(entry: Any) -> tuple[Path, Path]:
        model = version_bundle(state_dir, kind, str(entry.version)).parent
        return artifact(state_dir, entry.run_id, ""), model

    try:
        there = mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
        return copy_versions(mlflow, here, there, _registered_name(kind), folders, say)
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise PresageError(not_told(url, kind, error)) from None


def version_bundle(state_dir: Path, kind: str, version: str) -> Path:
    """The folder of a registered version's bundle among MLflow's artifacts (not yet verified)."""
    _, client = _client(Path(state_dir).absolute())
    source = str(_version(client, kind, version).source)
    # a registry of before ``ARTIFACTS`` names the whole path that the workspace had then
    inside = source.rpartition("/mlartifacts/")[2].removeprefix(ARTIFACTS)
    return Path(state_dir) / "mlartifacts" / inside / "bundle"


def _move(
    state_dir: Path,
    kind: str,
    version: str,
    line: list[str],
    event: str,
    reasons: str,
    at: datetime,
    record: Record,
) -> Champion:
    _, client = _client(Path(state_dir).absolute())
    entry = _version(client, kind, version)
    try:
        before = champion(state_dir, kind)
    except DamagedFile:  # this move writes the pointer anew
        before = None
    folder = materialise(state_dir, kind, version, version_bundle(state_dir, kind, version))
    as_of = datetime.fromisoformat(entry.tags["presage.as_of"])
    name = _registered_name(kind)
    client.set_registered_model_tag(name, LINE, ",".join(line[-200:]))
    client.set_registered_model_alias(name, ALIAS, version)
    record(
        {
            "kind": kind,
            "event": event,
            "version": version,
            "previous": before.version if before else None,
            "run_id": entry.run_id,
            "fingerprint": entry.tags["presage.fingerprint"],
            "as_of": as_of.isoformat(),
            "reasons": reasons,
            "at": at,
        }
    )
    return point_at(
        state_dir, kind, version, folder, run_id=entry.run_id, promoted_at=at, as_of=as_of
    )


@lru_cache(maxsize=4)
def _client(state_dir: Path) -> tuple[Any, Any]:
    """The module and a client on this workspace's store, which the first use creates."""
    os.environ.update(
        MLFLOW_DISABLE_TELEMETRY="true",
        DO_NOT_TRACK="true",
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="2",  # a server of one's own that is down holds nobody up
        MLFLOW_SQLALCHEMYSTORE_POOLCLASS="NullPool",  # no connection is left open
    )
    for logger in ("mlflow", "alembic"):  # both tell every migration of a new store
        logging.getLogger(logger).setLevel(logging.ERROR)
    import mlflow
    import mlflow.entities
    import mlflow.models
    import mlflow.pyfunc
    import mlflow.types

    for logger in ("mlflow", "alembic"):  # importing MLflow set its own level again
        logging.getLogger(logger).setLevel(logging.ERROR)
    state_dir.mkdir(parents=True, exist_ok=True)
    database = state_dir / "mlflow.db"
    if not database.exists():
        _create_store(mlflow, database)
    uri = f"sqlite:///{database}"
    return mlflow, mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def _create_store(mlflow: Any, database: Path) -> None:
    """MLflow's own empty store, put in place whole: a kill leaves none that is half migrated.

    Its hundred migrations wait for the disk one by one, seconds together; the staged file needs
    that once, at its end.
    """
    from data.store import without_waiting

    with replacing(database, mode=None) as staged, without_waiting():
        uri = f"sqlite:///{staged}"
        mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments()


def _experiment(client: Any, kind: str) -> str:
    name = _registered_name(kind)
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    return str(client.create_experiment(name, artifact_location=ARTIFACTS))


def _registered_name(kind: str) -> str:
    return f"presage-{kind}"


def _version(client: Any, kind: str, version: str) -> Any:
    name = _registered_name(kind)
    entries = client.search_model_versions(f"name = '{name}'", max_results=10_000)
    by_version = {str(each.version): each for each in entries}
    if str(version) not in by_version:
        raise UsageError(
            f'there is no {kind} model of version "{version}"; there are '
            f"{', '.join(sorted(by_version, key=int)) or 'none'}."
            f"{did_you_mean(str(version), by_version)}"
        )
    return by_version[str(version)]


def _line(client: Any, kind: str) -> list[str]:
    name = _registered_name(kind)
    if not client.search_registered_models(f"name = '{name}'"):
        return []
    line = client.get_registered_model(name).tags.get(LINE, "")
    return line.split(",") if line else []


def _model_version(kind: str, entry: Any, at_work: str | None) -> ModelVersion:
    tags = entry.tags
    created = datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC).replace(tzinfo=None)
    return ModelVersion(
        kind,
        str(entry.version),
        entry.run_id,
        tags["presage.fingerprint"],
        created,
        tags["presage.data_fingerprint"],
        tags["presage.feature_fingerprint"],
        tags["presage.as_of"],
        tags.get("presage.gate"),
        tags.get("presage.gate_reasons", ""),
        str(entry.version) == at_work,
    )
