"""What a planner changes adds up, leaves the forecast beside it, and is judged by what came."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.store import Override
from serving.overrides import overridden, planned, value_added

DAY = datetime(2026, 3, 2)
IDS = {
    "total": 100.0,
    "channel=a": 60.0,
    "channel=b": 40.0,
    "topic=x": 70.0,
    "topic=y": 30.0,
    "channel=a/topic=x": 50.0,
    "channel=a/topic=y": 10.0,
    "channel=b/topic=x": 20.0,
    "channel=b/topic=y": 20.0,
}


def forecast() -> pd.DataFrame:
    days = pd.date_range(DAY, periods=3)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": days, "presage": [level, 2 * level, 0.0]})
        for name, level in IDS.items()
    ]
    return pd.concat(parts, ignore_index=True)


def change(unique_id: str, *, days: int = 1, **what: float) -> Override:
    told = {"factor": None, "value": None, **what}
    ends = DAY + pd.Timedelta(days=days)
    return Override(1, unique_id, DAY, ends, told["factor"], told["value"], "Ada", "why", DAY, None)


def numbers(changes: list[Override]) -> pd.DataFrame:
    frame = forecast()
    told = overridden(frame, changes).fillna(frame["presage"])
    return frame.assign(now=told).pivot_table(index="ds", columns="unique_id", values="now")


def test_a_channels_change_reaches_its_parts_and_the_total_and_no_other_channel():
    now = numbers([change("channel=a", factor=1.5)]).loc[DAY]
    assert now["channel=a"] == pytest.approx(90)
    assert now["channel=a/topic=x"] == pytest.approx(75)
    assert now["total"] == pytest.approx(130)
    assert now["topic=x"] == pytest.approx(95)
    assert now["channel=b"] == pytest.approx(40)
    assert numbers([change("channel=a", factor=1.5)]).iloc[1]["total"] == pytest.approx(200)


def test_a_number_is_for_the_whole_span_and_later_changes_build_on_earlier_ones():
    changes = [change("total", days=2, value=600.0), change("channel=b", factor=0.5)]
    now = numbers(changes)
    assert now["total"].iloc[:2].sum() == pytest.approx(600 - 40)
    assert now.loc[DAY, "channel=a"] == pytest.approx(120)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(IDS)), min_size=1, max_size=4),
    factor=st.floats(0, 10),
    value=st.floats(0, 1e4),
    days=st.integers(1, 3),
)
def test_parts_add_up_whatever_is_changed(names, factor, value, days):
    changes = [
        change(name, days=days, **({"factor": factor} if place % 2 else {"value": value}))
        for place, name in enumerate(names)
    ]
    now = numbers(changes)
    close = {"rtol": 1e-6, "atol": 1e-6, "check_names": False}
    pd.testing.assert_series_equal(now["channel=a"] + now["channel=b"], now["total"], **close)
    pd.testing.assert_series_equal(now["topic=x"] + now["topic=y"], now["total"], **close)
    assert (now >= 0).all(axis=None)


def test_a_series_of_a_foreign_name_changes_alone():
    frame = pd.DataFrame({"unique_id": ["calls", "mails"], "ds": DAY, "presage": [5.0, 7.0]})
    assert overridden(frame, [change("calls", factor=2.0)]).iloc[0] == 10.0
    assert overridden(frame, [change("calls", factor=2.0)]).isna().tolist() == [False, True]


def test_value_added_is_what_the_change_came_nearer_by():
    frame, one = forecast(), change("total", days=2, factor=1.2)
    came = pd.DataFrame({"unique_id": "total", "ds": [DAY], "y": [118.0]})
    told = value_added(frame, overridden(frame, [one]), came, one)
    assert told == pytest.approx(
        {"steps": 1, "error": 18.0, "error_overridden": 2.0, "value_added": 16.0}
    )
    assert value_added(frame, overridden(frame, [one]), came.iloc[:0], one) is None


def test_a_plan_stands_on_the_changed_number_with_its_interval_and_keeps_the_forecasts():
    frame = forecast()
    frame["presage-lo-80"], frame["presage-hi-80"] = frame["presage"] * 0.5, frame["presage"] * 2
    changes = [change("channel=a", factor=1.5), change("topic=x", days=3, value=630.0)]
    told = planned(frame, changes)
    assert told["forecast"].tolist() == frame["presage"].tolist()
    moved = told["presage"].where(told["presage"] != frame["presage"])
    assert moved.tolist() == pytest.approx(overridden(frame, changes).tolist(), nan_ok=True)
    there = frame["presage"] > 0
    ratio = (told["presage-hi-80"] / told["presage"])[there]
    assert ratio.tolist() == pytest.approx([2.0] * len(ratio))
    pd.testing.assert_frame_equal(planned(frame, [])[list(frame.columns)], frame)


def test_contacts_expected_where_there_were_none_get_an_interval():
    frame = pd.DataFrame({"unique_id": ["calls"], "ds": [DAY], "presage": [0.0]})
    for name in ("presage-median", "presage-lo-80", "presage-hi-80"):
        frame[name] = 0.0
    told = planned(frame, [change("calls", value=100.0)]).iloc[0]
    assert told["presage-lo-80"] == 87
    assert told["presage-hi-80"] == 113
    assert told["presage-median"] == 100
