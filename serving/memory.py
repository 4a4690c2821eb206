"""Results that are costly to compute, kept for the next who asks.

>>> memory = Memory()
>>> memory.recall("plan", lambda: 1), memory.recall("plan", lambda: 2)
(1, 1)
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

MOST_RESULTS = 64


@dataclass
class Memory:
    """The last ``KEPT`` results by key. Who asks for one that is being computed waits for it, and
    nobody waits for another."""

    results: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    underway: dict[Hashable, threading.Lock] = field(default_factory=dict)

    def recall(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gave for this key, or gives now."""
        with self.lock:
            if key in self.results:
                self.results.move_to_end(key)
                return self.results[key]
            own = self.underway.setdefault(key, threading.Lock())
        with own:
            with self.lock:
                if key in self.results:
                    return self.results[key]
            result = compute()
            with self.lock:
                self.results[key] = result
                self.underway.pop(key, None)
                while len(self.results) > MOST_RESULTS:
                    self.results.popitem(last=False)
            return result
