"""A snapshot's rows by customer in files that are mapped: made once, asked for ever after.

The rows of a customer stand side by side, in the order in which they came; so do an order's items.
What a customer's score reads is so found in a few pages of each column, and nothing of the company
need be in memory.

    .presage/snapshots/<hash>/by-customer/usage-1a2b3c4d.pack

A pack is made by ``keep_rows`` when scores are published, and by whoever needs it where it is not
there or was damaged: all that it holds stands in the snapshot, with which it goes.

>>> import tempfile
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1", "2", "3"], "customer_id": ["a", "b", "a"],
...                        "ordered_at": ["2026-01-01", "2026-01-02", "2026-01-03"]})
>>> base = MemoryTables({"orders": orders})
>>> with tempfile.TemporaryDirectory() as folder:
...     place = Place(Path(folder), HashBook(Path(folder) / "hashes.json"))
...     keep_rows(base, place)
...     rows = kept_rows(base, place)
...     at = rows.find("orders", "customer_id", {"a"})
...     rows.take("orders", at, ["order_id"])["order_id"].tolist()
['1', '3']
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data.arrays import Ints
from data.contract import table
from data.files import HashBook
from data.kept_columns import (
    Take,
    arrow_texts,
    column_of,
    numbered,
    put_column,
    put_numbered,
    texts_of,
)
from data.packs import Looks, Pack, PackWriter, keep, usable
from data.snapshot import Snapshot
from data.tables import Tables, columns_of
from serving.held_rows import NOWHERE, OWN, Finds, HeldRows, Index, hashes_of, owner_of

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("presage.api")

FORMAT = 1
FOLDER = "by-customer"
IN_PACKS = (*OWN, "order_items")
BESIDES = {"tickets": ("order_id",)}
"""Columns by which rows are found, besides whose they are and their key."""
AT_ONCE = 1_000_000
PROBE = "presage"
LARGE = 1_000_000
"""Rows of a snapshot from which on they are kept in packs; fewer are held in memory."""


@dataclass(frozen=True)
class Place:
    """Where the packs of a snapshot are, and the hashes of their files."""

    folder: Path
    book: HashBook

    @classmethod
    def of(cls, snapshot: Snapshot) -> Place:
        """The place of a snapshot in its workspace."""
        return cls(snapshot.path / FOLDER, HashBook(snapshot.path.parents[1] / "hashes.json"))

    def remember(self) -> None:
        """Keep the hashes; where that cannot be, files are hashed again."""
        with contextlib.suppress(OSError):
            self.book.save()


def is_large(snapshot: Snapshot) -> bool:
    """Whether a snapshot has more rows than are held in memory."""
    return sum(snapshot.rows(name) for name in IN_PACKS) >= LARGE


def rows_by_customer(snapshot: Snapshot) -> HeldRows:
    """A snapshot's rows as they are found fastest: those of a large one from packs, which are made
    where they are not there; where they cannot be, in memory."""
    place = Place.of(snapshot)
    if is_large(snapshot):
        try:
            keep_rows(snapshot, place, log.info)
        except OSError as error:
            log.warning("%s; the rows are held in memory", error)
    return kept_rows(snapshot, place)


def keep_rows(base: Tables, place: Place, tell: Callable[[str], None] | None = None) -> None:
    """Make the packs of all tables of which there is none."""
    for name in IN_PACKS:
        if base.has(name) and _opened(base, place, name) is None:
            if tell is not None:
                tell(f"{name}: putting the rows side by side by customer")
            write = partial(_write, base=base, name=name)
            keep(place.folder, name, write, _about(base), place.book)
    place.remember()


def kept_rows(base: Tables, place: Place) -> KeptRows:
    """The rows of which there are packs from those, the others in memory."""
    packs = {name: _opened(base, place, name) for name in IN_PACKS if base.has(name)}
    place.remember()
    return KeptRows(base, {name: pack for name, pack in packs.items() if pack is not None})


class KeptRows(HeldRows):
    """The rows of tables, those of some from packs; positions are those of the packs."""

    def __init__(self, base: Tables, packs: dict[str, Pack]) -> None:
        super().__init__(base)
        self.packs = packs
        self._taken: dict[tuple[str, str], Take] = {}
        self._looks = Looks()

    def column(self, name: str, column: str) -> Take:
        pack = self.packs.get(name)
        if pack is None:
            return super().column(name, column)
        if (name, column) not in self._taken:
            self._taken[name, column] = column_of(pack, column)
        return self._taken[name, column]

    def _index(self, name: str, column: str) -> Finds:
        pack = self.packs.get(name)
        if pack is None:
            return super()._index(name, column)
        if column == owner_of(name):
            return SideBySide(pack, column)
        hashes, places = (pack.array(f"by {column} {what}") for what in ("hash", "place"))
        return Index(hashes, places, self.column(name, column))

    def find(self, name: str, column: str, texts: Collection[str]) -> Ints:
        self._looks.add(len(texts))
        return super().find(name, column, texts)

    def take(self, name: str, places: Ints, columns: Sequence[str]) -> pd.DataFrame:
        self._looks.add(len(columns))
        return super().take(name, places, columns)


class SideBySide:
    """Finds the rows of texts whose rows stand side by side."""

    def __init__(self, pack: Pack, column: str) -> None:
        self._hashes = pack.array("owner hash")
        self._begin = pack.array("owner begin")
        self._texts = texts_of(pack, column)

    def find(self, texts: Collection[str]) -> Ints:
        """The positions of these texts, ascending."""
        spans = []
        wanted = list(texts)
        hashes = hashes_of(wanted)
        first = np.searchsorted(self._hashes, hashes, "left")
        stop = np.searchsorted(self._hashes, hashes, "right")
        for text, a, b in zip(wanted, first.tolist(), stop.tolist(), strict=True):
            for number in range(a, b):
                if self._texts[number].as_py() == text:
                    spans.append((int(self._begin[number]), int(self._begin[number + 1])))
        if not spans:
            return NOWHERE
        return np.concatenate([np.arange(a, b, dtype=np.int64) for a, b in sorted(spans)])


def _about(base: Tables) -> dict[str, Any]:
    probe = int(hashes_of([PROBE])[0])  # another release of pandas may hash otherwise
    return {"format": FORMAT, "of": base.fingerprint, "hash": str(probe)}


def _opened(base: Tables, place: Place, name: str) -> Pack | None:
    return usable(place.folder, name, _about(base), place.book, "the snapshot")


def _write(pack: PackWriter, base: Tables, name: str) -> None:
    """One table: its columns, one after another in memory, in the order of whose rows they are."""
    owner = owner_of(name)
    numbers, texts = numbered(arrow_texts(base.frame(name, [owner])[owner]))
    hashes = _hashed(texts)
    by_hash = np.argsort(hashes, kind="stable")
    rank = np.empty(len(texts) + 1, dtype=np.int64)
    rank[by_hash] = np.arange(len(texts))
    rank[-1] = len(texts)  # rows that are nobody's stand behind all others
    ranks = rank[numbers]
    order = _sorted(ranks)
    ranks = ranks[order]
    pack.add("owner hash", hashes[by_hash])
    pack.add("owner begin", np.searchsorted(ranks, np.arange(len(texts) + 1)))
    put_numbered(pack, owner, np.where(ranks < len(texts), ranks, -1), texts.take(by_hash))
    keys = {*table(name).key[:1], *BESIDES.get(name, ())} - {owner}
    for column in columns_of(name, base.attributes):
        if column == owner:
            continue
        values = base.frame(name, [column])[column].take(order)
        put_column(pack, column, values)
        if column in keys:
            _put_index(pack, column, values)


def _put_index(pack: PackWriter, column: str, values: pd.Series) -> None:
    texts = arrow_texts(values)
    there = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
    hashes = _hashed(texts.take(there))
    by_hash = np.argsort(hashes, kind="stable")
    pack.add(f"by {column} hash", hashes[by_hash])
    pack.add(f"by {column} place", there[by_hash].astype(np.uint32))


def _hashed(texts: pa.Array) -> Any:
    parts = (texts.slice(at, AT_ONCE) for at in range(0, len(texts), AT_ONCE))
    hashes = [hashes_of(part.to_numpy(zero_copy_only=False)) for part in parts]
    return np.concatenate(hashes) if hashes else np.array([], dtype=np.uint64)


def _sorted(ranks: Ints) -> Ints:
    """The order of ranks, equal ones as they lie; by their digits, many times as fast."""
    order = np.argsort((ranks & 0xFFFF).astype(np.uint16), kind="stable")
    high = (ranks >> 16).astype(np.uint16)
    return order[np.argsort(high[order], kind="stable")]
