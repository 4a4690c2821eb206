"""What is older than [retention] says goes; nothing else does."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import pytest

from benchmarks.erasure_person import NOW
from data.erasure import expire
from data.settings import load_settings
from data.settings_retention import Retention
from data.store import append_events, event_frames, open_store
from data.store.schema import OUTBOX
from data.workspace import Workspace, set_setting

LATER = NOW + timedelta(days=60)


@pytest.mark.parametrize(
    ("setting", "goes"),
    [
        ("snapshots_days", ["snapshots", "snapshots"]),
        ("features_days", ["features"]),
        ("decided_days", ["decided"]),
        ("published_days", ["published"]),
        ("logs_days", ["logs"]),
        ("events_days", ["store, events"]),
        ("answers_days", ["store, idempotency"]),
        ("jobs_days", ["jobs"]),
        ("predictions_days", ["predictions", "store, predictions"]),
        ("messages_days", ["store, outbox"]),
    ],
)
def test_each_kind_goes_by_its_own_setting(
    workspace: Workspace, setting: str, goes: list[str]
) -> None:
    set_setting(workspace.path, "retention.jobs_days", 0)
    set_setting(workspace.path, f"retention.{setting}", 30)
    opened = Workspace.open(workspace.path)
    then = datetime(2026, 3, 1).timestamp()
    for path in opened.state_dir.rglob("*"):
        os.utime(path, (then, then))
    with open_store(opened) as store:
        with store.writing() as connection:
            connection.execute(OUTBOX.update().values(status="sent"))
        early = expire(opened, store, NOW + timedelta(days=29), lambda step: None)
        assert early == []
        told = expire(opened, store, LATER, None)
        done = expire(opened, store, LATER, lambda step: None)
        assert told == done
        assert expire(opened, store, LATER, lambda step: None) == []
    assert [place.place.removeprefix(".presage/").split("/")[0] for place in done] == goes
    assert (opened.state_dir / "published" / "scores.json").exists()
    kept = sorted(p.name for p in (opened.state_dir / "published").glob("*.parquet"))
    assert len(kept) == (1 if setting == "published_days" else 2)


def test_newer_rows_stay(workspace: Workspace) -> None:
    set_setting(workspace.path, "retention.events_days", 30)
    opened = Workspace.open(workspace.path)
    with open_store(opened) as store:
        row = {"order_id": "o-9", "ordered_at": "2026-04-20T00:00:00", "customer_id": "c-3"}
        append_events(store, {"orders": [row]}, LATER - timedelta(days=2))
        expire(opened, store, LATER, lambda step: None)
        assert set(event_frames(store)) == {"orders"}


def test_nothing_goes_unless_it_is_said(workspace: Workspace) -> None:
    assert load_settings(workspace.path / "presage.toml", {}).retention == Retention()
    with open_store(workspace) as store:
        assert expire(workspace, store, LATER, lambda step: None) == []
