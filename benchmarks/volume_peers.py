"""The open libraries' forecasts, made in an environment of their own.

Run by ``volume_environment.py`` with that environment's Python; nothing of Presage is imported.
Reads ``history.parquet`` and ``task.json`` of a folder and writes a file per method beside them:
``unique_id, ds, cutoff, median, lo-95, lo-80, hi-80, hi-95``. Each method is given what its
documentation shows for such data: the full grid with closed steps as 0, seasons of a day and a
week, the country's holidays where it takes them; answers are cut off at 0. A method sees the rows
up to the cutoff and nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

os.environ.setdefault("OMP_NUM_THREADS", "1")
COLUMNS = ["median", "lo-95", "lo-80", "hi-80", "hi-95"]
WINDOWS = 4


def seasonal_naive(past: pd.DataFrame, task: dict) -> pd.DataFrame:
    """statsforecast's, with its own intervals."""
    from statsforecast.models import SeasonalNaive

    return classical(past, task, SeasonalNaive(week(task)))


def auto_ets(past: pd.DataFrame, task: dict) -> pd.DataFrame:
    """Season of a week of days, of a day of hours (the longest it takes)."""
    from statsforecast.models import AutoETS

    return classical(past, task, AutoETS(season_length=7 if task["freq"] == "D" else 24))


def theta(past: pd.DataFrame, task: dict) -> pd.DataFrame:
    from statsforecast.models import Theta

    return classical(past, task, Theta(season_length=week(task)))


def mstl(past: pd.DataFrame, task: dict) -> pd.DataFrame:
    """Its default: the seasons taken out, AutoETS for the rest."""
    from statsforecast.models import MSTL, AutoETS

    seasons = [7] if task["freq"] == "D" else [24, 168]
    trend = AutoETS(model="ZZN")
    return classical(past, task, MSTL(season_length=seasons, trend_forecaster=trend))


def week(task: dict) -> int:
    return 7 if task["freq"] == "D" else 168


def classical(past: pd.DataFrame, task: dict, model: object) -> pd.DataFrame:
    """One statsforecast model on every series, the naive one where it cannot be fitted."""
    from statsforecast import StatsForecast
    from statsforecast.models import Naive

    alias = type(model).__name__
    forecast = StatsForecast([model], freq=task["freq"], fallback_model=Naive()).forecast(
        df=past, h=task["horizon"], level=[80, 95]
    )
    return named(forecast, alias)


def named(forecast: pd.DataFrame, alias: str) -> pd.DataFrame:
    columns = {f"{alias}-{name}": name for name in COLUMNS[1:]} | {alias: "median"}
    return forecast.rename(columns=columns)[["unique_id", "ds", *COLUMNS]]


def prophet(past: pd.DataFrame, task: dict) -> pd.DataFrame:
    """Defaults, with the country's holidays; intervals from its samples."""
    from prophet import Prophet

    parts = []
    for name, group in past.groupby("unique_id"):
        model = Prophet()
        for country in task["country"]:
            model.add_country_holidays(country)
        np.random.seed(0)  # noqa: NPY002 - Prophet draws from it
        model.fit(group[["ds", "y"]])
        ahead = model.make_future_dataframe(
            task["horizon"], freq=task["freq"], include_history=False
        )
        samples = model.predictive_samples(ahead)["yhat"]
        quantiles = np.quantile(samples, [0.5, 0.025, 0.1, 0.9, 0.975], axis=1)
        frame = pd.DataFrame(dict(zip(COLUMNS, quantiles, strict=True)))
        frame["median"] = model.predict(ahead)["yhat"].to_numpy()
        parts.append(frame.assign(unique_id=name, ds=ahead["ds"].to_numpy()))
    return pd.concat(parts, ignore_index=True)


def boosted(past: pd.DataFrame, task: dict) -> pd.DataFrame:
    """mlforecast's LightGBM as its guide has it: lags, rolling means, date parts, conformal."""
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.utils import PredictionIntervals

    daily = task["freq"] == "D"
    season = week(task)
    lags = [1, 2, 3, 7, 14, 21, 28] if daily else [1, 2, 3, 24, 48, 168, 336]
    parts = ["dayofweek", "day", "month"] if daily else ["hour", "dayofweek", "day"]
    model = lightgbm.LGBMRegressor(n_estimators=200, learning_rate=0.05, verbosity=-1, n_jobs=1)
    forecaster = MLForecast(
        models={"boosted": model},
        freq=task["freq"],
        lags=lags,
        lag_transforms={1: [RollingMean(season)], season: [RollingMean(season)]},
        date_features=parts,
    )
    longest = past.groupby("unique_id").size().min()
    room = longest - 4 * season - max(lags)
    windows = int(min(WINDOWS, room // task["horizon"]))
    intervals = None
    if windows >= 2:
        intervals = PredictionIntervals(n_windows=windows, h=task["horizon"])
    forecaster.fit(past, prediction_intervals=intervals)
    forecast = forecaster.predict(task["horizon"], level=[80, 95] if intervals else None)
    for name in COLUMNS[1:]:
        if f"boosted-{name}" not in forecast:
            forecast[f"boosted-{name}"] = np.nan
    return named(forecast, "boosted")


METHODS = {
    "seasonal naive": seasonal_naive,
    "AutoETS": auto_ets,
    "Theta": theta,
    "MSTL": mstl,
    "Prophet": prophet,
    "LightGBM (mlforecast)": boosted,
}


def full_grid(past: pd.DataFrame, freq: str, end: pd.Timestamp) -> pd.DataFrame:
    """Every series from its first count to the cutoff, steps without a row as 0."""
    parts = []
    for name, group in past.groupby("unique_id"):
        grid = pd.date_range(group["ds"].min(), end, freq=freq)
        y = group.set_index("ds")["y"].reindex(grid).fillna(0.0)
        parts.append(pd.DataFrame({"unique_id": str(name), "ds": grid, "y": y.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def main(folder: Path) -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    task = json.loads((folder / "task.json").read_text())
    history = pd.read_parquet(folder / "history.parquet")
    for name, method in METHODS.items():
        out = folder / f"{name}.parquet"
        if out.exists():
            continue
        begun, parts = time.perf_counter(), []
        for text in task["cutoffs"]:
            cutoff = pd.Timestamp(text)
            past = full_grid(history[history["ds"] <= cutoff], task["freq"], cutoff)
            forecast = method(past, task)
            forecast[COLUMNS] = forecast[COLUMNS].clip(lower=0.0)
            forecast.loc[forecast["median"].isna(), COLUMNS] = 0.0
            parts.append(forecast.assign(cutoff=cutoff))
        frame = pd.concat(parts, ignore_index=True)
        frame["seconds"] = time.perf_counter() - begun
        frame.to_parquet(out)
        print(f"  {name}: {frame['seconds'].iloc[0]:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
