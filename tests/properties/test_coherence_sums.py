"""Whatever is forecast, the parts add up, nothing is negative, and it ends."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.coherence import reconcile, sums_of


def nodes(channels: int, topics: int) -> tuple[str, ...]:
    cells = [f"channel=c{c}/topic=t{t}" for c in range(channels) for t in range(topics)]
    return (
        "total",
        *(f"channel=c{c}" for c in range(channels)),
        *(f"topic=t{t}" for t in range(topics)),
        *cells,
    )


amounts = st.floats(0, 1e6, allow_nan=False) | st.just(0.0) | st.floats(0, 1e-6)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_parts_add_up_to_a_millionth_and_none_is_negative(data, channels, topics, steps):
    ids = nodes(channels, topics)
    shape = len(ids) * steps
    made = np.array(data.draw(st.lists(amounts, min_size=shape, max_size=shape)))
    variance = np.array(data.draw(st.lists(st.floats(1e-9, 1e9), min_size=shape, max_size=shape)))
    sums = sums_of(ids)
    out = reconcile(made.reshape(len(ids), steps), variance.reshape(len(ids), steps), sums)
    assert np.isfinite(out).all()
    assert (out >= 0).all()
    for one in sums:
        whole, parts = out[one.whole], out[list(one.parts)].sum(axis=0)
        assert (np.abs(whole - parts) <= 1e-6 * np.maximum(whole, 1e-9)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_what_adds_up_already_is_left_alone(channels, topics, seed):
    ids = nodes(channels, topics)
    cells = np.random.default_rng(seed).gamma(1.0, 10.0, (channels, topics)) + 0.01
    made = np.concatenate([[cells.sum()], cells.sum(axis=1), cells.sum(axis=0), cells.ravel()])
    out = reconcile(made[:, None], np.ones((len(ids), 1)), sums_of(ids))
    assert np.allclose(out[:, 0], made, rtol=1e-9)


def test_a_node_known_exactly_stays_and_the_uncertain_ones_move():
    ids = ("total", "channel=a", "channel=b")
    made = np.array([[100.0], [30.0], [50.0]])
    out = reconcile(made, np.array([[1e-9], [1.0], [9.0]]), sums_of(ids))
    assert np.allclose(out[:, 0], [100.0, 32.0, 68.0], atol=1e-5)


def test_a_total_over_more_than_the_listed_parts_binds_nothing():
    history = np.array([[10.0, 12.0], [4.0, 5.0], [5.0, 6.0]])
    assert sums_of(("total", "channel=a", "channel=b"), history) == ()
    history[0] = [9.0, 11.0]
    assert len(sums_of(("total", "channel=a", "channel=b"), history)) == 1


def test_ids_that_are_no_nodes_are_left_out():
    assert sums_of(("total", "Store 4/north", "a=b=c", "channel=a")) != ()
    assert sums_of(("calls", "mails")) == ()
