"""The only place that asks what time it is.

Everything else takes time as an argument. ``now()`` is UTC, naive, floored to microseconds; a
service that replays history starts its clock elsewhere with ``Clock(start=...)``.

>>> from datetime import datetime
>>> replay = Clock(start=datetime(2026, 3, 1))
>>> replay.now() >= datetime(2026, 3, 1)
True
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that runs at the usual speed, from now or from a stated start."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._began = time.monotonic()

    def now(self) -> datetime:
        """The time in UTC as a naive ``datetime``."""
        if self._start is None:
            return datetime.now(UTC).replace(tzinfo=None)
        return self._start + timedelta(seconds=time.monotonic() - self._began)


SYSTEM = Clock()
