"""What is kept no longer than ``[retention]`` says.

A day counts from when a thing was last used (snapshots, published results), is about (feature
sets, predictions), was written last (logs), posted, answered or settled (the store). The decision
log stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from data.artifacts import current
from data.erasure.places import NamedPlace, Step, remove_whole
from data.erasure.store_rows import compact
from data.folder import Folder
from data.store.opening import Store
from data.store.schema import EVENTS, IDEMPOTENCY, OUTBOX, PREDICTIONS

SETTLED = ("sent", "dead", "refused")


def expire(workspace: Folder, store: Store, now: datetime, step: Step | None) -> list[NamedPlace]:
    """Remove what is older than its kind is kept; without ``step`` only told."""
    places = []
    for path, days in _old_files(workspace, now):
        name = str(path.relative_to(workspace.path))
        one = NamedPlace(name, 1, "places", f"kept longer than {days} days")
        places.append(remove_whole(path, one, step))
    rows = _old_rows(workspace, store, now, step)
    if step is not None and rows:
        step("compact")
        compact(store)
    return places + rows


def _old_files(workspace: Folder, now: datetime) -> Iterator[tuple[Path, int]]:
    retention, home = workspace.settings.retention, workspace.state_dir
    kinds: tuple[tuple[int, str, str, Callable[[Path], datetime]], ...] = (
        (retention.snapshots_days, "snapshots", "*", _used),
        (retention.features_days, "features", "*", _about),
        (retention.published_days, "published", "*.parquet", _used),
        (retention.decided_days, "decided", "*.parquet", _used),
        (retention.predictions_days, "predictions", "????-??-??", _about),
        (retention.logs_days, "logs", "*.log", _used),
        (retention.jobs_days, "jobs", "*", _ended),
    )
    pointers = [path.stem for path in (home / "published").glob("*.json")]
    at_work = {str((current(home / "published", kind) or {}).get("file")) for kind in pointers}
    for days, folder, pattern, moment in kinds:
        oldest = now - timedelta(days=days)
        for path in sorted((home / folder).glob(pattern)) if days else ():
            kept_on = path.name.startswith(".") or path.name in at_work
            if not kept_on and moment(path) < oldest:
                yield path, days


def _used(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)


def _ended(path: Path) -> datetime:
    """When a bulk job ended; one that has not is never old."""
    end = path / "end.json"
    return _used(end) if end.exists() else datetime.max


def _about(path: Path) -> datetime:
    """The as-of time that a feature set is named by, the day that a folder of predictions is; when
    it was written where it is named by none."""
    moment = re.match(r"(\d{4}-\d{2}-\d{2})(T\d{6})?", path.name)
    return datetime.fromisoformat(moment[0]) if moment else _used(path)


def _old_rows(
    workspace: Folder, store: Store, now: datetime, step: Step | None
) -> list[NamedPlace]:
    retention = workspace.settings.retention
    has_content = OUTBOX.c.body.is_not(None) | (sa.cast(OUTBOX.c.payload, sa.Text) != "{}")
    bodies = OUTBOX.c.status.in_(SETTLED) & has_content
    kinds: tuple[tuple[int, sa.Table, Any, Any, dict[str, Any] | None], ...] = (
        (retention.events_days, EVENTS, EVENTS.c.recorded_at, sa.true(), None),
        (retention.answers_days, IDEMPOTENCY, IDEMPOTENCY.c.created_at, sa.true(), None),
        (retention.predictions_days, PREDICTIONS, PREDICTIONS.c.issued_at, sa.true(), None),
        (
            retention.messages_days,
            OUTBOX,
            OUTBOX.c.updated_at,
            bodies,
            {"body": None, "payload": {}},
        ),
    )
    places = []
    for days, table, moment, which, values in kinds:
        if not days:
            continue
        old = (moment < now - timedelta(days=days)) & which
        with store.reading() as connection:
            count = connection.execute(
                sa.select(sa.func.count()).select_from(table).where(old)
            ).scalar_one()
        if not count:
            continue
        what = "removed" if values is None else "their bodies removed"
        words = f"{what}, kept longer than {days} days"
        places.append(NamedPlace(f"store, {table.name}", count, "rows", words))
        if step is not None:
            step(f"store {table.name}")
            change = sa.delete(table) if values is None else sa.update(table).values(values)
            with store.writing() as connection:
                connection.execute(change.where(old))
    return places
