"""The rest of today, from what today has brought so far.

By noon a day that was to bring 100 contacts by then has brought 130: the afternoon will be busier
too, but not by all of 30 %. Contacts of a day are Poisson with mean ``e x level``, the day's level
gamma distributed with mean 1 and variance ``1 / k``; given ``y`` contacts where ``e`` were
expected, the level's mean is

    level = (k + y) / (k + e)

``k`` is learned from whole past days (``memory``): the less days differ beyond chance from what was
expected, the larger it is, and the less today's morning says. The level of the day need not be that
of the rest: how much of the morning's surprise lasts is learned from the same days (``lasts``).

>>> adjusted(np.array([50.0, 60.0]), so_far=130.0, expected=100.0, memory=Memory(100.0, 1.0))
array([57.5, 69. ])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats
from models.coherence import reconcile, sums_of
from models.volume.context import VolumeContext
from models.volume.model import VolumeModel
from models.volume.panel import Panel, long_frame, panel_of

GUESS_K = 30.0
DAYS_TO_TRUST = 10.0
MOST_LEVEL = 3.0
DAYS_LEARNED = 20
LEAST_VARIANCE = 0.25


@dataclass(frozen=True)
class Memory:
    """``k``: how alike days are; ``lasts``: the share of a surprise (in logarithms) that lasts."""

    k: float = GUESS_K
    lasts: float = 1.0


def memory_of(so_far: Floats, expected: Floats, later: Floats, forecast: Floats) -> Memory:
    """From past days, each split at one clock time: contacts ``so_far`` and ``expected`` before it,
    ``later`` and ``forecast`` after it (days). Moments, pulled to the guess by ten days' worth.
    """
    fine: Bools = (expected > 0) & (forecast > 0)
    so_far, expected, later, forecast = (each[fine] for each in (so_far, expected, later, forecast))
    count = float(len(so_far))
    if count == 0:
        return Memory()
    excess = float((((so_far - expected) ** 2 - expected) / expected**2).mean())
    variance = (max(excess, 0.0) * count + DAYS_TO_TRUST / GUESS_K) / (count + DAYS_TO_TRUST)
    k = 1 / max(variance, 1e-6)
    surprise = np.log((k + so_far) / (k + expected))
    then = np.log((k + later) / (k + forecast))
    spread = float((surprise**2).sum())
    prior = DAYS_TO_TRUST * (spread / count if spread > 0 else 1.0)
    lasts = (float((surprise * then).sum()) + 0.5 * prior) / (spread + prior)
    return Memory(k, float(np.clip(lasts, 0.0, 1.0)))


def adjusted(forecast: Floats, *, so_far: float, expected: float, memory: Memory) -> Floats:
    """The rest of the day's ``forecast`` after ``so_far`` contacts where ``expected`` were."""
    level = ((memory.k + so_far) / (memory.k + expected)) ** memory.lasts
    return forecast * float(np.clip(level, 1 / MOST_LEVEL, MOST_LEVEL))


@dataclass(frozen=True)
class Today:
    """The rest of a local day (series x steps) as ``forecast`` at its beginning and as ``adjusted``
    now, by what ``so_far`` of what was ``expected`` so far (series).
    """

    forecast: Floats
    adjusted: Floats
    so_far: Floats
    expected: Floats


def rest_of_today(
    model: VolumeModel,
    panel: Panel,
    context: VolumeContext,
    forecasts: dict[int, Floats] | None = None,
) -> Today | None:
    """The rest of the day in which a panel of steps shorter than a day ends; None at its end.

    ``Memory`` is learned from the last ``DAYS_LEARNED`` days, each forecast from its own beginning;
    ``forecasts`` (by the step before each) holds them for another call on the same counts.
    """
    if panel.grid.frequency.unit != "minute":
        return None
    forecasts = {} if forecasts is None else forecasts
    per_day = panel.grid.frequency.per_day
    today = panel.grid.days(panel.index[-1:])[0]
    rest = int((panel.grid.days(panel.future(per_day + 2)) == today).sum())
    steps_so_far = int((panel.grid.days(panel.index) == today).sum())
    if rest == 0 or steps_so_far == 0:
        return None

    def forecast_from(end: int) -> Floats:
        """The day after step ``end``, of the series of today (NaN for those not there then)."""
        past = panel.until(end)
        if not past.ids:
            return np.full((len(panel.ids), steps_so_far + rest), np.nan)
        if end not in forecasts:
            forecasts[end] = model.components(past, per_day, context).mean
        place = {name: row for row, name in enumerate(past.ids)}
        rows = np.array([place.get(name, -1) for name in panel.ids])
        length = min(steps_so_far + rest, per_day)
        return np.where((rows >= 0)[:, None], forecasts[end][rows, :length], np.nan)

    begin = panel.y.shape[1] - steps_so_far
    days = []
    for back in range(1, DAYS_LEARNED + 1):
        at = begin - per_day * back
        if at < per_day * 21:  # too little to forecast that day from
            break
        day_forecast = forecast_from(panel.start + at - 1)
        now = np.nan_to_num(panel.y[:, at : at + day_forecast.shape[1]])
        parts = (slice(None, steps_so_far), slice(steps_so_far, None))
        days.append([each[:, part].sum(axis=1) for each in (now, day_forecast) for part in parts])
    day_forecast = forecast_from(panel.end - steps_so_far)
    so_far = np.nan_to_num(panel.y[:, -steps_so_far:]).sum(axis=1)
    expected, forecast = day_forecast[:, :steps_so_far].sum(axis=1), day_forecast[:, steps_so_far:]
    adjusted_rest = forecast.copy()
    for row in range(len(panel.ids)):
        past = np.array([[part[row] for part in day] for day in days]).reshape(-1, 4)
        past = past[~np.isnan(past).any(axis=1)]
        memory = memory_of(past[:, 0], past[:, 2], past[:, 1], past[:, 3])
        if expected[row] > 0:
            adjusted_rest[row] = adjusted(
                forecast[row], so_far=so_far[row], expected=expected[row], memory=memory
            )
    return Today(forecast, adjusted_rest, so_far, expected)


def reforecast(
    model: VolumeModel, history: pd.DataFrame, context: VolumeContext, frame: pd.DataFrame
) -> tuple[pd.DataFrame, Today | None]:
    """A forecast ``frame`` of the next steps with the rest of today adjusted by today so far.

    Means, medians and intervals of these steps are scaled alike, and parts made to add up again.
    The frame comes back as it is, with None, for steps of a day and more, and at a day's end.
    """
    panel = panel_of(history, model.freq, context)
    today = rest_of_today(model, panel, context)
    if today is None:
        return frame, None
    mean = np.where(np.isnan(today.adjusted), 0.0, today.adjusted)
    sums = sums_of(panel.ids, panel.y)
    mean = reconcile(mean, np.maximum(mean, LEAST_VARIANCE), sums) if sums else mean
    ds = panel.grid.ds(panel.future(mean.shape[1]))
    rest = long_frame(panel.ids, ds, now=mean)
    rest["ds"] = rest["ds"].astype(frame["ds"].dtype)
    means = frame[["unique_id", "ds"]].merge(rest, on=["unique_id", "ds"], how="left")["now"]
    before, now = frame["presage"].to_numpy(), means.to_numpy()
    fine = ~np.isnan(now) & (before > 0)
    scale = np.where(fine, now / np.where(before > 0, before, 1.0), 1.0)
    columns = [name for name in frame.columns if name.startswith("presage")]
    return frame.assign(**{name: frame[name] * scale for name in columns}), today
