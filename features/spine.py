"""Who and when: the customers there were at each T, left column of everything that follows.

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.tables import MemoryTables
>>> customers = pd.DataFrame({"customer_id": ["a", "b"], "closed_at": [None, "2026-01-04"],
...                           "signed_up_at": ["2026-01-01", "2026-01-02"]})
>>> tables = MemoryTables({"customers": customers})
>>> customers_at(tables, [datetime(2026, 1, 3), datetime(2026, 1, 5)])
  customer_id      as_of
0           a 2026-01-03
1           b 2026-01-03
2           a 2026-01-05
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError
from data.tables import Tables
from features.asof import Int64, microseconds
from features.evaluate import Shared
from features.history import History
from features.language import count, now
from features.program import compiled
from features.sources import (
    ARTICLE_EVENTS,
    BOT_SESSIONS,
    CUSTOMERS,
    FEEDBACK,
    ORDERS,
    TICKETS,
    USAGE,
    Source,
)
from features.spec import Feature, FeatureView

SIGHTINGS = (ORDERS, USAGE, TICKETS)
"""Where customers are seen first when there is no table of them."""
ACTIVITY = (ORDERS, USAGE, TICKETS, BOT_SESSIONS, FEEDBACK, ARTICLE_EVENTS)
"""What makes a customer active."""


def customers_at(
    tables: Tables, as_ofs: Sequence[datetime], active_within_days: int | None = None
) -> pd.DataFrame:
    """Every (customer_id, as_of) signed up and not closed as of T, by T and then customer_id.

    Without a customers table: everybody seen before T in orders, usage or tickets. With
    ``active_within_days`` only those with an order, use, ticket, bot session, feedback or article
    view in that many days before T. ``as_of`` is datetime64[us]; equal times are taken once.
    """
    if active_within_days is not None and active_within_days <= 0:
        raise DataError(f"active_within_days is {active_within_days}; it must be above 0")
    moments = np.unique(np.array([microseconds(t) for t in as_ofs], dtype=np.int64))
    there = (
        [now(CUSTOMERS, until="closed_at", label="open")]
        if tables.has("customers")
        else [count(s) for s in SIGHTINGS if tables.has(s.table)]
    )
    active = [
        count(s, days=active_within_days)
        for s in ACTIVITY
        if active_within_days is not None and tables.has(s.table)
    ]
    history = History.read(FeatureView([*there, *active]), tables)
    names = _names(history, [feature.node.source for feature in there])  # type: ignore[union-attr]
    shared = Shared(history, moments)
    lines = np.arange(len(names))
    keep = _any(shared, there, names, lines)
    if active_within_days is not None:
        keep &= _any(shared, active, names, lines)
    time, line = np.nonzero(keep.reshape(len(names), len(moments)).T)
    return pd.DataFrame(
        {
            "customer_id": pd.Series(names[line], dtype="str"),
            "as_of": moments[time].astype("datetime64[us]"),
        }
    )


def _names(history: History, sources: Sequence[Source]) -> npt.NDArray[np.object_]:
    found: set[str] = set()
    for source in sources:
        found.update(history.rows(source).column(source["customer_id"]).categories)  # type: ignore[arg-type]
    return np.array(sorted(found), dtype=object)


def _any(
    shared: Shared, features: list[Feature], names: npt.NDArray[np.object_], lines: Int64
) -> npt.NDArray[np.bool_]:
    """Where one of the features is above 0, by line and time."""
    program = compiled(tuple(feature.node for feature in features))
    some: npt.NDArray[np.bool_] = np.any(shared.values(program, names, lines) > 0, axis=0)
    return some
