"""A planner's span in the company's clock, and the days of a plan by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from data.settings import Company, ServiceLevel, Settings
from serving.planning.assumptions import as_json, combined, of_json
from serving.planning.days import by_day
from serving.planning.spans import company_time, local_days_of, meets
from serving.published import Published
from serving.staffing.changes import EVERY, Changes, Span

OSLO = "Europe/Oslo"


@pytest.mark.parametrize(
    ("told", "name", "meant"),
    [
        (datetime(2026, 3, 2, 8), "starts_at", datetime(2026, 3, 2, 7)),
        (datetime(2026, 7, 2, 8), "starts_at", datetime(2026, 7, 2, 6)),
        (datetime(2026, 3, 2, 8, tzinfo=UTC), "starts_at", datetime(2026, 3, 2, 8)),
        (
            datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=-5))),
            "ends_at",
            datetime(2026, 3, 2, 13),
        ),
        # the clock skips from 02:00 to 03:00: the first moment that exists
        (datetime(2026, 3, 29, 2, 30), "starts_at", datetime(2026, 3, 29, 1)),
        (datetime(2026, 3, 29, 2, 30), "ends_at", datetime(2026, 3, 29, 1)),
        # 02:30 occurs twice: a span from it to it holds both
        (datetime(2026, 10, 25, 2, 30), "starts_at", datetime(2026, 10, 25, 0, 30)),
        (datetime(2026, 10, 25, 2, 30), "ends_at", datetime(2026, 10, 25, 1, 30)),
        (datetime(2026, 10, 25, 3), "ends_at", datetime(2026, 10, 25, 2)),
    ],
)
def test_a_time_is_the_companys_unless_it_says_otherwise(
    told: datetime, name: str, meant: datetime
) -> None:
    assert company_time(told, name, OSLO) == meant


def test_a_day_of_a_clock_change_is_one_day() -> None:
    hours = pd.Series(pd.date_range("2026-10-24T22:00", periods=49, freq="h"))
    days = local_days_of(hours, OSLO)
    assert days == [datetime(2026, 10, 24, 22), datetime(2026, 10, 25, 23)]


def test_series_meet_where_they_share_contacts() -> None:
    assert meets("channel=email/topic=a", "topic=a")
    assert not meets("channel=email/topic=a", "channel=chat")
    assert meets("total", "channel=email/topic=a") and not meets("calls", "total")


def test_assumptions_go_to_the_store_and_back() -> None:
    span = Span(datetime(2026, 3, 2), datetime(2026, 3, 3), "phone", 1.5)
    told = Changes(volume={EVERY: 1.1}, share={"phone": 0.9}, closed=(span,), shrinkage=0.4)
    assert of_json(as_json(told)) == told
    assert as_json(Changes()) == {}
    both = combined(told, Changes(share={EVERY: 0.8}, closed=(span,), at_most={"phone": 3}))
    assert both.share == {EVERY: 0.8} and len(both.closed) == 2 and both.at_most == {"phone": 3}


def test_a_day_says_what_is_promised_and_where_it_is_at_risk() -> None:
    level = ServiceLevel(target_seconds=60, share=0.9, confidence=0.9)
    settings = Settings(company=Company(time_zone=OSLO), service_levels={"chat": level})
    starts = pd.to_datetime(["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-26T09:00"])
    frame = pd.DataFrame({"channel": "chat", "starts_at": starts})
    frame = frame.assign(
        ends_at=starts + pd.Timedelta(hours=1),
        volume=[10.0, 30.0, 5.0],
        volume_forecast=[10.0, 30.0, 5.0],
        open_seconds=3600.0,
        agents_net=[2, 4, 1],
        agents_gross=[2.86, 5.72, 1.43],
        service_level=[1.0, 0.6, 0.9],
        confidence=[0.64, 0.64, 0.95],
        reachable=[0.68, 0.68, 1.0],
        backlog=0.0,
        kind="real_time",
    )
    days = by_day(Published(frame, {}), settings)
    assert days["day"].tolist() == ["2026-10-25", "2026-10-26"]
    assert days["state"].tolist() == ["out of reach", "sure"]
    assert days["service_level"].tolist() == pytest.approx([0.7, 0.9])
    assert days["hours_gross"].tolist() == pytest.approx([8.58, 1.43])
    risky = by_day(Published(frame.assign(reachable=1.0), {}), settings)
    assert risky["state"].tolist() == ["at risk", "sure"]
    played = frame.assign(reachable=1.0, confidence=[0.64, 0.64, 0.8])
    for runs, states in ((40, ["at risk", "sure"]), (1000, ["at risk", "at risk"])):
        told = by_day(Published(played, {"runs": runs}), settings)
        assert told["state"].tolist() == states, "8 of 10 may be chance in 40 runs"
    assert days["cost"].iloc[1] == pytest.approx(1.43 * settings.staffing.hourly_cost)
