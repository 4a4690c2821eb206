"""Ids, words, numbers and truth as files write them: one reading for the engine and for frames.

An id is an opaque text. Tools change ids on their way: a missing value makes whole numbers floats
(``7.0`` is ``7``), a fixed width adds blanks, an empty cell becomes ``NULL``, ``nan`` or ``None``.
Those are undone here. What cannot be undone is refused by ``data.clean``: an id that a spreadsheet
shortened (``1.23E+15``), and floats too large to hold every whole number.

>>> ids(pd.Series(["7.0", " a ", "NULL", "  ", None])).tolist()
['7', 'a', nan, nan, nan]
>>> numbers(pd.Series(["€ 1.234,50", "12"]), "1.234,5").tolist()
[1234.5, 12.0]
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from data.contract import Column
from data.engines import literal, quoted
from data.settings_import import Import

TRUE_WORDS = frozenset(
    {
        "true",
        "t",
        "yes",
        "y",
        "1",
        "on",
        "ja",
        "oui",
        "si",
        "sí",
        "sim",
        "wahr",
        "vrai",
        "verdadero",
    }
)
FALSE_WORDS = frozenset(
    {"false", "f", "no", "n", "0", "off", "nein", "nei", "nej", "nee", "non", "não", "falsch"}
    | {"faux"}
)
BLANKS = " \t\r\n\u00a0\u2007\u202f\u200b\u3000\ufeff"
"""What stands around a value and is none of it: pages and spreadsheets leave more than spaces."""
WIDE, NARROW = "０１２３４５６７８９", "0123456789"
WRITTEN = frozenset({"text", "title", "name"})
"""Columns that hold what a person wrote, or is called: read as they stand."""
SHEET_ERRORS = ("#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!")
"""What a spreadsheet writes where a formula failed."""
NO_ID = (
    "-",
    "--",
    *map(str.lower, SHEET_ERRORS),
    "null",
    "none",
    "nan",
    "<na>",
    "nat",
    "na",
    r"\n",
    "n/a",
    "#n/a",
    "nil",
    "undefined",
    "(null)",
)
"""What stands for no id, in any case of letters."""
NO_WORD = (
    *SHEET_ERRORS,
    "NULL",
    "null",
    "None",
    "nan",
    "NaN",
    "<NA>",
    "NaT",
    r"\N",
    "(null)",
    "#N/A",
)
"""What stands for no word."""
NO_VALUE = (*NO_ID, "n.a.", "0000-00-00", "0000-00-00 00:00:00")
"""What stands for no time, number or truth, in any case of letters."""
HOURS = r"(\d{1,4}):([0-5]\d):([0-5]\d(?:\.\d+)?)"
SPELLED = r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?"
"""Spans of time that can mean one length only: 01:02:03, and ISO 8601's PT1H2M3S."""
ARMOUR = '^(?:="([^"]*)"|\'([0-9]+))$'
FLOATED = r"(-?\d+)\.0+"
SHORTENED = r"-?\d([.,]\d+)?[eE]\+?\d+|-?\d{16,}\.0+"
WHOLE_IN_DOUBLE, WHOLE_IN_FLOAT = 2**53, 2**24
"""Below these every whole number is exact."""
CURRENCY = r"[\p{Sc}]|[A-Z]{3}|kr\.?|Kč|zł|Fr\.?"
SPACES = "[\\s\u00a0\u202f']"
FLOATS = ("FLOAT", "DOUBLE")


def is_id(column: Column) -> bool:
    """Whether the column holds an id that must match others (a series' id comes back as given)."""
    named = column.name.endswith("_id") or column.name in ("id", "line")
    return column.dtype == "string" and named and column.name != "unique_id"


def one_of(value: str, words: tuple[str, ...]) -> str:
    """The expression of whether a value is one of some words. (``IN`` with that many becomes a join
    of the whole table, which is run even where the column is not read.)"""
    return f"list_contains([{', '.join(map(literal, words))}], {value})"


def is_structure(text: str) -> str:
    """The expression of whether a text is an object or a list of JSON, and no word."""
    return f"CASE WHEN left({text}, 1) IN ('{{', '[') THEN json_valid({text}) ELSE false END"


def text_sql(name: str, kind: str) -> str:
    """The value as the text it was found as; empty text and NaN are null."""
    column = quoted(name)
    if kind in FLOATS:  # 7.0, an integer beside a null, is 7
        most = WHOLE_IN_DOUBLE if kind == "DOUBLE" else WHOLE_IN_FLOAT
        return (
            f"CASE WHEN NOT isfinite({column}) THEN NULL "
            f"WHEN {column} = floor({column}) AND abs({column}) < {most} "
            f"THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) "
            f"WHEN {column} = floor({column}) THEN printf('%.9e', {column}) "
            f"ELSE CAST({column} AS VARCHAR) END"
        )
    return f"nullif(CAST({column} AS VARCHAR), '')"


def word_sql(column: Column, kind: str, reading: Import) -> str:
    """The expression (VARCHAR) of a string column."""
    text = text_sql(column.name, kind)
    if kind.startswith(("STRUCT", "MAP")) or kind.endswith("]"):
        return "CAST(NULL AS VARCHAR)"  # an object or a list is no word
    if is_id(column):
        bare = f"translate(trim({text}, {literal(BLANKS)}), {literal(WIDE)}, {literal(NARROW)})"
        if kind == "VARCHAR" or kind.startswith("DECIMAL"):
            whole = f"split_part({bare}, '.', 1)"
            exact = f"regexp_full_match({bare}, {literal(FLOATED)})"
            if kind == "VARCHAR":
                exact += f" AND abs(try_cast({whole} AS BIGINT)) < {WHOLE_IN_DOUBLE}"
            bare = f"CASE WHEN contains({bare}, '.0') AND {exact} THEN {whole} ELSE {bare} END"
        if kind == "VARCHAR":  # what keeps a spreadsheet from counting it: ="007", '007
            bare = f"regexp_replace({bare}, {literal(ARMOUR)}, '\\1\\2')"
        if kind == "VARCHAR":  # an object or a list is no id
            bare = f"CASE WHEN NOT regexp_matches({bare}, '^[{{\\[]') THEN {bare} END"
        if reading.ids == "unpadded":
            bare = f"regexp_replace({bare}, '^0+([0-9]+)$', '\\1')"
        if kind != "VARCHAR":
            return bare
        longest = max(map(len, NO_ID))
        there = f"length({bare}) > {longest} OR NOT {one_of(f'lower({bare})', ('', *NO_ID))}"
        return f"CASE WHEN {there} THEN {bare} END"
    if column.name in WRITTEN or column.name == "unique_id":
        return text
    if kind == "VARCHAR":
        named = one_of(quoted(column.name), ("", *NO_WORD))
        text = (
            f"CASE WHEN NOT {named} AND NOT ({is_structure(quoted(column.name))}) THEN {text} END"
        )
    names = {"channel": reading.channels, "topic": reading.topics}.get(column.name)
    if names:
        whens = " ".join(f"WHEN {literal(a)} THEN {literal(b)}" for a, b in names.items())
        text = f"CASE {text} {whens} ELSE {text} END"
    return text


def number_sql(name: str, kind: str, reading: Import) -> str:
    """The expression (DOUBLE) of a number; null where it is none, or not finite."""
    column = quoted(name)
    value = f"try_cast({column} AS DOUBLE)"
    if kind == "VARCHAR":
        bare = f"trim({column}, {literal(BLANKS)})"
        value = f"CASE WHEN NOT contains({bare}, '_') THEN try_cast({bare} AS DOUBLE) END"
        if reading.numbers:
            form = amount_form(reading.numbers)
            decimal = "," if reading.numbers.endswith(",5") else "."
            number_text = f"regexp_extract({bare}, {literal(form)}, 2)"
            digits = f"regexp_replace({number_text}, {literal(f'[^0-9{decimal}]')}, '', 'g')"
            amount = f"try_cast(replace({digits}, {literal(decimal)}, '.') AS DOUBLE)"
            minus = f"CASE WHEN regexp_matches({bare}, '^[^0-9]*[-(\u2212]') THEN -1 ELSE 1 END"
            value = (
                f"CASE WHEN regexp_full_match({bare}, {literal(form)}) THEN {amount} * {minus} END"
            )
        if name.endswith("_seconds"):
            value = f"coalesce({value}, {_span(bare, HOURS)}, {_span(bare, SPELLED)})"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _span(text: str, form: str) -> str:
    """A span of time in seconds; null where it has another form, or holds nothing."""
    numbers = [f"regexp_extract({text}, {literal(form)}, {place})" for place in (1, 2, 3)]
    parts = [
        f"coalesce(try_cast({part} AS DOUBLE), 0) * {seconds}"
        for part, seconds in zip(numbers, (3600, 60, 1), strict=True)
    ]
    matches = f"regexp_full_match({text}, {literal(form)}) AND {text} <> 'PT'"
    return f"CASE WHEN {matches} THEN {' + '.join(parts)} END"


def amount_form(numbers: str) -> str:
    """The pattern of an amount in that way of writing; its second group is the number."""
    decimal = "," if numbers.endswith(",5") else r"\."
    group = {"1,234.5": ",", "1.234,5": r"\.", "1 234,5": SPACES}[numbers]
    body = rf"\d{{1,3}}(?:(?:{group}|{SPACES})\d{{3}})+(?:{decimal}\d+)?|\d+(?:{decimal}\d+)?"
    sign = f"(?:{CURRENCY})?{SPACES}*"
    return rf"({sign}[-+(\u2212]?{SPACES}*{sign})({body}){SPACES}*(?:{CURRENCY})?\)?".replace(
        r"\u2212", "\u2212"
    )


def flag_sql(name: str, kind: str, number: bool) -> str:
    """The expression (BOOLEAN) of a truth."""
    column = quoted(name)
    if kind == "BOOLEAN":
        return column
    if number:
        return f"CASE {column} WHEN 1 THEN true WHEN 0 THEN false END"
    if kind != "VARCHAR":
        return "CAST(NULL AS BOOLEAN)"
    word = f"regexp_replace(lower(trim({column}, {literal(BLANKS)})), '^([01])\\.0$', '\\1')"
    yes, no = (", ".join(map(literal, sorted(words))) for words in (TRUE_WORDS, FALSE_WORDS))
    return f"CASE WHEN {word} IN ({yes}) THEN true WHEN {word} IN ({no}) THEN false END"


def ids(values: pd.Series) -> pd.Series:
    """A frame's column of ids as ``str``."""
    text = words(values, ()).str.strip(BLANKS).str.translate(str.maketrans(WIDE, NARROW))
    text = text.str.replace(f"^{FLOATED}$", r"\1", regex=True)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return text
    text = text.str.replace(ARMOUR, r"\1\2", regex=True)
    return text.mask((text == "") | text.str.lower().isin(NO_ID))


def words(values: pd.Series, none: tuple[str, ...] = NO_WORD) -> pd.Series:
    """A frame's column of words as ``str``, null where empty or one of ``none``."""
    if pd.api.types.is_float_dtype(values.dtype):  # whole numbers that a null made floats
        values = values.astype(object).map(_whole, na_action="ignore")
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if values.dtype == object:
        known = values.notna()
        text = values.where(known, None).map(_whole, na_action="ignore").astype("str")
    else:
        text = values.astype("str")
    return text.mask((text == "") | text.isin(none)) if none else text.mask(text == "")


def _whole(value: object) -> str:
    """An id as text: 7.0, an integer beside a null, is "7"."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def numbers(values: pd.Series, written: str = "") -> pd.Series:
    """A frame's column as float64; NaN where it is no number (and where it is null)."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.astype("float64")
    known = values.notna()
    text = values.astype(object).where(known, None)
    if not written:
        typed = text.where(~text.map(lambda v: isinstance(v, str) and "_" in v), None)
        parsed = pd.to_numeric(typed, errors="coerce").astype("float64")
        return parsed.where(np.isfinite(parsed))
    form = re.compile(amount_form(written).replace(r"[\p{Sc}]", "[$\u00a2-\u00a5\u20a0-\u20c0]"))
    return pd.Series([_amount(form, written, v) for v in text], index=values.index, dtype="float64")


def _amount(form: re.Pattern[str], written: str, value: object) -> float:
    if isinstance(value, int | float):
        return float(value)
    match = form.fullmatch(str(value).strip()) if value is not None else None
    if match is None:
        return float("nan")
    decimal = "," if written.endswith(",5") else "."
    digits = re.sub(f"[^0-9{decimal}]", "", match[2]).replace(decimal, ".")
    return -float(digits) if re.search("[-(\u2212]", match[1]) else float(digits)
