"""A scenario or an earlier version made the plan in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from data.store import (
    Scenario,
    Store,
    mark_published,
    overrides_of,
    registry_event,
    registry_history,
)
from serving.desk import Desk
from serving.planning.assumptions import of_json
from serving.planning.in_force import plan_in_force, standing_with
from serving.planning.replanning import spliced
from serving.planning.versions import (
    VERSION,
    keep_version,
    lock_version,
    locked,
    read_version,
    refuse_if_locked,
)
from serving.published import publish

NIGHTLY = "presage staff"
OWN = ("file", "sha256", "rows", "as_of", "published_at", "model_version", "locked", "replanned")
"""What ``about`` says of one file and no other."""


def publish_scenario(desk: Desk, scenario: Scenario, author: str) -> int:
    """Plan the whole horizon under a scenario's assumptions, play it contact by contact and put it
    in force; its version.

    What has passed stays as it was. Conflict where the plan is locked.
    """
    refuse_if_locked(desk.store)
    now = desk.now()
    in_force = [one for one in overrides_of(desk.store) if one.in_force(now)]
    staffing, before = desk.published("staffing"), plan_in_force(desk).frame
    played = standing_with(desk, in_force).played(of_json(scenario.payload))
    frame = spliced(before, played.frame, now, before["ends_at"].max())
    about = {
        **_carried(staffing.about),
        **played.document(),
        "overrides": [one.seq for one in in_force],
        "assumed": dict(scenario.payload),
        "scenario": scenario.name,
    }
    if "basis" in staffing.about:
        about["basis"] = {**staffing.about["basis"], "pace": dict(played.pace)}
    version = _put(desk, frame, staffing.about, about, author=author, reason=scenario.reason)
    mark_published(desk.store, scenario.seq, now)
    return version


def restore(desk: Desk, number: int, author: str, reason: str) -> int:
    """Put an earlier version in force again, as a new version; its number.

    Overrides made since still hold: withdraw them to undo them.
    """
    refuse_if_locked(desk.store)
    issue, frame = read_version(desk.store, number)
    of_then = {"as_of": issue.as_of.isoformat(), "model_version": issue.model_version}
    about = {**_carried(dict(issue.meta)), "restored": number}
    return _put(desk, frame, of_then, about, author=author, reason=reason, event="rolled back")


def lock(desk: Desk, author: str, reason: str) -> int:
    """Hold the plan as it stands now, overrides included, until it is unlocked; its version."""
    refuse_if_locked(desk.store)
    now = desk.now()
    standing = plan_in_force(desk)
    version = keep_version(
        desk.store,
        standing.frame,
        as_of=standing.as_of,
        now=now,
        model_version=standing.about.get("model_version") or "",
        author=author,
        reason=reason,
        about=_carried(standing.about),
    )
    lock_version(desk.store, version, author=author, reason=reason, now=now)
    assert locked(desk.store) is not None
    return version


def _carried(about: Mapping[str, Any]) -> dict[str, Any]:
    dropped = (*OWN, "version", "author", "reason", "restored")
    return {name: value for name, value in about.items() if name not in dropped}


def put_in_force(
    store: Store,
    state_dir: Path,
    frame: pd.DataFrame,
    as_of: datetime,
    now: datetime,
    model_version: str,
    about: Mapping[str, Any],
    *,
    author: str = NIGHTLY,
    reason: str = "planned from the forecast",
    event: str = "published",
) -> int:
    """Keep a plan as a version and publish it; its number. Where a version is locked, that one
    stays in force until it is unlocked.
    """
    version = keep_version(
        store,
        frame,
        as_of=as_of,
        now=now,
        model_version=model_version,
        author=author,
        reason=reason,
        about=about,
    )
    details_of_plan = {**about, "version": version, "author": author, "reason": reason}
    details_of_plan["model_version"] = model_version
    publish(state_dir, "staffing", frame, as_of=as_of, now=now, **details_of_plan)
    last = registry_history(store, VERSION)[-1:]
    if not any((one["version"], one["event"]) == (str(version), event) for one in last):
        details = {"reason": reason}
        registry_event(store, VERSION, str(version), event, now, author=author, details=details)
    return version


def _put(
    desk: Desk,
    frame: pd.DataFrame,
    stands_on: Mapping[str, Any],
    about: Mapping[str, Any],
    **record: str,
) -> int:
    return put_in_force(
        desk.store,
        desk.workspace.state_dir,
        frame,
        datetime.fromisoformat(stands_on["as_of"]),
        desk.now(),
        stands_on.get("model_version") or "",
        about,
        **record,
    )
