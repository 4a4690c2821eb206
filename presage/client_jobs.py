"""Bulk jobs by the API's client: sent as ids, a file or a frame, waited for, fetched.

>>> call = job_call(["a", 7, None], horizons=[7])
>>> call.path, call.body
('/v1/jobs', {'customer_ids': ['a', 7, None], 'horizons': [7]})
"""

from __future__ import annotations

import io
import math
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from presage.client_calls import Call
from serving.api.schemas_jobs import Job, JobRow
from serving.api.schemas_jobs import Jobs as JobList
from serving.jobs.ids import COLUMN, CSV, LINES, PARQUET

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {".csv": CSV, ".jsonl": LINES, ".ndjson": LINES, ".parquet": PARQUET}
FIRST_SECONDS, LONGEST_SECONDS = 0.2, 5.0
"""Between two looks at a job."""

Customers = Iterable[str | int | None] | str | Path
"""Ids, or the path of a file; a frame with a column ``customer_id`` is taken too."""
Progress = Callable[[Job], object]
Waiting = Generator[Call | float, Job | None, Job]
"""A job to look at, or seconds to wait."""


class JobFailed(Exception):
    """A job that could not be answered to its end; it says why. Send it again."""


def job_call(customers: Customers | pd.DataFrame, horizons: Sequence[int] | None = None) -> Call:
    """The call that begins a job. ValueError for a file or a frame that is none of ids."""
    if isinstance(customers, str | Path):
        path = Path(customers)
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{path}: a file of ids ends in {', '.join(SUFFIXES)}")
        return _file_call(path.read_bytes(), SUFFIXES[path.suffix.lower()], horizons)
    if hasattr(customers, "to_parquet"):
        return _file_call(_parquet(customers), PARQUET, horizons)
    body: dict[str, Any] = {"customer_ids": [_id_of(one) for one in customers]}
    if horizons is not None:
        body["horizons"] = list(horizons)
    return Call("POST", "/v1/jobs", Job, body=body, effect=True)


def _parquet(frame: Any) -> bytes:
    if COLUMN not in frame:
        raise ValueError(f"the frame has no column {COLUMN}: it has {list(frame)}")
    out = io.BytesIO()
    frame[[COLUMN]].to_parquet(out, index=False)
    return out.getvalue()


def _file_call(content: bytes, media: str, horizons: Sequence[int] | None) -> Call:
    query = {} if horizons is None else {"horizons": ",".join(map(str, horizons))}
    return Call("POST", "/v1/jobs", Job, query, content, effect=True, media=media)


def _id_of(value: Any) -> Any:
    """None for a hole in a column of ids, and whole numbers of numpy, or beside a hole, as ints.

    >>> _id_of(7.0), _id_of(float("nan"))
    (7, None)
    >>> _id_of(True)
    Traceback (most recent call last):
    ...
    ValueError: True is no id: ids are texts or whole numbers
    """
    if value is None or isinstance(value, str):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas, which need not be there
        return None
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if math.isnan(number):
            return None
        if math.isfinite(number) and number.is_integer():
            return int(number)
    raise ValueError(f"{value!r} is no id: ids are texts or whole numbers")


def _path_of(job: Job | str) -> str:
    return f"/v1/jobs/{quote(job if isinstance(job, str) else job.job_id, safe='')}"


def _see(job: Job | str) -> Call:
    return Call("GET", _path_of(job), Job)


def _result(job: Job | str, media: str) -> Call:
    return Call("GET", _path_of(job) + "/result", bytes, accept=media)


def _delete(job: Job | str) -> Call:
    return Call("DELETE", _path_of(job), None)


def _lines(content: bytes) -> Sequence[JobRow]:
    return [msgspec.json.decode(line, type=JobRow) for line in content.splitlines()]


def _frame(content: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(io.BytesIO(content))


def _media_of(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: a result is written as {', '.join(SUFFIXES)}")
    return SUFFIXES[path.suffix.lower()]


def _waiting(job: Job | str, progress: Progress | None, timeout_seconds: float | None) -> Waiting:
    """Look until the job has ended. JobFailed, TimeoutError."""
    waited, seconds = 0.0, FIRST_SECONDS
    while True:
        now = yield _see(job)
        assert now is not None
        if progress is not None:
            progress(now)
        if now.state == "failed":
            raise JobFailed(f"job {now.job_id}: {now.detail}")
        if now.state == "done":
            return now
        if timeout_seconds is not None and waited >= timeout_seconds:
            detail = f"{now.rows_done} of {now.rows} rows after {waited:.0f} s; it goes on"
            raise TimeoutError(f"job {now.job_id} is {now.state}: {detail}")
        yield seconds
        waited, seconds = waited + seconds, min(seconds * 1.5, LONGEST_SECONDS)


class Jobs:
    """``client.jobs``: the key's bulk jobs."""

    def __init__(
        self, run: Callable[[Call, str | None], Any], sleep: Callable[[float], object]
    ) -> None:
        self._run, self._sleep = run, sleep

    def create(
        self,
        customers: Customers | pd.DataFrame,
        horizons: Sequence[int] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Begin a job: ids, the path of a .csv, .jsonl or .parquet, or a frame with
        ``customer_id``."""
        job: Job = self._run(job_call(customers, horizons), idempotency_key)
        return job

    def get(self, job: Job | str) -> Job:
        """How far it is."""
        now: Job = self._run(_see(job), None)
        return now

    def list(self) -> Sequence[Job]:
        """All that are kept, the newest first."""
        jobs: JobList = self._run(Call("GET", "/v1/jobs", JobList), None)
        return jobs.items

    def wait(
        self,
        job: Job | str,
        progress: Progress | None = None,
        timeout_seconds: float | None = None,
    ) -> Job:
        """Until it is done; ``progress`` is told at each look. JobFailed; TimeoutError after so
        many seconds of waiting (the job goes on)."""
        steps, now = _waiting(job, progress, timeout_seconds), None
        try:
            while True:
                step = steps.send(now)
                if isinstance(step, float):
                    self._sleep(step)
                    now = None
                else:
                    now = self._run(step, None)
        except StopIteration as end:
            last: Job = end.value
            return last

    def rows(self, job: Job | str) -> Sequence[JobRow]:
        """The result, a row a row that was sent."""
        return _lines(self._run(_result(job, LINES), None))

    def frame(self, job: Job | str) -> pd.DataFrame:
        """The same as a frame: risks as columns, lists as JSON."""
        return _frame(self._run(_result(job, PARQUET), None))

    def save(self, job: Job | str, path: Path | str) -> Path:
        """The same as a file: .csv, .jsonl or .parquet."""
        place = Path(path)
        place.write_bytes(self._run(_result(job, _media_of(place)), None))
        return place

    def delete(self, job: Job | str) -> None:
        """End it where it runs, and remove it."""
        self._run(_delete(job), None)


class AsyncJobs:
    """The same calls, awaited."""

    def __init__(
        self,
        run: Callable[[Call, str | None], Awaitable[Any]],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._run, self._sleep = run, sleep

    async def create(
        self,
        customers: Customers | pd.DataFrame,
        horizons: Sequence[int] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """See ``Jobs.create``."""
        job: Job = await self._run(job_call(customers, horizons), idempotency_key)
        return job

    async def get(self, job: Job | str) -> Job:
        """See ``Jobs.get``."""
        now: Job = await self._run(_see(job), None)
        return now

    async def list(self) -> Sequence[Job]:
        """See ``Jobs.list``."""
        jobs: JobList = await self._run(Call("GET", "/v1/jobs", JobList), None)
        return jobs.items

    async def wait(
        self,
        job: Job | str,
        progress: Progress | None = None,
        timeout_seconds: float | None = None,
    ) -> Job:
        """See ``Jobs.wait``."""
        steps, now = _waiting(job, progress, timeout_seconds), None
        try:
            while True:
                step = steps.send(now)
                if isinstance(step, float):
                    await self._sleep(step)
                    now = None
                else:
                    now = await self._run(step, None)
        except StopIteration as end:
            last: Job = end.value
            return last

    async def rows(self, job: Job | str) -> Sequence[JobRow]:
        """See ``Jobs.rows``."""
        return _lines(await self._run(_result(job, LINES), None))

    async def frame(self, job: Job | str) -> pd.DataFrame:
        """See ``Jobs.frame``."""
        return _frame(await self._run(_result(job, PARQUET), None))

    async def save(self, job: Job | str, path: Path | str) -> Path:
        """See ``Jobs.save``."""
        place = Path(path)
        place.write_bytes(await self._run(_result(job, _media_of(place)), None))
        return place

    async def delete(self, job: Job | str) -> None:
        """See ``Jobs.delete``."""
        await self._run(_delete(job), None)
