"""Each rule of a decision by itself: who may be contacted, when, by what, and what it is worth."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, SettingsError
from data.settings import Outreach, Settings, load_settings
from data.tables import MemoryTables
from serving.outreach.actions import ACTIONS, CHANNELS
from serving.outreach.choice import Limits, choose
from serving.outreach.facts import known_facts
from serving.outreach.policy import Effects, Spent, best_values, plan
from serving.outreach.quiet import window, windows
from serving.outreach.worth import Prices, avoided_cost

AS_OF = datetime(2026, 3, 2)
NAMES = [action.name for action in ACTIONS]


def people(count: int = 1, **columns: Any) -> pd.DataFrame:
    """Customers whom nothing forbids to contact."""
    usual: dict[str, Any] = {
        "customer_id": [f"c{i}" for i in range(count)], "risk": 0.5, "topic": "late delivery",
        "avoided_cost": 20.0, "contact_cost": 5.0, "email_consent": True, "sms_consent": True,
        "phone_consent": True, "do_not_contact": False, "preferred_channel": "email",
        "last_contacted_at": pd.Series([pd.NaT] * count, dtype="datetime64[us]"),
    }  # fmt: skip
    return pd.DataFrame({**usual, **columns}, index=range(count))


def decided(
    frame: pd.DataFrame, uplift: dict[str, float] | None = None, **more: Any
) -> pd.DataFrame:
    effects = np.full((len(frame), len(ACTIONS)), np.nan)
    for name, value in ({"delivery_update": 0.2} if uplift is None else uplift).items():
        effects[:, NAMES.index(name)] = value
    policy = more.pop("policy", Outreach(holdout_share=0.0, explore_share=0.0))
    return plan(frame, policy, salt=b"s", as_of=AS_OF, effects=Effects(effects), **more)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("do_not_contact", True, "asked not to be contacted"),
        ("has_open_complaint", True, "open complaint"),
        ("vulnerable", True, "vulnerable"),
        ("closed", True, "closed"),
        ("segment", "press", "the segment is suppressed"),
        ("unwelcome", "complained of a contact", "left alone for a while: complained of a contact"),
        ("contacts_90d", 4.0, "4 times in 90 days"),
        ("last_contacted_at", AS_OF - timedelta(days=13), "within the last 14 days"),
        ("time_zone", "Mars/Base", "time zone is unknown"),
    ],
)
def test_what_forbids_a_contact_is_told(column: str, value: object, told: str) -> None:
    policy = Outreach(holdout_share=0.0, explore_share=0.0, suppress_segments=("press",))
    got = decided(people(**{column: [value]}), policy=policy).iloc[0]
    assert got["arm"] == "ineligible" and told in got["reason"]
    assert got["propensity"] == 0


def test_consent_is_by_channel_and_the_preferred_one_is_kept_to() -> None:
    words = {"email": [True, False, False, None], "sms": [True, True, False, None],
             "phone": [True, True, False, None]}  # fmt: skip
    frame = people(4, **{f"{name}_consent": said for name, said in words.items()})
    got = decided(frame)
    assert got["channel"].tolist()[:2] == ["email", "sms"]
    assert got["reason"].tolist()[2:] == ["no consent for any channel"] * 2
    off = decided(people(2, preferred_channel=["email", None], email_consent=False))
    # moving somebody off the channel they prefer costs
    assert off["value"].iloc[0] == pytest.approx(off["value"].iloc[1] - 0.5)


def test_the_value_is_uplift_times_avoided_less_every_cost() -> None:
    policy = Outreach(holdout_share=0.0, explore_share=0.0, contact_cost=0.1, induced_contacts=0.2,
                      annoyance_cost=0.3, replacement_cost=7.0)  # fmt: skip
    frame = people(2, contacts_90d=[0.0, 2.0])
    got = decided(frame, policy=policy)
    assert got["value"].tolist() == pytest.approx([4 - 0.1 - 1.0 - 0.3, 4 - 0.1 - 1.0 - 0.9])
    gift = decided(people(topic="defect"), {"replacement": 0.5}, policy=policy)
    assert gift["value"].iloc[0] == pytest.approx(10 - 0.1 - 7.0 - 1.0 - 0.3)
    call = decided(people(email_consent=False, sms_consent=False), {"callback": 0.5},
                   policy=policy, agent_hour_cost=30.0)  # fmt: skip
    assert call["value"].iloc[0] == pytest.approx(10 - 0.1 - 6.0 - 1.0 - 0.3 - 0.5)


def test_the_measured_action_wins_and_sleeping_dogs_lie() -> None:
    got = decided(people(), {"delivery_update": 0.05, "check_in": 0.2})
    assert got["action"].iloc[0] == "check_in"
    harmed = decided(people(), dict.fromkeys(NAMES, -0.1)).iloc[0]
    assert harmed["arm"] == "ineligible" and "cost more" in harmed["reason"]
    # an action for another topic was never seen on such customers
    other = decided(people(topic="billing"), {"delivery_update": 0.4}).iloc[0]
    assert other["arm"] == "capacity" and np.isnan(other["value"])


def test_whom_a_contact_harms_is_not_contacted_for_the_inquiries_that_it_saves() -> None:
    saves = np.full(len(ACTIONS), -3.0)
    for uplift, arm in ((-0.01, "ineligible"), (0.0, "treat")):
        effects = Effects(np.full((1, len(ACTIONS)), uplift), induced=saves)
        policy = Outreach(holdout_share=0.0, explore_share=0.0)
        got = plan(people(), policy, salt=b"s", as_of=AS_OF, effects=effects).iloc[0]
        assert got["arm"] == arm, uplift


def test_without_a_measured_effect_the_set_rate_explores_and_nothing_is_claimed() -> None:
    policy = Outreach(capacity_per_day=100, explore_share=0.05, holdout_share=0.0)
    got = decided(people(500), {}, policy=policy)
    assert (got["arm"] == "treat").sum() == 5
    assert got["value"].isna().all() and got["uplift"].isna().all()
    drawn = got[got["arm"] == "treat"]
    assert drawn["propensity"].tolist() == pytest.approx([5 / 500] * 5)
    own = drawn["action"] == "delivery_update"
    odds = np.where(own, 0.5, 0.5 / 2)  # apology and check-in share the rest by e-mail
    assert drawn["arm_propensity"].tolist() == pytest.approx(list(odds * 5 / 500))


def test_two_runs_of_a_day_share_its_capacity() -> None:
    policy = Outreach(capacity_per_day=100, holdout_share=0.0, sms_per_day=30)
    first = decided(people(300), policy=policy)
    used = first[first["arm"] == "treat"]
    assert len(used) == 100
    spent = Spent(
        len(used), used["channel"].value_counts().to_dict(), 0.0, int(used["explored"].sum())
    )
    assert (decided(people(300), policy=policy, spent=spent)["arm"] == "treat").sum() == 0
    half = Spent(60, {"email": 60}, 0.0, 5)
    assert (decided(people(300), policy=policy, spent=half)["arm"] == "treat").sum() == 40


def test_agents_hours_bound_the_calls() -> None:
    frame = people(50, email_consent=False, sms_consent=False, preferred_channel="phone")
    got = decided(frame, {"delivery_update": 0.9}, agent_hours=1.0)
    assert (got["arm"] == "treat").sum() == 10  # six minutes each
    assert (decided(frame, {"delivery_update": 0.9})["arm"] == "treat").sum() == 50


def test_the_best_set_is_best_and_ties_go_by_the_draw() -> None:
    """Against every possible choice of small worlds."""
    rng = np.random.default_rng(0)
    channel, minutes = np.array([0, 1, 2, 2]), np.array([0.0, 0.0, 6.0, 12.0])
    for _ in range(25):
        value = rng.integers(-2, 9, (5, 4)).astype(float)
        limits = Limits(int(rng.integers(1, 5)), tuple(rng.integers(0, 3, 3).astype(float)), 14.0)
        best = 0.0
        for options in product(range(-1, 4), repeat=5):
            used = [(i, o) for i, o in enumerate(options) if o >= 0]
            counts = np.bincount([channel[o] for _, o in used], minlength=3)
            if (
                len(used) <= limits.total
                and (counts <= limits.channels).all()
                and sum(minutes[o] for _, o in used) <= limits.minutes
            ):
                best = max(best, sum(value[i, o] for i, o in used))
        tie = rng.random(5)
        got = choose(value, minutes, channel, limits, tie)
        assert sum(value[i, o] for i, o in enumerate(got) if o >= 0) == pytest.approx(best)
        mixed = rng.permutation(5)
        assert (choose(value[mixed], minutes, channel, limits, tie[mixed]) == got[mixed]).all()


def test_a_large_set_bound_by_minutes_is_close_to_its_bound() -> None:
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, vstack

    rng = np.random.default_rng(1)
    value = rng.gamma(2, 1, (3000, 3))
    channel, minutes = np.arange(3), np.array([0.0, 0.0, 6.0])
    limits = Limits(600, (200.0, 150.0, 400.0), 900.0)
    got = choose(value, minutes, channel, limits, rng.random(3000))
    total = sum(value[i, o] for i, o in enumerate(got) if o >= 0)
    row, k = np.divmod(np.arange(value.size), 3)
    once = coo_array((np.ones(value.size), (row, np.arange(value.size))))
    shared = np.vstack([np.ones(value.size), *(k == c for c in range(3)), minutes[k]])
    bound = -linprog(
        -value.ravel(), A_ub=vstack([once, coo_array(shared)]),
        b_ub=np.r_[np.ones(3000), 600, 200, 150, 400, 900], bounds=(0, 1),
    ).fun  # fmt: skip
    assert bound * 0.998 <= total <= bound + 1e-6


def test_quiet_hours_are_the_customers_own_and_doubtful_hours_are_quiet() -> None:
    noon = datetime(2026, 3, 2, 12)
    assert window(noon, "Asia/Tokyo", "20:00", "08:00") == (
        datetime(2026, 3, 2, 23), datetime(2026, 3, 3, 11),
    )  # fmt: skip
    assert window(noon, "Europe/Oslo", "20:00", "08:00") == (noon, datetime(2026, 3, 2, 19))
    assert window(noon, "Europe/Oslo", "12:30", "14:00")[0] > noon  # type: ignore[index]
    assert window(noon, "UTC", "00:00", "24:00") is None
    # 02:30 is skipped on 29 March: the hours end at 03:30 by the new clock
    assert window(datetime(2026, 3, 29, 0), "Europe/Oslo", "22:00", "02:30") == (
        datetime(2026, 3, 29, 1, 30), datetime(2026, 3, 29, 20),
    )  # fmt: skip
    # 02:30 comes twice on 25 October: quiet to the second
    assert window(datetime(2026, 10, 25, 0), "Europe/Oslo", "22:00", "02:30")[0] == (  # type: ignore[index]
        datetime(2026, 10, 25, 1, 30)
    )
    opens, _, known = windows(noon, [None, "Mars"], "Asia/Tokyo", "20:00", "08:00")
    assert opens[0] == np.datetime64("2026-03-02T23:00") and known.tolist() == [True, False]


def test_a_complaint_costs_its_handling_more_in_public_and_what_churn_loses() -> None:
    found = Prices(30.0, {"email": 4.0, "social": 6.0}, {"social": 1.0}, 5.0)
    policy = Outreach(public_weight=3.0, churn_share=0.02, customer_value=50.0)
    got = avoided_cost(
        pd.Series(["email", "social", None]), pd.Series([100.0, None, 0.0]), policy, found
    )
    assert got.tolist() == pytest.approx([4 + 2, 18 + 1, 5])
    stated = Outreach(complaint_cost=20.0, churn_share=0.0)
    assert avoided_cost(pd.Series(["email"]), pd.Series([1.0]), stated, found).tolist() == [20.0]


@pytest.mark.parametrize(
    ("frame", "more", "told"),
    [
        (people(risk=1.5), {}, "'c0' has the risk 1.5, not in 0 to 1"),
        (people(risk=None), {}, "has the risk nan"),
        (people(avoided_cost=-1.0), {}, "avoided_cost -1.0, not an amount of 0 or more"),
        (people(2, customer_id=["a", "a"]), {}, "'a' is there twice"),
        (people(1, customer_id=[None]), {}, "null customer_id"),
        (people(), {"policy": [Outreach(), Outreach()]}, "2 policies were given; a plan follows"),
        (people(), {"agent_hours": -1.0}, "cannot be below 0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(frame: pd.DataFrame, more: dict[str, Any], told: str) -> None:
    frame["risk"] = frame["risk"].astype("float64")
    with pytest.raises(DataError, match=told):
        decided(frame, **more)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("fax_per_day = 3", 'no key .fax_per_day.. Did you mean "email_per_day"'),
        ('action_of_topics = ["billing"]', "must hold pairs such as"),
        ("contact_cost = -1", "contact_cost is -1.0, but must not be negative"),
        ("induced_contacts = -0.1", "induced_contacts is -0.1, but must not be negative"),
        ("capacity_per_day = -5", "capacity_per_day is -5"),
        ('capacity_per_day = "null"', "capacity_per_day is 'null', but must be a whole number"),
        ("capacity_per_day = 5\n[outreach]", r"\[outreach\] stands there already"),
        ('quiet_from = "25:00"', "'25:00' is no time of day"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(line: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "presage.toml"
    path.write_text(f"[outreach]\n{line}\n")
    with pytest.raises(SettingsError, match=told):
        load_settings(path, {})


def test_a_null_capacity_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="capacity_per_day is null, but must be a whole number"):
        Outreach(capacity_per_day=None)  # type: ignore[arg-type]


def test_effects_of_another_shape_are_refused() -> None:
    for array, told in ((np.zeros((1, 2)), r"has the shape \(1, 2\)"),
                        (np.full((1, len(ACTIONS)), np.inf), "'c0' is not finite")):  # fmt: skip
        with pytest.raises(DataError, match=told):
            plan(people(), Outreach(), salt=b"s", as_of=AS_OF, effects=Effects(array))


def test_channels_and_settings_name_each_other() -> None:
    assert all(hasattr(Settings().outreach, f"{channel}_per_day") for channel in CHANNELS)


def test_a_thin_estimate_below_zero_is_no_proof_of_harm() -> None:
    """It is not chosen by value, and still explored; a sure one is neither."""
    policy = Outreach(holdout_share=0.0, explore_share=1.0)
    for high, arm in ((0.3, "treat"), (-0.01, "ineligible")):
        effects = [np.full((1, len(ACTIONS)), value) for value in (-0.05, -0.4, high)]
        got = plan(people(), policy, salt=b"s", as_of=AS_OF, effects=Effects(*effects)).iloc[0]
        assert got["arm"] == arm
        assert got["explored"] == (arm == "treat")


def test_the_best_value_of_each_is_the_plan_s_where_nothing_is_scarce() -> None:
    frame = people(3, risk=[0.1, 0.5, 0.9], do_not_contact=[False, False, True])
    effects = Effects(np.outer([0.005, 0.2, 0.5], np.linspace(0.5, 1.0, len(ACTIONS))))
    best = best_values(frame, Outreach(), as_of=AS_OF, effects=effects)
    policy = Outreach(explore_share=0.0, holdout_share=0.0)
    got = plan(frame, policy, salt=b"s", as_of=AS_OF, effects=effects)
    assert best[1] == got["value"].iloc[1] > 0 > best[0]
    assert np.isnan(best[2])


def test_nobody_is_told_of_a_late_order_that_they_do_not_have() -> None:
    frame = people(2, has_late_order=[True, False])
    got = decided(frame, {"delivery_update": 0.2, "check_in": 0.1})
    assert got["action"].tolist() == ["delivery_update", "check_in"]


def test_what_an_action_needs_is_read_from_the_tables() -> None:
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2", "3"],
            "customer_id": ["late", "came", "due"],
            "ordered_at": AS_OF - timedelta(days=9),
            "promised_at": [AS_OF - timedelta(days=2)] * 2 + [AS_OF + timedelta(days=2)],
            "delivered_at": [None, AS_OF - timedelta(days=1), None],
            "product_category": [None, "lamp", None],
        }
    )
    ids, topics = ["late", "came", "due", "none"], ["delivery", None, "app", "app"]
    facts = known_facts(MemoryTables({"orders": orders}), ids, topics, AS_OF)
    assert facts["late_order"].tolist() == [True, False, False, False]
    assert facts["product"].tolist() == [False, True, False, False]
    assert facts["article"].all()  # no table of articles: whoever sends looks
    assert all(of.all() for of in known_facts(MemoryTables({}), ids, topics, AS_OF).values())
