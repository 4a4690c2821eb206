"""JSON Schema of a table's rows, made from the contract: for posted events and for outsiders.

Extra properties are allowed: a company's own columns are not a mistake. Null is allowed wherever
a value is optional. Times are RFC 3339, or end in a zone's name, as
of RFC 9557; a time without a zone is read as UTC, a date as its 00:00.

>>> schema = row_schema("feedback")
>>> schema["required"]
['feedback_id', 'given_at', 'kind']
>>> schema["properties"]["kind"]["enum"]
['survey', 'review', 'mention']
"""

from __future__ import annotations

from typing import Any

from data.contract import TABLES, Column, table
from data.values import TIME

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TYPES: dict[str, tuple[str, ...]] = {
    "string": ("string", "integer"),
    "timestamp": ("string",),
    "float": ("number",),
    "integer": ("integer",),
    "bool": ("boolean",),
    "strings": ("array",),
}


def row_schema(name: str, *, posted: bool = False) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one row of a table.

    ``posted``: for rows sent to the API, where the key is always required (``usage.event_id``)
    and ``recorded_at`` is ours to set. DataError for an unknown table.
    """
    contract = table(name)
    required = list(contract.required)
    if posted:
        required = [c for c in contract.names if c in required or c in contract.key]
    return {
        "$schema": DRAFT,
        "title": name,
        "description": contract.note or f"one row of {name}",
        "type": "object",
        "required": required,
        "properties": {
            column.name: _property(column, column.name in required)
            for column in contract.columns
            if not (posted and column.name == "recorded_at")
        },
    }


def events_schema() -> dict[str, Any]:
    """The JSON Schema of ``POST /v1/events``: rows by table, no other names."""
    return {
        "$schema": DRAFT,
        "title": "events",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            name: {"type": "array", "items": row_schema(name, posted=True)} for name in TABLES
        },
    }


def _property(column: Column, required: bool) -> dict[str, Any]:
    kinds = list(TYPES[column.dtype])
    schema: dict[str, Any] = {"type": kinds if required else [*kinds, "null"]}
    if len(schema["type"]) == 1:
        schema["type"] = schema["type"][0]
    if column.dtype == "string" and required:
        schema["minLength"] = 1
    if column.dtype == "timestamp":
        schema["pattern"] = f"^(?:{TIME})$"
    if column.dtype == "strings":
        schema["items"] = {"type": "string"}
    if column.minimum is not None:
        schema["minimum"] = column.minimum
    if column.maximum is not None:
        schema["maximum"] = column.maximum
    if column.choices:
        schema["enum"] = list(column.choices) + ([] if required else [None])
    if column.note:
        schema["description"] = column.note
    return schema
