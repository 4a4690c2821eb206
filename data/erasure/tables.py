"""The tables that people export: a person's rows taken out, and what names them in other rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.contract import TABLES
from data.erasure.finder import Finder
from data.erasure.formats import csv_layout, csv_lines, is_plain_text, write_parquet
from data.erasure.traces import Traces, as_strings, owned, parts_of
from data.files import replacing
from data.folder import Folder

if TYPE_CHECKING:
    import pyarrow as pa


REWRITTEN = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson")
"""The forms that can be rewritten; packed ones and workbooks are exported again."""


def can_rewrite(path: Path) -> bool:
    """Whether a file of a table can be rewritten to the byte, but for the person's rows."""
    if path.suffix.lower() not in REWRITTEN or not is_plain_text(path):
        return False
    with path.open("rb") as file:
        return path.suffix.lower() == ".parquet" or b"\0" not in file.read(4096)  # no UTF-16


def rows_in_table(
    workspace: Folder, path: Path, name: str, traces: Traces, finder: Finder
) -> tuple[int, int]:
    """How many rows of a file are theirs, and how many of others' values name them."""
    theirs, mentions = 0, 0
    for part in parts_of(workspace, path):
        own = owned(part, name, traces)
        theirs += int(own.sum())
        rest = part.filter(~own)
        for column in _free(name, part.column_names):
            mentions += int(finder.in_column(rest[column], column).sum())
    return theirs, mentions


def forget_in_table(
    workspace: Folder, path: Path, name: str, traces: Traces, finder: Finder
) -> None:
    """Rewrite a file of a table without their rows; what names them in other rows is taken out."""
    suffix = path.suffix.lower()
    with replacing(path, path.stat().st_mode & 0o777) as staged:
        if suffix == ".parquet":
            parts = parts_of(workspace, path)
            write_parquet(staged, (_without(p, name, traces, finder) for p in parts), path)
        else:
            way = _csv_without if suffix in (".csv", ".tsv") else _lines_without
            text = "".join(way(path, name, traces, finder))
            staged.write_text(text, "utf-8", errors="surrogateescape", newline="")


def _lines_without(path: Path, name: str, traces: Traces, finder: Finder) -> Iterator[str]:
    with path.open("r", encoding="utf-8", errors="surrogateescape", newline="") as file:
        for line in file:
            row = json.loads(line) if line.strip() else {}
            if isinstance(row, dict) and traces.owns(name, row):
                continue
            free = [c for c in _free(name, list(row)) if finder.names(c, row[c])]
            if free:
                rest = {**row, **{c: finder.without(row[c]) for c in free}}
                line = json.dumps(rest, ensure_ascii=False) + "\n"
            yield line


def _without(part: pa.Table, name: str, traces: Traces, finder: Finder) -> pa.Table:
    import pyarrow as pa

    others = part.filter(~owned(part, name, traces))
    for column in _free(name, part.column_names):
        values = as_strings(others[column])
        if values is None:
            continue
        named = finder.in_column(values, column)
        if named.any():
            texts = values.to_pylist()
            for place in np.flatnonzero(named):
                texts[place] = finder.without(texts[place])
            number = others.column_names.index(column)
            anew = pa.array(texts, pa.large_string()).cast(_plain(others.schema.field(number).type))
            others = others.set_column(number, column, anew)
    return others


def _plain(kind: Any) -> Any:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _csv_without(path: Path, name: str, traces: Traces, finder: Finder) -> Iterator[str]:
    lines = csv_lines(path)
    first, header = next(lines, ("", []))
    delimiter = csv_layout(path).delimiter
    yield first
    free = set(_free(name, header))
    for line, values in lines:
        row = dict(zip(header, values, strict=False))
        if traces.owns(name, row):
            continue
        if any(finder.names(column, row[column]) for column in free & set(row)):
            cells = [
                finder.without(value) if column in free else value
                for column, value in zip(header, values, strict=False)
            ]
            out = io.StringIO()
            end = line[len(line.rstrip("\r\n")) :]
            csv.writer(out, lineterminator=end, delimiter=delimiter).writerow(cells)
            line = out.getvalue()
        yield line


def _free(name: str, columns: list[str]) -> list[str]:
    """The columns whose values are no ids."""
    return [c for c in columns if c not in TABLES[name].key and not c.endswith("_id")]
