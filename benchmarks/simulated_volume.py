"""Volume on the simulated company, beside its two baselines, over several seeds.

    .venv/bin/python -m benchmarks.simulated_volume [--customers 3000] [--days 420] [--seeds 11,12]

A company is simulated per seed and daily volume is backtested four weeks ahead from four cutoffs,
by the command line. Risk on simulated companies is in benchmarks/risk.py.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.real import MEMBERS, bottom_series, markdown
from benchmarks.running import presage
from data.workspace import Workspace
from models.metrics import wape


def one_seed(seed: int, customers: int, days: int, folder: Path) -> list[object]:
    """A line of the table: WAPE of channel x topic series, of the total, coverage, seconds."""
    log = folder.with_suffix(".log")
    presage("simulate", folder, "--customers", customers, "--days", days, "--seed", seed, log=log)
    opened = Workspace.open(folder)
    zone = opened.settings.company.time_zone
    end = pd.Timestamp(opened.default_as_of(), tz="UTC").tz_convert(zone)
    starts = [(end - pd.DateOffset(days=d + 1)).tz_convert(None) for d in (112, 84, 56, 28)]
    out = folder / "volume.parquet"
    listed = ",".join(t.isoformat() for t in starts)
    run = presage(
        "backtest", "volume", folder, "--cutoffs", listed, "--horizon", 28, "--freq", "D",
        "--out", out, log=log,
    )  # fmt: skip
    frame = pd.read_parquet(out)
    frame = frame[frame["y"].notna()]
    errors: list[object] = []
    bottom = frame["unique_id"].isin(bottom_series(frame["unique_id"]))
    for part in (frame[bottom], frame[frame["unique_id"] == "total"]):
        y = part["y"].to_numpy(float)
        errors += [f"{wape(y, part[m].to_numpy(float)):.3f}" for m in MEMBERS]
    inside = (frame["presage-lo-80"] <= frame["y"]) & (frame["y"] <= frame["presage-hi-80"])
    busy = frame.groupby("unique_id")["y"].transform("mean") >= 5
    series = frame.loc[bottom, "unique_id"].nunique()
    return [seed, series, *errors, f"{inside[busy].mean():.2f}", f"{run.seconds:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--days", type=int, default=420)
    parser.add_argument("--seeds", default="11,12,13,14")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = [
            one_seed(int(seed), options.customers, options.days, Path(scratch) / f"seed-{seed}")
            for seed in options.seeds.split(",")
        ]
    header = ["seed", "channel x topic series", "WAPE", "naive", "8 slots", "WAPE of the total"]
    header += ["naive, total", "8 slots, total", "80 % coverage (mean count >= 5)", "seconds"]
    print(markdown(header, rows))


if __name__ == "__main__":
    main()
