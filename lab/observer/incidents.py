"""What state the carriers and the app are in: exact filters over their hidden Markov chains.

A carrier is as usual, on strike or slow, the latter two in one of the 255 sets of regions: 511
states. What was shipped and could be delivered on a working day, and what was, is binomial given
the state. The app of a platform is sound, broken or repaired since its last release (the version
number tells a repair); how many of the active met an error is binomial.

>>> from data.simulate.rates import Rates
>>> sets, weight = region_sets(3, 0.5)
>>> len(sets), float(weight.sum())
(7, 1.0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.simulate.incidents import SLOW, STRIKE, USUAL, release_on
from data.simulate.rates import CARRIERS, PLATFORMS, REGIONS
from data.simulate.state import FAR, World
from lab.observer.observations import Observations

SOUND, BROKEN, REPAIRED = range(3)


@dataclass(frozen=True)
class Standing:
    """The posterior at the end of the last day.

    ``carriers``: carriers × 511, ``delivering``: 511 × regions, each state's; ``platforms``:
    platforms × 3; ``base``: the number of each platform's last release.
    """

    carriers: Floats
    delivering: Ints
    platforms: Floats
    base: Ints

    def draw_carriers(self, u: Floats) -> Ints:
        """Carriers × regions of a draw, by one uniform number a carrier."""
        places = [
            min(int(np.searchsorted(np.cumsum(row), v)), len(row) - 1)
            for row, v in zip(self.carriers, u, strict=True)
        ]
        return self.delivering[places]

    def draw_platforms(self, u: Floats) -> Ints:
        """The state of each platform of a draw."""
        return (np.cumsum(self.platforms, axis=1) < u[:, None]).sum(axis=1).clip(max=REPAIRED)


def region_sets(regions: int, share: float) -> tuple[Bools, Floats]:
    """Every set of regions that an incident may hit, and its chance: one is hit at least."""
    number = np.arange(1, 2**regions)
    sets = (number[:, None] >> np.arange(regions)) & 1 == 1
    size = sets.sum(axis=1)
    weight = share**size * (1 - share) ** (regions - size)
    weight[size == 1] += (1 - share) ** regions / regions
    return sets, weight


def carriers(world: World, shown: Observations) -> tuple[Floats, Ints]:
    """The posterior of every carrier's state after the last day, and what each state is."""
    rates = world.rates
    sets, weight = region_sets(len(REGIONS), rates.strike_region_share)
    delivering = np.concatenate([np.zeros((1, len(REGIONS))), sets * STRIKE, sets * SLOW]).astype(
        np.int64
    )
    share = rates.strike_share
    begin = rates.strike_start * np.concatenate([weight * share, weight * (1 - share)])
    waiting, arrived = _deliveries(shown)
    belief = np.zeros((len(CARRIERS), len(delivering)))
    belief[:, 0] = 1.0
    for day in range(shown.day):
        usual = belief[:, 0].copy()
        lasting = belief[:, 1:] * (1 - rates.strike_end)
        belief[:, 0] = usual * (1 - rates.strike_start) + belief[:, 1:].sum(1) * rates.strike_end
        belief[:, 1:] = lasting + usual[:, None] * begin
        if not world.timeline.is_workday[day] or not waiting[day].any():
            continue
        chance = np.array(rates.deliver)[:, None] * np.array([1.0, 0.0, rates.slow_factor])
        yes, no = np.log(np.maximum(chance, 1e-300)), np.log1p(-chance)
        many = arrived[day][:, :, None]
        left = (waiting[day] - arrived[day])[:, :, None]
        each = many * yes[:, None] + left * no[:, None]
        total = each[:, np.arange(len(REGIONS)), delivering].sum(axis=2)
        with np.errstate(divide="ignore"):
            joint = np.log(belief) + total
        belief = np.exp(joint - joint.max(axis=1, keepdims=True))
        belief /= belief.sum(axis=1, keepdims=True)
    return belief, delivering


def _deliveries(shown: Observations) -> tuple[Floats, Floats]:
    """Orders that could be delivered and that were: days × carriers × regions."""
    orders, shape = shown.orders, (shown.day + 1, len(CARRIERS), len(REGIONS))
    shipped = orders["shipped"] < FAR
    first = orders["shipped"][shipped] + 1
    carrier, region = orders["carrier"][shipped], orders["region"][shipped]
    delivered = orders["delivered"][shipped]
    # a refusal of the day comes before that day's delivery
    until = np.minimum(np.minimum(delivered + 1, orders["cancelled"][shipped]), shown.day)
    change = np.zeros(shape)
    ever = first < until
    np.add.at(change, (first[ever], carrier[ever], region[ever]), 1)
    np.add.at(change, (until[ever], carrier[ever], region[ever]), -1)
    arrived = np.zeros(shape)
    has_arrived = delivered < FAR
    np.add.at(arrived, (delivered[has_arrived], carrier[has_arrived], region[has_arrived]), 1)
    return np.cumsum(change, axis=0)[:-1], arrived[:-1]


def platforms(world: World, shown: Observations) -> tuple[Floats, Ints]:
    """The posterior of every platform's state after the last day, and its last release."""
    rates = world.rates
    belief = np.tile(np.array([1.0, 0.0, 0.0]), (len(PLATFORMS), 1))
    base = np.zeros(len(PLATFORMS), dtype=np.int64)
    for day in range(shown.day):
        fixed = belief[:, BROKEN] * rates.release_fixed
        belief[:, BROKEN] -= fixed
        belief[:, REPAIRED] += fixed
        released = release_on(day, rates)
        if released is not None:
            base[released] += 10
            belief[released] = [1 - rates.broken_release, rates.broken_release, 0.0]
        usual = np.array([rates.error_usual, rates.error_broken, rates.error_usual])
        if shown.outages[day]:
            usual = np.maximum(usual, rates.error_outage)
        used, failed = shown.used[day][:, None], shown.failed[day][:, None]
        log = failed * np.log(usual) + (used - failed) * np.log1p(-usual)
        weight = np.exp(log - log.max(axis=1, keepdims=True))
        version = shown.release[day]
        repaired = version == base + 1
        known = version >= 0
        weight[:, REPAIRED] *= ~known | repaired
        weight[:, [SOUND, BROKEN]] *= (~known | ~repaired)[:, None]
        belief = belief * weight + 1e-300
        belief /= belief.sum(axis=1, keepdims=True)
    return belief, base


def standing(world: World, shown: Observations) -> Standing:
    """Both filters."""
    return Standing(*carriers(world, shown), *platforms(world, shown))


__all__ = ["Standing", "USUAL", "carriers", "platforms", "region_sets", "standing"]
