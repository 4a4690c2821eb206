"""Sign-ups that are first tickets: dates that would tell who is about to write.

A table of customers made from tickets has each customer sign up on the day of the first ticket. By
the contract that is 00:00 UTC, hours before the ticket. At a moment in between the customer is
there, has done nothing yet, and is about to write: such a row has the outcome for nearly all that
it concerns, a model learns it, and its new customers look certain to complain. Sign-ups at the
very moment of the first ticket tell nothing in advance, but then nobody is there who never wrote.

Sign-ups are suspect where far more first tickets fall into a customer's first day than chance
would put there, all days since the sign-up being alike. First orders and uses say nothing of
complaints, so customers may well sign up with those.

>>> start = pd.Timestamp("2026-01-01")
>>> days = start + pd.to_timedelta(range(60), unit="D")
>>> signed_up = pd.DataFrame({"customer_id": [f"c{at}" for at in range(60)], "signed_up_at": days})
>>> first = signed_up.assign(opened_at=days + pd.Timedelta(hours=9))
>>> found = suspect_sign_ups(first, datetime(2026, 6, 1))
>>> found.same_day, found.earlier, found.example
(60, 60, 'c0 signed up 2026-01-01 00:00 and first wrote 2026-01-01 09:00')
>>> suspect_sign_ups(first.assign(opened_at=days + pd.Timedelta(days=9)), datetime(2026, 6, 1))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from data.tables import Tables

FEWEST = 20
"""Customers who wrote: of fewer nothing is said."""
SHARE = 0.3
"""The share of them whose first ticket falls into their first day, from which it is too many."""
TIMES = 3.0
"""... and so many times what chance would give."""
SURE = 4.5
"""... and so many standard errors above it."""
DAY = pd.Timedelta(days=1)

REMEDY = (
    "give the true date, or leave the customers table out: customers are then there from their "
    "first order, use or ticket on (docs/adapters.md, Customers who sign up with a ticket)"
)


@dataclass(frozen=True)
class SuspectSignUps:
    """Of ``wrote`` customers with a ticket ``same_day`` wrote first within a day after they signed
    up, ``earlier`` of them not at the very moment; chance would give ``expected``."""

    wrote: int
    same_day: int
    earlier: int
    expected: float
    customer_id: str
    example: str

    def __str__(self) -> str:
        which = (
            "so it tells who is about to write, and risks of new customers would be made of that"
            if self.earlier
            else "at the very moment, so nobody is there who never wrote"
        )
        return (
            f"customers.signed_up_at falls on the day of the first ticket (tickets.opened_at) for "
            f"{self.same_day} of {self.wrote} customers who wrote "
            f"({self.same_day / self.wrote:.0%}; chance would give "
            f"{self.expected / self.wrote:.1%}), {which}: {self.example}"
        )


def suspect_sign_ups(first: pd.DataFrame, until: datetime) -> SuspectSignUps | None:
    """Whether sign-ups seem derived from first tickets; None where they do not.

    ``first``: a row per customer who wrote, with customer_id, signed_up_at and opened_at of the
    first ticket (naive UTC). What is after ``until`` does not count.
    """
    known = first[(first["signed_up_at"] < until) & (first["opened_at"] < until)]
    if len(known) < FEWEST:
        return None
    gap = known["opened_at"] - known["signed_up_at"]
    same = (gap >= pd.Timedelta(0)) & (gap < DAY)
    days = ((until - known["signed_up_at"]) / DAY).clip(lower=1.0)
    expected, count = float((1 / days).sum()), int(same.sum())
    enough = max(SHARE * len(known), TIMES * expected, expected + SURE * math.sqrt(expected))
    if count < enough:
        return None
    earlier = same & (gap > pd.Timedelta(0))
    row = known[earlier if earlier.any() else same].sort_values(["signed_up_at", "customer_id"])
    who, signed_up, opened = row[["customer_id", "signed_up_at", "opened_at"]].iloc[0]
    example = f"{who} signed up {signed_up:%Y-%m-%d %H:%M} and first wrote {opened:%Y-%m-%d %H:%M}"
    return SuspectSignUps(len(known), count, int(earlier.sum()), expected, str(who), example)


def suspect_in(tables: Tables, until: datetime) -> SuspectSignUps | None:
    """The same of whole tables, of what was recorded by ``until``."""
    if not (tables.has("customers") and tables.has("tickets")):
        return None
    births = []
    for name, birth in (("customers", "signed_up_at"), ("tickets", "opened_at")):
        rows = tables.frame(name, ["customer_id", birth, "recorded_at", "deleted"])
        rows = rows[(rows["recorded_at"] <= until) & ~rows["deleted"].astype(bool)]
        births.append(rows.groupby("customer_id", as_index=False)[birth].min())
    return suspect_sign_ups(births[0].merge(births[1], on="customer_id"), until)
