"""The tables of a few customers out of all.

>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"],
...                        "ordered_at": ["2026-01-01", "2026-01-01"]})
>>> one = OfCustomers(MemoryTables({"orders": orders}), frozenset({"b"}))
>>> one.frame("orders", ["order_id"])["order_id"].tolist()
['2']
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from data.contract import table
from data.tables import Tables, columns_of
from features.asof import as_of_view
from features.opt_out import not_profiled
from features.spine import customers_at


@dataclass(frozen=True)
class OfCustomers:
    """The rows of the customers with these ids; tables that name no customer are whole.

    Satisfies ``Tables``.
    """

    tables: Tables
    ids: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        return self.tables.names

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.tables.attributes

    @property
    def fingerprint(self) -> str:
        digest_text = "|".join([self.tables.fingerprint, *sorted(self.ids)])
        return hashlib.sha256(digest_text.encode()).hexdigest()

    def has(self, name: str) -> bool:
        return self.tables.has(name)

    def file(self, name: str) -> Path | None:
        return None

    def seen_from_birth(self, name: str) -> bool:
        return self.tables.seen_from_birth(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        if name == "order_items":
            frame = self.tables.frame(name, columns)
            orders = self.frame("orders", ["order_id"])["order_id"]
            return frame[frame["order_id"].isin(orders)].reset_index(drop=True)
        if "customer_id" not in table(name).names:
            return self.tables.frame(name, columns)
        wanted = None if columns is None else list(dict.fromkeys((*columns, "customer_id")))
        frame = self.tables.frame(name, wanted)
        own = frame[frame["customer_id"].isin(self.ids)].reset_index(drop=True)
        return own if columns is None else own[list(columns)]


@dataclass(frozen=True)
class ReadOnce(OfCustomers):
    """The same; a table that was read whole is not read again for some of its columns."""

    _whole: dict[str, pd.DataFrame] = field(default_factory=dict)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        every = list(columns_of(name, self.attributes))
        if name not in self._whole and columns is not None and set(columns) < set(every):
            return super().frame(name, columns)
        if name not in self._whole:
            self._whole[name] = super().frame(name, every)
        return self._whole[name][every if columns is None else list(columns)]


def status_of(tables: Tables, ids: set[str], now: datetime) -> dict[str, str]:
    """Of those of ``ids`` who are known, and have no score, why: closed or not_profiled."""
    standing = standing_of(tables, ids, now)
    return {i: "closed" if state == "here" else state for i, state in standing.items()}


def standing_of(tables: Tables, ids: set[str], now: datetime) -> dict[str, str]:
    """Of those of ``ids`` who are known: ``here``, ``closed`` (they left) or ``not_profiled``."""
    if not tables.has("customers"):
        return {}
    named = ids.intersection(tables.frame("customers", ["customer_id"])["customer_id"])
    if not named:
        return {}
    own = OfCustomers(tables, frozenset(named))
    known = as_of_view(own, "customers", now, ["customer_id"])["customer_id"]
    here = customers_at(own, [now])["customer_id"]
    refused = not_profiled(own)
    return dict.fromkeys(known, "closed") | {
        each: "not_profiled" if each in refused else "here" for each in here
    }
