"""Planners' scenarios: named assumptions with author and reason, a draft until published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from data.errors import Conflict
from data.store.opening import Store
from data.store.schema import SCENARIOS


@dataclass(frozen=True)
class Scenario:
    """Assumptions under a name; ``payload`` is what the planning side wrote, as JSON."""

    seq: int
    name: str
    author: str
    reason: str
    payload: Mapping[str, Any]
    created_at: datetime
    published_at: datetime | None


def save_scenario(
    store: Store, *, name: str, author: str, reason: str, payload: Mapping[str, Any], now: datetime
) -> Scenario:
    """Keep a draft; as it was kept. Conflict if a scenario of that name is there already."""
    fields = {
        "name": name,
        "author": author,
        "reason": reason,
        "payload": dict(payload),
        "created_at": now,
        "published_at": None,
    }
    with store.writing() as connection:
        if connection.execute(sa.select(SCENARIOS.c.seq).where(SCENARIOS.c.name == name)).first():
            raise Conflict(f"there is a scenario {name!r} already; give this one another name")
        insertion = connection.execute(sa.insert(SCENARIOS).returning(SCENARIOS.c.seq), fields)
        return Scenario(seq=int(insertion.scalar_one()), **fields)  # type: ignore[arg-type]


def scenarios_of(store: Store) -> list[Scenario]:
    """All scenarios, the oldest first."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(SCENARIOS).order_by(SCENARIOS.c.seq))
        return [Scenario(**row._mapping) for row in rows]


def mark_published(store: Store, seq: int, now: datetime) -> None:
    """Say when a scenario was last made the plan."""
    with store.writing() as connection:
        update = sa.update(SCENARIOS).where(SCENARIOS.c.seq == seq).values(published_at=now)
        connection.execute(update)
