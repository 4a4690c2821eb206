"""The plan over random worlds: capacity, consent, hold-out and propensities hold in all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from data.settings import Outreach
from serving.outreach.policy import COLUMNS, plan, uniforms

AS_OF = datetime(2026, 3, 1)
SALT = b"a salt for tests"


def world(seed: int, rows: int, measured: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    consent = {
        f"{name}_consent": pd.array(rng.choice([True, False, None], rows), dtype="boolean")
        for name in ("email", "sms", "phone")
    }
    days = rng.integers(0, 60, rows)
    contacted = pd.Series(
        [AS_OF - timedelta(days=int(d)) if d < 30 else pd.NaT for d in days],
        dtype="datetime64[us]",
    )
    return pd.DataFrame(
        {
            "customer_id": [f"c-{i}" for i in range(rows)],
            "risk": rng.beta(1, 9, rows),
            "topic": pd.Series(rng.choice(["billing", "late delivery", "x", None], rows)),
            "uplift": rng.normal(0.05, 0.05, rows) if measured else np.full(rows, np.nan),
            **consent,
            "do_not_contact": pd.array(rng.choice([True, False, None], rows), dtype="boolean"),
            "preferred_channel": pd.Series(rng.choice(["email", "chat", None], rows)),
            "last_contacted_at": contacted,
            "has_open_ticket": rng.random(rows) < 0.1,
        }
    )


policies = st.builds(
    Outreach,
    capacity_per_day=st.integers(0, 60),
    holdout_share=st.floats(0, 0.9),
    explore_share=st.floats(0, 1),
    consent_when_unknown=st.booleans(),
)


@given(seed=st.integers(0, 10_000), rows=st.integers(0, 120), policy=policies, known=st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_world(seed: int, rows: int, policy: Outreach, known: bool) -> None:
    candidates = world(seed, rows, known)
    got = plan(candidates, policy, salt=SALT, as_of=AS_OF)
    assert list(got.columns) == list(COLUMNS)
    assert got["customer_id"].tolist() == candidates["customer_id"].tolist()
    selected = got["arm"].isin(["treat", "holdout"]).to_numpy()
    assert selected.sum() <= policy.capacity_per_day
    # capacity is used up before anybody is told there was none
    if (got["arm"] == "capacity").any():
        assert selected.sum() == policy.capacity_per_day
    ineligible = (got["arm"] == "ineligible").to_numpy()
    assert (got.loc[ineligible, "propensity"] == 0).all()
    assert got.loc[ineligible, ["action", "channel"]].isna().all().all()
    assert got.loc[~ineligible, "action"].notna().all()
    assert got["propensity"].between(0, 1 - policy.holdout_share + 1e-12).all()
    assert (got.loc[got["arm"] == "treat", "propensity"] > 0).all()
    contacted = got[selected].merge(candidates, on="customer_id")
    for row in contacted.itertuples():
        consent = getattr(row, f"{row.channel}_consent")
        assert policy.consent_when_unknown if pd.isna(consent) else bool(consent)
        assert pd.isna(row.do_not_contact) or not row.do_not_contact
        assert not row.has_open_ticket
        assert row.reason


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    candidates = world(seed, 80)
    policy = Outreach(capacity_per_day=20)
    got = plan(candidates, policy, salt=SALT, as_of=AS_OF).set_index("customer_id")
    mixed = candidates.sample(frac=1, random_state=seed).reset_index(drop=True)
    again = plan(mixed, policy, salt=SALT, as_of=AS_OF).set_index("customer_id")
    pd.testing.assert_frame_equal(got, again.loc[got.index])


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_selection_ignores_the_hold_out(seed: int) -> None:
    candidates = world(seed, 100)
    few, many = (
        plan(candidates, Outreach(capacity_per_day=30, holdout_share=h), salt=SALT, as_of=AS_OF)
        for h in (0.05, 0.6)
    )
    chosen = [set(p[p["arm"].isin(["treat", "holdout"])]["customer_id"]) for p in (few, many)]
    assert chosen[0] == chosen[1]
    # held out at 5 % is held out at 60 %: the draw is the customer's own
    held = [set(p[p["arm"] == "holdout"]["customer_id"]) for p in (few, many)]
    assert held[0] <= held[1]


def test_propensity_is_the_frequency_of_treatment_over_salts() -> None:
    candidates = world(5, 60)
    policy = replace(Outreach(), capacity_per_day=15, explore_share=0.4, holdout_share=0.3)
    treated = np.zeros(60)
    stated = np.zeros(60)
    runs = 800
    for i in range(runs):
        got = plan(candidates, policy, salt=b"salt %d" % i, as_of=AS_OF)
        treated += (got["arm"] == "treat").to_numpy()
        stated += got["propensity"].to_numpy()
    error = np.abs(treated - stated) / runs
    sigma = np.sqrt(np.maximum(stated / runs * (1 - stated / runs), 1e-9) / runs)
    assert (error <= 4.5 * sigma + 1e-9).all()


def test_uniforms_are_uniform_and_independent_of_purpose() -> None:
    ids = [str(i) for i in range(20_000)]
    a, b = uniforms(SALT, ids, "holdout"), uniforms(SALT, ids, "explore")
    assert abs(a.mean() - 0.5) < 4 * np.sqrt(1 / 12 / len(ids))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(ids))
