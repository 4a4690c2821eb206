"""A company with decisions to send, a receiver on loopback, and a clock that is set by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from data.clock import Clock
from data.store import Store, append_decisions, open_store, salt
from data.workspace import Workspace, init
from serving.outreach.people import People
from serving.outreach.still_allowed import Gate

NOON = datetime(2026, 3, 2, 12)


class HandClock(Clock):
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at

    def now(self) -> datetime:
        return self.at

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Receiver:
    """What came in; ``answers`` are given in turn, the last one for ever."""

    port: int
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=lambda: [(204, {})])
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.requests.append((self.path, dict(self.headers.items()), body))
            found.before()
            answers = found.answers
            status, headers = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        found = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@dataclass
class Company:
    """A workspace, its store and its gate."""

    workspace: Workspace
    store: Store
    clock: HandClock

    def gate(self) -> Gate:
        secret = bytes.fromhex(salt(self.store, self.clock.now()))
        return Gate(People(self.workspace), self.workspace.settings, secret)

    def decide(self, *customers: str, run: str = "r", channel: str = "email") -> None:
        """A decision to treat for each, in order, at the clock's time."""
        decided: list[dict[str, Any]] = [
            {
                "decision_id": f"{run}-{customer}",
                "customer_id": customer,
                "as_of": self.clock.now().isoformat(),
                "arm": "treat",
                "propensity": 0.9,
                "action": "check_in",
                "channel": channel,
                "risk": 0.5,
                "uplift": None,
                "value": None,
                "reason": "1 of 5",
            }
            for customer in customers
        ]
        outbox = [{**each, "payload": {"text": "Hei, går det bra?"}} for each in decided]
        append_decisions(self.store, run, decided, self.clock.now(), outbox)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Callable[..., Company]]:
    """``company(outreach="...", delivery="...")``: five customers who consent to e-mail."""
    opened: list[Store] = []

    def make(outreach: str = "", delivery: str = "") -> Company:
        workspace = init(tmp_path / "w")
        plain = [
            f"{name} = 0" for name in ("holdout_share", "min_days_between") if name not in outreach
        ]
        lines = ["[outreach]", *plain, outreach, "[delivery]", delivery]
        (workspace.path / "presage.toml").write_text("\n".join(lines) + "\n")
        rows = [f"{name},2025-01-01,true," for name in "abcde"]
        rows += ["oslo,2025-01-01,true,Europe/Oslo", "lima,2025-01-01,true,America/Lima"]
        lines = ["customer_id,signed_up_at,email_consent,time_zone", *rows]
        (workspace.tables_dir / "customers.csv").write_text("\n".join(lines) + "\n")
        workspace = Workspace.open(workspace.path)
        opened.append(open_store(workspace))
        return Company(workspace, opened[-1], HandClock(NOON))

    yield make
    for store in opened:
        store.close()
