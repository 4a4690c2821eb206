"""API keys: shown once, kept as a hash only, each with scopes."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from data.errors import Conflict, UsageError, did_you_mean
from data.store.opening import Store
from data.store.schema import API_KEYS

SCOPES = ("score", "customers", "events", "forecasts", "plan", "outreach")


@dataclass(frozen=True)
class ApiKey:
    """A key as the store knows it; the secret itself is nowhere."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def create_key(store: Store, name: str, scopes: Sequence[str], now: datetime) -> str:
    """A new key, ``presage_<id>_<secret>``; this is the only time it can be seen.

    UsageError for an unknown scope or none, Conflict if a key of that name is in force.
    """
    if not name.strip():
        raise UsageError("a key needs a name")
    if not scopes:
        raise UsageError(f"a key needs scopes; there are {', '.join(SCOPES)}")
    for scope in scopes:
        if scope not in SCOPES:
            raise UsageError(
                f"there is no scope {scope!r}; there are {', '.join(SCOPES)}."
                f"{did_you_mean(scope, SCOPES)}"
            )
    identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    taken = sa.select(API_KEYS.c.id).where(API_KEYS.c.name == name, API_KEYS.c.revoked_at.is_(None))
    with store.writing() as connection:
        if connection.execute(taken).first():
            raise Conflict(f"a key named {name!r} is in force; revoke it or choose another name")
        values = {
            "id": identity,
            "name": name,
            "sha256": _hash(secret),
            "scopes": sorted(set(scopes)),
            "created_at": now,
        }
        connection.execute(sa.insert(API_KEYS), values)
    return f"presage_{identity}_{secret}"


def verify_key(store: Store, key: str) -> ApiKey | None:
    """The key in force that this text is, None for any other text; compared in constant time."""
    match = re.fullmatch(r"presage_([0-9a-f]{12})_([\w-]{43})", key)
    if not match:
        return None
    with store.reading() as connection:
        row = connection.execute(sa.select(API_KEYS).where(API_KEYS.c.id == match[1])).one_or_none()
    if row is None or not hmac.compare_digest(row.sha256, _hash(match[2])):
        return None
    return None if row.revoked_at is not None else _key(row)


def list_keys(store: Store) -> list[ApiKey]:
    """All keys, revoked ones too, the oldest first."""
    query = sa.select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.id)
    with store.reading() as connection:
        return [_key(row) for row in connection.execute(query)]


def revoke_key(store: Store, name: str, now: datetime) -> None:
    """End the key of that name (or id) at once; UsageError with the nearest name if none is."""
    with store.writing() as connection:
        done = connection.execute(
            sa.update(API_KEYS)
            .where(sa.or_(API_KEYS.c.name == name, API_KEYS.c.id == name))
            .where(API_KEYS.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        if done.rowcount == 0:
            names = connection.execute(
                sa.select(API_KEYS.c.name).where(API_KEYS.c.revoked_at.is_(None))
            ).scalars()
            raise UsageError(f"no key {name!r} is in force.{did_you_mean(name, names)}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()  # 256 random bits need no slow hash


def _key(row: Any) -> ApiKey:
    return ApiKey(row.id, row.name, tuple(row.scopes), row.created_at, row.revoked_at)
