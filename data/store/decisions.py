"""What was decided, and what became of it: written once, in the log (``decision_log``) for ever.

The log holds digest and pseudonym of each decision; its text and salt stand beside it, and may be
forgotten when a person is erased.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from data.errors import Conflict, UsageError
from data.store.decision_log import DECISION, Entry, append_entries, publish_head
from data.store.opening import Store
from data.store.schema import DECISION_TEXTS, OUTBOX, OUTCOMES

OUTCOME_WORDS = ("sent", "failed", "answered", "resolved", "complained", "disagreed")


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
    with store.writing() as connection:
        try:
            log_decisions(store, connection, run_id, decisions, now)
            if outbox:
                connection.execute(sa.insert(OUTBOX), [_waiting(row, now) for row in outbox])
        except sa.exc.IntegrityError as error:
            raise Conflict(f"a decision was written before: {error.orig}") from None
    publish_head(store)
    return [str(decision["decision_id"]) for decision in decisions]


def log_decisions(
    store: Store,
    connection: sa.Connection,
    run_id: str,
    decisions: Sequence[Mapping[str, Any]],
    now: datetime,
) -> None:
    """``append_decisions`` in the caller's transaction, which publishes the head once it has ended;
    nothing is put into the outbox."""
    again = sa.select(DECISION_TEXTS.c.run_id).where(DECISION_TEXTS.c.run_id == run_id)
    if connection.execute(again.limit(1)).first():
        raise Conflict(f"the decisions of run {run_id!r} were written before")
    entries, texts = [], []
    for decision in decisions:
        text = json.dumps(decision, sort_keys=True, ensure_ascii=False, default=_moment)
        salt = secrets.token_hex(16)
        customer = decision.get("customer_id")
        customer_id = None if customer is None else str(customer)
        entries.append(Entry(DECISION, text, salt, customer_id))
        texts.append(
            {
                "decision_id": str(decision["decision_id"]),
                "run_id": run_id,
                "customer_id": customer_id,
                "salt": salt,
                "payload": text,
            }
        )
    numbers = append_entries(store, connection, entries, now)
    if texts:
        rows = [{**row, "seq": seq} for row, seq in zip(texts, numbers, strict=True)]
        connection.execute(sa.insert(DECISION_TEXTS), rows)


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
) -> list[dict[str, Any]]:
    """The decisions to act, in order, each with its ``seq``; one of them, or a customer's.

    Those alone that were put into the outbox: nobody acts on a hold-out.
    """
    query = (
        sa.select(DECISION_TEXTS)
        .join(OUTBOX, OUTBOX.c.decision_id == DECISION_TEXTS.c.decision_id)
        .order_by(DECISION_TEXTS.c.seq)
    )
    if decision_id is not None:
        query = query.where(DECISION_TEXTS.c.decision_id == decision_id)
    if customer_id is not None:
        query = query.where(DECISION_TEXTS.c.customer_id == customer_id)
    with store.reading() as connection:
        return [{**json.loads(row.payload), "seq": row.seq} for row in connection.execute(query)]


def record_outcome(
    store: Store, decision_id: str, outcome: str, at: datetime, note: str | None, now: datetime
) -> bool:
    """What became of a decision; False, and counted, if the same outcome was recorded before.

    ``sent`` settles a decision that was handed out. UsageError for an unknown outcome or decision.
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
        if (row := connection.execute(same).first()) is not None:
            again = sa.update(OUTCOMES).where(OUTCOMES.c.seq == row.seq)
            connection.execute(again.values(repeats=OUTCOMES.c.repeats + 1))
            return False
        values = {
            "decision_id": decision_id,
            "outcome": outcome,
            "at": at,
            "note": note,
            "recorded_at": now,
        }
        connection.execute(sa.insert(OUTCOMES), values)
        if outcome == "sent":
            handed = (OUTBOX.c.decision_id == decision_id) & (OUTBOX.c.status == "handed_out")
            settled = {"status": "sent", "settled_at": at, "updated_at": now}
            connection.execute(sa.update(OUTBOX).where(handed).values(settled))
    return True


def outcome_counts(store: Store) -> list[dict[str, Any]]:
    """Outcomes counted by ``action, channel, outcome``: ``decisions`` that had it, ``repeats``
    (the same report again), and ``never_sent``: of decisions that never left the house."""
    left = OUTBOX.c.contacted_at.is_not(None)
    groups = (OUTBOX.c.action, OUTBOX.c.channel, OUTCOMES.c.outcome)
    query = (
        sa.select(
            *groups,
            sa.func.count(sa.distinct(OUTCOMES.c.decision_id)).label("decisions"),
            sa.func.sum(OUTCOMES.c.repeats).label("repeats"),
            sa.func.sum(sa.case((left, 0), else_=1)).label("never_sent"),
        )
        .join_from(OUTCOMES, OUTBOX, OUTBOX.c.decision_id == OUTCOMES.c.decision_id, isouter=True)
        .group_by(*groups)
        .order_by(*groups)
    )
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def outcomes_of(store: Store, decision_ids: Sequence[str]) -> dict[str, list[tuple[str, datetime]]]:
    """The outcomes of these decisions with their times, in the order they were recorded."""
    outcomes: dict[str, list[tuple[str, datetime]]] = {identity: [] for identity in decision_ids}
    with store.reading() as connection:
        for start in range(0, len(decision_ids), 400):
            query = (
                sa.select(OUTCOMES)
                .where(OUTCOMES.c.decision_id.in_(list(decision_ids[start : start + 400])))
                .order_by(OUTCOMES.c.seq)
            )
            for row in connection.execute(query):
                outcomes[row.decision_id].append((row.outcome, row.at))
    return outcomes


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
        "queued_at": now,
        "created_at": now,
        "updated_at": now,
    }


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be logged")
