"""The registry, on a real MLflow store: what is logged, who may be champion, and who never."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest

from data.errors import DamagedFile, GateRefused, PresageError, UsageError
from models import registry
from models.bundle import read_bundle, verify, write_bundle
from models.champion import POINTER, champion
from models.figures import gains_plot, precision_recall_plot, reliability_plot
from models.gate import GateDecision
from models.metrics import Interval
from models.run_log import ChildRun

# one worker makes the store once
NOON = datetime(2026, 3, 1, 12)
PASSED = GateDecision(True, ("beats the rule",), (), {"average_precision": 0.3})
REFUSED = GateDecision(False, ("worse",), ("worse than the model at work",), {})


class Workspace:
    """A state folder with three risk models of different content, all logged."""

    def __init__(self, root: Path) -> None:
        self.state = root / ".presage"
        self.state.mkdir()
        self.moves: list[dict] = []
        rng = np.random.default_rng(0)
        x = rng.normal(size=(500, 3))
        y = (rng.random(500) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
        params = {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1}
        self.versions = []
        for rounds in (3, 4, 5):
            booster = lightgbm.train(params, lightgbm.Dataset(x, y), num_boost_round=rounds)
            folder = root / f"trained-{rounds}"
            write_bundle(folder, {"risk.txt": booster}, {"kind": "risk"}, golden={"risk.txt": x})
            p = booster.predict(x)
            example = pd.DataFrame(
                {
                    "orders_count_28d": x[:3, 0].astype("float32"),
                    "region": pd.Categorical(["north", None, "south"]),
                    "open_orders": pd.array([1, None, 2], dtype="Int64"),
                }
            )
            self.versions.append(
                registry.log_training_run(
                    self.state,
                    "risk",
                    folder,
                    params={"rounds": rounds, "seed": 1},
                    metrics={"average_precision_7d": Interval(0.3, 0.25, 0.35), "seconds": 4},
                    base_rates={"7d": float(y.mean())},
                    data_fingerprint="d" * 64,
                    feature_fingerprint="f" * 64,
                    as_of=datetime(2026, 2, 1),
                    example=example,
                    predictions=pd.DataFrame({"risk_7d": p[:3]}),
                    at=NOON,
                    plots={
                        "reliability": reliability_plot(y, p),
                        "precision-recall": precision_recall_plot(y, {"model": p}),
                        "gains": gains_plot(y, {"model": p}),
                    },
                    tables={"segments": pd.DataFrame({"segment": ["a"], "rate": [0.1]})},
                    rows={"orders": 7},
                    children=[
                        ChildRun(
                            "twin as of 2026-01-01",
                            {"as_of": "2026-01-01"},
                            {"average_precision_7d": 0.29},
                        )
                    ],
                )
            )

    def promote(self, version: str, decision: GateDecision | None = PASSED) -> None:
        registry.promote(
            self.state, "risk", version, at=NOON, record=self.moves.append, decision=decision
        )

    def rollback(self) -> None:
        registry.rollback(self.state, "risk", at=NOON, record=self.moves.append)

    def at_work(self) -> str | None:
        found = champion(self.state, "risk")
        return found.version if found else None

    def alias(self) -> str:
        _, client = registry._client(self.state.absolute())
        return str(client.get_model_version_by_alias("presage-risk", "champion").version)

    def forget(self) -> None:
        """No champion, no verdicts, no moves: only what was trained."""
        _, client = registry._client(self.state.absolute())
        client.delete_registered_model_alias("presage-risk", "champion")
        client.set_registered_model_tag("presage-risk", registry.LINE, "")
        for version in ("1", "2", "3"):
            client.delete_model_version_tag("presage-risk", version, "presage.gate")
        shutil.rmtree(self.state / "models", ignore_errors=True)
        self.moves.clear()


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def workspace(trained) -> Workspace:
    """The one store of this file (making it takes seconds), as it was when all were trained."""
    trained.forget()
    return trained


def test_a_run_holds_numbers_with_intervals_base_rates_plots_and_fingerprints(workspace):
    _, client = registry._client(workspace.state.absolute())
    run = client.get_run(workspace.versions[0].run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rounds": "3", "seed": "1"}
    found = run.data.metrics
    names = ("average_precision_7d", "average_precision_7d_low", "average_precision_7d_high")
    assert [found[name] for name in names] == [0.3, 0.25, 0.35]
    assert 0.4 < found["base_rate_7d"] < 0.6
    assert run.data.tags["presage.data_fingerprint"] == "d" * 64
    assert run.data.tags["presage.feature_fingerprint"] == "f" * 64
    folder = registry.artifact(workspace.state, run.info.run_id, "plots")
    plots = {path.name for path in folder.iterdir()}
    assert plots == {f"{name}.png" for name in ("reliability", "precision-recall", "gains")}
    assert registry.artifact(workspace.state, run.info.run_id, "tables/segments.json").is_file()


def test_a_run_holds_what_it_read_its_children_and_the_verdict(workspace):
    _, client = registry._client(workspace.state.absolute())
    run = client.get_run(workspace.versions[0].run_id)
    (read,) = run.inputs.dataset_inputs
    assert read.dataset.digest == "d" * 36
    assert json.loads(read.dataset.profile) == {"rows": {"orders": 7}}
    assert json.loads(read.dataset.source)["fingerprint"] == "d" * 64
    children = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    )
    assert [child.info.run_name for child in children] == ["twin as of 2026-01-01"]
    assert children[0].data.params == {"as_of": "2026-01-01"}
    assert children[0].data.metrics == {"average_precision_7d": 0.29}
    assert children[0].info.status == "FINISHED"
    registry.record_gate(workspace.state, "risk", "1", REFUSED)
    tags = client.get_run(run.info.run_id).data.tags
    assert (tags["presage.gate"], tags["presage.gate_reasons"]) == (
        "refused",
        "worse than the model at work",
    )


def test_a_version_has_a_signature_and_brings_no_code(workspace):
    import mlflow.models

    folder = registry.version_bundle(workspace.state, "risk", "1").parent
    model = mlflow.models.Model.load(str(folder))
    types = {column.name: str(column.type) for column in model.signature.inputs}
    assert types == {
        "orders_count_28d": "DataType.double",
        "region": "Any",
        "open_orders": "DataType.double",
    }
    assert [column.name for column in model.signature.outputs] == ["risk_7d"]
    assert set(model.flavors) == {"presage", "python_function"}
    assert model.flavors["python_function"]["loader_module"] == "models.frame_function"
    assert "code" not in model.flavors["python_function"]
    assert json.loads((folder / "input_example.json").read_text())["data"][1][1:] == [None, None]
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes <= {"", ".json", ".txt", ".npy", ".yaml"}
    assert verify(folder / "bundle").fingerprint == workspace.versions[0].fingerprint


def test_nobody_is_champion_before_a_gate_has_passed_him(workspace):
    assert champion(workspace.state, "risk") is None
    with pytest.raises(GateRefused, match="no gate has judged it"):
        workspace.promote("1", None)
    with pytest.raises(GateRefused, match="worse than the model at work"):
        workspace.promote("1", REFUSED)
    with pytest.raises(GateRefused, match="worse than the model at work"):
        workspace.promote("1", None)  # the verdict was written down
    with pytest.raises(UsageError, match="no earlier risk champion"):
        workspace.rollback()
    assert workspace.at_work() is None
    assert workspace.moves == []


def test_alias_pointer_and_history_move_together_and_back(workspace):
    workspace.promote("1")
    assert workspace.at_work() == workspace.alias() == "1"
    registry.record_gate(workspace.state, "risk", "3", PASSED)
    workspace.promote("3", None)
    workspace.promote("3", None)  # again, as after a crash: harmless
    assert workspace.at_work() == workspace.alias() == "3"
    assert champion(workspace.state, "risk").model_version.startswith("risk-3-")
    bundle = read_bundle(champion(workspace.state, "risk").folder)
    assert bundle.fingerprint == workspace.versions[2].fingerprint
    assert bundle.boosters["risk.txt"].num_trees() == 5

    found = registry.history(workspace.state, "risk")
    assert [(each.version, each.gate, each.is_champion) for each in found] == [
        ("3", "passed", True),
        ("2", None, False),
        ("1", "passed", False),
    ]
    assert found[0].gate_reasons == "beats the rule"
    expected = replace(workspace.versions[2], gate="passed", is_champion=True)
    assert replace(found[0], gate_reasons="") == expected

    workspace.rollback()  # to the champion before, not to the version before
    assert workspace.at_work() == workspace.alias() == "1"
    with pytest.raises(UsageError, match="no earlier risk champion"):
        workspace.rollback()
    assert workspace.at_work() == "1"
    moves = [(move["event"], move["version"], move["previous"]) for move in workspace.moves]
    assert moves == [
        ("promoted", "1", None),
        ("promoted", "3", "1"),
        ("promoted", "3", "3"),
        ("rolled_back", "1", "3"),
    ]
    assert workspace.moves[1]["reasons"] == "beats the rule"
    assert workspace.moves[1]["fingerprint"] == workspace.versions[2].fingerprint


def test_history_is_empty_where_nothing_was_trained(workspace):
    assert registry.history(workspace.state, "volume") == []
    assert registry.history(workspace.state / "nowhere", "risk") == []


def test_an_unknown_version_is_refused_with_those_that_exist(workspace):
    with pytest.raises(UsageError, match='no risk model of version "9"; there are 1, 2, 3'):
        workspace.promote("9")


def test_a_damaged_candidate_changes_nothing(workspace):
    path = registry.version_bundle(workspace.state, "risk", "3") / "risk.txt"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"tree", b"tre_", 1))
    try:
        with pytest.raises(DamagedFile, match=r"risk\.txt: its SHA-256"):
            workspace.promote("3")
    finally:
        path.write_bytes(whole)
    assert workspace.at_work() is None
    assert not any(each.is_champion for each in registry.history(workspace.state, "risk"))
    assert workspace.moves == []


def test_a_damaged_champion_or_pointer_is_named_and_promotion_mends_it(workspace):
    workspace.promote("1")
    path = champion(workspace.state, "risk").folder / "risk.txt"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedFile, match=r"risk\.txt: its SHA-256"):
        read_bundle(path.parent)
    workspace.promote("1")
    assert read_bundle(path.parent).boosters["risk.txt"].num_trees() == 3

    pointer = workspace.state / "models" / "risk" / POINTER
    written = pointer.read_text()
    pointer.write_text(written[:40])
    with pytest.raises(DamagedFile, match="is not a champion's pointer"):
        champion(workspace.state, "risk")


def test_a_workspace_that_was_moved_still_has_its_models_and_scoring_needs_no_mlflow(
    workspace, tmp_path
):
    workspace.promote("1")
    elsewhere = tmp_path / "moved" / ".presage"
    shutil.copytree(workspace.state, elsewhere)
    bundle = registry.version_bundle(elsewhere, "risk", "2")
    assert bundle.is_relative_to(elsewhere)
    assert verify(bundle).fingerprint == workspace.versions[1].fingerprint
    code = (
        "import sys; sys.modules.update(mlflow=None, sklearn=None, pandas=None);"
        "from pathlib import Path; from models.champion import champion;"
        f"print(champion(Path({str(elsewhere)!r}), 'risk').fingerprint)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert told.stdout.strip() == workspace.versions[0].fingerprint, told.stderr


def test_a_run_in_a_copied_workspace_writes_there_and_not_where_it_came_from(workspace, tmp_path):
    before = sorted(path for path in workspace.state.rglob("*") if path.is_file())
    elsewhere = tmp_path / "a copy" / ".presage"
    shutil.copytree(workspace.state, elsewhere)
    folder = tmp_path / "trained"
    write_bundle(folder, {"a.json": 1}, {"kind": "risk"})
    frame = pd.DataFrame({"a": [1.0]})
    made = registry.log_training_run(
        elsewhere,
        "risk",
        folder,
        params={},
        metrics={},
        base_rates={},
        data_fingerprint="d",
        feature_fingerprint="f",
        as_of=datetime(2026, 2, 1),
        example=frame,
        predictions=frame,
        at=NOON,
        pages={"report": "<p>here"},
    )
    assert registry.artifact(elsewhere, made.run_id, "report.html").read_text() == "<p>here"
    moved = []
    registry.promote(elsewhere, "risk", made.version, at=NOON, record=moved.append, decision=PASSED)
    assert moved[0]["version"] == made.version
    assert sorted(path for path in workspace.state.rglob("*") if path.is_file()) == before
    _, client = registry._client(elsewhere)
    for run_id in (workspace.versions[0].run_id, made.run_id):
        # MLflow's tables name no folder of this machine, so the copy shows what is in the copy
        place = client.get_run(run_id).info.artifact_uri
        assert place == f"mlflow-artifacts:/{run_id}/artifacts"
    assert registry.artifact(elsewhere, workspace.versions[0].run_id, "plots").is_dir()
    lines = sqlite3.connect(elsewhere / "mlflow.db").iterdump()
    assert not [line for line in lines if str(tmp_path) in line or str(workspace.state) in line]


def test_a_damaged_bundle_is_not_even_logged(workspace, tmp_path):
    folder = tmp_path / "trained"
    write_bundle(folder, {"a.json": 1}, {"kind": "risk"})
    (folder / "a.json").write_text("2")
    frame = pd.DataFrame({"a": [1.0]})
    with pytest.raises(DamagedFile):
        registry.log_training_run(
            workspace.state,
            "risk",
            folder,
            params={},
            metrics={},
            base_rates={},
            data_fingerprint="",
            feature_fingerprint="",
            as_of=NOON,
            example=frame,
            predictions=frame,
            at=NOON,
        )
    assert len(registry.history(workspace.state, "risk")) == 3


def test_a_server_of_ones_own_is_told_what_it_lacks_and_the_model_loads_from_it(
    workspace, tmp_path, monkeypatch
):
    import mlflow

    registry._create_store(mlflow, tmp_path / "server.db")
    url = f"sqlite:///{tmp_path / 'server.db'}"
    server = mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
    server.create_experiment("presage-risk", artifact_location=(tmp_path / "files").as_uri())
    server.create_registered_model("presage-risk")
    server.create_model_version("presage-risk", "elsewhere")  # another workspace's

    def tell() -> list[str]:
        return registry.copy_to_server(workspace.state, "risk", url, lambda line: None)

    workspace.promote("2")
    assert tell() == ["1", "2", "3"]
    assert tell() == []
    theirs = server.get_model_version_by_alias("presage-risk", "champion")
    assert (theirs.version, theirs.tags["presage.gate"]) == (3, "passed")
    (run,) = server.search_runs(["1"], f"tags.`presage.origin` = '{workspace.versions[1].run_id}'")
    assert run.data.params["rounds"] == "4" and run.info.status == "FINISHED"
    assert run.data.metrics["average_precision_7d_low"] == 0.25
    (twin,) = server.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert twin.data.metrics == {"average_precision_7d": 0.29}
    names = {each.path for each in server.list_artifacts(run.info.run_id)}
    assert {"model", "plots", "tables", "gate.json"} <= names
    folder = mlflow.artifacts.download_artifacts(
        f"runs:/{run.info.run_id}/model", tracking_uri=url, dst_path=str(tmp_path / "down")
    )
    assert verify(Path(folder) / "bundle").fingerprint == workspace.versions[1].fingerprint
    workspace.promote("3")
    tell()
    assert server.get_model_version_by_alias("presage-risk", "champion").version == 4
    server.delete_model_version("presage-risk", "4")  # as a copy that was killed on its way
    assert tell() == ["3"]
    assert server.get_model_version_by_alias("presage-risk", "champion").version == 5
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(PresageError, match=r"http://127.0.0.1:9 was not told of risk models"):
        registry.copy_to_server(workspace.state, "risk", "http://127.0.0.1:9", print)
