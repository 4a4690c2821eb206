"""API keys: shown once, kept as a keyed hash only, each with scopes, some until a moment.

The hash is keyed by a secret beside the store (``api_keys`` in ``.presage/secrets``, or
``PRESAGE_SECRET_API_KEYS``): who reads the store alone can try no key against it. Keys of earlier
releases, hashed without it, go on.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from data.errors import Conflict, UsageError, did_you_mean
from data.store.opening import Store
from data.store.schema import API_KEYS
from data.store.secrets import put_secret, read_secret

READ_TEXT = "customers:read_text"
"""What customers wrote, in the view that ``customers`` opens."""
SCOPES = ("score", "customers", "events", "forecasts", "plan", "outreach", READ_TEXT)
SECRET = "api_keys"


@dataclass(frozen=True)
class ApiKey:
    """A key as the store knows it; the secret itself is nowhere."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None = None

    def in_force(self, now: datetime) -> bool:
        """Whether it opens anything at that moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def create_key(
    store: Store,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """A new key, ``presage_<id>_<secret>``; this is the only time it can be seen.

    UsageError for an unknown scope or none, or an end that has passed; Conflict if a key of that
    name is in force.
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
    if expires_at is not None and expires_at <= now:
        raise UsageError(f"a key that expires at {expires_at} has expired already; it is {now}")
    key, values = _new(store, name, scopes, now, expires_at)
    with store.writing() as connection:
        if _in_force(connection, name, now):
            raise Conflict(
                f"a key named {name!r} is in force; revoke it, rotate it or choose another name"
            )
        connection.execute(sa.insert(API_KEYS), values)
    return key


def rotate_key(store: Store, name: str, now: datetime, overlap: timedelta) -> tuple[str, datetime]:
    """Another key of the same name and scopes, and until when the one before still opens: for the
    ``overlap``, or to its own end if that is sooner. The new key ends when the one before would
    have.

    UsageError if no key of that name is in force, Conflict while two are.
    """
    if overlap < timedelta(0):
        raise UsageError(f"an overlap of {overlap} ends before it begins")
    with store.writing() as connection:
        in_force = _in_force(connection, name, now)
        if not in_force:
            raise UsageError(f"no key {name!r} is in force.{_near(connection, name, now)}")
        if len(in_force) > 1:
            ends = min(row.expires_at for row in in_force if row.expires_at is not None)
            raise Conflict(
                f"two keys named {name!r} are in force until {ends}; revoke the one before by its "
                "id first, or wait"
            )
        (row,) = in_force
        ends = now + overlap
        ends = ends if row.expires_at is None else min(ends, row.expires_at)
        key, values = _new(store, name, row.scopes, now, row.expires_at)
        change = sa.update(API_KEYS).where(API_KEYS.c.id == row.id)
        connection.execute(change.values(expires_at=ends))
        connection.execute(sa.insert(API_KEYS), values)
    return key, ends


def verify_key(store: Store, key: str, now: datetime | None = None) -> ApiKey | None:
    """The key in force that this text is, None for any other text; compared in constant time.

    Without ``now`` one that has expired is found too.
    """
    match = re.fullmatch(r"presage_([0-9a-f]{12})_([\w-]{43})", key)
    if not match:
        return None
    with store.reading() as connection:
        row = connection.execute(sa.select(API_KEYS).where(API_KEYS.c.id == match[1])).one_or_none()
    if row is None:
        return None
    forms = (_keyed(store, match[2]), _hash(match[2]))
    same = [hmac.compare_digest(row.sha256, form) for form in forms]
    if not any(same):
        return None
    api_key = _key(row)
    if api_key.revoked_at is not None or (now is not None and not api_key.in_force(now)):
        return None
    return api_key


def list_keys(store: Store) -> list[ApiKey]:
    """All keys, revoked ones too, the oldest first."""
    query = sa.select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.id)
    with store.reading() as connection:
        return [_key(row) for row in connection.execute(query)]


def revoke_key(store: Store, name: str, now: datetime) -> None:
    """End the keys of that name (or the one of that id) at once; UsageError with the nearest name
    if none is in force."""
    with store.writing() as connection:
        update = connection.execute(
            sa.update(API_KEYS)
            .where(sa.or_(API_KEYS.c.name == name, API_KEYS.c.id == name))
            .where(API_KEYS.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        if update.rowcount == 0:
            raise UsageError(f"no key {name!r} is in force.{_near(connection, name, now)}")


def _new(
    store: Store, name: str, scopes: Sequence[str], now: datetime, expires_at: datetime | None
) -> tuple[str, dict[str, Any]]:
    """A key and its row."""
    identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    if store.folder is not None and read_secret(store.folder, SECRET) is None:
        put_secret(store.folder, SECRET, secrets.token_hex(32))
    values = {
        "id": identity,
        "name": name,
        "sha256": _keyed(store, secret),
        "scopes": sorted(set(scopes)),
        "created_at": now,
        "expires_at": expires_at,
    }
    return f"presage_{identity}_{secret}", values


def _in_force(connection: sa.Connection, name: str, now: datetime) -> list[Any]:
    query = sa.select(API_KEYS).where(API_KEYS.c.name == name, API_KEYS.c.revoked_at.is_(None))
    query = query.where(sa.or_(API_KEYS.c.expires_at.is_(None), API_KEYS.c.expires_at > now))
    return list(connection.execute(query))


def _near(connection: sa.Connection, name: str, now: datetime) -> str:
    names = sa.select(API_KEYS.c.name).where(API_KEYS.c.revoked_at.is_(None))
    return did_you_mean(name, connection.execute(names).scalars())


def _keyed(store: Store, secret: str) -> str:
    """The hash that is kept; without a folder there is no secret to key it by."""
    key = None if store.folder is None else read_secret(store.folder, SECRET)
    if key is None:
        return _hash(secret)
    return hmac.new(key.encode(), secret.encode(), hashlib.sha256).hexdigest()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()  # 256 random bits need no slow hash


def _key(row: Any) -> ApiKey:
    return ApiKey(
        row.id, row.name, tuple(row.scopes), row.created_at, row.revoked_at, row.expires_at
    )
