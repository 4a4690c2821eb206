"""Whatever the rows are: what a reason says is true of them as of T, and nothing later is said."""

from __future__ import annotations

import os
import re
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from babel.dates import format_date
from hypothesis import given, settings
from hypothesis import strategies as st

from data.settings import Complaint
from data.tables import MemoryTables
from features.complaint import complaint_predicate
from features.compute import compute
from features.orders import ORDER_FEATURES
from features.spec import FeatureView
from features.tickets import ticket_features
from features.usage import usage_features
from models.risk.evidence import evidence, read

MORE = 4 if os.environ.get("PRESAGE_FULL") == "1" else 1
"""`make test-full` tries so many times more."""

T = datetime(2026, 3, 2, 15)
VIEW = FeatureView(
    (*ORDER_FEATURES, *ticket_features(complaint_predicate(Complaint())), *usage_features())
)

hours = st.integers(-24 * 40, 24 * 10).map(lambda h: T + timedelta(hours=h, minutes=17))
maybe = st.one_of(st.none(), hours)


@st.composite
def companies(draw: st.DrawFn) -> dict[str, pd.DataFrame]:
    who = st.sampled_from(["a", "b"])
    orders = draw(st.lists(st.tuples(who, hours, maybe, maybe, maybe), min_size=1, max_size=6))
    tickets = draw(st.lists(st.tuples(who, hours, maybe, maybe, st.booleans()), max_size=6))
    usage = draw(st.lists(st.tuples(who, hours, st.integers(0, 3)), max_size=6))
    frames = {
        "orders": pd.DataFrame(
            orders,
            columns=["customer_id", "ordered_at", "promised_at", "delivered_at", "returned_at"],
        ),
        "tickets": pd.DataFrame(
            tickets,
            columns=["customer_id", "opened_at", "first_response_at", "resolved_at", "stated"],
        ).assign(channel="email", is_complaint=lambda rows: rows.pop("stated").astype(bool)),
        "usage": pd.DataFrame(usage, columns=["customer_id", "used_at", "errors"]).assign(
            feature="search"
        ),
    }  # fmt: skip
    for name, key in (("orders", "order_id"), ("tickets", "ticket_id"), ("usage", "event_id")):
        frames[name][key] = [f"{name[0].upper()}{at}x" for at in range(len(frames[name]))]
    return frames


def known(frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What is left of the tables when T is the end of the world."""
    births = {"orders": "ordered_at", "tickets": "opened_at", "usage": "used_at"}
    later = ("delivered_at", "returned_at", "first_response_at", "resolved_at")
    out = {}
    for name, frame in frames.items():
        rows = frame[pd.to_datetime(frame[births[name]]) < T].copy()
        for column in later:
            if column in rows:
                times = pd.to_datetime(rows[column])
                rows[column] = times.where(times < T)
        out[name] = rows
    return out


def said(frames: dict[str, pd.DataFrame], zone: str) -> list[dict[str, str]]:
    tables = MemoryTables(frames)
    spine = pd.DataFrame({"customer_id": ["a", "b"], "as_of": [T, T]})
    history = read(VIEW, tables)
    return evidence(VIEW, compute(VIEW, spine, history), history, "en", zone)


@settings(max_examples=15 * MORE, deadline=None)
@given(frames=companies(), zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Sao_Paulo"]))
def test_what_a_reason_says_is_true_and_nothing_later_is_said(
    frames: dict[str, pd.DataFrame], zone: str
) -> None:
    found = said(frames, zone)
    at_t = known(frames)
    if all(len(frame) for frame in at_t.values()):
        assert said(at_t, zone) == found
    for customer, concerns in zip(("a", "b"), found, strict=True):
        own = {n: f[f["customer_id"] == customer].to_dict("records") for n, f in at_t.items()}
        _orders(own["orders"], concerns.get("open_orders", ""), zone)
        _tickets(own["tickets"], concerns.get("open_tickets", ""), zone)
        errors = [row for row in own["usage"] if row["errors"] and _local(row["used_at"], zone)]
        recent = [row for row in errors if row["used_at"] >= T - timedelta(days=28)]
        assert ("errors" in concerns) == bool(recent)
        for number, day in re.findall(r"(\d+) errors? on (\d+ \w+)", concerns.get("errors", "")):
            there = [r["errors"] for r in recent if _day(_local(r["used_at"], zone)) == day]
            assert sum(there) == int(number)


def _orders(rows: list[dict[str, Any]], text: str, zone: str) -> None:
    open_rows = {
        row["order_id"]: row
        for row in rows
        if pd.isna(row["delivered_at"]) and pd.isna(row["returned_at"])
    }
    assert bool(text) == bool(open_rows)
    named = re.findall(
        r"Order (\w+) of ([\w ]+?) has not arrived(?:; it (was|is) due ([^.]+))?", text
    )
    assert len(named) == min(3, len(open_rows))
    today = _local(T, zone)
    for name, day, tense, due in named:
        row = open_rows[name]
        assert day == _day(_local(row["ordered_at"], zone))
        if pd.isna(row["promised_at"]):
            assert not tense
            continue
        promised = _local(row["promised_at"], zone)
        late = (today - promised).days
        if late > 0:
            days = "1 day" if late == 1 else f"{late} days"
            assert (tense, due) == ("was", f"on {_day(promised)} ({days} late)")
        else:
            assert (tense, due) == ("is", f"on {_day(promised)}" if late else "today")


def _tickets(rows: list[dict[str, Any]], text: str, zone: str) -> None:
    unresolved = {row["ticket_id"]: row for row in rows if pd.isna(row["resolved_at"])}
    assert bool(text) == bool(unresolved)
    for name, day, what in re.findall(r"Ticket (\w+) of ([\w ]+?) (waits|is not)", text):
        assert day == _day(_local(unresolved[name]["opened_at"], zone))
        assert (what == "waits") == pd.isna(unresolved[name]["first_response_at"])


def _local(moment: Any, zone: str) -> date:
    return pd.Timestamp(moment).tz_localize("UTC").tz_convert(ZoneInfo(zone)).date()


def _day(day: date) -> str:
    return format_date(day, "d MMMM" if day.year == T.year else "d MMMM y", locale="en_GB")
