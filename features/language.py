"""The words in which features are written; each returns a ``Feature`` that names itself.

>>> from features.sources import ORDERS, TICKETS
>>> share(ORDERS, of=Past(ORDERS["cancelled_at"]), days=90).name
'orders_cancelled_share_90d'
>>> now(ORDERS, since="promised_at", until=("delivered_at", "cancelled_at"), label="overdue").name
'orders_overdue_now'
>>> total(TICKETS, "handle_secs", days=7)
Traceback (most recent call last):
...
data.errors.DefinitionError: tickets has no column 'handle_secs'. Did you mean "handle_seconds"?
"""

from __future__ import annotations

from dataclasses import replace

from features.expression import Column, Day, Expression, Joint, Key, Minus, Period
from features.lengths import DAY, span_text
from features.naming import feature as _feature
from features.naming import name_of, since_of, span, term
from features.notes import ages_note
from features.predicate import Compare, Given, In, Is, Null, Past, Predicate
from features.relations import (
    change,
    count_since,
    decayed,
    elevated,
    of,
    of_all,
    of_each,
    plus,
    rate,
    shrunk_daily_rate,
    shrunk_rate,
    still_active,
    times,
    trend,
)
from features.sources import CUSTOMERS, Source
from features.spec import Combine, Constant, Feature, Node, Term

__all__ = [
    "Compare", "In", "Is", "Joint", "Minus", "Null", "Past", "Period", "active_days", "age",
    "change", "count", "count_since", "customer", "decayed", "distinct", "due", "elevated", "gap",
    "largest", "last", "mean", "now", "of", "of_all", "of_each", "overdue_ratio", "plus",
    "rate", "share", "shrunk_daily_rate", "shrunk_rate", "since_first", "since_last",
    "smallest", "still_active", "times", "total", "total_age", "trend", "until_next", "worth",
]  # fmt: skip


def count(
    source: Source,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | Key | None = None,
) -> Feature:
    """How many rows; 0 where none."""
    node = term(source, "count", where=where, since=since, days=days, hours=hours, by=by)
    return _feature(node, name_of(node, "count"))


def total(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | Key | None = None,
) -> Feature:
    """The sum of a value; 0 where no row has one. Durations in days."""
    node = term(source, "sum", value, where=where, since=since, days=days, hours=hours, by=by)
    return _in_days(node, node, "sum")


def mean(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | Key | None = None,
) -> Feature:
    """The mean of a value over the rows that have it; null where none. Durations in days."""
    node = term(source, "sum", value, where=where, since=since, days=days, hours=hours, by=by)
    return _in_days(Combine("ratio", (node, _having(node))), node, "mean")


def _in_days(duration: Node, node: Term, word: str) -> Feature:
    """Durations, microseconds inside, are shown in days."""
    if node.value is not None and node.value.kind == "duration":
        return _feature(Combine("days", (duration,)), name_of(node, f"{word}_days"))
    return _feature(duration, name_of(node, word))


def _having(node: Term) -> Term:
    """The number of the rows that a sum adds: a count of those with a value that is known."""
    assert node.value is not None
    has_value = Given(node.value)
    where = has_value if node.where is None else node.where & has_value
    return replace(node, operation="count", value=None, where=where)


def share(
    source: Source,
    *,
    of: Predicate,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | Key | None = None,
) -> Feature:
    """The share of the rows that are ``of``; null where there are none."""
    every = term(source, "count", where=where, since=since, days=days, hours=hours, by=by)
    some = replace(every, where=of if where is None else where & of)
    return _feature(Combine("ratio", (some, every)), name_of(some, "share"))


def distinct(
    source: Source,
    value: str | Key,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    until: str | tuple[str, ...] | None = None,
    days: float | None = None,
    hours: float | None = None,
    ahead_days: float | None = None,
    by: str | Key | None = None,
) -> Feature:
    """How many different texts; 0 where none. With ``until`` only of rows that have not ended,
    with ``ahead_days`` of those whose ``since`` will come within them."""
    node = term(
        source, "distinct", value, where=where, since=since, until=until,
        days=days, hours=hours, ahead_days=ahead_days, by=by,
    )  # fmt: skip
    return _feature(node, name_of(node, "distinct" if until is None else "distinct_now"))


def active_days(
    source: Source,
    *,
    where: Predicate | None = None,
    days: float | None = None,
    hours: float | None = None,
    time_zone: str = "UTC",
) -> Feature:
    """On how many local days there were rows; 0 where none."""
    day = Day(source.time, time_zone)
    node = term(source, "distinct", day, where=where, days=days, hours=hours)
    return _feature(node, name_of(replace(node, operation="count", value=None), "active_days"))


def largest(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
) -> Feature:
    """The greatest value; null where none."""
    node = term(source, "largest", value, where=where, since=since, days=days, hours=hours)
    return _in_days(node, node, "largest")


def smallest(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
) -> Feature:
    """The least value; null where none."""
    node = term(source, "smallest", value, where=where, since=since, days=days, hours=hours)
    return _in_days(node, node, "smallest")


def last(source: Source, value: str | Expression, *, where: Predicate | None = None) -> Feature:
    """The value of the latest row that matches, null where it has none."""
    node = term(source, "last", value, where=where)
    return _in_days(node, node, "last")


def customer(column: Column) -> Feature:
    """An attribute of the customer, as it stands at T."""
    node = Term(CUSTOMERS, "last", CUSTOMERS["customer_id"], column)
    return _feature(node, f"customer_{column.name}")


def since_last(
    source: Source,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    by: str | Key | None = None,
) -> Feature:
    """Days since the latest row; null where none."""
    node = term(source, "last_time", where=where, since=since, by=by)
    return _feature(Combine("days_since", (node,)), name_of(node, "since_last_days"))


def since_first(
    source: Source,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    by: str | Key | None = None,
) -> Feature:
    """Days since the first row; null where none."""
    node = term(source, "first_time", where=where, since=since, by=by)
    return _feature(Combine("days_since", (node,)), name_of(node, "since_first_days"))


def _gap_node(source: Source, where: Predicate | None) -> Node:
    newest = term(source, "last_time", where=where)
    span = Combine("minus", (newest, replace(newest, operation="first_time")))
    gaps = Combine("minus", (replace(newest, operation="count"), Constant(1)))
    return Combine("days", (Combine("ratio", (span, Combine("above_zero", (gaps,)))),))


def gap(source: Source, *, where: Predicate | None = None) -> Feature:
    """Mean days between rows; null with fewer than two."""
    newest = term(source, "last_time", where=where)
    return _feature(_gap_node(source, where), name_of(newest, "gap_days"))


def overdue_ratio(source: Source, *, where: Predicate | None = None) -> Feature:
    """Days since the latest row over the mean days between rows: above 1, the next one is late."""
    newest = term(source, "last_time", where=where)
    ratio = Combine("ratio", (Combine("days_since", (newest,)), _gap_node(source, where)))
    return _feature(ratio, name_of(newest, "gap_elapsed"))


def now(
    source: Source,
    *,
    until: str | tuple[str, ...],
    label: str,
    since: str | None = None,
    where: Predicate | None = None,
    by: str | Key | None = None,
) -> Feature:
    """How many rows are in a state at T: from ``since`` on until the first of ``until``."""
    node = term(source, "count", where=where, since=since, until=until, by=by)
    group = name_of(replace(node, where=None, since=None), "").rstrip("_")
    return _feature(node, f"{group}_{label}_now")


def age(
    source: Source,
    *,
    until: str | tuple[str, ...],
    label: str,
    since: str | None = None,
    where: Predicate | None = None,
) -> Feature:
    """Days for which the oldest row has been in a state; null where none is."""
    node = term(source, "first_time", where=where, since=since, until=until)
    return _feature(Combine("days_since", (node,)), f"{source.label}_{label}_age_days")


def worth(
    source: Source,
    value: str | Expression,
    *,
    until: str | tuple[str, ...],
    label: str,
    since: str | None = None,
    where: Predicate | None = None,
) -> Feature:
    """The sum of a value over the rows that are in a state at T; 0 where none is."""
    node = term(source, "sum", value, where=where, since=since, until=until)
    assert node.value is not None
    return _feature(node, f"{source.label}_{label}_{node.value.label}_sum_now")


def total_age(
    source: Source,
    *,
    label: str,
    since: str | None = None,
    until: str | tuple[str, ...] | None = None,
    at_most: float,
    where: Predicate | None = None,
    by: str | Key | None = None,
) -> Feature:
    """The days for which all rows in a state have been in it, added up, ``at_most`` so many for
    each; 0 where none is. Without ``until`` a row stays in its state: its age stops growing."""
    every = term(source, "count", where=where, since=since, until=until, by=by)
    young = replace(every, window=span(at_most, DAY, "days"))
    moments = replace(young, operation="sum", value=since_of(every))
    older = Combine("times", (Combine("minus", (every, young)), Constant(float(at_most))))
    node = Combine("plus", (Combine("age_sum", (young, moments)), older))
    group = name_of(replace(every, where=None, since=None), "").rstrip("_")
    return _feature(node, f"{group}_{label}_age_sum_days", ages_note(every, at_most))


def until_next(
    source: Source,
    *,
    at: str,
    until: str | tuple[str, ...] | None = None,
    days: float,
    where: Predicate | None = None,
) -> Feature:
    """Days until the next planned time, if it comes within so many; null where none does."""
    node = term(source, "first_time", where=where, since=at, until=until, ahead_days=days)
    ahead = Combine("minus", (Constant(0), Combine("days_since", (node,))))
    return _feature(ahead, name_of(replace(node, ahead=None), "until_next_days"))


def due(
    source: Source,
    *,
    at: str,
    until: str | tuple[str, ...] | None = None,
    days: float,
    label: str,
    by: str | Key | None = None,
    where: Predicate | None = None,
) -> Feature:
    """How many rows have a planned time in the next days, and have not ended."""
    node = term(source, "count", where=where, since=at, until=until, ahead_days=days, by=by)
    length = span_text(span(days, DAY, "days"))
    return _feature(node, f"{source.label}_{label}_next_{length}")
