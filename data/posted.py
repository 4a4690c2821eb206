"""Rows posted over the API against the contract: everything that a snapshot would refuse, at once.

JSON knows types, so they are held to strictly here; then the very rules that a snapshot applies
decide, so that a row which was accepted is never quarantined later.

>>> from datetime import datetime
>>> rows = {"tickets": [{"ticket_id": "t", "opened_at": "2026-03-09", "chanel": "email"}]}
>>> for fault in faults(rows, now=datetime(2026, 3, 1)):
...     print(fault.column, "-", fault.message)
chanel - tickets has no column 'chanel'. Did you mean "channel"?
>>> rows["tickets"][0] = {"ticket_id": "t", "opened_at": "2026-03-09", "channel": "email"}
>>> [(fault.row, fault.column) for fault in faults(rows, now=datetime(2026, 3, 1))]
[(1, 'opened_at')]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.clean import TEXT_OF, rules, typed
from data.contract import TABLES, Column, Table, table
from data.engines import duckdb_connection, quoted
from data.errors import did_you_mean
from data.plain import surely_kept
from data.settings import Engine
from data.store import text_frame
from data.tables import attributes_of
from data.values import any_text, as_text

Row = Mapping[str, Any]

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
    complete: Callable[[str, list[Row]], list[Row]] = lambda name, rows: rows,
) -> list[Fault]:
    """Everything wrong with posted ``rows`` (lists of objects by table), at most ``MOST``.

    ``now``: nothing is born after it (naive UTC). ``attributes``: further columns;
    those in ``numeric`` hold numbers. ``complete`` gives rows with what earlier versions said.
    """
    faults_found: list[Fault] = []
    for name, posted in rows.items():
        if name not in TABLES:
            text = f"the contract has no table {name!r}.{did_you_mean(name, TABLES)}"
            faults_found.append(Fault(name, None, None, text))
        elif not isinstance(posted, list):
            faults_found.append(Fault(name, None, None, f"{name} must be a list of rows"))
        else:
            extra = attributes_of(name, attributes)
            own = list(_of_types(table(name), posted, extra, numeric))
            if not own:
                whole = complete(name, posted)
                own = list(_missing(table(name), whole))
                if not own and not all(surely_kept(table(name), row, now) for row in whole):
                    own = of_rules(table(name), whole, now)
            faults_found += own
        if len(faults_found) >= MOST:
            break
    return faults_found[:MOST]


def _of_types(
    contract: Table, posted: Sequence[Any], extra: Sequence[str], numeric: Sequence[str]
) -> Iterator[Fault]:
    """Unknown and missing columns, and values of another type than the column's."""
    name = contract.name
    own = {column.name: column for column in contract.columns}
    known = (*own, *extra)
    for number, row in enumerate(posted, 1):
        if not isinstance(row, dict):
            yield Fault(name, number, None, f"row {number} of {name} is no object")
            continue
        for column, value in row.items():
            if column not in known:
                text = f"{name} has no column {column!r}.{did_you_mean(column, known)}"
                yield Fault(name, number, column, text)
            elif value is None:
                continue
            elif wanted := _wanted(own.get(column), value):
                yield Fault(name, number, column, f"{column} is {_shown(value)}; send {wanted}")
            elif column in numeric and column in extra and not _is_number(value):
                text = f"{column} is {_shown(value)}; it is a number for all other customers"
                yield Fault(name, number, column, text)
        yield from _without(contract, number, row, contract.key)


def _missing(contract: Table, rows: Sequence[Row]) -> Iterator[Fault]:
    for number, row in enumerate(rows, 1):
        yield from _without(contract, number, row, contract.required)


def _without(contract: Table, number: int, row: Row, needed: Sequence[str]) -> Iterator[Fault]:
    for column in needed:
        if row.get(column) is None or row[column] == "":
            text = f"{column} is missing; a new row of {contract.name} needs it"
            yield Fault(contract.name, number, column, text)


def _wanted(column: Column | None, value: object) -> str | None:
    """What the column (None: the company's own) takes, where ``value`` is not that."""
    try:
        _ = any_text(value) if column is None else as_text(column, value)
    except ValueError as error:
        return str(error)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and abs(value) >= 10**60:
        return "a number of more than 60 digits"
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def of_rules(contract: Table, posted: Sequence[Mapping[str, Any]], now: datetime) -> list[Fault]:
    """What the contract's rules refuse, as a snapshot applies them to the same rows, of which there
    is one at least. It costs tens of milliseconds (see ``data.plain.surely_kept``)."""
    from data.snapshot import events_source

    con = duckdb_connection(Engine(threads=1), [])
    rows = [{k: v for k, v in row.items() if k != "recorded_at"} for row in posted]
    source = events_source(con, contract.name, text_frame(contract, rows))
    relation = source.relation.project(typed(source, contract, (), 0))
    every = [r for r in rules(contract, list(source.types), now) if r.severity == "error"]
    tallies = ", ".join(f"count(*) FILTER ({rule.condition})" for rule in every)
    counts = relation.aggregate(tallies).fetchall()[0]
    broken_rows = []
    for rule in (rule for rule, count in zip(every, counts, strict=True) if count):
        broken = relation.filter(rule.condition)
        values = broken.project(f'"row", {quoted(TEXT_OF + rule.column)}').limit(MOST).fetchall()
        broken_rows += [
            Fault(
                contract.name,
                int(row),
                rule.column,
                f"{rule.column}: {rule.name} (found {value!r}); {rule.fix}",
            )
            for row, value in values
        ]
    con.close()
    return sorted(broken_rows, key=lambda fault: fault.row or 0)
