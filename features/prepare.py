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
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Ints, Values
from data.contract import TABLES
from data.engines import connect
from data.errors import DataError
from data.settings_tree import Engine
from data.snapshot import Snapshot
from data.tables import ROW
from features.asof import NEVER, spans
from features.expression import Column, Joint, Key, Value, joined
from features.history import needed_columns
from features.sources import SIGHTINGS, Rows, Source
from features.spec import Node, Term

BATCH = 1_000_000
CUSTOMER = "customer_id"


@dataclass(frozen=True)
class Prepared:
    """What ``prepare`` left in a folder: a file per source and shard, and what its codes mean."""

    folder: Path
    names: Values
    lines: int
    """Customers in a shard; the last has fewer."""
    sources: Mapping[Source, tuple[Key, ...]]
    """What is there of each: columns, then joints."""
    categories: Mapping[Key, Values]
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

    def __init__(self, snapshot: Snapshot, engine: Engine) -> None:
        files = {name: snapshot.file(name) for name in snapshot.names}
        self.snapshot = snapshot
        self._files = {name: file for name, file in files.items() if file is not None}
        self._con = connect(engine, sorted({file.parent for file in self._files.values()}))
        self._known: dict[str, Any] = {}

    def table(self, name: str) -> Any:
        """A table, or what was put under that name."""
        if name not in self._known:
            file = str(self._files[name])
            self._known[name] = self._con.read_parquet(file, table_name=f"file_{name}")
        return self._known[name]

    def put(self, name: str, rows: Any) -> None:
        """An Arrow table or a frame, to be joined with."""
        self._con.con.register(name, rows)
        self._known[name] = self._con.table(name)

    def stream(self, expression: Any) -> Any:
        """The result of an expression, as a reader of Arrow batches."""
        return self._con.con.sql(self.compile(expression)).to_arrow_reader(BATCH)

    def compile(self, expression: Any) -> str:
        """An expression as SQL."""
        return str(self._con.compile(expression))


def customers_of(files: Files) -> Values:
    """Every customer there is, in order: of the customers table, or seen in orders, usage,
    tickets where there is none."""
    tables = files.snapshot
    named = ["customers"] if tables.has("customers") else [s.table for s in SIGHTINGS]
    found = [files.table(name)[[CUSTOMER]] for name in named if tables.has(name)]
    if not found:
        raise DataError("there is neither a customer, an order, a use nor a ticket")
    every = found[0]
    for more in found[1:]:
        every = every.union(more)
    known = every.filter(every[CUSTOMER] != "").order_by(CUSTOMER)
    if len(found) > 1 or tables.versioned("customers") or not tables.has("customers"):
        known = known.distinct().order_by(CUSTOMER)
    names = files.stream(known).read_all()[CUSTOMER].to_numpy()
    return np.asarray(names, dtype=object)


def prepare(
    nodes: Sequence[Node],
    files: Files,
    times: Ints,
    names: Values,
    folder: Path,
    *,
    lines: int,
    progress: Callable[[float, str], None] | None = None,
) -> Prepared:
    """Writes the rows that the nodes can count at ``times`` into ``folder``, by source and shard.

    ``names`` are the customers, sorted; others' rows are kept where groups count them. ``lines``
    customers make a shard.
    """
    files.put("customer_names", _codes_table(names))
    terms = [term for node in nodes for term in node.terms()]
    needed = needed_columns(terms)
    sources = {source: tuple(sorted(cols, key=_by_name)) for source, cols in needed.items()}
    every = {column for columns in sources.values() for column in columns}
    categories: dict[Key, Values] = {column: names for column in every if column.name == CUSTOMER}
    texts: dict[Key, dict[str, int]] = {
        column: {} for column in every if column.kind == "text" and column.name != CUSTOMER
    }
    rows: dict[Source, int] = {}
    made = Prepared(folder, names, lines, sources, categories, rows)
    reader = _Reader(files, _limits(terms, times))
    for number, (source, columns) in enumerate(sources.items()):
        own = [term for term in terms if term.source == source]
        query = reader.source(source, tuple(c for c in columns if isinstance(c, Column)), own)
        rows[source] = _write(made, source, columns, files.stream(query), texts)
        if progress is not None:
            progress((number + 1) / len(sources), f"reading {source.label}")
    categories |= {column: np.array(list(codes), dtype=object) for column, codes in texts.items()}
    return made


def _by_name(column: Key) -> tuple[str, str]:
    """Joints last, after the parts that they are made of."""
    return (column.table if isinstance(column, Column) else "~", column.name)


def _bounds(terms: Iterable[Term], times: Ints) -> tuple[int | None, int]:
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


def _limits(terms: Sequence[Term], times: Ints) -> dict[str, tuple[int | None, int]]:
    """``_bounds`` of each table that is counted in, over all sources that it is in."""
    by_table: dict[str, list[Term]] = {}
    for term in terms:
        by_table.setdefault(term.source.table, []).append(term)
    return {name: _bounds(own, times) for name, own in by_table.items()}


class _Reader:
    """Expressions over the tables' files. ``limits``: births that matter, by table."""

    def __init__(self, files: Files, limits: Mapping[str, tuple[int | None, int]]) -> None:
        self.files, self.limits = files, limits
        self.known: dict[str, tuple[bool, bool]] = {}

    def source(
        self,
        source: Source,
        columns: tuple[Column, ...],
        terms: Sequence[Term],
    ) -> Any:
        """The source's rows: a column ``c0``, ``c1``, ... per column, and ``k0`` where it is known
        late; ``start`` and ``end`` unless all are seen from birth on, for ever; ``position`` where
        it can matter."""
        own = self._rows_known(source.table, columns, source)
        plain = not any(self._shape(source.table)) and not source.beside
        if source.beside:
            other = self._rows_known(source.beside, columns, source)
            link = source.link
            other = other.rename({f"beside_{c}": c for c in other.columns})
            if source.latest:
                both = _beside_latest(source, own, other)
            else:
                both = own.inner_join(other, own[link] == other[f"beside_{link}"])
            starts = [both.start, both.beside_start]
            known = TABLES[source.table].column(link).known_at
            if known is not None:
                starts.append(_microseconds(both[known]) + 1)
            both = both.mutate(start=_greatest(starts), end=_least([both.end, both.beside_end]))
            own = both.filter(both.start < both.end)
        if any(column.name == CUSTOMER for column in columns):
            codes = self.files.table("customer_names")
            named = "beside_" if source.table == "order_items" else ""
            on = own[named + CUSTOMER] == codes.text
            own = own.left_join(codes, on) if _any_groups(terms) else own.inner_join(codes, on)
        out = {} if plain else {"start": own.start, "end": own.end}
        if any(term.operation in ("last", "distinct") for term in terms):
            out["position"] = own[ROW]
        for number, column in enumerate(columns):
            beside = "" if column.table == source.table else "beside_"
            out[f"c{number}"] = own.code if column.name == CUSTOMER else own[beside + column.name]
            if column.known_at is not None:
                out[f"k{number}"] = own[beside + column.known_at]
        return own.select(**out)

    def _rows_known(self, name: str, columns: tuple[Column, ...], source: Source) -> Any:
        """The rows of a table that are not deleted, with the interval in which each is seen."""
        import ibis

        contract = TABLES[name]
        own = [c for c in columns if c.table == name]
        facts = {c.known_at for c in own if c.known_at}
        if source.link and name == source.table:
            fact = contract.column(source.link).known_at
            facts |= {fact} if fact else set()
        wanted = {c.name for c in own} | facts | ({source.link} if source.link else set())
        if source.latest:
            more = (*contract.key, source.latest) if name == source.beside else (source.time.name,)
            wanted |= set(more)
        late, versions = self._shape(name)
        table = self._within(name) if name == source.table else self.files.table(name)
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

    def _within(self, name: str) -> Any:
        """The rows whose birth can matter; the filter is on the raw column, so files are skipped
        in part."""
        table, contract = self.files.table(name), TABLES[name]
        if contract.birth is None or name not in self.limits:
            return table
        low, high = self.limits[name]
        table = table.filter(table[contract.birth] < _timestamp(high))
        return table if low is None else table.filter(table[contract.birth] >= _timestamp(low))

    def _shape(self, name: str) -> tuple[bool, bool]:
        """Whether rows were recorded other than at birth, or deleted; whether keys repeat, in
        which case the moments at which versions end are put where ``_seen`` finds them."""
        if name not in self.known:
            snapshot = self.files.snapshot
            versions = snapshot.versioned(name) and self._put_ends(name)
            self.known[name] = (not snapshot.seen_from_birth(name), versions)
        return self.known[name]

    def _put_ends(self, name: str) -> bool:
        contract, table = TABLES[name], self.files.table(name)
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


def _beside_latest(source: Source, own: Any, other: Any) -> Any:
    """Rows with the versions of the other table's row that was the latest when they came."""
    import ibis

    [key] = TABLES[source.beside].key
    when = other[f"beside_{source.latest}"]
    same = own[source.link] == other[f"beside_{source.link}"]
    seen = [other.beside_start <= own.start, own.start < other.beside_end]
    pairs = own.inner_join(other, [same, when < own[source.time.name], *seen])
    place = ibis.row_number().over(
        ibis.window(
            group_by=pairs[ROW],
            order_by=[pairs[f"beside_{source.latest}"].desc(), pairs[f"beside_{ROW}"].desc()],
        )
    )
    latest = pairs.mutate(place=place)
    latest = latest.filter(latest.place == 0).select(own_row=ROW, latest_key=f"beside_{key}")
    named = own.inner_join(latest, own[ROW] == latest.own_row)
    return named.inner_join(other, named.latest_key == other[f"beside_{key}"])


def _any_groups(terms: Iterable[Term]) -> bool:
    """Whether rows of nobody's, or of others', count too."""
    return any(term.key is None or term.key.name != CUSTOMER for term in terms)


def _write(
    made: Prepared,
    source: Source,
    columns: tuple[Key, ...],
    batches: Any,
    texts: Mapping[Key, dict[str, int]],
) -> int:
    """Streams a source's rows into a file per shard, in integers and floats."""
    import pyarrow as pa

    key = next((f"c{i}" for i, c in enumerate(columns) if c.name == CUSTOMER), None)
    shards = made.shards
    writers: list[Any] = []
    count = 0
    try:
        for number, batch in enumerate(batches):
            arrays = {
                name: _as_numbers(batch.column(name), _column_of(name, columns), texts)
                for name in batch.schema.names
            }
            _join(arrays, columns, texts)
            if not writers:
                schema = pa.schema([(n, pa.from_numpy_dtype(a.dtype)) for n, a in arrays.items()])
                for shard in range(shards):
                    sink = pa.OSFile(str(made.file(source, shard)), "wb")
                    writers.append((pa.ipc.new_file(sink, schema), sink))
            count += batch.num_rows
            if key is None or shards == 1:  # groups' rows may lie anywhere
                whole = pa.record_batch(list(arrays.values()), schema=schema)
                writers[number % shards][0].write_batch(whole)
                continue
            shard_of = np.maximum(arrays[key], 0) // np.int32(made.lines)
            small = shard_of.astype(np.uint8 if shards <= 256 else np.uint16)
            order = np.argsort(small, kind="stable")
            ordered = [array.take(order) for array in arrays.values()]
            ends = np.cumsum(np.bincount(small, minlength=shards))
            begins = np.append(0, ends[:-1])
            for shard in np.flatnonzero(ends > begins).tolist():
                piece = [array[begins[shard] : ends[shard]] for array in ordered]
                writers[shard][0].write_batch(pa.record_batch(piece, schema=schema))
    finally:
        for writer, sink in writers:
            writer.close()
            sink.close()
    return count


def _join(
    arrays: dict[str, npt.NDArray[Any]],
    columns: tuple[Key, ...],
    texts: Mapping[Key, dict[str, int]],
) -> None:
    """Adds the codes of the joints to a batch, which has their parts."""
    parts = {part for column in columns if isinstance(column, Joint) for part in column.columns}
    values: dict[Key, Value] = {}
    place = np.arange(len(arrays["c0"]))
    for number, column in enumerate(columns):
        if isinstance(column, Joint):
            made = joined(column, Rows(place, place, place, values))
            assert made.categories is not None
            known = texts[column]
            codes = [known.setdefault(text, len(known)) for text in made.categories.tolist()]
            arrays[f"c{number}"] = np.array([*codes, -1], dtype=np.int32)[made.data]
        elif column in parts:  # the texts of others, an issue of each ticket, can be millions
            told = np.array(list(texts[column]), object) if column.kind == "text" else None
            values[column] = Value(arrays[f"c{number}"], None, told)


def _column_of(name: str, columns: tuple[Key, ...]) -> Key | None:
    """The column behind a ``c`` of the stream; None for times and whatever else stands there."""
    return columns[int(name[1:])] if name[0] == "c" else None


def _as_numbers(
    array: Any, column: Key | None, texts: Mapping[Key, dict[str, int]]
) -> npt.NDArray[Any]:
    """Times as microseconds (NEVER where null), texts as codes (-1), numbers as they are (NaN)."""
    import pyarrow as pa

    if pa.types.is_timestamp(array.type):
        return _filled(array.cast(pa.int64()), NEVER)
    if column in texts:
        assert column is not None
        known = texts[column]
        told = array.dictionary_encode()
        codes = [known.setdefault(text, len(known)) for text in told.dictionary.to_pylist()]
        return np.array([*codes, -1], dtype=np.int32)[_filled(told.indices, -1)]
    if pa.types.is_boolean(array.type) or pa.types.is_floating(array.type):
        return _filled(array.cast(pa.float64()), np.nan)
    if column is not None and column.kind == "number":
        return _filled(array.cast(pa.float64()), np.nan)
    return _filled(array, -1)


def _filled(array: Any, null: Any) -> npt.NDArray[Any]:
    import pyarrow as pa

    filled = array.fill_null(pa.scalar(null, array.type)) if array.null_count else array
    return filled.to_numpy(zero_copy_only=False)


def _codes_table(texts: Values) -> Any:
    import pyarrow as pa

    codes = pa.array(np.arange(len(texts), dtype=np.int32))
    return pa.table({"text": pa.array(texts, pa.string()), "code": codes})


def _microseconds(time: Any) -> Any:
    """A time as microseconds since 1970, NEVER where null; the same on every engine."""
    import ibis

    since = time.delta(ibis.timestamp("1970-01-01"), unit="microsecond")
    return since.cast("int64").fill_null(int(NEVER))


def _timestamp(microseconds: int) -> Any:
    import ibis

    return ibis.timestamp(str(np.datetime64(int(microseconds), "us")))


def _greatest(parts: list[Any]) -> Any:
    import ibis

    return ibis.greatest(*parts)


def _least(parts: list[Any]) -> Any:
    import ibis

    return ibis.least(*parts)
