"""Published results, kept as issued: every forecast, scoring and plan that anybody saw (vintages).

A frame is kept as Parquet inside the database, with its SHA-256, so that a backup of the store
holds it whole.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from data.errors import DamagedFile
from data.store.opening import Store
from data.store.schema import PUBLICATIONS, REGISTRY_HISTORY

MOST_OF_A_RUN = 10
"""Vintages of one run that are looked through for one that is issued again."""


@dataclass(frozen=True)
class Publication:
    """One published frame, without its content."""

    seq: int
    kind: str
    as_of: datetime
    issued_at: datetime
    model_version: str
    rows: int
    meta: Mapping[str, Any]


def publish_frame(
    store: Store,
    kind: str,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    issued_at: datetime,
    model_version: str,
    meta: Mapping[str, Any] | None = None,
) -> int:
    """Keep a frame as issued under a kind such as ``forecast``; its sequence number.

    The same frame again is no other vintage: where the newest was issued with the same meta and
    bytes, or an earlier one of the run that issued the newest (``meta["key"]``), its number is
    given. A run that was killed does its work again.
    """
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    content = buffer.getvalue()
    values = {
        "kind": kind,
        "as_of": as_of,
        "issued_at": issued_at,
        "model_version": model_version,
        "rows": len(frame),
        "sha256": hashlib.sha256(content).hexdigest(),
        "meta": dict(meta or {}),
        "content": content,
    }
    with store.writing() as connection:
        there = _issued_before(connection, values)
        if there is not None:
            return there
        insertion = connection.execute(
            sa.insert(PUBLICATIONS).returning(PUBLICATIONS.c.seq), values
        )
        return int(insertion.scalar_one())


def _issued_before(connection: sa.Connection, values: Mapping[str, Any]) -> int | None:
    """The number of what is issued again; None for a new one."""
    own = PUBLICATIONS.c
    newest = (
        sa.select(own.seq, own.as_of, own.model_version, own.sha256, own.meta)
        .where(own.kind == values["kind"])
        .order_by(own.seq.desc())
        .limit(MOST_OF_A_RUN)
    )
    key = values["meta"].get("key")
    for row in connection.execute(newest):
        same = ("as_of", "model_version", "sha256", "meta")
        if all(getattr(row, name) == values[name] for name in same):
            return int(row.seq)
        if key is None or row.meta.get("key") != key:
            return None
    return None


def publications(
    store: Store, kind: str, issued_by: datetime | None = None, limit: int | None = None
) -> list[Publication]:
    """What was published under a kind, the newest first; only issued at or before a moment."""
    own = [column for column in PUBLICATIONS.c if column.name not in ("content", "sha256")]
    query = (
        sa.select(*own)
        .where(PUBLICATIONS.c.kind == kind)
        .order_by(PUBLICATIONS.c.issued_at.desc(), PUBLICATIONS.c.seq.desc())
        .limit(limit)
    )
    if issued_by is not None:
        query = query.where(PUBLICATIONS.c.issued_at <= issued_by)
    with store.reading() as connection:
        return [Publication(**row._mapping) for row in connection.execute(query)]


def read_publication(
    store: Store, kind: str, issued_by: datetime | None = None
) -> tuple[Publication, pd.DataFrame] | None:
    """The newest frame of a kind (issued at or before a moment), None if there is none.

    DamagedFile if its bytes are not those that were published.
    """
    newest = publications(store, kind, issued_by, limit=1)
    if not newest:
        return None
    return newest[0], _content(store, newest[0])


def publication(store: Store, kind: str, seq: int) -> tuple[Publication, pd.DataFrame] | None:
    """One frame of a kind by its number, None if there is none; see ``read_publication``."""
    own = [column for column in PUBLICATIONS.c if column.name not in ("content", "sha256")]
    query = sa.select(*own).where(PUBLICATIONS.c.kind == kind, PUBLICATIONS.c.seq == seq)
    with store.reading() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    about = Publication(**row._mapping)
    return about, _content(store, about)


def _content(store: Store, one: Publication) -> pd.DataFrame:
    query = sa.select(PUBLICATIONS.c.content, PUBLICATIONS.c.sha256).where(
        PUBLICATIONS.c.seq == one.seq
    )
    with store.reading() as connection:
        row = connection.execute(query).one()
    if hashlib.sha256(row.content).hexdigest() != row.sha256:
        raise DamagedFile(f"the {one.kind} issued at {one.issued_at} in the store is damaged")
    return pd.read_parquet(io.BytesIO(row.content))


def save_forecast(
    store: Store,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    issued_at: datetime,
    model_version: str,
    meta: Mapping[str, Any] | None = None,
) -> int:
    """Keep a volume forecast as issued; see ``publish_frame``."""
    return publish_frame(
        store,
        "forecast",
        frame,
        as_of=as_of,
        issued_at=issued_at,
        model_version=model_version,
        meta=meta,
    )


def read_forecast(
    store: Store, issued_by: datetime | None = None
) -> tuple[Publication, pd.DataFrame] | None:
    """The newest forecast issued (at or before a moment); see ``read_publication``."""
    return read_publication(store, "forecast", issued_by)


def registry_event(
    store: Store,
    model: str,
    version: str,
    event: str,
    now: datetime,
    *,
    author: str = "presage",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add to the registry's history: registered, promoted, refused, rolled back, ..."""
    values = {
        "model": model,
        "version": version,
        "event": event,
        "author": author,
        "details": dict(details or {}),
        "recorded_at": now,
    }
    with store.writing() as connection:
        connection.execute(sa.insert(REGISTRY_HISTORY), values)


def registry_history(store: Store, model: str | None = None) -> list[dict[str, Any]]:
    """The registry's history, the oldest first; of one model if named."""
    query = sa.select(REGISTRY_HISTORY).order_by(REGISTRY_HISTORY.c.seq)
    if model is not None:
        query = query.where(REGISTRY_HISTORY.c.model == model)
    with store.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]
