"""The fewest agents that keep a real-time promise, found by bisection.

The service level never falls, and the occupancy never rises, as agents are added, so the first
number that keeps every part of the promise is the smallest. ``concurrency`` k lets one agent hold
k contacts at once (chat): n agents are floor(n k) servers. The handling time is then the time a
chat takes while k are held, as a log of chats shows it, not the time it would take alone.

>>> agents_required([0.0, 1.0, 10.0], 300.0, target_seconds=20.0, share=0.8).tolist()
[0, 312, 3018]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.errors import DataError
from models.queueing.erlang import queue_measures

BEYOND_AT_MOST = 0.01
"""Share of the offered that may wait beyond ``limit_seconds``: in a queue of chance none is not
reachable with any number of agents."""

AT_MOST = 1 << 24


def agents_required(
    arrival_rate: ArrayLike,
    handle_seconds: ArrayLike,
    *,
    target_seconds: float,
    share: float,
    patience_seconds: float | None = None,
    limit_seconds: float | None = None,
    max_occupancy: float = 1.0,
    concurrency: float = 1.0,
) -> NDArray[np.int64]:
    """Fewest agents for which ``share`` is answered within the target, of all offered.

    Also at most ``BEYOND_AT_MOST`` wait past ``limit_seconds``, and the servers are busy at most
    ``max_occupancy`` of their time. ``arrival_rate`` in contacts a second; none arriving: 0.
    """
    if not 0 < share <= 1:
        raise DataError(f"share is {share:g}, but must be above 0 and at most 1")
    if not 0 < max_occupancy <= 1:
        raise DataError(f"max_occupancy is {max_occupancy:g}, but must be above 0 and at most 1")
    if not concurrency >= 1:
        raise DataError(f"concurrency is {concurrency:g}, but must be at least 1")
    rate, handle = np.broadcast_arrays(
        np.asarray(arrival_rate, float), np.asarray(handle_seconds, float)
    )

    def keeps_promise(agents: NDArray[np.int64]) -> NDArray[np.bool_]:
        measures = queue_measures(
            rate,
            handle,
            servers=np.floor(agents * concurrency),
            target_seconds=target_seconds,
            patience_seconds=patience_seconds,
            limit_seconds=limit_seconds,
            with_asa=False,
        )
        return np.asarray(
            (measures.service_level >= share)
            & (measures.occupancy <= max_occupancy)
            & (measures.beyond <= BEYOND_AT_MOST)
        )

    load = rate * handle / concurrency
    low = np.full(rate.shape, -1, np.int64)
    high = np.ceil(load + 3 * np.sqrt(load)).astype(np.int64)
    while not (fine := keeps_promise(high) | (rate <= 0)).all():
        low = np.where(fine, low, high)
        high = np.where(fine, high, 2 * high + 1)
        if high.max() > AT_MOST:
            raise DataError(
                f"no number of agents answers {share:g} within {target_seconds:g} s; "
                "lower the share or lengthen the target"
            )
    high = np.where(rate > 0, high, 0)
    while (open_ := high - low > 1).any():
        middle = np.where(open_, (low + high) // 2, high)
        fine = keeps_promise(middle)
        low = np.where(open_ & ~fine, middle, low)
        high = np.where(open_ & fine, middle, high)
    return np.asarray(np.where(rate > 0, high, 0))
