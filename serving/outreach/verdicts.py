"""What may be claimed of each action on any day, when the rest will be known, and what stops.

Claims stand on always-valid intervals (models/uplift): whoever looks every morning is told no more
lies than who looks once. What is not known yet has a date: by then an effect of ``TARGET`` of the
complaints will be found, at the rate of decisions of the last four weeks. An action that harms
**stops itself**: nobody is contacted by it any more, to learn neither, and the decision log says
why. One whose effect was seen to differ between customers goes on for those whom it helps.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from data.errors import DataError
from data.store import Store, append_note, notes_of, refuse_waiting
from models.uplift import (
    Measured,
    Trial,
    has_both,
    known_on,
    measure,
    measure_by,
    minimum_detectable,
    planned_se,
    stop,
)
from models.uplift.relative import MIN_ROWS
from serving.outreach.stops import STOPPED, WORDS, actions_called
from serving.records import finite, records

TARGET = 0.2
"""The effect that a date is told for: a fifth of the complaints."""
RATE_DAYS = 28
LITTLE = "too few contacts have been tried and 30 days old to claim anything"


@dataclass(frozen=True)
class Verdict:
    """One action as known today. ``smallest``: the least effect that would be found four times in
    five, ``known_on``: by when one of ``TARGET`` would be (None: not in ten years); ``stops``: why
    nobody is contacted by it any more, or None."""

    measured: Measured
    smallest: float
    known_on: datetime | None
    stops: str | None


def verdicts(past: Trial | None, as_of: datetime, helping: Collection[str] = ()) -> list[Verdict]:
    """A verdict on every action that was tried ``MIN_ROWS`` times in each arm; ``helping``: those
    whose effect differs between customers, and helps some."""
    items: list[Verdict] = []
    for name in () if past is None else past.actions:
        assert past is not None
        if not has_both(past, name):
            continue
        one = _measured(past, name)
        if min(one.contacted, one.left_alone) < MIN_ROWS or one.se <= 0:
            continue
        rows = one.contacted + one.left_alone
        size = TARGET * one.rate_left_alone
        items.append(
            Verdict(
                one,
                minimum_detectable(one.se, rows),
                known_on(one.se, decisions=rows, per_day=_per_day(past, name, as_of), effect=size,
                         as_of=as_of) if size > 0 else None,
                None if name in helping else stop([one]),
            )
        )  # fmt: skip
    return items


def breakdowns(past: Trial | None) -> dict[str, list[dict[str, Any]]]:
    """The effect on complaints by action, channel and segment, as far as decisions name them: the
    rows of ``measure_by``, what is not known null."""
    if past is None:
        return {}
    plain = Trial(past.frame.drop(columns=["risk"], errors="ignore"))
    named = [by for by in ("action", "channel", "segment") if by in plain.frame]
    tables = {by: measure_by(plain, by) for by in named if plain.frame[by].notna().any()}
    return {by: [finite(row) for row in records(one)] for by, one in tables.items() if len(one)}


def verdict_lines(items: Sequence[Verdict], expected: str | None) -> list[str]:
    """The verdicts in words; without any ``expected``, what exploring is going to tell."""
    if not items:
        return [] if expected is None else [expected]
    lines = []
    for each in items:
        one = each.measured
        base = one.rate_left_alone or np.nan
        known = np.isfinite(one.always_low)
        sure = (
            f"{one.always_low / base:+.0%} to {one.always_high / base:+.0%} on whichever day one "
            "looks"
            if known
            else "an arm has seen fewer than ten complaints"
        )
        line = (
            f"past contacts ({one.action}, {one.contacted} contacted, {one.left_alone} left alone) "
            f"changed complaints by {one.relative:+.0%} ({sure}): "
        )
        if one.verdict == "not known":
            line += f"not known yet; an effect of {TARGET:.0%} will be found {_by(each.known_on)}, "
            line += f"one of {each.smallest / base:.0%} would be now"
        else:
            line += one.verdict + (
                ", and has stopped: nobody is contacted by it" * bool(each.stops)
            )
        lines.append(f"{line}; uncontacted, {one.rate_left_alone:.1%} complain within 30 days")
    return lines


def expected_line(rate: float, contacted: float, left_alone: float, as_of: datetime) -> str | None:
    """By when exploring is going to tell, before anything is known: ``rate`` of complaints,
    customers ``contacted`` and ``left_alone`` a day. None where there is nothing to compare."""
    if not 0 < rate < 1 or left_alone <= 0:
        return None
    if contacted <= 0:
        return f"{LITTLE}, and nobody is drawn to learn: raise [outreach] explore_share"
    one_day = planned_se(rate, contacted, left_alone)
    rows = contacted + left_alone
    when = known_on(one_day, decisions=rows, per_day=rows, effect=TARGET * rate, as_of=as_of)
    smallest = minimum_detectable(one_day / RATE_DAYS**0.5, rows * RATE_DAYS) / rate
    return (
        f"{LITTLE}. At {contacted:.0f} drawn a day an effect of {TARGET:.0%} of the complaints "
        f"will be found {_by(when)}, and one of {min(smallest, 1):.0%} in four weeks; what came of "
        "a contact is counted 30 days after it"
    )


def note_stops(store: Store, items: Sequence[Verdict], now: datetime) -> list[str]:
    """Write into the decision log which actions have stopped and why, each once; the new ones.
    What waits to be handed out or sent by one that has stopped is refused."""
    in_log = {note["action"] for _, _, note in notes_of(store, STOPPED)}
    new = [each for each in items if each.stops and each.measured.action not in in_log]
    for each in new:
        note = {"action": each.measured.action, "because": each.stops}
        append_note(store, STOPPED, note, now)
    for name in sorted(actions_called(each.measured.action for each in items if each.stops)):
        refuse_waiting(store, name, WORDS, now)
    return [each.measured.action for each in new]


def _measured(past: Trial, name: str) -> Measured:
    """With the predicted risk, or without where decisions lack it."""
    try:
        return measure(past, "complained", name)
    except DataError:
        return measure(Trial(past.frame.drop(columns=["risk"])), "complained", name)


def _per_day(past: Trial, name: str, as_of: datetime) -> float:
    """Decisions a day that compare the action with leaving alone, over the newest four weeks whose
    outcome is known."""
    newest = past.frame["time"].max()
    recent = past.frame[past.frame["time"] > newest - timedelta(days=RATE_DAYS)]
    offered = recent["offered"] if "offered" in recent else recent["action"]
    return float(((offered == name) | (recent["action"] == name)).sum()) / RATE_DAYS


def _by(moment: datetime | None) -> str:
    return f"by {moment:%Y-%m-%d}" if moment else "not within ten years at this rate"
