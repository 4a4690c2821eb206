"""Two services over one PostgreSQL: what one is told the other knows, and both go on without it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from benchmarks.postgres import Postgres, binaries
from data.clock import Clock
from data.store import create_key, events_since, revoke_key
from data.store.opening import OUTAGE_SECONDS
from data.workspace import Workspace, set_setting
from serving.api.assembly import assemble
from serving.desk import Desk
from serving.published import pointer

pytest.importorskip("psycopg", reason="psycopg is not installed")
if binaries() is None:
    pytest.skip("PostgreSQL is not installed", allow_module_level=True)


@pytest.fixture
def database() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.end()


def service(path: Path, clock: Clock) -> tuple[Desk, TestClient]:
    app, desk = assemble(Workspace.open(path), clock)
    return desk, TestClient(app, raise_server_exceptions=False)


def test_reads_go_on_while_the_database_is_gone_and_posts_are_told_to_come_back(
    database: Postgres, trained_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESAGE_SECRET_API_KEYS", "s" * 32)
    shutil.copytree(trained_workspace, tmp_path / "one")
    set_setting(tmp_path / "one", "store.url", database.create("company"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    scores = pointer(tmp_path / "one" / ".presage", "scores")
    assert scores is not None
    as_of = datetime.fromisoformat(scores["as_of"])
    clock = Clock(as_of + timedelta(hours=1))
    with ExitStack() as stack:
        (one, first), (two, second) = (service(tmp_path / name, clock) for name in ("one", "two"))
        stack.callback(one.store.close)
        stack.callback(two.store.close)
        scopes = ["score", "events"]
        headers = {"Authorization": f"Bearer {create_key(one.store, 'crm', scopes, clock.now())}"}
        other = {"Authorization": f"Bearer {create_key(one.store, 'old', scopes, clock.now())}"}
        who = next(iter(one.live.night().rows))

        def post(client: TestClient, name: str) -> Any:
            row = {"event_id": name, "used_at": as_of.isoformat() + "Z", "customer_id": who,
                   "feature": "payment_failed"}  # fmt: skip
            return client.post("/v1/events", json={"usage": [row]}, headers=headers)

        def predict(client: TestClient, headers: dict[str, str] = headers) -> Any:
            body = {"customer_ids": [who]}
            return client.post("/v1/predictions", json=body, headers=headers)

        at_night = predict(second).json()["items"][0]
        assert predict(first, other).status_code == predict(second, other).status_code == 200
        revoke_key(one.store, "old", clock.now())
        assert predict(first, other).status_code == predict(second, other).status_code == 401
        assert post(first, "e1").status_code == 200
        news = predict(second).json()["items"][0]  # what the other service was told
        assert news["as_of"] > at_night["as_of"]
        database.stop()
        for client in (first, second):
            answer = predict(client)
            assert answer.status_code == 200
            assert answer.json()["items"][0]["as_of"] >= news["as_of"]
            refused = post(client, "e2")
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/not-ready")
            assert int(refused.headers["retry-after"]) > 0
            assert str(database.folder) not in refused.text
            assert predict(client, other).status_code == 503  # nobody knows whether it is in force
            assert client.get("/readyz").status_code == 200
        database.start()
        threading.Event().wait(OUTAGE_SECONDS + 0.1)
        assert post(second, "e2").status_code == post(first, "e3").status_code == 200
        assert predict(first).json()["items"][0]["as_of"] > news["as_of"]
        kept = [event.key[0] for event in events_since(two.store, 0) if event.key]
        assert sorted(kept) == ["e1", "e2", "e3"]
