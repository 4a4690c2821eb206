"""Pages that are made from code are what it says, and the example of adding a feature is true."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lab.catalogue import catalogue
from lab.reference import reference

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "features.md"


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text() == catalogue(), "run: python -m lab.catalogue > docs/features.md"


def test_the_reference_is_not_stale() -> None:
    page = (ROOT / "docs" / "reference.md").read_text()
    assert page == reference(), "run: python -m lab.reference > docs/reference.md"


def test_the_examples_of_the_page_answer_as_it_says() -> None:
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=options)
    assert found.attempted > 10 and found.failed == 0


ASK = """
import sys
import pandas as pd
from data.settings import Complaint, Settings
from data.tables import MemoryTables
from lab.catalogue import catalogue
from features.compute import compute
from features.views import default_view
name = sys.argv[1]
orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "a"],
    "ordered_at": ["2026-01-01", "2026-01-08T12:00"], "returned_at": ["2026-01-02", "2026-01-09"]})
tables = MemoryTables({"orders": orders})
view = default_view(tables, Settings())
spine = pd.DataFrame({"customer_id": ["a", "b"], "as_of": pd.to_datetime(["2026-01-09T12:00"] * 2)})
print(view[name].card()["note"])
print(compute(view.select((name,)), spine, tables)[name].tolist())
print(f"`{name}`" in catalogue().split("## The ")[-1])
"""


def test_one_line_adds_a_feature_everywhere(tmp_path: Path) -> None:
    """The page's own diff, applied to a copy of the code."""
    page = PAGE.read_text()
    diff = page.split("```diff\n")[1].split("```")[0].splitlines()
    place = diff[0].removeprefix("--- ")
    before = diff[1].removeprefix(" ")
    added = [line.removeprefix("+") for line in diff[2:]]
    assert len(added) == 1
    shutil.copytree(ROOT / "features", tmp_path / "features")
    target = tmp_path / place
    lines = target.read_text().splitlines()
    at = lines.index(before) + 1
    target.write_text("\n".join([*lines[:at], *added, *lines[at:]]) + "\n")
    told = re.search(r"It is called `(\w+)`", page)
    assert told is not None
    done = subprocess.run(
        [sys.executable, "-c", ASK, told[1]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "returned orders in the last 36 hours",
        "[1.0, 0.0]",
        "True",
    ]
