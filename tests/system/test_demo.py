"""`presage demo` on a smaller company; README shows the lines that it prints."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
TITLES = (
    "What the models are worth",
    "Which customers, and why",
    "How many contacts",
    "How many people, and when",
    "Is the plan enough?",
    "Whom to contact, and for what",
)
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.system]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "company"


@pytest.fixture(scope="module")
def lines(run_presage: Run, folder: Path) -> list[str]:
    """What the demo tells of a company a tenth as large, with a shorter past."""
    done = run_presage("demo", folder, "--once", "--customers", 700, "--days", 280, "--seed", 2)
    assert f"{folder} is ready: presage serve {folder}" in done.stdout
    return done.stderr.splitlines()


def section(lines: list[str], title: str) -> list[str]:
    """The lines under a title, up to the next empty one."""
    begin = next(i for i, line in enumerate(lines) if line.startswith(title))
    rest = lines[begin + 1 :]
    end = rest.index("") if "" in rest else len(rest)
    return [line.strip() for line in rest[:end]]


def cells(line: str) -> list[str]:
    """A table's row by its columns, which two spaces or more part."""
    return re.split(r"\s{2,}", line.strip())


def test_every_part_of_the_loop_is_told_in_order(lines: list[str]) -> None:
    found = [title for line in lines for title in TITLES if line.startswith(title)]
    assert found == list(TITLES)
    text = "\n".join(lines)
    assert "Traceback" not in text
    assert "unexpected" not in text
    # one score and one forecast serve every later step
    assert len(re.findall(r"scoring \d+ customers", text)) == 1
    assert len(re.findall(r"forecasting \d+ series", text)) == 1
    assert re.search(r"one number: \d+ contacts in 28 days|one number: \d+ contacts", text)


def test_people_are_whole_and_occupancy_stands_beside(lines: list[str], folder: Path) -> None:
    told = section(lines, "How many people, and when")
    header = cells(told[0])
    assert {"answering then", "paid hours", "occupancy", "promised in time"} <= set(header)
    rows = [dict(zip(header, cells(line), strict=True)) for line in told[1:5]]
    assert {row["channel"] for row in rows} == {"chat", "email", "phone", "social"}
    about = json.loads((folder / ".presage/published/staffing.json").read_text())
    plan = pd.read_parquet(folder / ".presage/published" / about["file"])
    week = plan[plan["starts_at"] < plan["starts_at"].min() + pd.Timedelta(days=7)]
    for row in rows:
        mine = week[week["channel"] == row["channel"]]
        assert int(row["answering then"]) == mine["agents_net"].max()
        busy = (mine["occupancy"] * mine["agents_net"] * mine["open_seconds"]).sum()
        available = (mine["agents_net"] * mine["open_seconds"]).sum()
        assert row["occupancy"] == f"{busy / available:.0%}"


def test_the_company_judges_the_plan(lines: list[str]) -> None:
    told = section(lines, "Is the plan enough?")
    header = cells(told[0])
    rows = [dict(zip(header, cells(line), strict=True)) for line in told[1:5]]
    for row in rows:
        share, low, high = (float(n) for n in re.findall(r"([\d.]+)%", row["answered in time"]))
        assert low <= share <= high
        promised = float(row["promised"].rstrip("%"))
        verdict = "kept" if share >= promised else "within" if high >= promised else "missed"
        assert row["promise"].startswith(verdict)
        assert 0 < float(row["occupancy"].rstrip("%")) < 100


def test_the_forecast_stands_beside_plain_rules_and_chance(lines: list[str]) -> None:
    told = section(lines, "How many contacts")
    at = next(i for i, line in enumerate(told) if line.startswith("each day was off by"))
    header = cells(told[at + 1])
    total = next(cells(line) for line in told[at + 2 :] if line.startswith("total"))
    found = dict(zip(header, total, strict=True))
    assert found["series"] == "total"
    named = {"this forecast", "the season before", "mean of 8 same slots", "chance alone"}
    assert named <= set(found)
    assert float(found["this forecast"].rstrip("%")) < 40


def shape(line: str) -> tuple[object, ...]:
    """A line without its figures: of a row of a table the first word and the columns' number."""
    parts = cells(line)
    if len(parts) >= 3:
        return re.sub(r"\d+", "0", parts[0]), len(parts)
    return (re.sub(r"[-+]?\d[\d,.:]*", "0", line.strip()),)


def test_readme_shows_lines_that_the_demo_prints(lines: list[str]) -> None:
    readme = (ROOT / "README.md").read_text()
    excerpt = readme.split("$ presage demo --once\n")[1].split("```")[0]
    shown = [line for line in excerpt.splitlines() if line.strip() not in ("", "...")]
    assert len(shown) > 20
    printed = {shape(line) for line in lines}
    assert [line for line in shown if shape(line) not in printed] == []


def test_a_folder_of_something_else_is_left_alone(run_presage: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    done = run_presage("demo", tmp_path, "--once", code=2)
    assert "is not empty and no earlier demo" in done.stderr
    assert (tmp_path / "letter.txt").read_text() == "mine"
