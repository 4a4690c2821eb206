"""The contact centre's own queues: first come first served, agents by the hour, patience.

One ``Desk`` a channel. Every contact brings its arrival, its handle time and the moment at which
its patience ends. Agents who go home finish the contact they hold. E-mail and social never lose
patience; what is not handled today waits for tomorrow's agents. This is an event by event
simulation that shares no code with the queueing formulas that are judged by it.

>>> desk = Desk()
>>> edges, agents = [0, 100, 200], [1, 0]
>>> desk.run(edges, agents, [(0, 50, 1_000, 7), (10, 20, 15, 8), (20, 60, 1_000, 9)])
>>> desk.answered, desk.abandoned
([(7, 0, 50), (9, 50, 110)], [(8, 15)])
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence


class Desk:
    """One channel's waiting line and busy agents, carried from day to day.

    Times are integer microseconds. After ``run``, ``answered`` holds (contact, begin, end) and
    ``abandoned`` (contact, moment) of what was decided in that run, ``begun`` the handle time
    begun in each interval.
    """

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, int, int, int]] = deque()
        self.busy: list[int] = []
        self.answered: list[tuple[int, int, int]] = []
        self.abandoned: list[tuple[int, int]] = []
        self.begun: list[int] = []

    def copy(self) -> Desk:
        """An independent copy of line and agents, without the last run's results."""
        twin = Desk()
        twin.waiting, twin.busy = self.waiting.copy(), self.busy.copy()
        return twin

    def waiting_work(self) -> int:
        """The handle time that waits in line."""
        return sum(contact[1] for contact in self.waiting)

    def _serve(self, now: int, agents: int) -> int:
        """Give free agents the next of the line; the handle time begun."""
        begun = 0
        while self.waiting and len(self.busy) < agents:
            _, handle, patience, contact = self.waiting.popleft()
            if patience <= now:
                self.abandoned.append((contact, patience))
                continue
            heapq.heappush(self.busy, now + handle)
            self.answered.append((contact, now, now + handle))
            begun += handle
        return begun

    def run(
        self,
        edges: Sequence[int],
        agents: Sequence[int],
        arrivals: Sequence[tuple[int, int, int, int]],
    ) -> None:
        """Run from ``edges[0]`` to ``edges[-1]`` with ``agents[k]`` between edges k and k + 1.

        ``arrivals``: (arrival, handle time, moment patience ends, contact), sorted by arrival.
        """
        self.answered, self.abandoned, self.begun = [], [], []
        coming, busy, waiting = 0, self.busy, self.waiting
        for k, here in enumerate(agents):
            now, until = edges[k], edges[k + 1]
            while busy and busy[0] <= now:
                heapq.heappop(busy)
            begun = self._serve(now, here)
            while True:
                arrives = arrivals[coming][0] if coming < len(arrivals) else until
                ends = busy[0] if busy else until
                if min(arrives, ends) >= until:
                    break
                if ends <= arrives:
                    heapq.heappop(busy)
                    begun += self._serve(ends, here)
                    continue
                waiting.append(arrivals[coming])
                coming += 1
                if len(busy) < here:
                    begun += self._serve(arrives, here)
            self.begun.append(begun)
        for contact in waiting:
            if contact[2] <= edges[-1]:
                self.abandoned.append((contact[3], contact[2]))
        self.waiting = deque(contact for contact in waiting if contact[2] > edges[-1])
