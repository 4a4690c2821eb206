"""Processes that belong together: started, waited for, watched, and stopped as one.

Each writes to a log of its own, and dies with us: on Linux the kernel ends it when we are gone. A
process that is not up in time, or ends by itself, is told by name with the last line of its log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.children import end_with_parent
from data.errors import PresageError, UsageError
from data.settings import child_environment

POLL_SECONDS = 0.2
STOP_SECONDS = 15.0
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""What -P says, for the processes that these processes start."""
PACKAGES = Path(__file__).parents[1]
"""The folder of our packages."""
LOG_BYTES = 10 * 2**20
"""A log that has grown past this is set aside when its process starts again."""


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module as ``python -m`` does, without looking for modules in the
    folder it works in: a ``random.py`` of the user's there is data."""
    return [sys.executable, "-P", "-m", module, *arguments]


@dataclass
class Process:
    """A started process; ``url`` answers once it is up (None: up as soon as it runs)."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    url: str | None
    up: bool = False
    log_start: int = 0

    def answers(self) -> bool:
        """Whether it is up by now."""
        if self.url is None:
            return True
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:
                return bool(answer.status < 400)
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def last_words(self) -> str:
        """The last line of its log that says something."""
        text = self.log.read_bytes()[self.log_start :] if self.log.exists() else b""
        lines = text.decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")

    def stop(self) -> None:
        """Ask it to end, and end it and what it started if it does not."""
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


def start(
    name: str,
    command: Sequence[str],
    log: Path,
    *,
    url: str | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Process:
    """Start a process in a group of its own, so that Ctrl-C reaches us alone and we stop it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as out:  # what a crash left in it is still wanted
        start_at = out.tell()
        popen = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=child_environment({**(environ or {}), **SAFE_PATH}),
            cwd=folder,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    return Process(name, popen, log, url, log_start=start_at)


def watch(
    processes: list[Process],
    *,
    up_within_seconds: float,
    tell: Callable[[Process], None],
    then: Callable[[], None] = lambda: None,
    every_minute: Callable[[], None] = lambda: None,
    stopped: threading.Event,
) -> None:
    """Until ``stopped``: tell once of each process as it comes up, ``then`` when all are, and call
    ``every_minute`` from then on.

    PresageError names the first that is not up in time or ends. Processes that ``tell`` or
    ``then`` add to the list are watched too.
    """
    waited, all_up, next_minute = 0.0, False, 0.0
    while not stopped.is_set():
        for process in list(processes):
            if process.popen.poll() is not None:
                raise PresageError(
                    f"{process.name} ended by itself (exit {process.popen.returncode}): "
                    f"{process.last_words()} - its log is {process.log}"
                )
            if not process.up and process.answers():
                process.up = True
                tell(process)
        late = [process for process in processes if not process.up]
        if late and waited > up_within_seconds:
            raise PresageError(
                f"{late[0].name} did not answer within {up_within_seconds:.0f} s: "
                f"{late[0].last_words()} - its log is {late[0].log}"
            )
        if not late and not all_up:
            all_up = True
            then()
        if all_up and waited >= next_minute:
            next_minute = waited + 60.0
            every_minute()
        stopped.wait(POLL_SECONDS)
        waited += POLL_SECONDS


def stop_all(processes: Sequence[Process]) -> None:
    """Stop them, the last started first."""
    for process in reversed(processes):
        process.stop()


@contextlib.contextmanager
def until_signalled() -> Iterator[threading.Event]:
    """An event that Ctrl-C or a request to end sets; the handlers from before come back after."""
    stopped = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def free_port(host: str, port: int) -> int:
    """``port`` if nobody listens there, or any free one for 0; UsageError if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be used ({error.strerror}); stop what listens there or "
                "choose another port"
            ) from None
        return int(probe.getsockname()[1])
