"""Values that were posted: what a column takes, and the one text in which every room reads them.

JSON knows types, so they are held to strictly, within plausible ranges. The text that follows is
read alike by DuckDB at night and by pandas in a running service: times in UTC to the microsecond,
numbers as Python writes them.

>>> from data.contract import table
>>> orders = table("orders")
>>> as_text(orders.column("ordered_at"), "2026-03-01T12:00:00.1234567+02:00")
'2026-03-01T10:00:00.123456+00:00'
>>> as_text(orders.column("amount"), 12.5), as_text(orders.column("deleted"), True)
('12.5', 'true')
>>> as_text(orders.column("amount"), 1e18)
Traceback (most recent call last):
...
ValueError: a number nearer to 0 than 1e+12
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from data.contract import Column, Table
from data.zones import AHEAD, NAME, moment_at

FIRST_YEAR, LAST_YEAR = 1900, 2100
"""Times lie after the first of these years and before the last."""
UNSET = ("1969-12-31", "1970-01-01")
"""The days, in UTC, that systems write for no date: second 0 by any clock."""
LARGEST = 1e12
"""Numbers are nearer to 0."""
LONGEST, LONGEST_TEXT = 1_000, 100_000
"""Characters of an id or a word, and of what a person wrote."""
WRITTEN = frozenset({"text", "title"})
"""The columns that hold what a person wrote."""
MOST_PARTS = 1_000
CLOCK = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
AWAY = r"Z|[+-]\d{2}(?::?\d{2})?"
ZONE = rf"{NAME}|{AHEAD}|GMT|UTC"
TIME = (
    rf"\d{{4}}-\d{{2}}-\d{{2}}|{CLOCK}(?: ?(?:{AWAY}))?"
    rf"|{CLOCK}(?: ?(?:{AWAY}))?(?: ?\[(?:{ZONE})\]| (?:{ZONE}))"
)
"""As data/schema.py describes it to callers."""
MOMENT = re.compile(TIME, re.ASCII)
NAMED = re.compile(rf"({CLOCK})(?: ?({AWAY}))? ?\[?({ZONE})\]?", re.ASCII)
"""The same with a zone's name: the time, an offset, the name."""


def as_text(column: Column, value: Any) -> str:
    """A value that is not null as text; ValueError says what the column takes instead."""
    if column.dtype == "timestamp":
        return _moment(value)
    if column.dtype == "float":
        return number(value)
    if column.dtype == "integer":
        if isinstance(value, float):
            raise ValueError("a whole number")
        return number(value)
    if column.dtype == "bool":
        if not isinstance(value, bool):
            raise ValueError("true or false")
        return "true" if value else "false"
    if column.dtype == "strings":
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise ValueError("a list of texts")
        if len(value) > MOST_PARTS:
            raise ValueError(f"at most {MOST_PARTS} texts")
        return ",".join(text(part) for part in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value)
    if not isinstance(value, str):
        raise ValueError("text")
    return text(value, LONGEST_TEXT if column.name in WRITTEN else LONGEST)


def row_as_text(contract: Table, row: Mapping[str, Any]) -> dict[str, str]:
    """A posted row's values as text, nulls left out; Unreadable names the first that is none."""
    columns = {column.name: column for column in contract.columns}
    out = {}
    for name, value in row.items():
        if value is None:
            continue
        try:
            out[name] = as_text(columns[name], value) if name in columns else any_text(value)
        except ValueError as error:
            raise Unreadable(name, str(error)) from None
    return out


class Unreadable(Exception):
    """The value of ``column`` is not what it takes (``wanted``)."""

    def __init__(self, column: str, wanted: str) -> None:
        super().__init__(f"{column}: send {wanted}")
        self.column, self.wanted = column, wanted


def text(value: str, longest: int = LONGEST) -> str:
    """The text itself; ValueError where it is too long or holds a null character."""
    if len(value) > longest:
        raise ValueError(f"at most {longest} characters")
    if "\0" in value:
        raise ValueError("text without a null character")
    return value


def number(value: Any) -> str:
    """A number's text; ValueError where it is none, not finite, or implausible."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("a finite number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number")
    if not -LARGEST < value < LARGEST:
        raise ValueError(f"a number nearer to 0 than {LARGEST:g}")
    return repr(value)


def any_text(value: Any) -> str:
    """A value of a column of the company's own as text; ValueError for a list or an object."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if not isinstance(value, str):
        raise ValueError("one single value")
    return text(value)


def _moment(value: Any) -> str:
    wanted = "a time such as 2026-03-01T10:00:00Z"
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise ValueError(wanted)
    try:
        moment = _read(value)
    except (ValueError, OverflowError):
        raise ValueError(wanted) from None
    if not FIRST_YEAR < moment.year < LAST_YEAR:  # so no offset can lead out of what there is
        raise ValueError(f"{wanted}, between {FIRST_YEAR} and {LAST_YEAR}")
    zoned = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if zoned.strftime("%Y-%m-%d") in UNSET:
        raise ValueError(f"{wanted}; the first day of 1970 is what systems write for no date")
    return zoned.isoformat(timespec="microseconds")


def _read(value: str) -> datetime:
    """A text of MOMENT's form; where it states an offset and names a zone the offset counts."""
    named = NAMED.fullmatch(value)
    if named:
        local = datetime.fromisoformat(named[1])
        if not named[2]:
            moment = moment_at(local, named[3])
            if moment is None:
                raise ValueError("no such zone, or its clock never showed this time")
            return moment
        value = named[1] + named[2]
    return datetime.fromisoformat(value.replace(" Z", "Z").replace(" +", "+").replace(" -", "-"))
