"""Scores of a forecast table: WAPE, bias, pinball loss, coverage, the PIT of sparse series; ratios
with paired intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

QUANTILES = {"lo-95": 0.025, "lo-80": 0.1, "median": 0.5, "hi-80": 0.9, "hi-95": 0.975}


@dataclass(frozen=True)
class Scores:
    """One method on one data set; what needs an interval is NaN without one.

    ``errors`` and ``counts`` are sums per cutoff.
    """

    wape: float
    bias: float
    pinball: float
    cover80: float
    cover95: float
    errors: Floats
    counts: Floats
    cutoffs: int
    seconds: float


def scores_of(frame: pd.DataFrame) -> Scores:
    """From ``cutoff, y, median``, with ``lo-80`` and the like if the method has them."""
    y = frame["y"].to_numpy(dtype="float64")
    error = np.abs(y - frame["median"].to_numpy(dtype="float64"))
    sums = pd.DataFrame({"cutoff": frame["cutoff"], "e": error, "y": y}).groupby("cutoff").sum()
    centre = frame["presage"] if "presage" in frame else frame["median"]
    pinball = cover80 = cover95 = float("nan")
    if "lo-80" in frame and frame["lo-80"].notna().any():
        losses = []
        for name, tau in QUANTILES.items():
            gap = y - frame[name].to_numpy(dtype="float64")
            losses.append(np.nanmean(np.maximum(tau * gap, (tau - 1) * gap)))
        pinball = float(np.mean(losses) / y.mean())
        cover80, cover95 = inside(frame, y, 80), inside(frame, y, 95)
    return Scores(
        float(error.sum() / y.sum()),
        float(centre.sum() / y.sum() - 1),
        pinball,
        cover80,
        cover95,
        sums["e"].to_numpy(),
        sums["y"].to_numpy(),
        len(sums),
        float(frame["seconds"].iloc[0]),
    )


def inside(frame: pd.DataFrame, y: Floats, level: int) -> float:
    low, high = (frame[f"{side}-{level}"].to_numpy(dtype="float64") for side in ("lo", "hi"))
    return float(inside_of(y, low, high)[~np.isnan(low)].mean())


def inside_of(y: Floats, low: Floats, high: Floats) -> npt.NDArray[np.bool_]:
    return (y >= low - 1e-9) & (y <= high + 1e-9)


def geometric(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def paired_interval(mine: Scores, other: Scores, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of the ratio of WAPEs, cutoffs drawn in pairs."""
    rng = np.random.default_rng(0)
    pick = rng.integers(0, mine.cutoffs, (draws, mine.cutoffs))
    ratios = mine.errors[pick].sum(axis=1) / other.errors[pick].sum(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


SPARSE = 3.0
"""Series with a lower mean count: whole numbers are too coarse for their intervals' coverage."""


@dataclass(frozen=True)
class Pit:
    """The randomised probability integral transform over ``rows`` counts: uniform if the forecast
    distributions are right. ``inside80`` and ``inside95`` should be 0.8 and 0.95; ``distance`` is
    the largest gap between its distribution and the uniform one.
    """

    series: int
    rows: int
    inside80: float
    inside95: float
    distance: float


def sparse_pit(frame: pd.DataFrame, seed: int = 0) -> Pit | None:
    """Of the series with a mean count below ``SPARSE``, from columns ``unique_id, y, median, lo-L,
    hi-L, ...``; None without one.

    ``u`` is uniform between F(y - 1) and F(y) (Czado, Gneiting and Held 2009), F linear between
    the quantiles and read half a contact above each whole number.
    """
    frame = frame[frame["y"].notna() & frame["median"].notna()]
    thin = frame.groupby("unique_id")["y"].transform("mean") < SPARSE
    frame = frame[thin]
    if frame.empty:
        return None
    levels = sorted({int(n.partition("-")[2]) for n in frame.columns if n.startswith("lo-")})
    names = [*(f"lo-{n}" for n in reversed(levels)), "median", *(f"hi-{n}" for n in levels)]
    chance = [*(0.5 - n / 200 for n in reversed(levels)), 0.5, *(0.5 + n / 200 for n in levels)]
    quantiles = np.maximum.accumulate(frame[names].to_numpy(dtype="float64"), axis=1)
    y = frame["y"].to_numpy(dtype="float64")
    below, upto = (
        np.array([_share_below(at, q, chance) for at, q in zip(edge, quantiles, strict=True)])
        for edge in (y - 0.5, y + 0.5)
    )
    below[y == 0] = 0.0
    u = below + (upto - below) * np.random.default_rng(seed).random(len(y))
    ranked = np.sort(u)
    steps = np.arange(len(u) + 1) / len(u)
    gap = max(np.abs(ranked - steps[1:]).max(), np.abs(ranked - steps[:-1]).max())
    inside = [float(((u >= low) & (u <= 1 - low)).mean()) for low in (0.1, 0.025)]
    return Pit(int(frame["unique_id"].nunique()), len(u), inside[0], inside[1], float(gap))


def _share_below(at: float, quantiles: Floats, chance: list[float]) -> float:
    """F(at): linear between the quantiles; beyond the last one, what is left halves with each
    distance from the median to it.
    """
    if at >= quantiles[-1]:
        reach = max(quantiles[-1] - quantiles[len(quantiles) // 2], 0.5)
        return 1 - (1 - chance[-1]) * 0.5 ** ((at - quantiles[-1]) / reach)
    if at < quantiles[0]:
        return chance[0] * max(at, 0.0) / max(quantiles[0], 1e-9)
    # of equal quantiles (a heap at 0) the highest counts
    place = int(np.searchsorted(quantiles, at, side="right")) - 1
    width = quantiles[place + 1] - quantiles[place]
    part = (at - quantiles[place]) / width if width > 0 else 1.0
    return chance[place] + (chance[place + 1] - chance[place]) * part
