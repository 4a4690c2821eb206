"""``presage up``: Prefect, schedules, MLflow and API together; a flow seen by a real Prefect."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .conftest import DEADLINE_SECONDS, PRESAGE, free_port, interrupt, wait_for

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("up")]


def filtered(api: str, what: str) -> list[dict[str, Any]]:
    """All flow runs or deployments that a Prefect API knows."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{api}/{what}/filter", b"{}", headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def test_everything_comes_up_runs_flows_and_stops_together(
    trained_workspace: Path, tmp_path: Path
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
            env={**os.environ, "PREFECT_API_URL": api, "PREFECT_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["customers"] > 0
        assert "running as Prefect flow presage-score" in done.stderr
        states = {run["state_type"] for run in filtered(api, "flow_runs") if run["run_count"]}
        assert states == {"COMPLETED"}
        until = time.monotonic() + DEADLINE_SECONDS
        while len(deployed := filtered(api, "deployments")) < 2 and time.monotonic() < until:
            select.select([], [], [], 0.2)
        due = {told["name"]: told["schedules"][0]["schedule"]["cron"] for told in deployed}
        assert due == {"nightly": "15 0 * * *", "weekly": "30 1 * * 0"}
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
