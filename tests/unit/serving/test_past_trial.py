"""What outreach measures from: the treatments table and our own arms, rows without odds told."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.settings import Settings
from data.store import append_decisions, open_store, record_outcome
from data.tables import MemoryTables
from data.workspace import init
from pipelines.steps.outreach import _left_out
from serving.outreach.actions import ACTIONS
from serving.outreach.exposures import exposures_of
from serving.outreach.measured import (
    effects_of,
    effects_on,
    gains_now,
    induced_by,
    learned_uplift,
    past_trial,
)

AS_OF = datetime(2026, 6, 1)
THEN = AS_OF - timedelta(days=40)


def tickets(customers: list[str]) -> pd.DataFrame:
    at = pd.Series([THEN + timedelta(days=3)] * len(customers), dtype="datetime64[us]")
    return pd.DataFrame(
        {
            "ticket_id": [f"t{i}" for i in range(len(customers))],
            "customer_id": customers,
            "opened_at": at,
            "channel": "email",
            "is_complaint": True,
        }
    )


def test_our_own_arms_are_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arms = rng.choice(["treat", "holdout"], 600)
    rate = np.where(arms == "treat", 0.1, 0.4)
    ids = [f"c{i}" for i in range(600)]
    log = [
        {
            "decision_id": f"d{i}",
            "customer_id": ids[i],
            "as_of": THEN.isoformat(),
            "arm": str(arms[i]),
            "propensity": 0.5,
            "action": "check_in",
            "channel": "email",
            "risk": 0.3,
        }
        for i in range(600)
    ]
    complained = [i for i, y in zip(ids, rng.random(600) < rate, strict=True) if y]
    tables = MemoryTables({"tickets": tickets(complained)})
    with open_store(init(tmp_path / "w")) as store:
        assert past_trial(tables, store, Settings(), AS_OF) is None
        append_decisions(store, f"outreach-{THEN.isoformat()}", log, THEN)
        past = past_trial(tables, store, Settings(), AS_OF)
    effects = {effect.action: effect for effect in effects_of(past)}
    assert set(effects) == {"all", "check_in"}
    assert effects["check_in"].high < -0.5
    assert effects_of(None) == []


def test_treatments_without_odds_are_counted_and_told(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "treatment_id": ["1", "2", "3"],
            "customer_id": ["a", "b", "c"],
            "treated_at": pd.Series([THEN] * 3, dtype="datetime64[us]"),
            "campaign": ["spring"] * 3,
            "arm": ["treat", "control", "treat"],
            "action": ["check_in"] * 3,
            "propensity": [0.5, None, None],
        }
    )
    tables = MemoryTables({"tickets": tickets(["a"]), "treatments": table})
    with open_store(init(tmp_path / "w")) as store:
        past = past_trial(tables, store, Settings(), AS_OF)
    assert past is not None and len(past.frame) == 1
    assert _left_out(past)[0].startswith("2 rows of treatments state no propensity")
    assert effects_of(past) == []
    assert _left_out(None) == []


def test_sleeping_dogs_are_seen_whatever_their_risk(tmp_path: Path) -> None:
    """A check-in helps who has written little, and wakes the riskiest, who complain often."""
    rng = np.random.default_rng(3)
    size = 4000
    ids = [f"c{i:04}" for i in range(size)]
    often = rng.random(size) < 0.4
    contacted = rng.random(size) < 0.5
    chance = np.where(often, 0.35 + 0.25 * contacted, 0.25 - 0.2 * contacted)
    came = rng.random(size) < chance
    written = [
        {"customer_id": ids[i], "opened_at": THEN - timedelta(days=int(day))}
        for i in np.flatnonzero(often)
        for day in rng.integers(3, 60, 4)
    ]
    written += [
        {"customer_id": ids[i], "opened_at": THEN + timedelta(days=3)} for i in np.flatnonzero(came)
    ]
    tickets_table = pd.DataFrame(written).assign(
        ticket_id=[f"t{i}" for i in range(len(written))], channel="email", is_complaint=True
    )
    treatments = pd.DataFrame(
        {
            "treatment_id": [f"m{i}" for i in range(size)],
            "customer_id": ids,
            "campaign": "spring",
            "arm": np.where(contacted, "check_in", "control"),
            "action": np.where(contacted, "check_in", None),
            "treated_at": THEN,
            "propensity": 0.5,
        }
    )
    customers = pd.DataFrame({"customer_id": ids, "signed_up_at": THEN - timedelta(days=400)})
    tables = MemoryTables(
        {"tickets": tickets_table, "treatments": treatments, "customers": customers}
    )
    with open_store(init(tmp_path / "w")) as store:
        past = past_trial(tables, store, Settings(), AS_OF)
    model = learned_uplift(past, tables, Settings())
    people = pd.DataFrame(
        {"customer_id": ids, "risk": np.where(often, 0.5, 0.2), "topic": None}, index=range(size)
    )
    gains = gains_now(model, tables, people, Settings(), THEN)
    effects = effects_on(people, effects_of(past), Settings(), gains)
    at = [action.name for action in ACTIONS].index("check_in")
    uplift = effects.uplift[:, at]
    assert np.mean(uplift[often] < 0) > 0.9
    assert np.mean(uplift[~often] > 0) > 0.9
    assert np.all(uplift <= people["risk"])
    assert effects.low is not None
    assert np.all(effects.low[:, at] < uplift)


def campaign(size: int, extra: float, seed: int = 0) -> MemoryTables:
    """A fair coin; each contact causes ``extra`` inquiries and avoids nothing."""
    rng = np.random.default_rng(seed)
    ids = [f"c{i:04}" for i in range(size)]
    contacted = rng.random(size) < 0.5
    asked = rng.poisson(0.1 + extra * contacted)
    written = [c for c, n in zip(ids, asked, strict=True) for _ in range(n)]
    inquiries = tickets(written).assign(is_complaint=False)
    treatments = pd.DataFrame(
        {"treatment_id": ids, "customer_id": ids, "campaign": "spring", "treated_at": THEN,
         "arm": np.where(contacted, "check_in", "control"), "propensity": 0.5,
         "action": np.where(contacted, "check_in", None)}
    )  # fmt: skip
    return MemoryTables({"tickets": inquiries, "treatments": treatments})


def test_induced_contacts_are_measured_and_lower_what_a_contact_is_worth(tmp_path: Path) -> None:
    at = [action.name for action in ACTIONS].index("check_in")
    with open_store(init(tmp_path / "w")) as store:
        past = past_trial(campaign(3000, 0.3), store, Settings(), AS_OF)
        few = past_trial(campaign(60, 0.3), store, Settings(), AS_OF)
    found = induced_by(past, 0.01)
    assert found is not None and 0.2 < found[at] < 0.4
    assert np.isnan(np.delete(found, at)).all()  # of what was never tried nothing is claimed
    assert induced_by(few, 0.01) is None and induced_by(None, 0.01) is None
    people = pd.DataFrame({"customer_id": ["a"], "risk": [0.5], "topic": [None]})
    effects = effects_on(people, effects_of(past), Settings(), induced=found)
    assert effects.induced is not None and effects.induced[at] == found[at]


def test_exposures_are_what_chance_decided_and_what_left_the_house(tmp_path: Path) -> None:
    def decision(name: str, arm: str) -> dict[str, object]:
        return {"decision_id": name, "customer_id": name, "as_of": THEN.isoformat(), "arm": arm,
                "propensity": 0.9, "action": "check_in", "channel": "email"}  # fmt: skip

    log = [decision("sent", "treat"), decision("refused", "treat"), decision("held", "holdout"),
           decision("other", "capacity")]  # fmt: skip
    treatments = pd.DataFrame(
        {"treatment_id": ["1", "2", "3"], "customer_id": ["sent", "x", "y"], "campaign": "spring",
         "treated_at": THEN, "arm": ["treat", "control", "offer"], "propensity": [0.9, 0.8, None],
         "action": "check_in"}
    )  # fmt: skip
    tables = MemoryTables({"treatments": treatments})
    with open_store(init(tmp_path / "w")) as store:
        assert exposures_of(MemoryTables({}), store, Settings(), AS_OF) is None
        outbox = [{**row, "payload": {}} for row in log if row["arm"] == "treat"]
        append_decisions(store, f"outreach-{THEN.isoformat()}", log, THEN, outbox)
        record_outcome(store, "sent", "sent", THEN + timedelta(hours=9), None, AS_OF)
        found = exposures_of(tables, store, Settings(), AS_OF)
    assert found is not None and found.left_share == 0.5
    rows = found.drawn.set_index("customer_id")
    assert rows["contacted"].to_dict() == {
        "sent": True, "refused": False, "held": False, "x": False, "y": True
    }  # fmt: skip
    assert rows.loc["sent", "at"] == THEN + timedelta(hours=9)
    assert rows.loc["x", "odds"] == pytest.approx(0.2)  # of the contact that they were spared
    assert rows["ours"].to_dict() == {
        "sent": True, "refused": True, "held": True, "x": False, "y": False
    }  # fmt: skip
