"""Files of any usual kind as frames, with columns found under any of their spellings.

A publisher renames columns between editions (``InvoiceNo``, ``Invoice``); upper and lower case,
spaces and punctuation never matter. Text stays text until a column is asked for as numbers or
times; a row with a value that cannot be read is set aside by name (``data.adapters.aside``), and
the file refused where it is most of a column.

>>> plain("Customer ID") == plain("CustomerID") == plain("customer_id")
True
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from data.adapters.aside import Faults, notes_of
from data.adapters.local_time import Converted, from_utc, to_utc
from data.engines import duckdb_connection
from data.errors import DataError, UsageError, did_you_mean
from data.settings_import import Import
from data.settings_tree import Engine
from data.source_files import KINDS as SOURCE_KINDS
from data.source_files import kind_of, open_source
from data.times import HAS_ZONE, read_times
from data.values import FIRST_YEAR, LAST_YEAR
from data.words import NO_VALUE, NO_WORD

ZONED = re.compile(HAS_ZONE)
KINDS = (*SOURCE_KINDS, ".txt")
FIX = "mend it there, or import by a mapping of yours (presage map) that says what it means"
FIX_TIMES = (
    "where dates are the other way round give the option dates=day_first or dates=month_first; "
    "written otherwise, import by a mapping of yours (presage map), whose time_formats say how"
)


@dataclass(frozen=True)
class Field:
    """A column that an adapter wants: our name for it, its spellings, whether it must be there."""

    name: str
    spellings: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Sheet:
    """A file's rows under our names; columns that were not asked for are left out.

    ``frame`` has the number of each row in its index, the data row as a person counts it from 1.
    ``faults`` grows as columns are read: rows with a value that is none.
    """

    path: Path
    frame: pd.DataFrame
    faults: Faults
    part: str = ""
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name, with the sheet's where there are several."""
        return f"{self.path.name}{_of_sheet(self.part)}"

    def has(self, column: str) -> bool:
        """Whether the file has that column."""
        return column in self.frame.columns

    def remarks(self, table: str) -> tuple[str, ...]:
        """What a report says of the file: how it was read, and which rows are set aside."""
        return (*self.notes, *notes_of(table, self.name, self.faults.rows(table)))


def plain(name: object) -> str:
    """A column's name without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _of_sheet(part: str) -> str:
    return f' sheet "{part}"' if part else ""


def choose(source: Path, which: str | None = None) -> Path:
    """The file to read: SOURCE itself, or the one file of the folder that ``which`` names."""
    if not source.exists():
        raise UsageError(f"there is no file or folder {source}")
    if source.is_file():
        if which is not None:
            raise UsageError(f'{source} is a file; the option which="{which}" is for a folder')
        _kind(source)
        return source
    files = sorted(p for p in source.iterdir() if p.is_file() and _is_read(p))
    stems = {p.name.split(".")[0]: p for p in files}
    listed = ", ".join(stems) or f"none of {', '.join(KINDS)}"
    if which is None:
        if len(files) == 1:
            return files[0]
        raise UsageError(
            f"{source} is a folder; name the file itself or one of its files with the option "
            f"which=NAME. There: {listed}"
        )
    if which.split(".")[0] in stems:
        return stems[which.split(".")[0]]
    raise UsageError(f'{source} has no file "{which}".{did_you_mean(which, stems)} There: {listed}')


def sheets(path: Path, fields: Sequence[Field], *, missing: Sequence[str] = ("",)) -> list[Sheet]:
    """Every sheet of the file (one, except for .xlsx) with the columns of ``fields``.

    ``missing`` are the texts that stand for no value. Raises DataError for an empty file and for
    a required column that no spelling finds.
    """
    if _kind(path) == ".xlsx":
        parts = _workbook(path, list(missing))
    else:
        parts = [_table(path, missing)]
    several = len(parts) > 1
    named = [_named(replace(sheet, part=sheet.part if several else ""), fields) for sheet in parts]
    if not any(len(sheet.frame) for sheet in named):
        raise DataError(f"{path.name} has no rows; export it again, or name another file")
    return named


def header(path: Path) -> list[str]:
    """The column names of a file, as they stand there; of the first sheet of an .xlsx."""
    sheet = _workbook(path, [""])[0] if _kind(path) == ".xlsx" else _table(path, ("",))
    return [str(name) for name in sheet.frame.columns]


def text(sheet: Sheet, column: str) -> pd.Series:
    """A column as ``str``, stripped, null where empty; whole floats (7.0) lose their point."""
    values = sheet.frame[column]
    if pd.api.types.is_float_dtype(values.dtype):
        known = values.notna() & (values % 1 == 0)
        if known.sum() == values.notna().sum():
            values = values.astype("Int64")
    out = values.astype("object").where(values.notna(), None).astype("str").str.strip()
    out = out.str.replace(r"^(\d+)\.0$", r"\1", regex=True)
    return out.mask((out == "") | out.isin(NO_WORD))


def _values(sheet: Sheet, column: str) -> pd.Series:
    """A column of times or numbers; what stands for none (NULL, -) is null."""
    values = sheet.frame[column]
    if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
        return values
    return values.mask(values.astype("str").str.strip().str.lower().isin(NO_VALUE))


def required_text(sheet: Sheet, column: str) -> pd.Series:
    """As ``text``; rows without a value are set aside."""
    out = text(sheet, column)
    _required(sheet, column, out)
    return out


def numbers(sheet: Sheet, column: str) -> pd.Series:
    """A column as float64; rows whose value is no number are set aside."""
    values = _values(sheet, column)
    out = pd.to_numeric(values, errors="coerce").astype("float64")
    sheet.faults.add(column, values, values.notna() & out.isna(), "is not a number", FIX)
    return out


def instants(
    sheet: Sheet,
    column: str,
    formats: Sequence[str],
    zone: str,
    *,
    required: bool = False,
    dates: str | None = None,
) -> Converted:
    """A column of times in UTC: by their offset where they state one, else by the clock of
    ``zone``; floored to microseconds. Rows are set aside as by ``clock``.
    """
    values = _values(sheet, column)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        stated = values.dt.tz_convert("UTC").dt.tz_localize(None).dt.floor("us")
        has = values.notna()
    else:
        text = values.astype("object").where(values.notna(), None)
        named = text.map(lambda one: isinstance(one, str) and one.endswith((zone, f"{zone}]")))
        if named.any():  # what names this very clock shows its time, the repeated hour too
            text = text.where(~named.astype(bool), text.astype("str").str.rstrip("]"))
            text = text.where(~named.astype(bool), text.str.removesuffix(zone).str.rstrip(" ["))
            values, sheet = text, replace(sheet, frame=sheet.frame.assign(**{column: text}))
        has = _is_zoned(text)
        stated = read_times(text.where(has, None))
        unknown = has & stated.isna()
        sheet.faults.add(column, values, unknown, "is not a time with an offset we know", FIX)
    stated = stated.astype("datetime64[us]")
    if not has.any():
        return to_utc(clock(sheet, column, formats, required=required, dates=dates), zone)
    bare = replace(sheet, frame=sheet.frame.assign(**{column: values.where(~has, None)}))
    converted = to_utc(clock(bare, column, formats, dates=dates), zone)
    utc = converted.utc.mask(has, stated)
    if required:
        _required(sheet, column, values)
    return Converted(
        utc,
        converted.is_repeated & ~has,
        converted.is_skipped & ~has,
        converted.local.mask(has, from_utc(stated, zone)).astype("datetime64[us]"),
    )


def clock(
    sheet: Sheet,
    column: str,
    formats: Sequence[str],
    *,
    required: bool = False,
    dates: str | None = None,
) -> pd.Series:
    """A column as datetime64[us] by the file's own clock, floored to microseconds.

    The whole column is read in one format: the first of ``formats`` (``ISO8601`` or a strptime
    format) that reads most values; so 3/2/2016 never changes its meaning from row to row.
    ``dates``: ``day_first`` or ``month_first``; empty: a column that could be both is refused;
    None: the publisher's own order is that of ``formats``.
    Rows with a value that this format cannot read, or that states an offset (``instants`` reads
    those), are set aside.
    """
    values = _values(sheet, column)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        naive = values.dt.tz_localize(None) if values.dt.tz is not None else values
        best = naive
    else:
        as_text = values.astype("object").where(values.notna(), None)
        other = {"day_first": "%m/", "month_first": "%d/"}.get(dates or "", "none")
        formats = [layout for layout in formats if not layout.startswith(other)]
        read = [_parsed(as_text, layout) for layout in formats]
        best = max(read, key=lambda times: int(times.notna().sum()))
        if dates == "":
            _refuse_both(sheet, column, as_text, best, read)
        wrong = values.notna() & best.isna()
        if wrong.any():  # 25.10.2025, 24:00, 2026-W53-1, by the one grammar
            order = {"day_first": "day_first", "month_first": "month_first"}.get(dates or "", "")
            bare = as_text.where(wrong & ~_is_zoned(as_text), None)
            best = best.fillna(read_times(bare, Import(dates=order)))  # type: ignore[arg-type]
            wrong &= best.isna()
        wanted = f"a time written as {' or '.join(_example(f) for f in formats)}"
        sheet.faults.add(column, values, wrong, f"is not {wanted}", FIX_TIMES)
    outside = best.notna() & ~best.dt.year.between(FIRST_YEAR + 1, LAST_YEAR - 1)
    rule = f"is not a time between {FIRST_YEAR} and {LAST_YEAR}"
    sheet.faults.add(column, values, outside, rule, FIX)
    if required:
        _required(sheet, column, values)
    return best.mask(outside).dt.floor("us").astype("datetime64[us]")


def _required(sheet: Sheet, column: str, values: pd.Series) -> None:
    rule = "is empty, and every row needs one"
    sheet.faults.add(column, values, values.isna(), rule, "fill it in, or leave the row out")


def _refuse_both(
    sheet: Sheet, column: str, values: pd.Series, best: pd.Series, read: Sequence[pd.Series]
) -> None:
    """DataError where another way reads as many of the values, and reads them otherwise."""
    for other in read:
        if other is best or other.notna().sum() < best.notna().sum() or best.isna().all():
            continue
        differ = (other != best) & best.notna()
        if differ.any():
            row = differ.idxmax()
            raise DataError(
                f"{sheet.name} row {row}, column {column}: {values[row]!r} can be "
                f"{best[row]:%d %B} or {other[row]:%d %B}, and no value of the "
                "column tells which; give the option dates=day_first or dates=month_first"
            )


def _parsed(values: pd.Series, layout: str) -> pd.Series:
    parsed: pd.Series = pd.to_datetime(values, format=layout, errors="coerce", utc=True)
    naive = parsed.dt.tz_localize(None)
    return naive.mask(_is_zoned(values))


def _is_zoned(values: pd.Series) -> pd.Series:
    return values.map(lambda one: isinstance(one, str) and bool(ZONED.search(one))).astype(bool)


def _example(layout: str) -> str:
    return (
        "2016-02-29 01:16"
        if layout == "ISO8601"
        else pd.Timestamp(2016, 2, 29, 13, 16).strftime(layout)
    )


def _is_read(path: Path) -> bool:
    return bool(kind_of(path)) or path.suffix.lower() == ".txt"


def _kind(path: Path) -> str:
    if not _is_read(path):
        hint = " Unpack it first." if path.suffix.lower() == ".zip" else ""
        raise UsageError(f"{path.name} is none of {', '.join(KINDS)}.{hint}")
    return kind_of(path) or ".txt"


def _workbook(path: Path, missing: list[str]) -> list[Sheet]:
    """Every sheet of a workbook that has a header."""
    try:
        read = pd.read_excel(path, sheet_name=None, engine="calamine", na_values=missing)
    except Exception as error:  # the reader has many, and none in common
        raise DataError(f"{path.name} is no readable workbook: {error}") from None
    parts = {str(name): frame for name, frame in read.items() if len(frame.columns)}
    if not parts:
        raise DataError(f"{path.name} is empty: no sheet has a row")
    several = len(parts) > 1
    return [
        Sheet(
            path,
            frame.set_axis(pd.RangeIndex(1, len(frame) + 1)),
            Faults(path.name, _of_sheet(part) if several else ""),
            part,
        )
        for part, frame in parts.items()
    ]


def _table(path: Path, missing: Sequence[str]) -> Sheet:
    """The rows of a file that is no workbook; texts stripped, ``missing`` ones null."""
    faults = Faults(path.name)
    with tempfile.TemporaryDirectory() as scratch:
        con = duckdb_connection(Engine(), [path.parent.resolve(), Path(scratch)])
        source = open_source(con, path, path.name, Import(), Path(scratch))
        frame = source.relation.order("row").df().set_index("row").rename_axis(None)
    faults.lines(source.broken)
    for column, kind in source.types.items():
        if kind == "VARCHAR":
            texts = frame[column].astype("str").str.strip()
            frame[column] = texts.mask(texts.isin(list(missing)))
    return Sheet(path, frame, faults, notes=source.notes)


def _named(sheet: Sheet, fields: Sequence[Field]) -> Sheet:
    columns = {plain(column): column for column in reversed(list(sheet.frame.columns))}
    theirs_of: dict[str, Any] = {}
    for wanted in fields:
        spellings = [plain(name) for name in (wanted.name, *wanted.spellings)]
        column = next((columns[name] for name in spellings if name in columns), None)
        if column is not None:
            theirs_of[wanted.name] = column
        elif wanted.required:
            near = did_you_mean(wanted.name, [str(c) for c in sheet.frame.columns])
            spelled = ", ".join(wanted.spellings)
            raise DataError(
                f'{sheet.name} has no column "{wanted.name}"'
                f"{f' (also read as {spelled})' if spelled else ''}.{near} "
                f"It has: {', '.join(map(str, sheet.frame.columns))}"
            )
    named = pd.DataFrame({ours: sheet.frame[theirs] for ours, theirs in theirs_of.items()})
    return replace(sheet, frame=named)


def option(options: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """The chosen value of an option, the first of ``choices`` if none; UsageError otherwise."""
    value = options.get(name, choices[0])
    if value not in choices:
        raise UsageError(
            f'{name}="{value}" is not one of {", ".join(choices)}.{did_you_mean(value, choices)}'
        )
    return value
