"""Decisions that chose somebody, treated or held out, out of all that were logged.

A run logs every customer who was considered; caps and capacities ask for the few that were chosen.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from data.store.opening import Store
from data.store.schema import DECISION_TEXTS

ARMS = ("treat", "holdout")


def selected_decisions(
    store: Store, runs_from: str = "", runs_before: str | None = None
) -> list[dict[str, Any]]:
    """The logged decisions of arms ``treat`` and ``holdout``, in order, each with its id; of runs
    whose id is not less than ``runs_from`` (and less than ``runs_before``), as texts compare."""
    text = DECISION_TEXTS.c.payload
    # a coarse filter where the rows are; what a text means is decided below
    query = (
        sa.select(text)
        .where(DECISION_TEXTS.c.run_id >= runs_from)
        .where(sa.or_(*(text.contains(f'"{arm}"', autoescape=True) for arm in ARMS)))
        .order_by(DECISION_TEXTS.c.seq)
    )
    if runs_before is not None:
        query = query.where(DECISION_TEXTS.c.run_id < runs_before)
    with store.reading() as connection:
        decisions = [json.loads(row.payload) for row in connection.execute(query)]
    return [decision for decision in decisions if decision.get("arm") in ARMS]


def decisions_of_runs(
    store: Store, runs_from: str, runs_before: str, customer_id: str | None = None
) -> list[dict[str, Any]]:
    """Every logged entry of runs whose id is in [``runs_from``, ``runs_before``), in order; a
    customer's if named."""
    query = (
        sa.select(DECISION_TEXTS.c.payload)
        .where(DECISION_TEXTS.c.run_id >= runs_from)
        .where(DECISION_TEXTS.c.run_id < runs_before)
        .order_by(DECISION_TEXTS.c.seq)
    )
    if customer_id is not None:
        query = query.where(DECISION_TEXTS.c.customer_id == customer_id)
    with store.reading() as connection:
        return [json.loads(row.payload) for row in connection.execute(query)]


def newest_run(store: Store, runs_from: str, runs_before: str) -> str | None:
    """The greatest id of a logged run in [``runs_from``, ``runs_before``); None: there is none."""
    run = DECISION_TEXTS.c.run_id
    query = sa.select(sa.func.max(run)).where(run >= runs_from).where(run < runs_before)
    with store.reading() as connection:
        newest = connection.execute(query).scalar()
    return None if newest is None else str(newest)


def runs_of(store: Store, runs_from: str, runs_before: str) -> list[str]:
    """The ids of the logged runs in [``runs_from``, ``runs_before``), in order."""
    run = DECISION_TEXTS.c.run_id
    query = sa.select(run).where(run >= runs_from).where(run < runs_before).distinct()
    with store.reading() as connection:
        return [str(name) for name in connection.execute(query.order_by(run)).scalars()]


def count_of_run(store: Store, run_id: str, words: str) -> int:
    """How many logged entries of a run hold ``words`` in their text."""
    text = DECISION_TEXTS.c.payload
    query = (
        sa.select(sa.func.count())
        .where(DECISION_TEXTS.c.run_id == run_id)
        .where(text.contains(words, autoescape=True))
    )
    with store.reading() as connection:
        return int(connection.execute(query).scalar_one())
