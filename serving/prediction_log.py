"""Every prediction that anybody saw: whom it was about (a pseudonym), by which model, as of when,
what it said.

A night's scores are one Parquet file. What is predicted between two nights is written beside it,
line by line, by a thread of its own: an answer waits for nothing, and a process that is killed
loses what it predicted in its last second. An answer from memory is a prediction that is here
already.

    .presage/predictions/2026-03-02/published-04f1.parquet
    .presage/predictions/2026-03-02/answered-9c2e.jsonl

>>> import tempfile
>>> scores = pd.DataFrame({"customer_id": ["a"], "as_of": pd.to_datetime(["2026-03-02"]),
...                        "model_version": ["risk-1"], "risk_7d": [0.25]})
>>> with tempfile.TemporaryDirectory() as folder:
...     keep_published(Path(folder), b"salt", scores, datetime(2026, 3, 2, 4), keep_days=30)
...     told = predictions(Path(folder))
>>> told["risk_7d"].tolist(), told["pseudonym"].tolist() == [pseudonym(b"salt", "a")]
([0.25], True)
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import re
import secrets
import shutil
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.artifacts import put

log = logging.getLogger("presage.api")

SECONDS = 1.0
"""So often what was predicted since is written."""
MOST = 200_000
"""So many predictions wait to be written at most; more are counted and left out."""
TOLD = ("as_of", "model_version", "expected_tickets_30d", "contact_30d", "repeat_contact_14d")


def pseudonym(salt: bytes, customer_id: str) -> str:
    """What stands for a customer in logs: a keyed hash, the same for the same customer."""
    return hmac.new(salt, customer_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
        :32
    ]


def keep_published(
    state_dir: Path, salt: bytes, scores: pd.DataFrame, now: datetime, keep_days: int
) -> None:
    """Keep a night's scores, and drop the days that are older than ``keep_days``; 0 keeps none."""
    drop_old(state_dir, now, keep_days)
    if keep_days == 0:
        return
    names = [name for name in scores.columns if name in TOLD or str(name).startswith("risk_")]
    told = scores[names].assign(
        at=now, source="published", pseudonym=[pseudonym(salt, i) for i in scores["customer_id"]]
    )
    home = _day(state_dir, now)
    put(home, "published", ".parquet", lambda path: told.to_parquet(path, index=False))


class PredictionLog:
    """What a running service predicts, written by a thread."""

    def __init__(self, state_dir: Path, salt: bytes, keep_days: int) -> None:
        self._state_dir, self._salt, self._keep_days = state_dir, salt, keep_days
        self._name = f"answered-{secrets.token_hex(4)}.jsonl"
        self._rows: list[tuple[datetime, Mapping[str, Any]]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._left_out = 0
        self._thread: threading.Thread | None = None

    def add(self, rows: Iterable[Mapping[str, Any]], now: datetime) -> None:
        """Keep rows of scores, with their customer_id."""
        if self._keep_days == 0:
            return
        with self._lock:
            room = MOST - len(self._rows)
            told = list(rows)
            self._rows += [(now, row) for row in told[:room]]
            self._left_out += max(len(told) - room, 0)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._write, daemon=True, name="predictions")
                self._thread.start()

    def _write(self) -> None:
        while not self._stop.wait(SECONDS):
            self.flush()

    def flush(self) -> None:
        """Write what is there."""
        with self._lock:
            rows, self._rows = self._rows, []
            left_out, self._left_out = self._left_out, 0
        if left_out:
            log.warning("%s predictions were made too fast to be kept in the log", left_out)
        by_day: dict[Path, list[str]] = {}
        for now, row in rows:
            by_day.setdefault(_day(self._state_dir, now), []).append(self._line(now, row))
        for home, lines in by_day.items():
            try:
                home.mkdir(parents=True, exist_ok=True)
                with (home / self._name).open("a", encoding="utf-8") as file:
                    file.write("".join(lines))
            except OSError as error:
                log.error("%s predictions could not be kept: %s", len(lines), error)

    def _line(self, now: datetime, row: Mapping[str, Any]) -> str:
        told = {
            "at": now.isoformat(),
            "source": "answered",
            "pseudonym": pseudonym(self._salt, row["customer_id"]),
            "as_of": pd.Timestamp(row["as_of"]).isoformat(),
        }
        for name, value in row.items():
            if name != "as_of" and (name in TOLD or name.startswith("risk_")):
                told[name] = None if pd.isna(value) else value
        return json.dumps(told) + "\n"

    def close(self) -> None:
        """Write what is left."""
        self._stop.set()
        self.flush()


def predictions(state_dir: Path, since: datetime | None = None) -> pd.DataFrame:
    """All predictions kept (of days from ``since`` on), in no order: ``at`` (when it was published
    or made), ``source`` (published, answered), ``pseudonym``, ``as_of``, ``model_version``,
    ``risk_7d`` and what else the model told."""
    frames = []
    for day in _days(state_dir):
        if since is not None and day.name < since.date().isoformat():
            continue
        frames += [pd.read_parquet(path) for path in sorted(day.glob("*.parquet"))]
        for path in sorted(day.glob("*.jsonl")):
            rows = []
            for line in path.read_text("utf-8").splitlines():
                with contextlib.suppress(ValueError):  # the last line of a process that was killed
                    rows.append(json.loads(line))
            if rows:
                frame = pd.DataFrame(rows)
                times = {name: pd.to_datetime(frame[name]) for name in ("at", "as_of")}
                frames.append(frame.assign(**times))
    if not frames:
        return pd.DataFrame(columns=["at", "source", "pseudonym", *TOLD])
    return pd.concat(frames, ignore_index=True)


def drop_old(state_dir: Path, now: datetime, keep_days: int) -> None:
    """Remove the days before the last ``keep_days``."""
    oldest = (now - timedelta(days=keep_days)).date().isoformat()
    for day in _days(state_dir):
        if day.name < oldest:
            shutil.rmtree(day, ignore_errors=True)


def _day(state_dir: Path, now: datetime) -> Path:
    return state_dir / "predictions" / now.date().isoformat()


def _days(state_dir: Path) -> list[Path]:
    home = state_dir / "predictions"
    found = home.iterdir() if home.is_dir() else ()
    return sorted(day for day in found if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day.name))
