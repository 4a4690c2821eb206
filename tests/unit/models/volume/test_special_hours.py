"""Special hours: what dates and holidays close or open is forecast so, by step and by day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.volume import VolumeContext, forecast
from models.volume.panel import panel_of
from models.volume.special_hours import special_hours

WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "08:00-16:00")
OSLO = {"country": ("NO",), "time_zone": "Europe/Oslo"}
SHUT, OPENED, BEFORE = "2026-03-11", "2026-03-15", "2026-02-22"
"""A Wednesday, a Sunday, and a Sunday that was open before."""


def context(**special: str) -> VolumeContext:
    """The phone's and the mail's hours; dates with underscores."""
    said = {day.lstrip("d").replace("_", "-"): text for day, text in special.items()}
    hours = {**WEEK, **said}
    return VolumeContext(opening_hours={"phone": hours, "email": hours}, **OSLO)


def counts(freq: str, opened_before: float | None = None) -> pd.DataFrame:
    """Eight weeks up to Monday 9 March: 10 calls an open hour, 5 mails each hour, their sum; on
    the Sunday before so many calls an hour."""
    if freq == "h":
        ds = pd.date_range("2026-01-11T23:00", "2026-03-08T22:00", freq="h", unit="us")
        local = ds.tz_localize("UTC").tz_convert("Europe/Oslo")
        daytime = (local.hour >= 8) & (local.hour < 16)
        size = 1.0
    else:
        local = ds = pd.date_range("2026-01-12", "2026-03-08", unit="us")
        daytime, size = np.ones(len(ds), bool), 8.0
    calls = np.where(daytime & (local.day_of_week < 5), 10.0 * size, 0.0)
    if opened_before is not None:
        calls[daytime & (local.strftime("%Y-%m-%d") == BEFORE)] = opened_before * size
    mails = np.full(len(ds), 5.0 * size)
    parts = {"channel=phone": calls, "channel=email": mails, "total": calls + mails}
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": ds, "y": y}) for name, y in parts.items()]
    )


def by_day(frame: pd.DataFrame, name: str) -> pd.Series:
    mine = frame[frame["unique_id"] == name]
    local = mine["ds"].dt.tz_localize("UTC").dt.tz_convert("Europe/Oslo").dt.strftime("%Y-%m-%d")
    return mine.groupby(local)["presage"].sum()


@pytest.mark.parametrize("freq", ["h", "D"])
def test_a_day_closed_by_its_date_has_no_calls_and_all_its_mail(freq: str) -> None:
    horizon = 7 * 24 if freq == "h" else 7
    known = context(d2026_03_11="closed")
    told = forecast(counts(freq), horizon=horizon, freq=freq, context=known, levels=(80,))
    phone, email, total = (
        by_day(told, name) for name in ("channel=phone", "channel=email", "total")
    )
    assert phone[SHUT] == 0.0 and phone["2026-03-12"] == pytest.approx(80, rel=0.1)
    mails = 120.0 if freq == "h" else 40.0
    assert email[SHUT] == pytest.approx(mails, rel=0.1)
    assert total[SHUT] == pytest.approx(phone[SHUT] + email[SHUT])
    shut = told[(told["unique_id"] == "channel=phone") & (told["presage"] == 0)]
    assert (shut[["presage-lo-80", "presage-hi-80"]] == 0).all(axis=None)


def test_a_day_that_closes_at_noon_has_calls_until_then() -> None:
    known = context(d2026_03_11="08:00-12:00")
    told = forecast(counts("h"), horizon=7 * 24, freq="h", context=known)
    assert by_day(told, "channel=phone")[SHUT] == pytest.approx(40, rel=0.1)


@pytest.mark.parametrize(("before", "calls"), [(None, 40.0), (4.0, 28.0)])
def test_a_sunday_opened_has_the_calls_of_such_hours(before: float | None, calls: float) -> None:
    """Those of weekdays at first; 40 where 80 were expected make it 7 tenths: one day's evidence
    beside one day's worth for the usual."""
    special = {"d2026_03_15": "09:00-13:00"}
    if before is not None:
        special["d2026_02_22"] = "08:00-16:00"
    told = forecast(
        counts("h", before), horizon=8 * 24, freq="h", context=context(**special), levels=(80,)
    )
    phone = by_day(told, "channel=phone")
    assert phone[OPENED] == pytest.approx(calls, rel=0.1)
    assert phone["2026-03-14"] == 0.0, "the Saturday stays closed"
    assert by_day(told, "total")[OPENED] == pytest.approx(calls + 120, rel=0.1)
    opened = told[(told["unique_id"] == "channel=phone") & (told["ds"] == "2026-03-15T09:00")]
    assert opened["presage-hi-80"].iloc[0] > opened["presage"].iloc[0] > 0


def test_past_special_days_are_not_learned_as_usual() -> None:
    history = counts("h", opened_before=9.0)
    known = context(d2026_02_22="08:00-16:00")
    told = forecast(history, horizon=7 * 24, freq="h", context=known)
    assert by_day(told, "channel=phone")["2026-03-15"] == 0.0, "one open Sunday opens no other"


def test_holidays_close_whom_they_are_said_to_close() -> None:
    """Maundy Thursday, Good Friday, Easter Monday of 2026 in Norway."""
    panel = panel_of(counts("h"), "h")
    days = panel.grid.index(np.arange("2026-04-01", "2026-04-08", 60, dtype="datetime64[m]"))
    special = special_hours(panel, days, context(holidays="closed"))
    phone, email = (panel.ids.index(name) for name in ("channel=phone", "channel=email"))
    local = panel.grid.local(days[special.closed[phone]])
    assert sorted(set(local.astype("datetime64[D]").astype(str))) == [
        "2026-04-02", "2026-04-03", "2026-04-06",
    ]  # fmt: skip
    assert not special.closed[email].any() and not special.opened.any()
