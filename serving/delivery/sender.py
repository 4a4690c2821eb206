"""The sender: claims due messages one by one, sends each, and records how it ended.

Several senders work side by side, in one process and in many. Each claim judges anew whether the
decision may still be sent. A failed attempt waits a random time, uniform from 0 to a limit that
doubles (full jitter: Brooker, "Exponential Backoff And Jitter", AWS 2015), or as long as the
receiver asked.

>>> [backoff_limit(n, 5.0, 60.0) for n in (1, 2, 3, 4, 5, 2000)]
[5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from data.clock import Clock
from data.settings import Delivery
from data.store import (
    Claim,
    Judge,
    Limits,
    Message,
    Store,
    claim,
    disable_endpoint,
    disabled_since,
    record_delivery,
    record_failure,
)
from serving.delivery.event import render
from serving.delivery.signature import Key
from serving.delivery.webhook import Attempt, Poster

log = logging.getLogger("presage.delivery")

MARGIN_SECONDS = 2.0
"""A lease outlives its attempt by so much: time to record how it ended."""


class Sender:
    """Sends what is due until nothing is, on ``at_once`` threads."""

    def __init__(
        self,
        store: Store,
        judge: Judge,
        delivery: Delivery,
        keys: Sequence[Key],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._judge = judge
        self._delivery = delivery
        self._keys = keys
        self._clock = clock
        self._rng = rng
        self._lock = threading.Lock()
        self._holder = f"{socket.gethostname()} {os.getpid()}"
        self._limits = limits_of(delivery)

    def send_due(
        self, stopped: threading.Event, tell: Callable[[Counter[str]], None] = lambda outcomes: None
    ) -> Counter[str]:
        """Everything that is due now; counts of ``sent, failed, dead, deferred, refused,
        expired``.

        Ends early once ``stopped`` is set, when what is under way has ended, or when the endpoint
        is disabled. ``tell`` hears the counts so far.
        """
        outcomes: Counter[str] = Counter()
        halt = threading.Event()

        def work() -> None:
            poster = Poster(self._delivery, self._keys)
            try:
                while not (stopped.is_set() or halt.is_set()):
                    if self._disabled():
                        return
                    if not self._step(poster, outcomes):
                        return
                    with self._lock:
                        tell(outcomes)
            except BaseException:
                halt.set()  # the others end too, and the error is raised below
                raise
            finally:
                poster.close()

        with ThreadPoolExecutor(self._delivery.at_once, "sender") as pool:
            for each in [pool.submit(work) for _ in range(self._delivery.at_once)]:
                each.result()
        return outcomes

    def _step(self, poster: Poster, outcomes: Counter[str]) -> bool:
        """One claim and what follows from it; False where nothing was due."""
        lease = self._delivery.timeout_seconds + MARGIN_SECONDS
        with self._lock:  # threads queue here, not at the database's lock
            claimed: Claim = claim(
                self._store,
                self._judge,
                render,
                holder=self._holder,
                lease=timedelta(seconds=lease),
                limits=self._limits,
                now_of=self._clock.now,
            )
        with self._lock:
            outcomes.update(
                deferred=claimed.deferred,
                refused=claimed.refused,
                dead=claimed.dead,
                expired=claimed.expired,
            )
        if claimed.message is None:
            return claimed.looked_at > 0
        # a sender that was paused past its lease finds no time left, and sends nothing
        now = self._clock.now()
        left = (claimed.message.next_attempt_at - now).total_seconds() - MARGIN_SECONDS / 2
        attempt = poster.post(claimed.message, now, time.monotonic() + left)
        self._record(claimed.message, attempt, outcomes)
        return True

    def _record(self, message: Message, attempt: Attempt, outcomes: Counter[str]) -> None:
        now = self._clock.now()
        if attempt.delivered:
            with self._lock:
                record_delivery(self._store, message, now)
                outcomes["sent"] += 1
            return
        with self._lock:
            if attempt.gone:
                disable_endpoint(self._store, self._delivery.endpoint, attempt.note, now)
            wait = timedelta(seconds=self._wait(message.attempts, attempt))
            waits = record_failure(
                self._store, message, attempt.note, now + wait, self._limits, now
            )
            outcomes["failed" if waits else "dead"] += 1
        log.info("message %s: %s", message.decision_id, attempt.note)

    def _wait(self, attempts: int, attempt: Attempt) -> float:
        delivery = self._delivery
        limit = backoff_limit(attempts, delivery.backoff_seconds, delivery.backoff_most_seconds)
        return max(self._rng.uniform(0.0, limit), attempt.retry_after or 0.0)

    def _disabled(self) -> bool:
        return disabled_since(self._store, self._delivery.endpoint) is not None


def limits_of(delivery: Delivery) -> Limits:
    """When a message is dead, by the settings."""
    return Limits(delivery.max_attempts, timedelta(hours=delivery.max_age_hours))


def backoff_limit(attempts: int, first: float, most: float) -> float:
    """The longest wait in seconds after that many attempts."""
    return min(most, first * 2.0 ** min(attempts - 1, 60))
