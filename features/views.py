"""Which features a model sees.

``default_view`` takes every definition that can vary with the tables and columns that are there,
without what the others would add (features/reduced.py). What it decides is decided once, when a
model is trained: the view travels with the model as JSON, so serving computes the same features
whatever its tables look like by then.

>>> import pandas as pd
>>> from data.settings import Settings
>>> from data.tables import MemoryTables
>>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": ["2026-01-01"]})
>>> view = default_view(MemoryTables({"orders": orders}), Settings())
>>> "orders_count_28d" in view.names, "orders_overdue_now" in view.names
(True, False)
>>> FeatureView.from_json(view.to_json()).fingerprint == view.fingerprint
True
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pandas as pd

from data.contract import TABLES
from data.tables import Tables, attributes_of
from features.ahead import ahead_features
from features.articles import ARTICLE_FEATURES
from features.asof import microseconds, times_of
from features.bots import BOT_FEATURES, FEEDBACK_FEATURES, TREATMENT_FEATURES
from features.complaint import ComplaintRule, complaint_predicate
from features.context import context_features
from features.expression import DERIVED
from features.goods import goods_topics
from features.language import customer, last, mean, since_first
from features.messages import WithTexts, text_features
from features.orders import ITEM_FEATURES, ORDER_FEATURES
from features.own import dates, joined, own_features
from features.predicate import Predicate
from features.reduced import reduced, switched_off
from features.sources import (
    CUSTOMERS,
    ITEMS,
    ORDERS,
    TICKETS,
    TICKETS_AFTER_ORDERS,
    TICKETS_OF_ORDERS,
    USAGE,
    Source,
    attribute,
)
from features.spec import Feature, FeatureView, Node
from features.tickets import ticket_features
from features.trouble import trouble_features
from features.usage import usage_features

CUSTOMER_FEATURES = (
    since_first(CUSTOMERS),
    *(
        customer(CUSTOMERS[name])
        for name in (
            "region", "segment", "plan", "platform", "language", "preferred_channel", "value",
        )
    ),
)  # fmt: skip


class ViewSettings(Protocol):
    """What of the settings a view depends on; ``data.settings.Settings`` has it."""

    @property
    def complaint(self) -> ComplaintRule: ...


def all_features(
    complaint: Predicate,
    time_zone: str = "UTC",
    goods: Sequence[str] = (),
    items: Source = ITEMS,
    tickets: Source = TICKETS_OF_ORDERS,
) -> tuple[Feature, ...]:
    """Every definition there is, given which tickets are complaints, which topics are about
    the goods (``goods_topics``), which rows tell what was bought, and ``tickets`` beside the orders
    that they are about; days are of ``time_zone``."""
    return (
        *CUSTOMER_FEATURES,
        *ORDER_FEATURES,
        *ITEM_FEATURES,
        *usage_features(time_zone),
        *ticket_features(complaint, time_zone),
        *BOT_FEATURES,
        *FEEDBACK_FEATURES,
        *ARTICLE_FEATURES,
        *TREATMENT_FEATURES,
        *context_features(complaint, items, tickets),
        *trouble_features(complaint, time_zone, goods, tickets),
        *ahead_features(time_zone),
    )


def default_view(
    tables: Tables,
    settings: ViewSettings,
    as_of: datetime | None = None,
    time_zone: str = "UTC",
) -> FeatureView:
    """Every feature that can vary with the columns that have a value, without the other columns.

    The attributes that ``[data] attributes`` names and that are there are added, of
    ``WithTexts`` the features of what was written, and those of the workspace's ``features.py``.
    With ``as_of`` only what was recorded by then decides. ``time_zone`` is the company's: its days
    are counted.
    """
    absent = absent_columns(tables, settings.complaint, as_of)
    features = candidates(tables, settings, as_of, time_zone, absent)
    return FeatureView(without(features, absent))


def what_is_missing(
    tables: Tables,
    settings: ViewSettings,
    as_of: datetime | None = None,
    time_zone: str = "UTC",
) -> list[tuple[str, int]]:
    """The columns (``orders.carrier``) and tables that are absent, each with the features more that
    there would be with it; the most first."""
    absent = absent_columns(tables, settings.complaint, as_of)
    return switched_off(candidates(tables, settings, as_of, time_zone, absent), absent)


def candidates(
    tables: Tables,
    settings: ViewSettings,
    as_of: datetime | None,
    time_zone: str,
    absent: Collection[tuple[str, str]],
) -> list[Feature]:
    """Every definition there is for these tables, whatever columns they lack."""
    complaint = complaint_predicate(settings.complaint)
    # where nobody keeps items, an order that names its product is one
    items = ORDERS if ("order_items", "product_id") in absent else ITEMS
    # where tickets name no order, they are about what their customer received last
    tickets = TICKETS_AFTER_ORDERS if ("tickets", "order_id") in absent else TICKETS_OF_ORDERS
    goods = goods_topics(tables, as_of)
    features = [*all_features(complaint, time_zone, goods, items, tickets)]
    features += own_columns(tables)
    if isinstance(tables, WithTexts):
        features += text_features(tables)
    own = getattr(settings, "own_features", "")
    return [*features, *joined(own_features(own, tables, complaint), features)]


def own_columns(tables: Tables) -> list[Feature]:
    """Features of the company's own columns: of customers as they stand, of what happened the
    latest, of numbers the mean of a year, and of dates the days since and until."""
    features: list[Feature] = []
    for name in attributes_of("customers", tables.attributes):
        column = attribute(tables, name)
        features += dates(CUSTOMERS, column) if column.kind == "time" else [customer(column)]
    for source in (ORDERS, TICKETS, USAGE):
        for name in attributes_of(source.table, tables.attributes):
            column = attribute(tables, name, source.table)
            if column.kind == "time":
                features += dates(source, column)
                continue
            features.append(last(source, column))
            if column.kind == "number":
                features.append(mean(source, column, days=365))
    return features


def without(
    features: Sequence[Feature], absent: Collection[tuple[str, str]]
) -> tuple[Feature, ...]:
    """What is left of them; of several that come to the same without these columns the first."""
    left: dict[Node, Feature] = {}
    for feature in features:
        left_over = reduced(feature, absent)
        if left_over is not None:
            left.setdefault(left_over.node, left_over)
    return tuple(left.values())


def absent_columns(
    tables: Tables, complaint: ComplaintRule, as_of: datetime | None = None
) -> frozenset[tuple[str, str]]:
    """The (table, column) pairs without a value, recorded by ``as_of`` if given.

    Columns that tell what a complaint is are never among them: what they leave unsaid is said by
    the rest of the rule.
    """
    absent = _without_values(tables, as_of)
    if tables.has("tickets"):
        absent -= {(c.table, c.name) for c in complaint_predicate(complaint).columns}
    absent |= {(table, name) for table, names in DERIVED.items() for name in names
               if (table, "text") in absent}  # fmt: skip
    return frozenset(absent)


def _without_values(tables: Tables, as_of: datetime | None) -> set[tuple[str, str]]:
    """The (table, column) pairs of the contract in which there is no value."""
    out: set[tuple[str, str]] = set()
    for name, contract in TABLES.items():
        columns = [*contract.names, *attributes_of(name, tables.attributes)]
        if not tables.has(name):
            out |= {(name, column) for column in columns}
            continue
        file = tables.file(name)
        if as_of is None and file is not None:
            filled = _filled(file)
            out |= {(name, column) for column in columns if column not in filled}
            continue
        frame = tables.frame(name, columns)
        if as_of is not None:
            frame = frame[times_of(frame["recorded_at"]) <= microseconds(as_of)]
        out |= {(name, column) for column in columns if not _has_value(frame[column])}
    return out


def _filled(file: Path) -> set[str]:
    """The columns of a Parquet file that have a value, as its own statistics tell; one without
    statistics counts as filled."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file)
    filled = set()
    for group in range(metadata.num_row_groups):
        for at in range(metadata.num_columns):
            column = metadata.row_group(group).column(at)
            counted = column.statistics is not None and column.statistics.has_null_count
            if not counted or column.statistics.null_count < metadata.row_group(group).num_rows:
                filled.add(column.path_in_schema.split(".")[0])
    return filled


def _has_value(values: pd.Series) -> bool:
    return bool(values.notna().any())
