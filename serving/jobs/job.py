"""A bulk job on disk: what was asked, the batches that are answered, and how it ended.

    .presage/jobs/9f0c.../job.json              whose it is, what it asks, by which scores
    .presage/jobs/9f0c.../rows.parquet          the rows that were sent, a row group a batch
    .presage/jobs/9f0c.../part-000000.parquet   a batch that is answered, written whole
    .presage/jobs/9f0c.../result.parquet        all of them, once the last one is
    .presage/jobs/9f0c.../end.json              done, or failed and why

Nothing of it is changed, only added, so a process that is killed at any moment leaves a job that
goes on after its last batch. A folder appears and disappears by one rename.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from data.files import STAGING, publish, staging_folder, take_lock, write_whole

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("presage.api")

FOLDER = "jobs"
ID = re.compile(r"[0-9a-z]{1,64}")
BATCH_ROWS = 1_000
ABOUT, ROWS, RESULT, END = "job.json", "rows.parquet", "result.parquet", "end.json"
State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class Job:
    """A job as it was asked for; how far it is stands on the disk.

    ``scores``: the publication that it is answered from, as its pointer says it. ``horizons`` in
    days.
    """

    folder: Path
    job_id: str
    key: str
    request: str
    created_at: datetime
    rows: int
    horizons: tuple[int, ...]
    scores: Mapping[str, Any]

    @property
    def batches(self) -> int:
        return -(-self.rows // BATCH_ROWS)

    @property
    def is_there(self) -> bool:
        """Whether it was not removed meanwhile."""
        return (self.folder / ABOUT).exists()

    def part(self, number: int) -> Path:
        """The file of a batch's answers."""
        return self.folder / f"part-{number:06d}.parquet"

    def rows_done(self) -> int:
        """How many rows are answered."""
        if self.end() is not None:
            return self.rows
        parts = sum(1 for _ in self.folder.glob("part-*.parquet"))
        return min(parts * BATCH_ROWS, self.rows)

    def end(self) -> dict[str, Any] | None:
        """``state``, ``at``, ``rows_with_error`` and, where it failed, ``detail``; None while it
        waits or runs."""
        try:
            end: dict[str, Any] = json.loads((self.folder / END).read_bytes())
        except FileNotFoundError:
            return None
        return end

    def state(self) -> State:
        """How far it is."""
        end = self.end()
        if end is not None:
            return "done" if end["state"] == "done" else "failed"
        return "running" if self.part(0).exists() else "waiting"

    def finish(self, state: State, at: datetime, **about: Any) -> None:
        """Write how it ended."""
        content = {"state": state, "at": at.isoformat(), **about}
        write_whole(self.folder / END, json.dumps(content).encode(), mode=0o600)

    def kept_until(self, days: int) -> datetime | None:
        """When it is removed; None while it has not ended, and where jobs stay."""
        end = self.end()
        return None if end is None or not days else moment(end["at"]) + timedelta(days=days)

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """For a block that works on it: whether nobody else does. The kernel lets go of it when the
        process ends."""
        try:
            handle = os.open(self.folder / ABOUT, os.O_RDONLY)
        except FileNotFoundError:
            yield False
            return
        try:
            yield take_lock(handle) is not False
        finally:
            os.close(handle)


def moment(text: str) -> datetime:
    """A naive UTC time as it is written."""
    return datetime.fromisoformat(text)


def put_job(home: Path, job_id: str, rows: pa.Table, about: Mapping[str, Any]) -> Job:
    """Keep a new job, whole and durably; one that is there under that id stays as it is."""
    import pyarrow.parquet as pq

    place = home / job_id
    with staging_folder(place, 0o700) as staged:
        pq.write_table(rows, staged / ROWS, row_group_size=BATCH_ROWS)
        content = {"job_id": job_id, "rows": len(rows), **about}
        (staged / ABOUT).write_text(json.dumps(content, default=str), "utf-8")
        publish(staged, place)
    job = read_job(home, job_id)
    assert job is not None
    return job


def read_job(home: Path, job_id: str) -> Job | None:
    """The job of that id; None where there is none."""
    if not ID.fullmatch(job_id):
        return None
    try:
        about = json.loads((home / job_id / ABOUT).read_bytes())
        return Job(
            home / job_id,
            job_id,
            about["key"],
            about["request"],
            moment(about["created_at"]),
            about["rows"],
            tuple(about["horizons"]),
            about["scores"],
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        log.error("%s is damaged and left out; remove its folder", home / job_id / ABOUT)
        return None


def read_jobs(home: Path) -> list[Job]:
    """All jobs, the oldest first."""
    names = [path.name for path in home.iterdir()] if home.is_dir() else []
    jobs = [job for name in names if (job := read_job(home, name)) is not None]
    return sorted(jobs, key=lambda job: (job.created_at, job.job_id))


def remove_job(job: Job) -> None:
    """Take a job away, at once for whoever looks for it; it may be gone already."""
    aside = job.folder.with_name(f"{STAGING}{secrets.token_hex(8)}")
    with contextlib.suppress(FileNotFoundError):
        job.folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def drop_old_jobs(home: Path, now: datetime, days: int) -> None:
    """Remove the jobs that ended more than so many days ago; 0: none."""
    for job in read_jobs(home) if days else ():
        until = job.kept_until(days)
        if until is not None and until <= now:
            remove_job(job)
