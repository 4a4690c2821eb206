"""When work runs: each flow is written once, over the plain functions of ``pipelines.steps``.

A flow takes a ``step`` that calls a function. Without Prefect that is a plain call; with a Prefect
API it is a Prefect task with the function's name, and the whole a Prefect flow. So a verb of the
command line, a schedule and a test run the same lines. Steps hand on paths and small values.

>>> sorted(FLOWS)[:3]
['backtest-risk', 'backtest-volume', 'forecast']
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from data.workspace import Workspace
from pipelines.console import Progress, Result, say
from pipelines.exclusive import TRAINING, WRITING, writing
from pipelines.output import check_out
from pipelines.run import open_run
from pipelines.steps import forecast as volumes
from pipelines.steps import (
    inputs,
    monitor,
    outreach,
    risk,
    risk_training,
    staffing,
    training,
    volume_backtest,
    volume_training,
)
from pipelines.steps.outreach_page import check_plot
from pipelines.steps.promotion import USUAL, Promotion

Step = Callable[..., Any]


def train(
    step: Step,
    report: Progress,
    *,
    workspace: Workspace,
    as_of: datetime | None,
    only: str | None,
    search_minutes: float | None = None,
    promotion: Promotion = USUAL,
) -> Result:
    """Snapshot, then each model: features, fit, evaluation, MLflow, gate, promotion.

    ``search_minutes``: for better settings of the risk model; None: ``[risk] search_minutes``.
    """
    run = step(open_run, workspace, as_of, report)
    inputs = (workspace.path, run.snapshot.path, run.as_of, report)
    results = []
    if only is None and not run.snapshot.has("tickets"):
        say("no risk model: it is learned from past complaints, and there is no tickets table")
    elif only in (None, "risk"):
        results.append(step(risk_training.train_risk_model, *inputs, search_minutes, promotion))
    if only in (None, "volume"):
        results.append(step(volume_training.train_volume_model, *inputs, promotion))
    return step(training.summarise_training, results, run.as_of)


def score(
    step: Step,
    report: Progress,
    *,
    workspace: Workspace,
    as_of: datetime | None,
    horizons: tuple[int, ...] | None = None,
    out: Path | None = None,
    publish: bool = False,
    retrain: bool = False,
) -> Result:
    """Snapshot, features of every customer, risks and reasons, published unless past."""
    run = step(open_run, workspace, as_of, report, publish, retrain)
    return step(risk.score_customers, run, horizons, out)


def forecast(
    step: Step,
    report: Progress,
    *,
    workspace: Workspace,
    as_of: datetime | None,
    horizon: str | None = None,
    freq: str | None = None,
    out: Path | None = None,
    why: str | None = None,
    ds: datetime | None = None,
    paths: Path | None = None,
    count: int = 100,
    whole: bool = False,
    publish: bool = False,
    retrain: bool = False,
) -> Result:
    """Snapshot, series, forecast of every node, published as a vintage unless past; a planner's
    questions."""
    question = volumes.Question(why, ds, paths, count, whole)
    run = step(open_run, workspace, as_of, report, publish, retrain)
    return step(volumes.forecast_volume, run, horizon, freq, out, question)


def backtest_risk(
    step: Step,
    report: Progress,
    *,
    workspace: Path,
    cutoffs: list[datetime],
    horizons: tuple[int, ...],
    out: Path,
) -> Result:
    """Train and score at each cutoff with what was known then."""
    check_out(out)
    snapshot = step(inputs.take_snapshot, workspace, report)
    return step(risk.backtest_risk_model, workspace, snapshot, cutoffs, horizons, out, report)


def backtest_volume(
    step: Step,
    report: Progress,
    *,
    workspace: Path,
    cutoffs: list[datetime],
    horizon: int,
    freq: str,
    levels: tuple[int, ...],
    out: Path,
    whole: bool = False,
) -> Result:
    """Forecast at each cutoff with what was known then."""
    check_out(out)
    snapshot = step(inputs.take_snapshot, workspace, report)
    return step(
        volume_backtest.backtest_volume_model,
        workspace,
        snapshot,
        cutoffs,
        horizon,
        freq,
        levels,
        out,
        report,
        whole,
    )


def staff(
    step: Step,
    report: Progress,
    *,
    workspace: Workspace,
    as_of: datetime | None,
    horizon: str | None = None,
    freq: str | None = None,
    out: Path | None = None,
    publish: bool = False,
    retrain: bool = False,
    waiting: Mapping[str, float] | None = None,
    shifts: bool = False,
) -> Result:
    """The forecast of each channel, then the people it takes and with ``shifts`` who they are,
    published unless past."""
    run = step(open_run, workspace, as_of, report, publish, retrain)
    step_length = staffing.planning_freq(run, freq)
    forecast = step(volumes.forecast_of, run, horizon, step_length)
    return step(
        staffing.staff_channels,
        run,
        forecast.frame,
        forecast.model_version,
        out,
        forecast.paths,
        waiting,
        shifts,
    )


def decide(
    step: Step,
    report: Progress,
    *,
    workspace: Workspace,
    as_of: datetime | None,
    commit: bool = False,
    out: Path | None = None,
    publish: bool = False,
    retrain: bool = False,
    plot: Path | None = None,
) -> Result:
    """The scores of the moment, then whom to contact; recorded only with ``commit``."""
    check_plot(plot)
    run = step(open_run, workspace, as_of, report, publish, retrain)
    outreach.check_commit(run, commit)
    scores = step(risk.scores_of, run)
    return step(outreach.decide, run, scores.frame, scores.model_version, commit, out, plot)


def watch(
    step: Step,
    report: Progress,
    *,
    workspace: Workspace,
    as_of: datetime | None,
    out: Path | None = None,
    publish: bool = False,
) -> Result:
    """Snapshot, then everything that is watched, published unless past; where the model at work had
    to go back, everybody is scored by the one before."""
    run = step(open_run, workspace, as_of, report, publish)
    findings = step(monitor.monitored, run, out)
    if findings.data["rolled_back"]:
        step(risk.score_customers, run, None, None)
    return findings


def writes(verb: str, flow: Callable[..., Result], lease: str = WRITING) -> Callable[..., Result]:
    """A flow that opens its workspace once, holds a lease of it while it runs, and notes at
    which step it is."""

    @functools.wraps(flow)
    def alone(step: Step, report: Progress, *, workspace: Path, **parameters: Any) -> Result:
        check_out(parameters.get("out"))
        check_out(parameters.get("paths"))
        opened = Workspace.open(workspace)
        with writing(opened, verb, name=lease) as held:

            def noted(function: Callable[..., Any], *args: Any) -> Any:
                with held.record.step(function.__name__.replace("_", "-")):
                    return step(function, *args)

            return flow(noted, report, workspace=opened, **parameters)

    return alone


FLOWS: Mapping[str, Callable[..., Result]] = {
    "train": writes("train", train, TRAINING),
    "score": writes("score", score),
    "forecast": writes("forecast", forecast),
    "backtest-risk": backtest_risk,
    "backtest-volume": backtest_volume,
    "staff": writes("staff", staff),
    "outreach": writes("outreach", decide),
    "monitor": writes("monitor", watch),
}
"""Every flow, by the name it has in Prefect (with ``presage-`` before it)."""


def plain(function: Callable[..., Any], *args: Any) -> Any:
    """The step without Prefect: a call."""
    return function(*args)


def run(name: str, report: Progress, **parameters: Any) -> Result:
    """Run a flow: in the workspace's Prefect where that answers, else without, saying so in one
    line."""
    from pipelines.wiring import prefect_of

    opened = Workspace.open(parameters["workspace"])
    api = prefect_of(opened.state_dir, opened.settings.prefect.url)
    if api is None:
        say("no Prefect API is reachable: running without it (`presage up` starts one)")
        return run_plainly(name, report, parameters)
    say(f"running as Prefect flow presage-{name} at {api}")
    return run_in_prefect(name, report, parameters)


def run_plainly(name: str, report: Progress, parameters: dict[str, Any]) -> Result:
    """The flow without Prefect."""
    return FLOWS[name](plain, report, **parameters)


def run_in_prefect(name: str, report: Progress, parameters: dict[str, Any]) -> Result:
    """The same flow with Prefect watching, see ``pipelines.watched``."""
    from pipelines.watched import watched

    return watched(name, FLOWS[name], report, parameters)
