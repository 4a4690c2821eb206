"""The rows behind the drivers as arrays: when each is seen, on which local days things happened.

Read once for all as-of times; ``Rows.known_at`` and ``Rows.day`` apply the rule of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Ints
from data.contract import table
from data.snapshot import Snapshot
from data.tables import Tables
from features.asof import spans, times_of
from features.calendar import local_times

FAR = np.int64(2**31)
"""A local day that never comes."""
ENDS = ("delivered_at", "cancelled_at", "returned_at", "refunded_at")
"""Each of them ends what an order waits for, the earliest first."""
READ: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "orders": (("promised_at", "shipped_at", *ENDS), ("carrier",)),
    "usage": ((), ("errors", "platform")),
    "tickets": (("resolved_at",), ("channel", "topic", "is_machine")),
    "customers": (("closed_at",), ("region",)),
}
"""Of each table the facts with times of their own, and the columns taken as they are."""


@dataclass(frozen=True)
class Rows:
    """All versions of a table's rows: when each is seen, local day of birth and of its times."""

    start: Ints
    end: Ints
    customer: Ints
    born: Ints
    times: dict[str, Ints]
    micros: dict[str, Ints]
    other: dict[str, npt.NDArray[np.object_]]

    def known_at(self, moment: int) -> Bools:
        """The rows that are known at a moment."""
        return np.asarray((self.start <= moment) & (moment < self.end))

    def day(self, name: str, rows: Ints, moment: int) -> Ints:
        """Local days of a fact as known at the moment, ``FAR`` where it is not."""
        return np.where(self.micros[name][rows] < moment, self.times[name][rows], FAR)


def read_rows(tables: Tables, time_zone: str) -> tuple[dict[str, Rows], int]:
    """The rows of every table in ``READ``, and the number of customers.

    Customers are numbered in order of their ids: whoever comes later changes no sum's order.
    """
    frames = {name: _frame(tables, name) for name in READ}
    ids = [frame["customer_id"].dropna().unique() for frame in frames.values()]
    customers = pd.Index(np.unique(np.concatenate(ids).astype(object)), dtype=object)
    rows = {name: _rows(name, frame, customers, time_zone) for name, frame in frames.items()}
    return rows, len(customers)


def numbers(values: npt.NDArray[np.object_]) -> Ints:
    """Each text's place among all of them in order; 0 is null. Further texts change no order."""
    text = pd.Series(values, dtype=object).fillna("").astype(str)
    names = np.unique(np.append(text.unique().astype(object), ""))
    return pd.Index(names, dtype=object).get_indexer(pd.Index(text)).astype("int64")


def _frame(tables: Tables, name: str) -> pd.DataFrame:
    contract = table(name)
    assert contract.birth is not None
    times, others = READ[name]
    columns = {*contract.key, contract.birth, "customer_id", "recorded_at", "deleted", "_row"}
    wanted = sorted({*columns, *times, *others})
    return _with_errors(tables, wanted) if name == "usage" else tables.frame(name, wanted)


def _rows(name: str, frame: pd.DataFrame, customers: pd.Index, time_zone: str) -> Rows:
    times, others = READ[name]
    known = spans(frame, name)
    rows = frame.iloc[known.rows]
    return Rows(
        known.start,
        known.end,
        customers.get_indexer(pd.Index(rows["customer_id"], dtype=object)).astype("int64"),
        _days(rows[table(name).birth], time_zone),
        {time: _days(rows[time], time_zone) for time in times},
        {time: times_of(rows[time]) for time in times},
        {other: rows[other].to_numpy(dtype=object) for other in others},
    )


def _with_errors(tables: Tables, columns: list[str]) -> pd.DataFrame:
    """Usage of which a version has errors, with all its versions: one may take the error back."""
    file = tables.file("usage")
    if file is not None and isinstance(tables, Snapshot) and not tables.versioned("usage"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        # millions of events went well: they are left in the file
        rows = pq.read_table(file, columns=columns, filters=[("errors", ">", 0)], partitioning=None)
        return rows.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    frame = tables.frame("usage", columns)
    bad = frame["errors"].fillna(0).to_numpy(dtype="float64") > 0
    again = frame["event_id"].isin(frame.loc[bad, "event_id"].dropna()).to_numpy()
    frame = frame[bad | again].reset_index(drop=True)
    return frame.assign(errors=frame["errors"].fillna(0))


def _days(values: pd.Series, zone: str) -> Ints:
    """Local days since 1970 of UTC times, ``FAR`` where null."""
    times = values.to_numpy().astype("datetime64[us]")
    null = np.isnat(times)
    filled = np.where(null, np.datetime64(0, "us"), times)
    day = local_times(filled, zone).astype("datetime64[D]").astype("int64")
    return np.where(null, FAR, day)
