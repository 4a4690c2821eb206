"""Companies of other makes: train and score each as a user would, and judge by soft labels.

    PRESAGE_DATA=... .venv/bin/python -m benchmarks.companies [--only a,b] [--keep DIR]

Below ``PRESAGE_DATA/companies`` lies one folder a company: tables as of a cutoff, the probability
of a complaint by an observer who knows the mechanism (``ideal_7`` ...) and by the hidden state
(``oracle_7`` ..., soft labels), and what five peers predicted. Each is copied into a workspace,
trained with ``presage train --only risk``, scored with ``presage score``. One line per company and
horizon, then the means.

Average precision is a share of the ideal observer's; ``/ best peer`` is over the peer that is best
there, chosen afterwards. Skill is of the log loss over the rate of the soft labels. "AUC expected"
is what the monitor says before any label is known, from the scores alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.running import presage, show
from models.metrics import average_precision, calibration_slope, ece, log_loss, roc_auc

HORIZONS = (7, 14, 30)
SURE = 1e-6
BAR = 0.03
"""How far the AUC that is expected before labels may be off."""


def scored(source: Path, folder: Path, log: Path) -> tuple[pd.DataFrame, float]:
    """The scores of every customer as of the cutoff, and the seconds that training took."""
    cutoff = json.loads((source / "cutoff.json").read_text())["cutoff"][:10]
    presage("init", folder, log=log)
    for file in sorted((source / "tables").glob("*.parquet")):
        shutil.copy(file, folder / "tables" / file.name)
    run = presage("train", folder, "--only", "risk", "--as-of", cutoff, log=log)
    out = folder / "scores.parquet"
    presage("score", folder, "--as-of", cutoff, "--out", out, log=log)
    return pd.read_parquet(out), run.seconds


def judged(source: Path, scores: pd.DataFrame) -> pd.DataFrame:
    """A row per horizon: ours, the ideal observer's and every peer's figures."""
    truth = pd.read_parquet(source / "truth.parquet")
    peers = pd.read_parquet(source / "peers.parquet")
    names = sorted(peers["peer"].unique())
    ours = truth[["customer_id"]].merge(scores, on="customer_id", how="left", validate="one_to_one")
    rows = []
    for h in HORIZONS:
        soft = truth[f"oracle_{h}"].to_numpy(np.float64)
        ideal = truth[f"ideal_{h}"].to_numpy(np.float64)
        rate = log_loss(soft, np.full(len(soft), soft.mean()))

        def skill(risk: np.ndarray, soft: np.ndarray = soft, rate: float = rate) -> float:
            return 1 - log_loss(soft, np.clip(risk, SURE, 1 - SURE)) / rate

        best = average_precision(soft, ideal)
        risk = ours[f"risk_{h}d"].to_numpy(np.float64)
        row: dict[str, object] = {
            "company": source.name,
            "horizon": h,
            "rate": soft.mean(),
            "ap": average_precision(soft, risk) / best,
            "skill": skill(risk),
            "ideal_skill": skill(ideal),
            "ece": ece(soft, risk),
            "slope": calibration_slope(soft, risk),
            "auc": roc_auc(soft, risk),
            "auc_expected": roc_auc(risk, risk),
        }
        for name in names:
            peer = peers[peers["peer"] == name]
            other = truth[["customer_id"]].merge(peer, on="customer_id", validate="one_to_one")
            value = other[f"risk_{h}d"].to_numpy(np.float64)
            row[f"ap {name}"] = average_precision(soft, value) / best
            row[f"skill {name}"] = skill(value)
        row["to_best"] = row["ap"] / max(row[f"ap {name}"] for name in names)  # type: ignore[operator]
        rows.append(row)
    return pd.DataFrame(rows)


def table(figures: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The header and the lines: each company and horizon, then the mean of each horizon."""
    names = [c.removeprefix("ap ") for c in figures.columns if c.startswith("ap ")]
    means = figures.groupby("horizon").mean(numeric_only=True).reset_index()
    means["company"] = "mean"
    lines = []
    for row in pd.concat([figures, means]).to_dict("records"):
        lines.append(
            [
                str(row["company"]),
                f"{row['horizon']:.0f} d",
                f"{row['rate']:.3f}",
                f"{row['ap']:.3f}",
                *(f"{row[f'ap {name}']:.3f}" for name in names),
                f"{row['to_best']:.3f}",
                f"{row['skill']:.4f}",
                f"{row['ideal_skill']:.4f}",
                f"{max(row[f'skill {name}'] for name in names):.4f}",
                f"{row['ece']:.4f}",
                f"{row['slope']:.2f}",
                f"{row['auc']:.3f}",
                f"{row['auc_expected']:.3f}",
            ]
        )
    header = ["company", "horizon", "rate", "AP", *(f"AP {name[2:]}" for name in names)]
    header += ["AP / best peer", "skill", "skill ideal", "skill best peer", "ECE", "slope"]
    header += ["AUC", "AUC expected"]
    return header, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="companies, by folder, with commas between")
    parser.add_argument("--kept", type=Path, help="judge the scores that --keep has left there")
    parser.add_argument("--keep", type=Path, help="keep the workspaces below this folder")
    options = parser.parse_args()
    data = os.environ.get("PRESAGE_DATA")
    if not data:
        raise SystemExit("PRESAGE_DATA is not set: it names the folder of the data sets")
    sources = sorted(path for path in (Path(data) / "companies").iterdir() if path.is_dir())
    if options.only:
        sources = [path for path in sources if path.name in options.only.split(",")]
    parts, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        base = options.keep or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        for source in sources:
            folder = base / source.name
            if options.kept:
                scores = pd.read_parquet(options.kept / source.name / "scores.parquet")
                parts.append(judged(source, scores))
                continue
            shutil.rmtree(folder, ignore_errors=True)
            scores, took = scored(source, folder, base / f"{source.name}.log")
            parts.append(judged(source, scores))
            seconds.append(took)
            print(f"{source.name}: trained in {took:.0f} s", flush=True)
    every = pd.concat(parts, ignore_index=True)
    show(*table(every))
    if seconds:
        print(f"\nTraining took {np.mean(seconds):.0f} s a company on the mean.")
    off = (every["auc"] - every["auc_expected"]).abs()
    print(
        f"The AUC expected before labels is at most {off.max():.3f} off, {off.mean():.3f} on the "
        f"mean; {(off <= BAR).sum()} of {len(off)} are within {BAR}."
    )


if __name__ == "__main__":
    main()
