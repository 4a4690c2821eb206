"""Small; the whole is ``python -m benchmarks.crash`` and ``python -m benchmarks.damage``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def rows(command: list[str]) -> list[list[str]]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_scoring_that_is_killed_or_finds_no_room_leaves_nothing_torn_and_goes_on(
    trained_workspace: Path,
) -> None:
    command = [sys.executable, "-m", "benchmarks.crash", "--workspace", str(trained_workspace)]
    told = rows([*command, "--verbs", "score", "--random", "1", "--trials", "4"])
    assert [row[1] for row in told] == [
        "killed", "disk full from then on", "one I/O error", "killed at random",
    ]  # fmt: skip
    assert sum(int(row[2].split()[0]) for row in told) == 4
    assert all(int(row[2].split()[-1]) > 100 for row in told[:3])  # that many calls were counted
    assert [row[-1] for row in told] == ["0"] * 4, told
