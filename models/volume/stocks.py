"""What the company already knows about next week, as of any moment: who waits, who had errors.

A *driver* is a stock that makes contacts: orders overdue, their days late, orders that came late,
orders on their way, recent errors, open tickets. ``Company`` reads the tables once; ``at(day)``
gives what was known at that local day's first moment, by the one rule of time: each driver's total
per day, and for every ticket how much of it its customer had on the day they wrote.

Exposures of a day are those at its first moment. Errors fade by ``ERROR_MEMORY`` a day and count at
most ``MOST_ERRORS`` a customer; days late and days open count up to ``MOST_DAYS``. Orders later
than ``LOST_DAYS`` and tickets open for more than ``OLD_DAYS`` are taken as forgotten by all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats, Ints
from data.tables import Tables
from features.asof import microseconds
from features.calendar import utc_times
from models.volume.driver_rows import ENDS, FAR, numbers, read_rows

DRIVERS = ("overdue", "days_late", "came_late", "on_the_way", "errors", "days_open")
ERROR_MEMORY = 0.7
ERROR_DAYS = 12
MOST_ERRORS = 6.0
MOST_DAYS = 8
CAME_LATE_DAYS = 5
LOST_DAYS = 60
OLD_DAYS = 30
HISTORY_DAYS = 400


@dataclass(frozen=True)
class Orders:
    """Orders as known at a moment: local days on which each was ordered, promised and shipped,
    and its ``end_day`` (the first of ``ENDS``; ``FAR`` where not yet); whether it was ``delivered``
    then; and its ``group`` (carrier and its customer's region) by number.
    """

    group: Ints
    ordered: Ints
    promised: Ints
    shipped: Ints
    end_day: Ints
    delivered: Bools


@dataclass(frozen=True)
class Stocks:
    """Drivers as known at the first moment of local day ``day``.

    ``exposure`` (days x drivers) of the days ``first``..``day``, the last being today's; ``people``
    (days): customers there. Of every ticket before ``day``: its local ``ticket_day``, its
    ``ticket_cell`` (channel and topic, by number) and ``ticket_exposure`` (tickets x drivers).
    ``errors`` (platforms x days): errors of each of the days before ``day``. ``open_age``: how many
    tickets are open for 1, 2, ... days; ``open_flow`` (3,): of the last seven mornings the tickets
    open from the day before, those open at all, and how many of these were closed on the day.
    ``cells``: channel and topic of each ``ticket_cell``; ``useful``: whether there are tickets to
    learn from and at least one stock that drives them.
    """

    day: int
    first: int
    exposure: Floats
    people: Floats
    ticket_day: Ints
    ticket_cell: Ints
    ticket_exposure: Floats
    orders: Orders
    errors: Floats
    open_age: Floats
    open_flow: Floats
    cells: list[tuple[object, object]]
    useful: bool


class Company:
    """The rows behind the drivers, read once, with carriers, regions, channels and topics by
    number. ``useful``: whether any moment's stocks may be.
    """

    def __init__(self, tables: Tables, time_zone: str) -> None:
        self.time_zone = time_zone
        self.rows, self.customers = read_rows(tables, time_zone)
        orders, tickets = self.rows["orders"], self.rows["tickets"]
        self.carrier = numbers(orders.other["carrier"])
        self.region = numbers(self.rows["customers"].other["region"])
        self.channel = numbers(tickets.other["channel"])
        self.topic = numbers(tickets.other["topic"])
        promised = (orders.times["promised_at"] < FAR).any()
        self.useful = bool(len(tickets.start)) and bool(promised or len(self.rows["usage"].start))

    def at(self, day: int) -> Stocks:
        """The stocks as known at the first moment of a local day (days since 1970)."""
        midnight = utc_times(np.array([day], "datetime64[D]"), self.time_zone)[0]
        return _stocks(self, day, microseconds(midnight.astype(datetime)))


@dataclass(frozen=True)
class _Held:
    """How much of a driver each customer had at the first moment of each day, as sorted keys."""

    keys: Ints
    amount: Floats

    def total(self, first: int, days: int) -> Floats:
        day = self.keys % FAR - first
        inside = (day >= 0) & (day < days)
        return np.bincount(day[inside], self.amount[inside], days).astype("float64")

    def of(self, customer: Ints, day: Ints) -> Floats:
        wanted = customer * FAR + day
        if not len(self.keys):
            return np.zeros(len(wanted))
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        there = (self.keys[place] == wanted) & (customer >= 0)
        return np.where(there, self.amount[place], 0.0)


def _held(customer: Ints, day: Ints, amount: Floats, most: float = np.inf) -> _Held:
    keys, place = np.unique(customer * FAR + day, return_inverse=True)
    return _Held(keys, np.minimum(np.bincount(place, amount, len(keys)), most))


def each_day(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Rows and days of the spells ``begin``..``end`` (days, both included)."""
    length = np.maximum(end - begin + 1, 0)
    rows = np.repeat(np.arange(len(begin)), length)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(length) - length, length)
    return rows, begin[rows] + offset


def _stocks(source: Company, day: int, moment: int) -> Stocks:
    raw = source.rows["tickets"]
    known_rows = raw.known_at(moment)
    oldest = int(raw.born[known_rows].min()) if known_rows.any() else day
    first = max(oldest, day - HISTORY_DAYS)
    days = max(day - first + 1, 1)
    orders, buyer = _orders(source, day, moment, first)
    failed = _failed(source, day, moment, first)
    held = [*_order_stocks(orders, buyer, day), _error_stock(source, failed, day)]
    machine = pd.array(raw.other["is_machine"], dtype="boolean").fillna(False).to_numpy(bool)
    rows = np.flatnonzero(known_rows & ~machine & (raw.born >= first) & (raw.born < day))
    opened, who = raw.born[rows], raw.customer[rows]
    resolved = raw.day("resolved_at", rows, moment)
    # a source that does not say when tickets are resolved says nothing of those that are open
    last = opened + OLD_DAYS * bool((resolved < FAR).any())
    closed = np.minimum(resolved, day)
    at, when = each_day(opened + 1, np.minimum(closed, last))
    age = when - opened[at]
    named = who[at] >= 0
    held.append(
        _held(who[at][named], when[named], np.minimum(age, MOST_DAYS)[named].astype("float64"))
    )
    exposure = np.column_stack([one.total(first, days) for one in held])
    now = when == day
    lately = (when >= day - 7) & (when < day)
    flow = [lately & (age == 1), lately, lately & (closed[at] == when)]
    cell, cells = _cells(source, rows)
    return Stocks(
        day,
        first,
        exposure,
        _people(source, moment, first, days),
        opened,
        cell,
        np.column_stack([one.of(who, opened) for one in held]),
        orders,
        _errors_by_platform(source, failed, first, day),
        np.bincount(age[now], minlength=OLD_DAYS + 1)[1 : OLD_DAYS + 1].astype("float64"),
        np.array([each.sum() for each in flow], dtype="float64"),
        cells,
        bool(len(rows)) and bool(len(orders.ordered) or len(failed)),
    )


def _cells(source: Company, rows: Ints) -> tuple[Ints, list[tuple[object, object]]]:
    """Of tickets (rows) the cell, by number, and the channel and topic of each cell."""
    pair = source.channel[rows] * (source.topic.max(initial=0) + 1) + source.topic[rows]
    _, place, cell = np.unique(pair, return_index=True, return_inverse=True)
    names = [source.rows["tickets"].other[name][rows[place]] for name in ("channel", "topic")]
    known = [[None if pd.isna(value) else value for value in each] for each in names]
    return cell.astype("int64"), list(zip(*known, strict=True))


def _orders(source: Company, day: int, moment: int, first: int) -> tuple[Orders, Ints]:
    """Orders as known at the moment, and their customers by number.

    None where no delivery is known: of such a source nobody can say which orders still wait.
    """
    raw = source.rows["orders"]
    counted = (
        raw.known_at(moment) & (raw.times["promised_at"] < FAR) & (raw.born >= first - LOST_DAYS)
    )
    rows = np.flatnonzero(counted)
    if not (raw.day("delivered_at", rows, moment) < FAR).any():
        rows = rows[:0]
    ends = {name: raw.day(name, rows, moment) for name in ENDS}
    delivered, end_day = ends["delivered_at"], np.minimum.reduce(list(ends.values()))
    shipped = raw.day("shipped_at", rows, moment)
    if not (shipped < FAR).any():
        shipped = raw.born[rows]  # a source that does not say: on the way from the order on
    buyer = raw.customer[rows]
    return Orders(
        _groups(source, rows, buyer, moment),
        raw.born[rows],
        raw.times["promised_at"][rows],
        np.minimum(shipped, delivered),
        end_day,
        np.asarray((delivered < FAR) & (delivered == end_day)),
    ), buyer


def _groups(source: Company, rows: Ints, buyer: Ints, moment: int) -> Ints:
    """The carrier of orders and the region in which their customers are known to be, by number."""
    raw = source.rows["customers"]
    there = np.flatnonzero(raw.known_at(moment))
    region = np.zeros(source.customers + 1, dtype="int64")  # the last: orders of nobody known
    region[raw.customer[there]] = source.region[there]
    pair = source.carrier[rows] * (source.region.max(initial=0) + 1) + region[buyer]
    return np.unique(pair, return_inverse=True)[1].astype("int64")


def _order_stocks(orders: Orders, buyer: Ints, day: int) -> list[_Held]:
    """Overdue, days late, came late, on the way."""
    end_day = np.minimum(orders.end_day, day)
    rows, when = each_day(orders.promised + 1, np.minimum(end_day, orders.promised + LOST_DAYS))
    who, late = buyer[rows], when - orders.promised[rows]
    overdue = _held(who, when, np.ones(len(rows)))
    days_late = _held(who, when, np.minimum(late, MOST_DAYS).astype("float64"))
    late_orders = np.flatnonzero(orders.delivered & (orders.end_day > orders.promised))
    rows, when = each_day(
        orders.end_day[late_orders] + 1,
        np.minimum(orders.end_day[late_orders] + CAME_LATE_DAYS, day),
    )
    came_late = _held(buyer[late_orders][rows], when, np.ones(len(rows)))
    rows, when = each_day(orders.ordered + 1, np.minimum(end_day, orders.promised))
    return [overdue, days_late, came_late, _held(buyer[rows], when, np.ones(len(rows)))]


def _failed(source: Company, day: int, moment: int, first: int) -> Ints:
    """The rows of usage that are known to have failed."""
    raw = source.rows["usage"]
    known_rows = raw.known_at(moment) & (raw.born >= first - ERROR_DAYS) & (raw.born < day)
    return np.flatnonzero(known_rows & (np.asarray(raw.other["errors"], dtype="float64") > 0))


def _error_stock(source: Company, rows: Ints, day: int) -> _Held:
    raw = source.rows["usage"]
    errors = np.asarray(raw.other["errors"], dtype="float64")[rows]
    at, when = each_day(raw.born[rows] + 1, np.minimum(raw.born[rows] + ERROR_DAYS, day))
    faded = errors[at] * ERROR_MEMORY ** (when - raw.born[rows][at] - 1)
    return _held(raw.customer[rows][at], when, faded, MOST_ERRORS)


def _errors_by_platform(source: Company, rows: Ints, first: int, day: int) -> Floats:
    raw = source.rows["usage"]
    rows = rows[raw.born[rows] >= first]
    days = max(day - first, 1)
    if not len(rows):
        return np.zeros((1, days))
    errors = np.asarray(raw.other["errors"], dtype="float64")[rows]
    names, code = np.unique(numbers(raw.other["platform"][rows]), return_inverse=True)
    flat = np.bincount(code * days + raw.born[rows] - first, errors, len(names) * days)
    return flat.reshape(len(names), days).astype("float64")


def _people(source: Company, moment: int, first: int, days: int) -> Floats:
    """Customers there at the first moment of each day; 1 without a customers table."""
    raw = source.rows["customers"]
    rows = np.flatnonzero(raw.known_at(moment))
    if not len(rows):
        return np.ones(days)
    change = np.bincount(np.clip(raw.born[rows] + 1 - first, 0, days), minlength=days + 1)
    left = raw.day("closed_at", rows, moment)
    gone = np.bincount(np.clip(left + 1 - first, 0, days), minlength=days + 1)
    return np.maximum(np.cumsum(change - gone)[:days].astype("float64"), 1.0)
