"""Volume forecasts on real series: ours and the named peers, on the same cutoffs.

    PRESAGE_DATA=... python benchmarks/volume.py [SET ...] [--cutoffs 12] [--peers few|all]

Prints a line per data set and method: WAPE (of the median), pinball loss relative to the mean
count, coverage of the 80 and 95 % intervals, cutoffs, seconds. Only steps with a count are
scored. Every method sees the rows up to the cutoff and nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.volume import baselines
from models.volume.context import VolumeContext
from models.volume.forecaster import backtest

DATA = Path(os.environ.get("PRESAGE_DATA", ""))


@dataclass(frozen=True)
class Series:
    """One data set as a volumes table, with how it is forecast."""

    history: pd.DataFrame
    freq: str
    horizon: int
    every: int
    country: tuple[str, ...] = ()


def _hourly(table: pd.DataFrame) -> pd.DataFrame:
    hour = table.assign(ds=table["ds"].dt.floor("h"))
    return hour.groupby(["unique_id", "ds"], as_index=False)["y"].sum()


def _daily(table: pd.DataFrame) -> pd.DataFrame:
    day = table.assign(ds=table["ds"].dt.floor("D"))
    return day.groupby(["unique_id", "ds"], as_index=False)["y"].sum()


def _counts(times: pd.Series, names: pd.Series, freq: str, first: str, last: str) -> pd.DataFrame:
    """Rows per name and step on the full grid (a step without a row is a count of 0)."""
    frame = pd.DataFrame({"unique_id": names.astype("str"), "ds": times.dt.floor(freq), "y": 1.0})
    frame = frame[(frame["ds"] >= first) & (frame["ds"] < last)]
    grid = pd.date_range(first, last, freq=freq, inclusive="left")
    wide = frame.pivot_table(index="ds", columns="unique_id", values="y", aggfunc="sum")
    wide = wide.reindex(grid).fillna(0.0).rename_axis("ds")
    return wide.reset_index().melt(id_vars="ds", var_name="unique_id", value_name="y")


def technion_hourly() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/technion_1999_hourly.parquet")
    return Series(table, "h", 168, 168, ("IL",))


def technion_daily() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/technion_1999_hourly.parquet")
    return Series(_daily(table), "D", 14, 7, ("IL",))


def bank_hourly() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/north_american_bank_5min.parquet")
    return Series(_hourly(table), "h", 168, 168, ("US",))


def bank_daily() -> Series:
    table = pd.read_parquet(DATA / "bank_calls/north_american_bank_5min.parquet")
    return Series(_daily(table), "D", 14, 7, ("US",))


def _requests(column: str, freq: str, most: int) -> pd.DataFrame:
    table = pd.read_parquet(DATA / "requests_311/boston_2011H2.parquet")
    top = table[column].value_counts().index[:most]
    table = table[table[column].isin(top)]
    return _counts(table["open_dt"], table[column], freq, "2011-07-01", "2012-01-01")


def requests_source() -> Series:
    return Series(_requests("source", "D", 8), "D", 14, 7, ("US",))


def requests_type() -> Series:
    return Series(_requests("type", "D", 25), "D", 14, 7, ("US",))


def requests_department() -> Series:
    return Series(_requests("department", "D", 8), "D", 14, 7, ("US",))


def requests_hourly() -> Series:
    return Series(_requests("source", "h", 4), "h", 168, 168, ("US",))


def incidents() -> Series:
    table = pd.read_parquet(DATA / "incidents/incident_event_log.parquet")
    first = table.sort_values("sys_mod_count").groupby("number", as_index=False).first()
    top = first["category"].value_counts().index[:15]
    first = first[first["category"].isin(top)]
    names = "category=" + first["category"].astype(int).astype(str)
    counts = _counts(first["opened_at"], names, "D", "2016-02-29", "2016-06-01")
    return Series(counts, "D", 7, 3)


def retail() -> Series:
    table = pd.read_parquet(DATA / "online_retail/online_retail_ii.parquet")
    baskets = table.groupby("basket_key", as_index=False).agg(
        ds=("InvoiceDate", "min"), cancelled=("is_cancel", "max")
    )
    names = baskets["cancelled"].map({True: "cancellations", False: "orders"})
    counts = _counts(baskets["ds"], names, "D", "2009-12-01", "2011-06-01")
    return Series(counts, "D", 14, 14, ("GB",))


SETS: dict[str, Callable[[], Series]] = {
    "technion-hourly": technion_hourly,
    "technion-daily": technion_daily,
    "bank-hourly": bank_hourly,
    "bank-daily": bank_daily,
    "requests-source": requests_source,
    "requests-type": requests_type,
    "requests-department": requests_department,
    "requests-hourly": requests_hourly,
    "incidents": incidents,
    "retail": retail,
}


def cutoffs_of(series: Series, most: int) -> list[pd.Timestamp]:
    """The last ``most`` cutoffs with a whole horizon after them, oldest first."""
    stamps = pd.date_range(series.history["ds"].min(), series.history["ds"].max(), freq=series.freq)
    last = len(stamps) - 1 - series.horizon
    first = 28 * (24 if series.freq == "h" else 1)
    places = [last - series.every * back for back in range(most)]
    return [stamps[place] for place in reversed(places) if place >= first]


def ours(series: Series, cutoffs: list[pd.Timestamp]) -> pd.DataFrame:
    context = VolumeContext(country=series.country)
    out = backtest(
        series.history, cutoffs=cutoffs, horizon=series.horizon, freq=series.freq, context=context
    )
    return out.rename(columns={"presage-median": "median"})


def peer(make: Callable[..., pd.DataFrame], series: Series, cutoffs: list[pd.Timestamp]):
    """A peer's forecasts at the same cutoffs; ``make(history, horizon, freq)`` -> a frame."""
    parts = []
    for cutoff in cutoffs:
        past = series.history[series.history["ds"] <= cutoff]
        made = make(past, horizon=series.horizon, freq=series.freq)
        parts.append(made.assign(cutoff=cutoff))
    out = pd.concat(parts, ignore_index=True)
    name = next(column for column in out.columns if column not in ("unique_id", "ds", "cutoff"))
    return out.rename(columns={name: "median"}).merge(
        series.history[["unique_id", "ds", "y"]], on=["unique_id", "ds"], how="left"
    )


def _each(history: pd.DataFrame, horizon: int, freq: str, fit: Callable) -> pd.DataFrame:
    """A statsmodels peer per series on the full grid, absent steps as 0 (its usual recipe)."""
    end = history["ds"].max()
    future = pd.date_range(end, periods=horizon + 1, freq=freq)[1:]
    parts = []
    for name, group in history.groupby("unique_id"):
        grid = pd.date_range(group["ds"].min(), end, freq=freq)
        y = group.set_index("ds")["y"].reindex(grid).fillna(0.0).to_numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = np.maximum(np.nan_to_num(fit(y, horizon, freq)), 0.0)
        parts.append(pd.DataFrame({"unique_id": name, "ds": future, "forecast": made}))
    return pd.concat(parts, ignore_index=True)


def auto_ets(y: np.ndarray, horizon: int, freq: str) -> np.ndarray:
    """Exponential smoothing with trend and season chosen by AICc (season a week, or a day)."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    period = 24 if freq == "h" else 7
    best, chosen = np.inf, None
    for trend, damped in ((None, False), ("add", True)):
        for seasonal in (None, "add", "mul"):
            if seasonal == "mul" and (y <= 0).any():
                continue
            fitted = ExponentialSmoothing(
                y,
                trend=trend,
                damped_trend=damped,
                seasonal=seasonal,
                seasonal_periods=period if seasonal else None,
                initialization_method="heuristic" if len(y) > 2 * period + 10 else "estimated",
            ).fit()
            if fitted.aicc < best:
                best, chosen = fitted.aicc, fitted
    return np.asarray(chosen.forecast(horizon))


def theta(y: np.ndarray, horizon: int, freq: str) -> np.ndarray:
    from statsmodels.tsa.forecasting.theta import ThetaModel

    period = 168 if freq == "h" else 7
    positive = (y > 0).all()
    model = ThetaModel(y, period=period, method="multiplicative" if positive else "additive")
    return np.asarray(model.fit().forecast(horizon))


def mstl(y: np.ndarray, horizon: int, freq: str) -> np.ndarray:
    """MSTL (day and week, or week), exponential smoothing of the rest, seasons repeated."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing
    from statsmodels.tsa.seasonal import MSTL

    periods = (24, 168) if freq == "h" else (7,)
    fitted = MSTL(y, periods=periods).fit()
    seasonal = np.asarray(fitted.seasonal).reshape(len(y), -1)
    rest = y - seasonal.sum(axis=1)
    made = ExponentialSmoothing(rest, trend="add", damped_trend=True).fit().forecast(horizon)
    total = np.asarray(made)
    for column, period in enumerate(periods):
        last = seasonal[-period:, column]
        total = total + np.resize(last, horizon)
    return total


PEERS: dict[str, Callable[..., pd.DataFrame]] = {
    "seasonal naive": baselines.seasonal_naive,
    "mean of 8 slots": baselines.mean_of_same_slots,
}
SLOW_PEERS: dict[str, Callable[..., pd.DataFrame]] = {
    "AutoETS": lambda past, horizon, freq: _each(past, horizon, freq, auto_ets),
    "Theta": lambda past, horizon, freq: _each(past, horizon, freq, theta),
    "MSTL": lambda past, horizon, freq: _each(past, horizon, freq, mstl),
}


def measure(out: pd.DataFrame) -> dict[str, float]:
    """WAPE of the median and, with intervals, coverage and mean pinball loss over the mean."""
    out = out[out["y"].notna()]
    y = out["y"].to_numpy()
    result = {"wape": float(np.abs(y - out["median"]).sum() / y.sum())}
    if "presage" in out:
        result["mean wape"] = float(np.abs(y - out["presage"]).sum() / y.sum())
        result["bias"] = float((out["presage"].sum() - y.sum()) / y.sum())
        for level in (80, 95):
            low, high = out[f"presage-lo-{level}"], out[f"presage-hi-{level}"]
            result[f"cover{level}"] = float(((y >= low - 1e-9) & (y <= high + 1e-9)).mean())
        result["pinball"] = _pinball(out, y)
        result["width80"] = float((out["presage-hi-80"] - out["presage-lo-80"]).sum() / y.sum())
    return result


def _pinball(out: pd.DataFrame, y: np.ndarray) -> float:
    """Mean pinball loss over the 2.5, 10, 50, 90 and 97.5 % quantiles, over the mean count."""
    names = {0.025: "presage-lo-95", 0.1: "presage-lo-80", 0.5: "median"}
    names |= {0.9: "presage-hi-80", 0.975: "presage-hi-95"}
    losses = [
        np.maximum(tau * (y - out[name]), (tau - 1) * (y - out[name])).mean()
        for tau, name in names.items()
    ]
    return float(np.mean(losses) / y.mean())


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=[])
    parser.add_argument("--cutoffs", type=int, default=12)
    parser.add_argument("--peers", choices=["none", "few", "all"], default="all")
    options = parser.parse_args(arguments)
    peers = {"none": {}, "few": PEERS, "all": PEERS | SLOW_PEERS}[options.peers]
    ratios: dict[str, list[float]] = {"best peer": [], "mean of 8 slots": []}
    print(
        f"{'set':20s} {'method':16s}   WAPE  mean-WAPE  bias   cover80 cover95 "
        "width80 pinball cuts  s"
    )
    for name in options.sets or SETS:
        series = SETS[name]()
        cutoffs = cutoffs_of(series, options.cutoffs)
        scores: dict[str, float] = {}
        for method in ("presage", *peers):
            begun = time.perf_counter()
            out = (
                ours(series, cutoffs)
                if method == "presage"
                else peer(peers[method], series, cutoffs)
            )
            took = time.perf_counter() - begun
            found = measure(out)
            scores[method] = found["wape"]
            tail = (
                f"{found['mean wape']:9.4f} {found['bias']:+7.3f} {found['cover80']:8.3f} "
                f"{found['cover95']:7.3f} {found['width80']:7.3f} {found['pinball']:7.4f}"
                if "bias" in found
                else " " * 50
            )
            print(
                f"{name:20s} {method:16s} {found['wape']:7.4f} {tail} "
                f"{len(cutoffs):4d} {took:7.1f}",
                flush=True,
            )
        if peers:
            others = {key: value for key, value in scores.items() if key != "presage"}
            best = min(others, key=lambda key: others[key])
            ratios["best peer"].append(scores["presage"] / others[best])
            ratios["mean of 8 slots"].append(scores["presage"] / others["mean of 8 slots"])
            print(
                f"{name:20s} ratio to the best peer ({best}) {ratios['best peer'][-1]:.3f}, to the "
                f"mean of 8 slots {ratios['mean of 8 slots'][-1]:.3f}"
            )
    for against, values in ratios.items():
        if values:
            ratio = np.exp(np.mean(np.log(values)))
            print(f"geometric mean of WAPE ratios to the {against}: {ratio:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
