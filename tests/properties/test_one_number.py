"""The customers' expected tickets and the forecast are one number, at every node, to 1e-6."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.coherence import reconcile, sums_of
from models.one_number import OneNumber, Record, join
from pipelines.steps.one_number import scaled

IDS = (
    "channel=a",
    "channel=a/topic=x",
    "channel=a/topic=y",
    "channel=b",
    "channel=b/topic=x",
    "topic=x",
    "topic=y",
    "total",
)
counts = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
records = st.builds(
    Record,
    st.tuples(counts, counts),
    st.tuples(counts, counts),
    st.one_of(st.none(), st.floats(0, 5)),
)


def nodes(seed: int, zeros: float) -> pd.DataFrame:
    """A forecast of every node, made coherent from random numbers, some series or steps all 0."""
    rng = np.random.default_rng(seed)
    made = rng.gamma(0.5, 100, (len(IDS), 28)) * (rng.random((len(IDS), 28)) > zeros)
    made[rng.integers(len(IDS))] *= rng.random() > 0.5
    made[rng.integers(len(IDS))] = 7.0
    made = reconcile(made, made + 1.0, sums_of(IDS))
    ds = pd.date_range("2024-01-01", periods=28)
    frame = pd.DataFrame({"unique_id": np.repeat(IDS, 28), "ds": np.tile(ds, len(IDS))})
    return frame.assign(presage=made.reshape(-1), **{"presage-hi-80": made.reshape(-1) * 1.3})


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    zeros=st.sampled_from([0.0, 0.5, 1.0]),
    expected=st.lists(counts, max_size=20),
    others=counts,
    series=records,
    customers=records,
)
def test_customers_and_others_are_the_forecast_at_every_node(
    seed, zeros, expected, others, series, customers
):
    frame = nodes(seed, zeros)
    total = frame.loc[frame["unique_id"] == "total", "presage"].sum()
    made = join(total, sum(expected), others, days=28, series=series, customers=customers)
    out = scaled(frame, made.forecast_scale)
    assert (out[["presage", "presage-hi-80"]] >= 0).all(axis=None)
    wide = out.pivot_table(index="ds", columns="unique_id", values="presage")
    close = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(wide["channel=a"] + wide["channel=b"], wide["total"], **close)
    np.testing.assert_allclose(wide["topic=x"] + wide["topic=y"], wide["total"], **close)
    np.testing.assert_allclose(wide["total"].sum(), made.total, **close)
    np.testing.assert_allclose(made.customers + made.others, made.total, **close)
    written = np.array(expected).sum() * made.customer_scale * 28 / 30
    np.testing.assert_allclose(written, made.customers, **close)
    part = (wide["total"] * made.customers_share).sum()
    np.testing.assert_allclose(part, made.customers, **close)
    assert made.customers >= 0
    assert made.others >= -1e-6 * made.total


def test_what_was_off_less_is_believed_more():
    sure, unsure = Record((100.0,) * 4, (101.0,) * 4), Record((100.0,) * 4, (160.0,) * 4)

    def weight(series: Record, customers: Record) -> float:
        return join(100.0, 200.0, 0.0, days=30, series=series, customers=customers).series_weight

    assert weight(sure, unsure) > 0.8
    assert weight(unsure, sure) < 0.2
    assert weight(sure, sure) == pytest.approx(0.5)


def test_a_company_that_is_shut_stays_shut_and_nobody_expected_changes_nothing():
    record = Record()
    shut: OneNumber = join(0.0, 50.0, 5.0, days=30, series=record, customers=record)
    assert (shut.total, shut.customer_scale) == (0.0, 0.0)
    nobody = join(90.0, 0.0, 0.0, days=30, series=record, customers=record)
    assert (nobody.total, nobody.forecast_scale, nobody.others) == (90.0, 1.0, 90.0)


def test_a_large_hierarchy_of_zeros_and_constants_ends_in_time():
    ids = [f"channel={c}/topic={t}" for c in range(30) for t in range(30)]
    ids += [f"channel={c}" for c in range(30)] + [f"topic={t}" for t in range(30)] + ["total"]
    rng = np.random.default_rng(0)
    made = np.where(rng.random((len(ids), 28)) < 0.4, 0.0, 5.0)
    began = time.perf_counter()
    out = reconcile(made, made + 0.25, sums_of(ids))
    assert time.perf_counter() - began < 60
    assert (out >= 0).all()
    np.testing.assert_allclose(out[:900].sum(axis=0), out[-1], rtol=1e-6)
