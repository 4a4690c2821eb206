"""Series that begin, floods, and silences, as whole forecasts: what a planner would be told."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from models.coherence import sums_of
from models.volume.forecaster import forecast
from models.volume.newcomers import behind
from models.volume.usual import freak_steps, without_silence

START = datetime(2026, 1, 5)  # a Monday
WEEK = np.array([1.2, 1.1, 1.05, 1.0, 1.0, 0.4, 0.3])


def counts(days: int, level: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(level * WEEK[np.arange(days) % 7]).astype("float64")


def table(**series: np.ndarray) -> pd.DataFrame:
    ds = pd.date_range(START, periods=len(next(iter(series.values()))), freq="D")
    return pd.concat([pd.DataFrame({"unique_id": k, "ds": ds, "y": y}) for k, y in series.items()])


def channels(**series: np.ndarray) -> pd.DataFrame:
    parts = {f"channel={name}": y for name, y in series.items()}
    return table(**parts, total=np.sum(list(series.values()), axis=0))


@pytest.mark.parametrize(("days", "lived"), [(100, 1), (60, 4)])
def test_a_channel_of_a_few_days_is_told_and_comes_on_top_of_the_total(
    days: int, lived: int
) -> None:
    new = counts(days, 100, 2)
    new[:-lived] = 0
    made = forecast(channels(old=counts(days, 300, 1), new=new), horizon=14, freq="D")
    due = np.arange(days, days + 14) % 7
    for name, level in (("channel=new", 100), ("total", 400)):
        mine = made[made["unique_id"] == name]
        assert 0.6 < mine["presage"].sum() / (level * WEEK[due]).sum() < 1.5
        assert mine["presage-hi-95"].max() < 6 * level
    # weekdays that it has not lived through are like everybody's
    mine = made[made["unique_id"] == "channel=new"]["presage"].to_numpy()
    assert mine[due == 0].mean() > 2 * mine[due == 6].mean()


def test_a_channel_that_goes_by_another_name_is_not_counted_twice() -> None:
    chat = counts(130, 100, 2)
    messaging = np.where(np.arange(130) >= 126, chat, 0.0)
    series = {"old": counts(130, 300, 1), "chat": chat - messaging, "messaging": messaging}
    total = np.sum(list(series.values()), axis=0)
    y = np.vstack([*series.values(), total])
    sums = sums_of([*(f"channel={name}" for name in series), "total"], y)
    usual = without_silence(y, np.arange(130).astype("datetime64[D]"))
    assert not behind(y, usual, sums, 1).any()
    risen = y + np.array([[0.0], [1.0], [0.0], [1.0]]) * messaging
    usual = without_silence(risen, np.arange(130).astype("datetime64[D]"))
    assert behind(risen, usual, sums, 1).tolist() == [False, False, False, True]


@pytest.mark.parametrize("spam", [3000])
def test_a_flood_of_a_quiet_topic_leaves_its_silences_what_they_are(spam: int) -> None:
    quiet = np.random.default_rng(1).poisson(0.3, 130).astype("float64")
    flooded = quiet.copy()
    flooded[-2] += spam
    calm, storm = (
        forecast(table(a=y), horizon=14, freq="D")["presage"].sum() for y in (quiet, flooded)
    )
    assert 0.7 < storm / calm < 1.4


def test_a_flood_makes_no_week_and_a_yearly_peak_stays() -> None:
    weeks = np.full((1, 104), 300.0)
    weeks[0, 101] += 3000
    assert np.flatnonzero(freak_steps(weeks, 52)[0]).tolist() == [101]
    weeks[0, 49] += 3500  # as a year ago
    assert not freak_steps(weeks, 52).any()
    ds = pd.date_range("2023-01-02", periods=40, freq="W-MON")
    y = np.random.default_rng(2).poisson(300, 40).astype("float64")
    y[-2] += 3000
    made = forecast(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), horizon=4, freq="W-MON")
    assert made["presage"].between(240, 360).all()


@pytest.mark.parametrize("silent", [21])
def test_a_company_that_is_shut_still_is_not_foretold_as_shut_for_good(silent: int) -> None:
    y = counts(120, 100, 3)
    y[-silent:] = 0
    made = forecast(table(a=y, b=y / 2), horizon=7, freq="D")
    a = made[made["unique_id"] == "a"]
    due = 100 * WEEK[np.arange(120, 127) % 7]
    assert (a["presage"].to_numpy() > 0.6 * due).all()


def test_no_interval_leaves_the_world_of_what_was_seen() -> None:
    y = counts(84, 40, 4)
    y[[60, 67, 74, 81]] += 1500  # floods that are a habit by now
    made = forecast(table(a=y), horizon=14, freq="D")
    assert made["presage-hi-95"].max() < 5 * y.max()
