"""What the tables and settings say of a customer changes what is decided about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.settings import Settings, load_settings
from data.store import Store, open_store
from data.tables import MemoryTables
from data.workspace import init
from serving.outreach.actions import ACTIONS
from serving.outreach.candidates import candidates
from serving.outreach.policy import UNPAID, Effects, plan
from serving.outreach.worth import prices

NOW = datetime(2026, 3, 2, 12)
DAY = timedelta(days=1)
CHEAP = {"agents": {"hourly_cost": 3.0}}
"""Handling one contact costs less than what contacting somebody takes."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(init(tmp_path / "w")) as opened:
        yield opened


def decided(
    store: Store, settings: Settings | None = None, **tables: dict[str, Any]
) -> dict[str, Any]:
    """The decision about one customer whose risk any action lowers by .1; ``tables``: their rows'
    other values."""
    rows: dict[str, dict[str, Any]] = {
        "customers": {"customer_id": ["a"], "signed_up_at": NOW - 300 * DAY, "email_consent": True},
        "tickets": {
            "ticket_id": [f"t{i}" for i in range(60)], "customer_id": "z", "channel": "email",
            "opened_at": NOW - 9 * DAY, "resolved_at": NOW - 8 * DAY, "handle_seconds": 600.0,
            "is_complaint": False,
        },
        "agents": {"agent_id": ["x"], "hired_at": NOW - 300 * DAY},
    }  # fmt: skip
    frames = {name: pd.DataFrame({**row, **tables.get(name, {})}) for name, row in rows.items()}
    settings = settings or Settings()
    scores = pd.DataFrame({"customer_id": ["a"], "risk_30d": 0.5, "topic": [None],
                           "channel": ["email"]})  # fmt: skip
    money = prices(MemoryTables(frames), settings, NOW)
    people = candidates(
        scores, MemoryTables(frames), store, settings, NOW, prices=money, risk_column="risk_30d"
    )
    uplift = np.full((1, len(ACTIONS)), 0.1)
    found = plan(
        people, settings.outreach, salt=b"s", as_of=NOW, effects=Effects(uplift),
        agent_hour_cost=money.hour,
    )  # fmt: skip
    return dict(found.iloc[0])


def test_what_an_hour_of_agents_costs_decides(store: Store) -> None:
    assert decided(store)["reason"] == "1 of 1 eligible by value"
    cheap = decided(store, **CHEAP)
    assert (cheap["arm"], cheap["reason"]) == ("ineligible", UNPAID)
    # who has left costs nothing any more
    left = decided(store, agents={"hourly_cost": 3.0, "left_at": NOW - DAY})
    assert left["reason"] == "1 of 1 eligible by value"


def test_complaints_in_public_decide(store: Store) -> None:
    assert decided(store, **CHEAP, tickets={"public": False})["reason"] == UNPAID
    seen = decided(store, **CHEAP, tickets={"public": True})
    assert seen["reason"] == "1 of 1 eligible by value"


def test_what_a_customer_is_worth_decides(store: Store) -> None:
    assert decided(store, **CHEAP, customers={"value": 10.0})["reason"] == UNPAID
    dear = decided(store, **CHEAP, customers={"value": 1000.0})
    assert dear["reason"] == "1 of 1 eligible by value"
    assert dear["value"] > 1.5  # a tenth of the 20 that a complaint loses


def test_who_is_vulnerable_is_left_alone(store: Store) -> None:
    spared = decided(store, customers={"vulnerable": True})
    assert (spared["arm"], spared["propensity"]) == ("ineligible", 0.0)
    assert decided(store, customers={"vulnerable": False})["arm"] != "ineligible"


def test_quiet_hours_are_as_set_by_the_customer_s_own_clock(store: Store, tmp_path: Path) -> None:
    def hours(begin: str, end: str, zone: str | None = None) -> list[datetime]:
        path = tmp_path / "presage.toml"
        path.write_text(f'[outreach]\nquiet_from = "{begin}"\nquiet_to = "{end}"\n')
        found = decided(store, load_settings(path, {}), customers={"time_zone": zone})
        return [found["not_before"].to_pydatetime(), found["not_after"].to_pydatetime()]

    assert hours("20:00", "08:00") == [NOW, NOW + timedelta(hours=8)]
    assert hours("11:00", "14:30") == [NOW + timedelta(hours=2.5), NOW + timedelta(hours=23)]
    assert hours("20:00", "08:00", "Asia/Tokyo")[0] == NOW + timedelta(hours=11)
