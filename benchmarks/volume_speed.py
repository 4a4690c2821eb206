"""How long volume forecasts take, and what memory: each case in a process of its own.

    .venv/bin/python -m benchmarks.volume_speed [daily] [hourly] [wide] [monthly]

- daily: 40 daily series of two years, one cutoff, 28 steps (at most 20 s)
- hourly: one hourly series of two years, one cutoff, 168 steps (at most 15 s)
- wide: 10,000 daily series (99 channels x 99 topics and their 199 wholes), 28 steps, made coherent
  (at most 600 s and 4 GB)
- monthly: a backtest of 30 monthly series of ten years at 6 cutoffs, 12 steps each (at most 60 s)

Learning included: members, judge, intervals. One thread; start-up and the making of the series are
not counted in the seconds, but are in the peak of resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from models.volume import VolumeContext, backtest, forecast

ROOT = Path(__file__).resolve().parents[1]
BARS = {
    "daily": (20.0, None),
    "hourly": (15.0, None),
    "wide": (600.0, 4.0),
    "monthly": (60.0, None),
}
CUTOFFS = 6
CONTEXT = VolumeContext(country=("US",))
START = "2023-01-01"


def series(ids: list[str], ds: pd.DatetimeIndex, mean: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Poisson counts (series x steps) as a long table."""
    y = np.random.default_rng(seed).poisson(mean).astype(float)
    names = np.repeat(np.array(ids, dtype=object), len(ds))
    return pd.DataFrame({"unique_id": names, "ds": np.tile(ds, len(ids)), "y": y.reshape(-1)})


def weekly(ds: pd.DatetimeIndex) -> np.ndarray:
    return np.array([1.2, 1.1, 1.0, 1.0, 1.1, 0.4, 0.3])[ds.dayofweek]


def daily() -> tuple[pd.DataFrame, str, int]:
    ds = pd.date_range(START, periods=730)
    level = np.geomspace(1, 500, 40)[:, None]
    return series([f"s{i}" for i in range(40)], ds, level * weekly(ds)[None]), "D", 28


def hourly() -> tuple[pd.DataFrame, str, int]:
    ds = pd.date_range(START, periods=730 * 24, freq="h")
    shape = np.clip(np.sin((ds.hour.to_numpy() - 6) / 24 * 2 * np.pi), 0.05, None)
    return series(["calls"], ds, (60 * shape * weekly(ds))[None]), "h", 168


def wide() -> tuple[pd.DataFrame, str, int]:
    ds = pd.date_range(START, periods=200)
    rng = np.random.default_rng(1)
    cells = rng.poisson(rng.gamma(0.5, 4, (99, 99, 1)) * weekly(ds)[None, None]).astype(float)
    names = [f"channel=c{c}/topic=t{t}" for c in range(99) for t in range(99)]
    names += [f"channel=c{c}" for c in range(99)] + [f"topic=t{t}" for t in range(99)] + ["total"]
    sums = [cells.reshape(-1, 200), cells.sum(axis=1), cells.sum(axis=0)]
    y = np.concatenate([*sums, cells.sum(axis=(0, 1))[None]])
    long = np.repeat(np.array(names, dtype=object), 200)
    frame = pd.DataFrame({"unique_id": long, "ds": np.tile(ds, len(names)), "y": y.reshape(-1)})
    return frame, "D", 28


def monthly() -> tuple[pd.DataFrame, str, int]:
    ds = pd.date_range("2013-01-01", periods=120, freq="MS")
    year = 1 + 0.3 * np.sin((ds.month.to_numpy() - 3) / 12 * 2 * np.pi)
    level = np.geomspace(20, 5000, 30)[:, None]
    grown = np.linspace(1, 1.6, len(ds))
    return series([f"s{i}" for i in range(30)], ds, level * (year * grown)[None]), "MS", 12


def measure(case: str) -> dict[str, float]:
    """Seconds and memory of one case, in this process; the wide one is checked to add up."""
    table, freq, horizon = {"daily": daily, "hourly": hourly, "wide": wide, "monthly": monthly}[
        case
    ]()
    forecast(table.head(60), horizon=2, freq=freq, context=CONTEXT)  # loads the libraries
    wall, cpu = time.perf_counter(), time.process_time()
    if case == "monthly":
        ds = table["ds"].unique()
        cutoffs = [pd.Timestamp(at) for at in ds[-horizon - CUTOFFS : -horizon]]
        made = backtest(table, cutoffs=cutoffs, horizon=horizon, freq=freq, context=CONTEXT)
        assert made["cutoff"].nunique() == CUTOFFS
    else:
        made = forecast(table, horizon=horizon, freq=freq, context=CONTEXT)
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    if case == "wide":
        steps = made.pivot_table(index="ds", columns="unique_id", values="presage")
        parts = steps[[name for name in steps if "/" in name]].sum(axis=1)
        np.testing.assert_allclose(parts, steps["total"], rtol=1e-6)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {**seconds, "gib": peak, "series": float(table["unique_id"].nunique())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="|".join(BARS))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    print("| case | series | wall s | CPU s | at most s | peak GiB | at most GB |")
    print("|---|---|---|---|---|---|---|")
    for case in options.cases or BARS:
        command = [sys.executable, "-m", "benchmarks.volume_speed", "--measure", case]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        if process.returncode:
            raise SystemExit(f"{case}: exited {process.returncode}:\n{process.stderr[-2000:]}")
        figures = json.loads(process.stdout.splitlines()[-1])
        seconds, memory = BARS[case]
        cells = [
            case,
            f"{figures['series']:.0f}",
            f"{figures['wall']:.1f}",
            f"{figures['cpu']:.1f}",
        ]
        cells += [f"{seconds:.0f}", f"{figures['gib']:.2f}", memory or ""]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
