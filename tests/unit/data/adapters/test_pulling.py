"""A help desk's and a shop's API: a local server that pages, refuses, breaks and changes rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from data.adapters import pulling
from data.adapters.importing import run_import
from data.adapters.pulling import pull
from data.errors import DataError, UsageError
from data.workspace import Workspace

TICKET = {"requester_id": 7, "via": {"channel": "email"}, "status": "open", "tags": []}


class Hub(ThreadingHTTPServer):
    """Both APIs over lists of rows; ``troubles``: answers to give before the next good one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.rows: list[dict[str, Any]] = []
        self.troubles: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[str] = []
        self.secrets: list[str] = []
        self.page_rows = 2
        self.between: Any = lambda: None
        self.elsewhere = ""


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        hub, parts = self.server, urlsplit(self.path)
        hub.asked.append(self.path)
        hub.secrets.append(
            self.headers.get("Authorization") or self.headers["X-Shopify-Access-Token"]
        )
        if hub.troubles:
            code, headers, body = hub.troubles.pop(0)
            return self._answer(code, headers, body)
        asked = {k: v[0] for k, v in parse_qs(parts.query).items()}
        if "incremental/tickets" in parts.path:
            return self._zendesk(asked)
        if parts.path.endswith("/orders.json"):
            return self._shopify(asked)
        return self._answer(403, {}, b"{}")  # users and customers: not for this key

    def _zendesk(self, asked: dict[str, str]) -> None:
        hub = self.server
        changed = sorted(hub.rows, key=lambda row: (row["updated_at"], row["id"]))
        at = int(asked.get("cursor", 0))
        page = changed[at : at + hub.page_rows]
        after = at + len(page)
        sets = [{"ticket_id": row["id"], "solved_at": "2026-01-09T10:00:00Z"} for row in page]
        base = hub.elsewhere or hub.address
        answer = {
            "tickets": page,
            "metric_sets": sets if "metric_sets" in asked.get("include", "") else [],
            "after_cursor": str(after),
            "after_url": f"{base}/api/v2/incremental/tickets/cursor.json?cursor={after}"
            "&include=metric_sets",
            "end_of_stream": after >= len(changed),
        }
        self._answer(200, {}, json.dumps(answer).encode())
        hub.between()

    def _shopify(self, asked: dict[str, str]) -> None:
        hub = self.server
        since, page = asked.get("updated_at_min", ""), int(asked.get("page_info", 0))
        changed = sorted(hub.rows, key=lambda row: row["updated_at"])
        changed = [row for row in changed if row["updated_at"] >= since]
        rows = changed[page : page + hub.page_rows]
        more = page + hub.page_rows < len(changed)
        link = f"<{hub.address}{urlsplit(self.path).path}?page_info={page + hub.page_rows}"
        link += f'&updated_at_min={since}>; rel="next"'
        headers = {"Link": link} if more else {}
        self._answer(200, headers, json.dumps({"orders": rows}).encode())
        hub.between()

    def _answer(self, code: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("PRESAGE_SECRET_ZENDESK", "ann@x.no/token:s3cret")
    monkeypatch.setenv("PRESAGE_SECRET_SHOPIFY", "shpat_1")
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited each time."""
    seconds: list[float] = []
    monkeypatch.setattr(pulling.time, "sleep", seconds.append)
    return seconds


def ticket(number: int, updated: str = "2026-01-08", **more: Any) -> dict[str, Any]:
    at = f"2026-01-{number:02}T10:00:00Z"
    return {"id": number, "created_at": at, "updated_at": f"{updated}T10:00:00Z", **TICKET, **more}


def order(number: int, updated: str, **more: Any) -> dict[str, Any]:
    at = f"2026-01-{number:02}T10:00:00Z"
    common = {"created_at": at, "email": "a@b.c", "total_price": "10.00", "currency": "NOK"}
    return {"id": number, "name": f"#{number}", "updated_at": updated, **common, **more}


def table(workspace: Path, name: str) -> pd.DataFrame:
    frame = pd.read_parquet(workspace / "tables" / f"{name}.parquet")
    return frame.set_index(frame.columns[0]).sort_index()


def test_pages_limits_and_failures_cost_no_ticket(
    hub: Hub, waits: list[float], tmp_path: Path
) -> None:
    hub.rows = [ticket(n) for n in range(1, 8)]
    hub.troubles = [
        (429, {"Retry-After": "17"}, b""),
        (500, {}, b""),
        (200, {}, b'{"tickets": ['),  # half an answer
    ]
    made = run_import("zendesk", hub.address, tmp_path / "w")
    found = table(tmp_path / "w", "tickets")
    assert list(found.index) == [str(n) for n in range(1, 8)]
    assert found["resolved_at"].notna().all()  # metric sets came along
    assert waits == [17, 2, 4]
    assert set(hub.secrets) == {"Basic YW5uQHgubm8vdG9rZW46czNjcmV0"}
    assert any("users left out" in note for note in made.notes)
    state = tmp_path / "w" / ".presage"
    assert not any((state / "pull").iterdir())
    assert "s3cret" not in "".join(p.read_text("latin-1") for p in state.rglob("*") if p.is_file())


def test_a_pull_that_broke_goes_on_after_its_last_page(
    hub: Hub, waits: list[float], tmp_path: Path
) -> None:
    hub.rows = [ticket(n) for n in range(1, 8)]

    def breaks() -> None:
        if len(hub.asked) == 2:
            hub.troubles = [(503, {}, b"")] * 6

    hub.between = breaks
    with pytest.raises(DataError, match="goes on after it"):
        run_import("zendesk", hub.address, tmp_path / "w")
    assert not (tmp_path / "w" / "tables").exists()
    hub.between, hub.asked = (lambda: None), []
    run_import("zendesk", hub.address, tmp_path / "w")
    assert "cursor=4" in hub.asked[0]
    assert list(table(tmp_path / "w", "tickets").index) == [str(n) for n in range(1, 8)]


def test_the_next_pull_asks_for_what_changed_and_goes_back_in_nothing(
    hub: Hub, waits: list[float], tmp_path: Path
) -> None:
    hub.rows = [ticket(n) for n in range(1, 8)]
    run_import("zendesk", hub.address, tmp_path / "w")
    reached = Workspace.open(tmp_path / "w").settings.data.complete_to
    hub.rows[0] = ticket(1, "2026-01-20", priority="high")  # an old ticket, changed
    hub.rows.append(ticket(2, "2026-01-21", status="deleted"))
    hub.asked.clear()
    run_import("zendesk", hub.address, tmp_path / "w")
    assert "cursor=7" in hub.asked[0]
    assert Workspace.open(tmp_path / "w").settings.data.complete_to == reached
    with pytest.raises(DataError, match="no row that is new"):
        run_import("zendesk", hub.address, tmp_path / "w")


def test_rows_that_change_between_pages_are_as_they_were_last(
    hub: Hub, waits: list[float], tmp_path: Path
) -> None:
    hub.rows = [order(n, f"2026-01-{n:02}T10:00:00Z") for n in range(1, 6)]

    def changes() -> None:
        if len(hub.asked) == 1:  # it moves to the end, and everything after it by one
            hub.rows[1] = order(2, "2026-01-09T10:00:00Z", cancelled_at="2026-01-09T10:00:00Z")

    hub.between = changes
    run_import("shopify", hub.address, tmp_path / "w")
    found = table(tmp_path / "w", "orders")
    assert found["cancelled_at"].notna().tolist() == [False, True, False, False, False]
    assert set(hub.secrets) == {"shpat_1"}
    hub.between, hub.asked = (lambda: None), []
    hub.rows.append(order(9, "2026-01-09T11:00:00Z"))
    run_import("shopify", hub.address, tmp_path / "w")
    assert "updated_at_min=2026-01-09" in hub.asked[0]
    assert len(table(tmp_path / "w", "orders")) == 6


def test_many_rows_of_one_second_are_walked_by_page(
    hub: Hub, waits: list[float], tmp_path: Path
) -> None:
    hub.rows = [order(n, "2026-01-20T10:00:00Z") for n in range(1, 8)]
    run_import("shopify", hub.address, tmp_path / "w")
    assert len(table(tmp_path / "w", "orders")) == 7


def test_a_secret_goes_to_its_address_only(hub: Hub, waits: list[float], tmp_path: Path) -> None:
    hub.rows, hub.elsewhere = [ticket(n) for n in range(1, 8)], "http://127.0.0.1:9"
    with pytest.raises(DataError, match="another address"):
        pull("zendesk", hub.address, tmp_path / "w", {})
    hub.troubles = [(302, {"Location": "http://127.0.0.1:9/"}, b"")]
    with pytest.raises(UsageError, match="sends us on"):
        pull("zendesk", hub.address, tmp_path / "v", {})
    for address, reason in (
        ("http://acme.zendesk.com", "not https"),
        ("https://me:secret@acme.zendesk.com", "no address"),
    ):
        with pytest.raises(UsageError, match=reason):
            pull("zendesk", address, tmp_path / "v", {})


@pytest.mark.parametrize(
    ("code", "reason"), [(401, "does not take the secret"), (403, "refuses"), (404, "answers 404")]
)
def test_what_an_api_refuses_is_said(
    hub: Hub, waits: list[float], tmp_path: Path, code: int, reason: str
) -> None:
    hub.troubles = [(code, {}, b"")]
    with pytest.raises(UsageError, match=reason):
        pull("zendesk", hub.address, tmp_path / "w", {})
    assert not waits


def test_without_a_secret_or_an_api_nothing_is_asked(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PRESAGE_SECRET_ZENDESK")
    with pytest.raises(UsageError, match="PRESAGE_SECRET_ZENDESK"):
        run_import("zendesk", hub.address, tmp_path / "w")
    with pytest.raises(UsageError, match="zendesk, shopify can"):
        run_import("jira", hub.address, tmp_path / "w")
    assert not hub.asked and not (tmp_path / "w").exists()
