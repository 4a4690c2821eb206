"""The decision log: append only, each entry chained to the one before by its hash.

The log holds the salted hash of each decision; the decision's text and salt stand beside it, and
may be forgotten when a person is erased: the chain stays whole, and what is left tells nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from data.errors import Conflict, DamagedFile, UsageError
from data.store.opening import Store
from data.store.schema import DECISION_TEXTS, DECISIONS, OUTBOX, OUTCOMES

START = "0" * 64
OUTCOME_WORDS = ("sent", "failed", "answered", "resolved", "complained", "disagreed")


@dataclass(frozen=True)
class LogState:
    """A verified log: entries, those whose text was forgotten, and the newest hash."""

    entries: int
    forgotten: int
    head: str


def append_decisions(
    store: Store,
    run_id: str,
    decisions: Sequence[Mapping[str, Any]],
    now: datetime,
    outbox: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """Log a run's decisions, all or none, and put what is to be sent into the outbox with them.

    A decision needs ``decision_id`` and may name its ``customer_id``; its values are JSON. An
    outbox row names ``decision_id, customer_id, channel, action, payload``. Conflict if the run,
    or one of the ids, was written before: a run is written once. The ids, in order.
    """
    ids = [str(decision["decision_id"]) for decision in decisions]
    with store.writing() as connection:
        again = sa.select(DECISION_TEXTS.c.run_id).where(DECISION_TEXTS.c.run_id == run_id)
        if connection.execute(again.limit(1)).first():
            raise Conflict(f"the decisions of run {run_id!r} were written before")
        seq, previous = _head(connection)
        links, texts = [], []
        for identity, decision in zip(ids, decisions, strict=True):
            seq += 1
            text = json.dumps(decision, sort_keys=True, ensure_ascii=False, default=_moment)
            salt = secrets.token_hex(16)
            digest = _payload_hash(salt, text)
            own = _link(seq, now, digest, previous)
            links.append(
                {
                    "seq": seq,
                    "recorded_at": now,
                    "payload_sha256": digest,
                    "previous": previous,
                    "sha256": own,
                }
            )
            customer = decision.get("customer_id")
            texts.append(
                {
                    "seq": seq,
                    "decision_id": identity,
                    "run_id": run_id,
                    "customer_id": None if customer is None else str(customer),
                    "salt": salt,
                    "payload": text,
                }
            )
            previous = own
        try:
            if links:
                connection.execute(sa.insert(DECISIONS), links)
                connection.execute(sa.insert(DECISION_TEXTS), texts)
            if outbox:
                connection.execute(sa.insert(OUTBOX), [_waiting(row, now) for row in outbox])
        except sa.exc.IntegrityError as error:
            raise Conflict(f"a decision was written before: {error.orig}") from None
    return ids


def _head(connection: sa.Connection) -> tuple[int, str]:
    last = connection.execute(
        sa.select(DECISIONS.c.seq, DECISIONS.c.sha256).order_by(DECISIONS.c.seq.desc()).limit(1)
    ).one_or_none()
    return (int(last.seq), str(last.sha256)) if last else (0, START)


def decisions_of(
    store: Store,
    *,
    run_id: str | None = None,
    customer_id: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The logged decisions in order, each with its ``seq``; of a run or customer if named."""
    query = (
        sa.select(DECISION_TEXTS)
        .where(DECISION_TEXTS.c.seq > after)
        .order_by(DECISION_TEXTS.c.seq)
        .limit(limit)
    )
    if run_id is not None:
        query = query.where(DECISION_TEXTS.c.run_id == run_id)
    if customer_id is not None:
        query = query.where(DECISION_TEXTS.c.customer_id == customer_id)
    with store.reading() as connection:
        return [{**json.loads(row.payload), "seq": row.seq} for row in connection.execute(query)]


def actions_of(
    store: Store,
    *,
    decision_id: str | None = None,
    customer_id: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The decisions to act, in order, each with its ``seq``; one of them, or a customer's.

    Those alone that were put into the outbox: nobody acts on a hold-out.
    """
    query = (
        sa.select(DECISION_TEXTS)
        .join(OUTBOX, OUTBOX.c.decision_id == DECISION_TEXTS.c.decision_id)
        .where(DECISION_TEXTS.c.seq > after)
        .order_by(DECISION_TEXTS.c.seq)
        .limit(limit)
    )
    if decision_id is not None:
        query = query.where(DECISION_TEXTS.c.decision_id == decision_id)
    if customer_id is not None:
        query = query.where(DECISION_TEXTS.c.customer_id == customer_id)
    with store.reading() as connection:
        return [{**json.loads(row.payload), "seq": row.seq} for row in connection.execute(query)]


def verify_log(store: Store) -> LogState:
    """Recompute the whole chain; DamagedFile names the first entry that does not fit."""
    previous, entries, forgotten = START, 0, 0
    query = (
        sa.select(DECISIONS, DECISION_TEXTS.c.salt, DECISION_TEXTS.c.payload)
        .join_from(DECISIONS, DECISION_TEXTS, DECISIONS.c.seq == DECISION_TEXTS.c.seq, isouter=True)
        .order_by(DECISIONS.c.seq)
    )
    with store.reading() as connection:
        for row in connection.execute(query):
            entries += 1
            told = f"the decision log is damaged at entry {row.seq}"
            if row.seq != entries:
                raise DamagedFile(f"{told}: entry {entries} is missing")
            if row.previous != previous or row.sha256 != _link(
                row.seq, row.recorded_at, row.payload_sha256, previous
            ):
                raise DamagedFile(f"{told}: it does not follow from the entry before it")
            if row.payload is None:
                forgotten += 1
            elif _payload_hash(row.salt, row.payload) != row.payload_sha256:
                raise DamagedFile(f"{told}: its text is not the one that was logged")
            previous = row.sha256
    return LogState(entries, forgotten, previous)


def record_outcome(
    store: Store, decision_id: str, outcome: str, at: datetime, note: str | None, now: datetime
) -> bool:
    """What became of a decision; False if the same outcome was recorded before.

    UsageError for an unknown outcome or decision.
    """
    if outcome not in OUTCOME_WORDS:
        raise UsageError(f"{outcome!r} is no outcome; there are {', '.join(OUTCOME_WORDS)}")
    with store.writing() as connection:
        known = sa.select(DECISION_TEXTS.c.seq).where(DECISION_TEXTS.c.decision_id == decision_id)
        if not connection.execute(known).first():
            raise UsageError(f"there is no decision {decision_id!r}")
        same = sa.select(OUTCOMES.c.seq).where(
            OUTCOMES.c.decision_id == decision_id,
            OUTCOMES.c.outcome == outcome,
            OUTCOMES.c.at == at,
        )
        if connection.execute(same).first():
            return False
        values = {
            "decision_id": decision_id,
            "outcome": outcome,
            "at": at,
            "note": note,
            "recorded_at": now,
        }
        connection.execute(sa.insert(OUTCOMES), values)
    return True


def outcomes_of(store: Store, decision_ids: Sequence[str]) -> dict[str, list[tuple[str, datetime]]]:
    """The outcomes of these decisions with their times, in the order they were recorded."""
    found: dict[str, list[tuple[str, datetime]]] = {identity: [] for identity in decision_ids}
    with store.reading() as connection:
        for start in range(0, len(decision_ids), 400):
            query = (
                sa.select(OUTCOMES)
                .where(OUTCOMES.c.decision_id.in_(list(decision_ids[start : start + 400])))
                .order_by(OUTCOMES.c.seq)
            )
            for row in connection.execute(query):
                found[row.decision_id].append((row.outcome, row.at))
    return found


def _waiting(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "decision_id": str(row["decision_id"]),
        "customer_id": str(row["customer_id"]),
        "channel": row["channel"],
        "action": row["action"],
        "payload": dict(row["payload"]),
        "status": "waiting",
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
        "updated_at": now,
    }


def _payload_hash(salt: str, text: str) -> str:
    return hashlib.sha256(f"{salt}|{text}".encode()).hexdigest()


def _link(seq: int, at: datetime, payload_sha256: str, previous: str) -> str:
    return hashlib.sha256(
        f"{seq}|{at.isoformat()}|{payload_sha256}|{previous}".encode()
    ).hexdigest()


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be logged")
