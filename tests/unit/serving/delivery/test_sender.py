"""Leases, retries, dead letters, replays; what is pulled; the same bytes under one id for ever."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from data.store import (
    Limits,
    claim,
    decisions_of,
    disabled_since,
    enable_endpoint,
    expire_decisions,
    hand_out,
    message_counts,
    messages_of,
    outcome_counts,
    put_consent,
    record_delivery,
    record_failure,
    record_outcome,
    replay,
    underway,
    verify_log,
)
from serving.delivery.event import render
from serving.delivery.sender import Sender, limits_of
from serving.delivery.signature import Key
from serving.outreach.candidates import run_name, spent_on

from .conftest import NOON, Company, Receiver

Make = Callable[..., Company]
KEYS = [Key(b"k" * 32)]
LIMITS = Limits(3, timedelta(hours=72))


def pushed(company: Make, receiver: Receiver, outreach: str = "", more: str = "") -> Company:
    delivery = f'endpoint = "{receiver.url}"\nallow_inside = true\nmax_attempts = 3\nat_once = 1\n'
    return company(outreach, delivery + more)


def send(here: Company) -> Counter[str]:
    delivery = here.workspace.settings.delivery
    sender = Sender(here.store, here.gate(), delivery, KEYS, here.clock, random.Random(1))
    return sender.send_due(threading.Event())


def ids(receiver: Receiver) -> list[str]:
    return [headers["webhook-id"] for _, headers, _ in receiver.requests]


def test_what_fails_is_sent_again_with_the_same_bytes(company: Make, receiver: Receiver) -> None:
    here = pushed(company, receiver)
    here.decide("a")
    receiver.answers = [(500, {}), (204, {})]
    assert send(here)["failed"] == 1
    assert send(here).total() == 0 or ids(receiver) == ["r-a", "r-a"]
    here.clock.pass_by(seconds=6)  # the first wait is 5 s at most
    send(here)
    assert ids(receiver) == ["r-a", "r-a"]
    assert len({body for _, _, body in receiver.requests}) == 1
    (message,) = messages_of(here.store)
    assert (message.status, message.attempts, message.note) == ("sent", 2, None)


def test_retry_after_is_honoured(company: Make, receiver: Receiver) -> None:
    here = pushed(company, receiver)
    here.decide("a")
    receiver.answers = [(429, {"Retry-After": "100"}), (204, {})]
    send(here)
    here.clock.pass_by(seconds=99)
    send(here)
    assert len(receiver.requests) == 1
    here.clock.pass_by(seconds=1)
    assert send(here)["sent"] == 1


def test_a_message_is_dead_after_its_attempts_and_can_be_replayed(
    company: Make, receiver: Receiver
) -> None:
    here = pushed(company, receiver)
    here.decide("a")
    receiver.answers = [(500, {})]
    for _ in range(5):
        send(here)
        here.clock.pass_by(minutes=10)
    (dead,) = messages_of(here.store, status="dead")
    assert dead.attempts == len(receiver.requests) == 3
    assert dead.note == "gave up after 3 attempts: HTTP 500"
    receiver.answers = [(204, {})]
    ((_, verdict),) = replay(here.store, here.gate(), ["r-a"], here.clock.now())
    assert verdict.allowed and send(here)["sent"] == 1
    replay(here.store, here.gate(), ["r-a"], here.clock.now())  # also what was delivered
    assert send(here)["sent"] == 1
    assert len({(h["webhook-id"], body) for _, h, body in receiver.requests}) == 1


def test_a_decision_that_waited_too_long_is_not_sent(company: Make, receiver: Receiver) -> None:
    here = pushed(company, receiver)
    here.decide("a")
    here.clock.pass_by(hours=73)
    assert send(here)["expired"] == 1
    assert receiver.requests == []
    assert messages_of(here.store)[0].note == "not handed out within 72 hours"


def test_410_disables_and_what_waits_can_be_pulled(company: Make, receiver: Receiver) -> None:
    here = pushed(company, receiver)
    here.decide("a", "b", "c")
    receiver.answers = [(410, {})]
    send(here)
    assert len(receiver.requests) == 1
    assert disabled_since(here.store, receiver.url) is not None
    here.clock.pass_by(hours=1)
    send(here)
    assert len(receiver.requests) == 1
    assert message_counts(here.store)["waiting"] == 3
    assert enable_endpoint(here.store, receiver.url)
    receiver.answers = [(204, {})]
    assert send(here)["sent"] == 3


def test_nothing_is_sent_after_an_opt_out_not_even_a_retry(
    company: Make, receiver: Receiver
) -> None:
    here = pushed(company, receiver)
    here.decide("a", "b")
    receiver.answers = [(500, {})]
    receiver.before = lambda: put_consent(here.store, "b", "contact", False, NOON, "test")
    send(here)
    here.clock.pass_by(seconds=6)
    receiver.answers = [(204, {})]
    send(here)
    assert ids(receiver) == ["r-a", "r-a"]
    states = {m.customer_id: (m.status, m.note) for m in messages_of(here.store)}
    assert states["b"] == ("refused", "asked not to be contacted")


def test_two_senders_share_the_work(company: Make, receiver: Receiver) -> None:
    here = pushed(company, receiver)
    here.decide(*"abcde")
    threads = [threading.Thread(target=send, args=(here,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids(receiver)) == [f"r-{name}" for name in "abcde"]


def take(here: Company, holder: str = "one"):  # type: ignore[no-untyped-def]
    lease = timedelta(seconds=10)
    options = {"holder": holder, "lease": lease, "limits": LIMITS, "now_of": here.clock.now}
    return claim(here.store, here.gate(), render, **options).message  # type: ignore[arg-type]


def test_a_sender_that_died_loses_its_lease_and_nothing_else(company: Make) -> None:
    here = company()
    here.decide("a")
    first = take(here)
    assert take(here, "two") is None
    assert underway(here.store, "a", here.clock.now())
    assert not underway(here.store, "a", here.clock.now(), ["sms"])
    here.clock.pass_by(seconds=10)
    assert not underway(here.store, "a", here.clock.now())
    second = take(here, "two")
    assert (second.body, second.token) == (first.body, first.token + 1)
    # the first one comes back: its failure is nobody's business, its success is true
    record_failure(here.store, first, "late", here.clock.now(), LIMITS, here.clock.now())
    assert messages_of(here.store)[0].status == "sending"
    record_delivery(here.store, first, here.clock.now())
    record_failure(here.store, second, "reset", here.clock.now(), LIMITS, here.clock.now())
    assert messages_of(here.store)[0].status == "sent"


def pull(here: Company, after: int = 0, most: int = 10) -> tuple[list[str], int | None]:
    options = {"after": after, "most": most, "take": True, "limits": LIMITS}
    page, follows = hand_out(here.store, here.gate(), now_of=here.clock.now, **options)  # type: ignore[arg-type]
    return [m.customer_id for m, _ in page], follows


def test_an_opt_out_is_handed_out_no_more(company: Make) -> None:
    here = company()
    here.decide("a", "b", "c")
    assert pull(here) == (["a", "b", "c"], None)
    put_consent(here.store, "b", "contact", False, NOON, "test")
    assert pull(here) == (["a", "c"], None)


def test_what_may_be_had_only_later_comes_later_and_no_cursor_passes_it(company: Make) -> None:
    here = company()
    here.clock.at = NOON.replace(hour=9)  # 4 in the morning in Lima
    here.decide("lima", "a", "b")
    first, follows = pull(here, most=1)
    assert (first, follows is not None) == (["a"], True)
    assert follows is not None
    assert pull(here, follows) == (["b"], None)
    last = max(m.handed_out or 0 for m in messages_of(here.store))
    here.clock.at = NOON.replace(hour=14)
    assert pull(here, last) == (["lima"], None)
    assert pull(here)[0] == ["a", "b", "lima"]


def test_outcomes_are_joined_counted_and_settle_what_was_handed_out(company: Make) -> None:
    here = company()
    here.decide("a", "b")
    pull(here, most=1)
    assert record_outcome(here.store, "r-a", "sent", NOON, None, NOON)
    assert not record_outcome(here.store, "r-a", "sent", NOON, None, NOON)
    record_outcome(here.store, "r-a", "disagreed", NOON, None, NOON)
    record_outcome(here.store, "r-b", "disagreed", NOON, None, NOON)
    assert messages_of(here.store, status="sent")[0].customer_id == "a"
    told = {row["outcome"]: row for row in outcome_counts(here.store)}
    assert (told["sent"]["decisions"], told["sent"]["repeats"]) == (1, 1)
    assert (told["disagreed"]["decisions"], told["disagreed"]["never_sent"]) == (2, 1)


def test_what_nobody_carried_out_in_time_expires_in_the_log_and_frees_the_day(
    company: Make,
) -> None:
    here = company(delivery="max_age_hours = 4")
    here.decide("a", "b", run=run_name(NOON))
    day = (NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1))
    assert spent_on(here.store, day).total == 2
    limits = limits_of(here.workspace.settings.delivery)
    here.clock.pass_by(hours=1)
    options = {"after": 0, "most": 1, "take": True, "limits": limits}
    page, _ = hand_out(here.store, here.gate(), now_of=here.clock.now, **options)  # type: ignore[arg-type]
    assert [message.customer_id for message, _ in page] == ["a"]
    here.clock.pass_by(hours=4)
    hand_out(here.store, here.gate(), now_of=here.clock.now, **options)  # type: ignore[arg-type]
    states = {m.customer_id: (m.status, m.note) for m in messages_of(here.store)}
    assert states["a"][0] == "handed_out"  # it left in time
    assert states["b"] == ("expired", "not handed out within 4 hours")
    (entry,) = [d for d in decisions_of(here.store, customer_id="b") if d.get("kind") == "expired"]
    assert entry["of"] == messages_of(here.store, status="expired")[0].decision_id
    assert spent_on(here.store, day).total == 1
    assert expire_decisions(here.store, limits, here.clock.now()) == 0  # once only
    assert verify_log(here.store).entries == 3


def test_a_sender_expires_what_is_too_old_and_a_replay_starts_anew(company: Make) -> None:
    here = company(delivery="max_age_hours = 4")
    here.decide("a")
    here.clock.pass_by(hours=5)
    limits = limits_of(here.workspace.settings.delivery)
    options = {"holder": "t", "lease": timedelta(seconds=10), "limits": limits}
    found = claim(here.store, here.gate(), render, now_of=here.clock.now, **options)  # type: ignore[arg-type]
    assert (found.message, found.expired, found.looked_at) == (None, 1, 1)
    replay(here.store, here.gate(), ["r-a"], here.clock.now())
    again = claim(here.store, here.gate(), render, now_of=here.clock.now, **options)  # type: ignore[arg-type]
    assert again.message is not None
    assert verify_log(here.store).entries == 2
