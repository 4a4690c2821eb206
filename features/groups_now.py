"""What groups add up to now: the night's rows, and what whoever has news changes of that.

A region's complaints are counted over everybody's rows; one posted ticket must not make all of them
be read again. Every row of a group belongs to one customer (or to nobody), and counts and sums
over customers add up. So what a customer's rows add to each group is taken out as it was at night
and put in as it is, in integers; different customers are counted customer by customer. The sums
are those of a history that was read anew, to the last bit.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> from features.language import count
>>> from features.sources import ORDERS
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"], "carrier": "fast",
...                        "ordered_at": ["2026-01-01", "2026-01-02"]})
>>> view = FeatureView((count(ORDERS, by="carrier"),))
>>> base = MemoryTables({"orders": orders})
>>> groups = GroupsNow(view, night_sums(view, base))
>>> mine = MemoryTables({"orders": orders[:1]})
>>> moved = MemoryTables({"orders": orders[:1].assign(carrier="slow")})
>>> groups.put({"a"}, *(read_rows(tables, groups.needed()) for tables in (mine, moved)))
>>> T = int(pd.Timestamp("2026-01-03").value // 1000)
>>> names = np.array(["fast", "slow"], dtype=object)
>>> groups.at(T).sums(view.features[0].node, "count", None, names, [None])[None].tolist()
[[1], [1]]
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.arrays import Bools, Ints, Values
from data.contract import TABLES
from data.packs import PackWriter
from data.tables import ROW, Tables
from features.expression import Column, Expression, Key
from features.group_sums import NightSums
from features.history import History, Part, needed_columns
from features.kernel import Window
from features.program import Stream, compiled
from features.shards import Shards, owner_of, split
from features.sources import Rows, Source, columns_by_table, read_rows
from features.spec import FeatureView, Term
from features.totals import ADDED

NOBODY = ""
"""Stands for the owner of rows that name no customer."""
Name = tuple[Term, str, Expression | None]
"""A stream, and what is made of its rows: count, sum or distinct, of which value."""


class Change(NamedTuple):
    """Rows that differ from the night's: of which group and owner, when they count, and what they
    add; what was there at night adds its opposite."""

    group: Ints
    owner: Ints
    lo: Ints
    hi: Ints
    at: Ints
    weight: Ints

    def take(self, which: Ints | Bools) -> Change:
        """Some of the rows."""
        return Change(*(values[which] for values in self))


NOTHING = Change(*(np.array([], dtype=np.int64) for _ in range(6)))


def group_terms(view: FeatureView) -> tuple[Term, ...]:
    """The view's terms that count rows of others than one customer."""
    terms = (term for feature in view.features for term in feature.node.terms())
    return tuple(dict.fromkeys(t for t in terms if t.key is None or t.key.name != "customer_id"))


def adds_up(view: FeatureView) -> bool:
    """Whether all that the view asks of groups adds up over customers."""
    return all(
        term.operation in ADDED
        or (term.operation == "distinct" and (term.value,) == owner_of(term.source))
        for term in group_terms(view)
    )


def streams_of(view: FeatureView) -> tuple[Stream, ...]:
    """The streams of rows that the view's groups are counted over."""
    return tuple(compiled(group_terms(view)).streams)


def night_sums(view: FeatureView, base: Tables) -> NightSums:
    """What the view's groups add up to over ``base``."""
    return NightSums.of(streams_of(view), [read_rows(base, needed_columns(group_terms(view)))])


def put_night_sums(
    pack: PackWriter, view: FeatureView, base: Tables, folder: Path, rows_at_once: int
) -> None:
    """The same into a pack, from about so many rows in memory at once; ``folder``: for files on the
    way there."""
    needed = needed_columns(group_terms(view))
    for source, columns in needed.items():
        columns.update(owner_of(source))
    rows_there = sum(_rows_in(base, name) for name in columns_by_table(needed))
    count = 1 + rows_there // rows_at_once

    def parts(shards: Shards) -> Iterator[dict[Source, Rows]]:
        for number in range(count):
            rows = read_rows(shards.shard(number), needed)
            yield {
                source: every.take(np.flatnonzero(shards.at_home(every, source, number)))
                for source, every in rows.items()
            }

    with split(base, needed, count) as shards:
        NightSums.put(pack, streams_of(view), parts(shards), folder)


class GroupsNow:
    """The groups' sums of a view at night (``night_sums``), with what ``put`` changed since. One
    writer at a time; what ``at`` gave stays as it is."""

    adds = (*ADDED, "distinct")

    def __init__(self, view: FeatureView, night: NightSums) -> None:
        self._streams, self._night = streams_of(view), night
        self._needed = needed_columns(group_terms(view))
        for source, columns in self._needed.items():
            columns.update(owner_of(source), _key_of(source))
        self._codes: dict[str, int] = {}
        self._changes: Mapping[Name, Change] = {}

    def needed(self, posted: Collection[str] | None = None) -> dict[Source, set[Key]]:
        """The sources that a table of ``posted`` is part of (None: all), and what ``put`` reads
        of each: rows of the others are as they were."""
        return {
            source: set(columns)
            for source, columns in self._needed.items()
            if posted is None or not set(source.tables).isdisjoint(posted)
        }

    @property
    def beside(self) -> frozenset[str]:
        """Those that stand beside others."""
        return frozenset(source.beside for source in self._needed if source.beside)

    def put(
        self,
        owners: Collection[str],
        before: Mapping[Source, Rows],
        after: Mapping[Source, Rows],
        nobodys: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Let the rows of these customers be those of ``after``; ``before`` has them as at night.

        Both may hold rows of others, which stay as they are, and so do sources that ``before``
        lacks (``needed`` names those to read). ``nobodys``: by table, the keys of rows that name
        no customer in a version of theirs, all that were posted since the night; of a table whose
        rows are nobody's, any.
        """
        theirs = [*owners, *([NOBODY] if nobodys else [])]
        codes = np.array([self._code(owner) for owner in theirs], dtype=np.int64)
        sides = [
            dict(self._rows_of({s: rows[s] for s in before}, owners, nobodys or {}, sign))
            for rows, sign in ((before, -1), (after, 1))
        ]
        changes = dict(self._changes)
        for name in {**sides[0], **sides[1]}:
            both = [side[name] for side in sides if name in side]
            new = _differing(_joined(both), distinct=name[1] == "distinct")
            old = changes.get(name, NOTHING)
            changes[name] = _joined([old.take(~np.isin(old.owner, codes)), new])
        self._changes = changes

    def at(self, moment: int) -> GroupsAt:
        """The groups' sums at a moment (microseconds since 1970)."""
        return GroupsAt(self._night, self._codes, self._changes, moment)

    def _rows_of(
        self,
        rows: Mapping[Source, Rows],
        owners: Collection[str],
        nobodys: Mapping[str, Collection[str]],
        sign: int,
    ) -> Iterator[tuple[Name, Change]]:
        at_home = {
            source: every.take(np.flatnonzero(_at_home(every, source, owners, nobodys)))
            for source, every in rows.items()
        }
        history = History(at_home)
        for stream in self._streams:
            if stream.term.source not in rows:
                continue
            keyed = history.keyed(stream.term.source, stream.term.key)
            part = keyed.whole
            if not part.size:
                continue
            codes = [self._code(str(name)) for name in keyed.categories]
            group = np.array(codes, dtype=np.int64)[part.line]
            owner = self._owners(part, stream.term.source)
            for measure in stream.measures:
                lo, hi, at = part.spells(stream.term, measure.value)[1:4]
                weight = np.full(part.size, sign, dtype=np.int64)
                if measure.operation == "sum":
                    assert measure.value is not None
                    weight = sign * part.whole_numbers(measure.value)
                which = np.flatnonzero(lo < hi)
                changes = Change(group, owner, lo, hi, at, weight).take(which)
                yield (stream.term, measure.operation, measure.value), changes

    def _owners(self, part: Part, source: Source) -> Ints:
        column = owner_of(source)
        if not column:
            return np.full(part.size, self._code(NOBODY), dtype=np.int64)
        value = part.column(column[0])
        assert value.categories is not None
        codes = [*(self._code(str(one)) for one in value.categories), self._code(NOBODY)]
        return np.array(codes, dtype=np.int64)[value.data.astype(np.int64)]

    def _code(self, text: str) -> int:
        return self._codes.setdefault(text, len(self._codes))


class GroupsAt:
    """Sums of groups at one moment; takes the place of ``Totals``."""

    adds = GroupsNow.adds

    def __init__(
        self,
        night: NightSums,
        codes: Mapping[str, int],
        changes: Mapping[Name, Change],
        moment: int,
    ) -> None:
        self._night, self._codes, self._changes = night, codes, changes
        self.times = np.array([moment], dtype=np.int64)

    def sums(
        self,
        term: Term,
        operation: str,
        value: Expression | None,
        names: Values,
        windows: Sequence[Window],
    ) -> dict[Window, Ints]:
        """Per window the sums of the groups ``names``: groups x 1, integers as added up."""
        moment = int(self.times[0])
        sums_by_window = self._night.sums(term, operation, value, names, windows, moment)
        change = self._changes.get((term, operation, value), NOTHING)
        if len(change.group):
            codes = np.array([self._codes.get(str(name), -1) for name in names], dtype=np.int64)
            chosen_codes = np.zeros(len(self._codes) + 1, dtype=bool)
            chosen_codes[codes] = True
            chosen_codes[-1] = False
            mine = change.take(chosen_codes[change.group])
            for window in windows:
                sums_by_window[window] = (
                    sums_by_window[window]
                    + self._changed(mine, window, len(chosen_codes), operation == "distinct")[codes]
                )
        return {window: sums.reshape(-1, 1) for window, sums in sums_by_window.items()}

    def _changed(self, change: Change, window: Window, codes: int, distinct: bool) -> Ints:
        """What changes add to each group, by its code."""
        now = self.times[0]
        hi = change.hi if window is None else np.minimum(change.hi, change.at + (window + 1))
        counts = (change.lo <= now) & (hi > now)
        sums = np.zeros(codes, dtype=np.int64)
        group, owner, weight = change.group[counts], change.owner[counts], change.weight[counts]
        if distinct:  # an owner counts once, as they are and, taken out, as they were
            distinct_rows = np.unique(np.stack([group, owner, weight], axis=1), axis=0)
            group, weight = distinct_rows[:, 0], distinct_rows[:, 2]
        np.add.at(sums, group, weight)
        return sums


def _rows_in(base: Tables, name: str) -> int:
    import pyarrow.parquet as pq

    file = base.file(name) if base.has(name) else None
    return len(base.frame(name, [ROW])) if file is None else int(pq.read_metadata(file).num_rows)


def _key_of(source: Source) -> tuple[Column, ...]:
    """The column that names a source's row, where it may name no customer."""
    contract = TABLES[source.table]
    text = bool(contract.key) and source[contract.key[0]].kind == "text"
    return (source[contract.key[0]],) if owner_of(source) and text else ()


def _at_home(
    rows: Rows, source: Source, owners: Collection[str], nobodys: Mapping[str, Collection[str]]
) -> Bools:
    """Which rows belong to these customers, or to nobody and are among those that were posted."""
    owner = owner_of(source)
    if not owner:
        return np.full(rows.size, any(name in nobodys for name in source.tables))
    value = rows.column(owner[0])
    assert value.categories is not None
    home = np.array([*(str(name) in owners for name in value.categories), False], dtype=bool)
    at_home = home[value.data.astype(np.int64)]
    keys = nobodys.get(source.table)
    if keys and (column := _key_of(source)):
        key = rows.column(column[0])
        assert key.categories is not None
        posted = np.array([*(str(k) in keys for k in key.categories), False], dtype=bool)
        at_home = at_home | ((value.data.astype(np.int64) < 0) & posted[key.data.astype(np.int64)])
    return at_home


def _joined(pieces: Sequence[Change]) -> Change:
    return Change(*(np.concatenate(values) for values in zip(*pieces, strict=True)))


def _differing(rows: Change, *, distinct: bool) -> Change:
    """The rows that are not the same before and after; for different owners, all rows of those."""
    if not len(rows.group):
        return rows
    fields = np.stack([rows.group, rows.owner, rows.lo, rows.hi, rows.at], axis=1)
    alike, first, which = np.unique(fields, axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    weight = np.zeros(len(alike), dtype=np.int64)
    np.add.at(weight, which, rows.weight)
    if not distinct:
        changed = np.flatnonzero(weight)
        return rows.take(first[changed])._replace(weight=weight[changed])
    pairs, pair = np.unique(fields[:, :2], axis=0, return_inverse=True)
    moved = np.zeros(len(pairs), dtype=bool)
    moved[pair.reshape(-1)[weight[which] != 0]] = True
    return rows.take(np.flatnonzero(moved[pair.reshape(-1)]))
