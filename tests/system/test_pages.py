"""Every block of README and of the first hours that somebody types is run, on small companies."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from data.workspace import set_setting

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.system]
ELSEWHERE = {
    "serve": "tests/system/test_service.py",
    "up": "tests/system/test_up.py",
    "demo": "tests/system/test_demo.py",
}
"""Verbs that do not end: each is started by tests of its own."""
CUSTOMERS = 600
KEPT = {"channel": ("email", "phone"), "topic": ("delivery", "defect")}
"""Other channels and topics become the first of these."""


def typed(page: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each command of Presage in the blocks of a page, and the lines that are shown below it."""
    text = (ROOT / page).read_text()
    for block in re.findall(r"```(?:console|sh)?\n(.*?)```", text, re.DOTALL):
        lines = block.rstrip("\n").splitlines()
        for at, line in enumerate(lines):
            command = line.removeprefix("$ ").partition("  #")[0].split()
            if command and command[0].endswith("presage"):
                shown = lines[at + 1 :] if line.startswith("$ ") else []
                yield command[1:], shown


def run(page: str, left_out: set[str]) -> list[str]:
    """The verbs that were run, in their order; each ends as it should and shows what is shown."""
    from pipelines.cli import app

    verbs = []
    for command, shown in typed(page):
        verb = command[0]
        if verb in ELSEWHERE:
            assert (ROOT / ELSEWHERE[verb]).is_file()
        elif verb not in left_out:
            done = CliRunner().invoke(app, command)
            fine = (0, 1) if verb == "monitor" else (0,)
            assert done.exit_code in fine, f"{command}\n{done.output}"
            assert "Traceback" not in done.output
            assert [line for line in shown if line not in done.output] == [], done.output
            verbs.append(verb)
    return verbs


def fewer(company: Path) -> None:
    """So few customers, moments and series that it learns in seconds."""
    ids = sorted(pd.read_parquet(company / "tables" / "customers.parquet")["customer_id"].unique())
    for path in (company / "tables").glob("*.parquet"):
        rows = pd.read_parquet(path)
        if "customer_id" in rows:
            rows = rows[rows["customer_id"].isin(ids[:CUSTOMERS])]
        for name, kept in KEPT.items() if path.stem == "tickets" else ():
            rows = rows.assign(**{name: rows[name].where(rows[name].isin(kept), kept[0])})
        rows.to_parquet(path, index=False)
    set_setting(company, "risk.as_ofs", 4)
    set_setting(company, "volume.freq", "D")


def test_the_data_scientists_first_hour(
    trained_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained_workspace, tmp_path / "company")
    fewer(tmp_path / "company")
    monkeypatch.chdir(tmp_path)
    verbs = run("docs/first-hour-data-scientist.md", left_out=set())
    assert verbs == ["doctor", "features", "train", "models", "models", "backtest", "monitor"]
    risk = pd.read_parquet(tmp_path / "backtest.parquet")  # as the contract says
    of_each = {f"{what}_{days}d" for what in ("risk", "label") for days in (7, 14, 30)}
    assert {"customer_id", "cutoff", *of_each} <= set(risk)
    assert list(risk["cutoff"].unique()) == [pd.Timestamp("2024-08-01"), pd.Timestamp("2024-09-01")]
    assert risk["risk_14d"].between(0, 1).all() and set(risk["label_14d"]) == {0.0, 1.0}
    tickets = pd.read_parquet(tmp_path / "company" / "tables" / "tickets.parquet")
    assert set(risk["topic"]) <= set(tickets["topic"].dropna())
    assert set(risk["model"]) <= {"learned", "rule"}


def test_the_planners_first_hour(
    trained_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained_workspace, tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    assert run("docs/planners.md", left_out=set()) == ["monitor", "staff", "keys"]


def test_readme(trained_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what the company was made by (train), and the import of a file that others have."""
    shutil.copytree(trained_workspace, tmp_path / "company")
    monkeypatch.chdir(tmp_path)
    verbs = run("README.md", left_out={"train", "import"})
    assert verbs == ["init", "check", "score", "forecast", "staff", "outreach"]
    for name in ("scores.csv", "forecast.csv", "plan.xlsx", "outreach.csv"):
        assert (tmp_path / name).stat().st_size > 1000
