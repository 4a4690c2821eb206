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

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats, Ints, Values
from data.errors import DataError
from data.tables import Tables
from features.evaluate import Own, Shared
from features.expression import Column
from features.history import History
from features.online import Online
from features.program import Program, program_of
from features.spec import Feature, FeatureView, Term

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done."""

WORKING_MEMORY = 256_000_000
"""Bytes of working arrays, where no limit is given."""

COPIES = 3
"""How often a value of a slot is held while it is worked on: reckoned."""

FEW = 64
"""Rows of a spine that are computed one by one, where the history is kept for that."""

SPARSE = 3
"""All customers are computed at all times if those are at most so many times the pairs asked."""


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
    ``History`` that was read before for the same view; if it is kept, a few rows take about a
    millisecond each. Raises DataError for a spine without its
    columns, with nulls, or whose times have a zone.
    """
    who, when = _spine_columns(spine)
    history = tables if isinstance(tables, History) else History.read(view, tables)
    codes, customers = pd.factorize(who)
    codes, names = codes.astype(np.int64), np.asarray(customers, dtype=object)
    program = program_of(view)
    out = {feature.name: _column(feature, history, len(spine)) for feature in view.features}
    rows = {feature.name: program.row[feature.node] for feature in view.features}
    pieces = (
        _one_by_one(view, program, history, names, codes, when)
        if history.kept and len(spine) <= FEW
        else _pieces(program, history, names, codes, when, memory_limit)
    )
    for at, slot, found in pieces:
        for name, target in out.items():
            target.put(at, found[rows[name]][slot])
        if progress is not None:
            progress(int(at[-1] + 1) / len(spine), "features")
    head = {"customer_id": spine["customer_id"].to_numpy(), "as_of": when.astype("datetime64[us]")}
    columns = {name: values.finished() for name, values in out.items()}
    frame = pd.DataFrame({**head, **columns}, index=pd.RangeIndex(len(spine)), copy=False)
    frame["customer_id"] = frame["customer_id"].astype("str")
    return frame


def _one_by_one(
    view: FeatureView,
    program: Program,
    history: History,
    names: Values,
    codes: Ints,
    when: Ints,
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """The same for few rows, each by itself."""
    online = Online.of(view, history)
    found = np.full((program.size, len(codes)), np.nan)
    for at, (code, moment) in enumerate(zip(codes.tolist(), when.tolist(), strict=True)):
        found[online.rows, at] = online.values(names[code], moment)
    if len(codes):
        yield np.arange(len(codes)), np.arange(len(codes)), found


def _pieces(
    program: Program,
    history: History,
    names: Values,
    codes: Ints,
    when: Ints,
    memory_limit: int | None,
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Piece by piece: rows of the spine, the slot of each, and the values at the slots."""
    size = _slots_at_a_time(memory_limit, program)
    times = np.unique(when)
    order = np.lexsort((when, codes))
    code, moment = codes[order], when[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (code[1:] != code[:-1]) | (moment[1:] != moment[:-1])
    if len(names) * len(times) <= SPARSE * int(fresh.sum()) + 1024:
        shared = Shared(history, times)
        lines = max(1, size // max(1, len(times)))
        for low in range(0, len(names), lines):
            chosen = np.arange(low, min(low + lines, len(names)))
            piece = slice(*np.searchsorted(code, [low, low + lines]))
            found = shared.values(program, names, chosen)
            rank = np.searchsorted(times, moment[piece])
            yield order[piece], (code[piece] - low) * len(times) + rank, found
        return
    own = Own(history)
    pair = np.cumsum(fresh) - 1
    begins = np.flatnonzero(fresh)
    for low in range(0, len(begins), size):
        at = begins[low : low + size]
        stop = begins[low + size] if low + size < len(begins) else len(order)
        piece = slice(at[0], stop)
        yield order[piece], pair[piece] - low, own.values(program, names, code[at], moment[at])


class _Numbers:
    """A column of numbers in the making: float32, NaN where not known."""

    def __init__(self, size: int) -> None:
        self._values = np.full(size, np.nan, dtype=np.float32)

    def put(self, at: Ints, found: Floats) -> None:
        self._values[at] = found

    def finished(self) -> npt.NDArray[np.float32]:
        return self._values


class _Texts:
    """A column of texts in the making: codes into ``categories``, -1 for null."""

    def __init__(self, size: int, categories: Values) -> None:
        self._codes = np.full(size, -1, dtype=np.int64)
        self._categories = categories

    def put(self, at: Ints, found: Floats) -> None:
        self._codes[at] = found

    def finished(self) -> pd.Categorical:
        """With the texts that occur as categories, sorted."""
        used, codes = np.unique(self._codes, return_inverse=True)
        names = [str(self._categories[code]) for code in used if code >= 0]
        ranks = np.argsort(np.argsort(np.array(names, dtype=object)))
        lookup = np.append(np.full(int((used < 0).sum()), -1), ranks).astype(np.int64)
        return pd.Categorical.from_codes(
            lookup[codes], categories=pd.Index(sorted(names), dtype="str")
        )


def _column(feature: Feature, history: History, size: int) -> _Numbers | _Texts:
    if not feature.categorical:
        return _Numbers(size)
    term = feature.node
    assert isinstance(term, Term) and isinstance(term.value, Column)
    return _Texts(size, history.categories(term.source, term.value))


def _spine_columns(spine: pd.DataFrame) -> tuple[pd.Series, Ints]:
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


def _slots_at_a_time(memory_limit: int | None, program: Program) -> int:
    limit = WORKING_MEMORY if memory_limit is None else memory_limit
    if limit < 1_000_000:
        raise DataError(f"a memory limit of {limit} bytes is below 1 MB")
    return max(100, limit // (8 * COPIES * program.size))
