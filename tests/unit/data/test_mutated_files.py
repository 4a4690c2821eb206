"""A small run of ``python -m benchmarks.files``: no file ends unexpectedly, no row is lost."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.files import run
from data.check import check
from data.errors import DataError
from data.snapshot import take
from data.workspace import init


def test_mutated_files_are_read_or_named_and_every_row_is_accounted_for() -> None:
    assert run(12, seed=7) == []


@pytest.mark.parametrize("column", ["ticket_id", "opened_at", "channel", "text"])
def test_a_byte_that_is_no_text_in_a_parquet_is_said_of_its_file(
    tmp_path: Path, column: str
) -> None:
    """What lies inside is read only when somebody asks for it, long after the file was opened."""
    row = {"ticket_id": "t1", "opened_at": "2026-01-05T09:00:00", "channel": "email", "text": "hm"}
    workspace = init(tmp_path)
    place = workspace.tables_dir / "tickets.parquet"
    frame = pd.DataFrame([{**row, column: "DAMAGED"}])
    frame.to_parquet(
        place, index=False, compression=None, use_dictionary=False, write_statistics=False
    )
    place.write_bytes(place.read_bytes().replace(b"DAMAGED", b"DAM\xcbGED"))
    now = datetime(2026, 6, 1)
    (error,) = check(workspace, now).errors
    assert error.rule == "unreadable" and str(error).startswith("tickets.parquet is damaged")
    with pytest.raises(DataError, match=r"tickets\.parquet is damaged"):
        take(workspace, now=now)
