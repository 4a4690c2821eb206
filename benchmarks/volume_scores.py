"""Scores of a forecast table: WAPE, bias, pinball loss, coverage; ratios with paired intervals."""

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
