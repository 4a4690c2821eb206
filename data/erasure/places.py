"""Where in a workspace a person may stand, and how each place is left without them.

tables/                 rewritten without their rows
.presage/store.db       their rows deleted (store_rows.py)
.presage/snapshots      a folder that names them is removed: the next run makes it anew
.presage/features       likewise
.presage/jobs           likewise, and whoever sent the job sends it again
.presage/quarantine     removed: the next check lists what is left
.presage/published      rewritten without their rows, under the hash of what is left
.presage/decided        their row leaves, or names nobody any more (decided.py)
.presage/logs           what names them is written over in place
.presage/search.db      removed: the next search begins anew
whatever else           rewritten where its format allows
.presage/models, MLflow's and Prefect's own, presage.toml    nobody's to change: told
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data.artifacts import current, point
from data.contract import TABLES
from data.erasure.decided import DECIDED, forget_decided
from data.erasure.finder import Finder
from data.erasure.formats import (
    PLACES,
    ROWS,
    blank_in,
    counted,
    forget_in,
    found_in,
    is_plain_text,
    parquet_rows,
    write_parquet,
)
from data.erasure.tables import can_rewrite, forget_in_table, rows_in_table
from data.erasure.traces import Traces
from data.files import STAGING, remove_abandoned, replacing, sha256_of
from data.folder import STATE, Folder
from data.packs import SUFFIX as PACK
from data.quarantine import forget_quarantine

ERASING = "erasing"
"""The folder of the journals, below ``.presage``."""
WHOLE = ("snapshots", "features", "jobs")
REMOVED = ("quarantine", "search.db", "staging", ".spill", "work")
OTHERS = ("mlflow.db", "prefect", "models", "secrets", "known-files", "decision-log.head")
STORE = ("store.db", "store.db-wal", "store.db-shm")
BY_HAND = {
    "models": "a model's files are sealed: train again, and remove this version's folder",
    "mlartifacts": "a model's files are sealed: train again, and delete the run in MLflow",
    "mlflow.db": "only MLflow writes here: delete the run in MLflow, then `mlflow gc`",
    "prefect": "only Prefect writes here: delete the flow run in Prefect",
    "presage.toml": "take it out of the settings by hand",
}

Step = Callable[[str], None]
"""Told before each change what is changed next."""


@dataclass(frozen=True)
class NamedPlace:
    """A place that names the person: how often, and what is done about it; ``by_hand`` where only
    somebody else can."""

    place: str
    count: int
    counted: str
    done: str
    by_hand: bool = False

    @property
    def words(self) -> str:
        """For people to read."""
        many = self.counted if self.count != 1 else self.counted.removesuffix("s")
        return f"{self.place}: {self.count:,} {many}, {self.done}"


def files_of(workspace: Folder) -> Iterator[Path]:
    """Every file of a workspace, whatever it is; links lead elsewhere, but for tables/ itself."""
    roots = [workspace.path]
    if workspace.tables_dir.is_symlink():
        roots.append(workspace.tables_dir.resolve())
    for root in roots:
        for folder, names, files in os.walk(root):
            names.sort()
            for name in sorted(files):
                path = Path(folder) / name
                if not path.is_symlink() and path.is_file():
                    yield path


def sources_of(workspace: Folder) -> dict[Path, str]:
    """The files of the tables, with the table's name."""
    return {path: name for name in TABLES for path in workspace.sources(name)}


def sweep(workspace: Folder) -> None:
    """Remove what was staged by processes that ended before it was whole."""
    for parent in {path.parent.parent for path in files_of(workspace) if _staged(path)}:
        remove_abandoned(parent)


def forget_files(
    workspace: Folder, traces: Traces, finder: Finder, step: Step | None
) -> list[NamedPlace]:
    """What names the person in files, and that taken out; without ``step`` only told."""
    sources = sources_of(workspace)
    places, gone = [], set()
    for path in list(files_of(workspace)):
        if any(parent in gone for parent in path.parents) or not path.exists():
            continue
        if path in sources:
            places += _in_table(workspace, path, sources[path], traces, finder, step)
            continue
        inside = path.relative_to(workspace.path).parts if _is_inside(workspace, path) else ()
        top = inside[1] if inside[:1] == (STATE,) else ""
        if top in (*STORE, ERASING):
            continue
        count = found_in(path, finder)
        if not count:
            continue
        unit = path
        if top in WHOLE and len(inside) > 3:
            unit = workspace.state_dir / top / inside[2]
            gone.add(unit)
            count = sum(found_in(one, finder) for one in sorted(unit.rglob("*")) if one.is_file())
        places.append(_forget(workspace, unit, top or path.name, count, finder, step))
    return places


def _in_table(
    workspace: Folder, path: Path, name: str, traces: Traces, finder: Finder, step: Step | None
) -> list[NamedPlace]:
    theirs, mentions = rows_in_table(workspace, path, name, traces, finder)
    if not theirs and not mentions:
        return []
    name_of_table = _place_named(workspace, path)
    if not can_rewrite(path):
        what = "its form cannot be rewritten: export it again without them"
        return [NamedPlace(name_of_table, theirs + mentions, ROWS, what, True)]
    if step is not None:
        step(f"table {name_of_table}")
        forget_in_table(workspace, path, name, traces, finder)
        forget_quarantine(workspace, name)
    places = [NamedPlace(name_of_table, theirs, ROWS, "removed")] if theirs else []
    if mentions:
        places.append(
            NamedPlace(name_of_table, mentions, "values", "their name taken out of others' rows")
        )
    return places


def _forget(
    workspace: Folder, path: Path, top: str, count: int, finder: Finder, step: Step | None
) -> NamedPlace:
    name, what = _place_named(workspace, path), ROWS if path.is_dir() else counted(path)
    if _staged(path):
        return NamedPlace(name, count, what, "another process is writing it: run again", True)
    if _sealed(path):
        return NamedPlace(name, count, what, BY_HAND["mlartifacts"], True)
    if top in OTHERS or top == "presage.toml":
        return NamedPlace(name, count, what, BY_HAND.get(top, "take it out by hand"), True)
    if top in WHOLE:
        remedy = "sent again" if top == "jobs" else "made anew"
        return remove_whole(
            path, NamedPlace(name, count, what, f"removed, {remedy} when needed"), step
        )
    if top in REMOVED:
        return remove_whole(path, NamedPlace(name, count, what, "removed"), step)
    if path.suffix == PACK:
        remedy = "removed, made anew when needed"
        return remove_whole(path, NamedPlace(name, count, what, remedy), step)
    if top == "published" and path.suffix == ".parquet":
        return _publish_again(path, NamedPlace(name, count, what, "removed"), finder, step)
    if top == DECIDED and path.suffix == ".parquet":
        if step is not None:
            step(f"decided {name}")
            forget_decided(path, finder)
        return NamedPlace(name, count, what, "removed, or left as numbers that name nobody")
    if top == "logs":
        if step is not None:
            step(f"log {name}")
            blank_in(path, finder)
        return NamedPlace(name, count, what, "written over")
    if what == PLACES or not is_plain_text(path):
        return NamedPlace(name, count, what, "its format cannot be rewritten: delete it", True)
    if step is not None:
        step(f"file {name}")
        forget_in(path, finder)
    return NamedPlace(name, count, what, "removed")


def remove_whole(path: Path, place: NamedPlace, step: Step | None) -> NamedPlace:
    """Remove a file or a folder, gone at once for whoever looks for it."""
    if step is not None:
        step(f"remove {place.place}")
        if path.is_dir():
            aside = path.with_name(f"{STAGING}{secrets.token_hex(8)}")
            path.rename(aside)
            shutil.rmtree(aside)
        else:
            path.unlink(missing_ok=True)
    return place


def _publish_again(path: Path, place: NamedPlace, finder: Finder, step: Step | None) -> NamedPlace:
    """The same result without their rows: a new file, the pointer on it, the old one gone."""
    if step is None:
        return place
    home, was = path.parent, path.stat()
    step(f"published {place.place}")
    with replacing(home / f".{path.name}") as staged:
        write_parquet(staged, (p.filter(~named) for p, named in parquet_rows(path, finder)), path)
    anew_file = home / f".{path.name}"
    rows = sum(len(part) for part, _ in parquet_rows(anew_file, finder))
    digest = sha256_of(anew_file)
    anew = home / f"{path.stem.rpartition('-')[0]}-{digest[:8]}{path.suffix}"
    step(f"published as {anew.name}")
    os.utime(anew_file, ns=(was.st_atime_ns, was.st_mtime_ns))  # which was written last stays so
    anew_file.replace(anew)
    for pointer in home.glob("*.json"):
        about = current(home, pointer.stem)
        if about is not None and about.get("file") == path.name:
            step(f"pointer {pointer.name}")
            about |= {"file": anew.name, "sha256": digest}
            point(home, pointer.stem, about | ({"rows": rows} if "rows" in about else {}))
    step(f"unlink {place.place}")
    if anew != path:
        path.unlink(missing_ok=True)
    return place


def _staged(path: Path) -> bool:
    return any(part.startswith(STAGING) for part in path.parts)


def _sealed(path: Path) -> bool:
    """Whether a file belongs to a model's folder, whose manifest holds the hash of each."""
    return "bundle" in path.parts and (path.parent / "manifest.json").is_file()


def _is_inside(workspace: Folder, path: Path) -> bool:
    return path.is_relative_to(workspace.path)


def _place_named(workspace: Folder, path: Path) -> str:
    return str(path.relative_to(workspace.path)) if _is_inside(workspace, path) else str(path)
