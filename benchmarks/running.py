"""What benchmarks share: a command as a user types it, with what it took; a table in Markdown."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PRESAGE = Path(sys.executable).with_name("presage")


@dataclass(frozen=True)
class Run:
    """Wall seconds, the peak resident memory of the process in GiB, and its CPU seconds."""

    seconds: float
    peak_gib: float
    cpu_seconds: float


def presage(*arguments: object, log: Path) -> Run:
    """``presage ARGUMENTS``; raises with the end of its output when it fails."""
    command = [str(PRESAGE), *map(str, arguments)]
    began = time.perf_counter()
    with log.open("a") as file:
        file.write(f"$ presage {' '.join(command[1:])}\n")
        file.flush()
        process = subprocess.Popen(command, stdout=file, stderr=file)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise SystemExit(f"presage {' '.join(command[1:])} exited {process.returncode}:\n{tail}")
    return Run(seconds, usage.ru_maxrss / 2**20, usage.ru_utime + usage.ru_stime)


def show(header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    for line in (header, ["---"] * len(header), *lines):
        print("| " + " | ".join(line) + " |")
