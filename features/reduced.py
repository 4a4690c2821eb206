"""What is left of a definition where columns have no value: exports lack this one and that.

A missing column costs only what that column knows. An order is open until it is delivered,
cancelled, returned or refunded; where nobody records refunds, it is open until one of the others.
So columns without a value are taken out of a definition:

- of the times that end a state (``until``), as long as the first of them, its usual end, is there
  or the state begins with a fact and lasts for a window (what was delivered of late is held);
- of the parts of a joint, as long as a text is left to group by;
- of alternatives in a filter; a filter that can never be true leaves nothing to count;
- of sums and differences, whose other side stays.

A feature goes only if it cannot vary: nothing is counted, or what is left is a constant.

>>> from features.orders import OVERDUE
>>> absent = {("orders", "refunded_at"), ("orders", "returned_at")}
>>> reduced(OVERDUE, absent).formula
'count(orders, since promised_at, until earliest(delivered_at, cancelled_at))'
>>> reduced(OVERDUE, {("orders", "promised_at")}) is None
True
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from data.contract import TABLES
from features.expression import Column, Day, Earliest, Expression, Joint, Key, Minus, Period
from features.predicate import And, Named, Not, Or, Predicate
from features.sources import Source
from features.spec import Combine, Constant, Feature, Node, Of, Term

Absent = Collection[tuple[str, str]]
"""(table, column) pairs without a value."""

NOTHING = Constant(0.0)
"""A count or sum of rows that do not exist."""


def reduced(feature: Feature, absent: Absent) -> Feature | None:
    """The feature without the ``absent`` columns, under its own name; None if it cannot vary."""
    node = _node(feature.node, absent)
    if node is None or isinstance(node, Constant):
        return None
    if node == feature.node:
        return feature
    return replace(feature, node=node)


def _node(node: Node, absent: Absent) -> Node | None:
    """What is left of it; a constant where it cannot vary, None where it is always null."""
    if isinstance(node, Term):
        return _term(node, absent)
    if isinstance(node, Constant):
        return node
    if isinstance(node, Combine):
        return _combined(node, absent)
    inner = _node(node.node, absent)
    if isinstance(node, Of):
        link = None if node.link is None else _term(node.link, absent)
        if inner is None or isinstance(inner, Constant):
            return inner
        if node.link is None:
            return replace(node, node=inner)
        return replace(node, node=inner, link=link) if isinstance(link, Term) else None
    rows = _term(node.rows, absent)
    if inner is None or isinstance(inner, Constant) or not isinstance(rows, Term):
        # so many times a constant: the count of the groups, which is a feature of its own
        return None if node.how != "sum" else NOTHING
    return replace(node, node=inner, rows=rows)


def _term(term: Term, absent: Absent) -> Node | None:
    none = NOTHING if term.operation in ("count", "sum", "distinct") else None
    if not _has_rows(term.source, absent):
        return none
    value = None if term.value is None else _expression(term.value, absent)
    if (term.value is not None and value is None) or _gone(term.since, absent):
        return none
    where = None if term.where is None else _predicate(term.where, absent)
    if term.where is not None and where is None:
        return none
    key: Key | None = term.key
    if key is not None:
        column = _expression(key, absent)
        if not isinstance(column, Column | Joint):
            return none
        key = column
    until = term.until
    if until is not None:
        left = tuple(time for time in until.times if not _gone(time, absent))
        begun = term.since is not None and term.since.known_at is not None
        if until.times[0] not in left and not (begun and term.window is not None):
            return none  # its usual end is not recorded: nobody knows what is in that state
        until = Earliest(left) if left else None
    return replace(term, value=value, where=where, key=key, until=until)


def _has_rows(source: Source, absent: Absent) -> bool:
    """Whether its tables have rows, and those of two tables name each other."""
    return not _needs(source) & set(absent)


def _birth(name: str) -> tuple[str, str]:
    """The column that every row of a table has, so that its absence is the table's."""
    return name, TABLES[name].birth or TABLES[name].key[0]


def _needs(source: Source) -> set[tuple[str, str]]:
    """The columns without which a source has no rows: births, and the link of two tables."""
    links = {(source.table, source.link)} if source.beside else set()
    return {_birth(name) for name in source.tables} | links


def _lost(columns: Collection[Column], absent: Absent) -> set[Column]:
    return {column for column in columns if _gone(column, absent)}


def _gone(column: Column | None, absent: Absent) -> bool:
    return column is not None and (column.table, column.name) in absent


def _expression(value: Expression, absent: Absent) -> Expression | None:
    """What is left of a value; None where it is always null."""
    if isinstance(value, Joint):
        parts = tuple(part for part in value.parts if not _lost(part.columns, absent))
        texts = [part for part in parts if not isinstance(part, Period)]
        if not texts:  # a period alone is no group: it is the same for all
            return None
        return replace(value, parts=parts) if len(parts) > 1 else texts[0]
    if isinstance(value, Earliest):
        times = tuple(time for time in value.times if not _gone(time, absent))
        return replace(value, times=times) if times else None
    if isinstance(value, Minus | Day | Column):
        return None if _lost(value.columns, absent) else value
    raise AssertionError(f"no rule for {value!r}")


def _predicate(predicate: Predicate, absent: Absent) -> Predicate | None:
    """What is left of a filter; None where it can never be true."""
    if isinstance(predicate, Named):
        part = _predicate(predicate.part, absent)
        return None if part is None else replace(predicate, part=part)
    if isinstance(predicate, And | Or):
        parts = [_predicate(part, absent) for part in predicate.parts]
        there = tuple(part for part in parts if part is not None)
        if not there or (isinstance(predicate, And) and len(there) < len(parts)):
            return None
        return there[0] if len(there) == 1 else replace(predicate, parts=there)
    if isinstance(predicate, Not):
        # what can never be known to be true cannot be known to be false either
        part = _predicate(predicate.part, absent)
        return None if part is None else replace(predicate, part=part)
    return None if _lost(predicate.columns, absent) else predicate


def _combined(node: Combine, absent: Absent) -> Node | None:
    parts = [_node(part, absent) for part in node.parts]
    if any(part is None for part in parts):
        return None
    present = tuple(part for part in parts if part is not None)
    fixed = [part.number if isinstance(part, Constant) else None for part in present]
    how = node.how
    if how == "plus" and 0.0 in fixed:
        return present[1 - fixed.index(0.0)]
    if how == "minus" and fixed[1] == 0.0:
        return present[0]
    if how in ("times", "least") and 0.0 in fixed:
        return NOTHING  # the least of counts
    if how == "ratio" and 0.0 in fixed:
        return None if fixed[1] == 0.0 else NOTHING
    if how in ("smoothed", "age_sum", "above_zero") and fixed[0] == 0.0:
        return NOTHING
    if how == "smoothed" and fixed[2] == 0.0:
        return NOTHING
    if all(number is not None for number in fixed):
        return NOTHING  # whatever constant it is
    return replace(node, parts=present)


def switched_off(features: Collection[Feature], absent: Absent) -> list[tuple[str, int]]:
    """What more there would be: each absent column, or table without rows, and how many of the
    ``features`` it alone would bring back; the most first, those that bring none left out.

    >>> from features.orders import ORDER_FEATURES
    >>> absent = {("orders", "carrier"), ("orders", "product_category")}
    >>> switched_off(ORDER_FEATURES, absent)
    [('orders.product_category', 2), ('orders.carrier', 1)]
    """
    empty = {name for name in TABLES if _birth(name) in absent}
    causes: dict[str, set[tuple[str, str]]] = {}
    for table, column in absent:
        causes.setdefault(table if table in empty else f"{table}.{column}", set()).add(
            (table, column)
        )
    gone = [feature for feature in features if reduced(feature, absent) is None]
    reads: dict[str, set[tuple[str, str]]] = {feature.name: set() for feature in gone}
    for feature in gone:
        for term in feature.node.terms():
            reads[feature.name] |= {(column.table, column.name) for column in term.columns}
            reads[feature.name] |= _needs(term.source)
    gains = []
    for name, pairs in causes.items():
        left = set(absent) - pairs
        back = [f for f in gone if reads[f.name] & pairs and reduced(f, left) is not None]
        if back:
            gains.append((name, len(back)))
    return sorted(gains, key=lambda one: (-one[1], one[0]))


def reads_of(features: Collection[Feature], absent: Absent) -> list[tuple[str, int]]:
    """Each absent column, or table without rows, and how many of the ``features`` read it; the
    most first.

    >>> from features.orders import OVERDUE
    >>> reads_of([OVERDUE], {("orders", "delivered_at"), ("orders", "carrier")})
    [('orders.delivered_at', 1)]
    """
    empty = {name for name in TABLES if _birth(name) in absent}
    counts: Counter[str] = Counter()
    for feature in features:
        pairs = set[tuple[str, str]]()
        for term in feature.node.terms():
            pairs |= {(c.table, c.name) for c in term.columns} | _needs(term.source)
        gone = pairs & set(absent)
        counts.update({name if name in empty else f"{name}.{column}" for name, column in gone})
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
