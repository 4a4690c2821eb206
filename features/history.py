"""What was read for a view: each source's rows by key and in time, to be asked again and again.

``select`` gives the rows of some keys, which stand side by side: one customer out of a million
costs what their own rows cost. A history that is kept to be asked many times (``keep``) also
remembers what follows from its rows alone: from when until when each counts.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> from features.language import count
>>> from features.sources import ORDERS
>>> from features.spec import FeatureView
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"],
...                        "ordered_at": ["2026-01-01", "2026-01-01"]})
>>> history = History.read(FeatureView((count(ORDERS, days=7),)), MemoryTables({"orders": orders}))
>>> history.rows(ORDERS).size
2
>>> names = np.array(["x", "b"], dtype=object)
>>> history.select(ORDERS, ORDERS["customer_id"], names, np.array([0, 1])).line.tolist()
[1]
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Ints, Values
from data.errors import DataError
from data.tables import Tables
from features.asof import ALWAYS, NEVER
from features.expression import Expression, Joint, Key, Value
from features.kernel import Spells
from features.predicate import Given
from features.sources import Rows, Source, read_rows
from features.spec import FeatureView, Term

SCALES = {"number": 1000.0, "duration": 1.0, "flag": 1.0, "time": 1e-6}
"""Numbers are added as integers of a thousandth (money to a tenth of a cent), durations as
microseconds, moments as seconds: exact, so the order of adding does not matter."""


FEW_NAMES = 16
"""So many names are looked up one by one."""
MOST_NAME_LISTS = 64
"""How many lists of names a history remembers the codes of; a view asks by a dozen."""


class Loose:
    """A source's rows as they lie; ``line``: the line of each."""

    def __init__(self, rows: Rows, line: Ints, lasting: bool = False) -> None:
        self.rows, self.line, self.lasting = rows, line, lasting
        self.cache: dict[Hashable, Any] = {}

    def complete(self, value: Expression) -> bool:
        """Whether every row has the value, from the start."""
        if (value, "complete") not in self.cache:
            values = value.value(self.rows)
            self.cache[value, "complete"] = values.known is None and not values.null().any()
        return bool(self.cache[value, "complete"])


class Keyed:
    """A source's rows by key, within it by time and, of equal times, as they came; rows without a
    key are left out. Those of key code c are ``begin[c]`` up to ``begin[c + 1]``.

    Parts know the rows, and not this: what refers to itself stays in memory until a collection."""

    def __init__(self, rows: Rows, source: Source, key: Key | None, lasting: bool) -> None:
        if key is None:
            self.categories: Values = np.array(["all"], dtype=object)
            codes = np.zeros(rows.size, dtype=np.int64)
        else:
            value = rows.column(key)
            assert value.categories is not None
            self.categories, codes = value.categories, value.data.astype(np.int64, copy=False)
        times = rows.column(source.time).data.astype(np.int64, copy=False)
        order = _order(codes, times, rows.position)
        self.codes = codes[order].astype(np.int64)
        in_order = len(order) == rows.size and bool(np.all(order[1:] == order[:-1] + 1))
        self._rows = Loose(rows if in_order else rows.take(order), self.codes, lasting)
        self.begin = np.searchsorted(self.codes, np.arange(len(self.categories) + 1))

    @cached_property
    def names(self) -> pd.Index:
        """The keys' names, to be searched."""
        return pd.Index(self.categories, dtype=object)

    @cached_property
    def _places(self) -> Mapping[str, int] | None:
        """The same for few keys, of which an index costs more than what is asked of it."""
        if len(self.categories) > FEW_NAMES:
            return None
        return {name: code for code, name in enumerate(self.categories)}

    def code(self, name: str) -> int:
        """The code of the key of that name, -1 where it has no rows."""
        if self._places is not None:
            return self._places.get(name, -1)
        try:
            return int(self.names.get_loc(name))
        except KeyError:
            return -1

    @cached_property
    def whole(self) -> Part:
        """All rows, each key a line."""
        return Part(self._rows, slice(None), self.codes)

    def complete(self, value: Expression) -> bool:
        """Whether every row has the value, from the start."""
        return self._rows.complete(value)

    def part(self, codes: Ints) -> Part:
        """The rows of some keys (-1: none); line i has the rows of ``codes[i]``."""
        known = np.flatnonzero(codes >= 0)
        chosen = codes[known]
        first, stop = self.begin[chosen], self.begin[chosen + 1]
        length = stop - first
        line = np.repeat(known, length)
        if len(chosen) and np.array_equal(first[1:], stop[:-1]):
            return Part(self._rows, slice(int(first[0]), int(stop[-1])), line)
        step = np.arange(len(line)) - np.repeat(np.cumsum(length) - length, length)
        return Part(self._rows, np.repeat(first, length) + step, line)


class Part:
    """Rows by ``line``; columns, and what follows from them, are made when first asked for."""

    def __init__(self, rows: Loose, at: slice | Ints, line: Ints) -> None:
        self._rows, self._at, self.line = rows, at, line
        self._cache: dict[Hashable, Any] = {}

    @property
    def size(self) -> int:
        return len(self.line)

    @cached_property
    def start(self) -> Ints:
        return self._rows.rows.start[self._at]

    @cached_property
    def end(self) -> Ints:
        return self._rows.rows.end[self._at]

    @property
    def position(self) -> Ints:
        return self._rows.rows.position[self._at]

    def column(self, column: Key) -> Value:
        whole = self._rows.rows.column(column)
        if isinstance(self._at, slice) and self._at == slice(None):
            return whole
        known = None if whole.known is None else whole.known[self._at]
        return Value(whole.data[self._at], known, whole.categories)

    def spells(self, stream: Term, value: Expression | None) -> Spells:
        """When each row counts; with a value only while that is known, and not null."""
        if value is not None and self._rows.complete(value):
            value = None
        bounds = self._make((stream, value), lambda part: _spells(part, stream, value))
        lo, hi, at = bounds[:3]
        return Spells(self.line, lo, hi, at, bounds[3])

    def complete(self, value: Expression) -> bool:
        """Whether every row of the source has the value, from the start."""
        return self._rows.complete(value)

    def value(self, value: Expression) -> Value:
        """A value per row."""
        if isinstance(value, Key):
            return self.column(value)
        data = self._make(value, lambda part: tuple(value.value(part)[:2]))
        return Value(data[0], data[1])

    def whole_numbers(self, value: Expression) -> Ints:
        """The value as an integer of ``SCALES``, 0 where null."""
        return self._make((value, "whole"), lambda part: (_whole(value, part),))[0]

    def _make(self, key: Hashable, make: Callable[[Part], tuple[Any, ...]]) -> tuple[Any, ...]:
        """What is made once: of all rows if the history is kept, else of these."""
        if not self._rows.lasting:
            if key not in self._cache:
                self._cache[key] = make(self)
            return self._cache[key]
        cache = self._rows.cache
        if key not in cache:
            cache[key] = make(Part(self._rows, slice(None), self._rows.line))
        return tuple(v[self._at] if isinstance(v, np.ndarray) else v for v in cache[key])


class History:
    """The rows of every source of a view; they are shared and never written to."""

    def __init__(self, rows: Mapping[Source, Rows], lasting: bool = False) -> None:
        self._rows = MappingProxyType(dict(rows))
        self.lasting = lasting
        self._keyed: dict[tuple[Source, Key | None], Keyed] = {}
        self._codes: dict[tuple[Source, Key, int], tuple[Values, Ints]] = {}
        self._loose: dict[tuple[Source, Key | None], Part] = {}
        self.cache: dict[Hashable, Any] = {}

    @classmethod
    def read(cls, view: FeatureView, tables: Tables) -> History:
        """Reads the columns that the view's terms need, and no others."""
        terms = (term for feature in view.features for term in feature.node.terms())
        return cls(read_rows(tables, needed_columns(terms)))

    def keep(self) -> History:
        """The same rows, to be asked many times: what follows from them is worked out once."""
        return History(self._rows, lasting=True)

    @property
    def by_source(self) -> Mapping[Source, Rows]:
        """All rows of every source."""
        return self._rows

    def rows(self, source: Source) -> Rows:
        """All rows of the source."""
        return self._rows[source]

    def categories(self, source: Source, column: Key) -> Values:
        """The texts that a column's codes stand for."""
        texts = self._rows[source].column(column).categories
        assert texts is not None
        return texts

    def keyed(self, source: Source, key: Key | None) -> Keyed:
        """The rows by key; None: all are of one key."""
        if (source, key) not in self._keyed:
            self._keyed[source, key] = Keyed(self._rows[source], source, key, self.lasting)
        return self._keyed[source, key]

    def select(self, source: Source, key: Key | None, names: Values, chosen: Ints) -> Part:
        """The rows of the keys ``names[chosen]``, by line: line i has those of chosen[i].

        Without a key every line has all rows.
        """
        return self.keyed(source, key).part(self.codes(source, key, names, chosen))

    def codes(self, source: Source, key: Key | None, names: Values, chosen: Ints) -> Ints:
        """The key codes of ``names[chosen]``, -1 for a key that has no rows."""
        keyed = self.keyed(source, key)
        if key is None:
            return np.zeros(len(chosen), dtype=np.int64)
        if keyed.categories is names:
            return chosen
        if len(chosen) <= FEW_NAMES:  # an index of them costs more than looking each up
            return np.array([keyed.code(name) for name in names[chosen]], dtype=np.int64)
        place = (source, key, id(names))
        if place not in self._codes:
            if len(self._codes) >= MOST_NAME_LISTS:
                self._codes.clear()
            self._codes[place] = (names, keyed.names.get_indexer(pd.Index(names, dtype=object)))
        return self._codes[place][1][chosen]

    def loose(self, source: Source, key: Key | None, names: Values, chosen: Ints) -> Part:
        """``select``, but as the rows lie where all keys are asked for and they were not sorted
        yet."""
        rows = self._rows[source]
        if key is None or self.lasting or (source, key) in self._keyed:
            return self.select(source, key, names, chosen)
        value = rows.column(key)
        if value.categories is not names or len(chosen) < len(names):
            return self.select(source, key, names, chosen)
        if (source, key) not in self._loose:
            line = value.data.astype(np.int64)
            known = line >= 0
            at: slice | Ints = slice(None) if known.all() else np.flatnonzero(known)
            self._loose[source, key] = Part(Loose(rows, line), at, line[at])
        return self._loose[source, key]


def _order(codes: Ints, times: Ints, position: Ints) -> Ints:
    """Positions by code, time and position; those of code -1 are left out."""
    at = np.arange(len(codes))
    if not _in_time(times, position):
        at = np.lexsort((position, times))
        codes = codes[at]
    low = int(codes.min(initial=0))
    if int(codes.max(initial=0)) - low < 2**16:  # sorted by their digits, several times as fast
        by_code = np.argsort((codes - low).astype(np.uint16), kind="stable")
    else:
        by_code = np.argsort(codes, kind="stable")
    order = at[by_code]
    return order[int(np.count_nonzero(codes < 0)) :]


def _in_time(times: Ints, position: Ints) -> bool:
    later = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (position[1:] > position[:-1]))
    return bool(later.all())


def needed_columns(terms: Iterable[Term]) -> dict[Source, set[Key]]:
    """The columns that terms read, and the joints that they group by, by source."""
    needed: dict[Source, set[Key]] = {}
    for term in terms:
        own = needed.setdefault(term.source, set())
        own |= {*term.columns, term.source.time}
        own |= set(term.joints)
    return needed


def _spells(part: Part, term: Term, value: Expression | None) -> tuple[Any, ...]:
    """From when (>=) and until when (<) each row counts but for windows; the moment from which
    windows count; whether all are there from just after it on, for ever.

    Everything that makes a row known late or gone early is in the two bounds, so no operation has
    to think of time again.
    """
    since = term.since or term.source.time
    moments = part.column(since).data.astype(np.int64, copy=False)
    lo, hi = part.start, part.end
    if term.ahead is not None:  # counts while since lies in [T, T + ahead)
        past = np.where(moments == NEVER, ALWAYS, moments)
        lo = np.maximum(lo, past - term.ahead + 1)
        hi = np.minimum(hi, past + 1)
    elif term.since is not None:  # a row is not seen before its own moment anyway
        lo = np.maximum(lo, np.where(moments == NEVER, NEVER, moments + 1))
    if isinstance(term.key, Joint):
        key = part.column(term.key).known
        lo = lo if key is None else np.maximum(lo, key)
    if term.where is not None:
        lo = np.maximum(lo, term.where.truth(part).true_from)
    if value is not None:
        lo = np.maximum(lo, Given(value).truth(part).true_from)
    if term.until is not None:
        ends = term.until.value(part).data.astype(np.int64, copy=False)
        hi = np.minimum(hi, np.where(ends == NEVER, NEVER, ends + 1))
    # rows that never count are put behind every T, so that they make no row unlike the others
    never = (lo >= hi) | (lo == NEVER)
    if never.any():
        moments = np.where(never, NEVER, moments)
        lo, hi = np.where(never, NEVER + 1, lo), np.where(never, NEVER, hi)
    return lo, hi, moments, bool(((lo == moments + 1) & (hi == NEVER)).all())


def _whole(value: Expression, part: Part) -> Ints:
    numbers = part.value(value)
    scaled = np.where(numbers.null(), 0.0, numbers.data.astype(np.float64)) * SCALES[value.kind]
    if np.isinf(scaled).any() or (np.abs(scaled) >= 2.0**62).any():
        raise DataError(f"{value.text}: a value is infinite or too large to be added exactly")
    return np.rint(scaled).astype(np.int64)
