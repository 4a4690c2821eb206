"""Do columns still say what they said? Categories, numbers and hours of a table's newest week
beside those of the eight weeks before.

A value of a category is held to its share of the rows: it is said to have moved when its odds
changed by as much as a table's level may (``FELL``, ``ROSE``) and by more than chance and the
weeks' own spread explain; parts of the local day are such values. Numbers are compared by
Kolmogorov and Smirnov's distance, held to a floor and to the distances that the weeks before have
among themselves, so that a column that always wanders is not one that moved. Whole weeks hold every
weekday once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt

import numpy as np
import pandas as pd

from data.arrays import Floats
from features.calendar import local_times
from serving.monitoring.finding import Finding

FELL, ROSE = 0.6, 1.7
"""Odds of a value over its usual ones, beyond which it is said to have moved."""
HOURS = 3
RARE = 1e-7
"""Chance of its count so far off, below which it is said: five standard deviations of a normal
share, and more. There are many values."""
SILENT = 3
"""Days that are no silence, beyond twice the longest one: what is due each month rests for three
where months are long."""
MISSED = 15.0
"""Rows of a value that are missed, at least, where it fell silent: chance leaves out so many once
in three million times."""
PART = 0.04
"""Share of the rows, at least, that a value has to win or lose."""
FEWEST = 20
"""Rows of a value in a week, and of all others, expected or there, below which nothing is said."""
MANY = 60
"""Distinct values beyond which a column is no category."""
FEW = 12
"""Distinct numbers up to which a column of numbers is looked at as a category too."""
FAR = 0.2
"""Distance of the distributions of numbers, at least."""
OWN = 2.0
"""And so many times the furthest of the weeks before."""
NUMBERS = 50
PASSED_OVER = ("version", "text", "name", "language")
"""Columns whose values come and go: a release replaces the version before."""


def moved_columns(
    name: str,
    frame: pd.DataFrame,
    births: pd.Series,
    lived: int,
    as_of: datetime,
    time_zone: str,
) -> list[Finding]:
    """A finding per column of a table whose values moved, one for the local hours of its births.

    ``births`` (n,) of its rows. The usual weeks are the ``lived`` ones before the last 7 days.
    """
    back = ((pd.Timestamp(as_of) - births).dt.total_seconds() / 86400).to_numpy()
    inside = (back > 0) & (back < 7 * (lived + 1))
    day = np.floor(back[inside]).astype(int)
    rows = frame[inside]
    findings = []
    for column in rows.columns:
        if column in PASSED_OVER or column.endswith(("_id", "_at")):
            continue
        values = rows[column]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            numbers = values.to_numpy(np.float64, na_value=np.nan)
            text = _numbers(numbers, day // 7, lived)
            if text is None and pd.Series(numbers).nunique() <= FEW:
                text = _category(pd.Series(numbers), day, lived)
        else:
            text = _category(values, day, lived)
        if text is not None:
            findings.append(_finding(f"{name}.{column}", text, as_of))
    local = pd.to_datetime(local_times(births[inside].to_numpy("datetime64[us]"), time_zone))
    begins = local.hour // HOURS * HOURS
    parts = pd.Series([f"{hour:02d}:00 to {hour + HOURS:02d}:00" for hour in begins])
    text = _category(parts, day, lived)
    if text is not None:
        findings.append(_finding(f"{name} hours of the day", text, as_of))
    return findings


def _finding(what: str, text: str, as_of: datetime) -> Finding:
    return Finding(
        "sources",
        f"{what} moved",
        "alarm",
        f"{what}: {text}",
        "Ask the source what changed: units, names, zones, a part that no longer sends. If the "
        "world did, train anew.",
        since=as_of - timedelta(days=7),
    )


def _category(values: pd.Series, day: np.ndarray, lived: int) -> str | None:
    """What is said of the value that moved most surely; None where none did. It has to be further
    off than in any 7 days in a row of the usual weeks: months have their own rhythm."""
    known = values.notna().to_numpy()
    codes, names = pd.factorize(values[known])
    if not 1 < len(names) <= MANY:
        return None
    days = np.zeros((7 * (lived + 1), len(names)))
    np.add.at(days, (day[known], codes), 1)
    counts = days.reshape(lived + 1, 7, len(names)).sum(axis=1)
    total = counts.sum(axis=1)
    if total[0] < FEWEST or total[1:].sum() < FEWEST * lived:
        return None
    usual = (counts[1:].sum(axis=0) + 0.5) / (total[1:].sum() + 1)
    silent = _silent(days, names, usual)
    if silent is not None:
        return silent
    now = (counts[0] + 0.5) / (total[0] + 1)
    shares = counts[1:] / np.maximum(total[1:], 1)[:, None]
    chance = _chance(counts[0], total[0], usual, shares.var(axis=0, ddof=1) * (1 + 1 / lived))
    odds = now / (1 - now) / (usual / (1 - usual))
    # of the rows without it too: 4 of 36 machines in place of 1 are chance, though 32 rows are not
    rest = np.maximum(total[0] - counts[0], (1 - usual) * total[0])
    many = np.minimum(np.maximum(counts[0], usual * total[0]), rest) >= FEWEST
    moved = many & (chance < RARE) & (np.abs(now - usual) >= PART)
    moved &= (odds < FELL) | (odds > ROSE)
    sums = np.vstack([np.zeros(len(names)), days[7:].cumsum(axis=0)])
    rolling = sums[7:] - sums[:-7]
    rolling = rolling / np.maximum(rolling.sum(axis=1), 1)[:, None]
    moved &= (now < rolling.min(axis=0)) | (now > rolling.max(axis=0))
    if not moved.any():
        return None
    at = int(np.argmin(np.where(moved, chance, 1.0)))
    return (
        f"{names[at]!s} in {now[at]:.0%} of the rows of the last 7 days, before in {usual[at]:.0%}"
    )


def _silent(days: Floats, names: Sequence[object], usual: Floats) -> str | None:
    """What is said of a value that has been silent for over twice as many days as it ever was,
    among as many rows as would surely hold it; None where there is none. A week's share may waver
    where days without it were never many.

    ``days`` (days, values), the newest first, holds its rows.
    """
    for at in np.argsort(-usual, kind="stable"):
        there = np.flatnonzero(days[:, at])
        if len(there) < FEWEST:
            continue
        last, rows = int(there[0]), days[: there[0]].sum()
        longest = int(np.diff(there).max()) - 1
        if last > 2 * longest + SILENT and rows * usual[at] >= MISSED:
            return (
                f"{names[at]!s} in none of the {rows:.0f} rows of the last {last} days, before in "
                f"{usual[at]:.0%}, with at most {longest} days between"
            )
    return None


def _chance(count: Floats, total: float, usual: Floats, spread: Floats) -> Floats:
    """Of counts among ``total`` as far from their ``usual`` shares as these: a beta-binomial whose
    share has the weeks' ``spread`` (variance). A share near 0 or 1 has one long tail: a value that
    is gone is surer, a rare one that came a few times less sure, than a normal would say."""
    from scipy import stats

    binomial = usual * (1 - usual)
    # of all rows one: spread of the shares beyond what drawing so many explains
    like = np.clip((spread / binomial * total - 1) / max(total - 1, 1), 1e-6, 0.99)
    size = 1 / like - 1
    of = stats.betabinom(total, usual * size, (1 - usual) * size)
    return np.where(count > usual * total, of.sf(count - 1), of.cdf(count))


def _numbers(values: Floats, week: np.ndarray, lived: int) -> str | None:
    """What is said of numbers whose distribution moved; None where it did not."""
    known = ~np.isnan(values)
    values, week = values[known], week[known]
    weeks = [np.sort(values[week == at]) for at in range(lived + 1)]
    if len(weeks[0]) < NUMBERS or min(map(len, weeks[1:])) < NUMBERS:
        return None
    now = _distance(weeks[0], np.sort(np.concatenate(weeks[1:])))
    if now < FAR:
        return None
    own = max(
        _distance(weeks[at], np.sort(np.concatenate(weeks[1:at] + weeks[at + 1 :])))
        for at in range(1, lived + 1)
    )
    if now < OWN * own or now < 2.2 * sqrt(1 / len(weeks[0])):
        return None
    before = np.concatenate(weeks[1:])
    return (
        f"the median of the last 7 days is {np.median(weeks[0]):.3g}, before "
        f"{np.median(before):.3g} (distance of the distributions {now:.2f}, at most {own:.2f} in "
        "the weeks before)"
    )


def _distance(one: Floats, other: Floats) -> float:
    """Kolmogorov and Smirnov's distance of two sorted samples."""
    at = np.concatenate([one, other])
    apart = np.searchsorted(one, at, "right") / len(one)
    apart = apart - np.searchsorted(other, at, "right") / len(other)
    return float(np.abs(apart).max())
