"""Draws are uniform, named, and independent of everything but their name."""

from __future__ import annotations

import numpy as np
from scipy import stats

from data.simulate.draws import Draws, pick, poisson


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
