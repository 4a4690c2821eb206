"""The one computation: all windows at all as-of times, over arrays, in integers.

A row counts at T for ``lo <= T < hi``, whatever made it so: a window, a late record, a correction,
a delivery. Rows stand by *line* (a key, or a key at a time of its own); all lines share the as-of
times. Most rows are *plain*: there from just after their moment on, for ever. The edges ``T`` and
``T - w`` of all windows cut time into cells; a running sum over the cells of a line, and a
difference of two of them, is every window at every T. Any other row is +w at its first T and -w
at the first T past its end. Everything that is added or compared is an integer, so a million lines
in one batch and one customer online give the same bits.

>>> line, at = np.array([0, 0, 1]), np.array([5, 11, 3])
>>> spells = Spells(line, at + 1, np.full(3, NEVER), at)
>>> cut = Cut(Grid(2, np.array([10, 20])), spells, (None, 10))
>>> cut.sums(None, [10])[10].tolist()  # lines x times
[[1, 1], [1, 0]]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.arrays import Ints
from data.errors import DataError
from features.asof import NEVER

EXACT = 2.0**53
"""Below it every integer is a float64; sums that could pass it are added in 64-bit integers."""

WRITTEN_OUT = 4_000_000
"""Pairs of a row and a T that are held at a time."""

Window = int | None
Windows = Sequence[Window]


class Spells(NamedTuple):
    """When rows count: each for ``lo <= T < hi``, with a window only until ``at + window`` too.

    Rows stand by ``line``, ascending. ``at`` is the moment from which windows count. A row with
    ``lo >= hi`` never counts."""

    line: Ints
    lo: Ints
    hi: Ints
    at: Ints
    plain: bool = False
    """Whether all rows are known to be there from just after ``at`` on, for ever."""

    def only(self, which: npt.NDArray[np.bool_]) -> Spells:
        """The rows for which ``which`` is true."""
        return Spells(self.line[which], self.lo[which], self.hi[which], self.at[which])


class Grid(NamedTuple):
    """``lines`` counted from 0, each at the same as-of ``times``, ascending and distinct."""

    lines: int
    times: Ints

    @property
    def width(self) -> int:
        """The places of a line: one for each T, and one more behind them."""
        return len(self.times) + 1

    @property
    def size(self) -> int:
        """The places of all lines."""
        return self.lines * self.width

    def by_line(self, places: Ints) -> Ints:
        """Places as lines x times, the place behind them left out."""
        return places.reshape(self.lines, self.width)[:, :-1]


class Active(NamedTuple):
    """Rows that count at one T or more: ``rows`` positions, and of each the places ``first <=
    place < stop`` at which it counts."""

    rows: Ints
    first: Ints
    stop: Ints


class Cut:
    """Rows cut into cells by the edges of windows; its answers are lines x times for each window,
    which must be one of those it was made for."""

    def __init__(self, grid: Grid, spells: Spells, windows: Windows) -> None:
        self.grid, self.spells = grid, spells
        moments = [grid.times, *(grid.times - w for w in windows if w is not None)]
        self.edges = np.unique(np.concatenate(moments)) if len(moments) > 1 else grid.times
        self.width = len(self.edges) + 1
        self.now = np.searchsorted(self.edges, grid.times)
        plain = None if spells.plain else (spells.lo == spells.at + 1) & (spells.hi == NEVER)
        self.plain = None if plain is None or plain.all() else plain

    @cached_property
    def cells(self) -> Ints:
        """The cell of each plain row: its line's, and in it the first whose edge lies after it."""
        line, at = self.spells.line, self.spells.at
        if self.plain is not None:
            line, at = line[self.plain], at[self.plain]
        return line * self.width + np.searchsorted(self.edges, at, side="right")

    def sums(self, weights: Ints | None, windows: Windows) -> dict[Window, Ints]:
        """The sums of the weights (1 without them) of the rows that count, exact.

        Raises DataError where a sum could pass 64 bits.
        """
        cells = np.zeros(self.grid.lines * self.width, dtype=np.int64)
        _add(cells, self.cells, None if weights is None else self._plain(weights))
        table = self._by_line(cells)
        np.cumsum(table, axis=1, out=table)
        now = table[:, self.now]
        out: dict[Window, Ints] = {}
        for window in windows:
            sums = now if window is None else now - table[:, self._begin(window)]
            if self.plain is not None:
                change = np.zeros(self.grid.size, dtype=np.int64)
                some = self._others(window)
                chosen = None if weights is None else weights[some.rows]
                _add(change, some.first, chosen)
                _add(change, some.stop, chosen, sign=-1)
                sums = sums + self.grid.by_line(np.cumsum(change))
            out[window] = sums
        return out

    def latest(self, windows: Windows) -> dict[Window, Ints]:
        """The position of the latest row that counts, -1 where none does.

        Rows must be in the order of ``at`` within their line; of equal moments the later row wins.
        """
        positions = np.arange(len(self.spells.at))
        cells = np.full(self.grid.lines * self.width, -1)
        # of equal cells the last one stays, which is the latest
        cells[self.cells] = self._plain(positions)
        table = self._by_line(cells)
        np.maximum.accumulate(table, axis=1, out=table)
        newest = table[:, self.now]
        moments = np.append(self.spells.at, -NEVER)
        out: dict[Window, Ints] = {}
        for window in windows:
            position = newest
            if window is not None:
                position = np.where(moments[position] >= self.grid.times - window, position, -1)
            if self.plain is not None:
                position = np.maximum(
                    position, np.maximum(self._largest_other(window, positions), -1)
                )
            out[window] = position
        return out

    def largest(self, values: Ints, windows: Windows) -> dict[Window, Ints]:
        """The greatest value of the rows that count, ``-NEVER`` where none does."""
        cells = np.full(self.grid.lines * self.width, -NEVER)
        np.maximum.at(cells, self.cells, self._plain(values))
        table = self._by_line(cells)
        out: dict[Window, Ints] = {}
        for window in windows:
            if window is None:
                greatest = np.maximum.accumulate(table, axis=1)[:, self.now]
            else:
                begins = self._begin(window) + 1
                spans = zip(begins, self.now, strict=True)
                greatest = np.stack([table[:, a : b + 1].max(axis=1) for a, b in spans], axis=1)
            if self.plain is not None:
                greatest = np.maximum(greatest, self._largest_other(window, values))
            out[window] = greatest
        return out

    def _begin(self, window: int) -> Ints:
        return np.searchsorted(self.edges, self.grid.times - window)

    def _by_line(self, cells: Ints) -> Ints:
        return cells.reshape(self.grid.lines, self.width)

    def _plain(self, values: Ints) -> Ints:
        return values if self.plain is None else values[self.plain]

    def _others(self, window: Window) -> Active:
        """When the rows count that are not plain."""
        assert self.plain is not None
        which = np.flatnonzero(~self.plain)
        some = active(self.grid, self.spells.only(~self.plain), window)
        return Active(which[some.rows], some.first, some.stop)

    def _largest_other(self, window: Window, values: Ints) -> Ints:
        """Of the rows that are not plain: those that stay are carried forward by a running
        maximum, the others written out T by T."""
        some = self._others(window)
        width = self.grid.width
        best = np.full(self.grid.size, -NEVER)
        chosen = values[some.rows]
        staying = some.stop % width == width - 1
        np.maximum.at(best, some.first[staying], chosen[staying])
        table = best.reshape(self.grid.lines, width)
        np.maximum.accumulate(table, axis=1, out=table)
        brief = np.flatnonzero(~staying)
        volume = int((some.stop[brief] - some.first[brief]).sum())
        for piece in np.array_split(brief, 1 + volume // WRITTEN_OUT):
            places, owner = _written_out(some, piece)
            np.maximum.at(best, places, chosen[owner])
        return table[:, :-1]


def active(grid: Grid, spells: Spells, window: Window) -> Active:
    """The rows that count at some T of the grid, and where."""
    hi = spells.hi if window is None else np.minimum(spells.hi, spells.at + (window + 1))
    here = np.flatnonzero((spells.lo < hi) & (spells.lo <= grid.times[-1]))
    base = spells.line[here] * grid.width
    first = base + np.searchsorted(grid.times, spells.lo[here])
    stop = base + np.searchsorted(grid.times, hi[here])
    some = first < stop
    return Active(here[some], first[some], stop[some])


def distinct(grid: Grid, spells: Spells, values: Ints, window: Window) -> Ints:
    """How many different values (>= 0) the rows that count have: lines x times."""
    some = active(grid, spells, window)
    line, chosen = spells.line[some.rows], values[some.rows]
    order = np.lexsort((some.first, chosen, line))
    first, stop, chosen, line = some.first[order], some.stop[order], chosen[order], line[order]
    change = np.zeros(grid.size, dtype=np.int64)
    if len(order):
        fresh = np.append(True, (chosen[1:] != chosen[:-1]) | (line[1:] != line[:-1]))
        group = np.cumsum(fresh) - 1
        # the furthest end so far within the group; groups are kept apart by an offset
        offset = group * (grid.size + 1)
        reach = np.maximum.accumulate(stop + offset) - offset
        gap = np.append(True, fresh[1:] | (first[1:] > reach[:-1]))
        begins = np.flatnonzero(gap)
        _add(change, first[begins], None)
        _add(change, reach[np.append(begins[1:], len(first)) - 1], None, sign=-1)
    return grid.by_line(np.cumsum(change))


def pairs(grid: Grid, spells: Spells, window: Window) -> tuple[Ints, Ints]:
    """Every (slot, row) in which the row counts, slot = line * times + time, in that order."""
    some = active(grid, spells, window)
    places, owner = _written_out(some, np.arange(len(some.rows)))
    line, time = np.divmod(places, grid.width)
    slot, row = line * len(grid.times) + time, some.rows[owner]
    order = np.lexsort((row, slot))
    return slot[order], row[order]


def too_large(weights: Ints) -> bool:
    """Whether a sum of some of these may be more than 64 bits hold."""
    return float(np.abs(weights).sum(dtype=np.float64)) >= 2.0**62


def _add(into: Ints, place: Ints, weights: Ints | None, sign: int = 1) -> None:
    """Adds ``sign`` times the weights (1 without them) at places, exactly."""
    few = len(place) * 8 < len(into)
    if weights is None:
        if few:
            np.add.at(into, place, sign)
        else:
            into += sign * np.bincount(place, minlength=len(into))
        return
    heaviest = float(np.abs(weights).max()) * len(place) if len(place) else 0.0
    if heaviest >= 2.0**62 and too_large(weights):
        raise DataError("values are too large to be added exactly in 64 bits")
    if few or heaviest >= EXACT:
        np.add.at(into, place, sign * weights)
    else:
        into += sign * np.bincount(place, weights, minlength=len(into)).astype(np.int64)


def _written_out(some: Active, piece: npt.NDArray[np.intp]) -> tuple[Ints, Ints]:
    length = some.stop[piece] - some.first[piece]
    owner = np.repeat(piece, length)
    begin = np.repeat(some.first[piece], length)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    return begin + step, owner
