"""What a company's own data say of being contacted, read again when it has changed.

The customers table is read from its files as they are now, not from last night's snapshot: a file
that takes consent back holds from the next look on. Rows posted over the API are read in the
transaction that sends (``posted``). What cannot be read as consent counts as unknown.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.check import engine
from data.clean import typed
from data.contract import table
from data.folder import Folder
from data.source_files import open_source
from data.store import customer_rows_in, words_in
from data.tables import MemoryTables
from features.asof import as_of_view
from serving.outreach.consent import (
    WORDS,
    Statements,
    nothing_said,
    said_in,
    said_in_tables,
    said_to_us,
)

COLUMNS = ("customer_id", "time_zone", "vulnerable", "segment", "closed_at", "recorded_at")
NEEDED = (*COLUMNS, *WORDS, "signed_up_at", "deleted")
LOOK_AGAIN = timedelta(minutes=10)
"""Facts come to be known as time passes, also in files that stay as they are."""


@dataclass(frozen=True)
class Person:
    """A customer as their newest row has them; None: not said. ``closed``: left, or taken back."""

    time_zone: str | None = None
    vulnerable: bool = False
    segment: str | None = None
    closed: bool = False
    recorded_at: datetime | None = None


NOBODY = Person()
"""Somebody of whom no row is there: nothing is known."""


class People:
    """The customers of a workspace by id; thread-safe."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: tuple[object, ...] | None = None
        self._looked_at: datetime | None = None
        self._rows: dict[str, int] = {}
        self._view = pd.DataFrame(columns=list(COLUMNS))
        self._statements = nothing_said(0)

    def of(
        self, connection: Any, customer_ids: Sequence[str], now: datetime
    ) -> tuple[list[Person], Statements]:
        """Each of these customers as of ``now``, the tables' row or one posted later, and what they
        said of being contacted, in rows and over the API.

        ``connection``: the store's transaction, so that what was posted by then counts.
        """
        with self._lock:
            self._refresh(now)
            at = [self._rows.get(i, -1) for i in customer_ids]
            people = [NOBODY if row < 0 else self._person(row, now) for row in at]
            statements = self._statements.of(np.array(at, dtype=np.int64))
        place = {customer: row for row, customer in enumerate(customer_ids)}
        for customer_id, payload, recorded_at in customer_rows_in(connection, customer_ids):
            if recorded_at > now:
                continue
            row = place[customer_id]
            statements.say(row, said_in(payload, recorded_at))
            known = people[row].recorded_at
            if known is None or known <= recorded_at:
                people[row] = posted(payload, recorded_at, now)
        return people, statements.then(said_to_us(words_in(connection, customer_ids), customer_ids))

    def look(self, now: datetime) -> None:
        """Read the tables' files, where that is due: before the store is held."""
        with self._lock:
            self._refresh(now)

    def _refresh(self, now: datetime) -> None:
        sources = self._folder.sources("customers")
        files = tuple(_identity(path) for path in sources)
        stale = self._looked_at is None or abs(now - self._looked_at) > LOOK_AGAIN
        if files == self._files and not stale:
            return
        tables = _read(self._folder, sources)
        self._view = as_of_view(tables, "customers", now, list(COLUMNS))
        ids = self._view["customer_id"].astype(str).tolist()
        self._statements = said_in_tables(tables, ids, now)
        self._rows = {customer: row for row, customer in enumerate(ids)}
        self._files, self._looked_at = files, now

    def _person(self, at: int, now: datetime) -> Person:
        row = self._view.iloc[at]
        closed_at = _moment(row["closed_at"])
        return Person(
            None if pd.isna(row["time_zone"]) else str(row["time_zone"]),
            _is_true(row["vulnerable"]),
            None if pd.isna(row["segment"]) else str(row["segment"]),
            closed_at is not None and closed_at < now,
            _moment(row["recorded_at"]),
        )


def posted(payload: Mapping[str, Any], recorded_at: datetime, now: datetime) -> Person:
    """A posted row of customers as a person."""
    closed_at = payload.get("closed_at")
    left = closed_at is not None and _naive(str(closed_at)) < now
    zone = payload.get("time_zone")
    return Person(
        None if zone is None else str(zone),
        _is_true(payload.get("vulnerable")),
        None if payload.get("segment") is None else str(payload["segment"]),
        left or payload.get("deleted") is True,
        recorded_at,
    )


def _read(folder: Folder, sources: Sequence[Path]) -> MemoryTables:
    """The customers table as its files have it now, all versions, from the files alone."""
    frames = [pd.DataFrame(columns=list(NEEDED))]
    con, reading = engine(folder), folder.settings.import_
    try:
        for path in sources:
            source = open_source(con, path, path.name, reading, folder.state_dir)
            relation = source.relation.project(
                typed(source, table("customers"), (), 0, reading=reading)
            )
            columns = ", ".join(f'"{name}"' for name in NEEDED)
            frames.append(relation.project(columns).df())
    finally:
        con.close()
    frame = pd.concat(frames[1:] or frames, ignore_index=True)
    whole = frame["customer_id"].notna() & frame["signed_up_at"].notna()
    return MemoryTables({"customers": frame[whole].reset_index(drop=True)})


def _identity(path: Path) -> tuple[str, int, int, int, int]:
    status = path.stat()
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_true(value: object) -> bool:
    return value is not None and not pd.isna(value) and bool(value)


def _moment(value: Any) -> datetime | None:
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


def _naive(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
