"""How much is let in: a rate per key (a bucket that fills steadily), and how many at once."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from serving.api.problem import Problem


class Allowed(NamedTuple):
    """What is left to a name: of ``quota`` requests in ``window_seconds``; ``wait_seconds`` until
    the next one, 0 if this one was let in; ``full_seconds`` until all of the quota is there again.
    """

    quota: int
    window_seconds: int
    remaining: int
    wait_seconds: float
    full_seconds: float

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As the RateLimit fields of draft-ietf-httpapi-ratelimit-headers say it."""
        left = b'"key";r=%d;t=%d' % (self.remaining, math.ceil(self.full_seconds))
        policy = b'"key";q=%d;w=%d' % (self.quota, self.window_seconds)
        return [(b"ratelimit-policy", policy), (b"ratelimit", left)]


class RateLimit:
    """At most ``per_second`` requests a second for each name, with bursts up to ``burst``.

    >>> moment = [0.0]
    >>> limit = RateLimit(per_second=1, burst=2, now=lambda: moment[0])
    >>> [limit.take("crm").wait_seconds for _ in range(3)]
    [0.0, 0.0, 1.0]
    >>> moment[0] = 1.0
    >>> limit.take("crm").headers()
    [(b'ratelimit-policy', b'"key";q=2;w=2'), (b'ratelimit', b'"key";r=0;t=2')]
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

    def take(self, name: str) -> Allowed:
        """One request let in if there is room for it, and what is left."""
        now = self._now()
        with self._lock:
            level, at = self._levels.get(name, (self._burst, now))
            level = min(self._burst, level + (now - at) * self.per_second)
            wait = 0.0 if level >= 1 else (1 - level) / self.per_second
            level = level if wait else level - 1
            self._levels[name] = (level, now)
        window = math.ceil(self._burst / self.per_second)
        full = (self._burst - level) / self.per_second
        return Allowed(int(self._burst), window, int(level), wait, full)


PATIENCE_SECONDS = 0.3
"""So long a crowd may be large before it is taken for one that stays."""


class Crowd:
    """At most ``most`` requests at work or waiting for a thread; one more is refused at once, for
    it could not be answered in time.

    With ``standing``, a crowd that has been so large for ``PATIENCE_SECONDS`` is no burst that
    passes: no more than ``standing`` are let in until it is smaller and nobody was refused for as
    long, so that whoever is inside waits a short time. Whoever has waited for longer than that for
    their turn, while others were refused, is refused then: they may ask again, and those behind
    them are answered in time.

    >>> moment = [0.0]
    >>> crowd = Crowd(most=3, standing=1, now=lambda: moment[0])
    >>> with crowd.entered(), crowd.entered():
    ...     moment[0] = 1.0
    ...     with crowd.entered():
    ...         pass
    Traceback (most recent call last):
    serving.api.problem.Problem: 2 requests are being answered; ask again in a moment
    """

    def __init__(
        self,
        most: int = 32,
        standing: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._standing = most, standing
        self._now = now
        self._calm_at = now()
        self._refused_at = -math.inf
        self._inside = 0
        self._lock = threading.Lock()

    @property
    def inside(self) -> int:
        """How many are inside."""
        return self._inside

    @contextlib.contextmanager
    def entered(self) -> Iterator[Callable[[], None]]:
        """Inside for the block; Problem 503 with Retry-After where it is full.

        What it gives is to be called when the turn of who entered has come: the same Problem where
        it came too late.
        """
        with self._lock:
            self._look()
            if self._inside >= self._room():
                self._refused_at = self._now()
                raise self._busy()
            self._inside += 1
        try:
            yield partial(self._in_time, self._now())
        finally:
            with self._lock:
                self._inside -= 1
                self._look()

    def _in_time(self, since: float) -> None:
        now = self._now()
        crowded = self._standing is not None and now - self._refused_at < PATIENCE_SECONDS
        if crowded and now - since > PATIENCE_SECONDS:
            raise self._busy()

    def _busy(self) -> Problem:
        detail = f"{self._inside} requests are being answered; ask again in a moment"
        return Problem(503, "busy", detail, headers={"Retry-After": "1"})

    def _look(self) -> None:
        now = self._now()
        small = self._standing is None or self._inside < self._standing
        if small and now - self._refused_at >= PATIENCE_SECONDS:
            self._calm_at = now

    def _room(self) -> int:
        if self._standing is None or self._now() - self._calm_at < PATIENCE_SECONDS:
            return self._most
        return self._standing
