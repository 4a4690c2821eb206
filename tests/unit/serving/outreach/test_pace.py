"""How many a day outreach contacts from now on: as it decides now."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from data.settings import Outreach
from serving.outreach.pace import OutreachRun, pace

NOW = datetime(2026, 3, 30)
DAY = timedelta(days=1)


def runs(*days_ago: float, policy: str = "a", by_value: bool = True, count: int = 20) -> list:
    return [OutreachRun(NOW - ago * DAY, policy, by_value, count, count) for ago in days_ago]


@pytest.mark.parametrize(
    ("decided", "a_day"),
    [
        (runs(3, 2, 1), 20.0),
        (runs(2, 1, 0), 20.0),  # tonight's are in the plan already
        (runs(1.6, 1.4, 0.6, 0.4), 40.0),  # two runs a day
        (runs(10), 2.0),  # nothing since
        (runs(5, 4, 3, by_value=False, count=5) + runs(2, 1), 20.0),  # measured since
        (runs(5, 4, 3) + runs(2, 1, policy="b", count=8), 8.0),  # other settings since
    ],
)
def test_only_days_that_were_decided_as_now_count(decided: list, a_day: float) -> None:
    assert pace(decided, 10_000, Outreach(holdout_share=0.0), NOW) == pytest.approx(a_day)


def test_a_day_has_no_more_than_the_settings_in_force_allow() -> None:
    policy = Outreach(capacity_per_day=10, explore_share=0.2, holdout_share=0.1)
    assert pace(runs(2, 1), 10_000, policy, NOW) == pytest.approx(9.0)
    assert pace(runs(2, 1, by_value=False), 10_000, policy, NOW) == pytest.approx(1.8)
    assert pace(runs(2, 1), 10_000, Outreach(capacity_per_day=0), NOW) == 0
    assert pace([], 10_000, policy, NOW) is None


def test_where_few_are_worth_it_they_are_contacted_as_often_as_allowed() -> None:
    policy = Outreach(min_days_between=14.0, most_in_90_days=9, holdout_share=0.0)
    # thirty in all, twice in four weeks
    assert pace(runs(1), 10, policy, NOW) == pytest.approx(30 * 2 / 28)
