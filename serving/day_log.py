"""What happened, line by line, in a folder a day: written by a thread, so that nobody waits.

A line is made when it is written, not when it is added. A process that is killed loses the lines
of its last second.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     log = DayLog(Path(folder), "seen", keep_days=30, line=lambda now, what: {"what": what})
...     log.add(["a", "b"], datetime(2026, 3, 2))
...     log.close()
...     [row["what"] for row in lines(Path(folder))]
['a', 'b']
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

log = logging.getLogger("presage.api")

ENCODER = msgspec.json.Encoder(enc_hook=lambda number: number.item())
"""Of NumPy's numbers too."""

SECONDS = 1.0
"""So often what was added since is written."""
TURN = 20
"""So many lines are encoded without a pause."""
PAUSE = 0.002
"""Seconds of a pause, in which whoever answers goes on: a second's lines encoded at once would make
three in a hundred answers late."""
MOST = 200_000
"""So much waits to be written at most; more is counted and left out."""


class DayLog:
    """Lines below ``home``, kept ``keep_days`` days (0: not at all); ``line`` makes one."""

    def __init__(
        self,
        home: Path,
        name: str,
        *,
        keep_days: int,
        line: Callable[[datetime, Any], dict[str, Any]],
    ) -> None:
        self.home, self.keep_days = home, keep_days
        self._line = line
        self._name = f"{name}-{secrets.token_hex(4)}.jsonl"
        self._waiting: list[tuple[datetime, Any]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._left_out = 0
        self._thread: threading.Thread | None = None

    def add(self, things: Iterable[Any], now: datetime) -> None:
        """Keep these; they are not changed afterwards."""
        if self.keep_days == 0:
            return
        with self._lock:
            room = MOST - len(self._waiting)
            new = list(things)
            self._waiting += [(now, thing) for thing in new[:room]]
            self._left_out += max(len(new) - room, 0)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._write, daemon=True, name=self._name)
                self._thread.start()

    def _write(self) -> None:
        while not self._stop.wait(SECONDS):
            self.flush(PAUSE)

    def flush(self, pause: float = 0.0) -> None:
        """Write what is there; ``pause``: seconds that others are given after each few lines."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            left_out, self._left_out = self._left_out, 0
        if left_out:
            log.warning("%s lines of %s came too fast to be kept", left_out, self.home.name)
        by_day: dict[date, list[bytes]] = {}
        for number, (now, thing) in enumerate(waiting, 1):
            text = ENCODER.encode({"at": now.isoformat(), **self._line(now, thing)})
            by_day.setdefault(now.date(), []).append(text)
            if number % TURN == 0:
                time.sleep(0 if self._stop.is_set() else pause)
        for day, texts in by_day.items():
            folder = self.home / day.isoformat()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with (folder / self._name).open("ab") as file:
                    file.write(b"\n".join([*texts, b""]))
            except OSError as error:
                log.error("%s lines of %s could not be kept: %s", len(texts), folder, error)

    def close(self) -> None:
        """Write what is left."""
        self._stop.set()
        self.flush()


def lines(home: Path, since: datetime | None = None) -> Iterator[dict[str, Any]]:
    """What was written on days from ``since`` on, day by day."""
    for folder in days(home):
        if since is not None and folder.name < since.date().isoformat():
            continue
        for path in sorted(folder.glob("*.jsonl")):
            yield from lines_of(path)


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of one file; the last one of a process that was killed is passed over."""
    for text in path.read_text("utf-8").splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(text)


def drop_old(home: Path, now: datetime, keep_days: int) -> None:
    """Remove the days before the last ``keep_days``."""
    oldest = (now - timedelta(days=keep_days)).date().isoformat()
    for folder in days(home):
        if folder.name < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def day_folder(home: Path, now: datetime) -> Path:
    """Where the lines of that day are."""
    return home / now.date().isoformat()


def days(home: Path) -> list[Path]:
    """The days that are kept, the oldest first."""
    folders = home.iterdir() if home.is_dir() else ()
    return sorted(day for day in folders if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day.name))
