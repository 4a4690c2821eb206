"""``presage up`` beside a Prefect server of one's own; minutes of two servers, so only
``make test-full`` collects it."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.workspace import set_setting

from .conftest import DEADLINE_SECONDS, PRESAGE, free_port, interrupt, wait_for
from .test_up import filtered


@pytest.fixture
def own_prefect(tmp_path: Path) -> Iterator[str]:
    """The API of a Prefect server that nobody of ours started, on loopback."""
    port = free_port()
    home = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (tmp_path / "prefect.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--no-services"], stdout=log, stderr=log, env=os.environ | home
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health", process)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        interrupt(process)


def test_a_prefect_of_ones_own_gets_flows_and_schedules_and_none_is_started(
    trained_workspace: Path, tmp_path: Path, own_prefect: str
) -> None:
    workspace = tmp_path / "company"
    shutil.copytree(trained_workspace, workspace)
    set_setting(workspace, "prefect.url", own_prefect)
    port, prefect_port, mlflow_port = free_port(), free_port(), free_port()
    command = [*PRESAGE, "up", str(workspace), "--port", str(port)]
    command += ["--prefect-port", str(prefect_port), "--mlflow-port", str(mlflow_port)]
    log = tmp_path / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", process)
        until = time.monotonic() + DEADLINE_SECONDS
        while len(filtered(own_prefect, "deployments", "")) < 2 and time.monotonic() < until:
            select.select([], [], [], 0.2)
        deployed = {each["name"] for each in filtered(own_prefect, "deployments", "")}
        score = [*PRESAGE, "score", str(workspace)]
        done = subprocess.run(score, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        ended = [run for run in filtered(own_prefect, "flow_runs", "") if run["run_count"]]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", prefect_port)) != 0
    finally:
        code = interrupt(process) if process.poll() is None else process.returncode
    told = log.read_text()
    assert code == 0, told
    assert deployed == {"nightly", "weekly"}
    assert [(run["name"], run["state_type"]) for run in ended] == [("score company", "COMPLETED")]
    assert f"Prefect    {own_prefect}: [prefect] url" in told
    assert "Prefect    up" not in told and "Traceback" not in told
    assert not (workspace / ".presage" / "prefect" / "key").exists()
    with urllib.request.urlopen(f"{own_prefect}/health", timeout=30) as answer:
        assert answer.status == 200  # it is not ours to stop
