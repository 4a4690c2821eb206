"""Which lots are defective: the joint posterior, by Gibbs sampling with the tendencies summed out.

A lot is defective with a known chance, independently of the others. Its holders tell: returns and
reviews of an item depend on nothing else; complaints and questions on the customer's tendency too,
which couples the lots that one customer holds. The tendency is integrated in closed form, so what
is left is a chain over zeros and ones whose steps are exact conditional draws: for a lot l

    log odds = logit(prior) + Σ_items evidence
               - Σ_holders (a + n) log((a + X(1)) / (a + X(0)))      complaints; the same for Q
               + Σ_hints log(weight(1) / weight(0))

Most lots are decided beyond doubt within days of their first deliveries; only the others are drawn.

>>> from data.simulate.rates import Rates
>>> returned, kept = returns_evidence(Rates(), np.array([1, 21]), np.array([True, False]))
>>> bool(returned > 2.8), bool(-0.75 < kept < -0.6)
(True, True)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from data.arrays import Bools, Floats, Ints
from data.simulate.rates import Rates
from data.simulate.state import FAR, World
from data.simulate.timeline import NEVER
from lab.observer.columns import DAY, DEFECT
from lab.observer.hints import Hint
from lab.observer.observations import Observations
from lab.observer.replay import Replayed

SETTLED = 14.0
"""Log odds past which a lot is taken as decided (odds of a million to one)."""
IMPOSSIBLE = 1e-9
REVIEW_SHARE, REVIEW_SHARE_DEFECTIVE = 0.06, 0.16
REVIEW_MOOD, REVIEW_LATE, REVIEW_DEFECTIVE, REVIEW_SPREAD = 4.4, -1.3, -2.2, 0.8


@dataclass(frozen=True)
class Lots:
    """``draws``: runs × products × lots, True if defective.

    ``exposure`` and ``question_exposure``: runs × customers, all that was lived through under each
    draw. ``defective``: runs × orders, those shipped from a lot that is defective in the draw.
    """

    draws: Bools
    exposure: Floats
    question_exposure: Floats
    defective: Bools


def returns_evidence(rates: Rates, days: Ints, returned: Bools) -> Floats:
    """Log likelihood ratio, defective to sound, of ``days`` in hand, ended by a return or not."""
    keep = np.log((1 - rates.return_defective) / (1 - rates.return_usual))
    back = np.log(rates.return_defective / rates.return_usual)
    evidence: Floats = (days - returned) * keep + returned * back
    return evidence


def review_evidence(shown: Observations) -> tuple[Floats, list[Hint]]:
    """The same of the reviews: written or not yet, the rating, what the text is about; and hints
    from those that may be about several parcels of the same product."""
    orders, reviews = shown.orders, shown.reviews
    arrived = orders["delivered_at"] < NEVER
    age = np.where(arrived, (shown.now - orders["delivered_at"]) / DAY, 0.0)
    share = 0.95 * _share_reviewed(age) + 0.05 * _share_reviewed(age - 1)
    evidence: Floats = np.where(
        arrived,
        np.log((1 - REVIEW_SHARE_DEFECTIVE * share) / (1 - REVIEW_SHARE * share)),
        0.0,
    )
    places: dict[tuple[int, int], list[int]] = {}
    for item in np.flatnonzero(arrived):
        of = (orders["customer"][item], orders["product"][item])
        places.setdefault(of, []).append(int(item))
    late = orders["delivered_at"] > orders["promised_at"]
    hints = []
    for r in range(len(reviews["customer"])):
        written_at = reviews["given_at"][r]
        held = places.get((reviews["customer"][r], reviews["product"][r]), [])
        fits = [k for k in held if DAY <= written_at - orders["delivered_at"][k] <= 12 * DAY]
        if not fits:
            continue
        likelihoods = [_reviewed(reviews["rating"][r], reviews["topic"][r], late[k]) for k in fits]
        if len(fits) == 1:
            evidence[fits[0]] = np.log(likelihoods[0][1] / likelihoods[0][0])
            continue
        sound, bad = np.array(likelihoods).T / np.sum(likelihoods)
        hints.append(Hint(np.array(fits), float(sound.sum()), bad - sound))
    return evidence, hints


def _reviewed(rating: float, topic: int, late: bool) -> tuple[float, float]:
    """How probable such a review is of a sound item, and of a defective one."""
    mood = REVIEW_MOOD + REVIEW_LATE * late
    sound = REVIEW_SHARE * _rated(rating, mood)
    bad = REVIEW_SHARE_DEFECTIVE * _rated(rating, mood + REVIEW_DEFECTIVE)
    if topic >= 0:  # the text says which
        return (IMPOSSIBLE * sound, bad) if topic == DEFECT else (sound, IMPOSSIBLE * bad)
    return sound, bad


def _share_reviewed(age: Floats) -> Floats:
    """The share of reviews given within ``age`` days of delivery: uniform from 1 to 12."""
    return np.clip((age - 1) / 11, 0, 1)


def _rated(rating: float, mood: float) -> float:
    low = -np.inf if rating <= 1 else rating - 0.5
    high = np.inf if rating >= 5 else rating + 0.5
    chance = norm.cdf((high - mood) / REVIEW_SPREAD) - norm.cdf((low - mood) / REVIEW_SPREAD)
    return float(max(chance, 1e-12))


def lots(
    world: World, shown: Observations, lived: Replayed, runs: int, rng: np.random.Generator
) -> Lots:
    """Draws of all lots from their joint posterior; those not shipped yet by the prior."""
    rates, orders = world.rates, shown.orders
    products = world.catalogue.size
    periods = world.timeline.half_month(world.timeline.total) + 1
    of_day = np.array([world.timeline.half_month(d) for d in range(world.timeline.total)])
    shipped = orders["shipped"] < FAR
    lot = np.where(
        shipped,
        orders["product"] * periods + of_day[np.where(shipped, orders["shipped"], 0)],
        -1,
    )
    evidence, hints = _item_evidence(rates, shown, lived)
    state = _Chain(rates, lived, orders["customer"], lot, evidence, hints, products * periods)
    state.settle()
    place = np.argsort(rng.random((runs, products * periods)), axis=0)
    chain = (place + rng.random(place.shape)) / runs < rates.defective_lot
    for run in range(runs):
        state.sweep(rng, 20 if run == 0 else 2)
        chain[run, state.touched] = state.bad[state.touched]
    defective = chain[:, lot] & shipped
    exposure = np.empty((runs, shown.size))
    questions = np.empty((runs, shown.size))
    who = orders["customer"]
    for run in range(runs):
        bad = np.flatnonzero(defective[run])
        exposure[run] = lived.exposure + np.bincount(who[bad], lived.item_exposure[bad], shown.size)
        questions[run] = lived.question_exposure + np.bincount(
            who[bad], lived.item_question_exposure[bad], shown.size
        )
    return Lots(chain.reshape(runs, products, periods), exposure, questions, defective)


def _item_evidence(rates: Rates, shown: Observations, lived: Replayed) -> tuple[Floats, list[Hint]]:
    orders = shown.orders
    returned = orders["returned"] < FAR
    last = np.where(returned, orders["returned"], shown.day - 1)
    last = np.minimum(last, orders["delivered"] + rates.in_hand_days)
    days = np.maximum(last - orders["delivered"], 0)
    reviews, hints = review_evidence(shown)
    total: Floats = lived.item_evidence + returns_evidence(rates, days, returned) + reviews
    return total, [*lived.hints, *hints]


class _Chain:
    """The state of the sampler: which lots are bad, and the exposures that follow."""

    def __init__(
        self,
        rates: Rates,
        lived: Replayed,
        customer: Ints,
        lot: Ints,
        evidence: Floats,
        hints: list[Hint],
        size: int,
    ) -> None:
        self.rates, self.lived, self.customer, self.lot = rates, lived, customer, lot
        self.bad = np.zeros(size, dtype=bool)
        self.x, self.y = lived.exposure.copy(), lived.question_exposure.copy()
        known = np.flatnonzero(lot >= 0)
        known = known[np.argsort(lot[known], kind="stable")]
        self.touched, first = np.unique(lot[known], return_index=True)
        self.items = dict(zip(self.touched.tolist(), np.split(known, first[1:]), strict=True))
        self.prior = np.log(rates.defective_lot / (1 - rates.defective_lot))
        self.evidence = {k: float(evidence[items].sum()) for k, items in self.items.items()}
        self.hints: dict[int, list[Hint]] = {}
        for hint in hints:
            for k in set(lot[hint.items].tolist()):
                self.hints.setdefault(k, []).append(hint)
        self.open = self.touched.tolist()

    def log_odds(self, k: int) -> float:
        """The log odds that lot ``k`` is bad, given all others as they stand."""
        items, sign = self.items[k], -1 if self.bad[k] else 1
        who, at = np.unique(self.customer[items], return_inverse=True)
        rates, lived = self.rates, self.lived
        total = self.prior + self.evidence[k]
        for shape, count, stands, adds in (
            (rates.complaint_shape, lived.complaints, self.x, lived.item_exposure),
            (rates.inquiry_shape, lived.questions, self.y, lived.item_question_exposure),
        ):
            here = shape + stands[who]
            other = here + sign * np.bincount(at, adds[items])
            change = np.log(other / here) * sign
            total -= float(((shape + count[who]) * change).sum())
        was = self.bad[k]
        for hint in self.hints.get(k, ()):
            self.bad[k] = True
            total += np.log(self._weight(hint))
            self.bad[k] = False
            total -= np.log(self._weight(hint))
        self.bad[k] = was
        return float(total)

    def _weight(self, hint: Hint) -> float:
        return max(hint.weight(self.bad[self.lot[hint.items]]), IMPOSSIBLE)

    def put(self, k: int, bad: bool) -> None:
        """Set a lot and the exposures of its holders."""
        if bad == self.bad[k]:
            return
        items, sign = self.items[k], 1.0 if bad else -1.0
        np.add.at(self.x, self.customer[items], sign * self.lived.item_exposure[items])
        np.add.at(self.y, self.customer[items], sign * self.lived.item_question_exposure[items])
        self.bad[k] = bad

    def settle(self) -> None:
        """Put every lot where its odds point, until nothing moves; keep the undecided open."""
        for _ in range(10):
            odds = {}
            moved = False
            for k in self.touched.tolist():
                odds[k] = self.log_odds(k)
                if (odds[k] > 0) != self.bad[k]:
                    self.put(k, odds[k] > 0)
                    moved = True
            if not moved:
                break
        self.open = [k for k, value in odds.items() if abs(value) < SETTLED]

    def sweep(self, rng: np.random.Generator, times: int) -> None:
        """Draw every undecided lot given the others, ``times`` times over."""
        for _ in range(times):
            for k in self.open:
                chance = 1 / (1 + np.exp(-self.log_odds(k)))
                self.put(k, bool(rng.random() < chance))
