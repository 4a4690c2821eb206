"""Why the forecast changed: each cause is named, and the causes sum to the change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import UsageError
from models.volume import Issue, VolumeContext, VolumeModel, explain_change, train_volume

PARTS = ["corrected", "calendar", "new_counts", "drivers", "model"]
PLAIN = VolumeContext()


def counts(days: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ds = pd.date_range("2024-01-01", periods=days)
    y = rng.poisson(np.where(ds.day_of_week < 5, 80, 20)).astype(float)
    return pd.DataFrame({"unique_id": "calls", "ds": ds, "y": y})


@pytest.fixture(scope="module")
def model() -> VolumeModel:
    return train_volume(counts(120), horizon=7, freq="D")


def parts(before: Issue, after: Issue) -> pd.DataFrame:
    made = explain_change(before, after, 7)
    total = made["before"] + made[PARTS].sum(axis=1)
    np.testing.assert_allclose(total, made["after"], rtol=1e-9)
    assert len(made) == 7
    return made


def test_nothing_new_changes_nothing(model):
    made = parts(Issue(model, counts(120), PLAIN), Issue(model, counts(120), PLAIN))
    assert (made[PARTS] == 0).all(axis=None)


def test_a_busy_day_since_is_new_counts_and_nothing_else(model):
    after = counts(121)
    after.loc[120, "y"] *= 2
    made = parts(Issue(model, counts(120), PLAIN), Issue(model, after, PLAIN))
    assert made["new_counts"].mean() > 1
    assert (made[["corrected", "calendar", "model"]] == 0).all(axis=None)


def test_late_counts_are_corrections(model):
    late = counts(120)
    late.loc[110:119, "y"] += 20
    made = parts(Issue(model, counts(120), PLAIN), Issue(model, late, PLAIN))
    assert made["corrected"].mean() > 3
    assert (made["new_counts"] == 0).all()


def test_an_announced_closure_is_the_calendars(model):
    closed = pd.DataFrame(
        {
            "name": ["move"],
            "kind": ["closure"],
            "announced_at": [pd.Timestamp("2024-04-01")],
            "starts_at": [pd.Timestamp("2024-05-02")],
            "ends_at": [pd.Timestamp("2024-05-03")],
            "channel": [None],
        }
    )
    later = VolumeContext(calendar=closed)
    made = parts(Issue(model, counts(120), PLAIN), Issue(model, counts(121), later))
    made = made.set_index("ds")
    assert made.loc["2024-05-02", "after"] == 0
    assert made.loc["2024-05-02", "calendar"] == -made.loc["2024-05-02", "before"]
    assert made.loc["2024-05-03", "calendar"] == 0


def test_news_of_a_calendar_handed_over_whole_are_the_calendars(model):
    """As the verb does: one calendar, in which the event is announced between the two."""
    closed = pd.DataFrame(
        {
            "kind": ["closure"],
            "announced_at": [pd.Timestamp("2024-04-30T12:00")],
            "starts_at": [pd.Timestamp("2024-05-03")],
            "ends_at": [pd.Timestamp("2024-05-04")],
        }
    )
    context = VolumeContext(calendar=closed)
    made = parts(Issue(model, counts(120), context), Issue(model, counts(121), context))
    made = made.set_index("ds")
    assert made.loc["2024-05-03", "calendar"] == -made.loc["2024-05-03", "before"]
    assert made.loc["2024-05-03", "new_counts"] == 0
    assert made.loc["2024-05-04", "new_counts"] != 0


def test_a_forecast_that_is_there_already_is_not_made_again(model):
    before, after = Issue(model, counts(120), PLAIN), Issue(model, counts(121), PLAIN)
    made = model.forecast(counts(121), horizon=7)
    pd.testing.assert_frame_equal(
        explain_change(before, after, 7, made), explain_change(before, after, 7)
    )
    moved = explain_change(before, after, 7, made.assign(presage=1.0))
    assert (moved["after"] == 1.0).all()


def test_training_again_is_the_models(model):
    again = train_volume(counts(120), horizon=7, freq="D", seed=5)
    made = parts(Issue(model, counts(120), PLAIN), Issue(again, counts(120), PLAIN))
    assert (made[["corrected", "calendar", "new_counts", "drivers"]] == 0).all(axis=None)


def test_forecasts_the_wrong_way_round_are_refused(model):
    with pytest.raises(UsageError, match="other way round"):
        explain_change(Issue(model, counts(121), PLAIN), Issue(model, counts(120), PLAIN), 7)
