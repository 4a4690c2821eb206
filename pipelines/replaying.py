"""``presage replay``: past decisions made again, and held beside the decision log.

A plan is a pure function of its inputs, which each run keeps (serving/outreach/kept_inputs.py). So
what comes out again must be what was logged, to the last bit; where it is not, the code that
decides has changed since, or a file was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data.errors import DamagedFile, DataError, UsageError
from data.store import Store, decisions_of, open_store, runs_of
from data.workspace import Workspace
from pipelines.console import Progress, Result, table
from pipelines.steps.decision_records import as_planned
from serving.outreach.candidates import RUN, run_name
from serving.outreach.kept_inputs import read_inputs
from serving.outreach.policy import COLUMNS, plan_of

MOST_LINES = 20
END = RUN[:-1] + "."
"""After every run of outreach, by the order of ids."""


def replay(directory: Path, decision_id: str | None, report: Progress) -> Result:
    """Make one decision again, field by field, or every decision that is logged.

    The result refuses (exit 1) where anything comes out otherwise than it was logged, or what it
    was made on is gone. UsageError for a decision that nobody knows, DataError for one of before
    its inputs were kept.
    """
    workspace = Workspace.open(directory)
    with open_store(workspace) as store:
        if decision_id is not None:
            return _one(workspace, store, decision_id)
        counts, lines, damaged = {"equal": 0, "different": 0, "not_kept": 0}, list[str](), 0
        for run_id in runs_of(store, RUN, END):
            report(f"deciding again as of {run_id.removeprefix(RUN)}")
            logged = decisions_of(store, run_id=run_id)
            with_inputs = [one for one in logged if one.get("inputs")]
            counts["not_kept"] += len(logged) - len(with_inputs)
            try:
                again = _again(workspace, with_inputs)
            except DamagedFile as error:
                damaged += 1
                lines.append(f"{run_id.removeprefix(RUN)}: {error}")
                continue
            different = _differences(with_inputs, again)
            counts["equal"] += len(with_inputs) - len(different)
            counts["different"] += len(different)
            lines += [
                f"{one['decision_id']}: {', '.join(names)} came out otherwise"
                for one, names in different
            ]
    totals = [
        f"{counts['equal']:,} decisions come out again as they were logged, to the last bit; "
        f"{counts['different']:,} do not"
    ]
    if counts["not_kept"]:
        totals.append(f"{counts['not_kept']:,} were logged before what they were made on was kept")
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    wrong = damaged + counts["different"]
    return Result(
        {**counts, "damaged_runs": damaged},
        [*totals, *lines[:MOST_LINES], *more],
        1 if wrong else 0,
    )


def _one(workspace: Workspace, store: Store, decision_id: str) -> Result:
    logged = [one for one in _of_run(store, decision_id) if one["decision_id"] == decision_id]
    if not logged:
        raise UsageError(
            f"there is no decision {decision_id!r}, or its person was erased; "
            "`presage outreach DIR --json` and GET /v1/outreach tell ids"
        )
    if not logged[0].get("inputs"):
        raise DataError(
            f"decision {decision_id} was logged before what it was made on was kept; it cannot be "
            "made again"
        )
    again = _again(workspace, logged)
    (wrong,) = [names for _, names in _differences(logged, again)] or [[]]
    was, now = as_planned(logged), again
    rows = [
        [
            name,
            _shown(was[name].iloc[0]),
            "as logged" if name not in wrong else _shown(now[name].iloc[0]),
        ]
        for name in COLUMNS
    ]
    line = (
        f"it comes out as {_shown(now['arm'].iloc[0])}, not as it was logged: {', '.join(wrong)}"
        if wrong
        else "it comes out as it was logged, to the last bit"
    )
    data: dict[str, Any] = {
        "decision_id": decision_id,
        "equal": not wrong,
        "different": wrong,
        "logged": {name: logged[0].get(name) for name in COLUMNS},
        "made_by": logged[0]["model_version"],
        "inputs": logged[0]["inputs"],
    }
    by = f"scores by {logged[0]['model_version']}, inputs {logged[0]['inputs']}"
    return Result(data, [*table(["", "logged", "again"], rows), by, line], 1 if wrong else 0)


def _of_run(store: Store, decision_id: str) -> list[dict[str, Any]]:
    try:
        moment = pd.Timestamp(decision_id.rpartition("-")[0]).to_pydatetime()
    except ValueError:
        return []
    begin, after = run_name(moment), run_name(moment + pd.Timedelta(seconds=1))
    runs = runs_of(store, begin, after)  # ids of decisions have seconds, runs parts of them
    return [one for run_id in runs for one in decisions_of(store, run_id=run_id)]


def _again(workspace: Workspace, logged: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The plan of each logged decision's inputs: its row, in the order of ``logged``."""
    parts = []
    for file in sorted({str(one["inputs"]) for one in logged}):
        at = [k for k, one in enumerate(logged) if str(one["inputs"]) == file]
        plan = plan_of(read_inputs(workspace.state_dir, file)).set_index("customer_id", drop=False)
        theirs = plan.reindex([str(logged[k]["customer_id"]) for k in at])
        parts.append(theirs.set_axis(at, axis=0))
    return pd.concat(parts).sort_index() if parts else pd.DataFrame(columns=list(COLUMNS))


def _differences(
    logged: Sequence[dict[str, Any]], again: pd.DataFrame
) -> list[tuple[dict[str, Any], list[str]]]:
    """The decisions that came out otherwise, each with the names of what differs."""
    if not logged:
        return []
    was = as_planned(list(logged))
    wrong = pd.DataFrame(
        {name: ~((was[name] == again[name]) | (was[name].isna() & again[name].isna()))
         for name in COLUMNS}
    ).fillna(True)  # fmt: skip
    return [
        (logged[at], [name for name in COLUMNS if wrong[name].iloc[at]])
        for at in range(len(logged))
        if wrong.iloc[at].any()
    ]


def _shown(value: Any) -> str:
    return "" if pd.isna(value) else repr(value) if isinstance(value, float) else str(value)
