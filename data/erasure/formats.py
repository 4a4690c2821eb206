"""Files that may name a person, by format: how often they do, and the same without them.

A table (Parquet, CSV) loses the rows that name them; lines of JSON and of text lose what names
them; a JSON document the entries that do. Whatever stands beside them stays as it was, to the byte
where the format has lines. A file is rewritten whole, staged and renamed into place.
"""

from __future__ import annotations

import csv
import io
import json
import mmap
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.csv_files import CHUNK, PACKINGS, Layout, encoding_of, layout, opened
from data.erasure.finder import Finder
from data.errors import DamagedFile, DataError
from data.files import replacing
from data.kept_columns import names_of_texts, texts_of
from data.packs import SUFFIX as PACK
from data.packs import Pack
from data.source_files import PACKED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

TEXTS = (".log", ".txt", ".md", ".html", ".svg", ".toml", ".yaml", ".yml", ".ics", "")
READ_AS_TEXT = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
ROWS, VALUES, LINES, PLACES = "rows", "values", "lines", "places"
"""What is counted in a file."""


def counted(path: Path) -> str:
    """What is counted in a file of this format."""
    kinds = {".parquet": ROWS, ".csv": ROWS, ".json": VALUES, ".jsonl": LINES, ".ndjson": LINES}
    return kinds.get(path.suffix.lower(), LINES if path.suffix.lower() in TEXTS else PLACES)


def found_in(path: Path, finder: Finder) -> int:
    """How many rows, values, lines or places of a file name the person; 0 where it is gone."""
    try:
        return _found_in(path, finder) or _raw_places(path, finder)
    except FileNotFoundError:
        return 0


def _found_in(path: Path, finder: Finder) -> int:
    suffix = path.suffix.lower()
    if suffix in PACKED or not is_plain_text(path):
        return _in_other_text(path, finder)
    if suffix in (*READ_AS_TEXT, *TEXTS) and not _maybe_in(path, finder):
        return 0
    if suffix == ".parquet":
        return sum(int(named.sum()) for _, named in parquet_rows(path, finder))
    if suffix in (".csv", ".tsv"):
        return sum(named for _, named in csv_rows(path, finder))
    if suffix == ".json":
        document = _document(path)
        if document is not None:
            return _without(document[0], finder)[1]
    if suffix in (".jsonl", ".ndjson", ".json", *TEXTS):
        with path.open("r", encoding="utf-8", errors="surrogateescape", newline="") as file:
            return sum(finder.in_text(line) for line in file)
    if suffix == PACK:
        return _in_pack(path, finder)
    if suffix in (".xlsx", ".zip", ".npz"):
        return _in_archive(path, finder)
    return 0


def forget_in(path: Path, finder: Finder) -> bool:
    """Rewrite a file without what names the person; False where its format has no way."""
    suffix = path.suffix.lower()
    if not is_plain_text(path):
        return False
    if suffix == ".parquet":
        _rewrite_parquet(path, finder)
    elif suffix in (".csv", ".tsv"):
        rows = [line for line, named in csv_rows(path, finder) if not named]
        _write(path, "".join(rows))
    elif suffix == ".json" and (document := _document(path)) is not None:
        rest = _without(document[0], finder)[0]
        _write(path, json.dumps(rest, indent=document[1], ensure_ascii=False) + "\n")
    elif suffix in (".jsonl", ".ndjson"):
        _write(path, "".join(line for line in _lines(path) if not finder.in_text(line)))
    elif suffix in (".json", *TEXTS):
        _write(path, "".join(finder.without(line) for line in _lines(path)))
    else:
        return False
    return not found_in(path, finder)


def blank_in(path: Path, finder: Finder) -> None:
    """Write over what names the person in a text that somebody may be adding to: same length, same
    file, so that nothing that is added meanwhile is lost."""
    with path.open("r+b") as file:
        start = 0
        for line in iter(file.readline, b""):
            text = line.decode("utf-8", "surrogateescape")
            if finder.in_text(text):
                rest = finder.without(text).encode("utf-8", "surrogateescape").rstrip(b"\r\n")
                room = len(line.rstrip(b"\r\n"))
                os.pwrite(file.fileno(), rest[:room].ljust(room), start)
            start += len(line)
        os.fsync(file.fileno())


def parquet_rows(path: Path, finder: Finder) -> Iterator[tuple[pa.Table, npt.NDArray[np.bool_]]]:
    """The row groups of a Parquet file, and per row whether one of its values names the person."""
    import numpy as np
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for number in range(max(file.num_row_groups, 0)):
            part = file.read_row_group(number)
            named = np.zeros(len(part), dtype=bool)
            for name in part.column_names:
                named |= finder.in_column(part[name], name)
            yield part, named


def write_parquet(path: Path, parts: Iterator[pa.Table], like: Path) -> None:
    """Row groups as a Parquet file in the schema and compression of the file ``like``."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(like) as old:
        schema, groups = old.schema_arrow, old.metadata.num_row_groups
        column = (
            old.metadata.row_group(0).column(0) if groups and old.metadata.num_columns else None
        )
    packing = "zstd" if column is None else column.compression.lower()
    packing = "none" if packing == "uncompressed" else packing
    with pq.ParquetWriter(path, schema, compression=packing) as writer:
        for part in parts:
            if len(part):
                writer.write_table(_own_dictionaries(part).cast(schema))


def _rewrite_parquet(path: Path, finder: Finder) -> None:
    with replacing(path, path.stat().st_mode & 0o777) as staged:
        others = (part.filter(~named) for part, named in parquet_rows(path, finder))
        write_parquet(staged, others, path)


def _own_dictionaries(part: pa.Table) -> pa.Table:
    """Categories made anew: those of rows that are gone go with them."""
    import pyarrow as pa

    for number, field in enumerate(part.schema):
        if pa.types.is_dictionary(field.type):
            plain = part[field.name].cast(field.type.value_type)
            part = part.set_column(number, field.name, plain.dictionary_encode())
    return part.unify_dictionaries()


def csv_rows(path: Path, finder: Finder) -> Iterator[tuple[str, bool]]:
    """The rows of a CSV as they stand in the file, and whether one of their values names the
    person; the header is no row."""
    header: list[str] | None = None
    for line, row in csv_lines(path):
        if header is None:
            header = row
            yield line, False
            continue
        names = header + [""] * (len(row) - len(header))
        yield line, any(finder.names(name, value) for name, value in zip(names, row, strict=False))


def csv_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each row of a CSV: as it stands in the file, and its values. The first is the header, with
    the lines that stand above it."""
    held: list[str] = []
    laid = csv_layout(path)

    def lines() -> Iterator[str]:
        with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for line in file:
                held.append(line)
                yield line

    reader, before = csv.reader(lines(), delimiter=laid.delimiter), 0
    for row in reader:
        is_above, before = before < laid.above, reader.line_num
        if is_above:
            continue
        yield "".join(held), row
        held.clear()


def csv_layout(path: Path) -> Layout:
    """What parts the columns of a CSV, and where its header is."""
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        return layout(file.read(CHUNK))


def _document(path: Path) -> tuple[Any, int | None] | None:
    """A JSON document and its indent; None where it is none."""
    text = path.read_text("utf-8", errors="surrogateescape")
    try:
        content = json.loads(text)
    except ValueError:
        return None
    second = text.split("\n", 2)[1:2]
    indent = (
        len(second[0]) - len(second[0].lstrip(" ")) if second and "\n" in text.strip() else None
    )
    return content, indent


def _without(value: Any, finder: Finder, name: str = "") -> tuple[Any, int]:
    """A JSON value without the entries that name the person, and how many there were."""
    if isinstance(value, list):
        others = [each for each in value if not _is_theirs(each, finder)]
        inner = [_without(each, finder, name) for each in others]
        inner_count = sum(count for _, count in inner)
        return [each for each, _ in inner], len(value) - len(others) + inner_count
    if isinstance(value, dict):
        out, count = {}, 0
        for key, each in value.items():
            if finder.names("", key):
                count += 1
                continue
            out[key], inner_count = _without(each, finder, key)
            count += inner_count
        return out, count
    if not finder.names(name, value):
        return value, 0
    rest = finder.without(value) if isinstance(value, str) else None
    return (rest if rest != value else None), 1


def _is_theirs(value: Any, finder: Finder) -> bool:
    """Whether an entry of a list is about the person: a value of its own names them."""
    if isinstance(value, dict):
        owner = value.get("customer_id")
        if owner is not None:
            return finder.names("customer_id", owner)
        return any(finder.names(name, each) for name, each in value.items())
    inner = value if isinstance(value, list) else [value]
    return any(isinstance(each, str) and finder.names("", each) for each in inner)


def _lines(path: Path) -> list[str]:
    with path.open("r", encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(file)


def _write(path: Path, text: str) -> None:
    with replacing(path, path.stat().st_mode & 0o777) as staged:
        staged.write_text(text, "utf-8", errors="surrogateescape", newline="")


def _in_archive(path: Path, finder: Finder) -> int:
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(finder.in_bytes(archive.read(name)) for name in archive.namelist())
    except zipfile.BadZipFile:
        return 0


def _in_pack(path: Path, finder: Finder) -> int:
    """Texts stand without anything between them: only as such are they found."""
    import pyarrow as pa

    try:
        pack = Pack(path)
    except DamagedFile:
        return 0
    columns = ((name, pa.chunked_array([texts_of(pack, name)])) for name in names_of_texts(pack))
    return sum(int(finder.in_column(texts, name).sum()) for name, texts in columns)


def _maybe_in(path: Path, finder: Finder) -> bool:
    if finder.keys or not path.stat().st_size:
        return bool(path.stat().st_size)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return finder.maybe_in(data)


def is_plain_text(path: Path) -> bool:
    """False for rows of text that are packed or in UTF-16, whatever the file's name says: they are
    read as a table, but cannot be rewritten line by line."""
    if path.suffix.lower() not in READ_AS_TEXT:
        return True
    with path.open("rb") as file:
        start = file.read(4)
    wide = start[:2] in (b"\xff\xfe", b"\xfe\xff") or (len(start) == 4 and start.count(0) >= 2)
    return not wide and not start.startswith(tuple(PACKINGS))


def _in_other_text(path: Path, finder: Finder) -> int:
    import pyarrow as pa

    try:
        encoding = encoding_of(path)
        with opened(path) as file, io.TextIOWrapper(file, encoding, "replace") as text:
            return sum(finder.in_text(line) for line in text)
    except (OSError, pa.ArrowException, DataError):
        return 0


def _raw_places(path: Path, finder: Finder) -> int:
    """The places in the very bytes of a file that name the person."""
    if not path.stat().st_size:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return sum(1 for _ in finder.places(data))
