"""What came over HTTP as the values that a handler gets, and what it answers as a response."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.problem import Problem
from serving.api.route import Answer, Route

MAX_BODY_BYTES = 10 * 2**20
BODY_SECONDS = 30.0
"""So long a body may take to arrive."""


async def read_body(request: Request) -> bytes:
    if {"content-length", "transfer-encoding"} <= set(request.headers):
        detail = "send either Content-Length or Transfer-Encoding: with both the body is ambiguous"
        raise Problem(400, "framing", detail, headers={"Connection": "close"})
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind != "application/json":
        raise Problem(415, "content-type", f"the body is {kind!r}; send application/json")
    chunks: list[bytes] = []
    size = 0
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    detail = f"the body is over {MAX_BODY_BYTES >> 20} MiB; send it in parts"
                    raise Problem(413, "too-large", detail)
                chunks.append(chunk)
    except TimeoutError:
        detail = f"the body did not arrive within {BODY_SECONDS:g} s; send it in parts"
        raise Problem(408, "slow-body", detail, headers={"Connection": "close"}) from None
    return b"".join(chunks)


def decode(route: Route, raw: bytes) -> Any:
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
    except RecursionError:
        raise Problem(400, "json", "the body is nested too deep; rows are flat") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "json", f"the body is not JSON: {error}") from None


def parameters(route: Route, request: Request) -> dict[str, str]:
    known = {parameter.name for parameter in route.parameters if parameter.place == "query"}
    extra = set(request.query_params) - known
    if extra:
        offered = ", ".join(sorted(known)) or "none"
        raise Problem(
            400, "parameter", f"unknown parameter {', '.join(sorted(extra))}; there is {offered}"
        )
    found = {**request.query_params, **request.path_params}
    for parameter in route.parameters:
        if parameter.place == "header":
            continue
        if parameter.required and not found.get(parameter.name):
            raise Problem(400, "parameter", f"the parameter {parameter.name} is missing")
    return found


def accepted_media(route: Route, request: Request) -> str:
    wanted = request.headers.get("accept", "*/*")
    others = [*["text/csv"] * route.csv, *["text/calendar"] * route.calendar]
    for media in others:
        if media in wanted:
            return media
    family = route.media.partition("/")[0]
    if any(kind in wanted for kind in ("*/*", route.media, f"{family}/*")):
        return route.media
    offered = " and ".join([route.media, *others])
    raise Problem(406, "accept", f"{wanted} is not offered; this call answers {offered}")


def etag_of(content: bytes) -> str:
    """The entity tag of a body: equal bodies have equal ones."""
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'


def tagged(answer: Response, request: Request) -> Response:
    """The answer with its ETag; 304 without a body where a GET has it already."""
    if answer.status_code != 200:
        return answer
    answer.headers["ETag"] = tag = etag_of(bytes(answer.body))
    known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    if request.method in ("GET", "HEAD") and (tag in known or "*" in known):
        kept = {k: v for k, v in answer.headers.items() if not k.startswith("content-")}
        return Response(status_code=304, headers=kept)
    return answer


def response(answer: Answer) -> Response:
    if answer.media_type == "application/json":
        content = msgspec.json.encode(answer.value, enc_hook=_encode)
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
