"""A source as a typed relation, and the contract's rules as conditions over it.

Everything here is an expression that DuckDB evaluates over whole columns, so ten million rows
cost seconds. A source becomes a relation with ``file``, ``row`` (the first data row is 1),
``_row`` (position in the union of all sources) and for every column of the contract that it has
two: the typed value under the column's name, and the text as found under ``found:NAME``.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from data.contract import Column, DType, Table
from data.engines import literal, quoted
from data.errors import did_you_mean
from data.plain import FEW, Plain, plain_columns, plain_sql
from data.settings_import import Import
from data.source_files import Source
from data.tables import dates_of
from data.times import ABBREVIATED, AMBIGUOUS, SHEET_DAYS, Shapes, shapes_of, time_sql
from data.values import FIRST_YEAR, LARGEST, LAST_YEAR, UNSET
from data.words import (
    BLANKS,
    NO_ID,
    NO_VALUE,
    NO_WORD,
    SHORTENED,
    WRITTEN,
    flag_sql,
    is_id,
    number_sql,
    one_of,
    text_sql,
    word_sql,
)
from data.zones import NAMED, repeated_sql

if TYPE_CHECKING:
    import duckdb

    from data.store import Erased

TEXT_OF = "found:"
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


def missing_columns(contract: Table, have: Sequence[str], label: str) -> list[str]:
    """One message for each required column that is not there."""
    return [
        f"{label}: the required column {column!r} is missing.{did_you_mean(column, have)}"
        for column in contract.required
        if column not in have
    ]


def typed(
    source: Source,
    contract: Table,
    attributes: Sequence[str],
    offset: int,
    reading: Import | None = None,
    plain: Mapping[str, Plain] | None = None,
    shapes: Mapping[str, Shapes] | None = None,
) -> str:
    """The projection that types a source; ``offset`` is the number of rows before it, ``reading``
    how its values are written, ``plain`` the columns that need no care and ``shapes`` those of its
    times, if they were looked at."""
    reading, plain = reading or Import(), plain or {}
    shapes = time_shapes(source, contract, plain) if shapes is None else shapes
    parts = [
        f"{literal(source.label)} AS file",
        'CAST("row" AS BIGINT) AS "row"',
        f'CAST("row" - 1 + {offset} AS BIGINT) AS _row',
    ]
    for spec in contract.columns:
        if spec.name in source.types:
            kind = source.types[spec.name]
            care = typed_value(spec, kind, reading, shapes)
            is_plain = spec.name in plain  # no plain text is empty
            text = quoted(spec.name) if is_plain else text_sql(spec.name, kind)
            parts += [
                f"{plain_sql(spec) if is_plain else care} AS {quoted(spec.name)}",
                f"{text} AS {quoted(TEXT_OF + spec.name)}",
            ]
        else:
            parts += [
                f"CAST(NULL AS {SQL_TYPES[spec.dtype]}) AS {quoted(spec.name)}",
                f"CAST(NULL AS VARCHAR) AS {quoted(TEXT_OF + spec.name)}",
            ]
    for attribute in attributes:
        own = source.types.get(attribute)
        value = text_sql(attribute, own) if own else "CAST(NULL AS VARCHAR)"
        parts.append(f"{value} AS {quoted(attribute)}")
    return ", ".join(parts)


def plain_of(source: Source, contract: Table, reading: Import) -> dict[str, Plain]:
    """The columns of a source that need no care; none where it is too small to be worth a look."""
    if source.rows <= FEW:
        return {}
    return plain_columns(source.relation, contract, source.types, reading)


def time_shapes(source: Source, contract: Table, plain: Mapping[str, Plain]) -> dict[str, Shapes]:
    """The shapes of the times in a source's columns of text."""
    names = [c.name for c in contract.columns if c.dtype == "timestamp"]
    texts = [name for name in names if source.types.get(name) == "VARCHAR" and name not in plain]
    known = {n: Shapes(plain[n].zoned, plain[n].naive, 0) for n in names if n in plain}
    return {**known, **shapes_of(source.relation, texts)}


def typed_value(column: Column, kind: str, reading: Import, shapes: Mapping[str, Shapes]) -> str:
    """The SQL expression of a column's value in its contract type; null where it cannot be."""
    name, dtype = column.name, column.dtype
    number = kind.startswith(NUMBERS) or kind.startswith("U")
    nothing = f"CAST(NULL AS {SQL_TYPES[dtype]})"
    if kind == "NULL":
        return nothing
    if dtype == "string":
        nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "BLOB"))
        return nothing if nested else word_sql(column, kind, reading)
    if dtype == "timestamp":
        usual = name in shapes and not shapes[name].odd
        return time_sql(quoted(name), kind, reading, usual) or nothing
    if dtype in ("float", "integer"):
        if not number and kind != "VARCHAR":
            return nothing
        finite = number_sql(name, kind, reading)
        return finite if dtype == "float" else f"try_cast({finite} AS BIGINT)"
    if dtype == "bool":
        return flag_sql(name, kind, number)
    listed = quoted(name)
    if kind == "VARCHAR":
        words = f"list_transform(string_split({listed}, ','), lambda x: trim(x))"
        return f"CASE WHEN {listed} <> '' THEN list_filter({words}, lambda x: x <> '') END"
    return f"CAST({listed} AS VARCHAR[])" if kind.endswith("[]") else nothing


def date_attributes(
    name: str, stated: Sequence[str], there: Sequence[str], reading: Import
) -> dict[str, str]:
    """The expressions of a table's attributes that ``[data] attributes`` says are dates; null where
    a value is none, or lies outside the years of the contract."""
    first, last = f"TIMESTAMP '{FIRST_YEAR + 1}-01-01'", f"TIMESTAMP '{LAST_YEAR}-01-01'"
    expressions = {}
    for column in dates_of(name, stated):
        if column in there:
            time = time_sql(quoted(column), "VARCHAR", reading, False)
            expressions[column] = f"CASE WHEN {time} >= {first} AND {time} < {last} THEN {time} END"
    return expressions


def without_erased(
    relation: duckdb.DuckDBPyRelation, have: Sequence[str], erased: Erased | None
) -> tuple[duckdb.DuckDBPyRelation, int]:
    """The rows that name nobody who was erased, and how many others there are."""
    condition = erased.condition(have) if erased else None
    if condition is None:
        return relation, 0
    count = int(relation.filter(condition).count("*").fetchall()[0][0])
    return (relation.filter(f"NOT ({condition})") if count else relation), count


def rules(
    contract: Table, have: Sequence[str], limit: datetime, plain: Collection[str] = ()
) -> list[Rule]:
    """The contract's rules over a typed relation; nothing is born after ``limit`` (naive UTC). Of
    columns that are ``plain`` those that a plain value can break."""
    table_rules: list[Rule] = []
    for spec in contract.columns:
        if spec.name in have:
            table_rules += _column_rules(contract, spec, spec.name in plain)
    moment = f"TIMESTAMP {literal(limit.isoformat(sep=' '))}"
    born = contract.birth or ("ds" if contract.name == "volumes" else None)
    ahead = f"the newest moment that is known here is {limit:%Y-%m-%d %H:%M:%S} UTC"
    if born and contract.name not in MAY_LIE_AHEAD:
        table_rules.append(
            Rule(born, "future", f"{quoted(born)} > {moment}", f"{ahead}; correct the time")
        )
    if "recorded_at" in have:
        table_rules.append(
            Rule("recorded_at", "future", f"recorded_at > {moment}", f"{ahead}; correct the time")
        )
    if {"starts_at", "ends_at"} <= set(have):
        table_rules.append(
            Rule("ends_at", "ends before it starts", "ends_at < starts_at", "exchange the two")
        )
    for spec in contract.columns:
        if spec.known_at == spec.name and spec.name in have and contract.birth:
            column, birth = quoted(spec.name), quoted(contract.birth)
            table_rules.append(
                Rule(
                    spec.name,
                    f"before {contract.birth}",
                    f"{column} < {birth}",
                    "it is read as it stands",
                    "warning",
                )
            )
    return table_rules


def _reads_as_missing(spec: Column, column: str, text: str) -> str | None:
    """Where a text stands for no value (NULL, nan, None, blanks); None: not in this column."""
    if spec.dtype in ("timestamp", "float", "integer", "bool"):
        bare = f"lower(trim({text}, {literal(BLANKS)}))"
        return f"({column} IS NULL AND {bare} <> 'nan' AND {one_of(bare, NO_VALUE)})"
    if spec.dtype != "string" or spec.name in WRITTEN or spec.name == "unique_id":
        return None
    if is_id(spec):
        bare = f"lower(trim({text}, {literal(BLANKS)}))"
        return f"({column} IS NULL AND coalesce({one_of(bare, ('', *NO_ID))}, false))"
    return f"({column} IS NULL AND coalesce({one_of(text, NO_WORD)}, false))"


def _where(rows: str, condition: str) -> str:
    """The condition, worked out for these rows only. (Of ``AND`` in a count's filter the engine
    works out both sides for every row.)"""
    return f"CASE WHEN {rows} THEN {condition} ELSE false END"


def _column_rules(contract: Table, spec: Column, plain: bool) -> list[Rule]:
    column, text = quoted(spec.name), quoted(TEXT_OF + spec.name)
    lost = f"{column} IS NULL AND {text} IS NOT NULL"
    column_rules = []
    nothing = f"{column} IS NULL AND ({text} IS NULL"
    if not plain and spec.dtype in ("float", "integer"):
        nothing += f" OR trim({text}) = '' OR lower(trim({text})) = 'nan'"
    if spec.dtype in ("timestamp", "bool") and not plain:
        nothing += f" OR trim({text}) = ''"
    missing = None if plain else _reads_as_missing(spec, column, text)
    if missing is not None:
        nothing += f" OR {missing}"
    if spec.name in contract.key:
        written = text if plain else f"trim({text}, {literal(BLANKS)})"
        header = f"{written} = {literal(spec.name)}"
        fix = "a header stands among the rows, as where parts were put together: take it out"
        column_rules.append(Rule(spec.name, "header", header, fix))
    if spec.required:
        what = "is part of the key" if spec.name in contract.key else "is required"
        column_rules.append(
            Rule(
                spec.name,
                "null",
                _where(f"{column} IS NULL", f"{nothing})"),
                f"{spec.name} {what}: fill it in the export",
            )
        )
    unread = f"{column} IS NULL AND NOT ({nothing}))"
    if spec.dtype == "timestamp" and not plain:
        written = f"trim({text}, {literal(BLANKS)})"
        shapes = (
            (
                "ambiguous date",
                f"regexp_full_match({written}, {literal(AMBIGUOUS)})",
                'say how dates are written: [import] dates = "day_first" or "month_first", or '
                "time_formats",
            ),
            (
                "ambiguous zone",
                f"regexp_full_match({written}, {literal(ABBREVIATED)})",
                "several countries use it: [import] zones says what it means here",
            ),
            (
                "unknown zone",
                f"regexp_full_match({written}, {literal(NAMED)})",
                "the IANA list has no zone of this name, or its clock skipped this time: write "
                "the offset, as +01:00",
            ),
            (
                "day number",
                f"regexp_full_match({written}, {literal(SHEET_DAYS)})",
                "a spreadsheet counts days from 1900 or from 1904: give the cells a date format",
            ),
        )
        for name, shape, fix in shapes:
            column_rules.append(Rule(spec.name, name, _where(lost, f"{unread} AND {shape}"), fix))
            unread += f" AND NOT {shape}"
        column_rules.append(
            Rule(
                spec.name,
                "repeated hour",
                _where(
                    f"{column} IS NOT NULL AND contains({text}, '/')",
                    f"regexp_full_match({written}, {literal(NAMED)}) AND "
                    f"coalesce({repeated_sql(column, text)}, false)",
                ),
                "the clock shows this time twice: it is read as the first; write the offset",
                "warning",
            )
        )
    fix = f"{spec.name} must be {WANTED[spec.dtype]}"
    if spec.name.endswith("_seconds"):
        fix += ", or hours as 00:05:12"
    if spec.dtype == "timestamp":
        fix += "; [import] time_formats says how others are written"
    if spec.dtype in ("float", "integer"):
        fix += "; [import] numbers says how amounts with separators or currency signs are written"
    if not (plain and spec.dtype == "string"):  # there the text is the value
        column_rules.append(Rule(spec.name, "type", _where(lost, unread), fix))
    if missing is not None and not spec.required:
        column_rules.append(
            Rule(spec.name, "no value", _where(lost, missing), "it is read as missing", "warning")
        )
    if is_id(spec) and not plain:
        column_rules += [
            Rule(
                spec.name,
                "shortened",
                _where(
                    f"length({column}) < 30 AND regexp_matches({column}, '[eE]|[.]0$')",
                    f"regexp_full_match({column}, {literal(SHORTENED)})",
                ),
                "a spreadsheet or a column of floats has cut this number, and others may read the "
                "same: export ids as text",
            )
        ]
    if spec.dtype == "timestamp" and not plain:
        years = f"after {FIRST_YEAR} and before {LAST_YEAR}"
        inside = f"{column} >= '{FIRST_YEAR + 1}-01-01' AND {column} < '{LAST_YEAR}-01-01'"
        fix = f"times lie {years}: leave empty what has not happened"
        column_rules.append(Rule(spec.name, "year", f"NOT ({inside})", fix))
        unset = f"CAST({column} AS DATE) IN {UNSET}"
        fix = "systems write the first day of 1970 for no date: leave it empty"
        column_rules.append(Rule(spec.name, "empty date", unset, fix))
    if spec.dtype in ("float", "integer") and not plain:
        fix = f"numbers are nearer to 0 than {LARGEST:g}: correct the value"
        column_rules.append(Rule(spec.name, "size", f"abs({column}) >= {LARGEST}", fix))
    if spec.minimum is not None:
        column_rules.append(
            Rule(spec.name, "minimum", f"{column} < {spec.minimum}", f"at least {spec.minimum:g}")
        )
    if spec.maximum is not None:
        column_rules.append(
            Rule(spec.name, "maximum", f"{column} > {spec.maximum}", f"at most {spec.maximum:g}")
        )
    if spec.choices:
        choices = ", ".join(literal(choice) for choice in spec.choices)
        column_rules.append(
            Rule(
                spec.name,
                "choice",
                f"{column} NOT IN ({choices})",
                f"one of {', '.join(spec.choices)}",
            )
        )
    if spec.name == "time_zone":
        zones = ", ".join(literal(zone) for zone in sorted(zoneinfo.available_timezones()))
        column_rules.append(
            Rule(
                spec.name,
                "time zone",
                f"{column} NOT IN ({zones})",
                "an IANA name such as Europe/Oslo",
            )
        )
    return column_rules
