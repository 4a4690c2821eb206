"""Outreach as a line of the forecast: measured, added up, and moved by once only."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from models.outreach_line import HELD, LINE, Change, Contacted, measured_change, with_line
from models.uplift import trial

CHANGE = Change(-0.3, -0.5, -0.1, 0.4, 0.1, 900)
STEADY = Contacted((10.0,) * 90)
BEGUN = Contacted((0.0,) * 80 + (10.0,) * 10)


def forecast(freq: str, steps: int) -> pd.DataFrame:
    ds = pd.date_range("2026-03-01", periods=steps, freq=freq)
    wave = 20.0 + 10.0 * np.sin(np.arange(steps))
    parts = {"channel=email": wave, "channel=phone": 2 * wave, "total": 3 * wave}
    frames = [
        pd.DataFrame({"unique_id": name, "ds": ds, "presage": y, "presage-hi-80": 1.2 * y})
        for name, y in parts.items()
    ]
    return pd.concat(frames, ignore_index=True)


def of(frame: pd.DataFrame, name: str, column: str) -> np.ndarray:
    return frame.loc[frame["unique_id"] == name, column].to_numpy()


@pytest.mark.parametrize(("freq", "steps"), [("h", 48), ("D", 28), ("7D", 8)])
@pytest.mark.parametrize("contacted", [STEADY, BEGUN])
def test_parts_add_up_and_the_forecast_moves_by_what_is_new(
    freq: str, steps: int, contacted: Contacted
) -> None:
    before = forecast(freq, steps)
    after = with_line(before, contacted, CHANGE)
    for column in ("presage", *LINE, HELD):
        parts = of(after, "channel=email", column) + of(after, "channel=phone", column)
        np.testing.assert_allclose(parts, of(after, "total", column), atol=1e-9)
    np.testing.assert_allclose(
        after["presage"] - before["presage"], after["outreach"] - after[HELD]
    )
    np.testing.assert_allclose(
        after["outreach"], after["outreach-averted"] + after["outreach-induced"]
    )
    np.testing.assert_allclose(after["presage-hi-80"] / after["presage"], 1.2)
    days = steps * {"h": 1 / 24, "D": 1, "7D": 7}[freq]
    if contacted is STEADY:  # the counts hold it all: nothing moves, and the line says what it is
        np.testing.assert_allclose(after["presage"], before["presage"])
        assert of(after, "total", "outreach").sum() == pytest.approx(-3.0 * days)
    else:
        assert (after["presage"] < before["presage"]).all()


def test_a_closed_day_stays_closed() -> None:
    before = forecast("D", 4)
    before.loc[before["ds"] == before["ds"].min(), ["presage", "presage-hi-80"]] = 0.0
    after = with_line(before, BEGUN, CHANGE)
    closed = after["ds"] == after["ds"].min()
    assert (after.loc[closed, ["presage", "outreach", "outreach-lo-95"]] == 0).all().all()
    assert with_line(before[before["unique_id"] != "total"], BEGUN, CHANGE).columns.equals(
        before.columns
    )


def drawn(effect: float, rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    contacted = rng.random(rows) < 0.5
    contacts = rng.poisson(np.where(contacted, 0.6 + effect, 0.6))
    return pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(rows)], "time": datetime(2026, 1, 5),
         "action": np.where(contacted, "check_in", "none"), "propensity": 0.5,
         "complained": np.minimum(contacts, 1.0), "contacts": contacts.astype(float),
         "inquiries": np.where(contacted, rng.poisson(0.1, rows), 0.0)}
    )  # fmt: skip


def test_the_change_is_measured_and_nothing_is_claimed_of_little() -> None:
    assert measured_change(None) is None
    assert measured_change(trial(drawn(-0.2, 60))) is None
    found = measured_change(trial(drawn(-0.2, 8000, seed=1)))
    assert found is not None
    assert found.low < -0.2 < found.high < 0
    assert -0.25 < found.contacts < -0.1
    assert found.induced == pytest.approx(0.1, abs=0.05)
    assert found.averted - found.induced == pytest.approx(-found.contacts)
