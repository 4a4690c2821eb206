"""What both clients of the API share: errors, requests, how an answer is judged and tried again."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import (
    Generator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from data.clock import SYSTEM
from serving.api.schemas import (
    Accepted,
    ConsentState,
    CustomerView,
    OutcomeRecorded,
    Predictions,
)

TIMEOUT_SECONDS = 10.0
TRIES = 5
LONGEST_SECONDS = 60.0
"""No wait is longer, whatever is asked for."""
FIRST_SECONDS = 0.25
AGE_SECONDS = 300.0
"""A webhook older or newer than this is refused: somebody may be playing it again."""


class ApiError(Exception):
    """The service refused. ``kind`` names the problem for good (``rows``, ``scope``, ...),
    ``detail`` says what was found and what to do, ``errors`` lists each place."""

    def __init__(self, status: int, problem: Mapping[str, Any], request_id: str | None) -> None:
        self.status = status
        self.kind = str(problem.get("type", "")).rpartition("/")[2]
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.errors: list[dict[str, Any]] = list(problem.get("errors", ()))
        self.request_id = request_id
        super().__init__(f"{status} {self.kind}: {self.detail} (request {request_id})")


class WrongRequest(ApiError):
    """400, 405, 406, 413, 415, 422: the request is wrong; change it."""


class NotAllowed(ApiError):
    """401, 403: no valid key, or not the scope that is needed."""


class NotThere(ApiError):
    """404: there is no such customer, action, series."""


class Contradiction(ApiError):
    """409: what is there already contradicts the request."""


class TooFast(ApiError):
    """429, after all tries."""


class NotReady(ApiError):
    """503, after all tries."""


class ServerFault(ApiError):
    """Any other status of 500 and above: the service's log has the request's id."""


class NoAnswer(Exception):
    """The service could not be reached, or broke the connection off, at every try."""


class BadSignature(Exception):
    """A webhook that was not signed by the key, or too long ago."""


@dataclass(frozen=True)
class Request:
    """A request as it is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    timeout_seconds: float = TIMEOUT_SECONDS


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers (lower case), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Call:
    """What to ask for, and the type of the answer; ``bytes``: as it came, None: nothing.
    ``media``: of a body that is bytes; ``accept``: what is asked for."""

    method: str
    path: str
    answer: Any
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    effect: bool = False
    media: str = "application/json"
    accept: str = "application/json"


Steps = Generator[Request | float, Reply | Exception | None, Any]
"""A request to send (answered by a Reply or what went wrong) or seconds to wait."""


class Calls:
    """What both clients share: requests are made and answers judged here, sent elsewhere."""

    def __init__(self, url: str, key: str, timeout_seconds: float, tries: int) -> None:
        if tries < 1:
            raise ValueError(f"tries is {tries}, but there must be one")
        self._url, self._key = url.rstrip("/"), key
        self._timeout_seconds, self._tries = timeout_seconds, tries

    def _steps(self, call: Call, idempotency_key: str | None = None) -> Steps:
        query = {k: query_text(v) for k, v in call.query.items() if v is not None}
        headers = {"Authorization": f"Bearer {self._key}", "Accept": call.accept}
        body = None
        if call.body is not None:
            body = call.body if isinstance(call.body, bytes) else msgspec.json.encode(call.body)
            headers["Content-Type"] = call.media
        if call.effect:
            headers["Idempotency-Key"] = idempotency_key or uuid.uuid4().hex
        url = self._url + call.path + (f"?{urlencode(query)}" if query else "")
        request = Request(call.method, url, headers, body, self._timeout_seconds)
        for attempt in range(1, self._tries + 1):
            reply = yield request
            last = attempt == self._tries
            if isinstance(reply, Reply):
                if reply.status < 400:
                    return answer_of(reply, call.answer)
                error = error_of(reply)
                if last or not worth_another_try(error):
                    raise error
                yield wait_seconds(reply.headers.get("retry-after"), attempt)
            elif last:
                raise NoAnswer(f"{call.method} {url}: no answer in {attempt} tries: {reply}")
            else:
                yield wait_seconds(None, attempt)


def answer_of(reply: Reply, declared: Any) -> Any:
    """The answer as its type."""
    if declared is None:
        return None
    return reply.body if declared is bytes else msgspec.json.decode(reply.body, type=declared)


def worth_another_try(error: ApiError) -> bool:
    running = error.status == 409 and error.kind in ("running", "job-running")
    return error.status in (429, 503) or running


def wait_seconds(retry_after: str | None, attempt: int) -> float:
    """Seconds until the next try."""
    stated = header_seconds(retry_after)
    if stated is not None:
        return min(max(stated, 0.0), LONGEST_SECONDS)
    return float(min(FIRST_SECONDS * 2 ** (attempt - 1), LONGEST_SECONDS) * random.uniform(0.5, 1))


def header_seconds(retry_after: str | None) -> float | None:
    """The header as seconds from now: it is a number, or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return (
            parsedate_to_datetime(retry_after) - SYSTEM.now().replace(tzinfo=UTC)
        ).total_seconds()
    except (ValueError, TypeError):
        return None


def error_of(reply: Reply) -> ApiError:
    try:
        problem = json.loads(reply.body)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    known: dict[int, type[ApiError]] = {
        401: NotAllowed, 403: NotAllowed, 404: NotThere, 409: Contradiction, 429: TooFast,
        503: NotReady,
    }  # fmt: skip
    other = ServerFault if reply.status >= 500 else WrongRequest
    error_class = known.get(reply.status, other)
    return error_class(reply.status, problem, reply.headers.get("x-request-id"))


def query_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def predict_call(customer_ids: Sequence[str], horizons: Sequence[int] | None) -> Call:
    body: dict[str, Any] = {"customer_ids": list(customer_ids)}
    if horizons is not None:
        body["horizons"] = list(horizons)
    return Call("POST", "/v1/predictions", Predictions, body=body)


def customer_call(customer_id: str) -> Call:
    return Call("GET", f"/v1/customers/{quote(customer_id, safe='')}", CustomerView)


def post_call(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Call:
    return Call("POST", "/v1/events", Accepted, body=rows, effect=True)


def outcome_call(outreach_id: str, outcome: str, at: datetime, note: str | None) -> Call:
    body = {"outcome": outcome, "at": moment_text(at), **({"note": note} if note else {})}
    path = f"/v1/outreach/{quote(outreach_id, safe='')}/outcome"
    return Call("POST", path, OutcomeRecorded, body=body, effect=True)


def consent_call(customer_id: str, words: Mapping[str, bool]) -> Call:
    path = f"/v1/customers/{quote(customer_id, safe='')}/consent"
    return Call("PUT", path, ConsentState, body=dict(words))


def moment_text(at: datetime) -> str:
    return at.isoformat() if at.tzinfo else at.isoformat() + "Z"
