"""What a verb shows: progress while it works, then its result as text or as JSON.

Progress goes to standard error, and only where a person watches; the result goes to standard
output, so `presage ... --json | jq` works. Nothing else in Presage prints.

>>> Result({"rows": 3}, ["3 rows written"]).data["rows"]
3
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from data.errors import at_step


class Progress(Protocol):
    """Takes a line about what is being done, and optionally how far it is (0 to 1)."""

    def __call__(self, message: str, share: float | None = None) -> None: ...


def silent(message: str, share: float | None = None) -> None:
    """Progress that nobody watches."""


class Timed:
    """Progress that remembers how long each stage took: what a message says before a colon.

    >>> watched = Timed(silent)
    >>> for message in ("computing features", "search: trial 1", "search: trial 2"):
    ...     watched(message)
    >>> [line.split(" of CPU ")[1] for line in watched.ended()]
    ['computing features', 'search']
    """

    def __init__(self, report: Progress) -> None:
        self._report = report
        self._stages: list[tuple[str, float, float]] = []

    def __call__(self, message: str, share: float | None = None) -> None:
        stage = message.partition(":")[0]
        if not self._stages or stage != self._stages[-1][0]:
            self._stages.append((stage, time.perf_counter(), time.process_time()))
        self._report(message, share)

    @property
    def seconds(self) -> float:
        """Since the first message."""
        return time.perf_counter() - self._stages[0][1] if self._stages else 0.0

    def ended(self) -> list[str]:
        """Where the time went: a line for each stage, in their order."""
        ends = [*self._stages[1:], ("", time.perf_counter(), time.process_time())]
        return [
            f"  {until - since:4.0f} s, {cpu_until - cpu_since:4.0f} s of CPU {stage}"
            for (stage, since, cpu_since), (_, until, cpu_until) in zip(
                self._stages, ends, strict=True
            )
        ]


@dataclass(frozen=True)
class Result:
    """What a verb found: ``data`` for ``--json``, ``lines`` for a person, and the exit code."""

    data: dict[str, Any]
    lines: Sequence[str] = field(default_factory=list)
    exit_code: int = 0


def emit(result: Result, as_json: bool) -> None:
    """Print the result to standard output."""
    if as_json:
        sys.stdout.write(json.dumps(result.data, default=str, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(result.lines) + "\n")


def say(message: str) -> None:
    """One line to standard error: a default that was used, a warning."""
    sys.stderr.write(message + "\n")


@contextmanager
def progress(as_json: bool) -> Iterator[Progress]:
    """A progress line on a terminal; plain lines elsewhere, none with ``--json``.

    An error of the block remembers the last step that was reported.
    """
    step = "starting"
    with _shown(as_json) as show:

        def report(message: str, share: float | None = None) -> None:
            nonlocal step
            step = message
            show(message, share)

        try:
            yield report
        except Exception as error:
            with at_step(step):
                raise error


@contextmanager
def _shown(as_json: bool) -> Iterator[Progress]:
    if as_json:
        yield silent
    elif not sys.stderr.isatty():
        last: list[str] = [""]

        def plain(message: str, share: float | None = None) -> None:
            if message != last[0]:
                say(f"  {message}")
                last[0] = message

        yield plain
    else:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24))
        with Bar(
            *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
        ) as bar:
            task = bar.add_task("starting", total=None)

            def live(message: str, share: float | None = None) -> None:
                total = None if share is None else 1.0
                bar.update(task, description=message, total=total, completed=share or 0.0)

            yield live


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows as aligned text: numbers to the right, words to the left.

    >>> print("\\n".join(table(["channel", "agents"], [["email", 3], ["phone", 12]])))
    channel  agents
    email         3
    phone        12
    """
    cells = [[str(value) for value in row] for row in rows]
    widths = [
        max(len(name), *(len(row[i]) for row in cells)) if cells else len(name)
        for i, name in enumerate(header)
    ]
    right = [
        bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        for i in range(len(header))
    ]

    def line(row: Sequence[str]) -> str:
        parts = [
            value.rjust(width) if flush else value.ljust(width)
            for value, width, flush in zip(row, widths, right, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return [line(list(header)), *(line(row) for row in cells)]
