"""Decisions come back from the log as the plan that they were."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data.store import decisions_of, open_store
from data.workspace import init
from pipelines.output import write_frame
from pipelines.steps.outreach import _told, _write, as_planned
from serving.outreach.policy import COLUMNS


def test_a_plan_of_effects_never_measured_comes_back_to_the_byte(tmp_path: Path) -> None:
    moments = pd.Series([datetime(2026, 3, 1)] * 3, dtype="datetime64[us]")
    plan = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "as_of": moments,
            "arm": ["treat", "holdout", "ineligible"],
            "propensity": [0.9, 0.9, np.nan],
            "action": ["call", "mail", None],
            "channel": ["email", None, None],
            "risk": [0.3, 0.1234567890123, 0.2],
            "uplift": [np.nan, np.nan, np.nan],
            "value": [np.nan, 1.5, np.nan],
            "reason": ["x", "y", "z"],
        }
    )[list(COLUMNS)]
    with open_store(init(tmp_path / "w")) as store:
        _write(store, "run", plan, "m1")
        again = as_planned(decisions_of(store, run_id="run"))
    for name, frame in (("plan", plan), ("again", again)):
        write_frame(frame, tmp_path / f"{name}.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "plan.csv").read_bytes()
    assert "not measured" in _told(again)[1]
