"""Staffing: people per channel and interval, from the forecast as published and overridden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.errors import NotEnoughHistory, did_you_mean
from data.settings import Settings
from data.store import Override, open_store, overrides_of
from data.tables import Tables
from data.workspace import Workspace
from features.asof import as_of_view
from models.outreach_line import LINE
from models.volume.grid import parse_frequency
from pipelines.console import Result, table
from pipelines.exclusive import still_ours
from pipelines.output import check_out
from pipelines.run import Run
from pipelines.steps.outreach_line import sentence
from pipelines.steps.rostering import roster_agents
from pipelines.steps.volume import native_freq
from pipelines.steps.waiting import channels_forecast, check_waiting
from serving.overrides import planned
from serving.planning.publishing import put_in_force
from serving.published import newest
from serving.staffing.basis import Basis, passed_plan, paths_of
from serving.staffing.exports import channels_of, write_plan
from serving.staffing.gate import PlayedPlan
from serving.staffing.handling import handle_seconds_by_channel, waiting_by_channel
from serving.staffing.pools import pools_by_skills, skills_of
from serving.staffing.workbook import Background

MOST_FAILING = 5


def staff_channels(
    run: Run,
    forecast: pd.DataFrame,
    model_version: str,
    out: Path | None,
    paths: pd.DataFrame | None = None,
    waiting: Mapping[str, float] | None = None,
    shifts: bool = False,
) -> Result:
    """The plan for every channel of ``forecast`` (as ``presage forecast`` writes it), with the
    planners' overrides that are in force; published where the run may, and written to ``out``.
    ``paths``: the forecast's joint sample paths, as published; None: drawn from its intervals.
    ``waiting``: contacts in line by channel, instead of what the ticket log tells. ``shifts``: also
    a roster of the agents.
    """
    opened, tables, as_of = run.workspace, run.snapshot, run.as_of
    check_steps(forecast)
    if not forecast["unique_id"].str.startswith("channel=").any():
        raise NotEnoughHistory(
            "the forecast has no series channel=NAME to staff; a ticket log or volumes with such "
            "ids is needed"
        )
    tickets = as_of_view(tables, "tickets", as_of)
    now = SYSTEM.now()
    with open_store(opened) as store:
        changes = overrides_of(store, in_force_at=now)
    volume = planned(forecast, changes)
    run.report("finding the people that each channel needs")
    seconds = handle_seconds_by_channel(tickets, opened.settings.service_levels, as_of, volume)
    line = waiting_by_channel(tickets, as_of) | dict(waiting or {})
    check_waiting(waiting or {}, forecast, opened.settings)
    basis = Basis(
        forecast,
        {} if paths is None else paths_of(paths, forecast),
        dict(zip(seconds["channel"], seconds["handle_seconds"].astype(float), strict=True)),
        line,
        closures(tables, as_of),
        seed=opened.settings.volume.seed,
        pools=skill_pools(tables, as_of, opened.settings, forecast),
    )
    run.report("playing the plan contact by contact")
    plan = passed_plan(basis, settings=opened.settings, overrides=changes)
    basis, frame = replace(basis, pace=plan.pace), plan.frame
    if run.publishes("staffing"):
        still_ours()
        details: dict[str, Any] = {
            "basis": basis.document(),
            "overrides": [one.seq for one in changes],
            **plan.document(),
        }
        with open_store(opened) as store:
            put_in_force(store, run.state_dir, frame, as_of, now, model_version, details)
    if out is not None:
        check_out(out)
        about = {"as_of": as_of.isoformat(), "model_version": model_version}
        overrides, tested = pd.DataFrame([asdict(one) for one in changes]), accuracy_of(run)
        write_plan(frame, out, background=Background(opened.settings, about, overrides, tested))
    rostered = roster_agents(run, frame, model_version, out) if shifts else None
    return Result(
        {
            "as_of": as_of,
            "overrides": [one.seq for one in changes],
            "rows": len(frame),
            "channels": sorted(frame["channel"].unique().tolist()),
            **plan.document(),
            "waiting": line,
            "published": run.publishes("staffing"),
            "out": str(out) if out else None,
            **({"shifts": rostered.data} if rostered else {}),
        },
        [
            *hours_of_nobody(opened.settings, forecast),
            *busiest(frame, opened),
            *([f"of them by outreach: {sentence(forecast)}"] if LINE[0] in forecast else []),
            *stands_on(frame, changes),
            *in_line(line),
            *verdict(plan),
            *run.not_published("staffing"),
            *([f"written to {out}"] if out else []),
            *(rostered.lines if rostered else []),
        ],
    )


def accuracy_of(run: Run) -> pd.DataFrame | None:
    """How far off the channels' forecasts were in trials, as published; None if nothing was."""
    publication = newest(run.state_dir, "accuracy")
    return None if publication is None else channels_of(publication.frame)


def skill_pools(
    tables: Tables, as_of: datetime, settings: Settings, forecast: pd.DataFrame
) -> tuple[tuple[str, ...], ...]:
    """Channels that the agents' skills let one pool serve; none without an ``agents`` table."""
    if settings.pools or not settings.staffing.blend or not tables.has("agents"):
        return ()
    channels = sorted(channels_forecast(forecast))
    skills = skills_of(as_of_view(tables, "agents", as_of), as_of)
    return tuple(one.channels for one in pools_by_skills(skills, channels))


def hours_of_nobody(settings: Settings, forecast: pd.DataFrame) -> list[str]:
    """A line for each channel with opening hours that there is not."""
    known = {*channels_forecast(forecast), *settings.service_levels}
    sections = [(f"opening_hours.{name}", name) for name in settings.opening_hours]
    for place, site in settings.sites.items():
        sections += [(f"sites.{place}.opening_hours.{name}", name) for name in site.opening_hours]
    return [
        f"[{section}] is of a channel {name!r}, which there is not."
        f"{did_you_mean(name, sorted(known))}"
        for section, name in sections
        if name not in known
    ]


def in_line(waiting: Mapping[str, float]) -> list[str]:
    """Who waits already, as a line."""
    listed = ", ".join(f"{count:.0f} {name}" for name, count in waiting.items() if count)
    return [f"in line at the start: {listed}"] if listed else []


def verdict(plan: PlayedPlan) -> list[str]:
    """What the simulator said of the plan."""
    if not plan.days_kept:
        return []
    listed = ", ".join(f"{name} {share:.0%}" for name, share in sorted(plan.days_kept.items()))
    lines = [f"played contact by contact, days kept: {listed}"]
    for one in plan.failing[:MOST_FAILING]:
        lines.append(f"  NOT KEPT: {one}")
    if len(plan.failing) > MOST_FAILING:
        lines.append(f"  and {len(plan.failing) - MOST_FAILING} days more")
    return lines


def planning_freq(run: Run, freq: str | None) -> str:
    """The step to forecast for a plan: ``freq``, the step of ``volumes``, or that of ``[volume]``
    where it is an hour or less, else an hour."""
    wanted = freq or native_freq(run.snapshot)
    if wanted is not None:
        return wanted
    usual = run.settings.volume.freq
    step = parse_frequency(usual)
    return usual if step.unit == "minute" and step.count <= 60 else "h"


def check_steps(forecast: pd.DataFrame) -> None:
    """NotEnoughHistory where the forecast's steps are too long to say who is needed when."""
    gaps = forecast.sort_values("ds").groupby("unique_id")["ds"].diff().dropna()
    if len(gaps) and gaps.min() > timedelta(hours=1):
        raise NotEnoughHistory(
            f"the contacts are counted in steps of {gaps.min() / timedelta(hours=1):g} hours, "
            "which do not say how many come at once; staffing needs counts by the hour or finer: "
            "a tickets table, or volumes whose ds are an hour apart or less"
        )


def closures(tables: Tables, as_of: datetime) -> pd.DataFrame | None:
    """Announced closures; None if there are none."""
    if not tables.has("calendar"):
        return None
    events = as_of_view(tables, "calendar", as_of)
    rows = events[events["kind"] == "closure"]
    return rows[["starts_at", "ends_at", "channel"]] if len(rows) else None


def busiest(frame: pd.DataFrame, workspace: Workspace) -> list[str]:
    """Per channel the first week: contacts, the busiest interval, people then, paid hours,
    occupancy, and the share answered in time beside the one promised."""
    first = frame["starts_at"].min()
    week = frame[frame["starts_at"] < first + pd.Timedelta(days=7)]
    settings = workspace.settings
    rows = [_first_week(str(channel), part, settings) for channel, part in week.groupby("channel")]
    header = [
        "channel",
        "contacts in 7 days",
        "busiest at",
        "answering then",
        "paid hours",
        "occupancy",
        "promised in time",
        "expected in time",
    ]
    return [
        *table(header, rows),
        f"paid hours: answering, and the {settings.staffing.shrinkage:.0%} of paid time that goes "
        "to breaks, leave and training",
    ]


def _first_week(channel: str, part: pd.DataFrame, settings: Settings) -> list[object]:
    peak = part.loc[part["agents_net"].idxmax()]
    local = pd.Timestamp(peak["starts_at"]).tz_localize("UTC")
    hours = (part["ends_at"] - part["starts_at"]).dt.total_seconds() / 3600
    available = part["agents_net"] * part["open_seconds"] / 3600
    known = part["service_level"].notna()
    answered = (part["service_level"] * part["volume"])[known].sum()
    level = answered / max(part.loc[known, "volume"].sum(), 1e-9)
    return [
        channel,
        round(float(part["volume"].sum())),
        f"{local.tz_convert(settings.company.time_zone):%a %d %b %H:%M}",
        int(peak["agents_net"]),
        round(float((part["agents_gross"] * hours).sum())),
        f"{(part['occupancy'] * available).sum() / max(available.sum(), 1e-9):.0%}",
        f"{settings.service_levels[channel].share:.0%}",
        f"{level:.0%}",
    ]


def stands_on(frame: pd.DataFrame, changes: list[Override]) -> list[str]:
    """What planners changed of the contacts planned for, and who did so, why, until when."""
    if not changes:
        return []
    moved = frame["volume"].sum() - frame["volume_forecast"].sum()
    lines = [f"{len(changes)} overrides in force: {moved:+.0f} contacts beside the forecast"]
    for one in changes:
        what = f"x {one.factor:g}" if one.factor is not None else f"to {one.value:g} in all"
        until = "" if one.expires_at is None else f" (until {one.expires_at:%Y-%m-%d %H:%M})"
        lines.append(
            f"  {one.unique_id} {what}, {one.starts_at:%Y-%m-%d} to {one.ends_at:%Y-%m-%d}, by "
            f"{one.author}: {one.reason}{until}"
        )
    return lines
