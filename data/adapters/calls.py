"""A call centre's log, or its counts per interval: the file's columns say which.

A file with ``outcome`` and ``ser_start`` is a log of calls (``call_log``: tickets); one with
``ds`` and ``y``, or ``DateTime`` and ``Calls``, holds counts (``call_volumes``: volumes).
SOURCE is such a file, or a folder with the option ``which=NAME``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.adapters import call_log, call_volumes
from data.adapters.interface import Imported
from data.adapters.reading import choose, header, plain
from data.errors import DataError


def read(source: Path, options: Mapping[str, str]) -> Imported:
    """Tickets of a call log, or volumes of counts; DataError for a file that is neither."""
    path = choose(source, options.get("which"))
    names = header(path)
    columns = {plain(name) for name in names}
    if {"outcome", "serstart"} <= columns:
        return call_log.read(path, options)
    if {"ds", "y"} & columns or "calls" in columns:
        return call_volumes.read(path, options)
    raise DataError(
        f"{path.name} is neither a call log (vru_line, call_id, ..., outcome, ser_start, ...) nor "
        "counts per interval (unique_id, ds, y, or DateTime, Calls). It has: "
        f"{', '.join(names) or 'no columns'}"
    )
