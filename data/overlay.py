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

from data.contract import TABLES, table
from data.errors import DataError
from data.money import AMOUNTS, Money
from data.tables import ROW, Tables, attributes_of, normalise, order_births
from data.times import read_times


class WithEvents:
    """``base`` and ``events`` (frames by table, with recorded_at) as one; satisfies ``Tables``.

    Posted rows come after the base's, so of two versions recorded at one moment theirs wins, as in
    the snapshot that the next night takes. Rows that the base holds already count once. An item
    that was there before its order is known from that order's birth on, as it is at night.
    """

    def __init__(self, base: Tables, events: Mapping[str, pd.DataFrame]) -> None:
        self._base = base
        self._events = {
            name: normalise(name, frame, base.attributes)
            for name, frame in events.items()
            if len(frame)
        }
        self.money: Money = getattr(base, "money", Money())
        if self.money.main:
            self._put_into_main_currency()
        for name in self._events:
            if not table(name).key:  # keyed rows are versions: the same one again changes nothing
                self._events[name] = _not_in(self._events[name], base.frame(name))
        for name, posted in self._events.items():
            if own := attributes_of(name, base.attributes):
                self._events[name] = _as_the_base(name, posted, base.frame(name, own), own)
        orders = self._events.get("orders")
        self._births = None if orders is None else order_births(orders)
        digest_text = "".join(sorted(self._events)) + str(sum(map(len, self._events.values())))
        self.fingerprint = hashlib.sha256((base.fingerprint + digest_text).encode()).hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in TABLES if self.has(name))

    @property
    def attributes(self) -> tuple[str, ...]:
        return self._base.attributes

    def has(self, name: str) -> bool:
        return name in self._events or self._base.has(name)

    def file(self, name: str) -> Path | None:
        changed = name in self._events or (name == "order_items" and self._births is not None)
        return None if changed else self._base.file(name)

    def seen_from_birth(self, name: str) -> bool:
        return name not in self._events and self._base.seen_from_birth(name)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        base = self._base.frame(name, columns)
        if name == "order_items" and self._births is not None:
            base = self._born_with_order(base)
        if name not in self._events:
            return base
        posted = self._events[name]
        posted = posted if columns is None else posted[list(columns)]
        if "_row" in base.columns:
            offset = int(base["_row"].max()) + 1 if len(base) else 0
            posted = posted.assign(_row=posted["_row"] + offset)
        return pd.concat([base, posted], ignore_index=True)

    def _put_into_main_currency(self) -> None:
        """Amounts of posted orders and items as the snapshot has them."""
        orders, items = self._events.get("orders"), self._events.get("order_items")
        if items is not None:
            named = self._base.frame("orders", ["order_id", "currency"])
            if orders is not None:
                named = pd.concat([named, orders[["order_id", "currency"]]])
            of_order = named.dropna().drop_duplicates("order_id").set_index("order_id")["currency"]
            currencies = items["order_id"].map(of_order)
            amounts = self.money.in_main(items["amount"], currencies)
            self._events["order_items"] = items.assign(amount=amounts)
        if orders is not None:
            named = orders["currency"]
            amounts = {c: self.money.in_main(orders[c], named) for c in AMOUNTS["orders"]}
            self._events["orders"] = orders.assign(**amounts)

    def _born_with_order(self, items: pd.DataFrame) -> pd.DataFrame:
        """The base's items; those whose order only came since are known from its birth on, and in
        its currency."""
        changed = {"recorded_at", *(["amount"] if self.money.main else [])} & set(items.columns)
        if not changed:
            return items
        item_rows = self._base.frame("order_items", ["order_id", "recorded_at"])
        waiting = item_rows["recorded_at"].isna().to_numpy()
        if not waiting.any():
            return items
        items, orders = items.copy(), item_rows["order_id"][waiting]
        if "recorded_at" in changed:
            items.loc[waiting, "recorded_at"] = orders.map(self._births)
        if "amount" in changed:
            named = self._events["orders"].dropna(subset=["currency"])
            of_order = named.drop_duplicates("order_id").set_index("order_id")["currency"]
            amounts = self.money.in_main(items["amount"][waiting], orders.map(of_order))
            items.loc[waiting, "amount"] = amounts
        return items


def _not_in(posted: pd.DataFrame, there: pd.DataFrame) -> pd.DataFrame:
    own = [column for column in posted.columns if column != ROW]
    known = set(there[own].astype("str").itertuples(index=False, name=None))
    rows = posted[own].astype("str").itertuples(index=False, name=None)
    return posted[[row not in known for row in rows]]


def _as_the_base(
    table_name: str, posted: pd.DataFrame, there: pd.DataFrame, attributes: Sequence[str]
) -> pd.DataFrame:
    """Attributes, posted as text, in the types that the base has them in."""
    posted = posted.copy()
    for name in attributes:
        dtype = there[name].dtype
        if name not in posted.columns:
            posted[name] = pd.Series([None] * len(posted), dtype=dtype)
        elif pd.api.types.is_bool_dtype(dtype):
            posted[name] = posted[name].map({"true": True, "false": False}).astype("boolean")
        elif pd.api.types.is_datetime64_any_dtype(dtype):
            posted[name] = read_times(posted[name]).astype(dtype)
        elif pd.api.types.is_numeric_dtype(dtype):
            try:
                posted[name] = pd.to_numeric(posted[name]).astype(dtype)
            except ValueError:
                raise DataError(
                    f"{table_name}: a posted {name} is no number, as all others are; post it again"
                ) from None
    return posted
