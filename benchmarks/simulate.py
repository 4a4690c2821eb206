"""Seconds and peak memory of the simulated company.

    .venv/bin/python -m benchmarks.simulate

Makes 50,000 customers over 730 days (``--customers``, ``--days``) in a temporary folder, counts the
rows written, and says what the truth knows of them: the base rate of a complaint within 7 days, the
average precision of the true probabilities and of the recency-frequency rule on the same customers.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sklearn.metrics import average_precision_score, roc_auc_score

from data.simulate import Company, simulate, true_probabilities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        simulate(folder, chosen.customers, chosen.days, chosen.seed, progress=None)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(f"{chosen.customers} customers x {chosen.days} days, seed {chosen.seed}")
        print(f"wall {wall:.0f} s, CPU {cpu:.0f} s, peak memory {peak:.2f} GB")
        for part in ("tables", "truth"):
            for file in sorted(Path(folder, part).glob("*.parquet")):
                rows = pq.read_metadata(file).num_rows
                print(
                    f"  {part}/{file.stem:16s} {rows:>11,} rows {file.stat().st_size / 1e6:8.1f} MB"
                )
    signal(min(chosen.customers, 20_000), chosen.seed)


def signal(customers: int, seed: int, history: int = 300, horizon: int = 7) -> None:
    """What can be known: truth against the recency-frequency rule after 300 days."""
    company = Company(customers, history + 30, seed)
    size = company.world.size
    last, counts = np.full(size, -1e3), []
    for day in range(history):
        outcome = company.step()
        last[outcome.contacted] = day
        counts.append(outcome.contacted)
    often = np.sum(counts[-90:], axis=0) + 0.9 * np.exp((last - history) / 30)
    truth = true_probabilities(company, (horizon,), runs=8)
    who = np.array([int(c[1:]) for c in truth["customer_id"]])
    complained = np.zeros(size, dtype=bool)
    for _ in range(horizon):
        complained |= company.step().complained
    y, p = complained[who], truth[f"complaint_{horizon}d"].to_numpy()
    print(f"{customers} customers, day {history}: a complaint within {horizon} days")
    print(f"  base rate {y.mean():.4f}, mean true probability {p.mean():.4f}")
    for name, score in (("true probabilities", p), ("recency-frequency rule", often[who])):
        precision, area = average_precision_score(y, score), roc_auc_score(y, score)
        print(f"  {name:24s} average precision {precision:.3f}, AUC {area:.3f}")


if __name__ == "__main__":
    main()
