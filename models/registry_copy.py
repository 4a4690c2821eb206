"""The registry's copy on a tracking server of one's own: runs, versions, aliases.

The workspace's own registry decides and is read; the server is told. What it lacks is made up for
each time, so one that was down misses nothing. A run there carries the id of ours (``ORIGIN``), by
which it is found again; one that was begun and not ended is begun anew. A version's number there
may be another: two workspaces may tell one server.

The functions take MLflow's module and clients from ``models.registry``, which imports them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from data.urls import without_password
from models.run_log import BATCH

ORIGIN = "presage.origin"
"""Tag of a run or version on the server: the run of ours that it is a copy of."""
OWN = "mlflow."
NAME, PARENT = "mlflow.runName", "mlflow.parentRunId"


def copy_versions(
    mlflow: Any,
    here: Any,
    there: Any,
    name: str,
    folders: Callable[[Any], tuple[Path, Path]],
    say: Callable[[str], None],
) -> list[str]:
    """Copy what the server lacks of the registered model ``name``; the versions that were copied,
    by our numbers. ``folders``: of a version's run, its artifacts and the model."""
    entries = here.search_model_versions(f"name = '{name}'", max_results=10_000)
    if not entries:
        return []
    if not there.search_registered_models(f"name = '{name}'"):
        there.create_registered_model(name, description="copies from Presage's workspaces")
    experiment = there.get_experiment_by_name(name)
    place = experiment.experiment_id if experiment else there.create_experiment(name)
    known = _known(there, name)
    copied = []
    for entry in sorted(entries, key=lambda each: int(each.version)):
        if entry.run_id not in known:
            say(f"copying {name} version {entry.version} to the tracking server")
            artifacts, model = folders(entry)
            run_id = _copy_run(mlflow, here, there, place, entry.run_id, artifacts, model)
            known[entry.run_id] = there.create_model_version(
                name, f"runs:/{run_id}/model", run_id=run_id, tags={ORIGIN: entry.run_id}
            )
            copied.append(str(entry.version))
        theirs = known[entry.run_id]
        for key, value in entry.tags.items():
            if theirs.tags.get(key) != value:
                there.set_model_version_tag(name, theirs.version, key, value)
    _copy_aliases(here, there, name, {str(e.version): known[e.run_id].version for e in entries})
    return copied


def not_told(url: str, kind: str, error: Exception) -> str:
    """What to say where the server could not be told."""
    reason = str(error).partition("\n")[0]
    return (
        f"the tracking server {without_password(url)} was not told of {kind} models: {reason}; "
        "[mlflow] url names it, and the next training, promotion or rollback tells it all"
    )


def _known(there: Any, name: str) -> dict[str, Any]:
    entries = there.search_model_versions(f"name = '{name}'", max_results=10_000)
    return {entry.tags[ORIGIN]: entry for entry in entries if ORIGIN in entry.tags}


def _copy_aliases(here: Any, there: Any, name: str, numbers: Mapping[str, str]) -> None:
    ours = {
        alias: numbers[str(version)]
        for alias, version in here.get_registered_model(name).aliases.items()
    }
    theirs = there.get_registered_model(name).aliases
    for alias, version in ours.items():
        if str(theirs.get(alias)) != str(version):
            there.set_registered_model_alias(name, alias, version)
    for alias in theirs.keys() - ours.keys():
        if str(theirs[alias]) in set(map(str, numbers.values())):  # not another workspace's
            there.delete_registered_model_alias(name, alias)


def _copy_run(
    mlflow: Any, here: Any, there: Any, place: str, run_id: str, artifacts: Path, model: Path
) -> str:
    """A run of ours with its children, files and model, on the server; its id there."""
    ours = here.get_run(run_id)
    for begun in there.search_runs([place], f"tags.`{ORIGIN}` = '{run_id}'"):
        there.delete_run(begun.info.run_id)
    copy = _copy_numbers(mlflow, there, place, ours, {})
    datasets = ours.inputs.dataset_inputs if ours.inputs else []
    if datasets:
        there.log_inputs(copy, datasets=datasets)
    children = here.search_runs([ours.info.experiment_id], f"tags.`{PARENT}` = '{run_id}'")
    for child in reversed(children):
        there.set_terminated(_copy_numbers(mlflow, there, place, child, {PARENT: copy}), "FINISHED")
    if artifacts.is_dir():
        there.log_artifacts(copy, str(artifacts))
    with TemporaryDirectory() as staging:
        # the model names the run that it came from, and there that is the copy
        about = mlflow.models.Model.load(str(model))
        about.run_id, about.model_id, about.artifact_path = copy, None, "model"
        about.save(str(Path(staging) / "MLmodel"))
        there.log_artifacts(copy, str(model), "model")
        there.log_artifact(copy, str(Path(staging) / "MLmodel"), "model")
    there.set_terminated(copy, ours.info.status, ours.info.end_time)
    return copy


def _copy_numbers(mlflow: Any, there: Any, place: str, ours: Any, tags: Mapping[str, str]) -> str:
    own = {key: value for key, value in ours.data.tags.items() if not key.startswith(OWN)}
    run = there.create_run(
        place,
        start_time=ours.info.start_time,
        run_name=ours.data.tags.get(NAME),
        tags={**own, **tags, ORIGIN: ours.info.run_id},
    )
    copy = str(run.info.run_id)
    entities, moment = mlflow.entities, ours.info.start_time
    params = [entities.Param(key, value) for key, value in ours.data.params.items()]
    metrics = [entities.Metric(key, value, moment, 0) for key, value in ours.data.metrics.items()]
    for start in range(0, len(params), BATCH):
        there.log_batch(copy, params=params[start : start + BATCH])
    for start in range(0, len(metrics), BATCH):
        there.log_batch(copy, metrics=metrics[start : start + BATCH])
    return copy
