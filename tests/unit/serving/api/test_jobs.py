"""Bulk jobs through the API: nothing sent is lost, a key sees its own, a refusal says why."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from data.clock import Clock
from data.store import append_events, create_key
from data.workspace import Workspace, set_setting
from serving.api.assembly import assemble
from serving.audit import requests_logged
from serving.desk import Desk
from serving.jobs.job import read_job
from serving.published import pointer

CSV, LINES = "text/csv", "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
WAIT_SECONDS = 60


class Service:
    """A trained company behind its API, and a key that may ask for scores."""

    def __init__(self, folder: Path, check: Callable[..., None]) -> None:
        workspace = Workspace.open(folder)
        told = pointer(workspace.state_dir, "scores") or {}
        self.as_of = datetime.fromisoformat(told["as_of"])
        app, self.desk = assemble(workspace, Clock(self.as_of + timedelta(hours=1)))
        self.client = TestClient(app, raise_server_exceptions=False)
        self.check = check
        self.keys = {"crm": self.key("crm"), "other": self.key("other")}
        self.scores = pd.read_parquet(workspace.state_dir / "published" / told["file"])
        self.ids = self.scores["customer_id"].tolist()

    def key(self, name: str) -> str:
        return create_key(self.desk.store, name, ["score"], self.desk.now())

    def ask(self, method: str, path: str, key: str = "crm", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.keys[key]}", **options.pop("headers", {})}
        answer = self.client.request(method, path, headers=headers, **options)
        kind = answer.headers.get("content-type", "")
        self.check(method, path, answer.status_code, kind, answer.content)
        return answer

    def send(self, content: bytes, kind: str, query: str = "", **headers: str) -> Any:
        told = {"Content-Type": kind, **headers}
        return self.ask("POST", f"/v1/jobs{query}", content=content, headers=told)

    def done(self, answer: Any) -> dict[str, Any]:
        """The job once nothing is left to do."""
        assert answer.status_code == 202, answer.text
        assert self.desk.jobs.idle.wait(WAIT_SECONDS)
        job: dict[str, Any] = self.ask("GET", answer.headers["location"]).json()
        assert job["state"] == "done", job
        return job

    def lines(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.ask("GET", job["result"])
        assert answer.headers["content-type"] == LINES
        return [json.loads(line) for line in answer.content.splitlines()]


@pytest.fixture(scope="module")
def service(
    trained_workspace: Path,
    tmp_path_factory: pytest.TempPathFactory,
    as_documented: Callable[..., None],
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("jobs") / "company"
    shutil.copytree(trained_workspace, folder)
    for name, value in (("job_rows", 5_000), ("job_mib", 1), ("jobs_waiting", 2)):
        set_setting(folder, f"api.{name}", value)
    made = Service(folder, as_documented)
    yield made
    made.desk.close()


def test_every_row_comes_back_in_order_with_what_is_published(service: Service) -> None:
    known = service.ids[:3]
    sent = [known[0], "nobody", "", known[1], known[0], "x" * 300, known[2], "../../etc/passwd"]
    text = "name,customer_id\n" + "".join(f"n,{one}\n" for one in sent)
    begun = service.send(text.encode(), CSV)
    assert (begun.json()["rows"], begun.json()["result"]) == (8, None)
    job = service.done(begun)
    assert (job["rows_done"], job["rows_with_error"]) == (8, 5)
    rows = service.lines(job)
    assert [row["row"] for row in rows] == list(range(1, 9))
    assert [row["customer_id"] for row in rows] == [
        known[0], "nobody", None, known[1], known[0], "x" * 200, known[2], "../../etc/passwd"
    ]  # fmt: skip
    assert [row["status"] for row in rows] == [
        "scored", "unknown", "blank", "scored", "duplicate", "unreadable", "scored", "unknown"
    ]  # fmt: skip
    assert all((row["error"] is None) == (row["status"] == "scored") for row in rows)
    assert rows[4]["error"] == "the same customer as row 1"
    # as one call for each says it
    asked_one = service.ask("POST", "/v1/predictions", json={"customer_ids": known}).json()["items"]
    answered = [row for row in rows if row["status"] == "scored"]
    for one, row in zip(asked_one, answered, strict=True):
        assert {name: one[name] for name in one if name in row} == {
            name: row[name] for name in row if name in one
        }
    assert {row["as_of"] for row in answered} == {job["as_of"]}
    assert {row["model_version"] for row in answered} == {job["model_version"]}


def test_each_format_in_and_out_says_the_same(service: Service) -> None:
    known, results = service.ids[:2], []
    frame = pd.DataFrame({"customer_id": [known[0], None, known[1]], "x": 1.0})
    lines = f'{{"customer_id": "{known[0]}"}}\n\n"{known[1]}"\n'
    sent = (
        (frame.to_csv(index=False).encode(), CSV, "?horizons=7,30"),
        (frame.to_csv(index=False, sep=";").encode("utf-8-sig"), CSV, "?horizons=7,30"),
        (lines.encode(), LINES, "?horizons=7,30"),
        (lines.encode(), "application/jsonl; charset=utf-8", "?horizons=7,30"),
        (frame.to_parquet(index=False), PARQUET, "?horizons=7,30"),
        (json.dumps({"customer_ids": [known[0], None, known[1]], "horizons": [7, 30]}).encode(),
         "application/json", ""),
    )  # fmt: skip
    for content, kind, query in sent:
        job = service.done(service.send(content, kind, query))
        results.append(service.lines(job))
        assert list(results[-1][0]["risk"]) == ["7", "30"]
    assert all(result == results[0] for result in results)
    table = service.ask("GET", job["result"], headers={"Accept": CSV})
    assert table.headers["content-type"].startswith(CSV)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["status"] for row in rows] == ["scored", "blank", "scored"]
    assert [float(row["risk_7d"] or -1) for row in rows] == [
        row["risk"]["7"] if row["risk"] else -1 for row in results[0]
    ]
    assert rows[0]["as_of"] == job["as_of"]
    packed = service.ask("GET", job["result"] + "?format=parquet")
    assert packed.headers["content-type"] == PARQUET
    whole = pd.read_parquet(io.BytesIO(packed.content))
    assert whole["risk_30d"].dropna().tolist() == [results[0][0]["risk"]["30"],
                                                   results[0][2]["risk"]["30"]]  # fmt: skip


def test_what_was_posted_since_is_heeded(service: Service) -> None:
    leaver, shy, busy = service.ids[10:13]
    store, now = service.desk.store, service.desk.now()
    birth = "2024-01-01"
    append_events(
        store,
        {
            "customers": [
                {"customer_id": leaver, "signed_up_at": birth, "closed_at": now.isoformat()},
                {"customer_id": shy, "signed_up_at": birth, "do_not_profile": True},
                {"customer_id": "came late", "signed_up_at": now.isoformat()},
            ],
            "tickets": [
                {"ticket_id": "j1", "customer_id": busy, "opened_at": now.isoformat(),
                 "channel": "email"}
            ],
        },
        now,
    )  # fmt: skip
    body = {"customer_ids": [leaver, shy, "came late", busy, service.ids[0]]}
    rows = service.lines(service.done(service.ask("POST", "/v1/jobs", json=body)))
    assert [row["status"] for row in rows] == [
        "closed", "not_profiled", "not_scored", "scored", "scored"
    ]  # fmt: skip
    assert [row["news"] for row in rows] == [False, False, False, True, False]
    published = service.scores.set_index("customer_id")
    assert rows[3]["risk"]["7"] == published.loc[busy, "risk_7d"]
    assert rows[0]["risk"] is None and rows[0]["model_version"] is None


def test_a_formula_is_no_formula_in_csv(service: Service) -> None:
    body = {"customer_ids": ["=1+1", "@x", "-2", "a"]}
    job = service.done(service.ask("POST", "/v1/jobs", json=body))
    table = service.ask("GET", f"{job['result']}?format=csv")
    shown = [row["customer_id"] for row in csv.DictReader(io.StringIO(table.text))]
    assert shown == ["'=1+1", "'@x", "'-2", "a"]
    assert [row["customer_id"] for row in service.lines(job)] == body["customer_ids"]


def test_the_same_request_again_is_the_same_job(service: Service) -> None:
    content = f"customer_id\n{service.ids[0]}\n".encode()
    first = service.send(content, CSV, **{"Idempotency-Key": "once"})
    again = service.send(content, CSV, **{"Idempotency-Key": "once"})
    assert (again.content, again.headers["location"]) == (first.content, first.headers["location"])
    assert again.headers["idempotent-replay"] == "true"
    others = (b"customer_id\nb\n", "", CSV), (content, "?horizons=7", CSV), (content, "", LINES)
    for content_sent, query, kind in others:
        other = service.send(content_sent, kind, query, **{"Idempotency-Key": "once"})
        assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key")
    # the service ended between the job and its answer: the job is found, and not begun twice
    with service.desk.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM idempotency")
    found = service.send(content, CSV, **{"Idempotency-Key": "once"})
    assert found.json()["job_id"] == first.json()["job_id"]
    assert (
        service.send(content, CSV, "?horizons=7", **{"Idempotency-Key": "once"}).status_code == 422
    )


def test_a_key_sees_its_own_jobs_only(service: Service) -> None:
    job = service.done(service.ask("POST", "/v1/jobs", json={"customer_ids": ["a"]}))
    path = f"/v1/jobs/{job['job_id']}"
    for method, at in (("GET", path), ("GET", path + "/result"), ("DELETE", path)):
        assert service.ask(method, at, key="other").status_code == 404
    assert service.ask("GET", "/v1/jobs", key="other").json() == {"items": []}
    listed = service.ask("GET", "/v1/jobs").json()["items"]
    assert listed[0] == job
    assert service.ask("DELETE", path).status_code == 204
    assert service.ask("GET", path).status_code == 404
    assert not (service.desk.jobs.home / job["job_id"]).exists()


@pytest.mark.parametrize(
    "job_id", ["0", "%2e%2e", "..%2f..%2fsecrets", "%00", "A" * 32, "é", "a" * 65, "x" * 30_000]
)
def test_an_id_that_is_none_is_not_found(service: Service, job_id: str) -> None:
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/result"):
        assert service.ask("GET", path).status_code in (404, 405)
    assert service.ask("DELETE", f"/v1/jobs/{job_id}").status_code in (404, 405)


@pytest.mark.parametrize(
    ("content", "kind", "status", "told"),
    [
        (b"", CSV, 422, "no column customer_id"),
        (b"id,name\na,b\n", CSV, 422, "has id, name"),
        (b"customer_id\n", CSV, 422, "no row"),
        (b"customer_id\n\xff\n", CSV, 422, "not UTF-8 at byte 13"),
        (b'customer_id\n"a\nb\n', CSV, 422, "line 3"),
        (b"customer_id\n" + b"x" * 200_000, CSV, 422, "line 2"),
        (b"customer_id\n" + b"a\n" * 6_000, CSV, 413, "5,000"),
        (b"customer_id\n" + b"a" * 2**21, CSV, 413, "1 MiB"),
        (b"PAR1", PARQUET, 422, "cannot be read"),
        (pd.DataFrame({"id": ["a"]}).to_parquet(), PARQUET, 422, "no column customer_id: it has"),
        (b'{"customer_ids": []}', "application/json", 422, "length"),
        (b'{"customer_ids": [[]]}', "application/json", 422, "customer_ids"),
        (b'{"customer_ids": [' + b"[" * 100_000, "application/json", 422, "customer_ids"),
        (b"customer_id\na\n", "text/plain", 415, "text/csv"),
        (b"customer_id\na\n", CSV + "?horizons=8", 422, "7, 14, 30"),
        (b"customer_id\na\n", CSV + "?horizons=-7", 400, "7,30"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_job_is_refused_with_why(
    service: Service, content: bytes, kind: str, status: int, told: str
) -> None:
    kind, _, query = kind.partition("?")
    answer = service.send(content, kind, f"?{query}" if query else "")
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]


def test_a_line_that_is_no_json_is_one_row_and_harms_no_other(service: Service) -> None:
    deep = b"[" * 5_000
    lines = b'"a"\n{\n{"id": 1}\n' + deep + b"\n12\n1.5\ntrue\n" + b'"\\ud800"\n'
    rows = service.lines(service.done(service.send(lines, LINES)))
    assert [row["status"] for row in rows] == [
        "unknown", "unreadable", "unreadable", "unreadable", "unknown", "unreadable", "unreadable",
        "unreadable",
    ]  # fmt: skip
    assert rows[4]["customer_id"] == "12"
    assert rows[2]["error"] == "the line has no customer_id"


def test_one_job_more_than_may_wait_is_refused_until_one_is_done(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.desk.jobs, "wake", lambda: None)
    begun = [service.ask("POST", "/v1/jobs", json={"customer_ids": ["a"]}) for _ in range(3)]
    assert [one.status_code for one in begun] == [202, 202, 429]
    assert begun[2].json()["type"] == "/problems/jobs-waiting"
    assert int(begun[2].headers["retry-after"]) > 0
    waiting = service.ask("GET", begun[0].headers["location"])
    assert (waiting.json()["state"], waiting.headers["retry-after"]) == ("waiting", "2")
    early = service.ask("GET", f"{begun[0].headers['location']}/result")
    assert (early.status_code, early.json()["type"]) == (409, "/problems/job-running")
    assert service.ask("DELETE", begun[0].headers["location"]).status_code == 204
    assert service.ask("POST", "/v1/jobs", json={"customer_ids": ["a"]}).status_code == 202
    monkeypatch.undo()
    service.desk.jobs.wake()
    assert service.desk.jobs.idle.wait(WAIT_SECONDS)
    assert service.ask("GET", begun[1].headers["location"]).json()["state"] == "done"


def test_a_format_that_there_is_not_is_refused(service: Service) -> None:
    job = service.done(service.ask("POST", "/v1/jobs", json={"customer_ids": ["a"]}))
    assert service.ask("GET", f"{job['result']}?format=xlsx").status_code == 400
    wrong = service.ask("GET", job["result"], headers={"Accept": "application/pdf"})
    assert wrong.status_code == 406
    assert PARQUET in wrong.json()["detail"]


def test_who_was_asked_for_is_in_the_audit_log(service: Service) -> None:
    job = service.done(service.ask("POST", "/v1/jobs", json={"customer_ids": [service.ids[20]]}))
    desk: Desk = service.desk
    desk.audit.flush()
    lines = [
        one
        for one in requests_logged(desk.workspace.state_dir)
        if one["request_id"] == job["job_id"]
    ]
    assert [(one["key"], one["call"], len(one["about"])) for one in lines] == [
        ("crm", "/v1/jobs", 1)
    ]
    assert service.ids[20] not in json.dumps(lines)


def test_a_job_goes_when_its_days_are_over(service: Service) -> None:
    from serving.jobs.job import drop_old_jobs

    job = service.done(service.ask("POST", "/v1/jobs", json={"customer_ids": ["a"]}))
    until = datetime.fromisoformat(job["kept_until"].removesuffix("Z"))
    home = service.desk.jobs.home
    drop_old_jobs(home, until - timedelta(seconds=1), 7)
    assert read_job(home, job["job_id"]) is not None
    drop_old_jobs(home, until, 7)
    assert read_job(home, job["job_id"]) is None
