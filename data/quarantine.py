"""Rows that break the contract, kept by name: ``.presage/quarantine/NAME.parquet``.

Each has table, file, row, column, rule and the value found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data.clean import TEXT_OF, Rule
from data.contract import table
from data.engines import literal, quoted
from data.files import replacing
from data.folder import Folder

if TYPE_CHECKING:
    import duckdb

    from data.violations import Violation


def write_quarantine(
    con: duckdb.DuckDBPyConnection,
    workspace: Folder,
    relation: duckdb.DuckDBPyRelation,
    name: str,
    errors: Sequence[Rule],
    doubled: duckdb.DuckDBPyRelation | None,
    broken_lines: Sequence[Violation],
) -> None:
    """Write ``.presage/quarantine/NAME.parquet``: table, file, row, column, rule, value."""
    parts = [
        relation.filter(rule.condition).project(_quarantine_row(name, rule.column, rule.name))
        for rule in errors
    ]
    if doubled is not None:
        key = table(name).key[0]
        parts.append(doubled.project(_quarantine_row(name, key, "duplicate key")))
    if broken_lines:
        parts.append(_lines_of(con, name, broken_lines))
    if not parts:
        return
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.union(part)
    with replacing(_quarantine_file(workspace, name)) as staged:
        whole.to_parquet(str(staged), compression="zstd")


def _lines_of(
    con: duckdb.DuckDBPyConnection, name: str, lines: Sequence[Violation]
) -> duckdb.DuckDBPyRelation:
    import pyarrow as pa

    text = pa.string()
    columns = {
        "table": pa.array([name] * len(lines), text),
        "file": pa.array([line.file for line in lines], text),
        "row": pa.array([line.row for line in lines], pa.int64()),
        "column": pa.array([None] * len(lines), text),
        "rule": pa.array([line.rule for line in lines], text),
        "value": pa.array([line.value for line in lines], text),
    }
    con.register(f"broken_{name}", pa.table(columns))
    return con.table(f"broken_{name}")


def _quarantine_row(name: str, column: str, rule: str) -> str:
    return (
        f'{literal(name)} AS "table", file, "row", {literal(column)} AS "column", '
        f'{literal(rule)} AS "rule", {quoted(TEXT_OF + column)} AS "value"'
    )


def _quarantine_file(workspace: Folder, name: str) -> Path:
    return workspace.state_dir / "quarantine" / f"{name}.parquet"


def forget_quarantine(workspace: Folder, name: str) -> None:
    _quarantine_file(workspace, name).unlink(missing_ok=True)
