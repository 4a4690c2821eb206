"""Risk and volume on the simulated company, beside their baselines, over several seeds.

    .venv/bin/python benchmarks/simulated.py [--customers 4000] [--days 540] [--seeds 11,12,13,14]

Per seed: a company is simulated; risk is backtested at three cutoffs and volume at four, with what
was known then. Prints one line a seed and the mean over seeds with its paired interval.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from real import MEMBERS, bottom_series, markdown
from running import presage

from data.workspace import Workspace
from models.metrics import average_precision, calibration_slope, paired_bootstrap, wape

HORIZONS = (7, 14, 30)
RIVALS = ("rule", "logistic")


def one_seed(seed: int, customers: int, days: int, folder: Path) -> dict[str, object]:
    """Everything that is reported of one company."""
    log = folder.with_suffix(".log")
    presage("simulate", folder, "--customers", customers, "--days", days, "--seed", seed, log=log)
    end = pd.Timestamp(Workspace.open(folder).default_as_of())
    cutoffs = [end - pd.Timedelta(days=d) for d in (86, 58, 30)]
    out = folder / "risk.parquet"
    listed = ",".join(t.isoformat() for t in cutoffs)
    risk_run = presage("backtest", "risk", folder, "--cutoffs", listed, "--out", out, log=log)
    risk = pd.read_parquet(out)
    out = folder / "volume.parquet"
    starts = [end - pd.Timedelta(days=d + 1) for d in (112, 84, 56, 28)]
    listed = ",".join(t.isoformat() for t in starts)
    volume_run = presage(
        "backtest", "volume", folder, "--cutoffs", listed, "--horizon", 28, "--freq", "D",
        "--out", out, log=log,
    )  # fmt: skip
    return {
        "seed": seed,
        "risk": risk,
        "volume": pd.read_parquet(out),
        "risk_run": risk_run,
        "volume_run": volume_run,
    }


def risk_row(frame: pd.DataFrame, seed: object, horizon: int) -> list[object]:
    """One line of the risk table."""
    y = frame[f"label_{horizon}d"].to_numpy(float)
    p = {name: frame[f"{name}_{horizon}d"].to_numpy(float) for name in ("risk", *RIVALS)}
    ours = average_precision(y, p["risk"])
    groups = frame["customer_id"].to_numpy()
    gains = []
    for rival in RIVALS:
        gain = paired_bootstrap(average_precision, y, p["risk"], p[rival], groups=groups, seed=0)
        gains.append(f"{gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")
    slope = calibration_slope(y, p["risk"])
    rivals = [f"{average_precision(y, p[r]):.3f}" for r in RIVALS]
    return [
        seed, f"{horizon} d", len(y), f"{y.mean():.3%}", f"{ours:.3f}", *rivals, *gains,
        f"{slope:.2f}", f"{y.mean() / p['risk'].mean():.2f}",
    ]  # fmt: skip


def volume_row(frame: pd.DataFrame, seed: object) -> list[object]:
    """One line of the volume table: WAPE over channel x topic series, total, and coverage."""
    frame = frame[frame["y"].notna()]
    bottom = frame[frame["unique_id"].isin(bottom_series(frame["unique_id"]))]
    total = frame[frame["unique_id"] == "total"]
    told = []
    for part in (bottom, total):
        y = part["y"].to_numpy(float)
        told += [f"{wape(y, part[m].to_numpy(float)):.3f}" for m in MEMBERS]
    inside = (frame["presage-lo-80"] <= frame["y"]) & (frame["y"] <= frame["presage-hi-80"])
    busy = frame.groupby("unique_id")["y"].transform("mean") >= 5
    return [seed, bottom["unique_id"].nunique(), *told, f"{inside[busy].mean():.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--days", type=int, default=540)
    parser.add_argument("--seeds", default="11,12,13,14")
    parser.add_argument("--keep", type=Path, help="keep the workspaces below this folder")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        base = options.keep or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        found = []
        for seed in seeds:
            found.append(one_seed(seed, options.customers, options.days, base / f"seed-{seed}"))
            print(f"seed {seed} done", flush=True)
    # customers of different companies are different people
    pooled = pd.concat(
        [f["risk"].assign(customer_id=f"{f['seed']}/" + f["risk"]["customer_id"]) for f in found],
        ignore_index=True,
    )
    rows = [risk_row(f["risk"], f["seed"], h) for f in found for h in HORIZONS]
    rows += [risk_row(pooled, "all", h) for h in HORIZONS]
    print(
        markdown(
            ["seed", "horizon", "rows", "base rate", "AP", "AP rule", "AP logistic"]
            + ["AP - rule (95 %)", "AP - logistic (95 %)", "calibration slope"]
            + ["observed / predicted"],
            rows,
        )
    )
    for h in HORIZONS:
        gains = {
            rival: np.array(
                [
                    average_precision(f["risk"][f"label_{h}d"], f["risk"][f"risk_{h}d"])
                    - average_precision(f["risk"][f"label_{h}d"], f["risk"][f"{rival}_{h}d"])
                    for f in found
                ]
            )
            for rival in RIVALS
        }
        told = [f"{r} {g.mean():+.4f} (each: {np.round(g, 3)})" for r, g in gains.items()]
        print(f"\nmean over seeds, {h} days, average precision gained over: " + "; ".join(told))
    print()
    print(
        markdown(
            ["seed", "series", "WAPE", "naive", "8 slots", "WAPE total", "naive, total"]
            + ["8 slots, total", "80 % coverage (mean count >= 5)"],
            [volume_row(f["volume"], f["seed"]) for f in found],
        )
    )
    seconds = [f"{f['risk_run'].seconds:.0f} / {f['volume_run'].seconds:.0f}" for f in found]
    peak = max(run.peak_gib for f in found for run in (f["risk_run"], f["volume_run"]))
    print(f"\nseconds of the risk / volume backtests: {', '.join(seconds)}; peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
