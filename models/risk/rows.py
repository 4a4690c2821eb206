"""The training rows: in the order of their own content, weighed, thinned, sliced by time.

Order, weights and slices depend on what the rows say, never on the order in which they came or on
what customers are called: each row gets a 64-bit digest of its features and labels, and whatever
would otherwise be drawn at random follows from that digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Ints
from models.risk.encode import Matrix

Digest = npt.NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True)
class Slice:
    """One later slice: train on ``before[h]`` for the horizon h, predict the rows in ``judged``."""

    before: dict[int, Bools]
    judged: Bools


def digest(matrix: Matrix, as_of: Ints, labels: Floats) -> Digest:
    """64 bits per row from its values, its time and its labels (rows × any number)."""
    mixed = _mixed(as_of.astype(np.uint64))
    for at in range(matrix.shape[1]):
        column = matrix[:, at] + np.float32(0)  # -0.0 and 0.0 are one value
        column[np.isnan(column)] = np.float32(np.nan)  # and so are all NaNs
        bits = np.ascontiguousarray(column).view(np.uint32).astype(np.uint64)
        mixed = _mixed(mixed ^ _mixed(bits + _salt(at + 1)))
    for at in range(labels.shape[1]):
        known = np.nan_to_num(labels[:, at], nan=-1.0)
        bits = np.ascontiguousarray(known).view(np.uint64)
        mixed = _mixed(mixed ^ _mixed(bits + _salt(at + 7001)))
    return mixed


def content_order(as_of: Ints, digests: Digest) -> Ints:
    """Positions of the rows by as-of time, then digest."""
    return np.lexsort((digests, as_of))


def draws(digests: Digest) -> Floats:
    """A number in [0, 1) per row; of rows with equal digests each gets another."""
    rank = pd.Series(digests).groupby(digests).cumcount().to_numpy().astype(np.uint64)
    return _mixed(digests + _mixed(rank * _ODD + np.uint64(3))).astype(np.float64) / 2.0**64


def thinned(
    y: Floats, drawn: Floats, others_per_complaint: float, most: int
) -> tuple[Bools, Floats]:
    """Which rows to keep, and the weight of each: all complaints, a share of the others.

    Where even those are more than ``most`` rows, a share of both is kept, by the same draw.
    """
    complaints = int((y > 0).sum())
    others = len(y) - complaints
    share = min(1.0, others_per_complaint * complaints / max(others, 1))
    fits = min(1.0, most / max(complaints + share * others, 1.0))
    mask = drawn < np.where(y > 0, fits, share * fits)
    return mask, np.where(y > 0, 1.0, 1.0 / share)


def age_weights(as_of: Ints, half_life_days: float) -> Floats:
    """1 for the newest as-of time (microseconds), half for each ``half_life_days`` before it."""
    days = (as_of.max() - as_of) / 86_400e6
    return np.exp2(-days / half_life_days)


def later_slices(
    as_of: Ints,
    known: dict[int, Bools],
    customers: npt.NDArray[np.uint64],
    *,
    slices: int,
    share: float,
    gap_days: float = 0.0,
) -> list[Slice]:
    """The newest ``share`` of as-of times, in ``slices``, each with the rows that end before it.

    A row may train for the horizon h if its label ended by the slice's first as-of time. Where
    history is too short for that, three folds of customers stand in: nothing of a customer is then
    on both sides, though times are. ``known[h]``: rows whose label is complete.
    """
    everything = np.logical_and.reduce(list(known.values()))
    times = np.unique(as_of[everything])
    held = max(round(len(times) * share), 1)
    slices_there = []
    for part in np.array_split(times[len(times) - held :], min(slices, held)):
        judged = everything & (as_of >= part[0]) & (as_of <= part[-1])
        before = {h: known[h] & (as_of <= part[0] - _reach(h, gap_days)) for h in known}
        if all(len(np.unique(as_of[rows])) >= 2 for rows in before.values()):
            slices_there.append(Slice(before, judged))
    if slices_there:
        return slices_there
    fold = customers % np.uint64(3)
    return [
        Slice({h: known[h] & (fold != at) for h in known}, everything & (fold == at))
        for at in range(3)
    ]


def customer_digests(customers: pd.Series, digests: Digest) -> Digest:
    """One digest per row that all rows of a customer share: the sum of their rows' digests."""
    codes, names = pd.factorize(customers)
    total = np.zeros(len(names), dtype=np.uint64)
    np.add.at(total, codes, digests)
    return _mixed(total)[codes]


def with_both(rows: Bools, y: Floats, least: int) -> bool:
    """Whether these rows hold at least ``least`` complaints and as many others."""
    complaints = int((y[rows] > 0).sum())
    return min(complaints, int(rows.sum()) - complaints) >= least


def microseconds(times: pd.Series | Sequence[object]) -> Ints:
    """Times as int64 microseconds since 1970."""
    return pd.Series(times).astype("datetime64[us]").to_numpy().astype(np.int64)


def _salt(number: int) -> np.uint64:
    """``number`` times an odd constant, modulo 2**64."""
    return np.uint64(number * int(_ODD) % 2**64)


def _reach(horizon_days: int, gap_days: float) -> int:
    return int(timedelta(days=horizon_days + gap_days) / timedelta(microseconds=1))


def _mixed(values: Digest) -> Digest:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    mixed = values + _ODD
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
