"""A plan made again from what is published: the same, unless something changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, NotEnoughHistory, SettingsError
from data.settings import DAYS, Settings
from data.store.overrides import Override
from serving.published import publish
from serving.staffing import Basis, Changes, Span, open_basis, passed_plan, replan
from serving.staffing.basis import path_table, paths_of
from serving.staffing.gate import PlayedPlan

Forecast = Callable[..., pd.DataFrame]
START = datetime(2026, 3, 2)


@pytest.fixture
def basis(forecast: Forecast) -> Basis:
    frame = forecast({"phone": 20.0, "email": 6.0}, hours=48)
    rng = np.random.default_rng(1)
    paths = {"phone": rng.poisson(20.0, (60, 48)), "email": rng.poisson(6.0, (60, 48))}
    shut = pd.DataFrame(
        {"starts_at": [pd.Timestamp("2026-03-03 12:00")], "ends_at": [pd.Timestamp("2026-03-04")]}
    )
    counts = {name: counts.astype(float) for name, counts in paths.items()}
    return Basis(frame, counts, {"phone": 250.0}, {"email": 30.0}, shut.assign(channel=None))


def hours(frame: pd.DataFrame) -> pd.Series:
    return frame["agents_net"].mul(frame["open_seconds"]).groupby(frame["channel"]).sum() / 3600


def test_published_and_opened_again_it_gives_the_same_plan(
    basis: Basis, office: Settings, tmp_path: Path
) -> None:
    with pytest.raises(NotEnoughHistory, match="presage staff"):
        open_basis(tmp_path)
    mine = replan(basis, settings=office)
    about = {"as_of": START, "now": START}
    publish(tmp_path, "forecast", basis.forecast, **about)
    ids = ["channel=email", "channel=phone"]
    ds = np.sort(basis.forecast["ds"].unique())
    counts = np.stack([basis.paths["email"], basis.paths["phone"]], axis=1)
    publish(tmp_path, "paths", path_table(ids, ds, counts, basis.forecast), **about)
    publish(tmp_path, "staffing", mine, basis=basis.document(), **about)
    opened = open_basis(tmp_path)
    assert replan(opened, settings=office).equals(mine)
    other = publish(tmp_path, "paths", path_table(ids, ds, 3 * counts, basis.forecast), **about)
    assert other.exists()
    assert hours(replan(open_basis(tmp_path), settings=office))["phone"] > hours(mine)["phone"]


def test_paths_follow_a_forecast_that_was_scaled_since(basis: Basis) -> None:
    ds = np.sort(basis.forecast["ds"].unique())
    table = path_table(["channel=phone"], ds, basis.paths["phone"][:, None], basis.forecast)
    later = basis.forecast.assign(presage=basis.forecast["presage"] * 1.25)
    assert paths_of(table, later)["phone"] == pytest.approx(basis.paths["phone"] * 1.25)


def test_each_change_moves_what_it_names(basis: Basis, office: Settings) -> None:
    before = hours(replan(basis, settings=office))

    def changed(**what: object) -> pd.Series:
        return hours(replan(basis, settings=office, changes=Changes(**what))) / before  # type: ignore[arg-type]

    assert changed().tolist() == [1.0, 1.0]
    more = changed(volume={"phone": 1.5})
    assert 1.2 < more["phone"] < 1.6 and more["email"] == 1.0
    assert changed(volume={"*": 1.5})["email"] > 1.1
    assert changed(handle={"phone": 1.5})["phone"] > 1.2
    assert changed(share={"phone": 0.95})["phone"] > 1.05
    patient = {"share": {"phone": 0.95}, "target_seconds": {"phone": 120.0}}
    assert changed(**patient)["phone"] < changed(share={"phone": 0.95})["phone"]
    hasty = replan(basis, settings=office, changes=Changes(patience_seconds={"phone": 5.0}))
    lost = hasty["abandonment"].where(hasty["channel"] == "phone").mean()
    assert lost > replan(basis, settings=office)["abandonment"].mean() + 0.01
    day = Span(START, datetime(2026, 3, 3), "phone")
    assert 0.3 < changed(closed=(day,))["phone"] < 0.7
    busy = Span(datetime(2026, 3, 2, 9), datetime(2026, 3, 2, 12), "phone", 3.0)
    assert 1.1 < changed(campaigns=(busy,))["phone"] < 1.9
    assert changed(concurrency={"phone": 2.0})["phone"] < 0.8
    gross = replan(basis, settings=office, changes=Changes(shrinkage=0.5))["agents_gross"]
    assert gross.sum() == pytest.approx(
        replan(basis, settings=office)["agents_gross"].sum() * 0.7 / 0.5, rel=0.01
    )


def test_an_override_and_a_part_of_the_plan(basis: Basis, office: Settings) -> None:
    before = replan(basis, settings=office)
    more = Override(
        1, "channel=phone", START, datetime(2026, 3, 3), 2.0, None, "Ada", "sale", START, None
    )
    after = replan(basis, settings=office, overrides=[more])
    first = after["starts_at"] < datetime(2026, 3, 3)
    phone = after["channel"] == "phone"
    assert (after["volume"] / before["volume"])[phone & first].eq(2.0).all()
    rest = phone & ~first
    assert after.loc[rest, "volume"].equals(before.loc[rest, "volume"])
    assert (after.loc[rest, "agents_net"] - before.loc[rest, "agents_net"]).abs().max() <= 1
    opened = replace(basis, plan=before)
    part = replan(opened, settings=office, begin=datetime(2026, 3, 3))
    assert part["starts_at"].min() == pd.Timestamp("2026-03-03")
    assert part["agents_net"].sum() > 0


def test_what_cannot_be_is_named(basis: Basis, office: Settings) -> None:
    with pytest.raises(DataError, match=r"no channel 'phones'.*phone"):
        replan(basis, settings=office, changes=Changes(volume={"phones": 2.0}))
    with pytest.raises(DataError, match="volume of phone is -1"):
        Changes(volume={"phone": -1.0})
    with pytest.raises(SettingsError, match=r"'phone': share is 1.4"):
        replan(basis, settings=office, changes=Changes(share={"phone": 1.4}))
    with pytest.raises(DataError, match="ends before it begins"):
        Span(START, START)


def test_paths_that_made_no_plan_judge_it(forecast: Forecast, office: Settings) -> None:
    frame = forecast({"phone": 6.0}, hours=24)
    rng = np.random.default_rng(4)
    own, like, busier = (rng.poisson(mean, (200, 24)).astype(float) for mean in (6.0, 6.0, 9.0))

    def judged_by(*paths: np.ndarray) -> tuple[float, PlayedPlan]:
        basis = Basis(frame, {"phone": np.concatenate([own, *paths])})
        plan = passed_plan(basis, settings=office)
        assert replan(replace(basis, pace=plan.pace), settings=office)["agents_net"].equals(
            plan.frame["agents_net"]
        )
        return float(hours(plan.frame)["phone"]), plan

    mine, plan = judged_by(like)
    assert plan.runs == 200 and 0.9 < plan.days_kept["phone"] < 0.99
    more, raised = judged_by(busier)
    assert more > mine * 1.1 and raised.pace["phone"] > plan.pace.get("phone", 1.0)
    few, alone = judged_by(busier[:30])
    assert few == judged_by()[0] and alone.runs == 100, "too few others judge nothing"


def seconds_of(work: Callable[[float], object]) -> float:
    """CPU seconds of the quickest of three; ``work`` has a factor, another one each time."""
    spent = []
    for factor in (1.1, 1.2, 1.3):
        began = time.process_time()
        work(factor)
        spent.append(time.process_time() - began)
    return min(spent)


def test_nights_and_what_a_question_leaves_alone_cost_hardly_any_time(office: Settings) -> None:
    known = replace(office, staffing=replace(office.staffing, interval_minutes=15))
    hours = {"phone": dict.fromkeys(DAYS, "08:00-16:00")}
    rng = np.random.default_rng(2)
    ds = pd.date_range("2026-03-02", periods=7 * 24, freq="h", unit="us")
    mean = pd.DataFrame({"unique_id": "channel=phone", "ds": ds, "presage": 40.0})
    mean[["presage-lo-80", "presage-hi-80"]] = [32.0, 48.0]
    basis = Basis(mean, {"phone": rng.poisson(40.0, (200, len(ds))).astype(float)})

    def planned(settings: Settings) -> Callable[[float], object]:
        return lambda factor: replan(
            basis, settings=settings, changes=Changes(volume={"phone": factor})
        )

    by_day = seconds_of(planned(replace(known, opening_hours=hours)))
    always = seconds_of(planned(replace(known, opening_hours={})))
    assert by_day < 0.75 * always, "a third of the hours are open"
    paid = seconds_of(lambda factor: replan(
        basis, settings=replace(known, opening_hours={}), changes=Changes(shrinkage=factor / 4)
    ))  # fmt: skip
    assert paid < 0.5 * always, "shrinkage moves nobody who answers"
