"""How files are to be read where they do not say it themselves, and words that mean the same.

>>> Import(dates="day_first", zones={"BST": "+01:00"}).zone_minutes()
{'BST': 60}
>>> Import(zones={"BST": "one hour"})
Traceback (most recent call last):
...
data.errors.SettingsError: zones: BST is 'one hour', but must be an offset such as "+01:00"
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from data.errors import SettingsError
from data.setting_checks import setting


def _words(comment: str) -> Mapping[str, str]:
    return field(default_factory=lambda: MappingProxyType({}), metadata={"comment": comment})


@dataclass(frozen=True)
class Import:
    """How values are written in files, and which channels, topics and statuses are one."""

    dates: Literal["", "day_first", "month_first"] = setting(
        "", "what 03/04/2025 means: day_first or month_first; empty: such dates are refused"
    )
    time_formats: tuple[str, ...] = setting(
        (), "strptime formats of times that are not ISO 8601, e.g. '%d.%m.%y %H:%M'"
    )
    zones: Mapping[str, str] = _words(
        'what a zone\'s abbreviation means in these files, e.g. {BST = "+01:00"}'
    )
    numbers: Literal["", "1,234.5", "1.234,5", "1 234,5"] = setting(
        "", "how amounts are written, with or without a currency sign; empty: as 1234.5"
    )
    ids: Literal["", "unpadded"] = setting(
        "", "unpadded: ids of digits lose their leading zeros, so 00001 is 1"
    )
    delimiter: str = setting("", "between the columns of a CSV; empty: found")
    encoding: str = setting("", "of CSV files; empty: found (UTF-8, UTF-16, else Windows-1252)")
    channels: Mapping[str, str] = _words('channels under other names, e.g. {Web = "email"}')
    topics: Mapping[str, str] = _words("topics under other names")
    statuses: Mapping[str, str] = _words(
        "what a help desk's own status means in an import: open, solved, closed, deleted or spam"
    )

    def __post_init__(self) -> None:
        self.zone_minutes()
        if self.delimiter and len(self.delimiter) != 1:
            raise SettingsError(f"delimiter is {self.delimiter!r}, but must be one character")
        if self.encoding:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise SettingsError(
                    f'encoding is {self.encoding!r}, which is none; one is "utf-8" or "cp1252"'
                ) from None
        for layout in self.time_formats:
            if "%" not in layout:
                raise SettingsError(
                    f"time_formats holds {layout!r}, which has no %; one is '%d.%m.%Y %H:%M'"
                )
        known = ("open", "solved", "closed", "deleted", "spam")
        for status, meaning in self.statuses.items():
            if meaning not in known:
                raise SettingsError(
                    f"statuses: {status} is {meaning!r}, but must be one of {', '.join(known)}"
                )

    def of_posted(self) -> Import:
        """The same for posted rows, whose values are written in one way already."""
        return Import(ids=self.ids, channels=self.channels, topics=self.topics)

    def zone_minutes(self) -> dict[str, int]:
        """Minutes east of Greenwich by abbreviation."""
        out = {}
        for name, text in self.zones.items():
            offset = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", text)
            if not offset or not re.fullmatch(r"[A-Za-z]{2,5}", name):
                raise SettingsError(
                    f'zones: {name} is {text!r}, but must be an offset such as "+01:00"'
                )
            minutes = int(offset[2]) * 60 + int(offset[3])
            out[name.upper()] = minutes if offset[1] == "+" else -minutes
        return out
