"""Stocks equal what a plain loop counts, and nothing of the future enters one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from data.tables import MemoryTables, Tables
from features.calendar import utc_times
from lab.futures import futures
from models.volume import VolumeContext, forecast, series_from_tickets
from models.volume.drivers import DriverSource
from models.volume.stocks import DRIVERS, Company, Stocks

MORE = 4 if os.environ.get("PRESAGE_FULL") == "1" else 1
"""`make test-full` tries so many times more."""

FIRST = pd.Timestamp("2024-03-01")
DAYS = 40
ENDS = ("delivered_at", "cancelled_at", "returned_at", "refunded_at")


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
            "returned_at": moments(ordered + 70, 50).where(rng.random(n) < 0.1),
            "refunded_at": moments(ordered + 30, 50).where(rng.random(n) < 0.1),
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
    customers = customers.assign(
        region=rng.choice(["north", "south"], 8),
        closed_at=moments(rng.integers(0, 24 * DAYS, 8), 50).where(rng.random(8) < 0.3),
        recorded_at=FIRST,
    )
    gone = FIRST + pd.to_timedelta(rng.integers(0, 24 * DAYS, 8), unit="h")
    elsewhere = customers.assign(region="east", recorded_at=gone).iloc[::2]
    customers = pd.concat([customers, elsewhere], ignore_index=True)
    orders = pd.concat([orders, late], ignore_index=True)
    return {"orders": orders, "usage": usage, "tickets": tickets, "customers": customers}


def by_hand(frames: dict[str, pd.DataFrame], known: pd.Timestamp, day: int) -> dict[str, float]:
    """Exposures at the first moment of day ``day`` (counted from FIRST), as known at ``known``."""

    def number(moment: pd.Timestamp) -> int:
        return (moment - FIRST) // pd.Timedelta(days=1)

    out = dict.fromkeys(DRIVERS, 0.0)
    orders = frames["orders"]
    seen = orders[(orders["ordered_at"] < known) & (orders["recorded_at"] <= known)]
    for _, versions in seen.groupby("order_id") if said(seen, "delivered_at", known) else ():
        row = versions.sort_values("recorded_at", kind="stable").iloc[-1]
        ends = [row[end] for end in ENDS if pd.notna(row[end]) and row[end] < known]
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
    tickets = tickets[(tickets["opened_at"] < known) & tickets["customer_id"].notna()]
    for row in tickets.itertuples() if said(tickets, "resolved_at", known) else ():
        closed = number(row.resolved_at) if row.resolved_at < known else 10**6
        age = day - number(row.opened_at)
        if 1 <= age <= 30 and day <= closed:
            out["days_open"] += min(age, 8)
    return out


def said(rows: pd.DataFrame, fact: str, known: pd.Timestamp) -> bool:
    """Whether a fact of any row is known; where none is, nobody can say what is still open."""
    return bool((pd.to_datetime(rows[fact]) < known).any())


def known_at(frames: dict[str, pd.DataFrame], number: int) -> Stocks:
    start = int(FIRST.to_datetime64().astype("datetime64[D]").astype(int))
    return Company(MemoryTables(frames), "UTC").at(start + number)


@settings(max_examples=4 * MORE, deadline=None)
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


@settings(max_examples=3 * MORE, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    missing=st.sets(st.sampled_from(["shipped_at", *ENDS, "carrier", "resolved_at", "region"])),
)
def test_a_missing_column_costs_only_what_it_knows(seed, missing):
    """Without a cancellation an order waits on; without any delivery nothing is known of orders;
    who carried it and where to makes no stock."""
    frames = {
        name: frame.assign(**dict.fromkeys(missing & set(frame.columns)))
        for name, frame in world(seed).items()
    }
    known = known_at(frames, DAYS)
    moment = FIRST + pd.Timedelta(days=DAYS)
    for ago in range(5):
        told = by_hand(frames, moment, DAYS - ago)
        found = known.exposure[len(known.exposure) - 1 - ago]
        np.testing.assert_allclose(found, [told[name] for name in DRIVERS], err_msg=str(ago))
    assert (found[: len(DRIVERS) - 2].sum() > 0) == ("delivered_at" not in missing)
    start = int(FIRST.to_datetime64().astype("datetime64[D]").astype(int))
    projected = DriverSource(MemoryTables(frames), "UTC").at(start + DAYS).ahead.mean
    assert np.isfinite(projected).all()
    assert projected[:, DRIVERS.index("errors")].sum() > 0


def arrays(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every array and number that a value is made of, by name."""
    if is_dataclass(value):
        for field in fields(value):
            yield from arrays(getattr(value, field.name), f"{name}.{field.name}")
    else:
        yield name, value


def everything(tables: Tables, zone: str, day: int) -> dict[str, object]:
    """All that drivers of a day are made of: stocks, orders, rates, what is projected."""
    source = DriverSource(tables, zone)
    return dict([*arrays(source.company.at(day), "stocks"), *arrays(source.at(day), "known")])


def forgotten(tables: Tables, moment: pd.Timestamp) -> Tables:
    """The tables without whatever was not known at a moment: rows, versions and facts."""
    for change in ("rows born", "rows recorded", "what became", "attributes recorded"):
        (tables,) = (
            future.tables
            for future in futures(tables, moment.to_pydatetime())
            if future.change.startswith(f"without {change}")
        )
    return tables


@settings(max_examples=2 * MORE, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    number=st.integers(3, DAYS - 3),
    zone=st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata"]),
)
def test_the_future_changes_nothing_that_drivers_are_made_of(seed, number, zone):
    """Bit for bit, with later rows, late rows, later versions and facts of every table."""
    tables = MemoryTables(world(seed))
    day = int(FIRST.to_datetime64().astype("datetime64[D]").astype(int)) + number
    moment = pd.Timestamp(utc_times(np.array([day], "datetime64[D]"), zone)[0])
    found = everything(tables, zone, day)
    worlds = [(each.change, each.tables) for each in futures(tables, moment.to_pydatetime(), seed)]
    for change, other in [*worlds, ("forgotten", forgotten(tables, moment))]:
        again = everything(other, zone, day)
        assert again.keys() == found.keys()
        for name, value in found.items():
            np.testing.assert_array_equal(value, again[name], err_msg=f"{name}: {change}")


@settings(max_examples=1, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_future_changes_no_forecast_with_drivers(seed):
    tables, zone = MemoryTables(world(seed)), "Europe/Oslo"
    moment = FIRST + pd.Timedelta(days=DAYS - 1) - pd.Timedelta(hours=2)

    def told(known: Tables) -> pd.DataFrame:
        source = DriverSource(known, zone)
        context = VolumeContext(time_zone=zone, local_days=True, drivers=source)
        history = series_from_tickets(known, moment.to_pydatetime(), "D", context)
        return forecast(history, horizon=3, freq="D", context=context)

    found = told(tables)
    for other in [each.tables for each in futures(tables, moment.to_pydatetime(), seed)]:
        pd.testing.assert_frame_equal(told(other), found, check_exact=True)
