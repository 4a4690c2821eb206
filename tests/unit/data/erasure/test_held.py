"""All that is held about a person: theirs, whole, and readable."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.erasure_person import NAME, NOW, OTHER, PLANTED, WHO, standing
from data.erasure import export_held
from data.errors import DataError, UsageError
from data.store import open_store
from data.workspace import Workspace


def test_everything_of_theirs_and_nothing_of_others(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "held"
    with open_store(workspace) as store:
        held = export_held(workspace, store, WHO, out, NOW)
    assert {string for _, string in standing(out)} == set(PLANTED)
    readme = (out / "README.md").read_text()
    files = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} - {"README.md"}
    assert files == {one.file for one in held} and all(f"`{f}`" in readme for f in files)
    orders = pd.read_csv(out / "tables" / "orders.csv")
    assert orders["order_id"].tolist() == ["order-plant-1", "order-plant-2", "order-plant-3"]
    (decision,) = json.loads((out / "decisions.json").read_text())
    assert decision["decision_id"] == "d-0"
    (outcome,) = json.loads((out / "outcomes.json").read_text())
    assert outcome["note"] == f"{NAME} rang back"
    assert pd.read_csv(out / "jobs.csv")["customer_id"].tolist() == [WHO]
    assert pd.read_csv(out / "scores.csv")["risk_7d"].tolist() == [0.5, 0.25]
    assert not [path for path, _ in standing(out, [OTHER])]


def test_where_it_may_be_written(workspace: Workspace, tmp_path: Path) -> None:
    with open_store(workspace) as store:
        with pytest.raises(UsageError, match="lies in the workspace"):
            export_held(workspace, store, WHO, workspace.path / "copy", NOW)
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "note").touch()
        with pytest.raises(UsageError, match="holds something"):
            export_held(workspace, store, WHO, tmp_path / "full", NOW)
        with pytest.raises(DataError, match="nothing is held about 'cust/p-1'"):
            export_held(workspace, store, "cust/p-1", tmp_path / "nobody", NOW)
    assert not (tmp_path / "nobody").exists()
