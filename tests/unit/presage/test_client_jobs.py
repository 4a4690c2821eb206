"""The client's bulk jobs: what is sent for what people have at hand, and how they wait."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from presage.client import AsyncClient, Client, JobFailed, NotThere, Reply, Request
from presage.client_jobs import job_call
from serving.jobs.ids import CSV, LINES, PARQUET


def job(state: str = "waiting", done: int = 0, detail: str | None = None) -> Reply:
    at = "2026-03-02T00:00:00Z"
    told = {
        "job_id": "j1", "kind": "predictions", "state": state, "rows": 4, "rows_done": done,
        "rows_with_error": None, "horizons": [7], "as_of": at, "expires_at": at, "stale": False,
        "stale_sources": [], "model_version": "risk-1", "created_at": at, "finished_at": None,
        "kept_until": None, "result": None, "detail": detail,
    }  # fmt: skip
    return Reply(200, {}, json.dumps(told).encode())


def problem(status: int, kind: str, **headers: str) -> Reply:
    return Reply(status, headers, json.dumps({"type": f"/problems/{kind}", "detail": "d"}).encode())


LINE = {
    "row": 1, "customer_id": "a", "status": "unknown", "error": "nobody", "risk": None,
    "topic": None, "channel": None, "action": None, "reasons": [], "as_of": None,
    "expires_at": None, "model_version": None, "repeat_contact_14d": None, "contact_30d": None,
    "expected_tickets_30d": None, "topics": [], "channels": [], "news": False,
}  # fmt: skip


class Both:
    """A client of either kind over the same answers: ``ask`` runs a call of its ``jobs``."""

    def __init__(self, awaited: bool, answers: list[Reply]) -> None:
        self.sent: list[Request] = []
        self.waits: list[float] = []

        def send(request: Request) -> Reply:
            self.sent.append(request)
            return answers.pop(0)

        async def send_awaited(request: Request) -> Reply:
            return send(request)

        async def sleep_awaited(seconds: float) -> None:
            self.waits.append(seconds)

        self.client: Any
        if awaited:
            self.client = AsyncClient("http://x", "key", send=send_awaited, sleep=sleep_awaited)
        else:
            self.client = Client("http://x", "key", send=send, sleep=self.waits.append)

    def ask(self, name: str, *arguments: Any, **more: Any) -> Any:
        found = getattr(self.client.jobs, name)(*arguments, **more)
        return asyncio.run(found) if asyncio.iscoroutine(found) else found


@pytest.fixture(params=[False, True], ids=["waiting", "awaited"])
def both(request: pytest.FixtureRequest) -> Callable[..., Both]:
    return lambda *answers: Both(request.param, list(answers))


def test_a_job_is_sent_waited_for_and_fetched(both: Callable[..., Both], tmp_path: Path) -> None:
    frame = pd.DataFrame({"row": [1], "customer_id": ["a"]})
    out = io.BytesIO()
    frame.to_parquet(out)
    lines = json.dumps(LINE).encode() + b"\n"
    served = both(
        problem(429, "jobs-waiting", **{"retry-after": "9"}),
        job(),
        job("running", 2),
        problem(503, "busy", **{"retry-after": "1"}),
        job("done", 4),
        Reply(200, {}, lines),
        Reply(200, {}, out.getvalue()),
        Reply(200, {}, b"row\n1\n"),
        Reply(204, {}, b""),
    )
    begun = served.ask("create", ["a", "b"], horizons=[7])
    assert served.waits == [9.0]
    assert served.sent[0].headers["Idempotency-Key"] == served.sent[1].headers["Idempotency-Key"]
    seen: list[int] = []
    last = served.ask("wait", begun, progress=lambda one: seen.append(one.rows_done))
    assert (last.state, seen) == ("done", [2, 4])
    assert served.waits == [9.0, 0.2, 1.0]
    (row,) = served.ask("rows", last)
    assert (row.customer_id, row.status) == ("a", "unknown")
    pd.testing.assert_frame_equal(served.ask("frame", "j1"), frame)
    assert served.ask("save", last, tmp_path / "out.csv").read_text() == "row\n1\n"
    assert served.ask("delete", last) is None
    assert [one.headers["Accept"] for one in served.sent[-4:]] == [
        LINES, PARQUET, CSV, "application/json"
    ]  # fmt: skip
    assert served.sent[-1].method == "DELETE"
    assert not served.client.jobs.__dict__.keys() - {"_run", "_sleep"}


def test_a_job_that_failed_and_one_that_takes_too_long(both: Callable[..., Both]) -> None:
    with pytest.raises(JobFailed, match="send it again"):
        both(job("failed", 4, "send it again")).ask("wait", "j1")
    slow = both(*[job("running", 2)] * 9)
    with pytest.raises(TimeoutError, match="2 of 4 rows"):
        slow.ask("wait", "j1", timeout_seconds=1)
    assert 1 <= sum(slow.waits) < 2
    with pytest.raises(NotThere):
        both(problem(404, "no-such-job")).ask("get", "../secrets")


def test_an_id_is_a_segment_of_the_path(both: Callable[..., Both]) -> None:
    served = both(job(), Reply(200, {}, b'{"items": []}'))
    served.ask("get", "../x")
    assert served.sent[0].url == "http://x/v1/jobs/..%2Fx"
    assert served.ask("list") == []


def test_what_people_have_at_hand_is_sent_as_it_is(tmp_path: Path) -> None:
    for name, media in (("a.csv", CSV), ("a.jsonl", LINES), ("a.parquet", PARQUET)):
        (tmp_path / name).write_bytes(b"content")
        call = job_call(tmp_path / name, [7, 30])
        assert (call.body, call.media, call.query) == (b"content", media, {"horizons": "7,30"})
        assert job_call(str(tmp_path / name)).body == b"content"
    frame = pd.DataFrame({"customer_id": ["a", None], "x": 1})
    sent = pd.read_parquet(io.BytesIO(job_call(frame).body))
    assert sent.columns.tolist() == ["customer_id"]
    assert sent["customer_id"].isna().tolist() == [False, True]
    ids = job_call(pd.Series([1.0, np.nan, 3.0])).body["customer_ids"]
    assert ids == [1, None, 3]
    assert job_call(np.array([1, 2])).body["customer_ids"] == [1, 2]


def test_what_holds_no_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.csv, \.jsonl"):
        job_call(tmp_path / "ids.xlsx")
    with pytest.raises(ValueError, match=r"8\.5 is no id"):
        job_call([8.5])  # type: ignore[list-item]
    for wrong in (True, float("inf"), b"a", object()):
        with pytest.raises(ValueError, match="ids are texts or whole numbers"):
            job_call([wrong])  # type: ignore[list-item]
    assert job_call([1, pd.NA]).body["customer_ids"] == [1, None]  # type: ignore[list-item]
    with pytest.raises(ValueError, match="no column customer_id"):
        job_call(pd.DataFrame({"id": ["a"]}))
    with pytest.raises(ValueError, match="result is written as"):
        Both(False, []).ask("save", "j1", tmp_path / "out.xlsx")
