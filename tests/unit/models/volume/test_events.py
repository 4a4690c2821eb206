"""Calendar events: what their kind did before, by size, while it has helped, once announced."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.volume import VolumeContext, audit, backtest, forecast, train_volume
from models.volume.events import Effects, events_of, learn_events

FIRST = pd.Timestamp("2023-01-01")
DAYS = pd.date_range(FIRST, periods=400)
STARTS = (40, 85, 130, 175, 220, 265, 310, 355)
SIZES = (1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0)


def events(starts=STARTS, sizes=SIZES, kind="campaign", lasts=5, **columns) -> pd.DataFrame:
    at = FIRST + pd.to_timedelta(list(starts), "D")
    told = {
        "event_id": [f"{kind}{start}" for start in starts],
        "name": [f"{kind} {start}" for start in starts],
        "kind": kind,
        "announced_at": at - pd.Timedelta(days=20),
        "starts_at": at,
        "ends_at": at + pd.Timedelta(days=lasts),
        "size": list(sizes),
    }
    return pd.DataFrame(told | columns)


def learned(y: np.ndarray, calendar: pd.DataFrame, name: str = "a", told: float = 100.0) -> Effects:
    """The effects found by somebody who knows that every day but for events has 100 contacts."""
    known = events_of(VolumeContext(calendar=calendar), np.datetime64("2024-12-31", "us"))
    days = DAYS.to_numpy().astype("datetime64[D]")[: len(y)]
    made = learn_events((name,), y[None, :], np.full((1, len(y)), told), days, known, 14)
    assert made is not None
    return made


def times(on: dict[int, float], starts=STARTS, sizes=SIZES) -> np.ndarray:
    """A hundred contacts a day, times ``on[k] ** size`` on the k-th day from an event's start."""
    factor = np.ones(len(DAYS))
    for start, size in zip(starts, sizes, strict=True):
        for day, by in on.items():
            factor[start + day] *= by**size
    return 100 * factor


DURING = dict.fromkeys(range(5), 1.2)


def test_effects_follow_sign_size_and_the_days_before_and_after() -> None:
    made = learned(times({-1: 0.8, **DURING, 5: 1.1, 6: 1.1, 7: 1.1}), events())
    days = (FIRST + pd.to_timedelta([353, 354, 357, 361, 363], "D")).to_numpy().astype("M8[D]")
    factor = made.on(days)[0][0]
    # sizes are over the median, 1.5: the last event's is 2 of those
    assert factor == pytest.approx([1.0, 0.8**2, 1.2**2, 1.1**2, 1.0], rel=0.05)


def test_overlapping_kinds_share_their_days() -> None:
    """Releases on the second day of every other campaign, and between campaigns."""
    releases = events((41, 60, 131, 150, 221, 240), (1.0,) * 6, "release", lasts=1)
    y = times(DURING) * times({0: 0.7}, (41, 60, 131, 150, 221, 240), (1.0,) * 6) / 100
    made = learned(y, pd.concat([events(), releases]))
    campaign, release = (FIRST + pd.to_timedelta([357, 240], "D")).to_numpy().astype("M8[D]")
    assert made.on(np.array([campaign]))[0][0, 0] == pytest.approx(1.2**2, rel=0.06)
    assert made.on(np.array([release]))[0][0, 0] == pytest.approx(0.7, rel=0.08)


def test_what_did_not_help_before_is_not_used() -> None:
    rng = np.random.default_rng(0)
    noise = [learned(rng.poisson(100, len(DAYS)).astype(float), events()) for _ in range(20)]
    used = [bool(one.by_kind[0, 0].any()) for one in noise]
    assert np.mean(used) < 0.5
    assert max(abs(one.by_kind[0, 0, 1]) for one in noise) < 0.06
    assert not learned(times(DURING)[:80], events()).by_kind.any(), "one campaign proves nothing"


def test_other_topics_are_not_concerned_and_totals_are() -> None:
    calendar = events(topic="sales/new")
    y = times(DURING)
    assert learned(y, calendar, "channel=a/topic=sales%2Fnew").by_kind[0, 0, 1] > 0.1
    assert learned(y, calendar, "channel=a").by_kind[0, 0, 1] > 0.1
    day = np.array(["2023-12-23"], dtype="M8[D]")
    assert learned(y, calendar, "channel=a/topic=billing").on(day)[0] == 1


def test_a_kind_never_seen_is_taken_for_the_mean_of_those_that_were() -> None:
    launch = events((410,), (7.0,), "launch")
    releases = events((60, 150, 240, 330), (1.0,) * 4, "release", lasts=1)
    y = times(DURING) * times({0: 1.4}, (60, 150, 240, 330), (1.0,) * 4) / 100
    day = (FIRST + pd.to_timedelta([411], "D")).to_numpy().astype("M8[D]")
    both = learned(y, pd.concat([events(), releases, launch])).on(day)[0][0, 0]
    assert 1.05 < both < 1.4
    assert learned(y, pd.concat([events(), launch])).on(day)[0][0, 0] == 1, "one kind is no rule"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "America/New_York"])
def test_a_holiday_of_the_calendar_counts_beside_a_country(zone: str) -> None:
    """The company's own day off is learned; one that the country has as well is known already."""
    holidays = events((92, 100, 136), (1.0,) * 3, "holiday", lasts=1)  # 3 and 11 April, 17 May
    holidays["starts_at"] = pd.DatetimeIndex(holidays["starts_at"]).tz_localize(zone)
    holidays["starts_at"] = holidays["starts_at"].dt.tz_convert("UTC").dt.tz_localize(None)
    holidays["ends_at"] = holidays["starts_at"] + pd.Timedelta(days=1)
    context = VolumeContext(calendar=holidays, country=("NO",), time_zone=zone)
    own = events_of(context, np.datetime64("2024-12-31", "us"))
    assert [str(np.datetime64(one.first, "D")) for one in own] == ["2023-04-03", "2023-04-11"]
    nowhere = VolumeContext(calendar=holidays, time_zone=zone)
    assert len(events_of(nowhere, np.datetime64("2024-12-31", "us"))) == 3


def history(y: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": "calls", "ds": DAYS, "y": y})


@pytest.fixture(scope="module")
def noisy() -> pd.DataFrame:
    week = np.array([1.3, 1.2, 1.1, 1.0, 0.9, 0.3, 0.2])[np.arange(len(DAYS)) % 7]
    return history(np.random.default_rng(0).poisson(times(DURING) * week).astype(float))


def test_an_announced_campaign_is_forecast_and_an_unannounced_one_is_not(noisy) -> None:
    cutoff = FIRST + pd.Timedelta(days=353)

    def made(calendar: pd.DataFrame) -> pd.DataFrame:
        context = VolumeContext(calendar=calendar)
        return backtest(noisy, cutoffs=[cutoff], horizon=7, freq="D", context=context)

    late = events()
    late.loc[7, "announced_at"] = FIRST + pd.Timedelta(days=354)
    known, unknown = made(events()), made(late)
    error = [float((one["presage"] - one["y"]).abs().sum()) for one in (known, unknown)]
    assert error[0] < 0.6 * error[1]
    pd.testing.assert_frame_equal(unknown, made(events().iloc[:7]))


def test_a_campaign_is_not_learned_as_a_level_and_its_effect_is_shown(noisy) -> None:
    """From within a campaign: the days after it are as they were before."""
    past = noisy[noisy["ds"] < FIRST + pd.Timedelta(days=360)]
    context = VolumeContext(calendar=events())
    after = forecast(past, horizon=14, freq="D", context=context).set_index("ds")["presage"]
    usual = forecast(noisy[:350], horizon=24, freq="D").set_index("ds")["presage"]
    assert after[7:].sum() == pytest.approx(usual[after.index[7:]].sum(), rel=0.08)
    model = train_volume(noisy[:354], horizon=7, freq="D", context=context)
    told = audit(model, noisy[:354], "calls", FIRST + pd.Timedelta(days=356), context)
    assert told.event_effect == pytest.approx(1.2**2, rel=0.1)
    assert told.members["part"].sum() == pytest.approx(told.combined)


def test_hours_and_new_series_have_events_too(noisy) -> None:
    hours = pd.date_range(FIRST, periods=24 * 200, freq="h")
    y = np.repeat(times(DURING)[:200] / 24, 24)
    frame = pd.DataFrame({"unique_id": "calls", "ds": hours, "y": y})
    context = VolumeContext(calendar=events(starts=(40, 85, 130, 175, 201), sizes=(1.0,) * 5))
    made = forecast(frame, horizon=96, freq="h", context=context)["presage"].to_numpy()
    assert made[24:96].mean() == pytest.approx(1.2 * y[:24].mean(), rel=0.1)
    young = pd.concat([frame, frame.tail(24).assign(unique_id="young")])
    assert np.isfinite(forecast(young, horizon=48, freq="h", context=context)["presage"]).all()
