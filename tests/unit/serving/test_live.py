"""Between two nights: what is published stands, and what happens to it is noticed."""

from __future__ import annotations

import gc
import json
import random
import shutil
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

import serving.live as live_module
from benchmarks.api_models import CHANGES, offer
from data.artifacts import point
from data.clock import Clock
from data.errors import NotEnoughHistory, UsageError
from data.pseudonyms import pseudonym
from data.snapshot import Snapshot
from data.store import append_events, open_store, put_consent
from data.workspace import Workspace
from models.champion import champion
from serving.live import LIFETIME, Live
from serving.prediction_log import PredictionLog, predictions
from serving.predictor import now_spine
from serving.published import newest, pointer, publish
from serving.ranking import Wanted


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


def test_a_ticket_that_changes_hands_changes_both_scores(live: Live) -> None:
    one, other = list(live.night().rows)[:2]
    before = live.predict([one, other])
    post_ticket(live, one, "moves")
    with_it = live.predict([one, other])
    assert with_it[0]["risk"] != before[0]["risk"]
    assert with_it[1] == before[1]
    post_ticket(live, other, "moves")
    after = live.predict([one, other])
    assert after[0]["as_of"] > with_it[0]["as_of"]
    assert after[0]["risk"] != with_it[0]["risk"]
    assert after[1]["risk"] != before[1]["risk"]
    # as a night would say it, which reads all rows of everybody
    night = live.night()
    moment = datetime.fromisoformat(after[0]["as_of"].removesuffix("Z"))
    whole = night.predictor.score(now_spine([one], moment), live.tables())
    assert whole["risk_7d"].iloc[0] == after[0]["risk"]["7"]


def test_posting_and_asking_reads_nothing_of_the_night_again(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = list(live.night().rows)[:6]
    live.warm()
    post_ticket(live, who[0], "first")
    live.predict(who[:1])
    reads: list[str] = []
    monkeypatch.setattr(Snapshot, "frame", lambda self, name, columns=None: reads.append(name))
    monkeypatch.setattr(live_module, "event_frames", lambda store: reads.append("events"))
    for number, customer in enumerate(who[1:]):
        post_ticket(live, customer, f"more-{number}")
        assert live.predict([customer])[0]["as_of"] > live.night().published.about["as_of"]
    assert not reads


def test_what_a_prediction_needs_is_gone_when_it_is_made(live: Live) -> None:
    """Without a collection: what refers to itself would wait for one, and the memory with it."""
    live.warm()
    who = list(live.night().rows)
    post_ticket(live, who[0], "first")
    live.predict(who[:1])
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for number in (1, 2):
            post_ticket(live, who[number], f"w-{number}")
            live.predict([who[number]])
        gc.collect()
        ours = ("data.", "features.", "models.", "serving.")
        kept = {
            type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith(ours)
        }
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not kept


def test_memory_stays_where_it_is_however_often_somebody_posts_and_asks(live: Live) -> None:
    live.warm()
    who = list(live.night().rows)
    try:
        tracemalloc.start()
        for number in range(12):
            if number == 8:  # buffers that are kept are there
                gc.collect()
                before, _ = tracemalloc.get_traced_memory()
            post_ticket(live, who[number], f"w-{number}")
            live.predict([who[number]])
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown - before < 4 * 30e3  # what was posted and its score


def test_a_customer_without_news_is_answered_while_the_store_and_the_lock_are_taken(
    live: Live,
) -> None:
    customer = next(iter(live.night().rows))
    want = live.encoded([customer])
    with live._lock, live.store.writing(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(live.encoded, [customer]).result(timeout=30) == want
        assert pool.submit(live.remembered, [customer]).result(timeout=30) == want
    post_ticket(live, customer)
    assert live.remembered([customer]) is None
    anew = live.encoded([customer])
    kept = live.remembered([customer])
    assert kept is not None
    told, again = (json.loads(msgspec.json.encode(items[0])) for items in (anew, kept))
    assert told == again  # scored anew, and as of then
    assert told["as_of"] > json.loads(bytes(want[0]))["as_of"]


def test_what_else_is_written_keeps_nobody_from_memory(live: Live) -> None:
    one, other = list(live.night().rows)[:2]
    want = live.encoded([one, other])
    put_consent(live.store, one, "email", False, live.clock.now(), "test")
    assert live.remembered([one, other]) == want
    with live.taking_in():  # a post that is not answered yet
        post_ticket(live, one)
        assert live.remembered([one, other]) == want
    assert live.remembered([other]) == want[1:]
    assert live.remembered([one]) is None


def test_what_the_model_knows_is_published(live: Live) -> None:
    who = list(live.night().rows)[:30]
    for item in live.predict(who):
        for name in ("topic", "channel"):
            likely = item[f"{name}s"]
            chances = [one["probability"] for one in likely]
            assert 1 <= len(likely) <= 3 and chances == sorted(chances, reverse=True)
            assert sum(chances) <= 1 + 1e-9
            assert likely[0]["value"] == item[name]
        assert item["risk"]["30"] <= item["contact_30d"] <= 1
        assert item["expected_tickets_30d"] > 0


def test_who_got_no_reasons_at_night_gets_them_when_asked_about(live: Live) -> None:
    state = live.workspace.state_dir
    scores = newest(state, "scores")
    assert scores is not None
    riskiest = scores.frame["risk_14d"].idxmax()
    reasons = scores.frame["reasons"].where(scores.frame.index == riskiest, "[]")
    about = {
        k: scores.about[k] for k in ("model_version", "snapshot", "scale") if k in scores.about
    }
    publish(
        state,
        "scores",
        scores.frame.assign(reasons=reasons),
        as_of=scores.as_of,
        now=live.clock.now(),
        reasons_for=1,
        **about,
    )
    who = scores.frame["customer_id"].iloc[[riskiest, *range(5)]].tolist()
    assert live.remembered(who[1:]) is None
    for item in live.predict(who):
        row = scores.frame.set_index("customer_id").loc[item["customer_id"]]
        assert item["reasons"] == json.loads(row["reasons"])
        assert item["risk"]["14"] == row["risk_14d"]
        assert item["as_of"] == scores.about["as_of"] + "Z"
    assert live.remembered(who) is not None


def test_what_is_predicted_anew_is_kept(live: Live, tmp_path: Path) -> None:
    live.log = PredictionLog(tmp_path, b"salt", 30)
    one, other = list(live.night().rows)[:2]
    post_ticket(live, one)
    fresh, _ = live.predict([one, other])
    live.predict([one])  # the same prediction again
    live.log.close()
    told = predictions(tmp_path)  # the other's was kept when it was published
    assert told["pseudonym"].tolist() == [pseudonym(b"salt", one)]
    assert told["risk_30d"].tolist() == [fresh["risk"]["30"]]
    assert told["model_version"].tolist() == [fresh["model_version"]]
    assert told["as_of"].iloc[0].isoformat() + "Z" == fresh["as_of"]


def test_customers_come_in_order_and_news_is_marked(live: Live) -> None:
    ranking, night = live.ranking()
    places, more = ranking.page(Wanted(14), 0, 10)
    frame = night.published.frame
    assert places == frame["risk_14d"].nlargest(10).index.tolist() and more
    first = ranking.ids[places[0]]
    assert not live.has_news(first, night.published.as_of)
    post_ticket(live, first)
    live.take_in()
    assert live.has_news(first, night.published.as_of)
    assert live.ranking()[0] is ranking  # made once a night


def test_a_damaged_model_leaves_the_one_before_at_work(live: Live) -> None:
    customer = next(iter(live.night().rows))
    (before,) = live.predict([customer])
    at_work = champion(live.workspace.state_dir, "risk")
    assert at_work is not None
    pointer_file = at_work.folder.parent / "champion.json"
    told = json.loads(pointer_file.read_text())
    broken = at_work.folder.parent / f"9-{at_work.fingerprint[:12]}"
    shutil.copytree(at_work.folder, broken)
    for file in broken.iterdir():
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-20])
    point(pointer_file.parent, "champion", {**told, "version": "9"})
    assert live.predict([customer]) == [before]
    post_ticket(live, customer)
    assert live.predict([customer])[0]["model_version"] == before["model_version"]
    # and after a restart
    anew = Live(live.workspace, live.store, live.clock)
    assert anew.predict([customer])[0]["model_version"] == before["model_version"]


def test_a_model_that_is_not_what_was_promoted_answers_nobody(live: Live) -> None:
    customer = next(iter(live.night().rows))
    (before,) = live.predict([customer])
    at = live.workspace.state_dir / "models" / "risk" / "champion.json"
    promoted = json.loads(at.read_text())
    draw = random.Random(1)
    for number, kind in enumerate([*CHANGES] * 3):
        offer(at, promoted, f"9{number}", CHANGES[kind], draw)
        assert live.predict([customer]) == [before], kind
    post_ticket(live, customer)
    assert live.predict([customer])[0]["model_version"] == before["model_version"]


def test_one_answer_speaks_of_one_model(live: Live) -> None:
    state = live.workspace.state_dir
    scores = newest(state, "scores")
    assert scores is not None
    publish(  # by another model than the one at work, and after that was promoted
        state,
        "scores",
        scores.frame.assign(model_version="risk-0-other", risk_7d=0.125),
        as_of=scores.as_of,
        now=datetime.now(),
        model_version="risk-0-other",
        snapshot=scores.about["snapshot"],
    )
    one, other = list(live.night().rows)[:2]
    published = live.encoded([one, other])
    assert b"risk-0-other" in bytes(published[0]) and b"0.125" in bytes(published[1])
    post_ticket(live, one)
    items = live.predict([one, other])
    at_work = live.night().predictor.model_version
    assert [item["model_version"] for item in items] == [at_work, at_work]
    assert items[1]["as_of"] == scores.about["as_of"] + "Z"
    assert items[1]["risk"]["7"] != 0.125


def test_what_another_model_scored_again_is_answered_from_memory(live: Live) -> None:
    who = list(live.night().rows)[:3]
    home = live.workspace.state_dir / "models" / "risk"
    promoted = json.loads((home / "champion.json").read_text())
    offer(home / "champion.json", promoted, "8", lambda folder, draw: None, random.Random(1))
    assert live.remembered(who) is None
    items = live.predict(who)
    assert {item["model_version"][:7] for item in items} == {"risk-8-"}
    from_memory = live.remembered(who)
    assert from_memory is not None
    assert [json.loads(msgspec.json.encode(item)) for item in from_memory] == items
    post_ticket(live, who[0])
    assert live.remembered(who) is None  # until they are asked about
    items = live.predict(who)
    from_memory = live.remembered(who)
    assert from_memory is not None
    assert [json.loads(msgspec.json.encode(item)) for item in from_memory] == items
    assert len({item["model_version"] for item in items}) == 1


def test_models_swapped_while_many_ask_fail_nobody_and_never_mix(live: Live) -> None:
    at_work = champion(live.workspace.state_dir, "risk")
    assert at_work is not None
    home = at_work.folder.parent
    told = json.loads((home / "champion.json").read_text())
    name = at_work.folder.name.removeprefix(at_work.version)
    shutil.copytree(at_work.folder, home / f"8{name}")
    shutil.copytree(at_work.folder, home / f"9{name}")
    broken = next((home / f"9{name}").glob("*.txt"))
    broken.write_bytes(broken.read_bytes()[:-20])
    who = list(live.night().rows)[:3]
    post_ticket(live, who[0])
    stop, answers = threading.Event(), list[set[str]]()

    def ask() -> None:
        while not stop.is_set():
            items = live.remembered(who) or live.encoded(who)
            told_of = [json.loads(msgspec.json.encode(item)) for item in items]
            answers.append({item["model_version"] for item in told_of})

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for version in ("8", told["version"], "9", "8"):  # 9 is damaged
                swapped = {**told, "version": version, "promoted_at": live.clock.now().isoformat()}
                point(home, "champion", swapped)
                (item,) = live.predict(who[:1])
                assert item["model_version"].startswith(f"risk-{version}-") == (version != "9")
        finally:
            stop.set()
        for one in asking:
            one.result(timeout=60)
    assert all(len(versions) == 1 for versions in answers)
    assert len({next(iter(versions)) for versions in answers}) > 1


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


def test_scores_without_a_source_that_stopped_are_stale_and_name_it(live: Live) -> None:
    scores = newest(live.workspace.state_dir, "scores")
    assert scores is not None
    customer, other = scores.frame["customer_id"].iloc[:2]
    kept = ("model_version", "snapshot")
    publish(
        live.workspace.state_dir,
        "scores",
        scores.frame,
        as_of=scores.as_of,
        now=live.clock.now(),
        stopped_sources=["usage"],
        **{name: scores.about[name] for name in kept},
    )
    (item,) = live.predict([customer])
    assert (item["stale"], item["stale_sources"]) == (True, ["usage"])
    post_ticket(live, other)
    (fresh,) = live.predict([other])
    assert fresh["as_of"] > item["as_of"]
    assert fresh["stale_sources"] == ["usage"]


def test_a_horizon_that_the_model_has_not_is_refused(live: Live) -> None:
    with pytest.raises(UsageError, match="7, 14, 30"):
        live.predict(["a"], [7, 60])


def test_without_scores_there_is_no_prediction(live: Live) -> None:
    shutil.rmtree(live.workspace.state_dir / "published")
    with pytest.raises(NotEnoughHistory, match="presage score"):
        live.predict(["a"])
    assert live.tables().has("customers")


def test_whoever_asks_not_to_be_profiled_has_no_score_from_then_on(live: Live) -> None:
    customer = next(iter(live.night().rows))
    assert live.predict([customer])[0]["status"] == "scored"

    def post(refused: bool) -> None:
        now = live.clock.now()
        row = {"customer_id": customer, "do_not_profile": refused}
        known = live.newest_rows("customers", [row])
        append_events(live.store, {"customers": [row]}, now, known)

    post(True)
    assert live.predict([customer]) == [{"customer_id": customer, "status": "not_profiled"}]
    post(False)
    assert live.predict([customer])[0]["status"] == "scored"


def test_a_post_that_was_on_its_way_while_they_were_scored_counts(live: Live) -> None:
    """Its time is taken before it is checked and kept; whoever is scored meanwhile lacks it."""
    customer = next(iter(live.night().rows))
    post_ticket(live, customer, "first")
    began = live.clock.now()
    (before,) = live.predict([customer])
    row = {"ticket_id": "second", "opened_at": began.isoformat(), "customer_id": customer,
           "channel": "email", "is_complaint": True}  # fmt: skip
    append_events(live.store, {"tickets": [row]}, began)
    live.take_in()
    assert live.remembered([customer]) is None
    (after,) = live.predict([customer])
    assert after["as_of"] > before["as_of"]
    assert live.remembered([customer]) is not None
