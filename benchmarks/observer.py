"""Proof of the ideal observer.

    .venv/bin/python -m benchmarks.observer [--customers 8000] [--seeds 1,2]

Simulated companies are stopped at several moments. At each, the observer tells every customer's
chance of a complaint from the tables alone, and the truth tells it from the whole state (soft
labels). Printed per horizon: rows, rate, predicted over true, calibration slope, ECE in ten equal
bins, the ECE that chance alone gives a perfect observer of as many rows, the top 5 %, average
precision and log-loss skill of observer and truth, and the root mean square of the observer's
Monte Carlo error (from the difference of two halves of its runs). Bins are made by the prediction
itself and, as ``crossed``, by one half of the runs while the other half is judged, so that their
noise cannot sort the rows.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.simulate import Company, true_probabilities
from lab.observer import observer
from models.metrics import average_precision, calibration_slope, ece, log_loss

Floats = npt.NDArray[np.float64]
HORIZONS = (7, 14, 30)


def chances(customers: int, seed: int, days: list[int], runs: int, truth_runs: int) -> pd.DataFrame:
    """A row a customer and moment: ``truth_7d``, and ``a_7d``, ``b_7d`` by halves of the runs."""
    company, parts = Company(customers, max(days), seed, hazard_every=0), []
    while company.day < max(days):
        company.step()
        if company.day not in days:
            continue
        began = time.process_time()
        truth = true_probabilities(company, HORIZONS, truth_runs, of=("complaint",))
        truth = truth.rename(columns={f"complaint_{h}d": f"truth_{h}d" for h in HORIZONS})
        tables = company.tables()
        for half, name in enumerate("ab"):
            estimate = observer(tables, [company.now], HORIZONS, runs=runs // 2, seed=half)
            estimate = estimate[["customer_id", *(f"complaint_{h}d" for h in HORIZONS)]]
            estimate = estimate.rename(
                columns={f"complaint_{h}d": f"{name}_{h}d" for h in HORIZONS}
            )
            truth = truth.merge(estimate, on="customer_id", how="left", validate="one_to_one")
        spent = time.process_time() - began
        print(f"seed {seed}, day {company.day}: {len(truth)} rows, CPU {spent:.0f} s", flush=True)
        parts.append(truth.assign(seed=seed))
    return pd.concat(parts, ignore_index=True)


def crossed(soft: Floats, sorter: Floats, judged: Floats, bins: int = 10) -> float:
    """The ECE of ``judged`` in equal-mass bins of ``sorter``."""
    at = np.argsort(np.argsort(sorter, kind="stable")) * bins // len(sorter)
    gap = np.bincount(at, soft - judged, bins)
    return float(abs(gap).sum() / len(soft))


def by_chance(soft: Floats, predicted: Floats, rng: np.random.Generator, times: int = 20) -> float:
    """The mean ECE of a perfect prediction: soft labels redrawn among those of equal prediction.

    200 groups of equal size are equal enough; within one the redrawn labels keep their scatter.
    """
    groups = np.array_split(np.argsort(predicted, kind="stable"), 200)
    errors = []
    for _ in range(times):
        level, redrawn = np.empty(len(soft)), np.empty(len(soft))
        for group in groups:
            level[group] = soft[group].mean() + 1e-9 * np.arange(len(group))
            redrawn[group] = rng.choice(soft[group], len(group))
        errors.append(ece(redrawn, level))
    return float(np.mean(errors))


def row(frame: pd.DataFrame, horizon: int, rng: np.random.Generator) -> list[str]:
    """A line of the table."""
    soft, a, b = (frame[f"{name}_{horizon}d"].to_numpy(np.float64) for name in ("truth", "a", "b"))
    mean = (a + b) / 2
    top = mean >= np.quantile(mean, 0.95)
    constant = np.full(len(soft), soft.mean())
    skill = [1 - log_loss(soft, p) / log_loss(soft, constant) for p in (mean, soft)]
    precision = [average_precision(soft, p) for p in (mean, soft)]
    return [
        f"{horizon} d",
        f"{len(soft)}",
        f"{soft.mean():.4f}",
        f"{mean.mean() / soft.mean():.3f}",
        f"{calibration_slope(soft, mean):.3f}",
        f"{ece(soft, mean):.5f}",
        f"{(crossed(soft, a, b) + crossed(soft, b, a)) / 2:.5f}",
        f"{by_chance(soft, mean, rng):.5f}",
        f"{soft[top].mean() / mean[top].mean():.3f}",
        f"{precision[0]:.3f} / {precision[1]:.3f}",
        f"{skill[0]:.3f} / {skill[1]:.3f}",
        f"{np.sqrt(((a - b) ** 2).mean()) / 2:.4f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=8_000)
    parser.add_argument("--seeds", default="1,2,3,4")
    parser.add_argument("--days", default="150,225")
    parser.add_argument("--runs", type=int, default=128)
    parser.add_argument("--truth-runs", type=int, default=64)
    options = parser.parse_args()
    days = [int(day) for day in options.days.split(",")]
    frame = pd.concat(
        [
            chances(options.customers, int(seed), days, options.runs, options.truth_runs)
            for seed in options.seeds.split(",")
        ]
    )
    rng = np.random.default_rng(0)
    header = ["horizon", "rows", "rate", "predicted / true", "slope", "ECE", "ECE crossed"]
    header += ["ECE by chance", "top 5 % true / predicted", "AP observer / truth"]
    header += ["skill observer / truth", "Monte Carlo error"]
    for line in (header, ["---"] * len(header), *(row(frame, h, rng) for h in HORIZONS)):
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
