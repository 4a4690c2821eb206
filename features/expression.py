"""Our small expression tree: what a feature says about a row, and from when that was known.

A value is a column, a difference or the earliest of some times. A predicate is, for each row,
unknown at first, and becomes true or false for good at the moment when the last fact that it needs
is known; so it evaluates to two arrays, the first T at which it is true and the first T at which
it is false (``NEVER`` where that does not happen). ``and`` is the later of the trues, ``or`` the
earlier, ``not`` swaps: a logic of three values, with times for truths. A fact can therefore never
be used before it was known, whatever is written.

>>> late = Compare(">", Column("orders", "delivered_at"), Column("orders", "promised_at"))
>>> late.text
'delivered_at > promised_at'
>>> Column("orders", "delivred_at")
Traceback (most recent call last):
...
data.errors.DefinitionError: orders has no column 'delivred_at'. Did you mean "delivered_at"?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from data.contract import TABLES
from data.errors import DefinitionError, did_you_mean
from features.asof import ALWAYS, NEVER, Int64

Array = npt.NDArray[np.generic]

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


class Value(NamedTuple):
    """A value per row. ``data``: times int64 (NEVER is null), numbers float64 (NaN is null),
    flags float64 (1, 0, NaN), text int64 codes (-1 is null). ``known``: first T at which it is
    known, None for always. ``categories``: the texts behind the codes."""

    data: Array
    known: Int64 | None = None
    categories: Array | None = None

    def null(self) -> npt.NDArray[np.bool_]:
        """True where there is no value."""
        if self.categories is not None:
            return self.data == -1
        if self.data.dtype == np.int64:
            return self.data == NEVER
        return np.isnan(self.data.astype(np.float64))


class Truth(NamedTuple):
    """The first T at which a predicate is true, and at which it is false, per row."""

    true_from: Int64
    false_from: Int64


class RowColumns(Protocol):
    """What expressions read: the columns of a source's rows."""

    @property
    def size(self) -> int:
        """The number of rows."""

    def column(self, column: Column) -> Value:
        """One column's values."""


@dataclass(frozen=True)
class Column:
    """A column of a table. ``kind`` is asked for attributes only, which no contract knows."""

    table: str
    name: str
    kind: str = ""

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise DefinitionError(
                f"there is no table {self.table!r}.{did_you_mean(self.table, TABLES)}"
            )
        contract = TABLES[self.table]
        if self.name in contract.names:
            if self.table == "customers" and self.name in ("name", "vulnerable"):
                raise DefinitionError(f"customers.{self.name} is never a feature")
            if not self.kind:
                object.__setattr__(self, "kind", KINDS[contract.column(self.name).dtype])
        elif not (self.table == "customers" and self.kind):
            raise DefinitionError(
                f"{self.table} has no column {self.name!r}."
                + (
                    did_you_mean(self.name, contract.names)
                    or f" It has {', '.join(contract.names)}"
                )
            )
        if self.kind not in ("text", "time", "number", "flag"):
            raise DefinitionError(f"{self.table}.{self.name} is a {self.kind}: of no use here")

    @property
    def known_at(self) -> str | None:
        """The column whose time tells from when this one is known; None: from birth."""
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
        known = _latest(left.known, right.known)
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


Expression = Column | Minus | Earliest


class Predicate:
    """Something that is true or false of a row; ``&``, ``|`` and ``~`` join predicates."""

    label: str

    @property
    def columns(self) -> tuple[Column, ...]:
        raise NotImplementedError

    @property
    def text(self) -> str:
        raise NotImplementedError

    def truth(self, rows: RowColumns) -> Truth:
        """From when it is true, and from when false, of each row."""
        raise NotImplementedError

    def __and__(self, other: Predicate) -> And:
        return And((self, other))

    def __or__(self, other: Predicate) -> Or:
        return Or((self, other))

    def __invert__(self) -> Not:
        return Not(self)

    def named(self, label: str) -> Named:
        """The same under a shorter name, which feature names are derived from."""
        return Named(self, label)


OPERATORS: Mapping[str, Callable[..., npt.NDArray[np.bool_]]] = MappingProxyType(
    {
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
        "!=": np.not_equal,
    }
)
WORDS = MappingProxyType(
    {"<": "below", "<=": "at_most", ">": "above", ">=": "at_least", "==": "is", "!=": "not"}
)


@dataclass(frozen=True)
class Compare(Predicate):
    """Two values compared, or a value with a number (microseconds for durations)."""

    operator: str
    left: Expression
    right: Expression | float

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise DefinitionError(f"no operator {self.operator!r}; there are {list(OPERATORS)}")
        right = self.right if isinstance(self.right, float | int) else self.right.kind
        if self.left.kind == "text" or (isinstance(right, str) and right != self.left.kind):
            raise DefinitionError(f"{self.text} compares {self.left.kind} with {right}")
        if self.left.kind == "time" and not isinstance(right, str):
            raise DefinitionError(f"{self.text} compares a time with a number")

    @property
    def label(self) -> str:  # type: ignore[override]
        right = self.right if isinstance(self.right, float | int) else self.right.label
        shown = f"{right:g}" if isinstance(right, float | int) else right
        return f"{self.left.label}_{WORDS[self.operator]}_{shown}"

    @property
    def columns(self) -> tuple[Column, ...]:
        right = () if isinstance(self.right, float | int) else self.right.columns
        return self.left.columns + right

    @property
    def text(self) -> str:
        right = f"{self.right:g}" if isinstance(self.right, float | int) else self.right.text
        return f"{self.left.text} {self.operator} {right}"

    def truth(self, rows: RowColumns) -> Truth:
        left = self.left.value(rows)
        null, known, other = left.null(), left.known, self.right
        if isinstance(other, float | int):
            holds = OPERATORS[self.operator](left.data, other)
        else:
            right = other.value(rows)
            null, known = null | right.null(), _latest(known, right.known)
            holds = OPERATORS[self.operator](left.data, right.data)
        return _truth(holds, null, known, rows.size)


@dataclass(frozen=True)
class In(Predicate):
    """A text that is one of some."""

    column: Column
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.column.kind != "text":
            raise DefinitionError(f"{self.column.table}.{self.column.name} is no text")

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{self.column.label}_{'_'.join(self.values)}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    @property
    def text(self) -> str:
        return f"{self.column.text} in ({', '.join(self.values)})"

    def truth(self, rows: RowColumns) -> Truth:
        value = self.column.value(rows)
        assert value.categories is not None
        inside = np.append(np.isin(value.categories.astype(object), list(self.values)), False)
        codes = value.data.astype(np.int64)
        return _truth(inside[codes], codes == -1, value.known, rows.size)


@dataclass(frozen=True)
class Is(Predicate):
    """A flag that is set."""

    column: Column

    def __post_init__(self) -> None:
        if self.column.kind != "flag":
            raise DefinitionError(f"{self.column.table}.{self.column.name} is no flag")

    @property
    def label(self) -> str:  # type: ignore[override]
        return self.column.label.removeprefix("is_")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    @property
    def text(self) -> str:
        return self.column.text

    def truth(self, rows: RowColumns) -> Truth:
        value = self.column.value(rows)
        return _truth(value.data == 1, value.null(), value.known, rows.size)


@dataclass(frozen=True)
class Null(Predicate):
    """A value that is not given. Only of what is known from birth: what is null now and will be
    known later says nothing about now; ``until=`` is the way to say "not yet"."""

    column: Column

    def __post_init__(self) -> None:
        if self.column.known_at is not None:
            raise DefinitionError(
                f"{self.column.table}.{self.column.name} is known from {self.column.known_at} on: "
                f"that it is null is no fact. Say until={self.column.known_at} for 'not yet'"
            )

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"no_{self.column.label}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    @property
    def text(self) -> str:
        return f"{self.column.text} is null"

    def truth(self, rows: RowColumns) -> Truth:
        null = self.column.value(rows).null()
        return _truth(null, np.zeros(rows.size, dtype=bool), None, rows.size)


@dataclass(frozen=True)
class Given(Predicate):
    """A value that there is, from the moment at which it is known."""

    value: Expression

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"with_{self.value.label}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.value.columns

    @property
    def text(self) -> str:
        return f"{self.value.text} is given"

    def truth(self, rows: RowColumns) -> Truth:
        value = self.value.value(rows)
        null = value.null()
        when = np.full(rows.size, ALWAYS) if value.known is None else value.known
        return Truth(np.where(null, NEVER, when), np.full(rows.size, NEVER))


@dataclass(frozen=True)
class Past(Predicate):
    """A time that has passed; it is never false, only not yet true."""

    column: Column

    def __post_init__(self) -> None:
        if self.column.kind != "time":
            raise DefinitionError(f"{self.column.table}.{self.column.name} is no time")

    @property
    def label(self) -> str:  # type: ignore[override]
        return self.column.label

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    @property
    def text(self) -> str:
        return f"{self.column.text} has passed"

    def truth(self, rows: RowColumns) -> Truth:
        times = self.column.value(rows).data.astype(np.int64)
        passed = np.where(times == NEVER, NEVER, times + 1)
        return Truth(passed, np.full(rows.size, NEVER))


@dataclass(frozen=True)
class And(Predicate):
    """All of them."""

    parts: tuple[Predicate, ...]

    @property
    def label(self) -> str:  # type: ignore[override]
        return "_".join(part.label for part in self.parts)

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for part in self.parts for column in part.columns)

    @property
    def text(self) -> str:
        return " and ".join(_bracketed(part) for part in self.parts)

    def truth(self, rows: RowColumns) -> Truth:
        parts = [part.truth(rows) for part in self.parts]
        true_from, false_from = parts[0]
        for part in parts[1:]:
            true_from = np.maximum(true_from, part.true_from)
            false_from = np.minimum(false_from, part.false_from)
        return Truth(true_from, false_from)


@dataclass(frozen=True)
class Or(Predicate):
    """Any of them."""

    parts: tuple[Predicate, ...]

    @property
    def label(self) -> str:  # type: ignore[override]
        return "_or_".join(part.label for part in self.parts)

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for part in self.parts for column in part.columns)

    @property
    def text(self) -> str:
        return " or ".join(_bracketed(part) for part in self.parts)

    def truth(self, rows: RowColumns) -> Truth:
        parts = [part.truth(rows) for part in self.parts]
        true_from, false_from = parts[0]
        for part in parts[1:]:
            true_from = np.minimum(true_from, part.true_from)
            false_from = np.maximum(false_from, part.false_from)
        return Truth(true_from, false_from)


@dataclass(frozen=True)
class Not(Predicate):
    """The opposite, once that is known."""

    part: Predicate

    def __post_init__(self) -> None:
        if isinstance(self.part, Past):
            raise DefinitionError(
                f"not ({self.part.text}) ceases to hold; say until={self.part.column.name}"
            )

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"not_{self.part.label}"

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.part.columns

    @property
    def text(self) -> str:
        return f"not {_bracketed(self.part)}"

    def truth(self, rows: RowColumns) -> Truth:
        part = self.part.truth(rows)
        return Truth(part.false_from, part.true_from)


@dataclass(frozen=True)
class Named(Predicate):
    """A predicate under a name of its own."""

    part: Predicate
    label: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.part.columns

    @property
    def text(self) -> str:
        return self.part.text

    def truth(self, rows: RowColumns) -> Truth:
        return self.part.truth(rows)


def _bracketed(part: Predicate) -> str:
    inner = part.part if isinstance(part, Named) else part
    return f"({part.text})" if isinstance(inner, And | Or) else part.text


def _latest(left: Int64 | None, right: Int64 | None) -> Int64 | None:
    if left is None or right is None:
        return right if left is None else left
    return np.maximum(left, right)


def _truth(
    holds: npt.NDArray[np.bool_], null: npt.NDArray[np.bool_], known: Int64 | None, size: int
) -> Truth:
    when = np.full(size, ALWAYS) if known is None else known
    return Truth(np.where(holds & ~null, when, NEVER), np.where(~holds & ~null, when, NEVER))
