"""Whose rows are learned from: nobody who is there only because they are about to write."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from data.settings import Settings
from data.tables import MemoryTables
from features.language import count, since_first
from features.sources import CUSTOMERS, TICKETS
from features.spec import FeatureView
from features.spine import customers_at
from models.risk.population import TrainingSet, training_set

VIEW = FeatureView((since_first(CUSTOMERS), count(TICKETS)))
END = datetime(2026, 6, 1, 5)  # midnight where the company is; its dates are 00:00 UTC


def reporters(derived: bool) -> dict[str, pd.DataFrame]:
    """People who write at 13:00 of some day and, some of them, again; the day is their sign-up,
    or one up to three months before."""
    rng = np.random.default_rng(3)
    ids = [f"c{at}" for at in range(600)]
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 140, 600), unit="D")
    before = pd.to_timedelta(0 if derived else rng.integers(0, 90, 600), unit="D")
    again = day + pd.to_timedelta(rng.integers(1, 60, 600), unit="D")
    opened = pd.DatetimeIndex([*day, *again[:200]]) + pd.Timedelta(hours=13)
    tickets = pd.DataFrame({"customer_id": [*ids, *ids[:200]], "opened_at": opened})
    tickets["ticket_id"] = [f"t{at}" for at in range(800)]
    return {
        "customers": pd.DataFrame({"customer_id": ids, "signed_up_at": day - before}),
        "tickets": tickets.assign(channel="web", is_complaint=True),
    }


def learned(frames: dict[str, pd.DataFrame]) -> TrainingSet:
    return training_set(MemoryTables(frames), VIEW, END, (7,), Settings())


def test_derived_sign_ups_tell_the_outcome_of_the_first_day_and_are_not_learned_from() -> None:
    frames = reporters(derived=True)
    rows = learned(frames)
    times = rows.features["as_of"].drop_duplicates().tolist()
    every = customers_at(MemoryTables(frames), times)
    leaking = len(every) - len(rows.features)
    assert leaking > 20  # the first ticket of each of them is 8 hours away
    young = rows.features["customers_since_first_days"] < 1
    assert (rows.features.loc[young, "tickets_count"] > 0).all()
    # a column that knows who is new and silent has nothing left to tell
    silent = rows.features["tickets_count"] == 0
    assert not silent.any()


def test_without_a_customers_table_people_are_there_once_they_were_seen() -> None:
    frames = reporters(derived=True)
    with_table, tickets = learned(frames), {"tickets": frames["tickets"]}
    without = training_set(MemoryTables(tickets), VIEW, END, (7,), Settings())
    keys = ["customer_id", "as_of"]
    assert with_table.features[keys].equals(without.features[keys])
    assert with_table.labels["label_7d"].equals(without.labels["label_7d"])
    assert (without.features["tickets_count"] > 0).all()


def test_of_honest_sign_ups_every_row_is_learned_from() -> None:
    frames = reporters(derived=False)
    rows = learned(frames)
    times = rows.features["as_of"].drop_duplicates().tolist()
    assert len(rows.features) == len(customers_at(MemoryTables(frames), times))
    assert (rows.features["tickets_count"] == 0).any()
