"""Trouble shows as deliveries that do not come, and ends when they come again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.volume.deliveries import ENDS, PACES, troubles
from models.volume.intervals import PROBABILITIES, Spread, apply_spread
from models.volume.projection import PATHS

DAYS = 120


def usual(seed: int = 0, groups: int = 4, level: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Deliveries as expected, none on Sundays."""
    due = np.full((groups, DAYS), level)
    due[:, 6::7] = 0.0
    return np.random.default_rng(seed).poisson(due).astype(float), due


def test_nobody_is_in_trouble_while_deliveries_come_as_expected():
    trouble, _, lasts = troubles(*usual())
    assert trouble.max() < 0.05
    assert lasts == pytest.approx(1 - ENDS, abs=0.02)


def test_a_group_that_stops_is_in_trouble_after_two_days_and_well_again_after_one():
    seen, due = usual()
    seen[1, -3:] = 0.0  # one of them a Sunday
    trouble, pace, _ = troubles(seen, due)
    assert trouble[1] > 0.95
    assert pace[1] < 0.15
    assert trouble[[0, 2, 3]].max() < 0.05
    seen[1, -1] = 9.0
    assert troubles(seen, due)[0][1] < 0.2


def test_a_slow_carrier_is_told_from_one_that_stopped():
    seen, due = usual(level=20.0)
    seen[0, -7:] = np.round(due[0, -7:] * 0.25)
    trouble, pace, _ = troubles(seen, due)
    assert trouble[0] > 0.95
    assert pace[0] == pytest.approx(0.25, abs=0.06)


def test_a_day_off_for_all_is_no_trouble_but_three_are():
    seen, due = usual()
    due[:, -3:], seen[:, -3:] = 8.0, 8.0
    seen[:, -2:] = 0.0
    assert troubles(seen, due)[0].max() < 0.05
    seen[:, -3] = 0.0
    assert troubles(seen, due)[0].min() > 0.9


def test_how_long_trouble_lasts_is_learned_from_past_ones():
    learned = {}
    for length in (2, 20):
        seen, due = usual(level=15.0)
        for begin in range(5, DAYS - 25, 30):
            seen[0, begin : begin + length] = 0.0
        learned[length] = troubles(seen, due)[2]
    assert learned[2] < 1 - ENDS < learned[20]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 30), st.integers(0, 3))
def test_chances_are_chances_whatever_comes(seed, level, groups):
    seen, due = usual(seed, groups, level)
    seen = np.random.default_rng(seed).permutation(seen, axis=1)
    trouble, pace, lasts = troubles(seen, due)
    assert trouble.shape == pace.shape == (groups,)
    assert ((trouble >= 0) & (trouble <= 1)).all()
    assert ((pace >= PACES.min()) & (pace <= 1)).all()
    assert 0 < lasts < 1


def test_an_interval_reaches_for_what_comes_if_trouble_ends_early_or_late():
    normal = np.interp(PROBABILITIES, [0.1, 0.5, 0.9], [-1.28, 0.0, 1.28])
    spread = Spread(np.array([0.01]), np.ones(1), normal[None])
    forecast = np.full((1, 1), 100.0)
    wanted = [0.025, 0.1, 0.5, 0.7, 0.9]
    plain = apply_spread(forecast, spread, wanted)[:, 0, 0]
    same = apply_spread(forecast, spread, wanted, paths=np.ones((len(PATHS), 1, 1)))[:, 0, 0]
    np.testing.assert_allclose(same, plain)
    turned = np.array([0.6, 1.3])[:, None, None]
    reaching = apply_spread(forecast, spread, wanted, paths=turned)[:, 0, 0]
    away = np.array([40, 40, 0, 30 * 0.2 / 0.4, 30])
    np.testing.assert_allclose(np.abs(reaching - plain[2]), np.hypot(plain - plain[2], away))
    assert reaching[2] == plain[2]
    assert (np.diff(reaching) >= 0).all()
