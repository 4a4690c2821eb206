"""The service as `presage serve` starts it, on a copy of a workspace, and loads on it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from benchmarks.running import PRESAGE
from data.workspace import set_setting

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
QUICK = "[api]\nrequests_per_second = 1000000.0\nburst = 1000000.0\n"
"""No limit per key, for one key makes all the load."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: list[str], url: str, output: IO[bytes] | None = None, **environ: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A service, from when it answers until the block ends; ``output``: what it writes, so far."""
    with tempfile.TemporaryFile() if output is None else nullcontext(output) as log:
        environment = {**os.environ, **ONE_THREAD, **environ}
        started = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            until = time.monotonic() + 600
            while True:
                try:
                    urllib.request.urlopen(url, timeout=5).read()
                    break
                except urllib.error.HTTPError:
                    break  # it answers
                except OSError:
                    time.sleep(0.2)
                if started.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise SystemExit(f"{command} did not start:\n{log.read()[-3000:].decode()}")
            yield started
        finally:
            started.terminate()
            started.wait(60)


class Served:
    """The service on a copy of a workspace; ``store``: the URL of its database, ``key``: one that
    is in there already."""

    def __init__(
        self,
        workspace: Path,
        stack: ExitStack,
        copy: bool = True,
        store: str | None = None,
        key: str | None = None,
    ) -> None:
        self.stack, self.workspace = stack, workspace
        if copy:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.workspace = folder / "company"
            shutil.copytree(workspace, self.workspace)
        settings = self.workspace / "presage.toml"
        text = settings.read_text() if settings.exists() else ""
        if QUICK not in text:  # the copy of a copy has it
            text = text.replace("[api]\n", QUICK) if "[api]\n" in text else text + QUICK
        settings.write_text(text)
        if store is not None:
            set_setting(self.workspace, "store.url", store)
        self.key = self._new_key() if key is None else key
        about = json.loads((self.workspace / ".presage/published/scores.json").read_text())
        self.as_of = datetime.fromisoformat(about["as_of"])
        self.start()
        import pandas as pd

        frame = pd.read_parquet(self.workspace / ".presage/published" / about["file"])
        self.ids: list[str] = frame.sort_values("risk_14d")["customer_id"].tolist()

    def _new_key(self) -> str:
        scopes = "score,events,customers,forecasts,plan,outreach"
        create = [str(PRESAGE), "keys", str(self.workspace), "create", "load", "--scopes", scopes]
        made = subprocess.run([*create, "--json"], check=True, capture_output=True)
        return str(json.loads(made.stdout)["key"])

    def start(self) -> None:
        """Start the service, eight hours after its scores; it ends with the stack."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        clock = (self.as_of + timedelta(hours=8)).isoformat()
        command = [str(PRESAGE), "serve", str(self.workspace), "--port", str(port)]
        self.log: IO[bytes] = self.stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        started = process([*command, "--clock", clock], f"{self.url}/readyz", self.log)
        self.process = self.stack.enter_context(started)

    def kill(self) -> None:
        """Kill every process of the service at once, as a machine that loses its power."""
        for pid in _family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(60)

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """One request."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            found: bytes = answer.read()
        return found

    def predict(self, *ids: str) -> dict[str, Any]:
        """The request of a prediction."""
        body = json.dumps({"customer_ids": ids})
        return {"method": "POST", "path": "/v1/predictions", "body": body}

    def memory_mib(self) -> float:
        """Resident memory of the service and its children."""
        return sum(_resident(pid) for pid in _family(self.process.pid)) / 2**20

    def peak_mib(self) -> float:
        """The most that each of them ever had, added up."""
        return sum(_peak(pid) for pid in _family(self.process.pid)) / 2**20

    def descriptors(self) -> int:
        """Open files of the same."""
        return sum(
            len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in _family(self.process.pid)
        )


def _family(pid: int) -> list[int]:
    found = [pid]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += _family(int(stat.parent.name))
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def load(
    url: str, key: str, requests: list[dict[str, Any]], rate: float, seconds: float,
    connections: int = 16,
) -> dict[str, Any]:  # fmt: skip
    """A load from a second process."""
    spec = {
        "url": url, "key": key, "requests": requests, "rate": rate, "seconds": seconds,
        "connections": connections,
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.api_load"]
    done = subprocess.run(command, input=json.dumps(spec).encode(), check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ms(seconds: float | None) -> str:
    """Milliseconds."""
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


Line = list[str]
"""What was measured, the figure, its bar."""
