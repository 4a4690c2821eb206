"""What was read for a view: each source's rows once, as arrays, to be asked again and again.

``select`` gives the rows of some keys only, found through an index that is made once per key
column, so one customer out of a million costs what his own rows cost.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> from features.language import count
>>> from features.sources import ORDERS
>>> from features.spec import FeatureView
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"],
...                        "ordered_at": ["2026-01-01", "2026-01-01"]})
>>> history = History.read(FeatureView((count(ORDERS, days=7),)), MemoryTables({"orders": orders}))
>>> history.rows(ORDERS).size
2
>>> part, codes = history.select(ORDERS, ORDERS["customer_id"], np.array(["x", "b"], dtype=object))
>>> part.size, codes.tolist()
(1, [1])
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from data.tables import Tables
from features.asof import Int64
from features.expression import Array, Column, Value
from features.sources import Rows, Source, read_rows
from features.spec import FeatureView


class Part:
    """Some of the rows of a source; a column is copied when it is first asked for."""

    def __init__(self, rows: Rows, at: Int64) -> None:
        self._rows, self._at = rows, at
        self.start, self.end = rows.start[at], rows.end[at]
        self._values: dict[Column, Value] = {}
        self._ranks: dict[Column, Int64] = {}

    @property
    def size(self) -> int:
        return len(self._at)

    def column(self, column: Column) -> Value:
        if column not in self._values:
            whole = self._rows.column(column)
            known = None if whole.known is None else whole.known[self._at]
            self._values[column] = Value(whole.data[self._at], known, whole.categories)
        return self._values[column]

    def rank(self, time: Column) -> Int64:
        """The places in time among all rows of the source."""
        if time not in self._ranks:
            self._ranks[time] = self._rows.rank(time)[self._at]
        return self._ranks[time]


@dataclass(frozen=True)
class Index:
    """Where the rows of each key are: ``order[begin[code] : begin[code + 1]]``."""

    names: pd.Index
    order: Int64
    begin: Int64


class History:
    """The rows of every source of a view; they are shared and never written to."""

    def __init__(self, rows: Mapping[Source, Rows]) -> None:
        self._rows = MappingProxyType(dict(rows))
        self._indexes: dict[tuple[Source, Column], Index] = {}

    @classmethod
    def read(cls, view: FeatureView, tables: Tables) -> History:
        """Reads the columns that the view's terms need, and no others."""
        needed: dict[Source, set[Column]] = {}
        for feature in view.features:
            for term in feature.node.terms():
                needed.setdefault(term.source, set()).update(term.columns)
        return cls(read_rows(tables, needed))

    def rows(self, source: Source) -> Rows:
        """All rows of the source."""
        return self._rows[source]

    def select(self, source: Source, key: Column | None, names: Array) -> tuple[Rows | Part, Int64]:
        """The rows whose key is among ``names``, and the place of each row's key there.

        Without a key all rows belong to the one group 0.
        """
        rows = self._rows[source]
        if key is None:
            return rows, np.zeros(rows.size, dtype=np.int64)
        index = self._index(source, key)
        group = index.names.get_indexer(pd.Index(names))
        known = np.flatnonzero(group >= 0)
        begin = index.begin[group[known]]
        length = index.begin[group[known] + 1] - begin
        total = int(length.sum())
        step = np.arange(total) - np.repeat(np.cumsum(length) - length, length)
        return Part(rows, index.order[np.repeat(begin, length) + step]), np.repeat(known, length)

    def _index(self, source: Source, key: Column) -> Index:
        if (source, key) not in self._indexes:
            value = self._rows[source].column(key)
            assert value.categories is not None
            codes = value.data.astype(np.int64)
            order = np.argsort(codes, kind="stable")
            begin = np.searchsorted(codes[order], np.arange(len(value.categories) + 1))
            self._indexes[source, key] = Index(pd.Index(value.categories), order, begin)
        return self._indexes[source, key]
