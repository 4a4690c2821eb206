"""What `presage check` found, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict

from data.violations import Report, Violation
from pipelines.console import Result

MISSING = 8
"""Columns and tables that are named where more are missing."""
ALIKE, ROWS = 3, 10
"""Violations alike that are shown in full, and rows of the others that are named."""


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
    lines += violation_lines(report, limit)
    if missing is not None:
        lines.append(features_line(names, missing))
    errors = len(report.errors)
    empty = not report.rows and report.ok
    if empty:
        lines.append(
            "no table has a row: put files such as tables/tickets.csv there, or run "
            "`presage import`; nothing was checked"
        )
    elif report.ok:
        lines.append("the tables keep the contract")
    else:
        lines.append(f"{errors} violations listed")
    ok = report.ok and not empty
    data = {
        "ok": ok,
        "rows": dict(report.rows),
        "quarantined": dict(report.quarantined),
        "counts": counted,
        "violations": [asdict(v) for v in report.violations],
        "features": names,
        "missing": [{"name": name, "features": count} for name, count in missing or ()],
    }
    return Result(data, lines, exit_code=0 if ok else 1)


def violation_lines(report: Report, limit: int) -> list[str]:
    """The first ``limit`` violations, those of one file, column and rule together: a line for the
    first ``ALIKE`` of them, and one that counts the others and names their rows."""
    groups: dict[tuple[object, ...], list[Violation]] = {}
    for one in report.violations[:limit]:
        alike = (one.table, one.file, one.column, one.rule, one.severity)
        groups.setdefault(alike if one.row is not None else (id(one),), []).append(one)
    lines = []
    for members in groups.values():
        lines += [f"{v.severity}: {v}" for v in members[:ALIKE]]
        rest = members[ALIKE:]
        first = members[0]
        known = report.counts.get((first.table, first.column or "", first.rule), len(members))
        if rest:
            rows = ", ".join(str(v.row) for v in rest[:ROWS]) + (", ..." if rest[ROWS:] else "")
            of_all = f" ({known:,} in {first.table} in all)" if known > len(members) else ""
            lines.append(
                f"{first.severity}: {first.file}: {first.column}: {first.rule}: {len(rest):,} more "
                f"rows: {rows}{of_all}"
            )
    if len(report.violations) > limit:
        lines.append(f"... and {len(report.violations) - limit} more (--limit shows them)")
    return lines


def features_line(names: int, missing: list[tuple[str, int]]) -> str:
    """How many features these tables give, and what would give more."""
    if not missing:
        return f"{names} features: no column or table is missing that would give more"
    shown = [f"{count} more with {name}" for name, count in missing[:MISSING]]
    rest = len(missing) - len(shown)
    more = f", and {rest} others" if rest else ""
    return f"{names} features from these tables; there would be {', '.join(shown)}{more}"
