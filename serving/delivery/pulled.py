"""Decisions for a caller who pulls them, and an opt-out that holds from its answer on."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from data.store import (
    CONTACT,
    EVERY_CHANNEL,
    Message,
    ahead,
    disabled_since,
    hand_out,
    underway,
)
from serving.delivery.sender import MARGIN_SECONDS, limits_of
from serving.delivery.standing import refusals
from serving.desk import Desk
from serving.outreach.quiet import window

POLL_SECONDS = 0.02


def handed_out(desk: Desk, after: int, most: int) -> tuple[list[Message], int | None]:
    """The messages that may be acted upon now, and the number to go on after (None: no more).

    What waits is handed out where nobody pushes it: no endpoint is set, or it was disabled. Quiet
    hours hold nothing back here: ``spans`` says when each may be acted upon.
    """
    delivery = desk.workspace.settings.delivery
    pushed = bool(delivery.endpoint) and disabled_since(desk.store, delivery.endpoint) is None
    now = desk.now()
    desk.gate.people.from_tables([], now)  # read before the store is held
    near = ahead(desk.store, after, most, now, take=not pushed)
    refused = refusals(desk.live.tables(), desk.store, desk.workspace.settings, near, now)
    return hand_out(
        desk.store,
        replace(desk.gate, refused=refused, waits=False),
        after=after,
        most=most,
        take=not pushed,
        limits=limits_of(delivery),
        now_of=desk.now,
    )


def spans(messages: Sequence[Message], desk: Desk) -> list[tuple[datetime | None, datetime | None]]:
    """From when to when each message may be acted upon, by the customer's own clock."""
    policy, own = desk.workspace.settings.outreach, desk.workspace.settings.company.time_zone
    now = desk.now()
    ids = [message.customer_id for message in messages]
    with desk.store.reading() as connection:
        people = desk.gate.people.of(connection, ids, now)
    found = [
        window(now, people[i].time_zone or own, policy.quiet_from, policy.quiet_to) for i in ids
    ]
    return [(None, None) if span is None else span for span in found]


def until_sent(desk: Desk, customer_id: str, refused: Collection[str]) -> None:
    """Wait until no message of the refused channels is on its way to the customer.

    A message that was marked before the refusal was committed may still be travelling. It has left,
    or its lease is over, within one attempt's time; no other one is marked since.
    """
    every = {CONTACT, EVERY_CHANNEL} & set(refused)
    channels = None if every else list(refused)
    waiting = threading.Event()
    most = desk.workspace.settings.delivery.timeout_seconds + 2 * MARGIN_SECONDS
    for _ in range(int(most / POLL_SECONDS)):
        if not underway(desk.store, customer_id, desk.now(), channels):
            return
        waiting.wait(POLL_SECONDS)
