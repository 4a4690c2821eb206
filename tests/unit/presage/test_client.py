"""The client: what is tried again and what is not, errors as types, webhooks that are ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from presage.client import (
    ApiError,
    AsyncClient,
    BadSignature,
    Client,
    Contradiction,
    NoAnswer,
    NotAllowed,
    NotReady,
    NotThere,
    Reply,
    Request,
    ServerFault,
    TooFast,
    WrongRequest,
    verify_webhook,
)
from serving.delivery.signature import Key, signature

Answers = list[Reply | Exception]
EMPTY = Reply(200, {}, b'{"items": []}')


def problem(status: int, kind: str, **headers: str) -> Reply:
    told = {"type": f"/problems/{kind}", "title": "t", "status": status, "detail": "look there"}
    return Reply(status, {"x-request-id": "r1", **headers}, json.dumps(told).encode())


def client_of(answers: Answers) -> tuple[Client, list[Request], list[float]]:
    sent: list[Request] = []
    waits: list[float] = []

    def send(request: Request) -> Reply:
        sent.append(request)
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return Client("http://x/", "key", send=send, sleep=waits.append, tries=3), sent, waits


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "json", WrongRequest),
        (422, "rows", WrongRequest),
        (401, "no-key", NotAllowed),
        (403, "scope", NotAllowed),
        (404, "no-such-customer", NotThere),
        (409, "conflict", Contradiction),
        (500, "unexpected", ServerFault),
        (501, "not-built-yet", ServerFault),
    ],
)
def test_a_refusal_has_its_type_and_is_not_tried_again(
    status: int, kind: str, error: type[ApiError]
) -> None:
    client, sent, waits = client_of([problem(status, kind)])
    with pytest.raises(error, match="look there") as told:
        client.customer("a/b")
    assert (told.value.kind, told.value.status, told.value.request_id) == (kind, status, "r1")
    assert [request.url for request in sent] == ["http://x/v1/customers/a%2Fb"]
    assert not waits


def test_retry_after_is_waited_for_in_seconds_and_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    slow = problem(429, "rate", **{"retry-after": "7"})
    client, sent, waits = client_of([slow, problem(503, "busy", **{"retry-after": soon}), EMPTY])
    assert client.predict(["a"]) == []
    assert waits[0] == 7.0
    assert 25 < waits[1] <= 30
    assert len(sent) == 3


@pytest.mark.parametrize(("status", "error"), [(429, TooFast), (503, NotReady)])
def test_after_all_tries_the_last_answer_is_told(status: int, error: type[ApiError]) -> None:
    client, sent, _ = client_of([problem(status, "x", **{"retry-after": "0"})] * 3)
    with pytest.raises(error):
        client.predict(["a"])
    assert len(sent) == 3


def test_a_connection_that_broke_is_tried_again_under_the_same_key() -> None:
    done = Reply(200, {}, b'{"accepted":{},"duplicates":{},"recorded_at":"2026-03-02T00:00:00Z"}')
    running = problem(409, "running", **{"retry-after": "1"})
    client, sent, waits = client_of([ConnectionResetError("gone"), running, done])
    client.post({"orders": []})
    keys = {request.headers["Idempotency-Key"] for request in sent}
    assert len(sent) == 3 and len(keys) == 1
    assert 0 < waits[0] <= 0.25 and waits[1] == 1.0
    client, _, _ = client_of([TimeoutError("slow")] * 3)
    with pytest.raises(NoAnswer, match="3 tries"):
        client.predict(["a"])


def test_pages_are_joined() -> None:
    rows = [{"unique_id": "total", "ds": "2026-03-02T00:00:00Z", "presage": 1.5}]
    head = {"as_of": "2026-03-02T00:00:00Z", "published_at": "2026-03-02T00:00:00Z"}
    pages = [{"items": rows, **head, "next": "c.1"}, {"items": rows, **head, "next": None}]
    client, sent, _ = client_of([Reply(200, {}, json.dumps(page).encode()) for page in pages])
    assert [row.presage for row in client.forecasts(unique_id="total")] == [1.5, 1.5]
    assert sent[1].url.endswith("/v1/forecasts?unique_id=total&after=c.1")


HEAD = {"as_of": "2026-03-02T00:00:00Z", "published_at": "2026-03-02T00:00:00Z", "next": None}
SPAN = {"starts_at": "2026-03-02T07:00:00Z", "ends_at": "2026-03-02T15:00:00Z"}
SHIFT = {
    "agent_id": "kari", "day": "2026-03-02", **SPAN, "paid_hours": 7.5, "cost": 225.0,
    "break_starts_at": "2026-03-02T11:00:00Z", "break_ends_at": None, "skills": "email+phone",
    "time_zone": "Europe/Oslo",
}  # fmt: skip
ROSTER = Reply(200, {}, json.dumps({"items": [SHIFT], **HEAD, "stale": True, "weeks": []}).encode())
GAP_ROW = {"channel": "phone", **SPAN, "needed": 3, "rostered": 2, "gap": -1}
GAP = Reply(200, {}, json.dumps({"items": [GAP_ROW], **HEAD}).encode())


def test_shifts_and_missing_people_are_typed() -> None:
    client, sent, _ = client_of([ROSTER, GAP, problem(404, "no-roster")])
    (shift,) = client.roster(agent_id="kari", **{"from": datetime(2026, 3, 2, tzinfo=UTC)})
    assert shift.ends_at - shift.starts_at == timedelta(hours=8) and shift.break_ends_at is None
    (row,) = client.gap(channel="phone")
    assert (row.needed, row.rostered, row.gap) == (3, 2, -1)
    asked = "/v1/staffing/roster?agent_id=kari&from=2026-03-02T00%3A00%3A00%2B00%3A00"
    assert sent[0].url.endswith(asked) and sent[1].url.endswith("/v1/staffing/gap?channel=phone")
    with pytest.raises(NotThere, match="look there"):
        next(client.roster())


def test_the_async_client_awaits_shifts_and_missing_people() -> None:
    answers = [ROSTER, GAP]

    async def send(request: Request) -> Reply:
        return answers.pop(0)

    async def ask() -> tuple[list[str], list[float]]:
        async with AsyncClient("http://x", "key", send=send) as client:
            shifts = [row.agent_id async for row in client.roster()]
            return shifts, [row.gap async for row in client.gap()]

    assert asyncio.run(ask()) == (["kari"], [-1.0])


def test_the_async_client_does_the_same() -> None:
    answers: Answers = [problem(503, "busy", **{"retry-after": "2"}), EMPTY]
    waits: list[float] = []

    async def send(request: Request) -> Reply:
        found = answers.pop(0)
        assert isinstance(found, Reply)
        return found

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def ask() -> list[object]:
        async with AsyncClient("http://x", "key", send=send, sleep=sleep) as client:
            return list(await client.predict(["a"]))

    assert asyncio.run(ask()) == []
    assert waits == [2.0]


def _late(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 400)}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body, headers: (body + b" ", headers),
        lambda body, headers: (body, {**headers, "webhook-id": "other"}),
        lambda body, headers: (body, _late(headers)),
        lambda body, headers: (body, {k: v for k, v in headers.items() if "signature" not in k}),
        lambda body, headers: (body, {**headers, "webhook-timestamp": "soon"}),
    ],
)
def test_a_webhook_is_believed_only_as_it_was_signed(
    spoil: Callable[[bytes, dict[str, str]], tuple[bytes, dict[str, str]]],
) -> None:
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    now = datetime(2026, 3, 2, tzinfo=UTC)
    body, stamp = b'{"type": "presage.outreach.decided"}', int(now.timestamp())
    other = Key.of("whsec_" + "A" * 32)
    signed = signature([other, Key.of(key)], "m1", stamp, body)  # while keys are rotated
    headers = {"Webhook-Id": "m1", "Webhook-Timestamp": str(stamp), "Webhook-Signature": signed}
    assert verify_webhook(body, headers, key, now)["type"] == "presage.outreach.decided"
    lower = {name.lower(): value for name, value in headers.items()}
    with pytest.raises(BadSignature):
        verify_webhook(*spoil(body, lower), key, now)
