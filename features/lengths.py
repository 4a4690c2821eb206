"""Lengths of time in microseconds: the units, what a window may be, and how names have it."""

from __future__ import annotations

from data.errors import DefinitionError

DAY = 86_400_000_000
"""Microseconds in a day."""
HOUR = DAY // 24
LONGEST = 7305 * DAY
"""Twenty years: a longer window is a mistake, or means everything, which no window says."""


def check_length(microseconds: object) -> None:
    """Raises DefinitionError for what is no window."""
    if isinstance(microseconds, bool) or not isinstance(microseconds, int):
        raise DefinitionError(f"a window of {microseconds!r}: microseconds are whole numbers")
    if microseconds <= 0:
        raise DefinitionError(f"a window of {microseconds / DAY:g} days: windows are above 0")
    if microseconds > LONGEST:
        raise DefinitionError(
            f"a window of {microseconds / DAY:g} days is longer than {LONGEST // DAY}; "
            "leave out days= and hours= to look back on everything"
        )


def span_text(microseconds: int) -> str:
    """A length of time as names have it.

    >>> span_text(28 * DAY), span_text(6 * HOUR), span_text(DAY // 48)
    ('28d', '6h', '30min')
    """
    for unit, name in ((DAY, "d"), (HOUR, "h"), (HOUR // 60, "min"), (1, "us")):
        if microseconds % unit == 0:
            return f"{microseconds // unit}{name}"
    raise AssertionError
