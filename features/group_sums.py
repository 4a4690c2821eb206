"""What groups added up to at night, no more of it kept than the answers need.

The rows of a company are read once to find, for each stream of rows and each group, the moments at
which they begin and end to count, with running sums (``features.timeline``). The rows themselves
are let go: there are many times as many as customers. They may be read part after part, and the
moments kept in a pack; then they are mapped, not held.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.arrays import Ints, Values
from data.kept_columns import put_texts, texts_of
from data.packs import Looks, Pack, PackWriter
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
        self._looks: Looks | None = None
        self._groups: dict[Place, Groups] = {}
        self._timelines: dict[tuple[Term, str, Expression | None, Window], Timeline] = {}

    @classmethod
    def of(cls, streams: Iterable[Stream], parts: Iterable[Mapping[Source, Rows]]) -> NightSums:
        """The sums of rows that come in ``parts``: a customer's in one of them."""
        new, spells = cls(streams), SpellsByGroup({})
        for rows in parts:
            spells.add(new._streams, rows)
        new._groups = {place: Groups(spells.names(place)) for place in new._places()}
        same: dict[Place, list[Ints]] = {}
        for number, stream in enumerate(new._streams):
            shared = same.setdefault((stream.term.source, stream.term.key), [])
            new._timelines |= spells.timelines(number, stream, shared)
        return new

    @classmethod
    def put(
        cls,
        pack: PackWriter,
        streams: Iterable[Stream],
        parts: Iterable[Mapping[Source, Rows]],
        folder: Path,
    ) -> None:
        """Keep the same in a pack, one stream's in memory at a time; ``folder``: for files on the
        way there."""
        import pyarrow as pa

        new, spells = cls(streams), SpellsByGroup(Spool(folder))
        for rows in parts:
            spells.add(new._streams, rows)
        for number, place in enumerate(new._places()):
            names = spells.names(place)
            if names is not None:
                put_texts(pack, f"groups {number}", pa.array(names, pa.large_string()))
        by_name: dict[Name, str] = {}
        for number, stream in enumerate(new._streams):
            places: dict[int, str] = {}
            timelines = spells.timelines(number, stream, [])
            for name, timeline in timelines.items():
                place_in_pack = f"timeline {number} {len(places)}"
                if id(timeline) not in places:
                    places[id(timeline)] = place_in_pack
                    timeline.put(pack, place_in_pack, weights_of(stream))
                by_name[name] = places[id(timeline)]
        pack.notes["places"] = [by_name[name] for name, _ in new._names()]

    @classmethod
    def from_pack(cls, streams: Iterable[Stream], pack: Pack) -> NightSums:
        """Those that ``put`` kept of the same streams."""
        new, timelines = cls(streams), dict[str, Timeline]()
        new._looks = Looks()
        for number, place in enumerate(new._places()):
            texts = None if place[1] is None else texts_of(pack, f"groups {number}")
            names = None if texts is None else texts.to_numpy(zero_copy_only=False)
            new._groups[place] = Groups(names)
        for (name, weights), place in zip(new._names(), pack.notes["places"], strict=True):
            if place not in timelines:
                timelines[place] = Timeline.from_pack(pack, place, weights)
            new._timelines[name] = timelines[place]
        return new

    def _places(self) -> dict[Place, None]:
        return dict.fromkeys((stream.term.source, stream.term.key) for stream in self._streams)

    def _names(self) -> Iterator[tuple[Name, dict[Hashable, str]]]:
        """Each timeline's name, and what its weights are kept as."""
        for stream in self._streams:
            weights = weights_of(stream)
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
        if self._looks is not None:
            self._looks.add(len(lines) * len(windows))
        times = np.full(len(lines), moment)
        if operation == "distinct":
            by_window = {w: self._timelines[term, operation, value, w] for w in windows}
            return {w: one.sums(ONE_EACH, None, [None], lines, times)[None]
                    for w, one in by_window.items()}  # fmt: skip
        timeline = self._timelines[term, operation, value, None]
        name = ("sum", value) if operation == "sum" else ONE_EACH
        return timeline.sums(name, None, windows, lines, times)


class Groups:
    """The groups that rows were of, by name; all are one without ``names``."""

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


class SpellsByGroup:
    """When the rows of each stream count, by group, as they come in part after part; ``pieces``:
    where they wait."""

    def __init__(self, pieces: dict[str, list[Ints]] | Spool) -> None:
        self._pieces = pieces
        self._codes: dict[Place, dict[str, int]] = {}
        self._owners = 0

    def names(self, place: Place) -> Values | None:
        """The groups there are."""
        codes = self._codes.get(place, {})
        return None if place[1] is None else np.array(list(codes), dtype=object)

    def add(self, streams: Sequence[Stream], rows: Mapping[Source, Rows]) -> None:
        """Take in one part."""
        by_place: dict[Place, list[tuple[int, Stream]]] = {}
        for number, stream in enumerate(streams):
            place = stream.term.source, stream.term.key
            by_place.setdefault(place, []).append((number, stream))
        most = 0
        for (source, key), theirs in by_place.items():
            columns = needed_columns(stream.term for _, stream in theirs)[source]
            values = (m.value for _, stream in theirs for m in stream.measures if m.value)
            columns |= {column for value in values for column in value.columns}
            keyed = Keyed(rows[source].only(columns), source, key, lasting=True)
            known = self._codes.setdefault((source, key), {})
            codes = [known.setdefault(name, len(known)) for name in keyed.categories]
            lines = np.array(codes, dtype=np.int64)
            for number, stream in theirs:
                most = max(most, self._add(number, stream, keyed.whole, lines))
        self._owners += most

    def _add(self, number: int, stream: Stream, part: Part, lines: Ints) -> int:
        """Keep the spells of one stream; the greatest code of different values and one."""
        most = 0
        for at, measure in enumerate(stream.measures):
            value = measure.value
            spells = part.spells(stream.term, value)
            counting = np.flatnonzero(spells.lo < spells.hi)
            if _first_of(stream, value) == at:  # measures of one value count the same rows
                for what in Spells._fields[1:4]:
                    self._keep(f"{number} {at} {what}", getattr(spells, what)[counting])
                self._keep(f"{number} {at} line", lines[spells.line[counting]])
            if measure.operation == "sum":
                assert value is not None
                self._keep(f"{number} {at} weight", part.whole_numbers(value)[counting])
            elif measure.operation == "distinct":
                assert value is not None
                codes = part.value(value).data.astype(np.int64)[counting]
                most = max(most, int(codes.max(initial=-1)) + 1)
                codes = np.where(codes < 0, -1, codes + self._owners)
                self._keep(f"{number} {at} code", codes)
        return most

    def timelines(self, number: int, stream: Stream, same: list[Ints]) -> dict[Name, Timeline]:
        """The timelines of one stream, whose spells are let go. ``same``: see ``settle``."""
        codes = self._codes.get((stream.term.source, stream.term.key), {})
        groups, by_name = 1 if stream.term.key is None else len(codes), dict[Name, Timeline]()
        for value in dict.fromkeys(measure.value for measure in stream.measures):
            first = _first_of(stream, value)
            line, lo, hi, at = (
                self._all(f"{number} {first} {what}") for what in Spells._fields[:4]
            )
            order = np.argsort(line, kind="stable")
            spells = Spells(line[order], lo[order], hi[order], at[order])
            timeline = Timeline(spells, groups)
            for place, measure in enumerate(stream.measures):
                name = (stream.term, measure.operation, value)
                if measure.value != value:
                    continue
                if measure.operation == "distinct":
                    owners = self._all(f"{number} {place} code")[order]
                    for window in _windows(measure):
                        each = Timeline(_of_each(spells, owners, window), groups)
                        each.prepare(ONE_EACH, None, [None])
                        each.settle(same)
                        by_name[*name, window] = each
                    continue
                weights = None
                if measure.operation == "sum":
                    weights = self._all(f"{number} {place} weight")[order]
                timeline.prepare(_sums_named(measure), weights, _windows(measure))
                by_name[*name, None] = timeline
            timeline.settle(same)
        return by_name

    def _keep(self, name: str, values: Ints) -> None:
        if isinstance(self._pieces, Spool):
            self._pieces.add(name, values)
        else:
            self._pieces.setdefault(name, []).append(values)

    def _all(self, name: str) -> Ints:
        if isinstance(self._pieces, Spool):
            return self._pieces.take(name)
        pieces = self._pieces.pop(name, [])
        return np.concatenate(pieces) if pieces else np.array([], dtype=np.int64)


class Spool:
    """Integers that wait in files of a folder, by name, to be taken once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}

    def add(self, name: str, values: Ints) -> None:
        """More of a name."""
        path = self._files.setdefault(name, self._folder / f"{len(self._files)}.int64")
        with path.open("ab") as file:
            values.astype(np.int64, copy=False).tofile(file)

    def take(self, name: str) -> Ints:
        """All of a name, in the order in which they came."""
        path = self._files.pop(name, None)
        if path is None:
            return np.array([], dtype=np.int64)
        values = np.fromfile(path, np.int64)
        path.unlink()
        return values


def weights_of(stream: Stream) -> dict[Hashable, str]:
    """The names of a stream's sums, and what they are kept as."""
    sums = {
        _sums_named(measure): f"sum {number}"
        for number, measure in enumerate(stream.measures)
        if measure.operation == "sum"
    }
    return {ONE_EACH: "count", **sums}


def _sums_named(measure: Measure) -> Hashable:
    return ("sum", measure.value) if measure.operation == "sum" else ONE_EACH


def _first_of(stream: Stream, value: Expression | None) -> int:
    return next(at for at, one in enumerate(stream.measures) if one.value == value)


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
