"""What planners ask: the forecast and its vintages, what came, the people needed."""

from __future__ import annotations

import hashlib

from data.errors import NotBuiltYet, did_you_mean
from data.store import read_forecast
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.tables import answer_rows, between, parse_moment
from serving.desk import Desk
from serving.published import Published, pointer


def see_forecasts(desk: Desk, call: Call) -> Answer:
    """The newest forecast, or the one that was in force at ``issued_at``; JSON or CSV."""
    issued = parse_moment(call, "issued_at")
    published = desk.published("forecast") if issued is None else _vintage(desk, call)
    return _rows(published, "unique_id", "ds", call)


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
    """Not built yet."""
    raise NotBuiltYet("overrides are not built yet; nothing was changed")


def publish_scenario(desk: Desk, call: Call) -> Answer:
    """Not built yet."""
    raise NotBuiltYet("scenarios are not built yet; nothing was published")


def _rows(published: Published, name: str, time: str, call: Call) -> Answer:
    frame = published.frame
    wanted = call.parameters.get(name)
    if wanted:
        found = frame[frame[name] == wanted]
        if found.empty:
            known = sorted(map(str, frame[name].unique()))
            told = f"there is no {name} {wanted!r}.{did_you_mean(wanted, known)}"
            raise Problem(404, f"no-such-{name.replace('_', '-')}", told)
        frame = found
    return answer_rows(between(frame, time, call), published, call)


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
