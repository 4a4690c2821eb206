"""A feature's card: what people ask before they trust a number.

>>> from features.language import count
>>> from features.sources import ORDERS
>>> feature = count(ORDERS, days=28)
>>> found = card(feature.name, feature.node)
>>> found["name"], found["window"], found["note"]
('orders_count_28d', '28d', 'orders in the last 28 days')
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from features.concerns import concern_of, wording_of
from features.lengths import span_text
from features.notes import note_of
from features.roles import role_of
from features.terms import Node

COSTS: Mapping[str, int] = MappingProxyType(
    {
        "count": 1,
        "sum": 2,
        "last": 2,
        "first_time": 2,
        "last_time": 2,
        "largest": 4,
        "smallest": 4,
        "distinct": 6,
    }
)
"""Passes over the rows that an operation takes, a count being one; measured in benchmarks."""


def card(name: str, node: Node, note: str = "") -> dict[str, object]:
    """Name, formula, source, window, cost, role (features/roles.py), note, the feature's own or
    derived, and for reasons its concern and the wording of its value (features/concerns.py)."""
    terms = set(node.terms())
    windows = sorted({t.window for t in terms if t.window is not None})
    ahead = sorted({t.ahead for t in terms if t.ahead is not None})
    sources = sorted({name for t in terms for name in t.source.tables})
    shown = [span_text(w) for w in windows] + [f"next {span_text(a)}" for a in ahead]
    return {
        "name": name,
        "formula": node.text,
        "source": "+".join(sources),
        "window": " ".join(shown) or "-",
        "cost": sum(COSTS[t.operation] for t in terms),
        "note": note or note_of(node),
        "role": role_of(node),
        "concern": concern_of(node),
        "wording": wording_of(node),
    }
