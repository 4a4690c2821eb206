"""The OpenAPI 3.0 file, written from the routes.

msgspec describes types in the newer JSON Schema; OpenAPI 3.0 says ``nullable`` and has no
``const``, no ``$defs``, no type "null" and no lists of types, which ``downgrade`` puts right.

>>> downgrade({"anyOf": [{"type": "string"}, {"type": "null"}]})
{'type': 'string', 'nullable': True}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from serving.api.problem import TITLES
from serving.api.route import Route

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def downgrade(schema: Any) -> Any:
    """A JSON Schema of 2020-12 in the words of OpenAPI 3.0."""
    if isinstance(schema, list):
        return [downgrade(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # a property may be named "title" too: its schema is no text
    schema = {
        key: downgrade(value)
        for key, value in schema.items()
        if key != "$schema" and not (key == "title" and isinstance(value, str))
    }
    if isinstance(schema.get("type"), list):
        told = schema.pop("type")
        kinds = [kind for kind in told if kind != "null"]
        schema |= (
            {"type": kinds[0]} if len(kinds) == 1 else {"anyOf": [{"type": kind} for kind in kinds]}
        )
        if "null" in told:
            schema["nullable"] = True
    if schema.get("required") == []:
        schema.pop("required")
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if schema.get("default", 0) is None:
        schema.pop("default")
    for word in ("anyOf", "oneOf"):
        if word in schema:
            parts = [part for part in schema[word] if part.get("type") != "null"]
            if len(parts) < len(schema[word]):
                schema.pop(word)
                if len(parts) == 1 and "$ref" not in parts[0]:
                    schema = {**schema, **parts[0]}
                elif len(parts) == 1:
                    schema["allOf"] = parts
                else:
                    schema[word] = parts
                schema["nullable"] = True
    return schema


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole file as a JSON-able value."""
    types = [t for route in routes for t in (route.body, route.answers) if isinstance(t, type)]
    refs, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    named = dict(zip(types, refs, strict=True))

    def schema(declared: Any) -> Any:
        return downgrade(named[declared] if isinstance(declared, type) else declared)

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
            "schemas": {**downgrade(components), "Problem": PROBLEM},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schema: Any) -> dict[str, Any]:
    content = {route.media: {"schema": schema(route.answers)}}
    if route.csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    statuses = set(route.problems)
    if route.scope:
        statuses |= {401, 403, 429, 503}
    if route.body is not None:
        statuses |= {400, 408, 413, 415, 422}
    if route.effect:
        statuses |= {409}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "tags": [route.tag],
        "parameters": [_parameter(p) for p in route.parameters],
        "responses": {
            str(route.status): {"description": "Done", "content": content},
            **{str(status): _problem(status) for status in sorted(statuses)},
        },
        "security": [{"key": []}] if route.scope else [],
    }
    if route.scope:
        operation["description"] = f"Needs a key with the scope `{route.scope}`."
    if route.effect:
        operation["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key and body again: the first answer again, done once.",
                "schema": {"type": "string", "maxLength": 200},
            }
        )
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema(route.body)}},
        }
    return operation


def _parameter(parameter: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind}
    if parameter.format:
        schema["format"] = parameter.format
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required or parameter.place == "path",
        "description": parameter.description,
        "schema": schema,
    }


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
