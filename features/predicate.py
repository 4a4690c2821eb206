"""What is true of a row, and from when that was known.

A predicate is, for each row, unknown at first, and becomes true or false for good at the moment
when the last fact that it needs is known; so it evaluates to two arrays, the first T at which it is
true and the first T at which it is false (``NEVER`` where that does not happen). ``and`` is the
later of the trues, ``or`` the earlier, ``not`` swaps: a logic of three values, with times for
truths. A fact can therefore never be used before it was known, whatever is written.

>>> late = Compare(">", Column("orders", "delivered_at"), Column("orders", "promised_at"))
>>> (late & ~Is(Column("tickets", "public"))).text
'delivered_at > promised_at and not public'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.arrays import Ints
from data.errors import DefinitionError
from features.asof import ALWAYS, NEVER
from features.expression import Column, Expression, RowColumns, latest


class Truth(NamedTuple):
    """The first T at which a predicate is true, and at which it is false, per row."""

    true_from: Ints
    false_from: Ints


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
        if isinstance(self.right, float) and not math.isfinite(self.right):
            raise DefinitionError(f"{self.text} compares with {self.right}, which is no number")
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
            null, known = null | right.null(), latest(known, right.known)
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
        texts = self.values
        if not (isinstance(texts, tuple) and texts and all(isinstance(v, str) for v in texts)):
            raise DefinitionError(f"In({self.column.name}, {texts!r}): give a tuple of texts")

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
        for part in parts_of(self.part):
            if isinstance(part, Past | Given):
                raise DefinitionError(
                    f"not ({part.text}) ceases to hold; say until={part.columns[0].name}"
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


def parts_of(predicate: Predicate) -> Iterator[Predicate]:
    """The predicate and every one that it is made of."""
    yield predicate
    if isinstance(predicate, And | Or):
        for part in predicate.parts:
            yield from parts_of(part)
    elif isinstance(predicate, Not | Named):
        yield from parts_of(predicate.part)


def _bracketed(part: Predicate) -> str:
    inner = part.part if isinstance(part, Named) else part
    return f"({part.text})" if isinstance(inner, And | Or) else part.text


def _truth(
    holds: npt.NDArray[np.bool_], null: npt.NDArray[np.bool_], known: Ints | None, size: int
) -> Truth:
    when = np.full(size, ALWAYS) if known is None else known
    return Truth(np.where(holds & ~null, when, NEVER), np.where(~holds & ~null, when, NEVER))
