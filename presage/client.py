"""Presage's API from Python: typed answers, typed errors, retries that do as they are told.

``Client`` waits, ``AsyncClient`` is awaited; both have the same calls. A request is tried again
after 429, 503, a request of the same key that still runs, and a connection that broke, where that
cannot do a thing twice: reads, and writes, which carry an ``Idempotency-Key`` of their own. The
wait is what ``Retry-After`` says, else it doubles.

>>> answers = iter([Reply(503, {"retry-after": "2"}, b"{}"), Reply(200, {}, b'{"items": []}')])
>>> waits = []
>>> client = Client("http://crm.example", "presage_key",
...                 send=lambda request: next(answers), sleep=waits.append)
>>> client.predict(["a"]), waits
([], [2.0])
"""

from __future__ import annotations

import asyncio
import hmac
import json
import random
import time
import uuid
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from data.clock import SYSTEM
from serving.api.schemas import (
    Accepted,
    ConsentState,
    CustomerView,
    ForecastPage,
    ForecastRow,
    OutcomeRecorded,
    Outreach,
    OutreachPage,
    Prediction,
    Predictions,
    RankedCustomer,
    Ranking,
    StaffingPage,
    StaffingRow,
)
from serving.delivery.signature import Key, signature

T = TypeVar("T")
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
class _Call:
    """What to ask for, and the type of the answer."""

    method: str
    path: str
    answer: Any
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    effect: bool = False


Steps = Generator[Request | float, Reply | Exception | None, Any]
"""A request to send (answered by a Reply or what went wrong) or seconds to wait."""


class _Calls:
    """What both clients share: requests are made and answers judged here, sent elsewhere."""

    def __init__(self, url: str, key: str, timeout_seconds: float, tries: int) -> None:
        if tries < 1:
            raise ValueError(f"tries is {tries}, but there must be one")
        self._url, self._key = url.rstrip("/"), key
        self._timeout_seconds, self._tries = timeout_seconds, tries

    def _steps(self, call: _Call, idempotency_key: str | None = None) -> Steps:
        query = {k: _text(v) for k, v in call.query.items() if v is not None}
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        body = None
        if call.body is not None:
            body = msgspec.json.encode(call.body)
            headers["Content-Type"] = "application/json"
        if call.effect:
            headers["Idempotency-Key"] = idempotency_key or uuid.uuid4().hex
        url = self._url + call.path + (f"?{urlencode(query)}" if query else "")
        request = Request(call.method, url, headers, body, self._timeout_seconds)
        for attempt in range(1, self._tries + 1):
            found = yield request
            last = attempt == self._tries
            if isinstance(found, Reply):
                if found.status < 400:
                    return msgspec.json.decode(found.body, type=call.answer)
                error = _error_of(found)
                if last or not _again(error):
                    raise error
                yield _wait(found.headers.get("retry-after"), attempt)
            elif last:
                raise NoAnswer(f"{call.method} {url}: no answer in {attempt} tries: {found}")
            else:
                yield _wait(None, attempt)


def _again(error: ApiError) -> bool:
    running = error.status == 409 and error.kind == "running"
    return error.status in (429, 503) or running


def _wait(retry_after: str | None, attempt: int) -> float:
    """Seconds until the next try."""
    asked = _seconds(retry_after)
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_SECONDS)
    return float(min(FIRST_SECONDS * 2 ** (attempt - 1), LONGEST_SECONDS) * random.uniform(0.5, 1))


def _seconds(retry_after: str | None) -> float | None:
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


def _error_of(reply: Reply) -> ApiError:
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
    found = known.get(reply.status, other)
    return found(reply.status, problem, reply.headers.get("x-request-id"))


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _predict(customer_ids: Sequence[str], horizons: Sequence[int] | None) -> _Call:
    body: dict[str, Any] = {"customer_ids": list(customer_ids)}
    if horizons is not None:
        body["horizons"] = list(horizons)
    return _Call("POST", "/v1/predictions", Predictions, body=body)


def _customer(customer_id: str) -> _Call:
    return _Call("GET", f"/v1/customers/{quote(customer_id, safe='')}", CustomerView)


def _post(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> _Call:
    return _Call("POST", "/v1/events", Accepted, body=rows, effect=True)


def _outcome(outreach_id: str, outcome: str, at: datetime, note: str | None) -> _Call:
    body = {"outcome": outcome, "at": _moment(at), **({"note": note} if note else {})}
    path = f"/v1/outreach/{quote(outreach_id, safe='')}/outcome"
    return _Call("POST", path, OutcomeRecorded, body=body, effect=True)


def _consent(customer_id: str, words: Mapping[str, bool]) -> _Call:
    path = f"/v1/customers/{quote(customer_id, safe='')}/consent"
    return _Call("PUT", path, ConsentState, body=dict(words))


def _moment(at: datetime) -> str:
    return at.isoformat() if at.tzinfo else at.isoformat() + "Z"


class Client(_Calls):
    """Presage's API, asked and waited for. Close it, or use it as a context manager.

    Parameters
    ----------
    url, key : where the service answers, and an API key.
    timeout_seconds : for one try.
    tries : how often one request is sent at most.
    send, sleep : what sends a request and what waits, instead of a pool of connections.

    Raises of every call: ApiError of the kinds above, NoAnswer.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tries: int = TRIES,
        send: Callable[[Request], Reply] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(url, key, timeout_seconds, tries)
        self._pool = None
        if send is None:
            import httpcore

            self._pool = httpcore.ConnectionPool()
            send = self._send_by_pool
        self._send, self._sleep = send, sleep

    def predict(
        self, customer_ids: Sequence[str], horizons: Sequence[int] | None = None
    ) -> list[Prediction]:
        """The risks of up to 1000 customers, in order."""
        found: Predictions = self._run(_predict(customer_ids, horizons))
        return found.items

    def rank(self, **wanted: Any) -> Iterator[RankedCustomer]:
        """Customers in order, page after page; ``order``, ``horizon``, ``segment``, ``topic``,
        ``min_probability``, ``limit`` (a page)."""
        yield from self._pages("/v1/customers", Ranking, wanted)

    def customer(self, customer_id: str) -> CustomerView:
        """All that is known of one customer."""
        found: CustomerView = self._run(_customer(customer_id))
        return found

    def post(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], idempotency_key: str | None = None
    ) -> Accepted:
        """Rows by table, all or none; kept when this returns."""
        found: Accepted = self._run(_post(rows), idempotency_key)
        return found

    def outreach(self, after: str | None = None) -> Iterator[Outreach]:
        """The actions that may be taken now, from a cursor on."""
        yield from self._pages("/v1/outreach", OutreachPage, {"after": after})

    def report(
        self, outreach_id: str, outcome: str, at: datetime, note: str | None = None
    ) -> OutcomeRecorded:
        """What became of an action; ``at`` without a zone is UTC."""
        found: OutcomeRecorded = self._run(_outcome(outreach_id, outcome, at, note))
        return found

    def consent(self, customer_id: str, **words: bool) -> ConsentState:
        """Opt in or out: ``email_consent``, ``sms_consent``, ``phone_consent``,
        ``do_not_contact``."""
        found: ConsentState = self._run(_consent(customer_id, words))
        return found

    def forecasts(self, **wanted: Any) -> Iterator[ForecastRow]:
        """The forecast, page after page; ``unique_id``, ``from``, ``to``, ``issued_at``."""
        yield from self._pages("/v1/forecasts", ForecastPage, wanted)

    def staffing(self, **wanted: Any) -> Iterator[StaffingRow]:
        """The plan, page after page; ``channel``, ``from``, ``to``."""
        yield from self._pages("/v1/staffing", StaffingPage, wanted)

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pages(self, path: str, answer: Any, wanted: Mapping[str, Any]) -> Iterator[Any]:
        query = dict(wanted)
        while True:
            page = self._run(_Call("GET", path, answer, query))
            yield from page.items
            if page.next is None:
                return
            query["after"] = page.next

    def _run(self, call: _Call, idempotency_key: str | None = None) -> Any:
        steps, found = self._steps(call, idempotency_key), None
        try:
            while True:
                step = steps.send(found)
                if isinstance(step, float):
                    self._sleep(step)
                    found = None
                else:
                    found = self._try(step)
        except StopIteration as done:
            return done.value

    def _try(self, request: Request) -> Reply | Exception:
        try:
            return self._send(request)
        except Exception as error:
            if not _broken(error):
                raise
            return error

    def _send_by_pool(self, request: Request) -> Reply:
        assert self._pool is not None
        return _reply(self._pool.request(**_arguments(request)))


class AsyncClient(_Calls):
    """The same calls, awaited; iterators are asynchronous."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tries: int = TRIES,
        send: Callable[[Request], Awaitable[Reply]] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        super().__init__(url, key, timeout_seconds, tries)
        self._pool = None
        if send is None:
            import httpcore

            self._pool = httpcore.AsyncConnectionPool()
            send = self._send_by_pool
        self._send, self._sleep = send, sleep

    async def predict(
        self, customer_ids: Sequence[str], horizons: Sequence[int] | None = None
    ) -> list[Prediction]:
        """See ``Client.predict``."""
        found: Predictions = await self._run(_predict(customer_ids, horizons))
        return found.items

    def rank(self, **wanted: Any) -> AsyncIterator[RankedCustomer]:
        """See ``Client.rank``."""
        return self._pages("/v1/customers", Ranking, wanted)

    async def customer(self, customer_id: str) -> CustomerView:
        """See ``Client.customer``."""
        found: CustomerView = await self._run(_customer(customer_id))
        return found

    async def post(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], idempotency_key: str | None = None
    ) -> Accepted:
        """See ``Client.post``."""
        found: Accepted = await self._run(_post(rows), idempotency_key)
        return found

    def outreach(self, after: str | None = None) -> AsyncIterator[Outreach]:
        """See ``Client.outreach``."""
        return self._pages("/v1/outreach", OutreachPage, {"after": after})

    async def report(
        self, outreach_id: str, outcome: str, at: datetime, note: str | None = None
    ) -> OutcomeRecorded:
        """See ``Client.report``."""
        found: OutcomeRecorded = await self._run(_outcome(outreach_id, outcome, at, note))
        return found

    async def consent(self, customer_id: str, **words: bool) -> ConsentState:
        """See ``Client.consent``."""
        found: ConsentState = await self._run(_consent(customer_id, words))
        return found

    def forecasts(self, **wanted: Any) -> AsyncIterator[ForecastRow]:
        """See ``Client.forecasts``."""
        return self._pages("/v1/forecasts", ForecastPage, wanted)

    def staffing(self, **wanted: Any) -> AsyncIterator[StaffingRow]:
        """See ``Client.staffing``."""
        return self._pages("/v1/staffing", StaffingPage, wanted)

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _pages(self, path: str, answer: Any, wanted: Mapping[str, Any]) -> AsyncIterator[Any]:
        query = dict(wanted)
        while True:
            page = await self._run(_Call("GET", path, answer, query))
            for item in page.items:
                yield item
            if page.next is None:
                return
            query["after"] = page.next

    async def _run(self, call: _Call, idempotency_key: str | None = None) -> Any:
        steps, found = self._steps(call, idempotency_key), None
        try:
            while True:
                step = steps.send(found)
                if isinstance(step, float):
                    await self._sleep(step)
                    found = None
                else:
                    found = await self._try(step)
        except StopIteration as done:
            return done.value

    async def _try(self, request: Request) -> Reply | Exception:
        try:
            return await self._send(request)
        except Exception as error:
            if not _broken(error):
                raise
            return error

    async def _send_by_pool(self, request: Request) -> Reply:
        assert self._pool is not None
        return _reply(await self._pool.request(**_arguments(request)))


def _broken(error: Exception) -> bool:
    """Whether a connection failed, so that trying again may help."""
    import httpcore

    return isinstance(error, OSError | httpcore.NetworkError | httpcore.TimeoutException
                      | httpcore.RemoteProtocolError)  # fmt: skip


def _arguments(request: Request) -> dict[str, Any]:
    seconds = request.timeout_seconds
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    headers = [(k.encode(), v.encode()) for k, v in request.headers.items()]
    return {
        "method": request.method,
        "url": request.url,
        "headers": headers,
        "content": request.body,
        "extensions": {"timeout": timeouts},
    }


def _reply(found: Any) -> Reply:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in found.headers}
    return Reply(int(found.status), headers, bytes(found.content))


def verify_webhook(
    body: bytes, headers: Mapping[str, str], key: str, now: datetime | None = None
) -> dict[str, Any]:
    """The event that a webhook carries, if it was signed by the key not long ago.

    Parameters
    ----------
    body, headers : as they came, the body not decoded.
    key : ``whsec_...``, the endpoint's key.
    now : default the present.

    Raises
    ------
    BadSignature, with what does not match.
    """
    known = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp = known["webhook-id"], int(known["webhook-timestamp"])
        given = known["webhook-signature"].split()
    except (KeyError, ValueError):
        wrong = "webhook-id, webhook-timestamp and webhook-signature are not all there"
        raise BadSignature(wrong) from None
    at = (now or SYSTEM.now().replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    if abs(at - stamp) > AGE_SECONDS:
        raise BadSignature(f"webhook-timestamp lies {abs(at - stamp):.0f} s from now")
    wanted = signature([Key.of(key)], message_id, stamp, body)
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
        raise BadSignature("no signature is by this key over this body")
    event: dict[str, Any] = json.loads(body)
    return event
