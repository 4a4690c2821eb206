"""When work runs: each flow is written once, over the plain functions of ``pipelines.steps``.

A flow takes a ``step`` that calls a function. Without Prefect that is a plain call; with a Prefect
API it is a Prefect task with the function's name, and the whole a Prefect flow. So a verb of the
command line, a schedule and a test run the same lines. Steps hand on paths and small values.

>>> sorted(FLOWS)[:3]
['backtest-risk', 'backtest-volume', 'forecast']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.console import Progress, Result, say
from pipelines.output import check_out
from pipelines.steps import (
    inputs,
    outreach,
    risk,
    risk_training,
    staffing,
    training,
    volume,
    volume_backtest,
    volume_training,
)

Step = Callable[..., Any]


def train(
    step: Step,
    report: Progress,
    *,
    workspace: Path,
    as_of: datetime | None,
    only: str | None,
    search_minutes: float | None = None,
) -> Result:
    """Snapshot, then each model: features, fit, evaluation, MLflow, gate, promotion.

    ``search_minutes``: for better settings of the risk model; None: ``[risk] search_minutes``.
    """
    snapshot = step(inputs.take_snapshot, workspace, report)
    moment = step(inputs.resolve_as_of, workspace, snapshot, as_of)
    results = []
    if only in (None, "risk"):
        results.append(
            step(
                risk_training.train_risk_model, workspace, snapshot, moment, report, search_minutes
            )
        )
    if only in (None, "volume"):
        results.append(
            step(volume_training.train_volume_model, workspace, snapshot, moment, report)
        )
    return step(training.summarise_training, results, moment)


def score(
    step: Step,
    report: Progress,
    *,
    workspace: Path,
    as_of: datetime | None,
    horizons: tuple[int, ...] | None = None,
    out: Path | None = None,
) -> Result:
    """Snapshot, features of every customer, risks and reasons, published."""
    check_out(out)
    snapshot = step(inputs.take_snapshot, workspace, report)
    moment = step(inputs.resolve_as_of, workspace, snapshot, as_of)
    return step(risk.score_customers, workspace, snapshot, moment, horizons, out, report)


def forecast(
    step: Step,
    report: Progress,
    *,
    workspace: Path,
    as_of: datetime | None,
    horizon: str | None = None,
    freq: str | None = None,
    out: Path | None = None,
    why: str | None = None,
    ds: datetime | None = None,
    paths: Path | None = None,
    count: int = 100,
    whole: bool = False,
) -> Result:
    """Snapshot, series, forecast of every node, published as a vintage; a planner's questions."""
    check_out(out)
    check_out(paths)
    asked = volume.Asked(why, ds, paths, count, whole)
    snapshot = step(inputs.take_snapshot, workspace, report)
    moment = step(inputs.resolve_as_of, workspace, snapshot, as_of)
    return step(
        volume.forecast_volume, workspace, snapshot, moment, horizon, freq, out, report, asked
    )


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
    workspace: Path,
    as_of: datetime | None,
    horizon: str = "28d",
    freq: str = "h",
    out: Path | None = None,
) -> Result:
    """A forecast of each channel, then the people it takes, published."""
    check_out(out)
    snapshot = step(inputs.take_snapshot, workspace, report)
    moment = step(inputs.resolve_as_of, workspace, snapshot, as_of)
    step(volume.forecast_volume, workspace, snapshot, moment, horizon, freq, None, report)
    return step(staffing.staff_channels, workspace, snapshot, moment, out, report)


def decide(
    step: Step,
    report: Progress,
    *,
    workspace: Path,
    as_of: datetime | None,
    commit: bool = False,
    out: Path | None = None,
) -> Result:
    """Scores as of now, then whom to contact; recorded only with ``commit``."""
    check_out(out)
    snapshot = step(inputs.take_snapshot, workspace, report)
    moment = step(inputs.resolve_as_of, workspace, snapshot, as_of)
    step(risk.score_customers, workspace, snapshot, moment, None, None, report)
    return step(outreach.decide, workspace, snapshot, moment, commit, out, report)


FLOWS: Mapping[str, Callable[..., Result]] = {
    "train": train,
    "score": score,
    "forecast": forecast,
    "backtest-risk": backtest_risk,
    "backtest-volume": backtest_volume,
    "staff": staff,
    "outreach": decide,
}
"""Every flow, by the name it has in Prefect (with ``presage-`` before it)."""


def plain(function: Callable[..., Any], *args: Any) -> Any:
    """The step without Prefect: a call."""
    return function(*args)


def run(name: str, report: Progress, **parameters: Any) -> Result:
    """Run a flow: in Prefect where its API answers, else without, saying so in one line."""
    from pipelines.wiring import prefect_api

    api = prefect_api()
    if api is None:
        say("no Prefect API is reachable: running without it (`presage up` starts one)")
        return FLOWS[name](plain, report, **parameters)
    say(f"running as Prefect flow presage-{name} at {api}")
    return run_in_prefect(name, report, parameters)


def run_in_prefect(name: str, report: Progress, parameters: dict[str, Any]) -> Result:
    """The same flow with Prefect watching: one task a step, the error as it was raised."""
    import prefect

    def step(function: Callable[..., Any], *args: Any) -> Any:
        def work() -> Any:
            return function(*args)

        label = function.__name__.replace("_", "-")
        return prefect.task(name=label, persist_result=False)(work)()

    def body() -> Result:
        return FLOWS[name](step, report, **parameters)

    body.__doc__ = FLOWS[name].__doc__
    done: Result = prefect.flow(name=f"presage-{name}", persist_result=False)(body)()
    return done
