"""Companies whose individual effects of contact are known, some of them harmful.

Every month each customer has late orders, defects, a mood and a use of the product; their chance of
a complaint is a logistic function of these and of a tendency that nobody sees. A contact shifts the
log odds by an effect of the customer's own: it helps whom a problem has befallen and who would
rather hear of it, and wakes those who were content, or have stopped listening. Sizes and signs are
drawn anew from the seed, so no rule of thumb fits every company; the riskiest are partly those who
no longer listen. A contact also makes some ask, which costs.

``Company(seed).month(t)`` gives what is seen, the true chances without and with contact, and those
of an observer who knows the mechanism but sees only the features (the tendency averaged out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
TENDENCY_SD = 0.5
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(9)


@dataclass(frozen=True)
class Costs:
    """Money: a complaint, a contact, an inquiry that a contact induces."""

    complaint: float = 20.0
    contact: float = 0.5
    inquiry: float = 4.0


@dataclass(frozen=True)
class Month:
    """n customers: what is seen, and the truth."""

    features: pd.DataFrame
    none: Floats
    contact: Floats
    seen_none: Floats
    seen_contact: Floats
    induced: Floats

    @property
    def effect(self) -> Floats:
        """P(complaint) if contacted minus if not."""
        return self.contact - self.none

    def net(self, costs: Costs) -> Floats:
        """True money that a contact of each brings."""
        return -self.effect * costs.complaint - costs.contact - self.induced * costs.inquiry

    def seen_net(self, costs: Costs) -> Floats:
        """The same as an observer who knows the mechanism expects it from what is seen."""
        gain = self.seen_none - self.seen_contact
        return gain * costs.complaint - costs.contact - self.induced * costs.inquiry


class Company:
    """``customers`` customers; ``shift``: one shift of everybody's log odds (0: contact does
    nothing), instead of effects of their own."""

    def __init__(self, seed: int, customers: int = 10_000, *, shift: float | None = None) -> None:
        rng = np.random.default_rng([seed, 7])
        self.seed, self.size = seed, customers
        self.tendency = rng.normal(size=customers)
        self.segment = rng.choice(3, customers, p=[0.6, 0.25, 0.15])
        self.channel = rng.choice(4, customers, p=[0.5, 0.2, 0.2, 0.1])
        self.tenure = rng.exponential(2.0, customers)
        self.weary = rng.random(customers) < 0.2 * rng.uniform(0.5, 1.5)
        self.level = rng.normal(-3.1, 0.2)
        self.on_risk = rng.uniform((0.8, 0.7, 0.4, 0.9), (1.3, 1.2, 0.8, 1.4))
        self.helps = rng.uniform((-1.5, -1.3), (-0.6, -0.4))
        self.wakes = rng.uniform(0.1, 0.5)
        self.harms = rng.uniform(0.4, 1.1)
        self.by_segment = np.array([0.0, rng.uniform(-0.4, 0.2), rng.uniform(0.0, 0.5)])
        self.by_channel = np.array([rng.uniform(-0.2, 0.0), 0.0, 0.0, rng.uniform(0.1, 0.5)])
        self.asks = rng.uniform(0.02, 0.05)
        self.shift = shift

    def month(self, at: int) -> Month:
        """The customers of month ``at``; the same for the same number."""
        rng = np.random.default_rng([self.seed, 11, at])
        late = rng.poisson(0.25, self.size).astype(np.float64)
        defect = (rng.random(self.size) < 0.12).astype(np.float64)
        mood = rng.normal(size=self.size) - 0.4 * self.weary
        use = rng.gamma(2.0, 1.0, self.size)
        a, b, c, d = self.on_risk
        score = self.level + a * late + b * defect - c * mood + d * self.weary
        shift = self.helps[0] * np.minimum(late, 2.0) + self.helps[1] * defect
        shift = np.maximum(shift, 1.3 * self.helps.min())
        shift = shift + self.wakes * ((late == 0) & (defect == 0)) + self.harms * self.weary
        shift = shift + self.by_segment[self.segment] + self.by_channel[self.channel]
        if self.shift is not None:
            shift = np.full(self.size, self.shift)
        seen_none, seen_contact = (self._mean(score), self._mean(score + shift))
        own = score + TENDENCY_SD * self.tendency
        features = pd.DataFrame(
            {
                "late": late,
                "defect": defect,
                "mood": mood,
                "use": use,
                "tenure": self.tenure,
                "segment": pd.Categorical.from_codes(self.segment, ["home", "office", "firm"]),
                "channel": pd.Categorical.from_codes(
                    self.channel, ["email", "sms", "phone", "social"]
                ),
                "past_complaints": self.weary.astype(np.float64),
                # the risk model's word: right on average, and not perfect
                "risk": seen_none * np.exp(rng.normal(0, 0.2, self.size)),
            }
        )
        induced = self.asks * (1 + (self.channel == 2))
        return Month(features, _p(own), _p(own + shift), seen_none, seen_contact, induced)

    def _mean(self, score: Floats) -> Floats:
        total = np.zeros(len(score))
        for node, weight in zip(NODES, NODE_WEIGHTS / NODE_WEIGHTS.sum(), strict=True):
            total += weight * _p(score + TENDENCY_SD * node)
        return total


def _p(score: Floats) -> Floats:
    return 1 / (1 + np.exp(-score))
