"""Tables split by customer: some customers and all that bears on them at a time, on disk.

A shard is ``Tables`` like any other, read by the same code (``sources.read_rows``), so nothing here
knows the rule of time. What it must see to: every version of a key stands where one of them does,
and every row that is named stands beside the one that names it. So a row may lie in several shards;
it is *at home* in the one that its customer belongs to, and only there it counts for groups.

>>> from data.tables import MemoryTables
>>> from features.sources import ORDERS
>>> orders = pd.DataFrame({"order_id": ["1", "2", "3"], "customer_id": ["a", "b", "a"],
...                        "ordered_at": ["2026-01-01"] * 3})
>>> with split(MemoryTables({"orders": orders}), {ORDERS: {ORDERS["customer_id"]}}, 2) as shards:
...     of_a = int(shards.owners(np.array(["a"], dtype=object))[0])
...     shards.shard(of_a).frame("orders", ["customer_id"])["customer_id"].eq("a").sum()
np.int64(2)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Bools, Ints, Values
from data.contract import TABLES
from data.engines import duckdb_connection, literal, quoted
from data.files import staging_folder
from data.settings_tree import Engine
from data.tables import Tables, frame_of
from features.expression import Column, Key
from features.sources import Rows, Source, columns_by_table, names_to_read

BATCH = 500_000
CUSTOMER = "customer_id"

Births = tuple[int | None, int | None]
"""From when (>=) and until when (<) a row's birth can matter, in microseconds; None: no bound."""


@contextmanager
def split(
    tables: Tables,
    needed: Mapping[Source, Iterable[Key]],
    count: int,
    *,
    births: Mapping[str, Births] | None = None,
    only: Values | None = None,
    engine: Engine | None = None,
) -> Iterator[Shards]:
    """The columns that these sources need, in ``count`` shards, on disk until the block ends.

    ``births``: by table, which rows can matter. ``only``: the customers whose rows are wanted, in
    one shard; None: everybody. ``engine``: whose memory and threads splitting takes. The shards
    lie beside the snapshot, or in the system's folder of temporary files.
    """
    files = {name: tables.file(name) for name in columns_by_table(needed) if tables.has(name)}
    folders = sorted({file.parent for file in files.values() if file is not None})
    parent = folders[0].parent if folders else Path(tempfile.gettempdir())
    if not os.access(parent, os.W_OK):
        parent = Path(tempfile.gettempdir())
    with staging_folder(parent / "shards") as folder:
        con = duckdb_connection(engine or Engine(), [folder, *folders])
        try:
            if only is not None:
                con.register("wanted_customers", _ids(only))
            making = _Writing(tables, needed, count, folder, con, births or {}, only is not None)
            yield making.shards()
        finally:
            con.close()


@dataclass(frozen=True)
class Shards:
    """The tables of some sources, split. ``schemas``: of the tables that are split by customer."""

    tables: Tables
    count: int
    folder: Path
    schemas: Mapping[str, Any]
    connection: Any

    def shard(self, number: int) -> Shard:
        """One of them, counted from 0."""
        return Shard(self, number)

    def owners(self, names: Values) -> Ints:
        """The shard that each of these customers belongs to; that of nobody (null) is 0."""
        self.connection.register("asked", _ids(names))
        query = f"SELECT {_shard_of(CUSTOMER, self.count)} AS shard FROM asked"  # noqa: S608
        answer = self.connection.sql(query)
        return np.asarray(answer.to_arrow_table()["shard"].to_numpy(), dtype=np.int64)

    def at_home(self, rows: Rows, source: Source, number: int) -> Bools:
        """Which rows of a shard belong to its customers, or to nobody in the first."""
        owner = owner_of(source)
        if not owner:
            return np.full(rows.size, number == 0)
        value = rows.column(owner[0])
        assert value.categories is not None
        home = np.append(self.owners(value.categories) == number, number == 0)
        return np.asarray(home[value.data.astype(np.int64)], dtype=bool)


@dataclass(frozen=True)
class Shard:
    """The rows that bear on some customers; satisfies ``Tables``."""

    shards: Shards
    number: int

    @property
    def names(self) -> tuple[str, ...]:
        return self.shards.tables.names

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.shards.tables.attributes

    @cached_property
    def fingerprint(self) -> str:
        return f"{self.shards.tables.fingerprint}-{self.number}-of-{self.shards.count}"

    def has(self, name: str) -> bool:
        return self.shards.tables.has(name)

    def file(self, name: str) -> Path | None:
        return None

    def seen_from_birth(self, name: str) -> bool:
        return self.shards.tables.seen_from_birth(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        import pyarrow as pa

        if name not in self.shards.schemas:
            return self.shards.tables.frame(name, columns)
        wanted = list(self.shards.schemas[name].names if columns is None else columns)
        file = _file(self.shards.folder, name, self.number)
        if not file.exists():
            return frame_of(self.shards.schemas[name].empty_table().select(wanted), name)
        with pa.memory_map(str(file)) as mapped:
            at = [self.shards.schemas[name].get_field_index(column) for column in wanted]
            options = pa.ipc.IpcReadOptions(included_fields=at)
            return frame_of(
                pa.ipc.open_file(mapped, options=options).read_all().select(wanted), name
            )


class _Writing:
    """The split in the making: which row goes where, as SQL, and the files it is written to.

    Tables whose rows belong to customers have a key of one column, or none.
    """

    def __init__(
        self,
        tables: Tables,
        needed: Mapping[Source, Iterable[Key]],
        count: int,
        folder: Path,
        con: Any,
        births: Mapping[str, Births],
        some: bool,
    ) -> None:
        self.shard = SOME if some else _shard_of(CUSTOMER, count)
        self.tables, self.count, self.folder, self.con = tables, count, folder, con
        self.needed, self.births = list(needed), births
        self.beside = [source for source in needed if source.beside and not source.latest]
        self.columns = columns_by_table(needed)
        self.known: dict[str, str] = {}
        self.there = {name for name in self.columns if tables.has(name)}

    def shards(self) -> Shards:
        schemas = {}
        for name in sorted(self.there):
            where = self._where(name)
            if where is not None:
                schemas[name] = self._write(name, where)
        for name in self.known:
            self.con.unregister(f"frame_{name}")
        return Shards(self.tables, self.count, self.folder, schemas, self.con)

    def _where(self, name: str) -> str | None:
        """The rows of a table with the ``shard`` of each, as SQL; None where all need all."""
        if CUSTOMER not in TABLES[name].names and not self._owner(name):
            return None
        rows = f"SELECT *, {self.shard} AS shard FROM {self._rows(name)}"  # noqa: S608
        if CUSTOMER in TABLES[name].names and self._alone(name):
            return rows + self._born(name)
        key = quoted(self._owner(name) or TABLES[name].key[0])
        by_key = (
            f"SELECT t.*, s.shard FROM {self._rows(name)} t "  # noqa: S608
            f"JOIN (SELECT DISTINCT key, shard FROM ({self._places(name)})) s ON t.{key} = s.key"
        )
        # rows without a key have no other version
        return by_key if self._owner(name) else f"{by_key} UNION ALL {rows} WHERE {key} IS NULL"

    def _owner(self, name: str) -> str:
        """The column by which rows of a table without customers name one that has them."""
        if CUSTOMER in TABLES[name].names:
            return ""
        beside = [s for s in self.beside if s.beside in self.there]
        links = [s.link for s in beside if s.table == name and owner_of(s)]
        return links[0] if links else ""

    def _alone(self, name: str) -> bool:
        """Whether each row goes to its own customer's shard only: no key has several versions, and
        nobody else's row names one."""
        named = any(s.beside == name and s.link != CUSTOMER for s in self.beside)
        return not TABLES[name].key or (self.tables.seen_from_birth(name) and not named)

    def _places(self, name: str) -> str:
        """The shards in which each key of a table is needed."""
        owner = self._owner(name)
        if owner:
            [other] = {s.beside for s in self.beside if s.table == name and s.link == owner}
            return self._places(other)
        named = [(name, TABLES[name].key[0])]
        named += [(s.table, s.link) for s in self.beside if s.beside == name and s.link != CUSTOMER]
        return " UNION ".join(
            f"SELECT {quoted(key)} AS key, {self.shard} AS shard FROM {self._rows(own)}"  # noqa: S608
            for own, key in named
            if own in self.there and CUSTOMER in TABLES[own].names
        )

    def _born(self, name: str) -> str:
        """Leaves out rows that no T can count, where no other row depends on them."""
        birth = TABLES[name].birth
        low, high = self.births.get(name, (None, None))
        if birth is None or not self.tables.seen_from_birth(name):
            return ""
        if any(source.beside == name for source in self.needed):
            return ""
        bounds = [
            f"{quoted(birth)} {sign} {literal(str(np.datetime64(bound, 'us')))}::TIMESTAMP"
            for sign, bound in ((">=", low), ("<", high))
            if bound is not None
        ]
        return f" WHERE {' AND '.join(bounds)}" if bounds else ""

    def _rows(self, name: str) -> str:
        """A table, for SQL: its file, or its frame where it is made in memory."""
        if name not in self.known:
            file = self.tables.file(name)
            self.known[name] = (
                f"read_parquet({literal(str(file))})" if file is not None else self._put(name)
            )
        return self.known[name]

    def _put(self, name: str) -> str:
        import pyarrow as pa

        frame = self.tables.frame(name, self._names(name, with_key=True))
        self.con.register(f"frame_{name}", pa.Table.from_pandas(frame, preserve_index=False))
        return f"frame_{name}"

    def _names(self, name: str, with_key: bool = False) -> list[str]:
        names = names_to_read(self.tables, name, self.columns[name])
        more = [*([CUSTOMER] if CUSTOMER in TABLES[name].names else []),
                *(TABLES[name].key if with_key else ())]  # fmt: skip
        return list(dict.fromkeys([*names, *more]))

    def _write(self, name: str, where: str) -> Any:
        """Writes a file for each shard that has rows; the schema of all."""
        import pyarrow as pa

        columns = self._names(name)
        named = ", ".join(map(quoted, columns))
        query = f"SELECT {named}, shard FROM ({where}) WHERE shard >= 0"  # noqa: S608
        reader = self.con.sql(query).to_arrow_reader(BATCH)
        schema = pa.schema([field for field in reader.schema if field.name != "shard"])
        writers: dict[int, tuple[Any, Any]] = {}
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        try:
            for batch in reader:
                shard = batch.column("shard").to_numpy()
                order = np.argsort(shard, kind="stable")
                ends = np.cumsum(np.bincount(shard, minlength=self.count))
                begins = np.append(0, ends[:-1])
                ordered = batch.select(columns).take(pa.array(order))
                for at in np.flatnonzero(ends > begins).tolist():
                    if at not in writers:
                        sink = pa.OSFile(str(_file(self.folder, name, at)), "wb")
                        writers[at] = (pa.ipc.new_file(sink, schema, options=options), sink)
                    writers[at][0].write_batch(ordered.slice(begins[at], ends[at] - begins[at]))
        finally:
            for writer, sink in writers.values():
                writer.close()
                sink.close()
        return schema


def _file(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}-{number}.arrow"


SOME = "CASE WHEN customer_id IN (SELECT customer_id FROM wanted_customers) THEN 0 ELSE -1 END"
"""The shard of a row where some customers are wanted only, as SQL; -1: of none."""


def _ids(names: Values) -> Any:
    import pyarrow as pa

    return pa.table({CUSTOMER: pa.array(names, pa.string())})


def _shard_of(column: str, count: int) -> str:
    return f"(CASE WHEN {column} IS NULL THEN 0 ELSE hash({column}) % {count} END)::INTEGER"


def owner_of(source: Source) -> tuple[Column, ...]:
    """The column that names the customer of a source's row; none where rows are nobody's."""
    there = any(CUSTOMER in TABLES[name].names for name in source.tables)
    return (source[CUSTOMER],) if there else ()
