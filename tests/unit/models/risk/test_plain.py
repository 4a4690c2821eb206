"""The baselines' rows against a slow oracle: plain loops over versions, one customer at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.settings import Complaint
from data.tables import MemoryTables
from models.risk.plain import amounts, attributes, plain_rows

START = datetime(2026, 1, 1)
TIMES = [START + timedelta(days=days) for days in (0, 9, 31.5, 60, 100)]
PEOPLE = [f"c{at}" for at in range(6)]
RULE = Complaint(topics=("billing",), csat_at_most=2)
Frames = dict[str, pd.DataFrame]


def world(seed: int) -> Frames:
    """Small tables with versions, deletions, late records, and facts at and after the times."""
    rng = np.random.default_rng(seed)

    def moments(count: int, low: float, high: float, known: float = 1.0) -> pd.Series:
        # whole and half days, so that many fall exactly on an as-of time or a window's edge
        days = np.round(rng.uniform(low, high, count) * 2) / 2
        told = pd.Series(START + pd.to_timedelta(days, unit="D"))
        return told.where(rng.random(count) < known)

    def after(begin: pd.Series, most: float, known: float) -> pd.Series:
        days = np.round(rng.uniform(0, most, len(begin)) * 2) / 2
        return (begin + pd.to_timedelta(days, unit="D")).where(rng.random(len(begin)) < known)

    def versioned(frame: pd.DataFrame, birth: str) -> pd.DataFrame:
        frame["recorded_at"] = after(frame[birth], 20, 0.4)
        frame["deleted"] = rng.random(len(frame)) < 0.1
        return frame

    n = 90
    orders = pd.DataFrame({"order_id": rng.integers(0, 60, n).astype(str)})
    orders["customer_id"] = rng.choice([*PEOPLE, "somebody else"], n)
    orders["ordered_at"] = moments(n, -40, 110)
    orders["promised_at"] = after(orders["ordered_at"], 12, 0.8)
    for name, known in (("delivered_at", 0.7), ("cancelled_at", 0.3), ("returned_at", 0.2)):
        orders[name] = after(orders["ordered_at"], 25, known)
    orders["refunded_at"] = after(orders["ordered_at"], 40, 0.1)
    orders["amount"] = np.where(rng.random(n) < 0.9, rng.integers(1, 50, n), np.nan)
    tickets = pd.DataFrame({"ticket_id": rng.integers(0, 60, n).astype(str)})
    tickets["customer_id"] = rng.choice([*PEOPLE, None], n)  # type: ignore[list-item]
    tickets["opened_at"] = moments(n, -40, 110)
    tickets["channel"] = "email"
    tickets["topic"] = rng.choice(["billing", "other"], n)
    tickets["is_complaint"] = rng.choice([True, False, None], n, p=[0.2, 0.2, 0.6])  # type: ignore[list-item]
    tickets["is_machine"] = rng.choice([True, False, None], n, p=[0.1, 0.6, 0.3])  # type: ignore[list-item]
    tickets["csat"] = rng.integers(1, 6, n).astype(float)
    tickets["csat_at"] = after(tickets["opened_at"], 20, 0.6)
    tickets["first_response_at"] = after(tickets["opened_at"], 8, 0.7)
    tickets["resolved_at"] = after(tickets["opened_at"], 30, 0.7)
    usage = pd.DataFrame({"event_id": rng.integers(0, 100, 2 * n).astype(str)})
    usage.loc[rng.random(2 * n) < 0.2, "event_id"] = None
    usage["customer_id"] = rng.choice(PEOPLE, 2 * n)
    usage["used_at"] = moments(2 * n, -40, 110)
    usage["feature"] = rng.choice(["search", "payment_failed"], 2 * n)
    usage["errors"] = rng.choice([0.0, 1.0, 2.0, np.nan], 2 * n)
    customers = pd.DataFrame({"customer_id": [*PEOPLE, *PEOPLE[:3]]})
    customers["signed_up_at"] = moments(9, -60, 20)
    customers["plan"] = rng.choice(["free", "paid", None], 9)  # type: ignore[list-item]
    customers["value"] = rng.integers(0, 9, 9).astype(float)
    return {
        "customers": versioned(customers, "signed_up_at"),
        "orders": versioned(orders, "ordered_at"),
        "tickets": versioned(tickets, "opened_at"),
        "usage": versioned(usage, "used_at"),
    }


def spine() -> pd.DataFrame:
    rows = [(who, at) for at in TIMES for who in [*PEOPLE, "nobody"]]
    frame = pd.DataFrame(rows, columns=["customer_id", "as_of"])
    shuffled = frame.sample(frac=1.0, random_state=3).reset_index(drop=True)
    return shuffled.astype({"as_of": "datetime64[us]"})


def seen(tables: MemoryTables, name: str, at: pd.Timestamp) -> Iterator[Mapping[str, object]]:
    """The rows of a table at a moment, one dictionary each, facts not yet known left out."""
    contract, versions = TABLES[name], {}
    for at_row, row in enumerate(tables.frame(name).to_dict("records")):
        if not row[contract.birth] < at or not row["recorded_at"] <= at:
            continue
        key = row[contract.key[0]]
        key = ("a key of its own", at_row) if pd.isna(key) else key
        if key in versions and versions[key]["recorded_at"] > row["recorded_at"]:
            continue
        versions[key] = row
    for row in sorted(versions.values(), key=lambda r: (r[contract.birth], r["_row"])):
        if row["deleted"]:
            continue
        known = {c.name for c in contract.columns if c.known_at is None or (
            not pd.isna(row[c.known_at]) and row[c.known_at] < at)}  # fmt: skip
        yield {c: v for c, v in row.items() if c in known and not pd.isna(v)}


def slowly(tables: MemoryTables, who: str, at: pd.Timestamp) -> dict[str, object]:
    """One row of the oracle."""
    out: dict[str, object] = {}
    day = pd.Timedelta(days=1)
    all_orders, all_tickets = (list(seen(tables, n, at)) for n in ("orders", "tickets"))
    all_tickets = [t for t in all_tickets if not t.get("is_machine", False)]
    all_tickets = [t for t in all_tickets if t.get("customer_id") in {*PEOPLE, "nobody"}]
    all_orders = [o for o in all_orders if o["customer_id"] in {*PEOPLE, "nobody"}]

    def own(rows: list, birth: str) -> list:
        return [{**r, "born": r[birth]} for r in rows if r["customer_id"] == who]

    def complains(ticket: Mapping[str, object]) -> bool:
        if "is_complaint" in ticket:
            return bool(ticket["is_complaint"])
        return ticket.get("topic") == "billing" or ticket.get("csat", 9) <= 2  # type: ignore[operator]

    def within(rows: list, days: float, of: str = "born") -> list:
        return [r for r in rows if of in r and r[of] >= at - days * day]

    def oldest(rows: list, since: str = "born") -> float:
        return max([(at - r[since]) / day for r in rows], default=0.0)

    def state(name: str, rows: list, told: bool, since: str = "born") -> None:
        out[name] = len(rows) if told else np.nan
        out[f"{name}_days"] = oldest(rows, since) if told else np.nan

    customers = own(list(seen(tables, "customers", at)), "signed_up_at")
    orders, tickets = own(all_orders, "ordered_at"), own(all_tickets, "opened_at")
    usage = own(list(seen(tables, "usage", at)), "used_at")
    for name in ("plan", "value"):
        out[f"customer_{name}"] = customers[-1].get(name, np.nan) if customers else np.nan
    for name, rows, windows in (
        ("signed_up", customers, ()),
        ("complaint", [t for t in tickets if complains(t)], (7, 28, 90, 365)),
        ("ticket", tickets, (7, 28, 90, 365)),
        ("order", orders, (7, 28, 90, 365)),
        ("use", usage, (7, 28, 90)),
    ):
        ages = [(at - r["born"]) / day for r in rows]
        out[f"since_{name}_days"] = min(ages, default=np.nan)
        out |= {f"{name}s_{days}d": len(within(rows, days)) for days in windows}
        if name == "complaint":
            out["complaints_ever"] = len(rows)
    ends = {"delivered_at", "cancelled_at", "returned_at", "refunded_at"}
    still = [o for o in orders if not ends & set(o)]
    told = any("delivered_at" in o for o in all_orders)
    late = [o for o in still if o.get("promised_at", at) < at]
    state("orders_open", still, told)
    promised = any("promised_at" in o for o in all_orders)
    state("orders_overdue", late, told and promised, "promised_at")
    out["orders_delivered_7d"] = len(within(orders, 7, "delivered_at"))
    for days in (30, 90):
        came = within(orders, days, "delivered_at")
        late = [o for o in came if "promised_at" in o and o["delivered_at"] > o["promised_at"]]
        out[f"orders_late_{days}d"] = len(late)
    out["orders_amount_90d"] = sum(o.get("amount", 0.0) for o in within(orders, 90))
    waiting = [t for t in tickets if "resolved_at" not in t]
    state("tickets_open", waiting, any("resolved_at" in t for t in all_tickets))
    silent = [t for t in waiting if "first_response_at" not in t]
    state("tickets_unanswered", silent, any("first_response_at" in t for t in all_tickets))
    for days in (7, 28):
        out[f"errors_{days}d"] = sum(u.get("errors", 0.0) for u in within(usage, days))
    failed = [u for u in within(usage, 28) if u["feature"] == "payment_failed"]
    out["payment_failed_28d"] = len(failed)
    return out


@pytest.mark.parametrize("seed", range(6))
def test_every_number_is_the_oracles(seed: int) -> None:
    tables = MemoryTables(world(seed))
    rows = plain_rows(tables, spine(), RULE)
    assert rows[["customer_id", "as_of"]].equals(spine())
    expected = pd.DataFrame(
        [slowly(tables, who, at) for who, at in spine().itertuples(index=False)]
    )
    assert set(amounts(rows)) == {c for c in expected if not c.startswith("customer_")}
    for name in expected:
        own = rows[name].astype(object).where(rows[name].notna(), None)
        other = expected[name].astype(object).where(expected[name].notna(), None)
        if name == "customer_plan":
            assert own.tolist() == other.tolist()
        else:
            np.testing.assert_allclose(own.astype(float), other.astype(float), err_msg=name)
    assert expected["orders_overdue"].max() > 0 and expected["tickets_unanswered"].max() > 0
    assert rows["orders_open"].isna().sum() == expected["orders_open"].isna().sum()


@pytest.mark.parametrize("seed", range(3))
def test_nothing_after_the_moment_has_a_say(seed: int) -> None:
    frames = world(seed)
    for at in TIMES[1:]:
        then = {}
        for name, frame in frames.items():
            kept = MemoryTables({name: frame}).frame(name)
            kept = kept[(kept["recorded_at"] <= at) & (kept[str(TABLES[name].birth)] < at)]
            facts = [c for c in TABLES[name].columns if c.known_at is not None]
            unknown = {c.name: ~(kept[str(c.known_at)] < at) for c in facts}
            then[name] = kept.assign(**{c: kept[c].mask(gone) for c, gone in unknown.items()})
        now = spine().query("as_of == @at")
        whole, cut = (plain_rows(MemoryTables(f), now, RULE) for f in (frames, then))
        pd.testing.assert_frame_equal(whole, cut, check_exact=True)


ENDS = ("cancelled_at", "returned_at", "refunded_at")
COSTS = {
    ("orders", "delivered_at"): (
        "orders_open",
        "orders_overdue",
        "orders_delivered",
        "orders_late",
    ),
    ("orders", "promised_at"): ("orders_overdue", "orders_late"),
    **{("orders", name): ("orders_open", "orders_overdue") for name in ENDS},
    ("orders", "amount"): ("orders_amount",),
    ("tickets", "resolved_at"): ("tickets_open", "tickets_unanswered"),
    ("tickets", "first_response_at"): ("tickets_unanswered",),
    ("tickets", "csat"): ("complaints", "since_complaint"),
    ("tickets", "csat_at"): ("complaints", "since_complaint"),
    ("tickets", "is_machine"): ("ticket", "complaints", "since_"),
    ("tickets", "topic"): ("complaints", "since_complaint"),
    ("usage", "errors"): ("errors",),
    ("usage", "event_id"): ("use", "errors", "payment", "since_use"),
    ("customers", "plan"): ("customer_plan",),
}


@pytest.mark.parametrize(("table", "column"), COSTS)
def test_a_missing_column_costs_only_what_it_knows(table: str, column: str) -> None:
    frames = world(7)
    whole = plain_rows(MemoryTables(frames), spine(), RULE)
    without = {**frames, table: frames[table].drop(columns=column)}
    rows = plain_rows(MemoryTables(without), spine(), RULE)
    assert list(rows) == list(whole)
    changed = [name for name in whole if not rows[name].equals(whole[name])]
    others = [name for name in changed if not name.startswith(COSTS[table, column])]
    assert changed and not others


@pytest.mark.parametrize("table", ["customers", "orders", "tickets", "usage"])
def test_a_missing_table_costs_only_its_own_columns(table: str) -> None:
    frames = world(8)
    whole = plain_rows(MemoryTables(frames), spine(), RULE)
    rows = plain_rows(MemoryTables({n: f for n, f in frames.items() if n != table}), spine(), RULE)
    of = {"customers": ("customer_", "since_signed"), "orders": ("order", "since_order"),
          "tickets": ("ticket", "complaint", "since_ticket", "since_complaint"),
          "usage": ("use", "errors", "payment", "since_use")}[table]  # fmt: skip
    assert list(rows) == list(whole)
    kept = [name for name in whole if not name.startswith(of) or name == "customer_id"]
    pd.testing.assert_frame_equal(rows[kept], whole[kept], check_exact=True)
    for name in set(whole) - set(kept):
        assert rows[name].isna().all() or rows[name].eq(0).all()


def test_attributes_of_the_settings_are_attributes() -> None:
    frames = world(9)
    frames["customers"]["age"] = np.arange(9.0)
    rows = plain_rows(MemoryTables(frames, ["age"]), spine(), RULE)
    assert "customer_age" in attributes(rows) and "customer_age" not in amounts(rows)
    assert rows["customer_age"].notna().any() and "customer_id" not in attributes(rows)


def test_many_uses_at_fifty_moments_take_seconds() -> None:
    rng, count = np.random.default_rng(0), 300_000
    seconds = np.sort(rng.integers(0, 365 * 86400, count))
    usage = pd.DataFrame({"customer_id": rng.choice([f"c{at}" for at in range(5000)], count),
                          "used_at": pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s"),
                          "feature": "search"})  # fmt: skip
    tables = MemoryTables({"usage": usage})
    times = pd.date_range(START + timedelta(days=20), periods=49, freq="7D").as_unit("us")
    ids = pd.Series([f"c{at}" for at in range(5000)])
    many = pd.DataFrame({"customer_id": np.tile(ids, 49), "as_of": np.repeat(times, 5000)})
    began = time.process_time()
    rows = plain_rows(tables, many, Complaint())
    assert time.process_time() - began < 10  # about one on an idle core
    recent = usage["used_at"].between(times[-1] - timedelta(days=90), times[-1], "left")
    assert rows["uses_90d"].iloc[-5000:].sum() == recent.sum()
