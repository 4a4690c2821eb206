"""Any frame in the one form: types, births, refusals; the tables in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.errors import DataError
from data.tables import MemoryTables, birth_times, empty, normalise

FORM = {
    "string": "str",
    "timestamp": "datetime64[us]",
    "float": "float64",
    "integer": "Int64",
    "bool": "boolean",
    "strings": "object",
}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_every_column_in_its_type_also_when_empty(name: str) -> None:
    frame = empty(name)
    assert list(frame.columns) == [*TABLES[name].names, "_row"]
    for column in TABLES[name].columns:
        assert frame[column.name].dtype == FORM[column.dtype], column.name
    assert frame["_row"].dtype == "int64"


def order(**values: Any) -> pd.DataFrame:
    row = {"order_id": "1", "ordered_at": "2026-01-01", "customer_id": "c", **values}
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T00:00:00+02:00", "2026-01-01 22:00"),
        (pd.Timestamp("2026-01-02", tz="Asia/Kolkata"), "2026-01-01 18:30"),
        (pd.Timestamp("2026-01-02 00:00:00.123456999"), "2026-01-02 00:00:00.123456"),
        (pd.Timestamp("2026-01-02").date(), "2026-01-02"),
        (np.datetime64("2026-01-02T00:00:00", "s"), "2026-01-02"),
        (None, None),
        ("", None),
    ],
)
def test_times_become_naive_utc_floored_to_microseconds(value: Any, read: str | None) -> None:
    found = normalise("orders", order(delivered_at=value))["delivered_at"].iloc[0]
    assert found is pd.NaT if read is None else found == pd.Timestamp(read)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("ordered_at", "soon", "orders row 1, column ordered_at: 'soon' is not a time"),
        ("ordered_at", 20260101, "column ordered_at: .*20260101.* is not a time"),
        ("amount", "much", "orders row 1, column amount: 'much' is not a number"),
        ("deleted", "perhaps", "column deleted: 'perhaps' is not true or false"),
        ("deleted", 2, "column deleted: .*2.* is not true or false"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(column: str, value: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        normalise("orders", order(**{column: value}))


def test_a_missing_column_and_an_unknown_table_are_named() -> None:
    with pytest.raises(DataError, match=r"'customer_id' is missing\. Did you mean \"customerid\""):
        normalise("orders", order().rename(columns={"customer_id": "customerid"}))
    with pytest.raises(DataError, match='Did you mean "orders"'):
        MemoryTables({"order": order()})


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("freq", ["h", "D", "W-MON", "MS", "ME", "QS"])
def test_a_step_ends_where_the_next_one_begins_in_local_time(zone: str, freq: str) -> None:
    local = pd.date_range("2023-02-01", "2025-02-10", freq=freq, tz=zone)
    ds = pd.Series(local.tz_convert("UTC").tz_localize(None)).astype("datetime64[us]")
    rows = pd.DataFrame({"unique_id": "a", "ds": ds})
    born = birth_times("volumes", rows, zone)
    assert born.tolist()[:-1] == ds.tolist()[1:]
    assert born.iloc[-1] > ds.iloc[-1]


def test_dates_end_a_day_later_wherever_the_company_is() -> None:
    ds = pd.Series(pd.date_range("2024-03-01", "2024-04-10")).astype("datetime64[us]")
    born = birth_times("volumes", pd.DataFrame({"unique_id": "a", "ds": ds}), "Europe/Oslo")
    assert (born - ds).unique().tolist() == [pd.Timedelta(days=1)]


def test_normalising_twice_changes_nothing() -> None:
    frames = {
        "orders": order(amount="3", deleted="no", recorded_at="2026-01-02"),
        "agents": pd.DataFrame({"agent_id": [1], "hired_at": ["2026-01-01"], "skills": ["a, b"]}),
        "volumes": pd.DataFrame({"unique_id": ["a"], "ds": ["2026-01-01"], "y": [1]}),
    }
    for name, frame in frames.items():
        once = normalise(name, frame)
        pd.testing.assert_frame_equal(normalise(name, once), once)


def test_the_input_is_not_touched_and_nor_is_what_was_handed_out() -> None:
    frame = order()
    kept = frame.copy()
    tables = MemoryTables({"orders": frame})
    tables.frame("orders")["customer_id"] = "other"
    assert tables.frame("orders")["customer_id"].tolist() == ["c"]
    pd.testing.assert_frame_equal(frame, kept)


def test_the_fingerprint_follows_the_content() -> None:
    one = MemoryTables({"orders": order()}).fingerprint
    assert MemoryTables({"orders": order()}).fingerprint == one
    assert MemoryTables({"orders": order(amount=1)}).fingerprint != one


def test_absent_and_empty_tables_are_the_same() -> None:
    tables = MemoryTables({"orders": order(), "tickets": empty("tickets")})
    assert tables.names == ("orders",)
    assert not tables.has("tickets")
    assert tables.frame("tickets").empty
    assert tables.frame("usage", ["feature"]).columns.tolist() == ["feature"]
    assert tables.file("orders") is None
