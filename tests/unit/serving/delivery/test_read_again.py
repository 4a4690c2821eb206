"""Every rule is read again whenever a contact may leave: sent, handed out, replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from data.store import (
    Judge,
    Limits,
    Verdict,
    append_note,
    claim,
    hand_out,
    messages_of,
    put_consent,
    record_failure,
    replay,
)
from data.store.schema import DECISION_TEXTS
from serving.outreach.stops import STOPPED, WORDS, stopped_by

from .conftest import Company

Make = Callable[..., Company]
LIMITS = Limits(9, timedelta(days=3))
LEASE = timedelta(seconds=10)


def opts_out(here: Company) -> None:
    put_consent(here.store, "a", "email", False, here.clock.now(), "test")


def becomes_late(here: Company) -> None:
    here.clock.pass_by(hours=11)  # 23:00


def is_used_up(here: Company) -> None:
    here.decide("b", run="other")
    other = claim(here.store, only("other-b"), lambda m: b"x", holder="t", lease=LEASE,
                  limits=LIMITS, now_of=here.clock.now)  # fmt: skip
    assert other.message is not None and other.message.decision_id == "other-b"


def stops(here: Company) -> None:
    append_note(here.store, STOPPED, {"action": "check_in"}, here.clock.now())
    assert stopped_by(here.store) == {"check_in"}


def promises_the_past(here: Company) -> None:
    """The text says that the order comes on 1 March, and it is the 2nd."""
    texts = DECISION_TEXTS.c
    text = json.dumps({"arm": "treat", "message": {"text": "...", "good_until": "2026-03-01"}})
    with here.store.writing() as connection:
        connection.execute(sa.update(DECISION_TEXTS).values(payload=text).where(texts.seq == 1))


def is_held_out(here: Company) -> None:
    file = here.workspace.path / "presage.toml"
    file.write_text(file.read_text().replace("holdout_share = 0", "holdout_share = 0.999999"))
    here.workspace = type(here.workspace).open(here.workspace.path)


def only(decision_id: str) -> Judge:
    """A judge who lets one message go, whatever the rules say."""
    return lambda _, messages, now: [
        Verdict(message.decision_id == decision_id, "another", now) for message in messages
    ]


FORBIDS = {
    opts_out: "no consent for email",
    is_used_up: "the day's 1 contacts are used",
    stops: WORDS,
    is_held_out: "is in the hold-out",
    promises_the_past: "its text promises a day that has passed",
    becomes_late: "quiet hours where the customer lives",
}


def sent(here: Company) -> str | None:
    """Why the message was not sent; None: it was."""
    taken = claim(here.store, here.gate(), lambda m: b"x", holder="t", lease=LEASE, limits=LIMITS,
                  now_of=here.clock.now).message  # fmt: skip
    return why(here) if taken is None or taken.decision_id != "r-a" else None


def handed_out(here: Company) -> str | None:
    options = {"after": 0, "most": 9, "take": True, "limits": LIMITS, "now_of": here.clock.now}
    page, _ = hand_out(here.store, here.gate(), **options)  # type: ignore[arg-type]
    if "r-a" in [message.decision_id for message, _ in page]:
        return None
    (verdict,) = judged(here)
    return verdict.reason


def replayed(here: Company) -> str | None:
    ((message, verdict),) = replay(here.store, here.gate(), ["r-a"], here.clock.now())
    (after,) = messages_of(here.store, decision_ids=["r-a"])
    if verdict.until is None and not verdict.allowed:
        assert after == message  # it stays as it is
    elif not verdict.allowed:
        assert after.next_attempt_at == verdict.until > here.clock.now()
    return verdict.reason or None


def judged(here: Company) -> list[Verdict]:
    messages = messages_of(here.store, decision_ids=["r-a"])
    with here.store.reading() as connection:
        return here.gate()(connection, messages, here.clock.now())


def why(here: Company) -> str | None:
    return messages_of(here.store, decision_ids=["r-a"])[0].note


@pytest.mark.parametrize("leaves", [sent, handed_out, replayed], ids=lambda f: f.__name__)
@pytest.mark.parametrize("happens", FORBIDS, ids=lambda f: f.__name__)
def test_what_forbids_a_contact_since_it_was_decided_is_read_again(
    company: Make, happens: Callable[[Company], None], leaves: Callable[[Company], str | None]
) -> None:
    here = company("capacity_per_day = 1" if happens is is_used_up else "")
    here.decide("a")
    happens(here)
    assert leaves(here) == FORBIDS[happens]


@pytest.mark.parametrize("leaves", [sent, handed_out, replayed], ids=lambda f: f.__name__)
def test_what_nothing_forbids_leaves(
    company: Make, leaves: Callable[[Company], str | None]
) -> None:
    here = company()
    here.decide("a")
    assert leaves(here) is None


def test_a_replay_by_hand_sends_nothing_by_an_action_that_has_stopped(company: Make) -> None:
    """What had left before it stopped, and what failed, is not sent once more."""
    here = company()
    here.decide("a")
    first = claim(here.store, here.gate(), lambda m: b"x", holder="t", lease=LEASE, limits=LIMITS,
                  now_of=here.clock.now).message  # fmt: skip
    assert first is not None
    now = here.clock.now()
    assert not record_failure(here.store, first, "HTTP 500", now, Limits(1, LIMITS.age), now)
    stops(here)
    ((_, verdict),) = replay(here.store, here.gate(), ["r-a"], now)
    assert (verdict.allowed, verdict.until, verdict.reason) == (False, None, WORDS)
    assert messages_of(here.store)[0].status == "dead"
    # queued by an older release before it stopped: the sender refuses it
    replay(here.store, only("r-a"), ["r-a"], now)
    assert messages_of(here.store)[0].status == "waiting"
    assert sent(here) == WORDS and messages_of(here.store)[0].status == "refused"
