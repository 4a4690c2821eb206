"""What other systems send of themselves when something happens, as rows of the contract.

A webhook's body holds the same record as the sender's export, so the export's mapping reads it: one
home for a format. Here stands what a body has around the record: which topic it is of, and where
the record lies in it.

>>> body = b'{"type": "track", "messageId": "m", "userId": "u", "event": "Login failed", '
>>> body += b'"timestamp": "2026-03-02T08:00:00Z"}'
>>> delivery = unpacked("segment", "", body)
>>> delivery.topic, rows_of(delivery).tables["usage"][0]["errors"]
('track', 1.0)
>>> unpacked("segment", "", b'{"type": "teleport"}')
Traceback (most recent call last):
...
data.adapters.deliveries.UnknownTopic: segment sends no topic 'teleport' that is read here: ...
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from data.adapters.mapping import MapFile, TableMap, load_mapping
from data.contract import Table, table
from data.errors import DataError
from data.settings_import import Import

Record = dict[str, msgspec.Raw]
"""A record's fields, each as the JSON that stands there."""
MOST_RECORDS = 100
MOST_FIELDS = 1_000
NOTHING = ""
"""Of topics that say nothing of the contract's tables."""


class UnknownTopic(DataError):
    """A topic that the sender does not have, or that nobody here reads."""


class NothingMapped(DataError):
    """A body without the record that its topic promises."""


@dataclass(frozen=True)
class Delivery:
    """A body taken apart: whose, which topic, its kind of record (as the mapping's files are
    named), and the records."""

    sender: str
    topic: str
    kind: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Rows:
    """Rows by table as ``POST /v1/events`` takes them; ``left_out``: records that the mapping
    leaves out, or that name no customer; ``faults``: column and rule of what breaks the contract.
    """

    tables: Mapping[str, list[dict[str, Any]]]
    left_out: int = 0
    faults: tuple[tuple[str, str], ...] = ()


def unpacked(sender: str, topic: str, body: bytes) -> Delivery:
    """A body taken apart.

    Parameters
    ----------
    sender : one of ``SENDERS``.
    topic : as a header tells it; empty where the body does.
    body : JSON, as it came.

    Raises
    ------
    UnknownTopic; NothingMapped for a body that is no object or lacks its record.
    """
    if body.lstrip()[:1] == b"[":
        raise NothingMapped(
            f"{sender} sent a list; turn batches off, for the signature may cover the first only"
        )
    return SENDERS[sender](topic, _object(sender, body))


def _object(what: str, raw: bytes | msgspec.Raw) -> Record:
    try:
        record = msgspec.json.decode(raw, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NothingMapped(f"{what} is no JSON object whose fields can be read") from None
    if len(record) > MOST_FIELDS:
        raise NothingMapped(f"{what} has {len(record):,} fields; at most {MOST_FIELDS:,} are read")
    return record


def _text(raw: msgspec.Raw | None) -> str | None:
    """A value as the text that stands there; a JSON text without its quotes."""
    stands = b"null" if raw is None else bytes(raw)
    try:
        if stands.startswith(b'"'):
            return msgspec.json.decode(stands, type=str)
        return None if stands == b"null" else stands.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NothingMapped("a text of the body is not Unicode") from None


EVENT_TYPE = "zen:event-type:"
ZENDESK_KINDS = {"ticket": "tickets", "user": "users"}


def _zendesk(_: str, body: Record) -> Delivery:
    """An event's ``detail`` with the event beside it; or what a trigger sends: ``{"ticket": {}}``,
    ``{"tickets": []}``, the same of users, in the form of the API."""
    topic = _text(body.get("type")) or ""
    if topic.startswith(EVENT_TYPE):
        name = topic.removeprefix(EVENT_TYPE)
        kind = ZENDESK_KINDS.get(name.partition(".")[0])
        if kind is None:
            raise _unknown("zendesk", topic, [f"{EVENT_TYPE}{one}.*" for one in ZENDESK_KINDS])
        if "detail" not in body:
            raise NothingMapped(f"the event {name} has no `detail`")
        beside = {
            "event_type": msgspec.Raw(msgspec.json.encode(name)),
            "event_time": body.get("time", msgspec.Raw(b"null")),
            "event": body.get("event", msgspec.Raw(b"null")),
        }
        detail = _object("detail", body["detail"])
        return Delivery("zendesk", name, kind, ({**detail, **beside},))
    for one, kind in ZENDESK_KINDS.items():
        if one in body:
            return Delivery("zendesk", one, kind, (_object(one, body[one]),))
        if kind in body:
            return Delivery("zendesk", kind, kind, _listed(kind, body[kind]))
    raise _unknown("zendesk", topic, [*(f"{EVENT_TYPE}{one}.*" for one in ZENDESK_KINDS)])


def _listed(what: str, raw: msgspec.Raw) -> tuple[Record, ...]:
    try:
        records = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        raise NothingMapped(f"{what} is no list of objects") from None
    if len(records) > MOST_RECORDS:
        raise NothingMapped(f"{what} has {len(records):,} records; send at most {MOST_RECORDS}")
    return tuple(_object(f"{what}[{at}]", one) for at, one in enumerate(records))


SHOPIFY_TOPICS = {
    **{
        f"orders/{one}": "orders"
        for one in ("create", "updated", "paid", "fulfilled", "partially_fulfilled", "cancelled")
    },
    **{f"customers/{one}": "customers" for one in ("create", "update", "enable", "disable")},
}


def _shopify(topic: str, body: Record) -> Delivery:
    """The body is the record."""
    if topic not in SHOPIFY_TOPICS:
        raise _unknown("shopify", topic, SHOPIFY_TOPICS)
    return Delivery("shopify", topic, SHOPIFY_TOPICS[topic], (body,))


SEGMENT_KINDS = {
    "track": "tracks",
    "identify": "identifies",
    **dict.fromkeys(("page", "screen", "group", "alias"), NOTHING),
}
SEGMENT_FIELDS = ("userId", "traits", "context", "properties", "timestamp", "event", "messageId")
"""Fields that a call may lack, so that the mapping finds all of them."""


def _segment(_: str, body: Record) -> Delivery:
    """The body is the call."""
    kind = _text(body.get("type")) or ""
    if kind not in SEGMENT_KINDS:
        raise _unknown("segment", kind, SEGMENT_KINDS)
    call = {**dict.fromkeys(SEGMENT_FIELDS, msgspec.Raw(b"null")), **body}
    return Delivery("segment", kind, SEGMENT_KINDS[kind], (call,))


def _unknown(sender: str, topic: str, known: Sequence[str] | Mapping[str, str]) -> UnknownTopic:
    return UnknownTopic(
        f"{sender} sends no topic {topic[:100]!r} that is read here: {', '.join(sorted(known))}"
    )


SENDERS: Mapping[str, Callable[[str, Record], Delivery]] = {
    "zendesk": _zendesk,
    "shopify": _shopify,
    "segment": _segment,
}


def rows_of(delivery: Delivery, stated: Import | None = None) -> Rows:
    """The rows that the sender's mapping makes of a delivery.

    ``stated``: the words for channels, topics and statuses that a workspace states. A value that
    the body leaves open is left out of its row: what was known before stays. NothingMapped where
    the record lacks what its table needs.
    """
    mapping = _mapping(delivery.sender).with_words(stated or Import())
    wanted = f"{delivery.kind}.jsonl"
    maps = [
        one
        for one in mapping.tables
        if one.name == TABLE_OF.get(delivery.kind)
        and any(fnmatch.fnmatch(wanted, pattern) for pattern in one.files.split("|"))
    ]
    tables: dict[str, list[dict[str, Any]]] = {}
    left_out, faults = 0, list[tuple[str, str]]()
    for one in maps if delivery.records else ():
        try:
            part_rows, out, broken = _mapped(mapping, one, delivery)
        except NothingMapped:
            raise
        except DataError as error:  # a column is missing, or an expression meets no such value
            raise NothingMapped(str(error)) from None
        left_out += out
        faults += broken
        if part_rows:
            tables.setdefault(one.name, []).extend(part_rows)
    if not maps or not delivery.records:
        left_out = len(delivery.records)
    return Rows(tables, left_out, tuple(faults))


TABLE_OF = {
    "tickets": "tickets",
    "users": "customers",
    "orders": "orders",
    "customers": "customers",
    "tracks": "usage",
    "identifies": "customers",
}
"""The table that a kind of record becomes rows of."""


BOUND: dict[tuple[object, ...], Any] = {}
"""Expressions that were bound to the fields of a kind of record: a sender's records are alike, and
binding takes longer than all else."""
MOST_BOUND = 64


@lru_cache
def _mapping(sender: str) -> MapFile:
    from data.adapters.mapping import MAPS

    return load_mapping(MAPS / f"{sender}.toml")


def _mapped(
    mapping: MapFile, one: TableMap, delivery: Delivery
) -> tuple[list[dict[str, Any]], int, list[tuple[str, str]]]:
    """The rows of one table, how many records are left out, and what breaks the contract."""
    import duckdb
    import pyarrow as pa

    from data.adapters.expressions import ROWS, sandbox
    from data.adapters.mapped import bound_to, part_of
    from data.csv_files import ROW
    from data.settings_tree import Engine
    from data.source_files import Source

    names: dict[str, str] = {}
    for record in delivery.records:
        for name in record:  # DuckDB knows no upper and lower case in names
            if name and name.lower() != ROW and "\0" not in name:
                names.setdefault(name.lower(), name)
    columns: dict[str, Any] = {
        name: pa.array([_text(record.get(name)) for record in delivery.records], pa.string())
        for name in names.values()
    }
    columns[ROW] = pa.array(range(1, len(delivery.records) + 1), pa.int64())
    label = f"the {delivery.topic} of {delivery.sender}"
    box = sandbox(Engine(threads=1, memory_limit_gb=0.5))
    try:
        box.register(ROWS, pa.table(columns))
        types = dict.fromkeys(names.values(), "VARCHAR")
        source = Source(label, box.table(ROWS), types, len(delivery.records))
        statuses = mapping.reading.statuses
        key = (delivery.sender, delivery.kind, *names.values(), *sorted(statuses.items()))
        bound = BOUND.get(key)
        if bound is None:
            bound = bound_to(box, one, source, statuses)
            if len(BOUND) >= MOST_BOUND:
                BOUND.pop(next(iter(BOUND)), None)
            BOUND[key] = bound
        part = part_of(mapping, one, box, source, bound)
    except duckdb.Error as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "unknown")
        raise NothingMapped(f"{label} cannot be read: {reason}") from None
    finally:
        box.close()
    nobody = set[int]()
    if len(part.bad):
        unowned = part.bad["column"].eq("customer_id") & part.bad["value"].isna()
        nobody = set(part.bad.loc[unowned, "row"])
    broken = [
        (f"{one.name}.{bad['column']}", f"{bad['rule']}; {bad['fix']}")
        for bad in part.bad.to_dict("records")
        if bad["row"] not in nobody
    ]
    rows = [_posted(table(one.name), row) for row in part.good.to_dict("records")]
    return rows, part.left_out + len(nobody), broken


def _posted(contract: Table, row: Mapping[Any, Any]) -> dict[str, Any]:
    """A typed row as somebody would post it: what is null is left out."""
    kinds = {column.name: column.dtype for column in contract.columns}
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name == "recorded_at" or _is_null(value):
            continue
        kind = kinds.get(name)
        if kind == "timestamp":
            out[name] = value.isoformat() + "Z"
        elif kind == "integer":
            out[name] = int(value)
        elif kind == "strings":
            out[name] = [str(part) for part in value]
        else:
            out[name] = value.item() if hasattr(value, "item") else value
    return out


def _is_null(value: Any) -> bool:
    import pandas as pd

    return value is None or (not isinstance(value, list) and bool(pd.isna(value)))
