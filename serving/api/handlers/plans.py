"""What if, scenarios, and versions of the plan: published, locked, rolled back."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

from data.errors import DataError, NotEnoughHistory, UsageError
from data.store import Scenario, save_scenario, scenarios_of
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.schemas_planning import (
    Assumed,
    Because,
    CampaignSpan,
    ClosedSpan,
    NewScenario,
    WhatIf,
)
from serving.api.tables import parse_moment, whole
from serving.desk import Desk
from serving.planning.assumptions import TIMES, as_json, of_json
from serving.planning.in_force import plan_in_force, published_plan
from serving.planning.publishing import lock, publish_scenario, restore
from serving.planning.spans import company_time
from serving.planning.versions import locked, unlock, versions_of
from serving.planning.what_if import compare, people_range, span_of, tornado
from serving.records import finite, records
from serving.staffing.changes import EVERY, PROMISES, Changes, Span


def ask_what_if(desk: Desk, call: Call) -> Answer:
    """The plan under other assumptions beside the one in force; nothing is kept."""
    question: WhatIf = call.body
    began = time.perf_counter()
    starts, ends = _span(desk, question)
    compared = compare(desk, _assumptions(desk, question.assumed), starts, ends)
    seconds = time.perf_counter() - began
    first, last = span_of(desk, starts, ends)
    sums_of = compared.sums(question.hourly_cost)
    return Answer(
        {
            "starts_at": first.isoformat() + "Z",
            "ends_at": last.isoformat() + "Z",
            **{name: finite(sums) for name, sums in sums_of.items()},
            "items": records(compared.rows()),
            "seconds": seconds,
            "sensitivity": tornado(desk, starts, ends) if question.sensitivity else [],
        }
    )


def see_range(desk: Desk, call: Call) -> Answer:
    """People that keep each promise in 50, 80 and 90 % of scenarios, beside the plan's."""
    frame = people_range(desk, parse_moment(call, "from"), parse_moment(call, "to"))
    wanted = call.parameters.get("channel")
    return Answer({"items": records(frame[frame["channel"] == wanted] if wanted else frame)})


def add_scenario(desk: Desk, call: Call) -> Answer:
    """Keep assumptions under a name, as a draft; its plan is shown beside the one in force."""
    new: NewScenario = call.body
    name, reason = _not_blank(new.name, "name"), _not_blank(new.reason, "reason")
    assumed = _assumptions(desk, new.assumed)
    compare(desk, assumed, None, None)  # what cannot be planned is refused now
    scenario = save_scenario(
        desk.store,
        name=name,
        author=call.actor,
        reason=reason,
        payload=as_json(assumed),
        now=desk.now(),
    )
    return Answer(_scenario(desk, scenario))


def see_scenarios(desk: Desk, call: Call) -> Answer:
    """All scenarios, each planned over the coming week beside the plan in force."""
    return Answer({"items": [_scenario(desk, one) for one in scenarios_of(desk.store)]})


def publish_plan(desk: Desk, call: Call) -> Answer:
    """Make a scenario the plan: the whole horizon is planned under its assumptions."""
    scenarios = [
        one for one in scenarios_of(desk.store) if call.parameters["id"] in (str(one.seq), one.name)
    ]
    if not scenarios:
        detail = f"there is no scenario {call.parameters['id']!r}; /v1/scenarios lists them"
        raise Problem(404, "no-such-scenario", detail)
    publish_scenario(desk, scenarios[0], call.actor)
    return see_versions(desk, call)


def see_versions(desk: Desk, call: Call) -> Answer:
    """The last versions of the plan, and which one is in force."""
    held = locked(desk.store)
    standing = published_plan(desk).about.get("version")
    items = [
        {
            "version": one.seq,
            "published_at": one.issued_at.isoformat() + "Z",
            "as_of": one.as_of.isoformat() + "Z",
            "author": one.meta.get("author", "presage"),
            "reason": one.meta.get("reason", ""),
            "scenario": one.meta.get("scenario"),
            "restored": one.meta.get("restored"),
            "overrides": list(one.meta.get("overrides", [])),
            "in_force": one.seq == standing,
            "locked": held is not None and one.seq == held.version,
        }
        for one in versions_of(desk.store)
    ]
    return Answer({"items": items})


def restore_plan(desk: Desk, call: Call) -> Answer:
    """Roll back: an earlier version is in force again, as a new version."""
    number = whole(call.parameters["id"], 10**12)
    if number is None or number not in {one.seq for one in versions_of(desk.store)}:
        detail = f"there is no version {call.parameters['id']!r}; /v1/plans lists them"
        raise Problem(404, "no-such-version", detail)
    restore(desk, number, call.actor, _reason(call))
    return see_versions(desk, call)


def lock_plan(desk: Desk, call: Call) -> Answer:
    """Hold the plan as it stands until it is unlocked."""
    lock(desk, call.actor, _reason(call))
    return see_versions(desk, call)


def unlock_plan(desk: Desk, call: Call) -> Answer:
    """Let the newest plan be in force again."""
    unlock(desk.store, author=call.actor, reason=_reason(call), now=desk.now())
    return see_versions(desk, call)


def lock_told(desk: Desk) -> dict[str, Any] | None:
    """The lock in force as a value for JSON."""
    held = locked(desk.store)
    return None if held is None else {**asdict(held), "since": held.since.isoformat() + "Z"}


def _reason(call: Call) -> str:
    because: Because = call.body
    return _not_blank(because.reason, "reason")


def _not_blank(text: str, name: str) -> str:
    if not text.strip():
        raise UsageError(f"{name} is blank; say it, for whoever reads the plan later")
    return text.strip()


def _span(desk: Desk, question: WhatIf) -> tuple[datetime | None, datetime | None]:
    zone = desk.workspace.settings.company.time_zone
    starts = (
        None if question.starts_at is None else company_time(question.starts_at, "starts_at", zone)
    )
    ends = None if question.ends_at is None else company_time(question.ends_at, "ends_at", zone)
    return starts, ends


def _assumptions(desk: Desk, assumed: Assumed) -> Changes:
    """What was asked as changes of the plan; UsageError names what cannot be."""
    zone = desk.workspace.settings.company.time_zone

    def span(one: ClosedSpan | CampaignSpan, factor: float = 1.0) -> Span:
        starts, ends = (company_time(getattr(one, at), at, zone) for at in TIMES)
        return Span(starts, ends, one.channel, factor)

    promises = {
        name: {
            channel: value
            for channel, promise in assumed.service_levels.items()
            if (value := getattr(promise, name)) is not None
        }
        for name in PROMISES
    }
    volume, prevented = _by_channel(assumed.volume), _by_channel(assumed.prevented)
    for channel, share in prevented.items():
        if not 0 <= share <= 1:
            raise UsageError(f"prevented is {share:g}, but a share lies between 0 and 1")
        volume[channel] = volume.get(channel, volume.get(EVERY, 1.0)) * (1 - share)
    campaigns = [(one, span(one)) for one in assumed.campaigns]
    changes = Changes(
        volume={} if volume == {EVERY: 1.0} else volume,
        handle={} if assumed.handle_time == 1 else _by_channel(assumed.handle_time),
        shrinkage=assumed.shrinkage,
        max_occupancy=assumed.max_occupancy,
        closed=tuple(span(one) for one in assumed.closed),
        campaigns=tuple(span(one, _campaign(desk, one, at)) for one, at in campaigns),
        outreach_hours=assumed.outreach_hours,
        at_most=assumed.at_most,
        **promises,
    )
    for channel, factor in changes.handle.items():
        if factor == 0:
            raise UsageError(f"handle_time of {channel} is 0; contacts take some time")
    frame = plan_in_force(desk).frame
    for one in (*changes.closed, *changes.campaigns):
        if one.ends_at <= frame["starts_at"].min() or one.starts_at >= frame["ends_at"].max():
            raise UsageError(f"{one.starts_at} to {one.ends_at} UTC lies outside the plan")
    changes.check(sorted(map(str, frame["channel"].unique())))
    return changes


def _by_channel(factors: float | dict[str, float]) -> dict[str, float]:
    return dict(factors) if isinstance(factors, dict) else {EVERY: factors}


def _campaign(desk: Desk, one: CampaignSpan, at: Span) -> float:
    """What a campaign's contacts multiply those expected by."""
    frame = plan_in_force(desk).frame
    inside = (frame["starts_at"] >= at.starts_at) & (frame["starts_at"] < at.ends_at)
    expected = float(frame.loc[inside & (frame["channel"] == one.channel), "volume"].sum())
    if expected <= 0:
        raise UsageError(
            f"nothing is expected on {one.channel!r} from {at.starts_at} to {at.ends_at} UTC, so a "
            "campaign has no pattern to follow; use an override with a value"
        )
    return 1 + one.contacts / expected


def _scenario(desk: Desk, one: Scenario) -> dict[str, Any]:
    item = {
        "scenario_id": str(one.seq),
        "name": one.name,
        "author": one.author,
        "reason": one.reason,
        "created_at": one.created_at.isoformat() + "Z",
        "published_at": None if one.published_at is None else one.published_at.isoformat() + "Z",
        "state": _state(desk, one),
        "assumed": dict(one.payload),
    }
    try:
        compared = compare(desk, of_json(one.payload), None, None, instead=True)
    except (UsageError, DataError, NotEnoughHistory):  # the plan no longer reaches what it assumes
        return item
    sums = compared.sums()
    return {**item, "before": finite(sums["before"]), "after": finite(sums["after"])}


def _state(desk: Desk, one: Scenario) -> str:
    if plan_in_force(desk).about.get("scenario") == one.name:
        return "in force"
    return "draft" if one.published_at is None else "published before"
