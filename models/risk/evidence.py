"""The rows behind a reason: which order is late, which ticket waits, said in the agent's words.

A model sees counts; an agent wants to open the order. A ``Kind`` names the feature whose rows it
tells. Its definition, as the model's view has it, picks them as of T, so a row is named if and only
if the feature counts it: nothing after T can be, and what a company does not record is left out.

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.tables import MemoryTables
>>> from features.orders import OPEN
>>> orders = pd.DataFrame({"order_id": ["A17"], "customer_id": ["a"], "ordered_at": ["2026-07-08"],
...                        "promised_at": ["2026-07-20"]})
>>> view, spine = FeatureView((OPEN,)), pd.DataFrame({"customer_id": ["a"]})
>>> spine["as_of"] = datetime(2026, 8, 7)
>>> evidence(view, spine, read(view, MemoryTables({"orders": orders})))[0]["open_orders"]
'Order A17 of 8 July has not arrived; it was due on 20 July (18 days late)'
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Ints, Values
from data.tables import Tables
from features.calendar import local_times
from features.expression import Column, Key
from features.history import History, Part, needed_columns
from features.lengths import DAY
from features.program import stream_of
from features.shards import split
from features.sources import Source, read_rows
from features.spec import FeatureView, OfEach, Term
from models.risk.words import amount, phrase, say, spoken

MOST = 3
"""Rows that a reason names at most."""
LIKELY = 0.5
"""From such a sum of chances on goods are said to be of a bad lot."""


@dataclass(frozen=True)
class Kind:
    """Rows of one kind: a sentence of the lexicon for those that a feature counts.

    ``features``: the first of them that the view has picks the rows. Then columns: what the row is
    called, when it was promised, what became of it when, what it is about, its number. ``noun``:
    rows of one day and subject are counted in one sentence. ``at_least``: what the feature must be.
    """

    concern: str
    sentence: str
    features: tuple[str, ...]
    id: str = ""
    due: str = ""
    then: str = ""
    of: str = ""
    number: str = ""
    noun: str = ""
    at_least: float = 0.0


def _counts(subject: str, *days: int) -> tuple[str, ...]:
    return tuple(f"{subject}_count_{each}d" for each in days)


KINDS = (
    Kind("open_orders", "undelivered", ("orders_open_now", "orders_overdue_now"), "order_id",
         due="promised_at"),
    Kind("late_orders", "late_delivered", _counts("orders_late_delivered", 28, 7, 90), "order_id",
         then="delivered_at", due="promised_at"),
    Kind("refunds", "refund_due", ("orders_awaiting_refund_now",), "order_id", then="returned_at"),
    Kind("refunds", "returned", _counts("orders_returned", 90, 28), "order_id", then="returned_at"),
    Kind("cancellations", "cancelled", _counts("orders_cancelled", 90, 28), "order_id",
         then="cancelled_at"),
    Kind("lots", "bad_lot", ("held_21d_lot_trouble_sum",), "order_id", at_least=LIKELY),
    Kind("lots", "bad_lot", ("under_way_lot_trouble_sum",), "order_id", at_least=LIKELY),
    Kind("errors", "met_errors", _counts("usage_with_errors", 28, 7, 3), of="feature",
         number="errors", noun="error"),
    Kind("payments", "payment_failed", _counts("usage_payment_failed", 28, 14, 7, 90, 3),
         noun="failed payment"),
    Kind("open_tickets", "waiting", ("tickets_unanswered_now",), "ticket_id"),
    Kind("open_tickets", "unresolved", ("tickets_open_now",), "ticket_id"),
    Kind("open_tickets", "reopened", _counts("tickets_reopened", 90), "ticket_id",
         then="reopened_at"),
    Kind("complaints", "complained", _counts("tickets_complaint", 180, 90, 56, 28, 14, 7, 365),
         "ticket_id", of="topic"),
    Kind("ratings", "rated", _counts("tickets_unhappy_csat", 60), "ticket_id", number="csat"),
    Kind("bots", "bot_failed", _counts("bot_not_contained", 28, 7, 90)),
    Kind("pages", "page_failed", _counts("articles_unhelpful", 28, 7, 3)),
    Kind("reviews", "reviewed", _counts("feedback_poor", 180, 30), "feedback_id",
         number="rating"),
)  # fmt: skip
CONCERNS = frozenset(kind.concern for kind in KINDS)
"""What a person can act on: a row of the customer's is open, overdue, broken, or unanswered."""


class _Row(NamedTuple):
    """What is said of a row: lower ranks and later times come first, a key comes once."""

    rank: int
    time: int
    key: str
    text: str


def read(
    view: FeatureView, tables: Tables, also: Mapping[Source, Collection[Key]] | None = None
) -> History:
    """The rows that the view's features need, those that reasons name, and those of ``also``, to
    be asked many times; a feature's value is that of a history of its own rows alone."""
    needed = {source: set(columns) for source, columns in _needed(view).items()}
    for source, columns in (also or {}).items():
        needed.setdefault(source, set()).update(columns)
    return History(read_rows(tables, needed)).keep()


@lru_cache(maxsize=16)
def _needed(view: FeatureView) -> Mapping[Source, Collection[Key]]:
    """Worked out once a view: every prediction reads."""
    columns_of = needed_columns(t for feature in view.features for t in feature.node.terms())
    for source, columns in _named(view).items():
        columns_of[source] |= columns
    return columns_of


def read_of(view: FeatureView, tables: Tables, customers: Values) -> History:
    """The rows that reasons of these customers name, and no others."""
    named = _named(view)
    with split(tables, named, 1, only=customers) as shards:
        return History(read_rows(shards.shard(0), named))


def _named(view: FeatureView) -> dict[Source, set[Key]]:
    """The columns that pick the rows that reasons name, and say them."""
    picked = list(_picked(view))
    columns_of = needed_columns(term for _, _, term in picked)
    for kind, _, term in picked:
        columns_of[term.source] |= set(_columns(kind, term.source).values())
    return columns_of


def evidence(
    view: FeatureView,
    features: pd.DataFrame,
    history: History,
    language: str = "en",
    time_zone: str = "UTC",
) -> list[dict[str, str]]:
    """Per row of ``features`` (customer_id, as_of, and columns of the view) what is said of each
    concern, newest row first, ``MOST`` rows at most; none, no entry.

    ``history``: what ``read`` gave. Days are those of ``time_zone``.
    """
    names = features["customer_id"].to_numpy(dtype=object)
    moments = features["as_of"].to_numpy().astype("datetime64[us]").astype(np.int64)
    today = _days(moments, time_zone)
    by_concern: list[dict[str, list[_Row]]] = [{} for _ in names]
    for rank, (kind, name, term) in enumerate(_picked(view)):
        every = np.arange(len(names))
        if kind.at_least:
            every = np.flatnonzero(features[name].to_numpy() >= kind.at_least)
        rows = history.select(term.source, term.source["customer_id"], names, every)
        for at, time, parts in _counted(kind, term, rows, every, moments, time_zone):
            row = _row_of(kind, parts, today[at], language)
            if row is not None:
                row = row._replace(rank=2 * rank + row.rank, time=time)
                by_concern[at].setdefault(kind.concern, []).append(row)
    more = phrase("more", language)
    return [{concern: _joined(rows, more) for concern, rows in one.items()} for one in by_concern]


def _picked(view: FeatureView) -> Iterator[tuple[Kind, str, Term]]:
    """The kinds whose rows the view knows, the feature and the term that picks them."""
    nodes = {feature.name: feature.node for feature in view.features}
    for kind in KINDS:
        name = next((name for name in kind.features if name in nodes), "")
        node = nodes.get(name)
        term = node.rows if isinstance(node, OfEach) else node
        if isinstance(term, Term):
            yield kind, name, term


def _columns(kind: Kind, source: Source) -> dict[str, Column]:
    """The columns to show, by the part of the sentence that each is."""
    names = {"id": kind.id, "due": kind.due, "then": kind.then, "of": kind.of}
    names["number"] = kind.number
    return {"when": source.time} | {part: source[name] for part, name in names.items() if name}


def _counted(
    kind: Kind, term: Term, rows: Part, every: Ints, moments: Ints, time_zone: str
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The rows that the term counts: place of the customer, the row's time, what is to be said."""
    spells = rows.spells(*stream_of(term))
    at = every[rows.line]
    end = spells.hi if term.window is None else np.minimum(spells.hi, spells.at + term.window + 1)
    chosen = np.flatnonzero((spells.lo <= moments[at]) & (moments[at] < end))
    if not len(chosen):
        return
    at = at[chosen]
    times = rows.column(term.source.time).data[chosen].astype(np.int64)
    columns = _columns(kind, term.source)
    shown = [_shown(rows, c, chosen, moments[at], time_zone) for c in columns.values()]
    days: dict[tuple[object, ...], tuple[int, int, dict[str, Any]]] = {}
    for place, time, *values in zip(at.tolist(), times.tolist(), *shown, strict=True):
        parts = dict(zip(columns, values, strict=True))
        if not kind.noun:
            yield place, time, parts
            continue
        day = days.setdefault((place, parts["when"], parts.get("of")), (place, time, parts))
        if day[2] is parts:
            parts.setdefault("number", 1)
        else:
            day[2]["number"] += parts.get("number", 1)
    yield from days.values()


def _shown(rows: Part, column: Column, chosen: Ints, moments: Ints, time_zone: str) -> list[object]:
    """A column's values as known at ``moments``: days, texts, numbers; None for what is not."""
    value = rows.column(column)
    null = value.null()[chosen]
    if value.known is not None:
        null = null | (value.known[chosen] > moments)
    data = value.data[chosen]
    if value.categories is not None:
        data = value.categories[data.astype(np.int64)] if len(value.categories) else data
    elif column.kind == "time":
        times = np.where(null, 0, data).astype(np.int64)
        # a date is 00:00 UTC by the contract, and the same date in every zone
        data = np.where(times % DAY == 0, _days(times, "UTC"), _days(times, time_zone))
    return [None if gone else item for item, gone in zip(data.tolist(), null, strict=True)]


def _days(times: Ints, time_zone: str) -> npt.NDArray[np.object_]:
    """The days (``date``) of naive UTC microseconds."""
    return local_times(times.astype("datetime64[us]"), time_zone).astype("M8[D]").astype(object)


def _row_of(kind: Kind, parts: dict[str, Any], today: Any, language: str) -> _Row | None:
    """A row's sentence; None for one that no agent would name."""
    sentence, begin, end = kind.sentence, parts["when"], today
    due: Any = parts.get("due")
    then: Any = parts.get("then")
    of, number = parts.get("of"), parts.get("number")
    if sentence == "undelivered" and due is not None:
        sentence = "due" if due > today else "overdue" if due < today else "due_today"
        begin, then = due, due
    elif sentence == "late_delivered":
        if then <= due:
            return None
        begin, end = due, then
    elif sentence == "met_errors" and of == "payment_failed":  # that is a concern of its own
        return None
    text = say(
        f"{sentence}_about" if of else sentence,
        language,
        today=today,
        id=parts.get("id"),
        when=parts["when"],
        then=then,
        of=str(of).replace("_", " "),
        number=spoken(number, language),
        counted=amount(number or 0, kind.noun, language) if kind.noun else "",
        days=max(0, (end - begin).days),
    )
    return _Row(int(sentence in ("due", "undelivered")), 0, str(parts.get("id") or text), text)


def _joined(rows: list[_Row], more: str) -> str:
    """Some rows' sentences as one text."""
    once: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row.rank, -row.time, row.key)):
        once.setdefault(row.key, row.text)
    texts = list(once.values())
    rest = [more.format(number=len(texts) - MOST)] if len(texts) > MOST else []
    return ". ".join([*texts[:MOST], *rest])
