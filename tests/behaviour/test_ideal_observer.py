"""The ideal observer keeps its word: its beliefs come true as often as they say.

Everything hidden is known to the truth, so every posterior is judged: carriers, app, engagement,
tendencies to order and to be active, billing days, lots; and the probabilities that follow against
the truth's, which know the whole state. benchmarks/observer.py does it at length.
"""

from __future__ import annotations

import dataclasses
import types
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from data.simulate import Company, Rates, true_probabilities
from data.simulate.rates import TOPICS
from lab.observer import known_world, observer
from lab.observer.habits import habits
from lab.observer.incidents import standing
from lab.observer.lots import lots, review_evidence
from lab.observer.observations import observations_of
from lab.observer.replay import replay


@dataclasses.dataclass
class Judged:
    """Beliefs and what they were about, pooled over companies and moments."""

    carriers: tuple[np.ndarray, np.ndarray]
    platforms: tuple[np.ndarray, np.ndarray]
    engagement: tuple[np.ndarray, np.ndarray]
    lots: tuple[np.ndarray, np.ndarray]
    active: np.ndarray
    ordering: np.ndarray
    complaining: np.ndarray


@pytest.fixture(scope="module")
def judged() -> Judged:
    beliefs: dict[str, list[np.ndarray]] = {}

    def note(name: str, *values: np.ndarray) -> None:
        for k, each in enumerate(values):
            beliefs.setdefault(f"{name}{k}", []).append(np.ravel(each).astype(float))

    rates = dataclasses.replace(
        Rates(), strike_start=0.02, broken_release=0.7, release_fixed=0.05, defective_lot=0.06
    )
    for seed in (1, 2):
        company = Company(1500, 160, seed, rates=rates, hazard_every=0)
        while company.day < 150:
            company.step()
            if company.day % 15:
                continue
            shown = observations_of(company.tables(), company.now, date(2024, 1, 1))
            world = known_world(shown, rates)
            now, own = standing(world, shown), company.state
            note("carriers", now.carriers @ (now.delivering > 0), own.incidents.delivering > 0)
            note("platforms", now.platforms[:, 1], own.incidents.broken)
            lived = replay(world, shown)
            found = lots(world, shown, lived, 16, np.random.default_rng(0))
            line = world.timeline
            recent = [line.half_month(company.day - 1 - back) for back in (0, 15)]
            note("lots", found.draws.mean(axis=0)[:, recent], own.incidents.defective[:, recent])
            if company.day % 150:
                continue
            kept = habits(world, shown)
            n, people = shown.size, company.world.people
            cells = np.diff(kept.cumulative, axis=1, prepend=0.0)
            cells = (cells / kept.cumulative[:, -1:]).reshape(n, -1, kept.order.shape[1], 3)
            note("engagement", cells.sum(axis=(1, 2))[:, 1:], _one_of(own.engagement[:n]))
            here = shown.customers["closed"] > company.day
            for name, rate, weight, truth in (
                ("active", kept.active, cells.sum(axis=(2, 3)), people.active_rate[:n]),
                ("ordering", kept.order, cells.sum(axis=(1, 3)), people.order_rate[:n]),
            ):
                note(name, _quantile(rate, weight, truth)[here])
            a, b = rates.complaint_shape + lived.complaints, found.exposure
            quantile = stats.gamma.cdf(
                people.complaint_tendency[:n], a, scale=1 / (rates.complaint_shape + b)
            )
            note("complaining", quantile.mean(axis=0)[here])
    pooled = {name: np.concatenate(parts) for name, parts in beliefs.items()}
    pairs = {
        name: (pooled[f"{name}0"], pooled[f"{name}1"])
        for name in ("carriers", "platforms", "engagement", "lots")
    }
    single = {name: pooled[f"{name}0"] for name in ("active", "ordering", "complaining")}
    return Judged(**pairs, **single)


def _one_of(engagement: np.ndarray) -> np.ndarray:
    return np.stack([engagement == 1, engagement == 2], axis=1)


def _quantile(rate: np.ndarray, weight: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Where the truth lies in a posterior on geometric cells, each spread over its width."""
    low = np.log(rate)
    place = (np.log(truth) - low[:, 0]) / (low[:, 1] - low[:, 0]) + 0.5
    cell = np.clip(place, 0, rate.shape[1] - 1).astype(int)
    who = np.arange(len(truth))
    below = np.cumsum(weight, axis=1)[who, cell] - weight[who, cell]
    return below + np.clip(place - cell, 0, 1) * weight[who, cell]


@pytest.mark.parametrize("what", ["carriers", "platforms", "engagement", "lots"])
def test_beliefs_come_true_as_often_as_they_say(judged: Judged, what: str) -> None:
    belief, truth = getattr(judged, what)
    assert truth.sum() > 5, "nothing happened"
    for low, high in ((0.0, 0.02), (0.02, 0.3), (0.3, 0.9), (0.9, 1.01)):
        group = (belief >= low) & (belief < high)
        spread = np.sqrt((belief * (1 - belief))[group].sum()) + 1
        # carriers' regions and days hang together: one strike is many cells
        together = 6 if what == "carriers" else 3
        assert abs((truth - belief)[group].sum()) < together * spread, (low, high)


@pytest.mark.parametrize("what", ["active", "ordering", "complaining"])
def test_tendencies_lie_in_their_posteriors(judged: Judged, what: str) -> None:
    quantile = getattr(judged, what)
    assert stats.kstest(quantile, "uniform").statistic < 1.63 / np.sqrt(len(quantile)) + 0.01


@pytest.fixture(scope="module")
def company() -> Company:
    made = Company(3000, 150, seed=5, hazard_every=0)
    while made.day < 140:
        made.step()
    return made


@pytest.fixture(scope="module")
def true_chances(company: Company) -> pd.DataFrame:
    return observer(company.tables(), [company.now], (7,), runs=32)


def test_probabilities_are_those_of_the_truth_on_the_mean(
    company: Company, true_chances: pd.DataFrame
) -> None:
    """Against soft labels: level, slope and bins."""
    truth = true_probabilities(company, (7,), runs=8, of=("complaint",))
    assert true_chances["customer_id"].tolist() == truth["customer_id"].tolist()
    soft, p = truth["complaint_7d"].to_numpy(), true_chances["complaint_7d"].to_numpy()
    order = np.argsort(p)
    gaps, errors = [], []
    for group in np.array_split(order, 10):
        gaps.append((soft - p)[group].mean())
        errors.append((soft - p)[group].std() / np.sqrt(len(group)))
    assert (abs(np.array(gaps)) < 4 * np.array(errors) + 0.03 * p.mean()).all(), gaps
    assert abs(np.array(gaps)).mean() < 2 * np.mean(errors) + 0.0005, errors
    slope = np.cov(soft, p)[0, 1] / p.var()
    assert slope == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(soft, p)[0, 1] > 0.8
    assert (true_chances["error_7d"] < 0.1).all()


def test_next_topics_are_those_of_many_futures(
    company: Company, true_chances: pd.DataFrame
) -> None:
    """How many first complaints of a week are about each topic; and who will write about what."""
    futures, names = 12, [f"topic_{topic}" for topic in TOPICS]
    first = np.full((futures, company.world.size), -1)
    for future in range(futures):
        twin = company.clone(seed=500 + future)
        for _ in range(7):
            came = twin.step().offered
            own = np.flatnonzero((came.customer >= 0) & came.complaint)
            fresh = own[first[future, came.customer[own]] < 0][::-1]
            first[future, came.customer[fresh]] = came.topic[fresh]
    who = true_chances["customer_id"].str[1:].astype(int).to_numpy()
    counts = np.array([(first[:, who] == k).sum(axis=1) for k in range(len(TOPICS))])
    expected = true_chances[names].to_numpy().sum(axis=0)
    error = counts.std(axis=1, ddof=1) / np.sqrt(futures) + np.sqrt(expected / futures)
    assert (abs(counts.mean(axis=1) - expected) < 3.5 * error + 0.1 * expected).all()
    top = true_chances[names].to_numpy().argmax(axis=1)
    came_true = first[:, who]
    right = (came_true == top)[came_true >= 0].mean()
    usual = max((came_true == k)[came_true >= 0].mean() for k in range(len(TOPICS)))
    share = true_chances[names].to_numpy().max(axis=1).sum() / true_chances["complaint_7d"].sum()
    assert right > usual + 0.05
    assert right == pytest.approx(share, abs=0.05)


def test_who_holds_many_items_has_no_bad_lot_for_that() -> None:
    """The company offers a replacement to holders of many items, bad or not: no hint of a lot."""
    rates = dataclasses.replace(Rates(), c_item=0.006)
    company = Company(1200, 100, 3, rates=rates, hazard_every=0)
    while company.day < 100:
        company.step()
    shown = observations_of(company.tables(), company.now, date(2024, 1, 1))
    world = known_world(shown, rates)
    offered = company.tables()["treatments"]["action"] == "replacement"
    assert offered.sum() > 10
    found = lots(world, shown, replay(world, shown), 16, np.random.default_rng(0))
    chance, bad = found.draws.mean(axis=0), company.state.incidents.defective
    sure = chance[:, : bad.shape[1]] > 0.99
    assert sure.sum() > 2
    assert bad[:, : chance.shape[1]][sure[:, : bad.shape[1]]].all()


def test_a_review_of_one_of_two_parcels_accuses_either() -> None:
    """Two parcels of one product came within days: a review that tells of a defect fits both."""
    day = 86_400_000_000
    orders = {
        "customer": np.array([0, 0, 1]),
        "product": np.array([3, 3, 3]),
        "delivered_at": np.array([10, 12, 10]) * day,
        "promised_at": np.array([11, 13, 11]) * day,
    }
    reviews = {
        "customer": np.array([0, 1]),
        "product": np.array([3, 3]),
        "given_at": np.array([16, 16]) * day,
        "rating": np.array([1.0, 1.0]),
        "topic": np.array([TOPICS.index("defect")] * 2),
    }
    shown = types.SimpleNamespace(orders=orders, reviews=reviews, now=20 * day)
    evidence, [hint] = review_evidence(shown)
    assert evidence[2] > 20 and (evidence[:2] < 0).all()
    assert hint.items.tolist() == [0, 1]
    none, first, second, both = (
        hint.weight(np.array(bad)) for bad in ([0, 0], [1, 0], [0, 1], [1, 1])
    )
    assert first == pytest.approx(second) and both == pytest.approx(first + second)
    assert none < 1e-6 * first
