"""What score, forecast and staff publish, and what the service answers from.

A published result is one Parquet file and one small JSON beside it that names it, with its SHA-256
and where it came from. The JSON is replaced whole, so a reader sees the old result or the new one,
never half of one. The last ``KEEP`` results of a kind stay, for the page's "as of" and for undo.

    .presage/published/scores.json                     {"file": ..., "sha256": ..., "as_of": ...}
    .presage/published/scores-20260301T000000-1a2b.parquet
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from data.errors import DamagedFile

Kind = Literal["scores", "forecast", "parts", "change", "accuracy", "actuals", "staffing"]
KEEP = 8


@dataclass(frozen=True)
class Published:
    """A published result: its table and where it came from.

    ``about`` holds at least ``as_of`` and ``published_at`` (ISO 8601, UTC) and ``model_version``.
    """

    frame: pd.DataFrame
    about: dict[str, Any]

    @property
    def as_of(self) -> datetime:
        """The moment whose knowledge the result holds."""
        return datetime.fromisoformat(self.about["as_of"])


def publish(
    state_dir: Path,
    kind: Kind,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    now: datetime,
    **about: Any,
) -> Path:
    """Write ``frame`` and make it the newest of its kind; returns the Parquet file's path."""
    folder = state_dir / "published"
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f".{kind}.{os.getpid()}.part"
    frame.to_parquet(staged, index=False)
    sha256 = _sha256(staged)
    final = folder / f"{kind}-{as_of:%Y%m%dT%H%M%S}-{sha256[:8]}.parquet"
    _sync(staged)
    staged.replace(final)
    pointer = {
        "file": final.name,
        "sha256": sha256,
        "rows": len(frame),
        "as_of": as_of.isoformat(),
        "published_at": now.isoformat(),
        **about,
    }
    part = folder / f".{kind}.json.{os.getpid()}.part"
    part.write_text(json.dumps(pointer, indent=2, default=str) + "\n")
    _sync(part)
    part.replace(folder / f"{kind}.json")
    _prune(folder, kind, keep=final.name)
    return final


def pointer(state_dir: Path, kind: Kind) -> dict[str, Any] | None:
    """What is said of the newest result of that kind, without reading its table; None if none."""
    path = state_dir / "published" / f"{kind}.json"
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise DamagedFile(f"{path} is not JSON; run the verb that publishes {kind} again") from None
    return found


def newest(state_dir: Path, kind: Kind) -> Published | None:
    """The newest published result of that kind, verified, or None.

    Raises DamagedFile when the table does not match the hash it was published with.
    """
    about = pointer(state_dir, kind)
    if about is None:
        return None
    path = state_dir / "published" / about["file"]
    if not path.exists() or _sha256(path) != about["sha256"]:
        raise DamagedFile(
            f"{path} is missing or differs from what was published; "
            f"run the verb that publishes {kind} again"
        )
    return Published(pd.read_parquet(path), about)


def earlier(state_dir: Path, kind: Kind, column: str, value: str) -> list[pd.DataFrame]:
    """The rows with that value in each kept result that has some, by as-of time, oldest first.

    Of two results of one moment the one published last counts. Only the newest was verified: the
    others are history to look at, nothing is decided on them.
    """
    found: dict[str, pd.DataFrame] = {}
    files = (state_dir / "published").glob(f"{kind}-*.parquet")
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        try:
            rows = pd.read_parquet(path, filters=[(column, "==", value)])
        except FileNotFoundError:  # a newer result was published, and this one is not kept
            continue
        if len(rows):
            found[path.name.rpartition("-")[0]] = rows
    return [found[name] for name in sorted(found)]


def _prune(folder: Path, kind: Kind, keep: str) -> None:
    files = sorted(folder.glob(f"{kind}-*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    for path in files[:-KEEP]:
        if path.name != keep:
            path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
