"""Sums of a group's rows at any one T, by search: what a region or a product looks like now.

A customer has few rows, a region millions; asked at one moment, they are not added up again. Of a
stream's rows the moments at which each begins and ends to count are sorted by group once, with
running sums of the weights; at T the answer is the sum of those begun minus that of those ended:
two binary searches, the same integers as adding up row by row.

>>> line, at = np.array([0, 0, 1]), np.array([5, 11, 3])
>>> timeline = Timeline(Spells(line, at + 1, np.full(3, NEVER), at), 2)
>>> timeline.sums("count", None, (None, 10), np.array([0, 1]), np.array([20, 10]))
{None: array([2, 1]), 10: array([1, 1])}
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data.arrays import Ints
from data.errors import DataError
from data.packs import Pack, PackWriter
from features.asof import NEVER
from features.expression import Expression
from features.history import History
from features.kernel import Spells, Window, too_large
from features.spec import Term

FEW = 8
"""Lines up to which each is searched by itself."""


class Moments(NamedTuple):
    """Moments sorted within each line, and the rows in that order."""

    when: Ints
    order: Ints | None
    """None: as they lie."""


class Timeline:
    """One stream's rows by line, to be summed at any (line, T). ``begin``: where lines begin."""

    def __init__(self, spells: Spells, lines: int) -> None:
        self.spells = spells
        self.begin = np.searchsorted(spells.line, np.arange(lines + 1))
        self.plain = spells.plain or bool(
            ((spells.lo == spells.at + 1) & (spells.hi == NEVER)).all()
        )
        self.starts = self._sorted(spells.lo)
        self._ends: dict[Window, Moments] = {}
        self._running: dict[tuple[Hashable, Hashable], Ints | None] = {}

    def put(self, pack: PackWriter, place: str, names: Mapping[Hashable, str]) -> None:
        """Keep what ``settle`` left in a pack; ``names``: what the names of weights stand as."""
        sums = [
            ["" if of is None else str(of[0]), names[name], running is not None]  # type: ignore[index]
            for (name, of), running in self._running.items()
        ]
        pack.notes[place] = {"plain": self.plain, "ends": list(map(str, self._ends)), "sums": sums}
        pack.add(f"{place} begin", self.begin)
        pack.add(f"{place} starts", self.starts.when)
        for window, moments in self._ends.items():
            pack.add(f"{place} end {window}", moments.when)
        for (name, of), running in self._running.items():
            if running is not None:
                pack.add(f"{place} sum {names[name]} {'' if of is None else of[0]}", running)  # type: ignore[index]

    @classmethod
    def from_pack(cls, pack: Pack, place: str, names: Mapping[Hashable, str]) -> Timeline:
        """The timeline that ``put`` kept there, for weights of the same names."""
        about, by_text = pack.notes[place], {text: name for name, text in names.items()}
        new = cls.__new__(cls)
        new.spells, new.plain = NO_SPELLS, about["plain"]
        new.begin = pack.array(f"{place} begin")
        new.starts = Moments(pack.array(f"{place} starts"), None)
        new._ends = {
            _window(text): Moments(pack.array(f"{place} end {text}"), None)
            for text in about["ends"]
        }
        new._running = {
            (by_text[name], (_window(of),) if of else None): (
                pack.array(f"{place} sum {name} {of}") if is_there else None
            )
            for of, name, is_there in about["sums"]
        }
        return new

    @classmethod
    def of(cls, history: History, stream: Term, needs: Expression | None) -> Timeline:
        """The timeline of a stream by its key, made once per history."""
        if (stream, needs) not in history.cache:
            keyed = history.keyed(stream.source, stream.key)
            new = cls(keyed.whole.spells(stream, needs), len(keyed.names))
            history.cache[stream, needs] = new
        timeline: Timeline = history.cache[stream, needs]
        return timeline

    def begun(self, line: int, as_of: int) -> tuple[int, int]:
        """Where the line begins, and where those of its rows end that have begun at T."""
        a, b = int(self.begin[line]), int(self.begin[line + 1])
        return a, a + int(self.starts.when[a:b].searchsorted(as_of, side="right"))

    def begun_at(self, line: int, moments: Ints) -> Ints:
        """``begun`` at several moments."""
        a, b = self.begin[line], self.begin[line + 1]
        return a + self.starts.when[a:b].searchsorted(moments, side="right")

    def ended_at(self, line: int, as_of: int, window: Window) -> int:
        """Where those of the line's rows end that have ceased to count at T."""
        a, b = int(self.begin[line]), int(self.begin[line + 1])
        return a + int(self._ended(window).when[a:b].searchsorted(as_of, side="right"))

    def running(
        self, name: Hashable, weights: Ints | None, window: Window
    ) -> tuple[Ints, Ints | None]:
        """Running sums of weights in the order of the beginnings, and of the ends (None where a
        row ends a window after it began)."""
        begun = self._running_sums(name, None, self.starts, weights)
        if self.plain:
            return self._written_out(begun), None
        ended = self._running_sums(name, (window,), self._ended(window), weights)
        return self._written_out(begun), self._written_out(ended)

    def _written_out(self, running: Ints | None) -> Ints:
        return self._counts if running is None else running

    @cached_property
    def _counts(self) -> Ints:
        """The running sums of rows that count one each; made once, for they are asked often."""
        return np.arange(len(self.starts.when) + 1)

    def prepare(self, name: Hashable, weights: Ints | None, windows: Sequence[Window]) -> None:
        """Work out what ``sums`` needs for these weights and windows."""
        self._running_sums(name, None, self.starts, weights)
        if not self.plain:
            for window in windows:
                self._running_sums(name, (window,), self._ended(window), weights)

    def settle(self, same: list[Ints]) -> None:
        """Let go of all that only other weights and windows than those prepared would need. Equal
        moments are kept once: ``same`` has those of other timelines, and these from now on."""
        self.spells = NO_SPELLS
        self.starts = Moments(_shared(self.starts.when, same), None)
        self._ends = {w: Moments(_shared(m.when, same), None) for w, m in self._ends.items()}

    def sums(
        self,
        name: Hashable,
        weights: Ints | None,
        windows: Sequence[Window],
        lines: Ints,
        times: Ints,
    ) -> dict[Window, Ints]:
        """Per window the sum of weights (1 without them) at each (line, T), -1 being no line.

        ``name`` stands for the weights: equal names must mean equal weights.
        """
        begun = self._until(self.starts, lines, times)
        running = self._running_sums(name, None, self.starts, weights)
        total, base = _at(running, begun), _at(running, self.begin[lines])
        out: dict[Window, Ints] = {}
        for window in windows:
            if window is None and self.plain:
                sums = total - base
            elif self.plain:
                assert window is not None
                gone = self._until(self.starts, lines, times - window)
                sums = total - _at(running, gone)
            else:
                ends = self._ended(window)
                gone = self._until(ends, lines, times)
                ended = self._running_sums(name, (window,), ends, weights)
                sums = total - base - (_at(ended, gone) - _at(ended, self.begin[lines]))
            out[window] = np.where(lines < 0, 0, sums)
        return out

    def _ended(self, window: Window) -> Moments:
        """When rows cease to count; one that never counts ceases as it begins."""
        if window not in self._ends:
            hi = self.spells.hi
            if window is not None:
                hi = np.minimum(hi, self.spells.at + (window + 1))
            self._ends[window] = self._sorted(np.maximum(hi, self.spells.lo))
        return self._ends[window]

    def _sorted(self, moments: Ints) -> Moments:
        line = self.spells.line
        if len(line) < 2 or np.all((moments[1:] >= moments[:-1]) | (line[1:] != line[:-1])):
            return Moments(moments, None)
        order = np.lexsort((moments, line))
        return Moments(moments[order], order)

    def _running_sums(
        self, name: Hashable, of: Hashable, moments: Moments, weights: Ints | None
    ) -> Ints | None:
        """None: each row counts one, so the sum is how many there are."""
        if (name, of) not in self._running and weights is None:
            self._running[name, of] = None
        if (name, of) not in self._running:
            assert weights is not None
            chosen = weights
            if too_large(chosen):
                raise DataError("values are too large to be added exactly in 64 bits")
            sums = np.zeros(len(chosen) + 1, dtype=np.int64)
            np.cumsum(chosen if moments.order is None else chosen[moments.order], out=sums[1:])
            self._running[name, of] = sums
        return self._running[name, of]

    def _until(self, moments: Moments, lines: Ints, times: Ints) -> Ints:
        """Where in the order the moments <= T of each line end."""
        order = np.argsort(lines, kind="stable")
        ordered = lines[order]
        cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        if len(cuts) >= FEW:
            return _bisected(moments.when, self.begin[lines], self.begin[lines + 1], times)
        out = np.empty(len(lines), dtype=np.int64)
        bounds = [0, *cuts.tolist(), len(lines)]
        for first, stop in pairwise(bounds):
            if first == stop:
                continue
            piece = order[first:stop]
            a, b = self.begin[ordered[first]], self.begin[ordered[first] + 1]
            out[piece] = a + moments.when[a:b].searchsorted(times[piece], side="right")
        return out


def _window(text: str) -> Window:
    return None if text == "None" else int(text)


NOTHING: Ints = np.array([], dtype=np.int64)
NO_SPELLS = Spells(NOTHING, NOTHING, NOTHING, NOTHING)


def _at(running: Ints | None, places: Ints) -> Ints:
    return places if running is None else running[places]


def _shared(moments: Ints, same: list[Ints]) -> Ints:
    """An array that is equal, of those there are, or this one, on its own."""
    for one in same:
        if one is moments or np.array_equal(one, moments):
            return one
    same.append(moments if moments.base is None else moments.copy())
    return same[-1]


def _bisected(when: Ints, low: Ints, high: Ints, times: Ints) -> Ints:
    """Where in ``when[low:high]``, ascending, the moments <= T end, of all spans at once."""
    low, high = low.astype(np.int64), high.astype(np.int64)
    while True:
        still = low < high
        if not still.any():
            return low
        middle = (low + high) // 2
        passed = still & (when[np.where(still, middle, 0)] <= times)
        low = np.where(passed, middle + 1, low)
        high = np.where(still & ~passed, middle, high)
