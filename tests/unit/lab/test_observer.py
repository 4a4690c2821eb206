"""The ideal observer where its posterior is known in closed form, or by brute force."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from data.arrays import Floats
from data.errors import DataError
from data.simulate import Company, Rates, posterior
from data.simulate.activity import ENGAGED, ORDERING
from data.simulate.hazard import Hazard
from data.simulate.incidents import SLOW, STRIKE, USUAL
from data.simulate.rates import CARRIERS, REGIONS
from data.simulate.state import FAR
from lab.observer import known_world, observer
from lab.observer.ahead import _later_office, _not_yet
from lab.observer.habits import chain, habits
from lab.observer.hints import Hint
from lab.observer.incidents import BROKEN, REPAIRED, carriers, platforms
from lab.observer.lots import _Chain, lots
from lab.observer.observations import Observations, observations_of
from lab.observer.replay import Replayed, replay

START = date(2024, 1, 1)
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def company() -> Company:
    made = Company(700, 130, seed=3, hazard_every=0)
    while made.day < 100:
        made.step()
    return made


@pytest.fixture(scope="module")
def tables(company: Company) -> dict[str, pd.DataFrame]:
    return company.tables()


@pytest.fixture(scope="module")
def shown(company: Company, tables: dict[str, pd.DataFrame]) -> Observations:
    return observations_of(tables, company.now, START)


def test_without_causes_the_chance_is_the_closed_form() -> None:
    """Only c_general is left: P = 1 - (b / (b + x))^(a + n), x a sum of the calendar's factors."""
    none = [f.name for f in dataclasses.fields(Rates) if f.name.startswith(("c_", "closing"))]
    rates = dataclasses.replace(Rates(), **dict.fromkeys(none, 0.0))
    rates = dataclasses.replace(rates, c_general=0.02)
    company = Company(150, 60, seed=2, rates=rates, hazard_every=0, own_outreach=False)
    while company.day < 40:
        company.step()
    tables = company.tables()
    true_chances = observer(tables, [company.now], (7, 14), runs=1, rates=rates)
    people, line = company.world.people, company.world.timeline
    who = np.array([int(c[1:]) for c in true_chances["customer_id"]])
    tickets = tables["tickets"].drop_duplicates("ticket_id")
    complaints = tickets[tickets["is_complaint"]].dropna(subset=["customer_id"])
    n = np.bincount(complaints["customer_id"].str[1:].astype(int), minlength=people.size)[who]
    weight = 0.02 * np.array(Rates().segment_complaints)[people.segment[who]]
    since = people.signed_up[who] + 1
    lived = np.array([line.contact_factor[max(s, 0) : 40].sum() for s in since]) * weight
    a, b = posterior(rates.complaint_shape, n, lived)
    for horizon in (7, 14):
        ahead = line.contact_factor[40 : 40 + horizon].sum() * weight
        expected = 1 - (b / (b + ahead)) ** a
        np.testing.assert_allclose(true_chances[f"complaint_{horizon}d"], expected, rtol=1e-9)
    assert n.max() > 1


class _Told(Company):
    """A company that adds up its exposures."""

    exposure: Floats = np.zeros(1)
    asked: Floats = np.zeros(1)

    def _intensities(self) -> Hazard:
        now = super()._intensities()
        self.exposure = self.exposure + now.exposure
        self.asked = self.asked + now.question_exposure
        return now


def test_the_history_replayed_is_the_history(company: Company, shown: Observations) -> None:
    """State and exposures, from the tables alone, are the company's own."""
    world = known_world(shown, company.rates)
    lived = replay(world, shown)
    n, own = shown.size, company.state
    for name in (
        "errors", "payment_failed", "charged", "unmet", "unmet_topic", "dissatisfaction",
        "effect", "effect_until", "contacted", "plan", "region", "closed",
    ):  # fmt: skip
        np.testing.assert_allclose(
            getattr(lived.state, name), getattr(own, name)[:n], atol=1e-9, err_msg=name
        )
    again = _Told(700, 130, seed=3, hazard_every=0)
    while again.day < 100:
        again.step()
    bad = again.state.incidents.defective
    line, orders = again.world.timeline, shown.orders
    lot = np.array([line.half_month(d) for d in range(100)])[np.minimum(orders["shipped"], 99)]
    known = bad[orders["product"], lot] & (orders["shipped"] < FAR)
    for true_chances, items, own_sum in (
        (lived.exposure, lived.item_exposure, again.exposure),
        (lived.question_exposure, lived.item_question_exposure, again.asked),
    ):
        total = true_chances + np.bincount(orders["customer"], items * known, n)
        np.testing.assert_allclose(total, own_sum[:n], atol=1e-9)


def test_what_comes_later_changes_nothing(
    company: Company, tables: dict[str, pd.DataFrame]
) -> None:
    later = company.clone(record=True)
    for _ in range(15):
        later.step()
    now = observer(tables, [company.now], (7,), runs=2)
    then = observer(later.tables(), [company.now, later.now], (7,), runs=2)
    pd.testing.assert_frame_equal(now, then[then["as_of"] == now["as_of"][0]])
    assert len(then) > 1.8 * len(now)


def test_equal_seeds_equal_answers(company: Company, tables: dict[str, pd.DataFrame]) -> None:
    one, two, other = (observer(tables, [company.now], (7,), runs=2, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(other)
    topics = one.filter(like="topic_").to_numpy().sum(axis=1)
    np.testing.assert_allclose(topics, one["complaint_7d"], atol=1e-9)


def test_other_moments_and_tables_are_refused(
    company: Company, tables: dict[str, pd.DataFrame]
) -> None:
    with pytest.raises(DataError, match="local midnight"):
        observer(tables, [company.now + timedelta(hours=1)])
    gap = tables["customers"].query("customer_id != 'c000003'")
    with pytest.raises(DataError, match="no gaps"):
        observer({**tables, "customers": gap}, [company.now])


def _orders(shown: Observations, **columns: object) -> Observations:
    """What is shown, with other orders."""
    size = len(np.asarray(next(iter(columns.values()))))
    far = dict.fromkeys(("shipped", "delivered", "cancelled", "returned"), np.full(size, FAR))
    rest = {
        name: np.zeros(size, dtype=np.int64)
        for name in ("customer", "product", "carrier", "region", "ordered", "promised")
    }
    moments = dict.fromkeys(("delivered_at", "promised_at"), np.full(size, np.iinfo(np.int64).max))
    made = {"id": np.arange(size).astype(object)} | rest | far | moments
    made |= {name: np.asarray(values) for name, values in columns.items()}
    return dataclasses.replace(shown, orders=made)


def test_a_carrier_that_delivers_nothing_is_believed_on_strike(shown: Observations) -> None:
    """Two days, twelve orders in one region, none delivered: Bayes' rule by hand."""
    rates = Rates()
    world = known_world(shown, rates)
    days = dataclasses.replace(_orders(shown, shipped=np.full(12, 0)), day=2)
    assert world.timeline.is_workday[1]
    belief, delivering = carriers(world, days)
    hit = 0.5 + 0.5**8 / 8  # one region is among those hit
    ever = 1 - (1 - rates.strike_start) ** 2 - rates.strike_start * rates.strike_end
    p = rates.deliver[0]
    weights = np.array(
        [
            (1 - ever * hit) * (1 - p) ** 12,
            ever * hit * rates.strike_share,
            ever * hit * (1 - rates.strike_share) * (1 - p * rates.slow_factor) ** 12,
        ]
    )
    for status, expected in zip((USUAL, STRIKE, SLOW), weights / weights.sum(), strict=True):
        found = belief[0, delivering[:, 0] == status].sum()
        assert found == pytest.approx(expected, abs=1e-9)
    quiet = belief[1, 0]
    assert quiet == pytest.approx(1 - ever)
    assert belief.shape == (len(CARRIERS), 1 + 2 * (2 ** len(REGIONS) - 1))


def test_one_delivery_rules_out_a_strike(shown: Observations) -> None:
    world = known_world(shown, Rates())
    delivered = np.array([1, *[FAR] * 11])
    days = _orders(shown, shipped=np.full(12, 0), delivered=delivered)
    belief, delivering = carriers(world, dataclasses.replace(days, day=2))
    assert belief[0, delivering[:, 0] == STRIKE].sum() < 1e-200
    assert belief[0, delivering[:, 0] == SLOW].sum() > 0.05


def test_a_release_is_judged_by_its_errors_and_its_version(shown: Observations) -> None:
    """Day 5 is the first release, of ios: broken with 0.35; 3 of 5 active have errors."""
    rates = Rates()
    world = known_world(shown, rates)
    used, failed = np.zeros((6, 3)), np.zeros((6, 3))
    release = np.full((6, 3), -1)
    used[5, 0], failed[5, 0], release[5, 0] = 5, 3, 10
    six = dataclasses.replace(
        shown, day=6, used=used, failed=failed, release=release, outages=np.zeros(6, bool)
    )
    belief, base = platforms(world, six)
    broken = 0.35 * rates.error_broken**3 * (1 - rates.error_broken) ** 2
    sound = 0.65 * rates.error_usual**3 * (1 - rates.error_usual) ** 2
    assert belief[0, BROKEN] == pytest.approx(broken / (broken + sound))
    assert base.tolist() == [10, 0, 0]
    release = np.vstack([release, [11, -1, -1]])
    more = [np.vstack([a, np.zeros((1, 3))]) for a in (used, failed)]
    seven = dataclasses.replace(
        six, day=7, used=more[0], failed=more[1], release=release, outages=np.zeros(7, bool)
    )
    assert platforms(world, seven)[0][0, REPAIRED] == pytest.approx(1.0)


def test_the_grid_of_habits_is_the_integral(shown: Observations) -> None:
    """Three days, one customer: enumerate the chain, integrate both rates numerically."""
    rates = Rates()
    world = known_world(shown, rates)
    active, ordered = np.zeros((3, shown.size), bool), np.zeros((3, shown.size), bool)
    who = int(
        np.flatnonzero((shown.customers["signed_up"] < 0) & (shown.customers["closed"] > 9))[0]
    )
    active[[0, 2], who] = True
    ordered[1, who] = True
    customers = shown.customers | {"closed": np.full(shown.size, FAR)}
    short = dataclasses.replace(shown, day=3, active=active, ordered=ordered, customers=customers)
    found = habits(world, short)
    cells = np.diff(found.cumulative[who], prepend=0.0).reshape(20, 9, 3)
    cells /= cells.sum()

    line, move = world.timeline, chain(rates)
    segment = shown.customers["segment"][who]
    mean = rates.orders * np.array([1.0, 1.7, 0.7])[segment]

    a = (np.arange(1500)[:, None] + 0.5) * 2.5 / 1500
    o = (np.arange(400)[None, :] + 0.5) * 0.5 / 400
    prior = stats.gamma.pdf(a, 1.0, scale=rates.active) * stats.gamma.pdf(o, 1.2, scale=mean / 1.2)
    joint = np.stack([prior, 0 * prior, 0 * prior])
    for t in range(3):
        hidden = 0.02 * 0.7 * np.clip((4 - (3 - t - 0.5)) / 3.5, 0, 1)
        for e in range(3):
            idle = np.exp(-a * ENGAGED[e] * line.activity_factor[t])
            none = np.exp(-o * ORDERING[e] * line.order_factor[t])
            joint[e] *= 1 - idle if active[t, who] else idle + (1 - idle) * hidden
            joint[e] *= 1 - none if ordered[t, who] else none
        joint[2] *= 1 - 2 * rates.closing
        joint = np.einsum("eao,ef->fao", joint, move)
    joint /= joint.sum()
    rate, buys, fading = (joint * a).sum(), (joint * o).sum(), joint[1].sum()
    assert (cells.sum(axis=(1, 2)) * found.active[who]).sum() == pytest.approx(rate, rel=0.02)
    assert (cells.sum(axis=(0, 2)) * found.order[who]).sum() == pytest.approx(buys, rel=0.03)
    assert cells.sum(axis=(0, 1))[1] == pytest.approx(fading, rel=0.02)


def _lived(shown: Observations, items: int, **more: object) -> Replayed:
    world = known_world(shown, Rates())
    lived = replay(world, _orders(shown, customer=np.zeros(items, dtype=np.int64)))
    zero = dict.fromkeys(
        ("item_exposure", "item_question_exposure", "item_evidence"), np.zeros(items)
    )
    return dataclasses.replace(lived, hints=[], **(zero | more))


def test_one_lot_by_hand(shown: Observations) -> None:
    """One item, in hand for two days under a known exposure, returned on the second."""
    rates = Rates()
    exposure = np.full(shown.size, 0.3)
    lived = _lived(
        shown,
        1,
        complaints=np.full(shown.size, 2),
        exposure=exposure,
        questions=np.zeros(shown.size, dtype=np.int64),
        question_exposure=np.full(shown.size, 0.5),
        item_exposure=np.array([0.2]),
        item_question_exposure=np.array([0.024]),
    )
    returned = np.log(rates.return_defective / rates.return_usual)
    hint = Hint(np.array([0]), without=0.0016, each=0.1)
    lived = dataclasses.replace(lived, hints=[hint])
    zero = np.zeros(1, dtype=np.int64)
    sampler = _Chain(rates, lived, zero, zero, np.array([returned]), [hint], 1)
    by_hand = (
        np.log(rates.defective_lot / (1 - rates.defective_lot))
        + returned
        - 2.8 * np.log((0.8 + 0.5) / (0.8 + 0.3))
        - 1.5 * np.log((1.5 + 0.524) / (1.5 + 0.5))
        + np.log(0.1016 / 0.0016)
    )
    assert sampler.log_odds(0) == pytest.approx(by_hand)
    sampler.put(0, True)
    assert sampler.log_odds(0) == pytest.approx(by_hand)
    assert sampler.x[0] == pytest.approx(0.5)


def test_two_lots_of_one_holder_are_drawn_jointly(shown: Observations) -> None:
    """Someone said "replacement": one of two items is bad; enumeration against the draws."""
    rates = Rates()
    lived = _lived(
        shown,
        2,
        complaints=np.zeros(shown.size, dtype=np.int64),
        exposure=np.full(shown.size, 0.1),
        questions=np.zeros(shown.size, dtype=np.int64),
        question_exposure=np.full(shown.size, 0.1),
        item_exposure=np.array([0.5, 1.0]),
        item_question_exposure=np.array([0.06, 0.12]),
    )
    lived = dataclasses.replace(lived, hints=[Hint(np.array([0, 1]), 0.0, 1.0)])
    weights = {}
    for one in (0, 1):
        for two in (0, 1):
            x, y = 0.5 * one + 1.0 * two, 0.06 * one + 0.12 * two
            prior = rates.defective_lot ** (one + two) * (1 - rates.defective_lot) ** (
                2 - one - two
            )
            weights[one, two] = prior * (one + two) * (0.9 + x) ** -0.8 * (1.6 + y) ** -1.5
    total = sum(weights.values())
    rng = np.random.default_rng(0)
    sampler = _Chain(rates, lived, np.zeros(2, int), np.arange(2), np.zeros(2), lived.hints, 2)
    sampler.settle()
    drawn = []
    for _ in range(4000):
        sampler.sweep(rng, 1)
        drawn.append(sampler.bad.copy())
    share = np.mean(drawn, axis=0)
    expected = [(weights[1, 0] + weights[1, 1]) / total, (weights[0, 1] + weights[1, 1]) / total]
    # either is bad alone almost always, so the chain seldom moves: both orders of magnitude count
    assert share.sum() == pytest.approx(sum(expected), abs=0.05)


def test_lots_of_a_company_are_told_apart(company: Company, shown: Observations) -> None:
    world = known_world(shown, company.rates)
    lived = replay(world, shown)
    found = lots(world, shown, lived, 16, np.random.default_rng(0))
    held = np.bincount(
        (shown.orders["product"] * 100 + _period(company, shown))[shown.orders["delivered"] < 90]
    )
    bad = company.state.incidents.defective
    for lot in np.flatnonzero(held >= 8):
        product, period = divmod(int(lot), 100)
        chance = found.draws[:, product, period].mean()
        assert (chance > 0.5) == bad[product, period]


def _period(company: Company, shown: Observations) -> np.ndarray:
    line = company.world.timeline
    lot = np.array([line.half_month(d) for d in range(company.day)])
    return lot[np.minimum(shown.orders["shipped"], company.day - 1)]


def test_what_has_not_happened_yet_is_drawn_from_what_is_left() -> None:
    u = (np.arange(20_000) + 0.5) / 20_000
    passed = np.full(len(u), 2.0)
    z = _later_office(1.6, passed, u)
    office = 1.6 * np.exp(0.8 * z - 0.32)
    assert office.min() >= 2.0 - 2 / 1440
    whole = 1.6 * np.exp(0.8 * stats.norm.ppf(u) - 0.32)
    assert office.mean() == pytest.approx(whole[whole > 2.0].mean(), rel=0.01)
    resolved = np.full(len(u), -DAY)
    wait = _not_yet((0.5, 2.5), 0.2, resolved, 0, u)
    late = wait >= 0
    assert late.mean() == pytest.approx(0.2 * 0.75 / (0.8 + 0.2 * 0.75), abs=1e-3)
    assert wait[late].min() >= 1.0 and wait[late].max() <= 2.5
