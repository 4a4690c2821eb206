"""Decisions for a caller who pulls them, and an opt-out that holds from its answer on."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace

from data.store import (
    CONTACT,
    EVERY_CHANNEL,
    Message,
    Verdict,
    ahead,
    disabled_since,
    hand_out,
    underway,
)
from serving.delivery.sender import MARGIN_SECONDS, limits_of
from serving.desk import Desk
from serving.outreach.still_allowed import standing_of

POLL_SECONDS = 0.02


def handed_out(
    desk: Desk, after: int, most: int
) -> tuple[list[tuple[Message, Verdict]], int | None]:
    """The messages that may be acted upon now, and the number to go on after (None: no more).

    What waits is handed out where nobody pushes it: no endpoint is set, or it was disabled. Quiet
    hours hold nothing back here: each verdict's ``span`` says when it may be acted upon.
    """
    settings, tables = desk.workspace.settings, desk.live.tables()
    delivery = settings.delivery
    pushed = bool(delivery.endpoint) and disabled_since(desk.store, delivery.endpoint) is None
    now = desk.now()
    desk.gate.people.look(now)
    near = [m.customer_id for m in ahead(desk.store, after, most, now, take=not pushed)]
    return hand_out(
        desk.store,
        replace(desk.gate, standing=standing_of(tables, settings, near, now), waits=False),
        after=after,
        most=most,
        take=not pushed,
        limits=limits_of(delivery),
        now_of=desk.now,
    )


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
