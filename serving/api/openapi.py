"""The OpenAPI 3.0 file, written from the routes: flat named schemas (``flat.py``), every status
that a call may answer, and an example of each body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from serving.api.flat import Flat
from serving.api.problem import TITLES
from serving.api.route import Parameter, Route

PLACE: dict[str, Any] = {
    "title": "ProblemPlace",
    "type": "object",
    "required": ["at", "message"],
    "properties": {
        "at": {"type": "string"},
        "message": {"type": "string"},
        "table": {"type": "string"},
        "row": {"type": ["integer", "null"]},
        "column": {"type": ["string", "null"]},
    },
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": PLACE},
    },
}
BINARY = {"type": "string", "format": "binary"}
ANY_CALL = (400, 406, 500)
"""Statuses that any call may answer."""
WITH_KEY = (401, 403, 429, 503)
WITH_BODY = (408, 413, 415, 422)


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole file as a JSON-able value."""
    types = [t for route in routes for t in (route.body, route.answers) if isinstance(t, type)]
    refs, known = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    named = dict(zip(types, refs, strict=True))
    flat = Flat({**known, "Problem": PROBLEM})

    def schema(declared: Any, name: str) -> Any:
        return flat.schema(named[declared] if isinstance(declared, type) else declared, name)

    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Presage",
            "version": version,
            "description": "Complaint risk, contact volume, staffing and outreach.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(flat.components.items())),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def statuses_of(route: Route) -> set[int]:
    """The statuses of problems that a call may answer."""
    statuses = {*route.problems, *(() if route.instant else ANY_CALL)}
    statuses |= set(WITH_KEY) if route.scope else set()
    statuses |= set(WITH_BODY) if route.body is not None else set()
    statuses |= {401, 404, 409, 429, 503} if route.signed else set()
    return statuses | ({409, 422} if route.effect else set())


def _operation(route: Route, schema: Any) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in route.handler.__name__.split("_"))
    content = (
        {route.media: {"schema": schema(route.answers, f"{name}Answer")}} if route.answers else {}
    )
    if route.csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    if route.calendar:
        content["text/calendar"] = {"schema": {"type": "string"}}
    for media in route.files:
        content[media] = _file(media)
    success: dict[str, Any] = {"description": "Done", **({"content": content} if content else {})}
    responses: dict[str, Any] = {str(route.status): success}
    if route.location:
        success["headers"] = {"Location": {"schema": {"type": "string"}}}
    if route.tagged:
        success.setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}}
        if route.method == "GET":
            responses["304"] = {"description": "The same as you have it"}
    responses |= {str(status): _problem(status) for status in sorted(statuses_of(route))}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "tags": [route.tag],
        "parameters": [_parameter(p) for p in route.parameters],
        "responses": responses,
        "security": [{"key": []}] if route.scope else [],
    }
    if route.scope:
        operation["description"] = f"Needs a key with the scope `{route.scope}`."
    if route.signed:
        operation["description"] = "Signed by its sender, whose secret stands in a key's place."
    if route.tagged and route.method == "GET":
        known = "An ETag that you have: 304 without a body while it still holds."
        operation["parameters"].append(_header("If-None-Match", known, 4000))
    if route.effect:
        once = "The same key and body again: the first answer again, done once."
        operation["parameters"].append(_header("Idempotency-Key", once, 200))
    if route.body is not None:
        json: dict[str, Any] = {"schema": schema(route.body, f"{name}Body")}
        if route.example is not None:
            json["example"] = route.example
        taken = {"application/json": json, **{kind: _file(kind) for kind in route.takes}}
        operation["requestBody"] = {"required": True, "content": taken}
    return operation


def _file(media: str) -> dict[str, Any]:
    is_text = media.startswith("text/") or "json" in media
    return {"schema": {"type": "string"} if is_text else BINARY}


def _header(name: str, description: str, longest: int) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", "maxLength": longest},
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind}
    if parameter.format:
        schema["format"] = parameter.format
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    item: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required or parameter.place == "path",
        "description": parameter.description,
        "schema": schema,
    }
    return item if parameter.example is None else {**item, "example": parameter.example}


def _problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": TITLES.get(status, "Error"),
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return answer
