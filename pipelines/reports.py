"""What `presage check` found, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict

from data.check import Report
from pipelines.console import Result

MISSING = 8
"""Columns and tables that are named where more are missing."""


def check_result(
    report: Report, limit: int, names: int = 0, missing: list[tuple[str, int]] | None = None
) -> Result:
    """Counts by table and rule, then the first ``limit`` violations; exit 1 if any rule is broken.

    ``counts`` tells of every violation, listed or not. ``names``: how many features there are, if
    the tables can give some; ``missing``: what would give more of them.
    """
    counted = [
        {"table": table, "column": column, "rule": rule, "rows": rows}
        for (table, column, rule), rows in report.counts.items()
    ]
    lines = [f"{name}: {rows} rows" for name, rows in report.rows.items()]
    lines += [
        f"{name}: {rows} rows quarantined in .presage/quarantine/"
        for name, rows in report.quarantined.items()
    ]
    shown = report.violations[:limit]
    lines += [f"{v.severity}: {v}" for v in shown]
    if len(report.violations) > len(shown):
        lines.append(f"... and {len(report.violations) - len(shown)} more (--limit shows them)")
    if missing is not None:
        lines.append(features_line(names, missing))
    errors = len(report.errors)
    lines.append("the tables keep the contract" if report.ok else f"{errors} violations listed")
    data = {
        "ok": report.ok,
        "rows": dict(report.rows),
        "quarantined": dict(report.quarantined),
        "counts": counted,
        "violations": [asdict(v) for v in report.violations],
        "features": names,
        "missing": [{"name": name, "features": count} for name, count in missing or ()],
    }
    return Result(data, lines, exit_code=0 if report.ok else 1)


def features_line(names: int, missing: list[tuple[str, int]]) -> str:
    """How many features these tables give, and what would give more."""
    if not missing:
        return f"{names} features: no column or table is missing that would give more"
    shown = [f"{count} more with {name}" for name, count in missing[:MISSING]]
    rest = len(missing) - len(shown)
    more = f", and {rest} others" if rest else ""
    return f"{names} features from these tables; there would be {', '.join(shown)}{more}"
