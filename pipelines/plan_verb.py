"""presage plan: the plan in force from the command line, as the page and the API have it."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path

from data.clock import Clock
from data.errors import NotEnoughHistory, UsageError, did_you_mean
from data.store import open_store, overrides_of, scenarios_of, withdraw_override
from data.workspace import Workspace
from pipelines.console import Result, table
from pipelines.output import check_out
from serving.desk import Desk
from serving.planning.background import background_of
from serving.planning.days import by_day
from serving.planning.in_force import plan_in_force, settings_in_force
from serving.planning.overriding import state_of
from serving.planning.publishing import lock, publish_scenario, restore
from serving.planning.versions import locked, unlock, versions_of
from serving.staffing.exports import MEDIA, plan_file

ACTIONS = (
    "show",
    "export",
    "overrides",
    "withdraw",
    "scenarios",
    "publish",
    "versions",
    "restore",
    "lock",
    "unlock",
)
NAMED = ("withdraw", "publish", "restore")
REASONED = ("restore", "lock", "unlock")


def run(
    directory: Path,
    action: str,
    name: str | None,
    *,
    reason: str | None,
    layout: str | None,
    channel: str | None,
    span: tuple[datetime | None, datetime | None],
    clock: datetime | None,
    out: Path | None,
) -> Result:
    """One action on the plan in force; UsageError names what it lacks."""
    if action not in ACTIONS:
        known = ", ".join(ACTIONS)
        raise UsageError(f"plan {action!r}: there are {known}.{did_you_mean(action, ACTIONS)}")
    if action in NAMED and not (name or "").strip():
        raise UsageError(f"plan {action} needs the number or name that `presage plan DIR` lists")
    if action in REASONED and not (reason or "").strip():
        raise UsageError(f"plan {action} needs --reason: it is kept with your name")
    workspace = Workspace.open(directory)
    with open_store(workspace) as store:
        desk = Desk.of(workspace, store, Clock(clock) if clock else Clock())
        author, why = f"{getpass.getuser()} (command line)", (reason or "").strip()
        if action == "export":
            return _export(desk, layout, channel, span, out)
        if action == "show":
            return _show(desk)
        if action == "overrides":
            return _overrides(desk)
        if action == "scenarios":
            return _scenarios(desk)
        if action == "withdraw":
            gone = withdraw_override(store, _number(name), author, desk.now())
            return Result(
                {"withdrawn": gone.seq}, [f"override {gone.seq} changes nothing any more"]
            )
        if action == "publish":
            version = _publish(desk, str(name), author)
        elif action == "restore":
            version = restore(desk, _number(name), author, why)
        elif action == "lock":
            version = lock(desk, author, why)
        elif action == "unlock":
            unlock(store, author=author, reason=why, now=desk.now())
            return Result({"locked": None}, ["the newest plan is in force again"])
        else:
            return _versions(desk)
    return Result({"version": version}, [f"version {version} of the plan is in force"])


def _number(name: str | None) -> int:
    if not (name or "").isdecimal():
        raise UsageError(f"{name!r} is no number; `presage plan DIR versions` or overrides has it")
    return int(str(name))


def _publish(desk: Desk, name: str, author: str) -> int:
    scenarios = [one for one in scenarios_of(desk.store) if name in (str(one.seq), one.name)]
    if not scenarios:
        known = [one.name for one in scenarios_of(desk.store)]
        raise UsageError(f"there is no scenario {name!r}.{did_you_mean(name, known)}")
    return publish_scenario(desk, scenarios[0], author)


def _export(
    desk: Desk,
    layout: str | None,
    channel: str | None,
    span: tuple[datetime | None, datetime | None],
    out: Path | None,
) -> Result:
    if out is None:
        raise UsageError("plan export needs --out FILE")
    kind = layout or out.suffix.removeprefix(".")
    if kind not in MEDIA:
        raise UsageError(f"layout {kind!r}: there are {', '.join(MEDIA)}; say --layout")
    check_out(out)
    frame = plan_in_force(desk).frame
    if channel is not None:
        known = sorted(map(str, frame["channel"].unique()))
        if channel not in known:
            raise UsageError(f"there is no channel {channel!r}.{did_you_mean(channel, known)}")
        frame = frame[frame["channel"] == channel]
    starts, ends = span
    if starts is not None:
        frame = frame[frame["starts_at"] >= starts]
    if ends is not None:
        frame = frame[frame["starts_at"] < ends]
    if frame.empty:
        raise UsageError("no interval of the plan lies between --from and --to")
    out.write_bytes(plan_file(frame, kind, background_of(desk)))
    return Result({"rows": len(frame), "layout": kind, "out": str(out)}, [f"written to {out}"])


def _show(desk: Desk) -> Result:
    standing, held = plan_in_force(desk), locked(desk.store)
    days = by_day(standing, settings_in_force(desk))
    if days.empty:
        raise NotEnoughHistory("the plan is empty: no channel has contacts")
    risk = days[days["state"] != "sure"]
    about = standing.about
    lines = [
        f"version {about.get('version', 'none')}, as of {about['as_of']} UTC, overrides in force: "
        f"{', '.join(map(str, about.get('overrides', []))) or 'none'}"
    ]
    if held is not None:
        lines.append(
            f"locked by {held.author} since {held.since:%Y-%m-%d %H:%M} UTC: {held.reason}"
        )
    rows = [
        [one.day, one.channel, one.state, f"{one.confidence:.0%}", f"{one.reachable:.0%}"]
        for one in risk.itertuples()
    ]
    head = ["day", "channel", "state", "confidence", "reachable"]
    lines += table(head, rows) if rows else ["every promise is kept as surely as wanted"]
    content = {"version": about.get("version"), "overrides": about.get("overrides", [])}
    return Result({**content, "at_risk": risk[head].to_dict("records")}, lines)


def _overrides(desk: Desk) -> Result:
    now = desk.now()
    rows = [
        [
            one.seq,
            state_of(one, now),
            one.unique_id,
            f"x {one.factor:g}" if one.factor is not None else f"to {one.value:g} in all",
            f"{one.starts_at:%Y-%m-%d %H:%M}",
            f"{one.ends_at:%Y-%m-%d %H:%M}",
            one.author,
            one.reason,
        ]
        for one in overrides_of(desk.store)
    ]
    head = ["number", "state", "of", "change", "from (UTC)", "to (UTC)", "author", "reason"]
    records = [dict(zip(head, row, strict=True)) for row in rows]
    return Result({"overrides": records}, table(head, rows) if rows else ["no overrides yet"])


def _scenarios(desk: Desk) -> Result:
    rows = [
        [one.seq, one.name, "published" if one.published_at else "draft", one.author, one.reason]
        for one in scenarios_of(desk.store)
    ]
    head = ["number", "name", "state", "author", "reason"]
    records = [dict(zip(head, row, strict=True)) for row in rows]
    return Result({"scenarios": records}, table(head, rows) if rows else ["no scenarios yet"])


def _versions(desk: Desk) -> Result:
    held = locked(desk.store)
    rows = [
        [
            one.seq,
            f"{one.issued_at:%Y-%m-%d %H:%M}",
            one.meta.get("author", ""),
            one.meta.get("reason", ""),
            "locked" if held is not None and held.version == one.seq else "",
        ]
        for one in versions_of(desk.store)
    ]
    head = ["version", "published (UTC)", "author", "reason", "state"]
    records = [dict(zip(head, row, strict=True)) for row in rows]
    return Result({"versions": records}, table(head, rows) if rows else ["no versions yet"])
