"""What days are worth: told by equal days before, and by nothing that was not known yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from data.errors import DataError
from data.settings import Complaint
from data.tables import MemoryTables
from models.risk.days import DAY, Days, days_from_json, learn_days, shifted
from models.risk.model import RiskModel, load_risk
from models.risk.settings import RiskSettings
from models.risk.train import train_risk

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]

SHUT = [datetime(2025, 7, 10) + timedelta(days=at) for at in range(5)]
UNTIL = datetime(2025, 12, 1)


def number(day: datetime) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))


def shop(
    closures: list[tuple[datetime, datetime, datetime]] = [],  # noqa: B006
    quiet: Callable[[pd.Timestamp], float] = lambda day: 1.0,
    **others: str | None,
) -> MemoryTables:
    """Twenty complaints a day at noon since 2024-11-01, times ``quiet``; closures as announced,
    from, to."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2024-11-01", UNTIL - timedelta(days=1))
    count = rng.poisson([20 * quiet(day) for day in days])
    opened = np.repeat(days + pd.Timedelta(hours=12), count)
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"t{at}" for at in range(len(opened))],
            "opened_at": opened,
            "customer_id": "c1",
            "channel": "email",
            "is_complaint": True,
        }
    )
    calendar = pd.DataFrame(
        [
            {
                "event_id": f"e{at}",
                "announced_at": announced,
                "name": "stocktaking",
                "kind": "closure",
                "starts_at": begin,
                "ends_at": end,
                **others,
            }
            for at, (announced, begin, end) in enumerate(closures)
        ]
    )
    return MemoryTables({"tickets": tickets, "calendar": calendar})


def learned(tables: MemoryTables, *countries: str, known: datetime = UNTIL) -> Days | None:
    return learn_days(tables, known, Complaint(), countries=countries)


def test_without_countries_and_calendar_nothing_is_known_of_days() -> None:
    assert learned(shop(quiet=lambda day: float(day.month != 12))) is None


def test_a_holiday_on_which_nothing_happened_last_year_is_worth_nothing() -> None:
    def shut(day: pd.Timestamp) -> float:
        return float(not (day.month == 12 and 24 <= day.day <= 28))

    found = learned(shop(quiet=shut), "GB")
    assert found is not None
    for day in range(24, 29):
        assert found.of(number(datetime(2025, 12, day))) < 0.1
    # the days about it were as always, and are
    assert found.of(number(datetime(2025, 12, 22))) == pytest.approx(1.0, abs=0.25)
    assert found.of(number(datetime(2025, 12, 10))) == pytest.approx(1.0, abs=0.25)


def test_a_holiday_like_any_day_is_worth_about_as_much() -> None:
    found = learned(shop(), "GB")
    assert found is not None
    off = [abs(found.of(day) - 1) for day in found.special if day > number(UNTIL)]
    # one Poisson day alone would be off by 0.18 on the mean
    assert len(off) > 20 and np.mean(off) < 0.15 and max(off) < 0.5


def test_a_closure_lowers_its_window_as_far_as_earlier_ones_tell() -> None:
    ahead = (datetime(2025, 11, 20), datetime(2025, 12, 8), datetime(2025, 12, 10))
    before = (datetime(2025, 7, 1), SHUT[0], SHUT[-1] + timedelta(days=1))
    first = learned(shop([ahead]))
    second = learned(shop([before, ahead], quiet=lambda day: float(day not in SHUT)))
    busy = learned(shop([before, ahead]))
    assert first is not None and second is not None and busy is not None
    shut = number(datetime(2025, 12, 9))
    assert second.of(shut) < 0.2 < first.of(shut) < busy.of(shut)
    as_of = np.array([number(datetime(2025, 12, 6))]) * DAY
    assert second.worth(as_of, 7)[0] == pytest.approx(5 / 7, abs=0.08)
    assert second.worth(as_of, 2)[0] == pytest.approx(1.0, abs=0.25)


def test_closures_not_announced_yet_or_of_one_channel_change_nothing() -> None:
    later = (datetime(2025, 12, 2), datetime(2025, 12, 8), datetime(2025, 12, 10))
    now = (datetime(2025, 11, 2), datetime(2025, 12, 8), datetime(2025, 12, 10))
    assert learned(shop([later])) is None
    assert learned(shop([now], channel="phone")) is None
    assert learned(shop([now])) is not None


def test_what_comes_later_changes_no_day() -> None:
    known = datetime(2025, 9, 1)
    every = shop()
    tickets = every.frame("tickets")
    then = MemoryTables({"tickets": tickets[tickets["opened_at"] < pd.Timestamp(known)]})
    assert learned(every, "GB", known=known) == learned(then, "GB", known=known)


def test_days_survive_json_to_the_last_bit() -> None:
    found = learned(shop(), "GB")
    assert found is not None and days_from_json(found.to_json()) == found


def test_a_window_is_the_sum_of_its_local_days() -> None:
    found = Days("Europe/London", (1.0,) * 7, {number(datetime(2025, 7, 10)): 0.0}, gap_days=1.0)
    # 23:00 UTC is midnight in summer: with the gap, windows of one day are the day after the next
    as_of = np.array([number(datetime(2025, 7, 8)) * DAY + 23 * DAY // 24])
    assert found.worth(as_of, 1)[0] == 0.02
    assert found.worth(as_of + DAY // 2, 1)[0] == pytest.approx(0.5)
    assert found.worth(as_of + DAY, 1)[0] == 1.0


def test_a_hazard_is_what_the_days_scale() -> None:
    score, worth = np.array([-9.0, -2.0, 0.0, 3.0]), np.array([0.3, 0.3, 0.02, 1.4])
    risk = 1 / (1 + np.exp(-score))
    assert np.allclose(shifted(score, worth), logit(1 - (1 - risk) ** worth), rtol=1e-9)
    assert np.array_equal(shifted(score, np.ones(4)), score)


@pytest.fixture(scope="module")
def with_days(make_world: World, small: RiskSettings) -> tuple[RiskModel, RiskModel, pd.DataFrame]:
    """A model that knows of days shut after its rows, one that does not, and rows of then."""
    features, labels = make_world()
    newest = features["as_of"].max()
    shut = number(newest.to_pydatetime()) + np.arange(7, 12)
    days = Days("UTC", (1.0,) * 7, dict.fromkeys(shut.tolist(), 0.0))
    knows = train_risk(features, labels, settings=small, days=days)
    now = features[features["as_of"] == newest].assign(as_of=newest + pd.Timedelta(days=7))
    return knows, train_risk(features, labels, settings=small), now.reset_index(drop=True)


def test_a_closure_ahead_lowers_the_risk_most_where_it_is_most_of_the_window(
    with_days: tuple[RiskModel, RiskModel, pd.DataFrame],
) -> None:
    knows, without, now = with_days
    told, usual = knows.predict(now), without.predict(now)
    less = [told[f"risk_{h}d"].mean() / usual[f"risk_{h}d"].mean() for h in (7, 14, 30)]
    assert less[0] < 0.5 and less[0] < less[1] < less[2] < 1
    for low, high in (
        ("risk_7d", "risk_14d"),
        ("risk_14d", "risk_30d"),
        ("risk_30d", "contact_30d"),
    ):
        assert (told[low] <= told[high]).all()


def test_a_closure_in_the_past_is_no_fall_of_the_level(
    make_world: World, small: RiskSettings
) -> None:
    features, labels = make_world()
    newest = features["as_of"].max()
    begin = number((newest - pd.Timedelta(days=7)).to_pydatetime())
    days = Days("UTC", (1.0,) * 7, dict.fromkeys(range(begin, begin + 14), 0.1))
    # of the last two weeks only a tenth of the complaints came
    rng = np.random.default_rng(0)
    fell = labels.copy()
    late = labels["as_of"] >= newest - pd.Timedelta(days=7)
    fell.loc[late, "label_7d"] *= rng.random(int(late.sum())) < 0.1
    known = labels["as_of"] + pd.Timedelta(days=14) <= newest - pd.Timedelta(days=7)
    for h in (14, 30):
        fell.loc[~known, f"label_{h}d"] = np.nan
    knows = train_risk(features, fell, settings=small, days=days)
    blind = train_risk(features, fell, settings=small)
    now = features[late].assign(as_of=newest + pd.Timedelta(days=7))
    usual = labels["label_7d"].mean()
    assert knows.predict(now)["risk_7d"].mean() == pytest.approx(usual, rel=0.15)
    assert blind.predict(now)["risk_7d"].mean() < 0.85 * usual


def test_usual_days_change_no_bit(
    with_days: tuple[RiskModel, RiskModel, pd.DataFrame], make_world: World, small: RiskSettings
) -> None:
    _, without, now = with_days
    features, labels = make_world()
    usual = train_risk(features, labels, settings=small, days=Days("UTC", (1.0,) * 7, {}))
    pd.testing.assert_frame_equal(usual.predict(now), without.predict(now), check_exact=True)


def test_saved_and_loaded_a_model_knows_the_same_days(
    with_days: tuple[RiskModel, RiskModel, pd.DataFrame], tmp_path: Path
) -> None:
    knows, _, now = with_days
    knows.save(tmp_path / "model")
    loaded = load_risk(tmp_path / "model")
    assert loaded.days == knows.days
    pd.testing.assert_frame_equal(knows.predict(now), loaded.predict(now), check_exact=True)


@pytest.mark.parametrize("horizon", [7, 14, 30])
def test_reasons_and_base_add_up_to_the_score_of_a_window_with_a_closure(
    with_days: tuple[RiskModel, RiskModel, pd.DataFrame], horizon: int
) -> None:
    knows, _, now = with_days
    amounts, base = knows.explain(now, horizon)
    told = knows.predict(now)[f"risk_{horizon}d"]
    assert np.allclose(base + amounts.sum(axis=1), logit(told), atol=1e-6)


def test_rows_without_their_time_are_refused(
    with_days: tuple[RiskModel, RiskModel, pd.DataFrame],
) -> None:
    knows, _, now = with_days
    with pytest.raises(DataError, match="as_of"):
        knows.predict(now.drop(columns="as_of"))
