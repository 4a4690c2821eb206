"""What a company records: the optional tables and columns that its export leaves out.

The world is the same whether it is written down or not: what is left out is drawn by the company,
acts on its customers, and is missing from the tables. No export has everything: a shop may know
the carrier and not the region, or keep no history of what its rows once said.

>>> Recording(columns=("orders.carrier",)).lacks("orders", "carrier")
True
>>> draw_recording(np.random.default_rng(5)).lacks("orders", "delivered_at")
False
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.contract import TABLES
from data.errors import UsageError

VERSION_COLUMNS = ("recorded_at", "deleted")


@dataclass(frozen=True)
class Recording:
    """What is left out: ``tables``, and ``columns`` as ``table.column``.

    ``versions``: whether a row that changed is there in each of its versions, with ``recorded_at``
    and ``deleted``; otherwise only as it stands at the export. UsageError for a name that the
    contract does not have, or that it needs.
    """

    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    versions: bool = True

    def __post_init__(self) -> None:
        for name in self.columns:
            table, _, column = name.partition(".")
            if table not in TABLES or TABLES[table].column(column).required:
                raise UsageError(f"{name!r} is no optional column of the contract.")
        for name in self.tables:
            if name not in TABLES:
                raise UsageError(f"the contract has no table {name!r}.")

    def lacks(self, table: str, column: str = "") -> bool:
        """Whether the export has no such table, or no such column of it."""
        if table in self.tables:
            return True
        unversioned = column in VERSION_COLUMNS and not self.versions
        return unversioned or f"{table}.{column}" in self.columns

    def cut(self, name: str, rows: pa.Table) -> pa.Table:
        """The rows and columns of a table that are recorded, in the order of the rows."""
        if not self.versions:
            rows = _as_it_stands(name, rows)
        gone = [column for column in rows.column_names if self.lacks(name, column)]
        return rows.drop_columns(gone) if gone else rows


def _as_it_stands(name: str, rows: pa.Table) -> pa.Table:
    """The newest version of each row, the later of two as new; those deleted by it are gone."""
    key = TABLES[name].key
    if not key or "recorded_at" not in rows.column_names or not set(key) <= set(rows.column_names):
        return rows
    frame = rows.select([*key, "recorded_at"]).to_pandas()
    newest = frame.sort_values("recorded_at", kind="stable").drop_duplicates([*key], keep="last")
    current = rows.take(pa.array(np.sort(newest.index.to_numpy())))
    if "deleted" in current.column_names:
        current = current.filter(pa.compute.invert(current["deleted"]))
    return current


PRODUCTS = (
    "orders.product_id", "order_items.product_id", "tickets.product_id", "feedback.product_id",
)  # fmt: skip
CATEGORIES = ("orders.product_category", "order_items.product_category")
AMOUNTS = ("orders.amount", "orders.currency", "order_items.amount", "customers.value")
PLATFORM = ("customers.platform", "usage.platform", "usage.version", "calendar.platform")
RESOLUTION = ("tickets.resolved_at", "tickets.reopened_at", "tickets.handle_seconds")
TEXTS = ("tickets.text", "feedback.text")
LATER = ("orders.shipped_at", "orders.cancelled_at", "orders.returned_at", "orders.refunded_at")

TOGETHER: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.35, AMOUNTS),
    (0.35, PLATFORM),
    (0.20, RESOLUTION),
    (0.40, ("tickets.csat", "tickets.csat_at")),
    (0.35, TEXTS),
    (0.10, ("tickets.first_response_at",)),
    (0.40, ("tickets.order_id",)),
    (0.40, ("tickets.issue_id",)),
    (0.40, ("tickets.agent_id",)),
    (0.40, ("tickets.priority",)),
    (0.30, ("tickets.language", "feedback.language")),
    (0.40, ("tickets.public", "feedback.public")),
    (0.30, ("tickets.is_machine",)),
    (0.10, ("orders.promised_at",)),
    (0.30, ("orders.quantity", "order_items.quantity")),
    (0.30, ("customers.segment",)),
    (0.30, ("customers.plan",)),
    (0.20, ("customers.language",)),
    (0.40, ("customers.time_zone",)),
    (0.30, ("customers.preferred_channel",)),
    (0.30, ("customers.name",)),
    (0.40, ("customers.do_not_contact",)),
    (0.40, ("customers.vulnerable",)),
    (0.30, ("customers.closed_at",)),
    (0.30, ("usage.event_id",)),
    (0.40, ("usage.duration_seconds",)),
    (0.30, ("usage.quantity",)),
    (0.10, ("usage.errors",)),
)
"""The chance that columns which hang together are left out."""
TABLES_TOGETHER: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.10, ("usage",)),
    (0.50, ("order_items",)),
    (0.45, ("bot_sessions",)),
    (0.45, ("feedback",)),
    (0.50, ("articles", "article_events")),
    (0.35, ("calendar",)),
    (0.50, ("agents",)),
    (0.40, ("treatments",)),
)
UNVERSIONED = 0.5
NO_LATER_FACT, EACH_LATER_FACT = 0.5, 0.3
"""The chance that orders tell nothing but the delivery; if not, that each other fact is missing."""


def draw_recording(rng: np.random.Generator) -> Recording:
    """What a make leaves out. Customers, orders and tickets are always there."""
    tables = [t for chance, names in TABLES_TOGETHER if rng.random() < chance for t in names]
    columns = [c for chance, names in TOGETHER if rng.random() < chance for c in names]
    place = rng.choice(4, p=(0.35, 0.35, 0.25, 0.05))
    columns += ["customers.region"] if place in (1, 3) else []
    columns += ["orders.carrier"] if place in (2, 3) else []
    goods = rng.choice(3, p=(0.55, 0.25, 0.20))
    columns += PRODUCTS if goods > 0 else ()
    columns += CATEGORIES if goods > 1 else ()
    silent, each = rng.random() < NO_LATER_FACT, rng.random(len(LATER)) < EACH_LATER_FACT
    columns += [name for name, gone in zip(LATER, each, strict=True) if silent or gone]
    versions = bool(rng.random() >= UNVERSIONED)
    columns = [name for name in columns if name.partition(".")[0] not in tables]
    return Recording(tuple(tables), tuple(sorted(columns)), versions)


__all__ = ["Recording", "draw_recording"]
