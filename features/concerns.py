"""What a feature is about, and how its value can be said: read off its definition.

Six features count overdue orders over six windows; to an agent they are one *concern*, an order
that has not arrived. Which table a definition counts in, which rows, until when and for which group
decides; its name has no say.

>>> from features.language import count, of_all, rate
>>> from features.orders import OVERDUE
>>> from features.sources import ORDERS
>>> concern_of(OVERDUE.node), concern_of(count(ORDERS, days=28).node)
('open_orders', 'buying')
>>> concern_of(of_all(rate(count(ORDERS, by=""), count(ORDERS, by=""), "usual")).node)
'everybody'
>>> wording_of(count(ORDERS, days=28).node)
{'form': 'amount', 'noun': 'order', 'span': 672.0}
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from features.expression import DERIVED, Column, Joint, Period
from features.lengths import HOUR
from features.predicate import In, Named, Predicate, parts_of
from features.roles import role_of
from features.terms import Combine, Constant, Node, Of, OfEach, Term

TENURE = "tenure"
"""The concern of how long somebody has been a customer."""
TABLES: Mapping[str, str] = MappingProxyType(
    {
        "orders": "buying",
        "order_items": "buying",
        "usage": "using",
        "tickets": "contacts",
        "bot_sessions": "bot_use",
        "feedback": "reviews",
        "article_events": "reading",
        "treatments": "outreach",
    }
)
"""What rows of a table are about where nothing says more of them."""
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "region": "region",
        "platform": "platform",
        "plan": "plan",
        "carrier": "carrier",
        "channel": "channel",
        "preferred_channel": "channel",
        "topic": "topic",
        "product_id": "products",
        "product_category": "products",
    }
)
"""What the others of a group are about, by the column that names the group."""
NOUNS: Mapping[tuple[str, str, str, str, str], str] = MappingProxyType(
    {
        ("orders", "", "", "", ""): "order",
        ("orders", "", "", "", "delivered_at"): "undelivered order",
        ("orders", "", "", "promised_at", "delivered_at"): "overdue order",
        ("usage", "", "", "", ""): "use",
        ("usage", "errors", "", "", ""): "error",
        ("usage", "", "payment_failed", "", ""): "failed payment",
        ("tickets", "", "", "", ""): "ticket",
        ("tickets", "", "complaint", "", ""): "complaint",
        ("tickets", "", "", "", "resolved_at"): "unresolved ticket",
        ("bot_sessions", "", "", "", ""): "bot session",
        ("article_events", "", "", "", ""): "help page read",
        ("treatments", "", "", "", ""): "contact by us",
    }
)
"""What a row is called, by table, value added up, filter, ``since`` and first of ``until``."""


def concern_of(node: Node) -> str:
    """What a feature is about; empty where that is nothing but itself."""
    lead = _lead(node)
    if isinstance(lead, Of):
        return _of_group(lead)
    if isinstance(lead, OfEach):
        return _of_groups(lead)
    return "" if lead is None else _of_rows(lead)


def wording_of(node: Node) -> dict[str, object]:
    """How its value can be said, as JSON values.

    ``form``: ``amount`` (0 is nothing), ``latest`` (days since the newest row), ``shrunk`` (a rate
    drawn to that of all), ``attribute`` of the customer, or empty. ``noun``: what is counted, or
    which attribute; empty where there is no word for it. ``span``: hours looked back on, ``now`` or
    ``ever``.
    """
    if isinstance(node, Term) and node.source.table == "customers" and node.value is not None:
        return {"form": "attribute", "noun": getattr(node.value, "name", ""), "span": "now"}
    if isinstance(node, Combine):
        newest = node.parts[0]
        if node.how == "smoothed":
            return {"form": "shrunk", "noun": "", "span": "ever"}
        if node.how == "days_since" and isinstance(newest, Term):
            is_last = newest.operation == "last_time"
            return {"form": "latest" if is_last else "", "noun": _noun(newest), "span": "ever"}
    if not _is_amount(node):
        return {"form": "", "noun": "", "span": "ever"}
    if not isinstance(node, Term):
        return {"form": "amount", "noun": "", "span": "ever"}
    span = "now" if node.until else node.window / HOUR if node.window else "ever"
    return {"form": "amount", "noun": _noun(node), "span": span}


def _is_amount(node: Node) -> bool:
    """Whether 0 of it means that nothing is there: an amount, or a share, rate or trend of a count;
    a mean of 0 says something of what is there."""
    lead = _lead(node)
    counts = isinstance(lead, Term) and lead.operation in ("count", "distinct")
    return counts or role_of(node) != ""


def _noun(term: Term) -> str:
    if term.ahead is not None or term.operation not in ("count", "sum", "last_time"):
        return ""
    value, where = term.value, term.where
    parts = (
        term.source.table,
        value.name if isinstance(value, Column) else "",
        where.label if where else "",
        term.since.name if term.since else "",
        term.until.times[0].name if term.until else "",
    )
    return NOUNS.get(parts, "")


def _lead(node: Node) -> Term | Of | OfEach | None:
    """The part that a combination is about: the first; of a product, one that is of a group."""
    if isinstance(node, Constant):
        return None
    if not isinstance(node, Combine):
        return node
    leads = [lead for part in node.parts if (lead := _lead(part)) is not None]
    if node.how == "times":
        leads.sort(key=lambda lead: isinstance(lead, Term))
    return leads[0] if leads else None


def _of_group(node: Of) -> str:
    if node.link is None:
        return "everybody"
    if any(term.source.table == "calendar" for term in node.node.terms()):
        return "releases"
    return GROUPS.get(node.link.value.name if isinstance(node.link.value, Column) else "", "")


def _of_groups(node: OfEach) -> str:
    """What is known of each of the goods, or routes, of a customer."""
    by = node.rows.value
    terms = list(node.node.terms())
    about_goods = any("about_goods" in _filters(term.where) for term in terms)
    if about_goods or (isinstance(by, Joint) and any(isinstance(p, Period) for p in by.parts)):
        return "lots"
    if any(term.source.table == "tickets" for term in terms):
        return "products"
    if node.rows.until is not None:
        return "open_orders"
    return GROUPS.get(by.name if isinstance(by, Column) else "", "")


def _of_rows(term: Term) -> str:
    """What rows are about: which are counted, and of when."""
    table, open_now = term.source.table, term.until is not None
    read = {c.name for part in (term.value, term.where, term.since) if part for c in part.columns}
    filters = _filters(term.where)
    if table == "customers":
        return "" if term.value is not None else TENURE
    if read & set(DERIVED.get(table, {})):
        return "texts"
    if table == "orders":
        if read & {"returned_at", "refunded_at", "last_refund_at"}:
            return "refunds"
        if "cancelled_at" in read:
            return "cancellations"
        if open_now:
            return "open_orders"
        return "late_orders" if "promised_at" in read else TABLES[table]
    if table == "tickets":
        if open_now or "reopened_at" in read:
            return "open_tickets"
        if "complaint" in filters:
            return "complaints"
        return "ratings" if "csat" in read else TABLES[table]
    if table == "usage":
        if "payment_failed" in filters:
            return "payments"
        return "errors" if "errors" in read else TABLES[table]
    if table == "bot_sessions" and read & {"contained", "handed_over_at"}:
        return "bots"
    if table == "article_events" and "helpful" in read:
        return "pages"
    return TABLES.get(table, "")


def _filters(where: Predicate | None) -> set[str]:
    """The names of the conditions on rows, and the texts that they ask for."""
    names: set[str] = set()
    for part in () if where is None else parts_of(where):
        if isinstance(part, Named):
            names.add(part.label)
        elif isinstance(part, In):
            names |= set(part.values)
    return names
