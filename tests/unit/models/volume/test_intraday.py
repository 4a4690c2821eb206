"""The rest of today follows what today has brought, as far as days have shown that it lasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.volume import VolumeContext, train_volume
from models.volume.intraday import Memory, adjusted, memory_of, reforecast

CONTEXT = VolumeContext()


def hours(days: int, lasting: bool) -> pd.DataFrame:
    """Two channels and their total; whole days (or single hours) are busier or quieter."""
    rng = np.random.default_rng(1)
    ds = pd.date_range("2024-01-01", periods=days * 24, freq="h")
    level = np.repeat(rng.gamma(20, 1 / 20, days), 24) if lasting else rng.gamma(2, 0.5, days * 24)
    slot = np.where((ds.hour >= 8) & (ds.hour < 18), 20.0, 2.0)
    made = {name: rng.poisson(slot * level).astype(float) for name in ("channel=a", "channel=b")}
    made["total"] = made["channel=a"] + made["channel=b"]
    parts = [pd.DataFrame({"unique_id": n, "ds": ds, "y": y}) for n, y in made.items()]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def busy_morning() -> tuple[pd.DataFrame, pd.DataFrame, object]:
    whole = hours(90, lasting=True)
    model = train_volume(whole[whole["ds"] < "2024-03-29"], horizon=24, freq="h", context=CONTEXT)
    today = whole[whole["ds"] < "2024-03-30T12:00"].copy()
    morning = today["ds"] >= "2024-03-30"
    usual = today[~morning].groupby(["unique_id", today["ds"].dt.hour])["y"].mean()
    places = pd.MultiIndex.from_arrays([today["unique_id"], today["ds"].dt.hour])
    today.loc[morning, "y"] = (usual.reindex(places).to_numpy() * 1.6)[morning].round()
    today["y"] = today["y"].where(today["unique_id"] != "total")
    sums = today.groupby("ds")["y"].sum()
    today["y"] = today["y"].fillna(today["ds"].map(sums))
    before = model.forecast(today, context=CONTEXT)
    after, told = reforecast(model, today, CONTEXT, before)
    return before, after, told


def test_a_busy_morning_makes_a_busier_afternoon_but_tomorrow_stays(busy_morning):
    _, after, told = busy_morning
    row = 2
    assert told.so_far[row] > 1.4 * told.expected[row]
    level = told.adjusted[row].sum() / told.forecast[row].sum()
    assert 1.1 < level < 1.6
    rest = after[(after["unique_id"] == "total") & (after["ds"] < "2024-03-31")]
    assert rest["presage"].sum() == pytest.approx(told.adjusted[row].sum(), rel=0.1)


def test_adjusted_parts_add_up_and_only_today_is_touched(busy_morning):
    before, after, _ = busy_morning
    wide = after.pivot_table(index="ds", columns="unique_id", values="presage")
    np.testing.assert_allclose(wide["channel=a"] + wide["channel=b"], wide["total"], rtol=1e-6)
    tomorrow = before["ds"] >= "2024-03-31"
    pd.testing.assert_frame_equal(before[tomorrow], after[tomorrow])


def test_surprises_that_do_not_last_are_not_carried_on():
    rng = np.random.default_rng(0)
    level = rng.gamma(20, 1 / 20, 300)
    expected = np.full(300, 100.0)
    lasting = memory_of(
        rng.poisson(100 * level), expected, rng.poisson(100 * level) * 1.0, expected
    )
    passing = memory_of(rng.poisson(100 * level), expected, rng.poisson(expected), expected)
    assert lasting.k == pytest.approx(20, rel=0.3)
    assert lasting.lasts > 0.75
    assert passing.lasts < 0.15


def test_days_that_are_all_alike_say_little_about_the_rest():
    rng = np.random.default_rng(0)
    expected = np.full(200, 100.0)
    memory = memory_of(rng.poisson(expected), expected, rng.poisson(expected), expected)
    made = adjusted(np.array([50.0]), so_far=130, expected=100, memory=memory)
    assert made[0] < 51.5


def test_without_past_days_the_guess_is_used_and_extremes_are_bounded():
    empty = np.array([])
    assert memory_of(empty, empty, empty, empty) == Memory()
    assert adjusted(np.array([10.0]), so_far=1e6, expected=1.0, memory=Memory())[0] == 30.0


def test_daily_steps_and_whole_days_are_left_alone():
    days = pd.date_range("2024-01-01", periods=80)
    table = pd.DataFrame({"unique_id": "a", "ds": days, "y": 5.0})
    model = train_volume(table, horizon=3, freq="D")
    frame = model.forecast(table)
    assert reforecast(model, table, CONTEXT, frame)[1] is None
