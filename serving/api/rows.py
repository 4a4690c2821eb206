"""Rows of the contract's tables as the API tells them: JSON Schemas, made from the contract."""

from __future__ import annotations

from typing import Any

from data.schema import events_schema, row_schema

HIDDEN = ("customer_id", "recorded_at", "deleted")


def told_row(name: str, title: str, **more: Any) -> dict[str, Any]:
    """A row of a table as the view of one customer has it: all columns but those that go without
    saying, each null where it is not known; ``more`` properties beside them."""
    columns = row_schema(name)["properties"]
    properties = {key: _plain(schema) for key, schema in columns.items() if key not in HIDDEN}
    return {"title": title, "type": "object", "properties": {**properties, **more}}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """What a value looks like when it is told: texts are texts, times RFC 3339, and null is one."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "pattern" in schema:
        return {"type": ["string", "null"], "format": "date-time"}
    if "string" in kinds:
        return {"type": ["string", "null"]}
    if "array" in kinds:
        return {"type": ["array", "null"], "items": {"type": "string"}}
    return {"type": ["number" if kind == "integer" else kind for kind in kinds] + (
        [] if "null" in kinds else ["null"]
    )}  # fmt: skip


def posted_rows() -> dict[str, Any]:
    """The body of ``POST /v1/events``, its rows named by their tables."""
    schema = {**events_schema(), "title": "Events"}
    for name, rows in schema["properties"].items():
        rows["items"]["title"] = "".join(word.capitalize() for word in name.split("_")) + "Row"
    return schema


NUMBER = {"type": ["number", "null"]}
STATE = {"type": ["string", "null"]}
ITEM = {
    "title": "OrderItemSeen",
    "type": "object",
    "properties": {
        key: _plain(value)
        for key, value in row_schema("order_items")["properties"].items()
        if key not in (*HIDDEN, "order_id")
    },
}
ORDER = told_row("orders", "OrderSeen", items={"type": "array", "items": ITEM})
TICKET = told_row(
    "tickets", "TicketSeen", waited_seconds=NUMBER, response_state=STATE, resolution_state=STATE
)
ATTRIBUTES = {**told_row("customers", "CustomerAttributes"), "additionalProperties": {}}
