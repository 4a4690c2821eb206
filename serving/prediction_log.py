"""Every prediction that anybody saw: whom it was about (a pseudonym), by which model, as of when,
what it said.

A night's scores are one Parquet file. What is predicted between two nights is written beside it,
line by line, by a thread of its own: an answer waits for nothing, and a process that is killed
loses what it predicted in its last second. An answer from memory is a prediction that is here
already.

    .presage/predictions/2026-03-02/published-04f1.parquet
    .presage/predictions/2026-03-02/answered-9c2e.jsonl

Which files there are is written down too: one that is gone is missed (prediction_files.py).

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

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.errors import DamagedFile
from data.files import replacing
from data.pseudonyms import pseudonym
from serving.day_log import DayLog, day_folder, days, drop_old, lines_of
from serving.prediction_files import note_files, told_paths

if TYPE_CHECKING:
    import pyarrow.parquet as pq

FOLDER = "predictions"
DAY = timedelta(days=1)
BROKEN = (OSError, ValueError, KeyError, TypeError)
"""What pandas and Arrow, whose own errors are of these, raise of a damaged file."""
LOGGED = ("as_of", "model_version", "expected_tickets_30d", "contact_30d", "repeat_contact_14d")


def keep_published(
    state_dir: Path,
    salt: bytes,
    scores: pd.DataFrame,
    now: datetime,
    keep_days: int,
    source: str = "published",
) -> None:
    """Keep a night's scores, and drop the days that are older than ``keep_days``; 0 keeps none.
    ``source``: ``shadow`` where nobody was told them."""
    drop_old(state_dir / FOLDER, now, keep_days)
    if keep_days == 0:
        return
    names = [name for name in scores.columns if name in LOGGED or str(name).startswith("risk_")]
    logged = scores[names].assign(
        at=now, source=source, pseudonym=[pseudonym(salt, i) for i in scores["customer_id"]]
    )
    content = pd.util.hash_pandas_object(logged.drop(columns="at"), index=False).to_numpy()
    name = f"{source}-{hashlib.sha256(content.tobytes()).hexdigest()[:16]}.parquet"
    recent = (day_folder(state_dir / FOLDER, now - ago) for ago in (timedelta(0), DAY))
    if not any((day / name).exists() for day in recent):  # a run that was killed scores it again
        with replacing(day_folder(state_dir / FOLDER, now) / name) as staged:
            write_kept(staged, logged)
    note_files(state_dir / FOLDER, now)


def write_kept(place: Path, frame: pd.DataFrame) -> None:
    """A file of the log, with a checksum a page, which ``read_kept`` verifies."""
    frame.to_parquet(place, index=False, write_page_checksum=True)


def read_kept(path: Path) -> pd.DataFrame:
    """A Parquet file of the log. DamagedFile where it is not what was written."""
    try:
        with _parquet(path) as file:
            return file.read().to_pandas()
    except BROKEN as error:
        raise _damaged(path, error) from error


def schema_of(path: Path) -> list[str]:
    """The columns of a Parquet file of the log; DamagedFile as of ``read_kept``."""
    try:
        with _parquet(path) as file:
            return list(file.schema_arrow.names)
    except BROKEN as error:
        raise _damaged(path, error) from error


def first_kept(path: Path, columns: list[str]) -> pd.DataFrame:
    """The first row of a Parquet file of the log, if there is any; DamagedFile as of
    ``read_kept``."""
    try:
        with _parquet(path) as file:
            batch = next(file.iter_batches(1, columns=columns), None)
    except BROKEN as error:
        raise _damaged(path, error) from error
    return pd.DataFrame(columns=columns) if batch is None else batch.to_pandas()


def _parquet(path: Path) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, page_checksum_verification=True)


def _damaged(path: Path, error: Exception) -> DamagedFile:
    return DamagedFile(
        f"{path} is damaged ({str(error).splitlines()[0]}). Bring it back from a backup, or delete "
        "it: what it says of its scores is lost then, and nothing else"
    )


class PredictionLog(DayLog):
    """What a running service predicts: rows of scores, with their customer_id."""

    def __init__(self, state_dir: Path, salt: bytes, keep_days: int) -> None:
        super().__init__(state_dir / FOLDER, "answered", keep_days=keep_days, line=self._answer)
        self._salt = salt

    def _answer(self, now: datetime, row: Mapping[str, Any]) -> dict[str, Any]:
        line = {
            "source": "answered",
            "pseudonym": pseudonym(self._salt, row["customer_id"]),
            "as_of": pd.Timestamp(row["as_of"]).isoformat(),
        }
        for name, value in row.items():
            if name != "as_of" and (name in LOGGED or name.startswith("risk_")):
                line[name] = None if pd.isna(value) else value
        return line


def predictions(state_dir: Path, since: datetime | None = None) -> pd.DataFrame:
    """All predictions kept (of days from ``since`` on), in no order: ``at`` (when it was published
    or made), ``source`` (published, answered, shadow), ``pseudonym``, ``as_of``, ``model_version``,
    ``risk_7d`` and what else the model told."""
    frames = [
        told_in(path)
        for day in days(state_dir / FOLDER)
        if since is None or day.name >= since.date().isoformat()
        for path, _ in told_files(day)
    ]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=["at", "source", "pseudonym", *LOGGED])
    return pd.concat(frames, ignore_index=True)


def told_files(day: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """The files of predictions of a day's folder, and the horizons (days) in each."""
    for path in told_paths(day):
        yield path, horizons_in(path)


def horizons_in(path: Path) -> tuple[int, ...]:
    """The horizons (days) of the predictions in one file."""
    if path.suffix == ".parquet":
        names = schema_of(path)
    else:
        names = re.findall(r'"(risk_\d+d)":', path.read_text("utf-8"))
    matches = (re.fullmatch(r"risk_(\d+)d", name) for name in set(names))
    return tuple(sorted(int(match[1]) for match in matches if match))


def told_in(path: Path) -> pd.DataFrame:
    """The predictions in one file, as ``predictions`` has them."""
    if path.suffix == ".parquet":
        return read_kept(path)
    answered = pd.DataFrame(lines_of(path))
    times = [name for name in ("at", "as_of") if name in answered]
    return answered.assign(**{name: pd.to_datetime(answered[name]) for name in times})
