"""Expressions of a mapping: one value a row, from the row's own columns, and nothing else.

They are DuckDB's, parsed before they run. Refused by name: queries within, settings and files of
the machine, and what gives another value each time (an import again must change nothing). They run
on a connection that can open no file, beside the one table of the rows.

>>> con = sandbox()
>>> check_expression(con, "coalesce(channel, 'web')")
>>> check_expression(con, "(SELECT 1)")
Traceback (most recent call last):
...
data.errors.DataError: the expression "(SELECT 1)" holds a query; it may use the row's columns only
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from data.engines import duckdb_connection, literal
from data.errors import DataError
from data.settings_tree import Engine

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

REFUSED = frozenset(
    {
        *("getenv", "read_text", "read_blob", "current_setting", "getvariable", "query"),
        *("query_table", "nextval", "currval", "random", "setseed", "uuid", "gen_random_uuid"),
        *("uuidv4", "uuidv7", "now", "today", "current_date", "current_timestamp", "version"),
        *("get_current_timestamp", "get_current_time", "current_localtimestamp", "txid_current"),
        *("current_localtime", "transaction_timestamp", "current_user", "current_database"),
    }
)


ROWS = "_rows_of_the_source"
"""The table beside which expressions run; no column is called so."""
WORDS = ("current_timestamp", "current_date", "current_time", "localtime", "localtimestamp")
"""Functions that are written without brackets."""


class NoExpression(DataError):
    """A text that is no SQL."""


def sandbox(engine: Engine | None = None) -> duckdb.DuckDBPyConnection:
    """A connection that opens no file and whose settings are locked."""
    return duckdb_connection(engine or Engine(), [])


def check_expression(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """DataError where ``text`` is no single scalar expression of a row's columns."""
    query = "".join(("SELECT (", text, f"\n) FROM {ROWS}"))
    text_of_tree = con.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0]
    tree = json.loads(text_of_tree)
    if tree.get("error"):
        raise NoExpression(f'the expression "{text}" is no SQL expression: {tree["error_message"]}')
    statements = tree["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    if len(node.get("select_list", ())) != 1 or node["from_table"].get("table_name") != ROWS:
        raise DataError(f'the expression "{text}" is more than one value')
    for part in _parts(node["select_list"]):
        if part.get("class") == "SUBQUERY" or part.get("type") == "SUBQUERY":
            raise DataError(
                f'the expression "{text}" holds a query; it may use the row\'s columns only'
            )
        name = str(part.get("function_name", "")).lower()
        word = str((part.get("column_names") or [""])[-1]).lower()
        name = name or (word if word in WORDS else "")
        if name in REFUSED or name in WORDS or name.startswith(("pragma_", "duckdb_", "read_")):
            raise DataError(
                f'the expression "{text}" uses {name}(), which reads more than the row, or gives '
                "another value each time"
            )


def faulty_rows(con: duckdb.DuckDBPyConnection, expressions: Mapping[str, str]) -> pd.DataFrame:
    """Of each expression the rows whose values it cannot take: ``row, column, value`` (null)."""
    queries = [
        f'SELECT row, {literal(name)} AS "column", CAST(NULL AS VARCHAR) AS value '  # noqa: S608
        f"FROM {ROWS} WHERE try([{text}]) IS NULL"
        for name, text in expressions.items()
    ]
    return con.execute(" UNION ALL ".join(queries) + " ORDER BY row").df()


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _parts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _parts(value)
