"""Outreach: the plan from the published scores, and its decisions written once."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.errors import Conflict
from data.store import append_decisions, decisions_of, open_store, salt
from pipelines.console import Result, say, table
from pipelines.exclusive import still_ours
from pipelines.output import write_frame
from pipelines.run import Run
from serving.outreach.candidates import candidates, effects_of
from serving.outreach.policy import COLUMNS, plan

ARMS = {
    "treat": "are contacted",
    "holdout": "are left alone at random, to measure what a contact changes",
    "capacity": "would be next, were there more capacity",
    "ineligible": "are not eligible",
}
NUMBERS = ("propensity", "risk", "uplift", "value")


def decide(
    run: Run, scores: pd.DataFrame, model_version: str, commit: bool, out: Path | None
) -> Result:
    """Plan outreach from ``scores`` as of the run's moment; with ``commit`` record and queue it.

    Decisions of a moment are written once: committing it again shows the ones that were written.
    Those of a past moment are recorded only in a run that publishes; Conflict otherwise.
    """
    opened, tables, as_of, report = run.workspace, run.snapshot, run.as_of, run.report
    check_commit(run, commit)
    risks = [c for c in scores.columns if c.startswith("risk_")]
    with open_store(opened) as store:
        run_id = f"outreach-{as_of.isoformat()}"
        written = decisions_of(store, run_id=run_id)
        report("measuring what past contacts changed")
        effects = effects_of(tables, opened.settings, as_of)
        if written:
            frame = as_planned(written)
            say(f"the decisions as of {as_of} were written before; these are they")
        else:
            report(f"deciding about {len(scores)} customers")
            secret = bytes.fromhex(salt(store, SYSTEM.now()))
            people = candidates(
                scores,
                tables,
                store,
                opened.settings,
                as_of,
                effects=effects,
                risk_column=risks[-1],
            )
            frame = plan(people, opened.settings.outreach, salt=secret, as_of=as_of)
            if commit:
                report("writing the decisions")
                still_ours()
                try:
                    _write(store, run_id, frame, model_version)
                except Conflict:
                    return decide(run, scores, model_version, commit, out)
    if out is not None:
        write_frame(frame, out)
    arms = frame["arm"].value_counts()
    lines = [
        *(
            f"past contacts ({'of any kind' if e.action == 'all' else e.action}, {e.rows} "
            f"customers) changed complaints by {e.relative:+.0%} (95 % interval {e.low:+.0%} to "
            f"{e.high:+.0%}); uncontacted, {e.base_rate:.1%} complain within 30 days"
            for e in effects
        ),
        f"of {len(frame)} customers " + ", ".join(f"{arms.get(a, 0)} {w}" for a, w in ARMS.items()),
        *_told(frame, risks[-1]),
        "recorded and queued" if commit or written else "a dry run: nothing was recorded",
        *([f"written to {out}"] if out else []),
    ]
    data: dict[str, Any] = {
        "as_of": as_of,
        "arms": {str(k): int(v) for k, v in arms.items()},
        "committed": bool(commit or written),
        "already_written": bool(written),
        "effects": [vars(e) for e in effects],
        "out": str(out) if out else None,
    }
    return Result(data, lines)


def check_commit(run: Run, commit: bool) -> None:
    """Conflict where decisions of a past moment would be recorded without being asked for."""
    because = run.not_published_because("scores") if commit and not run.publish else None
    if because is not None:
        raise Conflict(
            f"nothing was decided: {because}, and what is recorded is also sent. Leave --as-of "
            "out, or say --publish too"
        )


def as_planned(written: list[dict[str, Any]]) -> pd.DataFrame:
    """Logged decisions as the plan that they were: nulls are numbers that are missing again."""
    frame = pd.DataFrame(written)[list(COLUMNS)]
    frame["as_of"] = pd.to_datetime(frame["as_of"]).astype("datetime64[us]")
    for name in NUMBERS:
        frame[name] = frame[name].astype("float64")
    return frame


def decision_id(customer_id: str, as_of: datetime) -> str:
    """The name of the decision about a customer at a moment; letters, digits and a hyphen only.

    >>> decision_id("c/1", datetime(2026, 3, 1))
    '20260301T000000-f2a9dfa69a24871de5a0'
    """
    digest = hashlib.sha256(str(customer_id).encode()).hexdigest()[:20]
    return f"{pd.Timestamp(as_of):%Y%m%dT%H%M%S}-{digest}"


def _write(store: Any, run_id: str, frame: pd.DataFrame, model_version: str) -> None:
    told = frame.astype(object).where(frame.notna(), None)
    decisions = [
        {
            **row,
            "as_of": pd.Timestamp(row["as_of"]).isoformat(),
            "decision_id": decision_id(row["customer_id"], row["as_of"]),
            "model_version": model_version,
        }
        for row in told.to_dict("records")
    ]
    outbox = [
        {
            "decision_id": d["decision_id"],
            "customer_id": d["customer_id"],
            "channel": d["channel"],
            "action": d["action"],
            "payload": {"risk": d["risk"], "reason": d["reason"]},
        }
        for d in decisions
        if d["arm"] == "treat"
    ]
    append_decisions(store, run_id, decisions, SYSTEM.now(), outbox)


def _told(frame: pd.DataFrame, risk_name: str) -> list[str]:
    treated = frame[frame["arm"] == "treat"]
    first = treated.sort_values(["value", "risk"], ascending=False, na_position="last").head(5)
    rows = [
        [r.customer_id, r.action, r.channel, f"{r.risk:.1%}", _effect(r.uplift), r.reason]
        for r in first.itertuples()
    ]
    header = ["customer", "action", "by", risk_name, "a contact lowers it by", "chosen as"]
    return table(header, rows) if rows else []


def _effect(uplift: float) -> str:
    return "not measured" if pd.isna(uplift) else f"{100 * uplift:.1f} points"
