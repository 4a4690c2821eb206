"""A queue played event by event: it judges formulas and plans, and shares nothing with them.

First come, first served; the number of servers changes at given times. A server who is taken away
while handling finishes first. A waiting contact leaves when its patience ends, unless it is being
answered at that moment.

>>> served = simulate_queue([0.0, 1.0, 2.0], [10.0, 10.0, 10.0], edges=[0.0], servers=[1])
>>> served.waited.tolist(), served.end_times.tolist()
([0.0, 9.0, 18.0], [10.0, 20.0, 30.0])
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.arrays import Floats
from data.errors import DataError


@dataclass(frozen=True)
class Served:
    """What became of each contact, in the order of the arrivals; times in seconds.

    ``waited`` until it was answered or gave up; ``answered`` whether anyone answered; ``end_times``
    when its handling ended (NaN if it was not answered). ``busy_seconds``: all servers' handling.
    """

    waited: Floats
    answered: NDArray[np.bool_]
    end_times: Floats
    busy_seconds: float


def simulate_queue(
    arrivals: ArrayLike,
    handling: ArrayLike,
    *,
    edges: ArrayLike,
    servers: ArrayLike,
    patience: ArrayLike | None = None,
) -> Served:
    """Play the queue. ``arrivals`` ascending; ``servers[i]`` holds from ``edges[i]`` to the next.

    Before the first edge there are none, after the last edge its number stays. Contacts still
    waiting when nothing more can happen wait for ever: ``waited`` is inf, ``answered`` False.
    """
    at, work = np.asarray(arrivals, float), np.asarray(handling, float)
    turns, counts = np.asarray(edges, float), np.asarray(servers, int)
    if (np.diff(at) < 0).any() or (np.diff(turns) <= 0).any():
        raise DataError("arrivals and edges of a simulated queue must ascend; sort them first")
    gone = at + np.asarray(patience, float) if patience is not None else np.full(at.shape, np.inf)
    waited = np.full(at.shape, np.inf)
    end_times = np.full(at.shape, np.nan)
    line: deque[int] = deque()
    ends: list[float] = []
    here, turn, place = 0, 0, 0
    busy_seconds = 0.0
    never = float("inf")
    arrive, leave, need = at.tolist(), gone.tolist(), work.tolist()
    turn_at, turn_to = turns.tolist(), counts.tolist()
    while True:
        next_end = ends[0] if ends else never
        next_turn = turn_at[turn] if turn < len(turn_at) else never
        next_arrival = arrive[place] if place < len(arrive) else never
        now = min(next_end, next_turn, next_arrival)
        if now == never:
            break
        if now == next_end:
            heapq.heappop(ends)
        elif now == next_turn:
            here = turn_to[turn]
            turn += 1
        else:
            line.append(place)
            place += 1
        while line and len(ends) < here:
            contact = line.popleft()
            if leave[contact] <= now:
                continue
            waited[contact] = now - arrive[contact]
            end_times[contact] = now + need[contact]
            busy_seconds += need[contact]
            heapq.heappush(ends, end_times[contact])
    answered = np.isfinite(end_times)
    lost = ~answered & np.isfinite(gone)
    waited[lost] = gone[lost] - at[lost]
    return Served(waited, answered, end_times, busy_seconds)


def simulate_shared(
    arrivals: ArrayLike, handling: ArrayLike, *, edges: ArrayLike, servers: ArrayLike
) -> Served:
    """A queue whose servers are lent: taken away, they leave the contact that was begun last.

    It is taken up again, before all that wait, by the next server that comes free. Agents who
    write mails between calls work so. Arguments and result as of ``simulate_queue``, without
    patience; ``waited`` is until first taken up.
    """
    at, work = np.asarray(arrivals, float), np.asarray(handling, float)
    turns, counts = np.asarray(edges, float), np.asarray(servers, int)
    if (np.diff(at) < 0).any() or (np.diff(turns) < 0).any():
        raise DataError("arrivals and edges of a simulated queue must ascend; sort them first")
    waited, end_times = np.full(at.shape, np.inf), np.full(at.shape, np.nan)
    left, arrive = work.tolist(), at.tolist()
    turn_at, turn_to = turns.tolist(), counts.tolist()
    line: deque[int] = deque()
    paused: list[int] = []
    ends: list[tuple[float, int]] = []
    active: dict[int, float] = {}
    here, turn, place, never = 0, 0, 0, float("inf")
    while True:
        while ends and active.get(ends[0][1]) != ends[0][0]:
            heapq.heappop(ends)  # was paused since
        next_end = ends[0][0] if ends else never
        next_turn = turn_at[turn] if turn < len(turn_at) else never
        next_arrival = arrive[place] if place < len(arrive) else never
        now = min(next_end, next_turn, next_arrival)
        if now == never:
            break
        if now == next_end:
            _, contact = heapq.heappop(ends)
            end_times[contact] = active.pop(contact)
        elif now == next_turn:
            here = turn_to[turn]
            turn += 1
            while len(active) > here:
                contact, end = active.popitem()
                left[contact] = end - now
                paused.append(contact)
        else:
            line.append(place)
            place += 1
        while (paused or line) and len(active) < here:
            contact = paused.pop() if paused else line.popleft()
            if waited[contact] == np.inf:
                waited[contact] = now - arrive[contact]
            active[contact] = now + left[contact]
            heapq.heappush(ends, (active[contact], contact))
    answered = np.isfinite(end_times)
    return Served(waited, answered, end_times, float(work[answered].sum()))
