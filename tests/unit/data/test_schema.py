"""JSON Schema made from the contract, judged by an independent validator."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from data.contract import TABLES
from data.errors import DataError
from data.schema import events_schema, row_schema


def complaints(name: str, row: dict[str, Any], posted: bool = False) -> list[str]:
    validator = Draft202012Validator(row_schema(name, posted=posted))
    return [".".join(map(str, e.absolute_path)) or e.message for e in validator.iter_errors(row)]


@pytest.mark.parametrize("name", TABLES)
def test_each_schema_is_valid_and_asks_for_what_the_contract_requires(name: str) -> None:
    schema = row_schema(name)
    Draft202012Validator.check_schema(schema)
    assert tuple(schema["required"]) == TABLES[name].required
    assert set(schema["properties"]) == set(TABLES[name].names)
    assert len(complaints(name, {})) == len(TABLES[name].required)


def test_rows_of_the_contract_pass_and_broken_ones_are_named() -> None:
    ticket = {"ticket_id": "1", "opened_at": "2026-01-01T00:00:00Z", "channel": "email"}
    assert complaints("tickets", ticket) == []
    assert complaints("tickets", {**ticket, "csat": None, "topic": None, "own": {"a": 1}}) == []
    assert complaints("tickets", {**ticket, "ticket_id": 7}) == []  # ids may come as numbers
    assert complaints("tickets", {**ticket, "csat": 6}) == ["csat"]
    assert complaints("tickets", {**ticket, "channel": None}) == ["channel"]
    assert complaints("tickets", {**ticket, "channel": ""}) == ["channel"]
    assert complaints("tickets", {**ticket, "is_complaint": "yes"}) == ["is_complaint"]
    agent = {"agent_id": "a", "hired_at": "2026-01-01"}
    assert complaints("agents", {**agent, "skills": ["phone"]}) == []
    assert complaints("agents", {**agent, "skills": "phone"}) == ["skills"]
    feedback = {"feedback_id": "f", "given_at": "2026-01-01", "kind": "gossip"}
    assert complaints("feedback", feedback) == ["kind"]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("2026-01-01", True),
        ("2026-01-01T00:00:00", True),
        ("2026-01-01 00:00:00.123456", True),
        ("2026-01-01T00:00:00Z", True),
        ("2026-01-01T00:00:00+05:30", True),
        ("01/02/2026", False),
        ("yesterday", False),
        ("2026-01-01T", False),
    ],
)
def test_times_are_iso(text: str, fits: bool) -> None:
    order = {"order_id": "1", "ordered_at": text, "customer_id": "c"}
    assert (complaints("orders", order) == []) == fits


def test_a_posted_row_needs_its_key() -> None:
    usage = {"used_at": "2026-01-01", "customer_id": "c", "feature": "f"}
    assert complaints("usage", usage) == []
    assert complaints("usage", usage, posted=True) == ["'event_id' is a required property"]


def test_the_schema_of_posted_events_knows_every_table_and_no_other() -> None:
    schema = events_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    order = {"order_id": "1", "ordered_at": "2026-01-01", "customer_id": "c"}
    assert validator.is_valid({"orders": [order], "usage": []})
    assert not validator.is_valid({"order": [order]})
    assert not validator.is_valid({})
    with pytest.raises(DataError):
        row_schema("order")
