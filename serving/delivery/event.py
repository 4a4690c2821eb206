"""A decision as a CloudEvent (specification 1.0.2, structured JSON mode).

The bytes are made once, when a message is first to be sent, and stored: every attempt, and every
replay, sends the same bytes under the same id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from data.store import Message

CONTENT_TYPE = "application/cloudevents+json"
TYPE = "presage.outreach.decided"
SOURCE = "/presage/outreach"
SHOWN = (
    "customer_id",
    "arm",
    "propensity",
    "action",
    "channel",
    "risk",
    "uplift",
    "value",
    "reason",
    "as_of",
)
"""What a receiver gets of a decision, besides what the outbox adds (a text, a language)."""


def event(message: Message) -> dict[str, Any]:
    """The event of a message: ``id`` is the decision's own, as in ``/v1/outreach``."""
    return {
        "specversion": "1.0",
        "id": message.decision_id,
        "source": SOURCE,
        "type": TYPE,
        "time": _utc(message.created_at),
        "datacontenttype": "application/json",
        "data": {"outreach_id": message.decision_id, **shown(message)},
    }


def shown(message: Message) -> dict[str, Any]:
    """What is told of a decision to whoever acts on it."""
    decision: Mapping[str, Any] = message.decision
    known = {name: decision[name] for name in SHOWN if name in decision}
    if "as_of" in known:
        known["as_of"] = _utc(datetime.fromisoformat(str(known["as_of"])))
    own = {"customer_id": message.customer_id, "action": message.action}
    added = {k: v for k, v in message.payload.items() if k not in ("not_before", "not_after")}
    return {**added, **known, **own, "channel": message.channel}


def render(message: Message) -> bytes:
    """The event as bytes: UTF-8, keys in order."""
    return json.dumps(event(message), ensure_ascii=False, sort_keys=True).encode()


def _utc(moment: datetime) -> str:
    return moment.isoformat() + "Z"
