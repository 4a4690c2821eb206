"""Draws are uniform, named, and independent of everything but their name."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from data.errors import UsageError
from data.simulate.draws import Draws, SpreadDraws, pick, poisson


def test_draws_of_many_streams_are_uniform_and_uncorrelated() -> None:
    draws, keys = Draws(5), np.arange(20_000)
    today, tomorrow = draws.uniform("order", 1, keys), draws.uniform("order", 2, keys)
    other = draws.uniform("ship", 1, keys)
    for sample in (today, tomorrow, other):
        assert stats.kstest(sample, "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(today, tomorrow)[0, 1]) < 0.03
    assert abs(np.corrcoef(today, other)[0, 1]) < 0.03


def test_sparse_keys_draw_uniformly() -> None:
    """Order and ticket keys are far apart and regular."""
    keys = np.arange(20_000) * 32 * 101_000 + 16
    assert stats.kstest(Draws(1).uniform("channel", 9, keys), "uniform").pvalue > 1e-4


def test_poisson_by_inversion_has_the_distribution() -> None:
    u = Draws(3).uniform("complaint", 0, np.arange(100_000))
    for mean in (0.01, 0.3, 2.5):
        counts = poisson(np.full(len(u), mean), u)
        for n in range(4):
            expected = stats.poisson.pmf(n, mean) * len(u)
            assert abs((counts == n).sum() - expected) < 4.5 * np.sqrt(expected + 1)


def test_poisson_rises_with_the_mean_at_equal_draws() -> None:
    u = Draws(3).uniform("complaint", 0, np.arange(5_000))
    low, high = poisson(np.full(len(u), 0.4), u), poisson(np.full(len(u), 0.5), u)
    assert (high >= low).all()
    assert (high > low).any()


def test_pick_follows_the_shares_in_both_shapes() -> None:
    u = Draws(4).uniform("channel", 0, np.arange(50_000))
    shares = np.array([0.1, 0.6, 0.3])
    one = pick(np.cumsum(shares), u)
    many = pick(np.broadcast_to(np.cumsum(shares), (len(u), 3)), u)
    assert (one == many).all()
    assert np.allclose(np.bincount(one) / len(u), shares, atol=0.01)


@pytest.mark.parametrize("runs", [1, 2, 5, 64])
def test_spread_draws_are_uniform_for_a_run_and_spread_over_runs(runs: int) -> None:
    keys = np.arange(4000)
    drawn = np.array([SpreadDraws(3, run, runs).uniform("x", 9, keys) for run in range(runs)])
    assert ((drawn > 0) & (drawn < 1)).all()
    for run in drawn[:3]:
        assert stats.kstest(run, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(run[1:], run[:-1])[0, 1]) < 4 / np.sqrt(len(keys))
    strata = 1 << (runs - 1).bit_length()
    places = np.sort((drawn * strata).astype(int), axis=0)
    assert (np.diff(places, axis=0) > 0).all(), "two runs in one stratum"


def test_spread_draws_estimate_a_mean_better() -> None:
    """A sum of many small chances, as a week of a customer is: averaged over 64 runs."""
    keys = np.arange(200)
    spread, plain = (
        [
            np.mean([(make(seed, run).uniform("x", 1, keys) < 0.1).sum() for run in range(64)])
            for seed in range(40)
        ]
        for make in (
            lambda seed, run: SpreadDraws(seed, run, 64),
            lambda seed, run: Draws(seed * 1000 + run),
        )
    )
    assert np.mean(spread) == pytest.approx(20, abs=0.2)
    assert np.std(spread) < 0.5 * np.std(plain)


def test_a_run_past_the_last_is_refused() -> None:
    with pytest.raises(UsageError, match="run 4 of 4"):
        SpreadDraws(1, 4, 4)
