"""The past stays in the past: what is published, and which model scores, as of a moment gone by."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import presage as ps
from data.artifacts import current, point
from data.clock import Clock
from data.errors import Conflict, DamagedFile, NotEnoughHistory, UsageError
from data.store import decisions_of, notes_of, open_store, registry_history, verify_log
from data.workspace import Workspace, init, set_setting, write_tables
from models.champion import challenger, champion
from models.metrics import log_loss
from pipelines.console import Result, silent
from pipelines.flows import run_plainly
from pipelines.registry_verbs import act
from pipelines.run import open_run
from serving.live import Live
from serving.outreach.verdicts import STOPPED
from serving.prediction_log import predictions
from serving.published import newest, pointer, pointer_file, publish

START = datetime(2026, 1, 1)
FIRST, SECOND = START + timedelta(days=40), START + timedelta(days=60)
PAST = START + timedelta(days=50)

# one worker makes the company once


def do(verb: str, folder: Path, as_of: datetime | None = None, **options: Any) -> Result:
    return run_plainly(verb, silent, {"workspace": folder, "as_of": as_of, **options})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty who write every ninth day, for 80 days; models as of the days 40 and 60."""
    folder = tmp_path_factory.mktemp("past") / "w"
    init(folder)
    rng = np.random.default_rng(0)
    rows = [
        {
            "ticket_id": f"t{i}-{day}",
            "opened_at": (opened := START + timedelta(days=day, hours=int(rng.integers(8, 18)))),
            "resolved_at": opened + timedelta(hours=1),
            "channel": "email",
            "customer_id": f"c{i}",
            "topic": "billing",
            "is_complaint": (i + day) % 3 == 0,
        }
        for i in range(40)
        for day in range(i % 9, 80, 9)
    ]
    customers = pd.DataFrame({
        "customer_id": [f"c{i}" for i in range(40)], "signed_up_at": START, "email_consent": True,
    })  # fmt: skip
    write_tables(folder, {"customers": customers, "tickets": pd.DataFrame(rows)})
    set_setting(folder, "volume.freq", "D")
    set_setting(folder, "volume.horizon_days", 7.0)
    for moment in (FIRST, SECOND):
        assert do("train", folder, moment, only="risk").exit_code == 0
    return folder


@pytest.fixture
def company(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "w")
    return tmp_path / "w"


def published(folder: Path, kind: Any) -> datetime | None:
    about = pointer(Workspace.open(folder).state_dir, kind)
    return None if about is None else datetime.fromisoformat(about["as_of"])


@pytest.mark.parametrize(("verb", "kind"), [("score", "scores"), ("forecast", "forecast")])
def test_an_older_moment_writes_its_file_and_publishes_nothing(
    verb: str, kind: str, company: Path, tmp_path: Path
) -> None:
    out = tmp_path / "old.csv"
    old = do(verb, company, PAST, out=out)
    assert len(pd.read_csv(out)) == old.data.get("customers", old.data.get("rows"))
    assert old.data["published"] is False
    assert any("--publish" in line for line in old.lines)
    assert published(company, kind) is None
    assert do(verb, company).data["published"] is True
    newest_of_all = published(company, kind)
    assert newest_of_all is not None and newest_of_all > SECOND
    do(verb, company, PAST)
    assert published(company, kind) == newest_of_all
    assert do(verb, company, PAST, publish=True).data["published"] is True
    assert published(company, kind) == PAST
    # of a later moment than is published, though not the newest: still past
    do(verb, company, PAST + timedelta(days=1))
    assert published(company, kind) == PAST


def test_what_is_newer_than_the_tables_is_not_taken_back(company: Path) -> None:
    later = open_run(company, None, silent).newest + timedelta(hours=5)
    assert do("score", company, later).data["published"] is True
    assert do("score", company).data["published"] is False
    assert published(company, "scores") == later


def test_a_past_moment_is_scored_by_a_model_that_had_learned_from_nothing_later(
    company: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    versions = {}
    for moment in (FIRST, PAST, SECOND, None):
        do("score", company, moment, out=out)
        (versions[moment],) = pd.read_csv(out)["model_version"].unique()
    assert versions[FIRST] == versions[PAST] != versions[SECOND] == versions[None]
    with pytest.raises(NotEnoughHistory, match="no risk model was at work as of 2026-02-05"):
        do("score", company, START + timedelta(days=35))
    do("score", company, START + timedelta(days=35), out=out, retrain=True)
    (retrained,) = pd.read_csv(out)["model_version"].unique()
    assert retrained == "risk-trained-as-of-20260205T000000"


def test_a_model_of_before_moments_were_kept_is_asked_of_mlflow(company: Path) -> None:
    state = Workspace.open(company).state_dir
    with open_store(Workspace.open(company)) as store:
        moves = registry_history(store, "risk")
    assert [move["details"]["as_of"] for move in moves] == [FIRST.isoformat(), SECOND.isoformat()]
    # the promotions are lost, as if none had been; the pointer names the second model
    for name in ("store.db", "known-files"):
        (state / name).unlink()
    home = state / "models" / "risk"
    point(home, "champion", {**(current(home, "champion") or {}), "as_of": None})
    assert champion(state, "risk").as_of is None
    assert open_run(company, PAST, silent).champion("risk") is None
    later = open_run(company, SECOND + timedelta(days=1), silent)
    assert later.is_past
    assert later.champion("risk").as_of == SECOND


@pytest.mark.parametrize("damage", ["gone", "a digit"])
def test_a_model_whose_pointer_is_damaged_is_put_to_work_again(company: Path, damage: str) -> None:
    state = Workspace.open(company).state_dir
    at_work = champion(state, "risk")
    place = at_work.folder.parent / "champion.json"
    if damage == "gone":
        place.unlink()
    else:
        told = f'"version": "{at_work.version}"'
        place.write_text(place.read_text().replace(told, '"version": "9"'))
    with pytest.raises(DamagedFile, match=r"champion\.json.*models DIR promote --kind risk"):
        do("score", company)
    act(company, "promote", "risk", int(at_work.version), silent)
    assert champion(state, "risk").folder == at_work.folder


def files(folder: Path) -> set[Path]:
    return set((folder / ".presage" / "published").iterdir())


def test_a_night_goes_back_from_a_model_that_broke_and_says_why(company: Path) -> None:
    state = Workspace.open(company).state_dir
    do("score", company)
    broken, before = champion(state, "risk"), files(company)
    text = broken.folder / "risk.json"
    text.write_bytes(text.read_bytes()[:-9])
    set_setting(company, "risk.automatic_rollback", False)
    kept = do("monitor", company)
    assert not kept.data["rolled_back"] and champion(state, "risk") == broken
    assert any("automatic_rollback is off" in line for line in kept.lines)
    set_setting(company, "risk.automatic_rollback", None)
    done = do("monitor", company)
    assert done.data["rolled_back"] and done.exit_code == 1
    at_work = champion(state, "risk")
    assert at_work.version == "1" and at_work.as_of == FIRST
    with open_store(Workspace.open(company)) as store:
        move = registry_history(store, "risk")[-1]
    assert (move["event"], move["version"]) == ("rolled_back", "1")
    assert "risk.json: its SHA-256" in move["details"]["reasons"]
    assert move["details"]["by"] == "monitor"
    assert move["details"]["figures"]["former_wrong_answers"] == 0
    scores = newest(state, "scores")
    assert scores is not None and files(company) != before
    assert set(scores.frame["model_version"]) == {at_work.model_version}
    again = do("monitor", company)  # whatever it finds, nothing is before this one
    assert not again.data["rolled_back"] and champion(state, "risk") == at_work


def test_a_challenger_is_scored_in_the_shadow_and_changes_nothing(company: Path) -> None:
    from models.registry import challenge

    opened = Workspace.open(company)
    state = opened.state_dir
    moves: list[dict[str, Any]] = []
    challenge(state, "risk", "1", at=SECOND, record=moves.append)
    assert [move["event"] for move in moves] == ["challenger"]
    do("score", company)
    published_now = newest(state, "scores")
    assert published_now is not None
    log = predictions(state)
    told = {
        (source, version): len(rows)
        for (source, version), rows in log.groupby(["source", "model_version"])
    }
    beside, at_work = challenger(state, "risk"), champion(state, "risk")
    assert beside.version == "1" and at_work.version == "2"
    assert told == {("published", at_work.model_version): 40, ("shadow", beside.model_version): 40}
    assert set(published_now.frame["model_version"]) == {at_work.model_version}
    with open_store(opened) as store:
        assert decisions_of(store) == []
    found = do("monitor", company).data["findings"]
    (line,) = [one["text"] for one in found if one["what"].startswith("challenger")]
    assert line.startswith(f"{beside.model_version} in the shadow, 7 days: ")
    both = act(company, "compare", "risk", None, silent)  # the challenger and the champion
    assert both.data["outcomes"] == {}
    assert both.lines[-1].startswith("what came within 30 days: 0 complaints so far")
    do("score", company, SECOND, publish=True)
    assert do("monitor", company).data["outcomes_joined"] == 4 * 40
    both = act(company, "compare", "risk", None, silent, against=2)
    week = both.data["outcomes"]["7d"]
    assert week["scores"] == 40 and set(both.data["outcomes"]) == {"7d", "14d"}
    rows = ps.outcomes(company, horizon_days=7)
    rows = rows[rows["reason"] == ""]
    assert week["complaints"] == rows[rows["source"] == "shadow"]["outcome"].sum()
    loss = {
        name: log_loss(of["outcome"], of["value"]) for name, of in rows.groupby("model_version")
    }
    told = week["figures"]["log loss"]
    assert told["1"]["estimate"] == pytest.approx(loss[beside.model_version])
    apart = loss[beside.model_version] - loss[at_work.model_version]
    assert told["difference"]["estimate"] == pytest.approx(apart)
    assert told["difference"]["low"] <= apart <= told["difference"]["high"]


def test_a_night_joins_what_came_to_the_scores_of_nights_before(company: Path) -> None:
    do("score", company, SECOND, publish=True)
    do("score", company)
    assert set(ps.outcomes(company)["reason"]) == {"not due"}
    found = do("monitor", company)
    assert found.data["outcomes_joined"] == 2 * 40  # 7 and 14 days; the 30 are not over
    rows = ps.outcomes(company)
    due = rows[rows["reason"] == ""]
    assert set(due["as_of"]) == {SECOND} and set(due["horizon_days"]) == {7, 14}
    tickets = pd.read_parquet(company / "tables" / "tickets.parquet")
    after = tickets["opened_at"].between(SECOND, SECOND + timedelta(days=7), inclusive="left")
    complained = tickets.loc[after & tickets["is_complaint"], "customer_id"].nunique()
    assert due.loc[due["horizon_days"] == 7, "outcome"].sum() == complained > 0
    (line,) = [one["text"] for one in found.data["findings"] if one["what"] == "risk 7 d"]
    assert f"{complained} complaints" in line
    assert "outcomes_joined" in found.data and do("monitor", company).data["outcomes_joined"] == 0


def test_from_the_documented_backup_to_the_same_answers(
    company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/operations.md, Backup and restore: its two blocks, as they stand there."""
    do("score", company)
    opened = Workspace.open(company)
    scores = newest(opened.state_dir, "scores")
    assert scores is not None
    who, now = scores.frame["customer_id"].iloc[:3].tolist(), scores.as_of + timedelta(hours=8)
    with open_store(opened) as store:
        moves = registry_history(store, "risk")
        told = Live(opened, store, Clock(now)).predict(who)
    company.rename(company.parent / "company")
    monkeypatch.chdir(company.parent)
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    for name in ("backup", "restore"):
        (block,) = re.findall(rf"```sh file={name}\n(.*?)```", page, re.DOTALL)
        subprocess.run(["bash", "-e", "-c", block], check=True)
        shutil.rmtree("company", ignore_errors=True)  # the machine is lost
    restored = Workspace.open(Path("restored"))
    assert champion(restored.state_dir, "risk") is not None
    with open_store(restored) as store:
        assert registry_history(store, "risk") == moves
        verify_log(store)
        assert Live(restored, store, Clock(now)).predict(who) == told


def test_a_moment_in_the_future_is_refused_by_name(company: Path) -> None:
    with pytest.raises(UsageError, match="--as-of 9999-01-01 00:00:00 lies in the future"):
        do("score", company, datetime(9999, 1, 1))


@pytest.mark.parametrize("verb", ["score", "forecast"])
def test_a_moment_before_the_history_is_refused_by_name(verb: str, company: Path) -> None:
    with pytest.raises(NotEnoughHistory, match=r"2025-06-01|no contact|at work"):
        do(verb, company, datetime(2025, 6, 1))


def test_past_decisions_are_recorded_only_when_asked_twice(company: Path, tmp_path: Path) -> None:
    out = tmp_path / "outreach.csv"
    assert do("outreach", company, PAST, out=out).data["committed"] is False
    assert len(pd.read_csv(out)) == 40
    with pytest.raises(Conflict, match="--publish"):
        do("outreach", company, PAST, commit=True)
    with open_store(Workspace.open(company)) as store:
        assert decisions_of(store) == []
    assert do("outreach", company, PAST, commit=True, publish=True).data["committed"] is True


def test_no_decision_is_recorded_beside_a_plan_that_cannot_be_read(company: Path) -> None:
    """How many hours agents have would not be known: a dry run says so, a commit is refused."""
    workspace = Workspace.open(company)
    do("score", company)
    plan = pd.DataFrame({"channel": ["phone"]})
    publish(workspace.state_dir, "staffing", plan, as_of=SECOND, now=SECOND)
    pointer_file(workspace.state_dir, "staffing").write_text("{")
    with pytest.raises(DamagedFile, match=r"nothing was decided.*staffing\.json.*presage staff"):
        do("outreach", company, commit=True)
    with open_store(workspace) as store:
        assert decisions_of(store) == []
    assert do("outreach", company).data["committed"] is False
    set_setting(company, "outreach.agent_hours_per_day", 8.0)
    assert do("outreach", company, commit=True).data["committed"] is True


def test_promote_and_rollback_reach_who_answers_at_once(company: Path) -> None:
    """The published scores stand until another model is at work; then its scores do."""
    do("score", company)
    workspace = Workspace.open(company)
    scores = newest(workspace.state_dir, "scores")
    assert scores is not None
    with open_store(workspace) as store:
        live = Live(workspace, store, Clock(scores.as_of + timedelta(hours=8)))
        before = live.predict(["c1", "c2", "nobody"])
        act(company, "rollback", "risk", None, silent)
        after = live.predict(["c1", "c2", "nobody"])
        first, second = before[0]["model_version"], after[0]["model_version"]
        assert first != second
        assert after[0]["as_of"] == before[0]["as_of"] == scores.as_of.isoformat() + "Z"
        assert before[2] == after[2] == {"customer_id": "nobody", "status": "unknown"}
        # the same as everybody's scores by that model, to the last bit
        do("score", company)
        again = newest(workspace.state_dir, "scores")
        assert again is not None and again.about["model_version"] == second
        rows = again.frame.set_index("customer_id")
        for item in after[:2]:
            row = rows.loc[item["customer_id"]]
            assert item["risk"] == {str(h): row[f"risk_{h}d"] for h in (7, 14, 30)}
        act(company, "promote", "risk", 2, silent)
        assert live.predict(["c1"])[0] == before[0]


def test_outreach_after_a_commit_shows_what_was_decided(company: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first.csv", tmp_path / "again.csv"
    committed = do("outreach", company, commit=True, out=first)
    for _ in range(2):
        shown = do("outreach", company, out=again)
        assert shown.data["already_written"] is True
        assert shown.data["arms"] == committed.data["arms"]
        assert again.read_bytes() == first.read_bytes()
    assert committed.data["arms"].get("treat")  # else no line had a number to format


def test_two_commits_of_one_day_share_its_capacity(company: Path, tmp_path: Path) -> None:
    for name, value in (("capacity_per_day", 4), ("explore_share", 1.0), ("min_days_between", 0.0)):
        set_setting(company, f"outreach.{name}", value)
    first = do("outreach", company, commit=True)
    moment = first.data["as_of"]

    def selected(result: Result) -> int:
        arms = result.data["arms"]
        return int(arms.get("treat", 0) + arms.get("holdout", 0))

    assert selected(first) == 4
    page = tmp_path / "page.html"
    second = do("outreach", company, moment + timedelta(hours=6), commit=True, plot=page)
    assert selected(second) == 0
    assert "earlier runs of this day selected 4 of its 4" in second.lines
    assert "nothing is claimed" in page.read_text()
    # a moment before the newest decisions cannot be committed, whatever is said
    with pytest.raises(Conflict, match="lies before them"):
        do("outreach", company, moment + timedelta(hours=3), commit=True, publish=True)
    next_day = do("outreach", company, moment + timedelta(hours=30), commit=True)
    assert selected(next_day) == 4
    with pytest.raises(UsageError, match=r"--plot x.pdf: end the name in one of .png, .svg, .html"):
        do("outreach", company, plot=Path("x.pdf"))


def test_an_action_that_harms_stops_and_is_told_so(company: Path) -> None:
    """A campaign that went nearly only to those who then complained, drawn as by a coin."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        for day in range(5, 45, 5):
            contacted = rng.random() < (0.75 if i % 3 == 0 else 0.15)
            row = {"treatment_id": f"{i}-{day}", "customer_id": f"c{i}", "campaign": "spring",
                   "treated_at": START + timedelta(days=day), "propensity": 0.5}  # fmt: skip
            rows.append(row | ({"arm": "treat", "action": "check_in"} if contacted
                               else {"arm": "none", "action": None}))  # fmt: skip
    pd.DataFrame(rows).to_parquet(company / "tables" / "treatments.parquet")
    told = do("outreach", company, commit=True)
    (verdict,) = [line for line in told.lines if line.startswith("past contacts (check_in")]
    assert "harms, and has stopped: nobody is contacted by it" in verdict
    assert told.data["measured"]["action"][0]["verdict"] == "harms"
    with open_store(Workspace.open(company)) as store:
        ((_, _, note),) = notes_of(store, STOPPED)
        actions = {d["action"] for d in decisions_of(store) if d["arm"] == "treat"}
    assert note["action"] == "check_in" and "it harms" in note["because"]
    assert actions and "check_in" not in actions
    # the log's word holds, also once the interval holds zero again
    (company / "tables" / "treatments.parquet").unlink()
    later = told.data["as_of"] + timedelta(days=1)
    again = do("outreach", company, later, out=company / "again.parquet")
    assert "check_in has stopped itself before" in "\n".join(again.lines)
    assert "check_in" not in set(pd.read_parquet(company / "again.parquet")["action"].dropna())
