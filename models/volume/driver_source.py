"""What was known of the drivers at the first moment of any local day, with the rates at which they
make contacts (docs of the method: ``drivers.py``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Floats
from data.tables import Tables
from models.volume.projection import Projection, project, usual_weekdays
from models.volume.stocks import Company, Stocks

ROUNDS = 25


@dataclass(frozen=True)
class Known:
    """What was known at the first moment of local day ``day``: ``exposure`` (days x drivers) and
    ``people`` (days) of the days ``first``..``day``, what is projected ``ahead`` from ``day`` on,
    and ``rates`` (cells x (base, drivers)) in contacts a customer or unit and day, of the channels
    and topics of ``cells``; ``useful`` as in ``Stocks``.
    """

    day: int
    first: int
    exposure: Floats
    people: Floats
    ahead: Projection
    rates: Floats
    cells: list[tuple[object, object]]
    useful: bool


class DriverSource:
    """The tables behind the drivers, read when first asked; ``at`` answers for any day, and keeps
    it. ``not_after`` holds what is known at that local day, whatever is asked later (``held``).
    """

    def __init__(self, tables: Tables, time_zone: str, *, not_after: int | None = None) -> None:
        self.tables, self.time_zone, self.not_after = tables, time_zone, not_after
        self._company: Company | None = None
        self._known_by_day: dict[int, Known] = {}

    @property
    def company(self) -> Company:
        """The rows of the tables."""
        if self._company is None:
            self._company = Company(self.tables, self.time_zone)
        return self._company

    def held(self, day: int) -> DriverSource:
        """The same as if nothing had been learned since the first moment of a local day."""
        other = DriverSource(self.tables, self.time_zone, not_after=day)
        other._company, other._known_by_day = self._company, self._known_by_day
        return other

    def at(self, day: int) -> Known:
        """What was known at the first moment of a local day (days since 1970)."""
        day = day if self.not_after is None else min(day, self.not_after)
        if day not in self._known_by_day:
            stocks = self.company.at(day)
            self._known_by_day[day] = Known(
                day,
                stocks.first,
                stocks.exposure,
                stocks.people,
                project(stocks),
                _rates(stocks),
                stocks.cells,
                stocks.useful,
            )
        return self._known_by_day[day]


def _rates(known: Stocks) -> Floats:
    """Each cell's rates (cells x (base, drivers)), by expectation maximisation."""
    factor = usual_weekdays(known.ticket_day)[(np.arange(known.first, known.day) + 3) % 7]
    held = np.column_stack([known.people, known.exposure])[:-1]
    total = np.maximum(factor @ held, 1e-9)
    x = np.column_stack([np.ones(len(known.ticket_day)), known.ticket_exposure])
    cells = len(known.cells)
    share = np.bincount(known.ticket_cell, minlength=cells) / max(len(x), 1)
    everyone = _fit(x, total, np.full(len(total), 1e-6), prior=False)
    rates = np.zeros((cells, len(total)))
    for cell in range(cells):
        start = np.maximum(share[cell] * everyone, 1e-12)
        rates[cell] = _fit(x[known.ticket_cell == cell], total, start)
    return rates


def _fit(x: Floats, total: Floats, start: Floats, *, prior: bool = True) -> Floats:
    """Contacts (their exposures ``x``, contacts x causes) shared out to causes by the rates, and
    the rates counted again over the ``total`` exposures; ``prior``: a contact a cause at ``start``.
    """
    rate = start
    for _ in range(ROUNDS):
        part = x * rate
        part /= np.maximum(part.sum(axis=1, keepdims=True), 1e-300)
        contacts = part.sum(axis=0)
        rate = (contacts + 1) / (total + 1 / start) if prior else contacts / total
        rate = np.maximum(rate, 1e-12)
    return rate
