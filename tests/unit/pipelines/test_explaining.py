"""A planner's questions are answered with numbers that add up to what is published."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import NotEnoughHistory, UsageError
from models.volume import VolumeContext, VolumeModel, train_volume
from pipelines.steps.explaining import PARTS, why, write_paths

FIRST = datetime(2024, 1, 1)
CONTEXT = VolumeContext()


def counts(moment: datetime) -> pd.DataFrame:
    """Two channels and their total, known up to the day before ``moment``."""
    days = (moment - FIRST).days
    if days < 60:
        raise NotEnoughHistory("too early")
    rng = np.random.default_rng(0)
    made = rng.poisson(30, (200, 2))[:days].astype(float)
    ds = pd.date_range(FIRST, periods=days)
    parts = {"channel=a": made[:, 0], "channel=b": made[:, 1], "total": made.sum(axis=1)}
    frames = [pd.DataFrame({"unique_id": n, "ds": ds, "y": y}) for n, y in parts.items()]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def model() -> VolumeModel:
    return train_volume(counts(FIRST + timedelta(days=100)), horizon=7, freq="D")


def test_a_number_is_taken_apart_and_its_change_adds_up(model):
    as_of = FIRST + timedelta(days=110)
    data, lines = why(model, counts, CONTEXT, as_of, "channel=a", None, 1.1)
    published = model.forecast(counts(as_of)).set_index(["unique_id", "ds"])["presage"]
    number = published[("channel=a", pd.Timestamp(as_of))]
    assert data["presage"] == pytest.approx(number * 1.1)
    assert sum(row["part"] for row in data["members"]) == pytest.approx(data["combined"])
    change = data["change"]
    assert change["after"] == pytest.approx(number)
    assert change["before"] + sum(change[name] for name in PARTS) == pytest.approx(number)
    assert change["new_counts"] != 0
    assert any(line.startswith("a day ago") for line in lines)


def test_the_first_day_has_no_yesterday_and_a_wrong_series_is_named(model):
    data, lines = why(model, counts, CONTEXT, FIRST + timedelta(days=60), "total", None, 1.0)
    assert data["change"] is None
    assert lines[-1] == "there is no forecast of the day before"
    with pytest.raises(UsageError, match="channel=a"):
        why(model, counts, CONTEXT, FIRST + timedelta(days=60), "chanel=a", None, 1.0)


def test_paths_are_whole_contacts_that_add_up(model, tmp_path: Path):
    out = tmp_path / "paths.parquet"
    rows = write_paths(model, counts(FIRST + timedelta(days=110)), CONTEXT, 5, 8, 0, 1.0, out)
    frame = pd.read_parquet(out)
    assert rows == len(frame) == 8 * 3 * 5
    assert (frame["y"] == frame["y"].round()).all()
    wide = frame.pivot_table(index=["path", "ds"], columns="unique_id", values="y")
    np.testing.assert_allclose(wide["channel=a"] + wide["channel=b"], wide["total"])
