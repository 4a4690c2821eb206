"""A row of scores as an item of ``/v1/predictions``; answers that are ready are kept as JSON."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pandas as pd

from serving.outreach.actions import action_for
from serving.predictor import REPEAT

LIFETIME = timedelta(hours=36)
"""A published score is stale when the next night's is half a day late."""
MOST_KEPT = 50_000
"""So many answers are kept ready: about a kilobyte each."""


def item(
    customer_id: str,
    row: dict[str, Any],
    horizons: Sequence[int],
    now: datetime,
    stopped: Sequence[str] = (),
) -> dict[str, Any]:
    """The item, ready to be put into JSON: what is JSON already stays as it is. ``stopped``: the
    sources that had stopped when everybody was scored."""
    as_of = pd.Timestamp(row["as_of"]).to_pydatetime()
    expires = as_of + LIFETIME
    topic = _text(row["topic"])
    return {
        "customer_id": customer_id,
        "status": "scored",
        "risk": {str(h): row[f"risk_{h}d"] for h in horizons},
        "topic": topic,
        "channel": _text(row["channel"]),
        "reasons": _json(row["reasons"]),
        "action": action_for(topic).name,
        "as_of": utc(as_of),
        "expires_at": utc(expires),
        "stale": now > expires or bool(stopped),
        "stale_sources": list(stopped),
        "model_version": row["model_version"],
        REPEAT: _number(row.get(REPEAT)),
        "contact_30d": _number(row.get("contact_30d")),
        "expected_tickets_30d": _number(row.get("expected_tickets_30d")),
        "topics": _json(row.get("topics")),
        "channels": _json(row.get("channels")),
    }


def encoded(item: dict[str, Any]) -> msgspec.Raw:
    """An item as JSON that is put into an answer as it is."""
    return msgspec.Raw(msgspec.json.encode(item))


def decoded(item: dict[str, Any]) -> dict[str, Any]:
    """An item as plain values."""
    return {k: msgspec.json.decode(v) if isinstance(v, msgspec.Raw) else v for k, v in item.items()}


class Ready:
    """Answers by customer, and by whether they are stale; the oldest make room for new ones."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._items: dict[tuple[str, bool], msgspec.Raw] = {}
        self._lock = threading.Lock()

    def get(self, customer_id: str, stale: bool) -> msgspec.Raw | None:
        """The answer, None where it is not at hand."""
        return self._items.get((customer_id, stale))

    def put(self, customer_id: str, stale: bool, raw: msgspec.Raw) -> None:
        """Keep an answer."""
        with self._lock:
            if len(self._items) >= self._most:
                self._items.pop(next(iter(self._items)))
            self._items[customer_id, stale] = raw


def utc(moment: datetime) -> str:
    """A naive UTC time as text."""
    return moment.isoformat() + "Z"


def _json(text: Any) -> Any:
    return [] if text is None or text is pd.NA or text != text else msgspec.Raw(text.encode())


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)
