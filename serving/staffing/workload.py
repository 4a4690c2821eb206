"""A channel's forecast on the planning grid, and the scenarios it may turn into.

Until a forecast brings joint sample paths, scenarios are made from its intervals. The variance of
a count beyond Poisson, as a share of its squared mean, is v = (sd^2 - mean) / mean^2 with
sd = (hi_80 - lo_80) / 2.563, or (hi_80 - mean) / 1.282 where that is wider (small counts end at 0).
Of it, ``COMMON_SHARE`` is common to the local day (a busy day is busy
all day) and the rest the interval's own; both are lognormal factors of mean 1, so that the counts
are Poisson with a random mean, wider than Poisson as negative-binomial counts are.

The same seed gives the same draws to a channel's day whatever else is planned, and a larger
forecast draws a larger scenario.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from data.arrays import Floats
from data.errors import DataError
from serving.staffing.hours import local_days

COMMON_SHARE = 0.5
Z80 = 2 * 1.2815515655446004
NEEDED = ("unique_id", "ds", "presage")


@dataclass(frozen=True)
class Workload:
    """One channel: interval starts (UTC), their length, expected contacts with their 80 % interval,
    and what the forecast said before planners changed it.
    """

    channel: str
    starts: NDArray[np.datetime64]
    step_seconds: float
    volume: Floats
    low: Floats
    high: Floats
    forecast: Floats

    def times(self, factor: Floats) -> Workload:
        """The same with contacts multiplied, interval by interval; the forecast stays."""
        made = (self.volume * factor, self.low * factor, self.high * factor, self.forecast)
        return Workload(self.channel, self.starts, self.step_seconds, *made)


def workloads(forecast: pd.DataFrame, interval_minutes: int) -> dict[str, Workload]:
    """The forecast's ``channel=NAME`` series by channel name, on intervals no longer than asked.

    A column ``forecast`` tells the contacts without planners' overrides (default: ``presage``).
    A coarser step (an hour) is cut into equal intervals with equal parts of its contacts.
    DataError names the series and row of a missing, negative or infinite value, of a gap, and
    refuses steps longer than an hour.
    """
    for name in NEEDED:
        if name not in forecast.columns:
            raise DataError(f"the forecast has no column {name!r}; staffing needs {NEEDED}")
    ids = forecast["unique_id"].astype(str)
    wanted = ids.str.startswith("channel=") & ~ids.str.contains("/", regex=False)
    if not wanted.any():
        found = ", ".join(sorted(ids.unique())[:5]) or "none"
        raise DataError(
            f"the forecast has no series channel=NAME, which staffing needs; found: {found}. "
            "A volumes table names its series channel=phone, channel=email, ..."
        )
    made = {}
    for unique_id, rows in forecast[wanted].groupby("unique_id", sort=True):
        channel = unquote(str(unique_id).removeprefix("channel="))
        made[channel] = _workload(str(unique_id), channel, rows.sort_values("ds"), interval_minutes)
    return made


def _workload(unique_id: str, channel: str, rows: pd.DataFrame, minutes: int) -> Workload:
    starts = rows["ds"].to_numpy("datetime64[us]")
    steps = np.unique(np.diff(starts).astype(np.int64))
    if len(steps) > 1 or (len(steps) == 1 and steps[0] <= 0):
        place = int(
            np.argmax(np.diff(starts).astype(np.int64) != steps[-1 if steps[0] <= 0 else 0])
        )
        raise DataError(
            f"forecast series {unique_id!r} is not evenly spaced after {starts[place]}; staffing "
            "needs each interval once"
        )
    step = steps[0] / 1e6 if len(steps) else 3600.0
    if step > 3600:
        raise DataError(
            f"forecast series {unique_id!r} has steps of {step / 3600:g} hours; staffing needs "
            "an hour or less: forecast with --freq h"
        )
    values = {"presage": rows["presage"].to_numpy(float)}
    for name in ("presage-lo-80", "presage-hi-80"):
        column = rows[name].to_numpy(float) if name in rows else None
        spread = 1.2816 * np.sqrt(values["presage"].clip(0)) * (1 if "hi" in name else -1)
        values[name] = np.maximum(values["presage"] + spread, 0) if column is None else column
    values["forecast"] = rows["forecast" if "forecast" in rows else "presage"].to_numpy(float)
    for name, array in values.items():
        bad = ~np.isfinite(array) | (array < 0)
        if bad.any():
            place = int(np.argmax(bad))
            raise DataError(
                f"forecast series {unique_id!r} at {starts[place]}: {name} is {array[place]}; "
                "contacts are finite and not negative"
            )
    pieces = max(int(np.ceil(step / (60 * minutes) - 1e-9)), 1)
    while step * 1e6 % pieces:
        pieces += 1
    piece = np.timedelta64(round(step * 1e6 / pieces), "us")
    cut = (starts[:, None] + np.arange(pieces) * piece).reshape(-1)
    parts = [np.repeat(array / pieces, pieces) for array in values.values()]
    return Workload(channel, cut, step / pieces, *parts)


def scenarios(load: Workload, time_zone: str, count: int, seed: int) -> Floats:
    """``count`` equally likely counts of contacts per interval: scenarios x intervals."""
    days = local_days(load.starts, time_zone)
    mean = load.volume
    spread = np.maximum(load.high - load.low, 2 * (load.high - mean)) / Z80
    with np.errstate(divide="ignore", invalid="ignore"):
        extra = np.where(mean > 0, np.maximum(spread**2 - mean, 0) / mean**2, 0.0)
    paths = np.zeros((count, len(mean)))
    for day in np.unique(days):
        here = np.flatnonzero(days == day)
        rng = np.random.default_rng([seed, zlib.crc32(load.channel.encode()), int(day) % 2**32])
        common = special.ndtri((rng.permutation(count) + 0.5) / count)[:, None]
        own = rng.standard_normal((count, len(here)))
        uniform = rng.random((count, len(here)))
        if not (total := mean[here].sum()) > 0:
            continue
        shared = COMMON_SHARE * (extra[here] * mean[here]).sum() / total
        factor = _factor(common, shared) * _factor(own, np.maximum(extra[here] - shared, 0))
        paths[:, here] = _poisson(uniform, factor * mean[here])
    return paths


def _factor(z: Floats, variance: float | Floats) -> Floats:
    sigma = np.sqrt(np.log1p(variance))
    return np.asarray(np.exp(sigma * z - sigma**2 / 2))


def _poisson(uniform: Floats, mean: Floats) -> Floats:
    """The Poisson quantile, never falling in the mean: smallest k with P(N <= k) >= uniform."""
    guess = np.ceil(special.pdtrik(uniform, np.maximum(mean, 1e-12)))
    guess = np.where(np.isfinite(guess), np.maximum(guess, 0.0), 0.0)
    lower = np.maximum(guess - 1, 0)
    return np.where(special.pdtr(lower, mean) >= uniform, lower, guess)


def checked_paths(paths: Mapping[str, Floats], load: Workload) -> Floats:
    """The caller's joint sample paths of a channel, brought to its intervals; DataError if not."""
    found = np.asarray(paths[load.channel], float)
    n = len(load.starts)
    if found.ndim != 2 or found.shape[1] == 0 or n % found.shape[1]:
        raise DataError(
            f"sample paths of channel {load.channel!r} have shape {found.shape}; they need one "
            f"column a forecast step ({n} intervals here)"
        )
    if not np.isfinite(found).all() or (found < 0).any():
        raise DataError(f"sample paths of channel {load.channel!r} hold missing or negative counts")
    pieces = n // found.shape[1]
    return np.repeat(found / pieces, pieces, axis=1)
