"""The service as a user starts it: every call, and the same numbers by night and by day."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.api_planted import Caller, found, send
from serving.published import pointer

from .conftest import DEADLINE_SECONDS, PRESAGE, Service, free_port, interrupt, presage, wait_for

pytestmark = [pytest.mark.system]
RISKS = ("7", "14", "30")


def scores_of(service: Service) -> pd.DataFrame:
    """What ``presage score`` published, by customer."""
    folder = service.workspace / ".presage" / "published"
    newest = json.loads((folder / "scores.json").read_text())["file"]
    return pd.read_parquet(folder / newest).set_index("customer_id")


def later(service: Service, hours: float) -> str:
    """A time so many hours after the scores, as an event has it."""
    return (service.scored_as_of + timedelta(hours=hours)).isoformat() + "Z"


def test_predictions_are_the_published_scores_to_the_last_bit(service: Service) -> None:
    scores = scores_of(service)
    ids = scores.index[:300].tolist()
    items = service.predict(*ids)
    assert [item["customer_id"] for item in items] == ids
    for item in items:
        row = scores.loc[item["customer_id"]]
        assert [item["risk"][h] for h in RISKS] == [row[f"risk_{h}d"] for h in RISKS]
        assert item["model_version"] == row["model_version"]
        back = row["repeat_contact_14d"]
        assert item["repeat_contact_14d"] == (None if pd.isna(back) else back)
        assert item["as_of"] == service.scored_as_of.isoformat() + "Z"
        assert not item["stale"]


def test_an_unknown_customer_is_an_item_and_doubles_are_answered_twice(service: Service) -> None:
    known = scores_of(service).index[0]
    items = service.predict("nobody", known, "nobody", known)
    assert [item["status"] for item in items] == ["unknown", "scored"] * 2
    assert items[1] == items[3]


def test_horizons_are_those_of_the_model(service: Service) -> None:
    known = scores_of(service).index[0]
    one = service.ask("POST", "/v1/predictions", {"customer_ids": [known], "horizons": [14]})
    assert list(one.json()["items"][0]["risk"]) == ["14"]
    wrong = service.ask("POST", "/v1/predictions", {"customer_ids": [known], "horizons": [8]})
    assert wrong.status == 422
    assert "7, 14, 30" in wrong.json()["detail"]


def test_an_event_changes_the_next_prediction_and_a_nightly_rebuild_gives_the_same(
    service: Service, tmp_path: Path
) -> None:
    scores = scores_of(service)
    one, other, order_owner = scores.sort_values("risk_30d").index[[0, 1, 2]]
    before = dict(zip([one, other], service.predict(one, other), strict=True))
    tickets = [
        {
            "ticket_id": f"system-{number}",
            "opened_at": later(service, number),
            "channel": "email",
            "customer_id": one,
            "is_complaint": True,
        }
        for number in range(3)
    ]
    order = {"order_id": "system-o", "ordered_at": later(service, 1), "customer_id": order_owner}
    item = {"order_id": "system-o", "line": 1, "product_id": "p001", "quantity": 1, "amount": 5}
    body = {"tickets": tickets, "order_items": [item], "orders": [order]}
    posted = service.ask("POST", "/v1/events", body)
    assert posted.json()["accepted"] == {"tickets": 3, "order_items": 1, "orders": 1}
    after, same, ordered = service.predict(one, other, order_owner)
    assert after["risk"] != before[one]["risk"]
    assert after["as_of"] > posted.json()["recorded_at"]
    assert same == before[other]

    # the next night, on a copy: the same moment from the tables and the store
    copy = tmp_path / "copy"
    shutil.copytree(service.workspace, copy)
    for told in (after, ordered):
        out = tmp_path / f"{told['customer_id']}.parquet"
        presage("score", copy, "--as-of", told["as_of"], "--out", out)
        row = pd.read_parquet(out).set_index("customer_id").loc[told["customer_id"]]
        assert [told["risk"][h] for h in RISKS] == [row[f"risk_{h}d"] for h in RISKS]
        assert told["topic"] == row["topic"]
        assert told["channel"] == row["channel"]
        assert told["topics"] == json.loads(row["topics"])
        assert told["contact_30d"] == row["contact_30d"]
        scale = (pointer(service.workspace / ".presage", "scores") or {})["scale"]  # to one total
        assert told["expected_tickets_30d"] == row["expected_tickets_30d"] * scale


def test_who_signs_up_is_scored_and_who_closes_is_not(service: Service) -> None:
    row = {"customer_id": "brand new", "signed_up_at": later(service, 1)}
    assert service.ask("POST", "/v1/events", {"customers": [row]}).status == 200
    (new,) = service.predict("brand new")
    assert new["status"] == "scored"
    closed = {**row, "closed_at": later(service, 2)}
    assert service.ask("POST", "/v1/events", {"customers": [closed]}).status == 200
    (gone,) = service.predict("brand new")
    assert gone == {"customer_id": "brand new", "status": "closed"}


def test_a_customer_is_seen_whole(service: Service) -> None:
    known = scores_of(service)["risk_30d"].idxmax()
    view = service.ask("GET", f"/v1/customers/{known}").json()
    assert view["prediction"]["risk"] == service.predict(known)[0]["risk"]
    assert view["risk_over_time"][-1]["risk"] == view["prediction"]["risk"]
    assert view["tickets"] or view["orders"] or view["usage"]
    assert all(ticket["opened_at"] <= view["as_of"] for ticket in view["tickets"])
    out = service.ask("PUT", f"/v1/customers/{known}/consent", {"do_not_contact": True})
    assert out.json()["do_not_contact"] is True


def test_customers_are_ranked_and_pages_join(service: Service) -> None:
    scores = scores_of(service)
    first = service.ask("GET", "/v1/customers?limit=3").json()
    more = service.ask("GET", f"/v1/customers?limit=3&after={first['next']}").json()
    ranked = [*first["items"], *more["items"]]
    assert [one["customer_id"] for one in ranked] == scores["risk_14d"].nlargest(6).index.tolist()
    assert [one["rank"] for one in ranked] == [1, 2, 3, 4, 5, 6]
    assert first["as_of"] == service.scored_as_of.isoformat() + "Z"
    topic = ranked[0]["topic"]
    of_topic = service.ask("GET", f"/v1/customers?topic={topic}&min_probability=.05").json()[
        "items"
    ]
    wanted = (scores["topic"] == topic) & (scores["risk_14d"] >= 0.05)
    assert len(of_topic) == wanted.sum()
    worth = service.ask("GET", "/v1/customers?order=value&horizon=30").json()["items"]
    at_risk = [one["value_at_risk"] for one in worth]
    assert at_risk == sorted(at_risk, reverse=True)
    segment = ranked[0]["segment"]
    own = service.ask("GET", f"/v1/customers?segment={segment}").json()["items"]
    assert {one["segment"] for one in own} == {segment}
    for query, status in (
        ("order=risks", 400), ("horizon=8", 400), ("min_probability=2", 400),
        ("segment=x", 404), ("topic=x", 404), ("after=aaaaaaaaaaaa.3", 409), ("after=3", 400),
    ):  # fmt: skip
        assert service.ask("GET", f"/v1/customers?{query}").status == status, query


def test_equal_answers_have_equal_tags(service: Service) -> None:
    for path in ("/v1/forecasts", "/v1/staffing", "/v1/outreach", "/v1/customers"):
        first = service.ask("GET", path)
        again = service.ask("GET", path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status, again.body) == (304, b""), path
        assert again.headers["etag"] == first.headers["etag"]
    known = scores_of(service).index[1]
    body = {"customer_ids": [known]}
    tags = {service.ask("POST", "/v1/predictions", body).headers["etag"] for _ in range(2)}
    assert len(tags) == 1


def test_keys_open_their_own_scopes_until_revoked(service: Service) -> None:
    key = presage("keys", service.workspace, "create", "planner", "--scopes", "forecasts")["key"]
    assert service.ask("GET", "/v1/planning", key=key).status == 200
    assert service.ask("GET", "/v1/outreach", key=key).status == 403
    assert service.ask("GET", "/v1/planning", key="").status == 401
    assert service.ask("GET", "/v1/planning", key="presage_x").status == 401
    presage("keys", service.workspace, "revoke", "planner")
    assert service.ask("GET", "/v1/planning", key=key).status == 401


def test_wrong_input_is_a_problem_at_every_door(service: Service) -> None:
    for method, path, body, status in (
        ("POST", "/v1/predictions", b"{", 400),
        ("POST", "/v1/predictions", {"customer_ids": []}, 422),
        ("POST", "/v1/events", {"tickts": []}, 422),
        ("POST", "/v1/events", {"tickets": [{"ticket_id": None}]}, 422),
        ("GET", "/v1/customers/nobody", None, 404),
        ("GET", "/v1/forecasts?unique_id=totl", None, 404),
        ("GET", "/v1/staffing?from=x", None, 400),
        ("POST", "/v1/outreach/none/outcome", {"outcome": "sent", "at": "2024-01-01"}, 422),
        ("GET", "/healthz", None, 404),
        ("GET", "/docs.json", None, 404),
        ("PUT", "/v1/events", {}, 405),
        ("POST", "/v1/what-if", {"assumed": {"volume": -1}}, 422),
    ):
        answer = service.ask(method, path, body)
        assert answer.status == status, (path, answer.body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_a_retried_post_is_done_once(service: Service) -> None:
    row = {"event_id": "sys-u", "used_at": later(service, 1), "customer_id": "x", "feature": "a"}
    headers = {"Idempotency-Key": "retry"}
    first = service.ask("POST", "/v1/events", {"usage": [row]}, headers=headers)
    again = service.ask("POST", "/v1/events", {"usage": [row]}, headers=headers)
    assert first.body == again.body
    assert again.headers["idempotent-replay"] == "true"
    other = service.ask("POST", "/v1/events", {"usage": []}, headers=headers)
    assert other.status == 422


def test_hostile_events_are_refused_and_harm_nobody(service: Service) -> None:
    who, row = scores_of(service).index[3], {"order_id": "hostile", "ordered_at": later(service, 1)}
    before = service.predict(who)
    for wrong in (
        {"amount": 1e18},
        {"promised_at": "9999-12-31T23:59:59.9999999Z"},
        {"promised_at": "2026-01-01T00:00:00+01:00:30"},
        {"currency": "x" * 2000},
    ):
        body = {"orders": [{**row, "customer_id": who, **wrong}]}
        assert service.ask("POST", "/v1/events", body).status == 422
    deep = b'{"orders": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert service.ask("POST", "/v1/events", deep).status == 400
    assert service.predict(who) == before
    assert service.ask("GET", "/readyz").status == 200


def raw(service: Service, request: str) -> bytes:
    """The answer to a request as it stands."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as link:
        link.sendall(request.encode())
        return link.recv(4096)


def test_an_ambiguous_body_and_a_foreign_host_get_nothing(service: Service) -> None:
    headers = f"Host: evil.example\r\nAuthorization: Bearer {service.key}\r\n"
    framing = (
        "Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"
    )
    answer = raw(
        service, f"POST /v1/events HTTP/1.1\r\n{headers}{framing}\r\n2\r\n{{}}\r\n0\r\n\r\n"
    )
    assert b" 400 " in answer.splitlines()[0]
    slash = raw(service, f"GET /v1/planning/ HTTP/1.1\r\n{headers}\r\n")
    assert b" 404 " in slash.splitlines()[0]
    assert b"evil.example" not in slash


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def test_a_killed_master_leaves_nobody_on_the_port(tmp_path: Path) -> None:
    workspace, port = tmp_path / "empty", free_port()
    presage("init", workspace)
    command = [*PRESAGE, "serve", str(workspace), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(f"http://127.0.0.1:{port}/livez", process)
    (master,) = children_of(process.pid)
    workers = children_of(master)
    assert workers
    os.kill(master, signal.SIGKILL)
    assert process.wait(60) == 1
    until = time.monotonic() + DEADLINE_SECONDS
    while [worker for worker in workers if Path(f"/proc/{worker}/exe").exists()]:
        assert time.monotonic() < until
        select.select([], [], [], 0.1)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_planners_read_what_was_published(service: Service) -> None:
    csv = service.ask("GET", "/v1/forecasts?unique_id=total", headers={"Accept": "text/csv"})
    assert csv.headers["content-type"].startswith("text/csv")
    page = service.ask("GET", "/v1/forecasts?unique_id=total&limit=3").json()
    assert len(page["items"]) == 3
    assert page["as_of"] == service.scored_as_of.isoformat() + "Z"
    channel = service.ask("GET", "/v1/planning").json()["channels"][0]
    plan = service.ask("GET", f"/v1/staffing?channel={channel}").json()["items"]
    assert {row["channel"] for row in plan} == {channel}
    assert service.ask("GET", "/v1/actuals?unique_id=total").json()["items"]


def test_the_open_paths_need_no_key(service: Service) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/planner"):
        assert service.ask("GET", path, key="").status == 200
    assert b"presage_requests_total" in service.ask("GET", "/metrics").body


def refused(*arguments: object) -> str:
    """What the verb says as it refuses at once with wrong usage."""
    command = [*PRESAGE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_doors_that_stay_shut(service: Service) -> None:
    workspace, port = service.workspace, service.url.rpartition(":")[2]
    assert "--behind-proxy" in refused("serve", workspace, "--host", "0.0.0.0")
    assert port in refused("serve", workspace, "--port", port)
    assert 'mean "events"' in refused("keys", workspace, "create", "x", "--scopes", "evnts")
    assert "name" in refused("keys", workspace, "create", "--scopes", "score")
    assert "no key" in refused("keys", workspace, "revoke", "nobody")


def test_no_secret_and_no_personal_string_is_found_outside_the_tables(service: Service) -> None:
    caller = Caller(service.url, service.key)
    caller.secret["key"] = service.key
    send(caller, scores_of(service).index[-1], later(service, 1))
    caller.ask("GET", "/metrics")
    assert len(caller.secret) + len(caller.personal) >= 40
    assert sum(status >= 400 for status, _ in caller.answers) > 20
    until, logged = time.monotonic() + DEADLINE_SECONDS, service.workspace / ".presage" / "audit"
    while not any(logged.glob("*")):  # a thread of its own writes it once a second
        assert time.monotonic() < until
        select.select([], [], [], 0.1)
    assert found(caller, service.workspace / ".presage", log=b"") == []


def test_behind_a_proxy_still_needs_a_key(trained_workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_workspace, tmp_path / "w")
    with_proxy = ("serve", tmp_path / "w", "--host", "0.0.0.0", "--behind-proxy")
    assert "API key" in refused(*with_proxy)


def _lines_until(process: subprocess.Popen[str], wanted: str) -> str:
    """What is printed up to the line that holds ``wanted``; fails where it ends without it."""
    assert process.stdout is not None
    lines: list[str] = []
    with killed_after(process, 120):
        for line in process.stdout:
            lines.append(line)
            if wanted in line:
                return "".join(lines)
    raise AssertionError("".join(lines))


@contextlib.contextmanager
def killed_after(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """A process that hangs is killed, so that reading what it prints ends."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def test_an_empty_workspace_is_served_unready_takes_events_and_ends_well(tmp_path: Path) -> None:
    workspace = tmp_path / "empty"
    presage("init", workspace)
    key = presage("keys", workspace, "create", "crm", "--scopes", "events")["key"]
    port = free_port()
    command = [*PRESAGE, "serve", str(workspace), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    service = Service(f"http://127.0.0.1:{port}", workspace, key, datetime(2026, 1, 1), process)
    try:
        wait_for(f"{service.url}/livez", process)
        told = _lines_until(process, f"http://127.0.0.1:{port}/planner")
        ready = service.ask("GET", "/readyz")
        assert ready.status == 503
        assert int(ready.headers["retry-after"]) > 0
        row = {"customer_id": "a", "signed_up_at": "2026-01-01"}
        assert service.ask("POST", "/v1/events", {"customers": [row]}).status == 200
    finally:
        code = interrupt(process)
    assert code == 0
    assert process.stdout is not None
    told += process.stdout.read()
    assert "Traceback" not in told
