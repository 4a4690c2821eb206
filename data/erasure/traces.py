"""What names a person in a workspace: their id, the keys of their rows, and the strings that are
theirs alone: names, addresses, texts.

A string that stands in somebody else's rows too is not theirs: two people may be called the same,
and everybody writes "thank you".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from data.check import engine
from data.contract import TABLES, Table
from data.erasure.finder import LEAST, Finder
from data.folder import Folder
from data.pseudonyms import decision_code, pseudonym
from data.source_files import kind_of, open_source
from data.store.erasures import as_text
from data.store.opening import Store
from data.store.schema import EVENTS, FACTS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

WRITTEN = {"customers": ("name",), "tickets": ("text",), "feedback": ("text",)}
"""The columns of the contract in which people stand by name, or write."""
MOST_KEYS = 500
"""So many keys of their rows are looked for in texts; all of them in columns."""
OFTEN = 10
"""A name that stands in the texts of more people is a word."""
REFERS = {"tickets": ("order_id",), "bot_sessions": ("ticket_id",), "order_items": ("order_id",)}
"""The columns by which a row that names no customer is somebody's."""
OWNER = {"order_id": "orders", "ticket_id": "tickets"}


@dataclass
class Traces:
    """What names a person.

    ``keys``: of their rows by table; ``called``, ``said``: what is theirs alone; ``longer``: ids of
    others in which theirs stands; ``digests``: what stands for them; ``others``: ids that were
    merged into theirs; ``rows``: how many there are by table; ``first_seen``: their oldest birth.
    """

    customer_id: str
    keys: dict[str, set[str]] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    longer: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    first_seen: str | None = None

    @property
    def orders(self) -> list[str]:
        """The ids of their orders."""
        return sorted(json.loads(key)[0] for key in self.keys.get("orders", ()))

    def as_json(self) -> dict[str, Any]:
        """For the journal."""
        return {**asdict(self), "keys": {name: sorted(keys) for name, keys in self.keys.items()}}

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Traces:
        """What ``as_json`` gave."""
        keys = {name: set(names_of) for name, names_of in content["keys"].items()}
        return cls(**{**content, "keys": keys})

    def finder(self) -> Finder:
        """Looks for the id, their strings, the keys of their rows, and what stands for them."""
        keys = list(dict.fromkeys(self._single_keys()))
        telling = [key for key in keys if _tells(key)][-MOST_KEYS:]
        # keys of digits alone are numbers elsewhere
        return Finder(
            self.customer_id,
            [*self.called, *self.said, *self.digests],
            others=self.others,
            words=telling,
            keys=[key for key in keys if not key.isdigit()],
            longer=self.longer,
        )

    def _single_keys(self) -> Iterator[str]:
        for name, keys in self.keys.items():
            if len(TABLES[name].key) == 1 and name != "customers":
                yield from sorted(json.loads(key)[0] for key in keys)

    def owns(self, name: str, row: Mapping[str, Any]) -> bool:
        """Whether a row of a table is theirs: it names them, or nobody, and its key is that of a
        row of theirs, or what it refers to is."""
        owner = row.get("customer_id")
        if owner not in (None, ""):
            return as_text(owner) in (self.customer_id, *self.others)
        contract = TABLES[name]
        if contract.key and _key_of(contract, row) in self.keys.get(name, ()):
            return True
        for column in REFERS.get(name, ()):
            value = row.get(column)
            known = self.keys.get(OWNER[column], ())
            if value not in (None, "") and json.dumps([as_text(value)]) in known:
                return True
        return False


def traces_of(workspace: Folder, store: Store, customer_id: str) -> Traces:
    """What names a person in the tables and the posted rows."""
    traces = Traces(customer_id)
    longer: set[str] = set()
    before = -1
    # a session refers to a ticket, and that to an order; an id that was merged has rows of its own
    while (now := sum(map(len, traces.keys.values()))) > before:
        before = now
        _read_keys(workspace, store, traces, longer)
        merged = [json.loads(key)[0] for key in traces.keys.get("identities", ())]
        traces.others = sorted({*merged} - {customer_id})
    alone = Finder(customer_id, others=traces.others)
    longer -= {customer_id, *traces.others}
    traces.longer = sorted(other for other in longer if alone.in_text(other))[:1000]
    traces.digests = [d for each in (customer_id, *traces.others) for d in digests_of(store, each)]
    _read_strings(workspace, store, traces)
    return traces


def digests_of(store: Store, customer_id: str) -> list[str]:
    """What stands for a customer elsewhere: in the ids of decisions, and in logs of predictions."""
    digests = [decision_code(customer_id)]
    with store.reading() as connection:
        query = sa.select(FACTS.c.value).where(FACTS.c.name == "holdout_salt")
        salt = connection.execute(query).scalar()
    if salt:
        digests.append(pseudonym(bytes.fromhex(salt), customer_id))
    return digests


def owned(part: pa.Table, name: str, traces: Traces) -> npt.NDArray[np.bool_]:
    """Per row of an Arrow table of the table ``name`` whether it is theirs."""
    import numpy as np

    wanted = {"customer_id", *TABLES[name].key, *REFERS.get(name, ())}
    here = [column for column in part.column_names if column in wanted]
    if not here:
        return np.zeros(len(part), dtype=bool)
    if "customer_id" in here:
        column = part["customer_id"]
        ids = Finder(traces.customer_id, others=traces.others)
        named = ids.in_column(column, "customer_id")
        nobody = column.is_null().to_numpy() | _is_empty(column)
        maybe = named | (nobody & _refers(part, name, traces))
    else:
        maybe = _refers(part, name, traces)
    places = np.flatnonzero(maybe)
    rows = part.select(here).take(places).to_pylist()
    out = np.zeros(len(part), dtype=bool)
    out[places] = [traces.owns(name, row) for row in rows]
    return out


def _refers(part: pa.Table, name: str, traces: Traces) -> npt.NDArray[np.bool_]:
    """Per row whether it may have a key of theirs, or refer to one."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    known = {column: traces.keys.get(OWNER[column], set()) for column in REFERS.get(name, ())}
    if TABLES[name].key:
        first = TABLES[name].key[0]
        known[first] = known.get(first, set()) | traces.keys.get(name, set())
    maybe = np.zeros(len(part), dtype=bool)
    for column, keys in known.items():
        if column not in part.column_names or not keys:
            continue
        values = as_strings(part[column])
        if values is None:  # numbers: looked at one by one
            return np.ones(len(part), dtype=bool)
        own = pa.array(sorted({json.loads(key)[0] for key in keys}), pa.large_string())
        maybe |= np.asarray(pc.is_in(values, value_set=own).to_numpy(), dtype=bool)
    return maybe


def parts_of(workspace: Folder, path: Path) -> Iterator[pa.Table]:
    """A file of tables/ as Arrow tables, a row group at a time; what is no Parquet is one of texts.

    DataError for a file that cannot be read.
    """
    import pyarrow.parquet as pq

    if kind_of(path) != ".parquet":
        label = path.relative_to(workspace.tables_dir).as_posix()
        reading = workspace.settings.import_
        source = open_source(engine(workspace), path, label, reading, workspace.state_dir)
        yield source.relation.to_arrow_table().drop_columns(["row"])
        return
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)


def written_columns(name: str, columns: list[str]) -> list[str]:
    """The columns in which people stand by name or write: the contract's, and all beyond it."""
    return [c for c in columns if c in WRITTEN.get(name, ()) or c not in TABLES[name].names]


def _read_keys(workspace: Folder, store: Store, traces: Traces, longer: set[str]) -> None:
    import pyarrow.compute as pc

    traces.rows, births = {}, []
    for name, contract in TABLES.items():
        keys = set(traces.keys.get(name, ()))
        for path in workspace.sources(name):
            for part in parts_of(workspace, path):
                if "customer_id" in part.column_names:
                    ids = pc.unique(part["customer_id"]).to_pylist()
                    names = {as_text(one) for one in ids if one not in (None, "")}
                    longer |= {one for one in names if traces.customer_id in one}
                theirs = owned(part, name, traces)
                wanted = {*contract.key, contract.birth}
                here = [column for column in part.column_names if column in wanted]
                for row in part.select(here).filter(theirs).to_pylist():
                    traces.rows[name] = traces.rows.get(name, 0) + 1
                    births += _birth_of(contract, row)
                    if contract.key:
                        keys.add(_key_of(contract, row))
        traces.keys[name] = keys
    for name, row in _posted(store):
        owner = row.get("customer_id")
        if owner is not None and traces.customer_id in str(owner):
            longer.add(str(owner))
        if traces.owns(name, row):
            births += _birth_of(TABLES[name], row)
            if TABLES[name].key:
                traces.keys[name].add(_key_of(TABLES[name], row))
    traces.first_seen = min(births, default=None)


def _read_strings(workspace: Folder, store: Store, traces: Traces) -> None:
    """What they are called and what they wrote, less what stands in somebody else's rows: as a
    whole value what they are called, anywhere what they wrote."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own: dict[bool, dict[str, None]] = {True: {}, False: {}}
    others: dict[bool, list[pa.ChunkedArray]] = {True: [], False: []}

    def read(name: str, column: str, values: pa.ChunkedArray, theirs: Any) -> None:
        is_text = column == "text"
        own[is_text] |= dict.fromkeys(v for v in values.filter(theirs).to_pylist() if v)
        others[is_text].append(values.filter(pc.invert(theirs)).drop_null())

    for name in TABLES:
        for path in workspace.sources(name):
            for part in parts_of(workspace, path):
                theirs = pa.array(owned(part, name, traces))
                for column in written_columns(name, part.column_names):
                    values = as_strings(part[column])
                    if values is not None:
                        read(name, column, values, theirs)
    for name, row in _posted(store):
        theirs = pa.array([traces.owns(name, row)])
        for column in written_columns(name, list(row)):
            if isinstance(row[column], str):
                read(name, column, pa.chunked_array([pa.array([row[column]])]), theirs)
    traces.called = [
        text
        for text in own[False]
        if _tells(text)
        and not any(pc.any(pc.equal(values, text)).as_py() for values in others[False])
        and sum(pc.sum(pc.match_substring(v, text)).as_py() or 0 for v in others[True]) <= OFTEN
    ]
    traces.said = [
        text
        for text in own[True]
        if _tells(text)
        and not any(pc.any(pc.match_substring(values, text)).as_py() for values in others[True])
    ]


def as_strings(column: Any) -> Any:
    """An Arrow column of texts as large strings; None for one of another kind."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.large_string())
    return None


def _posted(store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    query = sa.select(EVENTS.c.table_name, EVENTS.c.payload).order_by(EVENTS.c.seq)
    with store.reading() as connection:
        for row in connection.execute(query):
            yield row.table_name, json.loads(row.payload)


def _key_of(contract: Table, row: Mapping[str, Any]) -> str:
    return json.dumps([as_text(row.get(column)) for column in contract.key])


def _birth_of(contract: Table, row: Mapping[str, Any]) -> list[str]:
    value = row.get(contract.birth or "")
    if value in (None, ""):
        return []
    return [value.isoformat() if isinstance(value, datetime) else str(value)]


def _tells(text: str) -> bool:
    """Whether a string says who somebody is: not digits alone, and long enough."""
    return len(text) >= LEAST and any(letter.isalpha() for letter in text)


def _is_empty(column: Any) -> npt.NDArray[np.bool_]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return np.zeros(len(column), dtype=bool)
    empty: npt.NDArray[np.bool_] = pc.fill_null(pc.equal(column, ""), False).to_numpy()
    return empty
