"""What only a whole table shows is said, with an example and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
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


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("tickets", "ticket_id,opened_at,customer_id,channel\nT-1,2025-01-01,anna,email\n"
         "T-1,2026-01-01,dora,email\n"),
        ("tickets", "ticket_id,opened_at,channel\nT-1,2025-01-01,email\nT-1,2026-01-01,email\n"),
        ("tickets", "ticket_id,opened_at,customer_id,channel\nT-1,2025-01-01,anna,email\n"
         "T-1,2026-01-01,,email\n"),
        ("customers", "customer_id,signed_up_at,name\nT-1,2025-01-01,Ann\nT-1,2026-01-01,Cy\n"),
        ("orders", "order_id,ordered_at,customer_id\nT-1,2025-01-01,a\nT-1,2026-01-01,b\n"),
        ("agents", "agent_id,hired_at\nT-1,2025-01-01\nT-1,2026-01-01\n"),
    ],
)  # fmt: skip
def test_a_number_used_again_is_said(tmp_path: Path, name: str, rows: str) -> None:
    assert "'T-1'" in told(tmp_path, **{name: rows})["number used again"]


def test_rows_of_long_before_the_others_are_said(tmp_path: Path) -> None:
    rows = "".join(f"{n},2026-01-{n % 28 + 1:02},email\n" for n in range(150))
    head = "ticket_id,opened_at,channel\n"
    lone = told(tmp_path / "1", tickets=head + "x,1904-01-01,email\n" + rows)
    assert "1 rows of 151" in lone["long before the others"]
    old = "".join(f"o{n},2011-03-01,email\n" for n in range(20))  # a company that paused
    assert "long before the others" not in told(tmp_path / "2", tickets=head + old + rows)


def test_a_site_that_no_setting_knows_is_said(tmp_path: Path) -> None:
    rows = {"tickets": "ticket_id,opened_at,channel,site\n1,2026-01-01,email,manila\n"}
    assert "unknown site" not in told(tmp_path, **rows)
    set_setting(tmp_path / "acme", ["sites", "Manila", "time_zone"], "Asia/Manila")
    workspace = Workspace.open(tmp_path / "acme")
    said = {v.rule: str(v) for v in check(workspace, NOW).violations}
    assert 'Did you mean "Manila"' in said["unknown site"]


@pytest.mark.parametrize(
    ("attribute", "fix"),
    [
        ("ticket.plan", 'there is no table ticket. Did you mean "tickets"?'),
        ("order.gift:date", 'there is no table order. Did you mean "orders"?'),
        ("tier", "there is no table customers"),
    ],
)
def test_an_attribute_of_a_table_that_is_not_there_is_said(
    tmp_path: Path, attribute: str, fix: str
) -> None:
    init(tmp_path / "acme")
    set_setting(tmp_path / "acme", "data.attributes", [attribute])
    rows = "ticket_id,opened_at,channel,plan\n1,2026-01-01,email,gold\n"
    assert fix in told(tmp_path, tickets=rows)["unknown attribute"]


def test_days_of_volumes_end_by_their_site_s_clock(tmp_path: Path) -> None:
    rows = []
    for site, zone in (("oslo", "Europe/Oslo"), ("manila", "Asia/Manila")):
        midnights = pd.date_range("2026-03-20", "2026-04-08", tz=zone).tz_convert("UTC")
        rows += [f"{site},{at:%Y-%m-%dT%H:%M:%SZ},1,{site}" for at in midnights]
    workspace = init(tmp_path / "acme")
    (workspace.tables_dir / "volumes.csv").write_text("\n".join(["unique_id,ds,y,site", *rows]))
    set_setting(workspace.path, ["company", "time_zone"], "Europe/Oslo")
    set_setting(workspace.path, ["sites", "manila", "time_zone"], "Asia/Manila")
    frame = take(Workspace.open(workspace.path), now=NOW).frame("volumes")
    for _, series in frame.groupby("unique_id"):  # Oslo's clock is put forward, Manila's is not
        assert series["recorded_at"].tolist()[:-1] == series["ds"].tolist()[1:]


def test_an_order_that_a_ticket_names_with_other_zeros_is_said(tmp_path: Path) -> None:
    orders = "order_id,customer_id,ordered_at\n007,c,2026-01-05\n"
    tickets = "ticket_id,opened_at,channel,order_id\n1,2026-01-06,chat,{}\n"
    assert "padded ids" in told(tmp_path / "a", orders=orders, tickets=tickets.format("7"))
    # an order of before the export is nothing to mend
    known = told(tmp_path / "b", orders=orders, tickets=tickets.format("8"))
    assert not {"padded ids", "unknown reference"} & set(known)


TABLES = {
    "customers": "customer_id,signed_up_at\n{}\n",
    "orders": "order_id,ordered_at,customer_id\n{}\n",
    "usage": "event_id,used_at,feature,customer_id\n{}\n",
    "tickets": "ticket_id,opened_at,channel,customer_id\n{}\n",
    "feedback": "feedback_id,given_at,kind,customer_id\n{}\n",
}
REST = {
    "customers": "{id},2026-01-01",
    "orders": "{n},2026-01-05,{id}",
    "usage": "{n},2026-01-05,login,{id}",
    "tickets": "{n},2026-01-06,chat,{id}",
    "feedback": "{n},2026-01-06,survey,{id}",
}


def spelt(folder: Path, **ids: Sequence[str]) -> set[str]:
    """Rules of other spellings that ``presage check`` names where tables have such customers."""
    rows = {
        name: TABLES[name].format("\n".join(REST[name].format(n=n, id=i) for n, i in enumerate(of)))
        for name, of in ids.items()
    }
    return {"padded ids", "ids in another case", "unknown reference"} & set(told(folder, **rows))


def test_ids_that_differ_in_case_or_zeros_between_any_two_tables_are_said(tmp_path: Path) -> None:
    cased, padded = {"ids in another case"}, {"padded ids"}
    pairs = [("customers", "tickets"), ("orders", "tickets"), ("orders", "usage"),
             ("usage", "tickets"), ("tickets", "feedback")]  # fmt: skip
    for n, (one, other) in enumerate(pairs):
        at = tmp_path / str(n)
        assert spelt(at / "a", **{one: ["C-1a"], other: ["C-1A", "C-1A"]}) == cased, (one, other)
        assert spelt(at / "b", **{one: ["007"], other: ["7"]}) == padded, (one, other)
    assert spelt(tmp_path / "c", orders=["a", "b"], tickets=["a", "c"]) == set()


def test_ids_whose_case_tells_them_apart_are_two(tmp_path: Path) -> None:
    salesforce = ["0015g00000AbCdE", "0015g00000AbCde"]
    assert spelt(tmp_path / "a", orders=salesforce, tickets=["0015g00000ABCdE"]) == set()
    mails = ["Ann@x.no", "ann@x.no"]  # an address is one, however it was typed
    assert spelt(tmp_path / "b", orders=["ann@x.no"], tickets=mails) == {"ids in another case"}
    merged = "id,customer_id,valid_from\nC-1A,C-1a,2026-01-01\n"
    tables = {name: TABLES[name].format(REST[name].format(n=1, id=i))
              for name, i in (("orders", "C-1a"), ("tickets", "C-1A"))}  # fmt: skip
    assert "ids in another case" not in told(tmp_path / "c", identities=merged, **tables)


def test_series_that_differ_in_case_or_blanks_only_are_said(tmp_path: Path) -> None:
    volumes = "unique_id,ds,y\nPhone,2026-01-05,1\nphone,2026-01-05,1\nmail,2026-01-05,1\n"
    assert "'Phone', 'phone'" in told(tmp_path, volumes=volumes)["several spellings"]
