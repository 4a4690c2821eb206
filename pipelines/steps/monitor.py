"""The monitor: findings about sources, inputs, predictions, forecasts and service, and KPIs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.clock import SYSTEM
from data.errors import NotEnoughHistory
from data.store import has_store, open_store
from pipelines.console import Result, table
from pipelines.exclusive import still_ours
from pipelines.output import write_frame
from pipelines.run import Run
from pipelines.steps.outcomes import joined_outcomes
from pipelines.steps.standing import LOOK_BACK, answers_by, challenger_findings, guarded
from pipelines.steps.volume import context_of, native_freq, series_of
from serving.kpis.measures import COLUMNS, judged_tickets, key_figures
from serving.kpis.targets import beside_targets
from serving.monitoring.finding import Finding, frame_of
from serving.monitoring.forecasts import forecast_findings, issued_errors
from serving.monitoring.issues import emerging, issue_findings
from serving.monitoring.live import former_findings, live_findings
from serving.monitoring.nights import leases_held, night_findings
from serving.monitoring.outreach import outreach_findings
from serving.monitoring.predictions import (
    expected_findings,
    input_findings,
    log_findings,
    lost_findings,
)
from serving.monitoring.service import service_findings
from serving.monitoring.sources import source_findings
from serving.monitoring.standing import answers_finding
from serving.monitoring.watermarks import in_words, watermarks
from serving.outreach.measured import past_trial
from serving.outreach.verdicts import verdicts
from serving.prediction_log import FOLDER
from serving.prediction_outcomes import nights
from serving.predictor import Predictor
from serving.published import Kind, newest, publish

SHOWN = ("answered_in_time", "first_response_p50", "first_contact_resolution", "backlog", "csat",
         "complaint_rate")  # fmt: skip


def monitored(run: Run, out: Path | None = None) -> Result:
    """Everything looked at as of the run's moment, published where the run may; exit code 1 where
    there is an alarm. ``out``: the findings as a file."""
    marks = watermarks(run.snapshot, run.as_of)
    joined = joined_outcomes(run, marks)
    findings = _of_nights(run)
    findings += source_findings(run.snapshot, run.as_of, run.settings.company.time_zone)
    findings += _of_risk(run)
    gone_back = guarded(run, findings)
    if gone_back is not None:
        findings.append(gone_back.finding)
    findings += _of_volume(run)
    findings += _of_outreach(run)
    figures = pd.DataFrame(columns=[*COLUMNS, "target", "target_name", "verdict"])
    if run.snapshot.has("tickets"):
        run.report("counting key figures")
        tickets = judged_tickets(run.snapshot, run.settings, run.as_of)
        figures = key_figures(tickets, run.snapshot, run.settings, run.as_of)
        figures = beside_targets(figures, run.settings)
        findings += service_findings(figures, tickets, run.settings)
    issues = emerging(run.snapshot, run.as_of, run.settings.kpis.issue_hours)
    findings += issue_findings(issues)
    frame = frame_of(findings)
    arrived = in_words(marks, run.as_of, run.settings.company.time_zone)
    lines = [f"arrived: {arrived}", *_lines(frame, figures)]
    if joined:
        lines.insert(1, f"what came of {joined} scores is known since and was joined to them")
    if run.publishes("monitor"):
        still_ours()
        products: tuple[tuple[Kind, pd.DataFrame], ...] = (
            ("monitor", frame),
            ("kpis", figures),
            ("issues", issues),
        )
        for kind, what in products:
            publish(run.state_dir, kind, what, as_of=run.as_of, now=SYSTEM.now())
    else:
        lines += run.not_published("monitor")
    if out is not None:
        write_frame(frame, out)
    alarms = int((frame["status"] == "alarm").sum())
    data = {
        "as_of": run.as_of.isoformat(),
        "alarms": alarms,
        "outcomes_joined": joined,
        "sources": [mark.about() for mark in marks],
        "findings": _plain(frame),
        "rolled_back": gone_back is not None and gone_back.to is not None,
        "out": None if out is None else str(out),
    }
    return Result(data, lines, exit_code=1 if alarms else 0)


def _of_nights(run: Run) -> list[Finding]:
    """How runs hold up by now: a run of the past says nothing of them."""
    if run.is_past or not has_store(run.workspace):
        return []
    now = SYSTEM.now()
    with open_store(run.workspace) as store:
        held = leases_held(store, now)
    of_runs = night_findings(run.state_dir, run.settings.nights, held, now, but="monitor")
    return of_runs + log_findings(run.state_dir / FOLDER, now)


def _of_risk(run: Run) -> list[Finding]:
    at_work = run.champion("risk")
    if at_work is None:
        text = "no risk model was promoted yet"
        return [Finding("predictions", "risk", "notice", text, "Run `presage train`.")]
    run.report("comparing the risk model with what came")
    most_seconds = run.settings.risk.answer_ms / 1000
    answers = answers_by(run, at_work)
    findings = [answers_finding(answers, most_seconds)]
    if answers.error:
        return findings
    predictor = Predictor.of_version(at_work)
    findings += lost_findings(predictor, run.snapshot, run.settings.complaint)
    findings += input_findings(predictor, run.snapshot, run.as_of)
    published = nights(run.state_dir, "published", run.as_of - LOOK_BACK)
    findings += live_findings(
        predictor, at_work.as_of, published, run.snapshot, run.settings, run.as_of
    )
    findings += former_findings(published, at_work.model_version, predictor.model.horizons[0])
    scores = newest(run.state_dir, "scores")
    if scores is not None:
        findings += expected_findings(scores.frame)
    return findings + challenger_findings(run, published)


def _of_volume(run: Run) -> list[Finding]:
    if not (run.snapshot.has("tickets") or run.snapshot.has("volumes")):
        return []
    if not has_store(run.workspace):
        return forecast_findings(pd.DataFrame())
    freq = native_freq(run.snapshot) or run.settings.volume.freq
    run.report("comparing forecasts with what came")
    context = context_of(run.workspace, run.snapshot)
    try:
        counts, _ = series_of(run.snapshot, run.as_of, freq, context)
    except NotEnoughHistory as missing:
        return [Finding("forecasts", "bias", "too early", str(missing))]
    with open_store(run.workspace) as store:
        zone = run.settings.company.time_zone
        errors = issued_errors(store, counts[["unique_id", "ds", "y"]], run.as_of, zone)
    return forecast_findings(errors)


def _of_outreach(run: Run) -> list[Finding]:
    if not (run.snapshot.has("tickets") and has_store(run.workspace)):
        return []
    run.report("comparing whom chance left alone with whom outreach contacted")
    with open_store(run.workspace) as store:
        past = past_trial(run.snapshot, store, run.settings, run.as_of)
    return [] if past is None else outreach_findings(verdicts(past, run.as_of))


def _lines(frame: pd.DataFrame, figures: pd.DataFrame) -> list[str]:
    """What a person reads: each alarm and notice with its act, a count of the rest, key figures."""
    lines: list[str] = []
    for _, row in frame[frame["status"].isin(["alarm", "notice"])].iterrows():
        since = "" if pd.isna(row["since"]) else f" (since {row['since']:%Y-%m-%d})"
        lines.append(f"{row['status'].upper()} {row['area']}: {row['text']}{since}")
        if row["act"]:
            lines.append(f"    {row['act']}")
    counts = frame["status"].value_counts()
    words = [
        f"{counts[name]} {name}"
        for name in ("alarm", "notice", "too early", "ok")
        if name in counts
    ]
    lines += ["looked at: " + ", ".join(words)]
    for _, row in frame[frame["status"].isin(["ok", "too early"])].iterrows():
        lines.append(f"  {row['area']}: {row['text']}")
    if len(figures):
        week = figures["week"].max()
        rows = figures[(figures["week"] == week) & figures["kpi"].isin(SHOWN)]
        wide = rows.pivot_table(index="channel", columns="kpi", values="value", sort=False)
        names = [name for name in SHOWN if name in wide]
        shown = [
            [channel or "all", *(_figure(value) for value in values)]
            for channel, values in zip(wide.index, wide[names].to_numpy(), strict=True)
        ]
        lines += ["", f"key figures of the week from {rows['local_week'].iloc[0]}", ""]
        lines += table(["channel", *names], shown)
    return lines


def _figure(value: float) -> str:
    return "" if value != value else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _plain(frame: pd.DataFrame) -> list[dict[str, object]]:
    rows = []
    for row in frame.to_dict("records"):
        plain = {str(k): (None if isinstance(v, float) and v != v else v) for k, v in row.items()}
        since = row["since"]
        plain["since"] = None if pd.isna(since) else since.isoformat() + "Z"
        rows.append(plain)
    return rows
