"""Posts that wait at the same time are one transaction.

Each post is durable when it is answered, and to make a group durable costs little more than to make
one so. While one group is being kept, whoever posts waits; the first of those to go on keeps
them all, one after the other. One post's trouble undoes that post alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from data.store import Store, Unit
from serving.live import Live

LARGEST = 100
"""So many posts are kept in one transaction."""


@dataclass
class _Post:
    work: Callable[[], Any]
    context: Context
    """The caller's own: what it logs bears its request's id."""
    answer: Any = None
    error: BaseException | None = None
    ended: bool = False


@dataclass
class Posts:
    """Does what callers post; what it kept is in the memory of ``live`` when ``do`` returns."""

    store: Store
    live: Live
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _waiting: list[_Post] = field(default_factory=list)
    _queue: threading.Lock = field(default_factory=threading.Lock)

    def do(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns, called once: all that it writes into the store is kept when this
        returns, and nothing of it where this raises what ``work`` raised, or StorageFailure."""
        mine = _Post(work, copy_context())
        with self._queue:
            self._waiting.append(mine)
        with self._turn:
            while not mine.ended:
                self._do(self._group())
        if mine.error is not None:
            raise mine.error
        return mine.answer

    def _group(self) -> list[_Post]:
        """Those that have waited longest."""
        with self._queue:
            group, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        return group

    def _do(self, group: list[_Post]) -> None:
        try:
            with self.live.taking_in(), self.store.together() as unit:
                for post in group:
                    try:
                        post.answer = post.context.run(self._one, unit, post.work)
                    except Exception as error:
                        post.error = error
        except BaseException as error:  # nothing of the group was kept
            for post in group:
                post.error = post.error or error
            if not isinstance(error, Exception):
                raise
        finally:
            for post in group:
                post.ended = True

    def _one(self, unit: Unit, work: Callable[[], Any]) -> Any:
        with self.store.together(outer=unit):
            return work()
