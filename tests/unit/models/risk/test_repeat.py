"""Repeat contact: the label by its definition, chances that are calibrated, thin data shrunk."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.tables import MemoryTables
from features.labels import repeats
from models.metrics import calibration_slope, log_loss
from models.risk.repeat import (
    ENOUGH,
    RepeatModel,
    concerned,
    in_words,
    learn_repeat,
    repeat_from_json,
)

START = datetime(2026, 1, 1)
DAY = timedelta(days=1)


def tickets(seed: int, customers: int = 12, count: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    opened = [START + DAY * float(at) for at in rng.uniform(0, 70, count)]
    resolved = [
        at + DAY * float(wait) for at, wait in zip(opened, rng.exponential(6, count), strict=True)
    ]
    return pd.DataFrame(
        {
            "ticket_id": [str(at) for at in range(count)],
            "customer_id": [f"c{at}" for at in rng.integers(0, customers, count)],
            "channel": "email",
            "opened_at": opened,
            "topic": rng.choice(["billing", "delivery", "app", None], count),
            "issue_id": np.where(rng.random(count) < 0.2, "i1", None),
            "resolved_at": [r if rng.random() < 0.8 else None for r in resolved],
            "reopened_at": [r + 3 * DAY if rng.random() < 0.1 else None for r in resolved],
            "is_machine": rng.random(count) < 0.1,
        }
    )


def by_hand(rows: pd.DataFrame, customer: str, at: datetime, end: datetime) -> float:
    """The definition in plain Python, one customer at one moment."""
    own = [row for row in rows.to_dict("records") if row["customer_id"] == customer]
    own = [row for row in own if not row["is_machine"]]
    current = [
        row
        for row in own
        if row["opened_at"] < at
        and (pd.isna(row["resolved_at"]) or row["resolved_at"] >= at - 7 * DAY)
    ]
    if not current or at + 14 * DAY > end:
        return float("nan")
    for row in current:
        if not pd.isna(row["reopened_at"]) and at <= row["reopened_at"] < at + 14 * DAY:
            return 1.0
        for later in own:
            same_topic = (row["topic"] or "") == (later["topic"] or "")
            same_issue = row["issue_id"] is not None and row["issue_id"] == later["issue_id"]
            if at <= later["opened_at"] < at + 14 * DAY and (same_topic or same_issue):
                return 1.0
    return 0.0


@pytest.mark.parametrize("seed", range(4))
def test_the_label_is_its_definition(seed: int) -> None:
    rows, end = tickets(seed), START + 60 * DAY
    known = rows[rows["opened_at"] < end].copy()  # as known at the end: later facts are blank
    for name in ("resolved_at", "reopened_at"):
        known[name] = known[name].where(known[name] < end, None)
    moments = [START + float(at) * DAY for at in (10, 20.5, 33, 46, 47, 59)]
    spine = pd.DataFrame(
        [(f"c{c}", at) for at in moments for c in range(13)], columns=["customer_id", "as_of"]
    )
    found = repeats(spine, MemoryTables({"tickets": rows}), known_as_of=end)
    known = known.astype({"topic": object, "issue_id": object})
    known = known.where(known.notna(), None)
    expected = [by_hand(known, who, at, end) for who, at in spine.itertuples(index=False)]
    np.testing.assert_array_equal(found, expected)
    assert set(found.dropna()) == {0.0, 1.0}


def world(customers: int, weeks: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series, np.ndarray]:
    """Features, labels, and the true chances: unanswered tickets and delivery come back."""
    rng = np.random.default_rng(seed)
    rows = customers * weeks
    still = rng.random(rows) < 0.3
    topic = rng.choice(["billing", "delivery", "rare"], rows, p=[0.6, 0.39, 0.01])
    waiting = np.where(still & (rng.random(rows) < 0.5), 1.0, 0.0)
    features = pd.DataFrame(
        {
            "customer_id": np.tile([f"c{at}" for at in range(customers)], weeks),
            "as_of": np.repeat(pd.date_range("2026-01-05", periods=weeks, freq="7D"), customers),
            "tickets_open_now": still.astype(np.float32),
            "tickets_resolved_since_last_days": rng.uniform(0, 40, rows).astype(np.float32),
            "tickets_unanswered_now": waiting.astype(np.float32),
            "tickets_topic_last": pd.Categorical(topic),
            "tickets_channel_last": pd.Categorical(rng.choice(["email", "chat"], rows)),
        }
    )
    chance = 1 / (1 + np.exp(2.5 - 1.5 * waiting - 1.0 * (topic == "delivery")))
    came = pd.Series((rng.random(rows) < chance) * 1.0).where(concerned(features))
    return features, came, chance


def test_chances_are_near_the_truth_and_only_for_those_concerned() -> None:
    features, came, _ = world(500, 16)
    model = learn_repeat(features, came)
    assert model is not None and model.kind == "regression"
    now, coming, truth = world(2000, 1, seed=9)
    chance = model.chance(now)
    rows = concerned(now)
    assert np.isnan(chance[~rows]).all()
    assert ((chance[rows] > 0) & (chance[rows] < 1)).all()
    assert calibration_slope(truth[rows], chance[rows]) == pytest.approx(1.0, abs=0.2)
    assert chance[rows].mean() == pytest.approx(truth[rows].mean(), rel=0.15)
    y = coming[rows].to_numpy()
    assert log_loss(y, chance[rows]) < log_loss(y, np.full(rows.sum(), y.mean()))
    assert model.figures["gain_low"] > 0
    metrics, [line] = in_words(model)
    assert (
        metrics["repeat_contact_14d_log_loss"] < metrics["repeat_contact_14d_log_loss_of_base_rate"]
    )
    assert "regression gain" in line


def test_with_thin_data_it_is_the_shrunk_rate_of_topic_and_channel() -> None:
    features, came, _ = world(40, 6, seed=2)
    assert came.sum() < ENOUGH
    model = learn_repeat(features, came)
    assert model is not None and model.kind == "shrunk rates"
    chance = pd.Series(model.chance(features))
    by_topic = chance.groupby(features["tickets_topic_last"].astype(str)).mean()
    base = came.mean()
    raw = came.groupby(features["tickets_topic_last"].astype(str)).mean()
    for topic in ("billing", "delivery"):
        assert abs(by_topic[topic] - base) < abs(raw[topic] - base)  # drawn to the rate of all
        assert (by_topic[topic] - base) * (raw[topic] - base) > 0
    assert chance.nunique() <= 6


@pytest.mark.parametrize("came_of_all", [0.0, 1.0])
def test_one_class_and_single_rows_give_chances_within_bounds(came_of_all: float) -> None:
    features, came, _ = world(5, 2)
    model = learn_repeat(features, came.where(came.isna(), came_of_all))
    assert model is not None
    chance = model.chance(features)[concerned(features)]
    assert ((chance > 0) & (chance < 1)).all()


def test_nothing_to_learn_from_is_none() -> None:
    features, came, _ = world(5, 2)
    assert learn_repeat(features, came * np.nan) is None
    assert learn_repeat(features.drop(columns="tickets_open_now"), came) is None
    assert in_words(None) == ({}, [])


def test_alone_in_a_batch_and_after_json_it_says_the_same() -> None:
    features, came, _ = world(300, 12)
    model = learn_repeat(features, came)
    assert model is not None
    again: RepeatModel = repeat_from_json(model.to_json())
    chance = model.chance(features)
    np.testing.assert_array_equal(again.chance(features), chance)
    for at in (0, 17, 101):
        np.testing.assert_array_equal(model.chance(features.iloc[[at]]), chance[[at]])


def test_what_comes_after_the_moment_known_changes_no_label() -> None:
    rows, known = tickets(5), START + 40 * DAY
    spine = pd.DataFrame({"customer_id": [f"c{c}" for c in range(12)], "as_of": START + 20 * DAY})
    past = rows[rows["opened_at"] < known].copy()
    for name in ("resolved_at", "reopened_at"):
        past[name] = past[name].where(past[name] < known, None)
    one = repeats(spine, MemoryTables({"tickets": rows}), known_as_of=known)
    two = repeats(spine, MemoryTables({"tickets": past}), known_as_of=known)
    np.testing.assert_array_equal(one, two)
