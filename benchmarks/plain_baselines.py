"""Are the simple baselines honest? Companies of other makes, beside peers that others trained.

    PRESAGE_DATA=/path/to/data .venv/bin/python -m benchmarks.plain_baselines

On each company of ``$PRESAGE_DATA/companies`` the three baselines learn from the training times of
the cutoff and score its customers. Average precision against the hidden state's probabilities, as a
share of that of an observer who knows the mechanism, beside the stored logistic regression and
usual LightGBM. Then the issue tracker, at eight cutoffs, pooled, against what came.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.running import show
from data.settings import Settings
from data.tables import MemoryTables
from features.labels import labels
from features.spine import customers_at
from models.metrics import average_precision
from models.risk.baselines import BASELINES, fit_baselines
from models.risk.plain import plain_rows
from models.risk.population import training_times

HORIZONS = (7, 14, 30)
PEERS = {"rule": "b rule", "logistic": "c logistic RFM", "lightgbm": "d lgbm typical"}
SETTINGS = Settings()


def predictions_of(
    tables: MemoryTables, cutoff: datetime, of: pd.DataFrame
) -> dict[str, np.ndarray]:
    """``{baseline}_{h}d`` of the customers and moments of ``of``, learned by the cutoff."""
    complaint = SETTINGS.complaint
    spine = customers_at(tables, training_times(tables, cutoff, HORIZONS, SETTINGS.risk))
    outcomes = labels(spine, tables, horizons=HORIZONS, known_as_of=cutoff, complaint=complaint)
    past, now = plain_rows(tables, spine, complaint), plain_rows(tables, of, complaint)
    out = {}
    for h in HORIZONS:
        y = outcomes[f"label_{h}d"].to_numpy(np.float64)
        known = ~np.isnan(y)
        for name, model in fit_baselines(past[known], y[known]).items():
            out[f"{name}_{h}d"] = model(now)
    return out


def company(folder: Path) -> Iterator[list[str]]:
    """A line per horizon: each baseline's share of the ideal, and its peer's."""
    tables = tables_in(folder / "tables")
    cutoff = datetime.fromisoformat(json.loads((folder / "cutoff.json").read_text())["cutoff"])
    truth = pd.read_parquet(folder / "truth.parquet").set_index("customer_id")
    peers = pd.read_parquet(folder / "peers.parquet").set_index(["peer", "customer_id"])
    at = cutoff.replace(tzinfo=None)
    predictions = predictions_of(tables, at, spine_at(at, truth.index))
    for h in HORIZONS:
        soft = truth[f"oracle_{h}"].to_numpy()
        ideal = average_precision(soft, truth[f"ideal_{h}"].to_numpy())
        line = [folder.name, f"{h} d"]
        for name, peer in PEERS.items():
            theirs = peers.loc[peer].loc[truth.index, f"risk_{h}d"].to_numpy()
            both = (predictions[f"{name}_{h}d"], theirs)
            line += [f"{average_precision(soft, p) / ideal:.2f}" for p in both]
        yield line


def issue_tracker(folder: Path) -> Iterator[list[str]]:
    """A line per horizon: each baseline's average precision, pooled over eight monthly cutoffs."""
    tables = tables_in(folder)
    end = tables.frame("tickets", ["opened_at"])["opened_at"].max().to_pydatetime()
    rows = []
    for month in range(1, 9):
        cutoff = datetime(2009, month, 1)
        spine = customers_at(tables, [cutoff])
        outcomes = labels(
            spine, tables, horizons=HORIZONS, known_as_of=end, complaint=SETTINGS.complaint
        )
        rows.append(outcomes.assign(**predictions_of(tables, cutoff, spine)))
    pooled = pd.concat(rows)
    for h in HORIZONS:
        known = pooled[pooled[f"label_{h}d"].notna()]
        y = known[f"label_{h}d"].to_numpy(np.float64)
        figures = [average_precision(y, known[f"{name}_{h}d"]) for name in BASELINES]
        yield [f"{h} d", str(len(y)), f"{y.mean():.4f}", *(f"{figure:.3f}" for figure in figures)]


def tables_in(folder: Path) -> MemoryTables:
    return MemoryTables(
        {file.stem: pd.read_parquet(file) for file in sorted(folder.glob("*.parquet"))}
    )


def spine_at(moment: datetime, who: pd.Index) -> pd.DataFrame:
    when = np.full(len(who), np.datetime64(moment, "us"))
    return pd.DataFrame({"customer_id": who.to_numpy(), "as_of": when})


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    data = os.environ.get("PRESAGE_DATA")
    if not data:
        raise SystemExit("PRESAGE_DATA is not set: it names the folder of the data sets")
    root = Path(data)
    lines = [line for folder in sorted((root / "companies").glob("?")) for line in company(folder)]
    for h in HORIZONS:
        own = np.array([line[2:] for line in lines if line[1] == f"{h} d"], dtype=float)
        lines.append(["mean", f"{h} d", *(f"{value:.2f}" for value in own.mean(axis=0))])
    heads = [head for name in BASELINES for head in (name, f"{name} of others")]
    show(["company", "horizon", *heads], lines)
    print()
    tracker = list(issue_tracker(root / "issue_tracker"))
    show(["issue tracker", "rows", "base rate", *(f"AP {name}" for name in BASELINES)], tracker)


if __name__ == "__main__":
    main()
