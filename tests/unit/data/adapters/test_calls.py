"""Calls: logs and counts, local clocks and their two odd nights."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import ADAPTERS
from data.adapters.interface import Imported
from data.errors import DataError, UsageError
from data.tables import MemoryTables
from features.asof import as_of_view

LOG = """
vru+line call_id customer_id priority type date vru_entry vru_exit vru_time q_start q_exit q_time \
outcome ser_start ser_exit ser_time server
AA0101 34536 0 0 PS 990201 7:02:47 7:02:56 9 0:00:00 0:00:00 0 AGENT 7:02:55 7:05:41 166 DORIT
AA0101 34536 23317894 2 PS 990202 8:09:16 8:09:22 6 8:09:22 8:09:27 5 HANG 0:00:00 0:00:00 0 \
NO_SERVER
AA0102 31307 0 0 PS 990220 23:59:32 23:59:44 12 0:00:00 0:00:00 0 AGENT 23:59:43 0:01:28 105 DARMON
AA0102 31308 24442634 2 NW 990221 13:13:33 13:13:42 9 13:13:42 13:14:12 30 PHANTOM 13:13:40 \
13:14:18 38 NO_SERVER
""".strip()


def read(path: Path, **options: str) -> Imported:
    return ADAPTERS["calls"].read(path, options)


@pytest.fixture
def month(tmp_path: Path) -> Path:
    path = tmp_path / "february.txt"
    path.write_text("\n".join("\t".join(line.split(" ")) for line in LOG.splitlines()) + "\n")
    return path


def counts(path: Path, start: str, end: str, freq: str, name: str = "technion_1999") -> Path:
    ds = pd.date_range(start, end, freq=freq)
    pd.DataFrame({"unique_id": name, "ds": ds, "y": 1.0}).to_csv(path, index=False)
    return path


def test_a_call_log_becomes_tickets(month: Path) -> None:
    imported = read(month)
    tables = MemoryTables(imported.tables)
    tickets = as_of_view(tables, "tickets", datetime(1999, 3, 1)).set_index("ticket_id")
    assert len(tickets) == 4  # call_id repeats, tickets do not
    first = tickets.loc["AA0101-34536-19990201-070247"]
    assert first["opened_at"] == datetime(1999, 2, 1, 5, 2, 47)  # two hours behind Israel
    assert first["first_response_at"] == datetime(1999, 2, 1, 5, 2, 55)
    assert (first["handle_seconds"], first["agent_id"]) == (166, "DORIT")
    assert pd.isna(first["customer_id"])
    left = tickets.loc["AA0101-34536-19990202-080916"]
    assert left["customer_id"] == "23317894"
    assert pd.isna(left["first_response_at"])
    assert pd.isna(left["resolved_at"])
    assert list(tickets["is_machine"].fillna(False)) == [False, False, False, True]


def test_a_call_over_midnight_ends_the_next_day(month: Path) -> None:
    tickets = read(month).tables["tickets"].set_index("ticket_id")
    ends = tickets.loc["AA0102-31307-19990220-235932", "resolved_at"]
    assert set(pd.Series(ends)) == {pd.Timestamp(1999, 2, 20, 22, 1, 28)}


def test_who_answers_is_not_known_when_the_phone_rings(month: Path) -> None:
    tables = MemoryTables(read(month).tables)
    rings = as_of_view(tables, "tickets", datetime(1999, 2, 1, 5, 2, 50))
    assert rings["agent_id"].isna().all()
    assert rings["handle_seconds"].isna().all()
    talks = as_of_view(tables, "tickets", datetime(1999, 2, 1, 5, 3))
    assert list(talks["agent_id"]) == ["DORIT"]
    assert talks["handle_seconds"].isna().all()


def test_losses_of_a_log_are_counted(month: Path) -> None:
    notes = " ".join(read(month).notes)
    assert "1 calls were abandoned" in notes
    assert "1 phantom calls are marked is_machine" in notes
    assert "2 calls of unknown customers are anonymous" in notes


@pytest.mark.parametrize(
    ("old", "new", "row", "column", "value", "rule"),
    [
        ("7:05:41", "7:65:41", 1, "ser_exit", "7:65:41", "is not a time of day like 9:05:00"),
        ("HANG", "HUNG", 2, "outcome", "HUNG", "is none of AGENT, HANG, PHANTOM"),
    ],
)
def test_a_call_with_a_bad_cell_is_set_aside(
    month: Path, old: str, new: str, row: int, column: str, value: str, rule: str
) -> None:
    before = read(month).tables["tickets"]
    month.write_text(month.read_text().replace(old, new, 1))
    imported = read(month)
    (row_aside,) = imported.set_aside["tickets"].to_dict("records")
    assert (row_aside["row"], row_aside["column"], row_aside["value"], row_aside["rule"]) == (
        row,
        column,
        value,
        rule,
    )
    left = set(before["ticket_id"]) - set(imported.tables["tickets"]["ticket_id"])
    assert len(left) == 1


def test_a_column_in_another_form_is_refused(month: Path) -> None:
    month.write_text(month.read_text().replace("AGENT", "A").replace("HANG", "H"))
    with pytest.raises(DataError, match=r"row 1, column outcome: 'A' is none of AGENT.*of 4 rows"):
        read(month)


def test_counts_of_the_repeated_and_the_skipped_hour(tmp_path: Path) -> None:
    spring = read(counts(tmp_path / "a.csv", "1999-04-01", "1999-04-03 23:00", "h"))
    volumes = spring.tables["volumes"]
    assert volumes["y"].sum() == 72  # nothing is lost in the night without 02:00
    assert len(volumes) == 71
    assert "1 rows (1 calls) stand in an hour that the clock skipped" in " ".join(spring.notes)
    autumn = read(counts(tmp_path / "b.csv", "1999-09-02", "1999-09-04 23:00", "h"))
    ds = autumn.tables["volumes"]["ds"]
    assert sorted(set(ds.diff().dropna())) == [pd.Timedelta(hours=1), pd.Timedelta(hours=2)]
    assert "the second is a gap" in " ".join(autumn.notes)


@pytest.mark.parametrize(
    ("offset", "zone", "first"),
    [
        ("+05:30", "Asia/Kolkata", datetime(2024, 5, 5, 18, 30)),
        ("-0400", "America/New_York", datetime(2024, 5, 6, 4)),
        ("+00", "Asia/Kolkata", datetime(2024, 5, 6)),
    ],
)
def test_an_offset_is_applied_once(tmp_path: Path, offset: str, zone: str, first: datetime) -> None:
    rows = [f"ivr,2024-05-06 {hour:02}:00:00{offset},3" for hour in range(24)]
    path = tmp_path / "counts.csv"
    path.write_text("unique_id,ds,y\n" + "\n".join(rows) + "\n")
    volumes = read(path, time_zone=zone, country="NO").tables["volumes"]
    assert volumes["ds"].min() == first
    assert volumes["y"].sum() == 72


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Europe/Oslo", "2024-10-27", 25), ("America/New_York", "2024-11-03", 25),
     ("Australia/Lord_Howe", "2024-04-07", 24.5)],
)  # fmt: skip
def test_an_hour_that_stands_twice_is_two_hours(
    tmp_path: Path, zone: str, day: str, hours: float
) -> None:
    """As switches write the day that the clock is put back: nothing is lost or refused."""
    begin = pd.Timestamp(day, tz=zone)
    step = pd.Timedelta("1h") if hours == 25 else pd.Timedelta("30min")
    clock = pd.date_range(begin, periods=int(hours * (pd.Timedelta("1h") / step)), freq=step)
    text = "\n".join(f"ivr,{at:%Y-%m-%d %H:%M:%S},{n + 1}" for n, at in enumerate(clock))
    path = tmp_path / "counts.csv"
    path.write_text(f"unique_id,ds,y\n{text}\n")
    volumes = read(path, time_zone=zone, country="NO").tables["volumes"]
    assert volumes["y"].sum() == len(clock) * (len(clock) + 1) / 2
    assert list(volumes["ds"]) == list(clock.tz_convert("UTC").tz_localize(None))


def test_counts_end_with_the_last_interval(tmp_path: Path) -> None:
    path = counts(tmp_path / "a.csv", "1999-01-01", "1999-01-31 23:54", "6min")
    settings = read(path).settings
    assert settings["data.complete_to"] == datetime(1999, 1, 31, 22)  # midnight in Israel
    assert settings["company.time_zone"] == "Asia/Jerusalem"
    assert not [name for name in settings if name.startswith("opening_hours")]


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-01-12 00:00", "2026-01-16 00:00"),  # five days, the last of one hour
        ("2026-01-14 13:00", "2026-01-25 23:00"),  # begun at noon
        ("2026-01-01 00:00", "2026-02-03 00:00"),  # weeks, and the last of one hour
    ],
)
def test_parts_of_days_and_a_few_days_close_nothing(tmp_path: Path, begin: str, end: str) -> None:
    settings = read(counts(tmp_path / "a.csv", begin, end, "h")).settings
    assert not [name for name in settings if name.startswith("opening_hours")]


@pytest.mark.parametrize(
    ("times", "first"),
    [
        (("01/13/2026 12:00 AM", "01/13/2026 1:00 AM"), datetime(2026, 1, 12, 22)),
        (("13/01/2026 11:00 PM", "14/01/2026 12:00 AM"), datetime(2026, 1, 13, 21)),
        (("2026-01-12 23:00", "2026-01-12 24:00"), datetime(2026, 1, 12, 21)),
        (("2026-W53-1", "2027-W01-1"), datetime(2026, 12, 28)),
        (("5. März 2026 09:00", "5. März 2026 10:00"), datetime(2026, 3, 5, 7)),
    ],
)
def test_times_of_counts_as_people_write_them(
    tmp_path: Path, times: tuple[str, str], first: datetime
) -> None:
    rows = "".join(f"technion_1999,{at},1\n" for at in times)
    (tmp_path / "a.csv").write_text(f"unique_id,ds,y\n{rows}", encoding="utf-8")
    volumes = read(tmp_path / "a.csv").tables["volumes"]
    assert (len(volumes), volumes["ds"].min()) == (2, first)


def test_hours_without_rows_are_closed(tmp_path: Path) -> None:
    days = pd.bdate_range("2003-03-03", "2003-03-28").drop(pd.Timestamp("2003-03-19"))
    ds = [
        t for day in days for t in pd.date_range(day + pd.Timedelta("7h"), periods=169, freq="5min")
    ]
    path = tmp_path / "bank_calls.csv"
    stamps = [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in ds]  # as R writes a clock that it calls UTC
    pd.DataFrame({"DateTime": stamps, "Calls": range(len(ds))}).to_csv(path, index=False)
    imported = read(path)
    hours = {k: v for k, v in imported.settings.items() if k.startswith("opening_hours")}
    assert hours == {
        f"opening_hours.phone.{day}": "07:00-21:05" for day in ("mon", "tue", "wed", "thu", "fri")
    }
    volumes = imported.tables["volumes"]
    assert len(volumes) == len(ds)
    assert volumes["ds"].iloc[0] == datetime(2003, 3, 3, 12)
    assert imported.settings["data.complete_to"] == datetime(2003, 3, 29, 5)  # closed since 21:05
    assert any("2003-03-19" in note for note in imported.notes)
    assert any("America/New_York is assumed" in note for note in imported.notes)


def test_an_unknown_series_needs_its_zone(tmp_path: Path) -> None:
    path = counts(tmp_path / "a.csv", "2026-01-01", "2026-01-05", "h", name="ours")
    with pytest.raises(UsageError, match=r"the clock of ours is not known.*time_zone"):
        read(path)
    settings = read(path, time_zone="Europe/Oslo", country="NO").settings
    assert settings["company.country"] == "NO"
    with pytest.raises(UsageError, match="not an IANA time zone"):
        read(path, time_zone="Oslo", country="NO")


@pytest.mark.parametrize(
    ("line", "column", "rule"),
    [
        ("technion_1999,1999-01-01 01:00:00,4", "ds", "stands with the same series"),
        ("technion_1999,1999-01-01 02:00:00,-4", "y", "is negative"),
        ("technion_1999,1999-01-01 02:00:00,many", "y", "is not a number"),
        ("technion_1999,1999-01-01 25:00:00,4", "ds", "is not a time written as"),
        ("technion_1999,1999-01-01 02:00:00,4,5", None, "broken line"),
        (",1999-01-01 02:00:00,4", "unique_id", "is empty"),
    ],
)
def test_a_bad_count_is_set_aside(tmp_path: Path, line: str, column: str | None, rule: str) -> None:
    path = counts(tmp_path / "a.csv", "1999-01-01", "1999-01-01 01:00", "h")
    path.write_text(path.read_text() + line + "\n")
    imported = read(path)
    (row_aside,) = imported.set_aside["volumes"].to_dict("records")
    assert row_aside["column"] == column and row_aside["rule"].startswith(rule)
    assert row_aside["row"] == (4 if column is None else 3)  # a broken line has the line's number
    assert list(imported.tables["volumes"]["y"]) == [1, 1]
    assert any("1 rows of a.csv are set aside" in note for note in imported.notes)


def test_a_missing_count_is_a_gap(tmp_path: Path) -> None:
    path = counts(tmp_path / "a.csv", "1999-01-01", "1999-01-01 01:00", "h")
    path.write_text(path.read_text() + "technion_1999,1999-01-01 02:00:00,\n")
    imported = read(path)
    assert len(imported.tables["volumes"]) == 2
    assert "1 rows without a count are gaps" in imported.notes[0]


def test_a_folder_needs_a_choice(month: Path, tmp_path: Path) -> None:
    counts(tmp_path / "technion_hourly.csv", "1999-01-01", "1999-01-02", "h")
    with pytest.raises(UsageError, match=r"which=NAME\. There: february, technion_hourly"):
        read(tmp_path)
    with pytest.raises(UsageError, match=r'no file "febuary"\. Did you mean "february"'):
        read(tmp_path, which="febuary")
    assert "tickets" in read(tmp_path, which="february").tables


def test_a_file_that_is_neither_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("hour,agents\n1,2\n")
    with pytest.raises(DataError, match=r"neither a call log .* It has: hour, agents"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("layout", ["%Y-%m-%d %H:%M Europe/Oslo", "%d.%m.%Y %H:%M"])
def test_the_hour_shown_twice_is_two_hours_however_times_are_written(
    tmp_path: Path, layout: str
) -> None:
    hours = pd.date_range("2025-10-25", periods=96, freq="h")
    twice = pd.Timestamp("2025-10-26 02:00")
    ds = [text for at in hours for text in [at.strftime(layout)] * (2 if at == twice else 1)]
    pd.DataFrame({"unique_id": "ivr", "ds": ds, "y": 1.0}).to_csv(tmp_path / "c.csv", index=False)
    made = read(
        tmp_path / "c.csv", time_zone="Europe/Oslo", country="NO", dates="day_first"
    ).tables["volumes"]
    assert len(made) == 97
    assert made["ds"].diff().dropna().unique().tolist() == [pd.Timedelta(hours=1)]
