"""All that is held about one person, as files that anybody can read: a CSV for rows, JSON for the
rest, and a README that says what each of them is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from data.contract import TABLES
from data.erasure.finder import Finder
from data.erasure.formats import parquet_rows
from data.erasure.places import files_of
from data.erasure.traces import Traces, owned, parts_of, traces_of
from data.errors import DataError, UsageError
from data.files import publish, staging_folder
from data.folder import Folder
from data.store.opening import Store
from data.store.schema import CONSENT, DECISION_TEXTS, EVENTS, OUTBOX, OUTCOMES, PREDICTIONS

if TYPE_CHECKING:
    import pandas as pd

COMPUTED = {
    "decided": (
        "decided_on.csv",
        "what decisions about them were made on: facts, effects, draws",
    ),
    "published": ("scores.csv", "what was foretold of them: published scores that are kept"),
    "features": ("features.csv", "what was computed of their rows: feature sets that are kept"),
    "jobs": ("jobs.csv", "what was foretold of them in bulk jobs that are kept"),
    "predictions": (
        "predictions.csv",
        "what was foretold of them, as it was answered, and what came of it",
    ),
    "quarantine": ("quarantine.csv", "values of their rows that broke the tables' contract"),
}
"""By folder of our own state: the file, and what it is."""


@dataclass(frozen=True)
class Held:
    """One file of an export: its name, what it is, how many rows or entries."""

    file: str
    what: str
    rows: int


def export_held(
    workspace: Folder, store: Store, customer_id: str, out: Path, now: datetime
) -> list[Held]:
    """Write all that is held about a person into the folder ``out``, whole or not at all.

    UsageError where ``out`` holds something or lies in the workspace, DataError where nothing is
    held about them.
    """
    place = out.absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"--out {out} holds something already; name a new folder")
    if place.resolve().is_relative_to(workspace.path.resolve()):
        raise UsageError(f"--out {out} lies in the workspace, which is not for copies of people")
    traces = traces_of(workspace, store, customer_id)
    with staging_folder(place, 0o700) as staged:
        held = [*_tables(workspace, traces, staged), *_store(store, traces, staged)]
        held += _computed(workspace, traces.finder(), staged)
        if not held:
            raise DataError(f"nothing is held about {customer_id!r}: ids are as in the tables")
        text = _readme(customer_id, held, now)
        (staged / "README.md").write_text(text, "utf-8")
        if place.exists():
            place.rmdir()
        if not publish(staged, place):
            raise UsageError(f"--out {out} was made meanwhile; name a new folder")
    return held


def _readme(customer_id: str, held: Sequence[Held], now: datetime) -> str:
    lines = [f"# All that is held about {customer_id}", ""]
    lines += [f"As of {now:%Y-%m-%d %H:%M} UTC. Times are UTC, tables are UTF-8 with commas.", ""]
    lines += [f"- `{one.file}`: {one.what} ({one.rows:,})" for one in held]
    return "\n".join(lines) + "\n"


def _tables(workspace: Folder, traces: Traces, folder: Path) -> list[Held]:
    import pandas as pd

    held = []
    for name in TABLES:
        frames = []
        for path in workspace.sources(name):
            for part in parts_of(workspace, path):
                theirs = owned(part, name, traces)
                if theirs.any():
                    frames.append(part.filter(theirs).to_pandas())
        if frames:
            frame = pd.concat(frames, ignore_index=True)
            held.append(_csv(folder, f"tables/{name}.csv", f"their rows of {name}", frame))
    return held


def _store(store: Store, traces: Traces, folder: Path) -> list[Held]:
    """What was posted, said, decided, sent and answered."""
    held = []
    with store.reading() as connection:
        query = sa.select(EVENTS).order_by(EVENTS.c.seq)
        posted = [
            {"table": row.table_name, "recorded_at": row.recorded_at, **json.loads(row.payload)}
            for row in connection.execute(query)
            if traces.owns(row.table_name, json.loads(row.payload))
        ]
        decided = _rows(connection, DECISION_TEXTS, traces, lambda row: json.loads(row["payload"]))
        ids = [row["decision_id"] for row in decided]
        outcomes = sa.select(OUTCOMES).where(OUTCOMES.c.decision_id.in_(ids))
        files = {
            "posted.json": ("rows that were posted about them", posted),
            "consent.json": (
                "what they said about being contacted, newest last",
                _rows(connection, CONSENT, traces, dict),
            ),
            "decisions.json": ("what was decided about them, and why", decided),
            "messages.json": (
                "what was to be sent about them, and when it left",
                _rows(connection, OUTBOX, traces, _message),
            ),
            "outcomes.json": (
                "what came of decisions about them",
                [dict(row) for row in connection.execute(outcomes).mappings()],
            ),
            "foretold.json": (
                "what was foretold of them",
                _rows(connection, PREDICTIONS, traces, dict),
            ),
        }
    for file, (what, rows) in files.items():
        if rows:
            text = json.dumps(rows, indent=1, ensure_ascii=False, default=str)
            (folder / file).write_text(text + "\n", "utf-8")
            held.append(Held(file, what, len(rows)))
    return held


def _rows(
    connection: sa.Connection,
    table: sa.Table,
    traces: Traces,
    shown: Callable[[dict[str, Any]], dict[str, Any]],
) -> list[dict[str, Any]]:
    ids = [traces.customer_id, *traces.others]
    query = sa.select(table).where(table.c.customer_id.in_(ids))
    rows = connection.execute(query.order_by(table.c.seq)).mappings()
    return [shown(dict(row)) for row in rows]


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    body = row["body"]
    return {**row, "body": None if body is None else bytes(body).decode("utf-8", "replace")}


def _computed(workspace: Folder, finder: Finder, folder: Path) -> list[Held]:
    """Their rows in what we computed, with the file that each stands in."""
    import pandas as pd

    frames: dict[str, list[pd.DataFrame]] = {}
    for path in files_of(workspace):
        if not path.is_relative_to(workspace.state_dir):
            continue
        inside = path.relative_to(workspace.state_dir)
        if inside.parts[0] in COMPUTED:
            frame = _named(path, finder)
            if len(frame):
                frames.setdefault(inside.parts[0], []).append(frame.assign(file=str(inside)))
    held = []
    for top, frames_of in frames.items():
        file, what = COMPUTED[top]
        held.append(_csv(folder, file, what, pd.concat(frames_of, ignore_index=True)))
    return held


def _named(path: Path, finder: Finder) -> pd.DataFrame:
    import pandas as pd

    if path.suffix == ".parquet":
        parts = [part.filter(named) for part, named in parquet_rows(path, finder) if np.any(named)]
        frames = [part.to_pandas() for part in parts]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if path.suffix == ".jsonl":
        lines = path.read_text("utf-8", errors="replace").splitlines()
        return pd.DataFrame([json.loads(line) for line in lines if finder.in_text(line)])
    return pd.DataFrame()


def _csv(folder: Path, file: str, what: str, frame: pd.DataFrame) -> Held:
    place = folder / file
    place.parent.mkdir(exist_ok=True)
    frame.to_csv(place, index=False)
    return Held(file, what, len(frame))
