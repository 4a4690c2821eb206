"""How high the level of complaints stands now, told from the windows that ended soonest.

Who is at risk changes slowly; how many complain changes from week to week (a season, a release, a
new carrier), and a model that averages over a year says too much for weeks when complaints fall. So
the level is tracked apart. Each past window of the shortest horizon tells by how much the log odds
of its rows had to move to meet what came, and how surely; the steps follow a **local level**
(Durbin & Koopman 2012, chapter 2):

    step of a window = level + noise of its count + noise of its week
    level            = level before + drift

The two variances that no count tells (drift, noise of a week) are the likeliest of a grid under a
prior, so a quiet company gets a steady level and a drifting one a quick one. A window that is far
off (the shop was closed) counts for little. The filter's last state is the level now.

A longer horizon's labels are complete later. It gets its own constant, with the tracked level over
each of its windows as a known offset, and then the same level now: what the last weeks' labels of
7 days told, the 30-day risk knows as well. It is the hazard that moves, so a step in log odds is
stretched for the longer horizon: at risk p, log odds move ``-log(1 - p) / p`` times log hazard.

>>> import numpy as np
>>> steps = np.array([0.0, 0.1, -0.1, 0.0, 0.1, -0.9, -1.1, -1.0, -0.9, -1.0])
>>> found = track(steps, np.full(10, 0.01))
>>> found.path.round(1)[[0, 9]] + 0.0, round(found.now, 1)
(array([ 0., -1.]), -1.0)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from data.arrays import Floats, Ints
from models.risk.mixture import levelled

DAY = 86_400_000_000
"""Microseconds."""
DRIFTS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Variances of a window's drift to choose from, in squared log odds."""
NOISES = (0.0, 0.003, 0.01, 0.03, 0.1)
"""Variances of a week's own noise to choose from."""
USUAL_DRIFT, USUAL_NOISE, BELIEF = 0.003, 0.01, 1.0
"""The prior is log-normal about the usual values, with this deviation (in natural logs)."""
START = 0.25
"""Variance of the level before the first window."""
FAR = 3.0
"""Deviations beyond which a window's variance is raised until it is no further away."""


@dataclass(frozen=True)
class Track:
    """The level after each window as known with hindsight, and now; the variances chosen."""

    path: Floats
    now: float
    drift: float
    noise: float


def track(steps: Floats, variances: Floats) -> Track:
    """The local level through ``steps`` (log odds, oldest first), of these sampling variances."""
    best: tuple[float, Track] | None = None
    for drift in DRIFTS:
        for noise in NOISES:
            likelihood, path, now = _filtered(steps, variances + noise, drift)
            likelihood -= np.log(drift / USUAL_DRIFT) ** 2 / (2 * BELIEF**2)
            off = np.log((noise + 0.001) / (USUAL_NOISE + 0.001))
            likelihood -= off**2 / (2 * (2 * BELIEF) ** 2)
            if best is None or likelihood > best[0]:
                best = likelihood, Track(path, now, drift, noise)
    assert best is not None
    return best[1]


def _filtered(steps: Floats, variances: Floats, drift: float) -> tuple[float, Floats, float]:
    """Log likelihood, smoothed path and last filtered state (Kalman, then Rauch-Tung-Striebel)."""
    count = len(steps)
    mean, variance = np.zeros(count), np.zeros(count)
    at, spread, likelihood = 0.0, START, 0.0
    for t in range(count):
        spread += drift if t else 0.0
        away = steps[t] - at
        total = spread + variances[t]
        total = max(total, (away / FAR) ** 2)
        gain = spread / total
        at, spread = at + gain * away, spread * (1 - gain)
        mean[t], variance[t] = at, spread
        likelihood -= 0.5 * (np.log(total) + away**2 / total)
    path = mean.copy()
    for t in range(count - 2, -1, -1):
        back = variance[t] / (variance[t] + drift)
        path[t] = mean[t] + back * (path[t + 1] - mean[t])
    return likelihood, path, float(at)


@dataclass(frozen=True)
class Labelled:
    """Rows of one horizon whose label is complete: as-of times, log odds so far, labels, weights
    (for age too), and how many rows each stands for."""

    as_of: Ints
    score: Floats
    y: Floats
    weights: Floats
    counts: Floats


def levels(of: Mapping[int, Labelled], *, strength: float) -> tuple[dict[int, float], Track]:
    """Per horizon the step in log odds that its score needs now, and the track it was told by.

    ``strength``: complaints' worth of belief that a window, or a horizon's constant, needs none.
    """
    shortest = min(of)
    starts, steps, variances = _windows(of[shortest], shortest, strength)
    level_track = track(steps, variances)
    out = {}
    for horizon, rows in of.items():
        times, position = np.unique(rows.as_of, return_inverse=True)
        middles = starts + shortest * DAY / 2
        parts = max(horizon // shortest, 1)
        offset = np.zeros(len(times))
        for part in range(parts):
            middle = times + (part + 0.5) * horizon / parts * DAY
            offset += np.interp(middle, middles, level_track.path) / parts
        stretch = _stretch(rows) / _stretch(of[shortest])
        score = rows.score + stretch * offset[position]
        own = levelled(score, rows.y, rows.weights, strength=strength)
        out[horizon] = own + stretch * level_track.now
    return out, level_track


def _stretch(rows: Labelled) -> float:
    rate = min(max(float(np.average(rows.y, weights=rows.weights)), 1e-6), 0.95)
    return float(-np.log1p(-rate) / rate)


def _windows(rows: Labelled, days: int, strength: float) -> tuple[Floats, Floats, Floats]:
    """Starts, steps and variances of the windows that do not overlap, back from the newest."""
    chosen = spaced(np.unique(rows.as_of).tolist(), days)
    steps, variances = [], []
    for start in chosen:
        here = rows.as_of == start
        score, y, counts = rows.score[here], rows.y[here], rows.counts[here]
        step = levelled(score, y, counts, strength=min(strength, 1.0))
        # the information that the rows would hold if all went as foretold: an empty week's own
        # rate would claim to know nothing, or everything
        risk = expit(score)
        steps.append(step)
        variances.append(1.0 / max(float((counts * risk * (1 - risk)).sum()), 0.5))
    return np.array(chosen, dtype=np.float64), np.array(steps), np.array(variances)


def spaced(times: Sequence[int], days: int) -> list[int]:
    """As many of the times as lie at least so many days apart, counted from the newest."""
    chosen: list[int] = []
    for time in sorted(times, reverse=True):
        if not chosen or time <= chosen[-1] - days * DAY:
            chosen.append(time)
    return chosen[::-1]
