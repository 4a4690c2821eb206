"""Times as people and their systems write them, to UTC: the one grammar of all doors.

A time is read if it can mean one moment only: ISO 8601 in its usual forms, the forms of git, Rails,
mail, Apache and Twitter, texts that name their month, and numbers whose digits can only be seconds,
milli-, micro- or nanoseconds since 1970. An offset is applied once; a time without one is UTC.
Never guessed at: two-digit years, 03/04/2025, abbreviations of zones that several
countries share. ``[import]`` says how to read those; without it they are null here, and the rule
that refuses their rows (``data.clean``) says what to set.

The grammar is an expression that DuckDB evaluates over whole columns; frames are read by it too.

>>> texts = ["2015-02-24 11:35:52 -0800", "Tue Feb 24 11:35:52 +0000 2015", "24/02/2015", "BST"]
>>> [str(one) for one in read_times(pd.Series(texts))]
['2015-02-24 19:35:52', '2015-02-24 11:35:52', 'NaT', 'NaT']
>>> read_times(pd.Series(["24/02/2015"]), Import(dates="day_first"))[0]
Timestamp('2015-02-24 00:00:00')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from data.engines import literal, quoted
from data.month_names import MONTH_OF
from data.settings_import import Import
from data.words import BLANKS
from data.zones import AHEAD, NAME, OFFSET, away_sql, instant_sql

if TYPE_CHECKING:
    import duckdb

CLOCK = r"\d{1,2}:\d{2}(:\d{2}([.,]\d{1,12})?)?"
DAY = r"\d{4}([-/]\d{1,2}[-/]\d{1,2})"
NAIVE = rf"{DAY}([T ]{CLOCK})?"
"""Year first: read by the engine's own cast once the text is known to have this form."""
ZONED = rf"{DAY}[T ]{CLOCK} ?(Z|z|{OFFSET})"
PANDAS = (
    r"\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):\d{2}(:\d{2}(\.\d{1,9})?)?"
    r"(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)?)?"
)
"""What pandas reads as the engine does: nearly every text of a running service."""
AMBIGUOUS = r"\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2})([ T,].*)?|\d{2}-\d{1,2}-\d{1,2}([ T].*)?"
ABBREVIATED = (
    r".*:\d{2}([.,]\d+)? ?[\[(]?([AaPp]([A-LN-Za-ln-z]|[A-Za-z]{2,4})|"
    r"[B-OQ-Zb-oq-z][A-Za-z]{1,4})[\])]?"
)
"""A zone's letters at the end, which are not AM or PM."""
SINCE_1970 = r"1[0-8]\d{8}(\.\d+)?|1[0-8]\d{11}(\.\d+)?|1[0-8]\d{14}(\.0+)?|1[0-8]\d{17}(\.0+)?"
"""Seconds, milliseconds, microseconds, nanoseconds of 2001 to 2030: no date in digits looks so."""
SHEET_DAYS = r"[34]\d{4}(\.\d+)?"
"""What a spreadsheet writes for a day without a date format: days from 1900, or from 1904."""
HAS_ZONE = (
    r"(?i)^1[0-8]\d{8,17}(?:\.\d+)?$|^\d{8}T?\d{4,6}(?:Z|[+-]\d{2}:?(?:\d{2})?)$|"
    r":\d{2}(?:[.,]\d+)?(?: ?[AP]\.?M\.?)? ?(?:[\[(]|Z\b|[+-]\d{2}(?::?\d{2})?\b|UT\b|"
    r"(?:[B-OQ-Z][A-Z]{2,4}|[AP][A-LN-Z][A-Z]{1,3}|[AP]M[A-Z]{1,3})\b|[A-Z]+/[A-Z])"
)
"""A time that says itself where its clock stands, once it has been read."""
ZONES = {
    **dict.fromkeys(("Z", "UTC", "GMT", "UT", "WET", "ZULU"), 0),
    **dict.fromkeys(("WEST", "CET", "MEZ"), 60),
    **dict.fromkeys(("CEST", "MESZ", "EET"), 120),
    "EEST": 180,
    **dict.fromkeys(("JST", "KST"), 540),
    **dict.fromkeys(("AEST",), 600),
    **dict.fromkeys(("AEDT",), 660),
    **dict.fromkeys(("NZST",), 720),
    **dict.fromkeys(("NZDT",), 780),
}
"""Abbreviations that mean one offset everywhere, in minutes. BST, IST, CST, EST and others do not:
``[import] zones`` says what they mean."""
HALF = r"(\d) ?([AaPp])\.?[Mm]\.?$"
MONTHS = (
    "%d %b %Y",
    "%d %b %Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y %I:%M %p",
    "%d %b %Y %I:%M:%S %p",
    "%b %d %Y",
    "%b %d %Y %H:%M",
    "%b %d %Y %H:%M:%S",
    "%b %d %Y %I:%M %p",
    "%b %d %Y %I:%M:%S %p",
    "%b %d %H:%M:%S %Y",
)


NUMBERS = ("INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT", "DECIMAL", "DOUBLE")


def time_sql(column: str, kind: str, reading: Import, usual: bool = False) -> str | None:
    """The expression (TIMESTAMP, naive UTC) of a column of that engine type; None: it has none.

    ``usual``: all its texts are known to have ISO 8601's usual form.
    """
    if kind == "VARCHAR":
        return _of_text(column, reading, usual)
    if kind in ("TIMESTAMP_NS", "TIMESTAMPTZ_NS") or kind.startswith("TIMESTAMP_NS"):
        return f"CAST(CAST({column} AS TIMESTAMP_NS) AS TIMESTAMP)"
    if kind.startswith(NUMBERS):
        text = f"CAST({column} AS VARCHAR)"
        since = f"regexp_full_match({text}, {literal(SINCE_1970)})"
        return f"CASE WHEN {since} THEN {_number(text)} END"
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"CASE WHEN isfinite({column}) THEN CAST({column} AS TIMESTAMP) END"
    return None


def read_times(values: pd.Series, reading: Import | None = None) -> pd.Series:
    """Texts as naive UTC, floored to microseconds; NaT for null and for what no form reads."""
    reading = reading or Import()
    texts = values.astype(object).where(values.notna(), None)
    plain = pd.Series([isinstance(one, str) for one in texts], index=values.index)
    if not reading.time_formats:
        plain &= texts.where(plain, "").astype("str").str.fullmatch(PANDAS)
        parsed = pd.to_datetime(
            texts.where(plain, None), format="ISO8601", utc=True, errors="coerce"
        )
        out = parsed.dt.tz_localize(None).dt.floor("us").astype("datetime64[us]")
    else:
        plain[:] = False
        out = pd.Series(pd.NaT, index=values.index, dtype="datetime64[us]")
    rest = texts[~plain & texts.notna()]
    if rest.empty:
        return out
    import duckdb
    import pyarrow as pa

    strings = [one if isinstance(one, str) else str(one) for one in rest]
    table = pa.table({"t": pa.array(strings, pa.string())})
    with duckdb.connect(":memory:") as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET threads = 1")
        con.register("asked", table)
        query = con.table("asked").project(_of_text("t", reading)).to_arrow_table()
    out[rest.index] = query.column(0).to_pandas().to_numpy().astype("datetime64[us]")
    return out


def _of_text(column: str, reading: Import, usual: bool = False) -> str:
    text = f"trim({column}, {literal(BLANKS)})"
    stated = ""
    if reading.time_formats:
        formats = ", ".join(literal(one) for one in reading.time_formats)
        stated = (
            f"WHEN try_strptime({text}, [{formats}]) IS NOT NULL "
            f"THEN CAST(try_strptime({text}, [{formats}]) AS TIMESTAMP) "
        )
    since = f"WHEN regexp_full_match({text}, {literal(SINCE_1970)}) THEN {_number(text)}"
    return (
        f"CASE {stated}"
        f"WHEN regexp_full_match({text}, {literal(NAIVE)}) "
        f"THEN try_cast(replace({text}, ',', '.') AS TIMESTAMP) "
        f"WHEN regexp_full_match({text}, {literal(ZONED)}) THEN {_zoned(text)} "
        + ("END" if usual else f"{since} WHEN {text} <> '' THEN {_otherwise(text, reading)} END")
    )


def _number(text: str) -> str:
    """Digits since 1970; how many of them say what they count."""
    digits = f"length(split_part({text}, '.', 1))"
    whole = f"CAST(split_part({text}, '.', 1) AS BIGINT)"
    part = f"CAST('0.' || coalesce(nullif(split_part({text}, '.', 2), ''), '0') AS DOUBLE)"
    return (
        f"make_timestamp(CASE {digits} "
        f"WHEN 10 THEN {whole} * 1000000 + CAST(floor({part} * 1000000 + 0.001) AS BIGINT) "
        f"WHEN 13 THEN {whole} * 1000 + CAST(floor({part} * 1000 + 0.001) AS BIGINT) "
        f"WHEN 16 THEN {whole} ELSE {whole} // 1000 END)"
    )


def _zoned(text: str) -> str:
    local = f"regexp_extract({text}, {literal(f'^({DAY}[T ]{CLOCK})')}, 1)"
    zone = f"regexp_extract({text}, {literal(f'({OFFSET})$')}, 1)"
    return f"try_cast(replace({local}, ',', '.') AS TIMESTAMP) - {_offset(zone)}"


def _offset(zone: str) -> str:
    """An offset such as +0530, +05:30 or +05 as an interval; none for an empty text."""
    digits = f"rpad(replace(substr({zone}, 2), ':', ''), 4, '0')"
    minutes = f"CAST(left({digits}, 2) AS INTEGER) * 60 + CAST(right({digits}, 2) AS INTEGER)"
    sign = f"CASE WHEN left({zone}, 1) = '-' THEN -1 ELSE 1 END"
    return f"CASE WHEN {zone} = '' THEN to_minutes(0) ELSE to_minutes({sign} * ({minutes})) END"


def _let(value: str, name: str, body: str) -> str:
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def _otherwise(text: str, reading: Import) -> str:
    """All other forms: weekday and comments away, the zone cut off, the rest by its shape."""
    week = r"^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+"
    said_twice = (
        r"(?i)(\d ?(?:z\b|(?:gmt|utc?)? ?[+-]\d{2}:?\d{2})) ?(?:\[[^\]]*\]|\([^)]*\)|[a-z]{2,5})$"
    )
    wrapped = r"(:\d{2}\D{0,3}|T\d{2}\S*) ?[\[(]([^\])]+)[\])]$"
    year_last = r"^([A-Za-z]{3} +\d{1,2} \d{2}:\d{2}:\d{2}) ([+-]\d{4}|[A-Z]{2,5}) (\d{4})$"
    bare = f"translate({text}, '\u00a0\u2007\u202f\u2212', '   -')"
    bare = f"regexp_replace({bare}, '^(\\d{{4}})年(\\d{{1,2}})月(\\d{{1,2}})日 ?', '\\1-\\2-\\3 ')"
    bare = f"regexp_replace({bare}, {literal(HALF)}, '\\1 \\2M')"
    bare = f"regexp_replace({bare}, {literal(week)}, '')"
    bare = f"regexp_replace({bare}, {literal(said_twice)}, '\\1')"
    bare = f"regexp_replace({bare}, {literal(wrapped)}, '\\1 \\2')"
    bare = f"regexp_replace({bare}, {literal(year_last)}, '\\1 \\3 \\2')"
    end = r"(?::\d{2}(?:[.,]\d+)?|[ap]m|:\d{2} \d{4})"
    cut = rf"(?i){end}\s*({OFFSET}|{AHEAD}|{NAME}|z|[a-z]{{2,5}})$"
    compact = rf"^\d{{8}}T?\d{{4,6}}({OFFSET}|Z)$"
    zone = (
        f"CASE WHEN regexp_full_match(b, {literal(compact)}) "
        f"THEN regexp_extract(b, {literal(compact)}, 1) "
        f"WHEN upper(regexp_extract(b, {literal(cut)}, 1)) IN ('AM', 'PM') THEN '' "
        f"ELSE regexp_extract(b, {literal(cut)}, 1) END"
    )
    known = {**ZONES, **reading.zone_minutes()}
    words = " ".join(
        f"WHEN upper(z) = {literal(name)} THEN to_minutes({minutes})"
        for name, minutes in known.items()
    )
    stated = f"CASE WHEN regexp_full_match(o, {literal(OFFSET)}) THEN {_offset('o')} END"
    away = (
        f"CASE WHEN z = '' THEN to_minutes(0) {words} ELSE {_let(away_sql('z'), 'o', stated)} END"
    )
    local = _local("trim(left(b, length(b) - length(z)))", reading)
    named = _let(local, "t", instant_sql("t", "z"))
    when = f"CASE WHEN contains(z, '/') THEN {named} ELSE {local} - {away} END"
    return _let(bare, "b", _let(zone, "z", when))


def _local(body: str, reading: Import) -> str:
    """A text without its zone as a TIMESTAMP, by its shape."""
    cases = [
        (NAIVE, "try_cast(replace(c, ',', '.') AS TIMESTAMP)"),
        (r"\d{8}", "try_strptime(c, '%Y%m%d')"),
        (r"\d{8}[T ]?\d{4}", _digits("%Y%m%d%H%M")),
        (r"\d{8}[T ]?\d{6}", _digits("%Y%m%d%H%M%S")),
        (r"\d{4}-W\d{2}-\d", "try_strptime(c, '%G-W%V-%u')"),
        (r"\d{4}W\d{3}", "try_strptime(c, '%GW%V%u')"),
        (r"\d{4}-\d{3}", "try_strptime(c, '%Y-%j')"),
        (
            rf"\d{{4}}\.\d{{1,2}}\.\d{{1,2}}([T ]{CLOCK})?",
            "try_cast(replace(left(c, 10), '.', '-') || replace(substr(c, 11), ',', '.') "
            "AS TIMESTAMP)",
        ),
        (rf"{DAY} +\d{{1,2}}:\d{{2}}(:\d{{2}})? ?(?i:[ap]m)", _half_day("replace(c, '/', '-')")),
    ]
    if reading.dates:
        shape = r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:,?[T ]+(.*))?"
        order = r"\3-\2-\1 \4" if reading.dates == "day_first" else r"\3-\1-\2 \4"
        turned = f"trim(regexp_replace(c, {literal(f'^{shape}$')}, {literal(order)}))"
        half = _half_day(turned)
        whole = f"try_cast(replace({turned}, ',', '.') AS TIMESTAMP)"
        cases.append(
            (shape, f"CASE WHEN regexp_matches(c, '(?i)[ap]m$') THEN {half} ELSE {whole} END")
        )
    word = r"lower(rtrim(regexp_extract(c, '[\p{L}]{3,}'), '.'))"
    pairs = ", ".join(f"{literal(word)}: {literal(name)}" for word, name in MONTH_OF.items())
    english = f"map {{{pairs}}}[{word}]"
    month = (
        f"trim(regexp_replace(regexp_replace(regexp_replace(c, '[\\p{{L}}]{{3,}}\\.?', {english}), "
        r"'^(\d{1,2})[-/. ]+([A-Za-z]{3})[-/ ]+(\d{4})[: T]?', '\1 \2 \3 '), "
        r"'[ ,]+', ' ', 'g'))"
    )
    formats = ", ".join(literal(one) for one in MONTHS)
    named = (
        r"WHEN regexp_matches(c, '[\p{L}]{3}') AND regexp_matches(c, '\b\d{4}\b') "
        f"THEN try_strptime({month}, [{formats}]) "
    )
    shapes = " ".join(f"WHEN regexp_full_match(c, {literal(p)}) THEN {e}" for p, e in cases)
    return _let(body, "c", f"CASE {shapes} {named} END")


def _digits(layout: str) -> str:
    return f"try_strptime(regexp_replace(c, '[T ]', ''), {literal(layout)})"


def _half_day(text: str) -> str:
    formats = "['%Y-%m-%d %I:%M %p', '%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %I:%M%p']"
    return f"try_strptime({text}, {formats})"


@dataclass(frozen=True)
class Shapes:
    """How many times of a text column carry an offset, how many a clock time without one, and how
    many have another form than ISO 8601's usual one."""

    zoned: int
    naive: int
    odd: int


def shapes_of(relation: duckdb.DuckDBPyRelation, columns: Sequence[str]) -> dict[str, Shapes]:
    """The shapes of text columns, in one pass."""
    if not columns:
        return {}
    parts = []
    for column in columns:
        text = f"trim({quoted(column)}, {literal(BLANKS)})"
        zoned = f"regexp_full_match({text}, {literal(ZONED)})"
        naive = f"regexp_full_match({text}, {literal(NAIVE)})"
        parts += [
            f"count(*) FILTER ({zoned})",
            f"count(*) FILTER ({naive} AND contains({text}, ':'))",
            f"count(*) FILTER ({text} <> '' AND NOT {naive} AND NOT {zoned})",
        ]
    counts = relation.aggregate(", ".join(parts)).fetchall()[0]
    return {c: Shapes(*map(int, counts[3 * n : 3 * n + 3])) for n, c in enumerate(columns)}
