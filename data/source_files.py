"""A table's file as a relation of texts or typed columns, whatever tool wrote it.

Parquet keeps its types; CSV (any usual delimiter and encoding, packed or not), JSON lines and
workbooks become columns of text. Every source has ``row``, the data row as a person counts it from
1. A line of a CSV that cannot be cut into columns is set aside by number; the others are read.

>>> kind_of(Path("Tickets.CSV.gz")), kind_of(Path("tickets.parquet")), kind_of(Path("notes.txt"))
('.csv', '.parquet', '')
>>> sorted(["page_10.csv", "page_2.csv"], key=natural)
['page_2.csv', 'page_10.csv']
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from data.csv_files import (
    LOOKED_AT,
    ROW,
    NoRows,
    encoding_of,
    header_at,
    opened,
    packing_of,
    read_csv,
    refuse_header,
)
from data.engines import literal, quoted
from data.errors import DataError
from data.settings_import import Import

if TYPE_CHECKING:
    import duckdb

PACKED = (".gz", ".zst")
TEXTS = (".csv", ".tsv")
LINES = (".jsonl", ".ndjson", ".json")
NO_OBJECT = "json"
"""The one column that the engine makes of JSON in which something is no object."""
NO_ROW = "{}"
"""What stands in the place of a line that is no row, so that those after it keep their numbers."""
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
KINDS = (*TEXTS, *LINES, ".parquet", ".xlsx")


@dataclass(frozen=True)
class Source:
    """One readable source of a table: its relation, its columns' types, and how many rows it has.

    ``broken``: lines that are no rows, each with its number, its text and why; they are not in
    ``rows``. ``notes``: what was found of the file that nobody stated.
    """

    label: str
    relation: duckdb.DuckDBPyRelation
    types: dict[str, str]
    rows: int
    broken: tuple[tuple[int, str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())


def kind_of(path: Path) -> str:
    """The kind of file by its name, upper or lower case, packed or not; empty: none we read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in PACKED
    if packed:
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    unpackable = packed and kind in (".parquet", ".xlsx")
    return kind if kind in KINDS and not unpackable else ""


def stem_of(path: Path) -> str:
    """The file's name without what says its kind, in lower case: ``Tickets.CSV.gz`` → tickets."""
    return path.name.split(".")[0].lower()


def natural(name: object) -> list[tuple[int, int, str]]:
    """A sort key by which page_2 comes before page_10."""
    parts = re.split(r"(\d+)", str(name))
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def open_source(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, reading: Import, scratch: Path
) -> Source:
    """The file as a source; DataError if it cannot be read.

    ``scratch``: a folder that ``con`` may read, for texts that are brought to UTF-8 first.
    """
    kind = kind_of(path)
    try:
        if kind == ".parquet":
            return _parquet(con, path, label)
        if kind == ".xlsx":
            return _workbook(con, path, label)
        if kind in LINES:
            return _json_or_lines(con, path, label, scratch)
        return _text(con, path, label, reading, scratch)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        encoding = "Windows-1252" if error.encoding == "charmap" else error.encoding
        raise DataError(
            f"{label}: byte 0x{byte:02x} at {error.start} is not {encoding}; save the file "
            "as UTF-8, or name its encoding as [import] encoding"
        ) from None
    except OSError as error:
        raise DataError(f"{label} cannot be read: {error}") from None


def with_folders(source: Source, wanted: Collection[str]) -> Source:
    """The source with the columns that stand in its folders' names only (``channel=email/``), as
    partitions are written; other columns than those ``wanted`` stay out.
    """
    relation, types = source.relation, dict(source.types)
    for part in source.label.split("/")[1:-1]:
        column, mark, value = part.partition("=")
        if mark and column in wanted and column not in types:
            text = "NULL" if value == NO_VALUE else literal(unquote(value))
            relation = relation.project(f"*, {text}::VARCHAR AS {quoted(column)}")
            types[column] = "VARCHAR"
    return replace(source, relation=relation, types=types)


def _parquet(con: duckdb.DuckDBPyConnection, path: Path, label: str) -> Source:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_metadata(path).num_rows
        pattern = re.sub(r"([*?\[])", r"[\1]", str(path))  # a name, not a pattern of names
        relation = con.read_parquet(pattern, file_row_number=True, hive_partitioning=False)
        own = [name for name in relation.columns if name not in (ROW, "file_row_number")]
        notes = _unread_row(relation.columns, label)
        spans = _spans(path)
        values = {c: f"{quoted(c)} / {each}" for c, each in spans.items()}
        values |= {c: f"decode({quoted(c)})" for c in _texts_as_bytes(relation)}
        values |= {c: f"CAST(to_json({quoted(c)}) AS VARCHAR)" for c in _objects_in(relation)}
        columns = [f"{values.get(c, quoted(c))} AS {quoted(c)}" for c in own]
        relation = relation.project(", ".join([*columns, "file_row_number + 1 AS row"]))
        types = {
            column: str(kind).strip('"')
            for column, kind in zip(relation.columns, relation.types, strict=True)
            if column != "row"
        }
    except (pa.ArrowException, duckdb.Error, OSError) as error:
        raise DataError(f"{label} is no readable Parquet file: {_first_line(error)}") from None
    return Source(label, relation, types, rows, (), notes)


def _texts_as_bytes(relation: duckdb.DuckDBPyRelation) -> list[str]:
    """Columns of bytes that are all UTF-8: texts of tools that do not say so (old Spark)."""
    kinds = zip(relation.columns, relation.types, strict=True)
    raw = [name for name, kind in kinds if str(kind) == "BLOB"]
    if not raw:
        return []
    odd = [f"count({quoted(c)}) - count(try(decode({quoted(c)})))" for c in raw]
    counts = relation.aggregate(", ".join(odd)).fetchall()[0]
    return [name for name, count in zip(raw, counts, strict=True) if not count]


def _objects_in(relation: duckdb.DuckDBPyRelation) -> list[str]:
    """Columns of objects, which become the JSON that they are in JSON lines."""
    kinds = zip(relation.columns, relation.types, strict=True)
    return [name for name, kind in kinds if str(kind).startswith(("STRUCT", "MAP"))]


def _spans(path: Path) -> dict[str, str]:
    """Columns of spans of time, kept as whole numbers, and how many of them make a second."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    each = {"s": "1.0", "ms": "1e3", "us": "1e6", "ns": "1e9"}
    schema = pq.read_schema(path)
    return {f.name: each[f.type.unit] for f in schema if pa.types.is_duration(f.type)}


def _unread_row(names: Iterable[str], label: str) -> tuple[str, ...]:
    note = f"{label}: the column 'row' is not read; rename it to use it"
    return (note,) if ROW in names else ()


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "unknown")


def _workbook(con: duckdb.DuckDBPyConnection, path: Path, label: str) -> Source:
    """The first sheet of a workbook that has rows."""
    import python_calamine as calamine

    try:
        book = calamine.load_workbook(str(path))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except Exception as error:  # the reader has many, and none in common
        raise DataError(f"{label} is no readable workbook: {_first_line(error)}") from None
    every = {name: rows for name, rows in sheets.items() if len(rows)}
    tables = {name: rows for name, rows in every.items() if any(map(_is_row, rows))}
    filled = tables or every  # a sheet of notes beside a table is none
    if not filled:
        raise DataError(f"{label} is empty: no sheet has a row")
    name, lines = next(iter(filled.items()))
    above = header_at(lines[:LOOKED_AT]) or 0
    header, *rows = lines[above:]
    notes: tuple[str, ...] = ()
    if above:
        notes = (f"{label}: the header is row {above + 1}; what is above is not read",)
    if len(every) > 1:
        others = ", ".join(repr(other) for other in every if other != name)
        notes += (f"{label}: the sheet {name!r} is read; not read: {others}",)
    names = [str(cell).strip() for cell in header]
    cells = ([_cell(value) for value in row] for row in rows)
    table = [(n, row) for n, row in enumerate(cells, 1) if any(row)]  # a blank row is none
    return _in_memory(con, label, names, table, notes)


def _is_row(cells: Sequence[Any]) -> bool:
    return sum(cell not in (None, "") for cell in cells) > 1


def _cell(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _in_memory(
    con: duckdb.DuckDBPyConnection,
    label: str,
    names: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str | None]]],
    notes: tuple[str, ...] = (),
) -> Source:
    import pyarrow as pa

    refuse_header(names, label)
    wanted = [place for place, name in enumerate(names) if name and name != ROW]
    notes += _unread_row(names, label)
    columns = {
        names[place]: pa.array([r[place] if place < len(r) else None for _, r in rows], pa.string())
        for place in wanted
    }
    columns["row"] = pa.array([number for number, _ in rows], pa.int64())
    name = f"source_{abs(hash(label))}"
    con.register(name, pa.table(columns))
    kinds = dict.fromkeys((names[place] for place in wanted), "VARCHAR")
    return Source(label, con.table(name), kinds, len(rows), (), notes)


def _json_or_lines(con: duckdb.DuckDBPyConnection, path: Path, label: str, scratch: Path) -> Source:
    """JSON as a whole, or, where some of it is no object, all that is. NoRows: there is nothing."""
    error, read = None, None
    with opened(path) as file:
        marked = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    encoding = encoding_of(path) if marked else "utf-8-sig"
    if not marked:
        try:
            source = _json(con, path, label)
            if list(source.types) != [NO_OBJECT]:
                read = source
        except DataError as unread:
            error = unread
    if read and (kind_of(path) == ".json" or _lines_in(path) == read.rows):
        return read
    broken, no_rows = [], []
    with tempfile.NamedTemporaryFile("w", dir=scratch, suffix=".jsonl", encoding="utf-8") as staged:
        lines = 0
        for number, line in _objects(path, encoding, error):
            reason, lines = _no_object(line), number
            if reason:
                broken.append((number, line.strip()[:200], reason))
            if reason or not line.strip():
                no_rows.append(number)
            staged.write((NO_ROW if reason or not line.strip() else line.rstrip("\n")) + "\n")
        if read and broken:
            return read  # a list over several lines
        if len(no_rows) == lines and not broken:
            raise NoRows(f"{label} is empty: it has no row")
        if len(no_rows) == lines:
            raise error or DataError(f"{label} holds no JSON object: {broken[0][1][:60]}")
        staged.flush()
        source = _json(con, Path(staged.name), label, no_rows)
    notes = (f"{label} is read as {encoding.upper()}",) if marked else ()
    return replace(source, broken=tuple(broken), notes=(*source.notes, *notes))


def _lines_in(path: Path) -> int:
    count, last = 0, b"\n"
    with opened(path) as file:
        while chunk := file.read(1 << 20):
            count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")


def _objects(path: Path, encoding: str, error: DataError | None) -> Iterator[tuple[int, str]]:
    """The lines of a file, or the elements of the one list in it, by number; ``error`` where the
    file is meant to be JSON as a whole and is not."""
    with opened(path) as file:
        if kind_of(path) != ".json":
            yield from enumerate(io.TextIOWrapper(file, encoding, "replace"), 1)
            return
        text = file.read().decode(encoding, "replace")
    try:
        listed = json.loads(text)
    except ValueError:
        if error:
            raise error from None
        yield from enumerate(text.splitlines(), 1)
        return
    for number, element in enumerate(listed if isinstance(listed, list) else [listed], 1):
        yield number, json.dumps(element, ensure_ascii=False)


def _no_object(line: str) -> str:
    """Why a line is no JSON object; nothing where it is one, or blank."""
    if not line.strip():
        return ""
    try:
        return "" if isinstance(json.loads(line), dict) else "it is no JSON object"
    except ValueError as error:
        return f"it is no JSON: {error}"


def _json(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, no_rows: Sequence[int] = ()
) -> Source:
    """JSON lines, or one list of objects: every value as the text that stands there; ``no_rows``
    are the numbers of those left out, which count."""
    import duckdb

    pattern = literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
    pattern += f", compression = '{packing_of(path)}'"
    try:
        columns_read = con.sql(f"SELECT * FROM read_json({pattern}, sample_size = -1) LIMIT 0")  # noqa: S608
        notes = _unread_row(columns_read.columns, label)
        names = [name for name in columns_read.columns if name != ROW]
        refuse_header(names, label)
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
        table = f"json_{abs(hash(str(path)))}"
        relation = con.sql(f"SELECT * FROM read_json({pattern}, columns = {{{columns}}})")  # noqa: S608
        relation.project("*, row_number() OVER () AS row").create(table)
        if no_rows:
            con.execute(f"DELETE FROM {table} WHERE row IN (SELECT unnest(?))", [list(no_rows)])  # noqa: S608
        relation = con.table(table)
        rows = int(relation.count("*").fetchall()[0][0])
    except duckdb.Error as error:
        raise DataError(f"{label} is no readable JSON: {_first_line(error)}") from None
    return Source(label, relation, dict.fromkeys(names, "VARCHAR"), rows, (), notes)


def _text(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, reading: Import, scratch: Path
) -> Source:
    source = read_csv(con, path, label, reading, scratch)
    rows = int(source.relation.count("*").fetchall()[0][0])
    notes = (*source.notes, *_unread_row(source.names, label))
    kinds = {name: "VARCHAR" for name in source.names if name and name != ROW}
    return Source(label, source.relation, kinds, rows, source.broken, notes)
