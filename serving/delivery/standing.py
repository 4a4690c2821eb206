"""What only the tables know of a decision: open complaints, and all that rows say of consent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from data.settings import Settings
from data.store import Message, Store
from data.tables import Tables
from serving.outreach.handing_out import eligibility_now


def refusals(
    tables: Tables, store: Store, settings: Settings, messages: Sequence[Message], now: datetime
) -> dict[str, str]:
    """Decisions that may not be acted on by the tables as they are, each with its reason.

    Looked up shortly before the store is held: it reads whole tables. Without a customers table
    nothing is known that the store does not hold.
    """
    if not tables.has("customers"):
        return {}
    decisions = [
        {
            "decision_id": message.decision_id,
            "customer_id": message.customer_id,
            "channel": message.channel,
            "arm": message.decision.get("arm", "treat"),
        }
        for message in messages
    ]
    found = eligibility_now(tables, store, settings, decisions, now)
    return {standing.decision_id: standing.reason for standing in found if not standing.may}
