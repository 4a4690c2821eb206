"""Deciding, handing out and pushing ask one table of rules: over random worlds they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.outreach_worlds import ZONES, random_policy
from data.settings import Settings
from data.snapshot import Snapshot, take
from data.store import (
    Limits,
    Message,
    Store,
    Verdict,
    append_decisions,
    append_events,
    hand_out,
    open_store,
    put_consent,
    record_outcome,
    salt,
)
from data.workspace import Workspace, init
from serving.outreach.actions import CHANNELS
from serving.outreach.candidates import candidates, run_name
from serving.outreach.draws import held_out
from serving.outreach.eligibility import eligibility, facts_of
from serving.outreach.people import People
from serving.outreach.still_allowed import Gate, standing_of
from serving.outreach.worth import Prices

NOW = datetime(2026, 3, 28, 9)
KNOWN = [zone for zone in ZONES if zone != "Mars"]
"""A snapshot sets rows of unknown zones aside; the gate reads them, and refuses."""
PEOPLE = 150
WORDS = (*(f"{channel}_consent" for channel in CHANNELS), "do_not_contact")


@dataclass
class World:
    """A company of which everything was drawn, and the customers with a decision that waits."""

    workspace: Workspace
    store: Store
    tables: Snapshot
    ids: list[str]
    waiting: set[str]


def ago(rng: np.random.Generator, most: float) -> datetime:
    return NOW - timedelta(seconds=int(rng.integers(1, int(most * 86400))))


def some(rng: np.random.Generator, share: float, value: Any) -> Any:
    return value if rng.random() < share else None


def customer_row(rng: np.random.Generator, name: str) -> dict[str, Any]:
    row = {"customer_id": name, "signed_up_at": datetime(2025, 1, 1).isoformat()}
    drawn: dict[str, Any] = {
        **{word: some(rng, 0.5, bool(rng.random() < 0.8)) for word in WORDS[:-1]},
        "do_not_contact": some(rng, 0.3, bool(rng.random() < 0.2)),
        "time_zone": KNOWN[int(rng.integers(len(KNOWN)))],
        "vulnerable": some(rng, 0.3, bool(rng.random() < 0.3)),
        "segment": some(rng, 0.5, str(rng.choice(["home", "press"]))),
        "closed_at": some(rng, 0.05, ago(rng, 30).isoformat()),
    }
    return {**row, **{word: value for word, value in drawn.items() if value is not None}}


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)


def decide_and_carry_out(store: Store, rng: np.random.Generator, ids: list[str]) -> set[str]:
    """Ten runs of the past; of their decisions some left, some wait, some were held out."""
    waiting: set[str] = set()
    for days in range(80, 0, -8):
        as_of = NOW - timedelta(days=days)
        chosen = [str(c) for c in rng.choice(ids, 24, replace=False)]
        rows = [{"customer_id": c, "arm": str(rng.choice(["treat", "treat", "holdout"])),
                 "decision_id": f"{days}-{c}", "action": "check_in", "channel": "email",
                 "as_of": as_of.isoformat(), "explored": False} for c in chosen]  # fmt: skip
        outbox = [{**row, "payload": {}} for row in rows if row["arm"] == "treat"]
        append_decisions(store, run_name(as_of), rows, as_of, outbox)
        leaves = {str(row["customer_id"]) for row in outbox if rng.random() < 0.8}

        def judge(_: Any, messages: Any, __: Any, leaves: set[str] = leaves) -> list[Verdict]:
            return [Verdict(m.customer_id in leaves) for m in messages]

        hand_out(store, judge, after=0, most=1000, take=True, limits=Limits(9, timedelta(days=365)),
                 now_of=lambda at=as_of: at + timedelta(hours=30))  # type: ignore[misc]  # fmt: skip
        waiting |= {row["customer_id"] for row in rows if row["arm"] == "holdout"}
        waiting |= {str(row["customer_id"]) for row in outbox} - leaves
        for row in outbox:
            if row["customer_id"] in leaves and rng.random() < 0.3:
                word = str(rng.choice(["complained", "disagreed", "sent", "answered"]))
                later = min(NOW, as_of + timedelta(days=2))
                record_outcome(store, row["decision_id"], word, later, None, NOW)
    return waiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rng = np.random.default_rng(4)
    workspace = init(tmp_path_factory.mktemp("gate") / "w")
    ids = [f"c{i}" for i in range(PEOPLE)]
    rows = []
    for name in ids:
        for at in sorted(ago(rng, 200) for _ in range(int(rng.integers(1, 4)))):
            rows.append({**customer_row(rng, name), "recorded_at": at.isoformat()})
    write(workspace.tables_dir, "customers", rows)
    write(workspace.tables_dir, "tickets", [
        {"ticket_id": str(i), "customer_id": str(rng.choice(ids)), "channel": "email",
         "opened_at": ago(rng, 9), "is_complaint": bool(rng.random() < 0.5),
         "resolved_at": some(rng, 0.3, NOW - timedelta(hours=1))} for i in range(40)
    ])  # fmt: skip
    write(workspace.tables_dir, "treatments", [
        {"treatment_id": str(i), "customer_id": str(rng.choice(ids)), "treated_at": ago(rng, 100),
         "campaign": "x", "arm": "x", "action": some(rng, 0.8, "check_in")} for i in range(60)
    ])  # fmt: skip
    with open_store(workspace) as store:
        for name in rng.choice(ids, 40):
            row = {k: v for k, v in customer_row(rng, str(name)).items() if k != "closed_at"}
            append_events(store, {"customers": [row]}, ago(rng, 60))
        for name in rng.choice(ids, 50):
            channel = str(rng.choice([*CHANNELS, "contact", "all"]))
            put_consent(store, str(name), channel, bool(rng.random() < 0.5), ago(rng, 60), "test")
        waiting = decide_and_carry_out(store, rng, ids)
        workspace = Workspace.open(workspace.path)
        yield World(workspace, store, take(workspace), ids, waiting)


def message(customer: str, channel: str) -> Message:
    row = {"seq": 1, "decision_id": "new", "customer_id": customer, "channel": channel,
           "action": "check_in", "payload": {}, "decision": {"arm": "treat"}, "status": "waiting",
           "attempts": 0, "token": 0, "created_at": NOW, "queued_at": NOW, "next_attempt_at": NOW,
           "contacted_at": None, "settled_at": None, "handed_out": None, "body": None,
           "note": None}  # fmt: skip
    return Message(**row)  # type: ignore[arg-type]


def test_deciding_handing_out_and_pushing_agree(world: World) -> None:
    scores = pd.DataFrame({"customer_id": world.ids, "risk_30d": 0.5, "topic": None})
    pairs = [(row, channel) for row in range(PEOPLE) for channel in CHANNELS]
    messages = [message(world.ids[row], channel) for row, channel in pairs]
    secret = bytes.fromhex(salt(world.store, NOW))
    seen: set[str] = set()
    for seed in range(8):
        drawn = replace(random_policy(seed), capacity_per_day=10**6, email_per_day=None,
                        sms_per_day=None, phone_per_day=None)  # fmt: skip
        settings: Settings = replace(world.workspace.settings, outreach=drawn)
        zone = settings.company.time_zone
        found = candidates(scores, world.tables, world.store, settings, NOW,
                           prices=Prices(1.0, {}, {}, 1.0), risk_column="risk_30d")  # fmt: skip
        rules = eligibility(facts_of(found), drawn, NOW, zone)
        held = held_out(secret, world.ids, drawn.holdout_share)
        standing = standing_of(world.tables, settings, world.ids, NOW)
        push = Gate(People(world.workspace), settings, secret, standing)
        with world.store.reading() as connection:
            pushed = push(connection, messages, NOW)
            pulled = replace(push, waits=False)(connection, messages, NOW)
        for (row, channel), one, other in zip(pairs, pushed, pulled, strict=True):
            decided = rules.through(row, channel)
            if decided.startswith("selected or contacted") and world.ids[row] in world.waiting:
                continue  # who was selected counts when deciding, though nothing left
            seen.add(decided.split(":")[0])
            expected = decided or ("is in the hold-out" if held[row] else "")
            if expected:
                assert (one.allowed, one.reason) == (False, expected)
                assert (other.allowed, other.reason) == (False, expected)
                continue
            span = (rules.opens[row].item(), rules.closes[row].item())
            assert one.span == other.span == span and other.allowed
            assert one.allowed == (span[0] <= NOW)
            assert one.until == (None if one.allowed else span[0])
    assert len(seen) >= 12, seen  # nearly every rule forbade somebody, and none others
