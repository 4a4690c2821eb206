"""Import, train, backtest, score and forecast the real data sets, as a person would type it.

    PRESAGE_DATA=... .venv/bin/python -m benchmarks.real [--only incidents] [--keep DIR]

Prints the two tables of docs/benchmarks.md. Average precision and AUC are pooled over the cutoffs;
the intervals are of the paired difference in average precision, resampled by customer. WAPE is of
the median forecast, pooled over cutoffs and bottom series; "8 slots" is the mean of the last
eight same slots.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.running import Run, presage
from data.workspace import Workspace
from models.metrics import average_precision, calibration_slope, paired_bootstrap, roc_auc, wape


@dataclass(frozen=True)
class RiskCase:
    """Which risk backtest a data set gets."""

    cutoffs: str
    horizons: str = "7,14,30"


@dataclass(frozen=True)
class VolumeCase:
    """Which volume backtest a data set gets: cutoffs in local time, from the last one backwards."""

    last_cutoff: str
    every_days: int
    cutoffs: int
    horizon: int
    freq: str


@dataclass(frozen=True)
class Case:
    """One data set: the adapter, the source below PRESAGE_DATA, and what is measured."""

    name: str
    adapter: str
    source: str
    risk: RiskCase | None = None
    volume: VolumeCase | None = None
    settings: dict[str, object] = field(default_factory=dict)


CASES = [
    Case(
        "online-retail",
        "online-retail",
        "online_retail/online_retail_ii.parquet",
        RiskCase("2010-12-01,2011-01-01,2011-02-01,2011-03-01,2011-04-01"),
        VolumeCase("2011-05-02", 14, 6, 28, "D"),
        {"risk.active_within_days": 180},
    ),
    Case(
        "incidents",
        "incidents",
        "incidents/incident_event_log.parquet",
        RiskCase("2016-04-18,2016-05-02,2016-05-16", "7,14"),
        VolumeCase("2016-05-17", 7, 5, 14, "D"),
    ),
    Case(
        "calls",
        "calls",
        "bank_calls/technion_1999_hourly.parquet",
        volume=VolumeCase("1999-09-16 23:00", 7, 12, 168, "h"),
    ),
    Case(
        "requests-311",
        "requests-311",
        "requests_311/boston_2011H2.parquet",
        volume=VolumeCase("2011-12-03", 7, 8, 28, "D"),
    ),
]


def risk_rows(case: Case, folder: Path, log: Path) -> tuple[list[list[object]], Run]:
    """A row a horizon of the risk table."""
    assert case.risk is not None
    out = folder / "risk.parquet"
    run = presage(
        "backtest",
        "risk",
        folder,
        "--cutoffs",
        case.risk.cutoffs,
        "--horizons",
        case.risk.horizons,
        "--out",
        out,
        log=log,
    )
    frame = pd.read_parquet(out)
    rows = []
    for days in case.risk.horizons.split(","):
        label = frame[f"label_{days}d"]
        known = label.notna()
        y = label[known].to_numpy(float)
        predictions = {
            name: frame.loc[known, f"{name}_{days}d"].to_numpy(float)
            for name in ("risk", "rule", "logistic")
        }
        groups = frame.loc[known, "customer_id"].to_numpy()
        gains = []
        for other in ("rule", "logistic"):
            d = paired_bootstrap(
                average_precision, y, predictions["risk"], predictions[other], groups=groups, seed=0
            )
            gains.append(f"{d[0]:+.3f} ({d[1]:+.3f} to {d[2]:+.3f})")
        slope = calibration_slope(y, predictions["risk"])
        rows.append(
            [
                case.name,
                f"{days} d",
                len(y),
                f"{y.mean():.3f}",
                *(f"{average_precision(y, p):.3f}" for p in predictions.values()),
                *gains,
                *(f"{roc_auc(y, p):.3f}" for p in predictions.values()),
                f"{slope if isinstance(slope, float) else slope[0]:.2f}",
            ]
        )
    return rows, run


def volume_row(case: Case, folder: Path, log: Path) -> tuple[list[object], Run]:
    """The row of the volume table."""
    assert case.volume is not None
    v = case.volume
    zone = Workspace.open(folder).settings.company.time_zone
    last = pd.Timestamp(v.last_cutoff, tz=zone)
    local = [last - i * pd.DateOffset(days=v.every_days) for i in range(v.cutoffs)]
    cutoffs = [t.tz_convert("UTC").tz_localize(None) for t in local]
    out = folder / "volume.parquet"
    run = presage(
        "backtest",
        "volume",
        folder,
        "--cutoffs",
        ",".join(t.isoformat() for t in cutoffs),
        "--horizon",
        v.horizon,
        "--freq",
        v.freq,
        "--out",
        out,
        log=log,
    )
    frame = pd.read_parquet(out)
    frame = frame[frame["y"].notna()]
    bottom = bottom_series(frame["unique_id"])
    lines = []
    for ids, name in ((frame["unique_id"].unique(), "all"), (bottom, "bottom")):
        part = frame[frame["unique_id"].isin(ids)]
        y = part["y"].to_numpy(float)
        lines.append((name, {m: wape(y, part[m].to_numpy(float)) for m in MEMBERS}))
    y = frame["y"].to_numpy(float)
    inside = (frame["presage-lo-80"] <= y) & (y <= frame["presage-hi-80"])
    busy = frame.groupby("unique_id")["y"].transform("mean") >= 5
    scores = dict(lines)["bottom"]
    row = [
        case.name,
        v.freq,
        frame["unique_id"].nunique(),
        len(cutoffs),
        f"{np.mean(y):.2f}",
        *(f"{scores[m]:.3f}" for m in MEMBERS),
        *(f"{dict(lines)['all'][m]:.3f}" for m in MEMBERS),
        f"{inside[busy].mean():.2f}" if busy.any() else "-",
        f"{inside.mean():.2f}",
    ]
    return row, run


MEMBERS = ("presage-median", "seasonal_naive", "mean_of_same_slots")


def bottom_series(ids: pd.Series) -> np.ndarray:
    """The series no other is a sum of: channel and topic both, or else whatever is deepest."""
    unique = ids.unique()
    depth = np.array([0 if i == "total" else 1 + i.count("/") for i in unique])
    return unique[depth == depth.max()]


def markdown(header: list[str], rows: list[list[object]]) -> str:
    """A table as Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one data set")
    parser.add_argument("--keep", type=Path, help="keep the workspaces below this folder")
    options = parser.parse_args()
    root = os.environ.get("PRESAGE_DATA")
    if not root:
        raise SystemExit("PRESAGE_DATA is not set: it names the folder of the real data sets")
    with tempfile.TemporaryDirectory() as scratch:
        base = options.keep or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        risk: list[list[object]] = []
        volume: list[list[object]] = []
        cost: list[list[object]] = []
        for case in CASES:
            if options.only and case.name != options.only:
                continue
            folder, log = base / case.name, base / f"{case.name}.log"
            runs = {
                "import": presage("import", case.adapter, Path(root) / case.source, folder, log=log)
            }
            write_settings(folder, case.settings)
            if case.volume and case.volume.freq != "h":
                write_settings(folder, {"volume.freq": case.volume.freq})
            if case.risk:
                runs["train"] = presage("train", folder, log=log)
                rows, runs["backtest risk"] = risk_rows(case, folder, log)
                risk += rows
                runs["score"] = presage("score", folder, "--out", folder / "scores.csv", log=log)
            if case.volume:
                if not case.risk:
                    runs["train"] = presage("train", folder, "--only", "volume", log=log)
                row, runs["backtest volume"] = volume_row(case, folder, log)
                volume.append(row)
                runs["forecast"] = presage(
                    "forecast",
                    folder,
                    "--freq",
                    case.volume.freq,
                    "--out",
                    folder / "f.csv",
                    log=log,
                )
            for verb, run in runs.items():
                cost.append([case.name, verb, f"{run.seconds:.1f}", f"{run.peak_gib:.2f}"])
            print(f"{case.name} done", flush=True)
        print(
            markdown(
                ["data set", "horizon", "rows", "base rate", "AP", "AP rule", "AP logistic"]
                + ["AP - rule (95 %)", "AP - logistic (95 %)", "AUC", "AUC rule", "AUC logistic"]
                + ["calibration slope"],
                risk,
            )
        )
        print()
        print(
            markdown(
                ["data set", "step", "series", "cutoffs", "mean count", "WAPE", "WAPE naive"]
                + ["WAPE 8 slots", "WAPE all nodes", "naive, all nodes", "8 slots, all nodes"]
                + ["80 % coverage (mean count >= 5)", "80 % coverage (all)"],
                volume,
            )
        )
        print()
        print(markdown(["data set", "verb", "seconds", "peak GiB"], cost))


def write_settings(folder: Path, settings: dict[str, object]) -> None:
    """What the case sets beyond what the adapter wrote."""
    from data.workspace import set_setting

    for name, value in settings.items():
        set_setting(folder, name, value)


if __name__ == "__main__":
    main()
