"""POST /v1/hooks/...: what other systems send of themselves, as rows through the door of events.

A delivery is done once by its id. Shopify signs its body only, so one who saw a delivery could
bring it again under another id, and set an order back: the same body is not taken twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from data.adapters.deliveries import NothingMapped, Rows, UnknownTopic, rows_of, unpacked
from data.store import first_time
from serving.api.handlers.events import post_events
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.desk import Desk

TOPIC = "x-shopify-topic"


def take_zendesk(desk: Desk, call: Call) -> Answer:
    """A ticket or an end user of Zendesk: an event, or what a trigger sends of one."""
    return _taken(desk, call, _rows(desk, "zendesk", "", call.raw))


def take_shopify(desk: Desk, call: Call) -> Answer:
    """An order or a customer of Shopify, by the topic in its header."""
    rows = _rows(desk, "shopify", call.headers.get(TOPIC, ""), call.raw)
    digest = hashlib.sha256(call.raw).hexdigest()
    if rows.tables and not first_time(desk.store, f"body:{call.actor}", digest, desk.now()):
        return _answer(
            desk, rows, {}, {name: len(of_table) for name, of_table in rows.tables.items()}
        )
    return _taken(desk, call, rows)


def take_segment(desk: Desk, call: Call) -> Answer:
    """A call of Segment's API: what was used, or who somebody is."""
    return _taken(desk, call, _rows(desk, "segment", "", call.raw))


def _rows(desk: Desk, sender: str, topic: str, raw: bytes) -> Rows:
    try:
        mapped = rows_of(unpacked(sender, topic, raw), desk.workspace.settings.import_)
    except UnknownTopic as error:
        raise Problem(422, "hook-topic", str(error)) from None
    except NothingMapped as error:
        raise Problem(422, "hook-body", str(error)) from None
    if mapped.faults:
        places = [{"at": f"$.{at}", "message": message} for at, message in mapped.faults]
        detail = f"{mapped.faults[0][0]}: {mapped.faults[0][1]}. Nothing was kept"
        raise Problem(422, "hook-body", detail, errors=places)
    return mapped


def _taken(desk: Desk, call: Call, rows: Rows) -> Answer:
    if not rows.tables:
        return _answer(desk, rows, {}, {})
    answer = post_events(desk, replace(call, body=dict(rows.tables)))
    return Answer({**answer.value, "left_out": rows.left_out})


def _answer(
    desk: Desk, rows: Rows, accepted: Mapping[str, int], duplicates: Mapping[str, int]
) -> Answer:
    counts: dict[str, Any] = {"accepted": dict(accepted), "duplicates": dict(duplicates)}
    return Answer(
        {**counts, "recorded_at": desk.now().isoformat() + "Z", "left_out": rows.left_out}
    )
