"""A plan as a file: local times and live formulas in a workbook, units, nothing that runs."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.errors import UsageError
from data.settings import Settings
from serving.staffing import plan, write_plan
from serving.staffing.exports import plan_file
from serving.staffing.workbook import Background

EVIL = '=cmd|" /C calc"!A1[x]:*?/ a long name of a channel'


@pytest.fixture
def two(forecast: Callable[..., pd.DataFrame], office: Settings) -> pd.DataFrame:
    levels = {"phone": office.service_levels["phone"], EVIL: office.service_levels["social"]}
    settings = replace(office, service_levels=levels)
    from urllib.parse import quote

    return plan(forecast({"phone": 3.0, quote(EVIL, safe=""): 2.0}), settings=settings)


@pytest.fixture
def background(office: Settings) -> Background:
    accuracy = pd.DataFrame({"unique_id": ["channel=phone"], "trials": [12], "presage": [0.21]})
    told = pd.DataFrame({"unique_id": ["channel=phone"], "author": ["Ada"], "reason": ["=1+1"]})
    return Background(office, {"as_of": "2026-03-02T00:00:00"}, told, accuracy)


def sheets(content: bytes) -> dict[str, dict[str, dict[str, Any]]]:
    """Every cell of a workbook by sheet and reference: its value, formula and number format."""
    import re
    from xml.etree import ElementTree

    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        read = {
            name: ElementTree.fromstring(book.read(name))
            for name in book.namelist()
            if name.endswith(".xml")
        }
    words = ["".join(one.itertext()) for one in read["xl/sharedStrings.xml"].findall("m:si", space)]
    styles = read["xl/styles.xml"]
    formats = {
        one.get("numFmtId"): one.get("formatCode")
        for one in styles.findall("m:numFmts/m:numFmt", space)
    }
    used = [
        formats.get(one.get("numFmtId"), one.get("numFmtId"))
        for one in styles.findall("m:cellXfs/m:xf", space)
    ]
    names = [one.get("name") for one in read["xl/workbook.xml"].findall("m:sheets/m:sheet", space)]
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for number, name in enumerate(names, 1):
        cells = {}
        for cell in read[f"xl/worksheets/sheet{number}.xml"].iter(f"{{{space['m']}}}c"):
            value, formula = cell.find("m:v", space), cell.find("m:f", space)
            text = None if value is None else value.text
            told: Any = words[int(text)] if cell.get("t") == "s" and text else text
            form = used[int(cell.get("s", "0"))]
            cells[str(cell.get("r"))] = {
                "value": told,
                "formula": None if formula is None else formula.text,
                "format": form,
            }
        assert name is not None and re.fullmatch(r"[^\[\]:*?/\\\\]{1,31}", name)
        found[name] = cells
    return found


def head(cells: dict[str, dict[str, Any]]) -> dict[str, str]:
    """A sheet's column letter by its head."""
    return {
        cell["value"]: at[:-1]
        for at, cell in cells.items()
        if at.rstrip("1").isalpha() and at.endswith("1") and at[:-1].isalpha()
    }


def test_csv_goes_round_and_formulas_are_text(two: pd.DataFrame, tmp_path: Path) -> None:
    write_plan(two, tmp_path / "plan.csv")
    back = pd.read_csv(tmp_path / "plan.csv", parse_dates=["starts_at", "ends_at"])
    assert set(back["channel"]) == {"phone", "'" + EVIL}
    assert back["agents_net"].tolist() == two["agents_net"].tolist()
    assert (back["starts_at"] == two["starts_at"]).all()
    assert "T" in (tmp_path / "plan.csv").read_text().splitlines()[1].split(",")[1]


def test_a_workbook_says_its_times_in_the_companys_clock(
    two: pd.DataFrame, background: Background
) -> None:
    cells = sheets(plan_file(two, "xlsx", background))["phone"]
    columns = head(cells)
    starts = cells[columns["starts_at (Europe/Oslo)"] + "2"]
    assert starts["format"] == "yyyy-mm-dd hh:mm"
    midnight = two[two["channel"] == "phone"]["starts_at"].iloc[0]
    shown = pd.Timestamp("1899-12-30") + pd.Timedelta(days=float(starts["value"]))
    assert shown.round("s") == midnight + pd.Timedelta(hours=1), "Oslo is an hour ahead"
    assert cells[columns["date (Europe/Oslo)"] + "2"]["format"] == "yyyy-mm-dd"
    assert cells[columns["utc_offset_hours"] + "2"]["value"] == "1"
    assert cells[columns["service_level"] + "20"]["format"] == "0.0%"


def test_paid_people_are_a_formula_that_a_person_can_recompute(
    two: pd.DataFrame, background: Background
) -> None:
    book = sheets(plan_file(two, "xlsx", background))
    cells, assumed = book["phone"], book["Assumptions"]
    columns = head(cells)
    assert (assumed["A2"]["value"], float(assumed["B2"]["value"])) == ("shrinkage", 0.3)
    rows = two[two["channel"] == "phone"]
    busiest = int(rows["agents_net"].to_numpy().argmax()) + 2
    gross, net = (cells[f"{columns[name]}{busiest}"] for name in ("agents_gross", "agents_net"))
    assert (
        gross["formula"]
        == f"ROUNDUP({columns['agents_net']}{busiest}/(1-Assumptions!$B$2)-0.00000001,2)"
    )
    by_hand = math.ceil(float(net["value"]) / (1 - 0.3) * 100 - 1e-6) / 100
    assert float(gross["value"]) == pytest.approx(by_hand) == rows["agents_gross"].max()
    total = cells[f"{columns['hours_gross']}{len(rows) + 2}"]
    assert (
        total["formula"]
        == f"SUM({columns['hours_gross']}2:{columns['hours_gross']}{len(rows) + 1})"
    )
    hours = (rows["agents_gross"] * rows["open_seconds"] / 3600).sum()
    assert float(total["value"]) == pytest.approx(hours)
    summary = book["Summary"]
    assert (summary["A3"]["value"], summary["A4"]["value"]) == ("phone", "all channels")
    assert float(summary["F3"]["value"]) == pytest.approx(hours)
    assert summary["F4"]["formula"] == "SUM(F2:F3)"


def test_a_workbook_tells_assumptions_accuracy_and_what_planners_changed(
    two: pd.DataFrame, background: Background
) -> None:
    book = sheets(plan_file(two, "xlsx", background))
    words = [cell["value"] for cell in book["Assumptions"].values()]
    for said in (
        "hourly cost",
        "full-time week",
        "time zone of this file",
        "Europe/Oslo",
        "channel=phone",
        "phone: promised share",
    ):
        assert said in words
    changed = [cell["value"] for cell in book["Overrides"].values()]
    assert "Ada" in changed and "'=1+1" in changed


def test_no_formula_of_a_workbook_comes_from_data(
    two: pd.DataFrame, background: Background, tmp_path: Path
) -> None:
    known = ("ROUNDUP(", "SUM(", "SUMPRODUCT(", "'", "F")
    for cells in sheets(plan_file(two, "xlsx", background)).values():
        for at, cell in cells.items():
            assert not str(cell["value"]).startswith("=")
            if cell["formula"] is not None and not cell["formula"].startswith(known):
                assert cell["formula"][0].isalpha() and "cmd" not in cell["formula"], at
    write_plan(two, tmp_path / "plan.xlsx")
    plain = sheets((tmp_path / "plan.xlsx").read_bytes())
    assert "Assumptions" not in plain and "starts_at (UTC)" in head(plain["phone"])


def test_both_hours_of_the_autumn_change_stand_in_every_layout(
    forecast: Callable[..., pd.DataFrame], office: Settings, background: Background
) -> None:
    settings = replace(office, opening_hours={})
    frame = plan(forecast({"phone": 3.0}, "2026-10-24T22:00", 6), settings=settings)
    hour = frame[frame["starts_at"].isin(pd.to_datetime(["2026-10-25T00:00", "2026-10-25T01:00"]))]
    told = plan_file(hour, "calabrio", replace(background, settings=settings)).decode()
    assert [line.split(",")[1] for line in told.splitlines()[1:]] == ["20261025 02:00"] * 2
    cells = sheets(plan_file(hour, "xlsx", replace(background, settings=settings)))["phone"]
    offset = head(cells)["utc_offset_hours"]
    assert [cells[f"{offset}{row}"]["value"] for row in (2, 3)] == ["2", "1"]


def test_calabrios_layout_and_parquets_units(two: pd.DataFrame, background: Background) -> None:
    import pyarrow.parquet as pq

    lines = plan_file(two, "calabrio", background).decode().splitlines()
    assert lines[0] == "skill,start,end,volume,task_s,after_s"
    assert lines[1].split(",")[1] == "20260302 01:00"
    schema = pq.read_schema(io.BytesIO(plan_file(two, "parquet", background)))
    assert schema.field("handle_seconds").metadata == {b"unit": b"seconds"}
    assert schema.field("volume").metadata == {b"unit": b"contacts"}


def test_an_empty_plan_is_written_and_an_unknown_ending_refused(
    forecast: Callable[..., pd.DataFrame],
    office: Settings,
    background: Background,
    tmp_path: Path,
) -> None:
    empty = plan(forecast({"phone": 0.0}), settings=office)
    for ending in ("csv", "xlsx", "parquet"):
        write_plan(empty, tmp_path / f"plan.{ending}", background=background)
    assert pd.read_parquet(tmp_path / "plan.parquet").empty
    with pytest.raises(UsageError, match=r"plan.pdf"):
        write_plan(empty, tmp_path / "plan.pdf")
