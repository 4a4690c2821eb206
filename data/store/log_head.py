"""The head of the decision log: how far it reached, signed by a key that is not in the database.

It is kept in the database and, whole and fsynced, in ``.presage/decision-log.head``. A log that
ends before either of them was cut.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from data.errors import DamagedFile
from data.files import write_whole
from data.store.opening import Store
from data.store.schema import FACTS
from data.store.secrets import put_secret, read_secret

HEAD_FILE = "decision-log.head"
HEAD, KEY = "decision_log_head", "decision_log"
"""Names of the head among the store's facts, and of the key among the secrets."""
RENEW = "If a backup was restored, `presage verify-log DIR --renew` seals what there is"


@dataclass(frozen=True)
class Head:
    """How far the log reached at a moment, signed."""

    entries: int
    sha256: str
    at: str
    signature: str


def signing_key(
    store: Store,
    connection: sa.Connection,
    now: datetime | None,
    *,
    make: bool,
    lost: bool = False,
) -> str:
    """The signing key: among the workspace's secrets, for a store without one among its facts.

    ``make``: a new one where there is none yet; ``lost``: also where one was used before.
    """
    if store.folder is not None:
        key = read_secret(store.folder, KEY)
        if key is None and make:
            if head_in_store(connection) is not None and not lost:
                raise DamagedFile(_key_gone())
            key = secrets.token_hex(32)
            put_secret(store.folder, KEY, key)
        return key or ""
    query = sa.select(FACTS.c.value).where(FACTS.c.name == KEY)
    key = connection.execute(query).scalar()
    if key is None and make:
        key = secrets.token_hex(32)
        values = {"name": KEY, "value": key, "created_at": now}
        connection.execute(sa.insert(FACTS), values)
    return str(key or "")


def signed(key: str, entries: int, digest: str, now: datetime) -> Head:
    at = now.isoformat()
    return Head(entries, digest, at, _signature(key, entries, digest, at))


def _signature(key: str, entries: int, digest: str, at: str) -> str:
    message = f"presage decision log|{entries}|{digest}|{at}".encode()
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def check_signature(head: Head, key: str, where: str) -> None:
    if not key:
        raise DamagedFile(_key_gone())
    right = _signature(key, head.entries, head.sha256, head.at)
    if not hmac.compare_digest(right, head.signature):
        raise DamagedFile(
            f"the decision log's head {where} is not signed by our key: it was changed, or the "
            f"secret {KEY} is another one than it was. Bring .presage/secrets and "
            f".presage/{HEAD_FILE} back from a backup. {RENEW}"
        )


def head_in_store(connection: sa.Connection) -> Head | None:
    text = connection.execute(sa.select(FACTS.c.value).where(FACTS.c.name == HEAD)).scalar()
    return None if text is None else _parsed(str(text), "in the store")


def keep_head(connection: sa.Connection, head: Head, now: datetime) -> None:
    values = {"name": HEAD, "value": json.dumps(asdict(head)), "created_at": now}
    here = sa.update(FACTS).where(FACTS.c.name == HEAD)
    if connection.execute(here.values(values)).rowcount == 0:
        connection.execute(sa.insert(FACTS), values)


def head_file(store: Store) -> Path:
    assert store.folder is not None
    return store.folder.state_dir / HEAD_FILE


def head_in_file(store: Store) -> Head | None:
    if store.folder is None or not head_file(store).exists():
        return None
    return _parsed(head_file(store).read_text("utf-8"), HEAD_FILE)


def write_head(file: Path, head: Head) -> None:
    write_whole(file, (json.dumps(asdict(head)) + "\n").encode(), mode=0o600, is_fenced=False)


def _parsed(text: str, where: str) -> Head:
    try:
        head = json.loads(text)
        return Head(
            int(head["entries"]), str(head["sha256"]), str(head["at"]), str(head["signature"])
        )
    except (ValueError, KeyError, TypeError):
        raise DamagedFile(f"the decision log's head {where} cannot be read. {RENEW}") from None


def cut_words(entries: int, head: Head, where: str) -> str:
    return missing_words(entries, head.entries, f"the head {where}, signed at {head.at} UTC,")


def missing_words(entries: int, named: int, where: str) -> str:
    gone = f"entry {named} is" if named == entries + 1 else f"entries {entries + 1} to {named} are"
    return (
        f"the decision log is damaged at entry {entries + 1}: {gone} missing, for {where} counts "
        f"{named}. {RENEW}"
    )


def head_gone_words() -> str:
    return f"the decision log's head outside the store, .presage/{HEAD_FILE}, is missing. {RENEW}"


def _key_gone() -> str:
    return (
        f"the decision log was signed by a key that is missing: the secret {KEY}. Bring "
        ".presage/secrets back from a backup"
    )
