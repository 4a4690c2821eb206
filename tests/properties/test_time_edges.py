"""Every edge of time at a microsecond, in seconds: small enough to be run against each mutant.

Histories come from a seeded generator that puts moments on the edges of windows, horizons and
as-of times, and a microsecond to either side of them. The truth is a few lines of Python a case,
over the rows that the contract's words leave at T; it shares nothing with the engine.
mutmut runs this file against every mutant of the files that cut time (pyproject.toml).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count as count_up
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.errors import DataError
from data.settings import Complaint
from data.tables import MemoryTables
from features.asof import as_of_view, view_by_days
from features.complaint import complaint_predicate
from features.compute import compute
from features.history import History
from features.labels import labels
from features.language import (
    age,
    count,
    customer,
    distinct,
    due,
    largest,
    last,
    mean,
    now,
    of,
    of_all,
    of_each,
    share,
    since_first,
    since_last,
    smallest,
    term,
    total,
)
from features.predicate import Compare
from features.sources import CUSTOMERS, ITEMS, ORDERS, TICKETS, USAGE
from features.spec import Combine, Feature, FeatureView, Node

Row = dict[str, Any]
World = dict[str, list[Row]]

BASE = datetime(2026, 3, 29, 23, 59, 59, 700000)
US, DAY = timedelta(microseconds=1), timedelta(days=1)
RULE = Complaint(topics=("billing",), csat_at_most=2)
AS_OFS = (BASE - 7 * DAY, BASE - US, BASE, BASE + US, BASE + DAY)
WHO = ("a", "b", "c", "d")

# ---------------------------------------------------------------- histories on the edges


def world(seed: int, rows: int = 14) -> World:
    """A history of four customers whose moments stand on edges as seen from ``AS_OFS``.

    Every third is tidy: nothing late, corrected or deleted.
    """
    draw, tidy, numbers = Random(seed), seed % 3 == 2, count_up(1)

    def moment() -> datetime:
        days = draw.choice((0, 0, 0.25, 1, 3, 7, 7, 14, 28))
        return draw.choice(AS_OFS) - days * DAY + draw.choice((-1, 0, 0, 1)) * US

    def maybe(value: Any, share: float = 0.6) -> Any:
        return value if draw.random() < share else None

    def row(**columns: Any) -> Row:
        late, gone = maybe(moment(), 0.4), maybe(True, 0.12)
        if tidy:
            return {**columns, "recorded_at": None, "deleted": None}
        return {**columns, "recorded_at": late, "deleted": gone}

    def number(most: int) -> str:
        return str(next(numbers) if tidy else draw.randrange(most))

    def amount() -> float | None:
        return maybe(draw.choice((0.0, -2.5, 10.0, 99.5, 150.125)), 0.85)

    def some(n: int, make: Callable[[], Row]) -> list[Row]:
        return [make() for _ in range(n)]

    product = lambda: maybe(draw.choice("pqr"), 0.8)  # noqa: E731
    return {
        "customers": some(
            6,
            lambda: row(
                customer_id=draw.choice(WHO),
                signed_up_at=moment() - 10 * DAY,
                region=maybe(draw.choice("ns"), 0.8),
                plan=maybe(draw.choice("xy"), 0.8),
                closed_at=maybe(moment(), 0.2),
            ),
        ),
        "orders": some(
            rows,
            lambda: row(
                order_id=number(rows),
                ordered_at=moment(),
                customer_id=draw.choice(WHO),
                product_id=product(),
                product_category=maybe(draw.choice("kl"), 0.8),
                amount=amount(),
                carrier=maybe(draw.choice("uv"), 0.8),
                promised_at=maybe(moment() + draw.choice((0, 3, 7)) * DAY),
                delivered_at=maybe(moment()),
                cancelled_at=maybe(moment(), 0.2),
            ),
        ),
        "order_items": some(
            rows // 2,
            lambda: row(
                order_id=str(draw.randrange(rows)),
                line=draw.choice("12"),
                product_id=product(),
                quantity=maybe(float(draw.randrange(1, 5)), 0.9),
            ),
        ),
        "usage": some(
            rows // 2,
            lambda: row(
                event_id=maybe(number(rows), 0.5),
                used_at=moment(),
                customer_id=draw.choice(WHO),
                feature="f",
                platform=product(),
            ),
        ),
        "tickets": some(
            rows,
            lambda: row(
                ticket_id=number(rows),
                opened_at=moment() + draw.choice((0, 0, 1, 7, 14)) * DAY,
                customer_id=maybe(draw.choice(WHO), 0.9),
                channel=draw.choice(("email", "phone")),
                topic=maybe(draw.choice(("billing", "other"))),
                is_complaint=maybe(draw.random() < 0.5, 0.5),
                is_machine=maybe(draw.random() < 0.3, 0.5),
                resolved_at=maybe(moment()),
                handle_seconds=maybe(60.0),
                csat=maybe(float(draw.randrange(1, 5))),
                csat_at=maybe(moment()),
            ),
        ),
    }


SEEDS = tuple(range(8))


@cache
def history(seed: int) -> World:
    return world(seed)


@cache
def tables(seed: int) -> MemoryTables:
    return MemoryTables({name: pd.DataFrame(rows) for name, rows in history(seed).items()})


# ---------------------------------------------------------------- the rule, in plain words


@cache
def seen(seed: int, name: str, t: datetime) -> list[Row]:
    """The rows as of T: birth < T, recorded_at <= T, the newest version, later facts blank."""
    contract, every = TABLES[name], history(seed)
    versions: dict[Any, tuple[datetime, Row]] = {}
    for at, raw in enumerate(every[name]):
        row = {**dict.fromkeys(contract.names), **raw, "at": at}
        if contract.birth:
            born = row[contract.birth]
        else:
            mine = [o["ordered_at"] for o in every["orders"] if o["order_id"] == row["order_id"]]
            born = min(mine, default=None)
        learned = row["recorded_at"] or born
        if learned is None or learned > t or (contract.birth and not born < t):
            continue
        key: Any = tuple(row[k] for k in contract.key)
        key = ("row", at) if None in key else key
        if key not in versions or versions[key][0] <= learned:
            versions[key] = (learned, row)
    out = []
    for _, row in versions.values():
        if row["deleted"]:
            continue
        facts = [(c.name, row[c.known_at]) for c in contract.columns if c.known_at]
        blank = {column: None for column, at in facts if at is None or not at < t}
        out.append({**row, **blank})
    out.sort(key=lambda r: r["at"])
    if name == "order_items":
        orders = {o["order_id"]: o for o in seen(seed, "orders", t)}
        out = [
            {**orders[r["order_id"]], **r, "customer_id": orders[r["order_id"]]["customer_id"]}
            for r in out
            if r["order_id"] in orders
        ]
    return out


def within(rows: list[Row], t: datetime, days: float, at: str) -> list[Row]:
    return [r for r in rows if r[at] is not None and t - days * DAY <= r[at] < t]


def values(rows: list[Row], column: str) -> list[Any]:
    return [r[column] for r in rows if r[column] is not None]


def newest(rows: list[Row], column: str, at: str) -> Any:
    known = [r for r in rows if r[column] is not None]
    return max(known, key=lambda r: (r[at], r["at"]))[column] if known else None


def days_before(t: datetime, moments: list[datetime], pick: Any) -> float:
    return ((t - pick(moments)) // US) / 86_400_000_000 if moments else math.nan


def ended(row: Row, t: datetime) -> bool:
    return any(row[end] is not None for end in ("delivered_at", "cancelled_at"))


def low(r: Row) -> bool:
    return r["csat"] is not None and r["csat"] <= 2


def complains(r: Row) -> bool:
    if r["is_machine"]:
        return False
    return bool(r["is_complaint"]) if r["is_complaint"] is not None else (
        r["topic"] == "billing" or low(r)
    )  # fmt: skip


class Known:
    """What a case reads: the rows as of T, all of them or one customer's."""

    def __init__(self, seed: int, who: str, t: datetime) -> None:
        self.seed, self.who, self.t = seed, who, t

    def all(self, name: str) -> list[Row]:
        return seen(self.seed, name, self.t)

    def own(self, name: str) -> list[Row]:
        return [r for r in self.all(name) if r["customer_id"] == self.who]

    @property
    def orders(self) -> list[Row]:
        return self.own("orders")

    def recent(self, days: float) -> list[Row]:
        return within(self.orders, self.t, days, "ordered_at")


def mean_of(found: list[float]) -> float:
    return sum(found) / len(found) if found else math.nan


def of_products(k: Known) -> list[float]:
    """For each product that the customer's recent orders name: all orders of it in 14 days."""
    named = values(k.recent(28), "product_id")
    every = within(k.all("orders"), k.t, 14, "ordered_at")
    return [float(sum(r["product_id"] == p for r in every)) for p in named]


def of_region(k: Known) -> float:
    """Orders in 7 days of customers who are in the region that the customer is in."""
    regions = {r["customer_id"]: r["region"] for r in k.all("customers")}
    mine = regions.get(k.who)
    if mine is None:
        return math.nan
    recent = within(k.all("orders"), k.t, 7, "ordered_at")
    return float(sum(regions.get(r["customer_id"]) == mine for r in recent))


def windowed(operation: str, value: str | None = None) -> Feature:
    """What no word of the language says, but the kernel can do: the latest row of 7 days."""
    node: Node = term(ORDERS, operation, value, days=7)
    if value is None:
        node = Combine("days_since", (node,))
    return Feature(f"orders_{value}_{operation}_7d", node)


ENDS = ("delivered_at", "cancelled_at")
SATISFIED = Compare("<=", TICKETS["csat"], 2).named("poor")
COMPLAINT = complaint_predicate(RULE)
BY_REGION = count(ORDERS.with_customer(), days=7, by="region")
BOUGHT = distinct(ORDERS, "product_id", days=28)
OF_PRODUCT = count(ORDERS, days=14, by="product_id")

CASES: dict[Feature, Callable[[Known], Any]] = {
    count(ORDERS, days=7): lambda k: len(k.recent(7)),
    count(ORDERS, days=1): lambda k: len(k.recent(1)),
    count(ORDERS, hours=6): lambda k: len(k.recent(0.25)),
    count(ORDERS): lambda k: len(k.orders),
    count(USAGE, days=3): lambda k: len(within(k.own("usage"), k.t, 3, "used_at")),
    count(ORDERS, since="delivered_at", days=7): lambda k: len(
        within(k.orders, k.t, 7, "delivered_at")
    ),
    total(ORDERS, "amount", days=28): lambda k: sum(values(k.recent(28), "amount")),
    total(ORDERS, "amount", days=1): lambda k: sum(values(k.recent(1), "amount")),
    total(ITEMS, "quantity", days=28): lambda k: sum(
        values(within(k.own("order_items"), k.t, 28, "ordered_at"), "quantity")
    ),
    total(TICKETS, "handle_seconds", days=14): lambda k: sum(
        values(within(k.own("tickets"), k.t, 14, "opened_at"), "handle_seconds")
    ),
    mean(ORDERS, "amount", days=14): lambda k: mean_of(values(k.recent(14), "amount")),
    largest(ORDERS, "amount", days=7): lambda k: max(
        values(k.recent(7), "amount"), default=math.nan
    ),
    smallest(ORDERS, "amount", days=7): lambda k: min(
        values(k.recent(7), "amount"), default=math.nan
    ),
    largest(ORDERS, "amount"): lambda k: max(values(k.orders, "amount"), default=math.nan),
    smallest(ORDERS, "amount"): lambda k: min(values(k.orders, "amount"), default=math.nan),
    last(ORDERS, "amount"): lambda k: newest(k.orders, "amount", "ordered_at"),
    last(ORDERS, "carrier"): lambda k: newest(k.orders, "carrier", "ordered_at"),
    last(TICKETS, "csat"): lambda k: newest(k.own("tickets"), "csat", "opened_at"),
    customer(CUSTOMERS["plan"]): lambda k: newest(k.own("customers"), "plan", "signed_up_at"),
    windowed("last", "amount"): lambda k: newest(k.recent(7), "amount", "ordered_at"),
    windowed("last", "carrier"): lambda k: newest(k.recent(7), "carrier", "ordered_at"),
    windowed("last_time"): lambda k: days_before(k.t, values(k.recent(7), "ordered_at"), max),
    windowed("first_time"): lambda k: days_before(k.t, values(k.recent(7), "ordered_at"), min),
    distinct(ORDERS, "product_category", days=7): lambda k: len(
        set(values(k.recent(7), "product_category"))
    ),
    distinct(ORDERS, "product_id"): lambda k: len(set(values(k.orders, "product_id"))),
    distinct(ORDERS, "carrier", days=1): lambda k: len(set(values(k.recent(1), "carrier"))),
    distinct(USAGE, "platform", days=3): lambda k: len(
        set(values(within(k.own("usage"), k.t, 3, "used_at"), "platform"))
    ),
    since_last(ORDERS): lambda k: days_before(k.t, values(k.orders, "ordered_at"), max),
    since_first(ORDERS): lambda k: days_before(k.t, values(k.orders, "ordered_at"), min),
    since_last(ORDERS, since="delivered_at"): lambda k: days_before(
        k.t, values(k.orders, "delivered_at"), max
    ),
    now(ORDERS, until=ENDS, label="open"): lambda k: sum(not ended(r, k.t) for r in k.orders),
    now(ORDERS, since="promised_at", until=ENDS, label="overdue"): lambda k: sum(
        not ended(r, k.t) and r["promised_at"] is not None and r["promised_at"] < k.t
        for r in k.orders
    ),
    age(TICKETS, until="resolved_at", label="open"): lambda k: days_before(
        k.t, [r["opened_at"] for r in k.own("tickets") if r["resolved_at"] is None], min
    ),
    due(ORDERS, at="promised_at", until=ENDS, days=3, label="due"): lambda k: sum(
        not ended(r, k.t)
        and r["promised_at"] is not None
        and k.t <= r["promised_at"] < k.t + 3 * DAY
        for r in k.orders
    ),
    share(TICKETS, of=SATISFIED, days=28): lambda k: mean_of(
        [float(low(r)) for r in within(k.own("tickets"), k.t, 28, "opened_at")]
    ),
    count(TICKETS, where=COMPLAINT, days=14): lambda k: sum(
        complains(r) for r in within(k.own("tickets"), k.t, 14, "opened_at")
    ),
    of_all(count(ORDERS, days=7, by="")): lambda k: len(
        within(k.all("orders"), k.t, 7, "ordered_at")
    ),
    of_all(count(ORDERS, by="")): lambda k: len(k.all("orders")),
    of_all(total(ORDERS, "amount", days=14, by="")): lambda k: sum(
        values(within(k.all("orders"), k.t, 14, "ordered_at"), "amount")
    ),
    of_all(count(USAGE, days=3, by="")): lambda k: len(within(k.all("usage"), k.t, 3, "used_at")),
    of_all(count(USAGE, by="")): lambda k: len(k.all("usage")),
    of_all(total(TICKETS, "handle_seconds", by="")): lambda k: sum(
        values(k.all("tickets"), "handle_seconds")
    ),
    of(BY_REGION, customer(CUSTOMERS["region"])): of_region,
    of_each(OF_PRODUCT, BOUGHT): lambda k: mean_of(of_products(k)),
    of_each(OF_PRODUCT, BOUGHT, "largest"): lambda k: max(of_products(k), default=math.nan),
}
VIEW = FeatureView(tuple(CASES))


def same(got: Any, truth: Any) -> bool:
    if isinstance(truth, str) or isinstance(got, str):
        return bool(got == truth)
    return bits(got) == bits(math.nan if truth is None else truth)


def bits(values: Any) -> bytes:
    """The bits of float32; a null and a zero have one sign."""
    numbers = np.asarray(values, dtype=np.float32) + np.float32(0)
    return bytes(np.where(np.isnan(numbers), np.float32(np.nan), numbers).tobytes())


def spine_of(pairs: list[tuple[str, datetime]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": pd.Series([who for who, _ in pairs], dtype="str"),
            "as_of": np.array([t for _, t in pairs], dtype="datetime64[us]"),
        }
    )


def check(found: pd.DataFrame, pairs: list[tuple[str, datetime]], seed: int) -> None:
    for feature, truth_of in CASES.items():
        for got, (who, t) in zip(found[feature.name].tolist(), pairs, strict=True):
            truth = truth_of(Known(seed, who, t))
            assert same(got, truth), (seed, feature.formula, who, t - BASE, got, truth)


# ---------------------------------------------------------------- the tests


@pytest.mark.parametrize("seed", SEEDS)
def test_features_on_the_edges(seed: int) -> None:
    """All customers at all as-of times, some of them twice and out of order."""
    pairs = [(who, t) for t in AS_OFS for who in (*WHO, "nobody")]
    Random(seed).shuffle(pairs)
    pairs += pairs[:3]
    check(compute(VIEW, spine_of(pairs), tables(seed)), pairs, seed)


def moments_of(seed: int) -> list[datetime]:
    """Every moment at which something happens, and the microsecond after it."""
    found = {
        v for rows in history(seed).values() for r in rows for v in r.values()
        if isinstance(v, datetime)
    }  # fmt: skip
    return sorted({m + k * US for m in found for k in (0, 1)})


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_features_at_every_moment_of_a_history(seed: int) -> None:
    """One customer at each tick, the others at a few: all of them at shared times."""
    ticks = moments_of(seed)
    pairs = [("a", t) for t in ticks[::2]] + [("b", t) for t in ticks[1::7]] + [("c", BASE)]
    check(compute(VIEW, spine_of(pairs), tables(seed)), pairs, seed)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_each_at_a_time_of_its_own(seed: int) -> None:
    """Customers whose as-of times differ, more than a grid of customers and times would hold."""
    ticks = moments_of(seed)
    pairs = [(WHO[i % 4], t) for i, t in enumerate(ticks[1::2])]
    pairs += [(f"nobody {i}", t + 2 * US) for i, t in enumerate(ticks[:60])]
    check(compute(VIEW, spine_of(pairs), tables(seed)), pairs, seed)


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_one_at_a_time_from_a_history_that_is_kept(seed: int) -> None:
    """As an API call asks; to the bit what the batch says."""
    ticks = moments_of(seed)
    pairs = [("a", t) for t in ticks[seed::7]][:50] + [("d", BASE), ("nobody", BASE)]
    kept = History.read(VIEW, tables(seed)).keep()
    found = compute(VIEW, spine_of(pairs), kept)
    check(found, pairs, seed)
    batch = compute(VIEW, spine_of(pairs), tables(seed))
    numbers = batch.select_dtypes("float32").columns
    assert found[numbers].to_numpy().tobytes() == batch[numbers].to_numpy().tobytes()


def test_nothing_to_compute() -> None:
    empty = MemoryTables({})
    assert compute(VIEW, spine_of([]), tables(0)).empty
    found = compute(VIEW, spine_of([("a", BASE)]), empty).iloc[0]
    assert found["orders_count_7d"] == 0 and pd.isna(found["orders_amount_last"])


def test_sums_that_no_integer_holds_are_refused() -> None:
    orders = [
        {"order_id": str(i), "ordered_at": BASE - DAY, "customer_id": "a", "amount": 2.0**51}
        for i in range(3)
    ]
    view = FeatureView((total(ORDERS, "amount", days=7),))
    spine = spine_of([("a", BASE)])
    with pytest.raises(DataError, match="too large"):
        compute(view, spine, MemoryTables({"orders": pd.DataFrame(orders)}))
    fits = compute(view, spine, MemoryTables({"orders": pd.DataFrame(orders[:2])}))
    assert fits.iloc[0, 2] == 2.0**52
    for order in orders:
        order["amount"] = 2.0**61 / 1000
    with pytest.raises(DataError, match="too large"):  # 2**62 thousandths to the last one
        compute(view, spine, MemoryTables({"orders": pd.DataFrame(orders[:2])}))


@pytest.mark.parametrize("amount", [2.0**51, 2.0**61 / 1000])
def test_a_groups_sums_that_no_integer_holds_are_refused(amount: float) -> None:
    """As a customer's are, also where one customer is asked for: 2**62 thousandths are too many."""
    orders = [
        {"order_id": str(i), "ordered_at": BASE - DAY, "customer_id": "a", "amount": amount}
        for i in range(2 if amount > 2.0**51 else 3)
    ]
    orders.append({**orders[0], "order_id": "small", "amount": 1.0})
    view = FeatureView((of_all(total(ORDERS, "amount", days=7, by="")),))

    def asked(rows: list[Row]) -> float:
        kept = History.read(view, MemoryTables({"orders": pd.DataFrame(rows)})).keep()
        return float(compute(view, spine_of([("a", BASE)]), kept).iloc[0, 2])

    with pytest.raises(DataError, match="too large"):
        asked(orders)
    with pytest.raises(DataError, match="too large"):
        asked(orders[:-1])
    assert asked(orders[:1]) == np.float32(amount)


def test_the_second_group_became_known_in_another_order() -> None:
    """Regions n and s: the rows of n in the order of their births, those of s the other way."""
    customers = [
        {"customer_id": who, "signed_up_at": BASE - 90 * DAY, "region": region}
        for who, region in zip("abc", "nsz", strict=True)
    ]
    orders = [
        {"order_id": f"{who}{i}", "ordered_at": BASE - (5 - i) * DAY, "customer_id": who,
         "recorded_at": BASE + (i if who == "a" else -i) * US}
        for who in "ab" for i in range(3)
    ]  # fmt: skip
    found = MemoryTables({"customers": pd.DataFrame(customers), "orders": pd.DataFrame(orders)})
    view = FeatureView((of(BY_REGION, customer(CUSTOMERS["region"])),))
    kept = History.read(view, found).keep()
    nobody = [(f"nobody {i}", BASE - i * DAY) for i in range(60)]  # so that each has its own T
    for ticks in range(-4, 4):
        t = BASE + ticks * US
        pairs = [("a", t), ("b", t), ("c", t)]
        truth = [float(sum(o["customer_id"] == who and o["recorded_at"] <= t for o in orders))
                 for who, _ in pairs]  # fmt: skip
        assert compute(view, spine_of(pairs), kept).iloc[:, 2].tolist() == truth
        apart = compute(view, spine_of(pairs + nobody), found)
        assert apart.iloc[:3, 2].tolist() == truth


def test_labels_keep_the_spines_customers_as_text() -> None:
    spine = spine_of([("a", BASE)]).astype({"customer_id": object})
    found = labels(spine, tables(0), horizons=(7,), known_as_of=BASE + 9 * DAY, complaint=RULE)
    assert found["customer_id"].dtype == "str"
    assert found["customer_id"].tolist() == ["a"]
    none = labels(spine.head(0), tables(0), horizons=(7,), known_as_of=BASE, complaint=RULE)
    assert none["customer_id"].dtype == "str"


def test_nobody_at_times_of_their_own() -> None:
    """No customer has a row, so no group is named either."""
    pairs = [(f"nobody {i}", BASE - i * DAY) for i in range(60)]
    check(compute(VIEW, spine_of(pairs), tables(0)), pairs, 0)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_group_whose_rows_all_end(rows: int) -> None:
    """Each is there from its birth on, and leaves when it is delivered."""
    orders = [
        {"order_id": str(i), "ordered_at": BASE - (5 - i) * DAY, "customer_id": "a",
         "delivered_at": BASE + i * US}
        for i in range(rows)
    ]  # fmt: skip
    found = MemoryTables({"orders": pd.DataFrame(orders)})
    view = FeatureView((of_all(now(ORDERS, until="delivered_at", label="open", by="")),))
    kept = History.read(view, found).keep()
    for t in (BASE - 5 * DAY, *(BASE + tick * US for tick in range(-1, 4))):
        there = [o for o in orders if o["ordered_at"] < t <= o["delivered_at"]]
        for source in (found, kept):
            assert compute(view, spine_of([("a", t)]), source).iloc[0, 2] == len(there)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_group_of_few_rows_that_became_known_in_another_order(rows: int) -> None:
    """The first of them was recorded last."""
    orders = [
        {"order_id": str(i), "ordered_at": BASE - (5 - i) * DAY, "customer_id": "a", "amount": 2.5,
         "recorded_at": BASE - i * US}
        for i in range(rows)
    ]  # fmt: skip
    found = MemoryTables({"orders": pd.DataFrame(orders)})
    view = FeatureView(
        (of_all(count(ORDERS, days=5, by="")), of_all(total(ORDERS, "amount", by="")))
    )
    kept = History.read(view, found).keep()
    for ticks in range(-4, 3):
        t = BASE + ticks * US
        there = [o for o in orders if o["recorded_at"] <= t]
        recent = [o for o in there if o["ordered_at"] >= t - 5 * DAY]
        for source in (found, kept):
            got = compute(view, spine_of([("a", t)]), source).iloc[0, 2:].tolist()
            assert got == [len(recent), 2.5 * len(there)], (ticks, source)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("by", ["customer_id", ""])
def test_sums_are_exact_where_floats_are_not(late: bool, by: str) -> None:
    """A thousandth beside nine billion thousands: 64-bit integers keep it."""
    amounts = (9.2e12, 0.001, -9.2e12, 0.001)
    recorded = BASE - US if late else None
    orders = [
        {"order_id": str(i), "ordered_at": BASE - DAY, "customer_id": "a", "amount": amount,
         "recorded_at": recorded}
        for i, amount in enumerate(amounts)
    ]  # fmt: skip
    feature = total(ORDERS, "amount", days=7, by=by)
    view = FeatureView((feature if by else of_all(feature),))
    found = MemoryTables({"orders": pd.DataFrame(orders)})
    spine = spine_of([("a", BASE)])
    kept = History.read(view, found).keep()
    for source in (found, kept):
        assert compute(view, spine, source).iloc[0, 2] == np.float32(0.002)


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_the_table_as_of_t(seed: int) -> None:
    for name in history(seed):
        columns = [c for c in TABLES[name].names if c not in ("deleted", "recorded_at")]
        for t in (*AS_OFS, *moments_of(seed)[:: 9 if seed < 2 else 60]):
            view, truth = as_of_view(tables(seed), name, t), seen(seed, name, t)
            assert len(view) == len(truth), (name, t - BASE)
            assert view.index.tolist() == list(range(len(view)))
            for column in columns:
                want = [row[column] for row in truth]
                got = [None if pd.isna(v) else v for v in view[column].tolist()]
                assert got == want, (name, column, t - BASE)


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_each_day_is_as_it_was_known_when_it_ended(seed: int) -> None:
    for name in {"orders", "tickets", "usage"} & set(history(seed)):
        birth = TABLES[name].birth
        assert birth is not None
        columns = [*TABLES[name].key, birth, "customer_id"]
        for t in (*AS_OFS, *moments_of(seed)[::40]):
            want: list[tuple[object, ...]] = []
            first = tables(seed).frame(name, [birth])[birth].min()
            for day in range((t - first).days + 2):
                end = t - day * DAY
                view = as_of_view(tables(seed), name, end, columns)
                want += view[view[birth] >= end - DAY].itertuples(index=False, name=None)
            got = view_by_days(tables(seed), name, t, columns)
            assert sorted(got.itertuples(index=False, name=None), key=str) == sorted(want, key=str)
    with pytest.raises(DataError, match="handle_seconds"):
        view_by_days(tables(seed), "tickets", BASE, ["handle_seconds"])


def test_volumes_are_born_when_their_interval_ends() -> None:
    days = pd.date_range("2026-03-01", periods=4, freq="D")
    rows = pd.DataFrame({"unique_id": "x", "ds": days, "y": [1.0, 2.0, 3.0, 4.0]})
    correction = rows.iloc[[1]].assign(y=9.0, recorded_at=datetime(2026, 3, 4, 0, 0, 0, 2))
    found = MemoryTables({"volumes": pd.concat([rows, correction])})

    def at(*t: int) -> list[float]:
        return as_of_view(found, "volumes", datetime(2026, 3, *t), ["y"])["y"].tolist()

    assert at(3) == [1.0]
    assert at(3, 0, 0, 0, 1) == [1.0, 2.0]
    assert at(4, 0, 0, 0, 1) == [1.0, 2.0, 3.0]
    assert at(4, 0, 0, 0, 2) == [1.0, 3.0, 9.0]


def test_only_named_columns_and_only_naive_times() -> None:
    orders = tables(0)
    assert as_of_view(orders, "orders", BASE, ["amount"]).columns.tolist() == ["amount"]
    with pytest.raises(DataError, match='mean "amount"'):
        as_of_view(orders, "orders", BASE, ["amuont"])
    with pytest.raises(DataError, match="no column 'deleted'"):
        as_of_view(orders, "orders", BASE, ["deleted"])
    with pytest.raises(DataError, match="time zone"):
        as_of_view(orders, "orders", BASE.replace(tzinfo=UTC))


def test_attributes_are_columns_of_customers_alone() -> None:
    rows = [{"customer_id": "a", "signed_up_at": BASE, "tier": "gold"}]
    found = MemoryTables({"customers": pd.DataFrame(rows)}, attributes=("tier", "region"))
    view = as_of_view(found, "customers", BASE + US)
    assert view["tier"].tolist() == ["gold"]
    assert view.columns.tolist().count("region") == 1
    assert len(as_of_view(found, "customers", BASE)) == 0


@pytest.mark.parametrize("seed", SEEDS[:5])
@pytest.mark.parametrize("gap", [0, 0.5, 7])
def test_labels_on_the_edges(seed: int, gap: float) -> None:
    """A complaint a tick before, at and after either end of [T+g, T+g+h), known a tick around."""
    pairs = [(who, t) for t in AS_OFS for who in WHO]
    pairs += [(r["customer_id"], r["opened_at"] - gap * DAY - h * DAY + k * US)
              for r in history(seed)["tickets"][:6] if r["customer_id"]
              for h in (0, 7) for k in (0, 1)]  # fmt: skip
    for known in (BASE + 7 * DAY, BASE + 7 * DAY + US, BASE + 21 * DAY, BASE + 60 * DAY):
        found = labels(
            spine_of(pairs), tables(seed), horizons=(14, 7), gap_days=gap, known_as_of=known,
            complaint=RULE,
        )  # fmt: skip
        human = [r for r in seen(seed, "tickets", known) if not r["is_machine"]]
        assert found["customer_id"].tolist() == [who for who, _ in pairs]
        for row, (who, t) in zip(found.to_dict("records"), pairs, strict=True):
            check_label(row, [r for r in human if r["customer_id"] == who], t + gap * DAY, known)


def check_label(row: dict[Any, Any], tickets: list[Row], begin: datetime, known: datetime) -> None:
    for days in (7, 14):
        stop = begin + days * DAY
        got = [row[f"{what}_{days}d"] for what in ("label", "contact", "tickets")]
        inside = sorted(
            (r for r in tickets if begin <= r["opened_at"] < stop),
            key=lambda r: (r["opened_at"], r["ticket_id"]),
        )
        angry = [r for r in inside if complains(r)]
        if stop > known:
            assert all(math.isnan(v) for v in got), (days, begin - BASE)
            angry = []
        else:
            assert got == [bool(angry), bool(inside), len(inside)], (days, begin - BASE)
    first = angry[0] if angry else {"topic": None, "channel": None}
    assert same(row["next_topic"], first["topic"]) and same(row["next_channel"], first["channel"])


def test_labels_are_of_7_14_and_30_days_without_a_gap_unless_said() -> None:
    spine = spine_of([(who, t) for who in WHO for t in AS_OFS])
    told: dict[str, Any] = {"known_as_of": BASE + 60 * DAY, "complaint": RULE}
    every = labels(spine, tables(0), **told)
    said = labels(spine, tables(0), horizons=(7, 14, 30), gap_days=0, **told)
    pd.testing.assert_frame_equal(every, said)


def test_labels_of_nothing_and_of_wrong_windows() -> None:
    spine = spine_of([("a", BASE)])
    arguments: dict[str, Any] = {"known_as_of": BASE + 30 * DAY, "complaint": RULE}
    found = labels(spine, MemoryTables({}), horizons=(7,), **arguments)
    assert found["label_7d"].tolist() == [0.0] and found["next_topic"].isna().all()
    assert labels(spine, tables(0), horizons=(1,), **arguments)["label_1d"].notna().all()
    for wrong in ({"horizons": ()}, {"horizons": (0, 7)}, {"horizons": (7,), "gap_days": -0.5}):
        with pytest.raises(DataError, match="above 0"):
            labels(spine, tables(0), **wrong, **arguments)
