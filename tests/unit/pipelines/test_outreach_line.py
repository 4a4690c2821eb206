"""What the forecast takes outreach to be from now on, read from the log of decisions."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from data.settings import Outreach
from data.store import Store, append_decisions, open_store
from data.workspace import init
from pipelines.steps.outreach_line import contacted_until
from serving.outreach.candidates import run_name
from serving.outreach.policy import BEYOND

NOW = datetime(2026, 3, 30)
DAY = timedelta(days=1)
POLICY = Outreach(capacity_per_day=1000, holdout_share=0.1)


def decide(store: Store, ago: float, treated: int, *, explored: bool, others: int = 0) -> None:
    at = NOW - ago * DAY
    arms = ["treat"] * treated + ["holdout"] * (treated > 0) + ["capacity"] * others
    rows = [
        {"decision_id": f"{ago}-{i}", "customer_id": f"c{i}", "arm": arm, "action": "check_in",
         "channel": "email", "as_of": at.isoformat(), "explored": explored, "policy": "p",
         "reason": f"worth a contact, one of 9: {BEYOND}" if arm == "capacity" else ""}
        for i, arm in enumerate(arms)
    ]  # fmt: skip
    append_decisions(store, run_name(at), rows, at, [])


def test_a_plan_that_has_grown_is_the_forecast_s_from_its_first_day_on(tmp_path: Path) -> None:
    with open_store(init(tmp_path / "w")) as store:
        assert contacted_until(store, NOW, POLICY) is None
        for ago in (4, 3, 2):
            decide(store, ago, 3, explored=True, others=500)
        begun = contacted_until(store, NOW - DAY, POLICY)
        decide(store, 1, 50, explored=False, others=900)
        grown = contacted_until(store, NOW, POLICY)
        decide(store, 0, 60, explored=False, others=900)
        tonight = contacted_until(store, NOW, POLICY)
    assert begun is not None and grown is not None and tonight is not None
    assert begun.ahead == pytest.approx(3.0)
    assert grown.ahead == pytest.approx(50.0)
    assert tonight.ahead == pytest.approx(55.0)
    # of the past only what is past: tonight's is ahead
    assert tonight.by_day == grown.by_day
    assert grown.by_day[-5:] == (0.0, 3.0, 3.0, 3.0, 50.0)


def test_a_day_that_selects_nobody_ends_it_and_a_second_run_of_a_day_does_not(
    tmp_path: Path,
) -> None:
    with open_store(init(tmp_path / "w")) as store:
        decide(store, 2, 50, explored=False, others=900)
        decide(store, 1.5, 0, explored=False, others=900)  # the day's capacity is used
        same_day = contacted_until(store, NOW - DAY, POLICY)
        decide(store, 1, 0, explored=False, others=900)  # it has stopped
        ended = contacted_until(store, NOW, POLICY)
    assert same_day is not None and same_day.ahead == pytest.approx(50.0)
    assert ended is not None and ended.ahead == 0


def test_outreach_that_has_ended_is_none_ahead(tmp_path: Path) -> None:
    with open_store(init(tmp_path / "w")) as store:
        decide(store, 40, 30, explored=False)
        found = contacted_until(store, NOW, POLICY)
    assert found is not None and found.ahead == 0 and sum(found.by_day) == 30
