"""What planners ask: the forecast and its vintages, what came, the people needed."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from data.errors import NotEnoughHistory, did_you_mean
from data.store import overrides_of, read_forecast
from models.volume.parts import members_in
from serving.api.handlers.plans import lock_told
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.tables import between, of_name, parse_moment, rows_of
from serving.desk import Desk
from serving.items import LIFETIME
from serving.overrides import overridden
from serving.planning.background import background_of
from serving.planning.days import by_day
from serving.planning.in_force import plan_in_force, settings_in_force
from serving.planning.past import past_days
from serving.published import Kind, Published, pointer
from serving.records import records
from serving.staffing.exports import MEDIA, plan_file

PART_COLUMNS = ("combined", "holiday_effect", "event_effect", "load", "reconciled")


def see_forecasts(desk: Desk, call: Call) -> Answer:
    """The newest forecast, or the one that was in force at ``issued_at``; JSON or CSV. Planners'
    overrides in force stand beside it, as ``overridden``.
    """
    issued = parse_moment(call, "issued_at")
    published = desk.published("forecast") if issued is None else _vintage(desk, call)
    changes = overrides_of(desk.store, in_force_at=issued or desk.now())
    changed = overridden(published.frame, changes) if changes else np.nan
    frame = published.frame.assign(overridden=changed)
    return rows_of(Published(frame, published.about), "unique_id", "ds", call)


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
        hint = did_you_mean(name, ids) if name not in ids else " Take ds from /v1/forecasts."
        raise Problem(404, "no-such-number", f"there is no forecast of {name!r} at {ds}.{hint}")
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
    change = desk.published("change")
    rows = change.frame[(change.frame["unique_id"] == name) & (change.frame["ds"] == ds)]
    if change.as_of != as_of or rows.empty:
        return None
    parts = rows.iloc[0].drop(["unique_id", "ds"])
    moved = {str(name): float(part) for name, part in parts.items()}
    # a forecast that was published before outreach was told apart has none of it
    return {"since": change.about["since"] + "Z", "outreach": 0.0, **moved}


def _before(desk: Desk, name: str, ds: datetime, issued_by: datetime) -> dict[str, Any] | None:
    vintage = read_forecast(desk.store, issued_by)
    if vintage is None:
        return None
    rows = vintage[1][(vintage[1]["unique_id"] == name) & (vintage[1]["ds"] == ds)]
    if rows.empty:
        return None
    item = {"presage": float(rows["presage"].iloc[0])}
    return {**item, "issued_at": vintage[0].issued_at.isoformat() + "Z"}


def see_accuracy(desk: Desk, call: Call) -> Answer:
    """How far off the model was in its trials, series by series, beside two plain rules."""
    return rows_of(desk.published("accuracy"), "unique_id", None, call)


def see_actuals(desk: Desk, call: Call) -> Answer:
    """The counts of the last weeks before the newest forecast."""
    return rows_of(desk.published("actuals"), "unique_id", "ds", call)


def see_staffing(desk: Desk, call: Call) -> Answer:
    """The plan in force, overrides of now included: people per channel and interval."""
    return rows_of(plan_in_force(desk), "channel", "starts_at", call)


def see_staffing_days(desk: Desk, call: Call) -> Answer:
    """The plan in force by local day and channel: promised, expected, and where it is at risk."""
    standing = plan_in_force(desk)
    key = ("days", standing.about["sha256"])
    frame = desk.plans.recall(key, lambda: by_day(standing, settings_in_force(desk)))
    return rows_of(Published(frame, standing.about), "channel", "starts_at", call)


def see_past_days(desk: Desk, call: Call) -> Answer:
    """How the forecast did on the days that have passed, beside the same day a week before."""
    name = call.parameters["unique_id"]
    known = sorted(map(str, desk.published("actuals").frame["unique_id"].unique()))
    if name not in known:
        detail = f"there are no counts of {name!r}.{did_you_mean(name, known)}"
        raise Problem(404, "no-such-unique-id", detail)
    return Answer({"items": records(past_days(desk, name))})


def export_plan(desk: Desk, call: Call) -> Answer:
    """The plan in force as a file: xlsx, csv, parquet, or Calabrio's forecast layout."""
    layout = call.parameters.get("layout") or "xlsx"
    if layout not in MEDIA:
        known = ", ".join(MEDIA)
        detail = f"layout={layout!r}: there are {known}.{did_you_mean(layout, list(MEDIA))}"
        raise Problem(400, "parameter", detail)
    standing = plan_in_force(desk)
    rows = of_name(standing.frame, "channel", call)
    content = plan_file(between(rows, "starts_at", call), layout, background_of(desk))
    name = f"plan-{layout}.csv" if layout == "calabrio" else f"plan.{layout}"
    return Answer(
        content,
        media_type=MEDIA[layout],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def see_planning(desk: Desk, call: Call) -> Answer:
    """What the page says about itself: channels, time zone, promises, how fresh the plan is."""
    standing, now = plan_in_force(desk), desk.now()
    settings, about = settings_in_force(desk), standing.about
    forecast = pointer(desk.workspace.state_dir, "forecast") or {}
    channels = sorted(map(str, standing.frame["channel"].unique()))
    series = desk.published("forecast").frame["unique_id"].unique()
    targets = [
        {
            "channel": name,
            "kind": level.kind,
            "target_seconds": level.target_seconds,
            "share": level.share,
            "confidence": level.confidence,
            "concurrency": level.concurrency,
            "patience_seconds": level.patience_seconds,
            "opening_hours": settings.opening_hours.get(name),
        }
        for name in channels
        if (level := settings.service_levels.get(name)) is not None
    ]
    return Answer(
        {
            "time_zone": settings.company.time_zone,
            "channels": channels,
            "freq": forecast.get("freq"),
            "as_of": about["as_of"] + "Z",
            "published_at": about["published_at"] + "Z",
            "model_version": about.get("model_version"),
            "now": now.isoformat() + "Z",
            "stale": now > standing.as_of + LIFETIME,
            "currency": settings.company.currency,
            "shrinkage": settings.staffing.shrinkage,
            "max_occupancy": settings.staffing.max_occupancy,
            "hourly_cost": settings.staffing.hourly_cost,
            "targets": targets,
            "series": sorted(map(str, series)),
            "first": f"{standing.frame['starts_at'].min().isoformat()}Z",
            "last": f"{standing.frame['ends_at'].max().isoformat()}Z",
            "version": about.get("version"),
            "scenario": about.get("scenario"),
            "replanned": bool(about.get("replanned")),
            "overrides": about.get("overrides", []),
            "lock": lock_told(desk),
            "failing": [
                {**one, "worst_at": f"{one['worst_at'].replace(' ', 'T')}:00Z"}
                for one in about.get("failing", [])
            ],
            "roster": _when(desk, "roster"),
            "monitored": _when(desk, "monitor", "as_of"),
            "key": call.actor,
        }
    )


def _when(desk: Desk, kind: Kind, moment: str = "published_at") -> str | None:
    """A moment of the newest of a kind; None where nothing is published."""
    about = pointer(desk.workspace.state_dir, kind)
    return None if about is None else about[moment] + "Z"


def _vintage(desk: Desk, call: Call) -> Published:
    """The forecast that was the newest at ``issued_at``, as it was issued."""
    issued = parse_moment(call, "issued_at")
    vintage = read_forecast(desk.store, issued)
    if vintage is None:
        raise Problem(404, "no-such-vintage", f"no forecast had been issued by {issued}")
    publication, frame = vintage
    about = {
        "as_of": publication.as_of.isoformat(),
        "published_at": publication.issued_at.isoformat(),
        "model_version": publication.model_version,
        "sha256": hashlib.sha256(f"vintage {publication.seq}".encode()).hexdigest(),
    }
    return Published(frame, about)
