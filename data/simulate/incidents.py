"""What goes wrong for many at once: strikes, slow carriers, broken releases, outages, bad lots.

Each is memoryless from day to day, so its state is what it is now and nothing else. A lot is one
product shipped in one half of a month: all of it is defective or none, with a fixed chance, decided
independently; nobody sees that, only the complaints and returns of those who hold it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data.simulate.draws import Draws
from data.simulate.rates import CARRIERS, PLATFORMS, REGIONS, Rates
from data.simulate.timeline import Timeline

USUAL, STRIKE, SLOW = 0, 1, 2


@dataclass
class Happening:
    """One incident of the truth. ``last`` is None while it lasts; days count from the start."""

    kind: str
    first: int
    last: int | None
    carrier: str = ""
    regions: str = ""
    platform: str = ""
    product: int = -1
    seconds: tuple[float, float] = (0.0, 86_400.0)


@dataclass
class Incidents:
    """How things stand on a day."""

    delivering: NDArray[np.int8]
    defective: NDArray[np.bool_]
    broken: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(len(PLATFORMS), bool))
    release: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(PLATFORMS), dtype=np.int64)
    )
    outage: bool = False
    history: list[Happening] = field(default_factory=list)

    def copy(self) -> Incidents:
        """An independent copy; what is over is shared, what lasts is copied."""
        history = [h if h.last is not None else Happening(**vars(h)) for h in self.history]
        return Incidents(
            self.delivering.copy(),
            self.defective.copy(),
            self.broken.copy(),
            self.release.copy(),
            self.outage,
            history,
        )


def make_incidents(timeline: Timeline, products: int, draws: Draws, rates: Rates) -> Incidents:
    """Nothing wrong yet; every lot's fate drawn."""
    delivering = np.zeros((len(CARRIERS), len(REGIONS)), dtype=np.int8)
    lots = timeline.half_month(timeline.total) + 1
    incidents = Incidents(delivering, np.zeros((products, lots), dtype=bool))
    redraw_lots(incidents, 0, draws, rates)
    return incidents


def redraw_lots(incidents: Incidents, first: int, draws: Draws, rates: Rates) -> None:
    """Draw anew the lots from period ``first`` on: nothing of them has been shipped yet."""
    products, lots = incidents.defective.shape
    u = draws.uniform("lot", 0, np.arange(products * lots)).reshape(products, lots)
    incidents.defective[:, first:] = u[:, first:] < rates.defective_lot


def release_on(day: int, rates: Rates) -> int | None:
    """The platform that gets a release on a day, or None. They take turns."""
    turn, rest = divmod(day, rates.release_every_days)
    return turn % len(PLATFORMS) if rest == 5 else None


def begin_day(
    incidents: Incidents, day: int, timeline: Timeline, draws: Draws, rates: Rates
) -> None:
    """Let incidents begin and end at the day's first moment."""
    _carriers(incidents, day, draws, rates)
    _software(incidents, day, draws, rates)


def _end(incidents: Incidents, day: int, kinds: tuple[str, ...], **where: str) -> None:
    for each in incidents.history:
        same = all(getattr(each, name) == value for name, value in where.items())
        if each.last is None and each.kind in kinds and same:
            each.last = day - 1


def _carriers(incidents: Incidents, day: int, draws: Draws, rates: Rates) -> None:
    keys = np.arange(len(CARRIERS))
    chance = draws.uniform("carrier", day, keys)
    kind = draws.uniform("carrier kind", day, keys)
    where = draws.uniform("carrier region", day, np.arange(incidents.delivering.size)).reshape(
        incidents.delivering.shape
    )
    for c, carrier in enumerate(CARRIERS):
        if incidents.delivering[c].any():
            if chance[c] < rates.strike_end:
                incidents.delivering[c] = USUAL
                _end(incidents, day, ("strike", "slow"), carrier=carrier)
        elif chance[c] < rates.strike_start:
            hit = where[c] < rates.strike_region_share
            hit[where[c].argmin()] = True
            status = STRIKE if kind[c] < rates.strike_share else SLOW
            incidents.delivering[c, hit] = status
            names = ",".join(np.array(REGIONS)[hit])
            label = "strike" if status == STRIKE else "slow"
            incidents.history.append(Happening(label, day, None, carrier, names))


def _software(incidents: Incidents, day: int, draws: Draws, rates: Rates) -> None:
    keys = np.arange(len(PLATFORMS))
    fixed = draws.uniform("release fixed", day, keys)
    for p in np.flatnonzero(incidents.broken & (fixed < rates.release_fixed)):
        incidents.broken[p] = False
        incidents.release[p] += 1
        _end(incidents, day, ("broken release",), platform=PLATFORMS[p])
    released = release_on(day, rates)
    if released is not None:
        _end(incidents, day, ("broken release",), platform=PLATFORMS[released])
        incidents.release[released] += 10 - incidents.release[released] % 10
        broken = draws.uniform("release broken", day, keys)[released] < rates.broken_release
        incidents.broken[released] = broken
        if broken:
            name = PLATFORMS[released]
            incidents.history.append(Happening("broken release", day, None, platform=name))
    chance, at, length = draws.uniform("outage", day, np.arange(3))
    incidents.outage = bool(chance < rates.outage)
    if incidents.outage:
        begin = 3600 * (8 + 10 * at)
        span = (begin, begin + 3600 * (1 + 4 * length))
        incidents.history.append(Happening("outage", day, day, seconds=span))
