"""The rows of tables by position, held in memory: columns, and where each text of a column is.

Positions count a table's rows from 0; what stands where is for whoever holds them to say
(``serving.kept_rows`` has another order).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data.arrays import Ints
from data.contract import TABLES
from data.kept_columns import Take
from data.snapshot import Snapshot
from data.tables import Tables

OWN = tuple(name for name, one in TABLES.items() if "customer_id" in one.names)
"""The tables whose rows are about customers; items are about their order's."""
NOWHERE: Ints = np.array([], dtype=np.int64)


def owner_of(name: str) -> str:
    """The column that says whose a table's rows are: an item is its order's."""
    return "order_id" if name == "order_items" else "customer_id"


class Finds(Protocol):
    """An index of a column."""

    def find(self, texts: Collection[str]) -> Ints:
        """The positions of these texts, ascending."""


def hashes_of(texts: Collection[str]) -> Any:
    """A hash of each text: 64 bits."""
    return pd.util.hash_array(np.array(list(texts), dtype=object), categorize=False)


class Index:
    """Where each text of a column is, found by its hash: 12 bytes a row."""

    def __init__(self, hashes: Any, places: Any, take: Take) -> None:
        self._hashes, self._places, self._take = hashes, places, take

    @classmethod
    def of(cls, values: pd.Series) -> Index:
        """The index of a column in memory."""
        hashes = pd.util.hash_pandas_object(values, index=False).to_numpy()
        order = np.argsort(hashes, kind="stable").astype(np.uint32)
        return cls(hashes[order], order, values.array.take)

    def find(self, texts: Collection[str]) -> Ints:
        """The positions of these texts, ascending."""
        if not len(self._hashes) or not texts:
            return NOWHERE
        hashes = hashes_of(texts)
        first = np.searchsorted(self._hashes, hashes, "left")
        stop = np.searchsorted(self._hashes, hashes, "right")
        spans = [self._places[a:b] for a, b in zip(first, stop, strict=True)]
        places = np.unique(np.concatenate(spans)).astype(np.int64)
        wanted = set(texts)
        same = [value in wanted for value in self._take(places)]
        return places[np.array(same, dtype=bool)]


class HeldRows:
    """The rows of some tables, each column read when it is asked for."""

    def __init__(self, base: Tables) -> None:
        self.base = base
        self._columns: dict[tuple[str, str], pd.Series] = {}
        self._indexes: dict[tuple[str, str], Finds] = {}
        self._empty: dict[tuple[str, tuple[str, ...]], pd.DataFrame] = {}

    def find(self, name: str, column: str, texts: Collection[str]) -> Ints:
        """Where these texts stand in a column, ascending; nowhere, in a table that is not there."""
        if not texts or not self.base.has(name):
            return NOWHERE
        if (name, column) not in self._indexes:
            self._indexes[name, column] = self._index(name, column)
        return self._indexes[name, column].find(texts)

    def unique(self, name: str) -> bool:
        """Whether it is known that no two rows of a table have one key."""
        return isinstance(self.base, Snapshot) and not self.base.versioned(name)

    def column(self, name: str, column: str) -> Take:
        """A column, to take values of."""
        return self._series(name, column).array.take

    def take(self, name: str, places: Ints, columns: Sequence[str]) -> pd.DataFrame:
        """The rows at these positions."""
        if not len(places) and (name, tuple(columns)) in self._empty:
            return self._empty[name, tuple(columns)]
        taken = {column: self.column(name, column)(places) for column in columns}
        frame = pd.DataFrame(taken, columns=list(columns))
        if not len(places):
            self._empty[name, tuple(columns)] = frame
        return frame

    def whole(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """All rows, as the tables have them."""
        self._load(name, columns)
        return pd.DataFrame({column: self._columns[name, column] for column in columns})

    def _index(self, name: str, column: str) -> Finds:
        return Index.of(self._series(name, column))

    def _series(self, name: str, column: str) -> pd.Series:
        if (name, column) not in self._columns:
            self._load(name, [column])
        return self._columns[name, column]

    def _load(self, name: str, columns: Sequence[str]) -> None:
        missing = [column for column in columns if (name, column) not in self._columns]
        if missing:
            frame = self.base.frame(name, missing)
            self._columns |= {(name, column): frame[column] for column in missing}
