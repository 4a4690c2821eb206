"""Whether delivery loses, doubles or oversteps: two senders, killed, and a receiver that fails.

    .venv/bin/python -m benchmarks.delivery
    .venv/bin/python -m benchmarks.delivery --decisions 200 --kills 3

A receiver in a process of its own fails 30 % of the requests: 500, 429, no answer in time, an
answer lost after the message was kept, a reset before and after. Two senders run; while decisions
arrive in batches, one of them is killed with SIGKILL, whatever it is doing, and started again.
Meanwhile customers opt out. Then every decision must have arrived, none under two ids, none with
other bytes under one id, and no request may have come after its customer's opt-out was answered.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.running import show

ROOT = Path(__file__).resolve().parents[1]
FATES = ("500", "429", "timeout", "lost answer", "reset before", "reset after")
TIMEOUT_SECONDS = 1.0
SETTINGS = """
[outreach]
capacity_per_day = 1000000000
holdout_share = 0
min_days_between = 0
quiet_from = "00:00"
quiet_to = "00:00"
[delivery]
endpoint = "http://127.0.0.1:{port}/presage"
allow_inside = true
timeout_seconds = {timeout}
max_attempts = 100
backoff_seconds = 0.2
backoff_most_seconds = 1.0
at_once = 4
"""


@dataclass
class Outcome:
    """What the run showed; the four faults must be 0."""

    decisions: int
    kills: int
    requests: int
    failed: int
    opted_out: int
    refused: int
    seconds: float
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    after_opt_out: list[str] = field(default_factory=list)
    other_bytes: list[str] = field(default_factory=list)
    bad_signatures: int = 0

    @property
    def faults(self) -> int:
        """Everything that must not be."""
        kinds = (self.lost, self.twice, self.after_opt_out, self.other_bytes)
        return sum(map(len, kinds)) + self.bad_signatures


def run(decisions: int, kills: int, failing: float, seed: int, folder: Path) -> Outcome:
    """The whole trial in ``folder``, which is empty."""
    from data.clock import Clock
    from data.store import open_store
    from data.workspace import Workspace, init
    from serving.delivery.signature import rotate
    from serving.desk import Desk

    rng = random.Random(seed)
    began = time.monotonic()
    port, arrivals = _free_port(), folder / "arrivals.jsonl"
    path = folder / "company"
    init(path)
    (path / "presage.toml").write_text(SETTINGS.format(port=port, timeout=TIMEOUT_SECONDS))
    rows = [f"c{i},2025-01-01,true" for i in range(decisions)]
    lines = ["customer_id,signed_up_at,email_consent", *rows]
    (path / "tables" / "customers.csv").write_text("\n".join(lines) + "\n")
    workspace = Workspace.open(path)
    rotate(workspace)
    batches = [list(range(decisions))[i :: kills + 1] for i in range(kills + 1)]
    answered: dict[str, float] = {}
    with open_store(workspace) as store, _receiver(port, arrivals, failing, seed, path):
        desk = Desk.of(workspace, store, Clock())
        senders = [_sender(path, folder, n) for n in range(2)]
        try:
            refusing: list[threading.Thread] = []
            killed = 0
            for number, batch in enumerate(batches):
                _decide(store, f"run-{number}", batch)
                leaving = rng.sample(batch, max(1, len(batch) // 40))
                refusing.append(_opt_out(desk, leaving, answered, rng.random()))
                if number < kills:
                    _until_sending(store)
                    time.sleep(rng.uniform(0.0, 0.4))
                    victim = rng.randrange(2)
                    senders[victim].send_signal(signal.SIGKILL)
                    senders[victim].wait()
                    killed += 1
                    senders[victim] = _sender(path, folder, victim)
            for thread in refusing:
                thread.join()
            _until_settled(store)
        finally:
            for sender in senders:
                sender.kill()
                sender.wait()
        outcome = _judge(store, arrivals, decisions, answered)
    outcome.kills = killed
    outcome.seconds = time.monotonic() - began
    return outcome


def _decide(store: Any, run_id: str, batch: list[int]) -> None:
    from data.clock import SYSTEM
    from data.store import append_decisions

    now = SYSTEM.now()
    decided = [
        {
            "decision_id": f"d{i}",
            "customer_id": f"c{i}",
            "as_of": now.isoformat(),
            "arm": "treat",
            "propensity": 0.9,
            "action": "check_in",
            "channel": "email",
            "risk": i / 100_000,
            "uplift": None,
            "value": None,
            "reason": "a trial",
        }
        for i in batch
    ]
    outbox = [
        {**each, "payload": {"text": f"Hei nummer {i} æøå"}} for i, each in enumerate(decided)
    ]
    append_decisions(store, run_id, decided, now, outbox)


def _opt_out(desk: Any, batch: list[int], answered: dict[str, float], wait: float) -> Any:
    """Opt customers out as the API does, noting when each was answered: these, and after each of
    them one to whom a message is on its way."""
    from data.store import messages_of, put_consent
    from serving.delivery.pulled import until_sent

    def refuse(customer: str) -> None:
        put_consent(desk.store, customer, "email", False, desk.now(), "trial")
        until_sent(desk, customer, ["email"])
        answered[customer] = time.monotonic()

    def work() -> None:
        time.sleep(wait)
        for i in batch:
            refuse(f"c{i}")
            until = time.monotonic() + 5
            while time.monotonic() < until:
                travelling = messages_of(desk.store, status="sending")
                others = [m.customer_id for m in travelling if m.customer_id not in answered]
                if others:
                    refuse(others[-1])
                    break
                time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _until_sending(store: Any) -> None:
    from data.store import message_counts

    until = time.monotonic() + 60
    while message_counts(store)["sending"] == 0 and time.monotonic() < until:
        time.sleep(0.01)


def _until_settled(store: Any) -> None:
    from data.store import message_counts

    while True:
        counts = message_counts(store)
        if counts["waiting"] + counts["sending"] == 0:
            return
        time.sleep(0.1)


def _judge(store: Any, arrivals: Path, decisions: int, answered: dict[str, float]) -> Outcome:
    """Compare what arrived with what was decided."""
    from data.store import messages_of, verify_log

    requests = [json.loads(line) for line in arrivals.read_text().splitlines()]
    messages_at: dict[str, set[str]] = {}
    digests: dict[str, set[str]] = {}
    for request in requests:
        digests.setdefault(request["id"], set()).add(request["sha256"])
        if request["kept"]:
            messages_at.setdefault(request["outreach_id"], set()).add(request["id"])
    messages = messages_of(store)
    refused = {m.decision_id for m in messages if m.status == "refused"}
    states = {m.status for m in messages} - {"sent", "refused"}
    assert not states, f"messages ended {states}"
    assert verify_log(store).entries == decisions
    return Outcome(
        decisions=decisions,
        kills=0,
        requests=len(requests),
        failed=sum(request["fate"] != "ok" for request in requests),
        opted_out=len(answered),
        refused=len(refused),
        seconds=0.0,
        lost=[
            m.decision_id
            for m in messages
            if m.status == "sent" and m.decision_id not in messages_at
        ]
        + [name for name in refused if name.replace("d", "c") not in answered],
        twice=[name for name, ids in messages_at.items() if len(ids) > 1],
        after_opt_out=[
            request["id"]
            for request in requests
            if request["at"] > answered.get(request["customer_id"], float("inf"))
        ],
        other_bytes=[name for name, bodies in digests.items() if len(bodies) > 1],
        bad_signatures=sum(not request["signed"] for request in requests),
    )


def _sender(workspace: Path, folder: Path, number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "presage", "outbox", str(workspace), "run", "--commit"]
    with (folder / f"sender-{number}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


@contextmanager
def _receiver(port: int, file: Path, failing: float, seed: int, path: Path) -> Iterator[None]:
    """The receiver as a process, until the block ends; the key comes by the environment."""
    secret = next(
        line.partition("=")[2].strip()
        for line in (path / ".presage" / "secrets").read_text().splitlines()
        if line.startswith("webhook =")
    )
    command = [sys.executable, "-m", "benchmarks.delivery", "--receive", str(file)]
    command += ["--port", str(port), "--failing", str(failing), "--seed", str(seed)]
    environ = {**os.environ, "TRIAL_KEY": secret}
    process = subprocess.Popen(command, cwd=ROOT, env=environ)
    try:
        until = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < until:
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def receive(port: int, file: Path, failing: float, seed: int) -> None:
    """Serve until killed; a line of JSON for each request."""
    key = base64.b64decode(os.environ["TRIAL_KEY"].removeprefix("whsec_"))
    rng, lock, log = random.Random(seed), threading.Lock(), file.open("a")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            name, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
            digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
            wanted = "v1," + base64.b64encode(digest).decode()
            data = json.loads(body)["data"]
            with lock:
                fate = rng.choice(FATES) if rng.random() < failing else "ok"
                record = {
                    "id": name,
                    "outreach_id": data["outreach_id"],
                    "customer_id": data["customer_id"],
                    "sha256": hashlib.sha256(body).hexdigest(),
                    "signed": wanted in self.headers["webhook-signature"].split(),
                    "fate": fate,
                    "kept": fate in ("ok", "lost answer", "reset after"),
                    "at": time.monotonic(),
                }
                log.write(json.dumps(record) + "\n")
                log.flush()
            self.answer(fate)

        def answer(self, fate: str) -> None:
            if fate in ("ok", "500", "429"):
                self.send_response(200 if fate == "ok" else int(fate))
                if fate == "429":
                    self.send_header("Retry-After", "1")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.close_connection = True
            if fate == "timeout":
                time.sleep(TIMEOUT_SECONDS + 0.5)
            elif fate.startswith("reset"):
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

        def finish(self) -> None:
            with suppress(OSError, ValueError):  # the connection was closed on purpose
                super().finish()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # senders are killed in the middle of requests

    Server(("127.0.0.1", port), Handler).serve_forever()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="delivery", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--decisions", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--failing", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--receive", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        receive(options.port, options.receive, options.failing, options.seed)
        return
    with tempfile.TemporaryDirectory(prefix="presage-delivery-") as folder:
        outcome = run(options.decisions, options.kills, options.failing, options.seed, Path(folder))
    share = outcome.failed / outcome.requests
    show(
        ["what", "found"],
        [
            ["decisions, in so many runs", f"{outcome.decisions:,}, {outcome.kills + 1}"],
            [
                "requests, of which failed",
                f"{outcome.requests:,}, {share:.1%}",
            ],
            ["senders, kills -9", f"2, {outcome.kills}"],
            ["opted out, of whom not sent to", f"{outcome.opted_out}, {outcome.refused}"],
            ["lost", str(len(outcome.lost))],
            ["recorded twice", str(len(outcome.twice))],
            ["sent after an opt-out was answered", str(len(outcome.after_opt_out))],
            ["other bytes under one id", str(len(outcome.other_bytes))],
            ["wrong signatures", str(outcome.bad_signatures)],
            ["seconds", f"{outcome.seconds:.0f}"],
        ],
    )
    sys.exit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
