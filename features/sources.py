"""Sources: the tables that features count in, and their rows as arrays for the kernel.

A source is a table, alone or beside another whose row it names (an item's order, an order's
customer). ``read_rows`` makes arrays of sources: integer times, codes for texts, and for each row
the half-open interval of T in which it is seen. Beside a versioned row a row is split into one part
for each version, so that at every T it has the region, the carrier, ... that were known at T.

>>> from features.sources import ORDERS
>>> ORDERS["promised_at"].kind
'time'
>>> ITEMS["carrier"].table  # an item's order's carrier
'orders'
>>> ORDERS["region"]
Traceback (most recent call last):
...
data.errors.DefinitionError: orders has no column 'region'. ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.arrays import Ints
from data.contract import TABLES
from data.errors import DataError, DefinitionError, did_you_mean
from data.tables import ROW, Tables
from features.asof import NEVER, spans, spans_from_birth, times_of
from features.expression import Column, Joint, Key, Value, joined, read_columns


@dataclass(frozen=True)
class Source:
    """A table to count in; with ``beside``, its rows know the row of that table that they name.

    ``link`` is the column, of the same name in both tables, by which they know it. With ``latest``,
    a time of the other table, rows do not name one: it is the one of the same ``link`` whose time
    passed last before the row's own moment, as was known then. ``label``
    begins the names of features; ``time`` is the column of the row's moment, its birth.
    """

    table: str
    label: str = ""
    beside: str = ""
    link: str = ""
    latest: str = ""

    def __post_init__(self) -> None:
        for name in (self.table, *((self.beside,) if self.beside else ())):
            if name not in TABLES:
                raise DefinitionError(f"there is no table {name!r}.{did_you_mean(name, TABLES)}")
        if self.beside and (
            (TABLES[self.beside].key != (self.link,) and not self.latest)
            or self.link not in TABLES[self.table].names
        ):
            raise DefinitionError(
                f"{self.table} does not name a row of {self.beside} by {self.link!r}"
            )
        if self.table == "order_items" and self.beside != "orders":
            raise DefinitionError("order_items are born with their orders: put them beside orders")
        if not self.label:
            object.__setattr__(self, "label", self.table)

    def with_own(self, kinds: Mapping[tuple[str, str], str]) -> Source:
        """An equal source that knows the company's own columns, by (table, column) their kinds."""
        own = replace(self)
        object.__setattr__(own, "_own", {**getattr(self, "_own", {}), **kinds})
        return own

    def __getitem__(self, name: str) -> Column:
        for table in self.tables:
            kind = getattr(self, "_own", {}).get((table, name))
            if kind is not None:
                return Column(table, name, kind)
        if self.beside and name not in TABLES[self.table].names:
            return Column(self.beside, name)
        return Column(self.table, name)

    @property
    def tables(self) -> tuple[str, ...]:
        return (self.table, self.beside) if self.beside else (self.table,)

    @property
    def time(self) -> Column:
        """The moment of a row: its birth, or its order's."""
        birth = TABLES[self.table].birth
        if birth is not None:
            return Column(self.table, birth)
        other = TABLES[self.beside].birth if self.beside else None
        if other is None:
            raise DefinitionError(f"{self.table} has no moment to count by")
        return Column(self.beside, other)

    def with_customer(self) -> Source:
        """The same rows, beside their customer."""
        return Source(self.table, self.label, "customers", "customer_id")


CUSTOMERS = Source("customers")
ORDERS = Source("orders")
ITEMS = Source("order_items", "items", "orders", "order_id")
USAGE = Source("usage")
TICKETS = Source("tickets")
BOT_SESSIONS = Source("bot_sessions", "bot")
FEEDBACK = Source("feedback")
ARTICLE_EVENTS = Source("article_events", "articles")
VIEWED_ARTICLES = Source("article_events", "articles", "articles", "article_id")
CALENDAR = Source("calendar")
TREATMENTS = Source("treatments")
SIGHTINGS = (ORDERS, USAGE, TICKETS)
"""Where customers are seen first when there is no table of them."""
TICKETS_OF_ORDERS = Source("tickets", "tickets", "orders", "order_id")
TICKETS_AFTER_ORDERS = Source("tickets", "tickets", "orders", "customer_id", "delivered_at")
"""Where tickets name no order: beside what their customer received last before they wrote."""


@dataclass
class Rows:
    """A source's rows. ``start`` <= T < ``end`` is when each is seen; ``position`` breaks ties."""

    start: Ints
    end: Ints
    position: Ints
    values: dict[Key, Value]

    @property
    def size(self) -> int:
        return len(self.start)

    def column(self, column: Key) -> Value:
        return self.values[column]

    def copy(self) -> Rows:
        """The same rows, to be given further columns."""
        return Rows(self.start, self.end, self.position, dict(self.values))

    def only(self, columns: Iterable[Key]) -> Rows:
        """The same rows with these columns."""
        values = {column: self.values[column] for column in columns}
        return Rows(self.start, self.end, self.position, values)

    def take(self, at: Ints) -> Rows:
        """The rows at some positions, in that order."""
        values = {
            column: Value(
                value.data[at],
                None if value.known is None else value.known[at],
                value.categories,
            )
            for column, value in self.values.items()
        }
        return Rows(self.start[at], self.end[at], self.position[at], values)


def read_rows(tables: Tables, needed: Mapping[Source, Iterable[Key]]) -> dict[Source, Rows]:
    """The rows of each source with these columns and joints; each table is read once.

    A source's own moment is always among its columns.
    """
    rows_of = _read_columns(
        tables, {source: read_columns(columns) for source, columns in needed.items()}
    )
    for source, columns in needed.items():
        for column in columns:
            if isinstance(column, Joint):
                rows = rows_of[source] = rows_of[source].copy()
                rows.values[column] = joined(column, rows)
    return rows_of


def columns_by_table(needed: Mapping[Source, Iterable[Key]]) -> dict[str, set[Column]]:
    """The columns of each table that sources with these columns and joints are made of."""
    columns_of: dict[str, set[Column]] = {}
    for source, columns in needed.items():
        for column in {*read_columns(columns), source.time}:
            columns_of.setdefault(column.table, set()).add(column)
        for name in source.tables if source.beside else ():
            columns_of.setdefault(name, set()).add(Column(name, source.link))
        if source.latest:
            columns_of[source.beside] |= _of_latest(source)
    return columns_of


def names_to_read(tables: Tables, name: str, columns: Iterable[Column]) -> list[str]:
    """The columns of a table's frame that tell these, and when each row is seen."""
    contract = TABLES[name]
    facts = {column.known_at for column in columns if column.known_at}
    birth = {contract.birth} if contract.birth else set()
    versions = set() if tables.seen_from_birth(name) else {*contract.key, "recorded_at", "deleted"}
    return [*sorted({*(column.name for column in columns), *facts, *birth, *versions}), ROW]


def _read_columns(tables: Tables, needed: Mapping[Source, set[Column]]) -> dict[Source, Rows]:
    wanted = {source: {*columns, source.time} for source, columns in needed.items()}
    whole = {n: _read(tables, n, columns) for n, columns in columns_by_table(wanted).items()}
    out: dict[Source, Rows] = {}
    for source, columns in wanted.items():
        own = whole[source.table]
        if not source.beside:
            out[source] = own
            continue
        left, right = Column(source.table, source.link), Column(source.beside, source.link)
        mine = own.only({c for c in columns if c.table == source.table} | {left})
        theirs = whole[source.beside].only(
            {c for c in columns if c.table == source.beside} | {right} | _of_latest(source)
        )
        if source.latest:
            out[source] = _beside_latest(source, mine, theirs)
        else:
            out[source] = _side_by_side(mine, theirs, left, right)
    return out


def _of_latest(source: Source) -> set[Column]:
    """The columns of the other table that tell which of its rows was the latest."""
    if not source.latest:
        return set()
    return {Column(source.beside, name) for name in (*TABLES[source.beside].key, source.latest)}


def _read(tables: Tables, name: str, columns: set[Column]) -> Rows:
    frame = tables.frame(name, names_to_read(tables, name, columns)) if tables.has(name) else None
    if frame is None or not len(frame):
        nothing = np.array([], dtype=np.int64)
        return Rows(nothing, nothing, nothing, {column: _no_value(column) for column in columns})
    birth = TABLES[name].birth
    if birth is not None and tables.seen_from_birth(name):
        spells = spans_from_birth(times_of(frame[birth]))
    else:
        spells = spans(frame, name)
    frame = frame.iloc[spells.rows] if len(spells.rows) < len(frame) else frame
    values: dict[Key, Value] = {}
    for column in columns:
        kind = _kind(frame[column.name])
        if kind != column.kind:
            raise DataError(
                f"{name}.{column.name} is a {kind}, but the view was made for a {column.kind}"
            )
        known = None
        if column.known_at is not None:
            moments = times_of(frame[column.known_at])
            known = np.where(moments == NEVER, NEVER, moments + 1)
        values[column] = _value(frame[column.name], known)
    return Rows(spells.start, spells.end, frame[ROW].to_numpy(dtype=np.int64), values)


def _no_value(column: Column) -> Value:
    whole = column.kind in ("time", "text")
    known = None if column.known_at is None else np.array([], dtype=np.int64)
    texts = np.array([], dtype=object) if column.kind == "text" else None
    return Value(np.array([], dtype=np.int64 if whole else np.float64), known, texts)


def _kind(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values.dtype):
        return "flag"
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "time"
    return "number" if pd.api.types.is_numeric_dtype(values.dtype) else "text"


def attribute(tables: Tables, name: str, of: str = "customers") -> Column:
    """The column of an attribute that ``[data] attributes`` names, of the kind that it is."""
    return Column(of, name, _kind(tables.frame(of, [name])[name]))


def _value(values: pd.Series, known: Ints | None) -> Value:
    kind = _kind(values)
    if kind == "time":
        return Value(times_of(values), known)
    if kind == "text":
        codes, categories = pd.factorize(values, use_na_sentinel=True)
        return Value(codes.astype(np.int64), known, np.asarray(categories, dtype=object))
    return Value(values.to_numpy(dtype=np.float64, na_value=np.nan), known)


def _side_by_side(own: Rows, other: Rows, left: Column, right: Column) -> Rows:
    """Each row of ``own`` with every version of the row of ``other`` that it names, for the time
    in which both are seen."""
    named = _codes_in(other.values[right], own.values[left])
    start = own.start
    known_link = own.values[left].known
    if known_link is not None:
        start = np.maximum(start, known_link)
    return _versions(own, other, start, named, other.values[right].data.astype(np.int64))


def _codes_in(theirs: Value, mine: Value) -> Ints:
    """The other side's code of each text of this side; -1 where it is null or not there."""
    assert mine.categories is not None and theirs.categories is not None
    place = pd.Index(theirs.categories).get_indexer(pd.Index(mine.categories))
    return np.append(place, -1)[mine.data.astype(np.int64)].astype(np.int64)


def _versions(own: Rows, other: Rows, start: Ints, named: Ints, codes: Ints) -> Rows:
    """Each row of ``own`` with every row of ``other`` of the code that it names (-1: none), from
    ``start`` on, as long as both are seen."""
    order = np.argsort(codes, kind="stable")
    grouped = codes[order]
    first = np.searchsorted(grouped, named, "left")
    count = np.where(named < 0, 0, np.searchsorted(grouped, named, "right") - first)
    at = np.repeat(np.arange(own.size), count)
    step = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    beside = order[np.repeat(first, count) + step]
    joined, versions = own.take(at), other.take(beside)
    out = Rows(
        np.maximum(start[at], versions.start),
        np.minimum(joined.end, versions.end),
        joined.position,
        {**joined.values, **versions.values},
    )
    return out.take(np.flatnonzero(out.start < out.end))


def _beside_latest(source: Source, own: Rows, other: Rows) -> Rows:
    """Each row of ``own`` with the versions of the row of ``other`` that was the latest when it
    came: of the same link, its time passed, as it was seen at that moment."""
    link, key = (
        Column(source.beside, source.link),
        Column(source.beside, *TABLES[source.beside].key),
    )
    who = other.values[link].data.astype(np.int64)
    when = other.values[Column(source.beside, source.latest)].data.astype(np.int64)
    codes = other.values[key].data.astype(np.int64)
    mine = _codes_in(other.values[link], own.values[Column(source.table, source.link)])
    born = own.values[source.time].data.astype(np.int64)
    passed = np.flatnonzero((when != NEVER) & (who >= 0))
    passed = passed[np.lexsort((other.position[passed], when[passed], who[passed]))]
    # one number that orders by who, then when
    times = np.unique(when[passed])
    rank = np.searchsorted(times, when[passed]) + who[passed] * (len(times) + 1)
    sought = np.searchsorted(times, born) + mine * (len(times) + 1)
    at = np.searchsorted(rank, sought, "left") - 1
    named = np.full(own.size, -1)
    open_ = np.flatnonzero((mine >= 0) & (at >= 0))
    while len(open_):
        row = passed[at[open_]]
        same = who[row] == mine[open_]
        there = (other.start[row] <= own.start[open_]) & (own.start[open_] < other.end[row])
        named[open_[same & there]] = codes[row[same & there]]
        at[open_] -= 1  # a version that was not seen then: the one before
        open_ = open_[same & ~there & (at[open_] >= 0)]
    return _versions(own, other, own.start, named, codes)
