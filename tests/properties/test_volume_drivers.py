"""Stocks equal what a plain loop counts, and nothing of the future enters one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from data.tables import MemoryTables
from models.volume.stocks import DRIVERS, Company, Stocks

FIRST = pd.Timestamp("2024-03-01")
DAYS = 40


def world(seed: int) -> dict[str, pd.DataFrame]:
    """A company small enough to count by hand, with corrections that came later."""
    rng = np.random.default_rng(seed)

    def moments(low: np.ndarray, high: int) -> pd.Series:
        hours = low + rng.integers(1, high, len(low)) * 7
        return pd.Series(FIRST + pd.to_timedelta(hours, unit="h"))

    n = 60
    ordered = rng.integers(0, 24 * DAYS, n)
    orders = pd.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(n)],
            "customer_id": [f"c{i}" for i in rng.integers(0, 8, n)],
            "carrier": rng.choice(["a", "b"], n),
            "ordered_at": FIRST + pd.to_timedelta(ordered, unit="h"),
            "promised_at": moments(ordered, 20),
            "shipped_at": moments(ordered, 8),
            "delivered_at": moments(ordered + 56, 40).where(rng.random(n) < 0.8),
            "cancelled_at": moments(ordered, 50).where(rng.random(n) < 0.15),
        }
    )
    orders["recorded_at"] = orders["ordered_at"]
    late = orders.sample(10, random_state=seed)
    moved = late["promised_at"] + pd.Timedelta(days=3)
    late = late.assign(promised_at=moved, recorded_at=late["ordered_at"] + pd.Timedelta(days=2))
    used = FIRST + pd.to_timedelta(rng.integers(0, 24 * DAYS, 80), unit="h")
    usage = pd.DataFrame(
        {
            "event_id": [f"u{i}" for i in range(80)],
            "customer_id": [f"c{i}" for i in rng.integers(0, 8, 80)],
            "used_at": used,
            "feature": "search",
            "errors": rng.integers(0, 4, 80),
            "platform": rng.choice(["ios", "web"], 80),
        }
    )
    usage["recorded_at"] = usage["used_at"]
    mended = usage.sample(8, random_state=seed).assign(errors=rng.choice([0, None], 8))
    mended["recorded_at"] += pd.Timedelta(days=1)
    usage = pd.concat([usage, mended], ignore_index=True)
    opened = rng.integers(0, 24 * DAYS, 50)
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"t{i}" for i in range(50)],
            "customer_id": pd.Series([f"c{i}" for i in rng.integers(0, 8, 50)]).where(
                rng.random(50) < 0.9
            ),
            "opened_at": FIRST + pd.to_timedelta(opened, unit="h"),
            "resolved_at": moments(opened, 60).where(rng.random(50) < 0.8),
            "channel": rng.choice(["email", "phone"], 50),
            "topic": rng.choice(["delivery", "other"], 50),
        }
    )
    customers = pd.DataFrame({"customer_id": [f"c{i}" for i in range(8)], "signed_up_at": FIRST})
    orders = pd.concat([orders, late], ignore_index=True)
    return {"orders": orders, "usage": usage, "tickets": tickets, "customers": customers}


def by_hand(frames: dict[str, pd.DataFrame], known: pd.Timestamp, day: int) -> dict[str, float]:
    """Exposures at the first moment of day ``day`` (counted from FIRST), as known at ``known``."""

    def number(moment: pd.Timestamp) -> int:
        return (moment - FIRST) // pd.Timedelta(days=1)

    out = dict.fromkeys(DRIVERS, 0.0)
    orders = frames["orders"]
    seen = orders[(orders["ordered_at"] < known) & (orders["recorded_at"] <= known)]
    for _, versions in seen.groupby("order_id"):
        row = versions.sort_values("recorded_at", kind="stable").iloc[-1]
        ends = [t for t in (row["delivered_at"], row["cancelled_at"]) if t < known]
        done = min(map(number, ends), default=10**6)
        came = row["delivered_at"] < known and number(row["delivered_at"]) == done
        promised, begun = number(row["promised_at"]), number(row["ordered_at"])
        if begun < day <= done and promised < day:
            out["overdue"] += 1
            out["days_late"] += min(day - promised, 8)
        elif begun < day <= done:
            out["on_the_way"] += 1
        if came and done > promised and done < day <= done + 5:
            out["came_late"] += 1
    usage = frames["usage"]
    faded: dict[str, float] = {}
    usage = usage[(usage["used_at"] < known) & (usage["recorded_at"] <= known)]
    newest = usage.sort_values("recorded_at", kind="stable").drop_duplicates(
        "event_id", keep="last"
    )
    for row in newest.itertuples():
        ago = day - number(row.used_at) - 1
        if 0 <= ago < 12:
            faded[row.customer_id] = faded.get(row.customer_id, 0.0) + (row.errors or 0) * 0.7**ago
    out["errors"] = sum(min(value, 6.0) for value in faded.values())
    tickets = frames["tickets"]
    for row in tickets[
        (tickets["opened_at"] < known) & tickets["customer_id"].notna()
    ].itertuples():
        closed = number(row.resolved_at) if row.resolved_at < known else 10**6
        age = day - number(row.opened_at)
        if 1 <= age <= 30 and day <= closed:
            out["days_open"] += min(age, 8)
    return out


def known_at(frames: dict[str, pd.DataFrame], number: int) -> Stocks:
    start = int(FIRST.to_datetime64().astype("datetime64[D]").astype(int))
    return Company(MemoryTables(frames), "UTC").at(start + number)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), number=st.integers(20, DAYS))
def test_stocks_are_what_a_plain_loop_counts(seed, number):
    frames = world(seed)
    known = known_at(frames, number)
    moment = FIRST + pd.Timedelta(days=number)
    first = number - len(known.exposure) + 1
    for place, row in enumerate(known.exposure):
        told = by_hand(frames, moment, first + place)
        # a broken promise before the order itself is not counted before the order is there
        np.testing.assert_allclose(row, [told[name] for name in DRIVERS], err_msg=str(place))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_future_changes_no_stock(seed):
    frames = world(seed)
    number = 25
    moment = FIRST + pd.Timedelta(days=number)
    blind = {name: frame.copy() for name, frame in frames.items()}
    orders = blind["orders"]
    blind["orders"] = orders[(orders["ordered_at"] < moment) & (orders["recorded_at"] <= moment)]
    for name in ("shipped_at", "delivered_at", "cancelled_at"):
        blind["orders"][name] = blind["orders"][name].where(blind["orders"][name] < moment)
    usage = blind["usage"]
    blind["usage"] = usage[(usage["used_at"] < moment) & (usage["recorded_at"] <= moment)]
    tickets = blind["tickets"][blind["tickets"]["opened_at"] < moment]
    blind["tickets"] = tickets.assign(
        resolved_at=tickets["resolved_at"].where(tickets["resolved_at"] < moment)
    )
    one, other = known_at(frames, number), known_at(blind, number)
    for name in ("exposure", "people", "ticket_exposure", "errors", "open_age", "open_flow"):
        np.testing.assert_array_equal(
            np.sort(getattr(one, name), axis=0), np.sort(getattr(other, name), axis=0)
        )
