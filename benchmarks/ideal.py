"""The second table of ``benchmarks/risk.py``: the model beside the ideal observer.

``beside`` asks the observer at the cutoffs and finds each customer's next complaint's topic;
``rows`` compares, against soft labels (the truth's probabilities): average precision and log-loss
skill of model and observer with their ratio and its 95 % interval over customers, the observer's
ECE, the model's ECE and slope, true over predicted in the model's top 5 %, the log loss of the
model minus the observer's on what happened with its 95 % interval over customers (no model beats
the observer: never below zero), and the share of next topics that each names first, among those who
complained, with their ratio.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from lab.observer import observer
from models.bootstrap import Interval, Metric, bootstrap
from models.metrics import (
    average_precision,
    calibration_slope,
    ece,
    log_loss,
    log_loss_skill,
    paired_bootstrap,
)

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
    ideal = observer(tables, cutoffs, horizons, runs=runs)
    names = {f"complaint_{h}d": f"ideal_{h}d" for h in horizons}
    ideal = ideal.rename(columns={"as_of": "cutoff", "topic": "ideal_topic"} | names)
    tickets = tables["tickets"].sort_values("recorded_at", kind="stable")
    tickets = tickets.drop_duplicates("ticket_id", keep="last").dropna(subset=["customer_id"])
    tickets = tickets[tickets["is_complaint"] & ~tickets["is_machine"] & ~tickets["deleted"]]
    tickets = tickets.sort_values(["opened_at", "ticket_id"], kind="stable")
    parts = []
    for cutoff in cutoffs:
        until = cutoff + pd.Timedelta(days=max(horizons))
        coming = tickets[(tickets["opened_at"] >= cutoff) & (tickets["opened_at"] < until)]
        first = coming.drop_duplicates("customer_id").set_index("customer_id")["topic"]
        here = ideal[ideal["cutoff"] == cutoff]
        parts.append(here.assign(next_topic=here["customer_id"].map(first)))
    columns = ["customer_id", "cutoff", *names.values(), "ideal_topic", "next_topic"]
    return pd.concat(parts, ignore_index=True)[columns]


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
    groups = known["customer_id"].to_numpy()
    precision = [average_precision(soft, p) for p in (risk, ideal)]
    skill = [log_loss_skill(soft, p) for p in (risk, ideal)]
    ratios = [
        bootstrap(_ratio(metric), soft, (risk, ideal), groups=groups)
        for metric in (average_precision, log_loss_skill)
    ]
    top = risk >= np.quantile(risk, 0.95)
    more = paired_bootstrap(log_loss, y, risk, ideal, groups=groups)
    return [
        f"{precision[0]:.3f} / {precision[1]:.3f}",
        _interval_text(ratios[0]),
        f"{skill[0]:.3f} / {skill[1]:.3f}",
        _interval_text(ratios[1]),
        f"{ece(soft, ideal):.4f}",
        f"{ece(soft, risk):.4f}",
        f"{calibration_slope(soft, risk):.2f}",
        f"{soft[top].mean() / risk[top].mean():.2f}",
        f"{more.estimate:+.4f} ({more.low:+.4f}, {more.high:+.4f})",
        topics(known) if last else "",
    ]


def _ratio(metric: Metric) -> Metric:
    """The metric of the first prediction over that of the second."""

    def ratio(y: Floats, a: Floats, b: Floats, *, weights: Floats) -> float:
        return metric(y, a, weights=weights) / metric(y, b, weights=weights)

    return ratio


def _interval_text(interval: Interval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f}, {interval.high:.3f})"


def topics(known: pd.DataFrame) -> str:
    """Right first topics among those who complained: model's, observer's, and their ratio."""
    complainers = known[known["next_topic"].notna()]
    right = [
        (complainers[c] == complainers["next_topic"]).to_numpy(np.float64)
        for c in ("topic", "ideal_topic")
    ]
    ratio = bootstrap(
        _ratio(lambda y, p, *, weights: float(np.average(p, weights=weights))),
        np.ones(len(complainers)),
        (right[0], right[1]),
        groups=complainers["customer_id"].to_numpy(),
    )
    return f"{right[0].mean():.3f} / {right[1].mean():.3f}: {_interval_text(ratio)}"


def mean_of_seeds(tables: Sequence[list[list[str]]]) -> list[list[str]]:
    """A row per horizon: the bars' figures, averaged over the seeds' tables; companies are
    independent, so the half widths of their intervals add up by their squares."""

    def mean(cells: Sequence[str]) -> str:
        triples = [[float(x) for x in re.findall(r"[-+]?\d+\.\d+", cell)[-3:]] for cell in cells]
        middle = np.mean([numbers[0] for numbers in triples])
        if len(triples[0]) < 3:
            return f"{middle:.3f}"
        half = np.sqrt(np.sum([((high - low) / 2) ** 2 for _, low, high in triples])) / len(triples)
        return _interval_text(Interval(float(middle), float(middle - half), float(middle + half)))

    out = []
    for lines in zip(*tables, strict=True):
        cells = {k: mean([line[k] for line in lines]) for k in (3, 5, 6, 7, 8, 9)}
        if lines[0][11]:
            cells[11] = mean([line[11] for line in lines])
        name, horizon = "mean of seeds", lines[0][1]
        out.append([name, horizon, *(cells.get(k, "") for k in range(2, len(HEADER)))])
    return out
