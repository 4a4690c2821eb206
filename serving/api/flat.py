"""JSON Schema of 2020-12 as OpenAPI 3.0 schemas that any importer reads: flat and named.

Every object is a named component; there is no ``anyOf``, ``oneOf`` or ``allOf`` and no object
inside another one. A value that may be null says ``nullable``; a reference that may be null is one
to a component of its own (``PredictionOrNull``), since nothing may stand beside a ``$ref``.

>>> flat = Flat()
>>> flat.schema({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"},
...     {"type": "null"}]}}}, "Row")
{'$ref': '#/components/schemas/Row'}
>>> flat.components["Row"]
{'properties': {'a': {'type': 'string', 'nullable': True}}, 'type': 'object'}
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
PLACE = "#/components/schemas/"
VALUE = "Value"
ANY: Schema = {"description": "a number, a text, true, false or null", "nullable": True}
"""What one schema of OpenAPI 3.0 says of a value of several types."""
DROPPED = ("$schema", "title", "$defs")


class Flat:
    """Schemas made flat; what they refer to gathers in ``components``."""

    def __init__(self, known: Mapping[str, Schema] | None = None) -> None:
        self.components: dict[str, Schema] = {}
        self._known = dict(known or {})
        for name in self._known:
            self._component(name)

    def _component(self, name: str) -> None:
        if name not in self.components:
            self.components[name] = {}  # a component may refer to itself
            self.components[name] = self._body(self._known[name], name)

    def schema(self, whole: Schema, name: str) -> Schema:
        """The schema to stand where ``whole`` stood; ``name``: of what has no name yet."""
        kinds, nullable = _alternatives(whole)
        if len(kinds) > 1:
            return self._one_of(kinds, nullable, whole)
        (one,) = kinds or [{}]
        one = {**{k: v for k, v in whole.items() if k not in ("anyOf", "oneOf", "type")}, **one}
        if "$ref" in one:
            target = one["$ref"].removeprefix(PLACE)
            return {"$ref": PLACE + (self._or_null(target) if nullable else target)}
        if one.get("type") == "object":
            target = self._named(self._body(one, name), str(one.get("title") or name))
            return {"$ref": PLACE + (self._or_null(target) if nullable else target)}
        if not one.keys() - {"description"} and not nullable:
            return self._value()
        out = self._body(one, name)
        return {**out, "nullable": True} if nullable else out

    def _one_of(self, kinds: list[Schema], nullable: bool, schema: Schema) -> Schema:
        if {kind.get("type") for kind in kinds} == {"string", "integer"}:
            # ids may be sent as whole numbers too; as texts they always come
            text = {k: v for k, v in schema.items() if k not in ("anyOf", "type", "title")}
            return {"type": "string", **text, **({"nullable": True} if nullable else {})}
        return self._value()

    def _value(self) -> Schema:
        self.components.setdefault(VALUE, ANY)
        return {"$ref": PLACE + VALUE}

    def _or_null(self, name: str) -> str:
        there = f"{name}OrNull"
        if there not in self.components:
            if name in self._known:
                self._component(name)
            self.components[there] = {**copy.deepcopy(self.components[name]), "nullable": True}
        return there

    def _named(self, body: Schema, name: str) -> str:
        """The component with this content, made under that name if there is none."""
        for known, content in self.components.items():
            if content == body:
                return known
        chosen, number = name, 2
        while chosen in self.components or chosen in self._known:
            chosen, number = f"{name}{number}", number + 1
        self.components[chosen] = body
        return chosen

    def _body(self, schema: Schema, name: str) -> Schema:
        out = {key: value for key, value in schema.items() if key not in DROPPED}
        if "description" in out:
            out["description"] = " ".join(out["description"].split())
        for limit in ("minimum", "maximum"):
            exclusive = f"exclusive{limit.capitalize()}"
            if exclusive in out:  # a word beside the limit, not a limit of its own
                out[limit], out[exclusive] = out[exclusive], True
        if "const" in out:
            out["enum"] = [out.pop("const")]
        if out.get("default", 0) is None or out.get("default") in ([], {}):
            out.pop("default")
        if not out.get("required", True):
            out.pop("required")
        if out.get("type") == "object":
            if "properties" in out:
                out["properties"] = {
                    key: self.schema(value, name + _capital(key))
                    for key, value in out["properties"].items()
                }
            more = out.get("additionalProperties")
            if isinstance(more, dict):
                out["additionalProperties"] = self.schema(more, f"{name}Value")
            elif more is None and "properties" not in out:
                out["additionalProperties"] = self._value()
        if out.get("type") == "array":
            out["items"] = self.schema(out.get("items", {}), f"{name}Item")
        return out


def _alternatives(schema: Schema) -> tuple[list[Schema], bool]:
    """The types that a schema allows, and whether null is one of them."""
    if isinstance(schema.get("type"), list):
        parts = [{"type": kind} for kind in schema["type"]]
    elif "anyOf" in schema or "oneOf" in schema:
        parts = list(schema.get("anyOf") or schema["oneOf"])
    else:
        parts = [{"type": schema["type"]}] if "type" in schema else []
        return parts, bool(schema.get("nullable"))
    kinds = [part for part in parts if part.get("type") != "null"]
    return kinds, len(kinds) < len(parts)


def _capital(key: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in key.replace("-", "_").split("_"))
