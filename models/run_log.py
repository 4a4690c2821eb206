"""What MLflow is told of one training: figures, settings, tables read, the runs inside it.

The functions take MLflow's module and a client from ``models.registry``, which imports them. A run
has **children**: the twin that was judged in the model's place, and each trial of a search. The
tables that were read are its input, known by the snapshot's hash; a folder would name a machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from models.bundle import verify
from models.training_record import at_the_edge

LOADER = "models.frame_function"
BATCH = 100
"""Parameters that MLflow takes at once."""
LONGEST = 6000
"""Characters of a parameter that MLflow keeps."""
DIGEST = 36
"""Characters of a data set's digest that MLflow keeps."""


@dataclass(frozen=True)
class ChildRun:
    """A run inside a training: the twin, or a trial of the search."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def write_numbers(
    mlflow: Any,
    client: Any,
    run_id: str,
    params: Mapping[str, Any],
    numbers: Mapping[str, float],
    at: datetime,
) -> None:
    """Parameters and metrics of a run; ``at`` (naive UTC) is the metrics' time."""
    moment = int(at.replace(tzinfo=UTC).timestamp() * 1000)
    entities = mlflow.entities
    entries = [entities.Param(key, str(value)[:LONGEST]) for key, value in params.items()]
    for start in range(0, len(entries), BATCH):
        client.log_batch(run_id, params=entries[start : start + BATCH])
    metrics = [entities.Metric(key, value, moment, 0) for key, value in numbers.items()]
    client.log_batch(run_id, metrics=metrics)


def write_inputs(
    mlflow: Any,
    client: Any,
    run_id: str,
    data_fingerprint: str,
    rows: Mapping[str, int],
    as_of: datetime,
) -> None:
    """The tables that the run read, as MLflow's data set: their rows, and the snapshot's hash."""
    entities = mlflow.entities
    tables = entities.Dataset(
        name="tables",
        digest=data_fingerprint[:DIGEST],
        source_type="presage snapshot",
        source=json.dumps({"fingerprint": data_fingerprint, "as_of": as_of.isoformat()}),
        profile=json.dumps({"rows": dict(rows)}),
    )
    context = entities.InputTag("mlflow.data.context", "training")
    client.log_inputs(run_id, datasets=[entities.DatasetInput(tables, [context])])


def write_children(
    mlflow: Any,
    client: Any,
    experiment: str,
    parent: str,
    children: Sequence[ChildRun],
    at: datetime,
) -> None:
    """Each child as a finished run below its parent."""
    for child in children:
        tags = {"mlflow.parentRunId": parent, "presage.child": child.name.partition(" ")[0]}
        run = client.create_run(experiment, run_name=child.name, tags=tags)
        write_numbers(mlflow, client, run.info.run_id, child.params, child.metrics, at)
        client.set_terminated(run.info.run_id, status="FINISHED")


def write_model(
    mlflow: Any,
    client: Any,
    name: str,
    experiment: str,
    run_id: str,
    folder: Path,
    bundle_folder: Path,
    example: pd.DataFrame,
    predictions: pd.DataFrame,
) -> str:
    """Log the bundle as an MLflow model, its files staged in ``folder``; MLflow's id of it.

    Two flavours: ``presage``, and ``python_function`` by our loader (models/frame_function.py).
    Text columns are of any type in the signature: MLflow would refuse the categories that features
    come as.
    """
    inputs, outputs = at_the_edge(example), at_the_edge(predictions)
    logged = client.create_logged_model(
        experiment, name=name, source_run_id=run_id, model_type=name.removeprefix("presage-")
    )
    signature = mlflow.models.infer_signature(inputs, outputs)
    signature.inputs = _any_text(mlflow, signature.inputs)
    model = mlflow.models.Model(
        run_id=run_id,
        model_id=logged.model_id,
        model_uuid=logged.model_id,
        artifact_path=logged.artifact_location,
        signature=signature,
        saved_input_example_info={
            "artifact_path": "input_example.json",
            "type": "dataframe",
            "pandas_orient": "split",
        },
    )
    fingerprint = verify(bundle_folder).fingerprint
    model.add_flavor("presage", data="bundle", fingerprint=fingerprint)
    mlflow.pyfunc.add_to_model(
        model, loader_module=LOADER, data="bundle", python_env="python_env.yaml"
    )
    folder.mkdir()
    model.save(str(folder / "MLmodel"))
    inputs.to_json(folder / "input_example.json", orient="split", index=False, date_format="iso")
    needs = f"presage=={version('presage')}"
    (folder / "requirements.txt").write_text(f"{needs}\n")
    python = f'python: "3.11"\ndependencies:\n  - {needs}\n'
    (folder / "python_env.yaml").write_text(python)
    shutil.copytree(bundle_folder, folder / "bundle")
    client.finalize_logged_model(logged.model_id, "READY")
    output = mlflow.entities.LoggedModelOutput(logged.model_id, step=0)
    client.log_outputs(run_id, [output])
    return str(logged.model_id)


def _any_text(mlflow: Any, schema: Any) -> Any:
    types = mlflow.types
    columns = [
        types.ColSpec(types.schema.AnyType(), column.name, required=False)
        if column.type == types.DataType.string
        else column
        for column in schema.inputs
    ]
    return types.Schema(columns)
