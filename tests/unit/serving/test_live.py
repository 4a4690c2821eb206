"""Between two nights: what is published stands, and what happens to it is noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from data.clock import Clock
from data.errors import NotEnoughHistory, UsageError
from data.store import append_events, open_store
from data.workspace import Workspace
from serving.live import LIFETIME, Live
from serving.published import newest, pointer, publish


@pytest.fixture
def live(trained_workspace: Path, tmp_path: Path) -> Iterator[Live]:
    shutil.copytree(trained_workspace, tmp_path / "company")
    workspace = Workspace.open(tmp_path / "company")
    told = pointer(workspace.state_dir, "scores")
    assert told is not None
    start = datetime.fromisoformat(told["as_of"]) + timedelta(hours=1)
    with open_store(workspace) as store:
        yield Live(workspace, store, Clock(start))


def post_ticket(live: Live, customer_id: str, name: str = "t-new") -> None:
    now = live.clock.now()
    row = {
        "ticket_id": name,
        "opened_at": (now - timedelta(minutes=5)).isoformat(),
        "customer_id": customer_id,
        "channel": "email",
        "is_complaint": True,
    }
    append_events(live.store, {"tickets": [row]}, now)


def test_a_snapshot_cleared_away_is_made_anew(live: Live) -> None:
    customer = next(iter(live.night().rows))
    shutil.rmtree(live.night().snapshot.path)
    post_ticket(live, customer)
    (item,) = live.predict([customer])
    assert item["as_of"] > live.night().published.about["as_of"]


def test_reasons_made_after_an_event_name_the_rows_it_brought(live: Live) -> None:
    night = live.night()
    start, now = night.published.as_of, live.clock.now()
    found = list(night.rows)[:20]
    for customer in found:
        post_ticket(live, customer, f"t-{customer}")
    row = {
        "order_id": "o-late",
        "customer_id": found[0],
        "ordered_at": (start - timedelta(days=9)).isoformat(),
        "promised_at": (start - timedelta(days=3)).isoformat(),
    }
    append_events(live.store, {"orders": [row]}, now)
    items = live.predict(found)
    texts = [" ".join(reason["text"] for reason in item["reasons"]) for item in items]
    named = [f"t-{who}" in text for who, text in zip(found, texts, strict=True)]
    assert sum(named) >= 15  # where what they wrote is among what raises the risk most
    assert "Order o-late of " in texts[0] and "has not arrived; it was due on" in texts[0]
    alone = live.predict([found[0]])[0]  # the clock has gone on by less than a second
    assert [r["text"] for r in alone["reasons"]] == [r["text"] for r in items[0]["reasons"]]
    # who has no news keeps the reasons of the night, which name rows as well
    of_night = [json.loads(row["reasons"]) for row in night.rows.values()]
    assert any("has not arrived" in r["text"] for reasons in of_night for r in reasons)


def test_a_newer_night_takes_over(live: Live) -> None:
    state = live.workspace.state_dir
    scores = newest(state, "scores")
    assert scores is not None
    customer = scores.frame["customer_id"].iloc[0]
    (before,) = live.predict([customer])
    changed = scores.frame.assign(risk_7d=0.125)
    publish(
        state,
        "scores",
        changed,
        as_of=scores.as_of,
        now=live.clock.now(),
        model_version=scores.about["model_version"],
        snapshot=scores.about["snapshot"],
    )
    (after,) = live.predict([customer])
    assert before["risk"]["7"] != 0.125
    assert after["risk"]["7"] == 0.125


def test_news_known_at_night_do_not_make_a_prediction_fresh(live: Live) -> None:
    night = live.night()
    customer = next(iter(night.rows))
    earlier = Live(live.workspace, live.store, Clock(night.published.as_of - timedelta(days=1)))
    post_ticket(earlier, customer)
    (item,) = live.predict([customer])
    assert item["as_of"] == night.published.about["as_of"] + "Z"


def test_scores_grow_stale(live: Live) -> None:
    night = live.night()
    customer = next(iter(night.rows))
    late = Live(live.workspace, live.store, Clock(night.published.as_of + LIFETIME * 1.01))
    assert not live.predict([customer])[0]["stale"]
    assert late.predict([customer])[0]["stale"]


def test_a_horizon_that_the_model_has_not_is_refused(live: Live) -> None:
    with pytest.raises(UsageError, match="7, 14, 30"):
        live.predict(["a"], [7, 60])


def test_without_scores_there_is_no_prediction(live: Live) -> None:
    (live.workspace.state_dir / "published" / "scores.json").unlink()
    with pytest.raises(NotEnoughHistory, match="presage score"):
        live.predict(["a"])
    assert live.tables().has("customers")
