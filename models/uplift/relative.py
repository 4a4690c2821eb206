"""The effect of contact as a factor on the risk, per action: what little data can tell.

``relative_effects`` compares contacted and left alone by the odds (Hajek's ratio
estimator; each row weighs the odds of the other arm: Li, Morgan & Zaslavsky 2018) per action and
over all. The effect is ``rate contacted / rate left alone - 1``, shrunk by a normal
prior, the more the less was tried: that of all contacts towards none, that of one action towards
all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints
from models.uplift.trial import ALL, Trial, has_both, pair

PRIOR_SD = 0.3
"""Contacts rarely change complaints by more than a third either way."""
BETWEEN_ACTIONS_SD = 0.15
"""How far one action's effect lies from that of all, before it is measured."""
MIN_ROWS = 50
"""Fewer contacts or controls than this tell nothing."""


@dataclass(frozen=True)
class Effect:
    """A measured effect: relative change in the complaint rate, its 95 % interval, and shrunk."""

    action: str
    rows: int
    base_rate: float
    relative: float
    low: float
    high: float
    shrunk: float


def relative_effects(of: Trial) -> list[Effect]:
    """The effect over all (``action`` "all"), then per action; empty where too little was tried."""
    effects: list[Effect] = []
    centre = 0.0
    for name in [ALL, *of.actions]:
        if not has_both(of, name):
            continue
        two = pair(of, name, "complained")
        if min(two.treated.sum(), (~two.treated).sum()) < MIN_ROWS:
            continue
        # odds near 0 or 1 would leave the answer to a handful: rows weigh as evidence does
        weight = np.where(two.treated, 1.0 - two.propensity, two.propensity)
        spread = PRIOR_SD if name == ALL else BETWEEN_ACTIONS_SD
        effect = _effect(name, two.y, weight, two.treated, two.customers, centre, spread)
        if effect is not None:
            effects.append(effect)
            centre = effect.shrunk if name == ALL else centre
    return effects


def _effect(
    name: str,
    y: Floats,
    weight: Floats,
    treated: Bools,
    customers: Ints,
    centre: float,
    spread: float,
) -> Effect | None:
    rate_t, var_t = _ratio(y[treated], weight[treated], customers[treated])
    rate_c, var_c = _ratio(y[~treated], weight[~treated], customers[~treated])
    if rate_c == 0:
        return None
    ratio = rate_t / rate_c
    # delta method for a ratio of two independent means
    sd = float(np.sqrt(var_t / rate_c**2 + ratio**2 * var_c / rate_c**2))
    relative = ratio - 1.0
    keep = spread**2 / (spread**2 + sd**2)
    shrunk = centre + keep * (relative - centre)
    low, high = relative - 1.96 * sd, relative + 1.96 * sd
    return Effect(name, len(y), float(rate_c), relative, low, high, shrunk)


def _ratio(y: Floats, w: Floats, customers: Ints) -> tuple[float, float]:
    """Hajek's mean and its variance by linearisation, a customer's rows taken together."""
    mean = float(np.sum(w * y) / np.sum(w))
    of_customer = np.bincount(customers, weights=w * (y - mean))
    return mean, float(np.sum(of_customer**2) / np.sum(w) ** 2)
