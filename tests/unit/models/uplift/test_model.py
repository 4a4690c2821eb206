"""Effects learned per customer: signs, shrinkage, order of rows, several actions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from data.errors import NotEnoughHistory
from models.uplift import UpliftTrees, fit_uplift, trial
from models.uplift.folds import content_folds
from models.uplift.shrink import keep_share, pooled, slope_of

FAST = UpliftTrees(folds=3, rounds=25)


def world(seed: int, size: int, spread: float, actions: tuple[str, ...] = ("call",)):
    """Contact takes ``spread`` off the chance of the late and adds it to that of the others."""
    rng = np.random.default_rng(seed)
    late = rng.integers(0, 2, size)
    noise = rng.normal(size=size)
    arm = rng.integers(0, len(actions) + 1, size)
    effect = np.where(late == 1, -spread, spread) * (arm > 0)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(size)],
            "time": pd.Timestamp("2026-01-05"),
            "action": np.array(["none", *actions], dtype=object)[arm],
            "propensity": 1 / (len(actions) + 1),
            "complained": (rng.random(size) < 0.25 + effect).astype(float),
        }
    )
    features = pd.DataFrame(
        {"late": late, "noise": noise, "plan": pd.Categorical(np.where(noise > 0, "a", "b"))}
    )
    return frame, features


ASKED = pd.DataFrame(
    {"late": [0, 1], "noise": [0.1, 0.1], "plan": pd.Categorical(["a", "a"], ["a", "b"])}
)


def test_sleeping_dogs_have_negative_gains() -> None:
    model = fit_uplift(trial(*world(1, 6000, 0.15)), trees=FAST)
    harmed, helped = model.gains(ASKED)["call"]
    assert harmed < -0.08 and helped > 0.08
    assert model.predict(ASKED)["call"].tolist() == [-harmed, -helped]
    table = model.table()
    assert set(table["learner"]) == {
        "average", "proportional", "t", "x", "dr", "linear", "mean", "stack",
    }  # fmt: skip
    assert table.loc[table["learner"] == "stack", "loss"].item() < 0
    assert table["chosen"].sum() == 1


def test_where_customers_do_not_differ_they_get_the_average() -> None:
    """Unlike effects would be noise: the spread of predictions is far below the error of one."""
    spreads = []
    for seed in range(5):
        frame, features = world(seed, 1500, 0.0)
        model = fit_uplift(trial(frame, features), trees=FAST)
        spreads.append(np.ptp(model.predict(features)["call"].to_numpy()))
    assert np.median(spreads) < 0.02


def test_few_decisions_tell_the_average_only_and_no_features_too() -> None:
    frame, features = world(2, 300, 0.15)
    model = fit_uplift(trial(frame, features))
    assert model.actions["call"].chosen == "average"
    assert np.ptp(model.predict(features)["call"]) == 0
    bare = fit_uplift(trial(world(2, 3000, 0.15)[0]))
    assert bare.actions["call"].chosen == "average"


def test_nobody_contacted_is_said() -> None:
    frame, features = world(3, 100, 0.0)
    with pytest.raises(NotEnoughHistory, match="nobody was contacted"):
        fit_uplift(trial(frame.assign(action="none"), features))


def test_the_order_of_rows_changes_nothing() -> None:
    frame, features = world(4, 2500, 0.12)
    shuffled = np.random.default_rng(1).permutation(len(frame))
    one = fit_uplift(trial(frame, features), trees=FAST)
    two = fit_uplift(trial(frame.iloc[shuffled], features.iloc[shuffled]), trees=FAST)
    assert np.allclose(one.predict(ASKED), two.predict(ASKED), rtol=0, atol=1e-12)


def test_several_actions_each_have_their_own_effects() -> None:
    frame, features = world(5, 6000, 0.15, ("call", "credit"))
    rng = np.random.default_rng(5)
    credit = frame["action"] == "credit"
    frame.loc[credit, "complained"] = (rng.random(credit.sum()) < 0.25).astype(float)
    gains = fit_uplift(trial(frame, features), trees=FAST).gains(ASKED)
    assert gains.columns.tolist() == ["call", "credit"]
    assert gains["call"].iloc[1] > 0.08 and abs(gains["credit"].iloc[1]) < 0.06


def test_thinning_those_left_alone_keeps_the_effect() -> None:
    rng = np.random.default_rng(6)
    frame, features = world(6, 12_000, 0.15)
    rare = rng.random(len(frame)) < np.where(frame["action"] == "none", 1, 0.12)
    frame, features = frame[rare], features[rare]
    odds = 0.12 / 1.12
    frame = frame.assign(propensity=np.where(frame["action"] == "none", 1 - odds, odds))
    trees = UpliftTrees(folds=3, rounds=25, none_per_contact=2.0)
    model = fit_uplift(trial(frame, features), trees=trees)
    harmed, helped = model.gains(ASKED)["call"]
    assert harmed < -0.04 and helped > 0.04


def test_folds_keep_customers_whole_and_follow_content_not_order() -> None:
    rng = np.random.default_rng(1)
    names = np.array([f"c{i}" for i in rng.integers(0, 200, 600)], dtype=object)
    values = rng.normal(size=600)
    order, fold = content_folds(names, values, 4)
    assert pd.Series(fold).groupby(names).nunique().max() == 1
    assert np.bincount(fold).min() > 100
    back = rng.permutation(600)
    order_back, fold_back = content_folds(names[back], values[back], 4)
    assert (fold_back == fold[back]).all()
    assert (values[back][order_back] == values[order]).all()
    assert (content_folds(names, values + 1, 4)[1] != fold).any()


def test_noise_is_not_believed_and_signal_is() -> None:
    rng = np.random.default_rng(2)
    size = 20_000
    tau = rng.normal(0, 0.05, size)
    scores = tau + rng.normal(0, 0.5, size)
    ones, none = np.ones(size), np.zeros(size)
    rows = np.arange(size)
    real = slope_of(scores, 2 * tau, none, ones, rows)
    assert real.slope == pytest.approx(0.5, abs=0.15)
    kept = [
        keep_share(*slope_of(scores, rng.normal(0, 0.05, size), none, ones, rows))
        for _ in range(20)
    ]
    assert np.median(kept) < 0.05
    assert keep_share(*slope_of(scores, none, none, ones, rows)) == 0


def test_pooling_draws_noisy_averages_together_and_leaves_clear_ones() -> None:
    noisy = pooled(np.array([-0.1, 0.0, 0.1]), np.array([0.2, 0.2, 0.2]))
    assert np.ptp(noisy) == 0
    clear = pooled(np.array([-0.1, 0.0, 0.1]), np.array([0.001, 0.001, 0.001]))
    assert clear == pytest.approx([-0.1, 0.0, 0.1], abs=1e-3)
    assert pooled(np.array([0.3]), np.array([0.1])).tolist() == [0.3]
    for order in permutations(range(3)):
        at = np.array(order)
        got = pooled(np.array([-0.1, 0.0, 0.3])[at], np.array([0.1, 0.2, 0.1])[at])
        assert sorted(got) == pytest.approx(
            sorted(pooled(np.array([-0.1, 0.0, 0.3]), np.array([0.1, 0.2, 0.1])))
        )
