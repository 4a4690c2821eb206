"""What a table tells that was known by a moment, as a digest: did anything change before T?

Every row is hashed as it was born, into the quarter of an hour by whose end it was seen; every
fact that became known later, into the quarter by whose end it was. The digest of T is the sum over
all quarters up to T. Rows and facts after T do not change it; whatever did become known before T,
was corrected, or deleted, does.

>>> import duckdb
>>> con = duckdb.connect()
>>> row = "timestamp '2026-01-01 10:07' + interval (i) hour as recorded_at, i as _row"
>>> _ = con.execute(f"create view v as select 'o' || i as order_id, 'c' as customer_id, {row}, "
...     "recorded_at as ordered_at, null::timestamp as delivered_at from range(3) t(i)")
>>> told = known(con.table("v"), "orders")
>>> [str(moment) for moment, _ in told]
['2026-01-01 10:15:00', '2026-01-01 11:15:00', '2026-01-01 12:15:00']
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.contract import table
from data.engines import literal, quoted

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

QUARTER = "interval 15 minutes"


def seen_from_birth(rows: duckdb.DuckDBPyRelation, name: str) -> bool:
    """Whether every row of a normalised table is there from its birth on: none was recorded later,
    none is a deletion."""
    birth = table(name).birth
    if birth is None:
        return False
    late = rows.filter(f"deleted or recorded_at <> {quoted(birth)} or recorded_at is null")
    return not late.project("1").limit(1).fetchall()


def versioned(rows: duckdb.DuckDBPyRelation, name: str) -> bool:
    """Whether a key of a normalised table occurs twice."""
    key = ", ".join(quoted(column) for column in table(name).key)
    if not key:
        return False
    keyed = rows.filter(f"{quoted(table(name).key[0])} is not null")
    if not keyed.limit(1).fetchall():
        return False
    twice = keyed.aggregate(f"{key}, count(*) as times", key).filter("times > 1")
    return bool(twice.limit(1).fetchall())


def known(rows: duckdb.DuckDBPyRelation, name: str) -> list[tuple[datetime, int]]:
    """(moment, digest) of what came to be known in the quarter of an hour before each moment.

    ``rows``: a normalised table. A row whose time is null is told at the beginning of time.
    """
    contract = table(name)
    there = set(rows.columns)
    facts = {c.known_at for c in contract.columns if c.known_at} & there
    of_fact = {
        fact: sorted(c.name for c in contract.columns if c.known_at == fact and c.name in there)
        for fact in sorted(facts)
    }
    later = {column for columns in of_fact.values() for column in columns}
    birth = contract.birth if contract.birth in there else None
    known_from = (
        f"greatest({quoted(birth)} + interval 1 microsecond, recorded_at)"
        if birth
        else ("recorded_at")
    )
    from_birth = [quoted(c) for c in sorted(there - later)]
    parts = [_summed(rows, known_from, from_birth, "row")]
    key = [quoted(c) for c in (*contract.key, "_row") if c in there]
    for fact, columns in of_fact.items():
        when = f"greatest({known_from}, {quoted(fact)} + interval 1 microsecond)"
        values = [*key, *map(quoted, columns)]
        some = rows.filter(f"{quoted(fact)} is not null")
        parts.append(_summed(some, when, values, fact))
    every = parts[0]
    for part in parts[1:]:
        every = every.union(part)
    digests = every.aggregate("moment, sum(digest)", "moment").order("moment")
    return [(moment, int(digest)) for moment, digest in digests.fetchall()]


def _summed(
    rows: duckdb.DuckDBPyRelation, when: str, values: list[str], word: str
) -> duckdb.DuckDBPyRelation:
    """Hashes summed by the end of the quarter of an hour in which they came to be known."""
    start = f"time_bucket({QUARTER}, coalesce({when}, timestamp '1970-01-01'))"
    moment = f"case when {start} = {when} then {start} else {start} + {QUARTER} end"
    content = ", ".join([literal(word), *values])
    hashed = rows.project(f"{moment} as moment, hash({content})::hugeint as hashed")
    return hashed.aggregate("moment, sum(hashed) as digest", "moment")


def write_digests(file: Path, digests: Sequence[tuple[str, datetime, str]]) -> None:
    """Write (table, moment, digest in decimal digits) as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"table": pa.string(), "moment": pa.timestamp("us"), "digest": pa.string()}
    columns = zip(*digests, strict=True) if digests else ((), (), ())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds.values(), strict=True)]
    pq.write_table(pa.table(dict(zip(kinds, arrays, strict=True))), file)


def read_digests(file: Path) -> dict[str, tuple[npt.NDArray[np.datetime64], list[int]]]:
    """By table the moments, in the order written, and what came to be known before each."""
    import pyarrow.parquet as pq

    rows = pq.read_table(file)
    names, moments = rows["table"].to_numpy(), rows["moment"].to_numpy()
    digests = list(map(int, rows["digest"].to_pylist()))
    out = {}
    for name in dict.fromkeys(names.tolist()):
        at = np.flatnonzero(names == name)
        out[name] = (moments[at], digests[at[0] : at[-1] + 1])
    return out
