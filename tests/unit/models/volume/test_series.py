"""Counts per node from the ticket log, against a plain loop."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.errors import NotEnoughHistory, SettingsError
from data.tables import MemoryTables
from models.volume.context import VolumeContext
from models.volume.series import series_from_tickets, series_from_volumes

FIRST = datetime(2024, 1, 1, 3)


def log(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    opened = [FIRST + timedelta(minutes=int(m)) for m in sorted(rng.integers(0, 20 * 1440, rows))]
    return pd.DataFrame(
        {
            "ticket_id": [str(i) for i in range(rows)],
            "opened_at": opened,
            "channel": rng.choice(["phone", "e/mail"], rows),
            "topic": rng.choice(np.array(["billing", "50%", None], dtype=object), rows),
            "is_machine": rng.choice(np.array([True, False, None], dtype=object), rows),
        }
    )


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("freq", ["D", "h"])
def test_every_node_counts_what_a_loop_counts(zone, freq):
    tickets = log()
    as_of = datetime(2024, 1, 15, 0, 0)
    context = VolumeContext(time_zone=zone)
    made = series_from_tickets(MemoryTables({"tickets": tickets}), as_of, freq, context)
    step = pd.Timedelta(days=1) if freq == "D" else pd.Timedelta(hours=1)
    counted: dict[tuple[str, pd.Timestamp], int] = {}
    for row in tickets.itertuples():
        if row.is_machine is True or row.opened_at >= as_of:
            continue
        local = pd.Timestamp(row.opened_at, tz="UTC").tz_convert(zone)
        start = local.floor(freq, ambiguous=False).tz_convert("UTC").tz_localize(None)
        if start + step > as_of:
            continue
        channel = row.channel.replace("/", "%2F")
        topic = "" if row.topic is None or row.topic != row.topic else row.topic
        topic = topic.replace("%", "%25")
        for name in (
            "total",
            f"channel={channel}",
            f"topic={topic}",
            f"channel={channel}/topic={topic}",
        ):
            counted[name, start] = counted.get((name, start), 0) + 1
    found = {(r.unique_id, r.ds): r.y for r in made.itertuples() if r.y}
    assert found == counted


def test_zeros_are_there_and_the_running_step_is_not():
    made = series_from_tickets(
        MemoryTables({"tickets": log(40)}), datetime(2024, 1, 15, 13, 30), "D", VolumeContext()
    )
    assert made["ds"].max() == pd.Timestamp("2024-01-14")
    per_node = made.groupby("unique_id").size()
    assert (per_node == per_node.iloc[0]).all()
    assert (made["y"] == 0).any()


def test_a_month_that_began_before_the_log_is_left_out():
    tickets = log(400).assign(opened_at=lambda t: t["opened_at"] + timedelta(days=20))
    made = series_from_tickets(MemoryTables({"tickets": tickets}), datetime(2024, 3, 1), "MS")
    assert made["ds"].unique().tolist() == [pd.Timestamp("2024-02-01")]


def test_no_complete_step_says_so():
    with pytest.raises(NotEnoughHistory, match="no complete step"):
        series_from_tickets(MemoryTables({"tickets": log()}), FIRST + timedelta(hours=8), "D")


def test_volumes_end_with_the_step_that_ends_at_as_of():
    ds = pd.date_range("2024-01-01", periods=48, freq="h")
    volumes = pd.DataFrame({"unique_id": "calls", "ds": ds, "y": np.arange(48.0)})
    tables = MemoryTables({"volumes": volumes})
    made = series_from_volumes(tables, datetime(2024, 1, 1, 10), "h")
    assert made["ds"].max() == pd.Timestamp("2024-01-01T09:00")
    made = series_from_volumes(tables, datetime(2024, 1, 1, 10, 59), "h")
    assert made["ds"].max() == pd.Timestamp("2024-01-01T09:00")
    assert made["y"].tolist() == list(np.arange(10.0))


def counts(made: pd.DataFrame) -> dict[str, float]:
    return {str(name): float(y) for name, y in made.groupby("unique_id")["y"].sum().items() if y}


def test_hand_overs_without_a_ticket_are_contacts_once_they_happened():
    tickets = log(50)
    bots = pd.DataFrame(
        {
            "session_id": ["with", "without", "lost", "later", "contained"],
            "started_at": FIRST + timedelta(days=2),
            "handed_over_at": [
                *[FIRST + timedelta(days=2, hours=1)] * 3,
                FIRST + timedelta(days=14),
                pd.NaT,
            ],
            "ticket_id": ["7", None, "of nobody", None, None],
            "topic": ["billing", "billing", None, "billing", "billing"],
        }
    )
    as_of = datetime(2024, 1, 15)
    tables = MemoryTables({"tickets": tickets, "bot_sessions": bots})
    without = counts(series_from_tickets(tables, as_of, "D", VolumeContext()))
    context = VolumeContext(handed_over_channel="chat")
    made = counts(series_from_tickets(tables, as_of, "D", context))
    assert made["total"] == without["total"] + 2
    assert made["channel=chat"] == 2
    assert made["channel=chat/topic=billing"] == made["channel=chat/topic="] == 1
    later = counts(series_from_tickets(tables, FIRST + timedelta(days=15), "D", context))
    assert later["channel=chat"] == 3
    unlinked = MemoryTables({"tickets": tickets, "bot_sessions": bots.assign(ticket_id=None)})
    assert counts(series_from_tickets(unlinked, as_of, "D", context)) == without


def test_contacts_are_split_by_columns_of_tickets_and_customers_too():
    rng = np.random.default_rng(1)
    tickets = log(300).assign(
        customer_id=rng.choice(np.array(["a", "b", "c", None], dtype=object), 300),
        priority=rng.choice(["high", "low"], 300),
    )
    customers = pd.DataFrame(
        {"customer_id": ["a", "b"], "signed_up_at": FIRST - timedelta(days=9), "region": ["n", "s"]}
    )
    tables = MemoryTables({"tickets": tickets, "customers": customers})
    context = VolumeContext(split_by=("region", "priority"))
    made = counts(series_from_tickets(tables, datetime(2024, 1, 15), "D", context))
    seen = tickets[(tickets["opened_at"] < "2024-01-15") & (tickets["is_machine"] != True)]  # noqa: E712
    region = seen["customer_id"].map({"a": "n", "b": "s"})
    assert made["region=n"] == (region == "n").sum()
    assert made["region="] == region.isna().sum()
    both = (region == "s") & (seen["priority"] == "low") & (seen["channel"] == "phone")
    assert made["channel=phone/region=s/priority=low"] == both.sum()
    assert (
        made["channel=phone/topic=billing/region=s/priority=low"]
        == (both & (seen["topic"] == "billing")).sum()
    )
    assert made["priority=high"] + made["priority=low"] == made["total"]
    for wrong in ("regoin", "opened_at", "text", "channel"):
        with pytest.raises(SettingsError, match=r"\[volume\] split_by"):
            series_from_tickets(
                tables, datetime(2024, 1, 15), "D", VolumeContext(split_by=(wrong,))
            )


def test_history_is_no_longer_than_asked():
    tables = MemoryTables({"tickets": log(300)})
    as_of = datetime(2024, 1, 15)
    whole = series_from_tickets(tables, as_of, "D", VolumeContext())
    short = series_from_tickets(tables, as_of, "D", VolumeContext(history_days=5))
    assert short["ds"].nunique() == 5
    same = whole[whole["unique_id"].isin(short["unique_id"]) & (whole["ds"] >= "2024-01-10")]
    pd.testing.assert_frame_equal(short, same.reset_index(drop=True))
    volumes = MemoryTables({"volumes": whole})
    made = series_from_volumes(volumes, as_of, "D", VolumeContext(history_days=5))
    assert made["ds"].min() == pd.Timestamp("2024-01-10")


def test_an_issue_is_counted_once_over_channels() -> None:
    rows = [
        ("1", "2026-01-01T10:00", "a", "phone", "billing", None),
        ("2", "2026-01-02T10:00", "a", "email", "billing", None),  # a day later, another channel
        ("3", "2026-01-02T11:00", "a", "email", "delivery", None),  # another topic
        ("4", "2026-01-09T10:00", "a", "phone", "billing", None),  # a week later
        ("5", "2026-01-02T10:00", None, "phone", "billing", None),  # nobody known
        ("6", "2026-01-02T12:00", None, "phone", "billing", None),
        ("7", "2026-01-03T10:00", "b", "chat", "x", "i9"),
        ("8", "2026-01-20T10:00", "c", "phone", "y", "i9"),  # one issue by its id
    ]
    names = ["ticket_id", "opened_at", "customer_id", "channel", "topic", "issue_id"]
    log = pd.DataFrame(rows, columns=names)
    tables = MemoryTables({"tickets": log})
    counts = {}
    for hours in (0.0, 72.0):
        context = VolumeContext(issue_hours=hours)
        made = series_from_tickets(tables, datetime(2026, 2, 1), "D", context)
        counts[hours] = made.loc[made["unique_id"] == "total", "y"].sum()
    assert counts == {0.0: 8, 72.0: 6}


@pytest.mark.parametrize("stray", ["1904-01-01", "1980-01-06", "2000-01-01"])
def test_a_lone_ticket_of_long_ago_begins_no_history(stray):
    tickets = log()
    lone = pd.DataFrame({"ticket_id": ["x"], "opened_at": [stray], "channel": ["phone"]})
    both = pd.concat([lone.assign(opened_at=pd.to_datetime(lone["opened_at"])), tickets])
    as_of = datetime(2024, 1, 15)
    series = [
        series_from_tickets(MemoryTables({"tickets": one}), as_of, "D")
        for one in (tickets, both.reset_index(drop=True))
    ]
    pd.testing.assert_frame_equal(*series)
