"""From a view, a spine and tables to features: split by customer, read, kernel, return.

The spine says who and when; it may be irregular, unsorted, with doubles. The same code serves
training (many times x all customers), nightly scoring (one x all) and an API call (one x one): a
customer's features do not depend on who else is asked for, to the last bit. What does not fit
the memory limit is split into shards of customers (shards.py), and computed one after the other.

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

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats, Ints, Values
from data.errors import DataError
from data.settings_tree import Engine
from data.tables import ROW, Tables
from features.evaluate import Added, Own, Shared, of_customer
from features.expression import Column
from features.history import History, needed_columns
from features.online import Online
from features.program import Program, program_of
from features.shards import Births, Shards, owner_of, split
from features.sources import Rows, Source, read_rows
from features.spec import FeatureView, Term
from features.totals import ADDED, Totals, joined

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done."""

MEMORY_LIMIT = 1_000_000_000
"""Bytes that rows and working arrays may take, where no limit is given."""

WORKING_MEMORY = 256_000_000
"""Bytes of working arrays at most."""

ROW_BYTES = 600
"""Memory that a row takes while it is read and computed, over all columns: measured."""

COPIES = 3
"""How often a value of a slot is held while it is worked on: reckoned."""

MANY_TIMES = 1000
"""With more as-of times than this a spine is computed in memory, whatever the limit."""

FEW = 64
"""Rows of a spine that are computed one by one, where the history is kept for that."""

LEAST_GB = 0.25
"""Memory that splitting is given in any case."""

SPARSE = 3
"""All customers are computed at all times if those are at most so many times the pairs asked."""


def compute(
    view: FeatureView,
    spine: pd.DataFrame,
    tables: Tables | History,
    *,
    progress: Progress | None = None,
    memory_limit: int | None = None,
    groups: Added | None = None,
) -> pd.DataFrame:
    """The features of ``spine`` (customer_id, as_of), one row for each of its rows, in its order.

    Numbers are float32, NaN where not known; texts are ``category``. ``memory_limit`` in bytes
    bounds the rows and the working arrays (the result comes on top): tables that are larger are
    read shard by shard. ``tables`` may be a ``History`` that was read before for the same view; if
    it is kept, a few rows take about a millisecond each. With ``groups``, everybody's sums at the
    spine's one moment, a history of the spine's customers is enough. Raises DataError for a spine
    without its columns, with nulls, or whose times have a zone.
    """
    who, when = _spine_columns(spine)
    codes, customers = pd.factorize(who)
    codes, names = codes.astype(np.int64), np.asarray(customers, dtype=object)
    program = program_of(view)
    out = {
        f.name: _Texts(len(spine)) if f.categorical else _Numbers(len(spine)) for f in view.features
    }
    rows_ready = 0
    pieces = (
        _computed(view, program, tables, names, codes, when, memory_limit)
        if groups is None
        else _pieces(_beside(view, program, tables, groups), names, codes, when)
    )
    for at, slot, results, texts in pieces:
        for feature in view.features:
            values = results[program.row[feature.node]][slot]
            out[feature.name].put(at, values, texts.get(feature.name))
        rows_ready += len(at)
        if progress is not None:
            progress(rows_ready / len(spine), "features")
    head = {"customer_id": spine["customer_id"].to_numpy(), "as_of": when.astype("datetime64[us]")}
    columns = {name: values.finished() for name, values in out.items()}
    # few rows side by side in one block are quicker to take apart than hundreds of columns
    together = len(spine) <= FEW
    frame = pd.DataFrame({**head, **columns}, index=pd.RangeIndex(len(spine)), copy=together)
    frame["customer_id"] = frame["customer_id"].astype("str")
    return frame


Piece = tuple[Ints, Ints, Floats, Mapping[str, Values]]
"""Rows of the spine, the slot of each, the values at the slots, the texts behind codes."""


def _computed(
    view: FeatureView,
    program: Program,
    tables: Tables | History,
    names: Values,
    codes: Ints,
    when: Ints,
    memory_limit: int | None,
) -> Iterator[Piece]:
    """The values of a spine, piece by piece."""
    if isinstance(tables, History) and tables.lasting and len(codes) <= FEW:
        yield from _one_by_one(view, program, tables, names, codes, when)
        return
    with in_shards(view, tables, np.unique(when), memory_limit) as shards:
        owner = shards.owners(names)
        place = np.empty(len(names), dtype=np.int64)
        for number in range(shards.count):
            mine = np.flatnonzero(owner == number)
            rows = np.flatnonzero(owner[codes] == number)
            if len(rows):
                place[mine] = np.arange(len(mine))
                run = shards.run_of(number)
                pieces = _pieces(run, names[mine], place[codes[rows]], when[rows])
                for at, slot, results, texts in pieces:
                    yield rows[at], slot, results, texts


def _beside(
    view: FeatureView, program: Program, tables: Tables | History, groups: Added
) -> ProgramRun:
    """The program over some customers' rows, beside the sums of everybody's."""
    history = tables if isinstance(tables, History) else History.read(view, tables)
    return ProgramRun.of(view, program, history, WORKING_MEMORY, totals=groups)


def _one_by_one(
    view: FeatureView,
    program: Program,
    history: History,
    names: Values,
    codes: Ints,
    when: Ints,
) -> Iterator[Piece]:
    """The same for few rows, each by itself."""
    online = Online(view, history)
    results = np.full((program.size, len(codes)), np.nan)
    for at, (code, moment) in enumerate(zip(codes.tolist(), when.tolist(), strict=True)):
        results[online.rows, at] = online.values(names[code], moment)
    if len(codes):
        every = np.arange(len(codes))
        yield every, every, results, texts_of(view, history)


@dataclass(frozen=True)
class ProgramRun:
    """A program and the rows that it runs over: of everybody, or of a shard's customers."""

    program: Program
    history: History
    texts: Mapping[str, Values]
    slots: int
    """Pairs of a customer and a time at once, so that working arrays stay small."""
    everybody: History | None = None
    totals: Added | None = None

    @classmethod
    def of(
        cls, view: FeatureView, program: Program, history: History, limit: int, **groups: Any
    ) -> ProgramRun:
        """Those of a view; ``limit`` in bytes. ``groups``: where a shard finds the others."""
        slots = max(100, min(limit, WORKING_MEMORY) // (8 * COPIES * max(program.size, 1)))
        return cls(program, history, texts_of(view, history), slots, **groups)

    def shared(self, times: Ints) -> Shared:
        """All customers at the same times."""
        return Shared(self.history, times, everybody=self.everybody, totals=self.totals)


def texts_of(view: FeatureView, history: History) -> dict[str, Values]:
    """The texts that the codes of the view's categorical features stand for."""
    texts = {}
    for feature in view.features:
        if feature.categorical:
            term = feature.node
            assert isinstance(term, Term) and isinstance(term.value, Column)
            texts[feature.name] = history.categories(term.source, term.value)
    return texts


def _pieces(run: ProgramRun, names: Values, codes: Ints, when: Ints) -> Iterator[Piece]:
    """Piece by piece over the rows of some customers."""
    program, size = run.program, run.slots
    times = np.unique(when)
    order = np.lexsort((when, codes))
    code, moment = codes[order], when[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (code[1:] != code[:-1]) | (moment[1:] != moment[:-1])
    if len(names) * len(times) <= SPARSE * int(fresh.sum()) + 1024:
        shared = run.shared(times if run.totals is None else run.totals.times)
        times = shared.moments
        lines = max(1, size // max(1, len(times)))
        for low in range(0, len(names), lines):
            chosen = np.arange(low, min(low + lines, len(names)))
            piece = slice(*np.searchsorted(code, [low, low + lines]))
            results = shared.values(program, names, chosen)
            rank = np.searchsorted(times, moment[piece])
            yield order[piece], (code[piece] - low) * len(times) + rank, results, run.texts
        return
    groups = None if run.totals is None else run.shared(run.totals.times)
    own = Own(run.history, groups)
    pair = np.cumsum(fresh) - 1
    begins = np.flatnonzero(fresh)
    for low in range(0, len(begins), size):
        at = begins[low : low + size]
        stop = begins[low + size] if low + size < len(begins) else len(order)
        piece = slice(at[0], stop)
        results = own.values(program, names, code[at], moment[at])
        yield order[piece], pair[piece] - low, results, run.texts


@dataclass(frozen=True)
class InShards:
    """A view over tables, whole (``whole``) or in shards, with what the features of groups need
    of all shards."""

    view: FeatureView
    program: Program
    limit: int
    count: int
    whole: History | None = None
    shards: Shards | None = None
    everybody: History | None = None
    totals: Totals | None = None

    def owners(self, names: Values) -> Ints:
        """The shard of each of these customers."""
        return np.zeros(len(names), np.int64) if self.shards is None else self.shards.owners(names)

    def run_of(self, number: int) -> ProgramRun:
        """The program with one shard's rows."""
        history = self.whole
        if self.shards is not None:
            own = [term for term in _terms(self.view) if of_customer(term)]
            history = History(read_rows(self.shards.shard(number), needed_columns(own)))
        assert history is not None
        return ProgramRun.of(
            self.view, self.program, history, self.limit,
            everybody=self.everybody, totals=self.totals,
        )  # fmt: skip


@contextmanager
def in_shards(
    view: FeatureView,
    tables: Tables | History,
    times: Ints,
    memory_limit: int | None = None,
    at_least: int = 1,
) -> Iterator[InShards]:
    """The view over the tables, in so many shards that what is worked on at ``times`` (ascending)
    stays within ``memory_limit`` bytes; the rows of groups are added up first, shard by shard. One
    shard is the tables as they are."""
    limit = _checked(memory_limit)
    program = program_of(view)
    count = 1
    if not isinstance(tables, History) and 0 < len(times) <= MANY_TIMES:
        count = max(at_least, shards_within(view, tables, limit))
    if count == 1:
        history = tables if isinstance(tables, History) else History.read(view, tables)
        yield InShards(view, program, limit, 1, history)
        return
    assert not isinstance(tables, History)
    terms = _terms(view)
    engine = Engine(memory_limit_gb=max(limit / 2e9, LEAST_GB))
    births = _births(terms, times)
    with split(tables, needed_columns(terms), count, births=births, engine=engine) as shards:
        groups = [term for term in terms if not of_customer(term)]
        everybody, totals = _of_groups(groups, shards, times)
        yield InShards(view, program, limit, count, None, shards, everybody, totals)


def _of_groups(terms: Sequence[Term], shards: Shards, times: Ints) -> tuple[History, Totals]:
    """What can be added up of the groups' rows, and the rows of what cannot."""
    totals = Totals([term for term in terms if term.operation in ADDED], times)
    together = needed_columns(term for term in terms if term.operation not in ADDED)
    needed = needed_columns(terms)
    for source, columns in needed.items():
        columns.update(owner_of(source))
    pieces: dict[Source, list[Rows]] = {source: [] for source in together}
    for number in range(shards.count) if terms else ():
        rows = {
            source: every.take(np.flatnonzero(shards.at_home(every, source, number)))
            for source, every in read_rows(shards.shard(number), needed).items()
        }
        totals.add(History(rows))
        for source, columns in together.items():
            pieces[source].append(rows[source].only({*columns, source.time}))
    return History({source: joined(parts) for source, parts in pieces.items()}), totals


def shards_within(view: FeatureView, tables: Tables, limit: int) -> int:
    """How many shards the rows of a view must be split into to be worked on within a limit of
    bytes; 1: none."""
    names = {table for term in _terms(view) for table in term.source.tables}
    rows = sum(_size(tables, name) for name in names)
    return max(1, -(-rows * ROW_BYTES // max(1, limit - min(limit // 2, WORKING_MEMORY))))


def _size(tables: Tables, name: str) -> int:
    import pyarrow.parquet as pq

    file = tables.file(name) if tables.has(name) else None
    if file is not None:
        return int(pq.read_metadata(file).num_rows)
    return len(tables.frame(name, [ROW]))


def _terms(view: FeatureView) -> list[Term]:
    return [term for feature in view.features for term in feature.node.terms()]


def _births(terms: Sequence[Term], times: Ints) -> dict[str, Births]:
    """Of each table that is counted in, which births can matter at any of the times."""
    births: dict[str, Births] = {}
    for name in {term.source.table for term in terms}:
        own = [term for term in terms if term.source.table == name]
        open_ended = any(
            term.window is None
            or term.ahead is not None
            or term.since not in (None, term.source.time)
            for term in own
        )
        longest = max((term.window or 0) for term in own)
        births[name] = (None if open_ended else int(times[0]) - longest, int(times[-1]))
    return births


class _Numbers:
    """A column of numbers in the making: float32, NaN where not known."""

    def __init__(self, size: int) -> None:
        self._values = np.full(size, np.nan, dtype=np.float32)

    def put(self, at: Ints, results: Floats, texts: Values | None) -> None:
        self._values[at] = results

    def finished(self) -> npt.NDArray[np.float32]:
        return self._values


class _Texts:
    """A column of texts in the making: codes into those that came up so far, -1 for null."""

    def __init__(self, size: int) -> None:
        self._codes = np.full(size, -1, dtype=np.int32)
        self._known: dict[str, int] = {}

    def put(self, at: Ints, results: Floats, texts: Values | None) -> None:
        """Codes into ``texts`` at some rows."""
        assert texts is not None
        used, place = np.unique(results.astype(np.int64), return_inverse=True)
        known = self._known
        code = [known.setdefault(str(texts[c]), len(known)) if c >= 0 else -1 for c in used]
        self._codes[at] = np.array(code, dtype=np.int32)[place]

    def finished(self) -> pd.Categorical:
        """With the texts that occur as categories, sorted."""
        names = sorted(self._known)
        rank = np.array([names.index(name) for name in self._known] + [-1], dtype=np.int64)
        return pd.Categorical.from_codes(rank[self._codes], categories=pd.Index(names, dtype="str"))


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


def _checked(memory_limit: int | None) -> int:
    limit = MEMORY_LIMIT if memory_limit is None else memory_limit
    if limit < 1_000_000:
        raise DataError(f"a memory limit of {limit} bytes is below 1 MB")
    return limit
