"""How many people are missing in each slot when everybody serves the channel where they are needed.

Agents with several skills go where they are missed, so what is missing is a transport problem in
each slot. Its answer by Hall's theorem: the most that any set of channels needs beyond all who can
serve one of them.

>>> short = Shortage(np.array([[2, 1], [1, 0]]), ((0,), (0, 1)))
>>> short.missing(np.array([[1, 0], [1, 0]])).tolist()
[1, 1]
>>> short.worth(np.array([[1, 0], [1, 0]])).tolist()  # of one more person, by skills and slot
[[1, 1], [1, 1]]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from data.arrays import Floats, Ints
from data.errors import DataError

MOST_CHANNELS = 12


class Shortage:
    """``people``: needed, channels x slots; ``skills``: sets of channels (indices)."""

    def __init__(self, people: Ints, skills: Sequence[Sequence[int]]) -> None:
        channels = np.flatnonzero(people.any(axis=1)).tolist()
        if len(channels) > MOST_CHANNELS:
            raise DataError(
                f"{len(channels)} channels are rostered together; more than {MOST_CHANNELS} are "
                "not: give staffing a forecast of fewer"
            )
        sets = [set(one) for n in range(1, len(channels) + 1) for one in combinations(channels, n)]
        shape = (len(sets), people.shape[1])
        self._need = np.array([people[sorted(one)].sum(axis=0) for one in sets]).reshape(shape)
        self._serves = np.array([[bool(one & set(k)) for k in skills] for one in sets], np.int64)
        self._serves = self._serves.reshape(len(sets), len(skills))

    def missing(self, supply: Ints) -> Ints:
        """People missing in each slot; ``supply``: people there, skills x slots."""
        lacks = self._need - self._serves @ supply
        return np.asarray(lacks.max(axis=0, initial=0))

    def worth(self, supply: Ints) -> Ints:
        """By how many one more person of each skill would lower what is missing: 0 or 1."""
        lacks = self._need - self._serves @ supply
        short = lacks.max(axis=0, initial=0)
        return np.array(
            [short - (lacks - serves[:, None]).max(axis=0, initial=0) for serves in self._serves.T]
        )

    def rows(self, slot: int) -> list[tuple[int, list[int]]]:
        """Of each set of channels that needs somebody in a slot: how many, and the skills that
        serve it. Of sets that the same skills serve only the neediest stands."""
        most: dict[tuple[int, ...], int] = {}
        for need, serves in zip(self._need[:, slot].tolist(), self._serves, strict=True):
            key = tuple(np.flatnonzero(serves).tolist())
            if need:
                most[key] = max(most.get(key, 0), need)
        return [(need, list(key)) for key, need in most.items()]

    def price(self, supply: Ints, short_cost: float) -> Floats:
        """``worth`` in money."""
        return np.asarray(self.worth(supply) * short_cost, np.float64)
