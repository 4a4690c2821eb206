"""What a workspace holds after a run, without the moments at which it was written; and whether any
file that a reader takes for whole is not."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from data.artifacts import open_kept
from data.errors import PresageError
from data.snapshot import open_snapshot
from data.store import open_store, verify_log
from data.workspace import Workspace

MOMENTS = {
    "recorded_at", "created_at", "updated_at", "issued_at", "next_attempt_at", "queued_at", "seq",
    "published_at", "expires_at",
}  # fmt: skip
SALTED = {"sha256", "previous", "salt", "subject", "payload_sha256", "note"}
OWN = {"leases", "alembic_version", "sqlite_sequence", "facts"}
"""Tables that say who works, not what came of it."""

State = dict[str, Any]


def state_of(folder: Path) -> State:
    """Every product by its content: published results, store rows, predictions, snapshots."""
    home = folder / ".presage"
    out: State = {}
    for path in sorted((home / "published").glob("*.json")):
        try:
            about = json.loads(path.read_bytes())
        except ValueError:  # a verb ended well, and left it as it was
            about = {"damaged": True}
        drop = {"published_at", "file", "since", "digest"} | (
            # findings about runs say when they ran
            {"sha256", "rows"} if path.stem == "monitor" else set()
        )
        out[f"published {path.stem}"] = {k: v for k, v in about.items() if k not in drop}
    out |= _store(home / "store.db")
    for kind in ("published", "shadow", "outcomes"):
        frames = [pd.read_parquet(p) for p in sorted(home.glob(f"predictions/*/{kind}*.parquet"))]
        rows = Counter(
            row for frame in frames for row in _rows(frame.drop(columns="at", errors="ignore"))
        )
        out[f"prediction log, {kind}"] = (sum(rows.values()), _digest(sorted(rows.items())))
    out["snapshots"] = sorted(p.name for p in (home / "snapshots").glob("[!.]*"))
    for path in sorted((home / "models").glob("*/*.json")):
        out[f"model {path.relative_to(home)}"] = path.read_text()
    return out


def _store(file: Path) -> State:
    connection = sqlite3.connect(file)
    out: State = {}
    try:
        names = [
            n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        for name in sorted(set(names) - OWN):
            rows = pd.read_sql(f"SELECT * FROM {name}", connection)
            hidden = MOMENTS | (SALTED - ({"sha256"} if name == "publications" else set()))
            kept = rows.drop(columns=[c for c in rows if c in hidden or c == "content"])
            out[f"store {name}"] = (len(rows), _digest(sorted(_rows(kept))))
    except (sqlite3.DatabaseError, pd.errors.DatabaseError) as error:
        out["store"] = f"damaged: {error}"  # a verb ended well, and left it as it was
    finally:
        connection.close()
    return out


def _rows(frame: pd.DataFrame) -> list[str]:
    return list(map(repr, frame.itertuples(index=False, name=None)))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:16]


def differences(before: State, after: State) -> list[str]:
    """What is not as it should be, a line each."""
    return [
        f"{name}: {after.get(name, 'absent')} instead of {before.get(name, 'absent')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def torn(folder: Path) -> list[str]:
    """Every file that a reader takes for whole and that is not; none is expected."""
    home, wrong = folder / ".presage", list[str]()
    for path in home.rglob("*.json"):
        if ".staging-" not in str(path):
            try:
                json.loads(path.read_bytes())
            except ValueError:
                wrong.append(f"{path} is no JSON")
    for path in (home / "published").glob("*.json"):
        try:
            open_kept(path.parent, json.loads(path.read_bytes()))
        except (PresageError, ValueError) as error:
            wrong.append(str(error))
    for path in (home / "snapshots").glob("[!.]*"):
        try:
            open_snapshot(path)
        except PresageError as error:
            wrong.append(str(error))
    for path in home.rglob("*.parquet"):
        if ".staging-" not in str(path):
            try:
                pd.read_parquet(path)
            except (OSError, ValueError) as error:
                wrong.append(f"{path}: {error}")
    with open_store(Workspace.open(folder)) as store:
        try:
            verify_log(store)
        except PresageError as error:
            wrong.append(str(error))
    connection = sqlite3.connect(home / "store.db")
    (answer,) = connection.execute("PRAGMA quick_check").fetchone()
    connection.close()
    return wrong + ([] if answer == "ok" else [f"store.db: {answer}"])


def left_over(folder: Path) -> int:
    """Staging folders that nobody swept."""
    return sum(1 for _ in (folder / ".presage").rglob(".staging-*"))
