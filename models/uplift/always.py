"""Intervals that may be looked at every day.

A 95 % interval is right once, at a size fixed beforehand. Who looks daily and stops at the first
that leaves out zero will find an effect where there is none, sooner or later. A confidence sequence
holds at all times at once: with probability .95 the truth is inside **every** one of them. This is
the asymptotic one of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024, "Time-uniform central
limit theory and asymptotic confidence sequences", Annals of Statistics 52(6), Theorem 2.2):

    half-width = se · sqrt((1 + 1/r) · log((1 + r) / α²)),    r = t ρ²

with t rows, se = σ / √t, and ρ chosen beforehand so that it is tightest at ``tightest_at`` rows:
ρ² = (-W₋₁(-α²/e) - 1) / tightest_at, W₋₁ the lower branch of Lambert's W (their appendix B.2).

>>> round(always_valid_factor(2000, tightest_at=2000), 2), round(always_valid_factor(200), 2)
(3.04, 3.82)
"""

from __future__ import annotations

import math

from data.errors import DataError

TIGHTEST_AT = 2000
"""Rows at which the sequence is tightest. Fixed beforehand: it may not follow the data."""


def always_valid_factor(
    rows: float, *, tightest_at: float = TIGHTEST_AT, level: float = 0.95
) -> float:
    """Half-width in standard errors at ``rows`` rows; 1.96 is what a single look has.

    Raises DataError for a level outside (0, 1) or counts that are not above 0.
    """
    from scipy.special import lambertw

    if not 0 < level < 1:
        raise DataError(f"level is {level}; it is the share inside the interval, e.g. 0.95")
    if not (rows > 0 and tightest_at > 0):
        raise DataError(f"{rows} rows, tightest at {tightest_at}: both must be above 0")
    alpha = 1.0 - level
    scale = -float(lambertw(-(alpha**2) / math.e, k=-1).real) - 1.0
    r = scale * rows / tightest_at
    return math.sqrt((1.0 + 1.0 / r) * math.log((1.0 + r) / alpha**2))
