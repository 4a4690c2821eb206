"""The plan over random worlds: capacity, consent, hold-out and propensities hold in all of them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.outreach_worlds import broken_rules, random_policy, world
from data.settings import Outreach
from serving.outreach.actions import ACTIONS
from serving.outreach.draws import held_out, uniforms
from serving.outreach.policy import COLUMNS, Effects, plan

MORE = 4 if os.environ.get("PRESAGE_FULL") == "1" else 1
"""`make test-full` tries so many times more."""

AS_OF = datetime(2026, 3, 1)
SALT = b"a salt for tests"


def planned(seed: int, rows: int, policy: Outreach, known: bool = True, **more: object):  # type: ignore[no-untyped-def]
    people, effects = world(seed, rows, AS_OF, known)
    return people, plan(people, policy, salt=SALT, as_of=AS_OF, effects=effects, **more)  # type: ignore[arg-type]


policies = st.builds(
    Outreach,
    capacity_per_day=st.integers(0, 60),
    email_per_day=st.none() | st.integers(0, 30),
    phone_per_day=st.none() | st.integers(0, 10),
    holdout_share=st.floats(0, 0.9),
    explore_share=st.floats(0, 1),
    consent_when_unknown=st.booleans(),
)


@given(seed=st.integers(0, 10_000), rows=st.integers(0, 120), policy=policies, known=st.booleans())
@settings(max_examples=25 * MORE, deadline=None)
def test_every_world(seed: int, rows: int, policy: Outreach, known: bool) -> None:
    candidates, got = planned(seed, rows, policy, known)
    assert list(got.columns) == list(COLUMNS)
    assert got["customer_id"].tolist() == candidates["customer_id"].tolist()
    selected = got["arm"].isin(["treat", "holdout"]).to_numpy()
    assert selected.sum() <= policy.capacity_per_day
    by_channel = got.loc[selected, "channel"].value_counts()
    for channel in ("email", "phone"):
        most = getattr(policy, f"{channel}_per_day")
        assert most is None or by_channel.get(channel, 0) <= most
    if not known:  # nothing is claimed: the exploring share, and not one more
        assert selected.sum() <= round(policy.capacity_per_day * policy.explore_share)
        assert got["value"].isna().all()
    ineligible = (got["arm"] == "ineligible").to_numpy()
    assert (got.loc[ineligible, "propensity"] == 0).all()
    assert got.loc[ineligible, ["action", "channel"]].isna().all().all()
    assert got.loc[~ineligible, ["action", "channel"]].notna().all().all()
    assert got["propensity"].between(0, 1 - policy.holdout_share + 1e-12).all()
    assert got["arm_propensity"].between(0, 1 + 1e-12).all()
    assert (got.loc[selected, "arm_propensity"] > 0).all()
    chosen = selected & ~got["explored"].to_numpy()
    assert (got.loc[chosen, "value"] > 0).all()
    contacted = got[selected].merge(candidates, on="customer_id")
    for row in contacted.itertuples():
        consent = getattr(row, f"{row.channel}_consent")
        assert policy.consent_when_unknown if pd.isna(consent) else bool(consent)
        assert pd.isna(row.do_not_contact) or not row.do_not_contact
        assert not row.has_open_complaint
        assert row.reason
        assert row.not_before < row.not_after


def test_several_runs_a_day_break_no_rule() -> None:
    """The 10,000 of `python -m benchmarks.outreach_worlds`, fewer."""
    for seed in range(40 * MORE):
        assert broken_rules(seed) == [], seed


@given(seed=st.integers(0, 1000))
@settings(max_examples=5 * MORE, deadline=None)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    people, effects = world(seed, 80, AS_OF)
    policy = replace(random_policy(seed), capacity_per_day=20)
    options = {"salt": SALT, "as_of": AS_OF, "agent_hours": 1.0}
    got = plan(people, policy, effects=effects, **options).set_index("customer_id")  # type: ignore[arg-type]
    mixed = np.random.default_rng(seed).permutation(len(people))
    assert effects.uplift is not None
    again = plan(
        people.iloc[mixed].reset_index(drop=True),
        policy,
        effects=Effects(effects.uplift[mixed]),
        **options,  # type: ignore[arg-type]
    ).set_index("customer_id")
    columns = [c for c in got.columns if c not in ("value_low", "value_high")]
    pd.testing.assert_frame_equal(got[columns], again.loc[got.index, columns])


@given(seed=st.integers(0, 1000))
@settings(max_examples=5 * MORE, deadline=None)
def test_selection_ignores_the_hold_out(seed: int) -> None:
    few, many = (
        planned(seed, 100, Outreach(capacity_per_day=30, holdout_share=h))[1] for h in (0.05, 0.6)
    )
    chosen = [set(p[p["arm"].isin(["treat", "holdout"])]["customer_id"]) for p in (few, many)]
    assert chosen[0] == chosen[1]
    # held out at 5 % is held out at 60 %: the draw is the customer's own
    held = [set(p[p["arm"] == "holdout"]["customer_id"]) for p in (few, many)]
    assert held[0] <= held[1]


def test_propensities_are_the_frequencies_over_salts() -> None:
    people, effects = world(5, 60, AS_OF)
    policy = Outreach(capacity_per_day=15, explore_share=0.4, holdout_share=0.3)
    treated, stated = np.zeros(60), np.zeros(60)
    runs = 300
    for i in range(runs):
        got = plan(people, policy, salt=b"salt %d" % i, as_of=AS_OF, effects=effects)
        treated += (got["arm"] == "treat").to_numpy()
        stated += got["propensity"].to_numpy()
    error = np.abs(treated - stated) / runs
    sigma = np.sqrt(np.maximum(stated / runs * (1 - stated / runs), 1e-9) / runs)
    assert (stated > 0).sum() > 5
    assert (error <= 4.5 * sigma + 1e-9).all()


def test_an_arm_s_propensity_is_that_of_the_action_drawn() -> None:
    """1/P of what was drawn has the mean 1, for each action that can be drawn for a customer."""
    people, _ = world(5, 200, AS_OF)
    policy = Outreach(capacity_per_day=30, explore_share=1.0, holdout_share=0.3)
    names = [action.name for action in ACTIONS]
    inverse, runs = np.zeros((200, len(ACTIONS))), 300
    for i in range(runs):
        got = plan(people, policy, salt=b"salt %d" % i, as_of=AS_OF)
        for row in np.flatnonzero((got["arm"] == "treat").to_numpy()):
            at = names.index(got["action"].iloc[row])
            inverse[row, at] += 1.0 / got["arm_propensity"].iloc[row]
    means = inverse[inverse > 0] / runs
    assert len(means) > 20
    assert abs(means.mean() - 1) < 0.06


def test_uniforms_are_uniform_and_independent_of_purpose() -> None:
    ids = [str(i) for i in range(20_000)]
    a, b = uniforms(SALT, ids, "holdout"), uniforms(SALT, ids, "explore")
    assert abs(a.mean() - 0.5) < 4 * np.sqrt(1 / 12 / len(ids))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(ids))


def test_the_hold_out_of_a_million_is_its_share_and_never_changes() -> None:
    from scipy.stats import binom

    ids = [f"c{i:06d}" for i in range(1_000_000)]
    held = held_out(SALT, ids, 0.1)
    low, high = binom.interval(0.99, len(ids), 0.1)
    assert low <= held.sum() <= high
    # a version that drew otherwise would contact those who were held out before
    assert np.flatnonzero(held[:60]).tolist() == [34, 35, 47, 57, 59]


def test_contacts_a_day_ago_count() -> None:
    people, effects = world(3, 40, AS_OF)
    people["last_contacted_at"] = AS_OF - timedelta(days=1)
    got = plan(people, Outreach(), salt=SALT, as_of=AS_OF, effects=effects)
    assert set(got["arm"]) == {"ineligible"}
