"""Staffing: people per channel and interval, from the forecast as published and overridden."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pandas as pd

from data.clock import SYSTEM
from data.errors import NotEnoughHistory
from data.snapshot import open_snapshot
from data.store import Override, open_store, overrides_of
from data.tables import Tables
from data.workspace import Workspace
from features.asof import as_of_view
from pipelines.console import Progress, Result, table
from pipelines.output import check_out
from serving.overrides import planned
from serving.published import newest, publish
from serving.staffing.exports import write_plan
from serving.staffing.handling import handle_seconds_by_channel, waiting_by_channel
from serving.staffing.requirements import plan


def staff_channels(
    workspace: Path, snapshot: Path, as_of: datetime, out: Path | None, report: Progress
) -> Result:
    """The plan for every channel of the forecast just published, with the planners' overrides that
    are in force; published and written to out.
    """
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    forecast = newest(opened.state_dir, "forecast")
    assert forecast is not None, "the flow forecasts first"
    if not forecast.frame["unique_id"].str.startswith("channel=").any():
        raise NotEnoughHistory(
            "the forecast has no series channel=NAME to staff; a ticket log or volumes with such "
            "ids is needed"
        )
    tickets = as_of_view(tables, "tickets", as_of)
    now = SYSTEM.now()
    with open_store(opened) as store:
        changes = overrides_of(store, in_force_at=now)
    volume = planned(forecast.frame, changes)
    report("finding the people that each channel needs")
    frame = plan(
        volume,
        settings=opened.settings,
        handle=handle_seconds_by_channel(tickets, opened.settings.service_levels, as_of, volume),
        waiting=waiting_by_channel(tickets, as_of),
        closures=closures(tables, as_of),
        seed=opened.settings.volume.seed,
    )
    publish(
        opened.state_dir,
        "staffing",
        frame,
        as_of=as_of,
        now=now,
        model_version=forecast.about["model_version"],
    )
    if out is not None:
        check_out(out)
        write_plan(frame, out, pd.DataFrame([asdict(one) for one in changes]))
    return Result(
        {
            "as_of": as_of,
            "overrides": [one.seq for one in changes],
            "rows": len(frame),
            "channels": sorted(frame["channel"].unique().tolist()),
            "out": str(out) if out else None,
        },
        [
            *busiest(frame, opened),
            *stands_on(frame, changes),
            *([f"written to {out}"] if out else []),
        ],
    )


def closures(tables: Tables, as_of: datetime) -> pd.DataFrame | None:
    """Announced closures; None if there are none."""
    if not tables.has("calendar"):
        return None
    events = as_of_view(tables, "calendar", as_of)
    found = events[events["kind"] == "closure"]
    return found[["starts_at", "ends_at", "channel"]] if len(found) else None


def busiest(frame: pd.DataFrame, workspace: Workspace) -> list[str]:
    """Per channel the first week: contacts, the busiest interval, people then, service level."""
    first = frame["starts_at"].min()
    week = frame[frame["starts_at"] < first + pd.Timedelta(days=7)]
    zone = workspace.settings.company.time_zone
    rows = []
    for channel, part in week.groupby("channel"):
        peak = part.loc[part["agents_gross"].idxmax()]
        local = pd.Timestamp(peak["starts_at"]).tz_localize("UTC").tz_convert(zone)
        answered = part["service_level"] * part["volume"]
        told = part["service_level"].notna()
        level = answered[told].sum() / max(part.loc[told, "volume"].sum(), 1e-9)
        hours = float(
            (part["agents_gross"] * (part["ends_at"] - part["starts_at"]).dt.total_seconds()).sum()
            / 3600
        )
        rows.append(
            [
                channel,
                round(float(part["volume"].sum())),
                f"{local:%a %d %b %H:%M}",
                round(float(peak["agents_gross"]), 1),
                round(hours),
                f"{level:.0%}",
            ]
        )
    header = ["channel", "contacts in 7 days", "busiest at", "people then", "paid hours", "served"]
    return table(header, rows)


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
