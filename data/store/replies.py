"""Answers by Idempotency-Key: the same request is done once, and answered the same again.

An answer is kept in the transaction of its effect: after a crash both are there, or neither is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from data.errors import UsageError
from data.store.opening import Store
from data.store.schema import IDEMPOTENCY

Reply = tuple[int, str]
"""Status and body."""


class OtherRequest(UsageError):
    """An Idempotency-Key came with another request than before."""


class _Answered(Exception):
    """The request was answered while this one waited for the store."""


def answer_once(
    store: Store, scope: str, key: str, request: str, now: datetime, act: Callable[[], Reply]
) -> tuple[Reply, bool]:
    """The answer to ``request`` under that Idempotency-Key, and whether it was given before.

    Parameters
    ----------
    scope : keeps the keys of callers apart.
    request : all that the request asks, as text.
    act : does it. Everything that it writes into the store and its answer are one transaction;
        the answer of an act that wrote nothing is not kept.

    Raises
    ------
    OtherRequest if the key came with another request before. What ``act`` raises: nothing is kept.
    """
    digest = hashlib.sha256(request.encode()).hexdigest()
    with store.reading() as connection:
        before = _find(connection, scope, key, digest)
    if before is not None:
        return before, True

    def reserve(connection: sa.Connection) -> None:
        if _find(connection, scope, key, digest) is not None:
            raise _Answered

    try:
        with store.together(reserve) as unit:
            status, body = act()
            if unit.connection is not None:
                values = {
                    "scope": scope,
                    "key": key,
                    "request_sha256": digest,
                    "status": status,
                    "response": body,
                    "created_at": now,
                }
                unit.connection.execute(sa.insert(IDEMPOTENCY), values)
        return (status, body), False
    except _Answered:
        with store.reading() as connection:
            before = _find(connection, scope, key, digest)
        assert before is not None
        return before, True


def first_time(store: Store, scope: str, key: str, now: datetime) -> bool:
    """Whether nothing was noted under that key before; it is from now on, together with what else
    the transaction writes."""
    with store.writing() as connection:
        query = sa.select(IDEMPOTENCY.c.key).where(
            IDEMPOTENCY.c.scope == scope, IDEMPOTENCY.c.key == key
        )
        if connection.execute(query).first() is not None:
            return False
        values = {"scope": scope, "key": key, "request_sha256": "", "status": 0}
        connection.execute(sa.insert(IDEMPOTENCY), {**values, "response": "", "created_at": now})
    return True


def _find(connection: sa.Connection, scope: str, key: str, digest: str) -> Reply | None:
    query = sa.select(IDEMPOTENCY).where(IDEMPOTENCY.c.scope == scope, IDEMPOTENCY.c.key == key)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.request_sha256 != digest:
        raise OtherRequest("this Idempotency-Key was used with another request; use a new one")
    return int(row.status), str(row.response)
