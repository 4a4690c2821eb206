"""How far sources reach, by gaps that they had before."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from data.tables import MemoryTables
from serving.monitoring.sources import source_findings
from serving.monitoring.watermarks import in_words, watermark, watermarks

AS_OF = datetime(2026, 6, 1, 22)
"""Midnight in Oslo."""


def births(until: datetime, freq: str = "2h", days: int = 90) -> pd.DatetimeIndex:
    return pd.date_range(until - timedelta(days=days), until, freq=freq)


def tables(orders: datetime, usage: datetime) -> MemoryTables:
    of_orders, of_usage = births(orders), births(usage)
    who = {"customer_id": "c"}
    return MemoryTables(
        {
            "orders": pd.DataFrame(
                {"order_id": map(str, range(len(of_orders))), "ordered_at": of_orders, **who}
            ),
            "usage": pd.DataFrame(
                {"event_id": map(str, range(len(of_usage))), "used_at": of_usage, "feature": "f",
                 **who}
            ),
        }
    )  # fmt: skip


def test_each_source_says_how_far_it_reaches() -> None:
    late, yesterday = AS_OF - timedelta(minutes=10), AS_OF - timedelta(hours=28)
    marks = watermarks(tables(late, yesterday), AS_OF)
    assert [(mark.source, mark.until, mark.stopped) for mark in marks] == [
        ("orders", late, False),
        ("usage", yesterday, False),
    ]
    assert in_words(marks, AS_OF, "Europe/Oslo") == "orders until 23:50, usage until 2026-05-31"
    assert in_words(marks, AS_OF - timedelta(hours=3), "Europe/Oslo").endswith("yesterday 20:00")
    assert in_words([], AS_OF) == "no source has rows"


def test_a_source_that_stopped_is_seen_and_the_moment_goes_on() -> None:
    late, gone = AS_OF - timedelta(minutes=10), AS_OF - timedelta(days=3)
    found = tables(late, gone)
    orders, usage = watermarks(found, AS_OF)
    assert not orders.stopped and usage.stopped
    assert "usage until 2026-05-30 (stopped)" in in_words([usage], AS_OF, "Europe/Oslo")
    assert usage.about() == {"source": "usage", "until": gone.isoformat(), "stopped": True}
    alarms = [f.what for f in source_findings(found, AS_OF) if f.status == "alarm"]
    assert alarms == ["usage"]


def test_gaps_that_a_source_always_had_are_no_stop() -> None:
    weekly = pd.Series(births(AS_OF - timedelta(days=5), "7D", 400))
    few = watermark("feedback", weekly, AS_OF)
    assert few is not None and few.limit is None and not few.stopped
    mondays = pd.Series([t + timedelta(minutes=n) for t in weekly for n in range(9)])
    mark = watermark("feedback", mondays, AS_OF)
    assert mark is not None and mark.limit is not None
    assert mark.limit > timedelta(days=13) and not mark.stopped
    assert watermark("feedback", mondays, AS_OF - timedelta(days=999)) is None
