"""A large history, shard by shard: some customers and all that they did at a time.

``Shards`` looks like a history to an evaluation. A shard's own customers are asked of a history of
theirs alone; what groups look like is added up over all shards, one after the other, in integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Ints, Values
from features.asof import NEVER
from features.expression import Joint, Key, Value, latest
from features.history import History, Loose, Part
from features.prepare import CUSTOMER, Prepared
from features.sources import Rows, Source


@dataclass(frozen=True)
class Shards:
    """What was prepared, as something to evaluate over."""

    prepared: Prepared

    def customers(self, shard: int) -> Values:
        """The names of a shard's customers, in order."""
        lines = self.prepared.lines
        return self.prepared.names[shard * lines : (shard + 1) * lines]

    def history(self, shard: int) -> tuple[History, Values]:
        """The rows of a shard's customers, and their names."""
        names = self.customers(shard)
        low = shard * self.prepared.lines
        rows: dict[Source, Rows] = {}
        for source, columns in self.prepared.sources.items():
            if any(column.name == CUSTOMER for column in columns):
                rows[source] = _of_shard(self._rows(source, shard), low, names)
        return History(rows), names

    def categories(self, source: Source, column: Key) -> Values:
        return self.prepared.categories[column]

    def select(self, source: Source, key: Key | None, names: Values, chosen: Ints) -> Part:
        """The rows of some keys, of all shards together."""
        pieces = [self._rows(source, shard) for shard in range(self.prepared.shards)]
        return History({source: _joined(pieces)}).select(source, key, names, chosen)

    def loose(self, source: Source, key: Key | None, names: Values, chosen: Ints) -> Part:
        """The same: of all shards together."""
        return self.select(source, key, names, chosen)

    def parts(self, source: Source, key: Key | None, names: Values, chosen: Ints) -> Iterator[Part]:
        """The rows of some keys, shard by shard, in no order."""
        for shard in range(self.prepared.shards):
            rows = self._rows(source, shard)
            if not rows.size and shard:
                continue
            if key is None:
                yield Part(Loose(rows), slice(None), np.zeros(rows.size, dtype=np.int64))
                continue
            value = rows.column(key)
            assert value.categories is not None
            line_of = np.full(len(value.categories) + 1, -1)
            asked = pd.Index(value.categories, dtype=object).get_indexer(
                pd.Index(names[chosen], dtype=object)
            )
            line_of[asked[asked >= 0]] = np.flatnonzero(asked >= 0)
            line = line_of[value.data]
            known = line >= 0
            if known.all():
                yield Part(Loose(rows), slice(None), line)
            else:
                yield Part(Loose(rows), np.flatnonzero(known), line[known])

    def _rows(self, source: Source, shard: int) -> Rows:
        """A source's rows in a shard, as they were written."""
        import pyarrow as pa

        columns = self.prepared.sources[source]
        file = self.prepared.file(source, shard)
        table: dict[str, Any] = {}
        if file.exists():
            with pa.memory_map(str(file)) as mapped:
                read = pa.ipc.open_file(mapped).read_all()
                table = {name: read[name].to_numpy() for name in read.column_names}
        nothing = np.array([], dtype=np.int64)
        values: dict[Key, Value] = {}
        for number, column in enumerate(columns):
            known = None
            if isinstance(column, Joint):  # its parts stand before it
                for part in column.columns:
                    known = latest(known, values[part].known)
            elif column.known_at is not None:
                known = table.get(f"k{number}", nothing)
                known = np.where(known == NEVER, NEVER, known + 1)
            whole = column.kind in ("time", "text")
            empty = np.array([], dtype=np.int64 if whole else np.float64)
            texts = self.prepared.categories[column] if column.kind == "text" else None
            values[column] = Value(table.get(f"c{number}", empty), known, texts)
        moments = values[source.time].data.astype(np.int64, copy=False)
        start = table.get("start", moments + 1)
        end = table.get("end", np.full(len(moments), NEVER))
        return Rows(start, end, table.get("position", np.arange(len(moments))), values)


def _of_shard(rows: Rows, low: int, names: Values) -> Rows:
    """Customers' codes counted within the shard."""
    values = dict(rows.values)
    for column, value in rows.values.items():
        if column.name == CUSTOMER:
            codes = value.data.astype(np.int64) - low
            inside = (codes >= 0) & (codes < len(names)) & (value.data.astype(np.int64) >= 0)
            values[column] = Value(np.where(inside, codes, -1), value.known, names)
    return Rows(rows.start, rows.end, rows.position, values)


def _joined(pieces: list[Rows]) -> Rows:
    values = {}
    for column, first in pieces[0].values.items():
        found = [piece.values[column] for piece in pieces]
        known = None if first.known is None else np.concatenate([v.known for v in found])
        values[column] = Value(np.concatenate([v.data for v in found]), known, first.categories)
    start, end, position = (
        np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("start", "end", "position")
    )
    return Rows(start, end, position, values)
