"""The simulated company keeps its word: what it does is what its stated hazards say.

Everything later is judged by this truth, so it is proved here first: counts against intensities,
tendencies against their exact posteriors, probabilities against frequencies over many futures, and
the exposures against what can be computed from the tables alone.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from data.simulate import (
    Company,
    Rates,
    best_actions,
    expected_volume,
    posterior,
    true_effects,
    true_probabilities,
)
from data.simulate.hazard import causes, question_causes
from data.simulate.make_rates import acting
from data.simulate.rates import CAUSES, CHANNELS, TOPICS

DAYS = 150
OTHER = 28
"""A make that differs in which causes act, in frailty, seasons, words and what is recorded. Errors
cause nothing in it: a rare outage moves everybody, and no few runs of the world tell its share."""


@dataclasses.dataclass
class History:
    """A company that has run, and sums of its days."""

    company: Company
    complaints: np.ndarray
    exposure: np.ndarray
    recent: np.ndarray


@pytest.fixture(scope="module")
def history() -> History:
    """The usual company."""
    return lived(Company(6000, DAYS + 30, seed=8))


@pytest.fixture(scope="module", params=[None, OTHER])
def any_history(request: pytest.FixtureRequest, history: History) -> History:
    """The usual company, and one of another make."""
    if request.param is None:
        return history
    return lived(Company(6000, DAYS + 30, seed=8, make=request.param))


def lived(company: Company) -> History:
    """The company after its days, with sums of them."""
    size = company.world.size
    made = History(company, np.zeros(size), np.zeros(size), np.zeros(size))
    tendency = company.world.people.complaint_tendency
    for day in range(DAYS):
        outcome = company.step()
        known = (outcome.offered.customer >= 0) & outcome.offered.complaint
        made.complaints += np.bincount(outcome.offered.customer[known], minlength=size)
        made.exposure += outcome.complaint_hazard / tendency
        if day >= DAYS - 90:
            made.recent += outcome.contacted
    return made


def test_complaints_by_cause_are_poisson_of_the_stated_intensities(any_history: History) -> None:
    record = any_history.company.record
    assert record is not None
    expected = np.sum(record.expected_causes, axis=0)
    tickets = record.tickets.columns()
    known = (tickets["customer"] >= 0) & tickets["complaint"]
    counts = np.bincount(tickets["cause"][known], minlength=len(CAUSES))
    acts = np.isin(CAUSES, acting(any_history.company.rates))
    assert (expected[acts] > 20).all() and (expected[~acts] == 0).all()
    assert (abs(counts - expected) <= 4 * np.sqrt(expected)).all(), dict(
        zip(CAUSES, zip(counts, expected, strict=True), strict=True)
    )


def test_volumes_by_channel_and_topic_are_poisson_of_the_expectation(any_history: History) -> None:
    record = any_history.company.record
    assert record is not None
    expected = np.sum(record.expected, axis=0)
    tickets = record.tickets.columns()
    people = ~tickets["machine"]
    counts = np.zeros_like(expected)
    np.add.at(counts, (tickets["channel"][people], tickets["topic"][people]), 1)
    enough = expected > 5
    z = (counts - expected)[enough] / np.sqrt(expected[enough])
    assert abs(z).max() < 4.5
    assert 0.6 < (z**2).mean() < 1.7
    daily = np.array([day.sum() for day in record.expected])
    offered = np.bincount(
        np.searchsorted(
            any_history.company.world.timeline.midnight, tickets["opened_at"][people], "right"
        )
        - 1,
        minlength=DAYS,
    )
    assert stats.chi2.sf(((offered - daily) ** 2 / daily).sum(), DAYS) > 1e-4


def test_posteriors_of_the_tendency_are_exact(any_history: History) -> None:
    """The truth's quantile in each posterior is uniform, for the quiet and for the loud alike."""
    company = any_history.company
    people = company.world.people
    here = (people.signed_up < 0) & (company.state.closed > DAYS)
    a, b = posterior(company.rates.complaint_shape, any_history.complaints, any_history.exposure)
    quantile = stats.gamma.cdf(people.complaint_tendency, a, scale=1 / b)
    for group in (here, here & (any_history.complaints == 0), here & (any_history.complaints >= 2)):
        assert group.sum() > 100
        assert stats.kstest(quantile[group], "uniform").pvalue > 1e-3


def test_every_question_leaves_a_trace_and_its_posterior_is_exact() -> None:
    """Tickets that are no complaints, bot sessions and views without a ticket: all count."""
    company = Company(4000, 100, seed=6, own_outreach=False)
    exposure = np.zeros(company.world.size)
    for _ in range(100):
        exposure += company.hazard().question_exposure
        company.step()
    tables = company.tables()
    tickets = tables["tickets"].drop_duplicates("ticket_id").dropna(subset=["customer_id"])
    asked = tickets[~tickets["is_complaint"]]
    bots = tables["bot_sessions"][tables["bot_sessions"]["ticket_id"].isna()]
    views = tables["article_events"].merge(asked, on="customer_id", how="left")
    soon = (views["opened_at"] - views["viewed_at"]).between(pd.Timedelta(0), pd.Timedelta("10min"))
    followed = soon.groupby([views["customer_id"], views["viewed_at"]]).any()
    alone = followed[~followed].reset_index()
    counts = np.zeros(company.world.size)
    for frame in (asked, bots, alone):
        np.add.at(counts, frame["customer_id"].str[1:].astype(int), 1)
    people = company.world.people
    here = (people.signed_up < 0) & (company.state.closed > 100)
    a, b = posterior(company.rates.inquiry_shape, counts, exposure)
    quantile = stats.gamma.cdf(people.inquiry_tendency, a, scale=1 / b)
    for group in (here, here & (counts >= 2)):
        assert group.sum() > 100
        assert stats.kstest(quantile[group], "uniform").pvalue > 1e-3
    assert counts[here].sum() == pytest.approx(
        (people.inquiry_tendency * exposure)[here].sum(), rel=0.1
    )


def test_probabilities_are_the_frequencies_of_many_futures(any_history: History) -> None:
    company = any_history.company
    truth = true_probabilities(company, (7,), runs=8, of=("complaint",))
    who = np.array([int(c[1:]) for c in truth["customer_id"]])
    p = truth["complaint_7d"].to_numpy()
    # grouped by runs of their own: what is high by the noise of its runs would be high in its group
    others = true_probabilities(company.clone(seed=5), (7,), runs=8, of=("complaint",))
    level = others["complaint_7d"].to_numpy()
    group = np.searchsorted(np.quantile(level, [0.5, 0.9, 0.97]), level)
    observed = []
    for future in range(16):
        twin, complained = company.clone(seed=7000 + future), np.zeros(company.world.size, bool)
        for _ in range(7):
            complained |= twin.step().complained
        observed.append(np.bincount(group, complained[who]) / np.bincount(group))
    mean, error = np.mean(observed, axis=0), np.std(observed, axis=0) / 4
    predicted = np.bincount(group, p) / np.bincount(group)
    assert (abs(mean - predicted) < 4 * error + 0.03 * predicted).all()
    assert predicted[-1] > 20 * predicted[0]


def test_expected_volume_is_the_mean_of_many_futures(history: History) -> None:
    frame = expected_volume(history.company, 10, runs=6)
    assert len(frame) == 10 * len(CHANNELS) * len(TOPICS)
    counted = []
    for future in range(12):
        twin = history.company.clone(seed=9000 + future)
        counted.append(sum(twin.step().tickets for _ in range(10)))
    error = np.std(counted) / np.sqrt(6) + 1
    assert frame["expected"].sum() == pytest.approx(np.mean(counted), abs=4 * error)


def test_truth_knows_far_more_than_recency_and_frequency(history: History) -> None:
    """The world has signal: who contacted lately says little of who has a problem now."""
    company = history.company
    p = true_probabilities(company, (7,), runs=3)
    who = np.array([int(c[1:]) for c in p["customer_id"]])
    truth, frequency = p["complaint_7d"].to_numpy(), history.recent[who]

    def lift(score: np.ndarray) -> float:
        """The true rate of the top 2 % over the base rate, ties averaged."""
        top = np.argsort(-score - 1e-9 * np.arange(len(score)) / len(score))[: len(who) // 50]
        return float(truth[top].mean() / truth.mean())

    assert 0.005 < truth.mean() < 0.05
    assert lift(truth) > 2 * lift(frequency) > 2


def test_outreach_helps_some_and_harms_others(history: History) -> None:
    company = history.company
    effects = true_effects(company, best_actions(company), horizon=14, runs=2)
    assert (effects["uplift"] < -0.01).sum() > 20, "persuadables"
    assert (effects["uplift"] > 0.001).mean() > 0.05, "sleeping dogs"
    risky = effects.nlargest(len(effects) // 20, "untreated")
    assert risky["uplift"].mean() < 0
    generic = true_effects(company, "check_in", horizon=14, runs=2)
    assert generic["uplift"].mean() > effects["uplift"].mean()


def test_past_outreach_is_a_fair_coin_and_its_effect_is_found(history: History) -> None:
    treatments = history.company.tables()["treatments"]
    assert len(treatments) > 300
    share = (treatments["arm"] == "treat").mean()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(treatments))
    assert (treatments["propensity"] == 0.5).all()


def test_exposures_can_be_computed_from_the_tables_alone(history: History) -> None:
    """What an observer of the tables sees at T is what the hazard of the next day uses."""
    company = history.company.clone(record=True)
    company._begin()
    tables, now, rates = company.tables(), pd.Timestamp(company.now), company.rates
    size, midnight = company.world.size, company.world.timeline.midnight
    x = causes(company.world, company.state, company.day)
    y = question_causes(company.world, company.state, company.day)

    def per_customer(names: pd.Series, weight: object) -> np.ndarray:
        return np.bincount(names.str[1:].astype(int), weight, size)

    def local_day(times: pd.Series) -> np.ndarray:
        return np.searchsorted(midnight, times.to_numpy().astype("int64"), "right") - 1

    orders = tables["orders"].drop_duplicates("order_id", keep="last")
    waiting = orders[orders["delivered_at"].isna() & orders["cancelled_at"].isna()]
    late = company.day - local_day(waiting["promised_at"])
    weight = rates.c_overdue + rates.c_overdue_day * np.minimum(late, rates.c_overdue_cap_days)
    seen = per_customer(waiting["customer_id"], weight * (late >= 1))
    arrived = orders.dropna(subset=["delivered_at"])
    arrived = arrived[arrived["returned_at"].isna()]
    day = local_day(arrived["delivered_at"])
    just = (day > local_day(arrived["promised_at"])) & (company.day - day <= 5)
    seen = seen + per_customer(arrived["customer_id"], rates.c_delivered_late * just)
    assert seen.sum() > 0
    np.testing.assert_allclose(x[CAUSES.index("delivery")], seen, atol=1e-12)

    usage = tables["usage"]
    faded = usage["errors"] * rates.error_memory ** (company.day - 1 - local_day(usage["used_at"]))
    errors = np.minimum(per_customer(usage["customer_id"], faded), rates.c_error_cap)
    np.testing.assert_allclose(x[CAUSES.index("app_error")], rates.c_error * errors, atol=1e-12)

    paid = usage[usage["feature"].isin(["payment", "payment_failed"])].sort_values("used_at")
    last = paid.drop_duplicates("customer_id", keep="last")
    failed = per_customer(last["customer_id"], last["feature"] == "payment_failed") > 0
    free = company.state.plan == 0
    np.testing.assert_array_equal(x[CAUSES.index("billing")] > 0, failed & ~free)
    charged = paid[(paid["feature"] == "payment") & (local_day(paid["used_at"]) == company.day - 1)]
    bill = rates.q_bill * (per_customer(charged["customer_id"], None) > 0)
    np.testing.assert_allclose(y[2], bill + rates.q_payment * (failed & ~free), atol=1e-12)

    tickets = tables["tickets"].drop_duplicates("ticket_id").dropna(subset=["customer_id"])
    again = tickets["reopened_at"].notna() & (tickets["reopened_at"] + pd.Timedelta("2D") >= now)
    opened = tickets[tickets["resolved_at"].isna() | again]
    age = np.minimum(company.day - local_day(opened["opened_at"]), rates.c_open_ticket_cap_days)
    seen = rates.c_open_ticket * per_customer(opened["customer_id"], age)
    np.testing.assert_allclose(x[CAUSES.index("open_ticket")], seen, atol=1e-12)


def test_defective_lots_are_all_or_nothing(history: History) -> None:
    record, line = history.company.record, history.company.world.timeline
    assert record is not None
    log = record.orders.columns()
    shipped = log["shipped_at"] < line.midnight[DAYS]
    day = np.searchsorted(line.midnight, log["shipped_at"][shipped], "right") - 1
    lot = np.array([line.half_month(d) for d in range(DAYS)])[day]
    frame = pd.DataFrame(
        {"p": log["product"][shipped], "lot": lot, "bad": log["defective"][shipped]}
    )
    shares = frame.groupby(["p", "lot"])["bad"].mean()
    assert set(shares.unique()) == {0.0, 1.0}
    returned = log["returned_at"][shipped] < line.midnight[DAYS]
    assert returned[frame["bad"]].mean() > 4 * returned[~frame["bad"]].mean()


def test_usage_errors_follow_broken_releases() -> None:
    calm = dataclasses.replace(Rates(), broken_release=0.0, outage=0.0)
    wild = dataclasses.replace(calm, broken_release=1.0, release_fixed=0.1)
    shares = []
    for rates in (calm, wild):
        company = Company(1500, 60, seed=1, rates=rates)
        for _ in range(60):
            company.step()
        usage = company.tables()["usage"]
        shares.append((usage["errors"] > 0).groupby(usage["platform"]).mean())
        if rates is wild:
            assert {h.kind for h in company.state.incidents.history} >= {"broken release"}
    assert (shares[1] > 2 * shares[0]).sum() >= 2
