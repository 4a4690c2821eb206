"""Three promises of the operations guide: equal models, all up within a minute, back from a backup.

    python -m benchmarks.operations [--workspace DIR] [--only models,up,backup] [--times 10]

**models**: each time in a fresh copy of a small company, ``presage train --only risk``; the
registered bundles' fingerprints are compared. **up**: ``presage up`` on a trained company, seconds
until its last process is up. **backup**: decisions are committed and sent to a receiver; the
workspace is packed as docs/operations.md says, and is lost; it is unpacked elsewhere, served, and
the sender is run again: seconds until the first customer is answered, and what was sent again.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.api_served import Served, free_port
from benchmarks.crash import trained
from benchmarks.running import PRESAGE, presage, show
from data.workspace import set_setting
from models.champion import champion

PARTS = ("models", "up", "backup")
GUIDE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
Line = list[str]


def equal_models(workspace: Path, root: Path, times: int) -> Line:
    """How many of ``times`` trainings gave the first one's fingerprint."""
    found = []
    for number in range(times):
        folder = root / f"company-{number}"
        shutil.copytree(workspace, folder, ignore=shutil.ignore_patterns(".presage", "truth"))
        presage("train", folder, "--only", "risk", log=root / "train.log")
        at_work = champion(folder / ".presage", "risk")
        found.append("none" if at_work is None else at_work.fingerprint)
        shutil.rmtree(folder)
    same = sum(one == found[0] != "none" for one in found)
    return ["same data, code, seed: same model", f"{same} of {times}", "10 of 10"]


def seconds_to_up(workspace: Path, root: Path) -> Line:
    """Seconds from the command to the line that says that all is up."""
    folder = root / "up"
    shutil.copytree(workspace, folder)
    ports = [f"--{name}port={free_port()}" for name in ("", "prefect-", "mlflow-")]
    began = time.monotonic()
    process = subprocess.Popen(
        [str(PRESAGE), "up", str(folder), *ports], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    seconds = float("inf")
    for line in process.stderr:
        if line.startswith("all up"):
            seconds = time.monotonic() - began
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    return ["presage up, all green", f"{seconds:.0f} s", "60 s"]


class Receiver:
    """Takes webhooks and keeps their ids."""

    def __init__(self, stack: ExitStack) -> None:
        self.ids: list[str] = []
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                own.ids.append(self.headers["webhook-id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/presage"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)


def back_from_backup(workspace: Path, root: Path, stack: ExitStack) -> list[Line]:
    """Seconds from the archive to the first answer, and what was sent again."""
    folder, log, receiver = root / "company", root / "backup.log", Receiver(stack)
    shutil.copytree(workspace, folder)
    for name, value in {
        "delivery.allow_inside": True,
        "delivery.endpoint": receiver.url,
        "outreach.quiet_from": "00:00",
        "outreach.quiet_to": "00:00",
        "outreach.explore_share": 1.0,
        "delivery.max_age_hours": 1e6,
    }.items():
        set_setting(folder, name, value)
    presage("score", folder, log=log)
    presage("outreach", folder, "--commit", "--yes", log=log)
    presage("outbox", folder, "send", "--commit", log=log)
    sent = list(receiver.ids)
    _block("backup", root)
    shutil.rmtree(folder)
    began = time.monotonic()
    _block("restore", root)
    served = Served(root / "restored", stack, copy=False)
    items = json.loads(served.ask(**served.predict(served.ids[0])))["items"]
    seconds = time.monotonic() - began
    presage("outbox", root / "restored", "send", "--commit", log=log)
    answered = items[0]["status"] == "ok" or items[0]["risk"] is not None
    return [
        ["from the archive to the first answer", f"{seconds:.0f} s" if answered else "-", "120 s"],
        ["messages sent before the loss", f"{len(sent)}", ""],
        ["sent again after it", f"{len(receiver.ids) - len(sent)}", "0"],
    ]


def _block(name: str, folder: Path) -> None:
    (block,) = re.findall(rf"```sh file={name}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    subprocess.run(["bash", "-e", "-c", block], check=True, cwd=folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workspace", type=Path, help="trained; default: one is made")
    parser.add_argument("--only", default=",".join(PARTS), help="with commas between")
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    parts, lines = options.only.split(","), list[Line]()
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        workspace = options.workspace or trained(root / "trained")
        if "models" in parts:
            lines.append(equal_models(workspace, root, options.times))
        if "up" in parts:
            lines.append(seconds_to_up(workspace, root))
            print(lines[-1], file=sys.stderr, flush=True)
        if "backup" in parts:
            lines += back_from_backup(workspace, root, stack)
    show(["what", "seen", "bar"], lines)


if __name__ == "__main__":
    main()
