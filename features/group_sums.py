"""What groups added up to at night, no more of it kept than the answers need.

The rows of a company are read once to find, for each stream of rows and each group, the moments at
which they begin and end to count, with running sums (``features.timeline``). The rows themselves
are let go: there are many times as many as customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from data.arrays import Bools, Ints, Values
from features import kernel
from features.asof import NEVER
from features.expression import Expression, Key
from features.history import History, Keyed, Part, needed_columns
from features.kernel import Grid, Spells, Window
from features.program import Measure, Stream
from features.sources import Rows, Source
from features.spec import Term
from features.timeline import Timeline

MOST_IN_DICT = 100_000
"""Groups that are looked up by a dict; more by an index, which is smaller and slower."""
Place = tuple[Source, Key | None]


class NightSums:
    """Counts, sums and different values of rows by group, at any moment."""

    def __init__(self, streams: Iterable[Stream], rows: Mapping[Source, Rows]) -> None:
        self._groups: dict[Place, Groups] = {}
        self._timelines: dict[tuple[Term, str, Expression | None], Timeline] = {}
        self._histories: dict[tuple[Term, Expression | None], History] = {}
        places: dict[Place, list[Stream]] = {}
        for stream in streams:
            places.setdefault((stream.term.source, stream.term.key), []).append(stream)
        for (source, key), streams_here in places.items():
            columns = needed_columns(stream.term for stream in streams_here)[source]
            values = (m.value for stream in streams_here for m in stream.measures if m.value)
            columns |= {column for value in values for column in value.columns}
            keyed = Keyed(rows[source].only(columns), source, key, lasting=True)
            self._groups[source, key] = Groups(None if key is None else keyed.categories)
            same: list[Ints] = []
            for stream in streams_here:
                self._keep(stream, keyed.whole, len(keyed.categories), same, rows)

    def _keep(
        self,
        stream: Stream,
        part: Part,
        groups: int,
        same: list[Ints],
        rows: Mapping[Source, Rows],
    ) -> None:
        timelines: dict[Expression | None, tuple[Timeline, Bools]] = {}
        for measure in stream.measures:
            term, value = stream.term, measure.value
            if measure.operation == "distinct":
                assert value is not None
                columns = needed_columns([term])[term.source] | set(value.columns)
                few = {term.source: rows[term.source].only(columns)}
                self._histories[term, value] = History(few, lasting=True)
                continue
            needs = None if value is None or part.complete(value) else value
            if needs not in timelines:
                spells = part.spells(term, needs)
                counting = spells.lo < spells.hi
                timelines[needs] = Timeline(spells.only(counting), groups), counting
            timeline, counting = timelines[needs]
            timeline.prepare(*weighted(measure, part, counting), _windows(measure))
            self._timelines[term, measure.operation, value] = timeline
        for timeline, _ in timelines.values():
            timeline.settle(same)

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
        if operation == "distinct":
            assert value is not None
            return self._distinct(term, value, names, windows, moment)
        lines = self._groups[term.source, term.key].lines(names)
        timeline = self._timelines[term, operation, value]
        name = (operation, value if operation == "sum" else None)
        return timeline.sums(name, None, windows, lines, np.full(len(lines), moment))

    def _distinct(
        self, term: Term, value: Expression, names: Values, windows: Sequence[Window], moment: int
    ) -> dict[Window, Ints]:
        chosen = np.arange(len(names))
        part = self._histories[term, value].select(term.source, term.key, names, chosen)
        spells = part.spells(term, None if part.complete(value) else value)
        hi = np.where(spells.hi == NEVER, spells.hi, spells.hi - moment)
        from_now = Spells(part.line, spells.lo - moment, hi, spells.at - moment)
        codes = part.value(value).data.astype(np.int64)
        grid = Grid(len(chosen), np.zeros(1, dtype=np.int64))
        return {w: kernel.distinct(grid, from_now, codes, w).reshape(-1) for w in windows}


class Groups:
    """The groups that rows were found of, by name."""

    def __init__(self, names: Values | None) -> None:
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


def weighted(measure: Measure, part: Part, rows: Bools) -> tuple[object, Ints | None]:
    """The name of a measure's sums, and the weight of each of some rows; None: one each."""
    if measure.operation != "sum":
        return (measure.operation, None), None
    assert measure.value is not None
    return ("sum", measure.value), part.whole_numbers(measure.value)[rows]


def _windows(measure: Measure) -> list[Window]:
    return [window for window, _ in measure.windows]
