"""The rest of today: the morning's forecast, one made now, and the morning's adjusted by today.

    PRESAGE_DATA=... .venv/bin/python -m benchmarks.intraday [--days 40]

Calls of two banks by the hour. The model is trained once, before the last so many days; on each of
them, at 10, 12, 14 and 16 o'clock, the hours that are left are forecast three ways from the counts
up to then. Intervals of the ratios: days drawn 2,000 times in pairs.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from benchmarks.volume_sets import Series, bank_hourly, technion_hourly
from models.volume import VolumeContext, train_volume
from models.volume.intraday import rest_of_today
from models.volume.panel import panel_of

HOURS = (10, 12, 14, 16)


def one_set(name: str, series: Series, days: int) -> list[str]:
    context = VolumeContext(country=series.country)
    whole = panel_of(series.history, "h", context)
    last = whole.grid.days(whole.index[-1:])[0]
    first = last - days
    before = series.history[series.history["ds"] < np.datetime64(first)]
    model = train_volume(before, horizon=24, freq="h", context=context)
    rows, forecasts = [], {}
    for day in pd.date_range(first, last - 1):
        for hour in HOURS:
            end = int(whole.grid.index(np.array([day + pd.Timedelta(hours=hour - 1)], "M8[us]"))[0])
            past = whole.until(end)
            today = rest_of_today(model, past, context, forecasts)
            if today is None:
                continue
            rest = today.forecast.shape[1]
            now = model.components(past, rest, context).mean
            y = whole.y[:, end + 1 - whole.start : end + 1 - whole.start + rest]
            if y.shape != now.shape or np.isnan(y).all():
                continue
            errors = [np.nansum(np.abs(y - x)) for x in (today.forecast, now, today.adjusted)]
            rows.append((hour, day, np.nansum(y), *errors))
    frame = pd.DataFrame(rows, columns=["hour", "day", "y", "morning", "now", "adjusted"])
    return [line(name, hour, part) for hour, part in [*frame.groupby("hour"), ("all", frame)]]


def line(name: str, hour: object, part: pd.DataFrame) -> str:
    ways = ["morning", "now", "adjusted"]
    sums = part.groupby("day")[["y", *ways]].sum()
    wape = sums[ways].sum() / sums["y"].sum()
    pick = np.random.default_rng(0).integers(0, len(sums), (2000, len(sums)))
    drawn = sums["adjusted"].to_numpy()[pick].sum(axis=1)
    drawn = drawn / sums["morning"].to_numpy()[pick].sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    cells = [name, hour, len(sums), *(f"{wape[way]:.4f}" for way in ways)]
    cells += [f"{wape['adjusted'] / wape['morning']:.3f} ({low:.3f} to {high:.3f})"]
    cells += [f"{wape['adjusted'] / wape['now']:.3f}"]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=40)
    options = parser.parse_args()
    print("| set | at | days | morning's forecast | made now | adjusted | to the morning's (95 %)"
          " | to made now |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name, make in (("bank-hourly", bank_hourly), ("technion-hourly", technion_hourly)):
        print("\n".join(one_set(name, make(), options.days)), flush=True)


if __name__ == "__main__":
    main()
