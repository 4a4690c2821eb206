"""Real processes: the service as ``presage serve`` starts it, on a copy of a trained workspace."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ..forked import FORKS, SCRIPT  # noqa: TID252

collect_ignore = [] if os.environ.get("PRESAGE_FULL") == "1" else ["test_own_prefect.py"]
PRESAGE = (str(SCRIPT),)
DEADLINE_SECONDS = 120.0


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def presage(*arguments: object) -> dict[str, Any]:
    """Run a verb with --json, and read its answer."""
    done = FORKS.run(*arguments, "--json")
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers (lower case), body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Service:
    """A running service and a key for everything."""

    url: str
    workspace: Path
    key: str
    scored_as_of: datetime
    process: subprocess.Popen[str]
    check: Callable[..., None] = lambda *answer: None
    """Called with every answer: is it as documented?"""

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request with the key (``key=""``: without one)."""
        told = {"Content-Type": "application/json", **(headers or {})}
        secret = self.key if key is None else key
        if secret:
            told["Authorization"] = f"Bearer {secret}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, told, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                reply = Reply(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            reply = Reply(error.code, _lower(error.headers), error.read())
        kind = reply.headers.get("content-type", "")
        self.check(method, path, reply.status, kind, reply.body)
        return reply

    def predict(self, *customer_ids: str) -> list[dict[str, Any]]:
        """The items of a prediction of these customers."""
        answer = self.ask("POST", "/v1/predictions", {"customer_ids": customer_ids})
        assert answer.status == 200, answer.body
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    """Until ``url`` answers 200; fails when the process ends or the deadline passes."""
    until = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, f"ended with {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            select.select([], [], [], 0.1)
    raise AssertionError(f"{url} did not answer within {DEADLINE_SECONDS:.0f} s")


def interrupt(process: subprocess.Popen[str]) -> int:
    """Ctrl-C; the exit code."""
    process.send_signal(signal.SIGINT)
    return process.wait(60)


@pytest.fixture(scope="session")
def service(
    trained_workspace: Path,
    tmp_path_factory: pytest.TempPathFactory,
    as_documented: Callable[..., None],
) -> Iterator[Service]:
    """The service on a copy of the trained workspace, its clock some hours after the scores."""
    workspace = tmp_path_factory.mktemp("served") / "company"
    shutil.copytree(trained_workspace, workspace)
    scopes = "score,events,customers,forecasts,plan,outreach"
    key = presage("keys", workspace, "create", "crm", "--scopes", scopes)["key"]
    scored = json.loads((workspace / ".presage" / "published" / "scores.json").read_text())
    as_of = datetime.fromisoformat(scored["as_of"])
    start = as_of + timedelta(hours=8)
    port = free_port()
    command = [*PRESAGE, "serve", str(workspace), "--port", str(port)]
    command += ["--clock", start.isoformat()]
    with (workspace / "serve.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", process)
        yield Service(f"http://127.0.0.1:{port}", workspace, key, as_of, process, as_documented)
    finally:
        if process.poll() is None:
            interrupt(process)
