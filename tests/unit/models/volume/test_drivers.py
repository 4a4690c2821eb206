"""What the company knows shows in the forecast before the tickets come, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.tables import MemoryTables
from models.volume import (
    Issue,
    VolumeContext,
    VolumeModel,
    audit,
    explain_change,
    forecast,
    load_volume,
    series_from_tickets,
    train_volume,
)
from models.volume.drivers import DriverSource, loads_at
from models.volume.judge import LOST, share_of
from models.volume.panel import panel_of
from models.volume.stocks import DRIVERS

from .test_audit import by_hand

FIRST = pd.Timestamp("2024-01-01")
DAYS = 140
STRIKE = 136
"""On this day one of the two carriers stops."""
CONTEXT = VolumeContext(local_days=True)
RATE = 0.5
"""Tickets a day for an overdue order."""


def day_of(number: int) -> int:
    return int(FIRST.to_datetime64().astype("datetime64[D]").astype(int)) + number


@pytest.fixture(scope="module")
def tables() -> MemoryTables:
    """60 orders a day, two days to deliver, three promised, 4 % late; a strike at the end."""
    rng = np.random.default_rng(0)
    rows, tickets = [], []
    for number in range(DAYS):
        for each in range(60):
            carrier = "ab"[each % 2]
            took = int(rng.choice([1, 2, 3, 6], p=[0.3, 0.5, 0.16, 0.04]))
            done = number + took
            if carrier == "a" and done >= STRIKE:
                done = DAYS + 30
            customer = f"c{rng.integers(4000)}"
            rows.append((f"o{number}-{each}", customer, carrier, number, number + 3, done))
            for day in range(number + 4, min(done, DAYS - 1) + 1):
                tickets += [(day, customer, "delivery")] * rng.poisson(RATE)
        tickets += [(number, f"c{rng.integers(4000)}", "other")] * rng.poisson(20)
    orders = pd.DataFrame(
        rows, columns=["order_id", "customer_id", "carrier", "ordered", "promised", "done"]
    )
    for name in ("ordered", "promised", "done"):
        hour = pd.Timedelta(hours=9)
        at = "delivered_at" if name == "done" else f"{name}_at"
        orders[at] = FIRST + pd.to_timedelta(orders.pop(name), unit="D") + hour
    told = pd.DataFrame(tickets, columns=["day", "customer_id", "topic"])
    noon = FIRST + pd.to_timedelta(told.pop("day"), unit="D") + pd.Timedelta(hours=12)
    told = told.assign(opened_at=noon, resolved_at=noon + pd.Timedelta(hours=2), channel="email")
    told["ticket_id"] = [f"t{i}" for i in range(len(told))]
    customers = pd.DataFrame({"customer_id": [f"c{i}" for i in range(4000)], "signed_up_at": FIRST})
    return MemoryTables({"orders": orders, "tickets": told, "customers": customers})


def known_on(tables: MemoryTables, number: int) -> pd.DataFrame:
    as_of = (FIRST + pd.Timedelta(days=number)).to_pydatetime()
    return series_from_tickets(tables, as_of, "D", CONTEXT)


@pytest.fixture(scope="module")
def driven(tables) -> VolumeContext:
    return replace(CONTEXT, drivers=DriverSource(tables, "UTC"))


@pytest.fixture(scope="module")
def model(tables, driven) -> VolumeModel:
    return train_volume(known_on(tables, STRIKE - 1), horizon=5, freq="D", context=driven)


def test_a_strike_is_in_the_forecast_before_its_tickets_come(tables, driven, model):
    after = STRIKE + 2  # two days without a delivery; the first broken promise is tomorrow's
    history = known_on(tables, after)
    calm = history[history["unique_id"] == "topic=delivery"].tail(2)["y"].mean()
    assert calm < 6
    ids = ["topic=delivery"]
    means = {
        name: model.forecast(history, context=context).set_index("unique_id").loc[ids, "presage"]
        for name, context in (("without", CONTEXT), ("with", driven))
    }
    actual = known_on(tables, DAYS)
    actual = actual[(actual["unique_id"] == ids[0]) & (actual["ds"] >= history["ds"].max())]
    assert actual["y"].iloc[-1] > 4 * calm
    assert means["without"].iloc[1] < 2 * calm
    assert means["with"].iloc[1] == pytest.approx(actual["y"].iloc[2], rel=0.5)


def test_the_rate_of_contacts_for_an_overdue_order_is_learned_from_calm_days(tables, driven):
    panel = panel_of(known_on(tables, STRIKE - 1), "D", driven)
    loads = loads_at(driven.drivers, panel)
    rates = pd.DataFrame(loads.rates, index=panel.ids, columns=["base", *DRIVERS])
    # days late go with being overdue: at two days late both rates together make the contacts
    row = rates.loc["topic=delivery"]
    assert row["overdue"] + 2 * row["days_late"] == pytest.approx(RATE, rel=0.15)
    other = rates.loc["topic=other"]
    assert other["base"] * 4000 == pytest.approx(20, rel=0.1)
    assert other["overdue"] < 0.05


def test_stocks_are_projected_as_they_come(tables):
    source = DriverSource(tables, "UTC")
    made = source.at(day_of(100)).ahead.mean[:6]
    then = source.at(day_of(106)).exposure[-7:-1]
    kept = [DRIVERS.index(name) for name in ("overdue", "days_late", "came_late", "on_the_way")]
    np.testing.assert_allclose(made[0, kept], then[0, kept])
    np.testing.assert_allclose(made[:, kept].mean(axis=0), then[:, kept].mean(axis=0), rtol=0.4)


def test_a_company_without_orders_or_usage_is_forecast_as_before(tables):
    bare = MemoryTables({name: tables.frame(name) for name in ("tickets", "customers")})
    source = DriverSource(bare, "UTC")
    assert not source.company.useful
    history = known_on(bare, 90)
    made = [
        forecast(history, horizon=5, freq="D", context=context)
        for context in (CONTEXT, replace(CONTEXT, drivers=source))
    ]
    pd.testing.assert_frame_equal(made[0], made[1], check_exact=True)


def test_drivers_that_have_lost_are_switched_off_series_by_series():
    rng = np.random.default_rng(0)
    actual = rng.poisson(50, (12, 3, 7)).astype(float)
    plain = actual + rng.normal(0, 5, actual.shape)
    better, worse = actual + (plain - actual) * 0.5, actual + (plain - actual) * LOST**4
    driven = np.stack([better[:, 0], plain[:, 1], worse[:, 2]], axis=1)
    share = share_of(plain, driven, actual)
    assert share[0] == 1.0
    assert share[2] == 0.0


def test_a_saved_model_forecasts_the_same_with_drivers(tables, driven, model, tmp_path):
    model.save(tmp_path / "model")
    history = known_on(tables, STRIKE + 2)
    made = [
        one.forecast(history, context=driven) for one in (model, load_volume(tmp_path / "model"))
    ]
    pd.testing.assert_frame_equal(made[0], made[1])


def test_the_audit_shows_what_drivers_multiply_by(tables, driven, model):
    history = known_on(tables, STRIKE + 2)
    last = FIRST + pd.Timedelta(days=STRIKE + 4)
    told = audit(model, history, "topic=delivery", last, driven)
    assert told.load > 2
    assert told.members["part"].sum() == pytest.approx(told.combined)
    driven_part = told.members[told.members["member"].str.endswith("with drivers")]
    share = model.driven.share[model.ids.index("topic=delivery")]
    assert driven_part["weight"].sum() == pytest.approx(share)
    assert told.reach[0] < 0 < told.reach[1], "a strike may end early or late"
    residual = told.quantiles.set_index("probability")["residual"]
    counted = told.quantiles.set_index("probability")["count"]
    for share in (0.1, 0.9):
        assert by_hand(told, residual[share], share) == pytest.approx(counted[share])


def test_what_was_learned_of_orders_is_told_apart_from_counts(tables, driven, model):
    before = Issue(model, known_on(tables, STRIKE), driven)
    after = Issue(model, known_on(tables, STRIKE + 2), driven)
    made = explain_change(before, after, 3).set_index(["unique_id", "ds"]).loc["topic=delivery"]
    assert (made["drivers"] > 1).all()
    parts = made[["corrected", "calendar", "new_counts", "drivers", "model"]].sum(axis=1)
    np.testing.assert_allclose(made["before"] + parts, made["after"], rtol=1e-9)


@pytest.mark.parametrize(
    ("without", "columns"),
    [
        ("customers", ()),
        ("orders", ()),
        (None, ("promised_at",)),
        (None, ("delivered_at",)),
        (None, ("carrier",)),
        (None, ("customer_id",)),
    ],
)
def test_companies_of_other_shapes_are_forecast_too(tables, without, columns):
    frames = {name: tables.frame(name) for name in tables.names if name != without}
    for column in columns:
        kind = "tickets" if column == "customer_id" else "orders"
        frames[kind] = frames[kind].assign(**{column: None})
    other = MemoryTables(frames)
    context = replace(CONTEXT, drivers=DriverSource(other, "Europe/Oslo"), time_zone="Europe/Oslo")
    as_of = (FIRST + pd.Timedelta(days=60)).to_pydatetime()
    history = series_from_tickets(other, as_of, "D", context)
    history = history[history["unique_id"].isin(["total", "topic=other"])]
    made = forecast(history, horizon=40, freq="D", context=context)
    assert made["presage"].gt(0).all()
    assert made["presage"].lt(10 * history["y"].max()).all()
