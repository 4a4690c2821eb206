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
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import UTC, datetime
from typing import Any

from data.clock import SYSTEM
from presage.client_calls import (
    AGE_SECONDS,
    TIMEOUT_SECONDS,
    TRIES,
    ApiError,
    BadSignature,
    Call,
    Calls,
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
    consent_call,
    customer_call,
    outcome_call,
    post_call,
    predict_call,
)
from presage.client_jobs import AsyncJobs, JobFailed, Jobs
from serving.api.schemas import (
    Accepted,
    ConsentState,
    CustomerView,
    OutcomeRecorded,
    Outreach,
    OutreachPage,
    Prediction,
    Predictions,
    RankedCustomer,
    Ranking,
)
from serving.api.schemas_forecast import (
    ForecastPage,
    ForecastRow,
    GapPage,
    GapRow,
    RosterPage,
    RosterRow,
    StaffingPage,
    StaffingRow,
)
from serving.delivery.signature import Key, signature

__all__ = [
    "ApiError",
    "AsyncClient",
    "BadSignature",
    "Client",
    "Contradiction",
    "JobFailed",
    "NoAnswer",
    "NotAllowed",
    "NotReady",
    "NotThere",
    "Reply",
    "Request",
    "ServerFault",
    "TooFast",
    "WrongRequest",
    "verify_webhook",
]


class Client(Calls):
    """Presage's API, asked and waited for. Close it, or use it as a context manager.

    Parameters
    ----------
    url, key : where the service answers, and an API key.
    timeout_seconds : for one try.
    tries : how often one request is sent at most.
    send, sleep : what sends a request and what waits, instead of a pool of connections.

    ``jobs`` has the bulk jobs (``presage.client_jobs.Jobs``).

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
        self.jobs = Jobs(self._run, sleep)

    def predict(
        self, customer_ids: Sequence[str], horizons: Sequence[int] | None = None
    ) -> list[Prediction]:
        """The risks of up to 1000 customers, in order."""
        predictions: Predictions = self._run(predict_call(customer_ids, horizons))
        return predictions.items

    def rank(self, **wanted: Any) -> Iterator[RankedCustomer]:
        """Customers in order, page after page; ``order``, ``horizon``, ``segment``, ``topic``,
        ``min_probability``, ``limit`` (a page)."""
        yield from self._pages("/v1/customers", Ranking, wanted)

    def customer(self, customer_id: str) -> CustomerView:
        """All that is known of one customer."""
        view: CustomerView = self._run(customer_call(customer_id))
        return view

    def post(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], idempotency_key: str | None = None
    ) -> Accepted:
        """Rows by table, all or none; kept when this returns."""
        accepted: Accepted = self._run(post_call(rows), idempotency_key)
        return accepted

    def outreach(self, after: str | None = None) -> Iterator[Outreach]:
        """The actions that may be taken now, from a cursor on."""
        yield from self._pages("/v1/outreach", OutreachPage, {"after": after})

    def report(
        self, outreach_id: str, outcome: str, at: datetime, note: str | None = None
    ) -> OutcomeRecorded:
        """What became of an action; ``at`` without a zone is UTC."""
        recorded: OutcomeRecorded = self._run(outcome_call(outreach_id, outcome, at, note))
        return recorded

    def consent(self, customer_id: str, **words: bool) -> ConsentState:
        """Opt in or out: ``email_consent``, ``sms_consent``, ``phone_consent``,
        ``do_not_contact``."""
        state: ConsentState = self._run(consent_call(customer_id, words))
        return state

    def forecasts(self, **wanted: Any) -> Iterator[ForecastRow]:
        """The forecast, page after page; ``unique_id``, ``from``, ``to``, ``issued_at``."""
        yield from self._pages("/v1/forecasts", ForecastPage, wanted)

    def staffing(self, **wanted: Any) -> Iterator[StaffingRow]:
        """The plan, page after page; ``channel``, ``from``, ``to``."""
        yield from self._pages("/v1/staffing", StaffingPage, wanted)

    def roster(self, **wanted: Any) -> Iterator[RosterRow]:
        """The published shifts, page after page; ``agent_id``, ``from``, ``to``. NotThere without
        a roster."""
        yield from self._pages("/v1/staffing/roster", RosterPage, wanted)

    def gap(self, **wanted: Any) -> Iterator[GapRow]:
        """People rostered beside those that the plan needs now; ``channel``, ``from``, ``to``."""
        yield from self._pages("/v1/staffing/gap", GapPage, wanted)

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
            page = self._run(Call("GET", path, answer, query))
            yield from page.items
            if page.next is None:
                return
            query["after"] = page.next

    def _run(self, call: Call, idempotency_key: str | None = None) -> Any:
        steps, reply = self._steps(call, idempotency_key), None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, float):
                    self._sleep(step)
                    reply = None
                else:
                    reply = self._try(step)
        except StopIteration as stop:
            return stop.value

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


class AsyncClient(Calls):
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
        self.jobs = AsyncJobs(self._run, sleep)

    async def predict(
        self, customer_ids: Sequence[str], horizons: Sequence[int] | None = None
    ) -> list[Prediction]:
        """See ``Client.predict``."""
        predictions: Predictions = await self._run(predict_call(customer_ids, horizons))
        return predictions.items

    def rank(self, **wanted: Any) -> AsyncIterator[RankedCustomer]:
        """See ``Client.rank``."""
        return self._pages("/v1/customers", Ranking, wanted)

    async def customer(self, customer_id: str) -> CustomerView:
        """See ``Client.customer``."""
        view: CustomerView = await self._run(customer_call(customer_id))
        return view

    async def post(
        self, rows: Mapping[str, Sequence[Mapping[str, Any]]], idempotency_key: str | None = None
    ) -> Accepted:
        """See ``Client.post``."""
        accepted: Accepted = await self._run(post_call(rows), idempotency_key)
        return accepted

    def outreach(self, after: str | None = None) -> AsyncIterator[Outreach]:
        """See ``Client.outreach``."""
        return self._pages("/v1/outreach", OutreachPage, {"after": after})

    async def report(
        self, outreach_id: str, outcome: str, at: datetime, note: str | None = None
    ) -> OutcomeRecorded:
        """See ``Client.report``."""
        recorded: OutcomeRecorded = await self._run(outcome_call(outreach_id, outcome, at, note))
        return recorded

    async def consent(self, customer_id: str, **words: bool) -> ConsentState:
        """See ``Client.consent``."""
        state: ConsentState = await self._run(consent_call(customer_id, words))
        return state

    def forecasts(self, **wanted: Any) -> AsyncIterator[ForecastRow]:
        """See ``Client.forecasts``."""
        return self._pages("/v1/forecasts", ForecastPage, wanted)

    def staffing(self, **wanted: Any) -> AsyncIterator[StaffingRow]:
        """See ``Client.staffing``."""
        return self._pages("/v1/staffing", StaffingPage, wanted)

    def roster(self, **wanted: Any) -> AsyncIterator[RosterRow]:
        """See ``Client.roster``."""
        return self._pages("/v1/staffing/roster", RosterPage, wanted)

    def gap(self, **wanted: Any) -> AsyncIterator[GapRow]:
        """See ``Client.gap``."""
        return self._pages("/v1/staffing/gap", GapPage, wanted)

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
            page = await self._run(Call("GET", path, answer, query))
            for item in page.items:
                yield item
            if page.next is None:
                return
            query["after"] = page.next

    async def _run(self, call: Call, idempotency_key: str | None = None) -> Any:
        steps, reply = self._steps(call, idempotency_key), None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, float):
                    await self._sleep(step)
                    reply = None
                else:
                    reply = await self._try(step)
        except StopIteration as stop:
            return stop.value

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


def _reply(response: Any) -> Reply:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
    return Reply(int(response.status), headers, bytes(response.content))


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
        signatures = known["webhook-signature"].split()
    except (KeyError, ValueError):
        wrong = "webhook-id, webhook-timestamp and webhook-signature are not all there"
        raise BadSignature(wrong) from None
    at = (now or SYSTEM.now().replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    if abs(at - stamp) > AGE_SECONDS:
        raise BadSignature(f"webhook-timestamp lies {abs(at - stamp):.0f} s from now")
    wanted = signature([Key.of(key)], message_id, stamp, body)
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in signatures):
        raise BadSignature("no signature is by this key over this body")
    event: dict[str, Any] = json.loads(body)
    return event
