"""Training looks for faults that figures hide, also in those whom no model is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data.snapshot import take
from data.store import open_store, registry_history
from data.tables import MemoryTables
from data.workspace import Workspace
from features.compute import compute
from features.spine import customers_at
from pipelines.steps.promotion import USUAL
from pipelines.steps.risk_faults import faults
from serving.predictor import Predictor


def test_a_candidate_that_harms_the_vulnerable_is_kept_back(trained_workspace: Path) -> None:
    workspace = Workspace.open(trained_workspace)
    predictor = Predictor.of_champion(workspace.state_dir)
    tables, as_of = take(workspace), workspace.default_as_of()
    one = compute(predictor.view, customers_at(tables, [as_of]).head(1), predictor.reads(tables))
    rng = np.random.default_rng(8)
    risk = rng.beta(1, 9, 6000)
    y = (rng.random(risk.size) < risk).astype(float)
    whose = np.array([f"c{n % 2000}" for n in range(risk.size)], dtype=object)
    marked = np.arange(2000) % 4 == 0
    signed_up = pd.Timestamp(as_of) - pd.Timedelta(days=100)
    customers = pd.DataFrame({"customer_id": whose[:2000], "signed_up_at": signed_up})
    some = MemoryTables({"customers": customers.assign(vulnerable=marked)})
    harmful = np.where(np.tile(marked, 3), risk / 3, risk)
    features = one.iloc[np.zeros(risk.size, dtype=int)].reset_index(drop=True)

    def refusals(tables: MemoryTables) -> list[str]:
        said, before = pd.DataFrame({"risk_14d": harmful}), {14: risk}
        lines = faults(
            workspace, predictor.model, features, y, said, before, whose, 14, USUAL, tables
        )
        return [line for passed, line in lines if not passed and line.startswith("uneven")]

    (line,) = refusals(some)
    assert "the champion is not: broken group vulnerable" in line
    assert refusals(MemoryTables({"customers": customers})) == []


def test_training_looks_for_faults(trained_workspace: Path) -> None:
    with open_store(Workspace.open(trained_workspace)) as store:
        reasons = registry_history(store, "risk")[-1]["details"]["reasons"]
    assert "groups hold" in reasons
    assert "one answer takes" in reasons
