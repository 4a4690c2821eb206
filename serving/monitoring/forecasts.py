"""Did the forecasts hold? What was issued a week ahead beside what came, by series and local day.

Of each of the last four weeks the forecast counts that was in force when it began. Bias is the sum
of the errors over the sum of the forecast; the tracking signal the sum of the errors over their
mean size (Brown 1959), shown because planners know it; the alarm is by Student's t of the daily
errors, which does not grow with the number of days by itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import sqrt

import numpy as np
import pandas as pd

from data.store import Store, read_forecast
from features.calendar import local_times
from serving.monitoring.finding import Finding

WEEKS = 4
BIASED = 0.1
SURE = 0.001
"""Chance of an error so one-sided if the forecast were unbiased, below which it is an alarm."""
LEAST_COVERED = 0.6
SERIES = 12


def issued_errors(
    store: Store, actuals: pd.DataFrame, as_of: datetime, time_zone: str
) -> pd.DataFrame:
    """``unique_id, day, y, forecast, steps, inside`` of the last weeks' forecasts as issued.

    ``actuals``: ``unique_id, ds, y``, complete up to ``as_of``. ``inside``: steps within the 80 %
    interval.
    """
    parts = []
    for back in range(WEEKS, 0, -1):
        begin = as_of - timedelta(weeks=back)
        vintage = read_forecast(store, begin)
        if vintage is None or vintage[0].as_of < begin - timedelta(weeks=1):
            continue
        frame = vintage[1][
            (vintage[1]["ds"] >= begin) & (vintage[1]["ds"] < begin + timedelta(weeks=1))
        ]
        parts.append(frame.merge(actuals, on=["unique_id", "ds"], how="inner"))
    if not parts:
        return pd.DataFrame()
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["y"].notna()]
    local = pd.to_datetime(local_times(rows["ds"].to_numpy("datetime64[us]"), time_zone))
    rows["day"] = local.normalize()
    low, high = rows["presage-lo-80"], rows["presage-hi-80"]
    rows["inside"] = ((rows["y"] >= low) & (rows["y"] <= high)).astype(float)
    rows["steps"] = 1.0
    return (
        rows.rename(columns={"presage": "forecast"})
        .groupby(["unique_id", "day"], as_index=False)[["y", "forecast", "steps", "inside"]]
        .sum()
    )


def forecast_findings(errors: pd.DataFrame) -> list[Finding]:
    """Bias and coverage of the total and each channel; ``errors`` as ``issued_errors`` has them."""
    if errors.empty:
        text = "no forecast of a week ago was issued yet; bias is known a week after the first"
        return [Finding("forecasts", "bias", "too early", text)]
    names = errors["unique_id"].unique()
    wide = [n for n in names if n == "total" or (n.startswith("channel=") and "/" not in n)]
    return [
        finding
        for name in (wide or list(names))[:SERIES]
        for finding in _of_series(name, errors[errors["unique_id"] == name])
    ]


def _of_series(name: str, days: pd.DataFrame) -> list[Finding]:
    from scipy.stats import t as student

    error = (days["y"] - days["forecast"]).to_numpy(float)
    n, total = len(error), float(days["forecast"].sum())
    if n < 7 or total <= 0:
        text = f"{name}: {n} days so far, too few to judge by"
        return [Finding("forecasts", name, "too early", text)]
    bias = float(error.sum()) / total
    spread = float(error.std(ddof=1)) / sqrt(n)
    chance = 2 * float(student.sf(abs(error.mean()) / max(spread, 1e-12), n - 1))
    half = float(student.ppf(0.975, n - 1)) * spread * n / total
    size = float(np.abs(error).mean())
    signal = float(error.sum()) / size if size > 0 else 0.0
    covered = float(days["inside"].sum() / days["steps"].sum())
    text = (
        f"{name}: {days['y'].sum():.0f} came, {total:.0f} were foretold in {n} days: bias "
        f"{bias:+.1%} [{bias - half:+.1%}, {bias + half:+.1%}], tracking signal {signal:+.1f}, "
        f"{covered:.0%} within the 80 % interval"
    )
    act = ""
    if abs(bias) >= BIASED and chance < SURE:
        act = "Train the volume model anew, or add an override with its reason until then."
    elif n >= 14 and covered < LEAST_COVERED:
        act = "Intervals are too narrow: train the volume model anew; plan at a higher confidence."
    return [
        Finding(
            "forecasts",
            name,
            "alarm" if act else "ok",
            text,
            act,
            since=days["day"].min().to_pydatetime() if act else None,
            value=bias,
            low=bias - half,
            high=bias + half,
            limit=BIASED,
        )
    ]
