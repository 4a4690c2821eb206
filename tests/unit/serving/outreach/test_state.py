"""What decisions read and leave: consent's newest word, past contacts, the day's use, cases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.errors import UsageError
from data.settings import Outreach, Settings
from data.store import (
    Store,
    append_decisions,
    decisions_of,
    open_store,
    put_consent,
    record_outcome,
    verify_log,
)
from data.tables import MemoryTables
from data.workspace import init
from serving.outreach.agent_hours import hours_left
from serving.outreach.candidates import (
    named_in_vain,
    open_complaints,
    past_contacts,
    run_name,
    spent_on,
)
from serving.outreach.cases import as_told, cases_of, open_cases, record_step
from serving.outreach.consent import consent_now
from serving.outreach.deflection import articles_to_write
from serving.outreach.facts import messages
from serving.outreach.protocol import NAMES, negative_feedback, open_case, states
from serving.outreach.worth import Prices

NOW = datetime(2026, 3, 2, 12)
DAY = timedelta(days=1)
PRICES = Prices(30.0, {"email": 5.0, "phone": 4.0}, {}, 5.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(init(tmp_path / "w")) as opened:
        yield opened


def customers(*rows: dict[str, Any]) -> MemoryTables:
    usual = {"customer_id": "a", "signed_up_at": "2025-01-01"}
    return MemoryTables({"customers": pd.DataFrame([{**usual, **row} for row in rows])})


def log(store: Store, *decisions: dict[str, Any], as_of: datetime = NOW) -> None:
    usual = {"customer_id": "a", "arm": "treat", "action": "check_in", "channel": "email",
             "as_of": as_of.isoformat(), "explored": False}  # fmt: skip
    rows = [{**usual, "decision_id": f"{as_of:%d%H}-{i}", **row} for i, row in enumerate(decisions)]
    outbox = [{**row, "payload": {}} for row in rows if row["arm"] == "treat"]
    append_decisions(store, run_name(as_of), rows, as_of, outbox)


def email(tables: MemoryTables, store: Store) -> object:
    value = consent_now(tables, store, ["a"], NOW).loc["a", "email_consent"]
    return None if pd.isna(value) else bool(value)


def test_the_newest_word_wins_whoever_it_was_said_to(store: Store) -> None:
    yes = {"email_consent": True}
    later_no = {"email_consent": False, "recorded_at": NOW - 1 * DAY}
    assert email(customers(yes, later_no), store) is False
    put_consent(store, "a", "email", False, NOW - 3 * DAY, "api")
    assert email(customers(yes), store) is False
    # an event later than the API's refusal says yes again
    assert email(customers(yes, {**yes, "recorded_at": NOW - 2 * DAY}), store) is True
    put_consent(store, "a", "email", True, NOW - DAY / 2, "api")
    assert email(customers(yes, later_no), store) is True
    # a row that states nothing takes nothing back
    blank = {"email_consent": None, "recorded_at": NOW - DAY / 4}
    assert email(customers(yes, blank), store) is True


def test_of_two_words_of_one_moment_a_refusal_holds(store: Store) -> None:
    moment = NOW - DAY
    put_consent(store, "a", "email", True, moment, "api")
    assert email(customers({"email_consent": False, "recorded_at": moment}), store) is False
    put_consent(store, "a", "contact", False, moment, "api")
    found = consent_now(
        customers({"do_not_contact": False, "recorded_at": moment}), store, ["a"], NOW
    )
    assert bool(found.loc["a", "do_not_contact"])


def test_a_word_on_all_speaks_for_every_channel(store: Store) -> None:
    put_consent(store, "a", "email", True, NOW - 2 * DAY, "api")
    put_consent(store, "a", "all", False, NOW - DAY, "api")
    found = consent_now(customers({}), store, ["a"], NOW).loc["a"]
    assert not found["email_consent"] and not found["phone_consent"]
    put_consent(store, "a", "sms", True, NOW, "api")
    assert bool(consent_now(customers({}), store, ["a"], NOW).loc["a", "sms_consent"])


def test_a_day_s_runs_are_added_up_held_out_or_not(store: Store) -> None:
    midnight = datetime(2026, 3, 2)
    log(store, {"arm": "treat"}, {"arm": "holdout", "channel": "phone", "explored": True},
        {"arm": "capacity"}, as_of=midnight)  # fmt: skip
    log(store, {"action": "callback", "channel": "phone"}, as_of=NOW)
    log(store, {}, as_of=midnight - DAY)
    spent = spent_on(store, (midnight, midnight + DAY))
    assert (spent.total, spent.explored, spent.minutes) == (3, 1, 6.0 + 12.0)
    assert spent.channels == {"email": 1, "sms": 0, "phone": 2}


def test_caps_see_other_campaigns_and_those_held_out(store: Store) -> None:
    log(store, {"customer_id": "h", "arm": "holdout"}, as_of=NOW - 5 * DAY)
    log(store, {"customer_id": "t"}, as_of=NOW - 40 * DAY)
    treatments = pd.DataFrame(
        {"treatment_id": ["1", "2"], "treated_at": [NOW - 3 * DAY, NOW - 100 * DAY], "arm": "x",
         "customer_id": "t", "campaign": "c", "action": "check_in"}
    )  # fmt: skip
    found = past_contacts(MemoryTables({"treatments": treatments}), store, Outreach(), NOW)
    assert found.last == {"h": NOW - 5 * DAY, "t": NOW - 3 * DAY}
    assert found.in_90_days == {"h": 1, "t": 2}


def test_who_complained_of_a_contact_is_left_alone(store: Store) -> None:
    log(store, {}, {"customer_id": "b"}, as_of=NOW - 60 * DAY)
    ids = [d["decision_id"] for d in decisions_of(store)]
    record_outcome(store, ids[0], "complained", NOW - 50 * DAY, None, NOW)
    record_outcome(store, ids[1], "answered", NOW - 50 * DAY, None, NOW)
    found = past_contacts(MemoryTables({}), store, Outreach(), NOW)
    assert list(found.unwelcome) == ["a"] and "complained of a contact" in found.unwelcome["a"]
    short = past_contacts(MemoryTables({}), store, Outreach(suppress_days=30.0), NOW)
    assert not short.unwelcome


def test_what_settings_name_and_nobody_has_is_told() -> None:
    people = pd.DataFrame({"segment": ["home", None]})
    tables = MemoryTables({"tickets": pd.DataFrame(
        {"ticket_id": ["1"], "opened_at": NOW - DAY, "channel": "email", "topic": ["LOG"]}
    )})  # fmt: skip
    vain = Outreach(
        suppress_segments=("hmoe", "home"),
        action_of_topics=("LGO = check_in", "log = delivery_update"),
    )
    assert named_in_vain(people, tables, vain) == [
        "[outreach] suppress_segments: no customer is in 'hmoe'. Did you mean \"home\"? There are "
        "home",
        "[outreach] action_of_topics: no ticket is of the topic 'lgo'. Did you mean \"log\"?",
    ]
    assert named_in_vain(people, MemoryTables({}), Outreach()) == []


def test_an_open_complaint_is_in_hand_and_an_inquiry_is_not() -> None:
    tickets = pd.DataFrame(
        {"ticket_id": list("1234"), "customer_id": list("abcd"), "channel": "email",
         "opened_at": NOW - DAY, "is_complaint": [True, False, True, True],
         "resolved_at": [None, None, NOW - DAY / 2, NOW - DAY / 2],
         "reopened_at": [None, None, None, NOW - DAY / 4]}
    )  # fmt: skip
    tables = MemoryTables({"tickets": tickets})
    assert open_complaints(tables, Settings(), NOW) == {"a", "d"}


def test_texts_are_rendered_of_what_was_known(store: Store) -> None:
    late = [{"order_id": f"p{i}", "customer_id": "z", "ordered_at": NOW - 60 * DAY,
             "promised_at": NOW - 50 * DAY, "delivered_at": NOW - (50 - i % 10) * DAY}
            for i in range(60)]  # fmt: skip
    mine = {"order_id": "A17", "customer_id": "a", "ordered_at": NOW - 9 * DAY,
            "promised_at": NOW - 3 * DAY}  # fmt: skip
    people = pd.DataFrame([
        {"customer_id": "a", "signed_up_at": "2025-01-01", "language": "es", "name": "Ana"},
        {"customer_id": "b", "signed_up_at": "2025-01-01"},
    ])  # fmt: skip
    tables = MemoryTables({"customers": people, "orders": pd.DataFrame([*late, mine])})
    rows = [{"customer_id": c, "action": "delivery_update", "channel": "email"} for c in ("a", "b")]
    (text, none), missing = messages(tables, Settings(), rows, NOW)
    assert text is not None and none is None
    # of those at least 3 days late, four of five came within 8: five days from now
    assert "pedido A17 lleva 3 días" in text.text and "7 de marzo de 2026" in text.text
    assert text.good_until == "2026-03-07"
    assert missing == [
        "b: the text of delivery_update by email in en needs order, which is missing"
    ]


def test_articles_are_asked_for_where_none_works() -> None:
    tickets = pd.DataFrame(
        {"ticket_id": [str(i) for i in range(12)], "opened_at": NOW - DAY, "channel": "email",
         "topic": ["login"] * 6 + ["billing"] * 4 + ["size"] * 2,
         "language": ["en"] * 4 + ["es"] * 2 + ["en"] * 6}
    )  # fmt: skip
    articles = pd.DataFrame(
        {"article_id": ["a1", "a2"], "published_at": "2025-01-01", "topic": ["login", "billing"],
         "language": "en"}
    )  # fmt: skip
    events = pd.DataFrame(
        {"article_id": ["a1"] * 8 + ["a2"] * 8, "viewed_at": NOW - 2 * DAY,
         "helpful": [True] * 7 + [False] + [False] * 7 + [True]}
    )  # fmt: skip
    tables = MemoryTables({"tickets": tickets, "articles": articles, "article_events": events})
    found = articles_to_write(tables, PRICES, NOW).set_index(["topic", "language"])
    assert set(found.index) == {("login", "es"), ("billing", "en"), ("size", "en")}
    assert found.loc[("login", "es"), "without_article"] == pytest.approx(1 / 3)
    assert found.loc[("login", "es"), "why"] == "there is none in es: translate a1"
    assert found.loc[("billing", "en"), "why"] == "a2 helped 1 of 8 readers: repair it"
    assert found.loc[("billing", "en"), "at_stake"] == 20.0
    assert found.loc[("size", "en"), "why"] == "there is no article: write one"


def test_a_case_is_opened_once_and_its_steps_are_in_the_log(store: Store) -> None:
    feedback = pd.DataFrame(
        {"feedback_id": ["1", "2"], "given_at": NOW - DAY / 2, "kind": "review",
         "customer_id": ["a", None], "rating": [1, 5], "public": True}
    )  # fmt: skip
    cases = negative_feedback(MemoryTables({"feedback": feedback}), Settings(), NOW, 14)
    assert [case.case_id for case in cases] == ["feedback-1"]
    assert open_cases(store, cases, NOW) == 1 and open_cases(store, cases, NOW) == 0
    first = states(cases_of(store)[0], NOW)[0]
    assert (first.state, first.deadline) == ("late", NOW - DAY / 2 + timedelta(hours=1))
    for at, step in enumerate(NAMES):
        record_step(store, "feedback-1", step, NOW + timedelta(hours=at), "Kari", NOW)
    told = as_told(cases_of(store, "a")[0], NOW)
    assert [step["state"] for step in told["steps"]][-1] == "done"
    assert {step["owner"] for step in told["steps"]} == {"Kari"}
    assert verify_log(store).entries == 6
    with pytest.raises(UsageError, match="solve was done on"):
        record_step(store, "feedback-1", "solve", NOW + DAY, "Kari", NOW)
    with pytest.raises(UsageError, match="no case 'feedback-9'"):
        record_step(store, "feedback-9", "own", NOW, "Kari", NOW)


def test_steps_out_of_order_or_misspelt_are_refused(store: Store) -> None:
    open_cases(store, [open_case("f", "a", NOW)], NOW)
    with pytest.raises(UsageError, match="acknowledge comes before own"):
        record_step(store, "f", "own", NOW, "Kari", NOW)
    with pytest.raises(UsageError, match='Did you mean "acknowledge"'):
        record_step(store, "f", "aknowledge", NOW, "Kari", NOW)
    with pytest.raises(UsageError, match="lies before"):
        record_step(store, "f", "acknowledge", NOW - DAY, "Kari", NOW)


def test_a_plan_leaves_the_idle_hours_of_backlog_channels() -> None:
    plan = pd.DataFrame(
        {"channel": ["email", "phone", "email"], "starts_at": [NOW, NOW, NOW + DAY],
         "agents_net": [4.0, 9.0, 9.0], "open_seconds": 1800.0, "occupancy": [0.38, 0.5, 0.1]}
    )  # fmt: skip
    assert hours_left(plan, Settings(), NOW, NOW + DAY) == pytest.approx(4 * 0.5 * 0.5)
    assert hours_left(plan, Settings(), NOW - 9 * DAY, NOW - 8 * DAY) is None
