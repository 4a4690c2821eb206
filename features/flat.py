"""A view as one table for one moment: the groups' parts stand beside the customer's own.

``program.py`` keeps groups apart, since a batch has many customers in few groups. One customer is
in one region: there the region's terms are just more leaves, and arithmetic on them is done with
all the rest.

>>> from features.language import count, customer, of, rate
>>> from features.sources import CUSTOMERS, TICKETS, USAGE
>>> platform = customer(CUSTOMERS["platform"])
>>> uses = count(USAGE.with_customer(), by="platform")
>>> flat = Flat.of([of(rate(uses, uses, "one"), platform).node, count(TICKETS).node])
>>> [(leaf.group is None, leaf.term.text) for leaf in flat.leaves]
[(True, 'last(customers.platform)'), (False, 'count(usage)'), (True, 'count(tickets)')]
>>> [step.how for step in flat.steps]
['ratio', 'known_of']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data.arrays import Ints
from features.spec import Combine, Constant, Node, Of, OfEach, Term


class Group(NamedTuple):
    """A group: the row that holds the code of its name, the term that names it; None, None for
    everybody. In a table with a column per group, ``link`` is None."""

    link: int | None
    term: Term | None


class Leaf(NamedTuple):
    """A term of the customer, or of a group, and its row."""

    row: int
    term: Term
    group: Group | None


class FlatStep(NamedTuple):
    """One kind of arithmetic: rows ``into`` are made of rows ``parts``."""

    how: str
    into: Ints
    parts: tuple[Ints, ...]


class FlatSpread(NamedTuple):
    """Rows filled from all groups that rows of ``term`` name; ``flat`` is their table."""

    term: Term
    flat: Flat
    into: tuple[int, ...]
    how: tuple[str, ...]


@dataclass(frozen=True)
class Flat:
    """The table's rows: leaves, constants, spreads, and the steps that fill the others."""

    size: int
    leaves: tuple[Leaf, ...]
    constants: tuple[tuple[int, float], ...]
    spreads: tuple[FlatSpread, ...]
    steps: tuple[FlatStep, ...]
    results: tuple[int, ...]

    @classmethod
    def of(cls, nodes: Sequence[Node], group: Group | None = None) -> Flat | None:
        """The table of these nodes, None where one is beyond it: a group of a group, or an
        operation on a group's rows that is neither a sum nor a distinct count."""
        making = _Making()
        try:
            results = tuple(making.row(node, group) for node in nodes)
            return cls(
                len(making.level), tuple(making.leaves), tuple(making.constants),
                tuple(making.spread_tables()), tuple(making.steps()), results,
            )  # fmt: skip
        except _Beyond:
            return None


class _Beyond(Exception):
    pass


class _Making:
    def __init__(self) -> None:
        self.known: dict[tuple[Node, Group | None], int] = {}
        self.level: list[int] = []
        self.leaves: list[Leaf] = []
        self.constants: list[tuple[int, float]] = []
        self.spreads: dict[Term, list[tuple[OfEach, int]]] = {}
        self.combinations: dict[tuple[int, str], list[tuple[int, tuple[int, ...]]]] = {}

    def row(self, node: Node, group: Group | None) -> int:
        if (node, group) in self.known:
            return self.known[node, group]
        if isinstance(node, Of):
            at = self._of(node, group)
        elif isinstance(node, Combine):
            at = self._combination(node.how, tuple(self.row(part, group) for part in node.parts))
        else:
            at = self._new(0)
            if isinstance(node, Constant):
                self.constants.append((at, node.number))
            elif isinstance(node, Term):
                if group is not None and node.operation not in ("count", "sum", "distinct"):
                    raise _Beyond
                self.leaves.append(Leaf(at, node, group))
            else:
                if group is not None:
                    raise _Beyond
                self.spreads.setdefault(node.rows, []).append((node, at))
        self.known[node, group] = at
        return at

    def _of(self, node: Of, group: Group | None) -> int:
        if node.link is None:
            return self.row(node.node, Group(None, None))
        if group is not None:
            raise _Beyond
        link = self.row(node.link, None)
        values = self.row(node.node, Group(link, node.link))
        return self._combination("known_of", (values, link))

    def _new(self, level: int) -> int:
        self.level.append(level)
        return len(self.level) - 1

    def _combination(self, how: str, parts: tuple[int, ...]) -> int:
        level = 1 + max(self.level[part] for part in parts)
        at = self._new(level)
        self.combinations.setdefault((level, how), []).append((at, parts))
        return at

    def steps(self) -> list[FlatStep]:
        out = []
        for (_, how), rows in sorted(self.combinations.items()):
            into = np.array([at for at, _ in rows])
            parts = zip(*(parts for _, parts in rows), strict=True)
            out.append(FlatStep(how, into, tuple(np.array(part) for part in parts)))
        return out

    def spread_tables(self) -> list[FlatSpread]:
        out = []
        for term, nodes in self.spreads.items():
            flat = Flat.of([node.node for node, _ in nodes], Group(None, term))
            if flat is None:
                raise _Beyond
            into = tuple(at for _, at in nodes)
            out.append(FlatSpread(term, flat, into, tuple(node.how for node, _ in nodes)))
        return out
