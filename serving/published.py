"""What score, forecast and staff publish, and what the service answers from.

A published result is one Parquet file and one small JSON beside it that names it, with its SHA-256
and where it came from. The JSON is replaced whole, so a reader sees the old result or the new one,
never half of one. The last ``KEEP`` results of a kind stay, for the page's "as of" and for undo.

    .presage/published/scores.json                     {"file": ..., "sha256": ..., "as_of": ...}
    .presage/published/scores-20260301T000000-1a2b.parquet
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from data.artifacts import current, history, open_kept, point, pointer_path, prune, put
from data.errors import DamagedFile
from serving.kept_scores import keep_scores, mapped_scores

Kind = Literal[
    "scores", "forecast", "parts", "change", "accuracy", "actuals", "paths", "staffing", "kpis",
    "monitor", "issues", "roster", "roster_people",
]  # fmt: skip
VERBS: dict[str, str] = {
    "scores": "presage score",
    "forecast": "presage forecast",
    "parts": "presage forecast",
    "change": "presage forecast",
    "accuracy": "presage forecast",
    "actuals": "presage forecast",
    "paths": "presage forecast",
    "staffing": "presage staff",
    "roster": "presage staff --shifts",
    "roster_people": "presage staff --shifts",
    "kpis": "presage monitor",
    "monitor": "presage monitor",
    "issues": "presage monitor",
}
"""The verb that publishes each kind."""
KEEP = 8
SUFFIX = ".parquet"
MANY = 100_000
"""So many customers' scores are mapped as well; fewer are held in memory."""
ROWS_TOGETHER = 50_000
"""Rows that are read to find one of them: results stand in the order of their ids."""


@dataclass(frozen=True)
class Published:
    """A published result: its table and where it came from.

    ``about`` holds at least ``as_of`` and ``published_at`` (ISO 8601, UTC) and ``model_version``.
    """

    frame: pd.DataFrame
    about: dict[str, Any]

    @cached_property
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
    home = _home(state_dir)
    name = f"{kind}-{as_of:%Y%m%dT%H%M%S}"
    write = partial(frame.to_parquet, index=False, row_group_size=ROWS_TOGETHER)
    entry = put(home, name, SUFFIX, write)
    if kind == "scores" and len(frame) >= MANY:  # before a running service looks for it
        keep_scores(home, entry["sha256"], frame)
    pointer = {
        **entry,
        "rows": len(frame),
        "as_of": as_of.isoformat(),
        "published_at": now.isoformat(),
        **about,
    }
    point(home, kind, pointer)
    prune(home, kind, SUFFIX, KEEP)
    return home / entry["file"]


def finish(state_dir: Path, kind: Kind) -> None:
    """Note that all that goes with the newest result of that kind was done too: what it was joined
    with, its vintage, its place in the log. A run that was killed before does it again."""
    about = pointer(state_dir, kind)
    assert about is not None
    point(_home(state_dir), kind, {**about, "finished": True})


def pointer(state_dir: Path, kind: Kind) -> dict[str, Any] | None:
    """What is said of the newest result of that kind, without reading its table; None if none."""
    try:
        return current(_home(state_dir), kind)
    except DamagedFile as damaged:
        raise DamagedFile(f"{damaged}; {_remedy(kind)}") from None


def pointer_file(state_dir: Path, kind: Kind) -> Path:
    """The pointer to the newest result of that kind, see ``data.artifacts.stamp``."""
    return pointer_path(_home(state_dir), kind)


def newest(state_dir: Path, kind: Kind) -> Published | None:
    """The newest published result of that kind, verified, or None.

    Raises DamagedFile when the table does not match the hash it was published with.
    """
    about = pointer(state_dir, kind)
    if about is None:
        return None
    try:
        return Published(pd.read_parquet(open_kept(_home(state_dir), about)), about)
    except DamagedFile as damaged:
        raise DamagedFile(f"{damaged}; {_remedy(kind)}") from None


def newest_scores(state_dir: Path) -> Published | None:
    """``newest`` of scores for whoever looks at a few rows: many are mapped."""
    about = pointer(state_dir, "scores")
    if about is None or int(about["rows"]) < MANY:
        return newest(state_dir, "scores")
    frame = mapped_scores(_home(state_dir), about["sha256"])
    if frame is not None:
        return Published(frame, about)
    published = newest(state_dir, "scores")
    if published is not None:
        about = published.about
        with suppress(OSError):  # where none can be written they are held in memory
            keep_scores(_home(state_dir), about["sha256"], published.frame)
            frame = mapped_scores(_home(state_dir), about["sha256"])
    return published if frame is None else Published(frame, about)


def earlier(
    state_dir: Path, kind: Kind, column: str, value: str, wanted: Callable[[str], bool]
) -> list[pd.DataFrame]:
    """The ``wanted`` columns of the rows with that value in each kept result that has some, by
    as-of time, oldest first.

    Of two results of one moment the one published last counts. Only the newest was verified: the
    others are history to look at, nothing is decided on them. DamagedFile for one that is no table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    newest_by_name: dict[str, pd.DataFrame] = {}
    for path in history(_home(state_dir), kind, SUFFIX):
        try:
            columns = [name for name in pq.read_schema(path).names if wanted(name)]
            rows = pd.read_parquet(path, columns=columns, filters=[(column, "==", value)])
        except FileNotFoundError:  # a newer result was published, and this one is not kept
            continue
        except (pa.ArrowException, OSError) as error:
            raise DamagedFile(
                f"{path} is damaged: {error}. Bring it back from a backup, or remove it: of a past "
                "result only the history of it is read"
            ) from None
        if len(rows):
            newest_by_name[path.name.rpartition("-")[0]] = rows
    return [newest_by_name[name] for name in sorted(newest_by_name)]


def _home(state_dir: Path) -> Path:
    return state_dir / "published"


def _remedy(kind: Kind) -> str:
    return f"run `{VERBS[kind]}` again"
