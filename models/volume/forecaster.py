"""Forecast and backtest: members, judge, intervals, as one call on a long table.

>>> days = pd.date_range("2024-01-01", periods=70, freq="D")
>>> table = pd.DataFrame({"unique_id": "a", "ds": days, "y": [10, 20, 30, 40, 50, 5, 5] * 10})
>>> out = forecast(table, horizon=2, freq="D")
>>> out.columns[:5].tolist()
['unique_id', 'ds', 'presage', 'presage-median', 'presage-lo-80']
>>> out["presage"].round().tolist()
[10.0, 20.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats
from data.errors import NotEnoughHistory, UsageError
from models.volume.context import VolumeContext
from models.volume.judge import benches
from models.volume.learning import learn
from models.volume.model import LEVELS, VolumeModel, check
from models.volume.panel import Panel, panel_of


def forecast(
    history: pd.DataFrame,
    *,
    horizon: int,
    freq: str,
    context: VolumeContext | None = None,
    levels: Sequence[int] = LEVELS,
    seed: int = 0,
) -> pd.DataFrame:
    """The next ``horizon`` steps after the last ``ds`` of the whole table, for every series.

    ``presage`` is the mean, ``presage-median`` the median, ``presage-lo-L``/``-hi-L`` the
    interval that should hold L % of what comes.
    """
    context = context or VolumeContext()
    check(horizon, levels)
    panel = ordered(panel_of(history, freq, context))
    bench, beside = benches(panel, horizon, context, seed)
    model = learn(bench, panel.end, freq, beside)
    return model.on(panel, horizon, context, levels)


def train_volume(
    history: pd.DataFrame,
    *,
    horizon: int,
    freq: str,
    context: VolumeContext | None = None,
    seed: int = 0,
) -> VolumeModel:
    """What ``forecast`` learns before it forecasts, to be kept: members judged over ``horizon``
    steps, intervals from their trials, the tree member.
    """
    context = context or VolumeContext()
    check(horizon, LEVELS)
    panel = ordered(panel_of(history, freq, context))
    bench, beside = benches(panel, horizon, context, seed)
    return learn(bench, panel.end, freq, beside)


def train_with_twin(
    history: pd.DataFrame,
    known: pd.DataFrame,
    *,
    horizon: int,
    judged: int,
    freq: str,
    context: VolumeContext | None = None,
    seed: int = 0,
) -> tuple[VolumeModel, VolumeModel]:
    """The model of ``history``, and its twin of what was ``known`` earlier, which is to be judged
    over ``judged`` steps.

    Where nothing of the past was written later and both look equally far, most of their trials
    are the same, and are computed once.
    """
    context = context or VolumeContext()
    check(horizon, LEVELS)
    panel, earlier = (ordered(panel_of(table, freq, context)) for table in (history, known))
    bench, beside = benches(panel, horizon, context, seed)
    model = learn(bench, panel.end, freq, beside)
    if judged != horizon or not _same(panel.until(earlier.end), earlier):
        bench, beside = benches(earlier, judged, context, seed)
    return model, learn(bench, earlier.end, freq, beside)


def _same(one: Panel, other: Panel) -> bool:
    return (
        one.ids == other.ids
        and one.start == other.start
        and np.array_equal(one.y, other.y, equal_nan=True)
    )


def backtest(
    history: pd.DataFrame,
    *,
    cutoffs: Sequence[datetime],
    horizon: int,
    freq: str,
    context: VolumeContext | None = None,
    levels: Sequence[int] = LEVELS,
    seed: int = 0,
) -> pd.DataFrame:
    """Rolling origin: at each cutoff (the ``ds`` of the last complete step) the next ``horizon``
    steps are forecast from what was there by then.

    Columns ``unique_id, ds, cutoff, y, presage, presage-median, ...``; ``y`` is null where the
    history has no row. Raises NotEnoughHistory for a cutoff before the first count.
    """
    context = context or VolumeContext()
    check(horizon, levels)
    panel = ordered(panel_of(history, freq, context))
    bench, beside = benches(panel, horizon, context, seed)
    parts = []
    for cutoff in cutoffs:
        stamp = np.datetime64(pd.Timestamp(cutoff).to_datetime64(), "us")
        last = int(panel.grid.index(np.array([stamp]))[0])
        if panel.grid.ds(np.array([last]))[0] != stamp:
            raise UsageError(
                f"the cutoff {cutoff} does not start a step of {freq!r}; the nearest before it is "
                f"{panel.grid.ds(np.array([last]))[0]}."
            )
        if not panel.until(last).ids:
            raise NotEnoughHistory(
                f"there is no count up to the cutoff {cutoff}; the first is at "
                f"{panel.grid.ds(np.array([panel.start]))[0]}."
            )
        model = learn(bench, last, freq, beside)
        forecast = model.on(panel.until(last), horizon, context, levels)
        forecast.insert(2, "cutoff", stamp)
        forecast.insert(3, "y", _actuals(panel, last, horizon, forecast["unique_id"]))
        parts.append(forecast)
    return pd.concat(parts, ignore_index=True)


def ordered(panel: Panel) -> Panel:
    """Series in order of their first count, then name: what comes later changes no place."""
    has_count: Bools = ~np.isnan(panel.y)
    has: Bools = np.asarray(has_count.any(axis=1))
    first = np.where(has, has_count.argmax(axis=1), panel.y.shape[1])
    order = sorted(range(len(panel.ids)), key=lambda row: (int(first[row]), panel.ids[row]))
    order = [row for row in order if has[row]]
    return Panel(tuple(panel.ids[row] for row in order), panel.grid, panel.start, panel.y[order])


def _actuals(panel: Panel, last: int, horizon: int, ids: pd.Series) -> Floats:
    place = {name: row for row, name in enumerate(panel.ids)}
    rows = np.array([place[name] for name in ids.iloc[::horizon]])
    future = np.full((len(panel.ids), horizon), np.nan)
    first = last + 1 - panel.start
    known = panel.y[:, max(first, 0) : max(first + horizon, 0)]
    future[:, : known.shape[1]] = known
    return future[rows].reshape(-1)
