"""A service of a large company says from files what one of a small company says from memory."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from data.clock import Clock
from data.packs import SUFFIX
from data.snapshot import open_snapshot
from data.store import append_events, open_store
from data.workspace import Workspace
from serving import kept_rows, published
from serving.for_service import keep_for_service
from serving.live import Live
from serving.predictor import Predictor, now_spine
from serving.published import newest_scores, pointer
from serving.ranking import Wanted


def answers(workspace: Workspace, tables: tuple[str, ...]) -> list[dict[str, object]]:
    """What is said of those with news and of others, after posts to these tables."""
    told = pointer(workspace.state_dir, "scores")
    assert told is not None
    night = datetime.fromisoformat(told["as_of"])
    now = night + timedelta(hours=1)
    with open_store(workspace) as store:
        live = Live(workspace, store, Clock(now))
        who = sorted(live.night().rows)[:6]
        born = (now - timedelta(minutes=5)).isoformat()
        rows = {
            "tickets": [{"ticket_id": "t-new", "opened_at": born, "customer_id": who[0],
                         "channel": "email", "is_complaint": "true"}],
            "usage": [{"event_id": "u-new", "used_at": born, "customer_id": who[1],
                       "feature": "search", "errors": "2"}],
            "orders": [{"order_id": "o-new", "ordered_at": born, "customer_id": who[2]}],
        }  # fmt: skip
        append_events(store, {name: rows[name] for name in tables}, now - timedelta(minutes=1))
        live.take_in()
        night_now = live.night()
        scored = live._scored(who, now, night_now)
        frame = night_now.predictor.score(now_spine(who, now), live.tables())
        for name in ("risk_7d", "risk_30d", "contact_30d"):  # as the batch says it, to the last bit
            assert [scored[i][name] for i in who] == frame[name].tolist()
        items = [dict(scored[i]) for i in who]
        items += [dict(night_now.rows[i]) for i in sorted(night_now.rows)[-5:]]
        ranking, _ = live.ranking()
        places, _ = ranking.page(Wanted(14), 0, 20)
        return [*items, {"ranked": [ranking.ids[at] for at in places]}]


def test_answers_from_files_are_those_from_memory(
    trained_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("small", "large"):
        shutil.copytree(trained_workspace, tmp_path / name)
    posted = ("tickets", "usage", "orders")
    held = answers(Workspace.open(tmp_path / "small"), posted)
    monkeypatch.setattr(kept_rows, "LARGE", 0)
    monkeypatch.setattr(published, "MANY", 0)
    large = Workspace.open(tmp_path / "large")
    about = pointer(large.state_dir, "scores")
    assert about is not None
    snapshot = open_snapshot(large.state_dir / "snapshots" / about["snapshot"])
    keep_for_service(snapshot, Predictor.of_champion(large.state_dir))
    newest_scores(large.state_dir)
    packs = {path: path.stat().st_ino for path in large.state_dir.rglob(f"*{SUFFIX}")}
    kinds = {path.name.rpartition("-")[0] for path in packs}
    assert {"usage", "tickets", "mapped-scores"} < kinds
    assert any(kind.startswith("groups-") for kind in kinds)
    kept = answers(large, posted)
    for one, other in zip(held, kept, strict=True):
        np.testing.assert_equal(other, one)
    # the service made none of them anew
    assert packs == {path: path.stat().st_ino for path in large.state_dir.rglob(f"*{SUFFIX}")}
    for path in packs:  # without them it makes its own
        path.unlink()
    again = answers(large, ())
    assert again[-1] == held[-1]
    assert all(path.exists() for path in packs)
