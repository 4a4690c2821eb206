"""A snapshot with the rows posted since: what a service reads between two nights.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> night = MemoryTables({"orders": pd.DataFrame({"order_id": ["1"], "customer_id": ["c"],
...                                               "ordered_at": ["2026-01-01"]})})
>>> posted = pd.DataFrame({"order_id": ["2"], "customer_id": ["c"], "ordered_at": ["2026-01-02"],
...                        "recorded_at": ["2026-01-02"]})
>>> WithEvents(night, {"orders": posted}).frame("orders", ["order_id"])["order_id"].tolist()
['1', '2']
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from data.contract import TABLES
from data.tables import Tables, normalise


class WithEvents:
    """``base`` and ``events`` (frames by table, with recorded_at) as one; satisfies ``Tables``.

    Posted rows come after the base's, so of two versions recorded at one moment theirs wins, as in
    the snapshot that the next night takes.
    """

    def __init__(self, base: Tables, events: Mapping[str, pd.DataFrame]) -> None:
        self._base = base
        self._events = {
            name: normalise(name, frame, base.attributes)
            for name, frame in events.items()
            if len(frame)
        }
        told = "".join(sorted(self._events)) + str(sum(map(len, self._events.values())))
        self.fingerprint = hashlib.sha256((base.fingerprint + told).encode()).hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in TABLES if self.has(name))

    @property
    def attributes(self) -> tuple[str, ...]:
        return self._base.attributes

    def has(self, name: str) -> bool:
        return name in self._events or self._base.has(name)

    def file(self, name: str) -> Path | None:
        return None if name in self._events else self._base.file(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        base = self._base.frame(name, columns)
        if name not in self._events:
            return base
        posted = self._events[name]
        posted = posted if columns is None else posted[list(columns)]
        if "_row" in base.columns:
            offset = int(base["_row"].max()) + 1 if len(base) else 0
            posted = posted.assign(_row=posted["_row"] + offset)
        return pd.concat([base, posted], ignore_index=True)
