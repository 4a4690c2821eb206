"""Good rows in their final form: births known, ``recorded_at`` and ``deleted`` filled, in order.

The same rules as in data/tables.py, as expressions over whole columns for tables that do not fit
in memory; tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from data.contract import Table
from data.engines import quoted
from data.money import AMOUNTS, ITS_ORDERS, Money
from data.tables import attribute_name, birth_times, columns_of

if TYPE_CHECKING:
    import duckdb


def finished(
    con: duckdb.DuckDBPyConnection,
    good: duckdb.DuckDBPyRelation,
    contract: Table,
    attributes: Sequence[str],
    orders: duckdb.DuckDBPyRelation | None,
    zone_of: Callable[[object], str],
    money: Money,
    currency: str | None,
    dates: Mapping[str, str],
) -> duckdb.DuckDBPyRelation:
    """The columns of data/tables.py, in order, with recorded_at and deleted filled.

    ``orders``: from which order_items take their births; ``zone_of``: a site's zone, in which
    steps of volumes end; ``currency``: the expression of a row's, whose amount ``money`` puts into
    the main one; ``dates``: the expressions of attributes that are dates.
    """
    relation, birth = good, quoted(contract.birth) if contract.birth else "born"
    if contract.name == "volumes":
        relation = _with_ends_of_intervals(con, good, zone_of)
    elif contract.name == "order_items":
        if orders is None:
            relation = good.project(
                f"*, CAST(NULL AS TIMESTAMP) AS born, CAST(NULL AS VARCHAR) AS {ITS_ORDERS}"
            )
        else:
            births = orders.aggregate(
                "order_id AS of_order, min(ordered_at) AS born, arg_min(nullif(upper(trim("
                f"currency)), ''), _row) AS {ITS_ORDERS}",
                "order_id",
            )
            relation = (
                good.set_alias("i")
                .join(births.set_alias("o"), "i.order_id = o.of_order", how="left")
                .order("_row")
            )
    kinds = {a: dates.get(a) or _attribute_kind(good, a) for a in attributes}
    otherwise = {c.name: c.otherwise for c in contract.columns if c.otherwise}
    parts = []
    own = [attribute_name(contract.name, attribute) for attribute in attributes]
    for column in columns_of(contract.name, own):
        if column == "recorded_at":
            parts.append(f"coalesce(recorded_at, {birth}) AS recorded_at")
        elif column == "deleted":
            parts.append("coalesce(deleted, false) AS deleted")
        elif currency and column in AMOUNTS.get(contract.name, ()):
            parts.append(f"{money.sql(column, currency)} AS {quoted(column)}")
        elif column in otherwise:
            parts.append(f"coalesce({quoted(column)}, {quoted(otherwise[column])}) AS {column}")
        elif column in kinds:
            parts.append(f"{kinds[column]} AS {quoted(column)}")
        else:
            parts.append(quoted(column))
    return relation.project(", ".join(parts))


def _with_ends_of_intervals(
    con: duckdb.DuckDBPyConnection,
    good: duckdb.DuckDBPyRelation,
    zone_of: Callable[[object], str],
) -> duckdb.DuckDBPyRelation:
    """``born``, when the next step begins; a row per series and step fits in memory."""
    import pyarrow as pa

    steps = good.aggregate("unique_id, ds, any_value(site) AS site", "unique_id, ds")
    steps = steps.to_arrow_table().to_pandas()
    zones = steps["site"].map(zone_of)
    born = [birth_times("volumes", rows, str(zone)) for zone, rows in steps.groupby(zones)]
    ends = {
        "series": steps["unique_id"],
        "start": steps["ds"],
        "born": pd.concat(born).reindex(steps.index) if born else steps["ds"],
    }
    con.register("ends_of_intervals", pa.table({k: pa.array(v) for k, v in ends.items()}))
    return (
        good.set_alias("v")
        .join(
            con.table("ends_of_intervals").set_alias("s"),
            "v.unique_id = s.series AND v.ds = s.start",
            how="left",
        )
        .order("_row")
    )


def _attribute_kind(good: duckdb.DuckDBPyRelation, name: str) -> str:
    """The expression of an attribute: a number if all its values are, truth likewise, else text."""
    column = quoted(name)
    known, numbers, words = good.aggregate(
        f"count({column}), count(try_cast({column} AS DOUBLE)), "
        f"count(*) FILTER (lower({column}) IN ('true', 'false'))"
    ).fetchall()[0]
    if known and numbers == known:
        return f"try_cast({column} AS DOUBLE)"
    if known and words == known:
        return f"lower({column}) = 'true'"
    return column
