"""Tables in the one form that everything above this room reads, and their twin in memory.

``normalise`` brings any frame of a contract table to that form: every column of the contract is
there (null where the source has none), in the contract's order, typed; ``recorded_at`` is filled
with the row's birth, ``deleted`` with False, and ``_row`` counts the rows, so that of two versions
recorded at the same moment the later row wins. Nothing is dropped, nothing is cut in time:
only features/asof.py and features/labels.py do that.

>>> import pandas as pd
>>> orders = pd.DataFrame(
...     {"order_id": [7, 8], "ordered_at": ["2026-01-01", "2026-01-02T01:00+01:00"],
...      "customer_id": ["a", "b"], "amount": [10, 20]})
>>> tables = MemoryTables({"orders": orders})
>>> tables.names
('orders',)
>>> tables.frame("orders", ["order_id", "amount", "recorded_at", "_row"])
  order_id  amount recorded_at  _row
0        7    10.0  2026-01-01     0
1        8    20.0  2026-01-02     1
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from data.contract import TABLES, Column, Table, table
from data.errors import DataError, did_you_mean
from data.plain import plain_series
from data.times import read_times
from data.words import FALSE_WORDS, TRUE_WORDS, WRITTEN, ids, is_id, numbers, words

ROW = "_row"
"""The row's position in the union of all sources: of equal versions the greatest wins."""


@runtime_checkable
class Tables(Protocol):
    """What a run reads: a snapshot on disk (data/snapshot.py) or ``MemoryTables``."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tables with at least one row, in the contract's order."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The extra columns that ``[data] attributes`` names and that are there: ``tier`` of
        customers, ``tickets.plan`` of tickets."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of everything that can be read."""

    def has(self, name: str) -> bool:
        """Whether the table has at least one row."""

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All versions of all rows, normalised; only ``columns``, in that order, if given."""

    def file(self, name: str) -> Path | None:
        """The Parquet file behind the table, None where there is none."""

    def seen_from_birth(self, name: str) -> bool:
        """Whether every row is known to be there from its birth on, and for ever: nothing was
        recorded later, deleted, or replaced. Its key, recorded_at and deleted need not be read."""


class MemoryTables:
    """Frames in memory with the same face as a snapshot: for tests, serving, simulation.

    ``frames`` may hold any subset of the contract's tables, in any accepted types.
    """

    def __init__(self, frames: Mapping[str, pd.DataFrame], attributes: Sequence[str] = ()) -> None:
        present = {name: frame for name, frame in frames.items() if table(name) and len(frame)}
        self._frames = {
            name: normalise(name, present[name], attributes) for name in TABLES if name in present
        }
        if "order_items" in self._frames and "orders" in self._frames:
            self._frames["order_items"] = _born_with_order(
                self._frames["order_items"], self._frames["orders"]
            )
        self._attributes = tuple(
            attribute_name(name, column)
            for name, rows in self._frames.items()
            for column in attributes_of(name, attributes)
            if column in rows.columns
        )
        self._fingerprint: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._frames)

    @property
    def attributes(self) -> tuple[str, ...]:
        return self._attributes

    @property
    def fingerprint(self) -> str:
        if self._fingerprint is None:
            digest = hashlib.sha256()
            for name, frame in self._frames.items():
                digest.update(f"{name}|{','.join(frame.columns)}|".encode())
                rows = pd.util.hash_pandas_object(_hashable(frame), index=False)
                digest.update(rows.to_numpy().tobytes())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def has(self, name: str) -> bool:
        return table(name).name in self._frames

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        rows = self._frames[name] if self.has(name) else empty(name, self._attributes)
        return select(name, rows, columns)

    def file(self, name: str) -> Path | None:
        return None

    def seen_from_birth(self, name: str) -> bool:
        return False  # it may well be so; nobody has looked


def columns_of(name: str, attributes: Iterable[str] = ()) -> tuple[str, ...]:
    """The columns of a normalised frame, in order, the attributes of that table among them."""
    return (*table(name).names, *attributes_of(name, attributes), ROW)


def attributes_of(name: str, attributes: Iterable[str]) -> tuple[str, ...]:
    """The columns of a table that attributes name: ``tickets.plan`` of tickets, ``tier`` of
    customers.

    >>> attributes_of("tickets", ("tier", "tickets.plan", "customers.tier"))
    ('plan',)
    >>> attributes_of("customers", ("tier", "tickets.plan", "customers.tier"))
    ('tier',)
    """
    columns: dict[str, None] = {}
    for attribute in map(_untyped, attributes):
        place, _, column = attribute.partition(".")
        owner, column = (place, column) if place in TABLES and column else ("customers", attribute)
        if owner == name and column not in table(name).names:
            columns[column] = None
    return tuple(columns)


def dates_of(name: str, attributes: Iterable[str]) -> tuple[str, ...]:
    """Those of them that are dates: ``renewal:date``.

    >>> dates_of("customers", ("tier", "renewal:date", "tickets.due: date"))
    ('renewal',)
    """
    return attributes_of(name, [one for one in attributes if _untyped(one) != one])


def _untyped(attribute: str) -> str:
    column, colon, kind = attribute.rpartition(":")
    return column.strip() if colon and kind.strip() == "date" else attribute


def attribute_name(name: str, column: str) -> str:
    """An attribute's name, as ``attributes_of`` reads it."""
    return column if name == "customers" else f"{name}.{column}"


def select(name: str, frame: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    """The named columns of a normalised frame in that order; DataError for an unknown name."""
    if columns is None:
        return frame.copy()
    for column in columns:
        if column not in frame.columns:
            raise DataError(
                f"{name} has no column {column!r}.{did_you_mean(column, frame.columns)}"
            )
    return frame[list(columns)].copy()


def empty(name: str, attributes: Sequence[str] = ()) -> pd.DataFrame:
    """A normalised frame without rows."""
    contract = table(name)
    frame = pd.DataFrame({column: pd.Series([], dtype="str") for column in contract.names})
    for attribute in attributes_of(name, attributes):
        frame[attribute] = pd.Series([], dtype="str")
    return normalise(name, frame, attributes)


def normalise(name: str, frame: pd.DataFrame, attributes: Sequence[str] = ()) -> pd.DataFrame:
    """Any frame of a contract table in the one form described at the top of this module.

    string → ``str``, timestamp → ``datetime64[us]`` naive UTC (floored), float → ``float64``,
    integer → ``Int64``, bool → ``boolean``, strings → tuples of str; empty text is null.
    ``recorded_at`` falls back to the birth; rows of order_items know theirs only beside their
    orders (``MemoryTables`` and the snapshot fill it), so it may stay null here. ``_row`` is kept
    if the frame has it, counted otherwise. Raises DataError for a missing required column and
    for a value that cannot be of its column's type, naming table, row, column and value.
    """
    contract = table(name)
    for column in contract.required:
        if column not in frame.columns:
            raise DataError(
                f"{name}: the required column {column!r} is missing."
                f"{did_you_mean(column, map(str, frame.columns))}"
            )
    out: dict[str, Any] = {}
    index = pd.RangeIndex(len(frame))
    for spec in contract.columns:
        if spec.name in frame.columns:
            out[spec.name] = _typed(frame[spec.name], spec, name)
        else:
            out[spec.name] = _null(spec).take(np.zeros(len(frame), dtype=np.int64))
    for attribute in attributes_of(name, attributes):
        if attribute in frame.columns:
            is_date = attribute in dates_of(name, attributes)
            out[attribute] = attribute_values(frame[attribute], name, is_date)
    if ROW in frame.columns:
        out[ROW] = frame[ROW].to_numpy(dtype="int64")
    else:
        out[ROW] = np.arange(len(frame), dtype="int64")
    result = pd.DataFrame(out, index=index)
    for spec in contract.columns:
        if spec.otherwise:
            result[spec.name] = result[spec.name].fillna(result[spec.otherwise])
    births = birth_times(name, result)
    result["recorded_at"] = result["recorded_at"].fillna(births)
    result["deleted"] = result["deleted"].fillna(False)
    return result


def birth_times(name: str, frame: pd.DataFrame, time_zone: str = "UTC") -> pd.Series:
    """Each row's birth, from a typed frame; all null for order_items (born with their order).

    A row of volumes is born when the next step begins. The step of a series is the least distance
    between two of its times (the table's least, for a series of one row; a day, for a table of one
    row). Days, months, quarters and years are those of ``time_zone`` where more of the times are
    midnights there than in UTC.
    """
    contract: Table = table(name)
    if contract.birth is not None:
        return frame[contract.birth]
    if name == "volumes":
        return _ends_of_intervals(frame, time_zone)
    return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]")


HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
MONTHS = {1: (28, 31), 3: (89, 92), 12: (365, 366)}
"""Between how many days so many calendar months take."""


def _ends_of_intervals(frame: pd.DataFrame, time_zone: str) -> pd.Series:
    if frame.empty:
        return frame["ds"]
    ordered = frame[["unique_id", "ds"]].drop_duplicates().sort_values(["unique_id", "ds"])
    distance = ordered.groupby("unique_id", sort=False)["ds"].diff()
    least = distance.groupby(ordered["unique_id"]).min()
    of_table = distance.min() if distance.notna().any() else DAY
    step = frame["unique_id"].map(least).fillna(of_table).astype("timedelta64[us]")
    days = (step / DAY).round()
    whole = (days > 0) & ((step - days * DAY).abs() <= HOUR)  # a clock change adds or takes one
    start, zone = frame["ds"], time_zone
    local = start.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    if (local == local.dt.normalize()).sum() <= (start == start.dt.normalize()).sum():
        local, zone = start, "UTC"
    end = local + days * DAY
    for months, (fewest, most) in MONTHS.items():
        chosen = whole & days.between(fewest, most)
        last = bool(local[chosen].dt.is_month_end.all())  # months named by their last day
        ahead = pd.offsets.MonthEnd(months) if last else pd.DateOffset(months=months)
        end = end.mask(chosen, (local[chosen] + ahead).astype("datetime64[us]"))
    first = np.ones(len(end), dtype=bool)
    end = end.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    end = end.dt.tz_convert("UTC").dt.tz_localize(None)
    return end.where(whole, start + step).astype("datetime64[us]")


def order_births(orders: pd.DataFrame) -> pd.Series:
    """When each order was born, by order_id: the earliest that a version says."""
    return orders.groupby("order_id")["ordered_at"].min()


def _born_with_order(items: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    births = items["order_id"].map(order_births(orders))
    items["recorded_at"] = items["recorded_at"].fillna(births)
    return items


FEW = 64
"""Rows of which a look at each value costs less than taking the whole column in hand."""


@lru_cache(maxsize=1024)
def _null(spec: Column) -> Any:
    """One null of a column's type: an array."""
    return _typed(pd.Series([None], dtype=object), spec, "").array


def _typed(values: pd.Series, spec: Column, name: str) -> Any:
    if len(values) <= FEW and (plain := plain_series(values, spec)) is not None:
        return plain
    values, dtype = values.reset_index(drop=True), spec.dtype
    if dtype == "string":
        if is_id(spec):
            return ids(values)
        as_written = spec.name in WRITTEN or spec.name == "unique_id"
        return words(values, ()) if as_written else words(values)
    if dtype == "timestamp":
        return _times(values, name)
    if dtype == "bool":
        return _flags(values, name)
    if dtype == "strings":
        return pd.Series([_words(value) for value in values], dtype=object)
    numbers = _numbers(values, name)
    return numbers if dtype == "float" else numbers.astype("Int64")


def _times(values: pd.Series, name: str) -> pd.Series:
    dtype = values.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    elif not pd.api.types.is_datetime64_dtype(dtype):
        if pd.api.types.is_numeric_dtype(dtype) and values.notna().any():
            raise _wrong(values, values.notna(), name, "a time")
        parsed = read_times(values)
        unread = parsed.isna() & values.notna()
        unread &= values.where(values.notna(), "").astype("str").str.strip() != ""
        if unread.any():
            raise _wrong(values, unread, name, "a time")
        values = parsed
    if values.dtype != "datetime64[us]":
        floored = values.dt.floor("us") if values.dtype == "datetime64[ns]" else values
        values = floored.astype("datetime64[us]")
    return values


def _numbers(values: pd.Series, name: str) -> pd.Series:
    parsed = numbers(values)
    if not pd.api.types.is_numeric_dtype(values.dtype):
        text = values.where(values.notna(), "").astype("str").str.strip().str.lower()
        unread = parsed.isna() & ~text.isin(["", "nan"])
        if unread.any():
            raise _wrong(values, unread, name, "a number")
    return parsed


def _flags(values: pd.Series, name: str) -> pd.Series:
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("boolean")
    if pd.api.types.is_numeric_dtype(values.dtype):
        wrong = values.notna() & ~values.isin([0, 1])
        if wrong.any():
            raise _wrong(values, wrong, name, "true or false")
        return values.astype("Float64").astype("boolean")
    words = values.where(values.notna(), None).astype(object).map(_flag_word)
    wrong = words == "?"
    if wrong.any():
        raise _wrong(values, wrong, name, "true or false")
    return words.astype("boolean")


def _flag_word(value: object) -> object:
    if value is None or value is pd.NA or value == "" or value != value:
        return pd.NA
    word = str(value).lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else "?"


def _words(value: object) -> tuple[str, ...] | None:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if isinstance(value, Iterable):
        return tuple(str(word) for word in value)
    return (str(value),)


def attribute_values(values: pd.Series, name: str, is_date: bool = False) -> pd.Series:
    """An attribute: numbers → float64, truth → boolean, times as times, else text."""
    values = values.reset_index(drop=True)
    if is_date:
        return _times(values, name)
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("boolean")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.astype("float64")
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _times(values, name)
    return words(values, ())


def _hashable(frame: pd.DataFrame) -> pd.DataFrame:
    lists = [c for c in frame.columns if frame[c].dtype == object]
    return frame.assign(**{c: frame[c].map(str, na_action="ignore") for c in lists})


def _wrong(values: pd.Series, wrong: pd.Series, name: str, wanted: str) -> DataError:
    at = int(np.flatnonzero(wrong.to_numpy(dtype=bool))[0])
    return DataError(
        f"{name} row {at + 1}, column {values.name}: {values.iloc[at]!r} is not {wanted}"
    )


def frame_of(arrow: Any, name: str) -> pd.DataFrame:
    """The normalised frame of an Arrow table of rows of the table ``name``."""
    import pyarrow as pa

    kinds = {pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = arrow.to_pandas(types_mapper=kinds.get, date_as_object=False)
    for spec in table(name).columns:
        if spec.dtype == "strings" and spec.name in frame.columns:
            frame[spec.name] = pd.Series(
                [None if v is None else tuple(v) for v in frame[spec.name]], dtype=object
            )
    return frame
