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

import codecs
import csv
import io
import json
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from data.engines import literal, quoted
from data.errors import DataError
from data.settings_import import Import

if TYPE_CHECKING:
    import duckdb

PACKED = (".gz", ".zst")
TEXTS = (".csv", ".tsv")
LINES = (".jsonl", ".ndjson", ".json")
KINDS = (*TEXTS, *LINES, ".parquet", ".xlsx")
DELIMITERS = (",", ";", "\t", "|")
CHUNK = 1 << 20
LARGE = 256_000_000
"""Bytes from which on a CSV is not kept in memory: its rows go to a file of columns first."""
ROW = "row"
"""The column that counts the rows of a source."""


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
        relation = relation.project(", ".join([*map(quoted, own), "file_row_number + 1 AS row"]))
        types = {
            column: str(kind).strip('"')
            for column, kind in zip(relation.columns, relation.types, strict=True)
            if column != "row"
        }
    except (pa.ArrowException, duckdb.Error, OSError) as error:
        raise DataError(f"{label} is no readable Parquet file: {_first_line(error)}") from None
    return Source(label, relation, types, rows, (), notes)


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
    filled = {name: rows for name, rows in sheets.items() if len(rows)}
    if not filled:
        raise DataError(f"{label} is empty: no sheet has a row")
    name, (header, *rows) = next(iter(filled.items()))
    notes: tuple[str, ...] = ()
    if len(filled) > 1:
        others = ", ".join(repr(other) for other in list(filled)[1:])
        notes = (f"{label}: the sheet {name!r} is read; not read: {others}",)
    names = [str(cell).strip() for cell in header]
    table = [[_cell(value) for value in row] for row in rows]
    return _in_memory(con, label, names, table, notes)


def _cell(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _in_memory(
    con: duckdb.DuckDBPyConnection,
    label: str,
    names: list[str],
    rows: list[list[str | None]],
    notes: tuple[str, ...] = (),
) -> Source:
    import pyarrow as pa

    _refuse_header(names, label)
    wanted = [place for place, name in enumerate(names) if name and name != ROW]
    notes += _unread_row(names, label)
    columns = {
        names[place]: pa.array([r[place] if place < len(r) else None for r in rows], pa.string())
        for place in wanted
    }
    columns["row"] = pa.array(range(1, len(rows) + 1), pa.int64())
    name = f"source_{abs(hash(label))}"
    con.register(name, pa.table(columns))
    kinds = dict.fromkeys((names[place] for place in wanted), "VARCHAR")
    return Source(label, con.table(name), kinds, len(rows), (), notes)


def _refuse_header(names: list[str], label: str) -> None:
    if not any(names):
        raise DataError(f"{label} is empty: it has not even a header line")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{label} has the column {twice[0]!r} more than once")


def _json_or_lines(con: duckdb.DuckDBPyConnection, path: Path, label: str, scratch: Path) -> Source:
    """JSON as a whole, or, where that cannot be read, JSON lines without those that are none."""
    try:
        return _json(con, path, label)
    except DataError:
        if kind_of(path) == ".json":
            raise
        whole, broken = [], []
        with _opened(path) as file:
            for number, line in enumerate(io.TextIOWrapper(file, "utf-8-sig", "replace"), 1):
                reason = _no_object(line)
                if reason:
                    broken.append((number, line.strip()[:200], reason))
                elif line.strip():
                    whole.append(line)
        if not whole:
            raise
    with tempfile.NamedTemporaryFile("w", dir=scratch, suffix=".jsonl", encoding="utf-8") as staged:
        staged.writelines(line.rstrip("\n") + "\n" for line in whole)
        staged.flush()
        source = _json(con, Path(staged.name), label)
    return replace(source, broken=tuple(broken))


def _no_object(line: str) -> str:
    """Why a line is no JSON object; nothing where it is one, or blank."""
    if not line.strip():
        return ""
    try:
        return "" if isinstance(json.loads(line), dict) else "it is no JSON object"
    except ValueError as error:
        return f"it is no JSON: {error}"


def _json(con: duckdb.DuckDBPyConnection, path: Path, label: str) -> Source:
    """JSON lines, or one list of objects: every value as the text that stands there."""
    import duckdb

    pattern = literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
    try:
        columns_read = con.sql(f"SELECT * FROM read_json({pattern}, sample_size = -1) LIMIT 0")  # noqa: S608
        notes = _unread_row(columns_read.columns, label)
        names = [name for name in columns_read.columns if name != ROW]
        _refuse_header(names, label)
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
        table = f"json_{abs(hash(str(path)))}"
        relation = con.sql(f"SELECT * FROM read_json({pattern}, columns = {{{columns}}})")  # noqa: S608
        relation.project("*, row_number() OVER () AS row").create(table)
        relation = con.table(table)
        rows = int(relation.count("*").fetchall()[0][0])
    except duckdb.Error as error:
        raise DataError(f"{label} is no readable JSON: {_first_line(error)}") from None
    return Source(label, relation, dict.fromkeys(names, "VARCHAR"), rows, (), notes)


def _text(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, reading: Import, scratch: Path
) -> Source:
    encoding = reading.encoding or _encoding(path)
    notes: list[str] = []
    if encoding not in ("utf-8", "utf-8-sig") and not reading.encoding:
        name_of_encoding = "UTF-16" if encoding == "utf-16" else "Windows-1252"
        notes.append(f"{label} is read as {name_of_encoding}; [import] encoding says otherwise")
    with _opened(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        start = text.read(CHUNK)
    delimiter = reading.delimiter or _delimiter(start, path)
    header = next(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), [])
    names = [name.strip() for name in header]
    _refuse_header(names, label)
    if delimiter not in (",", "\t") and not reading.delimiter:
        notes.append(f"{label} is read with {delimiter!r} between its columns")
    unnamed = [name or f"column{place}" for place, name in enumerate(names)]
    plain = kind_of(path) in TEXTS and encoding in ("utf-8", "utf-8-sig")
    if plain:
        relation, broken = _csv(con, path, label, unnamed, delimiter, scratch)
    else:
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=".csv") as staged:
            with _opened(path) as file:
                decoder = codecs.getincrementaldecoder(encoding)()
                for chunk in iter(lambda: file.read(CHUNK), b""):
                    staged.write(decoder.decode(chunk).encode())
                staged.write(decoder.decode(b"", True).encode())
            staged.flush()
            relation, broken = _csv(con, Path(staged.name), label, unnamed, delimiter, scratch)
    rows = int(relation.count("*").fetchall()[0][0])
    notes += _unread_row(names, label)
    kinds = {name: "VARCHAR" for name in names if name and name != ROW}
    return Source(label, relation, kinds, rows, broken, tuple(notes))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked."""
    import pyarrow as pa

    packing = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())
    with pa.input_stream(str(path), compression=packing) as stream:
        yield stream


def _encoding(path: Path) -> str:
    with _opened(path) as file:
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(start)
            for chunk in iter(lambda: file.read(CHUNK), b""):
                decoder.decode(chunk)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _delimiter(start: str, path: Path) -> str:
    """What stands between the header's names: of the usual marks the one that cuts it most."""
    if path.name.lower().startswith("tsv") or kind_of(path) == ".tsv":
        return "\t"
    counts = {}
    for mark in DELIMITERS:
        counts[mark] = len(next(csv.reader(io.StringIO(start, newline=""), delimiter=mark), []))
    return max(DELIMITERS, key=lambda mark: counts[mark])


def _on_disk(
    con: duckdb.DuckDBPyConnection, query: str, scratch: Path, name: str
) -> duckdb.DuckDBPyRelation:
    """What a query gives, in a file that is gone when the connection or the process is."""
    folder = Path(tempfile.mkdtemp(prefix="reading-", dir=scratch))
    weakref.finalize(con, shutil.rmtree, folder, ignore_errors=True)
    place = folder / f"{name}.parquet"
    con.execute(f"COPY ({query}) TO {literal(str(place))} (FORMAT parquet, COMPRESSION snappy)")
    return con.read_parquet(str(place))


def _csv(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    names: list[str],
    delimiter: str,
    scratch: Path,
) -> tuple[duckdb.DuckDBPyRelation, tuple[tuple[int, str, str], ...]]:
    """The rows as a table of its own (scanned several times, and the numbers must stay), and the
    lines that are none."""
    import duckdb

    pattern = literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    options = (
        f"{pattern}, auto_detect = false, header = true, delim = {literal(delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{columns}}}, null_padding = false, "
        f"max_line_size = 16000000"
    )
    table = f"csv_{abs(hash(label))}"
    large = path.stat().st_size > LARGE
    listed = ", ".join(quoted(name) for name in names if name != ROW) or "NULL AS nothing"
    con.execute(f"DROP TABLE IF EXISTS {table}")
    whole = f"SELECT {listed}, row_number() OVER () AS row FROM read_csv({options})"  # noqa: S608
    try:
        if large:
            return _on_disk(con, whole, scratch, table), ()
        con.execute(f"CREATE TABLE {table} AS {whole}")
        return con.table(table), ()
    except duckdb.Error as error:
        first = _first_line(error)
    con.execute(f"DROP TABLE IF EXISTS {table}")
    rejects = f"rejects_{abs(hash(label))}"
    try:
        con.execute(
            f"CREATE TABLE {table} AS SELECT {listed}, row_number() OVER () AS row "  # noqa: S608
            f"FROM read_csv({options}, store_rejects = true, rejects_limit = 0, "
            f"rejects_table = '{rejects}', rejects_scan = 'scan_{rejects}')"
        )
        faults = con.execute(
            f"SELECT line, any_value(csv_line), any_value(error_message) FROM {rejects} "  # noqa: S608
            "GROUP BY line ORDER BY line"
        ).fetchall()
    except duckdb.Error:
        raise DataError(f"{label} is no readable CSV file: {first}") from None
    broken = tuple((int(n), str(text or "")[:200], str(why or "")) for n, text, why in faults)
    return con.table(table), broken
