"""One breach of the contract, and the report of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

UNPLACED = ("unreadable", "missing column", "unknown column", "stray file", "how it is read")
"""Rules whose text says all."""
BROKEN_LINE = "broken line"


@dataclass(frozen=True)
class Violation:
    """One row, or table, that breaks a rule; ``series``: whose count it is, in ``volumes``."""

    table: str
    file: str
    row: int | None
    column: str | None
    rule: str
    value: str | None
    fix: str
    severity: Severity = "error"
    series: str | None = None

    def __str__(self) -> str:
        where = self.file + (f" row {self.row}" if self.row is not None else "")
        where += f" (series {self.series!r})" if self.series is not None else ""
        what = f"{self.column}: " if self.column else ""
        value = f" (found {self.value!r})" if self.value is not None else ""
        if self.rule in UNPLACED:
            return self.fix
        return f"{where}: {what}{self.rule}{value}; {self.fix}"


@dataclass(frozen=True)
class Report:
    """What ``presage check`` found. ``counts``: rows per (table, column, rule), listed or not."""

    violations: tuple[Violation, ...]
    counts: Mapping[tuple[str, str, str], int]
    rows: Mapping[str, int]
    quarantined: Mapping[str, int]

    @property
    def errors(self) -> tuple[Violation, ...]:
        return tuple(v for v in self.violations if v.severity == "error")

    @property
    def warnings(self) -> tuple[Violation, ...]:
        return tuple(v for v in self.violations if v.severity == "warning")

    @property
    def ok(self) -> bool:
        """Whether no rule is broken; warnings are no breach."""
        return not self.errors
