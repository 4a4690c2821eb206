"""A verb in a process of its own that is killed, or whose disk fails, at one call on a file.

The process is a fork of this one, which has imported everything and started no thread. What counts
the calls and breaks them is ``crash_shim.c``, compiled by ``cc`` and loaded before libc: this
process has to be started with it (``with_shim``).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COUNT, KILL, FAIL_ONCE, FAIL_ON, READS = range(5)
SHIM = "presage-crash-shim.so"
HEAVY = (
    "alembic.command", "duckdb", "lightgbm", "pandas", "pyarrow.compute", "pyarrow.parquet",
    "scipy.optimize", "scipy.stats", "sklearn.linear_model", "pipelines.flows", "models.volume",
    "models.registry", "models.risk.model", "serving.predictor",
)  # fmt: skip
SERVE = "serve"
LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Fault:
    """What happens at the call of a number: ``how`` a word of the table, ``mode`` and ``error``
    as the shim takes them."""

    how: str
    mode: int
    error: int = 0


KILLED = Fault("killed", KILL)
FULL = Fault("disk full from then on", FAIL_ON, errno.ENOSPC)
BROKEN = Fault("one I/O error", FAIL_ONCE, errno.EIO)


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (negative: the signal), what it said, its seconds."""

    code: int
    said: str
    seconds: float


def with_shim(module: str, arguments: Sequence[str]) -> None:
    """Go on as ``python -m MODULE`` with the shim loaded, compiled if need be; returns at once
    where it is loaded. SystemExit where there is no compiler."""
    if SHIM in os.environ.get("LD_PRELOAD", ""):
        return
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("no C compiler: install gcc, the calls are broken by a small library")
    place = Path(tempfile.mkdtemp(prefix="presage-crash-")) / SHIM
    source = Path(__file__).with_name("crash_shim.c")
    subprocess.run([compiler, "-O2", "-fPIC", "-shared", "-o", place, source, "-ldl"], check=True)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "LD_PRELOAD": str(place), "PYTHONHASHSEED": "0"}
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], environment)


def import_all() -> None:
    """What verbs import, once, before the first fork."""
    import importlib

    for name in HEAVY:
        importlib.import_module(name)


def calls_of(
    verb: Sequence[str], folder: Path, mode: int = COUNT
) -> tuple[Ended, list[tuple[str, str]]]:
    """The verb undisturbed: each call on a file below the folder as kind and path; with ``READS``
    also the files that are opened to be read."""
    with tempfile.TemporaryFile() as log:
        ended = run(verb, folder, Fault("", mode), 0, log.fileno())
        log.seek(0)
        lines = log.read().decode().splitlines()
    return ended, [(kind, path) for kind, _, path in (line.partition(" ") for line in lines)]


def run(
    verb: Sequence[str],
    folder: Path,
    fault: Fault | None = None,
    number: int = 0,
    log: int = -1,
    kill_after: float | None = None,
) -> Ended:
    """``presage VERB``, broken at the call of that number, or killed after so many seconds."""
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _be_the_verb(verb, folder, fault, number, log, said.fileno())
        limit = LONGEST_SECONDS if kill_after is None else kill_after
        code = _waited(child, began + limit)
        seconds = time.monotonic() - began
        said.seek(0)
        return Ended(code, said.read().decode(errors="replace"), seconds)


def _waited(child: int, until: float) -> int:
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_the_verb(
    verb: Sequence[str], folder: Path, fault: Fault | None, number: int, log: int, said: int
) -> None:
    """In the child: never returns."""
    code = 99
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        from pipelines.cli import app

        sys.argv = ["presage", *verb]
        if fault is not None:
            shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
            place = os.path.realpath(folder).encode()
            shim.crash_arm(place, ctypes.c_long(number), fault.mode, fault.error, ctypes.c_int(log))
        if verb[0] == SERVE:
            from benchmarks.service_answers import ask_all

            ask_all(folder, verb[2])
        else:
            app(standalone_mode=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # a traceback is what is looked for
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
