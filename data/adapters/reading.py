"""Files of any usual kind as frames, with columns found under any of their spellings.

A publisher renames columns between editions (``InvoiceNo``, ``Invoice``); upper and lower case,
spaces and punctuation never matter. Text stays text until a column is asked for as numbers or
times, so that every value that cannot be read is named with its file, row and column.

>>> plain("Customer ID") == plain("CustomerID") == plain("customer_id")
True
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.adapters.local_time import Converted, from_utc, to_utc
from data.errors import DataError, UsageError, did_you_mean
from data.settings_import import Import
from data.times import HAS_ZONE, read_times
from data.values import FIRST_YEAR, LAST_YEAR

ZONED = re.compile(HAS_ZONE)
TEXT_FILES = (".csv", ".csv.gz", ".txt", ".tsv")
KINDS = (*TEXT_FILES, ".parquet", ".xlsx")


@dataclass(frozen=True)
class Field:
    """A column that an adapter wants: our name for it, its spellings, whether it must be there."""

    name: str
    spellings: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Sheet:
    """A file's rows under our names; columns that were not asked for are left out.

    ``frame`` counts its rows from 0; ``first_row`` is the number that a person sees beside row 0
    (2 below a header line, 1 in Parquet, which has none).
    """

    path: Path
    frame: pd.DataFrame
    first_row: int
    part: str = ""

    @property
    def name(self) -> str:
        """The file's name, with the sheet's where there are several."""
        return f'{self.path.name} sheet "{self.part}"' if self.part else self.path.name

    def has(self, column: str) -> bool:
        """Whether the file has that column."""
        return column in self.frame.columns

    def at(self, position: int) -> str:
        """The place of a row as a person finds it."""
        return f"{self.name} row {position + self.first_row}"


def plain(name: object) -> str:
    """A column's name without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def choose(source: Path, which: str | None = None) -> Path:
    """The file to read: SOURCE itself, or the one file of the folder that ``which`` names."""
    if not source.exists():
        raise UsageError(f"there is no file or folder {source}")
    if source.is_file():
        if which is not None:
            raise UsageError(f'{source} is a file; the option which="{which}" is for a folder')
        _kind(source)
        return source
    files = sorted(p for p in source.iterdir() if p.name.lower().endswith(KINDS))
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
    kind = _kind(path)
    if kind == ".parquet":
        parts = [("", pd.read_parquet(path), 1)]
    elif kind == ".xlsx":
        read = pd.read_excel(path, sheet_name=None, engine="calamine", na_values=list(missing))
        parts = [(str(name), frame, 2) for name, frame in read.items() if len(frame.columns)]
    else:
        parts = [("", _text_file(path, kind, missing), 2)]
    several = len(parts) > 1
    named = [
        _named(Sheet(path, frame, first, part if several else ""), fields)
        for part, frame, first in parts
    ]
    if not any(len(sheet.frame) for sheet in named):
        raise DataError(f"{path.name} has no rows; export it again, or name another file")
    return named


def header(path: Path) -> list[str]:
    """The column names of a file, as they stand there; of the first sheet of an .xlsx."""
    kind = _kind(path)
    if kind == ".parquet":
        import pyarrow.parquet

        return [str(name) for name in pyarrow.parquet.read_schema(path).names]
    if kind == ".xlsx":
        return [str(c) for c in pd.read_excel(path, engine="calamine", nrows=0).columns]
    return [str(c) for c in _text_file(path, kind, ("",), rows=0).columns]


def text(sheet: Sheet, column: str) -> pd.Series:
    """A column as ``str``, stripped, null where empty; whole floats (7.0) lose their point."""
    values = sheet.frame[column]
    if pd.api.types.is_float_dtype(values.dtype):
        known = values.notna() & (values % 1 == 0)
        if known.sum() == values.notna().sum():
            values = values.astype("Int64")
    out = values.astype("object").where(values.notna(), None).astype("str").str.strip()
    out = out.str.replace(r"^(\d+)\.0$", r"\1", regex=True)
    return out.mask(out == "")


def required_text(sheet: Sheet, column: str) -> pd.Series:
    """As ``text``; DataError at the first row without a value."""
    out = text(sheet, column)
    if out.isna().any():
        position = int(np.flatnonzero(out.isna().to_numpy())[0])
        raise DataError(
            f"{sheet.at(position)}: {column} is empty, and every row needs one "
            f"({int(out.isna().sum())} rows lack it)"
        )
    return out


def numbers(sheet: Sheet, column: str) -> pd.Series:
    """A column as float64; DataError for the first value that is not a number."""
    values = sheet.frame[column]
    out = pd.to_numeric(values, errors="coerce").astype("float64")
    _refuse(sheet, column, values, values.notna() & out.isna(), "a number")
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
    ``zone``; floored to microseconds. Raises DataError as ``clock`` does.
    """
    values = sheet.frame[column]
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
        has = text.map(lambda one: isinstance(one, str) and bool(ZONED.search(one))).astype(bool)
        stated = read_times(text.where(has, None))
        _refuse(sheet, column, values, has & stated.isna(), "a time with an offset we know")
    stated = stated.astype("datetime64[us]")
    if not has.any():
        return to_utc(clock(sheet, column, formats, required=required, dates=dates), zone)
    bare = replace(sheet, frame=sheet.frame.assign(**{column: values.where(~has, None)}))
    converted = to_utc(clock(bare, column, formats, dates=dates), zone)
    utc = converted.utc.mask(has, stated)
    if required and utc.isna().any():
        position = int(np.flatnonzero(utc.isna().to_numpy())[0])
        raise DataError(f"{sheet.at(position)}: {column} is empty, and every row needs one")
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
    Raises DataError for the first value that this format cannot read, or that states an offset
    (``instants`` reads those).
    """
    values = sheet.frame[column]
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
        if dates and bool((as_text.notna() & best.isna()).any()):  # 25.10.2025, by the one grammar
            written = read_times(
                as_text, Import(dates="day_first" if dates == "day_first" else "month_first")
            )
            best = written if written.notna().sum() > best.notna().sum() else best
        wanted = f"a time written as {' or '.join(_example(f) for f in formats)}"
        _refuse(sheet, column, values, values.notna() & best.isna(), wanted)
    outside = best.notna() & ~best.dt.year.between(FIRST_YEAR + 1, LAST_YEAR - 1)
    _refuse(sheet, column, values, outside, f"a time between {FIRST_YEAR} and {LAST_YEAR}")
    if required and best.isna().any():
        position = int(np.flatnonzero(best.isna().to_numpy())[0])
        raise DataError(f"{sheet.at(position)}: {column} is empty, and every row needs one")
    return best.dt.floor("us").astype("datetime64[us]")


def _refuse_both(
    sheet: Sheet, column: str, values: pd.Series, best: pd.Series, read: Sequence[pd.Series]
) -> None:
    """DataError where another way reads as many of the values, and reads them otherwise."""
    for other in read:
        if other is best or other.notna().sum() < best.notna().sum() or best.isna().all():
            continue
        differ = (other != best) & best.notna()
        if differ.any():
            position = int(np.flatnonzero(differ.to_numpy())[0])
            raise DataError(
                f"{sheet.at(position)}, column {column}: {values.iloc[position]!r} can be "
                f"{best.iloc[position]:%d %B} or {other.iloc[position]:%d %B}, and no value of the "
                "column tells which; give the option dates=day_first or dates=month_first"
            )


def _parsed(values: pd.Series, layout: str) -> pd.Series:
    parsed: pd.Series = pd.to_datetime(values, format=layout, errors="coerce", utc=True)
    naive = parsed.dt.tz_localize(None)
    zoned = values.map(lambda one: isinstance(one, str) and bool(ZONED.search(one)))
    return naive.mask(zoned.astype(bool))


def _example(layout: str) -> str:
    return (
        "2016-02-29 01:16"
        if layout == "ISO8601"
        else pd.Timestamp(2016, 2, 29, 13, 16).strftime(layout)
    )


def _refuse(sheet: Sheet, column: str, values: pd.Series, wrong: pd.Series, wanted: str) -> None:
    if wrong.any():
        position = int(np.flatnonzero(wrong.to_numpy(dtype=bool))[0])
        raise DataError(
            f"{sheet.at(position)}, column {column}: {values.iloc[position]!r} is not {wanted} "
            f"({int(wrong.sum())} such rows)"
        )


def _kind(path: Path) -> str:
    for kind in KINDS:
        if path.name.lower().endswith(kind):
            return kind
    hint = " Unpack it first." if path.suffix.lower() == ".zip" else ""
    raise UsageError(f"{path.name} is none of {', '.join(KINDS)}.{hint}")


def _text_file(
    path: Path, kind: str, missing: Sequence[str], rows: int | None = None
) -> pd.DataFrame:
    options: dict[str, Any] = {
        "sep": "\t" if kind in (".txt", ".tsv") else ",",
        "dtype": "str",
        "keep_default_na": False,
        "na_values": list(missing),
        "nrows": rows,
        "skipinitialspace": True,
    }
    try:
        try:
            return pd.read_csv(path, encoding="utf-8-sig", **options)
        except UnicodeDecodeError:  # exports of spreadsheets in western Europe
            return pd.read_csv(path, encoding="cp1252", **options)
    except pd.errors.EmptyDataError:
        raise DataError(f"{path.name} is empty; export it again, or name another file") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}") from None


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
    named = pd.DataFrame(
        {ours: sheet.frame[theirs] for ours, theirs in theirs_of.items()}
    ).reset_index(drop=True)
    return Sheet(sheet.path, named, sheet.first_row, sheet.part)


def option(options: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """The chosen value of an option, the first of ``choices`` if none; UsageError otherwise."""
    value = options.get(name, choices[0])
    if value not in choices:
        raise UsageError(
            f'{name}="{value}" is not one of {", ".join(choices)}.{did_you_mean(value, choices)}'
        )
    return value
