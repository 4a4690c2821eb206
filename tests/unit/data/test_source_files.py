"""Files as people send them: read, or named; bad rows by row, nothing in silence."""

from __future__ import annotations

import gc
import gzip
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from data.check import check
from data.settings_import import Import
from data.snapshot import take
from data.source_files import open_source
from data.violations import Report
from data.workspace import Workspace, init, set_setting
from pipelines.reports import check_result

NOW = datetime(2026, 6, 1)
TICKETS = "ticket_id,opened_at,channel\n1,2026-01-01,email\n2,2026-01-02,phone\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return init(tmp_path / "acme")


def put(workspace: Workspace, name: str, content: str | bytes) -> Path:
    place = workspace.tables_dir / name
    place.parent.mkdir(exist_ok=True, parents=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


def tickets(workspace: Workspace, *columns: str) -> list[list[Any]]:
    frame = take(Workspace.open(workspace.path), now=NOW).frame("tickets", list(columns))
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def zstd(text: str) -> bytes:
    return pa.compress(text.encode(), codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tickets.csv", TICKETS.replace(",", ";")),
        ("tickets.tsv", TICKETS.replace(",", "\t")),
        ("tickets.csv", TICKETS.replace("\n", "\r\n")),
        ("tickets.csv", TICKETS.encode("utf-16")),
        ("tickets.csv", b"\xef\xbb\xbf" + TICKETS.encode()),
        ("Tickets.CSV", TICKETS),
        ("tickets.csv.gz", gzip.compress(TICKETS.encode())),
        ("tickets.csv.zst", zstd(TICKETS)),
        ("tickets/part-1.csv", TICKETS),
        ("tickets/year=2026/a.csv", TICKETS),
        (
            "tickets.jsonl",
            '{"ticket_id":1,"opened_at":"2026-01-01","channel":"email"}\n'
            '{"ticket_id":2,"opened_at":"2026-01-02","channel":"phone","tags":["a"]}\n',
        ),
        (
            "tickets.json",
            '[{"ticket_id":"1","opened_at":"2026-01-01","channel":"email"},'
            '{"ticket_id":"2","opened_at":"2026-01-02","channel":"phone"}]',
        ),
    ],
    ids=lambda part: part if isinstance(part, str) and len(part) < 30 else "",
)
def test_a_table_is_read_in_every_form(
    workspace: Workspace, name: str, content: str | bytes
) -> None:
    put(workspace, name, content)
    assert check(workspace, NOW).ok
    assert tickets(workspace, "ticket_id", "channel") == [["1", "email"], ["2", "phone"]]


def test_a_workbook_is_read_and_its_other_sheets_are_named(workspace: Workspace) -> None:
    frame = pd.DataFrame(
        {
            "ticket_id": [1.0, 2.0],
            "opened_at": pd.to_datetime(["2026-01-01 08:30", "2026-01-02 00:00"]),
            "channel": ["email", "phone"],
        }
    )
    with pd.ExcelWriter(workspace.tables_dir / "tickets.xlsx") as book:
        frame.to_excel(book, sheet_name="all", index=False)
        frame.to_excel(book, sheet_name="old", index=False)
    assert tickets(workspace, "ticket_id", "opened_at") == [
        ["1", pd.Timestamp("2026-01-01 08:30")],
        ["2", pd.Timestamp("2026-01-02")],
    ]
    assert any("not read: 'old'" in str(v) for v in check(workspace, NOW).warnings)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Oslo"])
def test_a_parquet_time_is_read_in_every_unit_and_zone(
    workspace: Workspace, unit: str, zone: str | None
) -> None:
    times = pd.Series(pd.to_datetime(["2026-01-01T06:00", None]), dtype=f"datetime64[{unit}]")
    if zone:
        times = times.dt.tz_localize("UTC").dt.tz_convert(zone)
    frame = pd.DataFrame(
        {"ticket_id": ["1", "2"], "opened_at": pd.Timestamp("2026-01-01"), "channel": "email"}
    )
    frame.assign(resolved_at=times).to_parquet(workspace.tables_dir / "tickets.parquet")
    assert tickets(workspace, "resolved_at") == [[pd.Timestamp("2026-01-01T06:00")], [None]]


def test_texts_that_a_tool_wrote_as_bytes_are_texts(workspace: Workspace) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = workspace.tables_dir / "Tickets.parquet"  # a folder of parts, as Spark names them
    folder.mkdir()
    texts = {
        "ticket_id": [b"1", b"2"],
        "opened_at": [b"2026-01-05T00:00:00Z", b"2026-01-06"],
        "channel": ["café".encode(), b"phone"],
        "customer_id": [b"\xff\xfe", None],  # no text
    }
    table = pa.table({name: pa.array(values, pa.binary()) for name, values in texts.items()})
    pq.write_table(table, folder / "part-0.snappy.parquet")
    (folder / "_SUCCESS").touch()
    report = check(workspace, NOW)
    assert [(v.row, v.column, v.rule) for v in report.errors] == [(1, "customer_id", "type")]
    assert take(workspace, now=NOW).frame("tickets")["channel"].tolist() == ["phone"]


def test_of_two_pages_the_later_number_wins(workspace: Workspace) -> None:
    for page, channel in ((2, "old"), (10, "new"), (1, "older")):
        put(
            workspace,
            f"tickets/page_{page}.csv",
            f"ticket_id,opened_at,channel\n1,2026-01-01,{channel}\n",
        )
    assert tickets(workspace, "channel") == [["new"]]


def test_what_lies_there_and_is_not_read_is_named(workspace: Workspace) -> None:
    put(workspace, "tickets.csv", TICKETS)
    for name in ("orders.docx", "usage/readme.txt", "tickets.parquet.gz", "old/tickets.csv"):
        put(workspace, name, "x")
    (workspace.tables_dir / "agents").mkdir()
    told = "\n".join(map(str, check(workspace, NOW).warnings))
    for name in ("orders.docx", "usage/readme.txt", "tickets.parquet.gz", "old", "agents/"):
        assert f"tables/{name}" in told


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_stands_in_the_folders_names_is_read(workspace: Workspace, kind: str) -> None:
    for channel, topic in (("chat", "bill%20ing"), ("email", "__HIVE_DEFAULT_PARTITION__")):
        folder = workspace.tables_dir / f"tickets/year=2026/channel={channel}/topic={topic}"
        folder.mkdir(parents=True)
        row = pd.DataFrame({"ticket_id": [channel], "opened_at": ["2026-01-05T09:00:00"]})
        part = folder / f"part-0.{kind}"
        row.to_csv(part, index=False) if kind == "csv" else row.to_parquet(part, index=False)
    rows = sorted(map(str, tickets(workspace, "ticket_id", "channel", "topic")))
    assert rows == ["['chat', 'chat', 'bill ing']", "['email', 'email', None]"]


def test_columns_that_differ_in_case_only_are_refused_by_name(workspace: Workspace) -> None:
    put(workspace, "tickets.csv", "ticket_id,opened_at,Channel,channel\n1,2026-01-05,chat,email\n")
    (error,) = check(workspace, NOW).errors
    assert "'Channel' and 'channel'" in str(error) and "rename" in str(error)


def test_an_empty_workspace_keeps_no_contract(workspace: Workspace) -> None:
    result = check_result(check(workspace, NOW), 50)
    assert result.exit_code == 1
    assert "no table has a row" in result.lines[-1]


def rules(report: Report) -> dict[int | None, tuple[str | None, str]]:
    return {v.row: (v.column, v.rule) for v in report.errors}


def test_lines_that_are_no_rows_are_set_aside_by_number(workspace: Workspace) -> None:
    put(workspace, "tickets.csv", TICKETS + '3,2026-01-03,email,more\n4\n5,2026-01-05,"a"b\n')
    report = check(workspace, NOW)
    assert {v.row for v in report.errors if v.rule == "broken line"} == {4, 5, 6}
    assert (report.rows["tickets"], report.quarantined["tickets"]) == (5, 3)
    assert len(tickets(workspace, "ticket_id")) == 2
    held = pd.read_parquet(workspace.state_dir / "quarantine" / "tickets.parquet")
    assert held["row"].tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("tickets.jsonl", '{"ticket_id": "0", "opened_at": \n\n'),
        ("tickets.jsonl", "\n\n"),
        ("tickets.jsonl", "null\n[]\n"),
        ("tickets.json", "[null, 5, "),
    ],
)
def test_rows_after_what_is_none_keep_the_numbers_that_the_file_shows(
    workspace: Workspace, name: str, before: str
) -> None:
    row = '{"ticket_id": "%s", "opened_at": "%s", "channel": "email"}'
    rows = [row % ("1", "2026-01-01"), row % ("2", "not a day")]
    listed = before.startswith("[n")
    put(workspace, name, before + (", " if listed else "\n").join(rows) + ("]" if listed else "\n"))
    report = check(workspace, NOW)
    assert rules(report)[4] == ("opened_at", "type")
    assert len(tickets(workspace, "ticket_id")) == 1


def test_a_list_over_several_lines_is_read_as_one(workspace: Workspace) -> None:
    row = '{\n"ticket_id": "1",\n"opened_at": "2026-01-01",\n"channel": "email"\n}'
    put(workspace, "tickets.jsonl", f"[\n{row}\n]\n")
    assert not check(workspace, NOW).errors
    assert len(tickets(workspace, "ticket_id")) == 1


@pytest.mark.parametrize("end", [b"\n", b"\r"])
@pytest.mark.parametrize(
    "header",
    [b'ticket_id,"opened"_at,note', b'"ticket"_"id",opened_at,note', b"ticket_id,opened_at,note"],
)
def test_a_header_with_stray_quotes_costs_no_row(tmp_path: Path, header: bytes, end: bytes) -> None:
    rows = b"1,2026-01-01,a\n2,2026-01-02,b" + end + b"3,2026-01-03,c\n"
    (tmp_path / "t.csv").write_bytes(header + b"\n" + rows)
    with duckdb.connect() as con:
        source = open_source(con, tmp_path / "t.csv", "t.csv", Import(), tmp_path)
        read = source.relation.fetchall()
    assert [row[0] for row in read] == ["1", "2", "3"] and not source.broken


def test_a_header_whose_quote_never_ends_is_named_with_what_it_took(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'"ticket_id,opened_at\n1,2026-01-01\n2,2026-01-02\n')
    with duckdb.connect() as con:
        source = open_source(con, tmp_path / "t.csv", "t.csv", Import(), tmp_path)
        assert not source.relation.fetchall()
    ((line, _, why),) = source.broken
    assert line == 1 and "end of data" in why


def test_times_that_cannot_be_meant_are_refused_by_row(workspace: Workspace) -> None:
    values = ["2026-01-01", "0001-01-01T00:00:00", "1900-01-01", "9999-12-31", "25-07-01"]
    values += ["03/04/2026", "2026-02-01 09:00 BST", "2026-02-30", "2015-02-24 11:35:52 -0800"]
    lines = [f"{place},{value},email" for place, value in enumerate(values, 1)]
    put(workspace, "tickets.csv", "\n".join(["ticket_id,opened_at,channel", *lines]) + "\n")
    assert rules(check(workspace, NOW)) == {
        2: ("opened_at", "year"),
        3: ("opened_at", "year"),
        4: ("opened_at", "future"),
        5: ("opened_at", "ambiguous date"),
        6: ("opened_at", "ambiguous date"),
        7: ("opened_at", "ambiguous zone"),
        8: ("opened_at", "type"),
    }
    set_setting(workspace.path, "import.dates", "day_first")
    set_setting(workspace.path, "import.zones.BST", "+01:00")
    found = rules(check(Workspace.open(workspace.path), NOW))
    assert 6 not in found
    assert 7 not in found


def test_fifty_alike_are_told_in_four_lines(workspace: Workspace) -> None:
    lines = [f"{place},{place % 12 + 1:02}/05/2026,email" for place in range(1, 51)]
    put(workspace, "tickets.csv", "\n".join(["ticket_id,opened_at,channel", *lines]) + "\n")
    said = [x for x in check_result(check(workspace, NOW), 50).lines if "ambiguous date" in x]
    assert len(said) == 4
    assert "[import] dates" in said[0]
    assert "47 more rows: 4, 5, 6" in said[-1]


def test_amounts_are_read_as_the_setting_says(workspace: Workspace) -> None:
    head = "order_id;ordered_at;customer_id;amount\n"
    rows = "1;2026-01-01;a;1.234,50\n2;2026-01-01;a;€ 12,00\n3;2026-01-01;a;(5)\n"
    put(workspace, "orders.csv", head + rows)
    report = check(workspace, NOW)
    assert {v.rule for v in report.errors} == {"type"}
    assert "[import] numbers" in str(report.errors[0])
    set_setting(workspace.path, "import.numbers", "1.234,5")
    frame = take(Workspace.open(workspace.path), now=NOW).frame("orders", ["amount"])
    assert frame["amount"].tolist() == [1234.5, 12.0, -5.0]


@pytest.mark.parametrize(
    ("column", "read"),
    [
        ([1234567890123456.0, float("nan"), 7.0], ["1234567890123456", None, "7"]),
        (["1234567890123456.0", "", "7.0"], ["1234567890123456", None, "7"]),
        ([1234567890123456789, 2, 3], ["1234567890123456789", "2", "3"]),
        (["  ", "NULL", " a "], [None, None, "a"]),
        (["nan", "None", "<NA>"], [None, None, None]),
        (["007", "7", r"\N"], ["007", "7", None]),
    ],
)
def test_ids_come_back_as_they_were_before_a_tool_changed_them(
    workspace: Workspace, column: list[Any], read: list[Any]
) -> None:
    frame = pd.DataFrame({"ticket_id": ["x", "y", "z"], "opened_at": "2026-01-01"})
    frame = frame.assign(channel="email", customer_id=column)
    frame.to_parquet(workspace.tables_dir / "tickets.parquet")
    assert [row[0] for row in tickets(workspace, "customer_id")] == read
    from data.tables import normalise

    again = normalise("tickets", frame)["customer_id"]
    assert again.astype(object).where(again.notna(), None).tolist() == read


@pytest.mark.parametrize("cut", ["1.23457E+15", "1,2E+12", 1.2345678901234567e17])
def test_an_id_that_lost_digits_is_refused_by_row(workspace: Workspace, cut: Any) -> None:
    frame = pd.DataFrame({"ticket_id": [cut], "opened_at": ["2026-01-01"], "channel": ["email"]})
    frame.to_parquet(workspace.tables_dir / "tickets.parquet")
    assert rules(check(workspace, NOW)) == {1: ("ticket_id", "shortened")}


def test_a_large_file_is_read_alike_and_leaves_nothing_behind(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.csv_files.LARGE", 10)
    put(workspace, "tickets.csv", TICKETS + "3,25-07-01,email\n")
    report = check(workspace, NOW)
    assert (report.rows["tickets"], report.quarantined["tickets"]) == (3, 1)
    assert tickets(workspace, "ticket_id", "channel") == [["1", "email"], ["2", "phone"]]
    gc.collect()
    assert list(workspace.state_dir.glob("reading-*")) == []


def test_json_lines_that_are_none_are_set_aside_by_number(workspace: Workspace) -> None:
    good = '{"ticket_id": "%d", "opened_at": "2026-01-01", "channel": "email"}\n'
    put(workspace, "tickets.jsonl", good % 1 + '{"ticket_id": "2", "ope\n' + "[1]\n" + good % 4)
    report = check(workspace, NOW)
    assert {v.row for v in report.errors if v.rule == "broken line"} == {2, 3}
    assert (report.rows["tickets"], report.quarantined["tickets"]) == (4, 2)
    assert tickets(workspace, "ticket_id") == [["1"], ["4"]]


def test_a_sheet_of_notes_before_the_table_is_not_the_table(workspace: Workspace) -> None:
    with pd.ExcelWriter(workspace.tables_dir / "tickets.xlsx") as book:
        pd.DataFrame({"About": ["Tickets of May", "by Ann"]}).to_excel(
            book, sheet_name="Notes", index=False
        )
        row = {"ticket_id": ["1"], "opened_at": ["2026-01-05"], "channel": ["web"]}
        pd.DataFrame(row).to_excel(book, sheet_name="May", index=False)
    report = check(workspace, NOW)
    assert report.rows == {"tickets": 1}
    assert "the sheet 'May' is read; not read: 'Notes'" in str(report.violations[0])


def test_what_a_spreadsheet_leaves_in_place_of_an_id_is_nobody(workspace: Workspace) -> None:
    lines = [
        f"{n},2026-01-01,email,{who}" for n, who in enumerate(["#REF!", "-", "#VALUE!", "a-b"])
    ]
    put(workspace, "tickets.csv", "\n".join(["ticket_id,opened_at,channel,customer_id", *lines]))
    assert [who for (who,) in tickets(workspace, "customer_id")] == [None, None, None, "a-b"]
