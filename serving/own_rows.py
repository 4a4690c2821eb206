"""A snapshot and the rows posted since, handed out by customer: what one customer's score reads.

A customer's features count their own rows, all versions of those, the rows that they name, and
tables without customers. So a posted row costs what it weighs, and a customer what their own rows
weigh, however large the company is.

>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"],
...                        "ordered_at": ["2026-01-01", "2026-01-01"]})
>>> rows = OwnRows(MemoryTables({"orders": orders}))
>>> moved = {"order_id": "2", "customer_id": "a", "ordered_at": "2026-01-01",
...          "recorded_at": "2026-01-02"}
>>> rows.extend({"orders": [moved]})
>>> sorted(rows.owners("orders", ["2"])["2"])
['a', 'b']
>>> [len(rows.of({who}).frame("orders", ["order_id"])) for who in ("a", "b", "c")]
[3, 2, 0]
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Ints
from data.contract import table
from data.merges import IDENTITIES, merged
from data.money import Money
from data.overlay import WithEvents
from data.store import Event, readable, row_key
from data.tables import ROW, Tables, columns_of
from serving.held_rows import NOWHERE, OWN, HeldRows, owner_of

log = logging.getLogger("presage.api")


class Posted:
    """The posted rows of one table, by customer (items: by order) and by key."""

    def __init__(self, name: str) -> None:
        contract = table(name)
        self.owner = owner_of(name)
        self.key = contract.key[0] if contract.key else None
        self.rows: list[Mapping[str, str]] = []
        self._by: dict[str, dict[str, list[int]]] = {}

    def add(self, row: Mapping[str, str]) -> None:
        for column in {self.owner, self.key, "order_id"} - {None}:
            if column in row:
                places = self._by.setdefault(str(column), {}).setdefault(row[str(column)], [])
                places.append(len(self.rows))
        self.rows.append(row)

    def find(self, column: str, texts: Collection[str]) -> set[int]:
        places = self._by.get(column, {})
        return {place for text in texts for place in places.get(text, ())}


class OwnRows:
    """The rows of ``base`` and those that ``extend`` added since. One writer at a time; what
    ``of`` gave stays as it is. ``rows``: where the base's are found, default: in memory."""

    def __init__(self, base: Tables, rows: HeldRows | None = None) -> None:
        self._base = base
        self._rows = HeldRows(base) if rows is None else rows
        self._posted: dict[str, Posted] = {}
        self._count = 0
        self._newest: tuple[frozenset[str], int, Tables] | None = None

    def extend(self, rows: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
        """Take in rows as ``data.store.readable`` gives them."""
        for name, posted in rows.items():
            mine = self._posted.setdefault(name, Posted(name))
            for row in posted:
                mine.add(row)
            self._count += len(posted)

    def owners(self, name: str, keys: Collection[str]) -> dict[str, set[str]]:
        """Whose each row is, or was in an earlier version, by the first part of its key."""
        if name == "order_items":
            return self.owners("orders", keys)
        contract, owners_of = table(name), {key: set[str]() for key in keys}
        if not contract.key or "customer_id" not in contract.names:
            return owners_of
        column = contract.key[0]
        if len(at := self._find(name, column, keys)):
            owned = self.take(name, at, [column, "customer_id"]).dropna()
            for key, owner in owned.itertuples(index=False, name=None):
                owners_of[key].add(owner)
        for row in self._rows_with(name, column, keys):
            if "customer_id" in row:
                owners_of[row[column]].add(row["customer_id"])
        return owners_of

    def ownerless(self, name: str, keys: Collection[str]) -> set[str]:
        """Those of the keys of which a version names no customer."""
        contract = table(name)
        column = contract.key[0]
        rows = self._rows_with(name, column, keys)
        missing = {row[column] for row in rows if "customer_id" not in row}
        if len(at := self._find(name, column, keys)):
            owned = self.take(name, at, [column, "customer_id"])
            missing |= set(owned[column][owned["customer_id"].isna()])
        return missing

    def newest(
        self, name: str, rows: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """The newest version in the base of each of these rows, by table and key, as JSON has it;
        those that are there and not deleted."""
        key = table(name).key
        if not key or not self._base.has(name):
            return {}
        wanted = {row_key(name, number, row) for number, row in enumerate(rows, 1)}
        at = self._find(name, key[0], {str(row[key[0]]) for row in rows})
        if not len(at):
            return {}
        frame = self.take(name, at, columns_of(name, self._base.attributes))
        frame = frame.sort_values(["recorded_at", ROW], kind="stable")
        out = {}
        for row in frame.to_dict("records"):
            values = {k: _json(v) for k, v in row.items() if k not in ("recorded_at", ROW)}
            values = {k: v for k, v in values.items() if v is not None}
            text = row_key(name, 1, values)
            if text in wanted:
                out[name, text] = values
        return {place: values for place, values in out.items() if not values.get("deleted")}

    def naming(self, order_ids: Collection[str]) -> tuple[set[str], set[str]]:
        """The customers, and the ids, of tickets that name these orders in any version."""
        at = self._find("tickets", "order_id", order_ids)
        named = self.take("tickets", at, ["ticket_id", "customer_id"]) if len(at) else None
        rows = self._rows_with("tickets", "order_id", order_ids)
        ids = {row["ticket_id"] for row in rows}
        ids |= set() if named is None else set(named["ticket_id"])
        owners = self.owners("tickets", ids)
        return {who for of in owners.values() for who in of}, ids

    def early_items(self, order_ids: Collection[str]) -> bool:
        """Whether the base has items of one of these orders, and not the order itself."""
        at = self._find("order_items", "order_id", order_ids)
        if not len(at):
            return False
        named = set(self.take("order_items", at, ["order_id"])["order_id"])
        return any(not len(self._find("orders", "order_id", {order})) for order in named)

    def of(
        self,
        ids: Collection[str],
        keys: Mapping[str, Collection[str]] | None = None,
        *,
        posted_too: bool = True,
    ) -> Tables:
        """All tables with these customers' rows only, other versions of them, the orders that
        their tickets name, and whole tables where those name no customer; those of whoever is one
        with them too. ``keys``: rows of these
        keys besides, by table. Without ``posted_too`` those of the base alone."""
        if keys or not posted_too:
            return self._of(frozenset(ids), keys or {}, posted_too)
        newest, whose, count = self._newest, frozenset(ids), self._count
        if newest is None or newest[:2] != (whose, count):  # one prediction asks for them twice
            newest = self._newest = (whose, count, self._of(whose, {}, True))
        return newest[2]

    def _of(
        self, ids: frozenset[str], keys: Mapping[str, Collection[str]], posted_too: bool
    ) -> Tables:
        places: dict[str, Ints] = {}
        posted: dict[str, set[int]] = {}
        ids = self.linked(ids)
        for name in OWN:
            self._collect(name, "customer_id", set(ids), places, posted)
            if keys.get(name):
                self._collect(name, table(name).key[0], set(keys[name]), places, posted)
        named = self._texts("tickets", "order_id", places, posted)
        self._collect("orders", "order_id", named, places, posted)
        orders = self._texts("orders", "order_id", places, posted)
        self._collect("order_items", "order_id", orders, places, posted)
        frames = {}
        for name, one in list(self._posted.items()) if posted_too else ():
            chosen = posted.get(name) if name in places else range(len(one.rows))
            if chosen:
                rows = [one.rows[at] for at in sorted(chosen)]
                frame = pd.DataFrame.from_records(rows).astype(object)
                frames[name] = frame.where(frame.notna(), None)
        digest_text = "|".join([self._base.fingerprint, *sorted(ids)])
        own = _Chosen(self, places, hashlib.sha256(digest_text.encode()).hexdigest())
        if not posted_too:
            return own
        return merged(WithEvents(own, frames) if frames else own, own)

    def linked(self, ids: Collection[str]) -> frozenset[str]:
        """These customers, and whoever is, was or has been said to be one with any of them."""
        whole, new = frozenset(ids), frozenset(ids)
        while new and (IDENTITIES in self._posted or self._base.has(IDENTITIES)):
            linked: set[str] = set()
            for column in ("id", "customer_id"):
                rows: list[Mapping[str, Any]] = list(self._rows_with(IDENTITIES, column, new))
                if len(at := self._find(IDENTITIES, column, new)):
                    rows += self.take(IDENTITIES, at, ["id", "customer_id"]).to_dict("records")
                linked |= {row[name] for row in rows for name in ("id", "customer_id")}
            new = frozenset(linked) - whole
            whole |= new
        return whole

    def _collect(
        self,
        name: str,
        column: str,
        texts: set[str],
        places: dict[str, Ints],
        posted: dict[str, set[int]],
    ) -> None:
        """Add the rows with these texts, and the other versions of each."""
        at, more = self._find(name, column, texts), self._numbers(name, column, texts)
        key = table(name).key
        unique = self._rows.unique(name)
        if key and key[0] != column and not (unique and name not in self._posted):
            keys = self._texts(name, key[0], {name: at}, {name: more})
            others = keys  # of the base's own rows there is no other version where they are unique
            if unique:
                others = self._texts(name, key[0], {name: NOWHERE}, {name: more})
            at = np.union1d(at, self._find(name, key[0], others))
            more = more | self._numbers(name, key[0], keys)
        places[name] = np.union1d(places[name], at) if name in places else at
        posted[name] = posted.get(name, set()) | more

    def _texts(
        self, name: str, column: str, places: Mapping[str, Ints], posted: Mapping[str, set[int]]
    ) -> set[str]:
        base: set[str] = set()
        if self._base.has(name):
            texts = pd.unique(self._rows.column(name, column)(places[name]))
            base = {str(text) for text in texts[~pd.isna(texts)].tolist()}
        rows = self._posted[name].rows if name in self._posted else []
        own = (rows[at].get(column) for at in posted[name])
        return base | {text for text in own if text}

    def _find(self, name: str, column: str, texts: Collection[str]) -> Ints:
        return self._rows.find(name, column, texts)

    def _numbers(self, name: str, column: str, texts: Collection[str]) -> set[int]:
        return self._posted[name].find(column, texts) if name in self._posted else set()

    def _rows_with(self, name: str, column: str, texts: Collection[str]) -> list[Mapping[str, str]]:
        return [self._posted[name].rows[at] for at in self._numbers(name, column, texts)]

    def take(self, name: str, places: Ints, columns: Sequence[str]) -> pd.DataFrame:
        """These rows of the base."""
        return self._rows.take(name, places, columns)

    def whole(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """All rows of the base."""
        return self._rows.whole(name, columns)

    @property
    def base(self) -> Tables:
        """What it began with."""
        return self._base


def readable_rows(events: Sequence[Event]) -> dict[str, list[dict[str, str]]]:
    """The rows of events, by table, as ``extend`` takes them; what cannot be read is set aside and
    logged."""
    rows, aside = readable(events)
    for one in aside:
        log.warning(
            "event %s of %s is set aside: %s must be %s; post the row again",
            one.event.seq, one.event.table, one.column, one.wanted,
        )  # fmt: skip
    return rows


def _json(value: Any) -> Any:
    """A value of a normalised frame as a posted row has it."""
    if isinstance(value, tuple):
        return list(value)
    if value is None or pd.isna(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class _Chosen:
    """Some rows of the base; satisfies ``Tables``."""

    rows: OwnRows
    places: Mapping[str, Ints]
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.rows.base.names

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.rows.base.attributes

    @property
    def money(self) -> Money:
        return getattr(self.rows.base, "money", Money())

    def has(self, name: str) -> bool:
        return self.rows.base.has(name)

    def file(self, name: str) -> Path | None:
        return None

    def seen_from_birth(self, name: str) -> bool:
        return self.rows.base.seen_from_birth(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        base = self.rows.base
        if not base.has(name):
            return base.frame(name, columns)
        wanted = columns_of(name, self.attributes) if columns is None else columns
        if name not in self.places:
            return self.rows.whole(name, list(wanted))
        return self.rows.take(name, self.places[name], list(wanted))
