"""One run writes at a time: a second waits, a killed one holds nobody up, a paused one stops."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data import snapshot
from data.clock import SYSTEM
from data.errors import Conflict
from data.files import write_whole
from data.store import lease_holder, open_store, release_lease, take_lease
from data.workspace import Workspace, init, write_tables
from pipelines import exclusive
from pipelines.exclusive import TRAINING, WRITING, only_one, still_ours, writing
from serving.published import publish

PRESAGE = str(Path(sys.executable).with_name("presage"))
HOLDING = """
import sys
from data.workspace import Workspace
from pipelines.exclusive import writing
with writing(Workspace.open(sys.argv[1]), "train"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "w"
    init(folder)
    ds = pd.date_range("2025-01-06", periods=70)
    y = np.random.default_rng(0).poisson(30, len(ds))
    write_tables(folder, {"volumes": pd.DataFrame({"unique_id": "calls", "ds": ds, "y": y})})
    return Workspace.open(folder)


@contextlib.contextmanager
def held(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(workspace.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def test_a_second_run_says_who_writes_and_gives_up_in_the_end(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(workspace) as process:
        told = rf"presage train \(process {process.pid} on .*\) is writing into this workspace"
        with pytest.raises(Conflict, match=told), writing(workspace, "score", timedelta(0)):
            raise AssertionError("two at once")
    assert f"waiting for presage train (process {process.pid}" in capsys.readouterr().err


def test_a_second_run_goes_on_when_the_first_has_ended(workspace: Workspace) -> None:
    with held(workspace) as process:
        assert process.stdin is not None
        threading.Timer(0.5, process.stdin.close).start()
        with writing(workspace, "score", timedelta(seconds=60)) as lease:
            assert lease.token == 2
            still_ours()


def test_a_run_that_was_killed_holds_nobody_up(workspace: Workspace) -> None:
    with held(workspace) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with writing(workspace, "score", timedelta(0)) as lease:
            assert lease.token == 2


def test_a_second_up_is_refused_and_a_killed_one_leaves_the_place(workspace: Workspace) -> None:
    command = [PRESAGE, "up", str(workspace.path)]
    with only_one(workspace, "up"):
        told = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert told.returncode == 1
        assert f"process {os.getpid()} on" in told.stderr and "Ctrl-C" in told.stderr
    with only_one(workspace, "up"):
        pass


def test_a_run_that_lost_its_lease_must_not_publish(workspace: Workspace) -> None:
    with writing(workspace, "score") as lease:
        publish_one(workspace.state_dir, "first")
        with writing(workspace, "forecast") as inner:
            assert inner is lease
        still_ours()
        # paused for longer than the lease ran: another run, on another machine, took it
        release_lease(lease.store, WRITING, lease.token)
        take_lease(lease.store, WRITING, "presage train", timedelta(minutes=1), SYSTEM.now())
        with pytest.raises(Conflict, match="was lost to presage train"):
            still_ours()
        # whatever it was about to put in its place stays as it is
        state = workspace.state_dir
        for place in (lambda: publish_one(state, "stale"), lambda: snapshot.take(workspace)):
            before = sorted(path for path in state.rglob("*") if path.is_file())
            with pytest.raises(Conflict, match="was lost to presage train"):
                place()
            assert {*state.rglob("*.parquet")} <= {*before}
        assert json.loads((state / "published" / "monitor.json").read_bytes())["by"] == "first"
    still_ours()
    publish_one(workspace.state_dir, "again")


def publish_one(state: Path, by: str) -> None:
    moment = datetime(2025, 3, 17)
    publish(state, "monitor", pd.DataFrame({"a": [1]}), as_of=moment, now=moment, by=by)


def test_a_file_is_put_in_its_place_while_the_store_is_written(workspace: Workspace) -> None:
    with writing(workspace, "score"), open_store(workspace) as store, store.writing():
        write_whole(workspace.state_dir / "note", b"kept")  # waits for nobody
    assert (workspace.state_dir / "note").read_bytes() == b"kept"


def test_a_lease_is_renewed_while_its_holder_works(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusive, "RENEW_SECONDS", 0.01)
    with writing(workspace, "train"), open_store(workspace) as store:
        late = SYSTEM.now() + exclusive.LIFETIME  # by then the lease as it was taken has ended
        until = time.monotonic() + 60
        while lease_holder(store, WRITING, late) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        with pytest.raises(Conflict, match="presage train"):
            take_lease(store, WRITING, "somebody", timedelta(minutes=1), SYSTEM.now())


def test_who_trains_holds_up_another_training_and_nothing_else(workspace: Workspace) -> None:
    with writing(workspace, "train", name=TRAINING), held(workspace):  # it writes meanwhile
        still_ours()
    with held(workspace), writing(workspace, "train", timedelta(0), TRAINING):
        still_ours()


def test_two_forecasts_at_once_publish_one(workspace: Workspace) -> None:
    command = [PRESAGE, "forecast", str(workspace.path)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    first, second = sorted(said, key=lambda text: "published already" in text)
    assert "published already" not in first
    assert "published already" in second
    kept = (workspace.state_dir / "published").glob("forecast-*.parquet")
    assert len(list(kept)) == 1


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))


def test_a_file_that_cannot_grow_is_named_with_step_and_mend(workspace: Workspace) -> None:
    rows = 200_000
    rng = np.random.default_rng(0)
    usage = pd.DataFrame({"customer_id": "a", "feature": [rng.bytes(9).hex() for _ in range(rows)]})
    usage["used_at"] = pd.Timestamp("2025-01-06")
    usage["event_id"] = range(rows)
    write_tables(workspace.path, {"usage": usage})
    done = subprocess.run(
        [PRESAGE, "forecast", str(workspace.path)],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=small_files,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "unexpected" not in last and "Traceback" not in done.stderr
    assert str(workspace.state_dir / "snapshots") in last
    assert "File too large" in last and "ulimit -f" in last and " while " in last
    # nothing is left of it, and with room again it works
    assert not list((workspace.state_dir / "snapshots").glob("[!.]*"))
    again = subprocess.run([PRESAGE, "forecast", str(workspace.path)], check=False, timeout=300)
    assert again.returncode == 0
    assert len(list((workspace.state_dir / "snapshots").iterdir())) == 1


def test_two_schedulers_at_the_same_moment_run_one_after_the_other() -> None:
    """Small; the whole is ``python -m benchmarks.races``."""
    command = [sys.executable, "-m", "benchmarks.races", "--races", "6", "--expired", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:4] for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert rows[0][2].strip() == "12 runs of 12"
    assert all(bar.strip() == seen.strip() == "0" for _, bar, seen in rows[1:])
