"""A snapshot's rows, prepared on disk for the kernel: filtered, in integers, sorted into shards.

Ibis says what is read (the columns that a view needs, the rows that can count at the as-of times,
a row beside another) and DuckDB streams it: times as microseconds, texts as codes, customers by
their place in the list of all. Each shard has some customers and all that they did, so one shard
after the other fits in memory whatever the size of the company. Rows of a table with several
versions of a key get the moment at which a newer one is there from ``asof.spans``, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.contract import TABLES
from data.engines import connect
from data.errors import DataError
from data.settings_tree import Engine
from data.tables import ROW, Tables
from features.asof import NEVER, Int64, spans
from features.expression import Array, Column
from features.history import needed_columns
from features.sources import SIGHTINGS, Source
from features.spec import Node, Term

BATCH = 1_000_000
CUSTOMER = "customer_id"


@dataclass(frozen=True)
class Prepared:
    """What ``prepare`` left in a folder: a file per source and shard, and what its codes mean."""

    folder: Path
    names: Array
    lines: int
    """Customers in a shard; the last has fewer."""
    sources: Mapping[Source, tuple[Column, ...]]
    categories: Mapping[Column, Array]
    rows: Mapping[Source, int]

    @property
    def shards(self) -> int:
        return max(1, -(-len(self.names) // self.lines))

    def file(self, source: Source, shard: int) -> Path:
        """Where the rows of a source and shard are."""
        place = list(self.sources).index(source)
        return self.folder / f"{place}-{source.table}-{shard}.arrow"


class Files:
    """The tables' files as Ibis expressions on one connection, which sees nothing else."""

    def __init__(self, tables: Tables, engine: Engine) -> None:
        files = {name: tables.file(name) for name in tables.names}
        self.tables = tables
        self._files = {name: file for name, file in files.items() if file is not None}
        self._con = connect(engine, sorted({file.parent for file in self._files.values()}))
        self._known: dict[str, Any] = {}

    def table(self, name: str) -> Any:
        """A table, or what was put under that name."""
        if name not in self._known:
            if name not in self._files:
                raise DataError(f"{name} is in memory; only a snapshot's tables can be prepared")
            file = str(self._files[name])
            self._known[name] = self._con.read_parquet(file, table_name=f"file_{name}")
        return self._known[name]

    def put(self, name: str, rows: Any) -> None:
        """An Arrow table or a frame, to be joined with."""
        self._con.con.register(name, rows)
        self._known[name] = self._con.table(name)

    def stream(self, expression: Any) -> Any:
        """The result of an expression, as a reader of Arrow batches."""
        return self._con.con.sql(self._con.compile(expression)).to_arrow_reader(BATCH)


def customers_of(files: Files) -> Array:
    """Every customer there is, in order: of the customers table, or seen in orders, usage,
    tickets where there is none."""
    tables = files.tables
    named = ["customers"] if tables.has("customers") else [s.table for s in SIGHTINGS]
    found = [files.table(name)[[CUSTOMER]] for name in named if tables.has(name)]
    if not found:
        raise DataError("there is neither a customer, an order, a use nor a ticket")
    every = found[0]
    for more in found[1:]:
        every = every.union(more)
    known = every.filter(every[CUSTOMER] != "").distinct().order_by(CUSTOMER)
    return np.asarray(files.stream(known).read_all()[CUSTOMER].to_pylist(), dtype=object)


def prepare(
    nodes: Sequence[Node],
    files: Files,
    times: Int64,
    names: Array,
    folder: Path,
    *,
    lines: int,
    progress: Callable[[float, str], None] | None = None,
) -> Prepared:
    """Writes the rows that the nodes can count at ``times`` into ``folder``, by source and shard.

    ``names`` are the customers, sorted; others' rows are
    kept for the groups' sake. ``lines`` customers make a shard.
    """
    files.put("customer_names", _codes_table(names))
    terms = [term for node in nodes for term in node.terms()]
    needed = needed_columns(terms)
    sources = {source: tuple(sorted(cols, key=_by_name)) for source, cols in needed.items()}
    categories: dict[Column, Array] = {}
    rows: dict[Source, int] = {}
    made = Prepared(folder, names, lines, sources, categories, rows)
    reader = _Reader(files, categories, names)
    for number, (source, columns) in enumerate(sources.items()):
        own = [term for term in terms if term.source == source]
        query = reader.source(source, columns, _bounds(own, times))
        rows[source] = _write(made, source, columns, files.stream(query))
        if progress is not None:
            progress((number + 1) / len(sources), f"reading {source.label}")
    return made


def _by_name(column: Column) -> tuple[str, str]:
    return column.table, column.name


def _bounds(terms: Iterable[Term], times: Int64) -> tuple[int | None, int]:
    """From when (>=) and until when (<) a row's moment can matter at any of the times."""
    earliest: int | None = int(times[0])
    longest = 0
    for term in terms:
        own = term.since is None or term.since == term.source.time
        if term.window is None or not own or term.ahead is not None:
            earliest = None
        else:
            longest = max(longest, term.window)
    return (None if earliest is None else earliest - longest), int(times[-1])


class _Reader:
    """Expressions over the tables' files."""

    def __init__(self, files: Files, categories: dict[Column, Array], names: Array) -> None:
        self.files, self.categories, self.names = files, categories, names
        self.known: dict[str, tuple[bool, bool]] = {}

    def source(
        self, source: Source, columns: tuple[Column, ...], bounds: tuple[int | None, int]
    ) -> Any:
        """The source's rows as ``start, end, position`` and a column per column."""
        own = self._seen(source.table, columns, source, bounds)
        if source.beside:
            other = self._seen(source.beside, columns, source, None)
            link = source.link
            other = other.rename({f"beside_{c}": c for c in other.columns})
            both = own.inner_join(other, own[link] == other[f"beside_{link}"])
            starts = [both.start, both.beside_start]
            known = TABLES[source.table].column(link).known_at
            if known is not None:
                starts.append(_microseconds(both[known]) + 1)
            both = both.mutate(start=_greatest(starts), end=_least([both.end, both.beside_end]))
            own = both.filter(both.start < both.end)
        out: dict[str, Callable[[Any], Any]] = {
            "start": lambda t: t.start,
            "end": lambda t: t.end,
            "position": lambda t: t[ROW],
        }
        for number, column in enumerate(columns):
            name = ("" if column.table == source.table else "beside_") + column.name
            own, out[f"c{number}"] = self._column(own, name, column)
            if column.known_at is not None:
                fact = name.removesuffix(column.name) + column.known_at
                out[f"k{number}"] = partial(_time, name=fact)
        return own.select(**{name: made(own) for name, made in out.items()})

    def _column(self, table: Any, name: str, column: Column) -> tuple[Any, Callable[[Any], Any]]:
        """The table, with what the column's numbers need beside it, and how they are told."""
        if column.kind == "time":
            return table, partial(_time, name=name)
        if column.kind in ("number", "flag"):
            return table, partial(_number, name=name)
        codes = self._dictionary(column)
        text, code = f"text_{name}", f"code_{name}"
        codes = codes.rename({text: "text", code: "code"})
        joined = table.left_join(codes, table[name] == codes[text]).drop(text)
        return joined, partial(_code, name=code)

    def _dictionary(self, column: Column) -> Any:
        """The texts of a column with their codes; every customer_id has the customers' codes."""
        if column.name == CUSTOMER:
            self.categories[column] = self.names
            return self.files.table("customer_names")
        name = f"texts_{column.table}_{column.name}"
        if column not in self.categories:
            table = self.files.table(column.table)
            known = table.filter(table[column.name] != "")[[column.name]].distinct()
            texts = self.files.stream(known.order_by(column.name)).read_all()[column.name]
            self.categories[column] = np.asarray(texts.to_pylist(), dtype=object)
            self.files.put(name, _codes_table(self.categories[column]))
        return self.files.table(name)

    def _seen(
        self,
        name: str,
        columns: tuple[Column, ...],
        source: Source,
        bounds: tuple[int | None, int] | None,
    ) -> Any:
        """The rows of a table that are not deleted, with the interval in which each is seen."""
        import ibis

        contract = TABLES[name]
        own = [c for c in columns if c.table == name]
        facts = {c.known_at for c in own if c.known_at}
        if source.link and name == source.table:
            fact = contract.column(source.link).known_at
            facts |= {fact} if fact else set()
        wanted = {c.name for c in own} | facts | ({source.link} if source.link else set())
        table = self.files.table(name)
        late, versions = self._shape(name)
        if bounds is not None and contract.birth is not None:
            low, high = bounds
            birth = table[contract.birth]
            table = table.filter(birth < _timestamp(high))
            if low is not None:
                table = table.filter(birth >= _timestamp(low))
        recorded = _microseconds(table.recorded_at)
        if contract.birth is None:
            start = recorded
        else:
            born = _microseconds(table[contract.birth]) + 1
            start = _greatest([recorded, born]) if late else born
        table = table.mutate(start=start)
        if versions:
            ends = self.files.table(f"ends_{name}")
            joined = table.left_join(ends, table[ROW] == ends.row)
            table = joined.mutate(end=joined.ended.fill_null(int(NEVER)))
            table = table.filter(table.start < table.end)
        else:
            table = table.mutate(end=ibis.literal(int(NEVER), "int64"))
        if late or versions:
            table = table.filter(~table.deleted)
        return table.select(*sorted(wanted), "start", "end", ROW)

    def _shape(self, name: str) -> tuple[bool, bool]:
        """Whether rows were recorded other than at birth, or deleted; whether keys repeat, in
        which case the moments at which versions end are put where ``_seen`` finds them."""
        if name in self.known:
            return self.known[name]
        contract = TABLES[name]
        table = self.files.table(name)
        late = table.deleted
        if contract.birth is not None:
            late = late | (table.recorded_at != table[contract.birth])
        keyed = (table[contract.key[0]] != "") if contract.key else None
        told = table.aggregate(
            late=late.fill_null(True).any().fill_null(False),
            keyed=keyed.any().fill_null(False) if keyed is not None else False,
        )
        found = self.files.stream(told).read_all().to_pylist()[0]
        versions = bool(found["keyed"]) and self._put_ends(name, table)
        self.known[name] = (bool(found["late"]) or contract.birth is None, versions)
        return self.known[name]

    def _put_ends(self, name: str, table: Any) -> bool:
        contract = TABLES[name]
        key = list(contract.key)
        repeated = table.group_by(key).having(table.count() > 1).aggregate()
        rows = table.semi_join(repeated, key)
        birth = [contract.birth] if contract.birth else []
        rows = rows.select(*dict.fromkeys([*key, *birth, "recorded_at", "deleted", ROW]))
        frame = self.files.stream(rows).read_all().to_pandas()
        if frame.empty:
            return False
        frame["deleted"] = frame["deleted"].astype("boolean")
        # a version that is deleted, or replaced before it was seen, ends before it begins
        ended = pd.Series(-NEVER, index=frame[ROW].to_numpy())
        seen = spans(frame, name)
        ended.loc[frame[ROW].to_numpy()[seen.rows]] = seen.end
        ends = pd.DataFrame({"row": ended.index, "ended": ended.to_numpy()})
        self.files.put(f"ends_{name}", ends)
        return True


def _write(made: Prepared, source: Source, columns: tuple[Column, ...], batches: Any) -> int:
    """Streams a source's rows into a file per shard."""
    import pyarrow as pa

    key = next((i for i, c in enumerate(columns) if c.name == CUSTOMER), None)
    shards = made.shards
    writers: list[Any] = []
    count = 0
    try:
        for number, batch in enumerate(batches):
            if not writers:
                for shard in range(shards):
                    sink = pa.OSFile(str(made.file(source, shard)), "wb")
                    writers.append((pa.ipc.new_file(sink, batch.schema), sink))
            count += batch.num_rows
            if key is None or shards == 1:  # groups' rows may lie anywhere
                writers[number % shards][0].write_batch(batch)
                continue
            codes = batch.column(f"c{key}").to_numpy(zero_copy_only=False)
            shard_of = np.maximum(codes, 0) // made.lines
            small = shard_of.astype(np.uint8 if shards <= 256 else np.uint16)
            batch = batch.take(pa.array(np.argsort(small, kind="stable")))
            ends = np.cumsum(np.bincount(small, minlength=shards))
            begins = np.append(0, ends[:-1])
            for shard in np.flatnonzero(ends > begins).tolist():
                piece = batch.slice(begins[shard], ends[shard] - begins[shard])
                writers[shard][0].write_batch(piece)
    finally:
        for writer, sink in writers:
            writer.close()
            sink.close()
    return count


def _codes_table(texts: Array) -> Any:
    import pyarrow as pa

    codes = pa.array(np.arange(len(texts), dtype=np.int32))
    return pa.table({"text": pa.array(texts, pa.string()), "code": codes})


def _microseconds(time: Any) -> Any:
    """A time as microseconds since 1970, NEVER where null; the same on every engine."""
    import ibis

    since = time.delta(ibis.timestamp("1970-01-01"), unit="microsecond")
    return since.cast("int64").fill_null(int(NEVER))


def _time(table: Any, name: str) -> Any:
    return _microseconds(table[name])


def _number(table: Any, name: str) -> Any:
    return table[name].cast("float64").fill_null(float("nan"))


def _code(table: Any, name: str) -> Any:
    return table[name].fill_null(-1).cast("int32")


def _timestamp(microseconds: int) -> Any:
    import ibis

    return ibis.timestamp(str(np.datetime64(int(microseconds), "us")))


def _greatest(parts: list[Any]) -> Any:
    import ibis

    return ibis.greatest(*parts)


def _least(parts: list[Any]) -> Any:
    import ibis

    return ibis.least(*parts)
