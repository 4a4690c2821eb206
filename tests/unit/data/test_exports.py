"""Siblings of what exports do: read as it was meant, or refused by row and counted."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.check import check
from data.snapshot import take
from data.workspace import Workspace, init

NOW = datetime(2026, 6, 1)
HEAD = "ticket_id,opened_at,channel\n"
ROWS = "1,2026-01-01,email\n2,2026-01-02,phone\n"
TAGGED = (
    "ticket_id,opened_at,channel,text\n1,2026-01-01,email,a|b|c|d|e\n2,2026-01-02,phone,f|g|h|i|j\n"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return init(tmp_path / "acme")


def put(workspace: Workspace, name: str, content: str | bytes) -> None:
    place = workspace.tables_dir / name
    place.parent.mkdir(exist_ok=True, parents=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)


def read(workspace: Workspace, *columns: str) -> list[list[Any]]:
    frame = take(workspace, now=NOW).frame("tickets", list(columns))
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def column(workspace: Workspace, name: str, values: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """What is read of each value of a column of tickets, and the rules of those set aside."""
    out = io.StringIO()
    rows = csv.DictWriter(out, ["ticket_id", "opened_at", "channel", name])
    rows.writeheader()
    for place, value in enumerate(values):
        rows.writerow(
            {"ticket_id": f"t{place}", "opened_at": "2026-01-01", "channel": "email", name: value}
        )
    put(workspace, "tickets.csv", out.getvalue())
    report = check(workspace, NOW)
    assert report.rows["tickets"] == len(values)
    kept = {values[int(key[1:])]: value for key, value in read(workspace, "ticket_id", name)}
    aside = {values[v.row - 1]: v.rule for v in report.errors if v.row}
    assert len(kept) + report.quarantined.get("tickets", 0) == len(values)
    return kept, aside


def test_ids_match_whatever_stands_around_them(workspace: Workspace) -> None:
    same = [
        "123",
        '="123"',
        "'123",
        " 123 ",
        "123\u00a0",
        "\ufeff123",
        "１２３",
        "123\u200b",
        "123.0",
    ]
    cut = ["1.23E+15", "1e5", "9007199254740993.0", '{"id": 123}']
    kept, aside = column(workspace, "customer_id", [*same, *cut, "00123", "1234567890123456.0"])
    assert {kept[value] for value in same} == {"123"}
    assert (kept["00123"], kept["1234567890123456.0"]) == ("00123", "1234567890123456")
    assert aside == {**dict.fromkeys(cut, "shortened"), '{"id": 123}': "type"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("topic", ["web", "{web", "[urgent] web"]),
        ("priority", ["1", "[high]", "x [1]"]),
        ("customer_id", ["web", "x[1]"]),
    ],
)
def test_an_object_or_a_list_is_no_word(workspace: Workspace, name: str, words: list[str]) -> None:
    odd = ['{"via": "web"}', '["web", "app"]', "{}", "[1]"]
    kept, aside = column(workspace, name, [*odd, *words])
    assert aside == dict.fromkeys(odd, "type")
    assert list(kept) == words


def test_words_for_no_value_are_no_reason_to_lose_a_ticket(workspace: Workspace) -> None:
    none = ["NULL", "NaT", "\\N", "-", "0000-00-00 00:00:00", "n/a", "NA", "n.a."]
    unset = ["0001-01-01", "1899-12-30", "9999-12-31", "1970-01-01", "1970-01-01T01:00:00+01:00"]
    kept, aside = column(workspace, "resolved_at", [*none, *unset, "2026-01-02"])
    assert {kept[value] for value in none} == {None}
    assert {aside[value] for value in unset[:3]} == {"year"}
    assert {aside[value] for value in unset[3:]} == {"empty date"}


def test_truth_and_spans_of_time_in_other_words(workspace: Workspace) -> None:
    kept, aside = column(workspace, "is_complaint", ["ja", "NEI", "on", "Falsch", "1.0", "-", "2"])
    assert kept == {"ja": True, "NEI": False, "on": True, "Falsch": False, "1.0": True, "-": None}
    assert aside == {"2": "type"}
    kept, aside = column(workspace, "handle_seconds", ["00:05:12", "PT5M", "5:12", "1_000", "90"])
    assert kept == {"00:05:12": 312, "PT5M": 300, "90": 90}
    assert set(aside) == {"5:12", "1_000"}  # minutes or hours, and no number at all


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\n" + (HEAD + ROWS).replace(",", ";"),
        TAGGED,
        "Report of May,,\nmade by x,,\n\n" + HEAD + ROWS,
        "\n\n" + HEAD + ROWS,
        (HEAD + ROWS).encode("utf-16-le"),
        HEAD.replace("\n", "\r\n") + ROWS,
        HEAD + ROWS.replace("\n", "\r\n", 1),
        HEAD + ROWS.replace("email", '"email"').replace("\n", "\r"),
        gzip.compress((HEAD + ROWS).encode()),
    ],
    ids=[
        "sep",
        "tags",
        "title",
        "blank",
        "utf-16",
        "ends",
        "ends again",
        "quotes",
        "packed unsaid",
    ],
)
def test_a_text_of_rows_is_read_however_it_is_laid_out(
    workspace: Workspace, content: str | bytes
) -> None:
    put(workspace, "tickets.csv", content)
    assert check(workspace, NOW).ok
    assert read(workspace, "ticket_id", "channel") == [["1", "email"], ["2", "phone"]]


def test_lines_of_two_kinds_of_ends_are_counted_one_by_one(workspace: Workspace) -> None:
    more = '3,2026-01-03,"two\r\nlines"\r\n4,short\n5,2026-01-05,email\r\n'
    put(workspace, "tickets.csv", HEAD + ROWS + more)
    report = check(workspace, NOW)
    assert [v.row for v in report.errors if v.rule == "broken line"] == [6]
    assert (report.rows["tickets"], report.quarantined["tickets"]) == (5, 1)
    assert read(workspace, "ticket_id", "channel")[2:] == [["3", "two\r\nlines"], ["5", "email"]]


def test_parts_put_together_keep_no_header_among_the_rows(workspace: Workspace) -> None:
    for part, content in {"1": HEAD + ROWS + HEAD, "2": "", "10": HEAD}.items():
        put(workspace, f"tickets/part-{part}.csv", content)
    report = check(workspace, NOW)
    assert {v.rule for v in report.errors if v.column == "ticket_id"} == {"header"}
    assert any("part-2.csv is empty" in str(v) for v in report.warnings)
    assert len(read(workspace, "ticket_id")) == 2


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0", b"%PDF"])
def test_a_file_under_a_wrong_name_is_said_to_be_what_it_is(
    workspace: Workspace, start: bytes
) -> None:
    put(workspace, "tickets.csv", start + b"1234")
    (error,) = check(workspace, NOW).errors
    assert "tickets.csv is by its first bytes" in str(error)


def test_a_workbook_begins_where_its_header_is(workspace: Workspace) -> None:
    rows = [["May", None, None], [None] * 3, ["ticket_id", "opened_at", "channel"]]
    rows += [["1", "2026-01-01", "email"], [None] * 3, ["2", 46023.5, "email"]]
    place = workspace.tables_dir / "tickets.xlsx"
    pd.DataFrame(rows).to_excel(place, index=False, header=False)
    report = check(workspace, NOW)
    assert {(v.row, v.rule) for v in report.errors} == {(3, "day number")}
    assert (report.rows["tickets"], report.quarantined["tickets"]) == (2, 1)
    assert any("the header is row 3" in str(v) for v in report.warnings)


def test_a_parquets_own_types_are_read_as_they_are_meant(workspace: Workspace) -> None:
    frame = pd.DataFrame(
        {
            "ticket_id": ["1", "2", "3"],
            "opened_at": [1767225600, 1767225600000, 1767225600123456],
            "channel": pd.Categorical(["email"] * 3),
            "handle_seconds": pd.to_timedelta([60, 90, None], unit="s"),
            "customer_id": [7.0, 9.5e15, float("inf")],
        }
    )
    frame.to_parquet(workspace.tables_dir / "tickets.parquet")
    assert {(v.row, v.rule) for v in check(workspace, NOW).errors} == {(2, "shortened")}
    assert read(workspace, "opened_at", "handle_seconds", "customer_id") == [
        [pd.Timestamp("2026-01-01"), 60, "7"],
        [pd.Timestamp("2026-01-01 00:00:00.123456"), None, None],
    ]


def test_a_column_without_offsets_beside_one_with_is_said(workspace: Workspace) -> None:
    row = "1,2026-01-01T10:00:00+02:00,email,2026-01-01 10:30:00\n"
    put(workspace, "tickets.csv", HEAD.replace("\n", ",resolved_at\n") + row)
    told = [v for v in check(workspace, NOW).warnings if v.rule == "no offsets in this column"]
    assert [v.column for v in told] == ["resolved_at"]
