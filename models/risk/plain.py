"""What an ordinary analyst would know of a customer at T: some forty columns, from the tables.

Recency and frequency of complaints, tickets, orders and uses, and the state of orders and tickets.
The simple baselines learn from these rows and from nothing else. No definition, kernel or view of
the features room is used, so what a model's view has lost, the baselines still have.

What counts at T (docs/CONTRACT.md, "Time"):

- a row from when its birth is < T and its ``recorded_at`` <= T, until a newer version of its key
  counts (greater ``recorded_at``, of equal ones the later row); one that says ``deleted`` hides it;
- delivered_at, cancelled_at, returned_at, refunded_at, first_response_at, resolved_at once < T, and
  csat once csat_at is; promised_at from the row's birth on;
- a window of w days is [T - w, T); machines' and anonymous tickets never count.

An order is open until the earliest of its delivery, cancellation, return and refund, and overdue
from promised_at on while it is open. NaN: days since what never happened, and what the tables do
not tell by T (what is open, while no end of anything was ever seen). No table: counts of 0.

>>> from datetime import datetime
>>> from data.settings import Complaint
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": "a", "promised_at": "2026-01-08",
...     "ordered_at": ["2026-01-01", "2026-01-04"], "delivered_at": ["2026-01-03", None]})
>>> spine = pd.DataFrame({"customer_id": ["a"], "as_of": [datetime(2026, 1, 10)]})
>>> rows = plain_rows(MemoryTables({"orders": orders}), spine, Complaint())
>>> rows[["since_order_days", "orders_7d", "orders_open", "orders_overdue_days"]].values.tolist()
[[6.0, 1.0, 1.0, 2.0]]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Ints
from data.contract import TABLES
from data.tables import ROW, Tables
from features.complaint import ComplaintRule, is_complaint

Column = tuple[str, Floats]

DAY = 86_400_000_000
"""Microseconds."""
NEVER = 2**62
ENDS = ("delivered_at", "cancelled_at", "returned_at", "refunded_at")
ATTRIBUTES = ("region", "segment", "plan", "platform", "language", "preferred_channel", "value")
ATTRIBUTE = "customer_"
"""How the columns of attributes begin: trees see them, the regression does not."""


def plain_rows(tables: Tables, spine: pd.DataFrame, complaint: ComplaintRule) -> pd.DataFrame:
    """One row per row of ``spine`` (customer_id, as_of), in its order, index 0..n-1.

    Beside these two come float64 columns, the same whatever the tables hold, and ``customer_*``,
    the attributes, text as categories. ``*_days`` are days, ``*_28d`` looks back 28 days.
    """
    who, names = pd.factorize(spine["customer_id"].astype("str"))
    people = pd.Index(names)
    moments, line = np.unique(_microseconds(spine["as_of"]), return_inverse=True)
    named = [*ATTRIBUTES, *(a for a in tables.attributes if a not in ATTRIBUTES)]
    customers, words = _customers(tables, people, named)
    orders, (tickets, complaints) = _orders(tables, people), _tickets(tables, people, complaint)
    usage = _usage(tables, people)
    answers: dict[str, Floats] = {}
    for at, moment in enumerate(moments.tolist()):
        rows = np.flatnonzero(line == at)
        for columns in (
            _tenure(customers.at(moment), named),
            _frequency("complaint", complaints.at(moment), (7, 28, 90, 365), ever=True),
            _frequency("ticket", tickets.at(moment), (7, 28, 90, 365)),
            _state_of_tickets(tickets.at(moment)),
            _frequency("order", orders.at(moment), (7, 28, 90, 365)),
            _state_of_orders(orders.at(moment)),
            _frequency("use", usage.at(moment), (7, 28, 90)),
            _trouble_in_use(usage.at(moment)),
        ):
            for name, values in columns:
                answers.setdefault(name, np.full(len(spine), np.nan))[rows] = values[who[rows]]
    out = pd.DataFrame({c: spine[c].to_numpy() for c in ("customer_id", "as_of")} | answers)
    for name, of in words.items():
        codes = out[name].fillna(-1).astype(np.int64)
        out[name] = pd.Categorical.from_codes(codes, of).remove_unused_categories()
    return out


def amounts(rows: pd.DataFrame) -> list[str]:
    """The columns of ``plain_rows`` that are numbers and no attributes."""
    return [c for c in rows if c != "as_of" and not c.startswith(ATTRIBUTE)]


def attributes(rows: pd.DataFrame) -> list[str]:
    """The columns of ``plain_rows`` that are attributes of customers."""
    return [c for c in rows if c.startswith(ATTRIBUTE) and c != "customer_id"]


@dataclass(frozen=True)
class _Log:
    """A table's rows in order of birth: whose each is, and from when until when it is known.

    ``born``, ``start`` and ``end`` in microseconds; a row is known for ``start <= T < end``.
    ``times`` (microseconds) and ``numbers``: further columns, in the same order. ``people``: how
    many customers there are.
    """

    people: int
    who: Ints
    born: Ints
    start: Ints
    end: Ints
    times: dict[str, Ints]
    numbers: dict[str, Floats]

    def at(self, moment: int) -> _Known:
        older = int(np.searchsorted(self.born, moment))
        known = (self.start[:older] <= moment) & (moment < self.end[:older])
        return _Known(self, moment, np.flatnonzero(known))


@dataclass(frozen=True)
class _Known:
    """Which rows of a log are known at ``moment``; answers are one number per customer."""

    log: _Log
    moment: int
    rows: Ints

    def within(self, days: float) -> Ints:
        """The rows born in the last ``days`` days."""
        first = np.searchsorted(self.log.born, self.moment - round(days * DAY))
        return self.rows[np.searchsorted(self.rows, first) :]

    def time(self, name: str) -> Ints:
        return self.log.times[name][self.rows]

    def count(self, rows: Ints, weights: npt.ArrayLike | None = None) -> Floats:
        who = self.log.who[rows]
        return np.bincount(who, weights, minlength=self.log.people).astype(np.float64)

    def since_newest(self) -> Floats:
        """Days since the newest row's birth, NaN without one."""
        newest = np.full(self.log.people, -1)
        newest[self.log.who[self.rows]] = self.log.born[self.rows]  # in order: the last one stays
        return np.where(newest < 0, np.nan, (self.moment - newest) / DAY)

    def longest(self, rows: Ints, since: Ints) -> Floats:
        """The most days from ``since`` (one a row) to the moment, 0 without a row."""
        most = np.zeros(self.log.people)
        np.maximum.at(most, self.log.who[rows], (self.moment - since) / DAY)
        return most


def _tenure(known: _Known, attributes: Sequence[str]) -> Iterator[Column]:
    yield "since_signed_up_days", known.since_newest()
    for name in attributes:
        values = np.full(known.log.people, np.nan)
        values[known.log.who[known.rows]] = known.log.numbers[name][known.rows]
        yield f"{ATTRIBUTE}{name}", values


def _frequency(
    name: str, known: _Known, windows: Sequence[int], ever: bool = False
) -> Iterator[Column]:
    yield f"since_{name}_days", known.since_newest()
    for days in windows:
        yield f"{name}s_{days}d", known.count(known.within(days))
    if ever:
        yield f"{name}s_ever", known.count(known.rows)


def _state_of_orders(known: _Known) -> Iterator[Column]:
    at, rows = known.moment, known.rows
    delivered, promised = known.time("delivered_at"), known.time("promised_at")
    is_open = _if_any(delivered < at, known.time("ended") >= at)
    overdue = None if is_open is None else _if_any(promised < NEVER, is_open & (promised < at))
    in_window = {days: (delivered < at) & (delivered >= at - days * DAY) for days in (7, 30, 90)}
    late = delivered > promised
    yield from _how_many("orders_open", known, is_open, known.log.born[rows])
    yield from _how_many("orders_overdue", known, overdue, promised)
    yield "orders_delivered_7d", known.count(rows[in_window[7]])
    for days in (30, 90):
        yield f"orders_late_{days}d", known.count(rows[in_window[days] & late])
    recent = known.within(90)
    yield "orders_amount_90d", known.count(recent, known.log.numbers["amount"][recent])


def _state_of_tickets(known: _Known) -> Iterator[Column]:
    at = known.moment
    resolved, answered = known.time("resolved_at"), known.time("first_response_at")
    is_open = _if_any(resolved < at, resolved >= at)
    waits = _if_any(answered < at, (answered >= at) & (resolved >= at))
    for name, which in (("tickets_open", is_open), ("tickets_unanswered", waits)):
        yield from _how_many(name, known, which, known.log.born[known.rows])


def _trouble_in_use(known: _Known) -> Iterator[Column]:
    for days in (7, 28):
        rows = known.within(days)
        yield f"errors_{days}d", known.count(rows, known.log.numbers["errors"][rows])
    yield "payment_failed_28d", known.count(rows, known.log.numbers["payment_failed"][rows])


def _if_any(ended: Bools, which: Bools) -> Bools | None:
    """``which``, or None where not one row tells that such a thing is ever recorded."""
    return which if ended.any() else None


def _how_many(name: str, known: _Known, which: Bools | None, since: Ints) -> Iterator[Column]:
    """How many of the known rows there are, and for how many days the oldest; NaN for None."""
    if which is None:
        unknown = np.full(known.log.people, np.nan)
        yield from ((name, unknown), (f"{name}_days", unknown))
        return
    yield name, known.count(known.rows[which])
    yield f"{name}_days", known.longest(known.rows[which], since[which])


def _customers(
    tables: Tables, people: pd.Index, attributes: Sequence[str]
) -> tuple[_Log, dict[str, list[str]]]:
    """The log, numbers and codes in it, and what the codes of each text attribute stand for."""
    log, frame = _log(tables, "customers", people, attributes)
    words: dict[str, list[str]] = {}
    for name in attributes:
        if pd.api.types.is_numeric_dtype(frame[name].dtype):  # bool is one of them
            log.numbers[name] = frame[name].to_numpy(np.float64, na_value=np.nan)
            continue
        codes, values = pd.factorize(frame[name].astype("str"), sort=True)
        log.numbers[name] = np.where(codes < 0, np.nan, codes)
        words[f"{ATTRIBUTE}{name}"] = [str(value) for value in values]
    return log, words


def _orders(tables: Tables, people: pd.Index) -> _Log:
    log, frame = _log(tables, "orders", people, [*ENDS, "promised_at", "amount"])
    log.times["ended"] = np.min([_microseconds(frame[name]) for name in ENDS], axis=0)
    for name in ("delivered_at", "promised_at"):
        log.times[name] = _microseconds(frame[name])
    log.numbers["amount"] = frame["amount"].fillna(0.0).to_numpy(np.float64)
    return log


def _tickets(tables: Tables, people: pd.Index, rule: ComplaintRule) -> tuple[_Log, _Log]:
    """People's tickets, and those of them that are complaints, from when they are known as such."""
    columns = ["is_complaint", "is_machine", "topic", "priority", "csat", "csat_at"]
    log, frame = _log(tables, "tickets", people, [*columns, "first_response_at", "resolved_at"])
    for name in ("first_response_at", "resolved_at"):
        log.times[name] = _microseconds(frame[name])
    human = ~frame["is_machine"].fillna(False).to_numpy(bool)
    at_once = is_complaint(frame.assign(csat=np.nan), rule).to_numpy()
    rated = _microseconds(frame["csat_at"])
    in_time = is_complaint(frame, rule).to_numpy() & (rated < NEVER)
    start = np.where(at_once, log.start, np.maximum(log.start, rated + 1))
    complaints = _only(replace(log, start=start), human & (at_once | in_time))
    return _only(log, human), complaints


def _usage(tables: Tables, people: pd.Index) -> _Log:
    log, frame = _log(tables, "usage", people, ["feature", "errors"])
    log.numbers["errors"] = frame["errors"].fillna(0.0).to_numpy(np.float64)
    log.numbers["payment_failed"] = frame["feature"].eq("payment_failed").to_numpy(np.float64)
    return log


def _log(
    tables: Tables, name: str, people: pd.Index, columns: Sequence[str]
) -> tuple[_Log, pd.DataFrame]:
    """Their rows that are ever known, without further columns, and the frame to take those of."""
    key, birth = TABLES[name].key[0], str(TABLES[name].birth)
    own = dict.fromkeys([key, birth, "customer_id", "recorded_at", "deleted", ROW])
    frame = tables.frame(name, [*own, *(c for c in columns if c not in own)])
    born, recorded = _microseconds(frame[birth]), _microseconds(frame["recorded_at"])
    start, end = np.maximum(born + 1, recorded), np.full(len(frame), NEVER)
    again = np.flatnonzero(frame[key].duplicated(keep=False) & frame[key].notna())
    if len(again):
        versions = pd.DataFrame({"of": pd.factorize(frame[key].iloc[again])[0]}, index=again)
        versions = versions.assign(recorded=recorded[again], row=frame[ROW].to_numpy()[again])
        newest_first = versions.sort_values(["of", "recorded", "row"], ascending=False)
        known = pd.Series(start[newest_first.index], index=newest_first.index)
        of = newest_first["of"]
        newer = known.groupby(of).cummin().groupby(of).shift(1, fill_value=NEVER)
        end[newer.index] = newer
    who = people.get_indexer(pd.Index(frame["customer_id"]))
    gone = frame["deleted"].to_numpy(bool)
    places = np.flatnonzero((who >= 0) & ~gone & (start < end))
    places = places[np.argsort(born[places], kind="stable")]
    log = _Log(len(people), who[places], born[places], start[places], end[places], {}, {})
    return log, frame[list(columns)].iloc[places].reset_index(drop=True)


def _only(log: _Log, which: Bools) -> _Log:
    return _Log(
        log.people,
        log.who[which],
        log.born[which],
        log.start[which],
        log.end[which],
        {name: values[which] for name, values in log.times.items()},
        {name: values[which] for name, values in log.numbers.items()},
    )


def _microseconds(times: pd.Series) -> Ints:
    """Since 1970, NEVER where null."""
    raw = times.to_numpy().astype("datetime64[us]").astype(np.int64)
    return np.where(times.isna(), NEVER, raw)
