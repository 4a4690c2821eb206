r"""A list inside a row, such as the items of an order, as rows of their own.

>>> import duckdb
>>> con = duckdb.connect()
>>> rows = con.sql("select '#1' as name, '[{\"sku\": \"a\"}, {\"sku\": \"b\"}]' as items, 1 as row")
>>> found = elements_of(con, Source("x", rows, {"name": "VARCHAR", "items": "VARCHAR"}, 1), "items", "")
>>> found.relation.project("name, each->>'$.sku' AS sku").fetchall()
[('#1', 'a'), ('#1', 'b')]
"""  # noqa: E501

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data.engines import quoted
from data.errors import DataError, did_you_mean
from data.source_files import Source

if TYPE_CHECKING:
    import duckdb

EACH = "each"
"""The column that holds an element, as JSON."""


class MissingColumn(DataError):
    """A file has nothing for a column that every row needs."""


def elements_of(
    con: duckdb.DuckDBPyConnection, opened: Source, column: str, table_name: str
) -> Source:
    """The source's rows once for each element of the list in ``column``, in order; ``row`` stays
    that of the row that holds it. A row without a list gives none.

    Raises MissingColumn where the source has no such column.
    """
    if column not in opened.types:
        raise MissingColumn(
            f"{opened.label}: {table_name} is mapped from each of {column}, and there is no such "
            f"column.{did_you_mean(column, list(opened.types))}"
        )
    text = f"CAST({quoted(column)} AS VARCHAR)"
    listed = f"CASE WHEN json_valid({text}) THEN json_extract(CAST({text} AS JSON), '$[*]') END"
    columns = ", ".join(quoted(name) for name in (*opened.types, "row") if name != EACH)
    opened.relation.project(f"{columns}, CAST(unnest({listed}) AS VARCHAR) AS {EACH}").create(EACH)
    relation = con.table(EACH).order("row")
    rows = int(relation.count("*").fetchall()[0][0])
    types = {name: kind for name, kind in opened.types.items() if name != EACH}
    return replace(opened, relation=relation, types={**types, EACH: "VARCHAR"}, rows=rows)
