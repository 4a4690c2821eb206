"""What outreach measures from: the treatments table and our own arms, rows without odds told."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from data.settings import Settings
from data.store import append_decisions, open_store
from data.tables import MemoryTables
from data.workspace import init
from pipelines.steps.outreach import _left_out
from serving.outreach.measured import effects_of, past_trial

AS_OF = datetime(2026, 6, 1)
THEN = AS_OF - timedelta(days=40)


def tickets(customers: list[str]) -> pd.DataFrame:
    at = pd.Series([THEN + timedelta(days=3)] * len(customers), dtype="datetime64[us]")
    return pd.DataFrame(
        {
            "ticket_id": [f"t{i}" for i in range(len(customers))],
            "customer_id": customers,
            "opened_at": at,
            "channel": "email",
            "is_complaint": True,
        }
    )


def test_our_own_arms_are_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arms = rng.choice(["treat", "holdout"], 600)
    rate = np.where(arms == "treat", 0.1, 0.4)
    ids = [f"c{i}" for i in range(600)]
    log = [
        {
            "decision_id": f"d{i}",
            "customer_id": ids[i],
            "as_of": THEN.isoformat(),
            "arm": str(arms[i]),
            "propensity": 0.5,
            "action": "check_in",
            "channel": "email",
            "risk": 0.3,
        }
        for i in range(600)
    ]
    complained = [i for i, y in zip(ids, rng.random(600) < rate, strict=True) if y]
    tables = MemoryTables({"tickets": tickets(complained)})
    with open_store(init(tmp_path / "w")) as store:
        assert past_trial(tables, store, Settings(), AS_OF) is None
        append_decisions(store, f"outreach-{THEN.isoformat()}", log, THEN)
        past = past_trial(tables, store, Settings(), AS_OF)
    effects = {effect.action: effect for effect in effects_of(past)}
    assert set(effects) == {"all", "check_in"}
    assert effects["check_in"].high < -0.5
    assert effects_of(None) == []


def test_treatments_without_odds_are_counted_and_told(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "treatment_id": ["1", "2", "3"],
            "customer_id": ["a", "b", "c"],
            "treated_at": pd.Series([THEN] * 3, dtype="datetime64[us]"),
            "campaign": ["spring"] * 3,
            "arm": ["treat", "control", "treat"],
            "action": ["check_in"] * 3,
            "propensity": [0.5, None, None],
        }
    )
    tables = MemoryTables({"tickets": tickets(["a"]), "treatments": table})
    with open_store(init(tmp_path / "w")) as store:
        past = past_trial(tables, store, Settings(), AS_OF)
    assert past is not None and len(past.frame) == 1
    assert _left_out(past)[0].startswith("2 rows of treatments state no propensity")
    assert effects_of(past) == []
    assert _left_out(None) == []
