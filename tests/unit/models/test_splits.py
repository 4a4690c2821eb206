"""Splits by time: nothing that judges was learned from, whatever the grid."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError, NotEnoughHistory
from models.splits import (
    as_of_grid,
    last_labelled,
    time_split,
)

DAY = timedelta(days=1)
START = datetime(2025, 1, 1)
WEEKLY = [START + DAY * 7 * week for week in range(52)]


def test_the_grid_ends_at_the_last_time_and_reaches_back():
    grid = as_of_grid(START, START + DAY * 30, DAY * 7)
    assert grid == [START + DAY * day for day in (2, 9, 16, 23, 30)]
    assert as_of_grid(START, START, DAY) == [START]


def test_a_label_is_known_when_its_window_is_over():
    assert last_labelled(datetime(2026, 3, 31), 30) == datetime(2026, 3, 1)
    assert last_labelled(datetime(2026, 3, 31), 28, gap_days=2) == datetime(2026, 3, 1)


def test_missing_history_is_counted_in_days():
    with pytest.raises(NotEnoughHistory, match="no as-of time between"):
        as_of_grid(START, START - DAY, DAY)


def test_a_step_that_does_not_advance_is_refused():
    with pytest.raises(DataError, match="must be above zero"):
        as_of_grid(START, START + DAY, timedelta(0))


def test_parts_by_hand():
    split = time_split(WEEKLY, 30, embargo_days=5, calibration=3, evaluation=4)
    assert split.evaluation == tuple(WEEKLY[48:])
    # 35 days = 5 weeks: the newest time whose label and embargo are over at week 48 is week 43
    assert split.calibration == tuple(WEEKLY[41:44])
    assert split.training == tuple(WEEKLY[:37])


def test_a_label_that_ends_where_evaluation_begins_may_train():
    times = [START, START + DAY * 7]
    split = time_split(times, 7, calibration=0, evaluation=1)
    assert split.training == (START,)
    with pytest.raises(NotEnoughHistory):
        time_split(times, 7, embargo_days=0.01, calibration=0, evaluation=1)


def test_cutoffs_of_a_backtest_need_not_lie_on_the_grid():
    cutoff = WEEKLY[40] + timedelta(hours=5)
    split = time_split(WEEKLY, 14, calibration=2, evaluation=(cutoff,))
    assert split.evaluation == (cutoff,)
    assert split.calibration == (WEEKLY[37], WEEKLY[38])
    assert split.training[-1] == WEEKLY[35]


def test_the_model_that_goes_to_work_holds_nothing_out():
    split = time_split(WEEKLY, 30, calibration=2, evaluation=0)
    assert split.evaluation == ()
    assert split.calibration == tuple(WEEKLY[-2:])


def test_too_few_times_say_what_is_needed_and_missing():
    with pytest.raises(NotEnoughHistory) as caught:
        time_split(WEEKLY[:6], 30, calibration=2, evaluation=2)
    # 0 + 1 + 1 weeks within the parts and twice 30 days, in whole weeks 35, between them: 84 days
    assert "span 84 days" in str(caught.value)
    assert "(35 days" in str(caught.value)
    assert "49 more days" in str(caught.value)
    with pytest.raises(NotEnoughHistory, match="no as-of times"):
        time_split([], 30)


def test_what_was_said_to_be_missing_is_just_enough():
    split = time_split(WEEKLY[: 6 + 49 // 7], 30, calibration=2, evaluation=2)
    assert len(split.training) == 1
    with pytest.raises(NotEnoughHistory, match="7 more days"):
        time_split(WEEKLY[: 5 + 49 // 7], 30, calibration=2, evaluation=2)


@given(
    days=st.lists(st.integers(0, 700), min_size=1, max_size=60),
    horizon=st.integers(1, 40),
    gap=st.integers(0, 10),
    embargo=st.integers(0, 10),
    calibration=st.integers(0, 4),
    evaluation=st.integers(0, 4),
)
@settings(max_examples=300, deadline=None)
def test_no_label_reaches_into_a_later_part(days, horizon, gap, embargo, calibration, evaluation):
    times = [START + DAY * day for day in days]
    try:
        split = time_split(
            times,
            horizon,
            gap_days=gap,
            embargo_days=embargo,
            calibration=calibration,
            evaluation=evaluation,
        )
    except NotEnoughHistory as error:
        assert "more days of history are needed" in str(error)
        return
    assert len(split.calibration) == calibration
    assert len(split.evaluation) == evaluation
    parts = [part for part in (split.training, split.calibration, split.evaluation) if part]
    for earlier, later in pairwise(parts):
        over = max(earlier) + DAY * (gap + horizon + embargo)
        assert over <= min(later)
    used = [time for part in parts for time in part]
    assert set(used) <= set(times)
    assert used == sorted(set(used))
    if split.evaluation:
        assert split.evaluation[-1] == max(times)
