"""Sixty window features as SQL, pandas and this engine have them: the same sums by column."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.feature_engines import COLUMNS, ENGINES, checksums_of
from benchmarks.feature_world import AS_OF, make_company, make_usage


@pytest.fixture(scope="module")
def usage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_usage(tmp_path_factory.mktemp("world") / "usage", 400, 20_000)


@pytest.mark.parametrize("times", [1, 3])
def test_all_engines_agree(usage: Path, times: int) -> None:
    moments = [AS_OF - timedelta(days=7 * at) for at in reversed(range(times))]
    sums = {
        name: checksums_of(ENGINES[name].run(ENGINES[name].prepare(usage, moments)))
        for name in ("naive", "filtered", "pandas", "presage")
    }
    for name, found in sums.items():
        for column in COLUMNS:
            truth = sums["naive"][column]
            assert math.isclose(found[column], truth, rel_tol=1e-6, abs_tol=1e-6), (name, column)
    assert sums["presage"]["a0"] > 0


def test_one_customer_at_one_moment_has_the_bits_of_the_batch(tmp_path: Path) -> None:
    engine = ENGINES["presage-online"]
    world = make_company(tmp_path / "company", 150, 8_000)
    found = engine.run(engine.prepare(world, [AS_OF] * 60))
    assert found["pairs"] == 60 and found["features"] > 150
    assert found["different"] == 0
