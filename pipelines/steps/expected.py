"""What a planner reads of a forecast: the next days, and how far off such forecasts were in trials.

Beside the error stands the error of two plain rules, and that of **chance alone**: a forecast that
knew the expected number of contacts exactly would still be off by it, since contacts come one by
one. For a Poisson count of mean m it is E|n - m| / m = 2 exp(-m) m^floor(m) / floor(m)!.

>>> round(chance_alone(np.array([1.0])), 3), round(chance_alone(np.array([100.0])), 3)
(0.736, 0.08)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import gammaln

from data.arrays import Floats
from data.workspace import Workspace
from pipelines.console import table

OFF = {
    "presage": "this forecast",
    "seasonal_naive": "the season before",
    "mean_of_8": "mean of 8 same slots",
}
OFF_DAYS = {f"{name}_days": title for name, title in OFF.items()}


def chance_alone(expected: Floats) -> float:
    """The error of chance, sum over sum, of Poisson counts with these means; NaN without any."""
    mean = expected[expected > 0]
    if not mean.size:
        return float("nan")
    whole = np.floor(mean)
    off = 2 * mean * np.exp(whole * np.log(mean) - mean - gammaln(whole + 1))
    return float(off.sum() / mean.sum())


def forecast_lines(frame: pd.DataFrame, workspace: Workspace, tested: pd.DataFrame) -> list[str]:
    """The next seven days of the widest nodes, by local day, and how far off each was in trials.

    ``frame``: ``unique_id, ds, presage``; ``tested``: as ``VolumeModel.accuracy`` has it.
    """
    nodes = frame["unique_id"].unique()
    shown = [n for n in nodes if n == "total" or (n.startswith("channel=") and "/" not in n)]
    zone = workspace.settings.company.time_zone
    part = frame[frame["unique_id"].isin(shown or list(nodes[:8]))]
    day = part["ds"].dt.tz_localize("UTC").dt.tz_convert(zone).dt.strftime("%a %d %b")
    part = part.assign(day=day)
    days = part.groupby(["unique_id", "day"], sort=False)["presage"].sum()
    wide = days.reset_index().pivot_table(
        index="unique_id", columns="day", values="presage", sort=False
    )[list(dict.fromkeys(day))[:7]]
    rows = [
        [name, *(round(float(value)) for value in row)]
        for name, row in zip(wide.index, wide.to_numpy(dtype="float64"), strict=True)
    ]
    return [
        "contacts expected, by local day:",
        *table(["series", *wide.columns], rows),
        *_off(tested, wide.index, days, part.set_index("unique_id")["presage"]),
    ]


def _off(tested: pd.DataFrame, names: pd.Index, days: pd.Series, steps: pd.Series) -> list[str]:
    """How far off the series ``names`` were; ``days`` and ``steps`` are what is expected of them,
    by unique_id."""
    trials = int(tested["trials"].max()) if len(tested) else 0
    if not len(tested):
        return ["how far off it was in trials is not known of this model: train it again"]
    if not trials:
        return [
            "no trial was possible with so short a history: the mean of the same slots, and "
            "intervals that are a guess, 30 % beside chance"
        ]
    errors = tested.set_index("unique_id").reindex(names)
    how = f"in {trials} trials, sum of errors over sum of contacts"
    by_step = _table(errors, OFF, {"chance alone": _chance(steps)})
    if "within_days" not in errors or errors["within_days"].isna().all():
        return [f"each step was off by ({how}):", *by_step]
    more = {"chance alone": _chance(days), "4 of 5 days within": errors["within_days"].to_dict()}
    return [
        f"each day was off by ({how}):",
        *_table(errors, OFF_DAYS, more),
        "each step within the day was off by:",
        *by_step,
    ]


def _chance(expected: pd.Series) -> dict[str, float]:
    return {
        str(name): chance_alone(values.to_numpy(dtype="float64"))
        for name, values in expected.groupby(level="unique_id")
    }


def _table(
    errors: pd.DataFrame, columns: Mapping[str, str], more: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Errors of the series in the index, in percent, and columns ``more`` by series."""
    rows = [
        [
            str(name),
            *(_percent(float(row[column])) for column in columns),
            *(_percent(values.get(str(name), float("nan"))) for values in more.values()),
        ]
        for name, row in errors.iterrows()
    ]
    return table(["series", *columns.values(), *more], rows)


def _percent(value: float) -> str:
    return "-" if value != value else f"{value:.0%}"
