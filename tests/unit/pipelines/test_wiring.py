"""Which Prefect a workspace's flows run in, and who may call it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from pipelines.flow_server import closed
from pipelines.wiring import local_prefect, prefect_key, prefect_of, remember_prefect


async def answer(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/", answer), WebSocketRoute("/events", talk)])
    return TestClient(closed(app, 4200), base_url="http://127.0.0.1:4200")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:4200"}, 200),
        ({"Origin": "http://localhost:4201"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "rebound.example:4200"}, 400),
    ],
)
def test_only_its_own_page_and_name_are_served(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert client.get("/", headers=headers).status_code == status


def test_a_socket_of_another_origin_is_closed(client: TestClient) -> None:
    elsewhere = {"Origin": "http://elsewhere.example"}
    with client.websocket_connect("ws://127.0.0.1:4200/events"):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://127.0.0.1:4200/events", headers=elsewhere),
    ):
        pass


def test_many_who_ask_at_once_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: prefect_key(tmp_path), range(32)))
    assert len(keys) == 1
    assert keys.pop().startswith("admin:")
    assert [file.name for file in (tmp_path / "prefect").iterdir()] == ["key"]


def test_no_port_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    asked: list[str] = []
    monkeypatch.setattr("pipelines.wiring._answers", lambda url, _: bool(asked.append(url)))
    assert prefect_of(tmp_path) is None
    assert asked == []
    remember_prefect(tmp_path, 4321)
    assert prefect_of(tmp_path) is None
    assert asked == [local_prefect(4321)]
    assert prefect_of(tmp_path, "https://flows.example/api") is None  # [prefect] url
    assert asked.pop() == "https://flows.example/api"
    (tmp_path / "prefect" / "address.json").write_text('{"url": "http://elsewhere.example/api"}')
    assert prefect_of(tmp_path) is None
    assert len(asked) == 1
