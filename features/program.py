"""A view as the steps that compute it: every distinct part once, what is alike side by side.

Terms that count the same rows and differ only in the window, or in what they make of the rows, are
one ``Stream``; arithmetic of one kind on one level is one ``Step``. Each part has a row in the
table of values that an evaluation fills, so a view of 260 features is about 60 array operations.

>>> from features.language import count, rate, total
>>> from features.sources import USAGE
>>> errors, uses = total(USAGE, "errors", days=7), count(USAGE, days=7)
>>> program = compiled((errors.node, uses.node, rate(errors, uses, "errors_per_use").node))
>>> [measure.operation for stream in program.streams for measure in stream.measures]
['sum', 'count']
>>> program.steps
(Step(how='ratio', into=(2,), parts=((0,), (1,))),)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from features.expression import Expression
from features.kernel import Window
from features.predicate import And, Given
from features.spec import Combine, Constant, FeatureView, Node, Of, OfEach, Term


@dataclass(frozen=True)
class Measure:
    """What is made of a stream's rows; with a value, of those rows only that have it.

    ``windows`` of the measure, each with the row that its result fills.
    """

    operation: str
    value: Expression | None
    windows: tuple[tuple[Window, int], ...]


@dataclass(frozen=True)
class Stream:
    """Rows of one source by one key, matching one filter: ``term`` is their count, ever."""

    term: Term
    measures: tuple[Measure, ...]


class Step(NamedTuple):
    """One kind of arithmetic on rows: ``into`` i is made of rows ``parts[0][i], ...``."""

    how: str
    into: tuple[int, ...]
    parts: tuple[tuple[int, ...], ...]


class Lookup(NamedTuple):
    """Rows filled from the group that a row of codes names (``link``; None: everybody)."""

    link: int | None
    term: Term | None
    program: Program
    into: tuple[int, ...]
    results: tuple[int, ...]


class Spread(NamedTuple):
    """Rows filled from all groups that the rows of ``term`` name, by mean or largest."""

    term: Term
    program: Program
    into: tuple[int, ...]
    results: tuple[int, ...]
    how: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """The steps for some nodes; ``row`` tells where each node's value stands among ``size``."""

    row: Mapping[Node, int]
    size: int
    streams: tuple[Stream, ...]
    constants: tuple[tuple[int, float], ...]
    lookups: tuple[Lookup, ...]
    spreads: tuple[Spread, ...]
    steps: tuple[Step, ...]


@lru_cache(maxsize=16)
def program_of(view: FeatureView) -> Program:
    """The program of a view's features."""
    return compiled(tuple(dict.fromkeys(feature.node for feature in view.features)))


@lru_cache(maxsize=64)
def compiled(nodes: tuple[Node, ...]) -> Program:
    """The program of these nodes; nodes of one level must be keyed alike, as views check."""
    row: dict[Node, int] = {}
    level: dict[Node, int] = {}
    for node in nodes:
        _place(node, row, level)
    return Program(
        MappingProxyType(row),
        len(row),
        _streams(row),
        tuple((at, node.number) for node, at in row.items() if isinstance(node, Constant)),
        tuple(_lookups(row)),
        tuple(_spreads(row)),
        _steps(row, level),
    )


def _place(node: Node, row: dict[Node, int], level: dict[Node, int]) -> None:
    """Gives the node a row, after the rows of its parts."""
    if node in row:
        return
    level[node] = 0
    if isinstance(node, Combine):
        for part in node.parts:
            _place(part, row, level)
        level[node] = 1 + max(level[part] for part in node.parts)
    elif isinstance(node, Of) and node.link is not None:
        _place(node.link, row, level)
    row[node] = len(row)


def _streams(row: Mapping[Node, int]) -> tuple[Stream, ...]:
    streams: dict[Term, dict[tuple[str, Expression | None], list[tuple[Window, int]]]] = {}
    for node, at in row.items():
        if isinstance(node, Term):
            stream, value = stream_of(node)
            measures = streams.setdefault(stream, {})
            measures.setdefault((node.operation, value), []).append((node.window, at))
    return tuple(
        Stream(
            stream,
            tuple(Measure(how, value, tuple(windows)) for (how, value), windows in of.items()),
        )
        for stream, of in streams.items()
    )


def bare(term: Term) -> Term:
    """The count of a term's rows, ever."""
    return replace(term, operation="count", value=None, window=None)


def stream_of(term: Term) -> tuple[Term, Expression | None]:
    """The count of a term's rows, ever, and the value that they must have."""
    where = term.where
    if term.value is not None:
        return bare(term), term.value
    if isinstance(where, Given):
        return replace(bare(term), where=None), where.value
    if isinstance(where, And) and len(where.parts) == 2 and isinstance(where.parts[1], Given):
        return replace(bare(term), where=where.parts[0]), where.parts[1].value
    return bare(term), None


def _lookups(row: Mapping[Node, int]) -> Iterable[Lookup]:
    by_link: dict[Term | None, list[Of]] = {}
    for node in row:
        if isinstance(node, Of):
            by_link.setdefault(node.link, []).append(node)
    for link, nodes in by_link.items():
        program = compiled(tuple(dict.fromkeys(node.node for node in nodes)))
        into = tuple(row[node] for node in nodes)
        results = tuple(program.row[node.node] for node in nodes)
        yield Lookup(None if link is None else row[link], link, program, into, results)


def _spreads(row: Mapping[Node, int]) -> Iterable[Spread]:
    by_rows: dict[Term, list[OfEach]] = {}
    for node in row:
        if isinstance(node, OfEach):
            by_rows.setdefault(node.rows, []).append(node)
    for rows, nodes in by_rows.items():
        program = compiled(tuple(dict.fromkeys(node.node for node in nodes)))
        into = tuple(row[node] for node in nodes)
        results = tuple(program.row[node.node] for node in nodes)
        yield Spread(rows, program, into, results, tuple(node.how for node in nodes))


def _steps(row: Mapping[Node, int], level: Mapping[Node, int]) -> tuple[Step, ...]:
    alike: dict[tuple[int, str], list[Combine]] = {}
    for node in row:
        if isinstance(node, Combine):
            alike.setdefault((level[node], node.how), []).append(node)
    return tuple(
        Step(
            how,
            tuple(row[node] for node in nodes),
            tuple(zip(*(tuple(row[part] for part in node.parts) for node in nodes), strict=True)),
        )
        for (_, how), nodes in sorted(alike.items())
    )
