"""Feature sets on disk: a folder per as-of time, written shard by shard, kept while it holds.

``presage features --write`` makes them, for whoever studies or trains elsewhere, on the path that
training takes (``compute.in_shards``).

A set is named by what it was made of: the view's fingerprint, what the tables tell that was known
at T (``Snapshot.known_at``), and T. So tomorrow's run finds the sets of all earlier times as they
are and computes tomorrow's only; a correction of an old row changes the sets that knew it, and no
other. A set is filled beside its place, hashed, and renamed: it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Ints, Values
from data.errors import DamagedFile, DataError
from data.files import publish, sha256_of, staging_folder, write_whole
from data.settings_tree import Engine
from data.snapshot import Snapshot
from data.tables import columns_of
from features.asof import microseconds
from features.compute import ROW_BYTES, WORKING_MEMORY, ProgramRun, in_shards, shards_within
from features.program import Program
from features.spec import FeatureView
from features.spine import Membership, membership, names_of

FORMAT = 1
VALUE_BYTES = 10
"""Memory that a feature of a customer at a time takes until its file is written: measured."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class FeatureSet:
    """The features of every customer there was at ``as_of``, in files that were verified."""

    path: Path
    as_of: datetime
    manifest: Mapping[str, Any]

    @property
    def rows(self) -> int:
        return int(self.manifest["rows"])

    def frame(self) -> pd.DataFrame:
        """As ``features.compute.compute`` gives them: customer_id, as_of, float32, category."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        files = [self.path / name for name in self.manifest["files"]]
        parts = [pq.read_table(file, partitioning=None) for file in files]
        frame = pa.concat_tables(parts).unify_dictionaries().to_pandas(date_as_object=False)
        frame["customer_id"] = frame["customer_id"].astype("str")
        for name in frame.columns:
            if isinstance(frame[name].dtype, pd.CategoricalDtype):
                used = sorted(map(str, frame[name].cat.remove_unused_categories().cat.categories))
                frame[name] = frame[name].cat.set_categories(pd.Index(used, dtype="str"))
        return frame.sort_values("customer_id", kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Estimate:
    """What sets will take, told before anything is read."""

    sets: int
    reused: int
    customers: int
    events: int
    features: int
    shards: int
    memory_bytes: int
    disk_bytes: int
    cpu_seconds: float


def write_sets(
    view: FeatureView,
    snapshot: Snapshot,
    as_ofs: Sequence[datetime],
    folder: Path,
    engine: Engine,
    *,
    active_within_days: int | None = None,
    progress: Progress | None = None,
) -> list[FeatureSet]:
    """The sets of these times, in their order; those that are there already are reused.

    Customers are those of ``spine.customers_at``. Memory stays below ``engine.memory_limit_gb``.
    Raises DataError where no customer is known, DamagedFile for a set that was changed on disk.
    """
    _check(view, snapshot)
    places = {t: _place(view, snapshot, t, folder, active_within_days) for t in as_ofs}
    missing = sorted({t for t, place in places.items() if not _is_there(place)})
    if missing:
        _write(view, snapshot, missing, places, engine, active_within_days, progress)
    return [open_set(places[t]) for t in as_ofs]


def estimate(
    view: FeatureView,
    snapshot: Snapshot,
    as_ofs: Sequence[datetime],
    folder: Path,
    engine: Engine,
    *,
    active_within_days: int | None = None,
) -> Estimate:
    """A dry run: how much there is to read, to hold and to write."""
    places = {_place(view, snapshot, t, folder, active_within_days) for t in as_ofs}
    missing = [place for place in places if not _is_there(place)]
    tables = {t for f in view.features for term in f.node.terms() for t in term.source.tables}
    events = sum(snapshot.rows(name) for name in tables)
    customers = snapshot.rows("customers") or snapshot.rows("orders")
    cells = customers * len(view) * len(missing)
    shards = _shards(view, snapshot, len(missing), engine)
    held = (events * ROW_BYTES + cells * VALUE_BYTES) / shards
    return Estimate(
        sets=len(missing),
        reused=len(places) - len(missing),
        customers=customers,
        events=events if missing else 0,
        features=len(view),
        shards=shards if missing else 0,
        memory_bytes=int(held + WORKING_MEMORY + 2e8) if missing else 0,
        disk_bytes=int(cells * 1.5),
        cpu_seconds=events * len(view) * 6e-9 + cells * 1.5e-8 if missing else 0.0,
    )


def open_set(place: Path) -> FeatureSet:
    """The set in that folder, its files verified; DamagedFile if one was changed."""
    file = place / "manifest.json"
    remedy = f"Delete the folder {place.name}: the next run makes it anew"
    if not file.is_file():
        raise DamagedFile(f"{place} is no feature set: it has no manifest.json. {remedy}")
    try:
        manifest = json.loads(file.read_bytes())
        wanted = dict(manifest["files"])
        as_of = datetime.fromisoformat(manifest["as_of"])
    except (ValueError, KeyError, TypeError):
        raise DamagedFile(f"{file} is damaged: it is no manifest. {remedy}") from None
    for name, digest in wanted.items():
        part = place / name
        if not part.is_file() or sha256_of(part) != digest:
            raise DamagedFile(f"{part} is missing, or not as it was written. {remedy}")
    return FeatureSet(place, as_of, manifest)


def _check(view: FeatureView, snapshot: Snapshot) -> None:
    """Refuses a view of columns that are not in the files, such as those that a model of texts
    adds in memory."""
    for feature in view.features:
        for term in feature.node.terms():
            for column in term.columns:
                known = columns_of(column.table, snapshot.attributes)
                if column.name not in known:
                    raise DataError(
                        f"{column.table} has no column {column.name!r} on disk, which "
                        f"{feature.name} reads; compute() works in memory, or select() the others"
                    )


def _is_there(place: Path) -> bool:
    """Whether the set is there; DamagedFile for a folder that lost its manifest, since sets are
    renamed into place whole."""
    if place.is_dir() and not (place / "manifest.json").is_file():
        raise DamagedFile(
            f"{place} is not whole: it has no manifest.json. Delete the folder {place.name}: the "
            "next run makes it anew"
        )
    return place.is_dir()


def _place(
    view: FeatureView, snapshot: Snapshot, as_of: datetime, folder: Path, active: int | None
) -> Path:
    tables = {t for f in view.features for term in f.node.terms() for t in term.source.tables}
    tables |= {"customers", "orders", "usage", "tickets"}
    known = snapshot.known_at(as_of, tables)
    identity = json.dumps([FORMAT, view.fingerprint, known, as_of.isoformat(), active])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:24]
    return folder / f"{as_of:%Y-%m-%dT%H%M%S}-{digest}"


def _shards(view: FeatureView, snapshot: Snapshot, times: int, engine: Engine) -> int:
    """So many that the rows of one, and what is written of it, stay within the memory."""
    limit = engine.memory_limit_bytes
    customers = snapshot.rows("customers") or snapshot.rows("orders")
    written = customers * len(view) * times * VALUE_BYTES
    return max(shards_within(view, snapshot, limit // 2), -(-written // (limit // 4)))


def _write(
    view: FeatureView,
    snapshot: Snapshot,
    as_ofs: list[datetime],
    places: Mapping[datetime, Path],
    engine: Engine,
    active_within_days: int | None,
    progress: Progress | None,
) -> None:
    tell = progress or (lambda share, what: None)
    times = np.array([microseconds(t) for t in as_ofs], dtype=np.int64)
    who = membership(snapshot, active_within_days)
    every = FeatureView((*view.features, *who.features))
    count = _shards(every, snapshot, len(times), engine)
    with ExitStack() as stack:
        staged = [stack.enter_context(staging_folder(places[t])) for t in as_ofs]
        tell(0.0, "reading")
        limit = engine.memory_limit_bytes // 2
        shards = stack.enter_context(in_shards(every, snapshot, times, limit, count))
        writers = [
            _Writer(view, shards.program, at, t) for at, t in zip(staged, as_ofs, strict=True)
        ]
        for number in range(shards.count):
            run = shards.run_of(number)
            names = names_of(run.history, [node.source for node in who.here])
            names = names[shards.owners(names) == number]
            if len(names):
                _shard(run, who, names, times, writers)
                for writer in writers:
                    writer.close_part(number)
            tell(0.2 + 0.8 * (number + 1) / shards.count, "computing")
        if not any(writer.files for writer in writers):
            raise DataError("no customer is known; nothing can be computed")
        for t, at, writer in zip(as_ofs, staged, writers, strict=True):
            manifest = writer.manifest(view, snapshot)
            write_whole(at / "manifest.json", json.dumps(manifest, indent=1).encode())
            publish(at, places[t])


def _shard(
    run: ProgramRun, who: Membership, customers: Values, times: Ints, writers: Sequence[_Writer]
) -> None:
    """Hands the customers there were at each time to the writers, with their features."""
    shared = run.shared(times)
    lines = max(64, run.slots // len(times))
    for low in range(0, len(customers), lines):
        chosen = np.arange(low, min(low + lines, len(customers)))
        results = shared.values(run.program, customers, chosen)
        there = who.there(run.program, results).reshape(len(chosen), len(times))
        # by time and feature, so that a column of a set is read in one go
        table = results[writers[0].rows_of].reshape(-1, len(chosen), len(times))
        by_time = np.ascontiguousarray(table.transpose(2, 0, 1), dtype=np.float32)
        for number, writer in enumerate(writers):
            here = np.flatnonzero(there[:, number])
            writer.put(customers[chosen[here]], by_time[number], here, run.texts)


class _Writer:
    """The files of one set in the making: a row group per piece, a file per shard."""

    def __init__(self, view: FeatureView, program: Program, folder: Path, as_of: datetime) -> None:
        self.view, self.folder, self.as_of = view, folder, as_of
        self.rows_of = [program.row[feature.node] for feature in view.features]
        self.texts = [feature.name for feature in view.features if feature.categorical]
        self.pieces: list[Any] = []
        self.files: dict[str, str] = {}
        self.rows = 0

    def put(
        self,
        customers: Values,
        results: npt.NDArray[np.float32],
        here: npt.NDArray[np.intp],
        texts: Mapping[str, Values],
    ) -> None:
        """Adds customers with the columns ``here`` of ``results`` (features x customers)."""
        import pyarrow as pa

        columns = {
            "customer_id": pa.array(customers, pa.string()),
            "as_of": pa.array(np.full(len(here), np.datetime64(self.as_of, "us"))),
        }
        for feature, row in zip(self.view.features, results, strict=True):
            values = row.take(here)
            columns[feature.name] = (
                _texts(values, texts[feature.name]) if feature.categorical else pa.array(values)
            )
        self.pieces.append(pa.table(columns))
        self.rows += len(here)

    def close_part(self, shard: int) -> None:
        """Writes what was put as one file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = f"part-{shard:05d}.parquet"
        table = pa.concat_tables(self.pieces)
        pq.write_table(
            table, self.folder / name, compression="lz4", use_dictionary=self.texts,
            write_statistics=False,
        )  # fmt: skip
        self.files[name] = sha256_of(self.folder / name)
        self.pieces = []

    def manifest(self, view: FeatureView, snapshot: Snapshot) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "as_of": self.as_of.isoformat(),
            "rows": self.rows,
            "view": view.fingerprint,
            "snapshot": snapshot.fingerprint,
            "files": self.files,
        }


def _texts(values: npt.NDArray[np.float32], texts: Values) -> Any:
    """Codes (-1: null) into ``texts`` as an Arrow dictionary."""
    import pyarrow as pa

    codes = values.astype(np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array(texts, pa.string())
    )
