"""Trees that are tried are the trees that are kept, and fits side by side do not meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.risk.trees import TreeSettings, grow, growing, raw_score


def sparse_rows(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mostly zeros, as counts are, and a label that follows them."""
    rng = np.random.default_rng(seed)
    matrix = rng.poisson(0.1, size=(rows, 40)).astype(np.float32)
    matrix[:, :10] += rng.normal(size=(rows, 10)).astype(np.float32)
    score = matrix[:, :4].sum(axis=1) - 2
    return matrix, (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.float64)


def test_trees_on_trial_are_those_that_are_kept() -> None:
    matrix, y = sparse_rows(4000, 1)
    settings = TreeSettings(rounds=(8, 30))
    ones = np.ones(len(y))
    tried = dict(growing(matrix, y, ones, [], settings, matrix, seed=3, num_threads=1))
    for rounds, score in tried.items():
        kept = grow(matrix, y, ones, [], settings, rounds=rounds, seed=3, num_threads=1)
        np.testing.assert_allclose(score, raw_score(kept, matrix), atol=1e-9)


def test_a_dataset_takes_the_number_of_threads_of_its_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LightGBM's number of threads is the process's: one that differs beside a fit is a crash."""
    import lightgbm

    built = []

    def note(which: type, place: str) -> None:
        real = getattr(which, place)

        def call(self: lightgbm.Dataset, *given: object, **more: str) -> object:
            built.append(more["params_str"])
            return real(self, *given, **more)

        monkeypatch.setattr(which, place, call)

    note(lightgbm.Dataset, "_Dataset__init_from_np2d")
    matrix, y = sparse_rows(500, 2)
    ones, settings = np.ones(len(y)), TreeSettings(rounds=(8,))
    list(growing(matrix, y, ones, [], settings, matrix, seed=0, num_threads=1))
    grow(matrix, y, ones, [], settings, rounds=8, seed=0, num_threads=1)
    assert len(built) == 2
    assert all("num_threads=1" in parameters.split() for parameters in built)


def test_fits_side_by_side_are_those_made_alone() -> None:
    data = [sparse_rows(2000, seed) for seed in range(8)]
    settings = TreeSettings(rounds=(8,))

    def fit(of: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        matrix, y = of
        ones = np.ones(len(y))
        [(_, score)] = growing(matrix, y, ones, [], settings, matrix, seed=0, num_threads=1)
        return score

    alone = [fit(each) for each in data]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(fit, data))
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(one, other)
