"""A rate limit per key: a bucket that fills at a steady rate (token bucket)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimit:
    """At most ``per_second`` requests a second for each name, with bursts up to ``burst``.

    >>> moment = [0.0]
    >>> limit = RateLimit(per_second=1, burst=2, now=lambda: moment[0])
    >>> [limit.wait_seconds("crm") for _ in range(3)]
    [0.0, 0.0, 1.0]
    >>> moment[0] = 1.0
    >>> limit.wait_seconds("crm")
    0.0
    """

    def __init__(
        self,
        per_second: float = 500,
        burst: float = 1000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second = per_second
        self._burst = burst
        self._now = now
        self._lock = threading.Lock()
        self._levels: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, name: str) -> float:
        """0 and one token taken, or the seconds until there is one again."""
        now = self._now()
        with self._lock:
            level, at = self._levels.get(name, (self._burst, now))
            level = min(self._burst, level + (now - at) * self.per_second)
            if level < 1:
                self._levels[name] = (level, now)
                return (1 - level) / self.per_second
            self._levels[name] = (level - 1, now)
            return 0.0
