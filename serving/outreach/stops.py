"""Which actions have stopped themselves, as the decision log says.

An action that harms is noted once in the log (verdicts.py), and the note stands: deciding, handing
out, sending and queuing again by hand read it. Later decisions may widen the interval of its effect
again; the interval that excluded zero was right on whichever day it was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from data.store import Store, notes_in
from serving.outreach.actions import ACTIONS

STOPPED = "outreach-stopped"
"""The kind of the log's note on an action that stopped itself."""
WORDS = "the action has stopped: it harms"


def actions_called(names: Iterable[str]) -> frozenset[str]:
    """The catalogue's names of actions that go by one of these, or went by it in past campaigns.

    >>> sorted(actions_called(["replacement_offer", "nothing of ours"]))
    ['replacement']
    """
    known = set(names)
    return frozenset(a.name for a in ACTIONS if not known.isdisjoint((a.name, *a.also)))


def stopped_in(connection: Any) -> frozenset[str]:
    """The actions that have stopped, in the store's transaction: a note of any moment before."""
    return actions_called(note["action"] for _, _, note in notes_in(connection, STOPPED))


def stopped_by(store: Store) -> frozenset[str]:
    """The actions that have stopped by now."""
    with store.reading() as connection:
        return stopped_in(connection)
