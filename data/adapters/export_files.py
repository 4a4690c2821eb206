"""The files of an export: which are read, by which table, and the rows inside a JSON document.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     for name in ("tickets_10.csv", "tickets_2.csv", "ticket_events.csv", "notes.txt"):
...         _ = Path(folder, name).write_text("id\\n1\\n")
...     [path.name for path in matching(Path(folder), "*ticket*", "*_events*")]
['tickets_2.csv', 'tickets_10.csv']
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from pathlib import Path

from data.errors import DataError, UsageError
from data.source_files import KINDS, kind_of, natural


def files_of(source: Path) -> list[Path]:
    """The readable files at ``source``, a file or a folder, in natural order."""
    if not source.exists():
        raise UsageError(f"there is no file or folder {source}")
    if source.is_file():
        if not kind_of(source):
            raise UsageError(f"{source.name} is none of {', '.join(KINDS)}")
        return [source]
    paths = [p for p in source.rglob("*") if p.is_file() and kind_of(p)]
    return sorted(paths, key=lambda p: natural(p.relative_to(source)))


def matching(source: Path, pattern: str, besides: str = "") -> Iterator[Path]:
    """The files whose name, or path below ``source``, matches one of the patterns (``a*|b*``), and
    whose name matches none of ``besides``."""
    wanted = [one.strip().lower() for one in pattern.split("|")] if pattern else ["*"]
    others = [one.strip().lower() for one in besides.split("|") if one.strip()]
    for path in files_of(source):
        below = path.name if source.is_file() else path.relative_to(source).as_posix()
        names = (path.name.lower(), below.lower())
        if any(fnmatch.fnmatch(names[0], other) for other in others):
            continue
        folder = "" if source.is_file() else path.parent.name.lower()
        if any(fnmatch.fnmatch(n, w) for w in wanted for n in names) or folder in wanted:
            yield path


def document(path: Path, rows: str, scratch: Path) -> Path:
    """A JSON document that holds its rows in a list, as JSON lines; any other file as it is."""
    if kind_of(path) != ".json" or path.suffix.lower() != ".json":
        return path
    try:
        content = json.loads(path.read_bytes())  # UTF-8, 16 or 32, as its first bytes say
    except (ValueError, UnicodeDecodeError):
        return path  # JSON lines, or broken: the reader says so
    if not isinstance(content, dict):
        return path
    lists = [k for k, v in content.items() if isinstance(v, list) and v and isinstance(v[0], dict)]
    key = rows or (lists[0] if len(lists) == 1 else "")
    if key not in content or not isinstance(content[key], list):
        if rows and rows not in content:
            raise DataError(f"{path.name} has no {rows!r}. It has: {', '.join(content)}")
        return path
    out = scratch / f"{path.stem}-{key}.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) for row in content[key])
    out.write_text("\n".join(lines) + "\n", "utf-8")
    return out
