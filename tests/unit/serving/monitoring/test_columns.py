"""A column whose values moved is named within seven days; one that always wandered is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.tables import MemoryTables
from serving.monitoring.sources import source_findings

AS_OF = datetime(2026, 6, 1)
SINCE = pd.Timestamp(AS_OF - timedelta(days=4))
Change = Callable[[pd.DataFrame], pd.DataFrame]


def orders(seed: int = 0, days: int = 70, rate: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    count = rng.poisson(rate * days)
    day = np.floor(rng.uniform(0, days, count))
    hour = np.clip(rng.normal(14, 3, count), 6, 22)
    return pd.DataFrame(
        {
            "order_id": [f"o{n}" for n in range(count)],
            "customer_id": [f"c{n}" for n in rng.integers(0, 300, count)],
            "ordered_at": pd.Timestamp(AS_OF - timedelta(days=days))
            + pd.to_timedelta(((day * 24 + hour) * 3600).round(), unit="s"),
            "carrier": rng.choice(["north", "south", "post"], count, p=[0.5, 0.3, 0.2]),
            "quantity": rng.choice([1.0, 2.0, 3.0], count, p=[0.7, 0.2, 0.1]),
            "amount": rng.lognormal(3, 0.8, count),
        }
    )


def moved(frame: pd.DataFrame) -> list[str]:
    found = source_findings(MemoryTables({"orders": frame}), AS_OF)
    return [finding.what for finding in found if finding.status == "alarm"]


def test_quiet_columns_raise_no_alarm() -> None:
    assert not any(moved(orders(seed)) for seed in range(6))


def test_three_rows_in_place_of_none_are_chance() -> None:
    """One machine's ticket in eight weeks, and now three: thirty rows of others prove nothing."""
    rows = orders(rate=5)
    week = (pd.Timestamp(AS_OF) - rows["ordered_at"]).dt.days // 7
    rank = rows.groupby(week).cumcount()
    rows["carrier"] = np.where(rank < week.map({0: 3, 3: 1}).fillna(0), "machine", "post")
    assert (week == 0).sum() >= 30 and not moved(rows)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("orders.amount", lambda rows: rows.assign(amount=rows["amount"] * 100)),
        ("orders.quantity", lambda rows: rows.assign(quantity=rows["quantity"] + 1)),
        ("orders.carrier", lambda rows: rows[rows["carrier"] != "south"]),
        ("orders.carrier", lambda rows: rows.replace({"carrier": {"post": "posten"}})),
        (
            "orders hours of the day",
            lambda rows: rows.assign(ordered_at=rows["ordered_at"] - timedelta(hours=6)),
        ),
    ],
)
def test_four_days_of_other_values_are_named(what: str, change: Change) -> None:
    frame = orders()
    new = frame["ordered_at"] >= SINCE
    assert moved(pd.concat([frame[~new], change(frame[new])])) == [f"{what} moved"]


def test_what_comes_back_every_month_is_no_alarm() -> None:
    """A carrier that rests for four days each month did so in the weeks before as well."""
    frame = orders()
    ago = (pd.Timestamp(AS_OF) - frame["ordered_at"]) / timedelta(days=1)
    rests = (frame["carrier"] == "south") & (ago % 30 < 4)
    assert moved(frame[~rests]) == []
    assert moved(frame[~(rests & (ago < 4))]) == ["orders.carrier moved"]


def test_complaints_that_double_are_named() -> None:
    rng = np.random.default_rng(1)
    rows = orders(1, rate=40).rename(columns={"order_id": "ticket_id", "ordered_at": "opened_at"})
    tickets = rows[["ticket_id", "customer_id", "opened_at"]].assign(
        channel="email", is_complaint=rng.random(len(rows)) < 0.3
    )
    recent = tickets["opened_at"] >= pd.Timestamp(AS_OF - timedelta(days=7))
    again = tickets[recent & tickets["is_complaint"]]
    twice = pd.concat([tickets, again.assign(ticket_id=again["ticket_id"] + "x")])
    for frame, named in ((tickets, []), (twice, ["complaints level"])):
        found = source_findings(MemoryTables({"tickets": frame}), AS_OF)
        assert [f.what for f in found if f.status == "alarm" and "level" in f.what] == named


def test_a_channel_whose_share_wavers_is_missed_once_it_is_silent_for_longer_than_ever() -> None:
    """A tenth of a week's rows or half of them: no week's share proves that it is gone."""
    frame = orders(rate=14)
    rng = np.random.default_rng(2)
    week = ((pd.Timestamp(AS_OF) - frame["ordered_at"]).dt.days // 7).to_numpy()
    share = np.resize([0.3, 0.55, 0.12, 0.45, 0.1], 11)[week]
    frame["carrier"] = np.where(rng.random(len(frame)) < share, "phone", "post")
    assert moved(frame) == []
    since = pd.Timestamp(AS_OF - timedelta(days=6))
    frame = frame[(frame["carrier"] != "phone") | (frame["ordered_at"] < since)]
    assert moved(frame) == ["orders.carrier moved"]
    assert moved(frame[(frame["ordered_at"] < since) | (rng.random(len(frame)) < 0.2)]) == [
        "orders level"
    ]
