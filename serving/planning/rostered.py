"""The published roster beside the plan in force: whom it lacks now, and whether the plan has moved.

A roster is made for the plan of its night. Overrides, what-if scenarios and later nights move the
plan; the shifts stand until somebody rosters again.
"""

from __future__ import annotations

import hashlib

from serving.desk import Desk
from serving.planning.in_force import plan_in_force
from serving.published import Published
from serving.shifts import with_gap


def people_on_duty(desk: Desk) -> Published:
    """Channel x interval of the roster that the plan in force reaches: ``needed`` (now),
    ``rostered``, ``gap`` (below 0: so many are missing). NotEnoughHistory without a roster."""
    people, standing = desk.published("roster_people"), plan_in_force(desk)
    key = ("gap", people.about["sha256"], standing.about["sha256"])
    absence = desk.workspace.settings.shifts.absence
    frame = desk.plans.recall(key, lambda: with_gap(people.frame, standing.frame, absence))
    digest = hashlib.sha256("".join(key).encode()).hexdigest()
    return Published(frame, {**people.about, "sha256": digest})


def has_moved(desk: Desk) -> bool:
    """Whether the plan in force needs others, from now on, than the roster was made for."""
    now, made_for = people_on_duty(desk).frame, desk.published("roster_people").frame
    both = now.merge(made_for, on=["channel", "starts_at"], suffixes=("", "_then"))
    moved = both["needed"] != both["needed_then"]
    return bool((moved & (both["ends_at"] > desk.now())).any())
