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

KEPT = 24


@dataclass
class Memory:
    """The last ``KEPT`` results by key; one that is being computed is waited for."""

    kept: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def recall(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gave for this key, or gives now."""
        with self.lock:
            if key not in self.kept:
                self.kept[key] = compute()
                while len(self.kept) > KEPT:
                    self.kept.popitem(last=False)
            self.kept.move_to_end(key)
            return self.kept[key]
