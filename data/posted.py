"""Rows posted over the API against the contract: everything that a snapshot would refuse, at once.

JSON knows types, so they are held to strictly here; then the very rules that a snapshot applies
decide, so that a row which was accepted is never quarantined later.

>>> from datetime import datetime
>>> rows = {"tickets": [{"ticket_id": "t", "opened_at": "2026-03-09", "chanel": "email"}]}
>>> for fault in faults(rows, now=datetime(2026, 3, 1)):
...     print(fault.column, "-", fault.message)
chanel - tickets has no column 'chanel'. Did you mean "channel"?
channel - channel is missing; every posted row of tickets needs it
>>> rows["tickets"][0] = {"ticket_id": "t", "opened_at": "2026-03-09", "channel": "email"}
>>> [(fault.row, fault.column) for fault in faults(rows, now=datetime(2026, 3, 1))]
[(1, 'opened_at')]
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from data.clean import FOUND, rules, typed
from data.contract import TABLES, Column, Table, table
from data.engines import duckdb_connection, quoted
from data.errors import did_you_mean
from data.settings import Engine
from data.store import text_frame

MOST = 100
"""Faults that are told at a time."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one row; ``row`` counts from 1, None where it is the table's name."""

    table: str
    row: int | None
    column: str | None
    message: str


def faults(
    rows: Mapping[str, Any],
    *,
    now: datetime,
    attributes: Sequence[str] = (),
    numeric: Sequence[str] = (),
) -> list[Fault]:
    """Everything wrong with posted ``rows`` (lists of objects by table), at most ``MOST``.

    ``now``: nothing is born after it (naive UTC). ``attributes``: further columns of customers;
    those in ``numeric`` hold numbers.
    """
    found: list[Fault] = []
    for name, posted in rows.items():
        if name not in TABLES:
            told = f"the contract has no table {name!r}.{did_you_mean(name, TABLES)}"
            found.append(Fault(name, None, None, told))
        elif not isinstance(posted, list):
            found.append(Fault(name, None, None, f"{name} must be a list of rows"))
        else:
            extra = attributes if name == "customers" else ()
            own = list(_of_types(table(name), posted, extra, numeric))
            found += own or _of_rules(table(name), posted, now)
        if len(found) >= MOST:
            break
    return found[:MOST]


def _of_types(
    contract: Table, posted: Sequence[Any], extra: Sequence[str], numeric: Sequence[str]
) -> Iterator[Fault]:
    """Unknown and missing columns, and values of another type than the column's."""
    name = contract.name
    own = {column.name: column for column in contract.columns}
    known = (*own, *extra)
    needed = tuple(dict.fromkeys((*contract.key, *contract.required)))
    for number, row in enumerate(posted, 1):
        if not isinstance(row, dict):
            yield Fault(name, number, None, f"row {number} of {name} is no object")
            continue
        for column, value in row.items():
            if column not in known:
                told = f"{name} has no column {column!r}.{did_you_mean(column, known)}"
                yield Fault(name, number, column, told)
            elif value is None:
                continue
            elif column in own and (wanted := _wanted(own[column], value)):
                yield Fault(name, number, column, f"{column} is {_shown(value)}; send {wanted}")
            elif column in extra and isinstance(value, list | dict):
                yield Fault(name, number, column, f"{column} is no single value")
            elif column in numeric and column in extra and not _is_number(value):
                told = f"{column} is {_shown(value)}; it is a number for all other customers"
                yield Fault(name, number, column, told)
        for column in needed:
            if row.get(column) is None or row[column] == "":
                told = f"{column} is missing; every posted row of {name} needs it"
                yield Fault(name, number, column, told)


def _wanted(column: Column, value: object) -> str | None:
    """What the column takes, where ``value`` is not that; None where it is."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if column.dtype == "string":
        return None if isinstance(value, str) or whole else "text"
    if column.dtype == "timestamp":
        return None if isinstance(value, str) and _is_moment(value) else "2026-03-01T10:00:00Z"
    if column.dtype == "float":
        return None if _is_number(value) else "a finite number"
    if column.dtype == "integer":
        return None if whole else "a whole number"
    if column.dtype == "bool":
        return None if isinstance(value, bool) else "true or false"
    texts = isinstance(value, list) and all(isinstance(part, str) for part in value)
    return None if texts else "a list of texts"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_moment(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return len(text) >= len("2026-03-01")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _of_rules(contract: Table, posted: Sequence[Mapping[str, Any]], now: datetime) -> list[Fault]:
    """The contract's rules, as a snapshot applies them to the same rows."""
    from data.snapshot import events_source

    if not posted:
        return []
    con = duckdb_connection(Engine(threads=1), [])
    told = [{k: v for k, v in row.items() if k != "recorded_at"} for row in posted]
    source = events_source(con, contract.name, text_frame(told))
    relation = source.relation.project(typed(source, contract, (), 0))
    every = [r for r in rules(contract, list(source.types), now) if r.severity == "error"]
    tallies = ", ".join(f"count(*) FILTER ({rule.condition})" for rule in every)
    counts = relation.aggregate(tallies).fetchall()[0]
    found = []
    for rule in (rule for rule, count in zip(every, counts, strict=True) if count):
        broken = relation.filter(rule.condition)
        values = broken.project(f'"row", {quoted(FOUND + rule.column)}').limit(MOST).fetchall()
        found += [
            Fault(
                contract.name,
                int(row),
                rule.column,
                f"{rule.column}: {rule.name} (found {value!r}); {rule.fix}",
            )
            for row, value in values
        ]
    con.close()
    return sorted(found, key=lambda fault: fault.row or 0)
