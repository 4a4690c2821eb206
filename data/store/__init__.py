"""Our own state, by subject: what was posted, decided, sent, foretold, promised and forgotten.

Every function takes an open store first, and time as an argument. SQLite beside the tables by
default, PostgreSQL by ``[store] url``; the same code runs on both.

>>> import tempfile
>>> from datetime import datetime
>>> from data.workspace import init
>>> with tempfile.TemporaryDirectory() as folder, open_store(init(folder)) as store:
...     now = datetime(2026, 3, 1)
...     order = {"order_id": "1", "ordered_at": "2026-02-28T12:00:00", "customer_id": "c"}
...     append_events(store, {"orders": [order]}, now)
...     append_events(store, {"orders": [order]}, now)
...     [(event.table, event.key) for event in events_since(store, 0)]
Appended(accepted=1, repeated=0, last_seq=1)
Appended(accepted=0, repeated=1, last_seq=1)
[('orders', ('1',))]
"""

from __future__ import annotations

from data.store.events import (
    Appended,
    Event,
    append_events,
    event_frames,
    events_of_customers,
    events_since,
    find_response,
    remember_response,
)
from data.store.opening import Store, has_store, open_store, open_url

__all__ = [
    "Appended",
    "Event",
    "Store",
    "append_events",
    "event_frames",
    "events_of_customers",
    "events_since",
    "find_response",
    "has_store",
    "open_store",
    "open_url",
    "remember_response",
]
