"""Is a person gone, whenever the erasure is killed? ``python -m benchmarks.erasure``

A small workspace in which twenty strings of one person stand in every place; the verb is killed
(SIGKILL, leases held) before each of its steps and run again. Counted are strings that are left in
a search that shares no code with the eraser, and runs whose end differs from an undisturbed one's.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet  # noqa: F401  # loaded before a process is split, so that each has it

from benchmarks.erasure_person import PLANTED, WHO, planted, standing, state_of
from pipelines.erasing import erase_customer


def main() -> None:
    """Print what was found."""
    with tempfile.TemporaryDirectory() as at:
        base = Path(at)
        _apart(lambda: planted(base / "planted"))
        shutil.copytree(base / "planted", base / "undisturbed")
        _apart(lambda: (base / "steps").write_text("\n".join(_erased(base / "undisturbed"))))
        steps = (base / "steps").read_text().split("\n")
        left, other = 0, 0
        for number, step in enumerate(steps):
            folder = base / "killed"
            shutil.copytree(base / "planted", folder)
            _apart(lambda f=folder, n=number: _erased(f, kill_at=n))  # type: ignore[misc]
            _apart(lambda f=folder: _erased(f))  # type: ignore[misc]
            checked = base / "checked"

            def check(f: Path = folder, to: Path = checked) -> None:
                same = state_of(f) == state_of(base / "undisturbed")
                to.write_text(f"{len(standing(f))} {int(not same)}")

            _apart(check)
            strings, differs = map(int, checked.read_text().split())
            left, other = left + strings, other + differs
            if strings or differs:
                sys.stdout.write(f"killed before {step}: {strings} left, differs: {differs}\n")
            shutil.rmtree(folder)
        sys.stdout.write(
            f"{len(PLANTED)} strings of one person; killed before each of {len(steps)} steps and "
            f"run again: {left} strings left, {other} ends that differ from an undisturbed run\n"
        )


def _erased(folder: Path, kill_at: int = -1) -> list[str]:
    steps: list[str] = []

    def report(step: str, *_: object) -> None:
        if len(steps) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        steps.append(step)

    erase_customer(folder, WHO, True, report)
    return steps


def _apart(work: Callable[[], object]) -> None:
    """In a process of its own, which may be killed."""
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status and os.WTERMSIG(status) != signal.SIGKILL:
        raise SystemExit(f"a process ended with status {status}")


if __name__ == "__main__":
    main()
