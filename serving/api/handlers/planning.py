"""What planners ask: the forecast and its vintages, what came, the people needed."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from data.errors import NotBuiltYet, NotEnoughHistory, did_you_mean
from data.store import Override, overrides_of, read_forecast, save_override
from models.volume.parts import members_in
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.schemas import NewOverride
from serving.api.tables import answer_rows, between, naive, parse_moment
from serving.desk import Desk
from serving.overrides import overridden, value_added
from serving.published import Published, pointer

PART_COLUMNS = ("combined", "holiday_effect", "event_effect", "load", "reconciled")


def see_forecasts(desk: Desk, call: Call) -> Answer:
    """The newest forecast, or the one that was in force at ``issued_at``; JSON or CSV. Planners'
    overrides in force stand beside it, as ``overridden``.
    """
    issued = parse_moment(call, "issued_at")
    published = desk.published("forecast") if issued is None else _vintage(desk, call)
    changes = overrides_of(desk.store, in_force_at=issued or desk.now())
    told = overridden(published.frame, changes) if changes else np.nan
    frame = published.frame.assign(overridden=told)
    return _rows(Published(frame, published.about), "unique_id", "ds", call)


def explain_forecast(desk: Desk, call: Call) -> Answer:
    """One number of the newest forecast taken apart, and what was said of it a day earlier."""
    name, ds = call.parameters.get("unique_id"), parse_moment(call, "ds")
    if not name or ds is None:
        raise Problem(400, "parameter", "give unique_id and ds: which number is to be explained")
    published = desk.published("forecast")
    told_of = desk.published("parts")
    if told_of.as_of != published.as_of:
        raise NotEnoughHistory("a forecast is being published; ask again in a moment")
    frames = [published.frame, told_of.frame]
    rows = [one[(one["unique_id"] == name) & (one["ds"] == ds)] for one in frames]
    if rows[0].empty or rows[1].empty:
        ids = sorted(map(str, published.frame["unique_id"].unique()))
        told = did_you_mean(name, ids) if name not in ids else " Take ds from /v1/forecasts."
        raise Problem(404, "no-such-number", f"there is no forecast of {name!r} at {ds}.{told}")
    number, parts = rows[0].iloc[0], rows[1].iloc[0]
    alone = float(parts["combined"]) + float(parts["reconciled"])
    return Answer(
        {
            "unique_id": name,
            "ds": ds.isoformat() + "Z",
            "presage": float(number["presage"]),
            **{key: float(parts.get(key, 1.0)) for key in PART_COLUMNS},
            "adjusted": float(number["presage"]) / alone if alone > 0 else 1.0,
            "members": members_in(parts),
            "before": _before(desk, name, ds, published.as_of - timedelta(days=1)),
            "change": _change(desk, name, ds, published.as_of),
        }
    )


def _change(desk: Desk, name: str, ds: datetime, as_of: datetime) -> dict[str, Any] | None:
    """What moved the number since the forecast before, in parts that add up; None where that said
    nothing of it.
    """
    if pointer(desk.workspace.state_dir, "change") is None:
        return None
    told = desk.published("change")
    rows = told.frame[(told.frame["unique_id"] == name) & (told.frame["ds"] == ds)]
    if told.as_of != as_of or rows.empty:
        return None
    parts = rows.iloc[0].drop(["unique_id", "ds"])
    return {"since": told.about["since"] + "Z", **{key: float(parts[key]) for key in parts.index}}


def _before(desk: Desk, name: str, ds: datetime, issued_by: datetime) -> dict[str, Any] | None:
    found = read_forecast(desk.store, issued_by)
    if found is None:
        return None
    rows = found[1][(found[1]["unique_id"] == name) & (found[1]["ds"] == ds)]
    if rows.empty:
        return None
    told = {"presage": float(rows["presage"].iloc[0])}
    return {**told, "issued_at": found[0].issued_at.isoformat() + "Z"}


def see_accuracy(desk: Desk, call: Call) -> Answer:
    """How far off the model was in its trials, series by series, beside two plain rules."""
    return _rows(desk.published("accuracy"), "unique_id", None, call)


def see_actuals(desk: Desk, call: Call) -> Answer:
    """The counts of the last weeks before the newest forecast."""
    return _rows(desk.published("actuals"), "unique_id", "ds", call)


def see_staffing(desk: Desk, call: Call) -> Answer:
    """The newest plan: people per channel and interval; JSON or CSV."""
    return _rows(desk.published("staffing"), "channel", "starts_at", call)


def see_planning(desk: Desk, call: Call) -> Answer:
    """What the page says about itself: channels, time zone, how fresh the plan is."""
    staffing = desk.published("staffing")
    forecast = pointer(desk.workspace.state_dir, "forecast") or {}
    return Answer(
        {
            "time_zone": desk.workspace.settings.company.time_zone,
            "channels": sorted(map(str, staffing.frame["channel"].unique())),
            "freq": forecast.get("freq"),
            "as_of": staffing.about["as_of"] + "Z",
            "published_at": staffing.about["published_at"] + "Z",
            "model_version": staffing.about.get("model_version"),
        }
    )


def ask_what_if(desk: Desk, call: Call) -> Answer:
    """Not built yet."""
    raise NotBuiltYet("what-if is not built yet; /v1/staffing has the plan as it stands")


def add_override(desk: Desk, call: Call) -> Answer:
    """Keep a planner's change; the forecast shows it from now on."""
    asked: NewOverride = call.body
    frame = desk.published("forecast").frame
    ids = sorted(map(str, frame["unique_id"].unique()))
    if asked.unique_id not in ids:
        told = f"there is no unique_id {asked.unique_id!r}.{did_you_mean(asked.unique_id, ids)}"
        raise Problem(422, "value", told)
    starts, ends = naive(asked.starts_at, "starts_at"), naive(asked.ends_at, "ends_at")
    expires = None if asked.expires_at is None else naive(asked.expires_at, "expires_at")
    now = desk.now()
    if (asked.factor is None) == (asked.value is None):
        raise Problem(422, "value", "give either factor or value, not both and not neither")
    if not frame["ds"].between(starts, ends, inclusive="left").any():
        span = f"{frame['ds'].min()} to {frame['ds'].max()}"
        raise Problem(
            422, "value", f"no step of the forecast ({span}) lies from {starts} to {ends}"
        )
    if expires is not None and expires <= now:
        raise Problem(422, "value", f"expires_at {expires} has passed; it is {now}")
    kept = save_override(
        desk.store,
        unique_id=asked.unique_id,
        starts_at=starts,
        ends_at=ends,
        factor=asked.factor,
        value=asked.value,
        author=asked.author or call.actor,
        reason=asked.reason,
        now=now,
        expires_at=expires,
    )
    return Answer(_item_of(kept))


def see_overrides(desk: Desk, call: Call) -> Answer:
    """All overrides, and by how much each came nearer than the forecast it changed."""
    items = []
    for one in overrides_of(desk.store):
        item = _item_of(one)
        found = read_forecast(desk.store, one.created_at)
        if found is not None:
            before = found[1]
            changes = [
                other for other in overrides_of(desk.store, one.created_at) if other.seq < one.seq
            ]
            told = overridden(before, changes).fillna(before["presage"]) if changes else None
            before = before if told is None else before.assign(presage=told)
            changed = overridden(before, [one])
            item["result"] = value_added(before, changed, desk.published("actuals").frame, one)
        items.append(item)
    return Answer({"items": items})


def _item_of(one: Override) -> dict[str, Any]:
    told: dict[str, Any] = asdict(one)
    told["override_id"] = str(told.pop("seq"))
    times = ("starts_at", "ends_at", "created_at", "expires_at")
    return told | {name: told[name] and told[name].isoformat() + "Z" for name in times}


def publish_scenario(desk: Desk, call: Call) -> Answer:
    """Not built yet."""
    raise NotBuiltYet("scenarios are not built yet; nothing was published")


def _rows(published: Published, name: str, time: str | None, call: Call) -> Answer:
    frame = published.frame
    wanted = call.parameters.get(name)
    if wanted:
        found = frame[frame[name] == wanted]
        if found.empty:
            known = sorted(map(str, frame[name].unique()))
            told = f"there is no {name} {wanted!r}.{did_you_mean(wanted, known)}"
            raise Problem(404, f"no-such-{name.replace('_', '-')}", told)
        frame = found
    return answer_rows(frame if time is None else between(frame, time, call), published, call)


def _vintage(desk: Desk, call: Call) -> Published:
    """The forecast that was the newest at ``issued_at``, as it was issued."""
    issued = parse_moment(call, "issued_at")
    found = read_forecast(desk.store, issued)
    if found is None:
        raise Problem(404, "no-such-vintage", f"no forecast had been issued by {issued}")
    publication, frame = found
    about = {
        "as_of": publication.as_of.isoformat(),
        "published_at": publication.issued_at.isoformat(),
        "model_version": publication.model_version,
        "sha256": hashlib.sha256(f"vintage {publication.seq}".encode()).hexdigest(),
    }
    return Published(frame, about)
