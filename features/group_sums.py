"""What groups added up to at night, no more of it kept than the answers need.

The rows of a company are read once to find, for each stream of rows and each group, the moments at
which they begin and end to count, with running sums (``features.timeline``). The rows themselves
are let go: there are many times as many as customers. The moments may be kept in a pack, and are
then mapped, not held.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from data.arrays import Bools, Ints, Values
from data.kept_columns import put_texts, texts_of
from data.packs import Pack, PackWriter
from features.expression import Expression, Key
from features.history import Keyed, Part, needed_columns
from features.kernel import Spells, Window
from features.program import Measure, Stream
from features.sources import Rows, Source
from features.spec import Term
from features.timeline import Timeline

MOST_IN_DICT = 100_000
"""Groups that are looked up by a dict; more by an index, which is smaller and slower."""
Place = tuple[Source, Key | None]
Name = tuple[Term, str, Expression | None, Window]
"""Whose timeline: a stream, the operation, its value, and, of different values, the window."""
ONE_EACH = ("count", None)
"""The name of sums to which each row adds one."""


class NightSums:
    """Counts, sums and different values of rows by group, at any moment.

    ``streams`` in their order: what was kept (``put``) is of the same.
    """

    def __init__(self, streams: Iterable[Stream]) -> None:
        self._streams = tuple(streams)
        self._groups: dict[Place, Groups] = {}
        self._timelines: dict[tuple[Term, str, Expression | None, Window], Timeline] = {}

    @classmethod
    def of(cls, streams: Iterable[Stream], read: Callable[[Source, set[Key]], Rows]) -> NightSums:
        """The sums of the rows that ``read`` gives of a source with some columns: those of one
        source after another, to be let go again."""
        new = cls(streams)
        places: dict[Source, dict[Key | None, list[Stream]]] = {}
        for stream in new._streams:
            by_key = places.setdefault(stream.term.source, {})
            by_key.setdefault(stream.term.key, []).append(stream)
        needed = needed_columns(stream.term for stream in new._streams)
        for source, by_key in places.items():
            values = (m.value for each in by_key.values() for s in each for m in s.measures)
            columns = {column for value in values if value for column in value.columns}
            rows = read(source, needed[source] | columns)
            for key, streams_here in by_key.items():
                new._add(source, key, streams_here, rows)
        return new

    def _add(self, source: Source, key: Key | None, streams: list[Stream], rows: Rows) -> None:
        columns = needed_columns(stream.term for stream in streams)[source]
        values = (m.value for stream in streams for m in stream.measures if m.value)
        columns |= {column for value in values for column in value.columns}
        keyed = Keyed(rows.only(columns), source, key, lasting=True)
        self._groups[source, key] = Groups(None if key is None else keyed.categories)
        same: list[Ints] = []
        for stream in streams:
            self._add_stream(stream, keyed.whole, len(keyed.categories), same)

    def _add_stream(self, stream: Stream, part: Part, groups: int, same: list[Ints]) -> None:
        timelines: dict[Expression | None, tuple[Timeline, Bools]] = {}
        for measure in stream.measures:
            term, value, windows = stream.term, measure.value, _windows(measure)
            needs = None if value is None or part.complete(value) else value
            if measure.operation == "distinct":
                assert value is not None
                spells, codes = part.spells(term, needs), part.value(value).data.astype(np.int64)
                for window in windows:
                    timeline = Timeline(_of_each(spells, codes, window), groups)
                    timeline.prepare(ONE_EACH, None, [None])
                    timeline.settle(same)
                    self._timelines[term, "distinct", value, window] = timeline
                continue
            if needs not in timelines:
                spells = part.spells(term, needs)
                counting = spells.lo < spells.hi
                timelines[needs] = Timeline(spells.only(counting), groups), counting
            timeline, counting = timelines[needs]
            timeline.prepare(*weighted(measure, part, counting), windows)
            self._timelines[term, measure.operation, value, None] = timeline
        for timeline, _ in timelines.values():
            timeline.settle(same)

    def put(self, pack: PackWriter) -> None:
        """Keep them."""
        import pyarrow as pa

        for number, place in enumerate(self._places()):
            names = self._groups[place].names
            if names is not None:
                put_texts(pack, f"groups {number}", pa.array(names, pa.large_string()))
        places: dict[int, str] = {}
        for number, (name, weights) in enumerate(self._names()):
            timeline = self._timelines[name]
            if id(timeline) not in places:
                places[id(timeline)] = f"timeline {number}"
                timeline.put(pack, places[id(timeline)], weights)
        pack.notes["places"] = [places[id(self._timelines[name])] for name, _ in self._names()]

    @classmethod
    def kept(cls, streams: Iterable[Stream], pack: Pack) -> NightSums:
        """Those that ``put`` kept of the same streams."""
        new, timelines = cls(streams), dict[str, Timeline]()
        for number, place in enumerate(new._places()):
            texts = None if place[1] is None else texts_of(pack, f"groups {number}")
            names = None if texts is None else texts.to_numpy(zero_copy_only=False)
            new._groups[place] = Groups(names)
        for (name, weights), place in zip(new._names(), pack.notes["places"], strict=True):
            if place not in timelines:
                timelines[place] = Timeline.kept(pack, place, weights)
            new._timelines[name] = timelines[place]
        return new

    def _places(self) -> dict[Place, None]:
        return dict.fromkeys((stream.term.source, stream.term.key) for stream in self._streams)

    def _names(self) -> Iterator[tuple[Name, dict[Hashable, str]]]:
        """Each timeline's name, and what its weights are kept as."""
        for stream in self._streams:
            weights: dict[Hashable, str] = {ONE_EACH: "count"}
            for number, measure in enumerate(stream.measures):
                if measure.operation == "sum":
                    weights["sum", measure.value] = f"sum {number}"
            for measure in stream.measures:
                windows = _windows(measure) if measure.operation == "distinct" else [None]
                for window in windows:
                    yield (stream.term, measure.operation, measure.value, window), weights

    def sums(
        self,
        term: Term,
        operation: str,
        value: Expression | None,
        names: Values,
        windows: Sequence[Window],
        moment: int,
    ) -> dict[Window, Ints]:
        """Per window the sums of the groups ``names`` at a moment, integers as added up."""
        lines = self._groups[term.source, term.key].lines(names)
        times = np.full(len(lines), moment)
        if operation == "distinct":
            by_window = {w: self._timelines[term, operation, value, w] for w in windows}
            return {w: one.sums(ONE_EACH, None, [None], lines, times)[None]
                    for w, one in by_window.items()}  # fmt: skip
        timeline = self._timelines[term, operation, value, None]
        name = ("sum", value) if operation == "sum" else ONE_EACH
        return timeline.sums(name, None, windows, lines, times)


class Groups:
    """The groups that rows were found of, by name; all are one without ``names``."""

    def __init__(self, names: Values | None) -> None:
        self.names = names
        self._index = self._codes = None
        if names is not None and len(names) > MOST_IN_DICT:
            self._index = pd.Index(names, dtype=object)
        elif names is not None:
            self._codes = {name: code for code, name in enumerate(names)}

    def lines(self, names: Values) -> Ints:
        """The line of each of these groups, -1 for one without rows; all one, without a key."""
        if self._index is not None:
            return self._index.get_indexer(pd.Index(names, dtype=object)).astype(np.int64)
        if self._codes is None:
            return np.zeros(len(names), dtype=np.int64)
        return np.array([self._codes.get(name, -1) for name in names], dtype=np.int64)


def weighted(measure: Measure, part: Part, rows: Bools) -> tuple[Hashable, Ints | None]:
    """The name of a measure's sums, and the weight of each of some rows; None: one each."""
    if measure.operation != "sum":
        return ONE_EACH, None
    assert measure.value is not None
    return ("sum", measure.value), part.whole_numbers(measure.value)[rows]


def _of_each(spells: Spells, codes: Ints, window: Window) -> Spells:
    """When a line has at least one row of a code that counts: the union of its rows' spells."""
    hi = spells.hi if window is None else np.minimum(spells.hi, spells.at + (window + 1))
    counting = np.flatnonzero((spells.lo < hi) & (codes >= 0))
    order = counting[np.lexsort((spells.lo[counting], codes[counting], spells.line[counting]))]
    line, code, lo, hi = spells.line[order], codes[order], spells.lo[order], hi[order]
    if not len(order):
        return Spells(line, lo, hi, lo - 1)
    fresh = np.append(True, (code[1:] != code[:-1]) | (line[1:] != line[:-1]))
    reach = pd.Series(hi).groupby(np.cumsum(fresh)).cummax().to_numpy()
    begins = np.flatnonzero(np.append(True, fresh[1:] | (lo[1:] > reach[:-1])))
    ends = np.append(begins[1:], len(lo)) - 1
    return Spells(line[begins], lo[begins], reach[ends], lo[begins] - 1)


def _windows(measure: Measure) -> list[Window]:
    return [window for window, _ in measure.windows]
