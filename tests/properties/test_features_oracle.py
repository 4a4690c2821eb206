"""Features against an oracle in plain Python that shares no code with the engine.

The oracle knows one thing only: the contract's words about time. It builds the rows as of T one by
one from dicts, blanks what is not yet known, and reads each definition with loops. Histories are
small and nasty: ties, versions, late records, deletions, nulls, and events on the very edges of
windows, a microsecond before them and after.
"""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract import TABLES
from data.settings import Complaint
from data.tables import MemoryTables
from features import expression as ex
from features import predicate as pr
from features.asof import as_of_view
from features.complaint import complaint_predicate
from features.compute import compute
from features.labels import labels
from features.sources import ORDERS, TICKETS_AFTER_ORDERS
from features.spec import Combine, Constant, FeatureView, Of, OfEach, Term
from features.spine import customers_at
from features.views import all_features

MORE = 4 if os.environ.get("PRESAGE_FULL") == "1" else 1
"""`make test-full` tries so many times more."""

BASE = datetime(2026, 3, 29, 23, 59, 59, 700000)
US = timedelta(microseconds=1)
DAY = timedelta(days=1)
RULE = Complaint(topics=("billing",), priorities=("high",), csat_at_most=2)
ZONE = "Europe/Oslo"
"""Its clocks go forward in the night in which the histories lie."""
EVERY = all_features(complaint_predicate(RULE), ZONE)
LATEST = all_features(
    complaint_predicate(RULE), ZONE, goods=("billing",), items=ORDERS, tickets=TICKETS_AFTER_ORDERS
)
"""The same where nobody keeps items, and tickets name no order."""
VIEW = FeatureView(
    (
        *EVERY,
        *(f.named(f"{f.name}_latest") for f in LATEST if f.node not in {e.node for e in EVERY}),
    )
)

# ---------------------------------------------------------------- the oracle

Row = dict[str, Any]


def rows_as_of(world: dict[str, list[Row]], name: str, t: datetime) -> list[Row]:
    """The rows of a table as of T, each with ``_row``, facts not yet known blank."""
    contract = TABLES[name]
    newest: dict[Any, Row] = {}
    for at, raw in enumerate(world.get(name, [])):
        row = {**dict.fromkeys(contract.names), **raw, "_row": at}
        if name == "order_items":
            births = [
                o["ordered_at"] for o in world.get("orders", []) if o["order_id"] == row["order_id"]
            ]
            born = min(births, default=None)
        else:
            born = row[contract.birth]
        learned = row["recorded_at"] or born
        if learned is None or learned > t or (contract.birth and not born < t):
            continue
        key: Any = tuple(row[k] for k in contract.key) if contract.key else at
        if contract.key and None in key:
            key = at
        if key not in newest or newest[key]["_learned"] <= learned:
            newest[key] = {**row, "_learned": learned}
    out = []
    for row in newest.values():
        if row["deleted"]:
            continue
        seen = dict(row)
        for column in contract.columns:
            fact = column.known_at
            if fact and (row[fact] is None or not row[fact] < t):
                seen[column.name] = None
        out.append(seen)
    return sorted(out, key=lambda r: r["_row"])


def source_rows(world: dict[str, list[Row]], source: Any, t: datetime) -> list[dict[Any, Any]]:
    out = []
    others = rows_as_of(world, source.beside, t) if source.beside else []
    for row in rows_as_of(world, source.table, t):
        mine: dict[Any, Any] = {(source.table, k): v for k, v in row.items()}
        mine["_row"] = row["_row"]
        if not source.beside:
            out.append(mine)
            continue
        if source.latest:
            named = latest_order(world, source, row, t)
            found = [other for other in others if other["order_id"] == named]
            out += [{**mine, **{(source.beside, k): v for k, v in o.items()}} for o in found]
            continue
        for other in others:
            if row[source.link] is not None and other[source.link] == row[source.link]:
                out.append({**mine, **{(source.beside, k): v for k, v in other.items()}})
    return out


def latest_order(world: dict[str, list[Row]], source: Any, row: Row, t: datetime) -> Any:
    """The order that the customer received last before a ticket, as was known when it came."""
    born = row[TABLES[source.table].birth]
    came = max(row["_learned"], born + US)
    then = [
        order
        for order in rows_as_of(world, source.beside, came)
        if row[source.link] is not None
        and order[source.link] == row[source.link]
        and order[source.latest] is not None
        and order[source.latest] < born
    ]
    newest = max(then, key=lambda o: (o[source.latest], o["_row"]), default=None)
    return newest and newest["order_id"]


def value_of(node: Any, row: dict[Any, Any]) -> Any:
    if isinstance(node, ex.Column):
        return row[node.table, node.name]
    if isinstance(node, ex.Day):
        when = row[node.time.table, node.time.name]
        local = when and when.replace(tzinfo=UTC).astimezone(ZoneInfo(node.time_zone))
        return local and local.date()
    if isinstance(node, ex.Period):
        when = row[node.time.table, node.time.name]
        local = when and when.replace(tzinfo=UTC).astimezone(ZoneInfo(node.time_zone)).date()
        if local is None or node.length == "week":
            return local and local.isocalendar()[:2]
        half = local.day >= 16 if node.length == "half_month" else False
        return (local.year, local.month, half)
    if isinstance(node, ex.Joint):
        parts = tuple(value_of(part, row) for part in node.parts)
        return None if None in parts else parts
    left, right = value_of(node.left, row), value_of(node.right, row)
    return None if left is None or right is None else left - right


def holds(p: Any, row: dict[Any, Any], t: datetime) -> bool | None:
    if isinstance(p, pr.Named):
        return holds(p.part, row, t)
    if isinstance(p, pr.Not):
        part = holds(p.part, row, t)
        return None if part is None else not part
    if isinstance(p, pr.And):
        parts = [holds(q, row, t) for q in p.parts]
        return False if False in parts else None if None in parts else True
    if isinstance(p, pr.Or):
        parts = [holds(q, row, t) for q in p.parts]
        return True if True in parts else None if None in parts else False
    if isinstance(p, pr.Null):
        return row[p.column.table, p.column.name] is None
    if isinstance(p, pr.Given):
        return True if value_of(p.value, row) is not None else None
    if isinstance(p, pr.Past):
        when = row[p.column.table, p.column.name]
        return True if when is not None and when < t else None
    if isinstance(p, pr.Is):
        return row[p.column.table, p.column.name]
    if isinstance(p, pr.In):
        text = row[p.column.table, p.column.name]
        return None if text is None else text in p.values
    left = value_of(p.left, row)
    right = p.right if isinstance(p.right, float | int) else value_of(p.right, row)
    if left is None or right is None:
        return None
    # a span of time is compared in microseconds, as a filter writes it
    left, right = (x / US if isinstance(x, timedelta) else x for x in (left, right))
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
        "==": left == right,
        "!=": left != right,
    }[p.operator]


def counted(
    world: dict[str, list[Row]], term: Term, key: Any, t: datetime
) -> list[tuple[Any, Any]]:
    """(row, since) of the rows that count."""
    out = []
    since_column = term.since or term.source.time
    for row in source_rows(world, term.source, t):
        if term.key is not None and value_of(term.key, row) != key:
            continue
        since = row[since_column.table, since_column.name]
        if since is None:
            continue
        if term.ahead is not None:
            if not t <= since < t + timedelta(microseconds=term.ahead):
                continue
        elif not since < t:
            continue
        if term.window is not None and since < t - timedelta(microseconds=term.window):
            continue
        if term.where is not None and holds(term.where, row, t) is not True:
            continue
        if term.until is not None:
            ends = [row[c.table, c.name] for c in term.until.times]
            if any(end is not None and end < t for end in ends):
                continue
        out.append((row, since))
    return out


def number(value: Any) -> float:
    if isinstance(value, timedelta):
        return float(value // US)
    if isinstance(value, datetime):
        return float((value - datetime(1970, 1, 1)) // US)
    return float(value)


def term_value(world: dict[str, list[Row]], term: Term, key: Any, t: datetime) -> Any:
    rows = counted(world, term, key, t)
    if term.operation == "count":
        return float(len(rows))
    if term.operation in ("first_time", "last_time"):
        pick = min if term.operation == "first_time" else max
        times = [since for _, since in rows]
        return float((pick(times) - datetime(1970, 1, 1)) // US) if times else math.nan
    values = [(since, row["_row"], value_of(term.value, row)) for row, since in rows]
    values = [v for v in values if v[2] is not None]
    if term.operation == "distinct":
        return float(len({v[2] for v in values}))
    if term.operation == "last":
        text = term.value is not None and term.value.kind == "text"
        if not values:
            return None if text else math.nan
        newest = max(values, key=lambda v: v[:2])[2]
        return newest if text else number(newest)
    kind = term.value.kind if term.value is not None else ""
    scale = {"number": 1000, "time": 1e-6}.get(kind, 1)
    whole = [round(number(v[2]) * scale) for v in values]
    if term.operation == "sum":
        return sum(whole) / scale
    if not whole:
        return math.nan
    return (max if term.operation == "largest" else min)(whole) / scale


def evaluate(world: dict[str, list[Row]], node: Any, key: Any, t: datetime) -> Any:
    if isinstance(node, Term):
        return term_value(world, node, key, t)
    if isinstance(node, Constant):
        return node.number
    if isinstance(node, Of):
        group = "all" if node.link is None else term_value(world, node.link, key, t)
        return math.nan if group is None else evaluate(world, node.node, group, t)
    if isinstance(node, OfEach):
        rows = counted(world, node.rows, key, t)
        groups = [value_of(node.rows.value, row) for row, _ in rows]
        found = [evaluate(world, node.node, g, t) for g in groups if g is not None]
        found = [f for f in found if not math.isnan(f)]
        if node.how == "sum":
            return sum(found)
        if not found:
            return math.nan
        return sum(found) / len(found) if node.how == "mean" else max(found)
    assert isinstance(node, Combine)
    p = [evaluate(world, part, key, t) for part in node.parts]
    now = float((t - datetime(1970, 1, 1)) // US)
    if node.how == "ratio":
        return math.nan if p[1] == 0 or math.isnan(p[1]) else p[0] / p[1]
    if node.how == "above_zero":
        return p[0] if p[0] > 0 else math.nan
    if node.how == "smoothed":
        return (p[0] + p[3] * p[2]) / (p[1] + p[3])
    return {
        "minus": lambda: p[0] - p[1],
        "plus": lambda: p[0] + p[1],
        "times": lambda: p[0] * p[1],
        "least": lambda: math.nan if any(map(math.isnan, p)) else min(p[0], p[1]),
        "age_sum": lambda: (now * p[0] - p[1]) / 86_400_000_000,
        "chance": lambda: math.nan if math.isnan(p[0]) else 1 / (1 + np.exp(-p[0])),
        "days_since": lambda: (now - p[0]) / 86_400_000_000,
        "days": lambda: p[0] / 86_400_000_000,
    }[node.how]()


# ---------------------------------------------------------------- random histories

WINDOWS = (0, 1, 3, 7, 14, 28, 30, 56, 60, 90, 180, 365)


def instants() -> st.SearchStrategy[datetime]:
    """Moments on window edges as seen from BASE, and a microsecond to either side."""
    edge = st.builds(
        lambda w, u, s: BASE - w * DAY * s + u * US,
        st.sampled_from(WINDOWS),
        st.sampled_from((-1, 0, 1)),
        st.sampled_from((1, 1, 1, -1)),
    )
    near = st.builds(lambda h: BASE + timedelta(hours=h), st.integers(-240, 240))
    return st.one_of(edge, near)


maybe_instant = st.one_of(st.none(), instants())
CUSTOMER = st.sampled_from(("a", "b", "c"))
AMOUNT = st.sampled_from((None, 0.0, -2.5, 10.0, 99.99, 150.125, 1e6))
FLAG = st.sampled_from((None, True, False))


def rows(table: str, required: dict[str, Any], optional: dict[str, Any], most: int) -> Any:
    base = {
        **required,
        **optional,
        "recorded_at": maybe_instant,
        "deleted": st.sampled_from((None, None, None, False, True)),
    }
    return st.lists(st.fixed_dictionaries(base), max_size=most)


WORLD = st.fixed_dictionaries(
    {
        "customers": rows(
            "customers",
            {"customer_id": CUSTOMER, "signed_up_at": instants()},
            {"region": st.sampled_from((None, "n", "s")), "platform": st.sampled_from(("x", "y")),
             "plan": st.sampled_from((None, "p")),
             "preferred_channel": st.sampled_from((None, "email")),
             "closed_at": maybe_instant, "value": AMOUNT},
            4,
        ),
        "orders": rows(
            "orders",
            {"order_id": st.sampled_from("123"), "ordered_at": instants(), "customer_id": CUSTOMER},
            {"product_id": st.sampled_from((None, "p", "q")),
             "product_category": st.sampled_from((None, "k")), "quantity": AMOUNT,
             "amount": AMOUNT, "carrier": st.sampled_from((None, "dhl")),
             "promised_at": maybe_instant, "shipped_at": maybe_instant,
             "delivered_at": maybe_instant, "cancelled_at": maybe_instant,
             "returned_at": maybe_instant, "refunded_at": maybe_instant},
            6,
        ),
        "order_items": rows(
            "order_items",
            {"order_id": st.sampled_from("123"), "line": st.sampled_from("12")},
            {"product_id": st.sampled_from((None, "p", "q")), "quantity": AMOUNT, "amount": AMOUNT},
            5,
        ),
        "usage": rows(
            "usage",
            {"event_id": st.sampled_from((None, "1", "2", "3")), "used_at": instants(),
             "customer_id": CUSTOMER, "feature": st.sampled_from(("f", "payment_failed"))},
            {"errors": st.sampled_from((None, 0.0, 3.0)), "duration_seconds": AMOUNT,
             "platform": st.sampled_from((None, "x"))},
            5,
        ),
        "tickets": rows(
            "tickets",
            {"ticket_id": st.sampled_from("1234"), "opened_at": instants(),
             "customer_id": st.sampled_from((None, "a", "b", "c")),
             "channel": st.sampled_from(("email", "phone"))},
            {"topic": st.sampled_from((None, "billing", "other")), "is_complaint": FLAG,
             "priority": st.sampled_from((None, "high")), "is_machine": FLAG,
             "product_id": st.sampled_from((None, "p")),
             "issue_id": st.sampled_from((None, "i", "j")),
             "order_id": st.sampled_from((None, "1", "2")), "first_response_at": maybe_instant,
             "resolved_at": maybe_instant, "reopened_at": maybe_instant,
             "handle_seconds": st.sampled_from((None, 60.0)),
             "csat": st.sampled_from((None, 1.0, 4.0)), "csat_at": maybe_instant},
            6,
        ),
        "bot_sessions": rows(
            "bot_sessions",
            {"session_id": st.sampled_from("12"), "started_at": instants()},
            {"customer_id": CUSTOMER, "contained": FLAG, "ended_at": maybe_instant,
             "topic": st.sampled_from((None, "billing")), "handed_over_at": maybe_instant},
            3,
        ),
        "articles": rows(
            "articles",
            {"article_id": st.sampled_from("12"), "published_at": instants(),
             "topic": st.sampled_from(("billing", "other"))},
            {},
            3,
        ),
        "article_events": rows(
            "article_events",
            {"viewed_at": instants(), "article_id": st.sampled_from("12")},
            {"customer_id": CUSTOMER, "helpful": FLAG},
            4,
        ),
        "feedback": rows(
            "feedback",
            {"feedback_id": st.sampled_from("12"), "given_at": instants(),
             "kind": st.just("survey")},
            {"customer_id": CUSTOMER, "rating": st.sampled_from((None, 1.0, 5.0))},
            3,
        ),
    }
)  # fmt: skip
SPINE = st.lists(
    st.tuples(CUSTOMER, st.sampled_from((BASE, BASE + US, BASE - US, BASE + DAY, BASE - 7 * DAY))),
    min_size=1, max_size=4,
)  # fmt: skip


def tables_of(world: dict[str, list[Row]]) -> MemoryTables:
    return MemoryTables({name: pd.DataFrame(found) for name, found in world.items() if found})


def spine_of(pairs: list[tuple[str, datetime]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": pd.Series([who for who, _ in pairs], dtype="str"),
            "as_of": np.array([when for _, when in pairs], dtype="datetime64[us]"),
        }
    )


def same(left: Any, right: Any) -> bool:
    if isinstance(left, str) or isinstance(right, str):
        return bool(left == right)
    left = math.nan if left is None else left
    right = math.nan if right is None else right
    return np.float32(left).tobytes() == np.float32(right).tobytes() or (
        math.isnan(left) and math.isnan(right)
    )


NASTY = settings(
    max_examples=3 * MORE, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@NASTY
@given(world=WORLD, spine=SPINE)
def test_every_feature_equals_the_oracle(world: Any, spine: Any) -> None:
    found = compute(VIEW, spine_of(spine), tables_of(world))
    for at, (who, when) in enumerate(spine):
        for feature in VIEW.features:
            truth = evaluate(world, feature.node, who, when)
            got = found[feature.name].iloc[at]
            got = None if feature.categorical and pd.isna(got) else got
            if isinstance(feature.node, OfEach) and not math.isnan(truth):
                assert got == pytest.approx(truth, rel=1e-6), (feature.name, who, when)
            else:
                assert same(got, truth), (feature.name, feature.formula, who, when, got, truth)


@NASTY
@given(world=WORLD, t=st.sampled_from((BASE, BASE + US, BASE - 28 * DAY)))
def test_the_as_of_view_equals_the_oracle(world: Any, t: datetime) -> None:
    tables = tables_of(world)
    for name in tables.names:
        view = as_of_view(tables, name, t)
        truth = rows_as_of(world, name, t)
        if name == "order_items":
            there = {row["order_id"] for row in rows_as_of(world, "orders", t)}
            truth = [row for row in truth if row["order_id"] in there]
        assert len(view) == len(truth)
        for column in [c for c in view.columns if c not in ("recorded_at",)]:
            for got, row in zip(view[column].tolist(), truth, strict=True):
                want = row[column]
                if want is None:
                    assert pd.isna(got), (name, column, got)
                else:
                    assert got == want, (name, column, got, want)


def cut(world: dict[str, list[Row]], t: datetime) -> dict[str, list[Row]]:
    """Without what happens after T: rows not yet born or recorded, facts not yet known."""
    out: dict[str, list[Row]] = {}
    for name, found in world.items():
        contract = TABLES[name]
        out[name] = []
        for row in found:
            born = row.get(contract.birth) if contract.birth else None
            if (born is not None and born > t) or (row["recorded_at"] or t) > t:
                continue
            kept = dict(row)
            for column in contract.columns:
                fact = column.known_at
                if fact and (row.get(fact) is None or row[fact] >= t):
                    kept[column.name] = None
            out[name].append(kept)
    return out


@NASTY
@given(world=WORLD, who=CUSTOMER, t=st.sampled_from((BASE, BASE - 7 * DAY)))
def test_deleting_the_future_changes_no_bit(world: Any, who: str, t: datetime) -> None:
    spine = spine_of([(who, t), ("b", t)])
    whole, past = (compute(VIEW, spine, tables_of(w)) for w in (world, cut(world, t)))
    pd.testing.assert_frame_equal(whole, past, check_exact=True, check_categorical=False)
    assert whole.select_dtypes("float32").to_numpy().tobytes() == (
        past.select_dtypes("float32").to_numpy().tobytes()
    )


@NASTY
@given(world=WORLD, spine=SPINE, limit=st.sampled_from((None, 1_000_000)))
def test_one_by_one_equals_the_batch_bit_for_bit(world: Any, spine: Any, limit: Any) -> None:
    tables = tables_of(world)
    batch = compute(VIEW, spine_of(spine), tables, memory_limit=limit)
    numbers = batch.select_dtypes("float32").columns
    for at, pair in enumerate(spine):
        one = compute(VIEW, spine_of([pair]), tables)
        assert one[numbers].to_numpy().tobytes() == batch[numbers].iloc[[at]].to_numpy().tobytes()
        for name in batch.columns.difference(numbers).difference(["as_of"]):
            assert str(one[name].iloc[0]) == str(batch[name].iloc[at])


@NASTY
@given(world=WORLD, spine=SPINE, count=st.sampled_from((2, 5)))
def test_shards_of_customers_have_the_bits_of_the_whole(world: Any, spine: Any, count: int) -> None:
    """Versions of other customers, orders that somebody else's ticket names, groups over all."""
    tables, frame = tables_of(world), spine_of(spine)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("features.compute.shards_within", lambda *_: count)
        found = compute(VIEW, frame, tables)
    pd.testing.assert_frame_equal(found, compute(VIEW, frame, tables), check_exact=True)


@NASTY
@given(world=WORLD, spine=SPINE, draw=st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(world: Any, spine: Any, draw: Any) -> None:
    """Rows that keep their number may stand anywhere."""
    numbered = {
        name: pd.DataFrame(found).assign(_row=range(len(found)))
        for name, found in world.items() if found
    }  # fmt: skip
    mixed = {
        name: frame.iloc[draw.sample(range(len(frame)), len(frame))].reset_index(drop=True)
        for name, frame in numbered.items()
    }
    one, two = (compute(VIEW, spine_of(spine), MemoryTables(t)) for t in (numbered, mixed))
    pd.testing.assert_frame_equal(one, two, check_exact=True, check_categorical=False)


@NASTY
@given(
    world=WORLD, spine=SPINE, gap=st.sampled_from((0, 1)),
    known=st.sampled_from((BASE, BASE + 7 * DAY, BASE + 30 * DAY, BASE + 365 * DAY)),
)  # fmt: skip
def test_labels_equal_the_oracle(world: Any, spine: Any, gap: int, known: datetime) -> None:
    tickets = [
        r for r in rows_as_of(world, "tickets", known) if r["customer_id"] and not r["is_machine"]
    ]

    def complains(r: Row) -> bool:
        if r["is_complaint"] is not None:
            return bool(r["is_complaint"])
        return r["topic"] == "billing" or r["priority"] == "high" or (r["csat"] or 9) <= 2

    arguments = {"gap_days": gap, "known_as_of": known, "complaint": RULE}
    found = labels(spine_of(spine), tables_of(world), **arguments)
    past = labels(spine_of(spine), tables_of(cut(world, known)), **arguments)
    pd.testing.assert_frame_equal(found, past)
    for at, (who, when) in enumerate(spine):
        begin = when + gap * DAY
        for days in (7, 14, 30):
            stop = begin + days * DAY
            inside = [
                r for r in tickets if r["customer_id"] == who and begin <= r["opened_at"] < stop
            ]
            row = found.iloc[at]
            if stop > known:
                assert math.isnan(row[f"label_{days}d"]) and math.isnan(row[f"tickets_{days}d"])
                continue
            assert row[f"tickets_{days}d"] == len(inside)
            assert row[f"contact_{days}d"] == bool(inside)
            assert row[f"label_{days}d"] == any(map(complains, inside))
            if days == 30:
                first = min(
                    filter(complains, inside), key=lambda r: (r["opened_at"], r["ticket_id"]),
                    default={"topic": None, "channel": None},
                )  # fmt: skip
                assert same(row["next_topic"], first["topic"])
                assert same(row["next_channel"], first["channel"])


@NASTY
@given(world=WORLD, within=st.sampled_from((None, 7)), with_table=st.booleans())
def test_the_spine_equals_the_oracle(world: Any, within: Any, with_table: bool) -> None:
    if not with_table:
        world = {**world, "customers": []}
    moments = [BASE + DAY, BASE, BASE - 7 * DAY, BASE]
    found = customers_at(tables_of(world), moments, within)
    truth = []
    sightings = ("orders", "usage", "tickets")
    for t in sorted(set(moments)):
        if world["customers"]:
            there = {
                r["customer_id"]
                for r in rows_as_of(world, "customers", t)
                if r["closed_at"] is None
            }
        else:
            there = {r["customer_id"] for s in sightings for r in rows_as_of(world, s, t)}
        if within:
            births = {s: TABLES[s].birth for s in (*sightings, "bot_sessions", "feedback")}
            births["article_events"] = "viewed_at"
            active = {
                r["customer_id"]
                for s, birth in births.items()
                for r in rows_as_of(world, s, t)
                if r[birth] >= t - within * DAY
            }
            there &= active
        truth += [(who, pd.Timestamp(t)) for who in sorted(there - {None})]
    assert list(zip(found["customer_id"], found["as_of"], strict=True)) == truth


def day(n: float) -> datetime:
    return BASE + timedelta(days=n)


STORY: dict[str, list[Row]] = {
    "customers": [
        {"customer_id": "a", "signed_up_at": day(0), "region": "n", "platform": "x",
         "preferred_channel": "email"},
        {"customer_id": "a", "signed_up_at": day(0), "region": "s", "platform": "x",
         "recorded_at": day(20)},
        {"customer_id": "b", "signed_up_at": day(2), "region": "s", "closed_at": day(40)},
    ],
    "orders": [
        {"order_id": "1", "ordered_at": day(1), "customer_id": "a", "product_id": "p",
         "product_category": "k", "quantity": 2.0, "amount": 10.25, "carrier": "dhl",
         "promised_at": day(6), "shipped_at": day(3), "delivered_at": day(9),
         "returned_at": day(13), "refunded_at": day(17)},
        {"order_id": "2", "ordered_at": day(4), "customer_id": "a", "product_id": "q",
         "amount": 7.5, "promised_at": day(8), "recorded_at": day(5)},
        {"order_id": "2", "ordered_at": day(4), "customer_id": "a", "product_id": "q",
         "amount": 8.5, "promised_at": day(10), "recorded_at": day(7), "cancelled_at": day(12)},
        {"order_id": "2", "ordered_at": day(4), "customer_id": "a", "recorded_at": day(15),
         "deleted": True},
        {"order_id": "3", "ordered_at": day(5), "customer_id": "b", "product_id": "p",
         "amount": 99.0, "carrier": "dhl", "promised_at": day(7), "delivered_at": day(7)},
    ],
    "order_items": [
        {"order_id": "1", "line": "1", "product_id": "p", "quantity": 1.0, "amount": 4.0},
        {"order_id": "1", "line": "2", "product_id": "q", "quantity": 1.0, "amount": 6.25},
        {"order_id": "3", "line": "1", "product_id": "p", "quantity": 150.0, "amount": 99.0},
    ],
    "usage": [
        {"event_id": "1", "used_at": day(6), "customer_id": "a", "feature": "f", "errors": 2.0},
        {"event_id": "1", "used_at": day(6), "customer_id": "a", "feature": "f", "errors": 3.0},
        {"used_at": day(6), "customer_id": "a", "feature": "payment_failed"},
    ],
    "tickets": [
        {"ticket_id": "1", "opened_at": day(11), "customer_id": "a", "channel": "email",
         "topic": "billing", "product_id": "p", "order_id": "1", "issue_id": "i",
         "first_response_at": day(14),
         "resolved_at": day(16), "reopened_at": day(18), "handle_seconds": 60.0},
        {"ticket_id": "2", "opened_at": day(16), "customer_id": "a", "channel": "phone",
         "topic": "other", "csat": 1.0, "csat_at": day(19), "resolved_at": day(21)},
        {"ticket_id": "3", "opened_at": day(16), "customer_id": "b", "channel": "phone",
         "is_complaint": True, "is_machine": False, "product_id": "p"},
    ],
    "bot_sessions": [
        {"session_id": "1", "started_at": day(10), "customer_id": "a", "ended_at": day(10.5),
         "contained": False, "handed_over_at": day(10.25), "topic": "billing"},
    ],
    "articles": [{"article_id": "1", "published_at": day(3), "topic": "billing"}],
    "article_events": [
        {"viewed_at": day(2), "article_id": "1", "customer_id": "a", "helpful": False},
        {"viewed_at": day(8), "article_id": "1", "customer_id": "a", "helpful": False},
    ],
    "feedback": [
        {"feedback_id": "1", "given_at": day(9), "kind": "survey", "customer_id": "a",
         "rating": 1.0},
    ],
}  # fmt: skip


def test_every_edge_of_a_story() -> None:
    """At each moment at which something becomes known, or leaves a window, and a tick around it."""
    world = {
        name: [{"recorded_at": None, "deleted": None, **row} for row in found]
        for name, found in STORY.items()
    }
    moments = {v for found in world.values() for r in found for v in r.values()
               if isinstance(v, datetime)}  # fmt: skip
    moments |= {m + days * DAY for m in moments for days in (-3, 7) if m < day(20)}
    ticks = sorted({m + k * US for m in moments for k in (0, 1)})
    pairs = [("a", t) for t in ticks] + [("b", t) for t in ticks[::9]]
    found = compute(VIEW, spine_of(pairs), tables_of(world))
    for feature in VIEW.features:
        if isinstance(feature.node, OfEach):
            continue
        for got, (who, when) in zip(found[feature.name].tolist(), pairs, strict=True):
            truth = evaluate(world, feature.node, who, when)
            assert same(got, truth), (feature.name, feature.formula, who, when - BASE, got, truth)
    for t in ticks:
        orders = as_of_view(STORY_TABLES, "orders", t)
        truth_rows = rows_as_of(world, "orders", t)
        assert orders["order_id"].tolist() == [r["order_id"] for r in truth_rows], t - BASE
        for fact in ("shipped_at", "delivered_at", "cancelled_at"):
            assert orders[fact].notna().tolist() == [r[fact] is not None for r in truth_rows]


STORY_TABLES = tables_of(STORY)


def test_every_edge_of_a_label() -> None:
    """[T+g, T+g+h), known once it is over: a tick decides."""
    spine = spine_of([("a", day(4)), ("a", day(4) + US), ("a", day(11)), ("a", day(11) + US)])

    def of(known: datetime, gap: int = 0) -> list[float]:
        found = labels(
            spine, STORY_TABLES, horizons=(7,), gap_days=gap, known_as_of=known, complaint=RULE
        )
        return [-1.0 if math.isnan(v) else v for v in found["label_7d"]]

    assert of(day(18)) == [0, 1, 1, -1]
    assert of(day(18) + US) == [0, 1, 1, 0]
    assert of(day(18) - US) == [0, 1, -1, -1]
    assert of(day(19), gap=1) == [1, 1, 0, -1]
    assert of(day(30)) == [0, 1, 1, 1]  # the low csat of day 19 makes a complaint of day 16
    assert of(day(19)) == [0, 1, 1, 0]
    assert of(day(19) + US) == [0, 1, 1, 1]
