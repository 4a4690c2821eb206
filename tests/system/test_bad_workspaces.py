"""A workspace that may only be read: what would write there says so, and what to do."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from data.workspace import init, write_tables

pytestmark = pytest.mark.system
PRESAGE = Path(sys.executable).with_name("presage")
DROP_CAPABILITY = 24
MODE_IS_NO_LIMIT = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: with these, root writes whatever a file's mode says."""


def as_anybody() -> None:
    """Before the program starts: give up what lets root pass by a file's mode."""
    libc = ctypes.CDLL(None)
    for capability in MODE_IS_NO_LIMIT:
        libc.prctl(DROP_CAPABILITY, capability, 0, 0, 0)


@pytest.mark.parametrize(("verb", "file"), [("check", "snapshots"), ("forecast", "store.db")])
def test_a_read_only_workspace_is_refused_by_name(verb: str, file: str, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    init(folder)
    days = pd.date_range("2026-01-01", periods=60, freq="D")
    write_tables(folder, {"volumes": pd.DataFrame({"unique_id": "calls", "ds": days, "y": 30})})
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    refused = subprocess.run(
        [PRESAGE, verb, folder],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=as_anybody,
    )
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    assert refused.returncode == 1, refused.stderr
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("presage: ")]
    assert f"/{file}" in line and "this user may not write or read there" in line
    assert "Traceback" not in refused.stderr
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
