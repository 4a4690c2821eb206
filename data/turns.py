"""A look at something outside, once a turn of the event loop.

Whether anything was posted, published or revoked is looked up for each answer from memory, and each
look is a call of the system. All requests that are answered in one turn of the loop came in before
it began to answer them, so one look is late enough for all.

>>> looks = []
>>> def look():
...     looks.append(len(looks))
...     return len(looks)
>>> shared = OnceATurn(look)
>>> async def ask():
...     return shared(), shared()
>>> async def turns():
...     first = await ask()
...     await asyncio.sleep(0)
...     return first, await ask()
>>> asyncio.run(turns()), shared(), shared()
(((1, 1), (2, 2)), 3, 4)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Seen = TypeVar("Seen")


class OnceATurn(Generic[Seen]):
    """Calls ``look`` once a turn in the event loop's thread, and each time in others."""

    def __init__(self, look: Callable[[], Seen]) -> None:
        self._look = look
        self._loop: asyncio.AbstractEventLoop | None = None
        self._value: Seen

    def __call__(self) -> Seen:
        """What a look shows that was not earlier than the call's request came in."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._look()
        if self._loop is not loop:
            self._value = self._look()
            self._loop = loop
            # a request that comes in from now on is queued behind this
            loop.call_soon(self._end)
        return self._value

    def _end(self) -> None:
        self._loop = None
