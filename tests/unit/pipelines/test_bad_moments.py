"""Moments as people type them after ``--as-of``: read in UTC, or refused by name."""

from __future__ import annotations

from datetime import datetime

import pytest

from data.errors import UsageError
from pipelines.verb import parse_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10)),
        (" 2026-03-01 23:30:00-05:00 ", datetime(2026, 3, 2, 4, 30)),
    ],
)
def test_a_naive_moment_is_utc_and_an_offset_is_taken_off(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30", "9999-12-31T23:00:00-05:00", "0001-01-01T00:00:00+05:00"],
)
def test_what_is_no_moment_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"--as-of .* is not a time; write 2026-03-01"):
        parse_time(text)
