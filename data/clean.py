"""A source file as a typed relation, and the contract's rules as conditions over it.

Everything here is an expression that DuckDB evaluates over whole columns, so ten million rows
cost seconds. A source becomes a relation with ``file``, ``row`` (the first data row is 1),
``_row`` (position in the union of all sources) and for every column of the contract that it has
two: the typed value under the column's name, and the text as found under ``found:NAME``.
"""

from __future__ import annotations

import csv
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data.contract import Column, DType, Table
from data.engines import literal, quoted
from data.errors import DataError, did_you_mean
from data.tables import FALSE_WORDS, TRUE_WORDS
from data.values import FIRST_YEAR, LARGEST, LAST_YEAR

if TYPE_CHECKING:
    import duckdb

FOUND = "found:"
SQL_TYPES: dict[DType, str] = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "float": "DOUBLE",
    "integer": "BIGINT",
    "bool": "BOOLEAN",
    "strings": "VARCHAR[]",
}
WANTED: dict[DType, str] = {
    "string": "text",
    "timestamp": "a UTC time such as 2026-03-01T00:00:00",
    "float": "a finite number",
    "integer": "a whole number",
    "bool": "true or false",
    "strings": "a list of texts",
}
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE")
MAY_LIE_AHEAD = frozenset({"calendar", "agents", "articles"})
"""Tables whose births may lie ahead: what is planned."""


@dataclass(frozen=True)
class Rule:
    """One rule: the rows for which ``condition`` holds break it."""

    column: str
    name: str
    condition: str
    fix: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Source:
    """One readable source of a table: its relation, the contract's columns it has, the others."""

    label: str
    relation: duckdb.DuckDBPyRelation
    types: dict[str, str]
    rows: int


def open_source(con: duckdb.DuckDBPyConnection, path: Path, label: str) -> Source:
    """The file as a relation of ``row`` and its own columns; DataError if it cannot be read."""
    if path.suffix == ".csv":
        return _open_csv(con, path, label)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_metadata(path).num_rows
        relation = con.read_parquet(str(path), file_row_number=True)
        relation = relation.project("*, file_row_number + 1 AS row").project(
            "* EXCLUDE (file_row_number)"
        )
        types = {
            column: str(kind).strip('"')
            for column, kind in zip(relation.columns, relation.types, strict=True)
            if column != "row"
        }
    except (pa.ArrowException, _duckdb_error(), OSError) as error:
        told = str(error).splitlines()[0]
        raise DataError(f"{label} is no readable Parquet file: {told}") from None
    return Source(label, relation, types, rows)


def _duckdb_error() -> type[Exception]:
    import duckdb

    return duckdb.Error


def _open_csv(con: duckdb.DuckDBPyConnection, path: Path, label: str) -> Source:
    _check_encoding(path, label)
    with path.open(newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file), [])
    if not header:
        raise DataError(f"{label} is empty: it has not even a header line")
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and mark in header[0]:
            raise DataError(
                f"{label} is separated by {name}; save it with commas, the decimal sign a point"
            )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{label} has the column {twice[0]!r} more than once")
    try:
        relation = con.read_csv(
            str(path), header=True, sep=",", quotechar='"', escapechar='"', all_varchar=True
        )
        # materialised once: it is scanned several times, and the row numbers must stay
        name = f"csv_{abs(hash(str(path)))}"
        relation.project("*, row_number() OVER () AS row").create(name)
        relation = con.table(name)
        rows = int(relation.count("*").fetchall()[0][0])
    except _duckdb_error() as error:
        told = next((line for line in str(error).splitlines() if line.strip()), "unknown")
        raise DataError(f"{label} is no readable CSV file: {told}") from None
    return Source(label, relation, dict.fromkeys(header, "VARCHAR"), rows)


def _check_encoding(path: Path, label: str) -> None:
    with path.open("rb") as file:
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{label} is UTF-16; save it as UTF-8")
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{label} line {number}: byte 0x{line[error.start]:02x} is not UTF-8 "
                    "(it looks like Latin-1 or Windows-1252); save the file as UTF-8"
                ) from None


def missing_columns(contract: Table, have: Sequence[str], label: str) -> list[str]:
    """One message for each required column that is not there."""
    return [
        f"{label}: the required column {column!r} is missing.{did_you_mean(column, have)}"
        for column in contract.required
        if column not in have
    ]


def typed(source: Source, contract: Table, attributes: Sequence[str], offset: int) -> str:
    """The projection that types a source; ``offset`` is the number of rows before it."""
    parts = [
        f"{literal(source.label)} AS file",
        'CAST("row" AS BIGINT) AS "row"',
        f'CAST("row" - 1 + {offset} AS BIGINT) AS _row',
    ]
    for spec in contract.columns:
        if spec.name in source.types:
            parts += [
                f"{typed_value(spec.name, spec.dtype, source.types[spec.name])} "
                f"AS {quoted(spec.name)}",
                f"{found_text(spec.name, source.types[spec.name])} AS {quoted(FOUND + spec.name)}",
            ]
        else:
            parts += [
                f"CAST(NULL AS {SQL_TYPES[spec.dtype]}) AS {quoted(spec.name)}",
                f"CAST(NULL AS VARCHAR) AS {quoted(FOUND + spec.name)}",
            ]
    for attribute in attributes:
        kind = source.types.get(attribute)
        value = found_text(attribute, kind) if kind else "CAST(NULL AS VARCHAR)"
        parts.append(f"{value} AS {quoted(attribute)}")
    return ", ".join(parts)


def found_text(name: str, kind: str) -> str:
    """The value as the text it was found as; empty text and NaN are null."""
    column = quoted(name)
    if kind in ("FLOAT", "DOUBLE"):  # 7.0, an integer beside a null, is 7
        return (
            f"CASE WHEN isnan({column}) THEN NULL "
            f"WHEN {column} = floor({column}) AND abs({column}) < 1e15 "
            f"THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
        )
    return f"nullif(CAST({column} AS VARCHAR), '')"


def typed_value(name: str, dtype: DType, kind: str) -> str:
    """The SQL expression of a column's value in its contract type; null where it cannot be."""
    column = quoted(name)
    number = kind.startswith(NUMBERS) or kind.startswith("U")
    nothing = f"CAST(NULL AS {SQL_TYPES[dtype]})"
    if kind == "NULL":
        return nothing
    if dtype == "string":
        nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "BLOB"))
        return nothing if nested else found_text(name, kind)
    if dtype == "timestamp":
        if kind == "VARCHAR":
            parsed = f"CAST(try_cast(trim({column}) AS TIMESTAMPTZ) AS TIMESTAMP)"
            return f"CASE WHEN isfinite({parsed}) THEN {parsed} END"
        return f"CAST({column} AS TIMESTAMP)" if kind.startswith(("TIMESTAMP", "DATE")) else nothing
    if dtype in ("float", "integer"):
        if not number and kind != "VARCHAR":
            return nothing
        value = f"try_cast({column} AS DOUBLE)"
        finite = f"CASE WHEN isfinite({value}) THEN {value} END"
        return finite if dtype == "float" else f"try_cast({finite} AS BIGINT)"
    if dtype == "bool":
        if kind == "BOOLEAN":
            return column
        if number:
            return f"CASE {column} WHEN 1 THEN true WHEN 0 THEN false END"
        word = f"lower(trim({column}))"
        yes = ", ".join(literal(w) for w in sorted(TRUE_WORDS))
        no = ", ".join(literal(w) for w in sorted(FALSE_WORDS))
        return (
            f"CASE WHEN {word} IN ({yes}) THEN true WHEN {word} IN ({no}) THEN false END"
            if kind == "VARCHAR"
            else nothing
        )
    if kind == "VARCHAR":
        words = f"list_transform(string_split({column}, ','), lambda x: trim(x))"
        return f"CASE WHEN {column} <> '' THEN list_filter({words}, lambda x: x <> '') END"
    return f"CAST({column} AS VARCHAR[])" if kind.endswith("[]") else nothing


def rules(contract: Table, have: Sequence[str], limit: datetime) -> list[Rule]:
    """The contract's rules over a typed relation; nothing is born after ``limit`` (naive UTC)."""
    found: list[Rule] = []
    for spec in contract.columns:
        if spec.name in have:
            found += _column_rules(contract, spec)
    moment = f"TIMESTAMP {literal(limit.isoformat(sep=' '))}"
    born = contract.birth or ("ds" if contract.name == "volumes" else None)
    ahead = f"the newest moment that is known here is {limit:%Y-%m-%d %H:%M:%S} UTC"
    if born and contract.name not in MAY_LIE_AHEAD:
        found.append(
            Rule(born, "future", f"{quoted(born)} > {moment}", f"{ahead}; correct the time")
        )
    if "recorded_at" in have:
        found.append(
            Rule("recorded_at", "future", f"recorded_at > {moment}", f"{ahead}; correct the time")
        )
    if {"starts_at", "ends_at"} <= set(have):
        found.append(
            Rule("ends_at", "ends before it starts", "ends_at < starts_at", "exchange the two")
        )
    for spec in contract.columns:
        if spec.known_at == spec.name and spec.name in have and contract.birth:
            column, birth = quoted(spec.name), quoted(contract.birth)
            found.append(
                Rule(
                    spec.name,
                    f"before {contract.birth}",
                    f"{column} < {birth}",
                    "it is read as it stands",
                    "warning",
                )
            )
    return found


def _column_rules(contract: Table, spec: Column) -> list[Rule]:
    column, text = quoted(spec.name), quoted(FOUND + spec.name)
    found = []
    nothing = f"{column} IS NULL AND ({text} IS NULL"
    if spec.dtype in ("float", "integer"):
        nothing += f" OR lower({text}) = 'nan'"
    if spec.required:
        what = "is part of the key" if spec.name in contract.key else "is required"
        found.append(
            Rule(spec.name, "null", f"{nothing})", f"{spec.name} {what}: fill it in the export")
        )
    found.append(
        Rule(
            spec.name,
            "type",
            f"{column} IS NULL AND NOT ({nothing}))",
            f"{spec.name} must be {WANTED[spec.dtype]}",
        )
    )
    if spec.dtype == "timestamp":
        years = f"after {FIRST_YEAR} and before {LAST_YEAR}"
        inside = f"{column} BETWEEN '{FIRST_YEAR + 1}-01-01' AND '{LAST_YEAR - 1}-12-31 23:59:59'"
        fix = f"times lie {years}: leave empty what has not happened"
        found.append(Rule(spec.name, "year", f"NOT ({inside})", fix))
    if spec.dtype in ("float", "integer"):
        fix = f"numbers are nearer to 0 than {LARGEST:g}: correct the value"
        found.append(Rule(spec.name, "size", f"abs({column}) >= {LARGEST}", fix))
    if spec.minimum is not None:
        found.append(
            Rule(spec.name, "minimum", f"{column} < {spec.minimum}", f"at least {spec.minimum:g}")
        )
    if spec.maximum is not None:
        found.append(
            Rule(spec.name, "maximum", f"{column} > {spec.maximum}", f"at most {spec.maximum:g}")
        )
    if spec.choices:
        choices = ", ".join(literal(choice) for choice in spec.choices)
        found.append(
            Rule(
                spec.name,
                "choice",
                f"{column} NOT IN ({choices})",
                f"one of {', '.join(spec.choices)}",
            )
        )
    if spec.name == "time_zone":
        zones = ", ".join(literal(zone) for zone in sorted(zoneinfo.available_timezones()))
        found.append(
            Rule(
                spec.name,
                "time zone",
                f"{column} NOT IN ({zones})",
                "an IANA name such as Europe/Oslo",
            )
        )
    return found
