"""Worlds with the same past and another future, made from the contract's words alone.

As of T a feature may not tell such worlds apart: if its value changes, it has seen the future. Each
world differs in one way, so a change also tells *what* was seen: events that come later, rows that
were recorded later, facts and versions that came later, attributes as they became.

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "a"],
...                        "ordered_at": ["2026-01-01", "2026-01-05"]})
>>> worlds = futures(MemoryTables({"orders": orders}), datetime(2026, 1, 3), seed=1)
>>> [(f.kind, f.change, f.tables.frame("orders")["order_id"].tolist()) for f in worlds][0]
('later event', 'without rows born at T or later', ['1'])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from data.contract import TABLES, Table
from data.tables import ROW, MemoryTables, Tables, birth_times

LATER_EVENT = "later event"
EDITED_STATUS = "edited status"
CURRENT_ATTRIBUTE = "current attribute"
RECORDED_LATER = "event against recorded time"

CLONES = 240
"""Rows that a world gains per table, at least; more where there are more customers."""
AFTER = tuple(pd.Timedelta(hours=hours) for hours in (0, 0.5, 5, 23, 60, 150, 400, 1000))
"""How long after T things are put: at T itself, which nothing at T may know, and on."""
BEFORE = tuple(pd.Timedelta(hours=hours) for hours in (0.001, 1, 20, 100, 300, 900))
MOMENT = pd.Timedelta(microseconds=1)

ENTITIES = ("customer_id", "order_id", "ticket_id", "event_id", "session_id", "feedback_id",
            "treatment_id", "issue_id")  # fmt: skip
"""Ids that name one thing that happened, or one person: nothing follows from their letters."""

Frames = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Future:
    """``tables`` whose past as of T is the given one; ``change`` says in words what differs."""

    kind: str
    change: str
    tables: Tables


def futures(tables: Tables, t: datetime, seed: int = 0) -> Iterator[Future]:
    """Eight worlds: for each of four kinds one without that part of the future, one with more."""
    draw = np.random.default_rng(seed)
    past = _Past(tables, pd.Timestamp(t))
    ways = (
        (LATER_EVENT, "without rows born at T or later", past.without_later),
        (LATER_EVENT, "with other rows born at T or later", past.with_later),
        (RECORDED_LATER, "without rows recorded after T", past.without_late),
        (RECORDED_LATER, "with more rows of before T recorded after T", past.with_late),
        (EDITED_STATUS, "without what became of rows after T", past.without_edits),
        (EDITED_STATUS, "with something else that became of rows after T", past.with_edits),
        (CURRENT_ATTRIBUTE, "without attributes recorded after T", past.without_attributes),
        (CURRENT_ATTRIBUTE, "with other attributes recorded after T", past.with_attributes),
    )
    for kind, change, make in ways:
        yield Future(kind, change, MemoryTables(make(draw), tables.attributes))


def shuffled_ids(tables: Tables, spine: pd.DataFrame, seed: int = 0) -> tuple[Tables, pd.DataFrame]:
    """The same history under other ids: each kind of id changes hands among its own, everywhere."""
    draw = np.random.default_rng(seed)
    frames = {name: tables.frame(name) for name in tables.names}
    everything: list[pd.DataFrame] = [*frames.values(), spine]
    new: dict[str, dict[str, str]] = {}
    for column in ENTITIES:
        ids = {v for f in everything if column in f for v in f[column].dropna().astype("str")}
        names = sorted(ids)
        new[column] = dict(zip(names, draw.permutation(names), strict=True)) if names else {}

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(
            **{c: frame[c].astype("str").map(new[c]) for c in ENTITIES if c in frame}
        )

    changed = {name: renamed(frame) for name, frame in frames.items()}
    return MemoryTables(changed, tables.attributes), renamed(spine)


def shuffled_rows(tables: Tables, seed: int = 0) -> Tables:
    """The same rows in another order of the files; which of two versions is the later one stays."""
    draw = np.random.default_rng(seed)
    frames = {name: tables.frame(name) for name in tables.names}
    mixed = {name: frame.iloc[draw.permutation(len(frame))] for name, frame in frames.items()}
    return MemoryTables(mixed, tables.attributes)


class _Past:
    """The tables seen from T: which rows are there, which are to come."""

    def __init__(self, tables: Tables, t: pd.Timestamp) -> None:
        self.t = t
        self.frames: Frames = {name: tables.frame(name) for name in tables.names}
        self.attributes = tables.attributes
        orders = self.frames.get("orders")
        self.order_births = (
            None if orders is None else orders.groupby("order_id")["ordered_at"].min()
        )

    def born(self, name: str) -> pd.Series:
        """Which rows are born before T; a row without a birth is taken as born."""
        frame = self.frames[name]
        if name == "order_items":
            if self.order_births is None:
                return pd.Series(True, index=frame.index)
            births = frame["order_id"].map(self.order_births)
        else:
            births = birth_times(name, frame)
        return ~(births >= self.t)

    def recorded(self, name: str) -> pd.Series:
        return ~(self.frames[name]["recorded_at"] > self.t)

    def known_before(self, name: str) -> pd.Series:
        """Rows of keys of which a version is there at T."""
        frame, key = self.frames[name], list(TABLES[name].key)
        there = self.born(name) & self.recorded(name)
        if not key:
            return there
        return frame.groupby(key, dropna=False)[ROW].transform("size").gt(0) & (
            there.groupby([frame[k] for k in key], dropna=False).transform("any")
        )

    # ------------------------------------------------------------ worlds with less

    def without_later(self, draw: np.random.Generator) -> Frames:
        return {name: frame[self.born(name)] for name, frame in self.frames.items()}

    def without_late(self, draw: np.random.Generator) -> Frames:
        return {
            name: frame[~self.born(name) | self.recorded(name) | self.known_before(name)]
            for name, frame in self.frames.items()
        }

    def without_edits(self, draw: np.random.Generator) -> Frames:
        out = {}
        for name, frame in self.frames.items():
            if name != "customers":
                frame = frame[~(self.known_before(name) & ~self.recorded(name))]
            unknown = self._unknown(frame, TABLES[name])
            out[name] = frame.assign(**{c: frame[c].mask(at) for c, at in unknown.items()})
        return out

    def without_attributes(self, draw: np.random.Generator) -> Frames:
        later = {name: ~self.recorded(name) & self.known_before(name) for name in self.frames}
        return {
            name: frame[~later[name]] if name == "customers" else frame
            for name, frame in self.frames.items()
        }

    def _unknown(self, frame: pd.DataFrame, table: Table) -> dict[str, pd.Series]:
        """For each column that becomes known some time: where it is not known at T."""
        return {c.name: ~(frame[c.known_at] < self.t) for c in table.columns if c.known_at}

    # ------------------------------------------------------------ worlds with something else

    def with_later(self, draw: np.random.Generator) -> Frames:
        return self._with_clones(draw, AFTER, pd.Timedelta(0))

    def with_late(self, draw: np.random.Generator) -> Frames:
        return self._with_clones(draw, tuple(-before for before in BEFORE), MOMENT)

    def _with_clones(
        self, draw: np.random.Generator, offsets: tuple[pd.Timedelta, ...], late: pd.Timedelta
    ) -> Frames:
        """Copies of rows under new keys, for all customers, born around T. With ``late`` they are
        recorded after T."""
        out = dict(self.frames)
        for name, frame in self.frames.items():
            table = TABLES[name]
            if table.birth is None or frame.empty:  # items come with orders; volumes keep a step
                continue
            out[name] = pd.concat(
                [frame, self._clones(name, frame, draw, offsets, late)], ignore_index=True
            )
        if "order_items" in out and "orders" in out:
            out["order_items"] = _items_of_clones(out["orders"], self.frames["order_items"])
        return out

    def _clones(
        self, name: str, frame: pd.DataFrame, draw: np.random.Generator,
        offsets: tuple[pd.Timedelta, ...], late: pd.Timedelta,
    ) -> pd.DataFrame:  # fmt: skip
        table = TABLES[name]
        assert table.birth is not None
        who = self._customers() if "customer_id" in frame and name != "customers" else []
        size = max(CLONES, 2 * len(who))
        copy = frame[~frame["deleted"].astype(bool)]
        copy = (copy if len(copy) else frame).sample(size, replace=True, random_state=draw)
        copy = copy.reset_index(drop=True)
        births = self.t + pd.Series(pd.to_timedelta(draw.choice(np.array(offsets), size)))
        shift = births - copy[table.birth]
        times = [c.name for c in table.columns if c.dtype == "timestamp" and c.name != table.birth]
        moved = {c: (copy[c] + shift).astype("datetime64[us]") for c in times}
        moved[table.birth] = births.astype("datetime64[us]")
        moved["recorded_at"] = moved[table.birth]
        if late:
            delay = pd.Series(pd.to_timedelta(draw.choice(np.array(AFTER), size)))
            moved["recorded_at"] = (self.t + late + delay).astype("datetime64[us]")
        copy = copy.assign(**moved, deleted=False)
        copy[ROW] = int(frame[ROW].max()) + 1 + np.arange(size)
        if who:
            copy["customer_id"] = pd.Series(np.resize(np.array(who, dtype=object), size), dtype=str)
        if table.key:
            # "+n" after the id it was made from, so that ids keep their look
            keys = [f"{key}+{n}" for n, key in enumerate(copy[table.key[0]].fillna("0"))]
            copy[table.key[0]] = pd.Series(keys, dtype="str")
        return copy

    def _customers(self) -> list[str]:
        names: set[str] = set()
        for frame in self.frames.values():
            if "customer_id" in frame:
                names.update(frame["customer_id"].dropna().astype("str"))
        return sorted(names)

    def with_edits(self, draw: np.random.Generator) -> Frames:
        out = {}
        for name, frame in self.frames.items():
            table = TABLES[name]
            unknown = self._unknown(frame, table)
            facts = {c.known_at for c in table.columns if c.known_at}
            other = {
                c: self._times_to_come(draw, len(frame)) if c in facts else _mixed(frame[c], draw)
                for c in unknown
            }
            changed = frame.assign(
                **{c: frame[c].where(~unknown[c], other[c]) for c in unknown}
            ).astype({c: frame[c].dtype for c in unknown})
            if name not in ("customers", "volumes") and table.key:
                values = [
                    c.name for c in table.columns
                    if c.name not in (*table.key, table.birth, "customer_id", "order_id", "deleted",
                                      "recorded_at")
                ]  # fmt: skip
                changed = self._with_versions(name, changed, values, draw, deleted=0.2)
            out[name] = changed
        return out

    def with_attributes(self, draw: np.random.Generator) -> Frames:
        if "customers" not in self.frames:
            return dict(self.frames)
        table = TABLES["customers"]
        fixed = ("customer_id", "signed_up_at", "recorded_at", "deleted")
        values = [c.name for c in table.columns if c.name not in fixed]
        changed = self._with_versions(
            "customers", self.frames["customers"], [*values, *self.attributes], draw, deleted=0
        )
        return {**self.frames, "customers": changed}

    def _with_versions(
        self, name: str, frame: pd.DataFrame, values: list[str], draw: np.random.Generator,
        deleted: float,
    ) -> pd.DataFrame:  # fmt: skip
        """A later version of every row that is there at T, with other values."""
        there = frame[self.born(name) & self.recorded(name)]
        there = there.drop_duplicates(list(TABLES[name].key), keep="last").reset_index(drop=True)
        if there.empty:
            return frame
        delay = pd.Series(pd.to_timedelta(draw.choice(np.array(AFTER), len(there))))
        later = there.assign(
            **{c: _mixed(there[c], draw, pool=frame[c]) for c in values if c in there},
            recorded_at=(self.t + MOMENT + delay).astype("datetime64[us]"),
            deleted=pd.array(draw.random(len(there)) < deleted, dtype="boolean"),
        )
        later[ROW] = int(frame[ROW].max()) + 1 + np.arange(len(there))
        return pd.concat([frame, later], ignore_index=True)

    def _times_to_come(self, draw: np.random.Generator, size: int) -> pd.Series:
        """Moments at T and later, and some nulls."""
        moments = self.t + pd.Series(pd.to_timedelta(draw.choice(np.array(AFTER), size)))
        return moments.mask(draw.random(size) < 0.3).astype("datetime64[us]")


def _mixed(
    values: pd.Series, draw: np.random.Generator, pool: pd.Series | None = None
) -> pd.Series:
    """Other values of the same kind: drawn from the different ones there are, and a new one for
    numbers, so that they differ from what they were wherever they can."""
    known = (values if pool is None else pool).dropna()
    if known.empty:
        return values
    different = known.drop_duplicates().reset_index(drop=True)
    at = draw.integers(0, len(different), len(values))
    again = different.iloc[(at + 1) % len(different)].set_axis(values.index)
    other = different.iloc[at].set_axis(values.index)
    if pd.api.types.is_bool_dtype(values.dtype) and len(different) == 1:
        return (~other).astype(values.dtype)
    same = (other == values).fillna(False).astype(bool)
    return other.where(~same, again).astype(values.dtype)


def _items_of_clones(orders: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """The items, and the same items once more for every order that was made from theirs."""
    clones = orders.loc[
        orders["order_id"].str.contains("+", regex=False), ["order_id", "recorded_at"]
    ]
    clones = clones.assign(old=clones["order_id"].str.partition("+")[0])
    copies = items.drop(columns=["recorded_at", ROW]).merge(
        clones.rename(columns={"order_id": "new"}), left_on="order_id", right_on="old"
    )
    copies = copies.drop(columns=["order_id", "old"]).rename(columns={"new": "order_id"})
    copies[ROW] = int(items[ROW].max()) + 1 + np.arange(len(copies))
    return pd.concat([items, copies[items.columns]], ignore_index=True)
