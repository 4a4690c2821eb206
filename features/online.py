"""One customer at one moment, fast: the same spells as everywhere, looked at all at once.

A batch is many lines, so it cuts time into cells; one customer has a hundred rows, so here every
leaf of the view is one row of a small table, rows that count are marked, and the table is added up
in one go. What groups look like at T comes from timelines, arithmetic is done level by level over
the whole view. All of it is exact integers until the same last division, so the bits are those of
the batch (tests/properties/test_features_online.py).

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.tables import MemoryTables
>>> from features.asof import microseconds
>>> from features.language import count, rate
>>> from features.sources import ORDERS
>>> from features.spec import FeatureView
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "a"],
...                        "ordered_at": ["2026-01-01", "2026-01-05"]})
>>> week, month = count(ORDERS, days=7), count(ORDERS, days=28)
>>> view = FeatureView((week, month, rate(week, month, "share")))
>>> online = Online(view, History.read(view, MemoryTables({"orders": orders})).keep())
>>> online.values("a", microseconds(datetime(2026, 1, 9))).tolist()
[1.0, 2.0, 0.5]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.errors import DataError
from features.asof import NEVER
from features.evaluate import Own, combine, group_names, latest_values
from features.expression import Expression
from features.flat import Flat, Group, Leaf
from features.history import SCALES, History, Keyed
from features.kernel import Spells
from features.program import program_of, stream_of
from features.spec import FeatureView, Term
from features.timeline import Timeline

MANY = 20_000
"""A customer with more rows of one source than this is computed like a batch of one."""

UNBOUNDED = np.int64(2**61)
"""A window longer than any time."""


class Online:
    """A view over a history that is kept; what depends on neither customer nor T is done once, and
    kept with the history."""

    def __init__(self, view: FeatureView, history: History) -> None:
        self._history = history
        self._program = program_of(view)
        self.rows = np.array([self._program.row[f.node] for f in view.features])
        # without a way back to the history: that would keep both in memory until a collection
        if view.fingerprint not in history.cache:
            flat = Flat.of([feature.node for feature in view.features])
            history.cache[view.fingerprint] = None if flat is None else _Table(flat, history)
        self._table: _Table | None = history.cache[view.fingerprint]

    def values(self, customer_id: str, as_of: int) -> Floats:
        """The features as float64 in the view's order, texts as codes (-1 for null).

        ``as_of`` in microseconds since 1970. Codes count through the categories of the column.
        """
        if self._table is not None:
            values = self._table.values(customer_id, as_of)
            if values is not None:
                return values
        names = np.array([customer_id], dtype=object)
        own = Own(self._history)
        every = own.values(self._program, names, np.zeros(1, np.int64), np.array([as_of]))
        return every[self.rows, 0]


class _Table:
    """The flat program bound to a history's rows."""

    def __init__(self, flat: Flat, history: History) -> None:
        self.flat = flat
        sheets: dict[tuple[object, object], list[Leaf]] = {}
        for leaf in flat.leaves:
            if leaf.group is None:
                sheets.setdefault((leaf.term.source, leaf.term.key), []).append(leaf)
        self.sheets = [
            _Sheet(history.keyed(leaves[0].term.source, leaves[0].term.key), leaves)
            for leaves in sheets.values()
        ]
        self.groups = _groups(flat, history)
        self.spreads = [
            (spread, _Spread(spread.term, spread.flat, history)) for spread in flat.spreads
        ]
        self.constant = np.full(flat.size, np.nan)
        for row, number in flat.constants:
            self.constant[row] = number
        self.result = np.array(flat.results)

    def values(self, customer_id: str, as_of: int) -> Floats | None:
        """The results, None where a sheet has too many rows for this."""
        values = self.constant.copy()
        for sheet in self.sheets:
            if not sheet.fill(values, customer_id, as_of):
                return None
        for group in self.groups:
            group.fill(values, -1 if group.link is None else int(values[group.link]), as_of)
        for spread, table in self.spreads:
            table.fill(values, spread.into, spread.how, customer_id, as_of)
        moment = np.array([as_of])
        for step in self.flat.steps:
            parts = [values[part] for part in step.parts]
            values[step.into] = combine(step.how, parts, moment)
        return values[self.result]


class _Sheet:
    """All leaves over one source's rows of one customer."""

    def __init__(self, keyed: Keyed, leaves: Sequence[Leaf]) -> None:
        self.keyed = keyed
        part = keyed.whole
        time = leaves[0].term.source.time
        self.kinds: dict[str, slice] = {}
        spells: dict[tuple[Term, Expression | None, bool], int] = {}
        table: list[tuple[Ints, Ints, Ints]] = []
        order_of: dict[int, Ints | None] = {}
        which, windows, self.into = [], [], np.array([leaf.row for leaf in _sorted(leaves)])
        values: list[Floats | Ints] = []
        empty = []
        self.scale = np.ones(len(leaves))
        begin = 0
        for kind in KINDS:
            of_kind = [leaf for leaf in leaves if _kind(leaf.term) == kind]
            for leaf in of_kind:
                term, value = stream_of(leaf.term)
                if value is not None and keyed.complete(value):
                    value = None
                since = term.since or time
                own_order = kind == "latest" and since != time
                place = (term, value, own_order)
                if place not in spells:
                    bounds = part.spells(term, value)
                    order = None
                    lo, hi, at = bounds.lo, bounds.hi, bounds.at
                    if own_order:
                        moments = part.column(since).data.astype(np.int64, copy=False)
                        order = np.lexsort((part.position, moments, part.line))
                        lo, hi, at = lo[order], hi[order], at[order]
                    spells[place] = len(table)
                    order_of[len(table)] = order
                    table.append((lo, hi, at))
                which.append(spells[place])
                windows.append(UNBOUNDED if leaf.term.window is None else leaf.term.window)
                number, none, scale = _leaf_values(leaf.term, keyed, kind)
                row = len(which) - 1
                self.scale[row] = scale
                empty.append(none)
                order = order_of[spells[place]]
                if number is not None:
                    values.append(number if order is None else number[order])
            self.kinds[kind] = slice(begin, len(which))
            begin = len(which)
        self.which, self.windows = np.array(which), np.array(windows)[:, None] + 1
        self.empty = np.array(empty)
        self.lo, self.hi, self.at = (np.stack([row[i] for row in table]) for i in range(3))
        counted = self.kinds["count"].stop
        by_kind = {
            kind: values[s.start - counted : s.stop - counted] for kind, s in self.kinds.items()
        }
        self.weights = np.stack(by_kind["sum"]) if by_kind["sum"] else None
        self.answers = np.stack(by_kind["latest"]) if by_kind["latest"] else None
        self.extremes = np.stack(by_kind["extreme"]) if by_kind["extreme"] else None
        self.codes = np.stack(by_kind["distinct"]) if by_kind["distinct"] else None

    def fill(self, values: Floats, customer_id: str, as_of: int) -> bool:
        """Writes the leaves' values; False if there are too many rows to look at at once."""
        try:
            code = self.keyed.names.get_loc(customer_id)
        except KeyError:
            values[self.into] = self.empty
            return True
        a, b = int(self.keyed.begin[code]), int(self.keyed.begin[code + 1])
        if a == b:
            values[self.into] = self.empty
            return True
        if b - a > MANY:
            return False
        rows = slice(a, b)
        hi = np.minimum(self.hi[:, rows][self.which], self.at[:, rows][self.which] + self.windows)
        counts = (self.lo[:, rows] <= as_of)[self.which] & (hi > as_of)
        out = self.empty.copy()
        some = self.kinds["count"]
        out[some] = np.count_nonzero(counts[some], axis=1)
        if self.weights is not None:
            some = self.kinds["sum"]
            out[some] = (counts[some] * self.weights[:, rows]).sum(axis=1) / self.scale[some]
        if self.answers is not None:
            some = self.kinds["latest"]
            newest = (b - a - 1) - counts[some][:, ::-1].argmax(axis=1)
            here = np.arange(len(newest))
            answers = self.answers[here, a + newest]
            out[some] = np.where(counts[some][here, newest], answers, self.empty[some])
        if self.extremes is not None:
            some = self.kinds["extreme"]
            best = np.where(counts[some], self.extremes[:, rows], -NEVER).max(axis=1)
            # the sign is an integer's, so that a least zero is no negative one
            signed = best * np.sign(self.scale[some]).astype(np.int64)
            scaled = signed.astype(np.float64) / np.abs(self.scale[some])
            out[some] = np.where(best == -NEVER, np.nan, scaled)
        if self.codes is not None:
            some = self.kinds["distinct"]
            for row, codes, mask in zip(
                range(some.start, some.stop), self.codes[:, rows], counts[some], strict=True
            ):
                out[row] = len(set(codes[mask].tolist()))
        values[self.into] = out
        return True


KINDS = ("count", "sum", "latest", "extreme", "distinct")


def _kind(term: Term) -> str:
    if term.operation in ("last", "last_time"):
        return "latest"
    return "extreme" if term.operation in ("largest", "smallest", "first_time") else term.operation


def _sorted(leaves: Sequence[Leaf]) -> list[Leaf]:
    return [leaf for kind in KINDS for leaf in leaves if _kind(leaf.term) == kind]


def _leaf_values(term: Term, keyed: Keyed, kind: str) -> tuple[Floats | Ints | None, float, float]:
    """What a row adds to a leaf, the leaf's value without rows, and its scale."""
    part, value = keyed.whole, term.value
    if kind == "count":
        return None, 0.0, 1.0
    if kind == "distinct":
        assert value is not None
        return part.value(value).data.astype(np.int64), 0.0, 1.0
    if kind == "sum":
        assert value is not None
        weights = part.whole_numbers(value)
        longest = int(np.diff(keyed.begin).max(initial=0))
        if len(weights) and float(np.abs(weights).max()) * longest >= 2.0**62:
            raise DataError("values are too large to be added exactly in 64 bits")
        return weights, 0.0, SCALES[value.kind]
    since = term.since or term.source.time
    if kind == "latest":
        return *latest_values(part, since, value), 1.0
    if value is None:
        return -part.column(since).data.astype(np.int64), np.nan, -1.0
    sign = 1 if term.operation == "largest" else -1
    return sign * part.whole_numbers(value), np.nan, sign * SCALES[value.kind]


def _lines_of(group: Group, term: Term, history: History) -> list[int]:
    """A link's code to the code of the same name among the term's keys; -1 stays -1."""
    names = group_names(history, group.term)
    codes = history.codes(term.source, term.key, names, np.arange(len(names)))
    return np.append(codes, -1).tolist()


def _counted(spells: Spells, rows: slice, window: int | np.int64, as_of: int) -> Bools:
    """Which of the rows count at T."""
    hi = np.minimum(spells.hi[rows], spells.at[rows] + (window + 1))
    return (spells.lo[rows] <= as_of) & (hi > as_of)


class _GroupStream:
    """The leaves of one stream of a group."""

    def __init__(self, leaves: Sequence[Leaf], group: Group, history: History) -> None:
        term, value = stream_of(leaves[0].term)
        keyed = history.keyed(term.source, term.key)
        needs = None if value is None or keyed.complete(value) else value
        self.timeline = Timeline.of(history, term, needs)
        self.code = _lines_of(group, term, history)
        self.windows = np.array([leaf.term.window or 0 for leaf in leaves], dtype=np.int64)
        self.leaves = [
            (leaf.row, leaf.term.window, *self._running(leaf.term, keyed)) for leaf in leaves
        ]
        self.into = np.array([leaf.row for leaf in leaves])

    def _running(self, term: Term, keyed: Keyed) -> tuple[Ints, Ints | None, float]:
        weights, scale = None, 1.0
        name: tuple[str, Expression | None] = ("count", None)
        if term.operation == "sum":
            assert term.value is not None
            weights, scale = keyed.whole.whole_numbers(term.value), SCALES[term.value.kind]
            name = ("sum", term.value)
        begun, ended = self.timeline.running(name, weights, term.window)
        return begun, ended, scale

    def fill(self, values: Floats, code: int, as_of: int) -> None:
        line = self.code[code]
        if line < 0:
            values[self.into] = 0.0
            return
        timeline = self.timeline
        base, now = timeline.begun(line, as_of)
        if timeline.plain:
            gone = timeline.begun_at(line, as_of - self.windows)
            for (row, window, running, _, scale), place in zip(
                self.leaves, gone.tolist(), strict=True
            ):
                before = running[base] if window is None else running[place]
                values[row] = (running[now] - before) / scale
            return
        for row, window, running, ended, scale in self.leaves:
            stop = timeline.ended_at(line, as_of, window)
            gone = ended[stop] - ended[base]  # type: ignore[index]
            values[row] = (running[now] - running[base] - gone) / scale


class _GroupDistinct:
    """A distinct count of a group, from all its rows."""

    def __init__(self, leaf: Leaf, group: Group, history: History) -> None:
        term, value = stream_of(leaf.term)
        assert value is not None
        keyed = history.keyed(term.source, term.key)
        needs = None if keyed.complete(value) else value
        self.row, self.begin = leaf.row, keyed.begin
        self.spells = keyed.whole.spells(term, needs)
        self.values = keyed.whole.value(value).data.astype(np.int64)
        self.window = UNBOUNDED if leaf.term.window is None else leaf.term.window
        self.code = _lines_of(group, term, history)

    def fill(self, values: Floats, code: int, as_of: int) -> None:
        line = self.code[code]
        if line < 0:
            values[self.row] = 0.0
            return
        rows = slice(int(self.begin[line]), int(self.begin[line + 1]))
        counted = _counted(self.spells, rows, self.window, as_of)
        values[self.row] = len(set(self.values[rows][counted].tolist()))


class _GroupLeaves:
    """All leaves of the group that ``link`` (a row) names."""

    def __init__(self, group: Group, leaves: Sequence[Leaf], history: History) -> None:
        self.link = group.link
        self.everybody = group.term is None
        streams: dict[tuple[Term, Expression | None], list[Leaf]] = {}
        distinct = [leaf for leaf in leaves if leaf.term.operation == "distinct"]
        for leaf in leaves:
            if leaf.term.operation != "distinct":
                streams.setdefault(stream_of(leaf.term), []).append(leaf)
        self.streams: list[_GroupStream | _GroupDistinct] = [
            *(_GroupStream(of, group, history) for of in streams.values()),
            *(_GroupDistinct(leaf, group, history) for leaf in distinct),
        ]

    def fill(self, values: Floats, code: int, as_of: int) -> None:
        for stream in self.streams:
            stream.fill(values, 0 if self.everybody else code, as_of)


def _groups(flat: Flat, history: History) -> list[_GroupLeaves]:
    by_group: dict[Group, list[Leaf]] = {}
    for leaf in flat.leaves:
        if leaf.group is not None:
            by_group.setdefault(leaf.group, []).append(leaf)
    return [_GroupLeaves(group, leaves, history) for group, leaves in by_group.items()]


class _Spread:
    """The groups that a customer's rows name, each a column of a table of its own."""

    def __init__(self, term: Term, flat: Flat, history: History) -> None:
        self.flat, self.term = flat, term
        self.keyed = history.keyed(term.source, term.key)
        stream, value = stream_of(term)
        needs = None if value is None or self.keyed.complete(value) else value
        self.spells = self.keyed.whole.spells(stream, needs)
        assert value is not None
        self.codes = self.keyed.whole.value(value).data.astype(np.int64)
        self.window = UNBOUNDED if term.window is None else term.window
        self.groups = _groups(flat, history)
        self.constant = np.full(flat.size, np.nan)
        for row, number in flat.constants:
            self.constant[row] = number

    def fill(
        self,
        values: Floats,
        into: Sequence[int],
        how: Sequence[str],
        customer_id: str,
        as_of: int,
    ) -> None:
        values[list(into)] = [0.0 if kind == "sum" else np.nan for kind in how]
        try:
            code = self.keyed.names.get_loc(customer_id)
        except KeyError:
            return
        rows = slice(int(self.keyed.begin[code]), int(self.keyed.begin[code + 1]))
        counted = _counted(self.spells, rows, self.window, as_of)
        named = self.codes[rows][counted].tolist()
        if not named:
            return
        place = {name: at for at, name in enumerate(dict.fromkeys(named))}
        table = np.repeat(self.constant[:, None], len(place), axis=1)
        for name, at in place.items():
            for group in self.groups:
                group.fill(table[:, at], name, as_of)
        moment = np.array([as_of])
        for step in self.flat.steps:
            table[step.into] = combine(step.how, [table[part] for part in step.parts], moment)
        every = [place[name] for name in named]
        for row, result, kind in zip(into, self.flat.results, how, strict=True):
            numbers = table[result][every]
            numbers = numbers[~np.isnan(numbers)]
            if not len(numbers):
                continue
            if kind == "largest":
                values[row] = numbers.max()
                continue
            # in the order of the rows, as everywhere
            added = np.bincount(np.zeros(len(numbers), np.int64), numbers)[0]
            values[row] = added / len(numbers) if kind == "mean" else added
