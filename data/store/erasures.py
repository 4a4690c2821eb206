"""Who was erased: a keyed pseudonym of each, never the id, so that they are known if they return.

The key is among the workspace's secrets (for a store without a folder among its facts). Without it
a pseudonym tells nothing; with it an id can be asked for, one by one.

>>> import tempfile
>>> from data.store.decision_log import open_store
>>> from data.workspace import init
>>> with tempfile.TemporaryDirectory() as folder, open_store(init(folder)) as store:
...     before = erased_of(store)
...     _ = record_erasure(store, "c-17", {"state": "done"}, datetime(2026, 3, 1))
...     after = erased_of(store)
>>> bool(before), after.names({"customer_id": "c-17"}), after.names({"customer_id": "c-18"})
(False, True, False)
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from data.errors import DamagedFile
from data.folder import Folder
from data.store.opening import Store, has_store, open_workspace
from data.store.schema import ERASURES, FACTS
from data.store.secrets import put_secret, read_secret

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

KEY = "erasures"
"""Name of the key among the secrets, or the store's facts."""
BLOCK = 64
"""HMAC's block of SHA-256, in bytes (RFC 2104)."""


@dataclass(frozen=True)
class Erased:
    """The erased, as pseudonyms by the column that names them; false where there is none."""

    key: bytes
    pseudonyms: Mapping[str, frozenset[str]]

    def __bool__(self) -> bool:
        return any(self.pseudonyms.values())

    @property
    def digest(self) -> str:
        """Another value once somebody else was erased."""
        content = [
            [name, *sorted(pseudonyms)] for name, pseudonyms in sorted(self.pseudonyms.items())
        ]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def names(self, row: Mapping[str, Any]) -> bool:
        """Whether a row names somebody who was erased."""
        return any(
            pseudonym_of(self.key, column, as_text(row[column])) in pseudonyms
            for column, pseudonyms in self.pseudonyms.items()
            if pseudonyms and row.get(column) not in (None, "")
        )

    def in_frame(self, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Per row of a frame whether it names somebody who was erased."""
        named = np.zeros(len(frame), dtype=bool)
        for column, pseudonyms in self.pseudonyms.items():
            if pseudonyms and column in frame.columns:
                values = frame[column].dropna().unique()
                gone = [
                    v for v in values if pseudonym_of(self.key, column, as_text(v)) in pseudonyms
                ]
                named |= frame[column].isin(gone).to_numpy(dtype=bool)
        return named

    def condition(self, columns: Iterable[str]) -> str | None:
        """The rows that name somebody who was erased, as SQL over text columns of these names;
        None where no row can."""
        parts = [
            f"coalesce({_pseudonym_sql(self.key, column)} IN ({_listed(pseudonyms)}), false)"
            for column, pseudonyms in self.pseudonyms.items()
            if pseudonyms and column in columns
        ]
        return " OR ".join(parts) or None


NOBODY = Erased(b"", {})


def as_text(value: object) -> str:
    """An id as text; 7.0, an integer that stood beside a null, is 7."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def pseudonym_of(key: bytes, column: str, value: str) -> str:
    """What stands for a value of ``customer_id`` or ``order_id`` among the erased."""
    return hmac.new(key, f"{column}|{value}".encode(), hashlib.sha256).hexdigest()


def erased_of(store: Store) -> Erased:
    """Whom the store knows as erased. DamagedFile where their key is gone."""
    with store.reading() as connection:
        return erased_in(store, connection)


def erased_in(store: Store, connection: sa.Connection) -> Erased:
    """``erased_of`` within a transaction."""
    rows = connection.execute(sa.select(ERASURES.c.customer_sha256, ERASURES.c.proof)).all()
    if not rows:
        return NOBODY
    key = _key(store, connection)
    if key is None:
        raise DamagedFile(
            f"the secret {KEY} is gone, so nobody can tell who was erased. Bring .presage/secrets "
            "back from a backup"
        )
    orders = frozenset(str(each) for row in rows for each in row.proof.get("orders", ()))
    others = frozenset(str(each) for row in rows for each in row.proof.get("others", ()))
    customers = frozenset(str(row.customer_sha256) for row in rows)
    return Erased(key, {"customer_id": customers | others, "order_id": orders})


def erased_in_workspace(workspace: Folder) -> Erased:
    """Whom the workspace's store knows as erased; nobody where there is no store yet."""
    if not has_store(workspace):
        return NOBODY
    store = open_workspace(workspace)
    try:
        return erased_of(store)
    finally:
        store.close()


def erasure_of(store: Store, customer_id: str) -> tuple[datetime, dict[str, Any]] | None:
    """When somebody was erased, and the proof that was kept of it; None if they were not."""
    with store.reading() as connection:
        key = _key(store, connection)
        if key is None:
            return None
        own = ERASURES.c.customer_sha256 == pseudonym_of(key, "customer_id", customer_id)
        row = connection.execute(sa.select(ERASURES).where(own)).first()
    return None if row is None else (row.recorded_at, dict(row.proof))


def record_erasure(
    store: Store,
    customer_id: str,
    proof: Mapping[str, Any],
    now: datetime,
    orders: Sequence[str] = (),
    others: Sequence[str] = (),
) -> str:
    """Keep that somebody was erased, with its proof; the pseudonym. Again replaces the proof.

    ``orders``: the ids of orders that were theirs alone, ``others``: ids that were merged into
    theirs; both are kept as pseudonyms too.
    """
    with store.writing() as connection:
        key = _key(store, connection) or _new_key(store, connection, now)
        subject = pseudonym_of(key, "customer_id", customer_id)
        own = ERASURES.c.customer_sha256 == subject
        before = connection.execute(sa.select(ERASURES.c.proof).where(own)).scalar()
        whole_proof = dict(proof)
        for name, column, ids in (
            ("orders", "order_id", orders),
            ("others", "customer_id", others),
        ):
            pseudonyms = {pseudonym_of(key, column, each) for each in ids}
            whole_proof[name] = sorted(pseudonyms | set((before or {}).get(name, ())))
        values = {"proof": whole_proof, "recorded_at": now}
        if before is None:
            connection.execute(sa.insert(ERASURES), {"customer_sha256": subject, **values})
        else:
            connection.execute(sa.update(ERASURES).where(own).values(values))
    return subject


def _key(store: Store, connection: sa.Connection) -> bytes | None:
    if store.folder is not None:
        secret = read_secret(store.folder, KEY)
    else:
        secret = connection.execute(sa.select(FACTS.c.value).where(FACTS.c.name == KEY)).scalar()
    return None if not secret else bytes.fromhex(secret)


def _new_key(store: Store, connection: sa.Connection, now: datetime) -> bytes:
    key = secrets.token_bytes(32)
    if store.folder is not None:
        put_secret(store.folder, KEY, key.hex())
    else:
        values = {"name": KEY, "value": key.hex(), "created_at": now}
        connection.execute(sa.insert(FACTS), values)
    return key


def _pseudonym_sql(key: bytes, column: str) -> str:
    """``pseudonym_of`` as an expression that DuckDB evaluates over a whole text column."""
    inner, outer = (
        _blob(bytes(byte ^ pad for byte in key.ljust(BLOCK, b"\0"))) for pad in (0x36, 0x5C)
    )
    message = f"encode('{column}|' || \"{column}\")"
    return f"sha256({outer} || unhex(sha256({inner} || {message})))"


def _blob(value: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"


def _listed(pseudonyms: Iterable[str]) -> str:
    return ", ".join(f"'{each}'" for each in sorted(pseudonyms))
