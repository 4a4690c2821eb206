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

from data.errors import DefinitionError
from features.expression import Column, Earliest, Expression, Minus
from features.predicate import Compare, Given, In, Is, Null, Past, Predicate
from features.sources import CUSTOMERS, Source
from features.spec import DAY, HOUR, Combine, Constant, Feature, Node, Of, OfEach, Term, span_text

__all__ = [
    "Compare", "In", "Is", "Minus", "Null", "Past", "age", "count", "customer", "distinct",
    "due", "gap", "largest", "last", "mean", "now", "of", "of_all", "of_each", "overdue_ratio",
    "rate", "share", "shrunk_daily_rate", "shrunk_rate", "since_first", "since_last",
    "smallest", "total", "trend",
]  # fmt: skip


def _window(days: float | None, hours: float | None) -> int | None:
    if days is not None and hours is not None:
        raise DefinitionError("a window is in days or in hours, not both")
    length = round(days * DAY) if days is not None else None
    return round(hours * HOUR) if hours is not None else length


def _key(source: Source, by: str | None) -> Column | None:
    if by == "":
        return None
    return source[by or "customer_id"]


def _value(source: Source, value: str | Expression) -> Expression:
    return source[value] if isinstance(value, str) else value


def _until(source: Source, until: str | tuple[str, ...] | None) -> Earliest | None:
    if until is None:
        return None
    names = (until,) if isinstance(until, str) else until
    return Earliest(tuple(source[name] for name in names))


def term(
    source: Source,
    operation: str,
    value: str | Expression | None = None,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    until: str | tuple[str, ...] | None = None,
    days: float | None = None,
    hours: float | None = None,
    ahead_days: float | None = None,
    by: str | None = None,
) -> Term:
    """One number per (key, T). ``by``: the key's column, customer_id if not given, "" for all."""
    return Term(
        source,
        operation,
        _key(source, by),
        None if value is None else _value(source, value),
        where,
        None if since is None else source[since],
        _until(source, until),
        _window(days, hours),
        None if ahead_days is None else round(ahead_days * DAY),
    )


def _name(term: Term, word: str) -> str:
    """``source_filter_since_value_word_window``: the one place where names are made."""
    by = ""
    if term.key is None:
        by = "all"
    elif term.key.name != "customer_id":
        by = term.key.label.removesuffix("_id").removeprefix("product_") or term.key.label
    parts = [by, term.source.label]
    if term.where is not None:
        parts.append(term.where.label)
    if term.since is not None:
        parts.append(term.since.label)
    if term.value is not None:
        parts.append(term.value.label)
    parts.append(word)
    if term.window is not None:
        parts.append(span_text(term.window))
    if term.ahead is not None:
        parts.append(f"next_{span_text(term.ahead)}")
    return "_".join(part for part in parts if part)


def _feature(node: Node, name: str, note: str = "") -> Feature:
    return Feature("".join(c if c.isascii() and c.isalnum() else "_" for c in name), node, note)


def count(
    source: Source,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | None = None,
) -> Feature:
    """How many rows; 0 where none."""
    node = term(source, "count", where=where, since=since, days=days, hours=hours, by=by)
    return _feature(node, _name(node, "count"))


def total(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | None = None,
) -> Feature:
    """The sum of a value; 0 where no row has one."""
    node = term(source, "sum", value, where=where, since=since, days=days, hours=hours, by=by)
    return _feature(node, _name(node, "sum"))


def mean(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | None = None,
) -> Feature:
    """The mean of a value over the rows that have it; null where none. Durations in days."""
    node = term(source, "sum", value, where=where, since=since, days=days, hours=hours, by=by)
    return _in_days(Combine("ratio", (node, _having(node))), node, "mean")


def _in_days(found: Node, node: Term, word: str) -> Feature:
    """Durations, microseconds inside, are shown in days."""
    if node.value is not None and node.value.kind == "duration":
        return _feature(Combine("days", (found,)), _name(node, f"{word}_days"))
    return _feature(found, _name(node, word))


def _having(node: Term) -> Term:
    """The number of the rows that a sum adds: a count of those with a value that is known."""
    assert node.value is not None
    given = Given(node.value)
    where = given if node.where is None else node.where & given
    return replace(node, operation="count", value=None, where=where)


def share(
    source: Source,
    *,
    of: Predicate,
    where: Predicate | None = None,
    since: str | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | None = None,
) -> Feature:
    """The share of the rows that are ``of``; null where there are none."""
    every = term(source, "count", where=where, since=since, days=days, hours=hours, by=by)
    some = replace(every, where=of if where is None else where & of)
    return _feature(Combine("ratio", (some, every)), _name(some, "share"))


def distinct(
    source: Source,
    value: str,
    *,
    where: Predicate | None = None,
    days: float | None = None,
    hours: float | None = None,
    by: str | None = None,
) -> Feature:
    """How many different texts; 0 where none."""
    node = term(source, "distinct", value, where=where, days=days, hours=hours, by=by)
    return _feature(node, _name(node, "distinct"))


def largest(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    days: float | None = None,
    hours: float | None = None,
) -> Feature:
    """The greatest value; null where none."""
    node = term(source, "largest", value, where=where, days=days, hours=hours)
    return _in_days(node, node, "largest")


def smallest(
    source: Source,
    value: str | Expression,
    *,
    where: Predicate | None = None,
    days: float | None = None,
    hours: float | None = None,
) -> Feature:
    """The least value; null where none."""
    node = term(source, "smallest", value, where=where, days=days, hours=hours)
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
    by: str | None = None,
) -> Feature:
    """Days since the latest row; null where none."""
    node = term(source, "last_time", where=where, since=since, by=by)
    return _feature(Combine("days_since", (node,)), _name(node, "since_last_days"))


def since_first(source: Source, *, where: Predicate | None = None) -> Feature:
    """Days since the first row; null where none."""
    node = term(source, "first_time", where=where)
    return _feature(Combine("days_since", (node,)), _name(node, "since_first_days"))


def _gap_node(source: Source, where: Predicate | None) -> Node:
    newest = term(source, "last_time", where=where)
    span = Combine("minus", (newest, replace(newest, operation="first_time")))
    gaps = Combine("minus", (replace(newest, operation="count"), Constant(1)))
    return Combine("days", (Combine("ratio", (span, Combine("above_zero", (gaps,)))),))


def gap(source: Source, *, where: Predicate | None = None) -> Feature:
    """Mean days between rows; null with fewer than two."""
    newest = term(source, "last_time", where=where)
    return _feature(_gap_node(source, where), _name(newest, "gap_days"))


def overdue_ratio(source: Source, *, where: Predicate | None = None) -> Feature:
    """Days since the latest row over the mean days between rows: above 1, the next one is late."""
    newest = term(source, "last_time", where=where)
    ratio = Combine("ratio", (Combine("days_since", (newest,)), _gap_node(source, where)))
    return _feature(ratio, _name(newest, "gap_elapsed"))


def trend(recent: Feature, usual: Feature) -> Feature:
    """How much faster things come in the recent window than in the long one: a ratio of rates,
    1 is as usual; null where the long window has nothing."""
    short, long = recent.node, usual.node
    if not (isinstance(short, Term) and isinstance(long, Term) and short.window and long.window):
        raise DefinitionError(f"a trend is of two windows, not {recent.name} and {usual.name}")
    if short.window >= long.window:
        raise DefinitionError(f"{recent.name} is no shorter window than {usual.name}")
    factor = Constant(long.window / short.window)
    node = Combine("times", (Combine("ratio", (short, long)), factor))
    return _feature(node, f"{recent.name}_over_{span_text(long.window)}")


def rate(events: Feature, exposure: Feature, name: str) -> Feature:
    """Events per exposure (tickets per order, errors per use); null without exposure."""
    return _feature(Combine("ratio", (events.node, exposure.node)), name)


def shrunk_rate(
    events: Feature, exposure: Feature, usual: Feature, weight: float, name: str
) -> Feature:
    """The rate drawn towards the usual one with the weight of so many exposures: the posterior
    mean of a Poisson rate under a gamma prior; ``usual`` is a rate of all (``of_all``)."""
    parts = (events.node, exposure.node, usual.node, Constant(weight))
    return _feature(Combine("smoothed", parts), name)


def shrunk_daily_rate(
    source: Source, *, where: Predicate | None = None, days: float, weight: float = 28.0
) -> Feature:
    """Events a day in a window, drawn to everybody's: the posterior mean of a Poisson rate under
    a gamma prior that is worth ``weight`` days of exposure. A customer is exposed from sign-up."""
    events = term(source, "count", where=where, days=days)
    tenure = Combine("days_since", (term(CUSTOMERS, "first_time"),))
    everybody = Of(term(source, "count", where=where, days=days, by=""))
    customers = Of(term(CUSTOMERS, "count", by=""))
    usual = Combine("ratio", (everybody, Combine("times", (customers, Constant(days)))))
    exposure = Combine("least", (tenure, Constant(days)))
    node = Combine("smoothed", (events, exposure, usual, Constant(weight)))
    return _feature(node, _name(events, "daily_rate"))


def now(
    source: Source,
    *,
    until: str | tuple[str, ...],
    label: str,
    since: str | None = None,
    where: Predicate | None = None,
    by: str | None = None,
) -> Feature:
    """How many rows are in a state at T: from ``since`` on until the first of ``until``."""
    node = term(source, "count", where=where, since=since, until=until, by=by)
    group = _name(replace(node, where=None, since=None), "").rstrip("_")
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


def due(
    source: Source,
    *,
    at: str,
    until: str | tuple[str, ...] | None = None,
    days: float,
    label: str,
    by: str | None = None,
    where: Predicate | None = None,
) -> Feature:
    """How many rows have a planned time in the next days, and have not ended."""
    node = term(source, "count", where=where, since=at, until=until, ahead_days=days, by=by)
    return _feature(node, f"{source.label}_{label}_next_{span_text(round(days * DAY))}")


def of(feature: Feature, link: Feature, prefix: str = "") -> Feature:
    """The feature of the group that ``link`` (a last text, an attribute) names for the customer."""
    if not isinstance(link.node, Term):
        raise DefinitionError(f"{link.name} names no group")
    return _feature(Of(feature.node, link.node), prefix + feature.name)


def of_all(feature: Feature) -> Feature:
    """The feature over everybody."""
    return _feature(Of(feature.node), feature.name)


def of_each(feature: Feature, rows: Feature, how: str = "mean", prefix: str = "") -> Feature:
    """The mean or largest of the feature over the groups that the customer's rows name."""
    if not isinstance(rows.node, Term):
        raise DefinitionError(f"{rows.name} names no groups")
    return _feature(OfEach(feature.node, rows.node, how), f"{prefix}{feature.name}_{how}")
