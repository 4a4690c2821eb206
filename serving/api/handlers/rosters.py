"""The roster that was published: its shifts, and people missing beside the plan in force."""

from __future__ import annotations

from datetime import datetime

from data.errors import did_you_mean
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.tables import between, of_name, rows_of
from serving.desk import Desk
from serving.planning.rostered import has_moved, people_on_duty
from serving.published import VERBS, Published, pointer
from serving.shifts import roster_file
from serving.shifts.files import MEDIA

LAYOUTS = {"application/json": "json", **{media: layout for layout, media in MEDIA.items()}}
FORMATS = ("json", *MEDIA)


def see_roster(desk: Desk, call: Call) -> Answer:
    """The shifts as published, a page of them; or all as a file, the same as the verb writes."""
    published = _published(desk)
    layout = call.parameters.get("format") or LAYOUTS[call.accept]
    if layout not in FORMATS:
        hint = f"there are {', '.join(FORMATS)}.{did_you_mean(layout, FORMATS)}"
        raise Problem(400, "parameter", f"format={layout!r}: {hint}")
    stale = has_moved(desk)
    if layout == "json":
        answer = rows_of(published, "agent_id", "starts_at", call)
        weeks = published.about.get("weeks", [])
        return Answer({**answer.value, "stale": stale, "weeks": weeks}, headers=answer.headers)
    shifts = between(of_name(published.frame, "agent_id", call), "starts_at", call)
    people = between(desk.published("roster_people").frame, "starts_at", call)
    zone = desk.workspace.settings.company.time_zone
    at = datetime.fromisoformat(published.about["published_at"])
    return Answer(
        roster_file(shifts, people, layout, zone, at),
        media_type=MEDIA[layout],
        headers={
            "Content-Disposition": f'attachment; filename="roster.{layout}"',
            "Presage-As-Of": published.about["as_of"] + "Z",
            "Presage-Stale": str(stale).lower(),
        },
    )


def see_gap(desk: Desk, call: Call) -> Answer:
    """People that the plan in force needs, and those rostered, per channel and interval."""
    _published(desk)
    return rows_of(people_on_duty(desk), "channel", "starts_at", call)


def _published(desk: Desk) -> Published:
    if pointer(desk.workspace.state_dir, "roster") is None:
        detail = f"no roster is published; run `{VERBS['roster']}` to make one of the agents table"
        raise Problem(404, "no-roster", detail)
    return desk.published("roster")
