"""A plan as a file that a spreadsheet opens without running anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from data.errors import UsageError
from data.settings import Settings
from serving.staffing import plan, write_plan

EVIL = '=cmd|" /C calc"!A1[x]:*?/ a long name of a channel'


@pytest.fixture
def two(forecast: Callable[..., pd.DataFrame], office: Settings) -> pd.DataFrame:
    levels = {"phone": office.service_levels["phone"], EVIL: office.service_levels["social"]}
    settings = replace(office, service_levels=levels)
    from urllib.parse import quote

    return plan(forecast({"phone": 3.0, quote(EVIL, safe=""): 2.0}), settings=settings)


def test_csv_goes_round_and_formulas_are_text(two: pd.DataFrame, tmp_path: Path) -> None:
    write_plan(two, tmp_path / "plan.csv")
    back = pd.read_csv(tmp_path / "plan.csv", parse_dates=["starts_at", "ends_at"])
    assert set(back["channel"]) == {"phone", "'" + EVIL}
    assert back["agents_net"].tolist() == two["agents_net"].tolist()
    assert (back["starts_at"] == two["starts_at"]).all()
    assert "T" in (tmp_path / "plan.csv").read_text().splitlines()[1].split(",")[1]


def test_a_workbook_has_a_summary_and_a_sheet_a_channel(two: pd.DataFrame, tmp_path: Path) -> None:
    import zipfile

    write_plan(two, tmp_path / "plan.xlsx")
    with zipfile.ZipFile(tmp_path / "plan.xlsx") as book:
        names = book.read("xl/workbook.xml").decode()
        sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        cells = "".join(book.read(name).decode() for name in sheets)
    assert len(sheets) == 3 and 'name="Summary"' in names and 'name="phone"' in names
    assert "<f>" not in cells


def test_a_workbook_tells_what_planners_changed(two: pd.DataFrame, tmp_path: Path) -> None:
    import zipfile

    told = pd.DataFrame({"unique_id": ["channel=phone"], "author": ["Ada"], "reason": ["=1+1"]})
    write_plan(two, tmp_path / "plan.xlsx", told)
    with zipfile.ZipFile(tmp_path / "plan.xlsx") as book:
        names = book.read("xl/workbook.xml").decode()
        words = book.read("xl/sharedStrings.xml").decode()
    assert 'name="Overrides"' in names
    assert ">Ada<" in words and ">'=1+1<" in words


def test_an_empty_plan_is_written_and_an_unknown_ending_refused(
    forecast: Callable[..., pd.DataFrame], office: Settings, tmp_path: Path
) -> None:
    empty = plan(forecast({"phone": 0.0}), settings=office)
    for ending in ("csv", "xlsx", "parquet"):
        write_plan(empty, tmp_path / f"plan.{ending}")
    assert pd.read_parquet(tmp_path / "plan.parquet").empty
    with pytest.raises(UsageError, match=r"plan.pdf"):
        write_plan(empty, tmp_path / "plan.pdf")
