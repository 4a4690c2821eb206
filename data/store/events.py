"""Posted events: rows of the contract's tables that arrived over the API, and when.

A row is accepted once by key: the same row again is recognised and not stored, another content
under the same key is a new version, recorded when it was posted.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from data.contract import TABLES, table
from data.errors import Conflict, DataError
from data.store.opening import Store
from data.store.schema import EVENTS, IDEMPOTENCY

CHUNK = 400


@dataclass(frozen=True)
class Appended:
    """How many rows were new, how many were there already, and the newest sequence number.

    ``accepted_by`` and ``repeated_by`` say the same by table.
    """

    accepted: int
    repeated: int
    last_seq: int
    accepted_by: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    repeated_by: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Event:
    """One accepted row; ``payload`` as posted, ``recorded_at`` naive UTC."""

    seq: int
    table: str
    key: tuple[str, ...]
    customer_id: str | None
    payload: Mapping[str, Any]
    recorded_at: datetime


def append_events(
    store: Store, rows: Mapping[str, Sequence[Mapping[str, Any]]], now: datetime
) -> Appended:
    """Store rows by table, all or none; durable when this returns.

    DataError for an unknown table or a row without its key. ``recorded_at`` of the rows is
    ``now``, whatever they say.
    """
    new = []
    for name, found in rows.items():
        for number, row in enumerate(found, 1):
            payload = {k: v for k, v in row.items() if k != "recorded_at" and v is not None}
            new.append((name, _key(name, number, payload), payload))
    with store.writing() as connection:
        newest = _newest_payloads(connection, new)
        values: list[dict[str, Any]] = []
        taken: Counter[str] = Counter()
        repeated: Counter[str] = Counter()
        for name, key, payload in new:
            text = _canonical(payload)
            if newest.get((name, key)) == text:
                repeated[name] += 1
                continue
            taken[name] += 1
            newest[name, key] = text
            values.append(
                {
                    "table_name": name,
                    "key": key,
                    "customer_id": _customer(payload),
                    "payload": text,
                    "recorded_at": now,
                }
            )
        if values:
            connection.execute(sa.insert(EVENTS), values)
        last = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
    return Appended(len(values), repeated.total(), int(last), taken, repeated)


def events_since(store: Store, seq: int, limit: int | None = None) -> list[Event]:
    """The events after that sequence number, in order."""
    query = sa.select(EVENTS).where(EVENTS.c.seq > seq).order_by(EVENTS.c.seq).limit(limit)
    with store.reading() as connection:
        return [_event(row) for row in connection.execute(query)]


def customer_rows_in(
    connection: sa.Connection, customer_ids: Sequence[str]
) -> list[tuple[str, dict[str, Any], datetime]]:
    """The posted rows of these customers in order, within a transaction: id, row, recorded_at."""
    found = []
    for start in range(0, len(customer_ids), CHUNK):
        query = (
            sa.select(EVENTS.c.customer_id, EVENTS.c.payload, EVENTS.c.recorded_at)
            .where(EVENTS.c.customer_id.in_(list(customer_ids[start : start + CHUNK])))
            .where(EVENTS.c.table_name == "customers")
            .order_by(EVENTS.c.seq)
        )
        found += [
            (row.customer_id, json.loads(row.payload), row.recorded_at)
            for row in connection.execute(query)
        ]
    return found


def event_frames(store: Store) -> dict[str, pd.DataFrame]:
    """All events as frames of text by table, in the order they came, for the snapshot.

    Values are as in a CSV: null is None, lists are comma separated, truth is true or false.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for event in events_since(store, 0):
        line = {**event.payload, "recorded_at": event.recorded_at.isoformat()}
        rows.setdefault(event.table, []).append(line)
    return {name: text_frame(rows[name]) for name in TABLES if name in rows}


def text_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Posted rows as a frame of text, as in a CSV: null is None, lists are comma separated."""
    lines = [{name: _as_text(value) for name, value in row.items()} for row in rows]
    return pd.DataFrame.from_records(lines).astype(object).where(lambda f: f.notna(), None)


def find_response(store: Store, scope: str, key: str, request: str) -> tuple[int, str] | None:
    """Status and body answered before to this Idempotency-Key, None if it is new.

    Conflict if the key came with another request then. ``scope`` keeps the keys of callers apart.
    """
    query = sa.select(IDEMPOTENCY).where(IDEMPOTENCY.c.scope == scope, IDEMPOTENCY.c.key == key)
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.request_sha256 != hashlib.sha256(request.encode()).hexdigest():
        raise Conflict(f"Idempotency-Key {key!r} was used with another request; use a new one")
    return int(row.status), str(row.response)


def remember_response(
    store: Store, scope: str, key: str, request: str, status: int, response: str, now: datetime
) -> None:
    """Keep the answer to an Idempotency-Key; Conflict if it has one by now."""
    values = {
        "scope": scope,
        "key": key,
        "request_sha256": hashlib.sha256(request.encode()).hexdigest(),
        "status": status,
        "response": response,
        "created_at": now,
    }
    try:
        with store.writing() as connection:
            connection.execute(sa.insert(IDEMPOTENCY), values)
    except sa.exc.IntegrityError:
        raise Conflict(f"Idempotency-Key {key!r} was answered in the meantime") from None


def _key(name: str, number: int, payload: Mapping[str, Any]) -> str:
    parts = []
    for column in table(name).key:
        value = payload.get(column)
        if value is None or value == "":
            raise DataError(
                f"{name} row {number}: {column} is null; every posted row needs its key"
            )
        parts.append(_moment_key(value) if column == "ds" else str(value))
    return json.dumps(parts) if parts else _canonical(payload)


def _moment_key(value: object) -> str:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise DataError(f"volumes: ds {value!r} is not a time") from None
    return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment).isoformat()


def _customer(payload: Mapping[str, Any]) -> str | None:
    value = payload.get("customer_id")
    return None if value is None else str(value)


def _canonical(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, sort_keys=True, ensure_ascii=False, default=_moment_text)


def _moment_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be stored")


def _newest_payloads(
    connection: sa.Connection, new: Sequence[tuple[str, str, Mapping[str, Any]]]
) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    by_table: dict[str, list[str]] = {}
    for name, key, _ in new:
        by_table.setdefault(name, []).append(key)
    for name, keys in by_table.items():
        for start in range(0, len(keys), CHUNK):
            query = (
                sa.select(EVENTS.c.key, EVENTS.c.payload)
                .where(EVENTS.c.table_name == name)
                .where(EVENTS.c.key.in_(keys[start : start + CHUNK]))
                .order_by(EVENTS.c.seq)
            )
            for row in connection.execute(query):
                found[name, row.key] = row.payload
    return found


def _event(row: Any) -> Event:
    key = tuple(json.loads(row.key)) if table(row.table_name).key else ()
    return Event(
        row.seq, row.table_name, key, row.customer_id, json.loads(row.payload), row.recorded_at
    )


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)
