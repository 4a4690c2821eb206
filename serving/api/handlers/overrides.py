"""Planners' overrides: kept, shown before they are kept, withdrawn, and judged by what came."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from data.errors import UsageError
from data.store import Override, overrides_of, save_override, withdraw_override
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.schemas_planning import NewOverride
from serving.api.tables import whole
from serving.desk import Desk
from serving.planning.overriding import (
    draft_of,
    effect_of,
    notes_of,
    plan_effect,
    result_of,
    state_of,
)
from serving.planning.spans import overlapping

TIMES = ("starts_at", "ends_at", "created_at", "expires_at", "withdrawn_at")


def preview_override(desk: Desk, call: Call) -> Answer:
    """What an override would do to contacts and people; nothing is kept."""
    draft = _draft(desk, call)
    others = overrides_of(desk.store, in_force_at=desk.now())
    effect = effect_of(desk.published("forecast").frame, draft, others)
    met = overlapping(draft.unique_id, draft.starts_at, draft.ends_at, others)
    return Answer(
        {
            "effect": {**asdict(effect), **asdict(plan_effect(desk, draft))},
            "overlaps": [_item_of(desk, one) for one in met],
            "notes": notes_of(desk, draft, others),
        }
    )


def add_override(desk: Desk, call: Call) -> Answer:
    """Keep a planner's change; forecast and plan show it from now on."""
    draft = _draft(desk, call)
    others = overrides_of(desk.store, in_force_at=desk.now())
    override = save_override(
        desk.store,
        unique_id=draft.unique_id,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        factor=draft.factor,
        value=draft.value,
        author=draft.author,
        reason=draft.reason,
        now=draft.created_at,
        expires_at=draft.expires_at,
    )
    return Answer(_item_of(desk, override, others))


def withdraw(desk: Desk, call: Call) -> Answer:
    """End an override now; it stays on record with who withdrew it."""
    number = whole(call.parameters["id"], 10**12)
    every = {one.seq: one for one in overrides_of(desk.store)}
    if number not in every:
        raise Problem(404, "no-such-override", f"there is no override {call.parameters['id']!r}")
    return Answer(_item_of(desk, withdraw_override(desk.store, number, call.actor, desk.now())))


def see_overrides(desk: Desk, call: Call) -> Answer:
    """All overrides with what each does by itself, and by how much each came nearer than the
    forecast that it changed; the same added up by author.
    """
    every, now = overrides_of(desk.store), desk.now()
    in_force = [one for one in every if one.in_force(now)]
    items: list[dict[str, Any]] = []
    authors: dict[str, dict[str, Any]] = {}
    for one in every:
        others = [other for other in in_force if other.seq != one.seq]
        item = _item_of(desk, one, others if one.in_force(now) else None)
        item["result"] = result = result_of(desk, one, every)
        items.append(item)
        if result is not None:
            sums = authors.setdefault(
                one.author, {"author": one.author, "overrides": 0, **dict.fromkeys(result, 0.0)}
            )
            sums["overrides"] += 1
            for name, value in result.items():
                sums[name] += value
    return Answer({"items": items, "authors": list(authors.values())})


def _draft(desk: Desk, call: Call) -> Override:
    new: NewOverride = call.body
    if new.author is not None and new.author != call.actor:
        raise UsageError(
            f"author is {new.author!r}, but the key is {call.actor!r}; the author is the key's "
            "name: make a key for each planner, or leave author out"
        )
    return draft_of(
        desk,
        unique_id=new.unique_id,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        factor=new.factor,
        value=new.value,
        author=call.actor,
        reason=new.reason,
        expires_at=new.expires_at,
    )


def _item_of(desk: Desk, one: Override, others: list[Override] | None = None) -> dict[str, Any]:
    item: dict[str, Any] = asdict(one)
    item["override_id"] = str(item.pop("seq"))
    item |= {name: item[name] and item[name].isoformat() + "Z" for name in TIMES}
    item["state"] = state_of(one, desk.now())
    if others is not None:
        item["effect"] = asdict(effect_of(desk.published("forecast").frame, one, others))
        met = overlapping(one.unique_id, one.starts_at, one.ends_at, others)
        item["overlaps"] = [str(other.seq) for other in met]
        item["notes"] = notes_of(desk, one, others)
    return item
