"""Processes that belong together: told when up, named when one dies, gone when we stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data.errors import PresageError, UsageError
from pipelines.processes import (
    LOG_BYTES,
    PACKAGES,
    Process,
    free_port,
    start,
    stop_all,
    until_signalled,
    watch,
)

WAITS = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile 1: signal.pause()"


def python(name: str, code: str, folder: Path, url: str | None = None) -> Process:
    return start(name, [sys.executable, "-c", code], folder / f"{name}.log", url=url)


def test_each_is_told_once_and_all_are_ended(tmp_path: Path) -> None:
    processes = [python("one", WAITS, tmp_path), python("two", WAITS, tmp_path)]
    told: list[str] = []
    stopped = threading.Event()
    watch(
        processes,
        up_within_seconds=20,
        tell=lambda process: told.append(process.name),
        then=stopped.set,
        stopped=stopped,
    )
    stop_all(processes)
    assert told == ["one", "two"]
    assert [process.popen.returncode for process in processes] == [-signal.SIGTERM] * 2


def test_what_a_crash_left_in_the_log_is_kept_by_the_next_start(tmp_path: Path) -> None:
    for said in ("first crash", "second crash"):
        process = python("api", f"print({said!r})", tmp_path)
        process.popen.wait(20)
        assert process.last_words() == said
    quiet = python("api", "", tmp_path)
    quiet.popen.wait(20)
    assert quiet.last_words() == "nothing"  # the words of those before are not its own
    assert (tmp_path / "api.log").read_text() == "first crash\nsecond crash\n"
    (tmp_path / "api.log").write_bytes(b"x" * (LOG_BYTES + 1))
    python("api", "print('third')", tmp_path).popen.wait(20)
    assert (tmp_path / "api.log").read_text() == "third\n"
    assert (tmp_path / "api.log.1").stat().st_size == LOG_BYTES + 1


def test_one_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    processes = [
        python("steady", WAITS, tmp_path),
        python("weak", "import sys; print('no such\\nport'); sys.exit(3)", tmp_path),
    ]
    processes[1].popen.wait(20)
    with pytest.raises(PresageError, match=r"weak ended by itself \(exit 3\): port"):
        watch(
            processes,
            up_within_seconds=20,
            tell=lambda process: None,
            stopped=threading.Event(),
        )
    stop_all(processes)


def test_one_that_never_answers_is_named(tmp_path: Path) -> None:
    port = free_port("127.0.0.1", 0)
    processes = [python("mute", WAITS, tmp_path, url=f"http://127.0.0.1:{port}/")]
    with pytest.raises(PresageError, match="mute did not answer within 0 s"):
        watch(
            processes,
            up_within_seconds=0.1,
            tell=lambda process: None,
            stopped=threading.Event(),
        )
    stop_all(processes)


def test_one_that_does_not_listen_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.processes.STOP_SECONDS", 0.2)
    process = python("stubborn", STUBBORN, tmp_path)
    process.stop()
    assert process.popen.returncode in (-signal.SIGKILL, -signal.SIGTERM)


def test_a_signal_sets_the_event_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with until_signalled() as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.wait(60)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_taken_port_is_refused_by_number() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            free_port("127.0.0.1", port)
    assert free_port("127.0.0.1", port) == port


def test_one_that_is_at_something_leaves_soon_after_its_parent(tmp_path: Path) -> None:
    busy = (
        "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "from data.children import leave_without_parent\n"
        "leave_without_parent(os.getppid(), 0.2)\n"
        "print(os.getpid(), flush=True)\n"
        "while True: pass"
    )
    master = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}])\n"
        "import signal; signal.pause()"
    )
    environ = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    process = subprocess.Popen([sys.executable, "-c", master], stdout=subprocess.PIPE, env=environ)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    process.wait(10)
    until = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()
