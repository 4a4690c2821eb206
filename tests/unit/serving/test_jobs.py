"""A job goes on where it ended, stays with the scores that it began with, and leaves nothing."""

from __future__ import annotations

import io
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.clock import Clock
from data.errors import UsageError
from serving.jobs.ids import CSV, LINES, PARQUET, ids_in, rows_of
from serving.jobs.job import BATCH_ROWS, RESULT, Job, put_job, read_job, read_jobs, remove_job
from serving.jobs.runner import Runner
from serving.night import Scores
from serving.published import newest, publish

NOW = datetime(2026, 3, 2, 10)
MIDNIGHT = datetime(2026, 3, 2)
ROWS = 4 * BATCH_ROWS + 100


@dataclass
class Quiet:
    """Nothing was posted; everybody else is unknown."""

    here: dict[str, str] = field(default_factory=dict)

    def take_in(self) -> None:
        pass

    def has_news(self, customer_id: str, since: datetime) -> bool:
        return customer_id in self.here

    def standing(self, customer_ids: Sequence[str]) -> dict[str, str]:
        return {i: self.here[i] for i in customer_ids if i in self.here}


def publish_scores(state: Path, risk: float, day: datetime = MIDNIGHT) -> None:
    ids = [f"c{number}" for number in range(ROWS - 50)]
    frame = pd.DataFrame({"customer_id": ids, "as_of": day, "risk_7d": risk, "topic": "billing"})
    frame["reasons"] = "[]"
    publish(state, "scores", frame, as_of=day, now=day, model_version=f"risk-{risk}")


def runner_of(state: Path) -> Runner:
    def now_published() -> tuple[object, Scores]:
        found = newest(state, "scores")
        assert found is not None
        return found, Scores(found.frame)

    return Runner(state / "jobs", state / "published", Clock(NOW), 7, Quiet(), now_published)  # type: ignore[arg-type]


def job_of(state: Path, name: str = "j1") -> Job:
    found = newest(state, "scores")
    assert found is not None
    rows = rows_of([f"c{number}" for number in range(ROWS)], ROWS)
    about = {"key": "crm", "request": "", "created_at": NOW.isoformat(), "horizons": [7]}
    return put_job(state / "jobs", name, rows, about | {"scores": found.about})


def result_of(job: Job) -> pd.DataFrame:
    assert job.state() == "done", job.end()
    return pq.read_table(job.folder / RESULT).to_pandas()


KILLED = """
import os, sys
from pathlib import Path
from tests.unit.serving.test_jobs import read_job, runner_of
state, batches = Path(sys.argv[1]), []
def note(*about):
    batches.append(about)
    if len(batches) == 3:
        os.kill(os.getpid(), 9)
runner = runner_of(state)
runner.note = note
runner.work(read_job(state / "jobs", "j1"))
"""


def test_a_job_that_was_killed_goes_on_at_its_last_batch(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    job = job_of(tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert (job.state(), job.rows_done()) == ("running", 2 * BATCH_ROWS)
    batches: list[str] = []
    runner = runner_of(tmp_path)
    runner.note = lambda key, call, about, request: batches.append(request)
    runner.work(job)
    assert len(batches) == job.batches - 2
    frame = result_of(job)
    assert frame["row"].tolist() == list(range(1, ROWS + 1))
    assert frame["customer_id"].tolist() == [f"c{number}" for number in range(ROWS)]
    assert (frame["status"].value_counts().to_dict()) == {"scored": ROWS - 50, "unknown": 50}
    assert (job.end() or {})["rows_with_error"] == 50
    assert {path.name for path in job.folder.iterdir()} == {
        "job.json", "rows.parquet", "result.parquet", "end.json"
    }  # fmt: skip


def test_a_night_that_publishes_in_between_changes_nothing(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    job, runner = job_of(tmp_path), runner_of(tmp_path)

    def publish_then(*_: object) -> None:
        runner.note = lambda *_: None
        publish_scores(tmp_path, 0.75, datetime(2026, 3, 3))

    runner.note = publish_then
    runner.work(job)
    scored = result_of(job).dropna(subset="risk_7d")
    assert set(scored["risk_7d"]) == {0.25}
    assert set(scored["model_version"]) == {"risk-0.25"}
    assert set(scored["as_of"]) == {pd.Timestamp(MIDNIGHT)}


def test_a_job_whose_scores_are_gone_says_so(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    job = job_of(tmp_path)
    publish_scores(tmp_path, 0.75, datetime(2026, 3, 3))
    (tmp_path / "published" / str(job.scores["file"])).unlink()
    runner_of(tmp_path).work(job)
    assert job.state() == "failed"
    assert "send it again" in (job.end() or {})["detail"]


def test_a_job_removed_while_it_runs_leaves_nothing(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    job, runner = job_of(tmp_path), runner_of(tmp_path)
    runner.note = lambda *_: remove_job(job)
    runner.work(job)
    assert list((tmp_path / "jobs").iterdir()) == []


def test_one_job_is_worked_on_by_one_process(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    job = job_of(tmp_path)
    with job.held() as ours:
        assert ours
        runner_of(tmp_path).work(job)
        assert job.state() == "waiting"
    runner_of(tmp_path).work(job)
    assert job.state() == "done"


def test_live_requests_come_first(tmp_path: Path) -> None:
    """While the API is busy nothing is answered, for a second at most; then it goes on."""
    publish_scores(tmp_path, 0.25)
    runner = runner_of(tmp_path)
    seen: list[int] = []

    def busy() -> bool:
        seen.append(len(list(job.folder.glob("part-*"))))
        return len(seen) < 3

    job = job_of(tmp_path)
    runner.busy = busy
    runner.work(job)
    assert seen[:3] == [1, 1, 1]
    assert job.state() == "done"


def test_the_thread_works_on_what_waits_and_ends(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    jobs, runner = [job_of(tmp_path, name) for name in ("a", "b")], runner_of(tmp_path)
    runner.wake()
    assert runner.idle.wait(60)
    assert [job.state() for job in jobs] == ["done", "done"]
    runner.close()
    assert "jobs" not in {thread.name for thread in threading.enumerate()}


def test_a_job_that_cannot_go_on_now_holds_up_no_other(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    first, runner = job_of(tmp_path, "a"), runner_of(tmp_path)
    scores = tmp_path / "published" / str(first.scores["file"])
    publish_scores(tmp_path, 0.5, MIDNIGHT + timedelta(days=1))
    scores.write_bytes(b"damaged")
    second = job_of(tmp_path, "b")
    runner.wake()
    assert runner.idle.wait(60)
    assert [job.state() for job in (first, second)] == ["waiting", "done"]
    runner.close()


def test_a_job_that_another_process_ended_meanwhile_is_not_begun_again(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    job, runner = job_of(tmp_path), runner_of(tmp_path)
    runner.work(job)
    runner.note = lambda *about: pytest.fail("it was answered twice")
    runner.work(job)
    assert job.state() == "done"


def test_what_is_no_job_is_left_alone(tmp_path: Path) -> None:
    publish_scores(tmp_path, 0.25)
    job = job_of(tmp_path)
    (job.folder / "job.json").write_text("{")
    (tmp_path / "jobs" / "notes").mkdir()
    assert read_jobs(tmp_path / "jobs") == []
    assert read_job(tmp_path / "jobs", "../published") is None


def test_numbers_are_ids_and_a_hole_among_them_is_blank() -> None:
    frame = pd.DataFrame({"customer_id": [7.0, None, 8.5]})
    rows = ids_in(frame.to_parquet(index=False), PARQUET, 10)
    assert rows.column("customer_id").to_pylist() == ["7", None, None]
    assert rows.column("status").to_pylist() == [None, "blank", "unreadable"]
    assert ids_in(b"12", LINES, 10).column("customer_id").to_pylist() == ["12"]


def test_a_file_that_swells_takes_no_memory() -> None:
    """A value may stand in every row, once in the file (a dictionary) or packed small."""
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000, pa.int32()), ["x" * 1_000_000])
    table, sink = pa.table({"customer_id": words}), io.BytesIO()
    pq.write_table(table, sink, dictionary_pagesize_limit=1 << 24)
    rows = ids_in(sink.getvalue(), PARQUET, 10_000)
    assert set(rows.column("status").to_pylist()) == {"unreadable"}
    assert len(rows.column("customer_id")[0].as_py()) == 200
    sink = io.BytesIO()
    pq.write_table(table[:30], sink, use_dictionary=False)
    with pytest.raises(UsageError, match="too much memory"):
        ids_in(sink.getvalue(), PARQUET, 10_000)


def test_a_damaged_file_is_refused_or_read_and_nothing_else() -> None:
    frame = pd.DataFrame({"customer_id": [f"c{number}" for number in range(50)]})
    draw = random.Random(3)
    kinds = (
        (frame.to_parquet(index=False), PARQUET),
        (frame.to_csv(index=False).encode(), CSV),
        (frame.to_json(orient="records", lines=True).encode(), LINES),
    )
    outcomes = Counter[str]()
    for content, media in kinds:
        for _ in range(300):
            damaged = bytearray(content)
            for _ in range(draw.choice([1, 3, 20])):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            try:
                outcomes["read"] += ids_in(bytes(damaged), media, 1_000).num_rows > 0
            except UsageError:
                outcomes["refused"] += 1
    assert outcomes["read"] > 200 and outcomes["refused"] > 200


@pytest.mark.parametrize("column", [[["a"]], [{"a": 1}], [b"\xff"], [True], [MIDNIGHT]])
def test_a_column_that_holds_no_ids_harms_nobody(column: list[object]) -> None:
    content = pd.DataFrame({"customer_id": column}).to_parquet(index=False)
    try:
        assert ids_in(content, PARQUET, 10).column("status").to_pylist() == ["unreadable"]
    except UsageError as error:
        assert "cannot be read" in str(error) or "no plain ids" in str(error)


def test_times_of_a_zone_that_there_is_not_are_no_ids() -> None:
    times = pa.array([1], pa.timestamp("us", "Nowhere/Zone"))
    buffer = io.BytesIO()
    pq.write_table(pa.table({"customer_id": times}), buffer)
    with pytest.raises(UsageError, match="no plain ids"):
        ids_in(buffer.getvalue(), PARQUET, 10)
