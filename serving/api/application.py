"""The ASGI application: Starlette's router over the calls, each authorised, decoded and handled.

What can go wrong on the way has one form (``Problem``), made by Starlette's exception handlers.
Handlers are plain functions ``(service, call) -> Answer`` that run in a thread; they never see
HTTP.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.routing import Route as Page

from data.errors import (
    Conflict,
    DamagedFile,
    DataError,
    NotBuiltYet,
    NotEnoughHistory,
    PresageError,
    SettingsError,
    StorageFailure,
    UsageError,
)
from serving.api.exchange import (
    accepted_media,
    decode,
    header,
    parameters,
    read_body,
    response,
    tagged,
)
from serving.api.limits import Crowd, RateLimit
from serving.api.problem import Problem
from serving.api.route import Call, Route

log = logging.getLogger("presage.api")


Known = tuple[str, frozenset[str]]
"""A key's name and scopes."""
Endpoint = Callable[[Request], Awaitable[Response]]
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The request that is being answered, for the lines of the log."""


PROCESS, NUMBERS = secrets.token_hex(8), itertools.count(1)
"""What makes the id of a request that brings none: drawn once, then counted."""
SIDE_BY_SIDE = 4
"""Threads of calls that are answered in turn."""
PLANNED_SIDE_BY_SIDE = 2
"""Threads of calls that plan anew."""
IN_TURN: RunVar[CapacityLimiter] = RunVar("presage_in_turn")
PLANNED: RunVar[CapacityLimiter] = RunVar("presage_planned")


def of_request(record: logging.LogRecord) -> bool:
    """A filter of logging that adds ``request_id`` to each record."""
    record.request_id = REQUEST_ID.get()
    return True


class Keys(Protocol):
    """Who may call: the key's name and scopes for a secret, or None."""

    def verify(self, secret: str) -> tuple[str, frozenset[str]] | None: ...

    def remembered(self, secret: str) -> tuple[str, frozenset[str]] | None:
        """The same without waiting, None also where it is not certain any more."""


class Replies(Protocol):
    """Answers kept by Idempotency-Key, so that the same request is done once.

    ``once``: status and body of the act, or those answered before, and whether they were.
    """

    def once(
        self, actor: str, key: str, request: str, act: Callable[[], tuple[int, bytes]]
    ) -> tuple[int, bytes, bool]: ...


@dataclass(frozen=True)
class Door:
    """What the application needs besides the handlers' own service."""

    keys: Keys
    replies: Replies
    limit: RateLimit
    crowd: Crowd = field(default_factory=Crowd)
    line: Crowd = field(default_factory=lambda: Crowd(12))
    """For calls that are answered in turn."""
    planning: Crowd = field(default_factory=lambda: Crowd(6))
    """For those that plan anew: what takes seconds keeps nobody else from being answered."""
    uploads: Crowd = field(default_factory=lambda: Crowd(4))
    """Files that are arriving, or being read."""
    upload_bytes: int = 64 * 2**20
    observe: Callable[[str, int, float], None] = lambda path, status, seconds: None
    log_about: Callable[[str, str, Sequence[str], str], None] = lambda key, call, about, request: (
        None
    )
    """Called with key, path, customers and request id, before they are told about."""


def application(
    routes: Sequence[Route], service: Any, door: Door, pages: Sequence[Page] = ()
) -> WholeSegments:
    """The ASGI application over ``routes``; ``pages`` are routes that are not of the API."""
    register_url_convertor("segment", Segment())
    endpoints = [(route, _endpoint(route, service, door)) for route in routes]
    own = [
        Page(route.path.replace("}", ":segment}"), endpoint, methods=[route.method])
        for route, endpoint in endpoints
    ]
    app = Starlette(
        routes=[*own, *pages],
        exception_handlers={
            HTTPException: _not_here,
            Problem: _refused,
            PresageError: _failed,
        },
    )
    app.router.redirect_slashes = False  # a redirect would repeat whatever Host it was asked by
    direct: dict[tuple[str, str], Endpoint] = {
        (route.method, route.path): endpoint
        for route, endpoint in endpoints
        if "{" not in route.path
    }
    return WholeSegments(Watch(Direct(app, direct), door.observe))


class Direct:
    """Answers calls whose path has no parameter without going through the routes, which costs the
    more the less an answer does."""

    def __init__(self, app: Any, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self.app, self.endpoints = app, endpoints

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        place = (scope["method"], scope["path"]) if scope["type"] == "http" else ("", "")
        endpoint = self.endpoints.get(place)
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        scope["presage_route"] = place[1]
        request = Request(scope, receive, send)
        try:
            answer = await endpoint(request)
        except Problem as problem:
            answer = await _refused(request, problem)
        except PresageError as error:
            answer = await _failed(request, error)
        await answer(scope, receive, send)


class Segment(Convertor[str]):
    """A whole segment of the path as it was sent: an escaped slash in it is part of the id."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return _escaped(value)


def _escaped(segment: str) -> str:
    return segment.replace("%", "%25").replace("/", "%2F")


class WholeSegments:
    """Routes by the path as it was sent: an escaped slash separates nothing."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        sent = scope.get("raw_path") or b""
        if b"%" in sent:
            parts = sent.decode("ascii", "replace").split("/")
            scope = {**scope, "path": "/".join(_escaped(unquote(part)) for part in parts)}
        await self.app(scope, receive, send)


class Watch:
    """Names, counts and times every request; what nobody foresaw is logged and answered."""

    def __init__(self, app: Any, observe: Callable[[str, int, float], None]) -> None:
        self.app, self.observe = app, observe

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        request_id = _request_id(scope["headers"])
        state = scope.setdefault("state", {})
        REQUEST_ID.set(request_id)

        async def noted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [(b"x-request-id", request_id.encode()), *state.get("headers", ())]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except ClientDisconnect:
            status = 499  # nobody is there to be answered
        except Exception:
            log.exception("unexpected error at %s", _route(scope))
            if not status:
                detail = "an unexpected error; the service's log has it. Nothing of it was kept"
                problem = Problem(500, "unexpected", detail).response(_instance(scope))
                await problem(scope, receive, noted)
        if path := _route(scope):
            self.observe(path, status, time.perf_counter() - began)


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's own, if it can stand in a log line, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and re.fullmatch(rb"[\w.:-]{1,100}", value):
            return value.decode("ascii")
    return f"{PROCESS}{next(NUMBERS):08x}"


def _route(scope: Any) -> str | None:
    """The path of the route that was taken: ids are left out."""
    if direct := scope.get("presage_route"):
        return str(direct)
    route = scope.get("route")
    return None if route is None else str(route.path_format)


def _instance(scope: Any) -> str:
    """The path that was asked for, ids left out: proxies and clients write errors into logs."""
    path = _route(scope) or scope["path"]
    return re.sub(r"{(\w+)}", r":\1", path)


# these are coroutines: a plain function would wait for a thread, most of all under overload
async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response(_instance(request.scope))


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, PresageError)
    return _problem_of(error).response(_instance(request.scope))


async def _not_here(request: Request, error: Exception) -> Response:
    if getattr(error, "status_code", 404) != 405:
        detail = f"there is nothing at {request.url.path}; /openapi.json lists every call"
        return Problem(404, "no-such-path", detail).response(request.url.path)
    here = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
    allowed = ", ".join(sorted({method for route in here for method in route.methods}))
    detail = f"{request.method} is not offered here; use {allowed}"
    return Problem(405, "method", detail, headers={"Allow": allowed}).response(request.url.path)


def _endpoint(route: Route, service: Any, door: Door) -> Endpoint:
    # who waits for a score or posts is served together; health and webhooks do not wait for others
    in_turn = route.scope is not None and route.quick is None and route.through is None
    line = door.planning if route.plans else door.line

    async def endpoint(request: Request) -> Response:
        if route.instant:
            return response(route.handler(service, Call({}, None, "")))
        actor, scopes = await _authorise(route, request, door)
        # a file is held in memory until it is handled
        with door.uploads.entered() if route.takes else nullcontext():
            return await handled(request, actor, scopes)

    async def handled(request: Request, actor: str, scopes: frozenset[str]) -> Response:
        raw = b""
        if route.body is not None:
            raw = await read_body(request, route, door.upload_bytes)
        key = header(request, b"idempotency-key") if route.effect else None
        headers = dict(request.headers) if route.signed or route.takes else {}
        if route.signed is not None:
            actor, key = await run_in_threadpool(route.signed, service, headers, raw)
            _within_rate(actor, request, door)
        body = decode(route, raw)
        if key is not None and not 1 <= len(key) <= 200:
            raise Problem(400, "idempotency-key", "Idempotency-Key has 1 to 200 characters")
        values, media = parameters(route, request), accepted_media(route, request)
        call = Call(values, body, actor, media, scopes, key, raw if headers else b"", headers)
        if route.about is not None:
            door.log_about(actor, route.path, route.about(call), REQUEST_ID.get())
        if route.quick is not None and (answer := route.quick(service, call)) is not None:
            reply = response(answer)
        else:
            with door.crowd.entered(), line.entered() if in_turn else nullcontext() as in_time:
                target = request.url.path + f"?{request.url.query}" * bool(request.url.query)
                if route.takes:  # the same bytes of another kind are another request
                    target += f" {request.headers.get('content-type', '')}"
                work = partial(_handled, route, service, call, door.replies, raw, target, in_time)
                reply = await to_thread.run_sync(
                    work, limiter=_turns(route.plans) if in_turn else None
                )
        return tagged(reply, request) if route.tagged else reply

    return endpoint


def _turns(plans: bool) -> CapacityLimiter:
    """The threads of calls that nothing is gained by working on side by side: whoever came first is
    answered first, instead of everybody late."""
    threads, most = (PLANNED, PLANNED_SIDE_BY_SIDE) if plans else (IN_TURN, SIDE_BY_SIDE)
    try:
        return threads.get()
    except LookupError:
        threads.set(limiter := CapacityLimiter(most))
        return limiter


def _problem_of(error: PresageError) -> Problem:
    """An error of the rooms below as the problem that the caller can act on."""
    detail = str(error)
    if isinstance(error, NotBuiltYet):
        return Problem(501, "not-built-yet", detail)
    if isinstance(error, Conflict):
        return Problem(409, "conflict", detail)
    if isinstance(error, UsageError | SettingsError):
        return Problem(422, "value", detail)
    if isinstance(error, DataError) and not isinstance(error, NotEnoughHistory):
        return Problem(422, "data", detail)
    if isinstance(error, DamagedFile | StorageFailure):  # it names files of the machine
        log.error("not ready: %s", detail)
        detail = "a file of the workspace is damaged or cannot be reached; the service's log has it"
    return Problem(503, "not-ready", detail, headers={"Retry-After": "10"})


def _handled(
    route: Route,
    service: Any,
    call: Call,
    replies: Replies,
    raw: bytes,
    path: str,
    in_time: Callable[[], None] | None,
) -> Response:
    """The handler's answer, once by Idempotency-Key where there is one; Problem 503 where its turn
    came too late (``Crowd.entered``)."""
    if in_time is not None:
        in_time()

    def work() -> Response:
        if call.idempotency_key is None:
            return response(route.handler(service, call))
        return _once(route, service, call, replies, raw, path)

    answer = work() if route.through is None else route.through(service, work)
    if route.location:
        answer.headers["Location"] = route.location.format(**json.loads(bytes(answer.body)))
    return answer


def _once(
    route: Route, service: Any, call: Call, replies: Replies, raw: bytes, path: str
) -> Response:
    """The first answer again for the same key and request."""
    assert call.idempotency_key is not None

    def act() -> tuple[int, bytes]:
        answer = response(route.handler(service, call))
        return answer.status_code, bytes(answer.body)

    request = hashlib.sha256(f"{route.method} {path}\n".encode() + raw).hexdigest()
    status, body, before = replies.once(call.actor, call.idempotency_key, request, act)
    headers = {"Cache-Control": "no-store"} | ({"Idempotent-Replay": "true"} if before else {})
    return Response(body, status, headers, media_type="application/json")


async def _authorise(route: Route, request: Request, door: Door) -> Known:
    if route.scope is None:
        return "", frozenset()
    scheme, _, secret = (header(request, b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem(
            401,
            "no-key",
            "send `Authorization: Bearer KEY`; `presage keys DIR create NAME --scopes ...` "
            "makes one",
            headers={"WWW-Authenticate": "Bearer"},
        )
    known = door.keys.remembered(secret.strip())
    if known is None:
        known = await run_in_threadpool(door.keys.verify, secret.strip())
    if known is None:
        raise Problem(
            401,
            "bad-key",
            "this key is unknown, expired or revoked",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    name, scopes = known
    if route.scope not in scopes:
        raise Problem(
            403,
            "scope",
            f"the key {name!r} has the scopes {', '.join(sorted(scopes)) or 'none'}; "
            f"this call needs {route.scope!r}",
        )
    _within_rate(name, request, door)
    return known


def _within_rate(name: str, request: Request, door: Door) -> None:
    allowed = door.limit.take(name)
    request.scope["state"]["headers"] = allowed.headers()
    if allowed.wait_seconds > 0:
        raise Problem(
            429,
            "rate",
            f"more than {door.limit.per_second:g} requests a second by {name!r}",
            headers={"Retry-After": str(math.ceil(allowed.wait_seconds))},
        )
