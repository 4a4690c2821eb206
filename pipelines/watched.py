"""A flow as Prefect's page shows it: named, with its parameters, logs, tasks and what came of it.

One task a step. A step that the file system or the network failed is tried again; what a verb
refuses is not, for it would refuse it again. A flow that takes longer than ``[nights]
longest_hours`` is ended: nothing is half written, and the next run goes on. What came of it stands
in an artifact of the flow's name, figures as a table, and what the verb printed where that names no
customer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import prefect
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.logging import get_run_logger

from data.errors import PresageError
from data.workspace import Workspace
from pipelines.console import Progress, Result

RETRIES, RETRY_SECONDS = 2, 10.0
SHOWN = ("train", "forecast", "staff", "backtest-risk", "backtest-volume")
"""Flows whose printed lines name no customer."""
LONGEST = 120
"""Characters of a figure in words; a longer one is no figure."""


def watched(
    name: str, flow: Callable[..., Result], report: Progress, parameters: dict[str, Any]
) -> Result:
    """Run ``flow`` as Prefect's flow ``presage-NAME``; errors are raised as they were."""
    hours = Workspace.open(parameters["workspace"]).settings.nights.longest_hours
    failures: list[BaseException] = []

    def worth_another(*_: Any) -> bool:
        return may_pass(failures[-1])

    def step(function: Callable[..., Any], *args: Any) -> Any:
        label = function.__name__.replace("_", "-")

        def work() -> Any:
            get_run_logger().info(label)
            try:
                return function(*args)
            except BaseException as error:
                failures.append(error)
                raise

        task = prefect.task(
            name=label,
            persist_result=False,
            retries=RETRIES,
            retry_delay_seconds=RETRY_SECONDS,
            retry_condition_fn=worth_another,
        )
        return task(work)()

    def body(workspace: str, as_of: datetime | None, options: dict[str, Any]) -> Result:
        logger = get_run_logger()

        def tell(message: str) -> None:
            logger.info(message)
            report(message)

        result = flow(step, tell, **parameters)
        _keep(name, result)
        return result

    body.__doc__ = flow.__doc__
    as_of = parameters.get("as_of")
    others = {k: v for k, v in parameters.items() if k not in ("workspace", "as_of")}
    folder = Path(parameters["workspace"])
    decorate = prefect.flow(
        name=f"presage-{name}",
        flow_run_name=f"{name} {folder.absolute().name}"
        + ("" if as_of is None else f" as of {as_of:%Y-%m-%d %H.%M}"),
        persist_result=False,
        timeout_seconds=3600.0 * hours,
    )
    shown = {
        k: v if isinstance(v, bool | int | float | None) else str(v) for k, v in others.items()
    }
    result: Result = decorate(body)(str(folder), as_of, shown)
    return result


def may_pass(error: BaseException) -> bool:
    """Whether a failure may be gone when a step is tried again.

    >>> may_pass(ConnectionResetError()), may_pass(PresageError("no history")), may_pass(KeyError())
    (True, False, False)
    """
    return isinstance(error, OSError) and not isinstance(error, PresageError)


def _keep(name: str, result: Result) -> None:
    """What came of a run, beside it on Prefect's page."""
    key = f"presage-{name}"
    rows = [{"figure": one, "value": str(value)} for one, value in figures(result.data).items()]
    create_table_artifact(rows, key=key, description=f"what presage {name} told")
    if name in SHOWN:
        create_markdown_artifact("\n".join(f"    {line}" for line in result.lines), f"{key}-lines")
    for page in _pages(result.data):
        create_link_artifact(Path(page).as_uri(), f"{key}-report", "the report of the training")


def figures(data: Any, before: str = "") -> dict[str, Any]:
    """The figures and short words of a result by their path; lists, which may name people, not.

    >>> figures({"risk": {"auc": 0.7, "reasons": ["c-17"]}, "promoted": True})
    {'risk.auc': 0.7, 'promoted': True}
    """
    if isinstance(data, dict):
        out: dict[str, Any] = {}
        for key, value in data.items():
            out |= figures(value, f"{before}.{key}" if before else str(key))
        return out
    short = isinstance(data, str) and len(data) <= LONGEST
    return {before: data} if short or isinstance(data, bool | int | float | datetime) else {}


def _pages(data: Any) -> list[str]:
    if not isinstance(data, dict):
        return []
    own = [str(page) for page in data.get("pages", ())]
    return own + [page for value in data.values() for page in _pages(value)]
