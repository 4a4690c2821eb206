"""A roster keeps every rule, is near its bound, is the same again, and says whom it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, NotEnoughHistory
from data.settings import Contract, Settings
from serving.shifts import Roster, roster

Make = Callable[..., pd.DataFrame]
Oslo = Callable[..., Settings]


def mixed(agents: Make) -> pd.DataFrame:
    return pd.concat(
        [
            agents(5, ["phone"], "p", hourly_cost=30.0),
            agents(3, ["chat", "phone"], "b", hourly_cost=34.0, unavailable=["wed"]),
            agents(2, ["chat"], "c", hourly_cost=28.0, wishes_off=["mon", "fri 14:00-24:00"]),
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def made(week: Make, agents: Make, oslo: Oslo) -> Roster:
    return roster(week({"phone": 4, "chat": 2}), mixed(agents), oslo())


def test_every_shift_keeps_every_rule(made: Roster) -> None:
    shifts = made.shifts
    breaks = ["break_starts_at", "break_ends_at"]
    assert len(shifts) and not shifts.drop(columns=breaks).isna().any(axis=None)
    length = (shifts["ends_at"] - shifts["starts_at"]).dt.total_seconds() / 3600
    rest = (shifts["break_ends_at"] - shifts["break_starts_at"]).dt.total_seconds().fillna(0) / 3600
    assert set(length[rest > 0]) <= {8.0, 6.0}
    assert (shifts["paid_hours"] == length - rest).all()
    before = (shifts["break_starts_at"] - shifts["starts_at"])[rest > 0]
    assert (before >= pd.Timedelta(hours=2)).all()
    by_agent = shifts.groupby("agent_id")
    assert by_agent.size().max() <= 5
    assert by_agent["paid_hours"].sum().between(0.8 * 37.5, 37.5).all()
    for _, mine in by_agent:
        gaps = mine["starts_at"].iloc[1:].to_numpy() - mine["ends_at"].iloc[:-1].to_numpy()
        assert (gaps >= np.timedelta64(11, "h")).all()
    away = shifts[shifts["agent_id"].str.startswith("b")]
    assert not (away["starts_at"].dt.day_name() == "Wednesday").any()
    assert (shifts.loc[shifts["agent_id"].str.startswith("c"), "skills"] == "chat").all()


def test_it_is_near_its_bound_and_its_people_are_its_shifts(made: Roster) -> None:
    (done,) = made.weeks
    assert done.bound <= done.cost and done.gap <= 0.05 and not done.by_clock
    hours = made.shifts["paid_hours"].sum()
    rostered = made.people["rostered"].sum()
    assert rostered == pytest.approx(hours), "hours are whole, so each counts for an interval"
    assert (made.people["gap"] == made.people["rostered"] - made.people["needed"]).all()


def test_equal_seeds_give_equal_rosters(made: Roster, week: Make, agents: Make, oslo: Oslo) -> None:
    again = roster(week({"phone": 4, "chat": 2}), mixed(agents).iloc[::-1], oslo())
    pd.testing.assert_frame_equal(made.shifts, again.shifts)
    pd.testing.assert_frame_equal(made.people, again.people)


def test_who_is_missing_and_why_is_said(week: Make, agents: Make, oslo: Oslo) -> None:
    few = agents(2, ["phone"], starts=None)
    settings = oslo(starts=("10:00",), shift_hours=(8.0,))
    made = roster(week({"phone": 3, "chat": 1}), few, settings)
    early = next(one for one in made.short if one.channel == "phone" and "08:00" in one.local)
    nobody = next(one for one in made.short if one.channel == "chat")
    assert early.missing == 3 and early.rules.get("starts", 0) + early.rules.get("max_days", 0) == 2
    assert "phone, " in str(early) and "have no shift then (starts, shift_hours)" in str(early)
    assert nobody.able == 0 and "nobody can" in str(nobody)


def test_a_short_wish_is_kept_where_it_costs_nothing(week: Make, agents: Make, oslo: Oslo) -> None:
    wishing = pd.concat(
        [agents(3, ["phone"], "w", wishes_off=["sat", "sun"]), agents(3, ["phone"], "x")]
    )
    made = roster(week({"phone": 1}), wishing, oslo(gap=0.005))
    worked = made.shifts[made.shifts["starts_at"].dt.day_of_week > 4]
    assert len(worked) and worked["agent_id"].str.startswith("x").all()


def test_night_shifts_over_both_clock_changes_are_eight_hours(
    week: Make, agents: Make, oslo: Oslo
) -> None:
    settings = oslo(starts=("22:00",), shift_hours=(8.0,), break_minutes=0)
    for start, changed, ends in (
        ("2026-03-23", "2026-03-28", "2026-03-29 07:00"),
        ("2026-10-19", "2026-10-24", "2026-10-25 05:00"),
    ):
        plan = week({"phone": 1}, start, 8, hours=(0, 24))
        made = roster(plan, agents(3, ["phone"]), settings)
        night = made.shifts[made.shifts["day"] == changed].iloc[0]
        local = night["ends_at"].tz_localize("UTC").tz_convert("Europe/Oslo")
        assert night["paid_hours"] == 8.0
        assert night["ends_at"] - night["starts_at"] == pd.Timedelta(hours=8)
        assert f"{local:%Y-%m-%d %H:%M}" == ends


def test_an_earlier_roster_leaves_rest_and_its_people(week: Make, agents: Make, oslo: Oslo) -> None:
    """Who works the night into Monday has rest after it, and is there in its first hours."""
    settings = oslo(starts=("06:00", "22:00"), shift_hours=(8.0,), break_minutes=0, weeks=2)
    made = roster(week({"phone": 1}, days=14, hours=(0, 24)), agents(6, ["phone"]), settings)
    for _, mine in made.shifts.groupby("agent_id"):
        gaps = mine["starts_at"].iloc[1:].to_numpy() - mine["ends_at"].iloc[:-1].to_numpy()
        assert (gaps >= np.timedelta64(11, "h")).all()
    nights = made.shifts[made.shifts["day"] == "2026-03-08"]
    if (nights["starts_at"].dt.hour == 21).any():  # 22:00 in Oslo
        first = made.people[made.people["starts_at"] == pd.Timestamp("2026-03-09T02:00")]
        assert first["rostered"].iloc[0] >= 1
    assert len(made.weeks) == 2


def test_agents_differ_by_contract(week: Make, agents: Make, oslo: Oslo) -> None:
    evening = Contract(shift_hours=(4.0,), starts=("14:00",), max_week_hours=16.0, break_minutes=0)
    settings = replace(oslo(), contracts=MappingProxyType({"evening": evening}))
    both = pd.concat([agents(3, ["phone"]), agents(2, ["phone"], "e", contract="evening")])
    made = roster(week({"phone": 3}), both, settings)
    late = made.shifts[made.shifts["agent_id"].str.startswith("e")]
    assert set(late["starts_at"].dt.hour) == {13}
    assert late.groupby("agent_id")["paid_hours"].sum().max() <= 16.0


@pytest.mark.parametrize(
    ("change", "shifts", "words"),
    [
        ({"contract": "nights"}, {}, r"agent a00: there is no contract 'nights'"),
        ({"unavailable": ["moon"]}, {}, r"agent a00, unavailable: 'moon'.*Did you mean"),
        ({"unavailable": ["mon 25:00-26:00"]}, {}, r"no time of day"),
        ({"wishes_off": [""]}, {}, r"agent a00, wishes_off: '' names no time"),
        ({"skills": None}, {}, r"none of 2 agents has skills: the column skills of the agents"),
        ({"skills": ["fone"]}, {}, r"none of 2 agents has a skill.*'fone'.*Did you mean \"phone\""),
        ({"hours_per_week": 20.0}, {"min_week_hours": 30.0}, r"agent a00: min_week_hours 30.*20"),
        (
            {"unavailable": ["mon", "tue", "wed 00:00-12:00", "thu 10:00-24:00"]},
            {"max_days": 2, "min_week_hours": 20.0},
            r"agent a00 cannot work the hours.*20 at least.*14 at most.*max_days \(2\)",
        ),
    ],
    ids=["contract", "day", "time", "empty", "no skills", "skill", "hours", "impossible"],
)
def test_bad_agents_are_refused_by_name(
    week: Make,
    agents: Make,
    oslo: Oslo,
    change: dict[str, object],
    shifts: dict[str, object],
    words: str,
) -> None:
    rows = agents(2, ["phone"]).to_dict("records")
    wrong = pd.DataFrame([{**row, **change} for row in rows])
    with pytest.raises(DataError, match=f"(?s){words}"):
        roster(week({"phone": 1}), wrong, oslo(**shifts))


def test_no_agents_and_no_plan_are_said(week: Make, agents: Make, oslo: Oslo) -> None:
    plan = week({"phone": 1})
    gone = agents(1, ["phone"]).assign(left_at=pd.Timestamp("2026-01-01"))
    with pytest.raises(DataError, match="there are no agents to roster"):
        roster(plan, gone, oslo())
    with pytest.raises(DataError, match="the plan has no rows"):
        roster(plan.iloc[:0], agents(1, ["phone"]), oslo())
    with pytest.raises(NotEnoughHistory, match="no whole day"):
        roster(plan.iloc[3:20], agents(1, ["phone"]), oslo())


def test_what_is_assumed_is_said(week: Make, agents: Make, oslo: Oslo) -> None:
    made = roster(
        week({"phone": 1}, "2026-03-03", 3),
        agents(3, ["phone", "fax"]).assign(time_zone=None),
        oslo(),
    )
    told = " ".join(made.notes)
    assert "3 agents (a00, a01, a02) have no hourly_cost" in told and "25 USD" in told
    assert "skill 'fax' of 3 agents" in told
    assert "the roster begins on 2026-03-03" in told


def test_more_agents_than_anybody_needs_have_their_hours(
    week: Make, agents: Make, oslo: Oslo
) -> None:
    made = roster(week({"phone": 1}), agents(12, ["phone"]), oslo())
    assert (made.people["gap"] >= 0).all() and not made.short
    assert made.shifts["agent_id"].nunique() <= 12
