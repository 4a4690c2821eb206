"""The largest load that a number of agents serves as promised: ``agents_required`` turned round.

>>> largest_load(np.array([0, 312]), 300.0, target_seconds=20.0, share=0.8).round(1).tolist()
[0.0, 301.0]
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats
from models.queueing.erlang import queue_measures

HALVINGS = 34


def largest_load(
    agents: NDArray[np.int64],
    handle_seconds: float,
    *,
    target_seconds: float,
    share: float,
    patience_seconds: float | None = None,
    max_occupancy: float = 1.0,
    concurrency: float = 1.0,
) -> Floats:
    """The load in Erlang (arrivals a second x handling seconds) that ``agents`` can have at most
    while ``share`` is answered within the target and they are busy at most ``max_occupancy``."""
    numbers, place = np.unique(agents, return_inverse=True)
    loads = _largest(
        tuple(numbers.tolist()),
        handle_seconds,
        target_seconds,
        share,
        patience_seconds,
        max_occupancy,
        concurrency,
    )
    return np.asarray(loads[place])


@lru_cache(maxsize=256)
def _largest(
    numbers: tuple[int, ...],
    handle_seconds: float,
    target_seconds: float,
    share: float,
    patience_seconds: float | None,
    max_occupancy: float,
    concurrency: float,
) -> Floats:
    servers = np.floor(np.array(numbers) * concurrency)
    low, high = np.zeros(len(numbers)), 4 * servers + 4.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        measures = queue_measures(
            middle / handle_seconds,
            handle_seconds,
            servers=servers,
            target_seconds=target_seconds,
            patience_seconds=patience_seconds,
            with_asa=False,
        )
        fine = (
            (measures.service_level >= share)
            & (measures.occupancy <= max_occupancy)
            & (servers > 0)
        )
        low, high = np.where(fine, middle, low), np.where(fine, high, middle)
    return np.asarray(low)
