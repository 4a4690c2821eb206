"""What a feature is made of: the nodes of its tree.

A ``Term`` is one number per (key, T): a count, sum, extreme, last value over the rows of a source.
Terms are joined by ``Combine`` (ratios, differences, ages), looked up for a group by ``Of`` (the
region of the customer, everybody) and ``OfEach`` (every product that they bought).

>>> from features.sources import ORDERS
>>> Combine("ratio", (Term(ORDERS, "count"), Constant(2))).text
'count(orders) / 2'
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from data.errors import DefinitionError
from features.expression import Column, Earliest, Expression, Joint, Key
from features.lengths import check_length, span_text
from features.predicate import Predicate
from features.sources import Source

OPERATIONS = ("count", "sum", "distinct", "largest", "smallest", "last", "first_time", "last_time")


@dataclass(frozen=True)
class Term:
    """One number per (key, T), from the rows of ``source`` that match and are seen at T.

    A row counts from ``since`` (default: the source's moment) on, while ``where`` is known to be
    true: within ``window`` microseconds of ``since``, until ``until`` has passed, both, or for
    ever. With ``ahead`` it counts in the ``ahead`` microseconds *before* ``since``, which must be
    known beforehand. ``key`` groups the rows; None: all are one group.
    """

    source: Source
    operation: str
    key: Key | None = None
    value: Expression | None = None
    where: Predicate | None = None
    since: Column | None = None
    until: Earliest | None = None
    window: int | None = None
    ahead: int | None = None

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise DefinitionError(f"no operation {self.operation!r}; there are {OPERATIONS}")
        for name in ("window", "ahead"):
            length = getattr(self, name)
            if length is not None:
                check_length(length)
        for column in self.columns:
            if column.table not in self.source.tables:
                raise DefinitionError(
                    f"{self.source.label} has no {column.table}.{column.name}: "
                    f"it reads {' and '.join(self.source.tables)}"
                )
        needs = self.operation in ("sum", "distinct", "largest", "smallest", "last")
        if needs != (self.value is not None):
            raise DefinitionError(f"{self.operation} takes {'a' if needs else 'no'} value")
        if self.value is not None:
            self._check_value(self.value)
        if self.since is not None and self.since.kind != "time":
            raise DefinitionError(f"since={self.since.name}: that is a {self.since.kind}, no time")
        if isinstance(self.key, Column) and (self.key.kind != "text" or self.key.known_at):
            raise DefinitionError(f"{self.key.name} cannot be a key: keys are texts known at birth")
        if self.ahead is not None and (self.since is None or self.since.known_at is not None):
            what = "nothing" if self.since is None else f"{self.since.table}.{self.since.name}"
            raise DefinitionError(
                f"ahead= looks at {what}, which is not known beforehand; planned times are, "
                "such as promised_at or starts_at"
            )
        if self.ahead is not None and self.window is not None:
            raise DefinitionError("a term looks back (window) or ahead, not both")
        if self.until is not None and (self.since or self.source.time) in self.until.times:
            raise DefinitionError(f"{self.text} ends where it begins: no row ever counts")

    def _check_value(self, value: Expression) -> None:
        allowed = {
            "sum": ("number", "duration", "time"),
            "distinct": ("text", "day"),
            "last": ("text", "number", "flag", "duration"),
        }.get(self.operation, ("number", "duration"))
        if value.kind not in allowed:
            raise DefinitionError(
                f"{self.operation} of {value.text}, a {value.kind}: it takes {' or '.join(allowed)}"
            )
        if isinstance(value, Joint) and self.operation != "distinct":
            raise DefinitionError(f"{self.operation} of {value.text}: joints are keys and links")

    @property
    def kind(self) -> str:
        """What it is: a number, a duration, a time (microseconds both) or a text."""
        if self.operation in ("first_time", "last_time"):
            return "time"
        if self.value is None or self.operation == "distinct":
            return "number"
        if self.operation == "sum" and self.value.kind == "time":
            return "times"
        return "number" if self.value.kind == "flag" else self.value.kind

    def __hash__(self) -> int:
        """Worked out once: terms are the keys of every cache of an evaluation."""
        value: int | None = self.__dict__.get("_hash")
        if value is None:
            value = hash(tuple(getattr(self, field.name) for field in fields(self)))
            object.__setattr__(self, "_hash", value)
        return value

    @property
    def joints(self) -> tuple[Joint, ...]:
        """The joints that it groups by or names groups by."""
        return tuple(part for part in (self.key, self.value) if isinstance(part, Joint))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column that it reads."""
        parts = (self.value, self.where, self.since, self.until, self.key)
        return tuple(column for part in parts if part is not None for column in part.columns)

    @property
    def text(self) -> str:
        inside = [
            self.source.label if self.value is None else f"{self.source.label}.{self.value.text}"
        ]
        if self.where is not None:
            inside.append(f"where {self.where.text}")
        if self.since is not None:
            inside.append(f"since {self.since.text}")
        if self.until is not None:
            inside.append(f"until {self.until.text}")
        if self.window is not None:
            inside.append(span_text(self.window))
        if self.ahead is not None:
            inside.append(f"next {span_text(self.ahead)}")
        return f"{self.operation}({', '.join(inside)})"

    def terms(self) -> Iterator[Term]:
        yield self


@dataclass(frozen=True)
class Constant:
    """A number."""

    number: float

    kind = "number"

    def __post_init__(self) -> None:
        if not math.isfinite(self.number):
            raise DefinitionError(f"{self.number} is no constant to count with")

    @property
    def text(self) -> str:
        return f"{self.number:g}"

    def terms(self) -> Iterator[Term]:
        yield from ()


COMBINATIONS: Mapping[str, str] = {
    "ratio": "{0} / {1}",
    "minus": "{0} - {1}",
    "plus": "{0} + {1}",
    "times": "{0} * {1}",
    "least": "least of {0} and {1}",
    "days_since": "days from {0} to T",
    "days": "{0} in days",
    "age_sum": "T * {0} - {1} in days",
    "smoothed": "({0} + {3} * {2}) / ({1} + {3})",
    "above_zero": "{0} where {0} > 0",
    "chance": "1 / (1 + exp(-({0})))",
}
"""Names of combinations and how they read. ``ratio`` and ``smoothed`` are null where the
denominator is 0; ``age_sum`` adds up the ages of rows from how many and the sum of their moments;
``smoothed`` is the posterior mean of a rate under a gamma prior with mean
``{2}`` and the weight of ``{3}`` exposures (Gelman et al., Bayesian Data Analysis, 2.6)."""
INFIX = ("ratio", "minus", "plus", "times")
"""Those that are put into brackets inside another."""


@dataclass(frozen=True)
class Combine:
    """Nodes joined by one of ``COMBINATIONS``; in float64, one operation at a time."""

    how: str
    parts: tuple[Node, ...]

    def __post_init__(self) -> None:
        if self.how not in COMBINATIONS:
            raise DefinitionError(f"no combination {self.how!r}; there are {list(COMBINATIONS)}")
        takes = len(set(re.findall(r"{\d}", COMBINATIONS[self.how])))
        if len(self.parts) != takes:
            raise DefinitionError(f"{self.how} takes {takes} parts, not {len(self.parts)}")
        kinds = {part.kind for part in self.parts}
        moments = self.how == "days_since" or (self.how == "minus" and "time" in kinds)
        allowed = {"time"} if moments else {"number", "duration"}
        if self.how == "age_sum":
            allowed = {"number", "times"}
        if not kinds <= allowed or (self.how == "age_sum" and self.parts[1].kind != "times"):
            raise DefinitionError(
                f"{self.text} joins {' and '.join(sorted(kinds))}; "
                f"{self.how} takes {' or '.join(sorted(allowed))}"
            )

    @property
    def kind(self) -> str:
        """The kind of the result."""
        kinds = [part.kind for part in self.parts]
        if self.how in ("days", "days_since", "age_sum") or (
            self.how == "ratio" and kinds[1] == "duration"
        ):
            return "number"
        return "duration" if {"time", "duration"} & set(kinds) else "number"

    @property
    def text(self) -> str:
        inner = (
            f"({part.text})" if isinstance(part, Combine) and part.how in INFIX else part.text
            for part in self.parts
        )
        return COMBINATIONS[self.how].format(*inner)

    def terms(self) -> Iterator[Term]:
        for part in self.parts:
            yield from part.terms()


@dataclass(frozen=True)
class Of:
    """``node`` of the group that ``link`` names at T (a last text), or, without link, of all."""

    node: Node
    link: Term | None = None

    def __post_init__(self) -> None:
        if self.link is not None and (
            self.link.operation != "last"
            or self.link.value is None
            or self.link.value.kind != "text"
        ):
            raise DefinitionError(f"{self.link.text} names no group: link by a last text")
        _same_group(self.node, self.link.value if self.link else None)

    @property
    def kind(self) -> str:
        return self.node.kind

    @property
    def text(self) -> str:
        return f"{self.node.text} of {self.link.text if self.link else 'all'}"

    def terms(self) -> Iterator[Term]:
        if self.link is not None:
            yield self.link
        yield from self.node.terms()


SPREADS = ("mean", "largest", "sum")


@dataclass(frozen=True)
class OfEach:
    """The mean, maximum or sum of ``node`` over the groups that the rows of ``rows`` name at T: the
    products bought of late. ``rows`` is a distinct() of a text; a group that several rows name
    counts once for each of them; groups without a value do not count, a sum is then 0."""

    node: Node
    rows: Term
    how: str

    def __post_init__(self) -> None:
        if self.rows.operation != "distinct" or self.how not in SPREADS:
            raise DefinitionError(
                f"{self.how} over {self.rows.text}: link by a distinct text, "
                f"by {' or '.join(SPREADS)}"
            )
        _same_group(self.node, self.rows.value)

    @property
    def kind(self) -> str:
        return self.node.kind

    @property
    def text(self) -> str:
        return f"{self.how} of {self.node.text} over {self.rows.text}"

    def terms(self) -> Iterator[Term]:
        yield self.rows
        yield from self.node.terms()


Node = Term | Constant | Combine | Of | OfEach


def _same_group(node: Node, link: Expression | None) -> None:
    """A group's terms are keyed, and keyed alike; a link is needed for a key and only for one."""
    if isinstance(node, Of | OfEach):
        return
    if isinstance(node, Combine):
        for part in node.parts:
            _same_group(part, link)
    elif isinstance(node, Term) and (node.key is None) != (link is None):
        raise DefinitionError(
            f"{node.text} is keyed by {node.key.name if node.key else 'nothing'}, "
            f"but linked by {link.text if link else 'nothing'}"
        )
