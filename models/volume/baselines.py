"""What a planner would do by hand: last week again, or the mean of the last eight weeks.

Both take the same local slot of the week (of the year, for weeks and months: with less than a
year of history the last counts, whatever their season), skip steps without a row, and answer for
slots never seen with the series' mean over its last ``season`` counts.

>>> days = pd.date_range("2024-01-01", periods=21, freq="D")
>>> table = pd.DataFrame({"unique_id": "a", "ds": days, "y": [1, 2, 3, 4, 5, 6, 7] * 3})
>>> seasonal_naive(table, horizon=3, freq="D")["seasonal_naive"].tolist()
[1.0, 2.0, 3.0]
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.arrays import Floats
from models.volume.context import VolumeContext
from models.volume.panel import Panel, long_frame, panel_of
from models.volume.slots import cube_of, last_mean


def seasonal_naive(
    history: pd.DataFrame, *, horizon: int, freq: str, context: VolumeContext | None = None
) -> pd.DataFrame:
    """The last count of the same slot: ``unique_id, ds, seasonal_naive``, ``horizon`` steps."""
    panel = panel_of(history, freq, context)
    ds = panel.grid.ds(panel.future(horizon))
    return long_frame(panel.ids, ds, seasonal_naive=same_slots(panel, horizon, 1))


def mean_of_same_slots(
    history: pd.DataFrame,
    *,
    horizon: int,
    freq: str,
    context: VolumeContext | None = None,
    n: int = 8,
) -> pd.DataFrame:
    """The mean of the last ``n`` counts of the same slot: ``unique_id, ds, mean_of_same_slots``.

    For weeks and months ("slots" that come once a year) it is the mean of the last ``n`` steps.
    """
    panel = panel_of(history, freq, context)
    ds = panel.grid.ds(panel.future(horizon))
    return long_frame(panel.ids, ds, mean_of_same_slots=same_slots(panel, horizon, n))


def same_slots(panel: Panel, horizon: int, n: int) -> Floats:
    """Mean of the last ``n`` same slots (series x horizon), never NaN."""
    fallback = _last_counts_mean(panel.y, n if _long_step(panel) else panel.grid.frequency.season)
    if _long_step(panel) and (n > 1 or panel.y.shape[1] < panel.grid.frequency.season):
        return np.repeat(fallback[:, None], horizon, axis=1)
    means = last_mean(cube_of(panel.y, panel.grid, panel.index), n)
    _, slot = panel.grid.cells(panel.future(horizon))
    picked = means[:, slot]
    return np.where(np.isnan(picked), fallback[:, None], picked)


def _long_step(panel: Panel) -> bool:
    return panel.grid.frequency.unit in ("week", "month")


def _last_counts_mean(y: Floats, n: int) -> Floats:
    """Mean of the last ``n`` counts that are there, per series."""
    result = np.zeros(len(y))
    for row, values in enumerate(y):
        counts = values[~np.isnan(values)][-n:]
        result[row] = counts.mean() if len(counts) else 0.0
    return result
