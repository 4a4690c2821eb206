"""What ran when: of each verb the run that is on, with the step that it is at, and the last ones.

One small file a verb and lease, replaced whole by the one process that may run it:

    .presage/runs/writing-score.json    {"current": {...} or null, "past": [{...}, ...]}

A run that was killed stays ``current`` until the next one begins; whether it still lives is said by
its lease (serving/monitoring/nights.py). Errors are kept by the names of their classes only: their
messages may name people.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     times = iter(datetime(2026, 3, 2, hour) for hour in range(9))
...     record = RunRecord(Path(folder), "score", "writing", 7, "process 12", lambda: next(times))
...     with record, record.step("open-run"):
...         pass
...     (runs,) = runs_in(Path(folder))
>>> runs.current is None, runs.past[0].steps[0].seconds
(True, 3600.0)
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from data.files import write_whole

FOLDER = "runs"
SCHEDULE = "schedule.json"
KEEP = 20
"""So many past runs of a verb are kept."""


@dataclass(frozen=True)
class StepTime:
    """A step of a run; ``seconds`` None: it has not ended."""

    name: str
    started_at: datetime
    seconds: float | None = None


@dataclass(frozen=True)
class OneRun:
    """A run of a verb: under which lease and token (0: none), by whom, when, in which steps.
    ``ended_at`` None: it runs, or was killed. ``error``: the class of what ended it."""

    verb: str
    lease: str
    token: int
    holder: str
    started_at: datetime
    ended_at: datetime | None = None
    error: str = ""
    steps: tuple[StepTime, ...] = ()

    @property
    def step(self) -> StepTime | None:
        """The step that it is at."""
        return self.steps[-1] if self.steps and self.steps[-1].seconds is None else None


@dataclass(frozen=True)
class Runs:
    """The runs of a verb: the one that is on, and those before, the newest last."""

    current: OneRun | None = None
    past: tuple[OneRun, ...] = field(default=())

    @property
    def newest(self) -> OneRun | None:
        """The one that began last."""
        return self.current or (self.past[-1] if self.past else None)


class RunRecord:
    """A run that is written down while it lasts; a context manager."""

    def __init__(
        self,
        state_dir: Path,
        verb: str,
        lease: str,
        token: int,
        holder: str,
        now: Callable[[], datetime],
    ) -> None:
        name = re.sub(r"[^a-z0-9]+", "-", f"{lease}-{verb}".lower()).strip("-")
        self._path, self._now = state_dir / FOLDER / f"{name}.json", now
        self._run = OneRun(verb, lease, token, holder, now())
        before = _runs_of(self._path) or Runs()
        killed = () if before.current is None else (before.current,)
        self._past = (*before.past, *killed)[-KEEP:]

    def __enter__(self) -> RunRecord:
        self._write(Runs(self._run, self._past))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        name = "" if kind is None else kind.__name__
        ended = replace(self._run, ended_at=self._now(), error=name)
        self._write(Runs(None, (*self._past, ended)[-KEEP:]))

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step of the run; one inside another counts as that one."""
        if self._run.step is not None:
            yield
            return
        started_at, before = self._now(), self._run.steps
        self._run = replace(self._run, steps=(*before, StepTime(name, started_at)))
        self._write(Runs(self._run, self._past))
        try:
            yield
        finally:
            seconds = (self._now() - started_at).total_seconds()
            step_time = StepTime(name, started_at, seconds)
            self._run = replace(self._run, steps=(*before, step_time))

    def _write(self, runs: Runs) -> None:
        text = json.dumps(asdict(runs), default=lambda moment: moment.isoformat(), indent=1)
        # a disk that is full ends the work itself, not the note about it
        with contextlib.suppress(OSError):
            write_whole(self._path, text.encode(), is_fenced=False)


def runs_in(state_dir: Path) -> list[Runs]:
    """The runs of every verb that is written down."""
    paths = sorted((state_dir / FOLDER).glob("*.json"))
    every = [_runs_of(path) for path in paths if path.name != SCHEDULE]
    return [runs for runs in every if runs is not None]


def _runs_of(path: Path) -> Runs | None:
    """None where the file is not there, or not ours: the next run replaces it."""
    try:
        content = json.loads(path.read_bytes())
        current = content["current"]
        return Runs(
            None if current is None else _run_of(current), tuple(map(_run_of, content["past"]))
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _run_of(content: dict[str, Any]) -> OneRun:
    steps = tuple(
        StepTime(**{**step, "started_at": datetime.fromisoformat(step["started_at"])})
        for step in content["steps"]
    )
    ended = content["ended_at"]
    times = {
        "started_at": datetime.fromisoformat(content["started_at"]),
        "ended_at": None if ended is None else datetime.fromisoformat(ended),
    }
    return OneRun(**{**content, **times, "steps": steps})


@dataclass(frozen=True)
class Schedule:
    """When nights begin: a local time (``"00:15"``) of a zone, ``since`` a moment."""

    at: str
    time_zone: str
    since: datetime


def keep_schedule(state_dir: Path, schedule: Schedule | None) -> None:
    """Write down when nights begin; None: they no longer do by themselves."""
    path = state_dir / FOLDER / SCHEDULE
    if schedule is None:
        path.unlink(missing_ok=True)
        return
    about = {**asdict(schedule), "since": schedule.since.isoformat()}
    write_whole(path, json.dumps(about, indent=1).encode())


def schedule_in(state_dir: Path) -> Schedule | None:
    """When nights begin; None where nothing starts them."""
    try:
        about = json.loads((state_dir / FOLDER / SCHEDULE).read_bytes())
        return Schedule(**{**about, "since": datetime.fromisoformat(about["since"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
