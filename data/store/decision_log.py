"""The decision log as a chain: every entry holds the hash of the one before, a head is signed.

An entry of a decision holds the salted digest of its text and a pseudonym of its customer, both
keyed by the entry's own salt. Text and salt stand beside the log and may be forgotten when a person
is erased: the chain stays whole, and what is left tells nothing. A note (a campaign that stopped, a
seal) concerns no person and stands in the log itself.

A chain alone does not show that its last entries are gone. So its head (how many entries, the hash
of the last) is signed by a key that is not in the database, kept in the database and, whole and
fsynced, in ``.presage/decision-log.head``: a log that ends before either of them was cut.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from data.clock import SYSTEM
from data.errors import DamagedFile
from data.folder import Folder
from data.store.log_head import (
    HEAD_FILE,
    check_signature,
    cut_words,
    head_file,
    head_gone_words,
    head_in_file,
    head_in_store,
    keep_head,
    missing_words,
    signed,
    signing_key,
    write_head,
)
from data.store.opening import Store, open_workspace
from data.store.schema import DECISION_TEXTS, DECISIONS

START = "0" * 64
DECISION, SEAL = "decision", "seal"
UNSIGNED = "these entries were logged before heads were signed"


@dataclass(frozen=True)
class Entry:
    """What is to be logged: a decision's text with its customer, or a note's text.

    ``salt`` keys digest and pseudonym of a decision; a note has none.
    """

    kind: str
    text: str
    salt: str = ""
    customer_id: str | None = None


@dataclass(frozen=True)
class LogState:
    """A verified log: entries, those whose text was forgotten, and the newest hash.

    ``seals``: the notes of entries that seal what was logged without a signed head, with their
    numbers. ``signed``: entries that the signed head covers; 0 where there is none yet.
    """

    entries: int
    forgotten: int
    head: str
    seals: tuple[tuple[int, str], ...] = ()
    signed: int = 0


def open_store(workspace: Folder) -> Store:
    """The workspace's store, created, migrated and its log sealed if need be.

    Raises SettingsError for a URL that cannot be used, PresageError if the database cannot be
    opened or was written by a newer Presage.
    """
    store = open_workspace(workspace)
    try:
        seal_old_log(store, SYSTEM.now())
    except BaseException:
        store.close()
        raise
    return store


def append_entries(
    store: Store, connection: sa.Connection, entries: Sequence[Entry], now: datetime
) -> list[int]:
    """Log entries and sign the new head, in the caller's transaction; their numbers, in order.

    The caller publishes the head (``publish_head``) once the transaction has ended. DamagedFile if
    the log does not end where its signed head says.
    """
    key = signing_key(store, connection, now, make=True)
    seq, previous = _checked_end(store, connection, key, now)
    links = []
    for entry in entries:
        seq += 1
        link = _link(seq, now, entry, previous)
        links.append(link)
        previous = link["sha256"]
    if links:
        connection.execute(sa.insert(DECISIONS), links)
        keep_head(connection, signed(key, seq, previous, now), now)
    return [link["seq"] for link in links]


def append_note(store: Store, kind: str, note: Mapping[str, Any], now: datetime) -> int:
    """Log a note that concerns no single person, such as a campaign's end; the entry's number."""
    text = json.dumps(note, sort_keys=True, ensure_ascii=False)
    with store.writing() as connection:
        (seq,) = append_entries(store, connection, [Entry(kind, text)], now)
    publish_head(store)
    return seq


def notes_of(store: Store, kind: str) -> list[tuple[int, datetime, dict[str, Any]]]:
    """The notes of a kind in order: the entry's number, when, and what it says."""
    with store.reading() as connection:
        return notes_in(connection, kind)


def notes_in(connection: sa.Connection, kind: str) -> list[tuple[int, datetime, dict[str, Any]]]:
    """``notes_of`` in a transaction; by the index of notes, however long the log."""
    own = DECISIONS.c.note.is_not(None) & (DECISIONS.c.kind == kind)
    query = sa.select(DECISIONS).where(own).order_by(DECISIONS.c.seq)
    return [(r.seq, r.recorded_at, json.loads(r.note)) for r in connection.execute(query)]


def publish_head(store: Store) -> None:
    """Write the newest head outside the database, whole and on the disk."""
    if store.folder is None:
        return
    with store.writing() as connection:  # one at a time: never an older head over a newer one
        head = head_in_store(connection)
        if head is not None:
            write_head(head_file(store), head)


def seal_old_log(store: Store, now: datetime) -> bool:
    """Seal a log that has entries and no signed head with an entry that says so; whether it was.

    From then on nothing that was there can be taken away unseen.
    """
    with store.reading() as connection:
        if head_in_store(connection) is not None or _last(connection)[0] == 0:
            return False
    with store.writing() as connection:
        append_entries(store, connection, [], now)
    publish_head(store)
    return True


def renew_head(store: Store, now: datetime) -> int:
    """Seal the log as it stands, as after a restored backup; the number of the entry that says so.

    The entry holds the heads that there were, so that it is known for ever what is missing.
    DamagedFile if the chain itself is broken: no seal mends that.
    """
    former = [asdict(head) for head in (head_in_file(store),) if head is not None]
    with store.writing() as connection:
        state, _ = _walk(connection, ())
        held = head_in_store(connection)
        former += [asdict(held)] if held is not None else []
        key = signing_key(store, connection, now, make=True, lost=True)
        note = {
            "entries": state.entries,
            "head": state.head,
            "because": "the head was renewed by hand",
            "former_heads": former,
        }
        link = _link(state.entries + 1, now, Entry(SEAL, _text(note)), state.head)
        connection.execute(sa.insert(DECISIONS), [link])
        head = signed(key, link["seq"], link["sha256"], now)
        keep_head(connection, head, now)
    publish_head(store)
    return state.entries + 1


def verify_log(store: Store, expected: tuple[int, str] | None = None) -> LogState:
    """Recompute the whole chain and compare it with its signed heads.

    ``expected``: number and hash of an entry that was noted elsewhere. DamagedFile names the first
    entry that does not fit, or is missing.
    """
    outside = head_in_file(store)  # read first: what comes meanwhile is later than it
    wanted = {e for e in (outside and outside.entries, expected and expected[0]) if e}
    with store.reading() as connection:
        held = head_in_store(connection)
        key = signing_key(store, connection, None, make=False)
        state, hashes = _walk(connection, wanted)
    for head, where in ((held, "in the store"), (outside, HEAD_FILE)):
        if head is not None:
            check_signature(head, key, where)
    if held is None and outside is not None and outside.entries:
        raise DamagedFile(cut_words(state.entries, outside, HEAD_FILE))
    if held is not None:
        if store.folder is not None and outside is None:
            raise DamagedFile(head_gone_words())
        if held.entries > state.entries:
            raise DamagedFile(cut_words(state.entries, held, "in the store"))
        if (held.entries, held.sha256) != (state.entries, state.head):
            raise DamagedFile(
                f"the decision log is damaged at entry {held.entries + 1}: the signed head ends "
                f"with entry {held.entries}, so what follows was added by somebody else"
            )
    for number, digest, where in (
        (
            outside.entries if outside else 0,
            outside.sha256 if outside else "",
            f"the head {HEAD_FILE}",
        ),
        (*(expected or (0, "")), "the head that was given"),
    ):
        if number > state.entries:
            raise DamagedFile(missing_words(state.entries, number, where))
        if number and hashes[number] != digest:
            raise DamagedFile(
                f"the decision log is damaged: entry {number} is another one than {where} says"
            )
    return LogState(
        state.entries, state.forgotten, state.head, state.seals, held.entries if held else 0
    )


def payload_hash(salt: str, text: str) -> str:
    """The salted digest of a decision's text."""
    return hashlib.sha256(f"{salt}|{text}".encode()).hexdigest()


def pseudonym(salt: str, customer_id: str) -> str:
    """The customer as the log has them: keyed by the entry's salt, which is forgotten with them."""
    return hmac.new(bytes.fromhex(salt), customer_id.encode(), hashlib.sha256).hexdigest()


def _link(seq: int, now: datetime, entry: Entry, previous: str) -> dict[str, Any]:
    subject = None if entry.customer_id is None else pseudonym(entry.salt, entry.customer_id)
    digest = payload_hash(entry.salt, entry.text)
    return {
        "seq": seq,
        "recorded_at": now,
        "payload_sha256": digest,
        "previous": previous,
        "form": 2,
        "kind": entry.kind,
        "subject": subject,
        "note": None if entry.kind == DECISION else entry.text,
        "sha256": _sha(f"2|{seq}|{now.isoformat()}|{entry.kind}|{digest}|{subject}|{previous}"),
    }


def _link_hash(row: Any, previous: str) -> str:
    at = row.recorded_at.isoformat()
    if row.form == 1:
        return _sha(f"{row.seq}|{at}|{row.payload_sha256}|{previous}")
    return _sha(f"2|{row.seq}|{at}|{row.kind}|{row.payload_sha256}|{row.subject}|{previous}")


def _walk(connection: sa.Connection, wanted: Any) -> tuple[LogState, dict[int, str]]:
    """The chain recomputed from its first entry, and the hashes of the ``wanted`` entries."""
    previous, entries, forgotten = START, 0, 0
    seals: list[tuple[int, str]] = []
    hashes: dict[int, str] = {}
    texts = DECISION_TEXTS.c
    query = (
        sa.select(DECISIONS, texts.salt, texts.payload, texts.customer_id)
        .join_from(DECISIONS, DECISION_TEXTS, DECISIONS.c.seq == texts.seq, isouter=True)
        .order_by(DECISIONS.c.seq)
    )
    for row in connection.execute(query):
        entries += 1
        damaged = f"the decision log is damaged at entry {min(row.seq, entries)}"
        if row.seq != entries:
            raise DamagedFile(f"{damaged}: entry {entries} is missing")
        if row.previous != previous or row.sha256 != _link_hash(row, previous):
            raise DamagedFile(f"{damaged}: it does not follow from the entry before it")
        if row.kind != DECISION:
            if row.note is None or payload_hash("", row.note) != row.payload_sha256:
                raise DamagedFile(f"{damaged}: its note is not the one that was logged")
            if row.kind == SEAL:
                seals.append((row.seq, row.note))
        elif row.payload is None:
            forgotten += 1
        elif payload_hash(row.salt, row.payload) != row.payload_sha256:
            raise DamagedFile(f"{damaged}: its text is not the one that was logged")
        elif row.subject is not None and (
            row.customer_id is None or pseudonym(row.salt, row.customer_id) != row.subject
        ):
            raise DamagedFile(f"{damaged}: its customer is not the one that was logged")
        previous = str(row.sha256)
        if entries in wanted:
            hashes[entries] = previous
    return LogState(entries, forgotten, previous, tuple(seals)), hashes


def _checked_end(
    store: Store, connection: sa.Connection, key: str, now: datetime
) -> tuple[int, str]:
    """Number and hash of the last entry, as its signed heads have them; an old log is sealed."""
    seq, digest = _last(connection)
    held, outside = head_in_store(connection), head_in_file(store)
    if held is None:
        if outside is not None and outside.entries > seq:
            raise DamagedFile(cut_words(seq, outside, HEAD_FILE))
        if store.folder is not None and outside is None:
            # there before the first entry is, so that its absence always means something
            write_head(head_file(store), signed(key, 0, START, now))
        if seq:
            note = {"entries": seq, "head": digest, "because": UNSIGNED}
            link = _link(seq + 1, now, Entry(SEAL, _text(note)), digest)
            connection.execute(sa.insert(DECISIONS), [link])
            seq, digest = link["seq"], link["sha256"]
            keep_head(connection, signed(key, seq, digest, now), now)
        return seq, digest
    check_signature(held, key, "in the store")
    if held.entries > seq:
        raise DamagedFile(cut_words(seq, held, "in the store"))
    if (held.entries, held.sha256) != (seq, digest):
        raise DamagedFile(
            f"the decision log is damaged at entry {held.entries}: it is not the one that the "
            "signed head names"
        )
    if store.folder is not None:
        if outside is None:
            raise DamagedFile(head_gone_words())
        check_signature(outside, key, HEAD_FILE)
        if outside.entries > seq:
            raise DamagedFile(cut_words(seq, outside, HEAD_FILE))
        query = sa.select(DECISIONS.c.sha256).where(DECISIONS.c.seq == outside.entries)
        if outside.entries and connection.execute(query).scalar() != outside.sha256:
            raise DamagedFile(
                f"the decision log is damaged: entry {outside.entries} is another one than "
                f"the head {HEAD_FILE} says"
            )
    return seq, digest


def _last(connection: sa.Connection) -> tuple[int, str]:
    last = connection.execute(
        sa.select(DECISIONS.c.seq, DECISIONS.c.sha256).order_by(DECISIONS.c.seq.desc()).limit(1)
    ).one_or_none()
    return (int(last.seq), str(last.sha256)) if last else (0, START)


def _text(note: Mapping[str, Any]) -> str:
    return json.dumps(note, sort_keys=True, ensure_ascii=False)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
