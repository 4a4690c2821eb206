"""Exports that nobody told us about: a mapping that imports at once, or the one line that it needs.

The formats are their publishers'; the rows are made up.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from data.adapters.mapped import read_mapped
from data.adapters.mapping import parse_mapping
from data.adapters.proposing import propose
from data.errors import DataError, UsageError

LINES_AT_MOST = 12
EXPORTS = {
    "a German help desk": (
        "Ticketnummer;Erstellt am;Kanal;Kategorie;Kunde;Gelöst am\n"
        "00017;24.02.2026 09:05;E-Mail;Rechnung;K-1;25.02.2026 10:00\n"
        "00018;24.02.2026 11:00;Telefon;Lieferung;;\n".encode("latin-1"),
        {"ticket_id": "00017", "opened_at": datetime(2026, 2, 24, 9, 5), "channel": "E-Mail"},
    ),
    "a city, month first": (
        b"Unique Key,Created Date,Closed Date,Complaint Type,Open Data Channel Type\n"
        b"6001,01/13/2026 01:05:00 PM,,Noise,PHONE\n6002,01/02/2026 12:05:00 AM,,Dirt,ONLINE\n",
        {"ticket_id": "6001", "opened_at": datetime(2026, 1, 13, 13, 5), "topic": "Noise"},
    ),
    "a switch, by intervals of a day": (
        b"Date,Time,Split/Skill,ACD Calls,Calls Offered\n15/01/2026,08:00-08:30,Billing,10,12\n"
        b'15/01/2026,08:30-09:00,Billing,9,"1,009"\nTotals,,,19,21\n',
        {"unique_id": "Billing", "ds": datetime(2026, 1, 15, 8), "y": 12},
    ),
    "a switch, by years of two digits": (
        b"Interval Start,Interval End,Queue Name,Offer,Answer\n"
        b"1/15/26 1:30 PM,1/15/26 2:00 PM,Billing,12,10\n",
        {"unique_id": "Billing", "ds": datetime(2026, 1, 15, 13, 30), "y": 12},
    ),
    "a tracker's events": (
        b"event_timestamp,user_pseudo_id,event_name,platform\n1767225600000000,u1,login,WEB\n",
        {"used_at": datetime(2026, 1, 1), "customer_id": "u1", "feature": "login"},
    ),
    "a shop": (
        b"Order ID,Order Date,Customer Email,Order Total,Order Currency\n"
        b'1,2026-01-13,a@b.c,"1,012.50",USD\n',
        {"order_id": "1", "ordered_at": datetime(2026, 1, 13), "amount": 1012.5},
    ),
}


@pytest.mark.parametrize("name", list(EXPORTS))
def test_an_unknown_export_is_imported_by_what_is_proposed(tmp_path: Path, name: str) -> None:
    content, expected = EXPORTS[name]
    place = tmp_path / "export.csv"
    place.write_bytes(content)
    found = propose(place)
    typed = [x for x in found.text.splitlines() if x.strip() and not x.startswith("#")]
    assert len(typed) <= LINES_AT_MOST
    imported = read_mapped(parse_mapping(found.text, "map.toml"), place, {})
    (frame,) = imported.tables.values()
    row = frame.iloc[0]
    assert {ours: row[ours] for ours in expected} == expected


def test_what_a_name_alone_would_get_wrong_is_seen_from_the_values(tmp_path: Path) -> None:
    """A response time in minutes is no time, a subject of its own in every row no topic."""
    rows = "".join(f"{n},2026-01-05 10:{n},{n},About order {n}\n" for n in range(10, 40))
    (tmp_path / "tickets.csv").write_text("id,created,first_response_at,subject\n" + rows)
    text = propose(tmp_path / "tickets.csv").text
    assert 'text = "subject"' in text and "topic" not in text
    assert "# not used: first_response_at" in text


def test_what_nobody_could_know_is_one_line_to_fill_in(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text("Ticket ID,Bought,Type\n1,2026-01-05,A\n2,2026-01-06,B\n")
    (tmp_path / "orders.csv").write_text("id,ordered_at,email\n1,03/04/2026,a@b.c\n")
    found = propose(tmp_path)
    assert '# opened_at = "?"  # perhaps "Bought"' in found.text
    assert '# dates = "day_first"  # or "month_first"' in found.text
    assert any("tickets needs opened_at" in told for told in found.open)
    filled = "\n".join(
        line.removeprefix("# ").replace("?", "Bought")
        for line in found.text.splitlines()
        if not line.startswith(("# fill", "# not", "# time", "# prop"))
    )
    made = read_mapped(parse_mapping(filled, "map.toml"), tmp_path, {})
    assert made.tables["tickets"]["ticket_id"].tolist() == ["1", "2"]
    assert made.tables["orders"]["ordered_at"].tolist() == [datetime(2026, 4, 3)]


def test_a_table_can_be_named_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,when\n1,2026-01-05\n2,2026-01-06\n")
    with pytest.raises(DataError, match="--table NAME"):
        propose(tmp_path / "a.csv")
    assert '# ticket_id = "?"  # perhaps "x"' in propose(tmp_path / "a.csv", "tickets").text
    with pytest.raises(UsageError, match='Did you mean "tickets"'):
        propose(tmp_path / "a.csv", "ticket")


def test_parts_of_one_table_are_one_section(tmp_path: Path) -> None:
    for year in (2025, 2026):
        (tmp_path / f"{year}.csv").write_text(f"ticket id,created\n{year}-1,{year}-01-01\n")
    (tmp_path / "old.csv").write_text("Case Number,Opened\n7,2024-01-01\n")
    found = propose(tmp_path)
    assert found.text.count("[[tickets]]") == 2 and 'from = "2025.csv|2026.csv"' in found.text
    assert sorted(found.rows["tickets"]["ticket_id"]) == ["2025-1", "2026-1", "7"]


def test_rows_under_one_key_and_events_without_one_are_said(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        "order_id,ordered_at,customer_id,sku\n1,2026-01-05,c,A\n1,2026-01-05,c,B\n"
    )
    (tmp_path / "usage.csv").write_text(
        "time,user_id,event\n2026-01-05,u,x\n2026-01-05,u,x\n2026-01-06,u,x\n"
    )
    mapping = parse_mapping(propose(tmp_path).text, "map.toml")
    first, again = (read_mapped(mapping, tmp_path, {}) for _ in range(2))
    assert any("1 rows come again later under one key (1)" in note for note in first.notes)
    ids = first.tables["usage"]["event_id"]
    assert ids.is_unique and ids.tolist() == again.tables["usage"]["event_id"].tolist()
