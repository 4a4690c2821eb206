"""What every section of the settings is checked with: numbers, shares and times of day.

>>> minute_of_day("08:30")
510
>>> share(1.5, "holdout_share")
Traceback (most recent call last):
...
data.errors.SettingsError: holdout_share is 1.5, but must be a share between 0 and 1
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any

from data.errors import SettingsError


def setting(default: Any, comment: str) -> Any:
    """A field of the tree with its default and the comment that explains it."""
    return field(default=default, metadata={"comment": comment})


def above_zero(value: float | None, name: str) -> None:
    """SettingsError unless the value is above 0, or none."""
    if value is not None and not value > 0:
        raise SettingsError(f"{name} is {value}, but must be above 0")


def not_negative(value: float | None, name: str) -> None:
    """SettingsError unless the value is 0 or more, or none."""
    if value is not None and not value >= 0:
        raise SettingsError(f"{name} is {value}, but must not be negative")


def at_most(value: float, most: float, name: str) -> None:
    """SettingsError where the value is above ``most``."""
    if value > most:
        raise SettingsError(f"{name} is {value}, but may be {most} at most")


def share(value: float, name: str, *, zero: bool = True, one: bool = True) -> None:
    """SettingsError unless the value lies between 0 and 1; ``zero`` and ``one``: ends included."""
    low = value >= 0 if zero else value > 0
    if not (low and (value <= 1 if one else value < 1)):
        raise SettingsError(f"{name} is {value}, but must be a share between 0 and 1")


def whole_number(value: object, name: str, none: bool) -> None:
    """SettingsError unless the value is a whole number of 0 or more; ``none``: or none."""
    if value is None and none:
        return
    if value is None or isinstance(value, bool) or not isinstance(value, int):
        shown = "null" if value is None else repr(value)
        raise SettingsError(f"{name} is {shown}, but must be a whole number of 0 or more")
    if value < 0:
        raise SettingsError(f"{name} is {value}, but must not be negative")


def minute_of_day(text: str, name: str = "time") -> int:
    """``"08:30"`` → 510; 24:00 is the end of the day. SettingsError for anything else."""
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*", text)
    minute = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else 1441
    if minute > 1440:
        raise SettingsError(f'{name} {text!r} is no time of day such as "08:30"')
    return minute
