"""Risk: the model trained and judged, customers scored, past cutoffs gone through again."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.clock import SYSTEM
from data.errors import NotEnoughHistory
from data.snapshot import open_snapshot
from data.workspace import Workspace
from features.spine import customers_at
from pipelines.console import Progress, Result, say, table
from pipelines.output import write_frame
from pipelines.steps.one_number import join_published
from serving.predictor import Predictor
from serving.published import publish

REASONS_FOR = 50_000
"""So many of the riskiest get reasons in the nightly batch; the service gives them to any."""


def score_customers(
    workspace: Path,
    snapshot: Path,
    as_of: datetime,
    horizons: tuple[int, ...] | None,
    out: Path | None,
    report: Progress,
) -> Result:
    """Score everybody signed up and not closed at ``as_of``; publish; write to ``out``."""
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    predictor = Predictor.of_champion(opened.state_dir)
    horizons = predictor.check_horizons(horizons)
    spine = customers_at(tables, [as_of])
    if spine.empty:
        raise NotEnoughHistory(f"no customer is signed up and not closed as of {as_of}")
    report(f"scoring {len(spine)} customers")
    frame = predictor.score(
        spine,
        predictor.history(tables),
        reasons_for=REASONS_FOR,
        num_threads=2,
        language=opened.settings.risk.reasons_language,
        time_zone=opened.settings.company.time_zone,
    )
    publish(
        opened.state_dir,
        "scores",
        frame,
        as_of=as_of,
        now=SYSTEM.now(),
        model_version=predictor.model_version,
        snapshot=snapshot.name,
    )
    joined, told = join_published(opened, tables, as_of)
    if joined is not None:
        frame["expected_tickets_30d"] *= joined.customer_scale
    dropped = [f"risk_{h}d" for h in predictor.model.horizons if h not in horizons]
    if out is not None:
        write_frame(frame.drop(columns=dropped), out)
    middle = f"risk_{horizons[len(horizons) // 2]}d"
    riskiest = frame.nlargest(5, middle)
    rows = [
        [row.customer_id, f"{getattr(row, middle):.1%}", row.topic, row.channel, why(row.reasons)]
        for row in riskiest.itertuples()
    ]
    expected = float(frame[middle].sum())
    return Result(
        {
            "as_of": as_of,
            "customers": len(frame),
            "expected_complaints": {f"{h}d": float(frame[f"risk_{h}d"].sum()) for h in horizons},
            "expected_tickets_30d": float(frame["expected_tickets_30d"].sum()),
            "model_version": predictor.model_version,
            "one_number": None if joined is None else asdict(joined),
            "out": str(out) if out else None,
        },
        [
            f"{len(frame)} customers scored by {predictor.model_version}; about {expected:.0f} "
            f"complain within {middle[5:-1]} days. The riskiest:",
            *table(["customer", middle, "topic", "channel", "because"], rows),
            told,
            *([f"written to {out}"] if out else []),
        ],
    )


def why(reasons: str) -> str:
    """The first reason's sentence of a score's reasons."""
    found: list[dict[str, Any]] = json.loads(reasons)
    return str(found[0]["text"]) if found else "-"


def backtest_risk_model(
    workspace: Path,
    snapshot: Path,
    cutoffs: list[datetime],
    horizons: tuple[int, ...],
    out: Path,
    report: Progress,
) -> Result:
    """At each cutoff: train on what was known, score everybody, add what came of it."""
    from models.risk.backtest import backtest_risk

    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    end = opened.settings.data.complete_to or tables.newest_birth
    assert end is not None
    frame = backtest_risk(
        tables,
        cutoffs,
        horizons,
        opened.settings,
        known_as_of=end,
        say=lambda message: report(message),
        warn=say,
        texts=opened.settings.risk.texts,
        by_text=opened.settings.complaint.by_text,
        time_zone=opened.settings.company.time_zone,
        countries=opened.settings.company.country,
    )
    write_frame(frame, out)
    data, lines = accuracy(frame, horizons)
    return Result({"rows": len(frame), "out": str(out), **data}, [*lines, f"written to {out}"])


def accuracy(frame: pd.DataFrame, horizons: tuple[int, ...]) -> tuple[dict[str, Any], list[str]]:
    """Base rate, average precision and AUC beside the baselines, per horizon."""
    from models.metrics import average_precision, roc_auc

    data: dict[str, Any] = {}
    rows = []
    for h in horizons:
        known = frame[frame[f"label_{h}d"].notna()]
        y = known[f"label_{h}d"].to_numpy(np.float64)
        if not len(y) or y.min() == y.max():
            rows.append([f"{h} d", len(y), "-", "-", "-", "-", "-"])
            continue
        scores = {
            name: known[f"{name}_{h}d"].to_numpy(np.float64)
            for name in ("risk", "rule", "logistic")
            if f"{name}_{h}d" in known
        }
        precision = {name: average_precision(y, p) for name, p in scores.items()}
        data[f"{h}d"] = {
            "rows": len(y),
            "base_rate": float(y.mean()),
            "average_precision": precision,
            "roc_auc": {name: roc_auc(y, p) for name, p in scores.items()},
        }
        told = [
            f"{precision[name]:.4f}" if name in precision else "-"
            for name in ("risk", "rule", "logistic")
        ]
        rows.append(
            [f"{h} d", len(y), f"{y.mean():.4f}", *told, f"{roc_auc(y, scores['risk']):.4f}"]
        )
    header = ["horizon", "rows", "base rate", "AP presage", "AP rule", "AP logistic", "AUC"]
    return data, table(header, rows)
