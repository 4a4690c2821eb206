"""What the rows of groups add up to where they lie in shards: counts and sums, in integers.

A region's uses lie in every shard. They are added up shard after shard; what cannot be added up so
(the different customers of a lot, the latest row of a product) takes its rows side by side
(``joined``), which are few: tickets, not uses.

>>> from data.tables import MemoryTables
>>> from features.language import count
>>> from features.sources import ORDERS
>>> from features.spec import FeatureView
>>> import pandas as pd
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"], "carrier": "fast",
...                        "ordered_at": ["2026-01-01", "2026-01-02"]})
>>> counted = count(ORDERS, by="carrier")
>>> T = pd.to_datetime(["2026-01-02", "2026-01-03"]).to_numpy().astype("datetime64[us]").view("i8")
>>> totals = Totals([counted.node], T)
>>> history = History.read(FeatureView((counted,)), MemoryTables({"orders": orders}))
>>> totals.add(history), totals.add(history)
(None, None)
>>> names = np.array(["slow", "fast"], dtype=object)
>>> totals.sums(counted.node, "count", None, names, [None])[None].tolist()
[[0, 0], [2, 4]]
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import pandas as pd

from data.arrays import Ints, Values
from features.expression import Expression
from features.history import History
from features.kernel import Cut, Grid, Window
from features.program import Stream, compiled
from features.sources import Rows
from features.spec import Term

ADDED = ("count", "sum")
"""Operations whose results over parts of the rows add up."""
EVERYBODY: Values = np.array(["all"], dtype=object)
"""The name of the one group that all rows are in, where there is no key."""


class Totals:
    """Counts and sums of ``terms`` by group at ``times`` (ascending microseconds)."""

    adds = ADDED

    def __init__(self, terms: Iterable[Term], times: Ints) -> None:
        self.times = times
        self.streams = compiled(tuple(dict.fromkeys(terms))).streams
        self._names: dict[Term, dict[str, int]] = {stream.term: {} for stream in self.streams}
        self._sums: dict[Hashable, Ints] = {}

    def add(self, history: History) -> None:
        """Adds the rows of one more shard."""
        for stream in self.streams:
            self._add(stream, history)

    def _add(self, stream: Stream, history: History) -> None:
        term = stream.term
        names = EVERYBODY if term.key is None else history.categories(term.source, term.key)
        part = history.loose(term.source, term.key, names, np.arange(len(names)))
        known = self._names[term]
        place = np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
        cuts: dict[Expression | None, Cut] = {}
        windows = tuple({window for measure in stream.measures for window, _ in measure.windows})
        for measure in stream.measures:
            value = measure.value
            needs = None if value is None or part.complete(value) else value
            if needs not in cuts:
                cuts[needs] = Cut(Grid(len(names), self.times), part.spells(term, needs), windows)
            weights = None
            if measure.operation == "sum":
                assert value is not None
                weights = part.whole_numbers(value)
            by_window = cuts[needs].sums(weights, [window for window, _ in measure.windows])
            for window, sums in by_window.items():
                self._put((term, measure.operation, value, window), place, sums, len(known))

    def _put(self, key: Hashable, place: Ints, sums: Ints, size: int) -> None:
        there = self._sums.get(key)
        if there is None or len(there) < size:
            grown = np.zeros((size, len(self.times)), dtype=np.int64)
            if there is not None:
                grown[: len(there)] = there
            there = self._sums[key] = grown
        there[place] += sums

    def sums(
        self,
        term: Term,
        operation: str,
        value: Expression | None,
        names: Values,
        windows: Sequence[Window],
    ) -> dict[Window, Ints]:
        """Per window the sums of the groups ``names``: groups x times, integers as added up."""
        known = self._names[term]
        line = np.array([known.get(name, -1) for name in names], dtype=np.int64)
        out: dict[Window, Ints] = {}
        for window in windows:
            sums = self._sums.get((term, operation, value, window))
            if sums is None or not len(sums):
                out[window] = np.zeros((len(line), len(self.times)), dtype=np.int64)
                continue
            there = (line >= 0) & (line < len(sums))  # a later shard's names: no rows before it
            out[window] = np.where(there[:, None], sums[np.where(there, line, 0)], 0)
        return out


def joined(pieces: Sequence[Rows]) -> Rows:
    """The rows of several shards as one, their texts counted anew."""
    values = {}
    for column, first in pieces[0].values.items():
        parts = [piece.values[column] for piece in pieces]
        known = None if first.known is None else np.concatenate([v.known for v in parts])
        if first.categories is None:
            data, texts = np.concatenate([v.data for v in parts]), None
        else:
            texts = np.asarray(
                pd.unique(np.concatenate([np.asarray(v.categories, object) for v in parts]))
            )
            place = pd.Index(texts, dtype=object)
            codes = [np.append(place.get_indexer(pd.Index(v.categories, dtype=object)), -1)
                     for v in parts]  # fmt: skip
            data = np.concatenate(
                [code[v.data.astype(np.int64)] for code, v in zip(codes, parts, strict=True)]
            ).astype(np.int64)
        values[column] = type(first)(data, known, texts)
    start, end, position = (
        np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("start", "end", "position")
    )
    return Rows(start, end, position, values)
