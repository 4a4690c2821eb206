"""Planners' changes to the forecast: who changed what, why, until when. None is ever edited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from data.errors import Conflict, UsageError
from data.store.opening import Store
from data.store.schema import OVERRIDES


@dataclass(frozen=True)
class Override:
    """The forecast of ``unique_id`` for steps in [starts_at, ends_at) times ``factor``, or set to
    ``value`` in all, spread as the forecast is (one of the two is given); in force from
    ``created_at`` until ``expires_at`` or ``withdrawn_at``, whichever is first.
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
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None

    @property
    def ended_at(self) -> datetime | None:
        """When it stops to be in force; None: never."""
        ends = [at for at in (self.expires_at, self.withdrawn_at) if at is not None]
        return min(ends, default=None)

    def in_force(self, moment: datetime) -> bool:
        """Whether it changes the forecast at ``moment``."""
        ended = self.ended_at
        return self.created_at <= moment and (ended is None or ended > moment)


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
    fields = {
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
        insertion = connection.execute(sa.insert(OVERRIDES).returning(OVERRIDES.c.seq), fields)
        return Override(seq=int(insertion.scalar_one()), **fields)  # type: ignore[arg-type]


def withdraw_override(store: Store, seq: int, by: str, now: datetime) -> Override:
    """End an override now; as it is kept. It stays on record, and so does who withdrew it.

    UsageError if there is none of that number, Conflict if it has ended already.
    """
    with store.writing() as connection:
        row = connection.execute(sa.select(OVERRIDES).where(OVERRIDES.c.seq == seq)).first()
        if row is None:
            raise UsageError(f"there is no override {seq}; `presage plan DIR overrides` lists them")
        override = Override(**row._mapping)
        if override.withdrawn_at is not None:
            raise Conflict(
                f"override {seq} was withdrawn at {override.withdrawn_at:%Y-%m-%d %H:%M} UTC by "
                f"{override.withdrawn_by or 'nobody named'}"
            )
        if override.expires_at is not None and override.expires_at <= now:
            raise Conflict(f"override {seq} expired at {override.expires_at:%Y-%m-%d %H:%M} UTC")
        withdrawal = {"withdrawn_at": now, "withdrawn_by": by}
        connection.execute(sa.update(OVERRIDES).where(OVERRIDES.c.seq == seq).values(**withdrawal))
    return replace(override, withdrawn_at=now, withdrawn_by=by)


def overrides_of(store: Store, in_force_at: datetime | None = None) -> list[Override]:
    """All overrides, the oldest first; only those in force at a moment if one is given."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(OVERRIDES).order_by(OVERRIDES.c.seq))
        overrides = [Override(**row._mapping) for row in rows]
    return [one for one in overrides if in_force_at is None or one.in_force(in_force_at)]
