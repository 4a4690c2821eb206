"""What risk costs: training, scoring and reasons on made-up features of the usual shape.

    .venv/bin/python -m benchmarks.risk_cost [--share 0.1] [--threads 2]

50,000 customers at 26 as-of times to train on, 1,000,000 customers to score, the 50,000 riskiest of
them to explain; 230 features, six of which matter, the others as sparse as counts are; two thirds
can be causes of the hazards. Features are not part of the seconds. ``--share`` makes everything so
much smaller; seconds of CPU are printed beside the clock's, since a shared machine stretches the
latter. Prints the table of docs/benchmarks.md.

``--company 12000`` instead simulates a company of so many customers and 420 days, runs ``presage
train --only risk`` on it, and sets its CPU seconds beside those of the usual LightGBM
(models/risk/baselines.py) trained on the same rows, for the model and for the twin that judges it,
at 7, 14 and 30 days; what the LightGBM's columns take is not counted.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from benchmarks.running import presage, show
from data.snapshot import take
from data.workspace import Workspace
from features.labels import labels
from features.spine import customers_at
from models.risk.baselines import fit_baselines
from models.risk.model import RiskModel
from models.risk.plain import plain_rows
from models.risk.population import training_times
from models.risk.settings import RiskSettings
from models.risk.train import train_risk

FEATURES = 230
CAUSES = 6
HORIZONS = (7, 14, 30)


def features_of(customers: int, times: int, seed: int) -> pd.DataFrame:
    """Sparse counts, days since something with gaps, and three categories."""
    rng = np.random.default_rng(seed)
    rows = customers * times
    columns: dict[str, object] = {
        "customer_id": np.tile(np.arange(customers), times).astype("U8").astype(object),
        "as_of": np.repeat(pd.date_range("2026-01-05", periods=times, freq="7D"), customers),
    }
    for at in range(FEATURES - 3):
        values = rng.poisson(0.05 + 0.01 * at, rows).astype(np.float32)
        if at % 3 == 1:
            values = np.where(values > 0, rng.exponential(40, rows), np.nan).astype(np.float32)
        columns[f"source{at % 40}_count_{at}d"] = values
    for name, values_of in (("region", 8), ("plan", 4), ("topic", 12)):
        codes = rng.integers(0, values_of, rows)
        columns[f"customer_{name}"] = pd.Categorical.from_codes(
            codes, [str(v) for v in range(values_of)]
        )
    return pd.DataFrame(columns)


def labels_of(features: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Complaints of a hazard that six counts raise: some 3 % of rows within seven days."""
    rng = np.random.default_rng(seed)
    log_hazard = np.full(len(features), -6.0)
    for name in [c for c in features if "_count_" in c][: 3 * CAUSES : 3]:
        log_hazard += 0.8 * np.minimum(features[name].to_numpy(), 3)
    daily = np.exp(log_hazard)
    day = rng.exponential(1.0, len(features)) / daily
    labels = features[["customer_id", "as_of"]].copy()
    for h in HORIZONS:
        labels[f"label_{h}d"] = (day < h).astype(np.float64)
        labels[f"tickets_{h}d"] = (day < h) + rng.poisson(daily * h)
    for name, choices in (("topic", 6), ("channel", 4)):
        drawn = pd.Series(rng.integers(0, choices, len(features)).astype("U2"))
        labels[f"next_{name}"] = drawn.where(day < HORIZONS[-1])
    return labels


Result = TypeVar("Result")


def timed(what: Callable[[], Result]) -> tuple[Result, list[str]]:
    """The result, and wall seconds, CPU seconds and the peak memory of the process so far."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = what()
    times = [time.perf_counter() - wall, time.process_time() - cpu]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return result, [*(f"{seconds:.0f}" for seconds in times), f"{peak:.1f}"]


def trained(customers: int, threads: int) -> tuple[RiskModel, list[str]]:
    """The model of so many customers at 26 times, and what it took; its rows are forgotten."""
    features = features_of(customers, 26, seed=1)
    labels = labels_of(features, seed=2)
    settings = RiskSettings(num_threads=threads)
    cards = [
        {"name": name, "role": "ever" if at % 30 == 0 else "now"}
        for at, name in enumerate(c for c in features if "_count_" in c)
        if at % 3 != 1
    ]
    return timed(
        lambda: train_risk(features, labels, horizons=HORIZONS, settings=settings, cards=cards)
    )


def beside_lightgbm(customers: int, days: int, folder: Path) -> list[list[str]]:
    """Training of a whole company, and of the usual LightGBM on the same rows: CPU seconds."""
    log = folder / "log"
    place = folder / "company"
    presage("simulate", place, "--customers", customers, "--days", days, "--seed", 1, log=log)
    run = presage("train", place, "--only", "risk", log=log)
    opened = Workspace.open(place)
    tables = take(opened)
    end, settings = opened.default_as_of(), opened.settings
    spine = customers_at(tables, training_times(tables, end, HORIZONS, settings.risk))
    rows = plain_rows(tables, spine, settings.complaint)
    took = 0.0
    for known in (end, end - pd.Timedelta(days=51)):  # the twin is judged on a month and 3 weeks
        outcomes = labels(
            spine, tables, horizons=HORIZONS, known_as_of=known, complaint=settings.complaint
        )
        for horizon in HORIZONS:
            y = outcomes[f"label_{horizon}d"].to_numpy(np.float64)
            there = ~np.isnan(y)
            began = time.process_time()
            fit_baselines(rows[there], y[there], ("lightgbm",))
            took += time.process_time() - began
    ratio = run.cpu_seconds / took
    log_lines = Path(log).read_text().splitlines()
    print("\n".join(line for line in log_lines if "features" in line or "rows" in line))
    return [
        ["presage train --only risk", f"{run.cpu_seconds:.0f}", f"{run.seconds:.0f}",
         f"{run.peak_gib:.1f}", f"{ratio:.1f}"],
        ["usual LightGBM, model and twin", f"{took:.0f}", "", "", "1.0"],
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--company", type=int, help="customers of a company to train whole")
    parser.add_argument("--days", type=int, default=420)
    options = parser.parse_args()
    if options.company:
        with tempfile.TemporaryDirectory() as scratch:
            rows = beside_lightgbm(options.company, options.days, Path(scratch))
        header = ["what", "CPU seconds", "seconds", "peak GiB", "ratio"]
        show(header, rows)
        return
    threads, lines = options.threads, []
    customers = int(50_000 * options.share)
    model, cells = trained(customers, threads)
    lines.append([f"train: {customers} customers x 26 as-of times", "180 s, 6 GB", *cells])
    everybody = features_of(int(1_000_000 * options.share), 1, seed=3)
    scores, cells = timed(lambda: model.predict(everybody, num_threads=threads))
    lines.append([f"score: {len(everybody)} customers", "60 s", *cells])
    riskiest = everybody.iloc[np.argsort(-scores["risk_14d"].to_numpy())[:customers]]
    _, cells = timed(lambda: model.reasons(riskiest, num_threads=threads))
    lines.append([f"reasons: the {len(riskiest)} riskiest", "60 s", *cells])
    header = ["what", "bar", "seconds", "CPU seconds", "peak GiB of the process so far"]
    show(header, lines)


if __name__ == "__main__":
    main()
