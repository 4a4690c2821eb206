"""Every call of the contract is there, described, and opened by its own scope alone."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from data.errors import StorageFailure
from data.store import SCOPES, create_key, put_consent, revoke_key
from serving.api.application import Door, application, of_request
from serving.api.assembly import StoreKeys, StoreReplies, openapi
from serving.api.calls import CALLS
from serving.api.catalogue import KINDS
from serving.api.limits import Crowd, RateLimit
from serving.api.problem import Problem
from serving.audit import requests_logged
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
        for method_told, path in re.findall(r"`(?:(GET|POST|PUT|DELETE) )?(/[\w{}/.-]+)", line):
            method = method_told or method
            found.add((method, path, scope))
    return found


def test_the_contract_names_calls() -> None:
    assert ("POST", "/v1/events", "events") in documented()
    assert ("GET", "/readyz", "-") in documented()


def test_every_call_of_the_contract_is_there_with_its_scope() -> None:
    ours = {(route.method, route.path, route.scope or "-") for route in CALLS}
    pages = {("GET", path, "-") for path in ("/planner", "/docs", "/problems/{kind}")}
    assert pages <= documented()
    assert documented() - pages <= ours


def test_openapi_is_valid_and_complete() -> None:
    told = json.loads(openapi())
    validate(told)
    assert told["openapi"].startswith("3.0")
    described = {
        (method.upper(), path) for path, methods in told["paths"].items() for method in methods
    }
    assert described == {(route.method, route.path) for route in CALLS}


def test_schemas_are_flat_and_named() -> None:
    told = json.loads(openapi())
    text = json.dumps(told)
    assert not any(f'"{word}"' in text for word in ("anyOf", "oneOf", "allOf", "const", "$defs"))
    components = told["components"]["schemas"]
    for name, schema in components.items():
        for place, part in _parts(schema):
            inline = part.get("type") == "object" or "properties" in part
            assert not inline, f"{name}{place} is an object without a name"
            ref = part.get("$ref", "").removeprefix("#/components/schemas/")
            assert not ref or (ref in components and part.keys() == {"$ref"})
    for methods in told["paths"].values():
        for call in methods.values():
            for answer in (*call["responses"].values(), call.get("requestBody", {})):
                for content in answer.get("content", {}).values():
                    assert content["schema"].get("type") != "object"


def _parts(schema: Any) -> Any:
    """The schemas inside a schema, at any depth, with their places."""
    for key, part in schema.get("properties", {}).items():
        yield f".{key}", part
        yield from _parts(part)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield f"[{key}]", schema[key]
            yield from _parts(schema[key])


def test_examples_run(ask: Ask) -> None:
    for route in CALLS:
        if route.example is not None:
            answer = ask(route.method, filled(route.path), json=route.example)
            assert answer.status_code in (200, 404, 503), (route.path, answer.text)


def test_every_kind_of_problem_has_a_page(desk_and_client: tuple[Desk, TestClient]) -> None:
    client = desk_and_client[1]
    serving = Path(__file__).resolve().parents[4] / "serving"
    named = re.compile(r'Problem\(\s*(?:\d+|status),\s*(f?)"([\w{}\'.(), -]+)"')
    found = [m for file in serving.rglob("*.py") for m in named.findall(file.read_text())]
    kinds = {kind for formatted, kind in found if not formatted}
    assert len(kinds) >= 20
    assert kinds <= set(KINDS)
    for kind in KINDS:
        page = client.get(f"/problems/{kind}")
        assert page.status_code == 200 and kind in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/problems").text.count("/problems/") == len(KINDS)
    assert client.get("/problems/none").status_code == 404


def filled(path: str) -> str:
    return path.replace("{id}", "a")


@pytest.mark.parametrize("route", CALLS, ids=lambda route: f"{route.method} {route.path}")
def test_each_call_wants_its_own_scope(
    route: Any, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk, client = desk_and_client
    path = filled(route.path)
    body = {} if route.body is None else {"json": {}}
    if route.signed is not None:  # nobody is believed before a secret is kept
        assert client.request(route.method, path, **body).status_code == 404
        return
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
    assert let_in.status_code not in (401, 403, 405, 500)
    assert not let_in.text.startswith('{"type":"/problems/no-such-path')


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


def test_a_key_opens_until_its_end_and_no_longer(
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    desk, _ = desk_and_client
    moment = [NOW]

    class Moved:
        def now(self) -> Any:
            return moment[0]

    key = create_key(desk.store, "short", ["forecasts"], NOW, NOW + timedelta(hours=1))
    keys = StoreKeys(desk.store, Moved())  # type: ignore[arg-type]
    assert keys.verify(key) == ("short", frozenset({"forecasts"}))
    put_consent(desk.store, "a", "email", True, NOW, "test")  # another write forgets no key
    assert keys.remembered(key) is not None
    moment[0] = NOW + timedelta(hours=1)
    assert keys.remembered(key) is None and keys.verify(key) is None
    other = create_key(desk.store, "other", ["forecasts"], NOW)
    assert keys.verify(other) is not None and keys.remembered(other) is not None
    revoke_key(desk.store, "other", NOW)
    assert keys.remembered(other) is None and keys.verify(other) is None


def test_who_asked_for_whom_is_kept_under_pseudonyms(
    ask: Ask, desk_and_client: tuple[Desk, TestClient]
) -> None:
    desk = desk_and_client[0]
    ask("GET", "/v1/customers/a", headers={"X-Request-Id": "r-1"})
    ask("POST", "/v1/predictions", json={"customer_ids": ["a", "nobody"]})
    ask("GET", "/v1/planning")
    desk.audit.close()
    view, predicted = requests_logged(desk.workspace.state_dir)
    assert (view["key"], view["call"]) == ("everything", "/v1/customers/{id}")
    assert view["request_id"] == "r-1"
    assert predicted["about"][0] == view["about"][0] and len(predicted["about"]) == 2
    assert "nobody" not in json.dumps([view, predicted])


def test_lines_of_the_log_name_their_request(
    ask: Ask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageFailure("/secret/place is full")

    monkeypatch.setattr("serving.api.handlers.customers.customer_view", fail)
    caplog.handler.addFilter(of_request)
    answer = ask("GET", "/v1/customers/a", headers={"X-Request-Id": "r-2"})
    assert answer.status_code == 503 and "/secret" not in answer.text
    (line,) = [record for record in caplog.records if "/secret" in record.getMessage()]
    assert line.request_id == "r-2"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/docs.json", 404),
        ("DELETE", "/v1/events", 405),
        ("PATCH", "/v1/customers/a", 405),
        ("POST", "/planner", 405),
        ("GET", "/v1/events/", 404),
        ("GET", "/v1/customers/a/b", 404),
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


def test_a_wrong_method_names_the_right_ones(ask: Ask) -> None:
    assert ask("DELETE", "/v1/overrides").headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/outreach?limit=\u00b2", 400),
        ("/v1/outreach?after=\u00b2", 400),
        ("/v1/staffing?limit=\u00b2", 400),
        ("/v1/staffing?after=x.\u00b2", 400),
        (f"/v1/staffing?after=x.{'9' * 5000}", 400),
        ("/v1/staffing?from=9999-12-31T23:59:59-23:00", 400),
        ("/v1/staffing?from=0001-01-01T00:00:00%2B14:00", 400),
        ("/v1/customers/%FF%00", 404),
    ],
)
def test_hostile_parameters_are_the_callers_fault(path: str, status: int, ask: Ask) -> None:
    answer = ask("GET", path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_hostile_bodies_are_the_callers_fault(ask: Ask) -> None:
    kind = {"Content-Type": "application/json"}
    deep = b"[" * 100_000 + b"]" * 100_000
    rows = (
        b'{"tickets": ' + deep + b"}",
        b'{"tickets": [{"ticket_id": ' + b"[" * 500 + b"]" * 500 + b"}]}",
        b'{"orders": [{"order_id": "o", "amount": ' + b"9" * 400 + b"}]}",
        b'{"orders": [{"order_id": ' + b"9" * 4000 + b"}]}",
        b'{"orders": [{"order_id": "\\ud800"}]}',
        b'{"orders": [{"order_id": "a\\u0000b", "ordered_at": "2026-03-01", "customer_id": "a"}]}',
    )
    for body in rows:
        answer = ask("POST", "/v1/events", content=body, headers=kind)
        assert answer.status_code in (400, 422), answer.content[:200]
    both = {**kind, "Transfer-Encoding": "chunked", "Content-Length": "2"}
    assert ask("POST", "/v1/events", content=b"{}", headers=both).status_code == 400


IDS = (
    "'",
    '"',
    "..%2F..%2Fetc",
    "%00",
    "%E2%80%AEabc",
    "%ED%A0%80",
    "%FF",
    "x" * 5000,
    "%25",
    ";--",
)
BODIES = (
    b"null", b"[]", b"7", b'"', b'{"": {}}', b"{" * 2000, b"[" * 100_000, b'{"at": "\\ud800"}',
    b'{"customer_ids": ["\\ud800", "\\u0000"]}', b'{"reason": "' + b"x" * 2**20 + b'"}',
    b'{"starts_at": "0001-01-01T00:00:00-23:59", "ends_at": "9999-12-31T23:59:59Z"}',
    b'{"factor": 1e400, "value": -0.0, "seed": 99999999999999999999999}',
)  # fmt: skip


def test_no_hostile_id_or_body_is_our_fault_at_any_call(ask: Ask) -> None:
    kind = {"Content-Type": "application/json"}
    asked = 0
    for route in CALLS:
        bodies = BODIES if route.body is not None else (None,)
        for identity in IDS if "{id}" in route.path else ("",):
            path = route.path.replace("{id}", identity)
            for body in bodies if identity in ("", IDS[0]) else bodies[:1]:
                answer = ask(route.method, path, content=body, headers=kind)
                assert answer.status_code < 500 or answer.status_code == 503, (path, body)
                asked += 1
        for query in ("after=%27", "limit=1e9", "from=%00", "unique_id=%ED%A0%80", "x=1"):
            if route.method == "GET":
                answer = ask("GET", f"{filled(route.path)}?{query}")
                assert answer.status_code < 500 or answer.status_code == 503, (route.path, query)
                asked += 1
    assert asked > 200


def test_a_client_that_hangs_up_is_no_error(
    desk_and_client: tuple[Desk, TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    desk, client = desk_and_client
    key = create_key(desk.store, "events", ["events"], NOW)
    sent: list[Any] = []

    async def hang_up() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/events",
        "raw_path": b"/v1/events",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {key}".encode())],
    }
    asyncio.run(client.app(scope, hang_up, send))  # type: ignore[arg-type]
    assert not sent
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_too_many_requests_are_told_when_to_come_again(
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    desk, _ = desk_and_client
    key = create_key(desk.store, "fast", ["forecasts"], NOW)
    limit = RateLimit(per_second=0.1, burst=2, now=lambda: 0.0)
    door = Door(StoreKeys(desk.store), StoreReplies(desk.store, desk.clock), limit)
    client = TestClient(application(CALLS, desk, door))
    headers = {"Authorization": f"Bearer {key}"}
    answers = [client.get("/v1/planning", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"key";r=1;t=10',
        '"key";r=0;t=20',
        '"key";r=0;t=20',
    ]
    assert answers[0].headers["ratelimit-policy"] == '"key";q=2;w=20'
    assert answers[2].headers["retry-after"] == "10"
    assert answers[2].json()["type"] == "/problems/rate"
    assert client.get("/livez").status_code == 200


def crowded(desk: Desk, *scopes: str, **crowds: Any) -> tuple[TestClient, dict[str, str]]:
    """A client of an application with these crowds, and the headers of a key."""
    key = create_key(desk.store, "crowded", scopes, NOW)
    door = Door(
        StoreKeys(desk.store), StoreReplies(desk.store, desk.clock), RateLimit(), **crowds
    )  # fmt: skip
    return TestClient(application(CALLS, desk, door)), {"Authorization": f"Bearer {key}"}


def test_a_crowd_is_refused_and_the_process_still_says_that_it_lives(
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    crowd = Crowd(most=1)
    client, headers = crowded(desk_and_client[0], "forecasts", crowd=crowd)
    with crowd.entered():
        refused = client.get("/v1/planning", headers=headers)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert "ratelimit" in refused.headers
        assert client.get("/livez").status_code == 200
    assert client.get("/v1/planning", headers=headers).status_code == 200


def test_a_long_line_refuses_what_is_answered_in_turn_and_nothing_else(
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    line = Crowd(most=1)
    client, headers = crowded(desk_and_client[0], "forecasts", "events", line=line)
    with line.entered():
        assert client.get("/v1/planning", headers=headers).status_code == 503
        posted = {"customers": [{"customer_id": "new", "signed_up_at": "2026-01-01"}]}
        assert client.post("/v1/events", headers=headers, json=posted).status_code == 200
    assert client.get("/v1/planning", headers=headers).status_code == 200


def test_planners_whose_plans_take_long_keep_nobody_else_from_being_answered(
    desk_and_client: tuple[Desk, TestClient],
) -> None:
    planning = Crowd(most=1)
    client, headers = crowded(desk_and_client[0], "forecasts", planning=planning)
    with planning.entered():
        assert client.get("/v1/scenarios", headers=headers).status_code == 503
        assert client.post("/v1/what-if", headers=headers, json={}).status_code == 503
        assert client.get("/v1/planning", headers=headers).status_code == 200
    assert client.get("/v1/scenarios", headers=headers).status_code == 200


def test_a_crowd_that_stays_lets_fewer_in_and_a_burst_passes() -> None:
    moment = [0.0]
    line = Crowd(most=6, standing=2, now=lambda: moment[0])

    def refused() -> bool:
        with suppress(Problem), line.entered():
            return False
        return True

    with ExitStack() as burst:
        for _ in range(6):
            burst.enter_context(line.entered())
        assert refused()
    moment[0] = 10.0
    with line.entered():
        with line.entered():
            moment[0] = 11.0
            assert refused()
        for moment[0] in np.arange(11.1, 13, 0.1).tolist():  # a place is free, and taken at once
            with line.entered():
                assert refused()
        moment[0] = 14.0
        with ExitStack() as after:  # nobody was refused for a while: it may be a burst again
            for _ in range(5):
                after.enter_context(line.entered())


def test_whoever_waits_too_long_is_refused_where_others_were_and_only_there() -> None:
    moment = [0.0]
    line = Crowd(most=2, standing=1, now=lambda: moment[0])
    with line.entered() as early, line.entered() as late:
        early()
        moment[0] = 5.0
        late()  # a burst that nobody was refused for
        with pytest.raises(Problem, match="being answered"), line.entered():
            pass
        with pytest.raises(Problem, match="being answered"):
            late()
        moment[0] = 10.0
        late()


def test_every_answer_has_a_request_id(ask: Ask) -> None:
    assert (
        ask("GET", "/livez", headers={"X-Request-Id": "crm-1"}).headers["x-request-id"] == "crm-1"
    )
    ids = {ask("GET", path).headers["x-request-id"] for path in ("/livez", "/v1/no", "/planner")}
    assert len(ids) == 3
    assert ask("GET", "/livez", headers={"X-Request-Id": "a b"}).headers["x-request-id"] != "a b"


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


def test_metrics_count_by_route_and_not_by_customer(ask: Ask) -> None:
    ask("GET", "/v1/customers/nobody-at-all")
    answer = ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = 'presage_requests_total{path="/v1/customers/{id}",status="404"}'
    assert counted in answer.text
    assert "nobody-at-all" not in answer.text
    assert 'presage_published_age_seconds{kind="staffing"}' in answer.text


def test_the_page_is_ours_alone(ask: Ask) -> None:
    docs = ("/docs", "/docs/page.js", "/docs/page.css")
    for path in ("/planner", "/planner/main.js", "/planner/page.css", *docs):
        answer = ask("GET", path)
        assert answer.status_code == 200
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy.pop("default-src") == "'none'"
        assert policy.pop("img-src") == "'self' data:"
        own = ("script-src", "style-src", "connect-src", "form-action")
        assert [policy.pop(name) for name in own] == ["'self'"] * 4
        assert policy == {"base-uri": "'none'", "frame-ancestors": "'none'"}
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        outside = [u for u in re.findall(r"https?://[\w.]+", answer.text) if "w3.org" not in u]
        assert not outside
