"""POST /v1/events: rows of the contract's tables, taken all or none, durable when answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.posted import Fault, faults
from data.store import append_events, completed_rows, erased_of
from data.tables import attributes_of
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.desk import Desk


def post_events(desk: Desk, call: Call) -> Answer:
    """Check every row, keep them, and say how many of each table were new."""
    if not isinstance(call.body, dict) or not call.body:
        detail = 'the body is an object of tables, such as {"tickets": [{...}]}'
        raise Problem(422, "body", detail, errors=[{"at": "$", "message": detail}])
    now = desk.now()
    body, places, left_out = _without_erased(desk, call.body)
    attributes = desk.workspace.settings.data.attributes
    known: dict[tuple[str, str], dict[str, Any]] = {}

    def complete(name: str, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        known.update(desk.live.newest_rows(name, rows))
        return list(completed_rows(desk.store, name, rows, known))

    broken = faults(body, now=now, attributes=attributes, numeric=_numeric(desk), complete=complete)
    broken = [
        replace(f, row=places[f.table][f.row - 1]) if f.row and f.table in places else f
        for f in broken
    ]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        where = f"{broken[0].table} row {broken[0].row}: " if broken[0].row else ""
        detail = f"{where}{broken[0].message}{more}. Nothing was kept"
        raise Problem(422, "rows", detail, errors=[_place(fault) for fault in broken])
    posted = append_events(desk.store, body, now, known)
    counts = {
        "accepted": {name: posted.accepted_by.get(name, 0) for name in call.body},
        "duplicates": {name: posted.repeated_by.get(name, 0) for name in call.body},
        "recorded_at": now.isoformat() + "Z",
    }
    erased = left_out + Counter(posted.erased_by)
    return Answer({**counts, "erased": dict(erased)} if erased else counts)


def _without_erased(
    desk: Desk, body: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, list[int]], Counter[str]]:
    """The rows that name nobody who was erased, the numbers they were posted under, and how many
    others there are, by table."""
    remaining, places, left_out = dict(body), dict[str, list[int]](), Counter[str]()
    gone = erased_of(desk.store)
    for name, rows in body.items() if gone else ():
        if isinstance(rows, list):
            named = [isinstance(row, dict) and gone.names(row) for row in rows]
            remaining[name] = [row for row, out in zip(rows, named, strict=True) if not out]
            places[name] = [number for number, out in enumerate(named, 1) if not out]
            left_out[name] = sum(named)
    return remaining, places, +left_out


def kept_together(desk: Desk, work: Callable[[], Any]) -> Any:
    """What is posted is kept, with what others post at this time, and in memory before it is
    answered."""
    return desk.posts.do(work)


def _place(fault: Fault) -> dict[str, object]:
    row = "" if fault.row is None else f"[{fault.row - 1}]"
    column = "" if fault.column is None else f".{fault.column}"
    return {
        "at": f"$.{fault.table}{row}{column}",
        "table": fault.table,
        "row": fault.row,
        "column": fault.column,
        "message": fault.message,
    }


def _numeric(desk: Desk) -> tuple[str, ...]:
    """The attributes of customers that are numbers in the snapshot."""
    if not desk.workspace.settings.data.attributes:
        return ()
    snapshot = desk.live.snapshot()
    if not snapshot.has("customers"):
        return ()
    attributes = attributes_of("customers", snapshot.attributes)
    return _numbers_in(snapshot.path / "customers.parquet", attributes)


@lru_cache(maxsize=4)
def _numbers_in(parquet: Path, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the columns that hold numbers, by the head of the file: a post is no reason to
    read a million customers. A snapshot's files never change, so it is read once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {field.name: field.type for field in pq.read_schema(parquet)}
    of_numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    there = (name for name in columns if name in kinds)
    return tuple(name for name in there if any(test(kinds[name]) for test in of_numbers))
