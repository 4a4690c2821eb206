"""Planners' changes to the forecast: who changed what, why, until when. Nothing is ever edited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from data.store.opening import Store
from data.store.schema import OVERRIDES


@dataclass(frozen=True)
class Override:
    """The forecast of ``unique_id`` for steps in [starts_at, ends_at) times ``factor``, or set to
    ``value`` in all, spread as the forecast is (one of the two is given); in force from
    ``created_at`` until ``expires_at``.
    """

    seq: int
    unique_id: str
    starts_at: datetime
    ends_at: datetime
    factor: float | None
    value: float | None
    author: str
    reason: str
    created_at: datetime
    expires_at: datetime | None


def save_override(
    store: Store,
    *,
    unique_id: str,
    starts_at: datetime,
    ends_at: datetime,
    factor: float | None,
    value: float | None,
    author: str,
    reason: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> Override:
    """Keep an override; as it was kept."""
    told = {
        "unique_id": unique_id,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "factor": factor,
        "value": value,
        "author": author,
        "reason": reason,
        "created_at": now,
        "expires_at": expires_at,
    }
    with store.writing() as connection:
        done = connection.execute(sa.insert(OVERRIDES).returning(OVERRIDES.c.seq), told)
        return Override(seq=int(done.scalar_one()), **told)  # type: ignore[arg-type]


def overrides_of(store: Store, in_force_at: datetime | None = None) -> list[Override]:
    """All overrides, the oldest first; only those in force at a moment if one is given."""
    columns = [column for column in OVERRIDES.c if column.name != "withdrawn_at"]
    query = sa.select(*columns).order_by(OVERRIDES.c.seq)
    if in_force_at is not None:
        query = query.where(
            OVERRIDES.c.created_at <= in_force_at,
            sa.or_(OVERRIDES.c.expires_at.is_(None), OVERRIDES.c.expires_at > in_force_at),
        )
    with store.reading() as connection:
        return [Override(**row._mapping) for row in connection.execute(query)]
