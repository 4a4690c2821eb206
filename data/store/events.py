"""Posted events: rows of the contract's tables that arrived over the API, and when.

A row is accepted once by key: the same row again is recognised and not stored, another content
under the same key is a new version, recorded when it was posted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pandas as pd
import sqlalchemy as sa

from data.contract import TABLES, Table, table
from data.errors import DataError
from data.store.consent import CONSENTS
from data.store.erasures import erased_in
from data.store.opening import Store
from data.store.schema import EVENTS
from data.values import Unreadable, row_as_text

CHUNK = 400
SAID_ONCE = frozenset({"deleted", *CONSENTS})
"""Columns that speak for their own moment: no later version repeats them."""


@dataclass(frozen=True)
class Appended:
    """How many rows were new, how many were there already, and the newest sequence number.

    ``accepted_by`` and ``repeated_by`` say the same by table; ``erased_by`` counts the rows that
    name somebody who was erased: they were left out.
    """

    accepted: int
    repeated: int
    last_seq: int
    accepted_by: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    repeated_by: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    erased_by: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Event:
    """One accepted row; ``payload`` as posted, ``recorded_at`` naive UTC."""

    seq: int
    table: str
    key: tuple[str, ...]
    customer_id: str | None
    payload: Mapping[str, Any]
    recorded_at: datetime


Known = Mapping[tuple[str, str], Mapping[str, Any]]
"""Rows as they are known outside the store, by table and ``row_key``."""


def append_events(
    store: Store,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    now: datetime,
    known: Known = MappingProxyType({}),
) -> Appended:
    """Store rows by table, all or none; durable when this returns.

    A row changes what it names: the rest is as in the newest version that was posted, or else in
    ``known``; null clears. What was said about consent is not said again by a row that does not
    name it. ``recorded_at`` is ``now``, whatever rows say.
    DataError for an unknown table or a row without its key.
    """
    new = [
        (name, row_key(name, number, row), row)
        for name, posted in rows.items()
        for number, row in enumerate(posted, 1)
    ]
    with store.writing() as connection:
        gone = erased_in(store, connection)
        left_out = Counter(name for name, _, row in new if gone and gone.names(row))
        new = [each for each in new if not (gone and gone.names(each[2]))]
        newest = _newest_payloads(connection, new)
        values: list[dict[str, Any]] = []
        taken: Counter[str] = Counter()
        repeated: Counter[str] = Counter()
        for name, key, row in new:
            text = newest.get((name, key))
            before = known.get((name, key), {}) if text is None else json.loads(text)
            payload = _completed(row, before)
            if text == _canonical(payload):
                repeated[name] += 1
                continue
            taken[name] += 1
            newest[name, key] = _canonical(payload)
            values.append(
                {
                    "table_name": name,
                    "key": key,
                    "customer_id": _customer(payload),
                    "payload": newest[name, key],
                    "recorded_at": now,
                }
            )
        if values:
            connection.execute(sa.insert(EVENTS), values)
        last = connection.execute(sa.select(sa.func.max(EVENTS.c.seq))).scalar() or 0
    return Appended(len(values), repeated.total(), int(last), taken, repeated, left_out)


def completed_rows(
    store: Store, name: str, rows: Sequence[Mapping[str, Any]], known: Known
) -> list[dict[str, Any]]:
    """Rows of a table as ``append_events`` would keep them now."""
    new = [(name, row_key(name, number, row), row) for number, row in enumerate(rows, 1)]
    with store.reading() as connection:
        newest = _newest_payloads(connection, new)
    out = []
    for _, key, row in new:
        text = newest.get((name, key))
        payload = _completed(row, known.get((name, key), {}) if text is None else json.loads(text))
        newest[name, key] = _canonical(payload)
        out.append(payload)
    return out


def _completed(row: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The row with what the version before it said; of a deleted one nothing is left."""
    base = {} if before.get("deleted") else before
    merged = {**{k: v for k, v in base.items() if k not in SAID_ONCE}, **row}
    return {k: v for k, v in merged.items() if k != "recorded_at" and v is not None}


def events_since(store: Store, seq: int, limit: int | None = None) -> list[Event]:
    """The events after that sequence number, in order."""
    query = sa.select(EVENTS).where(EVENTS.c.seq > seq).order_by(EVENTS.c.seq).limit(limit)
    with store.reading() as connection:
        return [_event(row) for row in connection.execute(query)]


def customer_rows_in(
    connection: sa.Connection, customer_ids: Sequence[str]
) -> list[tuple[str, dict[str, Any], datetime]]:
    """The posted rows of these customers in order, within a transaction: id, row, recorded_at."""
    posted = []
    for start in range(0, len(customer_ids), CHUNK):
        query = (
            sa.select(EVENTS.c.customer_id, EVENTS.c.payload, EVENTS.c.recorded_at)
            .where(EVENTS.c.customer_id.in_(list(customer_ids[start : start + CHUNK])))
            .where(EVENTS.c.table_name == "customers")
            .order_by(EVENTS.c.seq)
        )
        posted += [
            (row.customer_id, json.loads(row.payload), row.recorded_at)
            for row in connection.execute(query)
        ]
    return posted


@dataclass(frozen=True)
class SetAside:
    """An event that an earlier version accepted and nobody can read: its column, what that takes.

    It is left out of every table, alone; the same row posted right takes its place.
    """

    event: Event
    column: str
    wanted: str


def readable(events: Iterable[Event]) -> tuple[dict[str, list[dict[str, str]]], list[SetAside]]:
    """The events' rows as text by table, in the order they came, and those set aside."""
    rows: dict[str, list[dict[str, str]]] = {}
    aside: list[SetAside] = []
    for event in events:
        try:
            line = row_as_text(table(event.table), event.payload)
        except Unreadable as error:
            aside.append(SetAside(event, error.column, error.wanted))
            continue
        line["recorded_at"] = event.recorded_at.isoformat()
        rows.setdefault(event.table, []).append(line)
    return rows, aside


def event_frames(store: Store) -> dict[str, pd.DataFrame]:
    """All events that can be read as frames of text by table, in the order they came.

    Values are as in a CSV: null is None, lists are comma separated, truth is true or false.
    """
    rows, _ = readable(events_since(store, 0))
    return {name: _frame(rows[name]) for name in TABLES if name in rows}


def text_frame(contract: Table, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Posted rows of a table as a frame of text; Unreadable where a value is none of its column."""
    return _frame([row_as_text(contract, row) for row in rows])


def _frame(lines: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    return pd.DataFrame.from_records(lines).astype(object).where(lambda f: f.notna(), None)


def row_key(name: str, number: int, payload: Mapping[str, Any]) -> str:
    """A row's key as text; all of the row where its table has none. DataError where it is null."""
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
    payloads: dict[tuple[str, str], str] = {}
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
                payloads[name, row.key] = row.payload
    return payloads


def _event(row: Any) -> Event:
    key = tuple(json.loads(row.key)) if table(row.table_name).key else ()
    return Event(
        row.seq, row.table_name, key, row.customer_id, json.loads(row.payload), row.recorded_at
    )
