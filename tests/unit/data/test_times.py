"""One grammar of times for files and frames: one moment, offsets once, nothing guessed."""

from __future__ import annotations

import pandas as pd
import pytest

from data.settings_import import Import
from data.times import read_times

NONE = None
PLAIN = {
    "2024-05-06": "2024-05-06T00:00:00",
    "2024-05-06 00:00:00+05:30": "2024-05-05T18:30:00",
    "2024-05-06T00:00:00.9999999Z": "2024-05-06T00:00:00.999999",
    "2015-02-24 11:35:52 -0800": "2015-02-24T19:35:52",  # git, Rails
    "Tue Feb 24 11:35:52 -0800 2015": "2015-02-24T19:35:52",  # Twitter
    "Tue, 24 Feb 2015 11:35:52 GMT": "2015-02-24T11:35:52",  # mail
    "24/Feb/2015:11:35:52 -0800": "2015-02-24T19:35:52",  # Apache
    "2015-02-24 11:35:52 +0000 UTC": "2015-02-24T11:35:52",  # Go
    "2025-07-01T09:00:00+02:00[Europe/Oslo]": "2025-07-01T07:00:00",  # Java
    "Feb 24, 2015, 1:35 pm": "2015-02-24T13:35:00",
    "24-Feb-2015 11:35": "2015-02-24T11:35:00",
    "2025-07-01 09:00:00 CET": "2025-07-01T08:00:00",
    "20240506T101112Z": "2024-05-06T10:11:12",
    "2024-05-06T24:00:00": "2024-05-07T00:00:00",
    "2024-W05-2": "2024-01-30T00:00:00",
    "2024-05-06 10:11:12,5": "2024-05-06T10:11:12.500000",
    "2025-07-01 09:00:00 BST": NONE,
    "2025-07-01 09:00:00 IST": NONE,
    "2025-07-01 09:00:00 CST": NONE,
    "2025-07-01 10:00:00 Europe/London": "2025-07-01T09:00:00",
    "2025-07-01T10:00[europe/london]": "2025-07-01T09:00:00",
    "1 Jul 2025 10:00 America/Argentina/Buenos_Aires": "2025-07-01T13:00:00",
    "2025-10-26 02:30:00 Europe/Oslo": "2025-10-26T00:30:00",  # shown twice: the first
    "2025-10-26 03:00:00 Europe/Oslo": "2025-10-26T02:00:00",
    "2025-04-06 01:45:00 Australia/Lord_Howe": "2025-04-05T14:45:00",
    "2025-03-30 02:30:00 Europe/Oslo": NONE,  # never was
    "2025-07-01 10:00:00 Europe/Nowhere": NONE,
    "2025-07-01 10:00:00 GMT+1": "2025-07-01T09:00:00",
    "2025-07-01 10:00:00 UTC-5:30": "2025-07-01T15:30:00",
    "2025-07-01 10:00:00 (UTC+01:00)": "2025-07-01T09:00:00",
    "2025-07-01 10:00:00 Etc/GMT+1": "2025-07-01T11:00:00",  # the list's own sign
    "2025-07-01 10:00:00 GMT+16": NONE,
    "2025-07-01 10:00:00 utc": "2025-07-01T10:00:00",
    "2025-07-01T10:00:00[UTC]": "2025-07-01T10:00:00",
    "Tue Jul 01 2025 10:00:00 GMT+0100 (British Summer Time)": "2025-07-01T09:00:00",
    "2025-07-01 10:00:00 (BST)": NONE,
    "25-07-01": NONE,
    "24-Feb-15": NONE,
    "03/04/2025": NONE,
    "2024-02-30": NONE,
    "2024-05-06 00:00:00+99:00": NONE,
    "0044-03-15 (BC)": NONE,
    "infinity": NONE,
    "1715000000": "2024-05-06T12:53:20",
    "1715000000.25": "2024-05-06T12:53:20.250000",
    "1715000000123": "2024-05-06T12:53:20.123000",
    "1715000000123456": "2024-05-06T12:53:20.123456",
    "1715000000123456789": "2024-05-06T12:53:20.123456",
    "2026010110": NONE,  # a day and an hour, or seconds of 2034
    "46023.5": NONE,  # a spreadsheet's days, from 1900 or from 1904
    "20260101": "2026-01-01T00:00:00",
    "2026W011": "2025-12-29T00:00:00",
    "2026.01.05 9:05": "2026-01-05T09:05:00",
    "2026年1月5日 09:05": "2026-01-05T09:05:00",
    "2026-01-05 09:05:06PM": "2026-01-05T21:05:06",
    "Jan 5 2026 10:00AM": "2026-01-05T10:00:00",
    "1/5/2026, 9:05\u202fPM": NONE,
    "Jan 5, 2026, 9:05:06\u202fp.m.": "2026-01-05T21:05:06",
    "2026-01-05\u00a009:05": "2026-01-05T09:05:00",
    "\ufeff2026-01-05 ": "2026-01-05T00:00:00",
    "2026-01-05T10:00:00\u221205:00": "2026-01-05T15:00:00",
    "2026-01-05T10:00:00,5+0530": "2026-01-05T04:30:00.500000",
    "2026-01-05T10:00z": "2026-01-05T10:00:00",
    "5. März 2026 09:05": "2026-03-05T09:05:00",
    "5 août 2026": "2026-08-05T00:00:00",
    "5-Dez-2026": "2026-12-05T00:00:00",
    "5 marraskuu 2026": NONE,  # November, and begins as March does
    "5 listopad 2026": NONE,  # November in Polish, October in Croatian
    "2016-12-31T23:59:60Z": NONE,
}


def shown(times: pd.Series) -> list[str | None]:
    return [None if t is pd.NaT else t.isoformat() for t in times]


def test_what_means_one_moment_is_read_and_nothing_is_guessed() -> None:
    assert shown(read_times(pd.Series(list(PLAIN)))) == list(PLAIN.values())


@pytest.mark.parametrize(
    ("text", "reading", "moment"),
    [
        ("03/04/2025 10:11", Import(dates="day_first"), "2025-04-03T10:11:00"),
        ("3.4.2025", Import(dates="day_first"), "2025-04-03T00:00:00"),
        ("03/04/2025 1:05 PM", Import(dates="month_first"), "2025-03-04T13:05:00"),
        ("13/04/2025", Import(dates="month_first"), None),
        ("01.02.25 10:11", Import(time_formats=("%d.%m.%y %H:%M",)), "2025-02-01T10:11:00"),
        ("2025-02-01T10:11:00Z", Import(time_formats=("%d.%m.%y",)), "2025-02-01T10:11:00"),
        ("2025-07-01 09:00 BST", Import(zones={"BST": "+01:00"}), "2025-07-01T08:00:00"),
        ("2025-07-01 09:00 IST", Import(zones={"BST": "+01:00"}), None),
    ],
)
def test_a_setting_says_how_the_others_are_meant(
    text: str, reading: Import, moment: str | None
) -> None:
    assert shown(read_times(pd.Series([text, None]), reading)) == [moment, None]
