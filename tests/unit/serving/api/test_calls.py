"""Every call of the contract is there, described, and opened by its own scope alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from data.store import SCOPES, create_key, revoke_key
from serving.api.assembly import openapi
from serving.api.calls import CALLS
from serving.desk import Desk

from .conftest import NOW, Ask

CONTRACT = (Path(__file__).resolve().parents[4] / "docs" / "CONTRACT.md").read_text()


def documented() -> set[tuple[str, str, str]]:
    """(method, path, scope) of the contract's table of calls."""
    section = CONTRACT.split("## HTTP")[1]
    found = set()
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        # `\|` inside a cell splits it; the scope is the first cell that is one
        scope = next(cell for cell in cells if cell in (*SCOPES, "-"))
        method = "GET"
        for method_told, path in re.findall(r"`(?:(GET|POST|PUT) )?(/[\w{}/.-]+)", line):
            method = method_told or method
            found.add((method, path, scope))
    return found


def test_the_contract_names_calls() -> None:
    assert ("POST", "/v1/events", "events") in documented()
    assert ("GET", "/readyz", "-") in documented()


def test_every_call_of_the_contract_is_there_with_its_scope() -> None:
    ours = {(route.method, route.path, route.scope or "-") for route in CALLS}
    assert documented() - {("GET", "/planner", "-")} <= ours


def test_openapi_is_valid_and_complete() -> None:
    told = json.loads(openapi())
    validate(told)
    assert told["openapi"].startswith("3.0")
    described = {
        (method.upper(), path) for path, methods in told["paths"].items() for method in methods
    }
    assert described == {(route.method, route.path) for route in CALLS}


def filled(path: str) -> str:
    return path.replace("{id}", "a")


@pytest.mark.parametrize("route", CALLS, ids=lambda route: f"{route.method} {route.path}")
def test_each_call_wants_its_own_scope(
    route: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk, client = desk_and_client
    path = filled(route.path)
    body = {} if route.body is None else {"json": {}}
    if route.scope is None:
        assert client.request(route.method, path, **body).status_code in (200, 503)
        return
    without = client.request(route.method, path, **body)
    assert without.status_code == 401
    assert without.headers["content-type"] == "application/problem+json"
    assert "Bearer" in without.headers["www-authenticate"]
    others = [scope for scope in SCOPES if scope != route.scope]
    wrong = create_key(desk.store, "others", others, NOW)
    refused = client.request(
        route.method, path, headers={"Authorization": f"Bearer {wrong}"}, **body
    )
    assert refused.status_code == 403
    assert route.scope in refused.json()["detail"]
    right = create_key(desk.store, "right", [route.scope], NOW)
    let_in = client.request(
        route.method, path, headers={"Authorization": f"Bearer {right}"}, **body
    )
    assert let_in.status_code not in (401, 403, 404, 405, 500)


def test_a_revoked_key_opens_nothing(desk_and_client: tuple[Desk, TestClient]) -> None:
    desk, client = desk_and_client
    key = create_key(desk.store, "planner", ["forecasts"], NOW)
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/v1/planning", headers=headers).status_code == 200
    revoke_key(desk.store, "planner", NOW)
    assert client.get("/v1/planning", headers=headers).status_code == 401
    for text in ("Bearer", "Bearer x", "Basic abc", f"Bearer {key}x", "Bearer \u00e9"):
        encoded = {"Authorization": text.encode()}
        assert client.get("/v1/planning", headers=encoded).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/docs.json", 404),
        ("DELETE", "/v1/events", 405),
        ("PATCH", "/v1/customers/a", 405),
        ("POST", "/planner", 405),
    ],
)
def test_wrong_paths_and_methods_are_problems(
    method: str, path: str, status: int, ask: Ask
) -> None:
    answer = ask(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["instance"] == path
    assert problem["type"].startswith("/problems/")
    assert problem["title"]


def test_bodies_that_are_none(ask: Ask) -> None:
    kind = {"Content-Type": "application/json"}
    assert ask("POST", "/v1/predictions", content=b"{", headers=kind).status_code == 400
    assert ask("POST", "/v1/predictions", content=b"\xff", headers=kind).status_code == 400
    text = ask("POST", "/v1/predictions", content=b"{}", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415
    large = ask("POST", "/v1/events", content=b'"' + b"x" * (10 * 2**20) + b'"', headers=kind)
    assert large.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"customer_ids": []},
        {"customer_ids": ["a"] * 1001},
        {"customer_ids": [7]},
        {"customer_ids": ["a"], "horizons": []},
        {"customer_ids": ["a"], "horizons": ["7"]},
        {"customer_ids": ["a"], "horizon": [7]},
        [],
    ],
)
def test_a_prediction_request_of_another_shape_is_told_where(body: Any, ask: Ask) -> None:
    answer = ask("POST", "/v1/predictions", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"].startswith("$")


def test_without_a_model_the_service_lives_and_is_not_ready(ask: Ask) -> None:
    assert ask("GET", "/livez").json() == {"status": "ok"}
    for method, path, body in (
        ("GET", "/readyz", None),
        ("POST", "/v1/predictions", {"customer_ids": ["a"]}),
    ):
        answer = ask(method, path, json=body)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "presage score" in answer.json()["detail"]


def test_what_is_not_built_says_so(ask: Ask) -> None:
    for path in ("/v1/what-if", "/v1/scenarios/1/publish"):
        answer = ask("POST", path, json={})
        assert answer.status_code == 501
        assert "not built yet" in answer.json()["detail"]


def test_metrics_count_by_route_and_not_by_customer(ask: Ask) -> None:
    ask("GET", "/v1/customers/nobody-at-all")
    answer = ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = 'presage_requests_total{path="/v1/customers/{id}",status="404"}'
    assert counted in answer.text
    assert "nobody-at-all" not in answer.text
    assert 'presage_published_age_seconds{kind="staffing"}' in answer.text


def test_the_page_is_ours_alone(ask: Ask) -> None:
    for path in ("/planner", "/planner/page.js", "/planner/page.css"):
        answer = ask("GET", path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        outside = [u for u in re.findall(r"https?://[\w.]+", answer.text) if "w3.org" not in u]
        assert not outside
