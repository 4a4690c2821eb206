"""What an adapter is, and what it hands over.

An adapter turns one export into frames of the contract's tables, the settings that the export
decides (when its data end, the zone of its clock, the country of its holidays) and notes: every
row that found no place in a table is counted there, by name. It writes nothing;
``data.adapters.importing.run_import`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from data.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

COMMON_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "which": "the file to read, where SOURCE is a folder of several",
        "complete_to": "the moment (UTC) up to which the export is complete, instead of the "
        "adapter's own finding",
        "dates": "day_first or month_first, where 03/04/2025 could be either",
    }
)
"""Options that every adapter takes."""


@dataclass(frozen=True)
class Imported:
    """An export in the contract's form.

    ``tables`` maps names of contract tables to frames whose times are naive UTC; ``settings``
    maps dotted keys of presage.toml to values. ``first_seen`` names tables whose birth is only
    the first sight in this export (customers of a log without a customer file): importing a
    later export beside it must keep the earlier birth. ``set_aside``: by table the rows that
    broke the contract (table, file, row, column, rule, value, fix). ``cursors``: how far a database
    was read, by what was read.
    """

    tables: dict[str, pd.DataFrame]
    settings: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    first_seen: tuple[str, ...] = ()
    set_aside: dict[str, pd.DataFrame] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapter:
    """One export format, known by name; its module is loaded when it reads."""

    name: str
    describe: str
    module: str
    own_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> Mapping[str, str]:
        """Every option and what it does."""
        return {**COMMON_OPTIONS, **self.own_options}

    def read(self, source: Path | str, options: Mapping[str, str] | None = None) -> Imported:
        """The export at ``source`` in the contract's form.

        Raises UsageError for an unknown option or a source that is not there, DataError for a
        file that is not of this format, with file, row and column.
        """
        return self.of_options(source, self.checked(options))

    def checked(self, options: Mapping[str, str] | None) -> dict[str, str]:
        """The options as they were given; UsageError for one that the adapter does not have."""
        chosen = dict(options or {})
        for name in chosen:
            if name not in self.options:
                raise UsageError(
                    f'{self.name} has no option "{name}".{did_you_mean(name, self.options)} '
                    f"It has: {', '.join(self.options)}"
                )
        if chosen.get("dates", "day_first") not in ("day_first", "month_first"):
            raise UsageError(f'dates="{chosen["dates"]}" is neither day_first nor month_first')
        return chosen

    def of_options(self, source: Path | str, options: Mapping[str, str]) -> Imported:
        """``read`` with options that were looked at."""
        read = cast(
            "Callable[[Path, Mapping[str, str]], Imported]", import_module(self.module).read
        )
        return read(Path(source), options)


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    ``rows`` per table as the export gave them, ``total_rows`` as the tables hold now; the
    ``settings`` written; ``notes`` count what found no place and what was assumed.
    """

    adapter: str
    source: str
    workspace: Path
    rows: Mapping[str, int]
    total_rows: Mapping[str, int]
    settings: Mapping[str, object]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """The report for machines."""
        return {
            "adapter": self.adapter,
            "source": self.source,
            "workspace": str(self.workspace),
            "rows": dict(self.rows),
            "total_rows": dict(self.total_rows),
            "settings": dict(self.settings),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """The report for people."""
        tables = [
            f"{name}: {rows:,} rows read, {self.total_rows[name]:,} in the table"
            for name, rows in self.rows.items()
        ]
        stated = [
            f"presage.toml: {name} = {_shown(value)}" for name, value in self.settings.items()
        ]
        return [*tables, *stated, *(f"note: {note}" for note in self.notes)]


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
