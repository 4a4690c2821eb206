"""Which columns of text are written plainly all the way down, so that nobody has to look twice.

Reading a text with care (blanks around it, words that mean nothing, numbers with signs, the many
ways of writing a time) costs many times what the engine's own cast does. One pass finds the columns
in which every value is plain: those are taken as they are, the others value by value.

>>> import duckdb
>>> from data.contract import TABLES
>>> con = duckdb.connect()
>>> rows = con.sql("select 'o1' as order_id, '2026-01-01T00:00:00Z' as ordered_at, ' c ' as customer_id")
>>> plain = plain_columns(rows, TABLES["orders"], dict.fromkeys(rows.columns, "VARCHAR"), Import())
>>> sorted(plain), plain["ordered_at"].zoned
(['order_id', 'ordered_at'], 1)
"""  # noqa: E501

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data.contract import Column, Table
from data.engines import literal, quoted
from data.settings_import import Import
from data.values import FIRST_YEAR, LAST_YEAR, as_text
from data.words import BLANKS, NO_ID, NO_WORD, WRITTEN, is_id, one_of

if TYPE_CHECKING:
    import duckdb

FEW = 2_000
"""Rows up to which a source is not worth a look: it is read with care."""
FIRSTS = {word[0].lower() for word in NO_ID}
LETTERS = [letter for letter in f"{ascii_letters}_" if letter.lower() not in FIRSTS]
NUMBER = r"-?\d{1,11}(\.\d{1,15})?"
SHORT = r"-?\d{1,11}(\.\d{1,4})?"
"""Numbers of at most 15 digits: every way of reading them gives the same bits."""
ID = "[A-Za-z_][!-~]*|[0-9][0-9A-DF-Za-df-z_-]*|[0-9][0-9A-Za-z_]*-[0-9A-Za-z_-]*"
"""Ids that no tool has changed: 7.0 and 1.2E+15 are not among them."""
SURE_ID = ID.replace("A-Za-z_", "".join(LETTERS), 1)
"""Those that begin as no word does that stands for nothing: most, and one look is enough."""
TIME = (
    r"(190[1-9]|19[1-5]\d|196[0-8]|197[1-9]|19[89]\d|20\d\d)-(0[1-9]|1[0-2])-([0-2]\d|3[01])"
    r"([T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z?)?"
)


@dataclass(frozen=True)
class Plain:
    """A column whose values are all plain; of times, how many are of UTC, how many of no zone."""

    zoned: int = 0
    naive: int = 0


def plain_columns(
    relation: duckdb.DuckDBPyRelation, contract: Table, types: Mapping[str, str], reading: Import
) -> dict[str, Plain]:
    """The columns of the contract that are plain text, in one pass."""
    parts, looked_at = [], []
    for spec in contract.columns:
        condition = is_plain(spec, reading) if types.get(spec.name) == "VARCHAR" else None
        if condition is None:
            continue
        text = quoted(spec.name)
        zoned, clock = f"ends_with({text}, 'Z')", f"contains({text}, ':')"
        time = spec.dtype == "timestamp"
        parts += [
            f"count(*) FILTER ({text} IS NOT NULL AND NOT ({condition}))",
            f"count(*) FILTER ({zoned})" if time else "0",
            f"count(*) FILTER ({clock} AND NOT {zoned})" if time else "0",
        ]
        looked_at.append(spec.name)
    if not parts:
        return {}
    numbers = relation.aggregate(", ".join(parts)).fetchall()[0]
    counts = [tuple(map(int, numbers[3 * n : 3 * n + 3])) for n in range(len(looked_at))]
    return {
        name: Plain(zoned, naive)
        for name, (odd, zoned, naive) in zip(looked_at, counts, strict=True)
        if not odd
    }


def is_plain(column: Column, reading: Import) -> str | None:
    """Whether a text needs no care, as an expression; None for columns that always do."""
    text = quoted(column.name)
    if column.dtype == "timestamp":
        return None if reading.time_formats else f"regexp_full_match({text}, {literal(TIME)})"
    if column.dtype == "float":
        return None if reading.numbers else f"regexp_full_match({text}, {literal(NUMBER)})"
    if column.dtype != "string" or column.name in WRITTEN or column.name == "unique_id":
        return None
    if is_id(column):
        if reading.ids:
            return None
        word = f"length({text}) <= {max(map(len, NO_ID))} AND {one_of(f'lower({text})', NO_ID)}"
        return (
            f"CASE WHEN regexp_full_match({text}, {literal(SURE_ID)}) THEN true "
            f"ELSE regexp_full_match({text}, {literal(ID)}) AND NOT ({word}) END"
        )
    renamed = {"channel": reading.channels, "topic": reading.topics}.get(column.name)
    if renamed:
        return None
    longest = max(map(len, NO_WORD))
    word = f"CASE WHEN length({text}) > {longest} THEN false ELSE {one_of(text, NO_WORD)} END"
    object_or_list = f"(starts_with({text}, '{{') OR starts_with({text}, '['))"
    return f"{text} <> '' AND NOT {word} AND NOT {object_or_list}"


def plain_sql(column: Column) -> str:
    """The expression of a plain column's value in its contract type."""
    text = quoted(column.name)
    if column.dtype == "timestamp":
        return f"try_cast(rtrim({text}, 'Z') AS TIMESTAMP)"
    return f"try_cast({text} AS DOUBLE)" if column.dtype == "float" else text


def plain_series(values: pd.Series, spec: Column) -> pd.Series | None:
    """A frame's column of plain texts as its type; None where a value needs care, or is null.

    >>> times = pd.Series(["2026-03-01T12:00:00Z"])
    >>> str(plain_series(times, Column("opened_at", "timestamp"))[0])
    '2026-03-01 12:00:00'
    >>> plain_series(pd.Series(["1 March"]), Column("opened_at", "timestamp")) is None
    True
    """
    texts = values.tolist()
    if not all(type(text) is str for text in texts):
        return None
    if spec.dtype == "timestamp" and all(re.fullmatch(TIME, text, re.ASCII) for text in texts):
        try:
            moments = [datetime.fromisoformat(text).replace(tzinfo=None) for text in texts]
        except ValueError:  # 30 February
            return None
        return pd.Series(np.array(moments, dtype="datetime64[us]"))
    if spec.dtype == "float" and all(re.fullmatch(SHORT, text, re.ASCII) for text in texts):
        return pd.Series(np.array([float(text) for text in texts]))
    if spec.dtype == "string" and is_id(spec) and all(_plain_text(spec, text) for text in texts):
        return pd.Series(texts, dtype="str")
    return None


def surely_kept(contract: Table, row: Mapping[str, Any], limit: datetime) -> bool:
    """Whether no rule of the contract can refuse a posted row, told without the engine; nothing is
    born after ``limit`` (naive UTC). What is only a little unusual is left to the rules.

    The row's values are of their columns' types (``data.values``).

    >>> from data.contract import table
    >>> row = {"ticket_id": "t", "opened_at": "2026-03-01T12:00:00+02:00", "channel": "email"}
    >>> surely_kept(table("tickets"), row, datetime(2026, 3, 1, 10))
    True
    >>> surely_kept(table("tickets"), row, datetime(2026, 3, 1, 9))
    False
    >>> surely_kept(table("tickets"), row | {"customer_id": "n/a"}, datetime(2026, 3, 1, 10))
    False
    """
    times: dict[str, datetime] = {}
    for spec in contract.columns:
        value = row.get(spec.name)
        if value is None:
            if spec.required:
                return False
        elif spec.dtype == "timestamp":
            moment = datetime.fromisoformat(as_text(spec, value)).replace(tzinfo=None)
            if not FIRST_YEAR < moment.year < LAST_YEAR:
                return False
            times[spec.name] = moment
        elif spec.dtype in ("float", "integer"):
            low, high = spec.minimum, spec.maximum
            if (low is not None and value < low) or (high is not None and value > high):
                return False
        elif spec.dtype == "strings":
            if not value or not all(part.strip() for part in value):
                return False
        elif spec.dtype == "string" and (
            not _plain_text(spec, value) or _is_header(contract, spec, value)
        ):
            return False
    born = times.get(contract.birth or "ds")
    if born is not None and born > limit:
        return False
    return not {"starts_at", "ends_at"} <= set(times) or times["ends_at"] >= times["starts_at"]


def _plain_text(spec: Column, value: str | int) -> bool:
    text = str(value)
    if spec.choices:
        return text in spec.choices
    if spec.name == "time_zone":
        return text in _zones()
    if is_id(spec):
        return text.lower() not in NO_ID and re.fullmatch(ID, text, re.ASCII) is not None
    if spec.name in WRITTEN or spec.name == "unique_id":
        return bool(text.strip())
    return text == text.strip() and text.lower() not in NOTHING


def _is_header(contract: Table, spec: Column, value: str | int) -> bool:
    return spec.name in contract.key and str(value).strip(BLANKS) == spec.name


NOTHING = frozenset(("", *(word.lower() for word in NO_WORD)))


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
