"""Who turned out to be one customer: rows of an earlier id, as the customer's from then on.

An identity says that ``id`` is ``customer_id``, known from ``valid_from`` on. A row of that id gets
a version with the customer's id, recorded at that moment: before it, the row is the stranger's;
after it, the customer's. So a view as of any T knows the merges known at T, and no later one. A
customer who was merged into another is gone from then on.

>>> import duckdb
>>> con = duckdb.connect()
>>> rows = con.sql("select 't' as ticket_id, 'cookie' as customer_id, "
...     "timestamp '2026-01-01' as recorded_at, false as deleted, 0::bigint as _row")
>>> ids = con.sql("select 'cookie' as id, 'ann' as customer_id, timestamp '2026-02-01' as since")
>>> for row in with_identities(rows, ids, "tickets").order("_row").fetchall():
...     print(row[1], row[2].date())
cookie 2026-01-01
ann 2026-02-01
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.contract import table
from data.engines import quoted

if TYPE_CHECKING:
    import duckdb

LONGEST_CHAIN = 5
"""A visitor who became a lead who became a customer ...: so many steps are followed."""


def closed(ids: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Identities (``id, customer_id, since``) with those of identities: of a and b, of b and c
    follows that a is c, from the later of the two moments on."""
    columns = "id, customer_id, since"
    own = ids.filter("id IS NOT NULL AND id <> customer_id").project(columns).distinct()
    chains = step = own
    for _ in range(LONGEST_CHAIN - 1):
        step = (
            step.set_alias("a")
            .join(own.set_alias("b"), "a.customer_id = b.id AND a.id <> b.customer_id")
            .project(
                "a.id AS id, b.customer_id AS customer_id, greatest(a.since, b.since) AS since"
            )
        )
        chains = chains.union(step)
    return chains.aggregate("id, customer_id, min(since) AS since", "id, customer_id")


def with_identities(
    rows: duckdb.DuckDBPyRelation, ids: duckdb.DuckDBPyRelation, name: str
) -> duckdb.DuckDBPyRelation:
    """A table's finished rows and, for each of a merged id, the versions that the merges make.

    Rows without a key have no versions: they take the last id that was known when they were
    recorded.
    """
    columns = rows.columns
    if "customer_id" not in columns or name == "identities":
        return rows
    keyed = bool(table(name).key)
    parts = []
    for column in columns:
        text = f"r.{quoted(column)}"
        if column == "customer_id" and name != "customers":
            text = "coalesce(i.customer_id, r.customer_id) AS customer_id"
        elif column == "recorded_at" and keyed:
            text = "greatest(r.recorded_at, i.since) AS recorded_at"
        elif column == "deleted" and name == "customers":
            text = "(r.deleted OR i.id IS NOT NULL) AS deleted"
        elif column == "_row":
            text = "r._row AS before"
        parts.append(text)
    listed = ", ".join([*parts, "i.since AS since"])
    same = "r.customer_id = i.id" + ("" if keyed else " AND i.since <= r.recorded_at")
    merged_rows = rows.set_alias("r").join(ids.set_alias("i"), same).project(listed)
    plain = ", ".join("_row AS before" if c == "_row" else quoted(c) for c in columns)
    original = rows.project(f"{plain}, CAST(NULL AS TIMESTAMP) AS since")
    if not keyed:
        newest = merged_rows.aggregate("before AS merged, max(since) AS latest", "before")
        merged_rows = (
            merged_rows.set_alias("m")
            .join(newest.set_alias("n"), "m.before = n.merged AND m.since = n.latest")
            .project(", ".join(f"m.{quoted(c)}" for c in merged_rows.columns))
        )
        original = original.set_alias("o").join(
            newest.set_alias("n"), "o.before = n.merged", how="anti"
        )
    # versions recorded at one moment: the later row wins, and that of the newer merge
    number = "row_number() OVER (ORDER BY before, since NULLS FIRST) - 1 AS _row"
    order = ", ".join(number if c == "_row" else quoted(c) for c in columns)
    return original.union(merged_rows).project(order).order("_row")
