"""Backlog work: contacts that may wait, first come first served, each with a deadline.

Within an interval contacts arrive and are handled evenly, so cumulative arrivals A(t) and handled
contacts C(t) are straight pieces, C is the fastest curve that capacity allows below A, and the
q-th contact is answered when C reaches q. It is on time if C(its due time) >= q. Nights and
weekends are intervals without capacity; what is left waits over them.

``levels.smallest_levels`` finds the fewest agents with which promises are kept.

>>> grid = BacklogGrid(edges=np.arange(4) * 3600.0, open_seconds=np.array([0.0, 3600, 3600]))
>>> due_seconds(grid, np.array([0.0, 4000.0]), 1800.0, "opening").tolist()
[5400.0, 5800.0]
>>> outcome = clear(grid, np.array([[6.0, 0, 0]]), np.array([0.0, 4.0, 4.0]), target_seconds=1800.0)
>>> outcome.backlog.tolist(), outcome.on_time.tolist()
([[6.0, 2.0, 0.0]], [[2.0, 0.0, 0.0]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats
from data.errors import DataError

Clock = Literal["opening", "calendar"]

WAITS_OF = 50
ROUNDING = 1e-9
"""Contacts by which a sum may miss a bound through rounding alone, per contact summed."""


@dataclass(frozen=True)
class BacklogGrid:
    """Intervals of time: ``edges`` (one more than intervals, ascending, seconds) and how many
    seconds of each are open. Opening is taken as even within an interval."""

    edges: Floats
    open_seconds: Floats

    def __post_init__(self) -> None:
        long = np.diff(self.edges)
        if len(self.open_seconds) != len(long) or (long <= 0).any():
            raise DataError("the edges of a grid must ascend, one more of them than intervals")
        if (self.open_seconds < 0).any() or (self.open_seconds > long + 1e-6).any():
            raise DataError("an interval cannot be open for longer than it is, nor for less than 0")

    @property
    def middles(self) -> Floats:
        """The middle of each interval."""
        return np.asarray((self.edges[:-1] + self.edges[1:]) / 2)

    @property
    def opened(self) -> Floats:
        """Open seconds up to each edge."""
        return np.concatenate([[0.0], np.cumsum(self.open_seconds)])

    def open_until(self, at: Floats) -> Floats:
        """Open seconds from the first edge to ``at``."""
        return np.asarray(np.interp(at, self.edges, self.opened))


@dataclass(frozen=True)
class Outcome:
    """What became of the contacts of each interval, scenarios x intervals.

    ``on_time`` answered within the target, ``in_limit`` within the limit (all, without a limit),
    ``backlog`` unanswered at the interval's end, ``handled`` in the interval, ``waited`` mean
    seconds until answered (inf: not within the grid; NaN: none arrived, or not looked at).
    """

    on_time: Floats
    in_limit: Floats
    backlog: Floats
    handled: Floats
    waited: Floats


def due_seconds(grid: BacklogGrid, at: Floats, target_seconds: float, clock: Clock) -> Floats:
    """When contacts that arrive ``at`` are due, in seconds as the grid's edges.

    "calendar": ``target_seconds`` later. "opening": when so many open seconds have passed; beyond
    the grid's end where they have not.
    """
    if clock == "calendar":
        return at + target_seconds
    wanted = grid.open_until(at) + target_seconds
    opened = grid.opened
    after = np.searchsorted(opened, wanted - 1e-6, side="left")
    inside = np.clip(after, 1, len(opened) - 1)
    before = inside - 1
    stretch = grid.edges[inside] - grid.edges[before]
    gained = opened[inside] - opened[before]
    part = np.where(gained > 0, (wanted - opened[before]) / np.where(gained > 0, gained, 1), 1.0)
    due = grid.edges[before] + part * stretch
    missing = np.maximum(wanted - opened[-1], 0.0)
    return np.where(after >= len(opened), grid.edges[-1] + missing, np.maximum(due, at))


def clear(
    grid: BacklogGrid,
    arrivals: Floats,
    capacity: Floats,
    *,
    target_seconds: float,
    limit_seconds: float | None = None,
    clock: Clock = "opening",
    waiting: float = 0.0,
    margin_seconds: float = 0.0,
) -> Outcome:
    """Work the arrivals (scenarios x intervals) off with ``capacity`` (contacts an interval; of all
    scenarios, or each its own).

    ``waiting`` contacts are there at the first edge and go first. ``margin_seconds`` (a handling
    time) is taken off every due time, since an answer is out when handling ends.
    """
    inflow = np.cumsum(np.pad(arrivals, ((0, 0), (1, 0))), axis=1) + waiting
    outflow = handled_by(inflow, np.asarray(capacity, float), waiting)
    due = due_of_intervals(grid, target_seconds, clock) - margin_seconds
    on_time = on_time_of(grid, inflow, outflow, due)
    in_limit = arrivals
    if limit_seconds is not None:
        last = limit_due(grid, limit_seconds, clock) - margin_seconds
        in_limit = on_time_of(grid, inflow, outflow, last)
    return Outcome(
        on_time=on_time,
        in_limit=in_limit,
        backlog=inflow[:, 1:] - outflow[:, 1:],
        handled=np.diff(outflow, axis=1),
        waited=_waits(grid, inflow, outflow),
    )


def handled_by(inflow: Floats, capacity: Floats, waiting: float = 0.0) -> Floats:
    """Contacts handled up to each edge, given those that came up to it (initial ones included).

    Nothing is handled before it came: C(k+1) = min(C(k) + capacity, A(k+1)), which is
    min over j <= k + 1 of (A(j) or 0 at the start) + capacity from j on.
    """
    room = np.atleast_2d(np.asarray(capacity, float))
    total = np.zeros((room.shape[0], room.shape[1] + 1))  # np.pad takes longer than the sum
    np.cumsum(room, axis=1, out=total[:, 1:])
    gap = inflow - total
    gap[:, 0] = 0.0
    lowest = np.minimum.accumulate(gap, axis=1)
    return np.asarray(np.minimum(lowest + total, inflow))


def due_of_intervals(grid: BacklogGrid, target_seconds: float, clock: Clock) -> Floats:
    """Due times (2 x intervals) of each interval's first and last contact.

    A thousandth inside the interval, since due times may leap at its edges.
    """
    inside = np.diff(grid.edges) * 1e-3
    first = due_seconds(grid, grid.edges[:-1] + inside, target_seconds, clock)
    return np.stack([first, due_seconds(grid, grid.edges[1:] - inside, target_seconds, clock)])


def on_time_of(grid: BacklogGrid, inflow: Floats, outflow: Floats, due: Floats) -> Floats:
    """How many of each interval's arrivals are handled by ``due`` (as ``due_of_intervals``).

    What is handled beyond a contact's place in line by its due time is taken as straight from the
    interval's first contact to its last; the share of them for which it is not negative is on time.
    """
    here = np.diff(inflow, axis=1)
    first = _at(grid.edges, outflow, due[0]) - inflow[:, :-1]
    last = _at(grid.edges, outflow, due[1]) - inflow[:, 1:]
    slack = ROUNDING * (1.0 + inflow[:, -1:])
    first, last = (np.where(np.abs(edge) < slack, 0.0, edge) for edge in (first, last))
    whole = np.abs(first) + np.abs(last)
    good = np.maximum(first, 0) + np.maximum(last, 0)
    return np.asarray(here * np.where(whole > 0, good / np.where(whole > 0, whole, 1.0), 1.0))


def limit_due(grid: BacklogGrid, limit_seconds: float, clock: Clock) -> Floats:
    """The last moment for each interval's arrivals, as ``due_of_intervals``.

    Of a calendar limit that runs out while the channel is mostly closed nobody can be held to it:
    there, the moment when a third of it has passed in opening hours.
    """
    last = due_of_intervals(grid, limit_seconds, clock)
    if clock == "calendar":
        last = np.maximum(last, due_of_intervals(grid, limit_seconds / 3, "opening"))
    return last


def reachable(grid: BacklogGrid, target_seconds: float, clock: Clock) -> NDArray[np.bool_]:
    """Whether each interval's arrivals can be answered in time by any staffing: at least an
    eighth of the target must fall into opening hours."""
    due = due_seconds(grid, grid.middles, target_seconds, clock)
    gained = grid.open_until(due) - grid.open_until(grid.middles)
    gained += np.maximum(due - grid.edges[-1], 0.0)
    return np.asarray(gained >= target_seconds / 8 - 1e-6)


def _at(edges: Floats, curves: Floats, times: Floats) -> Floats:
    """Curves (scenarios x edges), straight between edges, at ``times``; flat outside."""
    place = np.clip(np.searchsorted(edges, times, side="right"), 1, len(edges) - 1)
    low = edges[place - 1]
    part = np.clip((times - low) / (edges[place] - low), 0.0, 1.0)
    return np.asarray(curves[:, place - 1] * (1 - part) + curves[:, place] * part)


def _waits(grid: BacklogGrid, inflow: Floats, outflow: Floats) -> Floats:
    """Mean wait of each interval's arrivals: of the contact in their middle. Of many scenarios the
    first ``WAITS_OF`` tell; the others are NaN."""
    out = np.full((inflow.shape[0], inflow.shape[1] - 1), np.nan)
    for row in range(min(inflow.shape[0], WAITS_OF)):
        middle = (inflow[row, :-1] + inflow[row, 1:]) / 2
        place = np.searchsorted(outflow[row], middle, side="left")
        inside = np.clip(place, 1, len(grid.edges) - 1)
        low, high = outflow[row, inside - 1], outflow[row, inside]
        part = np.where(high > low, (middle - low) / np.where(high > low, high - low, 1.0), 0.0)
        at = grid.edges[inside - 1] + part * (grid.edges[inside] - grid.edges[inside - 1])
        wait = np.where(place >= len(grid.edges), np.inf, np.maximum(at - grid.middles, 0.0))
        out[row] = np.where(np.diff(inflow[row]) > 0, wait, np.nan)
    return out
