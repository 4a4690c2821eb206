"""Ten thousand random worlds: more work, slower work or a harder promise never needs fewer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.queueing import agents_required, queue_measures

WORLDS = 2_500


def worlds(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "arrival_rate": np.where(
            rng.random(WORLDS) < 0.02, 0.0, 10 ** rng.uniform(-7, 1.2, WORLDS)
        ),
        "handle_seconds": 10 ** rng.uniform(0, 3.3, WORLDS),
        "target_seconds": float(10 ** rng.uniform(0, 3)),
        "share": float(rng.uniform(0.05, 0.99)),
        "patience_seconds": None if rng.random() < 0.3 else float(10 ** rng.uniform(0.5, 4)),
        "max_occupancy": float(rng.uniform(0.4, 1)),
        "concurrency": float(rng.choice([1.0, 1.0, 1.5, 2.0, 3.0])),
    }


@pytest.mark.parametrize("seed", range(4))
def test_ten_thousand_worlds(seed: int) -> None:
    world = worlds(seed)
    agents = agents_required(**world)
    rate = world["arrival_rate"]
    assert (agents >= 0).all()
    assert (agents[rate == 0] == 0).all() and (agents[rate > 0] >= 1).all()

    def needed(**changes: Any) -> Any:
        return agents_required(**{**world, **changes})

    rng = np.random.default_rng(seed + 99)
    more = 1 + rng.random(WORLDS)
    assert (needed(arrival_rate=rate * more) >= agents).all()
    assert (needed(handle_seconds=world["handle_seconds"] * more) >= agents).all()
    assert (needed(share=world["share"] ** 0.5) >= agents).all()
    assert (needed(target_seconds=world["target_seconds"] / 2) >= agents).all()
    assert (needed(max_occupancy=world["max_occupancy"] * 0.8) >= agents).all()
    assert (needed(concurrency=world["concurrency"] + 1) <= agents).all()

    def level(number: Any) -> Any:
        return queue_measures(
            rate,
            world["handle_seconds"],
            servers=np.floor(number * world["concurrency"]),
            target_seconds=world["target_seconds"],
            patience_seconds=world["patience_seconds"],
            with_asa=False,
        )

    found, fewer = level(agents), level(np.maximum(agents - 1, 0))
    assert (found.service_level >= world["share"]).all()
    assert (found.occupancy <= world["max_occupancy"]).all()
    kept = (fewer.service_level >= world["share"]) & (fewer.occupancy <= world["max_occupancy"])
    assert not kept[(rate > 0) & (agents > 1)].any()


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1e-6, 5),
    st.floats(1, 3000),
    st.integers(0, 300),
    st.floats(1, 1e4),
    st.floats(0, 600),
)
def test_measures_are_shares_and_fit_together(
    rate: float, handle: float, n: int, patience: float, target: float
) -> None:
    found = queue_measures(
        rate, handle, servers=n, target_seconds=target, patience_seconds=patience
    )
    for name in ("service_level", "abandonment", "wait_probability", "occupancy"):
        assert 0 <= getattr(found, name) <= 1, name
    assert found.service_level <= found.service_level_of_answered + 1e-9
    assert found.service_level <= found.service_level_lenient + 1e-12
    assert found.service_level + found.abandonment <= 1 + 1e-9
    assert found.abandonment <= found.wait_probability + 1e-9
    # what is answered is what the servers do
    if n:
        assert found.occupancy * n == pytest.approx(
            rate * handle * (1 - float(found.abandonment)), rel=1e-6, abs=1e-9
        )
