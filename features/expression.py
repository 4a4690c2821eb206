"""Our small expression tree: the values of a row that features are made of.

A value is a column, a difference of two, the earliest of some times, a day, or several joined.
Each knows from when it is known: a column of the contract from its own time on, a difference once
both sides are.

>>> Minus(Column("orders", "delivered_at"), Column("orders", "promised_at")).text
'delivered_at - promised_at'
>>> shipped = Period(Column("orders", "shipped_at"), "half_month")
>>> Joint((Column("orders", "product_id"), shipped), "lot").text
'product_id x half month of shipped_at'
>>> Column("orders", "delivred_at")
Traceback (most recent call last):
...
data.errors.DefinitionError: orders has no column 'delivred_at'. Did you mean "delivered_at"?
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, Protocol
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from data.arrays import Ints, Values
from data.contract import TABLES
from data.errors import DefinitionError, did_you_mean
from features.asof import NEVER
from features.calendar import local_times

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "string": "text",
        "timestamp": "time",
        "float": "number",
        "integer": "number",
        "bool": "flag",
        "strings": "list",
    }
)


_READ = MappingProxyType(
    {"text_complaint": "number", "text_sentiment": "number", "text_topic": "text",
     "text_known_at": "time"}
)  # fmt: skip
NOT_FEATURES = ("name", "vulnerable", "do_not_profile")
"""Columns of customers that no model may see."""
DERIVED: Mapping[str, Mapping[str, str]] = MappingProxyType({"tickets": _READ, "feedback": _READ})
"""Columns, and their kinds, that no table has: a text model adds them (features/messages.py). They
are known from ``text_known_at`` on, the moment as of which the model was fitted."""


class Value(NamedTuple):
    """A value per row. ``data``: times int64 (NEVER is null), numbers float64 (NaN is null),
    flags float64 (1, 0, NaN), text int64 codes (-1 is null). ``known``: first T at which it is
    known, None for always. ``categories``: the texts behind the codes."""

    data: Values
    known: Ints | None = None
    categories: Values | None = None

    def null(self) -> npt.NDArray[np.bool_]:
        """True where there is no value."""
        if self.categories is not None:
            return self.data == -1
        if self.data.dtype == np.int64:
            return self.data == NEVER
        return np.isnan(self.data.astype(np.float64))


class RowColumns(Protocol):
    """What expressions read: the columns of a source's rows."""

    @property
    def size(self) -> int:
        """The number of rows."""

    def column(self, column: Key) -> Value:
        """One column's values, or those of a joint."""


@dataclass(frozen=True)
class Column:
    """A column of a table. ``kind`` is asked for attributes only, which no contract knows."""

    table: str
    name: str
    kind: str = ""

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise DefinitionError(
                f"there is no table {self.table!r}."
                + (did_you_mean(self.table, TABLES) or f" There are {', '.join(TABLES)}")
            )
        contract = TABLES[self.table]
        derived = DERIVED.get(self.table, {})
        if self.name in derived:
            object.__setattr__(self, "kind", derived[self.name])
        elif self.name in contract.names:
            if self.table == "customers" and self.name in NOT_FEATURES:
                raise DefinitionError(f"customers.{self.name} is never a feature")
            if not self.kind:
                object.__setattr__(self, "kind", KINDS[contract.column(self.name).dtype])
        elif not self.kind:
            raise DefinitionError(
                f"{self.table} has no column {self.name!r}."
                + (
                    did_you_mean(self.name, (*contract.names, *derived))
                    or f" It has {', '.join(contract.names)}"
                )
            )
        if self.kind not in ("text", "time", "number", "flag"):
            raise DefinitionError(f"{self.table}.{self.name} is a {self.kind}: of no use here")

    @property
    def known_at(self) -> str | None:
        """The column whose time tells from when this one is known; None: from birth."""
        if self.name in DERIVED.get(self.table, {}):
            return "text_known_at"
        contract = TABLES[self.table]
        return contract.column(self.name).known_at if self.name in contract.names else None

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self,)

    @property
    def text(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        return self.name.removesuffix("_at")

    def value(self, rows: RowColumns) -> Value:
        return rows.column(self)


@dataclass(frozen=True)
class Minus:
    """The time from ``right`` to ``left``, in microseconds, or a difference of numbers."""

    left: Column
    right: Column
    label: str = "difference"

    def __post_init__(self) -> None:
        if self.left.kind != self.right.kind or self.left.kind not in ("time", "number"):
            raise DefinitionError(f"{self.text} takes {self.right.kind} from {self.left.kind}")

    @property
    def kind(self) -> str:
        return "duration" if self.left.kind == "time" else "number"

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.left, self.right)

    @property
    def text(self) -> str:
        return f"{self.left.text} - {self.right.text}"

    def value(self, rows: RowColumns) -> Value:
        left, right = self.left.value(rows), self.right.value(rows)
        known = latest(left.known, right.known)
        if self.kind == "number":
            return Value(left.data - right.data, known)  # type: ignore[operator]
        null = left.null() | right.null()
        return Value(np.where(null, NEVER, left.data - right.data), known)  # type: ignore[operator]


@dataclass(frozen=True)
class Earliest:
    """The first of several times to pass; a null never passes."""

    times: tuple[Column, ...]

    kind = "time"

    def __post_init__(self) -> None:
        for time in self.times:
            if time.kind != "time":
                raise DefinitionError(f"{time.table}.{time.name} is a {time.kind}, not a time")

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.times

    @property
    def label(self) -> str:
        return "or_".join(time.label for time in self.times)

    @property
    def text(self) -> str:
        return f"earliest({', '.join(time.text for time in self.times)})"

    def value(self, rows: RowColumns) -> Value:
        first = np.full(rows.size, NEVER)
        for time in self.times:
            np.minimum(first, time.value(rows).data, out=first)
        return Value(first, np.where(first == NEVER, NEVER, first + 1))


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    """Names of zones; looking for them reads hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


EPOCH = 2**20
"""Days are counted from so many before 1970, so that none is negative."""


@dataclass(frozen=True)
class Day:
    """The local day of a time: to count on how many days something happened."""

    time: Column
    time_zone: str = "UTC"

    kind = "day"

    def __post_init__(self) -> None:
        if self.time.kind != "time":
            raise DefinitionError(f"{self.time.table}.{self.time.name} is a {self.time.kind}")
        if self.time_zone not in _time_zones():
            raise DefinitionError(
                f"there is no time zone {self.time_zone!r}."
                + did_you_mean(self.time_zone, _time_zones())
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.time,)

    @property
    def label(self) -> str:
        return "day"

    @property
    def text(self) -> str:
        zone = "" if self.time_zone == "UTC" else f" in {self.time_zone}"
        return f"day of {self.time.text}{zone}"

    def value(self, rows: RowColumns) -> Value:
        moments = self.time.value(rows)
        times = moments.data.astype(np.int64, copy=False)
        null = times == NEVER
        utc = np.where(null, 0, times).astype("datetime64[us]")
        days = local_times(utc, self.time_zone).astype("datetime64[D]").astype(np.int64)
        return Value(np.where(null, NEVER, days + EPOCH), moments.known)


PERIODS = ("week", "half_month", "month")


@dataclass(frozen=True)
class Period:
    """The local week, half month (to the 15th, from the 16th) or month of a time, as a number that
    grows with it: a part of a ``Joint``."""

    time: Column
    length: str
    time_zone: str = "UTC"

    kind = "period"

    def __post_init__(self) -> None:
        if self.length not in PERIODS:
            raise DefinitionError(f"no period {self.length!r}; there are {PERIODS}")
        Day(self.time, self.time_zone)  # makes the same demands

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.time,)

    @property
    def text(self) -> str:
        zone = "" if self.time_zone == "UTC" else f" in {self.time_zone}"
        return f"{self.length.replace('_', ' ')} of {self.time.text}{zone}"

    def value(self, rows: RowColumns) -> Value:
        days = Day(self.time, self.time_zone).value(rows)
        null = days.null()
        count = np.where(null, 0, days.data.astype(np.int64) - EPOCH)
        if self.length == "week":
            number = (count + 3) // 7  # 1970 began on a Thursday
        else:
            date = count.astype("datetime64[D]")
            month = date.astype("datetime64[M]")
            number = month.astype(np.int64)
            if self.length == "half_month":
                day = (date - month.astype("datetime64[D]")).astype(np.int64)
                number = 2 * number + (day >= 15)
        return Value(np.where(null, NEVER, number), days.known)


@dataclass(frozen=True)
class Joint:
    """Several texts or periods of a row as one text, to group by: the product and the half month
    in which it was shipped are its lot, carrier and region its route. Null where a part is, known
    once all are. ``label`` stands in the names of features."""

    parts: tuple[Column | Period, ...]
    label: str

    kind = "text"

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise DefinitionError(
                f"{self.label} joins {len(self.parts)} part: it takes two or more"
            )
        for part in self.parts:
            if part.kind not in ("text", "period"):
                raise DefinitionError(
                    f"{self.label} joins {part.text}, a {part.kind}: it takes texts and periods"
                )
            if "customer_id" in (column.name for column in part.columns):
                raise DefinitionError(f"{self.label} joins customers, who are a key by themselves")

    @property
    def name(self) -> str:
        """As a column has one."""
        return self.label

    @property
    def known_at(self) -> str | None:
        """The last of the columns by which a part is known late; None: all are from birth."""
        names = [column.known_at for column in self.columns if column.known_at]
        return names[-1] if names else None

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for part in self.parts for column in part.columns)

    @property
    def text(self) -> str:
        return " x ".join(part.text for part in self.parts)

    def value(self, rows: RowColumns) -> Value:
        return rows.column(self)  # ``joined`` put it there when the rows were read


def joined(joint: Joint, rows: RowColumns) -> Value:
    """The texts of a joint, made of its parts' values: percent-escaped, a slash between them."""
    values = [part.value(rows) for part in joint.parts]
    known: Ints | None = None
    null = np.zeros(rows.size, dtype=bool)
    for value in values:
        known = latest(known, value.known)
        null |= value.null()
    at = np.flatnonzero(~null)
    codes, texts = np.zeros(len(at), dtype=np.int64), [""]
    for value in values:
        own, place = np.unique(value.data[at].astype(np.int64), return_inverse=True)
        pairs, codes = np.unique(codes * max(1, len(own)) + place, return_inverse=True)
        names = [_named(value, number) for number in own.tolist()]
        before = (divmod(pair, max(1, len(own))) for pair in pairs.tolist())
        texts = [f"{texts[a]}/{names[b]}" for a, b in before]
    all_codes = np.full(rows.size, -1)
    all_codes[at] = codes
    return Value(all_codes, known, np.array(texts, dtype=object))


def _named(value: Value, number: int) -> str:
    return str(number) if value.categories is None else quote(str(value.categories[number]), "")


Expression = Column | Minus | Earliest | Day | Joint
Key = Column | Joint
"""What rows are grouped by."""


def read_columns(columns: Iterable[Key]) -> set[Column]:
    """The columns of tables that are behind these."""
    return {part for column in columns for part in column.columns}


def latest(left: Ints | None, right: Ints | None) -> Ints | None:
    if left is None or right is None:
        return right if left is None else left
    return np.maximum(left, right)
