"""Asked again at the moment of sending: consent, hold-out, quiet hours, caps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from data.store import Message, Verdict, append_events, preview, put_consent, record_outcome
from serving.outreach.still_allowed import Standing

from .conftest import NOON, Company

Make = Callable[..., Company]


def verdicts(company: Company) -> dict[str, Verdict]:
    found = preview(company.store, company.gate(), company.clock.now(), 100)
    return {message.customer_id: verdict for message, verdict in found}


def test_every_word_on_consent_is_read_again(company: Make) -> None:
    here = company()
    here.decide(*"abcde", "nobody")
    say = {"a": ("email", False), "b": ("contact", False), "c": ("all", False), "d": ("sms", False)}
    for customer, (channel, granted) in say.items():
        put_consent(here.store, customer, channel, granted, NOON, "test")
    found = verdicts(here)
    assert {name for name, verdict in found.items() if verdict.allowed} == {"d", "e"}
    assert found["a"].reason == "no consent for email"
    assert found["b"].reason == "asked not to be contacted"
    assert found["nobody"] == Verdict(False, "no consent for email is known")
    put_consent(here.store, "b", "contact", True, NOON, "test")
    assert verdicts(here)["b"].allowed


def test_a_row_posted_since_and_a_file_changed_since_count(company: Make) -> None:
    here = company()
    here.decide("a", "b", "c")
    gate = here.gate()
    assert all(v.allowed for _, v in preview(here.store, gate, NOON, 10))
    row = {"customer_id": "a", "signed_up_at": "2025-01-01", "email_consent": False}
    append_events(here.store, {"customers": [row]}, NOON - timedelta(minutes=1))
    file = here.workspace.tables_dir / "customers.csv"
    told = file.read_text().replace("b,2025-01-01,true", "b,2025-01-01,false")
    staged = file.with_suffix(".new")
    staged.write_text(told.replace("c,2025-01-01,true,", "c,2025-01-01,maybe,"))
    staged.replace(file)
    found = preview(here.store, gate, NOON, 10)
    assert [v.allowed for _, v in found] == [False, False, False]
    assert found[2][1].reason == "no consent for email is known"


def test_a_row_posted_since_that_says_nothing_of_consent_takes_none_back(company: Make) -> None:
    here = company("consent_when_unknown = true")
    here.decide("a", "b", "c")
    born = {"signed_up_at": "2025-01-01"}
    refuses = {"customer_id": "b", **born, "do_not_contact": True}
    append_events(here.store, {"customers": [refuses]}, NOON - timedelta(hours=3))
    put_consent(here.store, "c", "email", False, NOON - timedelta(hours=2), "test")
    rows = [{"customer_id": name, **born, "plan": "plus"} for name in "abc"]
    append_events(here.store, {"customers": rows}, NOON - timedelta(hours=1))
    found = verdicts(here)
    assert found["a"].allowed
    assert found["b"].reason == "asked not to be contacted"
    assert found["c"].reason == "no consent for email"  # newer than what their row had said
    strict = verdicts_under(here, consent_when_unknown=False)
    assert {m.customer_id: v.allowed for m, v in strict} == {"a": True, "b": False, "c": False}


def verdicts_under(here: Company, **policy: bool) -> list[tuple[Message, Verdict]]:
    """What the gate says under other settings of outreach."""
    gate = here.gate()
    outreach = replace(gate.settings.outreach, **policy)
    gate = replace(gate, settings=replace(gate.settings, outreach=outreach))
    return preview(here.store, gate, here.clock.now(), 100)


def test_a_closed_account_and_a_deleted_one_are_left_alone(company: Make) -> None:
    here = company()
    here.decide("a", "b")
    base = {"signed_up_at": "2025-01-01", "email_consent": True}
    rows = [
        {"customer_id": "a", **base, "closed_at": "2026-03-01"},
        {"customer_id": "b", **base, "deleted": True},
    ]
    append_events(here.store, {"customers": rows}, NOON - timedelta(minutes=1))
    assert {v.reason for v in verdicts(here).values()} == {"the account is closed"}


def test_a_newer_word_of_the_table_counts_against_an_older_one_of_ours(company: Make) -> None:
    here = company()
    here.decide("a", "b")
    put_consent(here.store, "a", "email", True, NOON - timedelta(days=2), "test")
    put_consent(here.store, "b", "email", False, NOON - timedelta(days=2), "test")
    base = {"signed_up_at": "2025-01-01"}
    said = {"a": False, "b": True}
    rows = [{"customer_id": name, "email_consent": word, **base} for name, word in said.items()]
    append_events(here.store, {"customers": rows}, NOON - timedelta(days=1))
    found = verdicts(here)
    assert (found["a"].allowed, found["b"].allowed) == (False, True)


def test_vulnerable_customers_and_those_who_minded_are_left_alone(company: Make) -> None:
    here = company("min_days_between = 0")
    here.decide("a", "b")
    row = {"customer_id": "a", "signed_up_at": "2025-01-01", "email_consent": True}
    rows = [{**row, "vulnerable": True}]
    append_events(here.store, {"customers": rows}, NOON - timedelta(minutes=1))
    record_outcome(here.store, "r-b", "disagreed", NOON, None, NOON)
    found = verdicts(here)
    assert found["a"].reason == "vulnerable: a person decides, not a machine"
    assert found["b"].reason == "left alone for a while: an agent disagreed on 2026-03-02"


def test_the_hold_out_is_drawn_by_the_salt_as_the_decision_drew_it(company: Make) -> None:
    here = company("holdout_share = 0.999999")
    here.decide("a")
    assert verdicts(here)["a"] == Verdict(False, "is in the hold-out")


def test_quiet_hours_are_those_where_the_customer_lives(company: Make) -> None:
    here = company()
    here.clock.at = datetime(2026, 3, 2, 6, 30)  # 7:30 in Oslo, 1:30 in Lima
    here.decide("oslo", "lima", "a")
    found = verdicts(here)
    assert found["oslo"].until == datetime(2026, 3, 2, 7)
    assert found["lima"].until == datetime(2026, 3, 2, 13)
    assert found["a"].until == datetime(2026, 3, 2, 8)
    here.clock.at = datetime(2026, 3, 2, 7)
    assert verdicts(here)["oslo"].allowed


def test_one_contact_in_so_many_days_over_all_runs(company: Make) -> None:
    here = company("min_days_between = 14")
    here.decide("a", run="monday")
    here.decide("a", run="tuesday")
    from data.store import Limits, claim

    limits = Limits(10, timedelta(days=3))
    options = {"holder": "t", "lease": timedelta(seconds=10), "limits": limits}
    gate = here.gate()

    def take() -> object:
        return claim(here.store, gate, lambda m: b"x", now_of=here.clock.now, **options)  # type: ignore[arg-type]

    assert take().message.decision_id == "monday-a"  # type: ignore[attr-defined]
    second = take()
    assert (second.message, second.refused) == (None, 1)  # type: ignore[attr-defined]


def test_a_day_has_so_many_contacts_over_all_runs(company: Make) -> None:
    from data.store import Limits, hand_out

    here = company("capacity_per_day = 3")
    here.decide("a", "b", run="r1")
    here.decide("c", "d", run="r2")
    options = {"after": 0, "most": 100, "take": True, "limits": Limits(9, timedelta(days=3))}

    def pull() -> list[str]:
        page, _ = hand_out(here.store, here.gate(), now_of=here.clock.now, **options)  # type: ignore[arg-type]
        return [message.customer_id for message, _ in page]

    assert pull() == ["a", "b", "c"]
    assert pull() == ["a", "b", "c"]  # given again, they count once
    here.clock.at = datetime(2026, 3, 3, 9)
    assert pull() == ["a", "b", "c", "d"]


def test_an_unknown_channel_is_refused_by_name(company: Make) -> None:
    here = company("consent_when_unknown = true")
    here.decide("a", channel="fax")
    assert verdicts(here)["a"] == Verdict(False, "fax is no channel of outreach: email, sms, phone")


def test_what_only_whole_tables_know_is_handed_in(company: Make) -> None:
    here = company("min_days_between = 14")
    here.decide("a", "b", "c")
    standing = Standing(frozenset({"a"}), {"b": [NOON - timedelta(days=3)]})
    gate = replace(here.gate(), standing=standing)
    found = {m.customer_id: v.reason for m, v in preview(here.store, gate, NOON, 9)}
    assert found == {
        "a": "has an open complaint: an agent answers it",
        "b": "selected or contacted within the last 14 days",  # by another campaign
        "c": "",
    }
