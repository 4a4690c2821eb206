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


def owners_of(identities: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Whose each id is, from when on: ``id, customer_id, since``, a row for each change.

    Of several identities of an id the newest that holds counts; one that is taken back
    (``deleted``) or names another customer holds until then, and an id that nobody has is its own
    again. An id of an id: of a and b, of b and c follows that a is c, from the later of the two
    moments on. Whoever would be their own id in the end is nobody else's.
    """
    versions = identities.filter("id IS NOT NULL").project(
        "id, customer_id, deleted, _row AS number, recorded_at AS since, lead(recorded_at) OVER "
        "(PARTITION BY id, valid_from ORDER BY recorded_at, _row) AS until"
    )
    spans = versions.filter("NOT deleted AND (until IS NULL OR until > since)")
    ends = spans.filter("until IS NOT NULL").project("id, until AS moment")
    points = spans.project("id, since AS moment").union(ends).distinct()
    newest = "row_number() OVER (PARTITION BY p.id, moment ORDER BY since DESC, number DESC) AS nth"
    holds = "p.id = s.id AND since <= moment AND (until IS NULL OR until > moment)"
    at_points = points.set_alias("p").join(spans.set_alias("s"), holds, how="left")
    held = at_points.project(
        f"p.id AS id, coalesce(customer_id, p.id) AS customer_id, moment, {newest}"
    )
    own = held.filter("nth = 1").project(
        "id, customer_id, moment AS since, "
        "coalesce(lead(moment) OVER (PARTITION BY id ORDER BY moment), 'infinity') AS until"
    )
    before = own.aggregate("id, min(since) AS first", "id")
    every = own.union(before.project("id, id, CAST('-infinity' AS TIMESTAMP), first"))
    steps = every
    for _ in range(LONGEST_CHAIN - 1):
        steps = (
            steps.set_alias("a")
            .join(
                every.set_alias("b"),
                "a.customer_id = b.id AND a.customer_id <> a.id "
                "AND b.since < a.until AND b.until > a.since",
                how="left",
            )
            .project(
                "a.id AS id, coalesce(b.customer_id, a.customer_id) AS customer_id, "
                "greatest(a.since, coalesce(b.since, a.since)) AS since, "
                "least(a.until, coalesce(b.until, a.until)) AS until"
            )
        )
    earlier = "lag(customer_id) OVER (PARTITION BY id ORDER BY since) AS earlier"
    changes = steps.project(f"id, customer_id, since, {earlier}")
    return changes.filter("earlier <> customer_id").project("id, customer_id, since")


def with_identities(
    rows: duckdb.DuckDBPyRelation, ids: duckdb.DuckDBPyRelation, name: str
) -> duckdb.DuckDBPyRelation:
    """A table's finished rows and, for each of a merged id, the versions that the merges make: of
    what was the newest version then. ``ids`` as ``owners_of`` gives them.

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
            text = "(r.deleted OR i.customer_id <> r.customer_id) AS deleted"
        elif column == "_row":
            text = "r._row AS before"
        parts.append(text)
    listed = ", ".join([*parts, "i.since AS since"])
    merged = rows.set_alias("r").join(ids.set_alias("i"), "r.customer_id = i.id")
    if keyed:
        until = _next_versions(rows, ids, name).set_alias("u")
        merged = merged.join(until, "r._row = u.number AND (u.until IS NULL OR i.since < u.until)")
    else:
        merged = merged.filter("i.since <= r.recorded_at")
    merged_rows = merged.project(listed)
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


def made_by(
    rows: duckdb.DuckDBPyRelation, ids: duckdb.DuckDBPyRelation, name: str
) -> duckdb.DuckDBPyRelation:
    """Of the rows that ``with_identities`` gave for a table, those that the merges made."""
    key = [quoted(column) for column in table(name).key]
    if not key:
        return rows.limit(0)
    whose = "r.customer_id" if name == "customers" else "i.customer_id"
    moment = "greatest(r.recorded_at, i.since)"
    of = ", ".join(f"r.{column}" for column in key)
    merged = rows.set_alias("r").join(ids.set_alias("i"), "r.customer_id = i.id")
    versions = merged.project(f"{of}, {whose} AS whose, {moment} AS since, r._row AS before")
    same = " AND ".join(f"x.{column} = m.{column}" for column in key)
    own = "x.customer_id = m.whose AND x.recorded_at = m.since AND x._row > m.before"
    return rows.set_alias("x").join(versions.set_alias("m"), f"{same} AND {own}", how="semi")


def _next_versions(
    rows: duckdb.DuckDBPyRelation, ids: duckdb.DuckDBPyRelation, name: str
) -> duckdb.DuckDBPyRelation:
    """Of the rows of merged ids their ``number``, and ``until``: when the next version came."""
    key = [quoted(column) for column in table(name).key]
    wanted = ", ".join([*key, "recorded_at", "_row"])
    mine = rows.set_alias("r").join(ids.set_alias("i"), "r.customer_id = i.id", how="semi")
    same = " AND ".join(f"m.{column} = o.{column}" for column in key)
    later = "(o.recorded_at, o._row) > (m.recorded_at, m._row)"
    others = rows.project(wanted).set_alias("o")
    both = mine.project(wanted).set_alias("m").join(others, f"{same} AND {later}", how="left")
    return both.aggregate("m._row AS number, min(o.recorded_at) AS until", "m._row")
