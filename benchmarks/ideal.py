"""The second table of ``benchmarks/risk.py``: the model beside the ideal observer.

``beside`` asks the observer at the cutoffs and finds each customer's next complaint's topic;
``rows`` compares, against soft labels (the truth's probabilities): average precision and log-loss
skill of model and observer with their ratio, the observer's ECE, the model's ECE and slope, true
over predicted in the model's top 5 %, the log loss of the model minus the observer's on what
happened with its 95 % interval over customers (no model beats the observer: never below zero), and
the share of next topics that each names first, among those who complained (a backtest's frame
tells the model's as ``topic``; empty where it does not).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.simulate.observer import observer
from models.metrics import average_precision, calibration_slope, ece, log_loss, paired_bootstrap

Floats = npt.NDArray[np.float64]
HEADER = [
    "company",
    "horizon",
    "AP model / ideal",
    "ratio",
    "skill model / ideal",
    "ratio",
    "ECE ideal",
    "ECE model",
    "slope model",
    "top 5 % true / predicted",
    "log loss - ideal (95 %)",
    "next topic right model / ideal",
]


def beside(
    tables: Mapping[str, pd.DataFrame],
    cutoffs: Sequence[datetime],
    horizons: Sequence[int],
    runs: int,
) -> pd.DataFrame:
    """``customer_id, cutoff, ideal_7d, ..., ideal_topic, next_topic`` (None: no complaint)."""
    told = observer(tables, cutoffs, horizons, runs=runs)
    names = {f"complaint_{h}d": f"ideal_{h}d" for h in horizons}
    told = told.rename(columns={"as_of": "cutoff", "topic": "ideal_topic"} | names)
    tickets = tables["tickets"].sort_values("recorded_at", kind="stable")
    tickets = tickets.drop_duplicates("ticket_id", keep="last").dropna(subset=["customer_id"])
    tickets = tickets[tickets["is_complaint"] & ~tickets["is_machine"] & ~tickets["deleted"]]
    tickets = tickets.sort_values(["opened_at", "ticket_id"], kind="stable")
    parts = []
    for cutoff in cutoffs:
        until = cutoff + pd.Timedelta(days=max(horizons))
        coming = tickets[(tickets["opened_at"] >= cutoff) & (tickets["opened_at"] < until)]
        first = coming.drop_duplicates("customer_id").set_index("customer_id")["topic"]
        here = told[told["cutoff"] == cutoff]
        parts.append(here.assign(next_topic=here["customer_id"].map(first)))
    kept = ["customer_id", "cutoff", *names.values(), "ideal_topic", "next_topic"]
    return pd.concat(parts, ignore_index=True)[kept]


def rows(name: str, frame: pd.DataFrame, horizons: Sequence[int]) -> list[list[str]]:
    """A row of the table per horizon: needs ``truth_7d``, ``risk_7d``, ``ideal_7d``, ..."""
    return [
        [name, f"{h} d", *figures(frame[frame[f"label_{h}d"].notna()], h, h == max(horizons))]
        for h in horizons
    ]


def figures(known: pd.DataFrame, h: int, last: bool) -> list[str]:
    """The figures of one horizon."""
    soft, y, risk, ideal = (
        known[f"{c}_{h}d"].to_numpy(np.float64) for c in ("truth", "label", "risk", "ideal")
    )
    precision = [average_precision(soft, p) for p in (risk, ideal)]
    constant = np.full(len(soft), soft.mean())
    skill = [1 - log_loss(soft, p) / log_loss(soft, constant) for p in (risk, ideal)]
    top = risk >= np.quantile(risk, 0.95)
    more = paired_bootstrap(log_loss, y, risk, ideal, groups=known["customer_id"].to_numpy())
    return [
        f"{precision[0]:.3f} / {precision[1]:.3f}",
        f"{precision[0] / precision[1]:.3f}",
        f"{skill[0]:.3f} / {skill[1]:.3f}",
        f"{skill[0] / skill[1]:.3f}",
        f"{ece(soft, ideal):.4f}",
        f"{ece(soft, risk):.4f}",
        f"{calibration_slope(soft, risk):.2f}",
        f"{soft[top].mean() / risk[top].mean():.2f}",
        f"{more.estimate:+.4f} ({more.low:+.4f}, {more.high:+.4f})",
        topics(known) if last else "",
    ]


def topics(known: pd.DataFrame) -> str:
    """Right first topics among those who complained: model's and observer's."""
    came = known[known["next_topic"].notna()]
    ideal = (came["ideal_topic"] == came["next_topic"]).mean()
    if "topic" not in came:
        return f"- / {ideal:.3f}"
    return f"{(came['topic'] == came['next_topic']).mean():.3f} / {ideal:.3f}"


def mean_of_seeds(tables: Sequence[list[list[str]]]) -> list[list[str]]:
    """A row per horizon: the bars' ratios, averaged over the seeds' tables."""
    out = []
    for lines in zip(*tables, strict=True):
        mean = [f"{np.mean([float(line[k]) for line in lines]):.3f}" for k in (3, 5, 6, 7, 8, 9)]
        row = ["mean of seeds", lines[0][1], "", mean[0], "", mean[1], *mean[2:], "", ""]
        out.append(row)
    return out
