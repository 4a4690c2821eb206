"""Planners' changes beside the forecast, and whether they were worth it.

An override changes one series over a span: times a factor, or to a number of contacts in all,
spread as the forecast is. Parts still add up to totals: the series' smallest parts take the change
in proportion, and every total is added up from them again. Later overrides change what earlier ones
have left. The number without overrides stays beside it, and once the counts are in, the *forecast
value added* tells by how much the changes came nearer (Gilliland, "The Business Forecasting Deal").

>>> ds = pd.to_datetime(["2026-03-02"] * 3)
>>> ids = ["total", "channel=chat", "channel=email"]
>>> frame = pd.DataFrame({"unique_id": ids, "ds": ds, "presage": [90.0, 30.0, 60.0]})
>>> more = Override(1, "channel=chat", ds[0], ds[0] + pd.Timedelta(days=1), 2.0, None, "Ada",
...     "campaign", ds[0], None)
>>> overridden(frame, [more]).tolist()
[120.0, 60.0, nan]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.store.overrides import Override
from models.coherence import Sum, add_up, is_node, sums_of

ALIKE = 1e-9


def overridden(frame: pd.DataFrame, overrides: Sequence[Override]) -> pd.Series:
    """The forecast as planners changed it, NaN where it is as it was.

    ``frame`` has ``unique_id, ds, presage``, every series at the same steps; the answer has its
    index. An override of a series or of steps that are not in the frame changes nothing.
    """
    wide = frame.pivot_table(index="unique_id", columns="ds", values="presage", aggfunc="sum")
    ids = [str(name) for name in wide.index]
    steps = pd.DatetimeIndex(wide.columns)
    before = wide.to_numpy(dtype="float64")
    sums = sums_of(ids, before)
    now = before.copy()
    for one in overrides:
        inside = np.flatnonzero((steps >= one.starts_at) & (steps < one.ends_at))
        if one.unique_id in ids and len(inside):
            row = ids.index(one.unique_id)
            wanted = _wanted(now[row, inside], one)
            now[:, inside] = _changed(now[:, inside], ids, sums, row, wanted)
    moved = np.abs(now - before) > ALIKE * np.maximum(np.abs(before), 1.0)
    changed = pd.DataFrame(np.where(moved, now, np.nan), index=wide.index, columns=wide.columns)
    places = changed.index.get_indexer(frame["unique_id"]), changed.columns.get_indexer(frame["ds"])
    return pd.Series(changed.to_numpy()[places], index=frame.index, name="overridden")


def planned(frame: pd.DataFrame, overrides: Sequence[Override]) -> pd.DataFrame:
    """The forecast to plan on: ``presage`` and its quantiles with the overrides, and ``forecast``,
    what it said without them.

    Quantiles keep their distance relative to the mean; where nothing was expected and a planner
    expects something, they are those of Poisson counts.
    """
    from scipy.stats import poisson

    out = frame.assign(forecast=frame["presage"])
    if not overrides:
        return out
    changed = overridden(frame, overrides)
    moved, forecast = changed.notna(), frame["presage"]
    scaled, new = moved & (forecast > 0), moved & (forecast <= 0)
    factor = changed.where(scaled, 1.0) / forecast.where(scaled, 1.0)
    for name in [column for column in frame.columns if column.startswith("presage-")]:
        values = frame[name] * factor
        out[name] = values.where(~new, poisson.ppf(_share_below(name), changed.where(new, 1.0)))
    out["presage"] = changed.where(moved, forecast)
    return out


def _share_below(column: str) -> float:
    """The share of counts that a quantile's column leaves below it.

    >>> _share_below("presage-median"), _share_below("presage-lo-80")
    (0.5, 0.1)
    """
    if column == "presage-median":
        return 0.5
    _, side, level = column.split("-")
    tail = (1 - int(level) / 100) / 2
    return round(tail if side == "lo" else 1 - tail, 6)


def _wanted(now: Floats, one: Override) -> Floats:
    if one.factor is not None:
        return now * one.factor
    assert one.value is not None
    total = now.sum()
    return one.value * (now / total if total > 0 else np.full(len(now), 1 / len(now)))


def _changed(
    now: Floats, ids: Sequence[str], sums: tuple[Sum, ...], row: int, wanted: Floats
) -> Floats:
    """All series when one is ``wanted`` otherwise: its smallest parts scaled, totals added up."""
    wholes = {one.whole for one in sums}
    mine = set(ids[row].split("/")) if is_node(ids[row]) and ids[row] != "total" else set()
    leaves = [
        place
        for place, name in enumerate(ids)
        if place not in wholes and is_node(name) and mine <= set(name.split("/"))
    ]
    out = now.copy()
    parts = now[leaves].sum(axis=0)
    adds_up = row in wholes and np.allclose(parts, now[row], rtol=1e-6, atol=1e-6)
    if not adds_up:
        out[row] = wanted
        return add_up(out, sums) if row not in wholes and sums else out
    even = np.full((len(leaves), 1), 1 / len(leaves))
    share = np.where(parts > 0, now[leaves] / np.where(parts > 0, parts, 1.0), even)
    out[leaves] = share * wanted
    return add_up(out, sums)


def value_added(
    forecast: pd.DataFrame, changed: pd.Series, actuals: pd.DataFrame, one: Override
) -> dict[str, float] | None:
    """How an override did: ``steps`` with a count, ``error`` and ``error_overridden`` (sums of
    absolute errors) and ``value_added``, the first minus the second: positive if it came nearer.

    None while no step of it has a count. ``forecast`` and ``changed`` are as they were in force.
    """
    rows = forecast.assign(changed=changed.fillna(forecast["presage"]))
    rows = rows[(rows["unique_id"] == one.unique_id) & (rows["ds"] >= one.starts_at)]
    rows = rows[rows["ds"] < one.ends_at].merge(actuals, on=["unique_id", "ds"])
    rows = rows[rows["y"].notna()]
    if rows.empty:
        return None
    error = float((rows["presage"] - rows["y"]).abs().sum())
    other = float((rows["changed"] - rows["y"]).abs().sum())
    return {
        "steps": float(len(rows)),
        "error": error,
        "error_overridden": other,
        "value_added": error - other,
    }
