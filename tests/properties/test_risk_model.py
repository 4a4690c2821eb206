"""Whatever the features are: bounded, monotone, alone as in a batch, reasons that add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from models.risk.mixture import levelled, mix
from models.risk.model import RiskModel
from models.risk.reasons import reasons
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings
from models.risk.words import subject

SETTINGS = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, rounds=(20, 40)), penalties=(30.0,), slices=1
)
NUMBERS = ("orders_overdue_now", "tickets_count_28d", "tickets_since_last_days")


@pytest.fixture(scope="module")
def model() -> RiskModel:
    rng = np.random.default_rng(1)
    times, customers = 12, 300
    rows = times * customers
    features = pd.DataFrame(
        {
            "customer_id": np.tile([f"c{at}" for at in range(customers)], times),
            "as_of": np.repeat(pd.date_range("2026-01-05", periods=times, freq="7D"), customers),
            "orders_overdue_now": rng.poisson(0.3, rows).astype(np.float32),
            "tickets_count_28d": rng.poisson(0.5, rows).astype(np.float32),
            "tickets_since_last_days": np.where(
                rng.random(rows) < 0.5, np.nan, rng.exponential(20, rows)
            ).astype(np.float32),
            "customer_plan": pd.Categorical(rng.choice(["basic", "plus"], rows)),
        }
    )
    daily = np.exp(-5 + features["orders_overdue_now"] + 0.5 * features["tickets_count_28d"])
    day = rng.exponential(1.0, rows) / daily
    labels = features[["customer_id", "as_of"]].copy()
    for h in (7, 14, 30):
        labels[f"label_{h}d"] = (day < h) * 1.0
        labels[f"tickets_{h}d"] = (day < h) + rng.poisson(daily * h)
    return train_risk(features, labels, settings=SETTINGS)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    number = st.one_of(
        st.just(float("nan")), st.floats(-1e6, 1e6, width=32), st.floats(0, 40, width=32)
    )
    rows = draw(st.integers(1, 40))
    columns = {name: draw(st.lists(number, min_size=rows, max_size=rows)) for name in NUMBERS}
    plan = st.sampled_from(["basic", "plus", "unheard of", None])
    frame = pd.DataFrame(columns, dtype=np.float32)
    frame["customer_plan"] = draw(st.lists(plan, min_size=rows, max_size=rows))
    frame.insert(0, "as_of", pd.Timestamp("2026-06-01"))
    frame.insert(0, "customer_id", [f"x{at}" for at in range(rows)])
    return frame


@settings(max_examples=40, deadline=None)
@given(frame=frames(), seed=st.integers(0, 1000))
def test_any_row_is_scored_soundly(model: RiskModel, frame: pd.DataFrame, seed: int) -> None:
    told = model.predict(frame)
    risk = told[["risk_7d", "risk_14d", "risk_30d"]].to_numpy()
    assert ((risk > 0) & (risk < 1)).all()
    assert (np.diff(risk, axis=1) >= 0).all()
    assert (told["expected_tickets_30d"] >= told["risk_30d"]).all()
    order = np.random.default_rng(seed).permutation(len(frame))
    shuffled = model.predict(frame.iloc[order])
    pd.testing.assert_frame_equal(
        shuffled, told.iloc[order].reset_index(drop=True), check_exact=True
    )
    alone = model.predict(frame.iloc[[order[0]]])
    pd.testing.assert_frame_equal(
        alone, told.iloc[[order[0]]].reset_index(drop=True), check_exact=True
    )


@settings(max_examples=40, deadline=None)
@given(frame=frames(), horizon=st.sampled_from([7, 14, 30]))
def test_reasons_of_any_row_add_up(model: RiskModel, frame: pd.DataFrame, horizon: int) -> None:
    _, base = model.explain(frame, horizon)
    risk = model.predict(frame)[f"risk_{horizon}d"]
    for at, said in enumerate(model.reasons(frame, None, horizon=horizon)):
        total = base[at] + sum(reason["contribution"] for reason in said)
        assert total == pytest.approx(logit(risk[at]), abs=1e-6)
        ranks = [reason["contribution"] for reason in said]
        assert ranks == sorted(ranks, reverse=True)


@given(
    amounts=st.lists(st.lists(st.floats(-3, 3), min_size=6, max_size=6), min_size=1, max_size=5),
    top=st.integers(0, 4),
)
def test_groups_hold_all_that_their_columns_hold(amounts: list[list[float]], top: int) -> None:
    columns = [
        "orders_count_7d", "orders_count_28d", "orders_overdue_now",
        "orders_overdue_age_days", "tickets_since_last_days", "customer_plan",
    ]  # fmt: skip
    frame = pd.DataFrame({name: [1.0] * len(amounts) for name in columns})
    given_amounts = np.array(amounts)
    every = reasons(columns, {}, frame, given_amounts, None)
    for row, said in zip(given_amounts, every, strict=True):
        assert sum(r["contribution"] for r in said) == pytest.approx(row.sum(), abs=1e-9)
        assert len({subject(r["feature"]) for r in said}) == len(said) <= 4
    for few, all_of_them in zip(
        reasons(columns, {}, frame, given_amounts, top), every, strict=True
    ):
        assert few == [r for r in all_of_them if r["contribution"] > 0][:top]


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), parts=st.integers(1, 5), strength=st.floats(0.1, 100))
def test_shares_are_never_negative_and_the_level_meets_the_rate(
    seed: int, parts: int, strength: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(300, parts)) - 1
    y = (rng.random(300) < 0.3).astype(float)
    found = mix(scores, y, np.ones(300), prior=np.full(parts, 1 / parts), strength=strength)
    assert (found.shares >= 0).all()
    score = found.score(scores)
    step = levelled(score, y, np.ones(300), strength=0.0)
    assert (1 / (1 + np.exp(-score - step))).mean() == pytest.approx(y.mean(), abs=1e-6)
    drawn = levelled(score, y, np.ones(300), strength=strength)
    assert abs(drawn) <= abs(step) + 1e-9
