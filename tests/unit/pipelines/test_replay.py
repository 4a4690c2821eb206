"""Past decisions come out again as they were logged, to the last bit, or it is told."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import serving.outreach.offers as offers
from data.erasure import erase, survey
from data.errors import DamagedFile, DataError, UsageError
from data.settings import Outreach
from data.store import decisions_of, open_store
from data.workspace import Workspace, init, write_tables
from pipelines.console import Result, silent
from pipelines.replaying import replay
from pipelines.steps.decision_records import write_log
from serving.outreach.actions import ACTIONS
from serving.outreach.candidates import run_name
from serving.outreach.draws import draws_of
from serving.outreach.kept_inputs import keep_inputs
from serving.outreach.policy import Effects, Inputs, Spent, plan_of

NOW = datetime(2026, 3, 1, 0, 0, 0, 250)
COUNT = 80
POLICY = Outreach(
    capacity_per_day=20,
    sms_per_day=3,
    phone_per_day=4,
    explore_share=0.3,
    holdout_share=0.3,
    min_days_between=10.0,
)


def inputs_of(secret: bytes) -> Inputs:
    """A day on which channels and agents' minutes bind, so that each depends on the others."""
    rng = np.random.default_rng(4)
    uplift = rng.normal(0.03, 0.02, (COUNT, len(ACTIONS)))
    uplift[rng.random(uplift.shape) < 0.2] = np.nan
    people = pd.DataFrame(
        {
            "customer_id": [f"customer-{k:03d}" for k in range(COUNT)],
            "risk": rng.random(COUNT),
            "topic": rng.choice(["billing", "delivery", None], COUNT),
            "avoided_cost": rng.uniform(20.0, 900.0, COUNT),
            "contact_cost": 2.5,
            **{
                f"{name}_consent": pd.array(rng.choice([True, False, None], COUNT), "boolean")
                for name in ("email", "sms", "phone")
            },
            "do_not_contact": pd.array([None] * COUNT, "boolean"),
            "preferred_channel": rng.choice(["sms", "phone", None], COUNT),
            "last_contacted_at": pd.Series(
                [NOW - pd.Timedelta(days=5), pd.NaT] * (COUNT // 2), dtype="datetime64[us]"
            ),
            "contacts_90d": rng.integers(0, 3, COUNT).astype(float),
            "has_late_order": rng.random(COUNT) < 0.5,
            "time_zone": rng.choice(["Asia/Tokyo", None], COUNT),
            "segment": rng.choice(["retail", None], COUNT),
            "unwelcome": pd.Series([None] * COUNT, dtype=object),
        }
    )
    stopped = np.array([action.name == "callback" for action in ACTIONS])
    effects = Effects(uplift, uplift - 0.01, uplift + 0.02, np.full(len(ACTIONS), 0.1), stopped)
    draws = draws_of(secret, people["customer_id"].tolist(), NOW.isoformat())
    spent = Spent(2, {"sms": 1}, 6.0, 1)
    return Inputs(people, effects, draws, POLICY, NOW, spent, 0.5, 31.7, "Europe/Oslo")


@pytest.fixture
def company(tmp_path: Path) -> Path:
    workspace = init(tmp_path / "company")
    with open_store(workspace) as store:
        inputs = inputs_of(b"the same each time")
        plan = plan_of(inputs)
        kept = keep_inputs(workspace.state_dir, inputs, plan)
        write_log(store, run_name(NOW), plan, "risk-1-ab", {}, "p", kept)
    assert set(plan["arm"]) == {"treat", "holdout", "capacity", "ineligible"}
    ids = inputs.people["customer_id"]
    write_tables(workspace.path, {"customers": pd.DataFrame({
        "customer_id": ids, "signed_up_at": datetime(2025, 1, 1),
    })})  # fmt: skip
    return workspace.path


def logged(company: Path) -> list[dict[str, object]]:
    with open_store(Workspace.open(company)) as store:
        return decisions_of(store, run_id=run_name(NOW))


def one(company: Path, arm: str) -> dict[str, object]:
    return next(each for each in logged(company) if each["arm"] == arm)


def again(company: Path, decision_id: object = None) -> Result:
    return replay(company, None if decision_id is None else str(decision_id), silent)


def test_every_decision_comes_out_again(company: Path) -> None:
    every = again(company)
    assert (every.data["equal"], every.exit_code) == (COUNT, 0)
    treated = one(company, "treat")
    alone = again(company, treated["decision_id"])
    assert alone.exit_code == 0 and alone.data["equal"]
    assert alone.data["logged"]["value"] == treated["value"]


def test_other_code_is_noticed(company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = offers.annoyance

    def dearer(*args: object) -> object:
        return real(*args) * (1 + 1e-12)  # type: ignore[arg-type]

    monkeypatch.setattr(offers, "annoyance", dearer)
    wrong = again(company)
    assert wrong.exit_code == 1 and 0 < wrong.data["different"] < COUNT
    (who,) = [line for line in wrong.lines if "value" in line][:1]
    assert again(company, who.partition(":")[0]).exit_code == 1


def test_a_damaged_or_missing_file_is_named(company: Path) -> None:
    decision = one(company, "capacity")
    file = company / ".presage" / "decided" / str(decision["inputs"])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    with pytest.raises(DamagedFile, match=file.name):
        again(company, decision["decision_id"])
    file.unlink()
    assert again(company).exit_code == 1
    assert file.name in "\n".join(again(company).lines)


def test_decisions_nobody_knows_or_of_before_are_refused_by_name(company: Path) -> None:
    for unknown in ("x", "20260301T000000-0"):
        with pytest.raises(UsageError, match=unknown):
            again(company, unknown)
    with open_store(Workspace.open(company)) as store:
        plan = plan_of(inputs_of(b"salt"))
        old = plan[:1].assign(as_of=datetime(2026, 2, 1))
        write_log(store, run_name(datetime(2026, 2, 1)), old, "m", {}, "p")
        (before,) = decisions_of(store, run_id=run_name(datetime(2026, 2, 1)))
    with pytest.raises(DataError, match="before what it was made on was kept"):
        again(company, before["decision_id"])
    assert again(company).data["not_kept"] == 1


@pytest.mark.parametrize("arm", ["treat", "holdout", "ineligible"])
def test_without_an_erased_person_the_others_still_come_out(company: Path, arm: str) -> None:
    gone = one(company, arm)
    who = str(gone["customer_id"])
    workspace = Workspace.open(company)
    with open_store(workspace) as store:
        done = erase(workspace, store, survey(workspace, store, who), now=NOW, by="tester")
    assert done.complete
    (file,) = (workspace.state_dir / "decided").iterdir()
    rows = pd.read_parquet(file)
    assert who not in rows.to_csv() and who.encode() not in file.read_bytes()
    assert len(rows) == COUNT - (arm == "ineligible")
    nobody = rows[~rows["customer_id"].str.startswith("customer-")]
    assert len(nobody) == (arm != "ineligible")
    assert (nobody["risk"] == 0.0).all() and nobody["last_contacted_at"].isna().all()
    every = again(company)
    assert (every.data["equal"], every.exit_code) == (COUNT - 1, 0)
    with pytest.raises(UsageError, match="erased"):
        again(company, gone["decision_id"])


def test_what_is_kept_is_all_that_a_plan_is_made_of(company: Path) -> None:
    file = next((company / ".presage" / "decided").iterdir())
    import pyarrow.parquet as pq

    about = json.loads(pq.read_schema(file).metadata[b"presage"])
    assert about["policy"]["capacity_per_day"] == POLICY.capacity_per_day
    assert [each["name"] for each in about["actions"]] == [action.name for action in ACTIONS]
