"""What decisions were made on, kept beside them: so each can be made again, to the last bit.

    .presage/decided/outreach-20260301T000000-1a2b3c4d.parquet

A row for each considered customer: the facts that the rules ask of them, what was measured of each
action, what was drawn of them, whether they were eligible. The schema holds what concerns the whole
day: settings, what was spent, agents' time, the actions as they were. The name holds the file's own
hash, and each decision names the file. When a person is erased their row goes, or, where the choice
among the others depends on it, all that tells whose it was (``data.erasure.decided``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.artifacts import put
from data.erasure.decided import DECIDED, ELIGIBLE, ERASED
from data.errors import DamagedFile
from data.files import sha256_of
from data.settings import Outreach
from serving.outreach.actions import Action
from serving.outreach.draws import PURPOSES, Draws
from serving.outreach.exploring import Spent
from serving.outreach.offers import Effects
from serving.outreach.policy import Inputs

ABOUT = b"presage"
FORMAT = 1
OF_EACH = ("uplift", "low", "high")
OF_ACTIONS = ("induced", "stopped")


def keep_inputs(state_dir: Path, inputs: Inputs, plan: pd.DataFrame) -> str:
    """Write what ``plan`` was made of, durably; the file's name below ``.presage/decided``."""
    name = f"outreach-{inputs.as_of:%Y%m%dT%H%M%S}"
    write = partial(_write, inputs=inputs, eligible=(plan["arm"] != "ineligible").to_numpy(bool))
    return str(put(state_dir / DECIDED, name, ".parquet", write)["file"])


def read_inputs(state_dir: Path, file: str) -> Inputs:
    """What ``keep_inputs`` wrote. DamagedFile where it is gone, not what was written, or of a newer
    release."""
    import pyarrow.parquet as pq

    path = state_dir / DECIDED / Path(file).name
    mend = "restore it from a backup; the decisions stand in the decision log as they were"
    if not path.is_file():
        raise DamagedFile(f"{path} is gone, by which decisions could be made again; {mend}")
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[ABOUT])
        if about["format"] != FORMAT:
            raise DamagedFile(
                f"{path} is of format {about['format']}; read it with a newer Presage"
            )
        whole = ERASED in (table.schema.metadata or {}) or _named_by_its_hash(path)
        frame = table.to_pandas()
        if whole:
            return _inputs(frame, about)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"{path} is damaged ({error}); {mend}") from error
    raise DamagedFile(f"{path} is damaged: its SHA-256 is not the one in its name; {mend}")


def _named_by_its_hash(path: Path) -> bool:
    return path.stem.rpartition("-")[2] == sha256_of(path)[:8]


def _write(path: Path, inputs: Inputs, eligible: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    effects, names = inputs.effects, [action.name for action in inputs.actions]
    measured = {
        f"{of} {action}": values[:, k]
        for of in OF_EACH
        if (values := getattr(effects, of)) is not None
        for k, action in enumerate(names)
    }
    drawn = {f"draw {name}": getattr(inputs.draws, name) for name in PURPOSES}
    people = inputs.people.reset_index(drop=True)
    frame = people.assign(**measured, **drawn, **{ELIGIBLE: eligible})
    about = {
        "format": FORMAT,
        "columns": list(people.columns),
        "as_of": inputs.as_of.isoformat(),
        "policy": asdict(inputs.policy),
        "spent": {**asdict(inputs.spent), "channels": dict(inputs.spent.channels)},
        "agent_hours": inputs.agent_hours,
        "agent_hour_cost": float(inputs.agent_hour_cost),
        "time_zone": inputs.time_zone,
        "actions": [asdict(action) for action in inputs.actions],
        **{of: None if (a := getattr(effects, of)) is None else a.tolist() for of in OF_ACTIONS},
    }
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), ABOUT: json.dumps(about).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")


def _inputs(frame: pd.DataFrame, about: Mapping[str, Any]) -> Inputs:
    actions = tuple(Action(**_tuples(each)) for each in about["actions"])

    def of_each(of: str) -> Floats | None:
        names = [f"{of} {action.name}" for action in actions]
        return frame[names].to_numpy(np.float64) if names[0] in frame else None

    uplift = of_each("uplift")
    if uplift is None:
        raise ValueError("it has no effects")
    kinds = {"induced": np.float64, "stopped": np.bool_}
    whole: dict[str, Any] = {
        of: None if about[of] is None else np.array(about[of], dtype=kinds[of]) for of in OF_ACTIONS
    }
    settings = {each.name for each in fields(Outreach)}
    known = {name: v for name, v in _tuples(about["policy"]).items() if name in settings}
    return Inputs(
        frame[about["columns"]],
        Effects(uplift, of_each("low"), of_each("high"), **whole),
        Draws(*(frame[f"draw {name}"].to_numpy(np.float64) for name in PURPOSES)),
        Outreach(**known),
        datetime.fromisoformat(about["as_of"]),
        Spent(**about["spent"]),
        about["agent_hours"],
        about["agent_hour_cost"],
        about["time_zone"],
        actions,
    )


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples that they were."""
    return {name: _tuple(value) for name, value in values.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
