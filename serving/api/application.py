"""The ASGI application: every request is matched, authorised, decoded, handled and answered here.

What can go wrong on the way has one form (``Problem``) and one place. Handlers are plain functions
``(service, call) -> Answer`` that run in a thread; they never see HTTP.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from data.errors import (
    Conflict,
    DataError,
    NotBuiltYet,
    NotEnoughHistory,
    PresageError,
    UsageError,
)
from serving.api.limits import RateLimit
from serving.api.problem import Problem
from serving.api.route import Answer, Call, Route

log = logging.getLogger("presage.api")

MAX_BODY_BYTES = 10 * 2**20
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
"""All come to our endpoint, so that a wrong one gets a problem too."""


class Keys(Protocol):
    """Who may call: the key's name and scopes for a secret, or None."""

    def verify(self, secret: str) -> tuple[str, frozenset[str]] | None: ...


class Replies(Protocol):
    """Answers kept by Idempotency-Key, so that the same request is done once.

    ``find`` and ``keep`` raise Conflict where the key belongs to another request or has an answer.
    """

    def find(self, actor: str, key: str, request: str) -> tuple[int, bytes] | None: ...

    def keep(self, actor: str, key: str, request: str, status: int, body: bytes) -> None: ...


@dataclass(frozen=True)
class Door:
    """What the application needs besides the handlers' own service."""

    keys: Keys
    replies: Replies
    limit: RateLimit
    observe: Callable[[str, int, float], None] = lambda path, status, seconds: None


def application(
    routes: Sequence[Route], service: Any, door: Door, pages: Sequence[StarletteRoute] = ()
) -> Starlette:
    """The application over ``routes``; ``pages`` are routes that are not of the API."""
    paths: dict[str, dict[str, Route]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = route
    own = [
        StarletteRoute(path, _endpoint(methods, service, door), methods=METHODS)
        for path, methods in paths.items()
    ]
    return Starlette(
        routes=[*own, *pages],
        middleware=[Middleware(WholeSegments)],
        exception_handlers={404: _not_found, HTTPException: _not_found},
    )


class WholeSegments:
    """Routes by the path as it was sent: an escaped slash is part of an id, not a separator."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and b"%2f" in (scope.get("raw_path") or b"").lower():
            kept = re.sub(rb"%2f", b"%252F", scope["raw_path"], flags=re.IGNORECASE)
            scope = {**scope, "path": unquote(kept.decode("ascii"))}
        await self.app(scope, receive, send)


def _segments(route: Route, request: Request) -> dict[str, str]:
    """The parameters in the path, each decoded by itself."""
    sent = (request.scope.get("raw_path") or b"").decode("ascii", "replace").split("/")
    wanted = route.path.split("/")
    if len(sent) != len(wanted):
        return dict(request.path_params)
    return {
        name[1:-1]: unquote(part)
        for name, part in zip(wanted, sent, strict=True)
        if name.startswith("{")
    }


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    if status == 405:
        return Problem(405, "method", f"{request.method} is not offered here").response(
            request.url.path
        )
    detail = f"there is nothing at {request.url.path}; /openapi.json lists every call"
    return Problem(404, "no-such-path", detail).response(request.url.path)


def _endpoint(
    methods: Mapping[str, Route], service: Any, door: Door
) -> Callable[[Request], Awaitable[Response]]:
    allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))

    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        path = next(iter(methods.values())).path
        try:
            method = "GET" if request.method == "HEAD" else request.method
            route = methods.get(method)
            if route is None:
                raise Problem(
                    405,
                    "method",
                    f"{request.method} is not offered here; use {allowed}",
                    headers={"Allow": allowed},
                )
            response = await _handle(route, request, service, door)
        except Problem as problem:
            response = problem.response(request.url.path)
        except PresageError as error:
            response = _problem_of(error).response(request.url.path)
        except Exception:
            log.exception("unexpected error at %s", path)
            detail = "an unexpected error; the service's log has it. Nothing of this call was kept"
            response = Problem(500, "unexpected", detail).response(request.url.path)
        door.observe(path, response.status_code, time.perf_counter() - began)
        return response

    return endpoint


def _problem_of(error: PresageError) -> Problem:
    """An error of the rooms below as the problem that the caller can act on."""
    told = str(error)
    if isinstance(error, NotBuiltYet):
        return Problem(501, "not-built-yet", told)
    if isinstance(error, Conflict):
        return Problem(409, "conflict", told)
    if isinstance(error, UsageError):
        return Problem(422, "value", told)
    if isinstance(error, DataError) and not isinstance(error, NotEnoughHistory):
        return Problem(422, "data", told)
    return Problem(503, "not-ready", told, headers={"Retry-After": "10"})


async def _handle(route: Route, request: Request, service: Any, door: Door) -> Response:
    actor = await _authorise(route, request, door)
    raw = await _read(request) if route.body is not None else b""
    body = _decode(route, request, raw)
    key = request.headers.get("idempotency-key") if route.effect else None
    if key is not None and not 1 <= len(key) <= 200:
        raise Problem(400, "idempotency-key", "Idempotency-Key has 1 to 200 characters")
    call = Call(_parameters(route, request), body, actor, _accept(route, request), key)
    if key is None:
        return _response(await run_in_threadpool(route.handler, service, call))
    return await run_in_threadpool(_once, route, service, call, door.replies, raw, request.url.path)


def _once(
    route: Route, service: Any, call: Call, replies: Replies, raw: bytes, path: str
) -> Response:
    """The first answer again for the same key and request; 409 for the same key on another."""
    assert call.idempotency_key is not None
    request = hashlib.sha256(f"{route.method} {path}\n".encode() + raw).hexdigest()
    before = replies.find(call.actor, call.idempotency_key, request)
    if before is None:
        response = _response(route.handler(service, call))
        body = bytes(response.body)
        try:
            replies.keep(call.actor, call.idempotency_key, request, response.status_code, body)
        except Conflict:  # the same request was answered beside this one: its answer stands
            before = replies.find(call.actor, call.idempotency_key, request)
        else:
            return response
    assert before is not None
    headers = {"Idempotent-Replay": "true"}
    return Response(before[1], before[0], headers, media_type="application/json")


async def _authorise(route: Route, request: Request, door: Door) -> str:
    if route.scope is None:
        return ""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Problem(
            401,
            "no-key",
            "send `Authorization: Bearer KEY`; `presage keys DIR create NAME --scopes ...` "
            "makes one",
            headers={"WWW-Authenticate": "Bearer"},
        )
    known = await run_in_threadpool(door.keys.verify, secret.strip())
    if known is None:
        raise Problem(
            401,
            "bad-key",
            "this key is unknown or revoked",
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
    wait = door.limit.wait_seconds(name)
    if wait > 0:
        raise Problem(
            429,
            "rate",
            f"more than {door.limit.per_second:g} requests a second by key {name!r}",
            headers={"Retry-After": str(max(1, round(wait)))},
        )
    return name


async def _read(request: Request) -> bytes:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind != "application/json":
        raise Problem(415, "content-type", f"the body is {kind!r}; send application/json")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise Problem(
                413, "too-large", f"the body is over {MAX_BODY_BYTES >> 20} MiB; send it in parts"
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _decode(route: Route, request: Request, raw: bytes) -> Any:
    if route.body is None:
        return None
    try:
        if isinstance(route.body, type):
            return msgspec.json.decode(raw, type=route.body)
        return msgspec.json.decode(raw)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        at = place.rstrip("`") or "$"
        raise Problem(
            422, "body", f"{message} at {at}", errors=[{"at": at, "message": message}]
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "json", f"the body is not JSON: {error}") from None


def _parameters(route: Route, request: Request) -> dict[str, str]:
    known = {parameter.name for parameter in route.parameters if parameter.place == "query"}
    extra = set(request.query_params) - known
    if extra:
        offered = ", ".join(sorted(known)) or "none"
        raise Problem(
            400, "parameter", f"unknown parameter {', '.join(sorted(extra))}; there is {offered}"
        )
    found = {**request.query_params, **_segments(route, request)}
    for parameter in route.parameters:
        if parameter.required and not found.get(parameter.name):
            raise Problem(400, "parameter", f"the parameter {parameter.name} is missing")
    return found


def _accept(route: Route, request: Request) -> str:
    wanted = request.headers.get("accept", "*/*")
    if route.csv and "text/csv" in wanted:
        return "text/csv"
    family = route.media.partition("/")[0]
    if any(kind in wanted for kind in ("*/*", route.media, f"{family}/*")):
        return route.media
    offered = route.media + (" and text/csv" if route.csv else "")
    raise Problem(406, "accept", f"{wanted} is not offered; this call answers {offered}")


def _response(answer: Answer) -> Response:
    if answer.media_type == "application/json":
        content = msgspec.json.encode(answer.value, enc_hook=_encode)
    else:
        content = answer.value
    headers = {"Cache-Control": "no-store", **answer.headers}
    return Response(content, answer.status, headers, media_type=answer.media_type)


def _encode(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return json.loads(json.dumps(value, default=str))
