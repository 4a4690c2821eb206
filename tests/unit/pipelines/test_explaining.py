"""A planner's questions are answered with numbers that add up to what is published."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from data.errors import NotEnoughHistory
from data.store import open_store, save_forecast
from data.workspace import init
from models.outreach_line import HELD, LINE, Change, Contacted, with_line
from models.volume import VolumeContext, VolumeModel, audit, train_volume
from pipelines.steps.explaining import (
    CHANGE,
    NUMBERS,
    WORDS,
    Earlier,
    earlier_forecast,
    what_changed,
    why,
    write_paths,
)
from pipelines.steps.one_number import scaled
from serving.api import schemas_forecast

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


def moved(model: VolumeModel, as_of: datetime, scale: float, earlier: Earlier) -> pd.DataFrame:
    alone = model.forecast(counts(as_of))
    published = alone.assign(presage=alone["presage"] * scale)
    return what_changed(model, counts, CONTEXT, as_of, alone, published, scale, earlier)


def test_a_number_is_taken_apart_with_its_interval_and_its_change(model):
    as_of = FIRST + timedelta(days=110)
    alone = model.forecast(counts(as_of)).set_index(["unique_id", "ds"])
    row = alone.loc[("channel=a", pd.Timestamp(as_of))]
    earlier = Earlier(as_of - timedelta(days=1))
    change = moved(model, as_of, 1.1, earlier)
    told = audit(model, counts(as_of), "channel=a", pd.Timestamp(as_of), CONTEXT)
    data, lines = why(told, row["presage"] * 1.1, 1.1, change, earlier, "Europe/Oslo")
    assert data["presage"] == pytest.approx(row["presage"] * 1.1)
    assert sum(part["part"] for part in data["members"]) == pytest.approx(data["combined"])
    moves = data["change"]
    assert moves["after"] == pytest.approx(row["presage"] * 1.1)
    assert moves["before"] + sum(moves[name] for name in WORDS) == pytest.approx(moves["after"])
    assert moves["new_counts"] != 0
    assert moves["model"] == 0, "no forecast was kept: today's model speaks for it"
    (last,) = [line for line in lines if line.startswith("as of")]
    assert f"today's model says it was {moves['before']:.2f};" in last and last.endswith(
        f"now {moves['after']:.2f}"
    )
    (high,) = [line for line in lines if line.startswith("90.0%")]
    assert float(high.split()[-1]) == pytest.approx(row["presage-hi-80"] * 1.1, abs=0.01)


def test_what_was_issued_counts_and_not_what_would_have_been(model):
    """The day before another model had said 5 more of everything, doubled by the one number."""
    as_of = FIRST + timedelta(days=110)
    since = as_of - timedelta(days=1)
    then = model.forecast(counts(since), horizon=8)
    issued = then.assign(presage=(then["presage"] + 5) * 2)
    made = moved(model, as_of, 1.1, Earlier(since, issued, 2.0))
    assert len(made) == 3 * 7
    both = made.merge(issued, on=["unique_id", "ds"])
    np.testing.assert_allclose(both["before"], both["presage"])
    np.testing.assert_allclose(made["model"], -5)
    np.testing.assert_allclose(made["before"] + made[list(WORDS)].sum(axis=1), made["after"])
    np.testing.assert_allclose(
        made["one_number"], made["after"] * (1 - 1 / 1.1) - made["before"] / 2
    )


def test_what_outreach_moves_is_a_part_of_its_own(model):
    as_of = FIRST + timedelta(days=110)
    since = as_of - timedelta(days=1)
    alone = model.forecast(counts(as_of), horizon=7)
    line = Change(-0.3, -0.5, -0.1, 0.4, 0.1, 900)
    issued = with_line(model.forecast(counts(since), horizon=8), Contacted((9.0,) * 5), line)
    now = with_line(alone, Contacted((9.0,) * 6), line)
    published = scaled(now, 1.1)

    def at(moment: datetime) -> pd.DataFrame:
        return counts(moment)

    made = what_changed(model, at, CONTEXT, as_of, alone, published, 1.1, Earlier(since, issued))
    assert (made["outreach"] < 0).all()
    np.testing.assert_allclose(made["before"] + made[list(WORDS)].sum(axis=1), made["after"])
    np.testing.assert_allclose(made[["model", "today"]], 0, atol=1e-9)


def test_every_part_of_a_change_and_of_the_line_is_documented_in_the_api() -> None:
    parts = {field.encode_name for field in msgspec.structs.fields(schemas_forecast.Change)}
    assert parts == {"since", *NUMBERS}
    columns = {field.encode_name for field in msgspec.structs.fields(schemas_forecast.ForecastRow)}
    assert columns >= {*LINE, HELD}


def test_the_newest_forecast_of_a_day_before_is_compared_with(tmp_path: Path):
    with open_store(init(tmp_path / "company")) as store:

        def keep(day: int, freq: str, value: float) -> None:
            frame = pd.DataFrame({"unique_id": ["a"], "ds": [FIRST], "presage": [value]})
            moment = FIRST + timedelta(days=day)
            told = {"as_of": moment, "issued_at": moment, "model_version": "v"}
            save_forecast(store, frame, **told, meta={"freq": freq, "scale": value})

        for day, freq in ((1, "D"), (2, "D"), (3, "h"), (4, "D")):
            keep(day, freq, float(day))
        found = earlier_forecast(store, FIRST + timedelta(days=4, hours=5), "D")
        assert (found.as_of, found.scale) == (FIRST + timedelta(days=2), 2.0)
        assert found.frame is not None and found.frame["presage"].tolist() == [2.0]
        none = earlier_forecast(store, FIRST + timedelta(days=1), "D")
        assert none == Earlier(FIRST)


def test_the_first_day_has_no_yesterday(model):
    as_of = FIRST + timedelta(days=60)
    assert moved(model, as_of, 1.0, Earlier(as_of - timedelta(days=1))).empty
    told = audit(model, counts(as_of), "total", pd.Timestamp(as_of), CONTEXT)
    none = pd.DataFrame(columns=list(CHANGE))
    data, lines = why(told, told.presage, 1.0, none, Earlier(as_of), "UTC")
    assert data["change"] is None
    assert lines[-1] == "there is no forecast of it of the day before"


def test_paths_are_whole_contacts_that_add_up_and_hold_outreach(model, tmp_path: Path):
    out, known = tmp_path / "paths.parquet", counts(FIRST + timedelta(days=110))
    alone = model.forecast(known, horizon=5)
    averts = Change(-0.9, -1.0, -0.8, 0.9, 0.0, 900)
    forecast = with_line(scaled(alone, 1.2), Contacted((0.0,) * 30, 200.0), averts)
    rows = write_paths(model, known, CONTEXT, 5, 400, 0, forecast, out)
    frame = pd.read_parquet(out)
    assert rows == len(frame) == 400 * 3 * 5
    assert (frame["y"] == frame["y"].round()).all()
    wide = frame.pivot_table(index=["path", "ds"], columns="unique_id", values="y")
    np.testing.assert_allclose(wide["channel=a"] + wide["channel=b"], wide["total"])
    told = forecast.pivot_table(index="ds", columns="unique_id", values="presage")
    assert told["total"].iloc[-1] < 0.8 * told["total"].iloc[0], "outreach begins"
    np.testing.assert_allclose(wide.groupby("ds").mean(), told, rtol=0.06)
