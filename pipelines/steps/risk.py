"""Risk: customers scored by the model at work at the moment, past cutoffs gone through again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.clock import SYSTEM
from data.errors import DataError, NotEnoughHistory, PresageError
from data.snapshot import open_snapshot
from data.store import open_store, salt
from data.workspace import Workspace
from features.opt_out import profiled
from features.reduced import reads_of
from features.spine import customers_at
from models.champion import challenger
from models.one_number import OneNumber
from pipelines.console import Progress, Result, say, table
from pipelines.exclusive import still_ours
from pipelines.output import write_frame
from pipelines.run import Run
from pipelines.steps.one_number import join_published, number_of
from serving.for_service import keep_for_service
from serving.monitoring.predictions import lost_findings
from serving.monitoring.shadow import SHADOW
from serving.monitoring.watermarks import Watermark, in_words, stopped_facts, watermarks
from serving.prediction_log import keep_published
from serving.predictor import Predictor, check_horizons
from serving.published import finish, publish


@dataclass(frozen=True)
class Scores:
    """Everybody's scores as of a run's moment. ``line`` says whether they were reconciled with the
    forecast, ``one_number`` how; ``not_profiled``: how many asked not to be scored."""

    frame: pd.DataFrame
    model_version: str
    one_number: OneNumber | None
    line: str
    not_profiled: int = 0

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons that the model has, in days."""
        names = [str(name) for name in self.frame.columns if str(name).startswith("risk_")]
        return tuple(int(name.removeprefix("risk_").removesuffix("d")) for name in names)


def scores_of(run: Run, horizons: tuple[int, ...] | None = None) -> Scores:
    """The scores of a run: the published ones where nothing they stand on has changed, else built,
    and published where the run may. UsageError if the model lacks one of ``horizons``."""
    at_work = None if run.retrain else run.champion("risk")
    key = None
    if at_work is not None:
        key = run.key(at_work.model_version, run.settings.company, run.settings.risk)
        current = run.current("scores", key)
        if current is not None:
            run.report(f"the scores by {at_work.model_version} are published already")
            joined, line = number_of(current)
            left_out = int(current.about.get("not_profiled", 0))
            scores = Scores(current.frame, at_work.model_version, joined, line, left_out)
            check_horizons(scores.horizons, horizons)
            return scores
    predictor = predictor_of(run)
    predictor.check_horizons(horizons)
    _check_columns(run, predictor)
    frame, left_out = scored(run, predictor, run.settings.risk.reasons_for)
    if not run.publishes("scores"):
        line = "not published, so not reconciled with the published forecast"
        return Scores(frame, predictor.model_version, None, line, left_out)
    still_ours()
    keep_for_service(run.snapshot, predictor, run.report)
    marks = watermarks(run.snapshot, run.as_of)
    say(in_words(marks, run.as_of, run.settings.company.time_zone))
    facts = _stopped_facts(run, predictor, marks)
    publish(
        run.state_dir,
        "scores",
        frame,
        as_of=run.as_of,
        now=SYSTEM.now(),
        model_version=predictor.model_version,
        snapshot=run.snapshot.path.name,
        key=key,
        reasons_for=run.settings.risk.reasons_for,
        not_profiled=left_out,
        record=predictor.model.notes.get("tickets_judged", {}),
        sources=[mark.about() for mark in marks],
        stopped_sources=[
            *(mark.source for mark in marks if mark.stopped and mark.source in predictor.sources),
            *facts,
        ],
    )
    joined, line = join_published(run.workspace, run.snapshot, run.as_of)
    if joined is not None:
        frame["expected_tickets_30d"] *= joined.customer_scale
    with open_store(run.workspace) as store:
        secret = bytes.fromhex(salt(store, SYSTEM.now()))
    keep_published(run.state_dir, secret, frame, SYSTEM.now(), run.settings.api.prediction_log_days)
    if run.settings.risk.shadow:
        _score_in_shadow(run, secret)
    finish(run.state_dir, "scores")
    return Scores(frame, predictor.model_version, joined, line, left_out)


def _check_columns(run: Run, predictor: Predictor) -> None:
    """Say which columns are gone that the model learned from. DataError where they are many and
    the scores would be answered from: every order would seem overdue, and people would be called.
    """
    for lost in lost_findings(predictor, run.snapshot, run.settings.complaint):
        if lost.status == "alarm" and run.publishes("scores") and not run.publish:
            raise DataError(
                f"nothing is scored, and the scores published before stay: {lost.text}. {lost.act} "
                "--publish scores everybody without them"
            )
        say(f"{lost.text}. {lost.act}")


def _stopped_facts(run: Run, predictor: Predictor, marks: list[Watermark]) -> list[str]:
    """The columns, said, that the model reads and that ceased to be filled."""
    stopped = []
    for mark in stopped_facts(run.snapshot, run.as_of, marks):
        table, _, column = mark.source.partition(".")
        if reads_of(predictor.view.features, {(table, column)}):
            until = in_words([mark], run.as_of, run.settings.company.time_zone)
            say(f"{until}: rows since then seem unfinished, and scores that read it are flagged")
            stopped.append(mark.source)
    return stopped


def _score_in_shadow(run: Run, secret: bytes) -> None:
    """Keep what the challenger says of everybody in the prediction log, and nowhere else. Where it
    cannot be asked that is said: a night does not fail of it."""
    try:
        beside = challenger(run.state_dir, "risk")
        if beside is None:
            return
        run.report(f"scoring by {beside.model_version} in the shadow")
        frame, _ = scored(run, Predictor.of_version(beside), 0)
        keep_days = run.settings.api.prediction_log_days
        keep_published(run.state_dir, secret, frame, SYSTEM.now(), keep_days, SHADOW)
    except (PresageError, ValueError, KeyError) as error:
        say(f"the challenger was not scored: {error}")


def predictor_of(run: Run) -> Predictor:
    """The model that scores a run: the one at work at its moment, or one trained for it.

    NotEnoughHistory where none was at work by then.
    """
    if run.retrain:
        from pipelines.steps.risk_learning import trained_for

        return trained_for(run.workspace, run.snapshot, run.as_of, run.report)
    at_work = run.champion("risk")
    if at_work is not None:
        return Predictor.of_version(at_work)
    now = Predictor.of_champion(run.state_dir)  # raises where nothing was ever promoted
    raise NotEnoughHistory(
        f"no risk model was at work as of {run.as_of:%Y-%m-%d %H:%M}: {now.model_version} learned "
        "from what came later. Add --retrain to train a model on what was known then"
    )


def scored(run: Run, predictor: Predictor, reasons_for: int) -> tuple[pd.DataFrame, int]:
    """Everybody's scores, so many of the riskiest with reasons, and how many asked not to be
    profiled and have none."""
    limit = run.settings.engine.memory_limit_bytes // 4
    every = customers_at(run.snapshot, [run.as_of], memory_limit=limit)
    spine = profiled(every, run.snapshot)
    left_out = len(every) - len(spine)
    if spine.empty:
        remark = f"; {left_out} asked not to be profiled" if left_out else ""
        raise NotEnoughHistory(f"no customer is signed up and not closed as of {run.as_of}{remark}")
    run.report(f"scoring {len(spine)} customers")
    frame = predictor.score(
        spine,
        run.snapshot,
        memory_limit=limit,
        reasons_for=reasons_for,
        num_threads=2,
        language=run.settings.risk.reasons_language,
        time_zone=run.settings.company.time_zone,
    )
    return frame, left_out


def score_customers(run: Run, horizons: tuple[int, ...] | None, out: Path | None) -> Result:
    """Score everybody signed up and not closed at the run's moment; write to ``out``."""
    scores = scores_of(run, horizons)
    frame = scores.frame
    horizons = check_horizons(scores.horizons, horizons)
    dropped = [f"risk_{h}d" for h in scores.horizons if h not in horizons]
    if out is not None:
        write_frame(frame.drop(columns=dropped), out)
    middle = f"risk_{horizons[len(horizons) // 2]}d"
    riskiest = frame.nlargest(5, middle)
    rows = [
        [row.customer_id, f"{getattr(row, middle):.1%}", *_words(row), why(row.reasons)]
        for row in riskiest.itertuples()
    ]
    expected = float(frame[middle].sum())
    joined = scores.one_number
    return Result(
        {
            "as_of": run.as_of,
            "customers": len(frame),
            "not_profiled": scores.not_profiled,
            "expected_complaints": {f"{h}d": float(frame[f"risk_{h}d"].sum()) for h in horizons},
            "expected_tickets_30d": float(frame["expected_tickets_30d"].sum()),
            "model_version": scores.model_version,
            "one_number": None if joined is None else asdict(joined),
            "published": run.publishes("scores"),
            "out": str(out) if out else None,
        },
        [
            f"{len(frame)} customers scored by {scores.model_version}; about {expected:.0f} of "
            f"them ({expected / max(len(frame), 1):.1%}) complain within {middle[5:-1]} days. The "
            "riskiest:",
            *table(["customer", middle, "topic", "channel", "because"], rows),
            *_left_out(scores.not_profiled),
            *(run.not_published("scores") or [scores.line]),
            *([f"written to {out}"] if out else []),
        ],
    )


def _left_out(count: int) -> list[str]:
    return [f"{count} asked not to be profiled and are not scored"] if count else []


def why(reasons: str) -> str:
    """The first reason's sentence of a score's reasons."""
    first: list[dict[str, Any]] = json.loads(reasons)
    return str(first[0]["text"]) if first else "-"


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
        precisions = [
            f"{precision[name]:.4f}" if name in precision else "-"
            for name in ("risk", "rule", "logistic")
        ]
        rows.append(
            [f"{h} d", len(y), f"{y.mean():.4f}", *precisions, f"{roc_auc(y, scores['risk']):.4f}"]
        )
    header = ["horizon", "rows", "base rate", "AP presage", "AP rule", "AP logistic", "AUC"]
    return data, table(header, rows)


def _words(row: Any) -> list[str]:
    """The likely topic and channel of a row of scores; a dash where tickets state none."""
    return ["-" if pd.isna(word) else str(word) for word in (row.topic, row.channel)]
