"""What groups add up to with what was posted since, against a history that is read anew."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract import TABLES
from data.packs import Pack, PackWriter
from data.settings import Complaint
from data.store import Event
from data.tables import MemoryTables, Tables
from features.asof import microseconds
from features.complaint import complaint_predicate
from features.compute import compute
from features.expression import Key
from features.group_sums import NightSums
from features.groups_now import adds_up, group_terms, night_sums, put_night_sums, streams_of
from features.history import History
from features.sources import ORDERS, TICKETS_AFTER_ORDERS, Source
from features.spec import FeatureView
from features.views import all_features
from models.risk.evidence import read
from serving.moved import Moved, concerned
from serving.own_rows import OwnRows

RULE = complaint_predicate(Complaint(topics=("billing",)))
GOODS = ("billing",)
VIEWS = tuple(
    FeatureView(tuple(f for f in features if set(f.node.terms()) & set(groups)))
    for features in (
        all_features(RULE, "Europe/Oslo", GOODS),
        all_features(RULE, "Europe/Oslo", GOODS, ORDERS, TICKETS_AFTER_ORDERS),
    )
    for groups in [group_terms(FeatureView(features))]
)
NIGHT = datetime(2026, 3, 2)
MORE = 4 if os.environ.get("PRESAGE_FULL") == "1" else 1
WHO = ("a", "b", "c", "d")
PRODUCTS = ("p", "q")
Row = dict[str, Any]


def random_row(draw: Any, name: str, posted: bool) -> Row:
    """A row whose facts lie in the weeks before; posted ones are learned after the night."""
    one = lambda *values: draw(st.sampled_from(values))  # noqa: E731
    day = lambda most=40: NIGHT - timedelta(days=draw(st.integers(0, most)), minutes=1)  # noqa: E731
    number = draw(st.integers(0, 4))
    row: Row = {
        "customers": lambda: {
            "customer_id": one(*WHO), "signed_up_at": NIGHT - timedelta(days=90),
            "region": one("north", "south", None), "platform": one("ios", None),
            "plan": one("free", "paid"),
        },
        "orders": lambda: {
            "order_id": f"o{number}", "customer_id": one(*WHO), "ordered_at": day(),
            "product_id": one(*PRODUCTS), "product_category": one("x", "y"),
            "carrier": one("fast", "slow", None), "promised_at": day(),
            "shipped_at": one(day(), None),
            "delivered_at": one(day(10), None), "returned_at": one(day(5), None),
        },
        "order_items": lambda: {
            "order_id": f"o{number}", "line": str(draw(st.integers(1, 2))),
            "product_id": one(*PRODUCTS),
        },
        "tickets": lambda: {
            "ticket_id": f"t{number}", "customer_id": one(*WHO, None), "opened_at": day(20),
            "channel": one("email", "chat"), "topic": one("billing", "other"),
            "order_id": one(*(f"o{n}" for n in range(5)), None), "product_id": one(*PRODUCTS, None),
            "first_response_at": one(day(5), None), "resolved_at": one(day(3), None),
        },
        "usage": lambda: {
            "event_id": f"u{number}", "customer_id": one(*WHO), "used_at": day(),
            "feature": one("payment_failed", "search"), "errors": float(draw(st.integers(0, 3))),
            "platform": one("ios", None),
        },
    }[name]()  # fmt: skip
    learned = NIGHT + timedelta(hours=draw(st.integers(1, 5))) if posted else None
    return {**row, "recorded_at": learned, "deleted": posted and draw(st.integers(0, 5)) == 0}


NAMES = ("customers", "orders", "order_items", "tickets", "usage")


@st.composite
def companies(draw: Any) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """The night's rows, and those posted since."""
    size = st.integers(0, 6)
    night = {n: [random_row(draw, n, False) for _ in range(draw(size))] for n in NAMES}
    since = {n: [random_row(draw, n, True) for _ in range(draw(st.integers(0, 3)))] for n in NAMES}
    return night, since


def tables_of(rows: dict[str, list[Row]]) -> MemoryTables:
    columns = {name: [c.name for c in TABLES[name].columns] for name in rows}
    frames = {n: pd.DataFrame(found, columns=columns[n]) for n, found in rows.items()}
    return MemoryTables({n: frame.astype(object) for n, frame in frames.items()})


def as_text(row: Row) -> dict[str, str]:
    told = {k: v for k, v in row.items() if v is not None}
    return {
        k: v.isoformat() if isinstance(v, datetime) else str(v).lower() if v in (True, False)
        and isinstance(v, bool) else str(v)
        for k, v in told.items()
    }  # fmt: skip


@dataclass(frozen=True)
class StandIn:
    """What sums of groups ask of a model at work: its view, and the rows that it needs."""

    view: FeatureView

    def reads(self, tables: Tables) -> Tables:
        return tables

    def history(
        self, tables: Tables, also: Mapping[Source, Collection[Key]] | None = None
    ) -> History:
        return read(self.view, tables, also)


def test_the_views_have_groups_of_every_kind() -> None:
    assert all(adds_up(view) for view in VIEWS)
    kinds = {(t.operation, t.source.table) for view in VIEWS for t in group_terms(view)}
    assert {("distinct", "tickets"), ("sum", "usage"), ("count", "order_items")} <= kinds
    assert len(VIEWS[0].features) > 60


@settings(max_examples=4 * MORE, deadline=None, suppress_health_check=list(HealthCheck))
@given(companies(), st.integers(0, 6))
def test_groups_with_news_are_those_of_a_history_read_anew(
    company: tuple[dict[str, list[Row]], dict[str, list[Row]]], hours: int
) -> None:
    night, since = company
    base = tables_of(night)
    rows, moment = OwnRows(base), NIGHT + timedelta(hours=hours)
    whole = tables_of({name: night[name] + since[name] for name in NAMES})
    spine = pd.DataFrame({"customer_id": WHO, "as_of": pd.Timestamp(moment)})
    moved = [(Moved(), StandIn(view)) for view in VIEWS]
    news: set[str] = set()
    for name in NAMES:  # table after table, as posts come
        if not since[name]:
            continue
        rows.extend({name: [as_text(row) for row in since[name]]})
        learned = NIGHT + timedelta(hours=5)
        events = [
            Event(at, name, (row[TABLES[name].key[0]],), row.get("customer_id"), row, learned)
            for at, row in enumerate(since[name])
        ]
        news |= concerned(events, rows).keys()
        for one, predictor in moved:
            one.note(events, rows)
            one.brought_up(rows, predictor, frozenset(WHO), news)  # type: ignore[arg-type]
    for view, (one, predictor) in zip(VIEWS, moved, strict=True):
        brought = one.brought_up(rows, predictor, frozenset(WHO), news)  # type: ignore[arg-type]
        if brought is None:  # items were there before their order: everybody's rows are read then
            assert rows.early_items({row["order_id"] for row in since["orders"]})
            return
        groups, mine = brought
        found = compute(view, spine, mine, groups=groups.at(microseconds(moment)))
        anew = compute(view, spine, whole)
        for feature in view.features:
            told, wanted = found[feature.name], anew[feature.name]
            if isinstance(wanted.dtype, pd.CategoricalDtype):
                assert told.astype(object).tolist() == wanted.astype(object).tolist()
            else:
                np.testing.assert_array_equal(told.to_numpy(), wanted.to_numpy(), feature.name)


@settings(max_examples=2 * MORE, deadline=None, suppress_health_check=list(HealthCheck))
@given(companies(), st.integers(-48, 48))
def test_sums_that_were_kept_are_those_that_were_made(
    company: tuple[dict[str, list[Row]], dict[str, list[Row]]], hours: int
) -> None:
    base, moment = tables_of(company[0]), microseconds(NIGHT + timedelta(hours=hours))
    for view in VIEWS:
        made = night_sums(view, base)
        with tempfile.TemporaryDirectory() as folder:
            writer = PackWriter(Path(folder) / "sums.pack")
            put_night_sums(writer, view, base, Path(folder), rows_at_once=4)
            writer.close()
            pack = Pack(Path(folder) / "sums.pack")
        kept, history = NightSums.from_pack(streams_of(view), pack), History.read(view, base)
        for stream in streams_of(view):
            source, key = stream.term.source, stream.term.key
            names = np.array(["nobody", *history.keyed(source, key).categories], dtype=object)
            for measure in stream.measures:
                windows = [window for window, _ in measure.windows]
                asked = (stream.term, measure.operation, measure.value, names, windows, moment)
                both = made.sums(*asked), kept.sums(*asked)
                for window in windows:
                    np.testing.assert_array_equal(*(sums[window] for sums in both))
