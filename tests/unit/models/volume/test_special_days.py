"""Special days: what their kind did before, unless it was a closure or did not help."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.volume import VolumeContext, forecast
from models.volume.special_days import KINDS, kinds_of, learn

US = ("US",)


def days(first: str, count: int) -> np.ndarray:
    return np.arange(np.datetime64(first, "D"), np.datetime64(first, "D") + count)


def world(effect: dict[str, float], first: str = "2023-01-01", count: int = 720) -> tuple:
    """A level of 100 on every day but special ones, which are it times the kind's effect."""
    grid = days(first, count)
    kind, _ = kinds_of(grid, US)
    factor = np.array([effect.get(KINDS[code], 1.0) for code in kind])
    return grid, kind, 100.0 * factor[None, :]


def test_a_kinds_effect_is_learned_with_its_sign_and_none_where_there_is_none():
    grid, _, y = world({"holiday": 0.3, "after": 1.5})
    made = learn(y, np.full_like(y, 100.0), grid, US, first=14)
    ahead = days("2025-07-03", 5)
    kind, _ = kinds_of(ahead, US)
    factor = made.multiplier(ahead, US)[0]
    assert factor[kind == KINDS.index("holiday")] == pytest.approx(0.3, rel=0.1)
    assert (factor[kind == 0] == 1.0).all()
    monday_after = days("2025-09-02", 1)
    assert made.multiplier(monday_after, US)[0, 0] == pytest.approx(1.5, rel=0.1)
    assert made.multiplier(days("2025-07-03", 1), US)[0, 0] == pytest.approx(1.0, abs=0.02)


def test_a_shut_shop_around_christmas_says_nothing_about_other_eves():
    grid, kind, y = world({}, "2023-01-01", 400)
    winter = (grid >= np.datetime64("2023-12-21")) & (grid <= np.datetime64("2024-01-04"))
    y = np.where(winter[None, :], 0.0, y)
    made = learn(y, np.full_like(y, 100.0), grid, US, first=14)
    eve = days("2024-07-03", 1)
    assert kinds_of(eve, US)[0][0] == KINDS.index("before")
    assert made.multiplier(eve, US)[0, 0] == pytest.approx(1.0, abs=0.05)
    assert kind[winter].any()


def test_the_first_holiday_is_believed_but_a_first_eve_is_not():
    grid, kind, y = world({"holiday": 0.2, "before": 0.2}, "2024-05-01", 40)
    assert (kind == KINDS.index("holiday")).sum() == 1
    made = learn(y, np.full_like(y, 100.0), grid, US, first=14)
    assert made.used[0, KINDS.index("holiday")]
    assert not made.used[0, KINDS.index("before")]


def test_days_around_a_named_holiday_have_an_effect_of_their_own():
    grid, _, y = world({}, "2021-01-01", 1400)
    eves = np.isin(grid, np.array(["2021-11-24", "2022-11-23", "2023-11-22"], dtype="datetime64"))
    y = np.where(eves[None, :], 50.0, y)
    made = learn(y, np.full_like(y, 100.0), grid, US, first=14)
    made.used[:] = True
    thanksgiving, independence = days("2024-11-27", 1), days("2024-07-03", 1)
    assert made.multiplier(thanksgiving, US)[0, 0] == pytest.approx(0.5, abs=0.12)
    assert made.multiplier(independence, US)[0, 0] > 0.85


def test_an_eve_that_ends_at_noon_ends_at_noon_next_time():
    ds = pd.date_range("2024-01-01", "2024-12-23T23:00", freq="h")
    open_now = (ds.hour >= 8) & (ds.hour < 18)
    eve = kinds_of(ds.to_numpy().astype("datetime64[D]"), US)[0] == KINDS.index("before")
    y = np.where(open_now & ~(eve & (ds.hour >= 12)), 100.0, 0.0)
    history = pd.DataFrame({"unique_id": "calls", "ds": ds, "y": y})
    out = forecast(history, horizon=24, freq="h", context=VolumeContext(country=US))
    made = out.set_index("ds")["presage"]
    morning = made[(made.index.hour >= 8) & (made.index.hour < 12)].sum()
    afternoon = made[made.index.hour >= 12].sum()
    assert made.index[0] == pd.Timestamp("2024-12-24")
    assert afternoon < 0.5 * morning


def test_a_coming_holiday_is_less_certain_than_the_days_before_it():
    ds = pd.date_range("2023-01-02", "2024-06-30")
    rng = np.random.default_rng(0)
    kind = kinds_of(ds.to_numpy().astype("datetime64[D]"), US)[0]
    factor = np.where(kind == KINDS.index("holiday"), rng.uniform(0.1, 0.9, len(ds)), 1.0)
    history = pd.DataFrame({"unique_id": "a", "ds": ds, "y": rng.poisson(400 * factor)})
    out = forecast(history, horizon=7, freq="D", context=VolumeContext(country=US)).set_index("ds")
    width = (out["presage-hi-80"] - out["presage-lo-80"]) / out["presage"]
    assert width["2024-07-04"] > 2 * width["2024-07-02"]
