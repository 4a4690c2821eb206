"""A program run over a history: the value of every part at every slot, a slot being (key, T).

Either all lines share the as-of times (training, a night), or each line has a time of its own (a
few customers online, a spine of any shape): then every row's moments are told from its line's T,
and the shared time is 0. The kernel does not know the difference, so neither do the bits.

>>> import pandas as pd
>>> from data.tables import MemoryTables
>>> from features.language import count
>>> from features.program import compiled
>>> from features.sources import ORDERS
>>> from features.spec import FeatureView
>>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": ["2026-01-01"]})
>>> feature = count(ORDERS, days=7)
>>> history = History.read(FeatureView((feature,)), MemoryTables({"orders": orders}))
>>> T = pd.to_datetime(["2026-01-01", "2026-01-02"]).to_numpy().astype("datetime64[us]").view("i8")
>>> names, program = np.array(["a"], dtype=object), compiled((feature.node,))
>>> Shared(history, T).values(program, names, np.array([0])).tolist()
[[0.0, 1.0]]
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from data.arrays import Floats, Ints, Values
from features import kernel
from features.asof import NEVER
from features.expression import Column, Expression, Key
from features.history import SCALES, History, Part
from features.kernel import Cut, Grid, Spells, Window
from features.lengths import DAY
from features.program import Lookup, Measure, Program, Spread, Stream, bare
from features.spec import Term
from features.timeline import Timeline
from features.totals import ADDED, EVERYBODY

UNORDERED = ("largest", "smallest", "first_time", "distinct")
"""What does not depend on the order of rows."""
NOW = np.zeros(1, dtype=np.int64)


class Query(NamedTuple):
    """The lines to evaluate: keys ``names[chosen]``, at ``own`` times or at shared ones."""

    names: Values
    chosen: Ints
    own: Ints | None


class Added(Protocol):
    """Groups' sums at ``times``, of the operations in ``adds``: ``Totals``, ``GroupsAt``."""

    @property
    def adds(self) -> tuple[str, ...]: ...
    @property
    def times(self) -> Ints: ...
    def sums(
        self,
        term: Term,
        operation: str,
        value: Expression | None,
        names: Values,
        windows: Sequence[Window],
    ) -> dict[Window, Ints]: ...


class Evaluation(Protocol):
    """How the lines' times are given: ``Shared`` or ``Own``."""

    @property
    def history(self) -> History: ...
    @property
    def totals(self) -> Added | None: ...
    def grid(self, lines: int) -> Grid: ...
    def times(self, query: Query) -> Ints: ...
    def group_values(
        self, term: Term | None, program: Program, codes: Ints, slots: Ints, query: Query
    ) -> Floats: ...


@dataclass(frozen=True)
class Shared:
    """All lines at the same ``times``, ascending; what is found of groups serves all calls."""

    history: History
    moments: Ints
    groups: dict[Hashable, Floats] = field(default_factory=dict)
    everybody: History | None = None
    """Where ``history`` has some customers' rows only: those of all that groups' features need
    beside ``totals``."""
    totals: Added | None = None

    def values(self, program: Program, names: Values, chosen: Ints) -> Floats:
        """A row per part of the program, a column per slot: line 0 at each time, line 1, ..."""
        return _run(self, program, Query(names, chosen, None))

    def grid(self, lines: int) -> Grid:
        return Grid(lines, self.moments)

    def times(self, query: Query) -> Ints:
        return np.tile(self.moments, len(query.chosen))

    def group_values(
        self, term: Term | None, program: Program, codes: Ints, slots: Ints, query: Query
    ) -> Floats:
        """The groups' values; of every group at every time once, then looked up."""
        return self.of_groups(term, program, codes, slots % len(self.moments))

    def of_groups(self, term: Term | None, program: Program, codes: Ints, ranks: Ints) -> Floats:
        """The values of groups (-1: none) at times, by the place of each among ``moments``."""
        if (term, program) not in self.groups:
            names = group_names(self.history, term)
            whole = self if self.everybody is None else replace(self, history=self.everybody)
            every = _run(whole, program, Query(names, np.arange(len(names)), None))
            self.groups[term, program] = np.append(every, np.full((len(every), 1), np.nan), axis=1)
        table = self.groups[term, program]
        return table[:, np.where(codes < 0, -1, codes * len(self.moments) + ranks)]


@dataclass(frozen=True)
class Own:
    """Each line at a time of its own."""

    history: History
    groups: Shared | None = None
    """Where groups are looked up, if ``history`` has some customers' rows only."""
    totals = None

    def values(self, program: Program, names: Values, chosen: Ints, times: Ints) -> Floats:
        """A row per part of the program, a column per line."""
        return _run(self, program, Query(names, chosen, times))

    def grid(self, lines: int) -> Grid:
        return Grid(lines, NOW)

    def times(self, query: Query) -> Ints:
        assert query.own is not None
        return query.own

    def group_values(
        self, term: Term | None, program: Program, codes: Ints, slots: Ints, query: Query
    ) -> Floats:
        """The groups' values, each distinct (group, T) once."""
        assert query.own is not None
        when = query.own[slots]
        if self.groups is not None:
            ranks = np.searchsorted(self.groups.moments, when)
            return self.groups.of_groups(term, program, codes, ranks)
        known = np.flatnonzero(codes >= 0)
        order = known[np.lexsort((when[known], codes[known]))]
        code, moment = codes[order], when[order]
        fresh = np.ones(len(order), dtype=bool)
        fresh[1:] = (code[1:] != code[:-1]) | (moment[1:] != moment[:-1])
        names = group_names(self.history, term)
        every = _run(self, program, Query(names, code[fresh], moment[fresh]))
        place = np.full(len(codes), -1)
        place[order] = np.cumsum(fresh) - 1
        return np.append(every, np.full((len(every), 1), np.nan), axis=1)[:, place]


def _run(how: Evaluation, program: Program, query: Query) -> Floats:
    times = how.times(query)
    values = np.empty((program.size, len(times)))
    for row, number in program.constants:
        values[row] = number
    for stream in program.streams:
        _fill(how, stream, query, values)
    for lookup in program.lookups:
        _look_up(how, lookup, query, values)
    for spread in program.spreads:
        _spread(how, spread, query, values)
    for step in program.steps:
        parts = [values[list(part)] for part in step.parts]
        values[list(step.into)] = combine(step.how, parts, times)
    return values


def _fill(how: Evaluation, stream: Stream, query: Query, values: Floats) -> None:
    """The terms of one stream."""
    term = stream.term
    measures = list(stream.measures)
    if not of_customer(term) and (query.own is not None or how.totals is not None):
        added = ADDED if query.own is not None or how.totals is None else how.totals.adds
        for measure in [m for m in measures if m.operation in added]:
            if query.own is not None:
                _from_timeline(how.history, term, measure, query, values)
            else:
                _from_totals(how.totals, term, measure, query, values)
            measures.remove(measure)
    if not measures:
        return
    where = (term.source, term.key, query.names, query.chosen)
    ordered = {measure.operation for measure in measures} - {*ADDED, *UNORDERED}
    part = how.history.select(*where) if ordered else how.history.loose(*where)
    if not part.size:
        for measure in measures:
            values[[row for _, row in measure.windows]] = _of_no_rows(measure)
        return
    grid = how.grid(len(query.chosen))
    cuts: dict[Expression | None, Cut] = {}
    for measure in measures:
        needs = measure.value
        if needs is not None and part.complete(needs):
            needs = None
        if needs not in cuts:
            windows = {w for m in measures for w, _ in m.windows}
            spells = _shifted(part.spells(term, needs), part.line, query.own)
            cuts[needs] = Cut(grid, spells, tuple(windows))
        _measure(cuts[needs], part, term, measure, values)


def _of_no_rows(measure: Measure) -> float:
    """What a measure is where there is no row."""
    if measure.operation in ("count", "sum", "distinct"):
        return 0.0
    value = measure.value
    of_text = measure.operation == "last" and value is not None and value.kind == "text"
    return -1.0 if of_text else np.nan


def _measure(cut: Cut, part: Part, term: Term, measure: Measure, values: Floats) -> None:
    """One measure, window by window, into its rows."""
    operation, value = measure.operation, measure.value
    windows = [window for window, _ in measure.windows]
    results: dict[Window, Values]
    if operation == "count":
        results = dict(cut.sums(None, windows))
    elif operation == "sum":
        assert value is not None
        results = dict(cut.sums(part.whole_numbers(value), windows))
    elif operation == "distinct":
        assert value is not None
        codes = part.value(value).data.astype(np.int64)
        results = {w: kernel.distinct(cut.grid, cut.spells, codes, w) for w in windows}
    elif operation in ("last", "last_time"):
        results = _latest(cut, part, term, value, windows)
    elif operation == "first_time":
        at = part.column(term.since or term.source.time).data.astype(np.int64)
        results = {w: _extreme(-v, 1.0, v) for w, v in cut.largest(-at, windows).items()}
    else:
        assert value is not None
        sign = 1 if operation == "largest" else -1
        scale = SCALES[value.kind]
        best = cut.largest(sign * part.whole_numbers(value), windows)
        results = {w: _extreme(sign * v, scale, v) for w, v in best.items()}
    _put(measure, results, values)


def _put(measure: Measure, results: Mapping[Window, Values], values: Floats) -> None:
    """What was found of each window into its row; sums, added up as integers, are scaled."""
    for window, row in measure.windows:
        values[row] = results[window].reshape(-1)
        if measure.operation == "sum":
            assert measure.value is not None
            values[row] /= SCALES[measure.value.kind]


def _extreme(best: Ints, scale: float, values: Ints) -> Floats:
    return np.where(values == -NEVER, np.nan, best.astype(np.float64) / scale)


def _latest(
    cut: Cut, part: Part, term: Term, value: Expression | None, windows: list[Window]
) -> dict[Window, Values]:
    """The latest row's value, a text as its code, or its moment; null where there is none."""
    since = term.since or term.source.time
    at = part.column(since).data.astype(np.int64, copy=False)
    order: Ints | None = None
    if since != term.source.time:  # rows stand by the source's own time
        order = np.lexsort((part.position, at, part.line))
        lo, hi, moments = (v[order] for v in (cut.spells.lo, cut.spells.hi, cut.spells.at))
        spells = Spells(part.line, lo, hi, moments)
        cut = Cut(cut.grid, spells, windows)
    values, none = latest_values(part, since, value)
    answers = np.append(values if order is None else values[order], none)
    return {window: answers[position] for window, position in cut.latest(windows).items()}


def latest_values(part: Part, since: Column, value: Expression | None) -> tuple[Floats, float]:
    """What each row tells if it is the latest: its value, a text as its code, or its moment; and
    what is told where there is none."""
    if value is None:
        at = part.column(since).data.astype(np.int64, copy=False)
        return np.where(at == NEVER, np.nan, at.astype(np.float64)), np.nan
    content = part.value(value)
    none = -1.0 if value.kind == "text" else np.nan
    return np.where(content.null(), none, content.data.astype(np.float64)), none


def _shifted(spells: Spells, line: Ints, own: Ints | None) -> Spells:
    """Moments told from each line's own T."""
    if own is None:
        return spells
    moment = own[line]
    hi = spells.hi if spells.plain else np.where(spells.hi == NEVER, NEVER, spells.hi - moment)
    return Spells(line, spells.lo - moment, hi, spells.at - moment, spells.plain)


def of_customer(term: Term) -> bool:
    """Whether the term is about a customer's own rows, not a group's."""
    return term.key is not None and term.key.name == "customer_id"


def _from_totals(
    totals: Added | None, term: Term, measure: Measure, query: Query, values: Floats
) -> None:
    """A group's sums, as they were added up over all shards."""
    assert totals is not None
    names = (
        EVERYBODY[np.zeros(len(query.chosen), int)]
        if term.key is None
        else (query.names[query.chosen])
    )
    windows = [window for window, _ in measure.windows]
    _put(measure, totals.sums(term, measure.operation, measure.value, names, windows), values)


def _from_timeline(
    history: History, term: Term, measure: Measure, query: Query, values: Floats
) -> None:
    """A group's sums at few moments."""
    keyed = history.keyed(term.source, term.key)
    value = measure.value
    needs = None if value is None or keyed.complete(value) else value
    timeline = Timeline.of(history, term, needs)
    lines = history.codes(term.source, term.key, query.names, query.chosen)
    windows = [window for window, _ in measure.windows]
    assert query.own is not None
    weights = None
    if measure.operation == "sum":
        assert value is not None
        weights = keyed.whole.whole_numbers(value)
    name = (measure.operation, value if measure.operation == "sum" else None)
    _put(measure, timeline.sums(name, weights, windows, lines, query.own), values)


def _look_up(how: Evaluation, lookup: Lookup, query: Query, values: Floats) -> None:
    slots = np.arange(values.shape[1])
    if lookup.link is None:
        codes = np.zeros(len(slots), dtype=np.int64)
    else:
        codes = values[lookup.link].astype(np.int64)
        if not (codes >= 0).any():
            values[list(lookup.into)] = np.nan
            return
    results = how.group_values(lookup.term, lookup.program, codes, slots, query)
    values[list(lookup.into)] = results[list(lookup.results)]


def _spread(how: Evaluation, spread: Spread, query: Query, values: Floats) -> None:
    """The mean, largest or sum over the groups that a line's rows name."""
    term = spread.term
    assert term.value is not None
    part = how.history.select(term.source, term.key, query.names, query.chosen)
    if not part.size:
        for into, name in zip(spread.into, spread.how, strict=True):
            values[into] = 0.0 if name == "sum" else np.nan
        return
    spells = _shifted(part.spells(bare(term), term.value), part.line, query.own)
    slot, row = kernel.pairs(how.grid(len(query.chosen)), spells, term.window)
    codes = part.value(term.value).data.astype(np.int64)[row]
    results = how.group_values(term, spread.program, codes, slot, query)
    slots = values.shape[1]
    for into, at, name in zip(spread.into, spread.results, spread.how, strict=True):
        known = ~np.isnan(results[at])
        where, numbers = slot[known], results[at][known]
        count = np.bincount(where, minlength=slots)
        # bincount adds in the order of the rows: the same for any batch
        if name == "mean":
            sums = np.bincount(where, numbers, minlength=slots)
            values[into] = np.where(count == 0, np.nan, sums / np.maximum(count, 1))
        elif name == "sum":
            values[into] = np.bincount(where, numbers, minlength=slots)
        else:
            best = np.full(slots, -np.inf)
            np.maximum.at(best, where, numbers)
            values[into] = np.where(count == 0, np.nan, best)


def group_names(history: History, term: Term | None) -> Values:
    """The texts that a link's codes stand for."""
    if term is None:
        return EVERYBODY
    assert isinstance(term.value, Key)
    return history.categories(term.source, term.value)


def combine(how: str, parts: list[Floats], times: Ints) -> Floats:
    """One step of arithmetic, element by element; see ``COMBINATIONS``."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if how == "ratio":
            return np.where(parts[1] == 0, np.nan, parts[0] / parts[1])
        if how == "minus":
            return parts[0] - parts[1]
        if how == "plus":
            return parts[0] + parts[1]
        if how == "times":  # of two nulls the processor picks either one's sign: nulls are equal
            product = parts[0] * parts[1]
            return np.where(np.isnan(product), np.nan, product)
        if how == "least":
            return np.minimum(parts[0], parts[1])
        if how == "chance":
            return 1.0 / (1.0 + np.exp(-parts[0]))
        if how == "days_since":
            return (times.astype(np.float64) - parts[0]) / DAY
        if how == "age_sum":
            return (times.astype(np.float64) * parts[0] - parts[1]) / DAY
        if how == "days":
            return parts[0] / DAY
        if how == "above_zero":
            return np.where(parts[0] > 0, parts[0], np.nan)
        if how == "known_of":  # of a group, where there is one
            return np.where(parts[1] < 0, np.nan, parts[0])
        events, exposure, usual, weight = parts
        return (events + weight * usual) / (exposure + weight)
