"""The one computation: all windows at all as-of times, over arrays, in a fixed order.

A row counts at T for ``lo <= T < hi``, whatever made it so: a window, a late record, a correction,
a delivery. The as-of times of a key are its *slots*; so a row is +w at its first slot >= lo and -w
at its first slot >= hi, and a running sum over the slots gives every additive feature at once.
Extremes and last values are reductions over the same intervals. Everything added or compared is an
integer, so a million keys in one batch and one key online give the same bits.

>>> slots = Slots(np.array([0, 0, 1]), np.array([10, 20, 10]))
>>> codes, lo, hi = np.array([0, 0, 1]), np.array([5, 11, 3]), np.array([15, 30, 10])
>>> rows, first = slots.begins(codes, lo, hi)
>>> total(slots, slots.until(rows, codes[rows], first, hi[rows]), np.array([7, 1, 5])).tolist()
[7, 1, 0]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.errors import DataError
from features.asof import ALWAYS, NEVER, Int64

DENSE = 3
"""A grid of keys x times is used when it is at most so many times larger than the slots."""


class Active(NamedTuple):
    """Rows that count at one slot or more: ``rows`` positions, ``first`` and ``stop`` places."""

    rows: Int64
    first: Int64
    stop: Int64


class Slots:
    """(key, T) pairs, sorted and distinct. ``keys`` count from 0.

    Inside, each key has one more place after its slots, where whatever begins too late or ends
    after the last T goes; so a key's pluses and minuses always cancel within it.
    """

    def __init__(self, keys: Int64, times: Int64, keys_total: int | None = None) -> None:
        self.keys, self.times = keys, times
        self.count = len(keys)
        self.key_count = int(keys[-1]) + 1 if keys_total is None and len(keys) else keys_total or 0
        self.grid, self.rank = np.unique(times, return_inverse=True)
        width = len(self.grid) + 1
        self.dense = self.key_count * width <= DENSE * (self.count + self.key_count) + 1024
        pairs = keys * width + self.rank
        if self.dense:
            self.places = pairs
            self.size = self.key_count * width
        else:
            self.places = np.arange(self.count) + keys
            self.size = self.count + self.key_count
            self._pairs = pairs
        self.width = width

    def place(self, codes: Int64, moments: Int64) -> Int64:
        """The place of each code's first slot at or after a moment."""
        rank = np.searchsorted(self.grid, moments)
        if self.dense:
            return codes * self.width + rank
        return np.searchsorted(self._pairs, codes * self.width + rank) + codes

    def stops(self, codes: Int64) -> Int64:
        """The place after the last slot of each code."""
        if self.dense:
            return codes * self.width + (self.width - 1)
        return np.searchsorted(self._pairs, (codes + 1) * self.width) + codes

    def begins(self, codes: Int64, lo: Int64, hi: Int64) -> tuple[Int64, Int64]:
        """The rows that begin before they end and before their key's last slot has passed, and
        the place of the slot at which each begins."""
        rows = np.flatnonzero((lo < hi) & (lo <= (self.grid[-1] if len(self.grid) else ALWAYS)))
        if len(rows) < len(codes):
            codes, lo = codes[rows], lo[rows]
        return rows, self.place(codes, lo)

    def until(self, rows: Int64, codes: Int64, first: Int64, hi: Int64) -> Active:
        """Of the rows that begin at ``first`` those that last to a slot, and their ends."""
        stop = self.place(codes, hi)
        keep = np.flatnonzero(first < stop)
        if len(keep) == len(stop):
            return Active(rows, first, stop)
        return Active(rows[keep], first[keep], stop[keep])


def total(slots: Slots, active: Active, weights: Int64 | None = None) -> Int64:
    """The sum of the weights (1 without them) of the rows that count at each slot, exact."""
    if weights is None:
        change = np.bincount(active.first, minlength=slots.size)
        change -= np.bincount(active.stop, minlength=slots.size)
    else:
        change = np.zeros(slots.size, dtype=np.int64)
        chosen = weights[active.rows]
        if len(chosen) and float(np.abs(chosen).max()) * len(chosen) >= 2.0**62:
            raise DataError("values are too large to be added exactly in 64 bits")
        np.add.at(change, active.first, chosen)
        np.subtract.at(change, active.stop, chosen)
    np.cumsum(change, out=change)
    return change[slots.places]


def largest(slots: Slots, active: Active, values: Int64) -> Int64:
    """The greatest value of the rows that count at each slot, ``-NEVER`` where none does.

    Rows that count until a key's last slot are carried forward by a running maximum; those that
    end before are written out slot by slot.
    """
    best = np.full(slots.size, -NEVER)
    if not len(active.rows):
        return best[slots.places]
    key_of = _keys_of_places(slots)
    chosen = values[active.rows]
    lasting = active.stop == slots.stops(key_of[active.first])
    if lasting.any():
        np.maximum.at(best, active.first[lasting], chosen[lasting])
        _carry_forward(best, key_of)
    brief = np.flatnonzero(~lasting)
    if len(brief):
        for piece in np.array_split(brief, max(1, _volume(active, brief) // 4_000_000)):
            places, owner = _written_out(active, piece)
            np.maximum.at(best, places, chosen[owner])
    return best[slots.places]


def distinct(slots: Slots, active: Active, values: Int64) -> Int64:
    """How many different values (>= 0) the rows that count at each slot have."""
    chosen = values[active.rows]
    known = np.flatnonzero(chosen >= 0)
    if not len(known):
        return np.zeros(slots.count, dtype=np.int64)
    first, stop, chosen = active.first[known], active.stop[known], chosen[known]
    key = _keys_of_places(slots)[first]
    order = np.lexsort((first, chosen, key))
    first, stop, chosen, key = first[order], stop[order], chosen[order], key[order]
    fresh = np.append(True, (chosen[1:] != chosen[:-1]) | (key[1:] != key[:-1]))
    group = np.cumsum(fresh) - 1
    # the furthest end so far within the group; groups are kept apart by an offset
    reach = np.maximum.accumulate(stop + group * (slots.size + 1)) - group * (slots.size + 1)
    gap = np.append(True, fresh[1:] | (first[1:] > reach[:-1]))
    begins = np.flatnonzero(gap)
    ends = np.append(begins[1:], len(first)) - 1
    merged = Active(begins, first[begins], reach[ends])
    return total(slots, merged)


def pairs(slots: Slots, active: Active, rank: Int64) -> tuple[Int64, Int64]:
    """Every (slot, row) in which the row counts, by slot and then by the row's rank."""
    places, owner = _written_out(active, np.arange(len(active.rows)))
    slot_of = np.full(slots.size, -1)
    slot_of[slots.places] = np.arange(slots.count)
    slot, row = slot_of[places], active.rows[owner]
    real = slot >= 0
    slot, row = slot[real], row[real]
    order = np.lexsort((rank[row], slot))
    return slot[order], row[order]


def _keys_of_places(slots: Slots) -> Int64:
    if slots.dense:
        return np.repeat(np.arange(slots.key_count), slots.width)
    spare = np.bincount(slots.keys, minlength=slots.key_count) + 1
    return np.repeat(np.arange(slots.key_count), spare)


def _carry_forward(best: Int64, key_of: Int64) -> None:
    """Running maximum within each key, in place, by ranks that rise from key to key."""
    levels, rank = np.unique(best, return_inverse=True)
    lifted = np.maximum.accumulate(rank + key_of * len(levels))
    best[:] = levels[lifted - key_of * len(levels)]


def _volume(active: Active, piece: npt.NDArray[np.intp]) -> int:
    return int((active.stop[piece] - active.first[piece]).sum())


def _written_out(active: Active, piece: npt.NDArray[np.intp]) -> tuple[Int64, Int64]:
    length = active.stop[piece] - active.first[piece]
    owner = np.repeat(piece, length)
    begin = np.repeat(active.first[piece], length)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    return begin + step, owner
