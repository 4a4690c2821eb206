"""A channel's forecast on the planning grid, and the scenarios it may turn into.

Scenarios are the forecast's joint sample paths. An hour of a path that is cut into quarters gives
each of its contacts to a quarter by chance, so that counts are as noisy on the finer grid as
arrivals are; a coarser grid adds steps up. What planners changed multiplies a path, up or down to
whole contacts by chance.

A forecast without paths (posted, or of an older model) has them drawn from its intervals: Poisson
around a mean that is itself uncertain. The variance beyond Poisson, as a share v of the squared
mean, is one number a channel, fitted over all its intervals: v = sum (sd^2 - mean) / sum mean^2
with sd = (hi_80 - lo_80) / 2.563, of steps that expect ``TELLING`` contacts or more: the interval
of a step that expects less says that counts are whole, not that they are uncertain. ``LEVEL`` of v
is common to the whole horizon, ``DAILY`` to the local day, the rest is the step's own.

The same seed gives the same draws to a channel's day whatever else is planned, and a larger
forecast a larger scenario.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.arrays import Floats
from data.errors import DataError
from features.opening import local_days

LEVEL, DAILY = 0.3, 0.3
TELLING = 3.0
MOST_VARIANCE = 0.25
Z80 = 2 * 1.2815515655446004
NEEDED = ("unique_id", "ds", "presage")


@dataclass(frozen=True)
class Workload:
    """One channel: interval starts (UTC), their length, expected contacts with their 80 % interval,
    and what the forecast said before planners changed it.

    ``pieces``: planning intervals of one step of the forecast (1 or more), or, below 0, steps of
    the forecast in one planning interval. ``variance`` beyond Poisson, as a share of the mean's
    square.
    """

    channel: str
    starts: NDArray[np.datetime64]
    step_seconds: float
    volume: Floats
    low: Floats
    high: Floats
    forecast: Floats
    pieces: int = 1
    variance: float = 0.0

    def times(self, factor: Floats) -> Workload:
        """The same with contacts multiplied, interval by interval; the forecast stays."""
        return replace(
            self, volume=self.volume * factor, low=self.low * factor, high=self.high * factor
        )

    def with_interval(self, counts: Floats) -> Workload:
        """The same with the 80 % interval that ``counts`` (scenarios x intervals) have."""
        low, high = np.quantile(counts, [0.1, 0.9], axis=0, method="inverted_cdf")
        return replace(self, low=low, high=high)


def workloads(forecast: pd.DataFrame, interval_minutes: int) -> dict[str, Workload]:
    """The forecast's ``channel=NAME`` series by channel name, on the planning grid.

    A column ``forecast`` tells the contacts without planners' overrides (default: ``presage``).
    A coarser step (an hour) is cut into equal intervals with equal parts of its contacts; finer
    ones are added up where they fill whole intervals.
    DataError names the series and row of a missing, negative or infinite value, of a gap, and
    refuses steps longer than an hour.
    """
    for name in NEEDED:
        if name not in forecast.columns:
            raise DataError(f"the forecast has no column {name!r}; staffing needs {NEEDED}")
    ids = forecast["unique_id"].astype(str)
    wanted = ids.str.startswith("channel=") & ~ids.str.contains("/", regex=False)
    if not wanted.any():
        names = ", ".join(sorted(ids.unique())[:5]) or "none"
        raise DataError(
            f"the forecast has no series channel=NAME, which staffing needs; found: {names}. "
            "A volumes table names its series channel=phone, channel=email, ..."
        )
    loads = {}
    for unique_id, rows in forecast[wanted].groupby("unique_id", sort=True):
        channel = unquote(str(unique_id).removeprefix("channel="))
        loads[channel] = _workload(
            str(unique_id), channel, rows.sort_values("ds"), interval_minutes
        )
    return loads


def _workload(unique_id: str, channel: str, rows: pd.DataFrame, minutes: int) -> Workload:
    starts = rows["ds"].to_numpy("datetime64[us]")
    step = _step_seconds(unique_id, starts)
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
    variance = _beyond_poisson(*(list(values.values())[:3]))
    many = _steps_of_an_interval(starts, step, minutes)
    if many > 1:
        parts = [array.reshape(-1, many).sum(axis=1) for array in values.values()]
        load = Workload(channel, starts[::many], step * many, *parts)
        return replace(load, pieces=-many, variance=variance)
    pieces = max(int(np.ceil(step / (60 * minutes) - 1e-9)), 1)
    while step * 1e6 % pieces:
        pieces += 1
    piece = np.timedelta64(round(step * 1e6 / pieces), "us")
    cut = (starts[:, None] + np.arange(pieces) * piece).reshape(-1)
    parts = [np.repeat(array / pieces, pieces) for array in values.values()]
    load = Workload(channel, cut, step / pieces, *parts)
    return replace(load, pieces=pieces, variance=variance)


def _step_seconds(unique_id: str, starts: NDArray[np.datetime64]) -> float:
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
    return float(step)


def _steps_of_an_interval(starts: NDArray[np.datetime64], step: float, minutes: int) -> int:
    """How many steps make a planning interval, where they fill whole ones; else 1."""
    many = round(60 * minutes / step)
    whole = many > 1 and abs(many * step - 60 * minutes) < 1e-6 and len(starts) % many == 0
    first = int(starts[0].astype("datetime64[s]").astype(np.int64)) if len(starts) else 0
    return many if whole and first % (60 * minutes) == 0 else 1


def _beyond_poisson(mean: Floats, low: Floats, high: Floats) -> float:
    telling = mean >= TELLING
    if not telling.any():
        return 0.0
    spread = (high - low)[telling] / Z80
    mean = mean[telling]
    variance = (spread**2 - mean).sum() / (mean**2).sum()
    return float(np.clip(variance, 0.0, MOST_VARIANCE))


def scenarios(
    load: Workload, time_zone: str, count: int, seed: int, paths: Floats | None = None
) -> Floats:
    """Equally likely counts of contacts per interval: scenarios x intervals, whole contacts.

    ``paths`` (scenarios x forecast steps): the forecast's own, whose mean is ``load.forecast``;
    None: ``count`` drawn from the intervals. Planners' changes (``volume`` over ``forecast``)
    multiply either.
    """
    if paths is not None:
        _check_paths(paths, load)
    count = count if paths is None else len(paths)
    name = zlib.crc32(load.channel.encode())
    level = np.random.default_rng([seed, name]).permutation(count)
    out = np.zeros((count, len(load.starts)))
    days = local_days(load.starts, time_zone)
    many = max(load.pieces, 1)
    forecast, wanted = load.forecast, load.volume
    factor = np.where(forecast > 0, wanted / np.where(forecast > 0, forecast, 1.0), 1.0)
    new = (forecast <= 0) & (wanted > 0)
    for day in np.unique(days):
        here = np.flatnonzero(days == day)
        rng = np.random.default_rng([seed, name, int(day) % 2**32])
        if paths is None:
            drawn = _drawn(forecast[here], load.variance, level, rng).astype(np.int64)
        else:
            drawn = _on_grid(paths, here, many, load.pieces, rng)
        out[:, here] = drawn
        if (factor[here] != 1).any():
            out[:, here] = _multiplied(out[:, here], forecast[here], factor[here], rng)
        if new[here].any():
            out[:, here] += rng.poisson(np.where(new, wanted, 0.0)[here], drawn.shape)
    return out


def _multiplied(counts: Floats, mean: Floats, factor: Floats, rng: np.random.Generator) -> Floats:
    """Counts of a mean that is ``factor`` times theirs, no noisier than counts are.

    Fewer are each contact with that chance; more are further contacts, which come at the rate of
    the scenario's day. Both by the normal law, with whole contacts by chance: the same draws serve
    every factor, and a larger one never gives fewer.
    """
    z, uniform = rng.standard_normal(counts.shape), rng.random(counts.shape)
    total = mean.sum()
    busy = (counts.sum(axis=1, keepdims=True) + 1) / (total + 1)
    more = np.maximum(factor - 1, 0.0) * mean * busy
    fewer = np.minimum(factor, 1.0) * counts
    spread = np.where(factor > 1, more, fewer * (1 - np.minimum(factor, 1.0)))
    spread = np.where(spread > 1, np.sqrt(np.maximum(spread, 0.0)), 0.0) * z
    exact = np.where(factor > 1, counts + np.maximum(more + spread, 0.0), fewer + spread)
    exact = np.where(factor > 1, exact, np.clip(exact, 0.0, counts))
    return np.asarray(np.where(factor == 1, counts, np.floor(exact + uniform)))


def _on_grid(
    paths: Floats, here: NDArray[np.intp], many: int, pieces: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The steps of ``paths`` that the intervals ``here`` lie in, in whole contacts, on the grid."""
    if pieces < 0:
        summed = paths[:, here[0] * -pieces : (here[-1] + 1) * -pieces]
        whole = np.floor(summed + rng.random(summed.shape) * (summed % 1 > 0)).astype(np.int64)
        return np.asarray(whole.reshape(len(paths), len(here), -pieces).sum(axis=2))
    first, last = here[0] // many, here[-1] // many
    part = paths[:, first : last + 1]
    whole = np.floor(part + rng.random(part.shape) * (part % 1 > 0)).astype(np.int64)
    if many == 1:
        return whole
    split = rng.multinomial(whole, np.full(many, 1 / many)).reshape(len(paths), -1)
    return np.asarray(split[:, here - first * many])


def _drawn(
    mean: Floats, variance: float, level: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Poisson counts around uncertain means (lognormal): of the horizon, the day and the step."""
    from scipy.special import ndtri

    count = len(level)
    common = ndtri((level + 0.5) / count)[:, None]
    daily = ndtri((rng.permutation(count) + 0.5) / count)[:, None]
    own = rng.standard_normal((count, len(mean)))
    factor = np.ones((count, len(mean)))
    for z, share in ((common, LEVEL), (daily, DAILY), (own, 1 - LEVEL - DAILY)):
        sigma = np.sqrt(np.log1p(share * variance))
        factor = factor * np.exp(sigma * z - sigma**2 / 2)
    return np.asarray(rng.poisson(factor * mean))


def _check_paths(paths: Floats, load: Workload) -> None:
    n = len(load.starts)
    steps = n * -load.pieces if load.pieces < 0 else n // load.pieces
    if paths.ndim != 2 or paths.shape[1] != steps:
        raise DataError(
            f"sample paths of channel {load.channel!r} have shape {paths.shape}; they need one "
            f"column a forecast step ({steps} here, {n} intervals)"
        )
    if not np.isfinite(paths).all() or (paths < 0).any():
        raise DataError(f"sample paths of channel {load.channel!r} hold missing or negative counts")


def checked_paths(paths: Mapping[str, Floats] | None, channel: str) -> Floats | None:
    """The caller's joint sample paths of a channel, if there are any."""
    return None if paths is None or channel not in paths else np.asarray(paths[channel], float)
