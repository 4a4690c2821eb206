"""Intervals that hold: over many worlds they cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import DataError
from models.bootstrap import bootstrap, paired_bootstrap
from models.metrics import average_precision, base_rate, brier, coverage


def clustered_world(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """60 customers of 8 rows that agree with each other; the expected rate is 0.3."""
    own = rng.beta(0.6, 1.4, 60)
    groups = np.repeat(np.arange(60), 8)
    return (rng.random(480) < own[groups]).astype(float), groups


def rate(y, p, *, weights):
    return base_rate(y, weights=weights)


def test_clustered_intervals_cover_and_row_intervals_do_not():
    rng = np.random.default_rng(5)
    covered = {"customers": 0, "rows": 0}
    worlds = 200
    for world in range(worlds):
        y, groups = clustered_world(rng)
        for name, by in (("customers", groups), ("rows", None)):
            found = bootstrap(rate, y, y, groups=by, seed=world, resamples=100)
            covered[name] += found.low <= 0.3 <= found.high
    assert 0.88 <= covered["customers"] / worlds <= 0.98
    assert covered["rows"] / worlds < 0.8


def test_pairing_sees_a_difference_that_separate_intervals_hide():
    rng = np.random.default_rng(2)
    p = rng.beta(1, 5, 1500)
    y = (rng.random(1500) < p).astype(float)
    worse = np.clip(p * np.exp(rng.normal(0, 0.5, 1500)), 0.001, 0.999)
    groups = rng.integers(0, 500, 1500)
    ours = bootstrap(average_precision, y, p, groups=groups, resamples=200)
    theirs = bootstrap(average_precision, y, worse, groups=groups, resamples=200)
    difference = paired_bootstrap(average_precision, y, p, worse, groups, resamples=200)
    assert ours.low < theirs.high  # apart they overlap
    assert difference.low > 0
    assert difference.estimate == pytest.approx(ours.estimate - theirs.estimate)


def test_groups_of_one_are_rows_and_names_of_groups_do_not_matter():
    rng = np.random.default_rng(0)
    y, p = (rng.random(200) < 0.4).astype(float), rng.random(200)
    codes = np.arange(200)
    assert bootstrap(brier, y, p, seed=3) == bootstrap(brier, y, p, groups=codes, seed=3)
    named = np.array([f"customer-{code}" for code in codes], dtype=object)
    assert bootstrap(brier, y, p, groups=named, seed=3) == bootstrap(brier, y, p, seed=3)


def test_equal_seeds_give_equal_intervals_and_other_seeds_others():
    rng = np.random.default_rng(0)
    y, p = (rng.random(300) < 0.4).astype(float), rng.random(300)
    first = bootstrap(average_precision, y, p, seed=1)
    assert first == bootstrap(average_precision, y, p, seed=1)
    assert first != bootstrap(average_precision, y, p, seed=2)
    assert first.low < first.estimate < first.high


def test_a_wider_level_gives_a_wider_interval():
    rng = np.random.default_rng(0)
    y, p = (rng.random(300) < 0.4).astype(float), rng.random(300)
    wide, narrow = (bootstrap(brier, y, p, level=level) for level in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_metrics_of_intervals_take_both_ends():
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    found = bootstrap(coverage, y, (np.full(400, -1.2816), np.full(400, 1.2816)))
    assert found.low < 0.8 < found.high


def test_too_few_complaints_are_refused_and_not_skipped_over():
    y = np.zeros(50)
    y[0] = 1
    with pytest.raises(DataError, match=r"undefined or infinite on .* of 300 resamples"):
        bootstrap(average_precision, y, np.linspace(0, 1, 50))


def test_rows_without_a_group_and_shapes_that_differ_are_refused():
    y = np.array([0.0, 1.0, 1.0])
    with pytest.raises(DataError, match="1 rows have no group"):
        bootstrap(brier, y, y, groups=["a", None, "b"])
    with pytest.raises(DataError, match="give one group per label"):
        bootstrap(brier, y, y, groups=["a"])
    with pytest.raises(DataError, match="one prediction per label"):
        bootstrap(brier, y, [0.5])
