"""Amounts in one currency: what may be added, and what is left out because nobody knows its rate.

Amounts count in the main currency: ``[company] currency`` where it is set, else the one that most
amounts of the table are in. Amounts in another are converted where ``[data] exchange_rates`` gives
a rate; else they are unknown, which is not 0. An amount without a currency is in the main one,
unless its text has a sign (``€ 12``); an item is in its order's.

>>> money = Money("USD", {"EUR": 1.1})
>>> money.in_main(pd.Series([40.0, 5000.0, 10.0, 7.0]), pd.Series(["usd", "JPY", "EUR", None]))
0    40.0
1     NaN
2    11.0
3     7.0
dtype: float64
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from data.contract import Table
from data.engines import literal, quoted
from data.words import CURRENCY, numbers

if TYPE_CHECKING:
    import duckdb

    from data.settings import Settings

AMOUNTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"orders": ("amount", "refund_amount"), "order_items": ("amount",), "customers": ("value",)}
)
"""The columns of each table that hold money, the one that tells its currency first."""
SIGNS = {"€": "EUR", "£": "GBP", "zł": "PLN", "Kč": "CZK", "₹": "INR", "₩": "KRW", "₺": "TRY",
         "₽": "RUB", "₴": "UAH", "₪": "ILS", "Fr": "CHF", "Fr.": "CHF"}  # fmt: skip
SHARED_SIGNS = {
    "$": ("USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "TWD", "BRL", "ARS", "CLP", "COP"),
    "¥": ("JPY", "CNY"),
    "kr": ("NOK", "SEK", "DKK", "ISK"),
    "kr.": ("NOK", "SEK", "DKK", "ISK"),
}
"""Signs of several currencies: the main one where it is among them, else the first."""
ITS_ORDERS = "its_orders_currency"


@dataclass(frozen=True)
class Money:
    """``main``: the currency that amounts count in, empty where none has been seen; ``rates``:
    what one of another currency is worth in it."""

    main: str = ""
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def factors(self) -> dict[str, float]:
        """What one unit is worth in the main currency, by currency that has a rate."""
        return {**{name.upper(): rate for name, rate in self.rates.items()}, self.main: 1.0}

    def in_main(self, amounts: pd.Series, currencies: pd.Series) -> pd.Series:
        """The amounts in the main currency, null where there is no rate."""
        if not self.main:
            return amounts
        named = currencies.astype("str").str.strip().str.upper()
        named = named.where(currencies.notna().to_numpy() & (named != "").to_numpy(), self.main)
        return amounts * named.map(self.factors).astype("float64")

    def sql(self, column: str, currency: str) -> str:
        """The same as an expression over a column and an expression of its currency."""
        if not self.main:
            return quoted(column)
        whens = " ".join(f"WHEN {literal(n)} THEN {f!r}" for n, f in self.factors.items())
        factor = f"CASE coalesce({currency}, {literal(self.main)}) {whens} END"
        return f"{quoted(column)} * CAST({factor} AS DOUBLE)"


def money_of(settings: Settings, counts: Sequence[tuple[str | None, int]]) -> Money:
    """The rule for a table with so many amounts of each currency (None: not named)."""
    named = [(name, count) for name, count in counts if name]
    usual = settings.company.currency  # of equally many
    commonest = min(named, key=lambda one: (-one[1], one[0] != usual, one[0]), default=("", 0))[0]
    main = usual if is_stated(settings) else commonest or usual
    return Money(main if counts else "", settings.data.exchange_rates)


def is_stated(settings: Settings) -> bool:
    """Whether somebody set ``[company] currency``; else its default says nothing of the data."""
    return "company.currency" in settings.sources


def in_one_currency(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Frames of tables without settings: orders and their items in the commonest currency of the
    orders, amounts in others unknown, with a warning that says how many."""
    out = dict(frames)
    orders = out.get("orders")
    if orders is None or not {"amount", "currency"} <= set(orders.columns):
        return out
    amounts, named = numbers(orders["amount"]), orders["currency"]
    of_known = named[amounts.notna().to_numpy()].dropna().astype("str").str.strip().str.upper()
    counts = of_known[of_known != ""].value_counts()
    if len(counts) < 2:
        return out
    money = Money(min(counts[counts == counts.max()].index))
    left = int(counts.sum() - counts[money.main])
    warnings.warn(
        f"orders: amounts count in {money.main}, the commonest currency; {left} in others "
        f"({', '.join(name for name in counts.index if name != money.main)}) count as unknown: "
        "convert them first",
        stacklevel=3,
    )
    there = [column for column in AMOUNTS["orders"] if column in orders.columns]
    out["orders"] = orders.assign(
        **{column: money.in_main(numbers(orders[column]), named) for column in there}
    )
    items = out.get("order_items")
    if items is not None and "amount" in items.columns:
        of_order = pd.Series(named.to_numpy(), index=orders["order_id"].astype("str")).dropna()
        of_order = of_order[~of_order.index.duplicated()]
        currencies = items["order_id"].astype("str").map(of_order)
        out["order_items"] = items.assign(
            amount=money.in_main(numbers(items["amount"]), currencies)
        )
    return out


def currency_sql(contract: Table, settings: Settings) -> str | None:
    """The expression of the currency that a row's amount is in, null where nothing says; over the
    columns of data/clean.py. None for a table without amounts."""
    if contract.name not in AMOUNTS:
        return None
    parts = []
    if "currency" in contract.names:
        parts.append("nullif(upper(trim(currency)), '')")
    if settings.import_.numbers:  # else an amount with a sign is refused by row
        text = quoted(f"found:{AMOUNTS[contract.name][0]}")
        sign = f"regexp_extract({text}, {literal(CURRENCY)})"
        codes = {**{sign: _shared(sign, settings) for sign in SHARED_SIGNS}, **SIGNS}
        whens = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in codes.items())
        parts.append(f"CASE nullif({sign}, '') {whens} ELSE nullif({sign}, '') END")
    if contract.name == "order_items":
        parts.append(ITS_ORDERS)
    return f"coalesce({', '.join([*parts, 'CAST(NULL AS VARCHAR)'])})"


def _shared(sign: str, settings: Settings) -> str:
    many, main = SHARED_SIGNS[sign], settings.company.currency
    return main if main in many else many[0]


def amounts_by_currency(
    good: duckdb.DuckDBPyRelation, contract: Table, settings: Settings
) -> list[tuple[str | None, int]]:
    """How many amounts of a table are in each currency, the most first; empty without amounts, and
    for items, which are in their orders'."""
    currency = currency_sql(contract, settings)
    if currency is None or contract.name == "order_items":
        return []
    return (
        good.filter(f"{quoted(AMOUNTS[contract.name][0])} IS NOT NULL")
        .aggregate(f"{currency} AS c, count(*) AS n", currency)
        .order("n DESC, c")
        .fetchall()
    )
