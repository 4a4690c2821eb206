"""Whatever the features are: bounded, monotone, alone as in a batch, reasons that add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import logit

from data.settings import Complaint
from features.complaint import complaint_predicate
from features.views import all_features
from models.risk.evidence import CONCERNS
from models.risk.mixture import levelled, mix
from models.risk.model import RiskModel
from models.risk.reasons import concern_of, reasons
from models.risk.rule import FREQUENCY, RECENCY, train_rule
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings

SETTINGS = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, rounds=(20, 40)), penalties=(30.0,), slices=1
)
COMPLAINT = complaint_predicate(Complaint())
CARDS = {f.name: f.card() for f in all_features(COMPLAINT)}
NUMBERS = ("orders_overdue_now", "tickets_count_28d", "tickets_since_last_days")


def rows_of(
    seed: int, times: int = 12, customers: int = 300
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Features, labels, and the true daily hazard of each row."""
    rng = np.random.default_rng(seed)
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
        labels[f"contact_{h}d"] = (labels[f"tickets_{h}d"] > 0) * 1.0
    return features, labels, daily.to_numpy()


@pytest.fixture(scope="module")
def model() -> RiskModel:
    features, labels, _ = rows_of(1)
    cards = [{**CARDS[name], "role": ""} for name in features.columns[2:]]
    return train_risk(features, labels, settings=SETTINGS, cards=cards)


def rule_of(features: pd.DataFrame, labels: pd.DataFrame, seed: int) -> RiskModel:
    """The fallback, learned from so few of the rows that most of its cells are empty."""
    few = features.sample(60, random_state=seed).index
    told = features.rename(
        columns={"tickets_since_last_days": RECENCY, "tickets_count_28d": FREQUENCY}
    )
    contacts = pd.DataFrame(
        {"topic": ["billing"], "channel": ["email"], "is_complaint": [True], "is_machine": [None],
         "priority": [None], "csat": [np.nan]}
    )  # fmt: skip
    return train_rule(
        told.loc[few].reset_index(drop=True),
        labels.loc[few].reset_index(drop=True),
        contacts,
        complaint=Complaint(),
        why="a test",
    )


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
    assert np.isfinite(logit(risk)).all()
    assert (told["expected_tickets_30d"] >= told["risk_30d"]).all()
    assert (told["contact_30d"] >= told["risk_30d"]).all() and (told["contact_30d"] <= 1).all()
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
        ranks = [(one["contribution"] > 0 and _acts(one), one["contribution"]) for one in said]
        assert ranks == sorted(ranks, reverse=True)


@settings(max_examples=25, deadline=None)
@given(frame=frames(), seed=st.integers(0, 50), horizon=st.sampled_from([7, 14, 30]))
def test_the_rule_scores_any_row_soundly_from_any_few(
    frame: pd.DataFrame, seed: int, horizon: int
) -> None:
    features, labels, _ = rows_of(seed % 4)
    labels["label_30d"] = np.nan if seed % 2 else labels["label_30d"]
    assume(labels.loc[features.sample(60, random_state=seed).index, "label_14d"].any())
    rule = rule_of(features, labels, seed)
    rows = frame.rename(
        columns={"tickets_since_last_days": RECENCY, "tickets_count_28d": FREQUENCY}
    )
    told = rule.predict(rows)
    risk = told[["risk_7d", "risk_14d", "risk_30d"]].to_numpy()
    assert np.isfinite(logit(risk)).all() and (np.diff(risk, axis=1) >= 0).all()
    assert (told["expected_tickets_30d"] >= told["risk_30d"]).all()
    assert (told["contact_30d"] >= told["risk_30d"]).all()
    _, base = rule.explain(rows, horizon)
    said = rule.reasons(rows, None, horizon=horizon)
    totals = base + [sum(reason["contribution"] for reason in reasons) for reasons in said]
    assert totals == pytest.approx(logit(told[f"risk_{horizon}d"]), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_risks_of_new_rows_are_calibrated_low_middle_and_high(seed: int) -> None:
    features, labels, _ = rows_of(seed, times=16)
    model = train_risk(features, labels, settings=SETTINGS)
    new, _, daily = rows_of(seed + 100, times=4, customers=1500)
    told = model.predict(new)
    for h in (7, 14, 30):
        truth, risk = 1 - np.exp(-daily * h), told[f"risk_{h}d"].to_numpy()
        for third in np.array_split(np.argsort(risk), 3):
            # what so many training rows leave open: four standard errors of their own rate
            n = len(features) / 3
            error = np.sqrt(truth[third].mean() * (1 - truth[third].mean()) / n)
            assert abs(risk[third].mean() - truth[third].mean()) < 4 * error


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
    every = reasons(columns, CARDS, frame, given_amounts, None)
    for row, said in zip(given_amounts, every, strict=True):
        assert sum(r["contribution"] for r in said) == pytest.approx(row.sum(), abs=1e-9)
        assert len({concern_of(r["feature"], CARDS) for r in said}) == len(said) <= 4
    for few, all_of_them in zip(
        reasons(columns, CARDS, frame, given_amounts, top), every, strict=True
    ):
        assert few == [r for r in all_of_them if r["contribution"] > 0][:top]


def _acts(reason: dict[str, object]) -> bool:
    """Whether a person can act on it: it is about a concern of those, and there."""
    value = reason["value"]
    there = isinstance(value, float) and abs(value) >= 0.005
    return there and concern_of(str(reason["feature"]), CARDS) in CONCERNS


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
