"""Amounts of several currencies are never added: one main currency, others by a rate or unknown."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.check import check
from data.errors import SettingsError
from data.overlay import WithEvents
from data.snapshot import Snapshot, take
from data.workspace import Workspace, init, set_setting
from presage.given import tables_of

NOW = datetime(2026, 6, 1)
HEAD = "order_id,ordered_at,customer_id,amount,currency\n"
MIXED = (
    HEAD
    + "1,2026-01-01,a,5000,JPY\n2,2026-01-02,a,40,usd\n3,2026-01-03,a,10,EUR\n"
    + ("4,2026-01-04,a,2,\n5,2026-01-05,a,3,USD\n")
)
ITEMS = "order_id,line,amount\n1,1,5000\n2,1,40\n3,1,10\n4,1,2\n9,1,7\n"


def of(path: Path, settings: dict[str, object], **tables: str) -> tuple[Snapshot, list[str]]:
    workspace = init(path)
    for name, text in tables.items():
        (workspace.tables_dir / f"{name}.csv").write_text(text)
    for name, value in settings.items():
        set_setting(path, name, value)
    workspace = Workspace.open(path)
    said = [str(v) for v in check(workspace, NOW).violations if "currenc" in v.rule]
    return take(workspace, now=NOW), said


def amounts(tables: object, name: str = "orders", column: str = "amount") -> list[object]:
    values = tables.frame(name, [column])[column]  # type: ignore[attr-defined]
    return [None if pd.isna(value) else float(value) for value in values]


def test_others_are_unknown_without_a_rate_and_converted_with_one(tmp_path: Path) -> None:
    found, (said,) = of(
        tmp_path / "1", {"company.currency": "USD"}, orders=MIXED, order_items=ITEMS
    )
    assert amounts(found) == [None, 40, None, 2, 3]
    assert amounts(found, "order_items") == [None, 40, None, 2, 7]
    assert "USD 3, EUR 1, JPY 1" in said and "2 in others have no rate" in said
    rates = {"company.currency": "USD", "data.exchange_rates": {"EUR": 1.1, "JPY": 0.01}}
    found, (said,) = of(tmp_path / "2", rates, orders=MIXED, order_items=ITEMS)
    assert amounts(found) == pytest.approx([50, 40, 11, 2, 3])
    assert amounts(found, "order_items") == pytest.approx([50, 40, 11, 2, 7])
    assert "are converted" in said


def test_the_commonest_is_the_main_one_where_none_is_set(tmp_path: Path) -> None:
    euros = HEAD + "1,2026-01-01,a,10,EUR\n2,2026-01-01,a,20,EUR\n3,2026-01-01,a,30,USD\n"
    found, (said,) = of(tmp_path / "1", {}, orders=euros)
    assert amounts(found) == [10, 20, None] and "the commonest" in said
    alone = HEAD + "1,2026-01-01,a,10,EUR\n2,2026-01-01,a,20,\n"
    found, (said,) = of(tmp_path / "2", {}, orders=alone)
    assert amounts(found) == [10, 20] and 'set [company] currency = "EUR"' in said
    # one currency, and not the one that is stated
    found, (said,) = of(tmp_path / "3", {"company.currency": "USD"}, orders=alone)
    assert amounts(found) == [None, 20] and "exchange_rates = {EUR = ...}" in said


def test_signs_in_the_amounts_tell_the_currency(tmp_path: Path) -> None:
    signed = HEAD + "1,2026-01-01,a,€ 1000.5,\n2,2026-01-01,a,$ 40,\n3,2026-01-01,a,NOK 7,\n"
    values = "customer_id,signed_up_at,value\na,2026-01-01,€ 12\nb,2026-01-01,$ 9\nc,2026-01-01,3\n"
    given = {"company.currency": "CAD", "import.numbers": "1,234.5"}
    found, said = of(tmp_path / "1", given, orders=signed, customers=values)
    assert amounts(found) == [None, 40, None]  # $ is the company's own dollar
    assert amounts(found, "customers", "value") == [None, 9, 3]
    assert len(said) == 2 and any("CAD 2, EUR 1" in one for one in said)


def test_posted_rows_follow_the_snapshots_rule(tmp_path: Path) -> None:
    rates = {"company.currency": "USD", "data.exchange_rates": {"EUR": 2.0}}
    night, _ = of(tmp_path, rates, orders=MIXED)
    posted = pd.DataFrame(
        {"order_id": ["11", "12", "13"], "customer_id": "a", "ordered_at": "2026-02-01",
         "recorded_at": "2026-02-01", "amount": [4, 5, 6], "currency": ["eur", "JPY", None]}
    )  # fmt: skip
    items = pd.DataFrame(
        {"order_id": ["11", "3"], "line": "1", "amount": [4, 10], "recorded_at": "2026-02-01"}
    )
    live = WithEvents(night, {"orders": posted, "order_items": items})
    assert amounts(live)[-3:] == [8, None, 6]
    assert amounts(live, "order_items") == [8, 20]


def test_frames_without_settings_count_in_the_commonest() -> None:
    orders = pd.DataFrame(
        {"order_id": ["1", "2", "3"], "customer_id": "a", "ordered_at": "2026-01-01",
         "amount": [5000, 40, 3], "currency": ["JPY", "USD", "USD"]}
    )  # fmt: skip
    with pytest.warns(UserWarning, match="1 in others"):
        assert amounts(tables_of({"orders": orders})) == [None, 40, 3]


def test_a_rate_is_of_a_currency_and_above_zero(tmp_path: Path) -> None:
    for wrong in ({"euro": 1.0}, {"EUR": 0}):
        with pytest.raises(SettingsError, match="exchange_rates"):
            of(tmp_path / str(wrong), {"data.exchange_rates": wrong})
