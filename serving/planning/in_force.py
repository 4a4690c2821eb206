"""The plan in force: what was published, or locked, with the overrides that are in force now.

Every answer about people asks here, so a heat map, a headline, a file and a what-if tell the same
figure at the same time. An override moves the plan with the next question: the days that it touches
are planned again and kept in memory, and nothing has to be run by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pandas as pd

from data.errors import NotEnoughHistory
from data.settings import Settings
from data.store import Override, overrides_of, publication
from serving.desk import Desk
from serving.planning.assumptions import of_json
from serving.planning.replanning import Standing, replanned
from serving.planning.spans import local_days_of
from serving.planning.versions import VERSION, locked
from serving.published import Published
from serving.staffing.basis import Basis, basis_stamp, open_basis
from serving.staffing.changes import Changes


def published_plan(desk: Desk) -> Published:
    """The plan as published, without later overrides: the locked version, or the newest."""
    lock = locked(desk.store)
    if lock is None:
        return desk.published("staffing")
    key = ("version", lock.version)
    plan: Published | None = desk.plans.recall(key, lambda: _version(desk, lock.version))
    if plan is None:
        raise NotEnoughHistory(f"the locked version {lock.version} is not in the store; unlock it")
    return plan


def _version(desk: Desk, version: int) -> Published | None:
    version_row = publication(desk.store, VERSION, version)
    if version_row is None:
        return None
    issue, frame = version_row
    about = {
        "as_of": issue.as_of.isoformat(),
        "published_at": issue.issued_at.isoformat(),
        "model_version": issue.model_version,
        "sha256": hashlib.sha256(f"version {version}".encode()).hexdigest(),
        **issue.meta,
        "version": version,
    }
    return Published(frame, about)


def assumed_in_force(desk: Desk) -> Changes:
    """The assumptions of the scenario that is the plan; none where none was published."""
    assumptions = published_plan(desk).about.get("assumed")
    return of_json(assumptions) if assumptions else Changes()


def settings_in_force(desk: Desk) -> Settings:
    """The workspace's settings, as the published scenario changes them."""
    return assumed_in_force(desk).settings(desk.workspace.settings)


def standing_with(desk: Desk, overrides: Sequence[Override]) -> Standing:
    """What the plan in force is made from, with these overrides."""
    state_dir = desk.workspace.state_dir
    key = ("basis", basis_stamp(state_dir), published_plan(desk).about["sha256"])

    def opened() -> Basis:
        staffing = published_plan(desk)
        basis = open_basis(state_dir)
        if "basis" not in staffing.about:  # a plan published before plans said what they stand on
            rows = staffing.frame.groupby("channel")["handle_seconds"].first()
            basis = replace(basis, handle=rows.astype(float).to_dict())
        return replace(basis, plan=staffing.frame)

    basis: Basis = desk.plans.recall(key, opened)
    return Standing(basis, desk.workspace.settings, assumed_in_force(desk), tuple(overrides))


def standing_overrides(desk: Desk) -> list[Override]:
    """The overrides that the plan in force stands on."""
    numbers = set(plan_in_force(desk).about.get("overrides", []))
    return [one for one in overrides_of(desk.store) if one.seq in numbers]


def plan_in_force(desk: Desk) -> Published:
    """The plan as of now. ``about`` says what it stands on: ``version``, ``overrides`` (numbers),
    ``locked``, ``replanned``.
    """
    now = desk.now()
    staffing = published_plan(desk)
    if locked(desk.store) is not None:
        return Published(staffing.frame, {**staffing.about, "locked": True, "replanned": False})
    every = overrides_of(desk.store)
    in_force = [one for one in every if one.in_force(now)]
    changed = _changed(staffing, every, in_force)
    about = {
        **staffing.about,
        "overrides": [one.seq for one in in_force],
        "locked": False,
        "replanned": bool(changed),
    }
    if not changed:
        return Published(staffing.frame, about)
    forecast = desk.published("forecast")
    numbers = (tuple(one.seq for one in changed), tuple(about["overrides"]))
    key = ("in force", staffing.about["sha256"], forecast.about["sha256"], numbers)
    frame = desk.plans.recall(key, lambda: _again(desk, staffing, changed, in_force, now))
    digest = json.dumps([staffing.about["sha256"], numbers]).encode()
    return Published(frame, {**about, "sha256": hashlib.sha256(digest).hexdigest()})


def _changed(
    staffing: Published, every: list[Override], in_force: list[Override]
) -> list[Override]:
    """The overrides that came into force, or ended, since the plan was published, and reach it."""
    before = set(staffing.about.get("overrides", []))
    now = {one.seq for one in in_force}
    first, last = staffing.frame["starts_at"].min(), staffing.frame["starts_at"].max()
    return [
        one
        for one in every
        if one.seq in before ^ now and one.ends_at > first and one.starts_at <= last
    ]


def _again(
    desk: Desk,
    staffing: Published,
    changed: list[Override],
    in_force: list[Override],
    now: datetime,
) -> pd.DataFrame:
    zone = desk.workspace.settings.company.time_zone
    days = local_days_of(staffing.frame["starts_at"], zone)
    return replanned(staffing.frame, standing_with(desk, in_force), changed, now, days)
