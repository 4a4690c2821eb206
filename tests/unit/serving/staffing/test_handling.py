"""Handling times: topic mix, thin data, nothing known, and who waits."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from data.errors import DataError
from data.settings import ServiceLevel
from data.tables import normalise
from serving.staffing import handle_seconds_by_channel, waiting_by_channel

NOW = datetime(2026, 3, 1)
LEVELS = {"phone": ServiceLevel(target_seconds=20, handle_seconds=300.0)}


def tickets(rows: list[tuple[str, str, float | None, bool]]) -> pd.DataFrame:
    """(channel, topic, handle_seconds or None if open, is_machine), opened a day ago."""
    opened = NOW - timedelta(days=1)
    return normalise(
        "tickets",
        pd.DataFrame(
            {
                "ticket_id": [f"t{i}" for i in range(len(rows))],
                "opened_at": opened,
                "channel": [row[0] for row in rows],
                "topic": [row[1] for row in rows],
                "is_machine": [row[3] for row in rows],
                "resolved_at": [None if row[2] is None else opened for row in rows],
                "handle_seconds": [row[2] for row in rows],
            }
        ),
    )


def of(frame: pd.DataFrame, channel: str) -> pd.Series:
    return frame.set_index("channel").loc[channel]


def test_topics_still_open_count_in_the_mix() -> None:
    rows = [("phone", "quick", 100.0, False)] * 900 + [("phone", "slow", 1000.0, False)] * 100
    rows += [("phone", "slow", None, False)] * 800
    found = of(handle_seconds_by_channel(tickets(rows), LEVELS, NOW), "phone")
    plain = 190.0
    assert found["handle_seconds"] == pytest.approx(0.5 * 100 + 0.5 * 1000, rel=0.15)
    assert found["handle_seconds"] > 2 * plain
    assert found["tickets"] == 1000 and found["source"] == "tickets"


def test_thin_channels_lean_on_the_setting_and_unknown_ones_use_it() -> None:
    rows = [("phone", "a", 900.0, False)] * 2 + [("email", "a", 1e8, True)]
    frame = handle_seconds_by_channel(tickets(rows), LEVELS, NOW)
    assert 300 < of(frame, "phone")["handle_seconds"] < 450
    nothing = of(handle_seconds_by_channel(tickets(rows[2:]), LEVELS, NOW), "phone")
    assert nothing["handle_seconds"] == 300.0 and nothing["source"] == "setting"
    assert "email" not in set(frame["channel"])  # its only ticket is a machine's


def test_an_impossible_handling_time_is_refused_by_ticket() -> None:
    with pytest.raises(DataError, match=r"'t1'.*-5"):
        handle_seconds_by_channel(
            tickets([("phone", "a", 5.0, False), ("phone", "a", -5.0, False)]), LEVELS, NOW
        )


def test_who_waits() -> None:
    frame = tickets([("email", "a", 60.0, False)] + [("email", "a", None, False)] * 3)
    assert waiting_by_channel(frame, NOW) == {}
    frame.loc[0, "first_response_at"] = NOW - timedelta(hours=1)
    assert waiting_by_channel(frame, NOW) == {"email": 3.0}
    assert waiting_by_channel(frame, NOW + timedelta(days=30)) == {}


def test_topics_are_weighted_as_they_are_forecast() -> None:
    rows = [("phone", "quick", 100.0, False)] * 900 + [("phone", "slow", 1000.0, False)] * 100
    ids = ["channel=phone/topic=quick", "channel=phone/topic=slow", "channel=phone", "total"]
    ahead = pd.DataFrame({"unique_id": ids, "presage": [20.0, 80.0, 100.0, 100.0]})
    found = of(handle_seconds_by_channel(tickets(rows), LEVELS, NOW, ahead), "phone")
    assert found["handle_seconds"] == pytest.approx(0.2 * 100 + 0.8 * 1000, rel=0.2)
    # a forecast without topics, or of nothing, leaves the latest mix
    for other in (ahead[ahead["unique_id"] == "total"], ahead.assign(presage=0.0)):
        plain = of(handle_seconds_by_channel(tickets(rows), LEVELS, NOW, other), "phone")
        assert plain["handle_seconds"] == pytest.approx(190, rel=0.15)


def test_a_topic_never_handled_takes_as_long_as_its_channel() -> None:
    rows = [("phone", "quick", 200.0, False)] * 500
    ahead = pd.DataFrame({"unique_id": ["channel=phone/topic=new"], "presage": [10.0]})
    found = of(handle_seconds_by_channel(tickets(rows), LEVELS, NOW, ahead), "phone")
    assert found["handle_seconds"] == pytest.approx(200, rel=0.05)
