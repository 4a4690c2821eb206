"""Which topics are about the goods themselves: their tickets come once the order has arrived.

What a ticket is about decides what it says of others: a complaint about an order that is late says
something of its carrier, one about what was in the parcel of all who hold the same. Topics are
every company's own words; when their tickets come tells which are which: after the delivery of the
order that they name; or, where tickets name none, far oftener in the week after a delivery to
their customer than in a week before one.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": ["2026-01-01"],
...                        "delivered_at": ["2026-01-03"]})
>>> tickets = pd.DataFrame({"ticket_id": [str(n) for n in range(60)], "order_id": ["1"] * 60,
...                         "channel": ["email"] * 60, "topic": ["broken", "where is it"] * 30,
...                         "opened_at": ["2026-01-05", "2026-01-02"] * 30})
>>> goods_topics(MemoryTables({"orders": orders, "tickets": tickets}))
('broken',)
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import pandas as pd

from data.tables import Tables
from features.asof import microseconds, times_of

SHARE = 0.8
"""Of a topic's tickets that name an order, so many must come after it was delivered."""
FEW = 20
"""A topic with fewer tickets that name an order is none of these."""
OFTENER = 2.0
"""Tickets in the week after deliveries, over those in a week before, of a topic about goods."""
WEEK = pd.Timedelta(days=7)
LOOKED_AT = 20_000
"""So many tickets that name an order are looked at, the last in the table."""


def goods_topics(tables: Tables, as_of: datetime | None = None) -> tuple[str, ...]:
    """The topics about goods, sorted; with ``as_of`` only what was recorded by then decides."""
    if not (tables.has("tickets") and tables.has("orders")):
        return ()
    tickets = _tickets(tables, as_of)
    if tickets.empty:
        return _after_deliveries(tables, as_of)
    orders = _orders(tables, as_of, set(tickets["order_id"]))
    delivered = tickets["order_id"].map(orders.groupby("order_id")["delivered_at"].max())
    if as_of is not None:
        delivered = delivered.mask(delivered >= pd.Timestamp(as_of))
    after = (tickets["opened_at"] > delivered).groupby(tickets["topic"].astype("str"))
    enough = after.mean()[after.size() >= FEW]
    return tuple(sorted(str(topic) for topic in enough[enough >= SHARE].index))


def _after_deliveries(tables: Tables, as_of: datetime | None) -> tuple[str, ...]:
    """The same where tickets name no order."""
    names = ["customer_id", "topic", "opened_at"]
    tickets = _recorded(tables, "tickets", names, as_of).dropna(subset=names).tail(LOOKED_AT)
    orders = _recorded(tables, "orders", ["customer_id", "delivered_at"], as_of).dropna()
    if as_of is not None:
        orders = orders[orders["delivered_at"] < pd.Timestamp(as_of)]
    both = tickets.merge(orders, on="customer_id")
    since = both["opened_at"] - both["delivered_at"]
    topic = both["topic"].astype("str")
    after = topic[(since > 0 * WEEK) & (since <= WEEK)].value_counts()
    before = topic[(since > -2 * WEEK) & (since <= -WEEK)].value_counts()
    before = before.reindex(after.index, fill_value=0)
    topics = after[(after >= FEW) & (after >= OFTENER * (before + 1))]
    return tuple(sorted(map(str, topics.index)))


def _recorded(
    tables: Tables, name: str, columns: list[str], as_of: datetime | None
) -> pd.DataFrame:
    """A table's rows that were recorded by then."""
    frame = tables.frame(name, [*columns, "recorded_at"])
    if as_of is not None:
        frame = frame[times_of(frame["recorded_at"]) <= microseconds(as_of)]
    return frame[columns]


def _tickets(tables: Tables, as_of: datetime | None) -> pd.DataFrame:
    """The last tickets that name an order and a topic."""
    columns = ["order_id", "topic", "opened_at"]
    file = tables.file("tickets")
    if as_of is None and file is not None:
        return _last(file, columns)
    frame = tables.frame("tickets", [*columns, "recorded_at"])
    if as_of is not None:
        frame = frame[times_of(frame["recorded_at"]) <= microseconds(as_of)]
    return frame.dropna(subset=["order_id", "topic"]).tail(LOOKED_AT)


def _last(file: Path, columns: list[str]) -> pd.DataFrame:
    """The same of a Parquet file, group by group from its end, so that little is held."""
    import pyarrow.parquet as pq

    groups: list[pd.DataFrame] = []
    with pq.ParquetFile(file) as read:
        for group in reversed(range(read.num_row_groups)):
            frame = read.read_row_group(group, columns).to_pandas()
            groups.insert(0, frame.dropna(subset=["order_id", "topic"]).tail(LOOKED_AT))
            if sum(map(len, groups)) >= LOOKED_AT:
                break
    every = pd.concat(groups) if groups else pd.DataFrame(columns=columns)
    return every.tail(LOOKED_AT)


def _orders(tables: Tables, as_of: datetime | None, ids: Collection[str]) -> pd.DataFrame:
    """When those orders were delivered."""
    columns = ["order_id", "delivered_at"]
    file = tables.file("orders")
    if as_of is None and file is not None:
        import pyarrow.parquet as pq

        return pq.read_table(file, columns=columns, filters=[("order_id", "in", ids)]).to_pandas()
    frame = tables.frame("orders", [*columns, "recorded_at"])
    if as_of is not None:
        frame = frame[times_of(frame["recorded_at"]) <= microseconds(as_of)]
    return frame[frame["order_id"].isin(ids)]
