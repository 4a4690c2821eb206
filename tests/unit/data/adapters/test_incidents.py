"""Incidents: the log's updates become versions, and outcomes stay out of the early ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import ADAPTERS
from data.adapters.interface import Imported
from data.errors import UsageError
from data.tables import MemoryTables
from features.asof import as_of_view

HEADER = (
    "number,incident_state,active,reassignment_count,reopen_count,sys_mod_count,made_sla,caller_id,"
    "opened_by,opened_at,sys_created_by,sys_created_at,sys_updated_by,sys_updated_at,contact_type,"
    "location,category,subcategory,u_symptom,cmdb_ci,impact,urgency,priority,assignment_group,"
    "assigned_to,knowledge,u_priority_confirmation,notify,problem_id,rfc,vendor,caused_by,"
    "closed_code,resolved_by,resolved_at,closed_at"
)
COLUMNS = HEADER.split(",")

SAME = {
    "number": "INC0000045",
    "reopen_count": "0",
    "caller_id": "Caller 2403",
    "opened_at": "29/2/2016 01:16",
    "contact_type": "Phone",
    "location": "Location 143",
    "category": "Category 55",
    "subcategory": "Subcategory 170",
    "priority": "3 - Moderate",
    "resolved_at": "5/3/2016 11:29",
    "closed_at": "10/3/2016 12:00",
    "closed_code": "code 5",
    "made_sla": "true",
}
UPDATES = [
    {"incident_state": "New", "sys_updated_at": "29/2/2016 01:23"},
    {
        "incident_state": "Active",
        "sys_updated_at": "29/2/2016 08:53",
        "assigned_to": "Resolver 7",
        "category": "Category 9",
    },
    {"incident_state": "Resolved", "sys_updated_at": "1/3/2016 10:00", "assigned_to": "Resolver 7"},
    {"incident_state": "Active", "sys_updated_at": "2/3/2016 09:00", "reopen_count": "1"},
    {"incident_state": "Active", "sys_updated_at": "2/3/2016 09:00", "reopen_count": "1"},
    {"incident_state": "Resolved", "sys_updated_at": "5/3/2016 11:29", "reopen_count": "1"},
    {"incident_state": "Closed", "sys_updated_at": "10/3/2016 12:00", "reopen_count": "1"},
]
OTHER = SAME | {
    "number": "INC0000099",
    "opened_at": "12/3/2016 10:00",
    "sys_updated_at": "12/3/2016 10:05",
    "incident_state": "New",
    "caller_id": "?",
    "resolved_at": "?",
    "location": "?",
}


def log(rows: list[dict[str, str]]) -> pd.DataFrame:
    return pd.DataFrame([{c: row.get(c, "?") for c in COLUMNS} for row in rows])


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "incident_event_log.csv"
    log([*(SAME | update for update in UPDATES), OTHER]).to_csv(path, index=False)
    return path


def read(path: Path, **options: str) -> Imported:
    return ADAPTERS["incidents"].read(path, options)


def as_of(imported: Imported, *moment: int) -> pd.DataFrame:
    return as_of_view(MemoryTables(imported.tables), "tickets", datetime(*moment)).set_index(  # type: ignore[arg-type]
        "ticket_id"
    )


def test_a_ticket_reads_as_it_stood(csv: Path) -> None:
    imported = read(csv)
    assert as_of(imported, 2016, 2, 29, 1, 20).empty  # opened, but not yet written down
    first = as_of(imported, 2016, 2, 29, 8).loc["INC0000045"]
    assert (first["topic"], first["customer_id"]) == ("Category 55", "Caller 2403")
    assert pd.isna(first["agent_id"])
    later = as_of(imported, 2016, 2, 29, 9).loc["INC0000045"]
    assert (later["topic"], later["agent_id"]) == ("Category 9", "Resolver 7")


def test_the_outcome_is_not_on_early_versions(csv: Path) -> None:
    tickets = read(csv).tables["tickets"]
    assert not (tickets["resolved_at"] > tickets["recorded_at"]).any()
    assert not {"closed_code", "made_sla", "closed_at"} & set(tickets.columns)


def test_a_reopened_ticket_was_resolved_then_open_then_resolved(csv: Path) -> None:
    imported = read(csv)
    seen = [
        as_of(imported, 2016, 3, day, hour).loc["INC0000045"]
        for day, hour in [(1, 9), (1, 11), (2, 10), (5, 12)]
    ]
    assert [s["resolved_at"] for s in seen] == [
        pd.NaT,
        pd.Timestamp(2016, 3, 1, 10),
        pd.NaT,
        pd.Timestamp(2016, 3, 5, 11, 29),
    ]
    assert [s["reopened_at"] for s in seen] == [pd.NaT, pd.NaT, *[pd.Timestamp(2016, 3, 2, 9)] * 2]


def test_updates_of_one_minute_are_one_version_and_counted(csv: Path) -> None:
    imported = read(csv)
    assert len(imported.tables["tickets"]) == len(UPDATES)  # 7 - 1 tie, and the other ticket
    assert "1 were overtaken within the same minute" in imported.notes[0]


def test_unknown_is_null_and_an_unknown_caller_anonymous(csv: Path) -> None:
    imported = read(csv)
    other = imported.tables["tickets"].set_index("ticket_id").loc["INC0000099"]
    assert pd.isna(other["customer_id"])
    assert pd.isna(other["agent_id"])
    assert list(imported.tables["customers"]["customer_id"]) == ["Caller 2403"]
    assert any("1 tickets without a caller" in note for note in imported.notes)


def test_settings_say_what_a_complaint_is_and_where_the_log_ends(csv: Path) -> None:
    settings = read(csv).settings
    assert settings["complaint.all"] is True
    assert settings["data.complete_to"] == datetime(2016, 3, 12)
    long_tail = [
        SAME | {"number": f"INC{n}", "opened_at": opened, "sys_updated_at": opened}
        for n, opened in enumerate(["20/5/2016 10:00", "3/1/2017 10:00"])
    ]
    log(long_tail).to_csv(csv, index=False)
    imported = read(csv)
    assert imported.settings["data.complete_to"] == datetime(2016, 6, 1)
    assert len(imported.tables["tickets"]) == 2
    assert any("1 tickets opened after 2016-06-01 are kept" in note for note in imported.notes)


def test_topic_can_be_the_subcategory(csv: Path) -> None:
    assert set(read(csv, topic="subcategory").tables["tickets"]["topic"]) == {"Subcategory 170"}
    with pytest.raises(UsageError, match='Did you mean "subcategory"'):
        read(csv, topic="subcategry")


def test_parsed_dates_and_numbers_read_alike(csv: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(csv, na_values="?").rename(
        columns={"incident_state": "ident_state", "subcategory": "category.1"}
    )
    for column in ("opened_at", "sys_updated_at", "resolved_at"):
        frame[column] = pd.to_datetime(frame[column], dayfirst=True, format="mixed")
    frame["caller_id"] = frame["caller_id"].str.removeprefix("Caller ").astype(float)
    frame.to_parquet(tmp_path / "log.parquet")
    copy, published = read(tmp_path / "log.parquet"), read(csv)
    assert set(copy.tables["customers"]["customer_id"]) == {"2403"}
    for column in ("opened_at", "recorded_at", "resolved_at", "reopened_at", "topic"):
        pd.testing.assert_series_equal(
            copy.tables["tickets"][column], published.tables["tickets"][column]
        )


def test_a_month_first_date_is_refused_by_row(csv: Path) -> None:
    csv.write_text(csv.read_text().replace("29/2/2016 08:53", "2/29/2016 08:53"))
    (row_aside,) = read(csv).set_aside["tickets"].to_dict("records")
    assert (row_aside["row"], row_aside["column"], row_aside["value"]) == (
        2,
        "sys_updated_at",
        "2/29/2016 08:53",
    )
