"""The randomised PIT of benchmarks/volume_scores.py tells right forecasts of few contacts from
wrong ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from benchmarks.volume_scores import sparse_pit

LEVELS = (20, 40, 60, 80, 90, 95, 98)


def forecasts(mean: float, told: float, rows: int = 4000) -> pd.DataFrame:
    """Poisson counts of one mean, forecast as Poisson of another: quantiles linear between the
    steps of its distribution, half a contact above each whole number."""
    y = np.random.default_rng(0).poisson(mean, rows).astype(float)
    whole = np.arange(-1, 30)
    share = poisson.cdf(whole, told)

    def quantile(p: float) -> float:
        return max(float(np.interp(p, share, whole + 0.5)), 0.0)

    frame = pd.DataFrame({"unique_id": "a", "y": y, "median": quantile(0.5)})
    for level in LEVELS:
        frame[f"lo-{level}"] = quantile(0.5 - level / 200)
        frame[f"hi-{level}"] = quantile(0.5 + level / 200)
    return frame


@pytest.mark.parametrize("mean", [0.3, 1.2, 2.5])
def test_a_right_forecast_is_near_uniform(mean):
    told = sparse_pit(forecasts(mean, mean))
    assert told.rows == 4000
    assert told.inside80 == pytest.approx(0.8, abs=0.05)
    assert told.inside95 == pytest.approx(0.95, abs=0.03)
    assert told.distance < 0.08


def test_a_forecast_of_twice_the_contacts_is_not():
    assert sparse_pit(forecasts(1.0, 2.0)).distance > 0.2


def test_busy_series_are_left_out():
    frame = forecasts(2.0, 2.0)
    assert sparse_pit(pd.concat([frame, frame.assign(unique_id="b", y=50.0)])).series == 1
    assert sparse_pit(frame.assign(y=50.0)) is None
