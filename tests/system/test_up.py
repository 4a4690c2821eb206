"""``presage up``: Prefect, schedules, MLflow and API together; a flow seen by a real Prefect."""

from __future__ import annotations

import base64
import json
import select
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.workspace import set_setting
from models.champion import champion
from models.risk.model import load_risk

from .conftest import DEADLINE_SECONDS, PRESAGE, free_port, interrupt, wait_for

pytestmark = [pytest.mark.system, pytest.mark.slow]


CHROMIUM = Path("/usr/bin/chromium")
ATTACK = """async ([api, deployment]) => {
    const answers = [];
    const patch = {method: "PATCH", headers: {"Content-Type": "application/json"},
                   body: JSON.stringify({description: "theirs"})};
    const plain = {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"},
                   body: "{}"};
    for (const [path, how] of [[`/deployments/${deployment}`, patch],
                               [`/deployments/${deployment}/create_flow_run`, plain],
                               ["/deployments/filter", plain]]) {
        try { answers.push((await fetch(api + path, how)).type); }
        catch (error) { answers.push("refused"); }
    }
    const opened = await new Promise(resolve => {
        const socket = new WebSocket(api.replace("http", "ws") + "/events/in", "prefect");
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
    });
    return [answers, opened];
}"""
"""What a page of another site can try against Prefect's API on loopback."""


def filtered(api: str, what: str, key: str, **headers: str) -> list[dict[str, Any]]:
    """All flow runs or deployments that a Prefect API knows."""
    sent = {"Content-Type": "application/json", **headers}
    if key:
        sent["Authorization"] = f"Basic {base64.b64encode(key.encode()).decode()}"
    request = urllib.request.Request(f"{api}/{what}/filter", b"{}", sent)
    with urllib.request.urlopen(request, timeout=30) as answer:
        rows: list[dict[str, Any]] = json.load(answer)
    return rows


def refusal(api: str, key: str, **headers: str) -> int:
    """The status with which a request is refused."""
    with pytest.raises(urllib.error.HTTPError) as error:
        filtered(api, "deployments", key, **headers)
    return error.value.code


def a_page_of_another_origin_changes_nothing(api: str, deployment: str) -> None:
    from playwright.sync_api import sync_playwright

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=flags)
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            answers, opened = page.evaluate(ATTACK, [api, deployment])
            browser.close()
    finally:
        server.shutdown()
    assert answers == ["refused", "opaque", "opaque"], "a page can read what Prefect answers"
    assert not opened


def registered_models_answer(uri: str, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the first thing that a data scientist tries, with nothing unpickled."""
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow.pyfunc

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        risk = mlflow.pyfunc.load_model("models:/presage-risk@champion")
        volume = mlflow.pyfunc.load_model("models:/presage-volume@champion")
        client = mlflow.MlflowClient()
        run = client.get_run(risk.metadata.run_id)
        parent = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
        (twin,) = client.search_runs([run.info.experiment_id], parent)
    finally:
        mlflow.set_tracking_uri(before)
    at_work = champion(state, "risk")
    assert at_work is not None
    model = load_risk(at_work.folder)
    rows = risk.input_example
    text = dict.fromkeys(model.encoder.categories, "category")
    features = rows.astype(text)  # as features are computed
    assert len(rows) == 5 and "customer_id" not in rows
    told = risk.predict(features)
    pd.testing.assert_frame_equal(told, model.predict(features))
    assert told["risk_14d"].between(0, 1).all()
    foretold = volume.predict(volume.input_example)
    assert len(foretold) == 7 * 24 and foretold["presage"].ge(0).all()

    told_of = run.data.params
    for name in ("seed", "risk.trees", "learner.trees.ridge", "release", "code_sha256"):
        assert name in told_of
    assert run.data.metrics["training_seconds"] > 0
    assert run.data.tags["presage.gate"] == "passed"
    (read,) = run.inputs.dataset_inputs
    assert json.loads(read.dataset.profile)["rows"]["customers"] > 900
    assert twin.data.metrics["observed_over_predicted_14d"] > 0
    artifacts = state / "mlartifacts" / run.info.run_id / "artifacts"
    table = json.loads((artifacts / "tables" / "importances_14d.json").read_text())
    assert abs(sum(row[2] for row in table["data"]) - 1) < 1e-6


def told_of_a_run(api: str, key: str, run: dict[str, Any]) -> None:
    """What a person finds of a flow on Prefect's page."""
    assert run["name"] == "score company"
    assert run["parameters"]["workspace"].endswith("company")
    kept = {one["key"]: one for one in filtered(api, "artifacts", key)}
    figures = {row["figure"]: row["value"] for row in json.loads(kept["presage-score"]["data"])}
    assert int(figures["customers"]) > 0
    lines = [line["message"] for line in filtered(api, "logs", key)]
    assert "score-customers" in lines


def a_server_of_ones_own_is_told(uri: str, workspace: Path) -> None:
    """``[mlflow] url``: this registry gets the copy of another workspace, and answers by it."""
    import mlflow.pyfunc

    set_setting(workspace, "mlflow.url", uri)
    command = [*PRESAGE, "models", str(workspace), "promote", "--version", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "copying presage-risk version 1" in done.stderr
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        risk = mlflow.pyfunc.load_model("models:/presage-risk/2")
    finally:
        mlflow.set_tracking_uri(before)
    told = risk.predict(risk.input_example.astype(dict.fromkeys(categories(workspace), "category")))
    assert told["risk_14d"].between(0, 1).all()


def categories(workspace: Path) -> list[str]:
    at_work = champion(workspace / ".presage", "risk")
    assert at_work is not None
    return list(load_risk(at_work.folder).encoder.categories)


def test_everything_comes_up_runs_flows_and_stops_together(
    trained_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "company"
    shutil.copytree(trained_workspace, workspace)
    port, prefect_port, mlflow_port = free_port(), free_port(), free_port()
    command = [*PRESAGE, "up", str(workspace), "--port", str(port)]
    command += ["--prefect-port", str(prefect_port), "--mlflow-port", str(mlflow_port)]
    api = f"http://127.0.0.1:{prefect_port}/api"
    log = tmp_path / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(f"{api}/health", process)
        wait_for(f"http://127.0.0.1:{port}/readyz", process)
        wait_for(f"http://127.0.0.1:{mlflow_port}/health", process)
        done = subprocess.run(
            [*PRESAGE, "score", str(workspace), "--json"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["customers"] > 0
        assert "running as Prefect flow presage-score" in done.stderr
        registry = f"http://127.0.0.1:{mlflow_port}"
        registered_models_answer(registry, workspace / ".presage", monkeypatch)
        key = (workspace / ".presage" / "prefect" / "key").read_text()
        runs = [run for run in filtered(api, "flow_runs", key) if not run["auto_scheduled"]]
        states = {run["state_type"] for run in runs if run["run_count"]}
        assert states == {"COMPLETED"}
        told_of_a_run(api, key, runs[0])
        shutil.copytree(trained_workspace, tmp_path / "another")
        a_server_of_ones_own_is_told(registry, tmp_path / "another")
        until = time.monotonic() + DEADLINE_SECONDS
        while len(deployed := filtered(api, "deployments", key)) < 2 and time.monotonic() < until:
            select.select([], [], [], 0.2)
        due = {told["name"]: told["schedules"][0]["schedule"]["cron"] for told in deployed}
        assert due == {"nightly": "15 0 * * *", "weekly": "30 1 * * 0"}
        assert (workspace / ".presage" / "prefect" / "key").stat().st_mode & 0o077 == 0
        assert refusal(api, "") == refusal(api, "admin:guess") == 401
        assert refusal(api, key, Origin="http://127.0.0.1:1") == 403
        assert refusal(api, key, Host="presage.example") == 400
        if CHROMIUM.exists():
            a_page_of_another_origin_changes_nothing(api, deployed[0]["id"])
            after = {each["id"]: each for each in filtered(api, "deployments", key)}
            assert after.keys() == {each["id"] for each in deployed}
            for each in deployed:
                for name in ("description", "schedules", "parameters", "pull_steps", "entrypoint"):
                    assert after[each["id"]][name] == each[name]
            started = [run for run in filtered(api, "flow_runs", key) if not run["auto_scheduled"]]
            assert len(started) == len(runs)
    finally:
        code = interrupt(process) if process.poll() is None else process.returncode
    told = log.read_text()
    assert code == 0, told
    for line in ("API        up", "Prefect    up", "MLflow     up", "Schedules  up", "all stopped"):
        assert line in told
    assert "Traceback" not in told
    for each in (port, prefect_port, mlflow_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", each)) != 0
