"""From a view, a spine and tables to features: prepare once, chunk by key, kernel, return.

The spine says who and when; it may be irregular, unsorted, with doubles. The same code serves
training (many times x all customers), nightly scoring (one x all) and an API call (one x one): a
customer's features do not depend on who else is asked for, to the last bit.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> from features.language import count, since_last
>>> from features.sources import ORDERS
>>> from features.spec import FeatureView
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "a"],
...                        "ordered_at": ["2026-01-01", "2026-01-05"]})
>>> spine = pd.DataFrame({"customer_id": ["a", "b"], "as_of": pd.to_datetime(["2026-01-06"] * 2)})
>>> view = FeatureView((count(ORDERS, days=3), since_last(ORDERS)))
>>> compute(view, spine, MemoryTables({"orders": orders}))
  customer_id      as_of  orders_count_3d  orders_since_last_days
0           a 2026-01-06              1.0                     1.0
1           b 2026-01-06              0.0                     NaN
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError
from data.tables import Tables
from features.asof import Int64
from features.evaluate import Evaluator, Texts
from features.history import History
from features.kernel import Slots
from features.spec import FeatureView

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done."""

BYTES_A_SLOT = 8 * 24
"""Memory that evaluation takes per (customer, T), beside the output; measured."""


def compute(
    view: FeatureView,
    spine: pd.DataFrame,
    tables: Tables | History,
    *,
    progress: Progress | None = None,
    memory_limit: int | None = None,
) -> pd.DataFrame:
    """The features of ``spine`` (customer_id, as_of), one row for each of its rows, in its order.

    Numbers are float32, NaN where not known; texts are ``category``. ``memory_limit`` in bytes
    bounds the working arrays (the rows read and the result come on top). ``tables`` may be a
    ``History`` that was read before for the same view. Raises DataError for a spine without its
    columns, with nulls, or whose times have a zone.
    """
    who, when = _spine_columns(spine)
    history = tables if isinstance(tables, History) else History.read(view, tables)
    codes, customers = pd.factorize(who)
    codes = codes.astype(np.int64)
    out: dict[str, npt.NDArray[np.float32] | Texts] = {
        feature.name: Texts(len(spine)) if feature.categorical else _nulls(len(spine))
        for feature in view.features
    }
    # A stable order by (customer, T); each distinct pair is computed once.
    order = np.lexsort((when, codes))
    for part in _chunks(codes[order], _slots_at_a_time(memory_limit)):
        at = order[part]
        key, moment = codes[at], when[at]
        fresh = np.append(True, (key[1:] != key[:-1]) | (moment[1:] != moment[:-1]))
        slot = np.cumsum(fresh) - 1
        low = key[0]
        slots = Slots(key[fresh] - low, moment[fresh], int(key[-1] - low) + 1)
        evaluator = Evaluator(history, slots, customers[low : key[-1] + 1])
        for feature in view.features:
            found = evaluator.feature(feature)
            target = out[feature.name]
            if isinstance(target, Texts):
                assert isinstance(found, Texts)
                target.put(at, found, slot)
            else:
                assert not isinstance(found, Texts)
                target[at] = found[slot].astype(np.float32)
        if progress is not None:
            progress((part.stop or 0) / max(1, len(order)), "features")
    columns = {
        name: values.categorical() if isinstance(values, Texts) else values
        for name, values in out.items()
    }
    head = {"customer_id": spine["customer_id"].to_numpy(), "as_of": when.astype("datetime64[us]")}
    frame = pd.DataFrame({**head, **columns}, index=pd.RangeIndex(len(spine)), copy=False)
    frame["customer_id"] = frame["customer_id"].astype("str")
    return frame


def _nulls(size: int) -> npt.NDArray[np.float32]:
    return np.full(size, np.nan, dtype=np.float32)


def _spine_columns(spine: pd.DataFrame) -> tuple[pd.Series, Int64]:
    for column in ("customer_id", "as_of"):
        if column not in spine.columns:
            raise DataError(f"the spine has no column {column!r}, only {list(spine.columns)}")
        if spine[column].isna().any():
            raise DataError(
                f"the spine's {column} is null in row {spine[column].isna().argmax() + 1}"
            )
    when = spine["as_of"]
    if isinstance(when.dtype, pd.DatetimeTZDtype):
        raise DataError("the spine's as_of has a time zone; times here are naive UTC")
    if not pd.api.types.is_datetime64_dtype(when.dtype):
        raise DataError(f"the spine's as_of is {when.dtype}, not a time")
    if when.dtype == "datetime64[ns]" and (when.dt.nanosecond != 0).any():
        raise DataError("the spine's as_of is finer than microseconds")
    return spine["customer_id"].astype("str"), when.to_numpy().astype("datetime64[us]").astype(
        np.int64
    )


def _slots_at_a_time(memory_limit: int | None) -> int:
    if memory_limit is None:
        return 2_000_000
    if memory_limit < 1_000_000:
        raise DataError(f"a memory limit of {memory_limit} bytes is below 1 MB")
    return max(1000, memory_limit // BYTES_A_SLOT)


def _chunks(keys: Int64, size: int) -> list[slice]:
    """Slices of about ``size`` that never part one key."""
    if not len(keys):
        return []
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    nearest = np.searchsorted(begins, np.arange(size, len(keys), size))
    cuts = [0, *(int(begin) for begin in np.unique(begins[nearest[nearest < len(begins)]]))]
    return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], len(keys)], strict=True)]
