"""Outreach: the decided actions in order, what became of them, and consent."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET

from data.store import CONTACT, actions_of, erased_of, put_consent, record_outcome
from serving.api.handlers.customers import known_tables
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.tables import MAX_ROWS, naive, page_size, whole
from serving.customer_view import consent_state, told_action
from serving.delivery.pulled import handed_out, until_sent
from serving.delivery.sender import limits_of
from serving.desk import Desk

PAGE = 100
MOST = 1000


def list_outreach(desk: Desk, call: Call) -> Answer:
    """The actions that may be taken, in the order in which they were first handed out; each has a
    cursor to go on after. Whoever may not be contacted any more is left out: consent, hold-out and
    caps are read again now, and quiet hours say when. Where decisions are pushed, those delivered.
    """
    text = call.parameters.get("after") or "0"
    after = whole(text, MAX_ROWS)
    if after is None:
        raise Problem(400, "cursor", f"after={text!r} is no cursor; take `next` of the last page")
    page, follows = handed_out(desk, after, page_size(call, PAGE, MOST))
    items, lasts = [], limits_of(desk.workspace.settings.delivery).age
    for message, verdict in page:
        opens, closes = verdict.span
        item = {**told_action(message.decision), "cursor": str(message.handed_out)}
        item |= {"not_before": _utc(opens), "not_after": _utc(closes)}
        items.append({**item, "expires_at": _utc(message.queued_at + lasts)})
    return Answer({"items": items, "next": None if follows is None else str(follows)})


def report_outcome(desk: Desk, call: Call) -> Answer:
    """Record what became of an action; the same outcome at the same time is recorded once."""
    outreach_id, report, now = call.parameters["id"], call.body, desk.now()
    actions = actions_of(desk.store, decision_id=outreach_id)
    if not actions:
        raise Problem(404, "no-such-outreach", f"no action {outreach_id!r} was decided")
    at, decided = naive(report.at, "at"), datetime.fromisoformat(actions[0]["as_of"])
    wrong = f"which lies ahead of the service's {now.isoformat()}Z" if at > now else ""
    if at < decided:
        wrong = f"which lies before {decided.isoformat()}Z, as of which it was decided"
    if wrong:
        wrong = f"at is {at.isoformat()}Z, {wrong}"
        raise Problem(422, "body", wrong, errors=[{"at": "$.at", "message": wrong}])
    new = record_outcome(desk.store, outreach_id, report.outcome, at, report.note, now)
    recorded = {"outreach_id": outreach_id, "outcome": report.outcome, "at": at.isoformat() + "Z"}
    return Answer(recorded if new else {**recorded, "repeated": True})


def change_consent(desk: Desk, call: Call) -> Answer:
    """Opt in or out; holds from the answer on: what is being sent is waited for."""
    customer_id, consent = call.parameters["id"], call.body
    words = {
        channel: granted
        for channel, granted in (
            ("email", consent.email_consent),
            ("sms", consent.sms_consent),
            ("phone", consent.phone_consent),
        )
        if granted is not UNSET
    }
    if consent.do_not_contact is not UNSET:
        words[CONTACT] = not consent.do_not_contact
    if not words:
        detail = "name at least one of email_consent, sms_consent, phone_consent, do_not_contact"
        raise Problem(422, "body", detail, errors=[{"at": "$", "message": detail}])
    if erased_of(desk.store).names({"customer_id": customer_id}):
        detail = "that customer was erased: nothing is held of them, and nothing is sent"
        raise Problem(404, "erased", detail)
    # who refuses is heard at once, and held to when they turn up; a grant needs somebody
    granting = any(words.values())
    tables = known_tables(desk, customer_id) if granting else desk.live.rows_of([customer_id])
    for channel, granted in sorted(words.items(), key=lambda word: bool(word[1])):
        # refusals first: whatever happens between two writes, no refusal is passed over
        put_consent(
            desk.store, customer_id, channel, bool(granted), desk.now(), f"key {call.actor}"
        )
    refused = [channel for channel, granted in words.items() if not granted]
    if refused:
        until_sent(desk, customer_id, refused)
    return Answer(consent_state(tables, desk.store, customer_id, desk.now()))


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat() + "Z"
