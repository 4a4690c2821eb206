"""Importing: by key, never doubled; what somebody set by hand is kept."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import ADAPTERS, adapter, run_import
from data.errors import DataError, UsageError
from data.workspace import Workspace, set_setting

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"


def shop(path: Path, *days: str) -> Path:
    rows = [
        f"{day.replace('-', '')},22350,BOWL,1,{day} 12:00:00,2.50,13085,United Kingdom"
        for day in days
    ]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def table(workspace: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(workspace / "tables" / f"{name}.parquet")


def test_an_import_makes_a_workspace_and_again_doubles_nothing(tmp_path: Path) -> None:
    source = shop(tmp_path / "shop.csv", "2010-01-04", "2010-01-05")
    first = run_import("online-retail", source, tmp_path / "acme")
    held = {name: table(tmp_path / "acme", name) for name in first.rows}
    again = run_import("online-retail", source, tmp_path / "acme")
    assert first.total_rows == again.total_rows == {"customers": 1, "orders": 2, "order_items": 2}
    for name, frame in held.items():
        pd.testing.assert_frame_equal(table(tmp_path / "acme", name), frame)
    settings = Workspace.open(tmp_path / "acme").settings
    assert settings.company.country == ("GB",)
    assert settings.company.time_zone == "Europe/London"
    assert settings.data.complete_to == datetime(2010, 1, 5)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_parts_in_any_order_keep_the_first_sight_of_a_customer(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    parts = [("2010-01-04", "2010-01-05"), ("2010-03-01", "2010-03-02")]
    for number in order:
        run_import(
            "online-retail", shop(tmp_path / f"{number}.csv", *parts[number]), tmp_path / "w"
        )
    assert len(table(tmp_path / "w", "orders")) == 4
    customers = table(tmp_path / "w", "customers")
    assert set(customers["signed_up_at"]) == {pd.Timestamp(2010, 1, 4, 12)}
    assert customers["recorded_at"].min() == pd.Timestamp(2010, 1, 4, 12)


def test_settings_made_by_hand_are_kept_and_said(tmp_path: Path) -> None:
    source = shop(tmp_path / "shop.csv", "2010-01-04", "2010-01-05")
    run_import("online-retail", source, tmp_path / "w")
    set_setting(tmp_path / "w", "company.time_zone", "Europe/Dublin")
    later = shop(tmp_path / "later.csv", "2010-01-06", "2010-01-07")
    report = run_import("online-retail", later, tmp_path / "w")
    settings = Workspace.open(tmp_path / "w").settings
    assert settings.company.time_zone == "Europe/Dublin"
    assert settings.data.complete_to == datetime(2010, 1, 7)
    assert any("company.time_zone is kept" in note for note in report.notes)
    assert any("complete_to was 2010-01-05" in note for note in report.notes)


def test_a_refused_file_writes_nothing(tmp_path: Path) -> None:
    source = shop(tmp_path / "shop.csv", "2010-01-04")
    source.write_text(source.read_text().replace("2.50", "dear"))
    with pytest.raises(DataError, match="'dear' is not a number"):
        run_import("online-retail", source, tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_wrong_names_are_refused_with_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='Did you mean "incidents"'):
        adapter("incident")
    source = shop(tmp_path / "shop.csv", "2010-01-04")
    with pytest.raises(UsageError, match=r'no option "wich"\. Did you mean "which"'):
        run_import("online-retail", source, tmp_path / "w", {"wich": "a"})
    with pytest.raises(UsageError, match="there is no file or folder"):
        run_import("online-retail", tmp_path / "none.csv", tmp_path / "w")
    (tmp_path / "a.zip").touch()
    with pytest.raises(UsageError, match="is none of"):
        run_import("online-retail", tmp_path / "a.zip", tmp_path / "w")


def test_listing_the_adapters_loads_nothing_heavy() -> None:
    code = "import data.adapters, sys; print([m for m in sys.modules if m in ('pandas', 'numpy')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_guide_names_every_adapter_and_option() -> None:
    guide = (Path(__file__).resolve().parents[4] / "docs" / "adapters.md").read_text()
    for name, found in ADAPTERS.items():
        assert f"`{name}`" in guide
        assert [option for option in found.options if f"{option}=" not in guide] == []
