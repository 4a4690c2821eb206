"""The customers that a job is about, row by row, as CSV, JSON lines, Parquet or a list of JSON.

No row is left out: one without an id that can be looked for has a status and says why.

>>> rows = ids_in(b"customer_id,name\\na,Ann\\n,Nobody\\na,Ann\\n", CSV, most_rows=10)
>>> rows.column("status").to_pylist()
[None, 'blank', 'duplicate']
>>> rows.column("error")[2].as_py()
'the same customer as row 1'
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from data.csv_files import DELIMITERS
from data.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

CSV, LINES, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"
FORMATS = {
    CSV: CSV,
    LINES: LINES,
    "application/jsonl": LINES,
    "application/jsonlines": LINES,
    PARQUET: PARQUET,
    "application/x-parquet": PARQUET,
}
"""Media types by which a format is sent."""
COLUMN = "customer_id"
LONGEST = 200
"""Characters of an id, as in ``/v1/predictions``."""
SWELLING = 20
"""A column of Parquet is read where it is at most so many times as large as the file."""
PART_ROWS = 10_000


class TooManyRows(UsageError):
    """More rows than a job may have."""


@dataclass(frozen=True)
class Unreadable:
    """A row that holds no id, and why."""

    reason: str


def ids_in(content: bytes, media: str, most_rows: int) -> pa.Table:
    """The rows of a file: ``customer_id``, and for those that cannot be answered ``status`` (blank,
    unreadable, duplicate) and ``error``.

    UsageError for a file that cannot be read as what it is said to be; TooManyRows.
    """
    read = {CSV: _of_csv, LINES: _of_lines, PARQUET: _of_parquet}[FORMATS[media]]
    return rows_of(read(content), most_rows)


def rows_of(values: Iterable[Any], most_rows: int) -> pa.Table:
    """The same of ids as they came; TooManyRows, UsageError where there is none."""
    import pyarrow as pa

    ids: list[str | None] = []
    status: list[str | None] = []
    errors: list[str | None] = []
    first: dict[str, int] = {}
    for number, value in enumerate(values, 1):
        if number > most_rows:
            raise TooManyRows(f"there are more than {most_rows:,} rows; send them as several jobs")
        text, kind, error = _id_of(value)
        if text is not None and kind is None and first.setdefault(text, number) != number:
            kind, error = "duplicate", f"the same customer as row {first[text]}"
        ids.append(text)
        status.append(kind)
        errors.append(error)
    if not ids:
        raise UsageError(f"there is no row; send one a customer, with their {COLUMN}")
    columns = {COLUMN: ids, "status": status, "error": errors}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _id_of(value: Any) -> tuple[str | None, str | None, str | None]:
    """Id, status and error of a row."""
    if isinstance(value, Unreadable):
        return None, "unreadable", value.reason
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers with a hole in it
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, "blank", f"the row has no {COLUMN}"
    if not isinstance(value, str):
        return None, "unreadable", f"{COLUMN} is neither a text nor a whole number"
    text = value.strip()
    if len(text) > LONGEST:
        return text[:LONGEST], "unreadable", f"an id has at most {LONGEST} characters"
    return text, None, None


def _of_csv(content: bytes) -> Iterator[Any]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"the CSV is not UTF-8 at byte {error.start + 1}; save it so") from None
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
        if COLUMN not in names:
            shown = ", ".join(names)[:200] or "nothing"
            raise UsageError(
                f"the CSV has no column {COLUMN}: its first line, the names of the columns, has "
                f"{shown}"
            )
        at = names.index(COLUMN)
        for row in rows:
            yield row[at] if at < len(row) else None
    except csv.Error as error:
        raise UsageError(f"line {rows.line_num} of the CSV cannot be read: {error}") from None


def _of_lines(content: bytes) -> Iterator[Any]:
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1].strip():
        lines.pop()  # what follows the last line's end
    for line in lines:
        try:
            value = msgspec.json.decode(line) if line.strip() else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield Unreadable("the line is no JSON")
            continue
        if isinstance(value, dict):
            value = value.get(COLUMN, Unreadable(f"the line has no {COLUMN}"))
        yield value


def _of_parquet(content: bytes) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(pa.BufferReader(content))
        if schema.names.count(COLUMN) != 1:
            shown = ", ".join(schema.names)[:200] or "none"
            raise UsageError(f"the Parquet file has no column {COLUMN}: it has {shown}")
        kind = schema.field(COLUMN).type
        if pa.types.is_nested(kind) or pa.types.is_temporal(kind):
            raise UsageError(f"the column {COLUMN} of the Parquet file holds no plain ids")
        with pq.ParquetFile(pa.BufferReader(content), read_dictionary=[COLUMN]) as file:
            if _column_bytes(file) > SWELLING * max(len(content), 1 << 20):
                raise UsageError(f"{COLUMN} takes too much memory; send a file of plain ids")
            for batch in file.iter_batches(PART_ROWS, columns=[COLUMN]):
                values = batch.column(0)
                values.validate(full=True)  # a damaged file may point outside its dictionary
                if pa.types.is_dictionary(values.type):
                    # cut before they are made texts: one long value may stand in every row
                    words = pc.utf8_slice_codeunits(values.dictionary, 0, LONGEST + 1).to_pylist()
                    places = values.indices.to_pylist()
                    yield from (None if at is None else words[at] for at in places)
                else:
                    yield from values.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        reason = str(error).splitlines()[0][:200]
        raise UsageError(f"the Parquet file cannot be read: {reason}") from None


def _column_bytes(file: Any) -> int:
    """What the column of ids takes in memory, as the file says."""
    at = [file.metadata.schema.column(n).path for n in range(file.metadata.num_columns)]
    if COLUMN not in at:
        return 0
    groups = range(file.metadata.num_row_groups)
    number = at.index(COLUMN)
    return sum(file.metadata.row_group(g).column(number).total_uncompressed_size for g in groups)
