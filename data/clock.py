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


def naive_utc(moment: datetime) -> datetime:
    """A moment in UTC without a zone; one without a zone is UTC already.

    ValueError where an offset leads out of the years that there are.

    >>> naive_utc(datetime.fromisoformat("2026-03-01T12:00:00+02:00"))
    datetime.datetime(2026, 3, 1, 10, 0)
    """
    try:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} is no moment in UTC") from None


SYSTEM = Clock()
