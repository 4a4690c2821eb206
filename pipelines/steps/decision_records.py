"""A plan as the decision log has it, and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.pseudonyms import decision_code
from data.store import Store, append_decisions
from serving.outreach.policy import COLUMNS

NUMBERS = (
    "propensity", "risk", "uplift", "value", "value_low", "value_high", "arm_propensity",
)  # fmt: skip
TIMES = ("as_of", "not_before", "not_after")


def as_planned(written: list[dict[str, Any]]) -> pd.DataFrame:
    """Logged decisions as the plan that they were: nulls are numbers that are missing again."""
    frame = pd.DataFrame(written).reindex(columns=list(COLUMNS))
    for name in TIMES:
        frame[name] = pd.to_datetime(frame[name], format="ISO8601").astype("datetime64[us]")
    for name in NUMBERS:
        frame[name] = frame[name].astype("float64")
    frame["explored"] = frame["explored"].astype("boolean").fillna(False).astype(bool)
    return frame


def decision_id(customer_id: str, as_of: datetime) -> str:
    """The name of the decision about a customer at a moment; letters, digits and a hyphen only.

    >>> decision_id("c/1", datetime(2026, 3, 1))
    '20260301T000000-f2a9dfa69a24871de5a0'
    """
    digest = decision_code(str(customer_id))
    return f"{pd.Timestamp(as_of):%Y%m%dT%H%M%S}-{digest}"


def write_log(
    store: Store,
    run_id: str,
    frame: pd.DataFrame,
    model_version: str,
    texts: dict[str, dict[str, Any] | None],
    policy: str,
    inputs: str | None = None,
) -> None:
    """Log a plan under its run; ``texts`` by customer, ``inputs``: the file of what it was made of.

    Conflict if the run was written before.
    """
    values = frame.astype(object).where(frame.notna(), None)
    decisions = [
        {
            **row,
            **{
                name: None if row[name] is None else pd.Timestamp(row[name]).isoformat()
                for name in TIMES
            },
            "decision_id": decision_id(row["customer_id"], row["as_of"]),
            "model_version": model_version,
            "policy": policy,
            "inputs": inputs,
            "message": texts.get(str(row["customer_id"])),
        }
        for row in values.to_dict("records")
    ]
    outbox = [
        {
            "decision_id": d["decision_id"],
            "customer_id": d["customer_id"],
            "channel": d["channel"],
            "action": d["action"],
            "payload": {
                "risk": d["risk"],
                "reason": d["reason"],
                "not_before": d["not_before"],
                "not_after": d["not_after"],
                "message": d["message"],
            },
        }
        for d in decisions
        if d["arm"] == "treat"
    ]
    append_decisions(store, run_id, decisions, SYSTEM.now(), outbox)
