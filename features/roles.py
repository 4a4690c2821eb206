"""What part a feature can play where causes add up: what is there now, what has been, neither.

Two open orders are twice as much to complain about as one, so amounts can be added, each at a rate
of its own; a share, a mean or the days since something cannot. What has been there since ever tells
how much a customer bore without, or with, complaining.

>>> from features.language import count, now, since_last
>>> from features.sources import ORDERS
>>> for one in (now(ORDERS, until="delivered_at", label="open"), count(ORDERS), since_last(ORDERS)):
...     print([role_of(one.node)])
['now']
['ever']
['']
"""

from __future__ import annotations

from features.terms import Combine, Constant, Node, OfEach, Term


def role_of(node: Node) -> str:
    """``now``: an amount of something that is there, or was of late; ``ever``: of all there has
    been; ``tenure``: days as a customer; empty: no amount."""
    if isinstance(node, Combine) and node.how == "days_since":
        first = node.parts[0]
        of_customer = isinstance(first, Term) and first.source.table == "customers"
        return "tenure" if of_customer else ""
    if not _amount(node):
        return ""
    own = list(_of_customer(node))
    ever = all(t.window is None and t.until is None and t.ahead is None for t in own)
    return "ever" if own and ever else "now"


def _amount(node: Node) -> bool:
    """Whether twice as much of it is twice the number."""
    if isinstance(node, Term):
        return node.operation in ("count", "sum", "distinct") and node.kind != "times"
    if isinstance(node, OfEach):
        return node.how == "sum"
    if isinstance(node, Constant):
        return node.number >= 0
    if not isinstance(node, Combine):
        return False
    if node.how == "times":  # an amount times a share, or a rate
        return any(_amount(part) and not isinstance(part, Constant) for part in node.parts)
    if node.how in ("plus", "minus"):  # minus: rows of one window and not of a shorter one
        return all(_amount(part) for part in node.parts)
    return node.how in ("age_sum", "least", "days") and _amount(node.parts[0])


def _of_customer(node: Node) -> list[Term]:
    """The terms of the customer's own rows."""
    if isinstance(node, Term):
        return [node]
    if isinstance(node, OfEach):
        return [node.rows]
    if isinstance(node, Combine):
        return [term for part in node.parts for term in _of_customer(part)]
    return []
