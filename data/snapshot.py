"""What a run reads: an immutable, hashed copy of the tables and of the posted events.

``take`` types the good rows of every table, together with the store's events, into
``.presage/snapshots/<hash>/<table>.parquet``; the hash is that of everything that went in, so
equal input gives the same folder, which is then reused. The folder is filled beside its place,
fsynced and renamed: it is there whole or not at all. Its manifest holds each file's SHA-256,
which is verified before anything is read. A snapshot holds all versions and the future too.

>>> import tempfile, pandas as pd
>>> from data.workspace import init, write_tables
>>> with tempfile.TemporaryDirectory() as folder:
...     workspace = init(folder)
...     orders = pd.DataFrame({"order_id": ["1"], "ordered_at": ["2026-01-01"],
...                            "customer_id": ["c"]})
...     _ = write_tables(folder, {"orders": orders})
...     first, second = take(workspace), take(workspace)
...     first.names, first.path == second.path, len(first.frame("orders", ["order_id"]))
(('orders',), True, 1)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data.check import Cleaned, clean, engine, newest_possible
from data.contract import TABLES, table
from data.csv_files import LARGE
from data.engines import COLUMNS, literal
from data.errors import Conflict, DamagedFile, DataError, did_you_mean
from data.files import HashBook, publish, sha256_of, staging_folder, write_whole
from data.folder import Folder
from data.identities import owners_of, with_identities
from data.known import known, read_digests, seen_from_birth, versioned, write_digests
from data.money import Money, is_stated
from data.source_files import Source
from data.tables import MemoryTables, Tables, attribute_name, columns_of, empty, frame_of, normalise

if TYPE_CHECKING:
    import duckdb

    from data.store import Erased

__all__ = [
    "MemoryTables",
    "Snapshot",
    "Tables",
    "normalise",
    "open_snapshot",
    "snapshot_of",
    "take",
]

FORMAT = 6
KNOWN = "known.parquet"
MOST_SNAPSHOTS = 3
AGE_OF = ("orders", "usage", "tickets", "volumes")
"""The tables whose newest birth says how far the history goes."""


@dataclass(frozen=True)
class Snapshot:
    """A verified snapshot on disk; satisfies ``Tables``."""

    path: Path
    manifest: Mapping[str, Any]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in TABLES if name in self.manifest["tables"])

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(self.manifest["attributes"])

    @property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"])

    @property
    def money(self) -> Money:
        """The currency that amounts of orders are in, and what those of others are worth in it."""
        rates = self.manifest.get("exchange_rates", {})
        return Money(self.manifest.get("currency", ""), rates)

    @property
    def newest_birth(self) -> datetime | None:
        """The newest birth in orders, usage, tickets and volumes (naive UTC), None without rows."""
        births = [self.manifest["tables"][n]["newest_birth"] for n in AGE_OF if n in self.names]
        known = [datetime.fromisoformat(birth) for birth in births if birth]
        return max(known) if known else None

    @property
    def newest_posted(self) -> datetime | None:
        """The newest birth of posted orders, usage, tickets and volumes (naive UTC), or None."""
        newest = self.manifest.get("newest_posted")
        return datetime.fromisoformat(newest) if newest else None

    @property
    def quarantined(self) -> Mapping[str, int]:
        """Rows that broke the contract and are not here, by table."""
        return dict(self.manifest["quarantined"])

    def rows(self, name: str) -> int:
        """The number of rows (versions) of a table."""
        table(name)
        return int(self.manifest["tables"].get(name, {"rows": 0})["rows"])

    def has(self, name: str) -> bool:
        return table(name).name in self.names

    def file(self, name: str) -> Path | None:
        """The table's Parquet file, verified; None where the table is absent."""
        if not self.has(name):
            return None
        parquet = self.path / f"{name}.parquet"
        if sha256_of(parquet) != self.manifest["tables"][name]["sha256"]:
            raise _damaged(parquet)
        return parquet

    def seen_from_birth(self, name: str) -> bool:
        """Whether every row of the table is there from its birth on, and for ever: nothing was
        recorded later, deleted, or replaced."""
        entry = self.manifest["tables"].get(name)
        return entry is None or (entry["seen_from_birth"] and not entry["versioned"])

    def versioned(self, name: str) -> bool:
        """Whether a key of the table has several versions."""
        entry = self.manifest["tables"].get(name)
        return entry is not None and bool(entry["versioned"])

    def known_at(self, as_of: datetime, names: Iterable[str]) -> str:
        """A digest of all that these tables tell that was known at ``as_of`` (naive UTC).

        Two snapshots with equal digests know the same at that moment. Moments that are no whole
        quarter of an hour are told apart by the whole snapshot.
        """
        if as_of.minute % 15 or as_of.second or as_of.microsecond:
            return self.fingerprint
        sums = {}
        for name in sorted(set(names)):
            moments, digests = self._known.get(name, (np.array([], "datetime64[us]"), []))
            sums[name] = str(sum(digests[: moments.searchsorted(np.datetime64(as_of), "right")]))
        return hashlib.sha256(json.dumps([sums, self.attributes]).encode()).hexdigest()

    @cached_property
    def _known(self) -> dict[str, tuple[Any, list[int]]]:
        """By table the moments, ascending, and what came to be known before each."""
        file = self.path / KNOWN
        if not file.is_file() or sha256_of(file) != self.manifest["known"]:
            raise DamagedFile(
                f"{file} is not as it was written. Delete the folder {self.path.name} in "
                ".presage/snapshots: the next run makes it anew"
            )
        return read_digests(file)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        import pyarrow.parquet as pq

        known = columns_of(name, self.attributes)
        for column in columns or ():
            if column not in known:
                raise DataError(f"{name} has no column {column!r}.{did_you_mean(column, known)}")
        wanted = list(known if columns is None else columns)
        file = self.file(name)
        if file is None:
            return empty(name, self.attributes)[wanted]
        written = set(pq.read_schema(file).names)
        there = [column for column in wanted if column in written]
        frame = frame_of(pq.read_table(file, columns=there, partitioning=None), name)
        if len(there) < len(wanted):  # it was taken before the contract grew by these
            absent = empty(name, self.attributes)[[c for c in wanted if c not in written]]
            frame = frame.join(absent.reindex(frame.index))
        return frame[wanted]


def take(
    workspace: Folder,
    progress: Callable[[str], None] | None = None,
    now: datetime | None = None,
) -> Snapshot:
    """The snapshot of the workspace as it is now; the one that is there if nothing changed.

    ``now`` (naive UTC; default: the clock) bounds births, see ``data.check``. Raises DataError
    if a table cannot be read, lacks a required column, or has rows but not one good one;
    DamagedFile if the snapshot that is there was changed since it was written; Conflict if the
    tables change while they are read.
    """
    tell = progress or (lambda message: None)
    place_of = workspace.state_dir / "snapshots"
    limit = newest_possible(workspace, now)
    posted, erased = _posted_events(workspace), _erased(workspace)
    book = HashBook(workspace.state_dir / "hashes.json")
    identity = sources = _identity(workspace, posted, book, erased)
    while (existing := _reusable(place_of / identity, book)) is not None:
        until = existing.manifest["valid_until"]
        if until is None or limit < datetime.fromisoformat(until):
            os.utime(existing.path)
            _remember(book)
            return existing
        # rows that lay in the future then have come to pass
        identity = hashlib.sha256(f"{identity}{until}".encode()).hexdigest()[:32]
    place = place_of / identity
    with staging_folder(place) as staged:
        _fill(workspace, staged, identity, limit, posted, tell, erased)
        if _identity(workspace, posted, book, erased) != sources:
            raise Conflict("tables/ changed while it was being read; run again when it is still")
        publish(staged, place)
    _prune(place_of, keep=place)
    existing = open_snapshot(place, book)
    _remember(book)
    return existing


def _remember(book: HashBook) -> None:
    with contextlib.suppress(OSError):  # where it cannot be written, files are hashed again
        book.save()


def open_snapshot(path: Path, book: HashBook | None = None) -> Snapshot:
    """The snapshot in that folder, every file verified against the manifest; DamagedFile if not,
    or if a newer release took it.

    With a ``book`` a file is taken for verified that has not been written since it was. What is
    read is verified in any case, when it is read (``Snapshot.file``).
    """
    file = path / "manifest.json"
    remedy = f"Delete the folder {path.name} in .presage/snapshots: the next run makes it anew"
    if not file.is_file():
        raise DamagedFile(f"{path} is half written: it has no manifest.json. {remedy}")
    try:
        manifest = json.loads(file.read_bytes())
        if manifest["format"] > FORMAT:
            raise _NewerSnapshot(
                f"{file}: format {manifest['format']}, this release reads {FORMAT} and older: a "
                f"newer release of Presage took it. Use that one again, or delete the folder "
                f"{path.name} in .presage/snapshots: the next run makes it anew"
            )
        wanted = {name: entry["sha256"] for name, entry in manifest["tables"].items()}
        sealed = manifest.pop("seal")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedFile(f"{file} is damaged: it is no manifest. {remedy}") from None
    if sealed != seal(manifest):
        raise DamagedFile(f"{file} is damaged: its content does not match its seal. {remedy}")
    for name, digest in wanted.items():
        parquet = path / f"{name}.parquet"
        if not parquet.is_file():
            raise DamagedFile(f"{parquet} is missing. {remedy}")
        if (book.sha256_of if book else sha256_of)(parquet) != digest:
            raise _damaged(parquet)
    return Snapshot(path, manifest)


def snapshot_of(workspace: Folder, fingerprint: str) -> Snapshot:
    """The snapshot of that name; that of the tables as they are now where it is no longer kept,
    or a newer release took it. DamagedFile if it is not whole."""
    place = workspace.state_dir / "snapshots" / fingerprint
    if place.exists():
        book = HashBook(workspace.state_dir / "hashes.json")
        with contextlib.suppress(_NewerSnapshot):
            snapshot = open_snapshot(place, book)
            _remember(book)
            return snapshot
    return take(workspace)


class _NewerSnapshot(DamagedFile):
    """Whole perhaps, but a newer release took it."""


def _damaged(parquet: Path) -> DamagedFile:
    return DamagedFile(
        f"{parquet} is damaged: its SHA-256 is not the one it was written with. Delete the folder "
        f"{parquet.parent.name} in .presage/snapshots: the next run makes it anew"
    )


def _reusable(place: Path, book: HashBook) -> Snapshot | None:
    if not place.is_dir():
        return None
    if not (place / "manifest.json").exists():  # never published: nothing of it was ever read
        shutil.rmtree(place)
        return None
    return open_snapshot(place, book)


def _fill(
    workspace: Folder,
    staged: Path,
    identity: str,
    limit: datetime,
    posted: Mapping[str, pd.DataFrame],
    tell: Callable[[str], None],
    erased: Erased,
) -> None:
    """Write every table and the manifest into the staged folder."""
    con = engine(workspace)
    cleaned: dict[str, Cleaned] = {}
    entries: dict[str, dict[str, Any]] = {}
    digests: list[tuple[str, datetime, str]] = []
    until: list[datetime] = []
    for name in TABLES:
        events = events_source(con, name, posted[name]) if name in posted else None
        orders = cleaned.get("orders")
        if (size := sum(path.stat().st_size for path in workspace.sources(name))) > LARGE:
            tell(f"{name}: reading {size / 1e9:.1f} GB")
        one = cleaned[name] = clean(con, workspace, name, limit, events, orders, erased)
        if one.fatal:
            raise DataError(one.fatal[0])
        until += [] if one.next_moment is None else [one.next_moment]
        if one.relation is None or not one.rows:
            continue
        if one.quarantined == one.rows:
            first = next(v for v in one.violations if v.severity == "error")
            raise DataError(
                f"{name}: all {one.rows} rows break the contract, so none is left; first {first}"
            )
        file = staged / f"{name}.parquet"
        tell(f"{name}: {one.rows:,} rows")
        relation, expected = one.relation, one.rows - one.quarantined
        if name == "identities":
            owners_of(relation).create("merges")
        elif "identities" in entries:
            relation = with_identities(relation, con.table("merges"), name)
            expected = int(relation.count("*").fetchall()[0][0])
        con.execute(f"COPY ({relation.sql_query()}) TO {literal(str(file))} {COLUMNS}")
        unique = one.unique and "identities" not in entries
        entries[name] = _entry(con, name, file, expected, unique)
        digests += [(name, m, str(d)) for m, d in known(con.read_parquet(str(file)), name)]
        if one.quarantined:
            tell(f"{name}: {one.quarantined:,} rows break the contract, see `presage check`")
    write_digests(staged / KNOWN, digests)
    manifest = {
        "format": FORMAT,
        "known": sha256_of(staged / KNOWN),
        "fingerprint": identity,
        "attributes": [
            attribute_name(name, column)
            for name, one in cleaned.items()
            for column in one.attributes
        ],
        "tables": entries,
        "quarantined": {n: one.quarantined for n, one in cleaned.items() if one.quarantined},
        "newest_posted": _newest_posted(posted),
        "currency": cleaned["orders"].money.main,
        "exchange_rates": dict(workspace.settings.data.exchange_rates),
        "valid_until": min(until).isoformat() if until else None,
    }
    text = json.dumps({**manifest, "seal": seal(manifest)}, indent=1)
    write_whole(staged / "manifest.json", text.encode())


def _newest_posted(posted: Mapping[str, pd.DataFrame]) -> str | None:
    births = {name: TABLES[name].birth or "ds" for name in AGE_OF if name in posted}
    newest = [posted[name][birth].dropna().max() for name, birth in births.items()]
    known = [text for text in newest if isinstance(text, str)]  # all in UTC, so in order as text
    return max(known).removesuffix("+00:00") if known else None


def _entry(
    con: duckdb.DuckDBPyConnection, name: str, file: Path, expected: int, unique: bool
) -> dict[str, Any]:
    contract = table(name)
    birth = contract.birth or ("recorded_at" if name == "volumes" else None)
    written = con.read_parquet(str(file))
    rows, newest = written.aggregate(
        f"count(*), max({birth or 'CAST(NULL AS TIMESTAMP)'})"
    ).fetchall()[0]
    if rows != expected:
        raise DamagedFile(f"{file.name}: {expected} rows were to be written, {rows} were")
    return {
        "sha256": sha256_of(file),
        "rows": int(rows),
        "newest_birth": newest.isoformat() if newest else None,
        "seen_from_birth": seen_from_birth(written, name),
        "versioned": not unique and versioned(written, name),
    }


def seal(manifest: Mapping[str, Any]) -> str:
    """What a manifest ends with: a hash of the rest."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _identity(
    workspace: Folder, posted: Mapping[str, pd.DataFrame], book: HashBook, erased: Erased
) -> str:
    """32 hexadecimal digits over the sources' content, the events, and what shapes the result."""
    digest = hashlib.sha256()
    digest.update(f"{FORMAT}|{TABLES!r}|{workspace.settings.data.attributes}".encode())
    digest.update(f"|{workspace.settings.import_}".encode())
    stated = workspace.settings.company.currency if is_stated(workspace.settings) else ""
    digest.update(f"|{stated}|{sorted(workspace.settings.data.exchange_rates.items())}".encode())
    if erased:  # their rows are left out, wherever they come from
        digest.update(f"|{erased.digest}".encode())
    for name in TABLES:
        for path in workspace.sources(name):
            where = path.relative_to(workspace.tables_dir).as_posix()
            digest.update(f"|{where}:{book.sha256_of(path)}".encode())
        if name in posted:
            digest.update(posted[name].to_json(orient="split").encode())
        if name == "volumes" and (name in posted or workspace.sources(name)):
            digest.update(f"|{workspace.settings.clocks}".encode())  # days end by them
    return digest.hexdigest()[:32]


def _posted_events(workspace: Folder) -> Mapping[str, pd.DataFrame]:
    """The store's events as frames of text, by table; empty without a store."""
    from data.store import event_frames, has_store, open_store

    if not has_store(workspace):
        return {}
    with open_store(workspace) as store:
        return event_frames(store)


def _erased(workspace: Folder) -> Erased:
    from data.store import erased_in_workspace

    return erased_in_workspace(workspace)


def events_source(con: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame) -> Source:
    """A table's posted rows (text, as ``data.store.event_frames`` gives them) as a source."""
    import pyarrow as pa

    columns = {c: pa.array(frame[c].tolist(), type=pa.string()) for c in frame.columns}
    columns["row"] = pa.array(range(1, len(frame) + 1), type=pa.int64())
    con.register(f"posted_{name}", pa.table(columns))
    kinds = dict.fromkeys(frame.columns, "VARCHAR")
    return Source("store.db", con.table(f"posted_{name}"), kinds, len(frame))


def _prune(folder: Path, keep: Path) -> None:
    """Remove all but the three snapshots used last."""
    whole = [p for p in folder.iterdir() if (p / "manifest.json").is_file() and p != keep]
    for old in sorted(whole, key=lambda p: p.stat().st_mtime, reverse=True)[MOST_SNAPSHOTS - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
