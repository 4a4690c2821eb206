"""The store without a person: what was posted, said, decided, sent and answered about them.

One transaction. The decision log keeps digest and pseudonym of each of their decisions, whose key
goes with the text: it verifies as before and tells nothing. What others wrote keeps its place; a
note that names them loses what does.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from data.contract import TABLES
from data.erasure.finder import Finder
from data.erasure.traces import Traces
from data.errors import StorageFailure
from data.store.opening import Store
from data.store.schema import (
    DECISION_TEXTS,
    DECISIONS,
    ERASURES,
    EVENTS,
    IDEMPOTENCY,
    METADATA,
    OUTBOX,
    OUTCOMES,
    PUBLICATIONS,
)

CHUNK = 400
OTHERWISE_FORGOTTEN = (DECISIONS, ERASURES, EVENTS, DECISION_TEXTS, IDEMPOTENCY, PUBLICATIONS)
"""Tables that are hashed, or looked through on their own."""


class _DryRun(Exception):
    """Nothing is kept."""


def forget_rows(store: Store, traces: Traces, finder: Finder, *, commit: bool) -> dict[str, int]:
    """Take a person out of the store; rows by table. Without ``commit`` nothing is kept."""
    counts: Counter[str] = Counter()
    try:
        with store.writing() as connection:
            if store.is_sqlite:
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            _forget(connection, traces, finder, counts)
            if not commit:
                raise _DryRun
    except _DryRun:
        pass
    return {name: count for name, count in sorted(counts.items()) if count}


def _forget(
    connection: sa.Connection, traces: Traces, finder: Finder, counts: Counter[str]
) -> None:
    counts["events"] += _forget_events(connection, traces, finder)
    gone = _decisions_of(connection, traces, finder)
    counts["outcomes"] += _forget_outcomes(connection, gone, traces)
    counts["outbox"] += _delete(connection, OUTBOX, OUTBOX.c.decision_id, gone)
    counts["decision_texts"] += _delete(
        connection, DECISION_TEXTS, DECISION_TEXTS.c.decision_id, gone
    )
    for table in METADATA.sorted_tables:
        if "customer_id" in table.c and table not in OTHERWISE_FORGOTTEN:
            own = sa.delete(table).where(table.c.customer_id.in_(_ids(traces)))
            counts[table.name] += connection.execute(own).rowcount
    counts["idempotency"] += _forget_answers(connection, finder)
    counts["publications"] += _forget_published(connection, finder)
    for table in METADATA.sorted_tables:
        if table not in OTHERWISE_FORGOTTEN:
            counts[table.name] += _take_out(connection, table, finder)


def _forget_events(connection: sa.Connection, traces: Traces, finder: Finder) -> int:
    count = 0
    query = sa.select(EVENTS.c.seq, EVENTS.c.table_name, EVENTS.c.payload)
    for rows in _chunks(connection, query.order_by(EVENTS.c.seq)):
        payloads = [json.loads(row.payload) for row in rows]
        named = finder.in_values([row.payload for row in rows])
        gone, changed = [], []
        for row, payload, mentions in zip(rows, payloads, named, strict=True):
            if traces.owns(row.table_name, payload):
                gone.append(row.seq)
            elif mentions:
                rest = _payload_without(row.table_name, payload, finder)
                if rest != payload:
                    text = json.dumps(rest, sort_keys=True, ensure_ascii=False)
                    changed.append((row.seq, text))
        count += _delete(connection, EVENTS, EVENTS.c.seq, gone) + len(changed)
        for seq, text in changed:
            own = sa.update(EVENTS).where(EVENTS.c.seq == seq)
            connection.execute(own.values(payload=text))
    return count


def _payload_without(name: str, payload: dict[str, Any], finder: Finder) -> dict[str, Any]:
    free = [c for c in payload if c not in TABLES[name].key and not c.endswith("_id")]
    texts = {c: finder.without(payload[c]) for c in free if isinstance(payload[c], str)}
    return {**payload, **texts}


def _decisions_of(connection: sa.Connection, traces: Traces, finder: Finder) -> list[str]:
    """The ids of the decisions about them, or that name them."""
    decision_ids = []
    columns = (DECISION_TEXTS.c.decision_id, DECISION_TEXTS.c.customer_id, DECISION_TEXTS.c.payload)
    for rows in _chunks(connection, sa.select(*columns).order_by(DECISION_TEXTS.c.seq)):
        named = finder.in_values([row.payload for row in rows])
        decision_ids += [
            row.decision_id
            for row, mentions in zip(rows, named, strict=True)
            if row.customer_id in _ids(traces) or mentions
        ]
    sent = sa.select(OUTBOX.c.decision_id).where(OUTBOX.c.customer_id.in_(_ids(traces)))
    return list(dict.fromkeys([*decision_ids, *connection.execute(sent).scalars()]))


def _ids(traces: Traces) -> list[str]:
    return [traces.customer_id, *traces.others]


def _forget_outcomes(connection: sa.Connection, gone: list[str], traces: Traces) -> int:
    """Outcomes stay counted, under a name that leads to nobody."""
    known = connection.execute(sa.select(sa.distinct(OUTCOMES.c.decision_id))).scalars().all()
    theirs, count = set(gone), 0
    for identity in known:
        if identity in theirs or any(digest in identity for digest in traces.digests):
            anew = f"erased-{secrets.token_hex(8)}"
            own = sa.update(OUTCOMES).where(OUTCOMES.c.decision_id == identity)
            count += connection.execute(own.values(decision_id=anew, note=None)).rowcount
    return count


def _forget_answers(connection: sa.Connection, finder: Finder) -> int:
    """Kept answers that name them: the same request is done again, and they are left out of it."""
    count, columns = 0, (IDEMPOTENCY.c.scope, IDEMPOTENCY.c.key, IDEMPOTENCY.c.response)
    for rows in _chunks(connection, sa.select(*columns)):
        named = finder.in_values([f"{row.scope} {row.key} {row.response}" for row in rows])
        for row, mentions in zip(rows, named, strict=True):
            if mentions:
                same = (IDEMPOTENCY.c.scope == row.scope) & (IDEMPOTENCY.c.key == row.key)
                count += connection.execute(sa.delete(IDEMPOTENCY).where(same)).rowcount
    return count


def _forget_published(connection: sa.Connection, finder: Finder) -> int:
    """Published frames without their rows, under the hash of what is left."""
    count = 0
    for seq in connection.execute(sa.select(PUBLICATIONS.c.seq)).scalars().all():
        own = PUBLICATIONS.c.seq == seq
        content = connection.execute(sa.select(PUBLICATIONS.c.content).where(own)).scalar_one()
        rest, gone = _frame_without(content, finder)
        if gone:
            buffer = io.BytesIO()
            rest.to_parquet(buffer, index=False, compression="zstd")
            digest = hashlib.sha256(buffer.getvalue()).hexdigest()
            values = {"content": buffer.getvalue(), "sha256": digest, "rows": len(rest)}
            connection.execute(sa.update(PUBLICATIONS).where(own).values(values))
            count += gone
    return count


def _frame_without(content: bytes, finder: Finder) -> tuple[Any, int]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(content))
    named = np.zeros(len(table), dtype=bool)
    for name in table.column_names:
        named |= finder.in_column(table[name], name)
    return table.filter(~named).to_pandas(), int(named.sum())


def _take_out(connection: sa.Connection, table: sa.Table, finder: Finder) -> int:
    """Take what names them out of the texts of a table's rows."""
    key = list(table.primary_key.columns)
    texts = [
        column
        for column in table.columns
        if not column.primary_key
        and isinstance(column.type, sa.String | sa.JSON)
        and not column.name.endswith(("sha256", "_id"))
    ]
    count = 0
    if not texts:
        return 0
    rows = connection.execute(sa.select(*key, *texts)).all()
    for column in texts:
        values = [getattr(row, column.name) for row in rows]
        words = [_as_text(column, value) for value in values]
        for place, mentions in enumerate(finder.in_values(words)):
            text = words[place]
            if mentions and text is not None:
                anew: Any = finder.without(text)
                anew = json.loads(anew) if isinstance(column.type, sa.JSON) else anew
                same = sa.and_(*(one == getattr(rows[place], one.name) for one in key))
                connection.execute(sa.update(table).where(same).values({column.name: anew}))
                count += 1
    return count


def _as_text(column: sa.Column[Any], value: Any) -> str | None:
    if value is None or isinstance(column.type, sa.JSON):
        return None if value is None else json.dumps(value, ensure_ascii=False)
    return str(value)


def _chunks(connection: sa.Connection, query: Any) -> Iterator[list[Any]]:
    rows = connection.execute(query).all()
    for start in range(0, len(rows), CHUNK * 25):
        yield list(rows[start : start + CHUNK * 25])


def _delete(connection: sa.Connection, table: sa.Table, column: Any, values: list[Any]) -> int:
    count = 0
    for start in range(0, len(values), CHUNK):
        own = column.in_(values[start : start + CHUNK])
        count += connection.execute(sa.delete(table).where(own)).rowcount
    return count


def compact(store: Store) -> None:
    """Give back the pages that deleted rows stood in, and empty the log of writes.

    StorageFailure where another process reads the store for so long that it cannot be done.
    """
    if not store.is_sqlite:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
            for table in METADATA.sorted_tables:
                server.execute(sa.text(f"VACUUM FULL {table.name}"))
        return
    file = sqlite3.connect(str(store.engine.url.database), timeout=30, isolation_level=None)
    try:
        file.execute("VACUUM")
        busy = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise StorageFailure(
            f"the store cannot be compacted now ({error}): another process reads it. Stop it, and "
            "run erase again"
        ) from None
    finally:
        file.close()
    if busy:
        raise StorageFailure(
            "the store's log of writes cannot be emptied now: another process reads it. Stop it, "
            "and run erase again"
        )
