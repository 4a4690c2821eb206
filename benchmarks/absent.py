"""Columns and tables that are missing: our average precision beside the usual LightGBM's.

    PRESAGE_DATA=... .venv/bin/python -m benchmarks.absent [--only simulated] [--as-ofs 26]

A company's optional columns and tables are removed, each in turn, then random subsets of them. Each
time a model is learned as of one cutoff from what is left, and judged on the 14 days after it
beside the usual LightGBM of the same reduced tables. A simulated company is judged by its true
probabilities, the real sets by what came. Both learn from the same moments, the newest ``--as-ofs``
of them. The last line counts how often ours was below.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.risk import Case, real, simulated
from benchmarks.running import show
from data.contract import TABLES
from data.errors import DataError, NotEnoughHistory
from data.tables import MemoryTables
from models.metrics import average_precision, paired_bootstrap
from models.risk.backtest import backtest_risk

HORIZON = 14
READ = ("customers", "orders", "order_items", "usage", "tickets", "bot_sessions", "feedback",
        "article_events", "calendar", "treatments")  # fmt: skip
"""Tables that features read."""
NEEDED = ("tickets",)

Removed = frozenset[tuple[str, str]]
"""(table, column) pairs; an empty column means the whole table."""


def optional(tables: MemoryTables) -> list[tuple[str, str]]:
    """What can be missing: each optional column that has a value, and each optional table."""
    removable: list[tuple[str, str]] = []
    for name in READ:
        if not tables.has(name):
            continue
        if name not in NEEDED:
            removable.append((name, ""))
        contract = TABLES[name]
        frame = tables.frame(name)
        for column in contract.columns:
            fixed = column.required or column.name in (*contract.key, contract.birth, "customer_id")
            is_basic = column.name in (
                "is_complaint",
                "recorded_at",
                "deleted",
                "topic",
                "priority",
            )
            if (
                not fixed
                and not is_basic
                and column.name in frame
                and frame[column.name].notna().any()
            ):
                removable.append((name, column.name))
    return removable


def without(tables: MemoryTables, removed: Removed) -> MemoryTables:
    """The tables without those columns and tables."""
    frames = {}
    for name in READ:
        if not tables.has(name) or (name, "") in removed:
            continue
        gone = [column for table, column in removed if table == name]
        frame = tables.frame(name).drop(columns=["_row"], errors="ignore")
        frames[name] = frame.drop(columns=gone)
    return MemoryTables(frames)


def variants(tables: MemoryTables, subsets: int, seed: int) -> Iterator[tuple[str, Removed]]:
    """Nothing removed, then each in turn, then random subsets of a quarter to three quarters."""
    every = optional(tables)
    yield "(nothing)", frozenset()
    for table, column in every:
        yield f"{table}.{column}" if column else f"table {table}", frozenset({(table, column)})
    rng = np.random.default_rng(seed)
    for number in range(subsets):
        share = rng.uniform(0.25, 0.75)
        chosen = frozenset(pair for pair in every if rng.random() < share)
        yield f"subset {number + 1} ({len(chosen)} of {len(every)})", chosen


def row(case: Case, what: str, removed: Removed) -> list[str] | None:
    """A line of the table; None where too little is left to learn from."""
    try:
        frame = backtest_risk(
            without(case.tables, removed),
            case.cutoffs[-1:],
            (HORIZON,),
            case.settings,
            known_as_of=case.known_as_of,
            baselines=("lightgbm",),
            time_zone=case.settings.company.time_zone,
            countries=case.settings.company.country,
        )
    except (NotEnoughHistory, DataError) as error:
        print(f"{case.name}, without {what}: {error}", flush=True)
        return None
    y = frame[f"label_{HORIZON}d"].to_numpy(np.float64)
    if case.truth is not None:
        columns = ["customer_id", "cutoff", f"complaint_{HORIZON}d"]
        merged = frame.merge(case.truth[columns], on=["customer_id", "cutoff"], how="left")
        y = merged[f"complaint_{HORIZON}d"].to_numpy(np.float64)
    known = ~np.isnan(y)
    ours, other = (
        frame.loc[known, f"{name}_{HORIZON}d"].to_numpy(np.float64) for name in ("risk", "lightgbm")
    )
    groups = frame.loc[known, "customer_id"].to_numpy()
    gain = paired_bootstrap(average_precision, y[known], ours, other, groups=groups, seed=0)
    values = [average_precision(y[known], p) for p in (ours, other)]
    return [
        case.name,
        what,
        f"{values[0]:.4f}",
        f"{values[1]:.4f}",
        f"{values[0] / values[1]:.3f}",
        f"{gain.estimate:+.4f} ({gain.low:+.4f}, {gain.high:+.4f})",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("simulated", "online retail", "incidents"))
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--days", type=int, default=300)
    parser.add_argument("--subsets", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--as-ofs", type=int, default=26, help="moments to learn from")
    options = parser.parse_args()
    cases: list[Case] = []
    if options.only in (None, "simulated"):
        cases.append(simulated(options.seed, options.customers, options.days, truth_runs=32))
    data = os.environ.get("PRESAGE_DATA")
    if options.only != "simulated" and data:
        cases += [c for c in real(Path(data)) if options.only in (None, c.name)]
    lines = []
    for whole in cases:
        risk = replace(whole.settings.risk, as_ofs=options.as_ofs)
        case = replace(whole, settings=replace(whole.settings, risk=risk))
        for what, removed in variants(case.tables, options.subsets, options.seed):
            cells = row(case, what, removed)
            if cells is not None:
                lines.append(cells)
                print("| " + " | ".join(cells) + " |", flush=True)
    header = ["company", "without", "AP", "AP usual LightGBM", "ratio", "difference (95 %)"]
    print()
    show(header, sorted(lines, key=lambda line: float(line[4])))
    below = [line for line in lines if float(line[4]) < 1]
    surely = [line for line in below if float(line[5].split(", ")[1].rstrip(")")) < 0]
    print(f"\n{len(lines)} times judged: {len(below)} below 1, {len(surely)} beyond noise.")


if __name__ == "__main__":
    main()
