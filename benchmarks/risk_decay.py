"""How long is a risk model good? One model, judged by scores that it gives 1 to 26 weeks later.

    .venv/bin/python -m benchmarks.risk_decay [--only simulated] [--customers 3000] [--retrain]

The model learns once, as of half a year before the last complete label; features stay as of each
week's own moment, so only the model ages. Beside it stand the rule and the logistic regression,
which learned from the same rows on the same day and age as well. Prints a Markdown table: AP with
its 95 % interval over resampled customers, what it gains on each baseline (paired), log-loss skill,
predicted over observed complaints, slope. ``--retrain`` adds what a model trained at the beginning
of each line's weeks gains on the old one: what keeping the old one costs. Online
retail is read below PRESAGE_DATA and left out where that is not set; the incidents are too short.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from data.adapters import adapter
from data.settings import Risk, Settings
from data.simulate import Company
from data.tables import MemoryTables, Tables
from features.compute import compute
from features.labels import labels
from features.spine import customers_at
from features.views import default_view
from models.metrics import (
    average_precision,
    bootstrap,
    calibration_slope,
    log_loss_skill,
    observed_over_predicted,
    paired_bootstrap,
)
from models.risk.backtest import BASELINES, judged_baselines
from models.risk.population import training_set
from models.risk.settings import RiskSettings, risk_settings
from models.risk.train import train_risk

WEEK = timedelta(days=7)
ENDS = (0, 2, 4, 8, 13, 20, 26)
"""The lines of the table: weeks 1 to 2, 3 to 4, 5 to 8, ..., 21 to 26."""


@dataclass(frozen=True)
class Case:
    """A company, its settings, the horizon asked about, and until when outcomes are known."""

    name: str
    tables: Tables
    settings: Settings
    horizon: int
    known_as_of: datetime


def aged(
    case: Case,
    weeks: int,
    *,
    settings: RiskSettings | None = None,
    seed: int = 0,
    trained_weeks: int = 0,
    say: bool = True,
) -> pd.DataFrame:
    """``customer_id, as_of, weeks_old, label, risk, rule, logistic`` of a model that learned once.

    It learned ``weeks`` before the newest moment with a complete label, and is ``trained_weeks`` to
    ``weeks`` old in the rows; with ``trained_weeks`` above 0 it learned so many weeks later.
    """
    last = case.known_as_of - timedelta(days=case.horizon)
    learned_at = last - WEEK * (weeks - trained_weeks)
    view = default_view(case.tables, case.settings, learned_at)
    rows = training_set(case.tables, view, learned_at, (case.horizon,), case.settings)
    model = train_risk(
        rows.features,
        rows.labels,
        horizons=(case.horizon,),
        seed=seed,
        settings=settings or risk_settings(case.settings.risk),
        cards=view.cards(),
    )
    moments = [learned_at + WEEK * week for week in range(1, weeks - trained_weeks + 1)]
    spine = customers_at(case.tables, moments, case.settings.risk.active_within_days)
    features = compute(view, spine, case.tables)
    outcomes = labels(
        spine,
        case.tables,
        horizons=(case.horizon,),
        known_as_of=case.known_as_of,
        complaint=case.settings.complaint,
    )
    predictions = model.predict(features, choices=False)
    beside = judged_baselines(
        case.tables,
        rows,
        features,
        (case.horizon,),
        BASELINES,
        complaint=case.settings.complaint,
        seed=seed,
    )
    if say:
        print(f"{case.name}: learned as of {learned_at}, {len(rows.features)} rows", flush=True)
    return pd.DataFrame(
        {
            "customer_id": spine["customer_id"],
            "as_of": spine["as_of"],
            "weeks_old": ((spine["as_of"] - learned_at) / WEEK).round().astype(int),
            "label": outcomes[f"label_{case.horizon}d"],
            "risk": predictions[f"risk_{case.horizon}d"],
            **{name: beside[f"{name}_{case.horizon}d"] for name in BASELINES},
        }
    )


def lines(name: str, frame: pd.DataFrame, fresh: Sequence[pd.DataFrame] = ()) -> list[list[str]]:
    """A line for each span of ``ENDS``; ``fresh``: of each span, rows of a model trained at its
    beginning."""
    out = []
    for at, (begin, end) in enumerate(pairwise(ENDS)):
        span = frame[frame["weeks_old"].between(begin + 1, end)]
        y, risk = (span[c].to_numpy(np.float64) for c in ("label", "risk"))
        if not 0 < y.sum() < len(y):
            continue
        groups = span["customer_id"].to_numpy()
        row = [name, f"{begin + 1} to {end}", str(len(y)), f"{y.mean():.3f}"]
        row.append(_interval_text(bootstrap(average_precision, y, risk, groups=groups), ".3f"))
        for baseline in BASELINES:
            other = span[baseline].to_numpy(np.float64)
            gain = paired_bootstrap(average_precision, y, risk, other, groups=groups)
            row.append(_interval_text(gain, "+.3f"))
        row.append(f"{log_loss_skill(y, risk):.3f}")
        row.append(f"{1 / observed_over_predicted(y, risk):.2f}")
        row.append(f"{calibration_slope(y, risk):.2f}")
        if fresh:
            keys = ["customer_id", "as_of"]
            both = span.merge(fresh[at][[*keys, "risk"]], on=keys, suffixes=("", "_fresh"))
            gain = paired_bootstrap(
                average_precision,
                both["label"].to_numpy(np.float64),
                both["risk_fresh"].to_numpy(np.float64),
                both["risk"].to_numpy(np.float64),
                groups=both["customer_id"].to_numpy(),
            )
            row.append(_interval_text(gain, "+.3f"))
        out.append(row)
    return out


def _interval_text(interval: tuple[float, float, float], form: str) -> str:
    estimate, low, high = (format(value, form) for value in interval)
    return f"{estimate} ({low}, {high})"


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Simulated companies, and online retail: the other real data sets are too short."""
    if options.only != "real":
        for seed in map(int, options.seeds.split(",")):
            company = Company(options.customers, options.days, seed, hazard_every=0)
            while company.day < options.days:
                company.step()
            tables = MemoryTables(company.tables())
            yield Case(f"simulated {seed}", tables, Settings(), options.horizon, company.now)
    root = os.environ.get("PRESAGE_DATA")
    if options.only != "simulated" and root:
        shop = adapter("online-retail").read(
            Path(root) / "online_retail/online_retail_ii.parquet", {}
        )
        end = shop.settings["data.complete_to"]
        assert isinstance(end, datetime)
        risk = Risk(active_within_days=180)
        of_shop = MemoryTables(shop.tables)
        yield Case("online retail", of_shop, Settings(risk=risk), options.horizon, end)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("simulated", "real"))
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--days", type=int, default=540)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--horizon", type=int, default=14)
    parser.add_argument("--retrain", action="store_true")
    options = parser.parse_args()
    table = []
    weeks = ENDS[-1]
    for case in cases(options):
        begins = ENDS[:-1] if options.retrain else ()
        fresh = [aged(case, weeks, trained_weeks=begin) for begin in begins]
        table += lines(case.name, aged(case, weeks), fresh)
    header = ["company", "weeks old", "rows", "base rate", "AP (95 %)"]
    header += [f"AP - {name} (95 %)" for name in BASELINES]
    header += ["log-loss skill", "predicted / observed", "slope"]
    header += ["AP of a model trained then - AP (95 %)"] if options.retrain else []
    for line in (header, ["---"] * len(header), *table):
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
