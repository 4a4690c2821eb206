"""What only a whole table shows is said, with an example and what to do."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from data.check import check
from data.snapshot import take
from data.workspace import Workspace, init, set_setting

NOW = datetime(2026, 6, 1)


def told(tmp_path: Path, **tables: str) -> dict[str, str]:
    workspace = init(tmp_path / "acme")
    for name, text in tables.items():
        (workspace.tables_dir / f"{name}.csv").write_text(text)
    return {v.rule: str(v) for v in check(workspace, NOW).violations}


def test_a_number_used_again_by_another_customer_is_said(tmp_path: Path) -> None:
    head = "ticket_id,opened_at,customer_id,channel\n"
    again = head + "T-1,2025-01-01,anna,email\nT-1,2026-01-01,dora,email\n"
    assert "'T-1'" in told(tmp_path, tickets=again)["number used again"]


@pytest.mark.parametrize(
    "rows",
    [
        # a version: the same ticket, learned again
        "T-1,2025-01-01,anna,email,2025-01-01\nT-1,2025-01-01,bert,email,2025-02-01\n",
        "T-1,2025-01-01,anna,email,\nT-1,2025-02-01,anna,email,\n",
    ],
)
def test_versions_are_not(tmp_path: Path, rows: str) -> None:
    head = "ticket_id,opened_at,customer_id,channel,recorded_at\n"
    assert "number used again" not in told(tmp_path, tickets=head + rows)


def test_several_currencies_are_said(tmp_path: Path) -> None:
    head = "order_id,ordered_at,customer_id,amount,currency\n"
    mixed = head + "1,2026-01-01,a,5000,JPY\n2,2026-01-01,a,40,USD\n3,2026-01-01,a,4,\n"
    assert "JPY 1" in told(tmp_path / "1", orders=mixed)["several currencies"]
    one = head + "1,2026-01-01,a,50,USD\n2,2026-01-01,a,40,usd\n3,2026-01-01,a,4,\n"
    assert "several currencies" not in told(tmp_path / "2", orders=one)


def test_one_channel_in_three_spellings_is_said_and_can_be_made_one(tmp_path: Path) -> None:
    head = "ticket_id,opened_at,channel\n"
    rows = "1,2026-01-01,Phone\n2,2026-01-01,phone\n3,2026-01-01,PHONE \n4,2026-01-01,phone\n"
    assert "'phone', 'PHONE ', 'Phone'" in told(tmp_path, tickets=head + rows)["several spellings"]
    for name in ("Phone", "PHONE "):
        set_setting(tmp_path / "acme", ["import", "channels", name], "phone")
    frame = take(Workspace.open(tmp_path / "acme"), now=NOW).frame("tickets", ["channel"])
    assert set(frame["channel"]) == {"phone"}


def test_times_with_and_without_an_offset_in_one_column_are_said(tmp_path: Path) -> None:
    head = "ticket_id,opened_at,channel\n"
    mixed = head + "1,2026-01-01 09:00+02:00,email\n2,2026-01-01 09:00,email\n"
    assert "1 with, 1 without" in told(tmp_path / "1", tickets=mixed)["offsets in some rows"]
    alike = head + "1,2026-01-01 09:00Z,email\n2,2026-01-02 09:00 -0800,email\n3,2026-01-03,email\n"
    assert "offsets in some rows" not in told(tmp_path / "2", tickets=alike)


def test_ids_padded_in_one_table_only_are_an_error_with_its_remedy(tmp_path: Path) -> None:
    customers = "customer_id,signed_up_at\n1,2026-01-01\n2,2026-01-01\n"
    tickets = "ticket_id,opened_at,customer_id,channel\nt,2026-01-02,00001,email\n"
    said = told(tmp_path, customers=customers, tickets=tickets)["padded ids"]
    assert "00001 against 1" in said
    set_setting(tmp_path / "acme", "import.ids", "unpadded")
    opened = Workspace.open(tmp_path / "acme")
    assert check(opened, NOW).ok
    frame = take(opened, now=NOW).frame("tickets", ["customer_id"])
    assert frame["customer_id"].tolist() == ["1"]
