"""Terms and trees at the slots of a chunk: intervals from definitions, then the kernel.

``interval`` is where a definition becomes "counts for lo <= T < hi"; everything that makes a row
known late or gone early is in its two bounds, so no operation has to think of time again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError
from features import kernel
from features.asof import ALWAYS, NEVER, Int64
from features.expression import Array, Column, Value
from features.history import History, Part
from features.kernel import Active, Slots
from features.sources import Rows, Source
from features.spec import DAY, Combine, Constant, Feature, Node, Of, OfEach, Term

Float64 = npt.NDArray[np.float64]

SCALES = {"number": 1000.0, "duration": 1.0, "flag": 1.0}
"""Numbers are added as integers of a thousandth (money to a tenth of a cent), durations as
microseconds: exact, so the order of adding does not matter."""


KEPT = 4
"""How many rows' intervals an evaluator keeps; neighbours in a view share them."""

EVERYBODY: Array = np.array(["all"], dtype=object)


class Texts:
    """A column of texts: codes into categories, -1 for null."""

    def __init__(self, size: int) -> None:
        self.codes = np.full(size, -1, dtype=np.int64)
        self.categories: Array = np.array([], dtype=object)

    @classmethod
    def of(cls, codes: Int64, categories: Array) -> Texts:
        """Texts from their codes."""
        texts = cls(0)
        texts.codes, texts.categories = codes, categories
        return texts

    def put(self, at: Int64, found: Texts, slot: Int64) -> None:
        """Writes the texts found at slots to the rows ``at``; all chunks share their categories."""
        self.codes[at] = found.codes[slot]
        self.categories = found.categories

    def categorical(self) -> pd.Categorical:
        """With the texts that occur as categories, sorted."""
        used, codes = np.unique(self.codes, return_inverse=True)
        names = [str(self.categories[code]) for code in used if code >= 0]
        ranks = np.argsort(np.argsort(np.array(names, dtype=object)))
        lookup = np.append(np.full(int((used < 0).sum()), -1), ranks).astype(np.int64)
        return pd.Categorical.from_codes(
            lookup[codes], categories=pd.Index(sorted(names), dtype="str")
        )


def interval(rows: Rows | Part, term: Term) -> tuple[Int64, Int64]:
    """From when (>=) and until when (<) each row counts, but for the term's window."""
    since = term.since or term.source.time
    moments = rows.column(since).data.astype(np.int64, copy=False)
    lo, hi = rows.start, rows.end
    if term.ahead is not None:  # counts while since lies in [T, T + ahead)
        past = np.where(moments == NEVER, ALWAYS, moments)
        lo = np.maximum(lo, past - term.ahead + 1)
        hi = np.minimum(hi, past + 1)
    elif term.since is not None:  # a row is not seen before its own moment anyway
        lo = np.maximum(lo, np.where(moments == NEVER, NEVER, moments + 1))
    if term.where is not None:
        lo = np.maximum(lo, term.where.truth(rows).true_from)
    if term.until is not None:
        ends = term.until.value(rows).data.astype(np.int64, copy=False)
        hi = np.minimum(hi, np.where(ends == NEVER, NEVER, ends + 1))
    return lo, hi


@dataclass(frozen=True)
class Begun:
    """Rows that begin to count at some slot: what terms share that differ in the window only.

    ``rows`` positions with their key ``codes``, the place where each begins (``first``), and the
    moments until which (``hi``) and from which (``moments``) it would count without and with one.
    """

    rows: Int64
    codes: Int64
    first: Int64
    hi: Int64
    moments: Int64


class Evaluator:
    """The terms of one set of slots; each distinct interval and term is worked out once.

    ``names`` are the keys of the slots: key code i of ``slots`` is ``names[i]``.
    """

    def __init__(self, history: History, slots: Slots, names: Array) -> None:
        self.history, self.slots, self.names = history, slots, names
        self._terms: dict[Term, Float64 | Texts] = {}
        self._active: OrderedDict[Term, Active] = OrderedDict()
        self._begun: OrderedDict[Term, Begun] = OrderedDict()
        self._parts: dict[tuple[Source, Column | None], tuple[Rows | Part, Int64]] = {}
        self._groups: dict[Term | None, Groups] = {}

    def feature(self, feature: Feature) -> Float64 | Texts:
        """The feature at each slot."""
        node = feature.node
        if isinstance(node, Term) and feature.categorical:
            return self.term(node)
        return self.node(node)

    def node(self, node: Node) -> Float64:
        """The number at each slot, NaN where it is not known."""
        if isinstance(node, Term):
            found = self.term(node)
            if isinstance(found, Texts):
                raise DataError(f"{node.text} is a text, not a number")
            return found
        if isinstance(node, Constant):
            return np.full(self.slots.count, node.number)
        if isinstance(node, Combine):
            return combine(node.how, [self.node(part) for part in node.parts], self.slots.times)
        if isinstance(node, Of):
            groups = self._linked(node.link)
            return np.append(groups.evaluator.node(node.node), np.nan)[groups.place]
        return self._of_each(node)

    def term(self, term: Term) -> Float64 | Texts:
        """One term at each slot: a number, a time in microseconds, or texts."""
        if term not in self._terms:
            self._terms[term] = self._evaluate(term)
        return self._terms[term]

    def _evaluate(self, term: Term) -> Float64 | Texts:
        rows, _ = self._part(term)
        active = self._rows_active(term)
        if term.value is None:
            return self._of_rows(term, rows, active)
        value = term.value.value(rows)
        given = ~value.null()[active.rows]
        if not given.all():
            active = Active(active.rows[given], active.first[given], active.stop[given])
        if term.operation == "distinct":
            codes = value.data.astype(np.int64)
            return kernel.distinct(self.slots, active, codes).astype(np.float64)
        if term.operation == "last":
            rank = rows.rank(term.since or term.source.time)
            return _at_last(kernel.largest(self.slots, active, rank), rank, value)
        scale = SCALES[term.value.kind]
        whole = _whole(value, scale, term)
        if term.operation == "sum":
            return kernel.total(self.slots, active, whole).astype(np.float64) / scale
        sign = 1 if term.operation == "largest" else -1
        best = kernel.largest(self.slots, active, sign * whole)
        return np.where(best == -NEVER, np.nan, (sign * best).astype(np.float64) / scale)

    def _of_rows(self, term: Term, rows: Rows | Part, active: Active) -> Float64:
        if term.operation == "count":
            return kernel.total(self.slots, active).astype(np.float64)
        times = rows.column(term.since or term.source.time).data.astype(np.int64)
        sign = 1 if term.operation == "last_time" else -1
        best = kernel.largest(self.slots, active, sign * times)
        return np.where(best == -NEVER, np.nan, (sign * best).astype(np.float64))

    def _rows_active(self, term: Term) -> Active:
        """When each row counts; the latest few are kept for terms that differ only in what they
        make of the rows, or in the window."""
        rows, _ = self._part(term)
        late = term.value is not None and term.value.value(rows).known is not None
        bare = replace(term, operation="count", value=None)
        if not late and bare in self._active:
            self._active.move_to_end(bare)
            return self._active[bare]
        begun = self._rows_begun(term, late)
        hi = (
            begun.hi
            if term.window is None
            else np.minimum(begun.hi, begun.moments + (term.window + 1))
        )
        active = self.slots.until(begun.rows, begun.codes, begun.first, hi)
        if not late:
            self._active[bare] = active
            if len(self._active) > KEPT:
                self._active.popitem(last=False)
        return active

    def _rows_begun(self, term: Term, late: bool) -> Begun:
        """A value that is known late counts from then on."""
        bare = replace(term, operation="count", value=None, window=None)
        if not late and bare in self._begun:
            self._begun.move_to_end(bare)
            return self._begun[bare]
        rows, codes = self._part(term)
        lo, hi = interval(rows, bare)
        if late:
            assert term.value is not None
            known = term.value.value(rows).known
            assert known is not None
            lo = np.maximum(lo, known)
        at, first = self.slots.begins(codes, lo, hi)
        moments = rows.column(term.since or term.source.time).data.astype(np.int64, copy=False)
        if len(at) < rows.size:
            codes, hi, moments = codes[at], hi[at], moments[at]
        begun = Begun(at, codes, first, hi, moments)
        if not late:
            self._begun[bare] = begun
            if len(self._begun) > 1:
                self._begun.popitem(last=False)
        return begun

    def _part(self, term: Term) -> tuple[Rows | Part, Int64]:
        key = (term.source, term.key)
        if key not in self._parts:
            self._parts[key] = self.history.select(*key, self.names)
        return self._parts[key]

    def _linked(self, link: Term | None) -> Groups:
        """The groups that a link names at the slots, and those groups' own evaluator."""
        if link not in self._groups:
            if link is None:
                codes, names = np.zeros(self.slots.count, dtype=np.int64), EVERYBODY
            else:
                texts = self.term(link)
                assert isinstance(texts, Texts)
                codes, names = texts.codes, texts.categories
            slots, place, used = group_slots(codes, self.slots.times)
            evaluator = Evaluator(self.history, slots, names[used])
            self._groups[link] = Groups(evaluator, place, np.arange(self.slots.count))
        return self._groups[link]

    def _each_linked(self, link: Term) -> Groups:
        if link not in self._groups:
            rows, _ = self._part(link)
            assert link.value is not None
            value = link.value.value(rows)
            assert value.categories is not None
            slot, row = kernel.pairs(
                self.slots, self._rows_active(link), rows.rank(link.since or link.source.time)
            )
            codes = value.data.astype(np.int64)[row]
            slots, place, used = group_slots(codes, self.slots.times[slot])
            evaluator = Evaluator(self.history, slots, value.categories[used])
            self._groups[link] = Groups(evaluator, place, slot)
        return self._groups[link]

    def _of_each(self, node: OfEach) -> Float64:
        groups = self._each_linked(node.rows)
        found = np.append(groups.evaluator.node(node.node), np.nan)[groups.place]
        known = ~np.isnan(found)
        slot, found = groups.slot[known], found[known]
        count = np.bincount(slot, minlength=self.slots.count)
        if node.how == "mean":  # bincount adds in the order of the rows: the same for any batch
            with np.errstate(invalid="ignore"):
                return np.bincount(slot, found, minlength=self.slots.count) / count
        best = np.full(self.slots.count, -np.inf)
        np.maximum.at(best, slot, found)
        return np.where(count == 0, np.nan, best)


@dataclass(frozen=True)
class Groups:
    """``slot`` i names the group whose value is at ``place`` i of ``evaluator``, -1 for none."""

    evaluator: Evaluator
    place: Int64
    slot: Int64


def group_slots(codes: Int64, times: Int64) -> tuple[Slots, Int64, Int64]:
    """The distinct (group, T) of some pairs; for each pair its slot, -1 for no group (code -1);
    and the codes that occur, which the keys of the slots count through."""
    known = np.flatnonzero(codes >= 0)
    order = known[np.lexsort((times[known], codes[known]))]
    used, key = np.unique(codes[order], return_inverse=True)
    moment = times[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (key[1:] != key[:-1]) | (moment[1:] != moment[:-1])
    place = np.full(len(codes), -1)
    place[order] = np.cumsum(fresh) - 1
    return Slots(key[fresh], moment[fresh], len(used)), place, used


def combine(how: str, parts: list[Float64], times: Int64) -> Float64:
    """One step of arithmetic; see ``COMBINATIONS``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if how == "ratio":
            return np.where(parts[1] == 0, np.nan, parts[0] / parts[1])
        if how == "minus":
            return parts[0] - parts[1]
        if how == "plus":
            return parts[0] + parts[1]
        if how == "times":
            return parts[0] * parts[1]
        if how == "least":
            return np.minimum(parts[0], parts[1])
        if how == "days_since":
            return (times.astype(np.float64) - parts[0]) / DAY
        if how == "days":
            return parts[0] / DAY
        if how == "above_zero":
            return np.where(parts[0] > 0, parts[0], np.nan)
        events, exposure, usual, weight = parts
        return (events + weight * usual) / (exposure + weight)


def _at_last(best: Int64, rank: Int64, value: Value) -> Float64 | Texts:
    """The value of the row with that rank; a value that is null, or not yet known, is null."""
    order = np.append(np.argsort(rank), -1)
    at = np.searchsorted(rank[order[:-1]], best)
    row = order[np.where(best == -NEVER, len(rank), at)]
    if value.categories is not None:
        return Texts.of(np.append(value.data.astype(np.int64), -1)[row], value.categories)
    data = np.where(value.null(), np.nan, value.data.astype(np.float64))
    return np.append(data, np.nan)[row]


def _whole(value: Value, scale: float, term: Term) -> Int64:
    null = value.null()
    scaled = np.where(null, 0.0, value.data.astype(np.float64)) * scale
    if np.isinf(scaled).any() or (np.abs(scaled) >= 2.0**62).any():
        raise DataError(f"{term.text}: a value is infinite or too large to be added exactly")
    return np.rint(scaled).astype(np.int64)
