"""What `presage check` found, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict

from data.check import Report
from pipelines.console import Result


def check_result(report: Report, limit: int) -> Result:
    """Counts by table and rule, then the first ``limit`` violations; exit 1 if any rule is broken.

    ``counts`` tells of every violation, listed or not.
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
    found = len(report.errors)
    lines.append("the tables keep the contract" if report.ok else f"{found} violations listed")
    data = {
        "ok": report.ok,
        "rows": dict(report.rows),
        "quarantined": dict(report.quarantined),
        "counts": counted,
        "violations": [asdict(v) for v in report.violations],
    }
    return Result(data, lines, exit_code=0 if report.ok else 1)
