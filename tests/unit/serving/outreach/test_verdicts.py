"""What may be claimed on any day, when the rest will be known, and a campaign that stops itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from data.settings import Outreach
from data.store import append_decisions, messages_of, notes_of, open_store, verify_log
from data.workspace import init
from models.uplift import Trial, trial
from serving.monitoring.outreach import outreach_findings
from serving.outreach.actions import ACTIONS
from serving.outreach.candidates import run_name
from serving.outreach.policy import STOPPED as NO_ACTION_GOES_ON
from serving.outreach.policy import Effects, plan
from serving.outreach.verdicts import (
    STOPPED,
    breakdowns,
    expected_line,
    note_stops,
    verdict_lines,
    verdicts,
)

from .test_rules import people

NOW = datetime(2026, 3, 2)


def past(risk_contacted: float, rows: int, seed: int = 0) -> Trial:
    """Half are contacted; the others complain at .3."""
    rng = np.random.default_rng(seed)
    contacted = np.arange(rows) % 2 == 0
    complains = rng.random(rows) < np.where(contacted, risk_contacted, 0.3)
    return trial(
        pd.DataFrame(
            {"customer_id": [f"c{i}" for i in range(rows)],
             "time": [NOW - timedelta(days=31 + i % 28) for i in range(rows)],
             "action": np.where(contacted, "check_in", "none"), "offered": "check_in",
             "propensity": 0.5, "complained": complains.astype(float)}
        )
    )  # fmt: skip


def test_what_is_not_known_has_a_date_that_comes_nearer_with_decisions() -> None:
    (few,), (many,) = (verdicts(past(0.3, rows), NOW) for rows in (400, 2400))
    assert few.measured.verdict == many.measured.verdict == "not known"
    assert few.smallest > many.smallest
    assert few.known_on is not None and many.known_on is not None
    assert few.known_on > many.known_on >= NOW
    (line,) = verdict_lines([few], None)
    assert f"an effect of 20% will be found by {few.known_on:%Y-%m-%d}" in line
    assert "on whichever day one looks): not known yet" in line
    assert verdicts(past(0.3, 60), NOW) == verdicts(None, NOW) == []


def test_the_monitor_sets_whom_chance_left_alone_beside_whom_outreach_contacted() -> None:
    (harm,) = outreach_findings(verdicts(past(0.6, 2400), NOW))
    assert harm.status == "alarm" and "Nobody is contacted by it" in harm.act
    assert 0 < harm.low < harm.value < harm.high
    (helps,) = outreach_findings(verdicts(past(0.15, 2400), NOW))
    assert (helps.status, helps.act) == ("ok", "") and helps.high < 0
    (early,) = outreach_findings(verdicts(past(0.3, 400), NOW))
    (none,) = outreach_findings([])
    assert early.status == none.status == "too early"


def test_effects_are_told_by_action_channel_and_segment() -> None:
    of = past(0.15, 2400)
    where = np.where(np.arange(2400) % 4 < 2, "email", "sms")
    found = breakdowns(Trial(of.frame.assign(channel=where, segment="home", risk=np.nan)))
    assert {by: len(rows) for by, rows in found.items()} == {
        "action": 1,
        "channel": 2,
        "segment": 1,
    }
    assert {row["channel"]: row["verdict"] for row in found["channel"]} == {
        "email": "helps", "sms": "helps",
    }  # fmt: skip
    assert breakdowns(None) == {}


def test_before_anything_is_known_exploring_has_a_date_and_nothing_is_claimed() -> None:
    slow, fast = (expected_line(0.1, drawn, 5000, NOW) for drawn in (5, 50))
    assert slow is not None and fast is not None
    assert slow.startswith("too few contacts have been tried") and "20% of the complaints" in slow
    assert slow.split("found by ")[1][:10] > fast.split("found by ")[1][:10] > "2026-03-02"
    none = expected_line(0.1, 0, 5000, NOW)
    assert none is not None and none.endswith("raise [outreach] explore_share")
    assert verdict_lines([], none) == [none]
    assert expected_line(0.0, 5, 5000, NOW) is None


def test_a_campaign_that_harms_stops_itself_with_one_note_in_the_log(tmp_path: Path) -> None:
    found = verdicts(past(0.45, 2400), NOW)
    (one,) = found
    assert one.measured.verdict == "harms" and one.stops is not None
    assert "has stopped: nobody is contacted by it" in verdict_lines(found, None)[0]
    with open_store(init(tmp_path / "w")) as store:
        decisions = [
            {"decision_id": name, "customer_id": name, "action": name, "channel": "email",
             "arm": "treat", "as_of": NOW.isoformat(), "payload": {}}
            for name in ("check_in", "how_to")
        ]  # fmt: skip
        append_decisions(store, run_name(NOW), decisions, NOW, decisions)
        assert note_stops(store, found, NOW) == ["check_in"]
        assert note_stops(store, found, NOW) == []
        ((_, at, note),) = notes_of(store, STOPPED)
        assert at == NOW and note["action"] == "check_in" and "it harms" in note["because"]
        assert verify_log(store).entries == 3
        # what waits to leave by it is refused, and nothing else
        states = {m.action: (m.status, m.note) for m in messages_of(store)}
        assert states["check_in"] == ("refused", "the action has stopped: it harms")
        assert states["how_to"][0] == "waiting"
    # where customers differ it goes on for those whom it helps
    assert verdicts(past(0.45, 2400), NOW, ["check_in"])[0].stops is None
    assert verdicts(past(0.15, 2400), NOW)[0].stops is None


def test_nobody_is_contacted_by_what_has_stopped_not_even_to_learn() -> None:
    stopped = np.array([action.name == "check_in" for action in ACTIONS])
    frame = people(60, topic=None, sms_consent=False, phone_consent=False)
    policy = Outreach(explore_share=0.5, capacity_per_day=40, holdout_share=0.0)
    uplift = np.full((60, len(ACTIONS)), np.nan)
    uplift[:, stopped] = 0.4  # by value it would be the best

    def actions(which: np.ndarray) -> set[str]:
        got = plan(frame, policy, salt=b"s", as_of=NOW, effects=Effects(uplift, stopped=which))
        return set(got.loc[got["arm"] == "treat", "action"])

    assert "check_in" in actions(np.zeros(len(ACTIONS), dtype=bool))
    assert actions(stopped) and "check_in" not in actions(stopped)
    every = Effects(uplift, stopped=np.ones(len(ACTIONS), dtype=bool))
    told = plan(frame, policy, salt=b"s", as_of=NOW, effects=every)
    assert set(told["reason"]) == {NO_ACTION_GOES_ON}
