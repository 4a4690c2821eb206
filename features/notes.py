"""A definition in words, derived from it, so that nobody writes a note and none can be wrong.

>>> from features.language import count, mean, since_last, trend
>>> from features.sources import FEEDBACK, ORDERS
>>> note_of(count(ORDERS, since="delivered_at", days=7).node)
'orders delivered in the last 7 days'
>>> note_of(mean(FEEDBACK, "rating", days=365).node)
'mean rating of feedback in the last 365 days'
>>> note_of(trend(count(ORDERS, days=7), count(ORDERS, days=28)).node)
'orders in the last 7 days against the pace of the last 28 days, 1 being as usual'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from features.expression import Column, Earliest
from features.lengths import DAY, HOUR
from features.predicate import And, Given, In, Is, Named, Past, Predicate
from features.terms import Combine, Constant, Node, Of, OfEach, Term

NOUNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "customers": ("customer", "customers"),
        "orders": ("order", "orders"),
        "order_items": ("item ordered", "items ordered"),
        "usage": ("use", "uses"),
        "tickets": ("ticket", "tickets"),
        "bot_sessions": ("bot session", "bot sessions"),
        "feedback": ("feedback", "feedback"),
        "article_events": ("view of a help page", "views of help pages"),
        "treatments": ("outreach contact", "outreach contacts"),
    }
)
"""One and many of a table's rows; of a table that is not here its name says it."""
CALLED: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType(
    {
        ("tickets", "complaint"): ("complaint", "complaints"),
        ("usage", "with errors"): ("use with errors", "uses with errors"),
        ("usage", "payment failed"): ("failed payment", "failed payments"),
    }
)
"""Rows of a kind that have a word of their own."""
MOMENTS: Mapping[str, str] = MappingProxyType(
    {"promised": "due", "first_response": "answered", "csat": "rated"}
)
"""What has happened once a time has passed, where the column's name does not say it."""


def note_of(node: Node) -> str:
    """The definition as a phrase to which ``: 3`` can be added."""
    if isinstance(node, Term):
        return _term(node)
    if isinstance(node, Constant):
        return f"{node.number:g}"
    if isinstance(node, Of):
        whose = "of all customers" if node.link is None else f"for {note_of(node.link)}"
        return f"{note_of(node.node)}, {whose}"
    if isinstance(node, OfEach):
        return of_each_note(note_of(node.node), node)
    return _combined(node)


def of_each_note(what: str, node: OfEach) -> str:
    """What is known of each group, over the groups."""
    assert node.rows.value is not None
    each = f"{_words(node.rows.value.label)}s of {_rows(node.rows)}"
    return f"{what}, the {node.how} over the {each}"


def _combined(node: Combine) -> str:
    parts = node.parts
    known = _ratio(node) if node.how == "ratio" else _pace(node) if node.how == "times" else None
    if known is not None:
        return known
    if node.how == "days_since" and isinstance(parts[0], Term):
        return _since_in_words(parts[0])
    if node.how == "days":
        span = parts[0]
        if isinstance(span, Combine) and span.how == "ratio" and _is_gap(span):
            newest = next(iter(span.terms()))
            return f"mean days between {_rows(newest)}"
        return f"{note_of(span)}, in days"
    notes = [note_of(part) for part in parts]
    if node.how == "minus" and parts[0] == Constant(0):
        return _until(parts[1])
    if node.how == "least":
        return f"{notes[0]}, at most {notes[1]}"
    if node.how == "smoothed":
        return f"{notes[0]} for each of {notes[1]}, drawn towards the usual rate"
    if node.how == "above_zero":
        return notes[0]
    if node.how == "age_sum":
        return f"days of {notes[0]}, added up"
    return f" {node.how} ".join(notes)


def _ratio(node: Combine) -> str | None:
    """A mean, a share, or any other."""
    above, below = node.parts
    if isinstance(above, Term) and isinstance(below, Term) and above.key == below.key:
        if above.operation == "sum" and above.value is not None and _only_given(above, below):
            return f"mean {_words(above.value.label)} of {_rows(above)}"
        within = below.where is None or isinstance(above.where, And)
        if above.operation == "count" and replace(above, where=below.where) == below and within:
            return f"share of {_noun(above)[1]} among {_rows(below)}"
    return f"{note_of(above)} over {note_of(below)}"


def _only_given(above: Term, below: Term) -> bool:
    """Whether ``below`` counts the rows whose values ``above`` adds."""
    where = below.where
    last_part = where.parts[-1] if isinstance(where, And) else where
    return (
        isinstance(last_part, Given)
        and last_part.value == above.value
        and replace(above, operation="count", value=None, where=where) == below
    )


def _pace(node: Combine) -> str | None:
    inner, factor = node.parts
    if isinstance(inner, Combine) and inner.how == "ratio" and isinstance(factor, Constant):
        recent, usual = inner.parts
        if isinstance(recent, Term) and isinstance(usual, Term) and usual.window is not None:
            pace = f"the pace of the last {_span(usual.window)}"
            return f"{note_of(recent)} against {pace}, 1 being as usual"
    return None


def _is_gap(span: Combine) -> bool:
    above = span.parts[0]
    return isinstance(above, Combine) and above.how == "minus" and above.kind == "duration"


def _since_in_words(term: Term) -> str:
    if term.source.table == "customers" and term.since is None:
        return "days since the customer signed up"
    which = "latest" if term.operation == "last_time" else "first"
    row = _noun(term)[0]
    if term.since is None and term.until is None:
        return f"days since the {which} {row}"
    ends = f" {_not_yet(term.until)}" if term.until is not None else ""
    return f"days since the {which} {row}{ends} was {_moment(term.since or term.source.time)}"


def _until(node: Node) -> str:
    """The days to a planned time."""
    term = next(iter(node.terms()))
    assert term.since is not None and term.ahead is not None
    ends = f" {_not_yet(term.until)}" if term.until is not None else ""
    when = f"is {_moment(term.since)}, within {_span(term.ahead)}"
    return f"days until the next {_noun(term)[0]}{ends} {when}"


def _term(term: Term) -> str:
    value = "" if term.value is None else _words(term.value.label)
    if term.source.table == "customers" and term.operation == "last":
        return f"the customer's {value}"
    if term.operation == "count":
        ever = term.window is None and term.until is None and term.ahead is None
        return _rows(term) + (" so far" if ever and term.source.table != "customers" else "")
    if term.operation == "last":
        return f"the {value} of the latest {_noun(term)[0]}"
    if term.operation == "distinct":
        if term.value is not None and term.value.kind == "day":
            return f"days with {_rows(term)}"
        return f"different {value} values of {_rows(term)}"
    if term.operation in ("first_time", "last_time"):
        return f"time of the {term.operation.removesuffix('_time')} {_noun(term)[0]}"
    return f"{'total' if term.operation == 'sum' else term.operation} {value} of {_rows(term)}"


def _rows(term: Term) -> str:
    """Which rows, in which state, of when."""
    words = _noun(term)[1]
    moment = "" if term.since is None else f" {_moment(term.since)}"
    if term.ahead is not None:
        words += f"{moment} in the next {_span(term.ahead)}"
    elif term.window is not None:
        words += f"{moment} in the last {_span(term.window)}"
    elif moment:
        words += f" already{moment}"
    comma = "," if moment else ""
    return words if term.until is None else f"{words}{comma} {_not_yet(term.until)}"


def _moment(time: Column) -> str:
    return MOMENTS.get(time.label, _words(time.label))


def _not_yet(until: Earliest) -> str:
    ends = [_moment(time) for time in until.times]
    return "not yet " + ", ".join(ends[:-1]) + (" or " if len(ends) > 1 else "") + ends[-1]


def _noun(term: Term) -> tuple[str, str]:
    """What one row, and what many, of those that match are called."""
    table = term.source.table
    one, many = NOUNS.get(table, (_words(table).removesuffix("s"), _words(table)))
    parts = _conditions(term.where)
    if not parts:
        return one, many
    adjectives, tails = [], []
    for part in parts:
        label = _moment(part.column) if isinstance(part, Past) else _words(part.label)
        if (table, label) in CALLED:
            one, many = CALLED[table, label]
        elif isinstance(part, Named | Past | Is | In):
            adjectives.append(label)
        else:
            tails.append(f"where {part.text}")
    before = "".join(f"{word} " for word in adjectives)
    after = "".join(f" {word}" for word in tails)
    return before + one + after, before + many + after


def _conditions(where: Predicate | None) -> tuple[Predicate, ...]:
    """What must hold of a row, but for that its value is there: that goes without saying."""
    parts = where.parts if isinstance(where, And) else () if where is None else (where,)
    return tuple(part for part in parts if not isinstance(part, Given))


def _words(label: str) -> str:
    return label.removesuffix("_id").replace("_", " ")


def _span(microseconds: int) -> str:
    """A length of time in words."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (HOUR // 60, "minute")):
        if microseconds % unit == 0:
            count = microseconds // unit
            return f"{count} {name}s" if count > 1 else name
    return f"{microseconds} microseconds"


def ages_note(term: Term, at_most: float) -> str:
    """The days for which rows have been in a state, at most so many for each."""
    return f"days of {_rows(term)}, added up, at most {at_most:g} for each"


def since_other(term: Term, other: str, back: int) -> str:
    """The rows of a term since the latest row of another table, within so many microseconds."""
    one = NOUNS[other][0]
    return f"{_rows(replace(term, window=None))} since the latest {one}, of the last {_span(back)}"
