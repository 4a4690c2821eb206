"""The thread that works on jobs, the oldest first, one batch after another.

It takes at most half of the time, and none while requests are waiting: a live answer comes before
a bulk one. Whoever holds a job is whoever works on it, so two processes over one workspace share
the jobs out, and one that is killed leaves its job to the next that looks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.artifacts import open_kept
from data.clock import Clock
from data.errors import PresageError
from data.files import replacing
from serving.jobs.answers import Source, Standing, answers
from serving.jobs.job import (
    BATCH_ROWS,
    RESULT,
    ROWS,
    Job,
    drop_old_jobs,
    moment,
    read_jobs,
    remove_job,
)
from serving.night import Scores
from serving.published import Published

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger("presage.api")

LOOK_SECONDS = 30.0
"""So often it looks for jobs that another process left."""
LEAST_REST_SECONDS, MOST_REST_SECONDS = 0.005, 1.0
BUSY_SECONDS = 0.02
PUBLICATION = ("as_of", "published_at", "model_version")
"""What tells one publication from the next; an erasure changes file and hash, not these."""


class GoneScores(PresageError):
    """The scores that a job began with are not there any more."""


@dataclass
class Runner:
    """Works on the jobs below ``home``.

    ``newest``: the publication of now; ``note``: told whom a job was about; ``busy``: whether live
    requests are being worked on; ``idle``: set while there is nothing to do.
    """

    home: Path
    published: Path
    clock: Clock
    days: int
    live: Standing
    newest: Callable[[], tuple[Published, Scores]]
    note: Callable[[str, str, Sequence[str], str], None] = lambda key, call, about, request: None
    busy: Callable[[], bool] = lambda: False
    idle: threading.Event = field(default_factory=threading.Event)
    _ending: threading.Event = field(default_factory=threading.Event)
    _woken: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _source: tuple[str, Source] | None = None

    def wake(self) -> None:
        """Look for jobs now; the first time begins the thread."""
        with self._lock:
            self.idle.clear()
            self._woken.set()
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, daemon=True, name="jobs")
                self._thread.start()

    def close(self) -> None:
        """End after the batch that is being answered; the job goes on at the next start."""
        self._ending.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._woken.clear()
            try:
                drop_old_jobs(self.home, self.clock.now(), self.days)
                for job in read_jobs(self.home):
                    if job.end() is None and not self._ending.is_set():
                        self._try(job)
            except (OSError, ValueError, PresageError) as error:
                log.error("bulk jobs wait: %s", error)
            with self._lock:
                if not self._woken.is_set():
                    self.idle.set()
            self._woken.wait(LOOK_SECONDS)

    def _try(self, job: Job) -> None:
        """Work on a job; where it cannot go on now, those behind it do."""
        try:
            self.work(job)
        except (OSError, PresageError) as error:
            log.error("job %s waits: %s", job.job_id, error)

    def work(self, job: Job) -> None:
        """Answer what is left of a job, unless somebody else does."""
        with job.held() as ours:
            if not ours or job.end() is not None:  # or somebody ended it just now
                return
            try:
                self._answer(job)
            except GoneScores as error:
                self._fail(job, str(error))
            except (OSError, PresageError):  # a full disk, say: it goes on when it can
                raise
            except Exception:
                log.exception("job %s failed", job.job_id)
                self._fail(job, "an unexpected error; the service's log has it")
            finally:
                self._source = None
        if not job.is_there:
            remove_job(job)  # removed meanwhile, but for what was being written

    def _fail(self, job: Job, detail: str) -> None:
        if job.is_there:
            job.finish("failed", self.clock.now(), detail=detail)

    def _answer(self, job: Job) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetFile(job.folder / ROWS) as rows:
            for number in range(job.batches):
                if self._ending.is_set() or not job.is_there:
                    return
                if job.part(number).exists():
                    continue
                began = time.perf_counter()
                self._batch(job, number, rows.read_row_group(number))
                if self._rest(time.perf_counter() - began):
                    return
        self._put_together(job)

    def _batch(self, job: Job, number: int, rows: pa.Table) -> None:
        import pyarrow.parquet as pq

        source = self._source_of(job)
        table = answers(rows, number * BATCH_ROWS + 1, job.horizons, source, self.live)
        about = sorted({i for i in table.column("customer_id").to_pylist() if i is not None})
        self.note(job.key, "/v1/jobs", about, job.job_id)
        with replacing(job.part(number), 0o600) as staged:
            pq.write_table(table, staged, compression="zstd")

    def _rest(self, seconds: float) -> bool:
        """Wait as long as the batch took, and while live requests are worked on; whether to end."""
        ending = self._ending.wait(min(max(seconds, LEAST_REST_SECONDS), MOST_REST_SECONDS))
        until = time.perf_counter() + MOST_REST_SECONDS
        while not ending and self.busy() and time.perf_counter() < until:
            ending = self._ending.wait(BUSY_SECONDS)
        return ending

    def _put_together(self, job: Job) -> None:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        wrong = 0
        with replacing(job.folder / RESULT, 0o600) as staged:
            schema = pq.read_schema(job.part(0))
            with pq.ParquetWriter(staged, schema, compression="zstd") as writer:
                for number in range(job.batches):
                    part = pq.read_table(job.part(number))
                    wrong += pc.sum(pc.not_equal(part.column("status"), "scored")).as_py()
                    writer.write_table(part)
                    if self._ending.wait(LEAST_REST_SECONDS):
                        break
        if self._ending.is_set() or not job.is_there:
            return
        job.finish("done", self.clock.now(), rows_with_error=wrong)
        for number in range(job.batches):
            job.part(number).unlink(missing_ok=True)

    def _source_of(self, job: Job) -> Source:
        """The publication that the job began with, though a newer one may be there by now."""
        newest, scores = self.newest()
        if is_same(newest.about, job.scores):
            file = str(newest.about["file"])
            if self._source is None or self._source[0] != file:
                self._source = file, _source(scores, newest.frame, job.scores)
            return self._source[1]
        file = str(job.scores["file"])
        if not (self.published / file).is_file():
            raise GoneScores(
                "the scores that the job began with are not kept any more; send it again"
            )
        if self._source is None or self._source[0] != file:
            import pandas as pd

            frame = pd.read_parquet(open_kept(self.published, job.scores))
            self._source = file, _source(Scores(frame), frame, job.scores)
        return self._source[1]


def _source(scores: Scores, frame: pd.DataFrame, about: Mapping[str, Any]) -> Source:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame.drop(columns=["customer_id"]), preserve_index=False)
    return Source(scores, table, moment(about["as_of"]), str(about["model_version"]))


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two pointers name the same publication."""
    return all(one.get(name) == other.get(name) for name in PUBLICATION)
