"""Published results: whole, verified, the newest one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.errors import DamagedFile
from serving.published import KEEP, earlier, newest, pointer, publish

NOW = datetime(2026, 3, 2, 1)


def _frame(value: float) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": ["a", "b"], "risk_7d": [value, 0.1 + 0.2]})


def test_nothing_published_is_none(tmp_path: Path) -> None:
    assert newest(tmp_path, "scores") is None
    assert pointer(tmp_path, "scores") is None


def test_the_newest_comes_back_to_the_bit(tmp_path: Path) -> None:
    publish(tmp_path, "scores", _frame(0.5), as_of=datetime(2026, 3, 1), now=NOW, model_version="1")
    publish(tmp_path, "scores", _frame(0.7), as_of=datetime(2026, 3, 2), now=NOW, model_version="2")
    found = newest(tmp_path, "scores")
    assert found is not None
    assert found.as_of == datetime(2026, 3, 2)
    assert found.about["model_version"] == "2"
    pd.testing.assert_frame_equal(found.frame, _frame(0.7), check_exact=True)


def test_a_damaged_result_is_refused_by_name(tmp_path: Path) -> None:
    path = publish(tmp_path, "forecast", _frame(0.5), as_of=datetime(2026, 3, 1), now=NOW)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedFile, match=path.name):
        newest(tmp_path, "forecast")


def test_a_damaged_result_of_the_past_is_refused_by_name(tmp_path: Path) -> None:
    path = publish(tmp_path, "scores", _frame(0.5), as_of=datetime(2026, 3, 1), now=NOW)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DamagedFile, match=rf"{path.name} is damaged: .* remove it"):
        earlier(tmp_path, "scores", "customer_id", "a", lambda name: True)


def test_old_results_are_pruned_and_the_newest_stays(tmp_path: Path) -> None:
    for day in range(1, KEEP + 6):
        publish(tmp_path, "scores", _frame(day), as_of=datetime(2026, 3, day), now=NOW)
    files = list((tmp_path / "published").glob("scores-*.parquet"))
    assert len(files) == KEEP
    found = newest(tmp_path, "scores")
    assert found is not None and found.frame["risk_7d"].iloc[0] == KEEP + 5
