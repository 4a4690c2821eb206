"""Order lines of an online shop: UCI Online Retail, first and second edition.

Source: the publisher's workbook (``online_retail_II.xlsx``, two sheets; ``Online Retail.xlsx``)
or its rows as csv or Parquet, with the columns of either edition. A copy may also carry
``basket_key`` (stands in where the invoice number was lost) and ``is_cancel``.

| their column | becomes |
|---|---|
| Invoice, InvoiceNo | orders.order_id; of a cancellation (``C...``) tickets.ticket_id |
| StockCode | order_items.product_id; product_id of an order or ticket of one product alone |
| Quantity | order_items.quantity; orders.quantity is their sum |
| Price, UnitPrice | order_items.amount = Quantity x Price in GBP; orders.amount is their sum |
| InvoiceDate | orders.ordered_at, tickets.opened_at: London's clock, in UTC |
| Customer ID, CustomerID | customer_id of customers, orders, tickets |
| Country | customers.region, a version each time it changes |

Where one invoice carries two times (minutes apart) the later counts: nothing in it is known before.
A cancellation is the nearest thing to a complaint here: one ticket each, ``is_complaint`` true,
topic ``cancellation``, channel ``unknown`` (the contract wants one, the shop states none).
``signed_up_at`` is the first invoice seen, so everyone seems new in the first weeks.

What is lost: descriptions; the lines and amounts of cancellations (a ticket has neither, and the
file does not say which order was cancelled); orders without a customer, which the contract's
orders cannot hold (stock corrections among them). Cancellations without a customer stay, as
anonymous tickets. Every loss is counted in the notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from data.adapters.interface import Imported
from data.adapters.local_time import complete_to, last_midnight, moment_to_utc, to_utc
from data.adapters.reading import (
    FIX,
    Field,
    Sheet,
    choose,
    instants,
    numbers,
    required_text,
    sheets,
    text,
)

ZONE = "Europe/London"

FIELDS = (
    Field("Invoice", ("InvoiceNo",)),
    Field("StockCode"),
    Field("Quantity"),
    Field("InvoiceDate"),
    Field("Price", ("UnitPrice",)),
    Field("Customer ID", ("CustomerID",)),
    Field("Country"),
    Field("basket_key", required=False),
    Field("is_cancel", required=False),
)

FORMATS = ("ISO8601", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")
"""The publisher's csv copies write ISO times, the first edition's month/day/year."""


def read(source: Path, options: Mapping[str, str]) -> Imported:
    """Customers, orders, order_items and tickets of the export at ``source``."""
    path = choose(source, options.get("which"))
    read = [sheet for sheet in sheets(path, FIELDS) if len(sheet.frame)]
    lines, notes = _without_repeated_lines([_lines(sheet) for sheet in read])
    notes += tuple(note for sheet in read for note in sheet.remarks("orders"))
    torn = lines.loc[~lines["is_whole"] & ~lines["is_cancel"], "basket"].nunique()
    if torn:
        notes += (f"{torn:,} orders of which a line is set aside have no quantity and amount",)
    notes += to_utc(lines["local"], ZONE).notes("InvoiceDate")

    cancelled = lines[lines["is_cancel"]]
    sold = lines[~lines["is_cancel"]]
    unknown = sold["customer_id"].isna()
    if unknown.any():
        notes += (
            f"{sold.loc[unknown, 'basket'].nunique():,} baskets ({int(unknown.sum()):,} lines) "
            "without a customer are not in orders: an order needs a customer_id",
        )
    sold = sold[~unknown]
    anonymous = cancelled[cancelled["customer_id"].isna()]["basket"].nunique()
    if anonymous:
        notes += (f"{anonymous:,} cancellations without a customer are kept as anonymous tickets",)
    if len(cancelled):
        notes += (
            f"{len(cancelled):,} lines of cancellations became {cancelled['basket'].nunique():,} "
            "tickets; their products and amounts have no column there",
        )

    tables = {
        "customers": _customers(lines[lines["customer_id"].notna()]),
        "orders": _orders(sold),
        "order_items": _items(sold),
        "tickets": _tickets(cancelled),
    }
    ends = moment_to_utc(last_midnight(lines["local"]), ZONE)
    settings: dict[str, object] = {
        "company.country": "GB",
        "company.time_zone": ZONE,
        "company.currency": "GBP",
        "data.complete_to": complete_to(options, ends),
    }
    aside = pd.concat([sheet.faults.rows("orders") for sheet in read], ignore_index=True)
    return Imported(tables, settings, notes, ("customers",), {"orders": aside})


def _lines(sheet: Sheet) -> pd.DataFrame:
    """One row an order line, as published, with what tells baskets and cancellations apart."""
    basket = required_text(sheet, "basket_key" if sheet.has("basket_key") else "Invoice")
    if sheet.has("is_cancel"):
        is_cancel = _truth(sheet, "is_cancel")
    else:
        is_cancel = basket.str.upper().str.startswith("C").fillna(False)
    when = instants(sheet, "InvoiceDate", FORMATS, ZONE, required=True)
    lines = pd.DataFrame(
        {
            "part": sheet.part,
            "basket": basket,
            "is_cancel": is_cancel.astype(bool),
            "product_id": text(sheet, "StockCode"),
            "quantity": numbers(sheet, "Quantity"),
            "price": numbers(sheet, "Price"),
            "local": when.local,
            "at": when.utc,
            "customer_id": text(sheet, "Customer ID"),
            "country": text(sheet, "Country"),
        }
    )
    every, lines = lines, sheet.faults.good_rows(lines)
    torn = sheet.faults.rows("orders")["row"]
    lines["is_whole"] = ~lines["basket"].isin(every.loc[every.index.isin(torn), "basket"].dropna())
    # a basket that stands in for lost invoices may join two customers: one order each
    several = lines.groupby("basket")["customer_id"].transform("nunique") > 1
    if several.any():
        lines["basket"] = lines["basket"].mask(
            several, lines["basket"] + "/" + lines["customer_id"].fillna("")
        )
    return lines


def _truth(sheet: Sheet, column: str) -> pd.Series:
    values = sheet.frame[column]
    if pd.api.types.is_bool_dtype(values.dtype):
        return values
    words = text(sheet, column).str.lower()
    known = words.map({"true": True, "false": False, "1": True, "0": False})
    wrong = known.isna()
    sheet.faults.add(column, values, wrong, "is neither true nor false", FIX)
    return known.where(~wrong, False)


LINE = ["basket", "product_id", "quantity", "price", "local", "customer_id"]


def _without_repeated_lines(parts: list[pd.DataFrame]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """All sheets in one; a line that stands on several is read once, the n-th beside the n-th.

    The workbook's sheets overlap: the first nine days of December 2010 stand on both. Two equal
    lines on one sheet are two (the same article passed the till twice).
    """
    if len(parts) == 1:
        return parts[0], ()
    lines = pd.concat(parts, ignore_index=True)
    shared = lines.groupby("basket")["part"].transform("nunique") > 1
    again = pd.Series(False, index=lines.index)
    if shared.any():
        both = lines[shared]
        nth = both.groupby([*LINE, "part"], dropna=False).cumcount()
        again[shared] = both[LINE].assign(nth=nth).duplicated()
    notes: tuple[str, ...] = ()
    if again.any():
        notes = (f"{int(again.sum()):,} lines stand on two sheets of the workbook; read once",)
    return lines[~again].reset_index(drop=True), notes


def _customers(lines: pd.DataFrame) -> pd.DataFrame:
    ordered = lines.sort_values("at", kind="stable")
    ordered = ordered[~ordered.duplicated(["customer_id", "at"], keep="last")]
    first = ordered.groupby("customer_id")["at"].transform("min")
    changed = ordered["country"] != ordered.groupby("customer_id")["country"].shift()
    versions = ordered.assign(signed_up_at=first)[changed.to_numpy()]
    return versions.rename(columns={"country": "region", "at": "recorded_at"})[
        ["customer_id", "signed_up_at", "region", "recorded_at"]
    ].reset_index(drop=True)


def _baskets(lines: pd.DataFrame) -> pd.DataFrame:
    """One row a basket: its time, customer, and its product where there is but one."""
    groups = lines.groupby("basket", sort=False)
    products = groups["product_id"].nunique()
    product = groups["product_id"].first().where(products == 1)
    return pd.DataFrame(
        {"at": groups["at"].max(), "customer_id": groups["customer_id"].first(), "product": product}
    ).rename_axis("basket")


def _orders(sold: pd.DataFrame) -> pd.DataFrame:
    amounts = sold.assign(amount=sold["quantity"] * sold["price"]).groupby("basket", sort=False)
    whole = amounts["is_whole"].all()
    orders = _baskets(sold).assign(
        quantity=amounts["quantity"].sum().where(whole),
        amount=amounts["amount"].sum().round(2).where(whole),
        currency="GBP",
    )
    return orders.reset_index().rename(
        columns={"basket": "order_id", "at": "ordered_at", "product": "product_id"}
    )


def _items(sold: pd.DataFrame) -> pd.DataFrame:
    line = sold.groupby("basket").cumcount() + 1
    return pd.DataFrame(
        {
            "order_id": sold["basket"],
            "line": line.astype("str"),
            "product_id": sold["product_id"],
            "quantity": sold["quantity"],
            "amount": (sold["quantity"] * sold["price"]).round(2),
        }
    ).reset_index(drop=True)


def _tickets(cancelled: pd.DataFrame) -> pd.DataFrame:
    tickets = _baskets(cancelled).assign(channel="unknown", topic="cancellation", is_complaint=True)
    return tickets.reset_index().rename(
        columns={"basket": "ticket_id", "at": "opened_at", "product": "product_id"}
    )
