"""Risk against the simple baselines: simulated companies with known truth, and the real data sets.

    .venv/bin/python -m benchmarks.risk [--only simulated] [--customers 3000] [--seeds 1,2,3,4]

Prints the tables of docs/benchmarks.md: average precision pooled over cutoffs, its paired gain on
each baseline with the 95 % interval over resampled customers, log loss, calibration slope, and
predicted over observed complaints. Simulated companies are also judged against their true
probabilities (soft labels) and, in a second table, beside the ideal observer of the same tables
(``benchmarks/ideal.py``; ``--observer-runs 0`` leaves it out); the last lines of theirs pool all
seeds. The real data sets are read below PRESAGE_DATA and left out where that is not set.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from benchmarks import ideal
from benchmarks.running import show
from data.adapters import adapter
from data.settings import Complaint, Risk, Settings
from data.settings_tree import Company as Place
from data.simulate import Company, true_probabilities
from data.tables import MemoryTables
from models.metrics import (
    average_precision,
    calibration_slope,
    ece,
    log_loss,
    observed_over_predicted,
    paired_bootstrap,
)
from models.risk.backtest import backtest_risk

BASELINES = ("rule", "logistic", "lightgbm")


@dataclass(frozen=True)
class Case:
    """One company: its tables, when to judge, and the truth as of the cutoffs where known."""

    name: str
    tables: MemoryTables
    settings: Settings
    cutoffs: Sequence[datetime]
    horizons: tuple[int, ...]
    known_as_of: datetime
    truth: pd.DataFrame | None = None
    ideal: pd.DataFrame | None = None


def simulated(
    seed: int, customers: int, days: int, truth_runs: int, observer_runs: int = 0
) -> Case:
    """A company judged twice: two months before its end and one month before."""
    company = Company(customers, days, seed, hazard_every=0)
    cutoffs, truth = [], []
    while company.day < days:
        if company.day in (days - 61, days - 31):
            cutoffs.append(company.now)
            if truth_runs:
                truth.append(
                    true_probabilities(company, (7, 14, 30), truth_runs, of=("complaint",))
                )
        company.step()
    known_truth = pd.concat(truth).rename(columns={"as_of": "cutoff"}) if truth else None
    frames, name = company.tables(), f"simulated {seed}"
    beside = ideal.beside(frames, cutoffs, (7, 14, 30), observer_runs) if observer_runs else None
    tables, until = MemoryTables(frames), company.now
    settings = Settings(company=Place(time_zone="Europe/Oslo"))
    return Case(name, tables, settings, cutoffs, (7, 14, 30), until, known_truth, beside)


def real(root: Path) -> Iterator[Case]:
    """Online retail (customers active in 180 days) and incidents (the caller's next one)."""
    shop = adapter("online-retail").read(root / "online_retail/online_retail_ii.parquet", {})
    yield Case(
        "online retail",
        MemoryTables(shop.tables),
        Settings(risk=Risk(active_within_days=180), company=_place(shop.settings)),
        [datetime(2010, 12, 1), *(datetime(2011, month, 1) for month in (1, 2, 3, 4))],
        (7, 14, 30),
        _moment(shop.settings["data.complete_to"]),
    )
    desk = adapter("incidents").read(root / "incidents/incident_event_log.parquet", {})
    yield Case(
        "incidents",
        MemoryTables(desk.tables),
        Settings(complaint=Complaint(all=True)),
        [datetime(2016, 4, 18), datetime(2016, 5, 2), datetime(2016, 5, 16)],
        (7, 14),
        _moment(desk.settings["data.complete_to"]),
    )


def public(root: Path, eclipse: Path | None) -> Iterator[Case]:
    """Issue trackers, on which nothing was chosen: a reporter's next defect, or report."""
    folder = root / "issue_tracker"
    tables = {file.stem: pd.read_parquet(file) for file in sorted(folder.glob("*.parquet"))}
    # a reporter's sign-up was derived from their first ticket, so it tells the outcome
    tables.pop("customers", None)
    yield Case(
        "issue tracker",
        MemoryTables(tables),
        Settings(),
        [datetime(2009, month, 1) for month in range(1, 9)],
        (7, 14, 30),
        datetime(2009, 9, 1),
    )
    if eclipse is not None:
        yield Case(
            "Eclipse reports",
            MemoryTables({"tickets": eclipse_reports(eclipse)}),
            Settings(complaint=Complaint(all=True)),
            [datetime(2008, month, 1) for month in range(1, 9)],
            (7, 14, 30),
            datetime(2008, 10, 1),
        )


def eclipse_reports(file: Path) -> pd.DataFrame:
    """Tickets of ``reports.xml`` in the Mozilla and Eclipse Defect Tracking Dataset (Lamkanfi,
    Perez & Demeyer, MSR 2013): 24,775 reports on Eclipse Platform, by reporter and time."""
    reports = [
        (str(report.get("id")), str(report.findtext("reporter")), report.findtext("opening_time"))
        for report in ElementTree.parse(file).getroot().iter("report")
    ]
    frame = pd.DataFrame(reports, columns=["ticket_id", "customer_id", "opened_at"])
    frame["opened_at"] = pd.to_datetime(frame["opened_at"].astype("int64"), unit="s")
    return frame.assign(channel="tracker")


def _place(settings: Mapping[str, object]) -> Place:
    """Where the export says that its company is: whose holidays count, and whose days."""
    return Place(
        country=(str(settings["company.country"]),), time_zone=str(settings["company.time_zone"])
    )


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def judged(case: Case, seed: int) -> pd.DataFrame:
    """The backtest's rows, with ``truth_7d`` ... where the truth is known."""
    began = time.perf_counter()
    frame = backtest_risk(
        case.tables,
        case.cutoffs,
        case.horizons,
        case.settings,
        known_as_of=case.known_as_of,
        baselines=BASELINES,
        seed=seed,
        time_zone=case.settings.company.time_zone,
        countries=case.settings.company.country,
    )
    print(f"{case.name}: {len(frame)} rows in {time.perf_counter() - began:.0f} s", flush=True)
    keys = ["customer_id", "cutoff"]
    if case.ideal is not None:
        frame = frame.merge(case.ideal, on=keys, how="left", validate="one_to_one")
    if case.truth is None:
        return frame
    columns = {f"complaint_{h}d": f"truth_{h}d" for h in case.horizons}
    truth = case.truth[[*keys, *columns]].rename(columns=columns)
    return frame.merge(truth, on=keys, how="left", validate="one_to_one")


def rows_of(name: str, frame: pd.DataFrame, horizons: Sequence[int]) -> list[list[str]]:
    """A row of the table per horizon."""
    out = []
    for h in horizons:
        known = frame[frame[f"label_{h}d"].notna()]
        y, risk = (known[f"{c}_{h}d"].to_numpy(np.float64) for c in ("label", "risk"))
        others = {b: known[f"{b}_{h}d"].to_numpy(np.float64) for b in BASELINES}
        row = [name, f"{h} d", f"{len(y)}", f"{y.mean():.3f}", f"{average_precision(y, risk):.3f}"]
        for other in others.values():
            gain = paired_bootstrap(
                average_precision, y, risk, other, groups=known["customer_id"].to_numpy()
            )
            row.append(f"{gain.estimate:+.3f} ({gain.low:+.3f}, {gain.high:+.3f})")
        strongest = max(average_precision(y, p) for p in others.values())
        row.append(f"{average_precision(y, risk) / strongest:.3f}")
        best = min(others.values(), key=lambda p: log_loss(y, p))
        less = paired_bootstrap(log_loss, y, risk, best, groups=known["customer_id"].to_numpy())
        row.append(f"{less.estimate:+.4f} ({less.low:+.4f}, {less.high:+.4f})")
        row.append(f"{calibration_slope(y, risk):.2f}")
        row.append(f"{1 / observed_over_predicted(y, risk):.2f}")
        truth = f"truth_{h}d"
        if truth in known:
            soft = known[truth].to_numpy(np.float64)
            share = average_precision(soft, risk) / average_precision(soft, soft)
            row += [
                f"{share:.2f}",
                f"{calibration_slope(soft, risk):.2f}",
                f"{ece(soft, risk):.4f}",
            ]
        else:
            row += ["", "", ""]
        out.append(row)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("simulated", "real", "public"))
    parser.add_argument("--eclipse", type=Path, help="reports.xml of Eclipse Platform")
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--days", type=int, default=540)
    parser.add_argument("--seeds", default="1,2,3,4")
    parser.add_argument("--truth-runs", type=int, default=32)
    parser.add_argument("--observer-runs", type=int, default=128)
    options = parser.parse_args()
    table: list[list[str]] = []
    beside: list[list[list[str]]] = []
    if options.only in (None, "simulated"):
        pool = []
        for seed in map(int, options.seeds.split(",")):
            case = simulated(
                seed,
                options.customers,
                options.days,
                options.truth_runs,
                options.observer_runs if options.truth_runs else 0,
            )
            frame = judged(case, seed=0)
            frame["customer_id"] = frame["customer_id"] + f"@{seed}"
            table += rows_of(case.name, frame, case.horizons)
            if case.ideal is not None:
                beside.append(ideal.rows(case.name, frame, case.horizons))
            pool.append(frame)
        pooled = pd.concat(pool, ignore_index=True)
        table += rows_of("simulated, pooled", pooled, (7, 14, 30))
        if beside:
            means = ideal.mean_of_seeds(beside)
            beside += [ideal.rows("simulated, pooled", pooled, (7, 14, 30)), means]
    root = os.environ.get("PRESAGE_DATA")
    if options.only != "simulated" and root:
        cases = [] if options.only == "public" else list(real(Path(root)))
        cases += [] if options.only == "real" else list(public(Path(root), options.eclipse))
        for case in cases:
            table += rows_of(case.name, judged(case, seed=0), case.horizons)
    header = ["company", "horizon", "rows", "base rate", "AP"]
    header += [f"AP - {b} (95 %)" for b in BASELINES]
    header += ["AP / best baseline"]
    header += ["log loss - best baseline (95 %)", "slope", "predicted / observed"]
    header += ["AP / AP of the truth", "slope to the truth", "ECE to the truth"]
    show(header, table)
    if beside:
        print("\nSimulated companies beside the ideal observer, against soft labels:\n")
        show(ideal.HEADER, [line for lines in beside for line in lines])


if __name__ == "__main__":
    main()
