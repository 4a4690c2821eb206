"""The real exports: every row is in a table or in a note, and nothing shows before its time.

The strongest check of time needs no knowledge of the adapters: cut the publisher's file at T,
blank what it states about later, import it; what the whole file's import shows as of T must be
the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import ADAPTERS, run_import
from data.adapters.interface import Imported
from data.tables import MemoryTables
from features.asof import as_of_view

from .conftest import EVERY

RealData = Callable[[str], Path]
Cut = Callable[[pd.DataFrame, pd.Timestamp], pd.DataFrame]


def count_in(notes: tuple[str, ...], pattern: str) -> int:
    """The number that a note gives at the group of ``pattern``; 0 if no note matches."""
    found = [re.search(pattern, note) for note in notes]
    return sum(int(match[1].replace(",", "")) for match in found if match)


def as_of(imported: Imported, moment: datetime) -> dict[str, pd.DataFrame]:
    tables = MemoryTables(imported.tables)
    return {name: as_of_view(tables, name, moment) for name in imported.tables}  # type: ignore[arg-type]


def sorted_by_key(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(list(frame.columns[:2]), kind="stable", ignore_index=True)


# The files' clocks: (adapter, folder, file, zone, how to cut it at a local moment, local moments)


def cut_retail(frame: pd.DataFrame, local: pd.Timestamp) -> pd.DataFrame:
    return frame[frame["InvoiceDate"] < local]


def cut_incidents(frame: pd.DataFrame, local: pd.Timestamp) -> pd.DataFrame:
    """Outcomes, which the publisher wrote on every row, are blanked where they are later."""
    kept = frame[frame["sys_updated_at"] <= local]
    return kept.assign(
        resolved_at=kept["resolved_at"].where(kept["resolved_at"] < local),
        closed_at=kept["closed_at"].where(kept["closed_at"] < local),
        closed_code=kept["closed_code"].where(kept["closed_at"] < local),
        made_sla=kept["made_sla"].where(kept["closed_at"] < local, True),
    )


def cut_requests(frame: pd.DataFrame, local: pd.Timestamp) -> pd.DataFrame:
    kept = frame[frame["open_dt"] < local]
    return kept.assign(closed_dt=kept["closed_dt"].where(kept["closed_dt"] < local))


def cut_calls(frame: pd.DataFrame, local: pd.Timestamp) -> pd.DataFrame:
    return frame[frame["arrival"] < local]


def cut_volumes(frame: pd.DataFrame, local: pd.Timestamp) -> pd.DataFrame:
    return frame[frame["ds"] < local]


CASES = [
    pytest.param(
        *("online-retail", "online_retail", "online_retail_ii", "Europe/London", cut_retail),
        ["2010-07-15 12:00", "2011-04-04 09:30"],
        id="online-retail",
    ),
    pytest.param(
        *("incidents", "incidents", "incident_event_log", "UTC", cut_incidents),
        ["2016-03-07 10:17", "2016-04-11 15:00", "2016-05-31", "2016-11-01"],
        id="incidents",
    ),
    pytest.param(
        *("requests-311", "requests_311", "boston_2011H2", "America/New_York", cut_requests),
        ["2011-08-28 13:00", "2011-11-20", "2011-12-31 22:00"],
        id="requests-311",
    ),
    pytest.param(
        *("calls", "bank_calls", "call_log_february_1999", "Asia/Jerusalem", cut_calls),
        ["1999-02-03 04:00", "1999-02-20 03:00"],
        id="call log",
    ),
    pytest.param(
        *("calls", "bank_calls", "technion_1999_hourly", "Asia/Jerusalem", cut_volumes),
        ["1999-03-01 12:00", "1999-07-01"],
        id="technion",
    ),
    pytest.param(
        *("calls", "bank_calls", "north_american_bank_5min", "America/New_York", cut_volumes),
        ["2003-04-04", "2003-07-01 12:00"],
        id="north american bank",
    ),
]


@pytest.mark.parametrize(("name", "folder", "file", "zone", "cut", "moments"), CASES)
def test_a_file_cut_at_t_reads_as_the_whole_file_does_as_of_t(
    real_data: RealData,
    tmp_path: Path,
    name: str,
    folder: str,
    file: str,
    zone: str,
    cut: Cut,
    moments: list[str],
) -> None:
    published = pd.read_parquet(real_data(folder) / f"{file}.parquet")
    if name == "online-retail":  # a million lines: of every so manyth customer, and of nobody
        published = published[~(published["CustomerID"] % EVERY[name] > 0)]
    path = tmp_path / "whole" / f"{file}.parquet"
    path.parent.mkdir()
    published.to_parquet(path)
    whole = ADAPTERS[name].read(path)
    for moment in moments:
        local = pd.Timestamp(moment)
        utc = local.tz_localize(zone).tz_convert("UTC").tz_localize(None).to_pydatetime()
        cut_path = tmp_path / f"{file}.parquet"
        cut(published, local).to_parquet(cut_path)
        before = as_of(ADAPTERS[name].read(cut_path), utc)
        for table, expected in as_of(whole, utc).items():
            assert len(expected) > 0, f"{table} as of {moment} shows nothing to compare"
            pd.testing.assert_frame_equal(
                sorted_by_key(before[table]), sorted_by_key(expected), obj=f"{table} as of {moment}"
            )


def test_online_retail_accounts_for_every_line(real_data: RealData) -> None:
    path = real_data("online_retail") / "online_retail_ii.parquet"
    lines = pd.read_parquet(path)
    imported = ADAPTERS["online-retail"].read(path)
    items, orders = imported.tables["order_items"], imported.tables["orders"]
    without_customer = count_in(imported.notes, r"baskets \(([\d,]+) lines\) without a customer")
    of_cancellations = count_in(imported.notes, r"([\d,]+) lines of cancellations became")
    assert len(items) + without_customer + of_cancellations == len(lines)
    sold = lines[~lines["is_cancel"] & lines["CustomerID"].notna()]
    assert orders["amount"].sum() == pytest.approx((sold["Quantity"] * sold["UnitPrice"]).sum())
    assert set(items["order_id"]) == set(orders["order_id"])
    cancelled = lines.loc[lines["is_cancel"], "basket_key"]
    assert set(imported.tables["tickets"]["ticket_id"]) == set(cancelled)
    assert set(imported.tables["customers"]["customer_id"]) == {
        f"{number:.0f}" for number in lines["CustomerID"].dropna()
    }


def test_incidents_account_for_every_update_and_hold_no_outcome_early(real_data: RealData) -> None:
    path = real_data("incidents") / "incident_event_log.parquet"
    log = pd.read_parquet(path)
    imported = ADAPTERS["incidents"].read(path)
    tickets = imported.tables["tickets"]
    overtaken = count_in(imported.notes, r"([\d,]+) were overtaken within the same minute")
    assert len(tickets) + overtaken == len(log)
    assert set(tickets["ticket_id"]) == set(log["number"].astype(str))
    assert set(imported.tables["customers"]["customer_id"]) == {
        f"{number:.0f}" for number in log["caller_id"].dropna()
    }
    assert not (tickets["resolved_at"] > tickets["recorded_at"]).any()
    assert not (tickets["reopened_at"] > tickets["recorded_at"]).any()
    assert imported.settings["data.complete_to"] == datetime(2016, 6, 1)
    # the last version knows what the log ends with
    last = tickets.drop_duplicates("ticket_id", keep="last").set_index("ticket_id")
    stated = log.groupby(log["number"].astype(str))["resolved_at"].last()
    closed = log.groupby(log["number"].astype(str))["ident_state"].last() == "Closed"
    known = closed & stated.notna()
    assert (last.loc[known[known].index, "resolved_at"] == stated[known]).all()


def test_requests_account_for_every_row(real_data: RealData) -> None:
    path = real_data("requests_311") / "boston_2011H2.parquet"
    requests = pd.read_parquet(path)
    imported = ADAPTERS["requests-311"].read(path)
    tickets = imported.tables["tickets"]
    assert len(tickets) == len(requests)
    assert tickets["channel"].value_counts().to_dict() == (
        requests["source"].value_counts().to_dict()
    )
    assert tickets["resolved_at"].notna().sum() == requests["closed_dt"].notna().sum()
    assert imported.settings["data.complete_to"] == datetime(2012, 1, 1, 5)


def test_the_call_log_accounts_for_every_call(real_data: RealData) -> None:
    imported = ADAPTERS["calls"].read(real_data("bank_calls"), {"which": "call_log_february_1999"})
    calls = pd.read_parquet(real_data("bank_calls") / "call_log_february_1999.parquet")
    now = as_of(imported, datetime(1999, 4, 1))["tickets"]
    assert len(now) == len(calls)
    served = calls[(calls["outcome"] == "AGENT") & (calls["ser_start"] != "0:00:00")]
    assert now["first_response_at"].notna().sum() == len(served)
    assert now["handle_seconds"].sum() == served["ser_time"].sum()
    assert not (now["resolved_at"] < now["opened_at"]).any()
    assert now["is_machine"].sum() == (calls["outcome"] == "PHANTOM").sum()
    assert now["customer_id"].isna().sum() == (calls["customer_id"] == "0").sum()


@pytest.mark.parametrize(
    "file", ["technion_1999_6min", "technion_1999_hourly", "north_american_bank_5min"]
)
def test_counts_keep_their_sum(real_data: RealData, file: str) -> None:
    path = real_data("bank_calls") / f"{file}.parquet"
    volumes = ADAPTERS["calls"].read(path).tables["volumes"]
    published = pd.read_parquet(path)
    assert volumes["y"].sum() == published["y"].sum()
    assert not volumes.duplicated(["unique_id", "ds"]).any()


def test_importing_the_real_log_twice_changes_no_row(real_data: RealData, tmp_path: Path) -> None:
    first = run_import("incidents", real_data("incidents"), tmp_path)
    held = pd.read_parquet(tmp_path / "tables" / "tickets.parquet")
    again = run_import("incidents", real_data("incidents"), tmp_path)
    assert again.total_rows == first.total_rows
    after = pd.read_parquet(tmp_path / "tables" / "tickets.parquet")
    pd.testing.assert_frame_equal(after, held)
