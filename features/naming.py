"""One term from its words, and the one place where the names of features are made.

>>> from features.sources import ORDERS
>>> name_of(term(ORDERS, "sum", "amount", days=28), "sum")
'orders_amount_sum_28d'
>>> term(ORDERS, "count", days=float("nan"))
Traceback (most recent call last):
...
data.errors.DefinitionError: a window of nan days: give a finite number
"""

from __future__ import annotations

import math
from numbers import Real

from data.errors import DefinitionError, did_you_mean
from features import sources
from features.expression import Column, Earliest, Expression, Joint, Key
from features.lengths import DAY, HOUR, span_text
from features.predicate import Predicate
from features.sources import Source
from features.spec import Feature, Node, Term


def span(amount: float, unit: int, named: str) -> int:
    """A length in microseconds; refuses what is no finite number."""
    if isinstance(amount, bool) or not isinstance(amount, Real) or not math.isfinite(amount):
        raise DefinitionError(f"a window of {amount!r} {named}: give a finite number")
    return round(amount * unit)


def window_of(days: float | None, hours: float | None) -> int | None:
    """The window that ``days`` or ``hours`` say, None for everything."""
    if days is not None and hours is not None:
        raise DefinitionError("a window is in days or in hours, not both")
    if hours is not None:
        return span(hours, HOUR, "hours")
    return None if days is None else span(days, DAY, "days")


def _checked(source: object) -> Source:
    if isinstance(source, Source):
        return source
    there = {name: s for name, s in vars(sources).items() if isinstance(s, Source)}
    near = did_you_mean(str(source).upper(), there) or f" There are {', '.join(there)}"
    raise DefinitionError(f"{source!r} is no source.{near}")


def _key(source: Source, by: str | Key | None) -> Key | None:
    if by == "":
        return None
    return by if isinstance(by, Column | Joint) else source[by or "customer_id"]


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
    by: str | Key | None = None,
) -> Term:
    """One number per (key, T). ``by``: the key's column, customer_id if not given, "" for all."""
    source = _checked(source)
    return Term(
        source,
        operation,
        _key(source, by),
        None if value is None else _value(source, value),
        where,
        None if since is None else source[since],
        _until(source, until),
        window_of(days, hours),
        None if ahead_days is None else span(ahead_days, DAY, "days"),
    )


def since_of(term: Term) -> Column:
    """The time from which its rows count."""
    return term.since or term.source.time


def name_of(term: Term, word: str) -> str:
    """``source_filter_since_value_word_window``, a group's key before it."""
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


def feature(node: Node, name: str, note: str = "") -> Feature:
    """A node under a name, letters that names cannot have replaced."""
    return Feature("".join(c if c.isascii() and c.isalnum() else "_" for c in name), node, note)
