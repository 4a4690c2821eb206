"""What the door accepts is read alike by night (DuckDB) and by day (pandas)."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.check import check
from data.clean import typed
from data.contract import Column, table
from data.engines import duckdb_connection
from data.errors import DataError
from data.plain import surely_kept
from data.posted import _of_types, faults, of_rules
from data.settings import Engine
from data.snapshot import events_source, take
from data.store import append_events, event_frames, open_store, text_frame
from data.tables import normalise
from data.times import read_times
from data.values import as_text
from data.workspace import init

NOW = datetime(2026, 3, 2, 10)
ORDERS = table("orders")
ORDER = {"order_id": "o", "ordered_at": "2026-03-01T08:00:00Z", "customer_id": "a"}

TIMES = st.builds(
    "{:04}-{:02}-{:02}{}{}{}".format,
    st.sampled_from([1, 1899, 1901, 1969, 2026, 2099, 2100, 9999]),
    st.integers(1, 12),
    st.integers(1, 28),
    st.sampled_from(["", "T23:59", "T23:59:59", " 00:00:00", "T24:00:00", "T10:30:00"]),
    st.sampled_from(["", ".5", ".9999999", ".123456789", ".000001", ".1234567890"]),
    st.sampled_from(["", "Z", "+14:00", "-12:00", "+01", "+0130", "+01:00:30", " Z", " -08:00"]),
)
NUMBERS = st.one_of(
    st.floats(allow_nan=True),
    st.integers(),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 2)),
    st.sampled_from([1e18, 10**400, -0.0, 5e-324, 999_999_999_999, True, "5", None, [], {}]),
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.integers(-(10**20), 10**20),
    st.sampled_from(["", " ", "a,b", 'q"x', "\n", "\x00", "x" * 1001, "null", "NaN", "7.0", None]),
)
ROWS = st.fixed_dictionaries(
    {"order_id": TEXTS, "ordered_at": TIMES, "customer_id": TEXTS},
    optional={
        "amount": NUMBERS,
        "quantity": NUMBERS,
        "promised_at": TIMES,
        "delivered_at": TIMES,
        "currency": TEXTS,
        "deleted": st.sampled_from([True, False, None, "yes"]),
    },
)


@settings(max_examples=150 if os.environ.get("PRESAGE_FULL") == "1" else 40, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_an_accepted_row_is_read_alike_by_night_and_by_day(rows: list[dict[str, Any]]) -> None:
    accepted = [ORDER, *(r for r in rows if not faults({"orders": [r]}, now=NOW))]
    frame = text_frame(ORDERS, accepted)
    by_day = normalise("orders", frame)
    con = duckdb_connection(Engine(threads=1), [])
    source = events_source(con, "orders", frame)
    by_night = source.relation.project(typed(source, ORDERS, (), 0)).df()
    for column in ORDERS.names:
        if column in ("recorded_at", "deleted"):  # defaults are filled elsewhere by night
            continue
        day = by_day[column].astype(object).where(by_day[column].notna(), None).tolist()
        night = by_night[column].astype(object).where(by_night[column].notna(), None).tolist()
        assert day == night, column
    con.close()


COLUMN_VALUES = {
    "string": st.one_of(
        TEXTS,
        st.sampled_from(["email", "1.2E+15", "7e3", "123", "a-b", "Europe/Oslo", "survey", "N/A"]),
    ),
    "timestamp": TIMES,
    "float": NUMBERS,
    "integer": st.integers(-5, 10),
    "bool": st.booleans(),
    "strings": st.lists(st.sampled_from(["email", " ", "", "a b"]), max_size=3),
}
USUAL = {
    "string": st.sampled_from(["a", "T-12", "00017", "email", "Å b", "survey", "Europe/Oslo"]),
    "timestamp": st.sampled_from(["2026-03-01", "2026-03-02T10:00:00Z", "1901-01-01T00:00:00+01"]),
    "float": st.sampled_from([0, 1, 0.5, 4]),
}
POSTED = ("orders", "tickets", "feedback", "calendar", "agents", "customers", "usage", "treatments")


@st.composite
def rows_of_tables(draw: Any) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(POSTED))
    columns = [c for c in table(name).columns if c.name != "recorded_at"]
    wanted = [c for c in columns if c.required or draw(st.integers(0, 3)) == 0]
    odd = {c.name for c in wanted if draw(st.integers(0, 9)) == 0}
    strange = {c.name: COLUMN_VALUES[c.dtype] for c in wanted}
    usual = {c.name: USUAL.get(c.dtype, strange[c.name]) for c in wanted}
    return name, {n: draw(strange[n] if n in odd else usual[n]) for n in usual}


@settings(max_examples=400 if os.environ.get("PRESAGE_FULL") == "1" else 60, deadline=None)
@given(rows_of_tables())
def test_what_is_kept_for_sure_breaks_no_rule(posted: tuple[str, dict[str, Any]]) -> None:
    name, row = posted
    types_only = list(_of_types(table(name), [row], (), ()))
    if not types_only and surely_kept(table(name), row, NOW):
        assert of_rules(table(name), [row], NOW) == []


def test_usual_rows_are_kept_for_sure() -> None:
    ticket = {"ticket_id": "T-12", "opened_at": "2026-03-02T09:59:00Z", "channel": "e-mail",
              "customer_id": "00017", "text": "Où est-il ? ", "csat": 4}  # fmt: skip
    assert surely_kept(table("tickets"), ticket, NOW)
    for column, value in (
        ("csat", 6), ("customer_id", "1.2E+15"), ("channel", "NULL"), ("ticket_id", "ticket_id"),
    ):  # fmt: skip
        assert not surely_kept(table("tickets"), {**ticket, column: value}, NOW)
        assert of_rules(table("tickets"), [{**ticket, column: value}], NOW)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount", 1e18),
        ("amount", 10**400),
        ("promised_at", "9999-12-31T23:59:59.9999999Z"),
        ("promised_at", "2026-03-01T10:00:00+01:00:30"),
        ("promised_at", "1850-01-01"),
        ("promised_at", "2026-W10-1"),
        ("carrier", "x" * 1001),
        ("carrier", "a\0b"),
        ("carrier", [[[[]]]]),
    ],
)
def test_what_no_room_could_read_is_refused_at_the_door(column: str, value: Any) -> None:
    (fault,) = faults({"orders": [{**ORDER, column: value}]}, now=NOW)
    assert (fault.column, fault.row) == (column, 1)
    assert "send" in fault.message


def test_fractions_are_floored_to_microseconds() -> None:
    times = Column("at", "timestamp")
    assert as_text(times, "2026-03-01T10:00:00.9999999Z").startswith("2026-03-01T10:00:00.999999+")


def test_an_event_that_was_accepted_once_is_set_aside_alone(tmp_path: Path) -> None:
    """As versions before this one kept them."""
    workspace = init(tmp_path / "company")
    with open_store(workspace) as store:
        append_events(store, {"orders": [ORDER]}, NOW)
        for name, broken in (("b1", {"amount": 1e18}), ("b2", {"promised_at": "9999-12-31T24:00"})):
            append_events(store, {"orders": [{**ORDER, "order_id": name, **broken}]}, NOW)
        assert event_frames(store)["orders"]["order_id"].tolist() == ["o"]
    snapshot = take(workspace, now=NOW)
    assert snapshot.frame("orders", ["order_id"])["order_id"].tolist() == ["o"]
    told = [v for v in check(workspace, now=NOW).violations if v.rule == "set aside"]
    assert [(v.table, v.column) for v in told] == [("orders", "amount"), ("orders", "promised_at")]
    assert "1e+18" in str(told[0])
    with open_store(workspace) as store:  # posted right, it takes its place
        append_events(store, {"orders": [{**ORDER, "order_id": "b1", "amount": 5}]}, NOW)
    assert sorted(take(workspace, now=NOW).frame("orders", ["order_id"])["order_id"]) == ["b1", "o"]
    told = [v for v in check(workspace, now=NOW).violations if v.rule == "set aside"]
    assert [v.column for v in told] == ["promised_at"]


def test_a_file_with_implausible_values_loses_those_rows_by_name(tmp_path: Path) -> None:
    workspace = init(tmp_path / "company")
    lines = ["order_id,ordered_at,customer_id,amount,delivered_at", "1,2026-01-01,a,5,"]
    lines += ["2,2026-01-01,a,1e18,", "3,2026-01-01,a,5,9999-12-31", "4,0200-01-01 BC,a,5,"]
    (workspace.tables_dir / "orders.csv").write_text("\n".join(lines) + "\n")
    found = {v.row: (v.column, v.rule) for v in check(workspace, now=NOW).errors}
    assert found[2] == ("amount", "size")
    assert found[3] == ("delivered_at", "year")
    assert found[4][0] == "ordered_at"
    assert take(workspace, now=NOW).frame("orders", ["order_id"])["order_id"].tolist() == ["1"]


def test_a_file_without_one_good_row_is_refused(tmp_path: Path) -> None:
    workspace = init(tmp_path / "company")
    text = "order_id,ordered_at,customer_id\n1,9999-12-31,a\n"
    (workspace.tables_dir / "orders.csv").write_text(text)
    with pytest.raises(DataError, match="leave empty what has not happened"):
        take(workspace, now=NOW)


@pytest.mark.parametrize(
    "value",
    [
        "2025-07-01T10:00:00[Europe/London]",
        "2025-10-26 02:30 Europe/Oslo",
        "2025-07-01T10:00:00+02:00[Europe/Oslo]",
        "2025-07-01 10:00:00 GMT+1",
        "2025-07-01 10:00:00 UTC-05:30",
        "2025-07-01 10:00:00 Etc/GMT+1",
        "2025-03-30 02:30 Europe/Oslo",  # never was
        "2025-07-01 10:00 Europe/Nowhere",
        "2025-07-01 10:00 BST",
    ],
)
def test_a_zone_by_name_means_the_same_to_posts_and_files(value: str) -> None:
    times = Column("at", "timestamp")
    (moment,) = read_times(pd.Series([value]))
    if pd.isna(moment):
        with pytest.raises(ValueError, match="a time such as"):
            as_text(times, value)
    else:
        assert as_text(times, value) == moment.isoformat(timespec="microseconds") + "+00:00"
