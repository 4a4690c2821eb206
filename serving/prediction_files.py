"""Which files the prediction log holds: a night writes them down, so one that is gone is missed.

    .presage/predictions/files.json    {"files": {"2026-03-02/published-04f1.parquet": null}, ...}

It is a pointer (data/artifacts.py), with its own digest. Beside a file stands the day on which a
night first missed it. Where the list itself is damaged or gone, it is begun anew, and says since
when: what was gone by then is not missed. Files of outcomes are not in it: they are made again.
A file that a service writes is in it from the next night on.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     home, now = Path(folder), datetime(2026, 3, 3, 4)
...     for day in ("2026-03-02", "2026-03-03"):
...         (home / day).mkdir()
...         (home / day / "published-1.parquet").touch()
...     note_files(home, now)
...     (home / "2026-03-03" / "published-1.parquet").unlink()
...     missed_files(home, now)
(['2026-03-03/published-1.parquet'], '')
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.artifacts import current, point
from data.errors import DamagedFile
from serving.day_log import days

JOINED, LATE_JOINED = "outcomes", "late"
"""What the names of files of outcomes begin with (serving/prediction_outcomes.py)."""
LIST = "files"
TOLD_FOR = timedelta(days=7)
"""So long what was missed, or begun anew, is told."""


def told_paths(day: Path) -> list[Path]:
    """The files of predictions of a day's folder."""
    return [
        path
        for path in sorted(day.iterdir())
        if path.suffix == ".jsonl"
        or (path.suffix == ".parquet" and not path.name.startswith((JOINED, LATE_JOINED)))
    ]


def note_files(home: Path, now: datetime) -> None:
    """Write down which files there are by now, and which are not any more. Nobody else writes the
    list: a night holds the workspace."""
    today = now.date().isoformat()
    try:
        about = current(home, LIST) or {}
    except DamagedFile:
        about = {"anew": today}
    here, gone = _here_and_gone(home, about)
    files = dict.fromkeys(sorted(here)) | {name: since or today for name, since in gone.items()}
    point(home, LIST, {"files": files, "anew": about.get("anew")})


def missed_files(home: Path, now: datetime) -> tuple[list[str], str]:
    """The files that are gone, and what is wrong with the list ("": nothing); of the last
    ``TOLD_FOR``."""
    since = (now - TOLD_FOR).date().isoformat()
    try:
        about = current(home, LIST) or {}
    except DamagedFile as damaged:
        return [], str(damaged)
    _, gone = _here_and_gone(home, about)
    anew = about.get("anew") or ""
    wrong = f"{home / f'{LIST}.json'} was damaged or gone, and begun anew on {anew}"
    return [name for name, day in gone.items() if (day or since) >= since], (
        wrong if anew >= since else ""
    )


def _here_and_gone(home: Path, about: Mapping[str, Any]) -> tuple[set[str], dict[str, str | None]]:
    """The files that there are, and those of the list that are not, with the day on which that was
    noted. Days before the first that there is were dropped for their age."""
    folders = days(home)
    here = {f"{day.name}/{path.name}" for day in folders for path in told_paths(day)}
    first = folders[0].name if folders else "~"
    listed = (about.get("files") or {}).items()
    return here, {name: day for name, day in listed if name not in here and name >= first}
