"""Exclusive work: a lease with a fencing token that only grows.

Who holds the newest token may write; a holder that was paused past its time finds its token
outdated and is refused, however sure it is. A lease that ran out is free.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from data.errors import Conflict
from data.store.opening import Store
from data.store.schema import FACTS, LEASES


def take_lease(store: Store, name: str, holder: str, lifetime: timedelta, now: datetime) -> int:
    """The fencing token of a new lease; Conflict, naming the holder, while another one runs."""
    with store.writing() as connection:
        row = connection.execute(sa.select(LEASES).where(LEASES.c.name == name)).one_or_none()
        if row is not None and row.expires_at > now and row.holder != "":
            raise Conflict(
                f"{name} is being done by {row.holder} until {row.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        token = 1 if row is None else int(row.token) + 1
        values = {"name": name, "token": token, "holder": holder, "expires_at": now + lifetime}
        if row is None:
            connection.execute(sa.insert(LEASES), values)
        else:
            connection.execute(sa.update(LEASES).where(LEASES.c.name == name).values(values))
    return token


def lease_holder(store: Store, name: str, now: datetime) -> tuple[str, int] | None:
    """Who holds a lease that runs, and the token; None where it is free."""
    with store.reading() as connection:
        row = connection.execute(sa.select(LEASES).where(LEASES.c.name == name)).one_or_none()
    if row is None or row.holder == "" or row.expires_at <= now:
        return None
    return str(row.holder), int(row.token)


def renew_lease(store: Store, name: str, token: int, lifetime: timedelta, now: datetime) -> None:
    """Prolong a lease; Conflict if somebody else has taken it since."""
    with store.writing() as connection:
        _check(connection, name, token)
        connection.execute(
            sa.update(LEASES).where(LEASES.c.name == name).values(expires_at=now + lifetime)
        )


def check_lease(store: Store, name: str, token: int) -> None:
    """Conflict if ``token`` is no longer the newest: its holder must not write any more."""
    with store.reading() as connection:
        _check(connection, name, token)


@contextlib.contextmanager
def keeping_leases(store: Store, tokens: Mapping[str, int]) -> Iterator[None]:
    """A block in which nobody can take these leases (name to token); Conflict before it begins if
    one of them was lost. Nobody else writes to the store meanwhile: keep it as short as a rename.
    """
    mine = store.reading if store.is_being_written else store.writing
    with mine() as connection:
        for name, token in tokens.items():
            _check(connection, name, token)
        yield


def release_lease(store: Store, name: str, token: int) -> None:
    """Free a lease; nothing happens if it was lost."""
    with store.writing() as connection:
        connection.execute(
            sa.update(LEASES)
            .where(LEASES.c.name == name, LEASES.c.token == token)
            .values(holder="")
        )


def _check(connection: sa.Connection, name: str, token: int) -> None:
    row = connection.execute(sa.select(LEASES).where(LEASES.c.name == name)).one_or_none()
    if row is None or row.token != token or row.holder == "":
        raise Conflict(f"the lease on {name} with token {token} was lost to {_whom(row)}")


def _whom(row: sa.Row[tuple[object, ...]] | None) -> str:
    return "nobody: it was never taken or is free" if row is None or not row.holder else row.holder


def salt(store: Store, now: datetime) -> str:
    """The secret of 64 hexadecimal digits that decides the hold-out; made once, then for ever."""
    with store.writing() as connection:
        query = sa.select(FACTS.c.value).where(FACTS.c.name == "holdout_salt")
        secret = connection.execute(query).scalar()
        if secret is None:
            secret = secrets.token_hex(32)
            values = {"name": "holdout_salt", "value": secret, "created_at": now}
            connection.execute(sa.insert(FACTS), values)
    return str(secret)
