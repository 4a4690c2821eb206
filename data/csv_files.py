"""Texts of rows as people send them: what packs, encodes and parts them, and where their header is.

Nothing is asked that the file shows: its first bytes say how it is packed and encoded, the rows
that follow one another alike say what parts their columns. Lines of a title above the header are
left out, and said. A line that cannot be cut into columns is set aside by number.

>>> layout("Report of May\\n\\nid;when\\n1;2026-05-01\\n")
Layout(delimiter=';', header=('id', 'when'), above=2)
>>> layout("sep=|\\nid|when\\n1|2026-05-01\\n")
Layout(delimiter='|', header=('id', 'when'), above=1)
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from data.engines import literal, quoted
from data.errors import DataError
from data.settings_import import Import

if TYPE_CHECKING:
    import duckdb

DELIMITERS = (",", ";", "\t", "|")
CHUNK = 1 << 20
LARGE = 256_000_000
"""Bytes from which on a CSV is not kept in memory: its rows go to a file of columns first."""
LONGEST_LINE = 16_000_000
ROW = "row"
"""The column that counts the rows of a source."""
FILE_ROW = "file_row_number"
QUICK = "COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 1000"
"""A file that is read a few times and thrown away; a list of more values than that costs an eighth
of the time, and hardly a byte is saved by it."""
LOOKED_AT = 20
"""Rows at the top of a file that show how it is laid out."""
PACKINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
OTHERS = {
    b"PK\x03\x04": "a workbook or a zip: name it .xlsx, or unpack it",
    b"PAR1": "a Parquet file: name it .parquet",
    b"\xd0\xcf\x11\xe0": "an old workbook: save it as .xlsx or CSV",
    b"%PDF": "a PDF, which holds no rows: export CSV",
}
"""What a file is by its first bytes, whatever its name says."""

Broken = tuple[int, str, str]
"""A line that is no row: its number, its text, and why."""


@dataclass(frozen=True)
class Layout:
    """How a text of rows is laid out; ``above``: how many lines stand above the header."""

    delimiter: str
    header: tuple[str, ...]
    above: int = 0


@dataclass(frozen=True)
class CsvRows:
    """The rows of a CSV as texts, with ``row``; the header's names, blanks around them gone."""

    relation: duckdb.DuckDBPyRelation
    names: tuple[str, ...]
    broken: tuple[Broken, ...]
    notes: tuple[str, ...]


class NoRows(DataError):
    """A file without even a header."""


def packing_of(path: Path) -> str:
    """``gzip``, ``zstd`` or ``none``, by the file's first bytes; DataError: it is no text."""
    with path.open("rb") as file:
        start = file.read(4)
    for mark, what in OTHERS.items():
        if start.startswith(mark):
            raise DataError(f"{path.name} is by its first bytes {what}")
    return next((name for mark, name in PACKINGS.items() if start.startswith(mark)), "none")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked."""
    import pyarrow as pa

    packing = packing_of(path)
    with pa.input_stream(str(path), compression=None if packing == "none" else packing) as stream:
        yield stream


def encoding_of(path: Path) -> str:
    """UTF-8 if all of the file is, UTF-16 and UTF-32 by their marks and zeros, else cp1252."""
    with opened(path) as file:
        start = file.read(4)
        if start in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"):
            return "utf-32"
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
        if len(start) == 4 and start.count(0) == 2:
            if start[1] == start[3] == 0:
                return "utf-16-le"
            if start[0] == start[2] == 0:
                return "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(start)
            for chunk in iter(lambda: file.read(CHUNK), b""):
                decoder.decode(chunk)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def layout(start: str, delimiter: str = "") -> Layout:
    """How the text is laid out that begins so; ``delimiter``: stated by somebody."""
    start = start.removeprefix("\ufeff")
    stated = re.match(r'"?sep=(.)"?\r?\n', start)
    if stated:
        rest = layout(start[stated.end() :], delimiter or stated[1])
        return Layout(rest.delimiter, rest.header, rest.above + 1)
    marks = [delimiter] if delimiter else DELIMITERS
    candidates = [_parted(start, mark) for mark in marks]
    return max(candidates, key=lambda one: one[:4])[4]


def _parted(start: str, mark: str) -> tuple[bool, bool, int, int, Layout]:
    """The layout if ``mark`` parts the columns, and how well it fits: whether it parts the first
    line already (a mark that rows have within a text does not), whether most rows are as wide as
    the header, how wide that is, and how few lines stand above it."""
    reader = csv.reader(io.StringIO(start, newline=""), delimiter=mark)
    rows: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for row in reader:
            rows.append((before, row))
            before = reader.line_num
            if len(rows) == LOOKED_AT:
                break
    except csv.Error:
        pass
    place = header_at([row for _, row in rows])
    if place is None:
        return False, False, 0, 0, Layout(mark, ())
    above, header = rows[place]
    after = [row for _, row in rows[place + 1 :] if row]
    alike = sum(len(row) == len(header) for row in after) * 2 >= len(after)
    at_top = alike and not above and len(header) > 1
    laid = Layout(mark, tuple(n.strip() for n in header), above)
    return at_top, alike, len(header), -above, laid


def header_at(rows: Sequence[Sequence[object]]) -> int | None:
    """Which of the first rows is the header: the first that is no title and not blank.

    A title has one or two cells, where other rows have at least twice as many.
    """
    widths = [sum(str(cell or "").strip() != "" for cell in row) for row in rows]
    widest = max(widths, default=0)
    return next(
        (n for n, width in enumerate(widths) if width and not (width <= 2 and width * 2 <= widest)),
        None,
    )


def refuse_header(names: Sequence[str], label: str) -> None:
    """DataError where a header names nothing, or a column twice, in whatever case."""
    if not any(names):
        raise NoRows(f"{label} is empty: it has not even a header line")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{label} has the column {twice[0]!r} more than once")
    alike: dict[str, str] = {}
    for name in filter(None, names):
        other = alike.setdefault(name.lower(), name)
        if other != name:
            raise DataError(
                f"{label} has the columns {other!r} and {name!r}, which differ in case only; "
                "rename one of them"
            )


def read_csv(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, reading: Import, scratch: Path
) -> CsvRows:
    """The file's rows; ``scratch``: a folder that ``con`` may read, for texts brought to UTF-8."""
    packing = packing_of(path)
    encoding = reading.encoding or encoding_of(path)
    notes: list[str] = []
    if encoding not in ("utf-8", "utf-8-sig") and not reading.encoding:
        name = "Windows-1252" if encoding == "cp1252" else encoding.upper()[:6]
        notes.append(f"{label} is read as {name}; [import] encoding says otherwise")
    with opened(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        start = text.read(CHUNK)
    tabs = "\t" if path.name.lower().startswith("tsv") or ".tsv" in path.name.lower() else ""
    laid = layout(start, reading.delimiter or tabs)
    refuse_header(laid.header, label)
    if laid.delimiter not in (",", "\t") and not reading.delimiter:
        notes.append(f"{label} is read with {laid.delimiter!r} between its columns")
    if laid.above:
        notes.append(f"{label}: the header is line {laid.above + 1}; what is above is not read")
    names = [name or f"column{place}" for place, name in enumerate(laid.header)]
    if encoding in ("utf-8", "utf-8-sig"):
        relation, broken = _rows(con, path, label, names, laid, packing, scratch)
    else:
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=".csv") as staged:
            with opened(path) as file:
                decoder = codecs.getincrementaldecoder(encoding)()
                for chunk in iter(lambda: file.read(CHUNK), b""):
                    staged.write(decoder.decode(chunk).encode())
                staged.write(decoder.decode(b"", True).encode())
            staged.flush()
            place = Path(staged.name)
            relation, broken = _rows(con, place, label, names, laid, "none", scratch)
    return CsvRows(relation, laid.header, broken, tuple(notes))


def _rows(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    names: Sequence[str],
    laid: Layout,
    packing: str,
    scratch: Path,
) -> tuple[duckdb.DuckDBPyRelation, tuple[Broken, ...]]:
    """The rows as a table of its own (scanned several times, and the numbers must stay), and the
    lines that are none: by the engine alone, else by the engine with its rejects, else line by
    line, which reads line ends of several kinds in one file."""
    import duckdb

    table = f"csv_{abs(hash(label))}"
    listed = ", ".join(quoted(name) for name in names if name != ROW) or "NULL AS nothing"
    bare = f"SELECT {listed} FROM read_csv"  # noqa: S608
    whole = f"SELECT {listed}, row_number() OVER () AS row FROM read_csv"  # noqa: S608
    con.execute(f"DROP TABLE IF EXISTS {table}")
    options = _options(path, names, laid.delimiter, packing, laid.above)
    if _has_whole_header(path, laid):  # of another the engine finds no rows, and no fault either
        try:
            if path.stat().st_size > LARGE:
                return _on_disk(con, f"{bare}({options})", scratch, table), ()
            con.execute(f"CREATE TABLE {table} AS {whole}({options})")
            return con.table(table), ()
        except duckdb.Error:
            con.execute(f"DROP TABLE IF EXISTS {table}")
        rejects = f"rejects_{abs(hash(label))}"
        reject_options = (
            f"store_rejects = true, rejects_limit = 0, rejects_table = '{rejects}', "
            f"rejects_scan = 'scan_{rejects}'"
        )
        try:
            con.execute(f"CREATE TABLE {table} AS {whole}({options}, {reject_options})")
            faults = con.execute(
                f"SELECT line, any_value(csv_line), any_value(error_message) FROM {rejects} "  # noqa: S608
                "GROUP BY line ORDER BY line"
            ).fetchall()
            lines = ((int(n), str(text or "")[:200], str(why or "")) for n, text, why in faults)
            return con.table(table), tuple(lines)
        except duckdb.Error:
            con.execute(f"DROP TABLE IF EXISTS {table}")
    with tempfile.NamedTemporaryFile("w", dir=scratch, suffix=".csv", newline="") as staged:
        broken = _line_by_line(path, laid, names, _writer(staged))
        staged.flush()
        alike = _options(Path(staged.name), names, ",", "none", 0)
        try:
            con.execute(f"CREATE TABLE {table} AS {whole}({alike})")
        except duckdb.Error as error:
            first = next((x for x in str(error).splitlines() if x.strip()), "unknown")
            raise DataError(f"{label} is no readable CSV file: {first}") from None
    return con.table(table), broken


def _has_whole_header(path: Path, laid: Layout) -> bool:
    """Whether the header's quotes stand around whole names."""
    with opened(path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        try:
            next(_reader(text, laid), None)
        except csv.Error:
            return False
    return True


def _reader(text: IO[str], laid: Layout) -> Any:
    """A reader that begins at the header: what stands above is no CSV, and may open a quote."""
    for _ in range(laid.above):
        next(text, "")
    return csv.reader(text, delimiter=laid.delimiter, strict=True)


def _options(path: Path, names: Sequence[str], delimiter: str, packing: str, above: int) -> str:
    pattern = literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return (
        f"{pattern}, auto_detect = false, header = true, delim = {literal(delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{columns}}}, null_padding = false, "
        f"max_line_size = {LONGEST_LINE}, compression = '{packing}', skip = {above}"
    )


def _line_by_line(path: Path, laid: Layout, names: Sequence[str], out: Any) -> tuple[Broken, ...]:
    """The rows that have the header's width, written alike below it; the others by line."""
    broken: list[Broken] = []
    longest = csv.field_size_limit(LONGEST_LINE)
    try:
        with opened(path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            reader = _reader(text, laid)
            out.writerow(names)  # not as the file has it, which may be no row of that width
            header = False
            while True:
                line = laid.above + reader.line_num
                try:
                    row = next(reader)
                except StopIteration:
                    return tuple(broken)
                except csv.Error as error:
                    if header or laid.above + reader.line_num > line + 1:  # it took rows along
                        broken.append((line + 1, "", str(error)))
                    header = True
                    continue
                if not row:
                    continue
                if not header:
                    header = True
                elif len(row) == len(names):
                    out.writerow(row)
                else:
                    why = f"Expected Number of Columns: {len(names)} Found: {len(row)}"
                    broken.append((line + 1, laid.delimiter.join(row)[:200], why))
    finally:
        csv.field_size_limit(longest)


def _writer(out: IO[str]) -> Any:
    return csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)


def _on_disk(
    con: duckdb.DuckDBPyConnection, query: str, scratch: Path, name: str
) -> duckdb.DuckDBPyRelation:
    """What a query gives, numbered from 1, in a file that is gone when the connection or the
    process is."""
    folder = Path(tempfile.mkdtemp(prefix="reading-", dir=scratch))
    weakref.finalize(con, shutil.rmtree, folder, ignore_errors=True)
    place = folder / f"{name}.parquet"
    con.execute(f"COPY ({query}) TO {literal(str(place))} (FORMAT parquet, {QUICK})")
    rows = con.read_parquet(str(place), file_row_number=True)
    columns = ", ".join(quoted(column) for column in rows.columns if column != FILE_ROW)
    return rows.project(f"{columns}, {FILE_ROW} + 1 AS {ROW}")
