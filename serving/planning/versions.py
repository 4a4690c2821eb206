"""Versions of a plan: what was published, by whom and why; locked, or rolled back to.

Every plan that becomes the one in force is kept in the store under a number. A lock holds one
version in force, whatever is published or overridden later, until somebody unlocks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from data.errors import Conflict, UsageError
from data.store import (
    Publication,
    Store,
    publication,
    publications,
    publish_frame,
    registry_event,
    registry_history,
)

VERSION = "plan"
MOST_LISTED = 50


@dataclass(frozen=True)
class Lock:
    """Which version is held in force, since when, by whom, why."""

    version: int
    author: str
    reason: str
    since: datetime


def keep_version(
    store: Store,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    now: datetime,
    model_version: str,
    author: str,
    reason: str,
    about: Mapping[str, Any],
) -> int:
    """Keep a plan as a version; its number. ``about``: what it stands on, as published."""
    meta = {**about, "author": author, "reason": reason}
    return publish_frame(
        store,
        VERSION,
        frame,
        as_of=as_of,
        issued_at=now,
        model_version=model_version,
        meta=meta,
    )


def versions_of(store: Store) -> list[Publication]:
    """The last versions, the newest first."""
    return publications(store, VERSION, limit=MOST_LISTED)


def read_version(store: Store, number: int) -> tuple[Publication, pd.DataFrame]:
    """A version and its rows; UsageError if there is none of that number."""
    version = publication(store, VERSION, number)
    if version is None:
        known = ", ".join(str(one.seq) for one in versions_of(store)) or "none"
        raise UsageError(f"there is no version {number} of the plan; there are {known}")
    return version


def locked(store: Store) -> Lock | None:
    """The lock in force, or None."""
    events = [
        one for one in registry_history(store, VERSION) if one["event"] in ("locked", "unlocked")
    ]
    if not events or events[-1]["event"] != "locked":
        return None
    last = events[-1]
    return Lock(
        int(last["version"]), last["author"], last["details"]["reason"], last["recorded_at"]
    )


def refuse_if_locked(store: Store) -> None:
    """Conflict that names who locked the plan, where it is."""
    lock = locked(store)
    if lock is not None:
        raise Conflict(
            f"version {lock.version} of the plan was locked by {lock.author} at "
            f"{lock.since:%Y-%m-%d %H:%M} UTC ({lock.reason}); unlock it first"
        )


def lock_version(store: Store, number: int, *, author: str, reason: str, now: datetime) -> Lock:
    """Hold a version in force; Conflict if one is held already."""
    refuse_if_locked(store)
    read_version(store, number)
    registry_event(
        store, VERSION, str(number), "locked", now, author=author, details={"reason": reason}
    )
    return Lock(number, author, reason, now)


def unlock(store: Store, *, author: str, reason: str, now: datetime) -> None:
    """Let the newest plan be in force again; Conflict if none is locked."""
    lock = locked(store)
    if lock is None:
        raise Conflict("no version of the plan is locked")
    registry_event(
        store,
        VERSION,
        str(lock.version),
        "unlocked",
        now,
        author=author,
        details={"reason": reason},
    )
