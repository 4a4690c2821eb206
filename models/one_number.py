"""One number: what the customers are expected to write, and what the series are expected to bring.

Two sources tell the same total. Bottom-up: the customers' expected tickets, and the share of those
who are in no score, contacts without a customer and of customers yet to come. Top-down: the series'
forecast. Each is believed by how far it was off at past origins: the total is their mean, weighted
by the inverse of their mean squared relative errors (a prior of ``PRIOR_ERROR``, worth
``PRIOR_WINDOWS`` windows, for sources hardly tried; Bates and Granger 1969). Both are then scaled
to it, the forecast of every node and step alike, so parts still add up to totals, zeros stay zero
and nothing turns negative:

    total = scaled customers + scaled others, at every node and step by the node's share

>>> calm, wild = Record((100.0, 100.0), (101.0, 99.0)), Record((100.0, 100.0), (160.0, 60.0))
>>> made = join(300.0, 280.0, 50.0, days=30, series=calm, customers=wild)
>>> 300 < made.total < 315, round(made.customers + made.others, 6) == round(made.total, 6)
(True, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from data.tables import Tables
from features.asof import as_of_view
from features.opt_out import profiled
from features.spine import customers_at

SPAN_DAYS = 30
"""The customers' expected tickets are those of so many days."""
PRIOR_ERROR = 0.2
PRIOR_WINDOWS = 2.0
WINDOWS = 5
"""Contacts of nobody known, and of customers to come, are the mean of so many past spans, a week
apart."""


@dataclass(frozen=True)
class Record:
    """A source's ``forecast`` of past spans and the ``actual`` contacts in them; spans overlap: the
    number that lie side by side is ``windows`` (default: all).
    """

    forecast: tuple[float, ...] = ()
    actual: tuple[float, ...] = ()
    windows: float | None = None

    def square(self) -> float:
        """The mean squared relative error (of logarithms), shrunk to the prior."""
        prior = PRIOR_WINDOWS * PRIOR_ERROR**2
        if not self.forecast:
            return prior / PRIOR_WINDOWS
        error = np.log((np.asarray(self.actual) + 1) / (np.asarray(self.forecast) + 1))
        count = len(self.forecast) if self.windows is None else self.windows
        return float((count * (error**2).mean() + prior) / (count + PRIOR_WINDOWS))


@dataclass(frozen=True)
class OneNumber:
    """The total of ``days`` days and how it came about: ``total`` = ``customers`` + ``others``.

    ``series_weight``: the series' share in the (weighted) mean. ``forecast_scale`` multiplies every
    forecast, ``customer_scale`` every customer's expected tickets.
    """

    days: float
    total: float
    customers: float
    others: float
    series_weight: float
    forecast_scale: float
    customer_scale: float

    @property
    def customers_share(self) -> float:
        """The part of every node's forecast that the scored customers write."""
        return self.customers / self.total if self.total > 0 else 0.0


def join(
    series_total: float,
    customers_total: float,
    others_total: float,
    *,
    days: float,
    series: Record,
    customers: Record,
) -> OneNumber:
    """The two sources made one over ``days`` days (at most ``SPAN_DAYS``).

    ``series_total``: the forecast of the total over these days; ``customers_total``,
    ``others_total``: of ``SPAN_DAYS`` days, of which the days have their share. A forecast of 0
    (all is closed) stays 0; where nobody is expected to write, the series' forecast stands.
    """
    part = days / SPAN_DAYS
    bottom = (customers_total + others_total) * part
    if series_total <= 0 or bottom <= 0:
        series_weight = 1.0
    else:
        inverse = 1 / series.square(), 1 / customers.square()
        series_weight = inverse[0] / sum(inverse)
    total = series_weight * series_total + (1 - series_weight) * bottom
    scale = total / bottom if bottom > 0 else 1.0
    of_customers = customers_total * part * scale
    return OneNumber(
        days,
        total,
        of_customers,
        total - of_customers,
        series_weight,
        total / series_total if series_total > 0 else 1.0,
        scale,
    )


def others_expected(tables: Tables, as_of: datetime) -> float:
    """Contacts of ``SPAN_DAYS`` days by nobody known or customers who were in no score when they
    began.

    The mean over the last ``WINDOWS`` whole spans of the tickets known at ``as_of`` (naive UTC), of
    customers who were not known at the span's begin or had left; spans before the first ticket are
    left out.
    """
    tickets = as_of_view(tables, "tickets", as_of, ["opened_at", "customer_id", "is_machine"])
    contacts = tickets[~tickets["is_machine"].fillna(False).astype(bool)]
    if contacts.empty:
        return 0.0
    opened = contacts["opened_at"]
    begins = [as_of - timedelta(days=7 * week + SPAN_DAYS) for week in range(WINDOWS)]
    begins = [begin for place, begin in enumerate(begins) if not place or begin >= opened.min()]
    scored = profiled(customers_at(tables, begins), tables)
    counts: list[int] = []
    for begin in begins:
        inside = contacts[(opened >= begin) & (opened < begin + timedelta(days=SPAN_DAYS))]
        known = scored.loc[scored["as_of"] == begin, "customer_id"]
        counts.append(int((~inside["customer_id"].isin(known)).sum()))
    return float(np.mean(counts))
