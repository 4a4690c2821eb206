"""Which columns of text are written plainly all the way down, so that nobody has to look twice.

Reading a text with care (blanks around it, words that mean nothing, numbers with signs, the many
ways of writing a time) costs many times what the engine's own cast does. One pass finds the columns
in which every value is plain: those are taken as they are, the others value by value.

>>> import duckdb
>>> from data.contract import TABLES
>>> con = duckdb.connect()
>>> rows = con.sql("select 'o1' as order_id, '2026-01-01T00:00:00Z' as ordered_at, ' c ' as customer_id")
>>> plain = plain_columns(rows, TABLES["orders"], dict.fromkeys(rows.columns, "VARCHAR"), Import())
>>> sorted(plain), plain["ordered_at"].zoned
(['order_id', 'ordered_at'], 1)
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.contract import Column, Table
from data.engines import literal, quoted
from data.settings_import import Import
from data.words import NO_ID, NO_WORD, WRITTEN, is_id, one_of

if TYPE_CHECKING:
    import duckdb

FEW = 2_000
"""Rows up to which a source is not worth a look: it is read with care."""
NUMBER = r"-?\d{1,11}(\.\d{1,15})?"
ID = "[A-Za-z_][!-~]*|[0-9][0-9A-DF-Za-df-z_-]*|[0-9][0-9A-Za-z_]*-[0-9A-Za-z_-]*"
"""Ids that no tool has changed: 7.0 and 1.2E+15 are not among them."""
TIME = (
    r"(190[1-9]|19[1-5]\d|196[0-8]|197[1-9]|19[89]\d|20\d\d)-(0[1-9]|1[0-2])-([0-2]\d|3[01])"
    r"([T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z?)?"
)


@dataclass(frozen=True)
class Plain:
    """A column whose values are all plain; of times, how many are of UTC, how many of no zone."""

    zoned: int = 0
    naive: int = 0


def plain_columns(
    relation: duckdb.DuckDBPyRelation, contract: Table, types: Mapping[str, str], reading: Import
) -> dict[str, Plain]:
    """The columns of the contract that are plain text, in one pass."""
    parts, looked_at = [], []
    for spec in contract.columns:
        condition = is_plain(spec, reading) if types.get(spec.name) == "VARCHAR" else None
        if condition is None:
            continue
        text = quoted(spec.name)
        zoned, clock = f"ends_with({text}, 'Z')", f"contains({text}, ':')"
        time = spec.dtype == "timestamp"
        parts += [
            f"count(*) FILTER ({text} IS NOT NULL AND NOT ({condition}))",
            f"count(*) FILTER ({zoned})" if time else "0",
            f"count(*) FILTER ({clock} AND NOT {zoned})" if time else "0",
        ]
        looked_at.append(spec.name)
    if not parts:
        return {}
    found = relation.aggregate(", ".join(parts)).fetchall()[0]
    counts = [tuple(map(int, found[3 * n : 3 * n + 3])) for n in range(len(looked_at))]
    return {
        name: Plain(zoned, naive)
        for name, (odd, zoned, naive) in zip(looked_at, counts, strict=True)
        if not odd
    }


def is_plain(column: Column, reading: Import) -> str | None:
    """Whether a text needs no care, as an expression; None for columns that always do."""
    text = quoted(column.name)
    if column.dtype == "timestamp":
        return None if reading.time_formats else f"regexp_full_match({text}, {literal(TIME)})"
    if column.dtype == "float":
        return None if reading.numbers else f"regexp_full_match({text}, {literal(NUMBER)})"
    if column.dtype != "string" or column.name in WRITTEN or column.name == "unique_id":
        return None
    if is_id(column):
        if reading.ids:
            return None
        longest = max(map(len, NO_ID))
        return (
            f"regexp_full_match({text}, {literal(ID)}) AND "
            f"(length({text}) > {longest} OR NOT {one_of(f'lower({text})', NO_ID)})"
        )
    renamed = {"channel": reading.channels, "topic": reading.topics}.get(column.name)
    return None if renamed else f"{text} <> '' AND NOT {one_of(text, NO_WORD)}"


def plain_sql(column: Column) -> str:
    """The expression of a plain column's value in its contract type."""
    text = quoted(column.name)
    if column.dtype == "timestamp":
        return f"try_cast(rtrim({text}, 'Z') AS TIMESTAMP)"
    return f"try_cast({text} AS DOUBLE)" if column.dtype == "float" else text
