"""What a queue gives its callers, looked up: agents x load, made once and read millions of times.

A scenario plan asks the same question for each scenario, interval and trial number of agents.
Erlang's answer depends on the load (Erlang: contacts a second times handling seconds) and the
servers alone, once handling time, patience and target are given; between the loads of the table it
is straight.

>>> table = service_table(most_agents=3, most_load=4.0, handle_seconds=300.0,
...     target_seconds=20.0, patience_seconds=120.0)
>>> table.service_level[3, table.place(np.array([2.0]))].round(2).tolist()
[0.75]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats
from models.queueing.erlang import queue_measures

POINTS = 384


@dataclass(frozen=True)
class ServiceTable:
    """``service_level`` and ``abandonment`` (agents from 0 x ``loads``)."""

    loads: Floats
    service_level: Floats
    abandonment: Floats

    def place(self, load: Floats) -> NDArray[np.intp]:
        """The point of ``loads`` nearest to each load."""
        # loads are squares of even steps: the place is found without a search
        last = len(self.loads) - 1
        step = np.sqrt(self.loads[-1]) / last
        return np.asarray(np.clip(np.rint(np.sqrt(load) / step), 0, last).astype(np.intp))


@lru_cache(maxsize=64)
def service_table(
    *,
    most_agents: int,
    most_load: float,
    handle_seconds: float,
    target_seconds: float,
    patience_seconds: float | None = None,
    concurrency: float = 1.0,
    points: int = POINTS,
) -> ServiceTable:
    """The table for 0 to ``most_agents`` agents, each of whom holds ``concurrency`` contacts, and
    loads from 0 to ``most_load`` contacts in hand, ``points`` of them."""
    loads = np.linspace(0.0, np.sqrt(most_load), points) ** 2
    servers = np.floor(np.arange(most_agents + 1) * concurrency)
    measures = queue_measures(
        (loads / handle_seconds)[None, :],
        handle_seconds,
        servers=servers[:, None],
        target_seconds=target_seconds,
        patience_seconds=patience_seconds,
        with_asa=False,
    )
    return ServiceTable(loads, measures.service_level, measures.abandonment)
