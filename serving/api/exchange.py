"""What came over HTTP as the values that a handler gets, and what it answers as a response."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from serving.api.problem import Problem
from serving.api.route import Answer, Route

MAX_BODY_BYTES = 10 * 2**20
BODY_SECONDS = 30.0
"""So long a body may take to arrive."""
UPLOAD_SECONDS = 120.0
"""So long a file may take."""


def header(request: Request, name: bytes) -> str | None:
    """A header as it came; ``name`` in lower case. Several times as quick as ``Headers.get``."""
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


async def read_body(request: Request, route: Route, upload_bytes: int) -> bytes:
    """The body as it came; a file has ``upload_bytes`` and more time."""
    most, seconds = MAX_BODY_BYTES, BODY_SECONDS
    if route.takes:
        most, seconds = upload_bytes, UPLOAD_SECONDS
    if header(request, b"transfer-encoding") is not None and (
        header(request, b"content-length") is not None
    ):
        detail = "send either Content-Length or Transfer-Encoding: with both the body is ambiguous"
        raise Problem(400, "framing", detail, headers={"Connection": "close"})
    kind = (header(request, b"content-type") or "application/json").partition(";")[0].strip()
    if kind.lower() not in ("application/json", *route.takes):
        offered = ", ".join(("application/json", *route.takes))
        raise Problem(415, "content-type", f"the body is {kind!r}; send {offered}")
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                more = message.get("more_body", False)
                if size > most:
                    detail = f"the body is over {most >> 20} MiB; send it in parts"
                    raise Problem(413, "too-large", detail)
    except TimeoutError:
        detail = f"the body did not arrive within {seconds:g} s; send it in parts"
        raise Problem(408, "slow-body", detail, headers={"Connection": "close"}) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decode(route: Route, raw: bytes) -> Any:
    """The body's JSON as the route's type; None where it takes none, or decodes it itself."""
    return None if route.body is None or route.takes else decode_json(route.body, raw)


def decode_json(declared: Any, raw: bytes) -> Any:
    """JSON as a value of a type; Problem 400 for what is none, 422 for another one."""
    try:
        if isinstance(declared, type):
            return msgspec.json.decode(raw, type=declared)
        return msgspec.json.decode(raw)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        at = place.rstrip("`") or "$"
        raise Problem(
            422, "body", f"{message} at {at}", errors=[{"at": at, "message": message}]
        ) from None
    except RecursionError:
        raise Problem(400, "json", "the body is nested too deep; rows are flat") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "json", f"the body is not JSON: {error}") from None


def parameters(route: Route, request: Request) -> dict[str, str]:
    if not route.parameters and not request.scope["query_string"]:
        return dict(request.path_params)
    known = {parameter.name for parameter in route.parameters if parameter.place == "query"}
    extra = set(request.query_params) - known
    if extra:
        offered = ", ".join(sorted(known)) or "none"
        raise Problem(
            400, "parameter", f"unknown parameter {', '.join(sorted(extra))}; there is {offered}"
        )
    values = {**request.query_params, **request.path_params}
    for parameter in route.parameters:
        if parameter.place == "header":
            continue
        if parameter.required and not values.get(parameter.name):
            raise Problem(400, "parameter", f"the parameter {parameter.name} is missing")
    return values


def accepted_media(route: Route, request: Request) -> str:
    wanted = header(request, b"accept") or "*/*"
    if wanted == "*/*" and not route.by_accept:
        return route.media
    if route.by_accept:
        return _file_wanted(route, request, wanted)
    others = [*["text/csv"] * route.csv, *["text/calendar"] * route.calendar, *route.files]
    for media in others:
        if media in wanted:
            return media
    family = route.media.partition("/")[0]
    if any(kind in wanted for kind in ("*/*", route.media, f"{family}/*")):
        return route.media
    offered = " and ".join([route.media, *others])
    raise Problem(406, "accept", f"{wanted} is not offered; this call answers {offered}")


def _file_wanted(route: Route, request: Request, wanted: str) -> str:
    """The media type that is asked for by ``format``, which the handler reads, or by Accept."""
    offered = (route.media, *route.files)
    if request.query_params.get("format"):
        return route.media
    kinds = [part.partition(";")[0].strip().lower() for part in wanted.split(",")]
    for kind in kinds:
        for media in offered:
            if kind in ("*/*", media, f"{media.partition('/')[0]}/*"):
                return media
    detail = f"{wanted} is not offered; this call answers {', '.join(offered)}"
    raise Problem(406, "accept", detail)


def etag_of(content: bytes) -> str:
    """The entity tag of a body: equal bodies have equal ones."""
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


def tagged(answer: Response, request: Request) -> Response:
    """The answer with its ETag; 304 without a body where a GET has it already."""
    if answer.status_code != 200:
        return answer
    tag = etag_of(bytes(answer.body))
    answer.raw_headers.append((b"etag", tag.encode()))
    if request.method not in ("GET", "HEAD"):
        return answer
    known = [part.strip() for part in (header(request, b"if-none-match") or "").split(",")]
    if tag in known or "*" in known:
        headers = {k: v for k, v in answer.headers.items() if not k.startswith("content-")}
        return Response(status_code=304, headers=headers)
    return answer


def response(answer: Answer) -> Response:
    if answer.value is None:
        content = b""
    elif answer.media_type == "application/json":
        content = msgspec.json.encode(answer.value, enc_hook=_encode)
    elif isinstance(answer.value, Iterator):
        more = {"Cache-Control": "no-store", **answer.headers}
        return StreamingResponse(answer.value, answer.status, more, media_type=answer.media_type)
    else:
        content = answer.value
    headers = {"Cache-Control": "no-store", **answer.headers}
    return Response(content, answer.status, headers, media_type=answer.media_type)


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return json.loads(json.dumps(value, default=str))
