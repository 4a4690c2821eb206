"""Has a feature seen the future? Asked of any function that makes features, without reading it.

``audit`` recomputes the features in worlds that have the same past and another future
(futures.py), with rows taken away from the spine, with labels of the evaluation changed, and under
other ids: a value that changes where it may not is a leak, and the alarm shows it. Sets that are
finished, where nothing can be recomputed, are for ``finished.audit_set``.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "a"],
...                        "ordered_at": ["2026-01-01", "2026-01-05"]})
>>> def orders_so_far(spine, tables):  # forgets to look at as_of
...     counts = tables.frame("orders").groupby("customer_id").size()
...     return pd.DataFrame({"orders": spine["customer_id"].map(counts)})
>>> spine = pd.DataFrame({"customer_id": ["a"], "as_of": pd.to_datetime(["2026-01-03"])})
>>> for alarm in audit(orders_so_far, spine, MemoryTables({"orders": orders})):
...     print(alarm)
orders: later event: customer a as of 2026-01-03 00:00:00 is 2, but 1 without rows born at T or ...
orders: event against recorded time: customer a as of 2026-01-03 00:00:00 is 2, but ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError
from data.tables import Tables
from lab.futures import (
    CURRENT_ATTRIBUTE,
    EDITED_STATUS,
    LATER_EVENT,
    RECORDED_LATER,
    futures,
    shuffled_ids,
    shuffled_rows,
)

FITTED_ON_EVERYTHING = "encoder fitted on everything"
LABEL_OVERLAP = "label overlap"
ENTITY_ACROSS_FOLDS = "entity across folds"
ORDER_OF_IDS = "order of ids"
KNOWS_THE_OUTCOME = "knows the outcome"

KINDS = {
    LATER_EVENT: "rows born at T or later count: cut the table at birth < T",
    EDITED_STATUS: "a fact or version of after T is read: a *_at column, and what belongs to it, "
    "is null until its time has passed; of versions those recorded by T count",
    CURRENT_ATTRIBUTE: "the customer is described as they became: take the version known at T",
    FITTED_ON_EVERYTHING: "values were learned from rows that judge: fit on the training rows only",
    LABEL_OVERLAP: "labels that train are not over when the evaluation begins: leave an embargo",
    ENTITY_ACROSS_FOLDS: "the same entity trains and judges: split by entity, once cleaned",
    RECORDED_LATER: "rows count that nobody had by T: cut at recorded_at <= T as well",
    ORDER_OF_IDS: "ids or places of rows are used as if they meant something: drop them",
    KNOWS_THE_OUTCOME: "a column tells more of the outcome than all others together: see when its "
    "values become known",
}
"""What leaks, and what to do about it."""

MakeFeatures = Callable[[pd.DataFrame, Tables], pd.DataFrame]
"""From a spine (customer_id, as_of, and what else it carries) and tables to a row per row of it."""


@dataclass(frozen=True)
class Alarm:
    """A leak: its kind (of ``KINDS``), the column, and what was seen.

    Where one row shows it: ``customer_id`` and ``as_of``, the ``value`` as it was computed and the
    value ``without`` what may not be known.
    """

    kind: str
    column: str
    evidence: str
    customer_id: str = ""
    as_of: datetime | None = None
    value: Any = None
    without: Any = None

    @property
    def remedy(self) -> str:
        return KINDS[self.kind]

    def __str__(self) -> str:
        return f"{self.column}: {self.kind}: {self.evidence}"


def audit(
    make_features: MakeFeatures,
    spine: pd.DataFrame,
    tables: Tables,
    *,
    times: int = 1,
    labels: Sequence[str] = ("label",),
    tolerance: float = 1e-6,
    seed: int = 0,
) -> list[Alarm]:
    """Every leak that recomputing can show, one alarm per kind and column.

    ``spine`` has customer_id and as_of; further columns reach ``make_features`` as they are: a
    column ``fold`` ("training", "evaluation") tells what encoders may be fitted on (without it the
    later as-of times count as evaluation), ``labels`` names the columns that hold outcomes. The
    future is looked for at so many ``times``, the later ones of the spine. Values are equal within
    ``tolerance``, relative to their size. Raises DataError for a function whose results differ from
    run to run, or have not one row per row of the spine.
    """
    spine = spine.reset_index(drop=True)
    work = _Comparison(make_features, tolerance)
    alarms_by_column: dict[tuple[str, str], Alarm] = {}

    def note(alarms: Iterator[Alarm]) -> None:
        for alarm in alarms:
            alarms_by_column.setdefault((alarm.kind, alarm.column), alarm)

    moments = np.unique(spine["as_of"].to_numpy().astype("datetime64[us]"))
    for moment in _chosen(moments, times):
        rows = spine[spine["as_of"].to_numpy() <= moment].reset_index(drop=True)
        base = work.features(rows, tables)
        again = work.features(rows, tables)
        for alarm in work.changes("", "", rows, base, again):
            raise DataError(
                f"{alarm.column} {alarm.evidence}the function is run again: it cannot be audited "
                "until equal tables give equal values; fix its seed, or the order of its rows"
            )
        for future in futures(tables, pd.Timestamp(moment).to_pydatetime(), seed):
            other = work.features(rows, future.tables)
            note(work.changes(future.kind, future.change, rows, base, other))
    base = work.features(spine, tables)
    note(_encoders(work, spine, tables, base, labels, seed))
    note(_orders(work, spine, tables, base, seed))
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(alarms_by_column.values(), key=lambda alarm: (alarm.column, order[alarm.kind]))


def _chosen(moments: npt.NDArray[np.datetime64], times: int) -> list[np.datetime64]:
    """The latest, and others spread over the later half."""
    if times < 1:
        raise DataError(f"times is {times}; the future is looked for at one moment at least")
    places = np.linspace(len(moments) - 1, (len(moments) - 1) // 2, min(times, len(moments)))
    return [moments[at] for at in sorted({round(place) for place in places})]


def _encoders(
    work: _Comparison, spine: pd.DataFrame, tables: Tables, base: pd.DataFrame,
    labels: Sequence[str], seed: int,
) -> Iterator[Alarm]:  # fmt: skip
    """Training rows must not feel the evaluation rows, and no row the evaluation's labels."""
    training = _training(spine)
    if training.all() or not training.any():
        return
    alone = spine[training].reset_index(drop=True)
    yield from work.changes(
        FITTED_ON_EVERYTHING, "without the rows of the evaluation",
        alone, base[training].reset_index(drop=True), work.features(alone, tables),
    )  # fmt: skip
    present = [name for name in labels if name in spine.columns]
    if present:
        draw = np.random.default_rng(seed)
        judged = np.flatnonzero(~training)
        for change, values in (
            ("with other labels in the evaluation", None),
            ("with the labels of the evaluation shuffled", draw.permutation(judged)),
        ):
            other = spine.copy()
            for name in present:
                column = spine[name].to_numpy(copy=True)
                column[judged] = _opposite(column[judged]) if values is None else column[values]
                other[name] = column
            yield from work.changes(
                FITTED_ON_EVERYTHING, change, spine, base, work.features(other, tables)
            )


def _training(spine: pd.DataFrame) -> npt.NDArray[np.bool_]:
    if "fold" in spine.columns:
        return (spine["fold"].astype("str") == "training").to_numpy(dtype=bool)
    moments = np.unique(spine["as_of"].to_numpy())
    return np.asarray(spine["as_of"].to_numpy() <= moments[(len(moments) - 1) // 2])


def _opposite(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    numbers = values.astype(np.float64)
    return (np.nanmax(numbers) + np.nanmin(numbers) - numbers).astype(values.dtype)


def _orders(
    work: _Comparison, spine: pd.DataFrame, tables: Tables, base: pd.DataFrame, seed: int
) -> Iterator[Alarm]:
    """Names of ids and places of rows must not matter."""
    other, renamed = shuffled_ids(tables, spine, seed)
    yield from work.changes(
        ORDER_OF_IDS, "with the ids exchanged", spine, base, work.features(renamed, other)
    )
    yield from work.changes(
        ORDER_OF_IDS, "with the rows of the tables in another order",
        spine, base, work.features(spine, shuffled_rows(tables, seed)),
    )  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(spine))
    mixed = work.features(spine.iloc[order].reset_index(drop=True), tables)
    back = mixed.iloc[np.argsort(order)].reset_index(drop=True)
    yield from work.changes(
        ORDER_OF_IDS, "with the rows of the spine in another order", spine, base, back
    )


class _Comparison:
    """A function that makes features, and where two of its results differ."""

    def __init__(self, make_features: MakeFeatures, tolerance: float) -> None:
        self._make, self._tolerance = make_features, tolerance

    def features(self, spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
        frame = self._make(spine.copy(), tables)
        if len(frame) != len(spine):
            raise DataError(
                f"the function made {len(frame)} rows for {len(spine)} of the spine; "
                "it must return one for each, in its order"
            )
        keys = [name for name in ("customer_id", "as_of") if name in frame.columns]
        return frame.drop(columns=keys).reset_index(drop=True)

    def changes(
        self, kind: str, change: str, spine: pd.DataFrame, base: pd.DataFrame, other: pd.DataFrame
    ) -> Iterator[Alarm]:
        """An alarm for each column of ``base`` that ``other`` has otherwise."""
        for name in base.columns:
            new = other[name] if name in other else pd.Series(np.nan, index=base.index)
            rows = np.flatnonzero(differ(base[name], new, self._tolerance))
            if not len(rows):
                continue
            at = int(rows[0])
            who, when = str(spine["customer_id"].iloc[at]), spine["as_of"].iloc[at]
            value, without = base[name].iloc[at], new.iloc[at]
            evidence = f"customer {who} as of {when} is {value}, but {without} {change}"
            if len(rows) > 1:
                evidence += f" (and {len(rows) - 1} more of {len(base)} rows)"
            yield Alarm(kind, str(name), evidence, who, when.to_pydatetime(), value, without)


def differ(left: pd.Series, right: pd.Series, tolerance: float) -> npt.NDArray[np.bool_]:
    """Where two columns differ; nulls are equal, numbers within ``tolerance`` of their size.

    >>> differ(pd.Series([1.0, None, 2.0]), pd.Series([1.0, None, 3.0]), 1e-9).tolist()
    [False, False, True]
    """
    null = left.isna().to_numpy() & right.isna().to_numpy()
    one = left.isna().to_numpy() ^ right.isna().to_numpy()
    if all(pd.api.types.is_numeric_dtype(side.dtype) for side in (left, right)):
        a, b = (side.to_numpy(dtype=np.float64, na_value=np.nan) for side in (left, right))
        with np.errstate(invalid="ignore"):
            apart = np.abs(a - b) > tolerance * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
        apart |= np.isinf(a) & (a != b)
    else:
        apart = left.astype("str").to_numpy(dtype=object) != right.astype("str").to_numpy(
            dtype=object
        )
    return np.asarray((apart & ~null) | one)
