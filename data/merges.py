"""Tables with merges that were posted since the night: as the next night's snapshot has them.

>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1"], "ordered_at": "2026-01-01", "customer_id": "visit"})
>>> ids = pd.DataFrame({"id": ["visit"], "valid_from": "2026-02-01", "customer_id": "ann"})
>>> both = Merged(MemoryTables({"orders": orders, "identities": ids}), MemoryTables({}))
>>> both.frame("orders", ["customer_id", "recorded_at"])
  customer_id recorded_at
0       visit  2026-01-01
1         ann  2026-02-01
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from data.contract import table
from data.engines import duckdb_connection
from data.identities import made_by, owners_of, with_identities
from data.settings_tree import Engine
from data.tables import ROW, Tables

if TYPE_CHECKING:
    import duckdb

IDENTITIES = "identities"
CHANGED = ("customer_id", "recorded_at", "deleted")
"""The columns in which a version that a merge makes may differ from the row that it is of."""
PLACE = "_place"
FEW = 1000
"""Of up to so many identities the answer is kept."""


class Merged:
    """``tables``, each row of a merged id in the versions that its merges make; satisfies
    ``Tables``. ``night``: what of them a snapshot has, whose own merges are in its rows already;
    those are made anew, for a merge of its may have been taken back since."""

    def __init__(self, tables: Tables, night: Tables) -> None:
        self._tables, self._night = tables, night
        self._ids = _owners(tables)
        self._night_ids = _owners(night) if night.has(IDENTITIES) else None
        self._versions: dict[str, pd.DataFrame | None] = {}
        self.money = getattr(tables, "money", None)
        self.fingerprint = f"merged-{tables.fingerprint}"

    @property
    def names(self) -> tuple[str, ...]:
        return self._tables.names

    @property
    def attributes(self) -> tuple[str, ...]:
        return self._tables.attributes

    def has(self, name: str) -> bool:
        return self._tables.has(name)

    def file(self, name: str) -> Path | None:
        return self._tables.file(name) if self._changed(name) is None else None

    def seen_from_birth(self, name: str) -> bool:
        return self._changed(name) is None and self._tables.seen_from_birth(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        versions, frame = self._changed(name), self._tables.frame(name, columns)
        if versions is None:
            return frame
        frame = frame.iloc[versions[PLACE].to_numpy()].reset_index(drop=True)
        for column in {*CHANGED, ROW}.intersection(frame.columns):
            frame[column] = versions[column].astype(frame[column].dtype)
        return frame

    def _changed(self, name: str) -> pd.DataFrame | None:
        """The places of a table's rows with the columns that change; None where nothing does."""
        if name not in self._versions:
            self._versions[name] = self._versions_of(name)
        return self._versions[name]

    def _versions_of(self, name: str) -> pd.DataFrame | None:
        contract = table(name)
        if "customer_id" not in contract.names or name == IDENTITIES or not self.has(name):
            return None
        columns = list(dict.fromkeys((*contract.key, *CHANGED, ROW)))
        rows = self._tables.frame(name, columns)
        if not rows["customer_id"].isin(self._ids["id"]).any():
            return None
        rows[PLACE] = range(len(rows))
        with _connection() as con:
            relation = con.from_arrow(_arrow(rows))
            if self._night_ids is not None and self._night.has(name):
                at_night = len(self._night.frame(name, [ROW]))
                before = relation.filter(f"{PLACE} < {at_night}")
                own = con.from_arrow(_arrow(self._night_ids))
                merges = made_by(before, own, name).set_alias("m")
                relation = relation.set_alias("r").join(
                    merges, f"r.{PLACE} = m.{PLACE}", how="anti"
                )
            ids = con.from_arrow(_arrow(self._ids))
            return with_identities(relation, ids, name).df()


def merged(tables: Tables, night: Tables) -> Tables:
    """``Merged`` where there are identities, else the tables as they are."""
    there = tables.has(IDENTITIES) and len(tables.frame(IDENTITIES, ["id"]))
    return Merged(tables, night) if there else tables


def _owners(tables: Tables) -> pd.DataFrame:
    rows = tables.frame(IDENTITIES, ["id", "valid_from", *CHANGED, ROW])
    return _owners_of_few(_Same(rows)) if len(rows) <= FEW else _owners_in(rows)


def _owners_in(identities: pd.DataFrame) -> pd.DataFrame:
    with _connection() as con:
        return owners_of(con.from_arrow(_arrow(identities))).df()


class _Same:
    """Rows that are equal where what they say is."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        self._values = tuple(rows.itertuples(index=False, name=None))

    def __hash__(self) -> int:
        return hash(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._values == other._values


@lru_cache(maxsize=256)
def _owners_of_few(identities: _Same) -> pd.DataFrame:
    """What a customer's own identities say: asked at each of their predictions."""
    return _owners_in(identities.rows)


def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb_connection(Engine(threads=1), [])


def _arrow(frame: pd.DataFrame) -> object:
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False)
