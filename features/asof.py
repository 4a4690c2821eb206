"""The one rule of time: what was known at T, and from when until when each row was.

A row is a *version* of its key, there for T from ``recorded_at`` on and after its birth. Of the
versions that are there the newest by ``recorded_at`` wins (ties go to the later row), so one is
seen until a newer one is there; if it says ``deleted``, nothing is. A fact is seen once the time
that it belongs to is < T. ``as_of_view`` applies the rule at one T; ``spans`` states it as
half-open intervals of T, which the kernel counts with. No file but this and labels.py cuts time.

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["a", "a"], "customer_id": ["c", "c"], "amount": [5.0, 7.0],
...     "ordered_at": ["2026-01-01", "2026-01-01"], "recorded_at": ["2026-01-01", "2026-01-03"],
...     "delivered_at": ["2026-01-02", "2026-01-02"]})
>>> tables = MemoryTables({"orders": orders})
>>> as_of_view(tables, "orders", datetime(2026, 1, 2), ["amount", "delivered_at"])
   amount delivered_at
0     5.0          NaT
>>> as_of_view(tables, "orders", datetime(2026, 1, 3), ["amount", "delivered_at"])
   amount delivered_at
0     7.0   2026-01-02
>>> len(as_of_view(tables, "orders", datetime(2026, 1, 1)))
0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from data.arrays import Ints
from data.contract import Table, table
from data.errors import DataError, did_you_mean
from data.tables import ROW, Tables, attributes_of, birth_times

NEVER = np.int64(2**62)
"""A moment (microseconds since 1970) that no T reaches; half of the range, so sums cannot wrap."""
ALWAYS = -NEVER
"""A moment before every T."""


class Spans(NamedTuple):
    """For rows of a frame: the positions that are not deleted, and when each of them is seen.

    ``rows`` (n,) positions; ``start`` and ``end`` (n,) microseconds: seen for start <= T < end.
    """

    rows: Ints
    start: Ints
    end: Ints


def microseconds(moment: datetime) -> int:
    """A naive UTC moment as microseconds since 1970; refuses an aware one.

    >>> microseconds(datetime(1970, 1, 2))
    86400000000
    """
    if moment.tzinfo is not None:
        raise DataError(f"as_of {moment.isoformat()} has a time zone; times here are naive UTC")
    return int(np.datetime64(moment, "us").astype("int64"))


FEW = 64
"""Rows up to which keys are compared one by one."""


def times_of(values: pd.Series) -> Ints:
    """A time column as microseconds since 1970, ``NEVER`` where null."""
    raw = values.to_numpy().astype("datetime64[us]").astype(np.int64)
    return np.where(raw == np.iinfo(np.int64).min, NEVER, raw)


def spans(frame: pd.DataFrame, name: str, births: Ints | None = None) -> Spans:
    """When each row of a normalised frame is seen; births included, known-from facts not.

    Needs the table's key columns, its birth column, ``recorded_at``, ``deleted`` and ``_row``.
    Rows of order_items are born with their order, which the caller adds (``order_births``).
    ``births`` (microseconds) stand in for those of ``volumes``, which are a guess.
    """
    contract = table(name)
    recorded = times_of(frame["recorded_at"])
    guess = _births(frame, contract)
    if births is None or guess is None:
        births = guess
    else:  # what stands as recorded when it was guessed to be born was not said to be recorded
        recorded = np.where(recorded == guess, births, recorded)
    start = recorded if births is None else np.maximum(recorded, births + 1)
    end = np.full(len(frame), NEVER)
    if contract.key:
        _end_at_newer_version(frame, contract, recorded, start, end)
    gone = frame["deleted"].to_numpy(dtype=bool, na_value=False)
    keep = np.flatnonzero(~gone & (start < end))
    return Spans(keep, start[keep], end[keep])


def spans_from_birth(births: Ints) -> Spans:
    """``spans`` of a table whose rows are all seen from their birth on, for ever; ``births`` (n,)
    in microseconds."""
    rows = np.flatnonzero(births != NEVER)
    return Spans(rows, births[rows] + 1, np.full(len(rows), NEVER))


def _births(frame: pd.DataFrame, contract: Table) -> Ints | None:
    if contract.birth is not None:
        return times_of(frame[contract.birth])
    if contract.name == "volumes":
        return times_of(birth_times("volumes", frame))
    return None


def _end_at_newer_version(
    frame: pd.DataFrame, contract: Table, recorded: Ints, start: Ints, end: Ints
) -> None:
    """Writes into ``end`` the first moment at which a newer version of the row is there."""
    if len(frame) <= FEW:
        rows_of_keys = [frame[name].tolist() for name in contract.key]
        if len(set(zip(*rows_of_keys, strict=True))) == len(frame):
            return
    keys = frame[contract.key[0]] if len(contract.key) == 1 else None
    if keys is not None:
        repeated = keys.duplicated(keep=False) & keys.notna()
    else:
        repeated = frame.duplicated(list(contract.key), keep=False)
    if not repeated.any():
        return
    at = np.flatnonzero(repeated.to_numpy())
    keyed = frame.iloc[at].groupby(list(contract.key), sort=False)
    group = keyed.ngroup().to_numpy(dtype=np.int64)
    rows = frame[ROW].to_numpy(dtype=np.int64)[at]
    order = np.lexsort((rows, recorded[at], group))
    same = group[order][1:] == group[order][:-1]
    # the least start among the newer versions: a running minimum from the last row back, in which
    # each group begins anew because its offset is below that of the groups after it
    levels, rank = np.unique(start[at[order]], return_inverse=True)
    lifted = np.minimum.accumulate((rank + group[order] * len(levels))[::-1])[::-1]
    least = levels[lifted - group[order] * len(levels)]
    end[at[order[:-1][same]]] = least[1:][same]


def as_of_view(
    tables: Tables,
    name: str,
    as_of: datetime,
    columns: Sequence[str] | None = None,
    births: Callable[[pd.DataFrame], Ints] | None = None,
) -> pd.DataFrame:
    """The table as it was known at ``as_of``: a row per key, facts not yet known are null.

    Columns: the contract's (and the attributes of customers) without ``deleted``, or those named;
    rows in the order of their sources, numbered from 0. An item is seen while its order is.
    ``births``: as in ``spans``, from the frame that is read.
    Raises DataError for an unknown table or column, or an ``as_of`` with a time zone.
    """
    contract = table(name)
    moment = microseconds(as_of)
    every = [c for c in contract.names if c != "deleted"]
    every += attributes_of(name, tables.attributes)
    wanted = list(every if columns is None else columns)
    for column in wanted:
        if column not in every:
            raise DataError(f"{name} has no column {column!r}.{did_you_mean(column, every)}")
    known_at = {c: contract.column(c).known_at for c in wanted if c in contract.names}
    birth = (contract.birth,) if contract.birth else ()
    needed = {*wanted, *contract.key, *birth, "recorded_at", "deleted", ROW}
    if name == "volumes":
        needed |= {"ds"}
    needed |= {fact for fact in known_at.values() if fact}
    frame = tables.frame(name, sorted(needed))
    spells = spans(frame, name, None if births is None else births(frame))
    now = spells.rows[(spells.start <= moment) & (moment < spells.end)]
    now = now[np.argsort(frame[ROW].to_numpy(dtype=np.int64)[now], kind="stable")]
    if len(now) < len(frame) or (now[1:] < now[:-1]).any():  # else all rows stand as they should
        frame = frame.iloc[now]
    if name == "order_items":
        orders = as_of_view(tables, "orders", as_of, ["order_id"])
        frame = frame[frame["order_id"].isin(orders["order_id"])]
    view = frame.reset_index(drop=True)
    unknown = {f: times_of(view[f]) >= moment for f in {v for v in known_at.values() if v}}
    out = view[wanted]
    for column, fact in known_at.items():
        if fact and unknown[fact].any():
            out[column] = out[column].mask(unknown[fact])
    return out


DAY_US = np.int64(86_400_000_000)


def view_by_days(
    tables: Tables, name: str, as_of: datetime, columns: Sequence[str]
) -> pd.DataFrame:
    """The table as each of its days was known when it ended: days are counted back from ``as_of``.

    A row born in the last 24 hours is as it is known at ``as_of``, one of the 24 hours before as it
    was known a day ago, and so on; what came later of it is not there. So days can be compared:
    what is corrected, merged or recorded late looks as young in the past as it does now. Only for
    tables with a birth, and columns that are known from it on (DataError otherwise).
    """
    contract = table(name)
    late = [c for c in columns if c in contract.names and contract.column(c).known_at]
    if contract.birth is None or late:
        raise DataError(f"{name} has no days: it has no birth, or {late} are known later")
    moment = microseconds(as_of)
    needed = {*columns, *contract.key, contract.birth, "recorded_at", "deleted", ROW}
    frame = tables.frame(name, sorted(needed))
    spells = spans(frame, name)
    births = times_of(frame[contract.birth])[spells.rows]
    ended = moment - np.maximum(moment - births - 1, 0) // DAY_US * DAY_US
    at_its_end = (births < moment) & (spells.start <= ended) & (ended < spells.end)
    view = frame.iloc[spells.rows[at_its_end]].sort_values(ROW, kind="stable")
    return view[list(columns)].reset_index(drop=True)
