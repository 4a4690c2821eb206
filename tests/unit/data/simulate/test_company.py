"""Stepping, cloning, feeding: what an action or a staffing changes, and what it leaves alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, UsageError
from data.simulate import Company, Rates
from data.simulate.rates import CHANNELS

AMPLE = dict.fromkeys(CHANNELS, [200.0] * 24)


@pytest.fixture(scope="module")
def company() -> Company:
    made = Company(1500, 90, seed=4)
    for _ in range(70):
        made.step(staffing=AMPLE)
    return made


def same(a: dict[str, pd.DataFrame], b: dict[str, pd.DataFrame]) -> list[str]:
    return [name for name in a if not a[name].equals(b[name])]


def test_equal_seeds_equal_companies() -> None:
    first, second, third = (Company(300, 20, seed) for seed in (1, 1, 2))
    for each in (first, second, third):
        for _ in range(20):
            each.step()
    assert same(first.tables(), second.tables()) == []
    assert "orders" in same(first.tables(), third.tables())


def test_a_clone_repeats_and_leaves_the_original_alone(company: Company) -> None:
    before = company.tables()
    one, two = company.clone(record=True), company.clone(record=True)
    for _ in range(10):
        one.step()
        two.step()
    assert same(one.tables(), two.tables()) == []
    assert same(before, company.tables()) == []
    other = company.clone(seed=99, record=True)
    for _ in range(10):
        other.step()
    later, past = other.tables()["tickets"], company.tables()["tickets"]
    assert not later.equals(one.tables()["tickets"])
    known = later[later["recorded_at"] < company.now]
    for column in ("ticket_id", "topic", "text", "is_complaint", "recorded_at"):
        assert sorted(map(str, known[column])) == sorted(map(str, past[column]))


def test_a_contact_touches_its_customer_and_nobody_else(company: Company) -> None:
    chosen = [f"c{c:06d}" for c in range(0, 600, 3)]
    actions = pd.DataFrame({"customer_id": chosen, "action": "check_in"})
    treated, left = company.clone(record=True), company.clone(record=True)
    for twin, first in ((treated, actions), (left, actions.iloc[:0])):
        for day in range(15):
            twin.step(first if day == 0 else None, staffing=AMPLE)
    changed = 0
    for name, frame in treated.tables().items():
        if "customer_id" not in frame or name == "treatments":
            continue
        other = left.tables()[name]
        key = [c for c in frame.columns if c != "agent_id"]
        rest = [
            f[~f["customer_id"].isin(chosen)][key].reset_index(drop=True) for f in (frame, other)
        ]
        pd.testing.assert_frame_equal(*rest)
        changed += not frame[key].equals(other[key])
    assert changed, "the contact changed nothing for anybody"


def test_more_agents_answer_faster_and_lose_fewer() -> None:
    busy = dataclasses.replace(Rates(), public=0.1, handle_seconds=(3000.0, 460.0, 620.0, 330.0))
    company, outcomes = Company(500, 30, seed=1, rates=busy), {}
    for agents in (1.0, 2.0, 30.0):
        twin = company.clone()
        days = [twin.step(staffing={"phone": [agents] * 24}).contacts() for _ in range(14)]
        calls = pd.concat(days).query("channel == 'phone'")
        outcomes[agents] = (calls["abandoned_at"].notna().mean(), calls["wait_seconds"].mean())
    assert outcomes[1.0] > outcomes[2.0] > outcomes[30.0]
    assert outcomes[30.0] == (0.0, 0.0)


def test_staffing_as_a_frame_is_staffing_by_hour(company: Company) -> None:
    hours = [3.0 if 8 <= h < 18 else 0.0 for h in range(24)]
    edges = company.world.timeline.hour_edges(company.day)[:24].astype("datetime64[us]")
    frame = pd.DataFrame({"channel": "phone", "starts_at": edges, "agents": hours})
    one = company.clone().step(staffing={"phone": hours})
    two = company.clone().step(staffing=frame[frame["agents"] > 0])
    assert (one.agents == two.agents).all()
    assert one.contacts().equals(two.contacts())


def test_service_is_the_days_contacts_in_one_frame(company: Company) -> None:
    twin = company.clone(record=True)
    days = pd.concat([twin.step().contacts() for _ in range(3)])
    service = twin.service()
    assert service["ticket_id"].tail(len(days)).tolist() == days["ticket_id"].tolist()
    tickets = twin.tables()["tickets"].drop_duplicates("ticket_id").set_index("ticket_id")
    known = tickets.loc[service["ticket_id"], "resolved_at"]
    assert (known.to_numpy() == service["resolved_at"].to_numpy())[known.notna()].all()
    lost = service["abandoned_at"].notna()
    assert not (lost & service["answered_at"].notna()).any()


def test_suppressed_complaints_wait_in_line_and_are_not_remembered(company: Company) -> None:
    rates = dataclasses.replace(Rates(), c_general=0.3)
    loud = Company(300, 10, seed=1, rates=rates)
    silent = loud.clone(suppress="complaint")
    day, ghost = loud.step(), silent.step()
    assert day.complaints == ghost.complaints > 10
    assert [len(d.waiting) for d in loud.state.desks] == [
        len(d.waiting) for d in silent.state.desks
    ]
    assert loud.state.tickets["complaint"].any()
    assert not silent.state.tickets["complaint"].any()


def test_a_strike_shows_in_orders_before_tickets() -> None:
    rates = dataclasses.replace(
        Rates(), strike_start=0.0, outage=0.0, broken_release=0.0, defective_lot=0.0
    )
    calm = Company(8000, 80, seed=2, rates=rates, own_outreach=False)
    for _ in range(45):
        calm.step()
    struck = calm.clone(record=False)
    struck.state.incidents.delivering[:] = 1
    held = dataclasses.replace(rates, strike_end=0.0)
    struck.rates = held
    waiting, tickets = [], []
    for _ in range(18):
        usual, now = calm.step(), struck.step()
        waiting.append(
            len(struck.state.orders["key"][struck.state.orders["status"] == 1])
            / max((calm.state.orders["status"] == 1).sum(), 1)
        )
        tickets.append(now.expected[:, 0].sum() / usual.expected[:, 0].sum())
    first_orders = next(k for k, ratio in enumerate(waiting) if ratio > 1.5)
    first_tickets = next(k for k, ratio in enumerate(tickets) if ratio > 1.5)
    assert first_orders + 2 <= first_tickets
    assert tickets[-1] > 3


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (pd.DataFrame({"customer": ["c000001"], "action": ["x"]}), "'customer_id' is missing"),
        (pd.DataFrame({"customer_id": ["nobody"], "action": ["x"]}), "no customer 'nobody'"),
        (pd.DataFrame({"customer_id": ["c000001"] * 2, "action": ["x"] * 2}), "named twice"),
    ],
)
def test_wrong_actions_are_refused_by_name(
    company: Company, actions: pd.DataFrame, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        company.clone().step(actions)


@pytest.mark.parametrize(
    ("staffing", "words"),
    [
        ({"phon": [1.0] * 24}, 'Did you mean "phone"'),
        ({"phone": [1.0] * 23}, "24 numbers"),
        ({"phone": [-1.0] * 24}, ">= 0"),
        ({"phone": [np.nan] * 24}, "24 numbers"),
    ],
)
def test_wrong_staffing_is_refused_by_name(
    company: Company, staffing: dict[str, list[float]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        company.clone().step(staffing=staffing)


def test_impossible_companies_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one customer"):
        Company(0, 10, seed=1)
    with pytest.raises(UsageError, match="keeps no tables"):
        Company(10, 10, seed=1).clone().tables()
    with pytest.raises(UsageError, match="suppress"):
        Company(10, 10, seed=1).clone(suppress="all")
    tiny = Company(1, 1, seed=1)
    with pytest.raises(UsageError, match="made for 1"):
        for _ in range(400):
            tiny.step()
