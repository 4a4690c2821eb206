"""311 requests: channels and topics as written, times in UTC, closings in their own time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import ADAPTERS
from data.adapters.interface import Imported
from data.errors import DataError

CSV = """
case_enquiry_id,open_dt,target_dt,closed_dt,ontime,case_status,closure_reason,case_title,subject,\
reason,type,queue,department,neighborhood,source
101000295613,2011-07-01 01:32:33,2011-07-15 01:32:32,2019-07-01 05:06:58,ONTIME,Closed,done,\
Lights,Public Works Department,Street Lights,Street Light Outages,PWDx_Q,PWDx,Mattapan,\
Employee Generated
101000295614,2011-11-06 01:30:00,,,ONTIME,Open,,Pickup,Public Works Department,Sanitation,\
Schedule a Bulk Item Pickup,PWDx_B,PWDx,Roslindale,Self Service
""".strip()


def read(path: Path, **options: str) -> Imported:
    return ADAPTERS["requests-311"].read(path, options)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "311.csv"
    path.write_text(CSV + "\n")
    return path


def test_requests_become_tickets(csv: Path) -> None:
    imported = read(csv)
    tickets = imported.tables["tickets"]
    assert list(tickets["ticket_id"]) == ["101000295613", "101000295614"]
    assert list(tickets["channel"]) == ["Employee Generated", "Self Service"]
    assert list(tickets["topic"]) == ["Street Light Outages", "Schedule a Bulk Item Pickup"]
    assert tickets["opened_at"][0] == datetime(2011, 7, 1, 5, 32, 33)
    assert tickets["resolved_at"][0] == datetime(2019, 7, 1, 9, 6, 58)
    assert pd.isna(tickets["resolved_at"][1])
    assert tickets["opened_at"][1] == datetime(2011, 11, 6, 5, 30)  # the first of two 01:30
    assert "1 rows lie in the hour that the clock shows twice" in " ".join(imported.notes)
    assert imported.settings["data.complete_to"] == datetime(2011, 11, 6, 4)


@pytest.mark.parametrize(
    ("topic", "first"),
    [
        ("department", "PWDx"),
        ("reason", "Street Lights"),
        ("subject", "Public Works Department"),
    ],
)
def test_topics_by_option(csv: Path, topic: str, first: str) -> None:
    assert read(csv, topic=topic).tables["tickets"]["topic"][0] == first


def test_upper_case_columns_and_american_dates_read_the_same(csv: Path) -> None:
    expected = read(csv).tables["tickets"]
    head, _, rest = csv.read_text().partition("\n")
    for day, clock in [("07/01/2011", "01:32:33 AM"), ("07/01/2019", "05:06:58 AM")]:
        month, date, year = day.split("/")
        rest = rest.replace(f"{year}-{month}-{date} {clock[:8]}", f"{day} {clock}")
    rest = rest.replace("2011-11-06 01:30:00", "11/06/2011 01:30:00 AM")
    csv.write_text(head.upper() + "\n" + rest)
    pd.testing.assert_frame_equal(read(csv).tables["tickets"], expected)


@pytest.mark.parametrize("offset", ["-04:00", "-0400", "Z"])
def test_an_offset_is_applied_once(tmp_path: Path, offset: str) -> None:
    path = tmp_path / "311.csv"
    head = "case_enquiry_id,open_dt,closed_dt,source,type\n"
    path.write_text(
        f"{head}1,2024-07-01T09:00:00{offset},2024-07-01T14:00:00{offset},App,Pothole\n"
    )
    tickets = read(path).tables["tickets"]
    hour = 9 if offset == "Z" else 13
    assert tickets["opened_at"][0] == datetime(2024, 7, 1, hour)
    assert tickets["resolved_at"][0] == datetime(2024, 7, 1, hour + 5)


@pytest.mark.parametrize(
    ("old", "new", "row", "column", "value", "rule"),
    [
        ("101000295614", "101000295613", 1, "case_enquiry_id", "101000295613", "stands again"),
        ("Self Service", "", 2, "source", None, "is empty"),
        ("2011-11-06 01:30:00", "06.11.2011", 2, "open_dt", "06.11.2011", "is not a time"),
        ("2011-11-06 01:30:00", "0001-01-01", 2, "open_dt", "0001-01-01", "is not a time"),
        ("2019-07-01 05:06:58", "soon", 1, "closed_dt", "soon", "is not a time"),
    ],
)
def test_a_bad_request_is_set_aside(
    csv: Path, old: str, new: str, row: int, column: str, value: str | None, rule: str
) -> None:
    third = CSV.splitlines()[2].replace("101000295614", "101000295615").replace("11-06", "11-05")
    csv.write_text(f"{CSV.replace(old, new, 1)}\n{third}\n")
    if column == "closed_dt":  # one of one value: then it is how the column is written
        with pytest.raises(DataError, match=r"column closed_dt: 'soon' .*time_formats say how"):
            read(csv)
        return
    imported = read(csv)
    (row_aside,) = imported.set_aside["tickets"].to_dict("records")
    assert (row_aside["file"], row_aside["row"], row_aside["column"]) == ("311.csv", row, column)
    assert row_aside["value"] == value if value else pd.isna(row_aside["value"])
    assert row_aside["rule"].startswith(rule)
    assert len(imported.tables["tickets"]) == 2


@pytest.mark.parametrize("nothing", ["NULL", "n/a", "-", "NaT", "0000-00-00"])
def test_words_for_no_time_are_no_time(csv: Path, nothing: str) -> None:
    csv.write_text(csv.read_text().replace("2019-07-01 05:06:58", nothing))
    imported = read(csv)
    assert imported.tables["tickets"]["resolved_at"].isna().all()
    assert imported.set_aside["tickets"].empty


def test_a_latin_file_with_semicolons_reads_the_same(csv: Path) -> None:
    expected = read(csv).tables["tickets"].assign(topic=["Caf\xe9", "Caf\xe9"])
    text = csv.read_text().replace("Street Light Outages", "Caf\xe9")
    text = text.replace("Schedule a Bulk Item Pickup", "Caf\xe9").replace(",", ";")
    csv.write_text(text, encoding="cp1252")
    pd.testing.assert_frame_equal(read(csv).tables["tickets"], expected)
