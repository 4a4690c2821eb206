"""What a company's own data say of being contacted, read again when it has changed.

The customers table is read from its files as they are now, not from last night's snapshot: a file
that takes consent back holds from the next look on. Rows posted over the API are read in the
transaction that sends (``posted``). What cannot be read as consent counts as unknown.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.check import engine
from data.clean import typed
from data.contract import table
from data.folder import Folder
from data.source_files import open_source
from data.store import CONTACT, customer_rows_in
from data.tables import MemoryTables
from features.asof import as_of_view
from serving.outreach.actions import CHANNELS

COLUMNS = (
    "customer_id",
    "time_zone",
    *(f"{channel}_consent" for channel in CHANNELS),
    "do_not_contact",
    "vulnerable",
    "segment",
    "closed_at",
    "recorded_at",
)
NEEDED = (*COLUMNS, "signed_up_at", "deleted")
LOOK_AGAIN = timedelta(minutes=10)
"""Facts come to be known as time passes, also in files that stay as they are."""


@dataclass(frozen=True)
class Person:
    """A customer as their newest row has them; None: not said. ``closed``: left, or taken back.

    ``stated_at``: by channel or ``CONTACT`` when that was said, where an earlier row said it; else
    it was with the newest row, at ``recorded_at``.
    """

    time_zone: str | None = None
    consents: Mapping[str, bool | None] = field(default_factory=dict)
    do_not_contact: bool | None = None
    vulnerable: bool = False
    segment: str | None = None
    closed: bool = False
    recorded_at: datetime | None = None
    stated_at: Mapping[str, datetime | None] = field(default_factory=dict)

    def said_at(self, word: str) -> datetime | None:
        """When what holds of a channel, or of ``CONTACT``, was said."""
        return self.stated_at.get(word, self.recorded_at)


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

    def of(self, connection: Any, customer_ids: Sequence[str], now: datetime) -> dict[str, Person]:
        """Each of these customers as of ``now``: the tables' row, or one posted later.

        ``connection``: the store's transaction, so that a row posted by then counts.
        """
        known = self.from_tables(customer_ids, now)
        for customer_id, payload, recorded_at in customer_rows_in(connection, customer_ids):
            row = known[customer_id]
            if recorded_at <= now and (row.recorded_at is None or row.recorded_at <= recorded_at):
                known[customer_id] = posted(payload, recorded_at, now, row)
        return known

    def from_tables(self, customer_ids: Sequence[str], now: datetime) -> dict[str, Person]:
        """The customers as the tables' files have them now; ``NOBODY`` for those of no row."""
        with self._lock:
            self._refresh(now)
            return {i: self._person(i, now) for i in customer_ids}

    def _refresh(self, now: datetime) -> None:
        sources = self._folder.sources("customers")
        files = tuple(_identity(path) for path in sources)
        stale = self._looked_at is None or abs(now - self._looked_at) > LOOK_AGAIN
        if files == self._files and not stale:
            return
        self._view = _read(self._folder, sources, now)
        self._rows = {str(i): at for at, i in enumerate(self._view["customer_id"])}
        self._files, self._looked_at = files, now

    def _person(self, customer_id: str, now: datetime) -> Person:
        at = self._rows.get(customer_id)
        if at is None:
            return NOBODY
        row = self._view.iloc[at]
        closed_at = _moment(row["closed_at"])
        return Person(
            None if pd.isna(row["time_zone"]) else str(row["time_zone"]),
            {channel: _flag(row[f"{channel}_consent"]) for channel in CHANNELS},
            _flag(row["do_not_contact"]),
            _flag(row["vulnerable"]) is True,
            None if pd.isna(row["segment"]) else str(row["segment"]),
            closed_at is not None and closed_at <= now,
            _moment(row["recorded_at"]),
        )


def posted(
    payload: Mapping[str, Any], recorded_at: datetime, now: datetime, before: Person
) -> Person:
    """A posted row of customers as a person; it takes the place of the row ``before``, but for
    consent: a row that says nothing of it takes nothing back."""
    closed_at = payload.get("closed_at")
    left = closed_at is not None and _naive(str(closed_at)) <= now
    zone = payload.get("time_zone")
    said = {channel: _flag(payload.get(f"{channel}_consent")) for channel in CHANNELS}
    said[CONTACT] = _flag(payload.get("do_not_contact"))
    silent = [word for word, flag in said.items() if flag is None]
    earlier = {**before.consents, CONTACT: before.do_not_contact}
    said |= {word: earlier.get(word) for word in silent}
    return Person(
        None if zone is None else str(zone),
        {channel: said[channel] for channel in CHANNELS},
        said[CONTACT],
        _flag(payload.get("vulnerable")) is True,
        None if payload.get("segment") is None else str(payload["segment"]),
        left or payload.get("deleted") is True,
        recorded_at,
        {word: before.said_at(word) for word in silent},
    )


def _read(folder: Folder, sources: Sequence[Path], now: datetime) -> pd.DataFrame:
    """The customers known at ``now``, a row each, from the files alone."""
    con, reading = engine(folder), folder.settings.import_
    try:
        found = []
        for path in sources:
            source = open_source(con, path, path.name, reading, folder.state_dir)
            relation = source.relation.project(
                typed(source, table("customers"), (), 0, reading=reading)
            )
            columns = ", ".join(f'"{name}"' for name in NEEDED)
            found.append(relation.project(columns).df())
    finally:
        con.close()
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.concat(found, ignore_index=True)
    whole = frame["customer_id"].notna() & frame["signed_up_at"].notna()
    tables = MemoryTables({"customers": frame[whole].reset_index(drop=True)})
    return as_of_view(tables, "customers", now, list(COLUMNS))


def _identity(path: Path) -> tuple[str, int, int, int, int]:
    found = path.stat()
    return str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _flag(value: object) -> bool | None:
    return None if value is None or pd.isna(value) else bool(value)


def _moment(value: Any) -> datetime | None:
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


def _naive(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
