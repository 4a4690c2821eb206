"""Mappings: any columns into the contract; expressions locked down; every row accounted for."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import run_import
from data.adapters.expressions import check_expression, sandbox
from data.adapters.mapped import read_mapped
from data.adapters.mapping import parse_mapping
from data.adapters.proposing import propose
from data.check import check
from data.errors import DataError, UsageError
from data.workspace import Workspace, init, set_setting

CASES = """\
Case Number,Opened,Origin,Kind,Client,Done
00017,24.02.2026 09:05,Mail,Billing,c1,25.02.2026 10:00
00018,24.02.2026 11:00,,Other,,
00019,31.02.2026 11:00,Mail,Other,c2,
00020,26.02.2026 12:00,Call,Spam,c3,
"""
MAP = """\
time_zone = "Europe/Oslo"
dates = "day_first"
[tickets]
from = "cases*.csv"
where = "Kind <> 'Spam'"
ticket_id = "Case Number"
opened_at = "Opened"
channel = "coalesce(Origin, 'web')"
topic = "lower(Kind)"
customer_id = ["Customer", "Client"]
resolved_at = "Done"
values.channel = {Mail = "email"}
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "cases.csv").write_text(CASES)
    (tmp_path / "map.toml").write_text(MAP)
    return folder


def tickets(workspace: Path) -> pd.DataFrame:
    return pd.read_parquet(workspace / "tables" / "tickets.parquet")


def test_a_mapping_brings_local_times_words_and_expressions(cases: Path, tmp_path: Path) -> None:
    report = run_import(str(tmp_path / "map.toml"), cases, tmp_path / "w")
    made = tickets(tmp_path / "w").set_index("ticket_id")
    assert made.index.tolist() == ["00017", "00018"]
    assert made["opened_at"].tolist() == [datetime(2026, 2, 24, 8, 5), datetime(2026, 2, 24, 10)]
    assert made["channel"].tolist() == ["email", "web"]
    assert made["topic"].tolist() == ["billing", "other"]
    assert made["customer_id"].isna().tolist() == [False, True]
    said = "\n".join(report.notes)
    assert "1 rows of cases.csv are left out by the mapping" in said
    assert "1 rows of cases.csv are set aside: opened_at" in said
    assert "'31.02.2026 11:00'" in said
    aside = pd.read_parquet(tmp_path / "w" / ".presage" / "quarantine" / "import-tickets.parquet")
    assert len(made) + 1 + len(aside) == 4  # kept, left out, set aside
    assert check(Workspace.open(tmp_path / "w"), datetime(2026, 6, 1)).ok


def test_an_import_twice_changes_nothing_and_an_update_is_the_union(
    cases: Path, tmp_path: Path
) -> None:
    mapping = str(tmp_path / "map.toml")
    run_import(mapping, cases, tmp_path / "w")
    first = tickets(tmp_path / "w")
    run_import(mapping, cases, tmp_path / "w")
    pd.testing.assert_frame_equal(tickets(tmp_path / "w"), first)
    later = "Case Number,Opened,Origin,Kind,Client,Done\n"
    later += "00018,24.02.2026 11:00,Mail,Other,c9,27.02.2026 11:00\n"
    later += "00021,27.02.2026 11:00,Mail,Other,c1,\n"
    (cases / "cases.csv").write_text(later)
    run_import(mapping, cases, tmp_path / "w")
    (cases / "cases.csv").write_text(CASES + later.split("\n", 1)[1])
    run_import(mapping, cases, tmp_path / "union")
    by = "ticket_id"
    both = [tickets(tmp_path / w).sort_values(by, ignore_index=True) for w in ("w", "union")]
    pd.testing.assert_frame_equal(*both)


def test_the_rows_of_a_json_document_are_found(tmp_path: Path) -> None:
    rows = [
        {"id": 9007199254740993, "at": "2026-01-01T10:00:00Z", "via": {"channel": "chat"}},
        {"id": 2, "at": "2026-01-02T10:00:00Z", "via": {"channel": None}},
    ]
    (tmp_path / "dump.json").write_text(json.dumps({"tickets": rows, "count": 2}))
    text = '[tickets]\nticket_id = "id"\nopened_at = "at"\n'
    text += "channel = \"coalesce(via->>'$.channel', 'none')\"\n"
    made = read_mapped(parse_mapping(text, "m"), tmp_path / "dump.json", {}).tables["tickets"]
    assert made["ticket_id"].tolist() == ["9007199254740993", "2"]
    assert made["channel"].tolist() == ["chat", "none"]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("(SELECT 1)", "holds a query"),
        ("read_text('/etc/hostname')", "reads more than the row"),
        ("getenv('HOME')", "reads more than the row"),
        ("random()", "another value each time"),
        ("current_timestamp", "another value each time"),
        ("1), (2", "more than one value"),
        ("1) FROM other, (SELECT 2", "no SQL expression"),
        ("1; DROP TABLE source", "no SQL expression"),
        ("lower(", "no SQL expression"),
    ],
)
def test_an_expression_reads_its_row_only(expression: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        check_expression(sandbox(), expression)


def test_no_file_opens_in_the_sandbox_even_if_an_expression_got_through(tmp_path: Path) -> None:
    import duckdb

    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(duckdb.Error):
        sandbox().execute(f"SELECT * FROM read_csv('{tmp_path}/secret.csv')").fetchall()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('ticket_id = "Case Number"\n', ""), "does not say what ticket_id is"),
        (("topic =", "topik ="), "no column 'topik'. Did you mean \"topic\""),
        (('"Opened"', '"Openned"'), 'Did you mean "Opened"'),
        (("lower(Kind)", "lower(Knd)"), ""),  # optional: said in a note
        (("[tickets]", "[tikets]"), 'Did you mean "tickets"'),
        (('time_zone = "Europe/Oslo"', 'time_zone = "Europe/Olso"'), "Europe/Oslo"),
        (("cases*.csv", "kases*.csv"), "no file that matches"),
        (("values.channel = {", "values.chanel = {"), "values.chanel"),
        (("topic =", 'beside.notes = {from = "n.csv"}\ntopic ='), "notes lacks key, on"),
    ],
)
def test_a_wrong_mapping_is_told_by_name(cases: Path, change: tuple[str, str], told: str) -> None:
    text = MAP.replace(*change)
    if not told:
        made = read_mapped(parse_mapping(text, "map.toml"), cases, {})
        assert any("nothing for topic" in note for note in made.notes)
        return
    with pytest.raises((DataError, UsageError), match=told.replace("[", r"\[")):
        read_mapped(parse_mapping(text, "map.toml"), cases, {})


def test_a_mapping_is_proposed_with_its_rows(cases: Path) -> None:
    text = CASES.replace("Opened", "Created at").replace("Kind", "Category")
    text = text.replace("24.02.2026 09:05", "2026-02-24 09:05").replace("Client", "Contact ID")
    (cases / "cases.csv").write_text(text)
    found = propose(cases)
    for line in ('ticket_id = "Case Number"', 'opened_at = "Created at"', 'topic = "Category"'):
        assert line in found.text
    assert 'dates = "day_first"' in found.text
    assert found.rows["tickets"]["ticket_id"].tolist() == ["00017", "00020"]
    assert any("set aside" in told for told in found.open)


def test_a_customers_own_columns_come_along(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,since,Tier\na,2026-01-01,gold\n")
    text = '[customers]\ncustomer_id = "id"\nsigned_up_at = "since"\ntier = "Tier"\n'
    made = read_mapped(parse_mapping(text, "m"), tmp_path / "people.csv", {})
    assert made.tables["customers"]["tier"].tolist() == ["gold"]
    assert made.settings["data.attributes"] == ["tier"]


def test_a_workspaces_words_for_statuses_and_channels_hold_in_an_import(tmp_path: Path) -> None:
    rows = "id,at,via,status,done\n1,2026-01-01,web,Junk,\n2,2026-01-01,web,Waiting,2026-01-02\n"
    (tmp_path / "a.csv").write_text(rows + "3,2026-01-01,web,Done,2026-01-02\n")
    text = '[tickets]\nticket_id = "id"\nopened_at = "at"\nchannel = "via"\nresolved_at = "done"\n'
    (tmp_path / "map.toml").write_text(text)
    workspace = init(tmp_path / "w").path
    set_setting(workspace, ["import", "channels", "web"], "form")
    for word, meaning in (("Junk", "spam"), ("Waiting", "open"), ("Done", "solved")):
        set_setting(workspace, ["import", "statuses", word], meaning)
    run_import(str(tmp_path / "map.toml"), tmp_path / "a.csv", workspace)
    made = tickets(workspace)
    assert made["channel"].tolist() == ["form"] * 3
    assert made["is_machine"].tolist() == [True, False, False]
    assert made["resolved_at"].notna().tolist() == [False, False, True]


def test_times_are_read_by_the_clock_of_the_row_s_site(tmp_path: Path) -> None:
    text = """
time_zone = "Europe/Oslo"
sites = {Manila = "Asia/Manila"}
[tickets]
ticket_id = "id"
opened_at = "at"
channel = "'email'"
site = "place"
"""
    export = tmp_path / "export.csv"
    export.write_text(
        "id,at,place\n1,2026-01-05 10:00,Manila\n2,2026-01-05 10:00,Bergen\n"
        "3,2026-01-05 10:00Z,Manila\n4,2026-01-05 10:00,\n"
    )
    made = read_mapped(parse_mapping(text, "map.toml"), export, {})
    assert [at.hour for at in made.tables["tickets"]["opened_at"]] == [2, 9, 10, 9]
    assert made.settings["sites.Manila.time_zone"] == "Asia/Manila"


TICKETS = '[tickets]\nrows = "tickets"\nticket_id = "id"\nopened_at = "at"\nchannel = "via"\n'


@pytest.mark.parametrize(
    ("column", "expression", "bad"),
    [
        ("handle_seconds", "CAST(n AS INTEGER) * 60", "five"),
        ("topic", "n->>'$.name'", "{broken"),
        ("opened_at", "strptime(n, '%Y')", "MMXXVI"),
        ("where", "CAST(n AS INTEGER) > 0", "many"),
    ],
)
def test_a_value_that_an_expression_cannot_take_is_set_aside(
    tmp_path: Path, column: str, expression: str, bad: str
) -> None:
    good = '{""name"": ""x""}' if column == "topic" else "2026"
    (tmp_path / "a.csv").write_text(
        f'id,at,n\n1,2026-01-01,"{good}"\n2,2026-01-02,{bad}\n3,2026-01-03,\n'
    )
    lines = {"ticket_id": '"id"', "opened_at": '"at"', "channel": "\"'web'\""}
    lines[column] = f'"{expression}"'
    text = "\n".join(["[tickets]", *(f"{name} = {value}" for name, value in lines.items())])
    (tmp_path / "map.toml").write_text(text)
    run_import(str(tmp_path / "map.toml"), tmp_path / "a.csv", tmp_path / "w")
    aside = pd.read_parquet(tmp_path / "w" / ".presage" / "quarantine" / "import-tickets.parquet")
    told = aside.set_index("row")
    assert (told.loc["2", "column"], told.loc["2", "rule"]) == (column, "not computed")
    assert "1" in tickets(tmp_path / "w")["ticket_id"].tolist()
    (tmp_path / "a.csv").write_text(f"id,at,n\n1,2026-01-01,{bad}\n2,2026-01-02,{bad}\n")
    with pytest.raises(DataError, match="cannot be computed"):
        run_import(str(tmp_path / "map.toml"), tmp_path / "a.csv", tmp_path / "w")


@pytest.mark.parametrize(
    ("zone", "local", "utc", "note"),
    [
        ("Europe/Oslo", "2026-03-29 02:30", datetime(2026, 3, 29, 1, 30), "skips"),
        ("Australia/Lord_Howe", "2025-10-05 02:15", datetime(2025, 10, 4, 15, 45), "skips"),
        ("Africa/Cairo", "2026-04-24 00:10", datetime(2026, 4, 23, 22, 10), "skips"),
        ("Pacific/Apia", "2011-12-30 05:00", datetime(2011, 12, 30, 15), "skips"),
        ("Europe/Oslo", "2025-10-26 02:30", datetime(2025, 10, 26, 0, 30), "shows twice"),
    ],
)
def test_a_time_that_no_clock_showed_is_read_as_before_the_change_and_counted(
    tmp_path: Path, zone: str, local: str, utc: datetime, note: str
) -> None:
    (tmp_path / "a.csv").write_text(f"id,at\n1,{local}\n2,2026-05-05 10:00\n")
    (tmp_path / "map.toml").write_text(
        f'time_zone = "{zone}"\n[tickets]\nticket_id = "id"\nopened_at = "at"\n'
        "channel = \"'web'\"\n"
    )
    report = run_import(str(tmp_path / "map.toml"), tmp_path / "a.csv", tmp_path / "w")
    assert tickets(tmp_path / "w").set_index("ticket_id").loc["1", "opened_at"] == utc
    assert any(
        "opened_at: 1 rows lie in the hour that the clock " + note in n for n in report.notes
    )


def test_what_is_no_object_in_a_json_list_is_set_aside_and_an_empty_page_said(
    tmp_path: Path,
) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "map.toml").write_text(TICKETS + 'customer_id = "who"\n')
    good = [{"id": 1, "at": f"2026-01-0{day}", "via": "web", "who": f"c{day}"} for day in (1, 2)]
    page = {"tickets": [*good, None, 5]}
    (tmp_path / "pages" / "page_1.json").write_text(json.dumps(page), "utf-16")
    (tmp_path / "pages" / "page_2.json").write_text('{"tickets": []}')
    report = run_import(str(tmp_path / "map.toml"), tmp_path / "pages", tmp_path / "w")
    assert len(tickets(tmp_path / "w")) == 1
    said = "\n".join(report.notes)
    assert "2 rows of page_1.json are set aside: broken line (row 3: 'null', row 4: '5')" in said
    assert "page_2.json is empty" in said
    assert "1 numbers are used again for another customer (1)" in said


def test_a_zone_in_the_text_is_not_moved_by_the_mappings_clock(tmp_path: Path) -> None:
    times = ["20260701T100000Z", "2026-07-01 10:00:00 utc", "2026-07-01 12:00 Europe/Oslo"]
    times += ["2026-07-01 11:00:00 GMT+1", "2026-07-01 10:00"]
    lines = [f"{n},{text},web" for n, text in enumerate(times)]
    (tmp_path / "c.csv").write_text("\n".join(["id,at,via", *lines]) + "\n")
    (tmp_path / "map.toml").write_text('time_zone = "Asia/Tokyo"\n' + TICKETS)
    run_import(str(tmp_path / "map.toml"), tmp_path / "c.csv", tmp_path / "w")
    opened = tickets(tmp_path / "w")["opened_at"]
    assert [str(at) for at in opened] == ["2026-07-01 10:00:00"] * 4 + ["2026-07-01 01:00:00"]
