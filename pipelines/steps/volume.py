"""Volume: what a forecast may know, the series of a snapshot, steps and horizons by name."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pandas as pd

from data.errors import NotEnoughHistory, UsageError
from data.tables import Tables
from data.workspace import Workspace
from models.volume import VolumeContext
from models.volume.drivers import DriverSource

SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def context_of(workspace: Workspace, tables: Tables) -> VolumeContext:
    """What a forecast may know besides the counts, from settings and tables."""
    company, volume = workspace.settings.company, workspace.settings.volume
    return VolumeContext(
        country=company.country,
        time_zone=company.time_zone,
        opening_hours=workspace.settings.opening_hours,
        calendar=tables.frame("calendar") if tables.has("calendar") else None,
        local_days=None if tables.has("volumes") else True,
        drivers=drivers_of(workspace, tables),
        history_days=volume.history_days,
        split_by=volume.split_by,
        handed_over_channel=volume.handed_over_channel,
        issue_hours=volume.issue_hours if volume.grain == "issue" else 0.0,
        country_by=countries_of_sites(workspace, tables),
    )


def countries_of_sites(workspace: Workspace, tables: Tables) -> dict[str, tuple[str, ...]]:
    """Whose holidays count for the series of sites that have countries of their own: by part of an
    id where tickets are split by site, else by series of the ``volumes`` table."""
    from models.volume.series import node

    sites = workspace.settings.sites
    countries = {name: site.country for name, site in sites.items() if site.country}
    if not countries:
        return {}
    if not tables.has("volumes"):
        return {node(site=name): country for name, country in countries.items()}
    rows = tables.frame("volumes", ["unique_id", "site"]).dropna().drop_duplicates("unique_id")
    pairs = zip(rows["unique_id"], rows["site"], strict=True)
    return {str(name): countries[site] for name, site in pairs if site in countries}


def drivers_of(workspace: Workspace, tables: Tables) -> DriverSource | None:
    """The tables behind the drivers; None for mere counts, or by ``[volume] drivers = false``."""
    driven = tables.has("orders") or tables.has("usage")
    if tables.has("volumes") or not driven or not workspace.settings.volume.drivers:
        return None
    return DriverSource(tables, workspace.settings.company.time_zone)


def series_of(
    tables: Tables, as_of: datetime, freq: str, context: VolumeContext
) -> tuple[pd.DataFrame, str]:
    """Counts per node and step known at ``as_of``, and the table they come from."""
    from models.volume.series import series_from_tickets, series_from_volumes

    if tables.has("volumes"):
        return series_from_volumes(tables, as_of, freq, context), "volumes"
    if tables.has("tickets"):
        return series_from_tickets(tables, as_of, freq, context), "tickets"
    raise NotEnoughHistory("there is neither a tickets nor a volumes table to forecast from")


def native_freq(tables: Tables) -> str | None:
    """The step of the ``volumes`` table, by its most frequent gap; None without such a table."""
    if not tables.has("volumes"):
        return None
    gaps = _gaps(tables)
    return None if gaps.empty else _named(gaps.mode().iloc[0])


def _gaps(tables: Tables) -> pd.Series:
    """The time between neighbouring rows of each series of ``volumes``."""
    rows = tables.frame("volumes", ["unique_id", "ds"]).drop_duplicates()
    return rows.sort_values(["unique_id", "ds"]).groupby("unique_id")["ds"].diff().dropna()


def _named(gap: timedelta) -> str:
    minutes = round(gap.total_seconds() / 60)
    days = round(minutes / 1440)
    if days and abs(minutes - days * 1440) <= 60:  # a clock change adds an hour or takes one
        months = {**dict.fromkeys(range(28, 32), "MS"), **dict.fromkeys(range(89, 93), "QS")}
        return {1: "D", 7: "W", **months}.get(days, f"{minutes}min")
    return "h" if minutes == 60 else f"{minutes}min"


def refuse_finer(tables: Tables, freq: str) -> None:
    """UsageError where not even two counts of ``volumes`` are as near as a step is long."""
    from models.volume.grid import parse_frequency

    if not tables.has("volumes"):
        return
    frequency, gaps = parse_frequency(freq), _gaps(tables)
    minutes = {"minute": 1, "day": 1500, "week": 10_140, "month": 44_700}[frequency.unit]
    longest = timedelta(minutes=minutes * frequency.count)  # with the hour of a clock change
    if not gaps.empty and gaps.min() > longest:
        raise UsageError(
            f"--freq {freq} is finer than volumes: no two counts of a series are nearer than "
            f"{gaps.min()}. Give --freq {_named(gaps.min())}"
        )


def horizon_steps(horizon: str, freq: str) -> int:
    """``"28d"`` at ``"h"`` is 672 steps; a bare number is steps.

    >>> horizon_steps("28d", "h"), horizon_steps("12", "D"), horizon_steps("4w", "W")
    (672, 12, 4)
    """
    from models.volume.grid import parse_frequency

    match = re.fullmatch(r"\s*(\d+)\s*(min|h|d|w)?\s*", horizon.lower())
    if match is None or int(match[1]) == 0:
        raise UsageError(f"--horizon {horizon!r} is not a span; write 28d, 48h, or 12 for steps")
    if match[2] is None:
        return int(match[1])
    span = int(match[1]) * (timedelta(days=7) if match[2] == "w" else SPANS[match[2]])
    frequency = parse_frequency(freq)
    minutes = {"minute": 1, "day": 1440, "week": 10_080, "month": 43_830}[frequency.unit]
    steps = round(span / timedelta(minutes=minutes * frequency.count))
    if steps < 1:
        raise UsageError(f"--horizon {horizon} is shorter than one step of --freq {freq}")
    return steps
