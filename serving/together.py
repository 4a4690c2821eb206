"""Requests that wait at the same time are answered together.

Scoring one customer costs nearly what scoring fifty does. While one batch is at work, whoever asks
waits; the first of those to go on takes them all along.

>>> batches = []
>>> def lengths(names):
...     batches.append(names)
...     return {name: len(name) for name in names}
>>> together = Together(lengths)
>>> together.ask(["a", "bb"])
{'a': 1, 'bb': 2}
>>> batches
[['a', 'bb']]
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

LARGEST = 200
"""So many names are put into one batch, unless one request alone has more."""


@dataclass
class _Request(Generic[Answer]):
    names: Sequence[str]
    answer: Mapping[str, Answer] | None = None
    error: BaseException | None = None


@dataclass
class Together(Generic[Answer]):
    """``work`` gives an answer to each of a list of names; it is never run twice at once."""

    work: Callable[[list[str]], Mapping[str, Answer]]
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _waiting: list[_Request[Answer]] = field(default_factory=list)
    _queue: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, names: Sequence[str]) -> dict[str, Answer]:
        """The answers to these names, worked out after this call began; raises what ``work`` raised
        for these names."""
        mine: _Request[Answer] = _Request(names)
        with self._queue:
            self._waiting.append(mine)
        with self._turn:
            while mine.answer is None and mine.error is None:
                self._answer(self._batch())
        if mine.error is not None:
            raise mine.error
        assert mine.answer is not None
        return {name: mine.answer[name] for name in names}

    def _batch(self) -> list[_Request[Answer]]:
        """The requests that have waited longest."""
        with self._queue:
            size, count = 0, 0
            for request in self._waiting:
                size += len(request.names)
                if count and size > LARGEST:
                    break
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def _answer(self, batch: Sequence[_Request[Answer]]) -> None:
        names = list(dict.fromkeys(name for request in batch for name in request.names))
        try:
            answer = self.work(names)
        except BaseException as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for request in batch:  # one request's trouble is not another's
                self._answer([request])
            return
        for request in batch:
            request.answer = answer
