"""Columns of the exported tables: numbers as ids, words and UTC times in Arrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.arrays import Bools, Ints

Columns = dict[str, Any]


def ids(prefix: str, numbers: Any, width: int = 0) -> pa.Array:
    """Ids as text: the prefix and the number; negative numbers are null."""
    values = np.asarray(numbers, dtype=np.int64)
    text = pa.array(values).cast(pa.string())
    if width:
        text = pc.utf8_lpad(text, width, padding="0")
    text = pc.binary_join_element_wise(prefix, text, "")
    return pc.if_else(pa.array(values >= 0), text, pa.scalar(None, pa.string()))


def customers_of(numbers: Any) -> pa.Array:
    """Customer ids."""
    return ids("c", numbers, 6)


def words(table: tuple[str, ...] | list[str], numbers: Any) -> pa.Array:
    """Positions as words; negative positions are null."""
    values = np.asarray(numbers, dtype=np.int64)
    taken = pa.array(values, mask=values < 0)
    return pa.array(list(table), pa.string()).take(taken)


def times(values: Ints, end: int) -> pa.Array:
    """UTC microseconds as timestamps; those not before ``end`` are null."""
    return pa.array(values, mask=values >= end).cast(pa.timestamp("us"))


def table(columns: Columns, keep: Bools | None = None) -> pa.Table:
    """A table of the columns, and of the rows to keep."""
    rows = pa.table(columns)
    return rows if keep is None else rows.filter(pa.array(keep))


def concat(parts: list[pa.Table]) -> pa.Table:
    """Tables below each other; columns that one lacks are null there."""
    return pa.concat_tables(parts, promote_options="default")
