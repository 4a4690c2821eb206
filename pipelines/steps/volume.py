"""Volume: series from the snapshot, forecasts published as vintages, backtests."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.errors import NotEnoughHistory, UsageError
from data.snapshot import open_snapshot
from data.store import open_store, overrides_of, save_forecast
from data.tables import Tables
from data.workspace import Workspace
from models.champion import champion
from models.volume import (
    VolumeContext,
    VolumeModel,
    audit,
    load_volume,
    train_volume,
    whole_contacts,
)
from models.volume.drivers import DriverSource
from models.volume.intraday import reforecast
from pipelines.console import Progress, Result, say
from pipelines.console import table as text_table
from pipelines.output import write_frame
from pipelines.steps.explaining import earlier_forecast, what_changed, why, write_paths
from pipelines.steps.one_number import join_published
from serving.overrides import overridden
from serving.published import newest, publish

SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
OFF = {
    "presage": "this forecast",
    "seasonal_naive": "the season before",
    "mean_of_8": "mean of 8 same slots",
}
ACTUAL_DAYS = 28
"""Days of counts that are published beside a forecast, for the page."""


@dataclass(frozen=True)
class Asked:
    """What a planner asks besides: ``why`` a series' number at ``ds`` (default: the next step),
    and ``count`` sample paths, written to ``paths``; ``whole``: write median and intervals in whole
    contacts.
    """

    why: str | None = None
    ds: datetime | None = None
    paths: Path | None = None
    count: int = 100
    whole: bool = False


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
    )


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


def forecast_volume(
    workspace: Path,
    snapshot: Path,
    as_of: datetime,
    horizon: str | None,
    freq: str | None,
    out: Path | None,
    report: Progress,
    asked: Asked | None = None,
) -> Result:
    """Forecast every node, publish it as a vintage, and write it to ``out``; answer what else was
    ``asked``.
    """
    asked = asked or Asked()
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    context = context_of(opened, tables)
    freq = freq or native_freq(tables) or opened.settings.volume.freq
    refuse_finer(tables, freq)
    horizon = horizon or f"{opened.settings.volume.horizon_days:g}d"
    steps = horizon_steps(horizon, freq)
    report("counting contacts")
    history, source = series_of(tables, as_of, freq, context)
    report(f"forecasting {history['unique_id'].nunique()} series, {steps} steps ahead")
    model, model_version = model_for(opened, history, steps, freq, context)
    levels, record = opened.settings.volume.levels, model.record
    alone, parts = model.forecast_with_components(
        history, horizon=steps, context=context, levels=levels
    )
    frame, today = reforecast(model, history, context, alone)
    if today is not None:
        report("the rest of today is adjusted by what came so far")
    now = SYSTEM.now()
    publish(
        opened.state_dir,
        "forecast",
        frame,
        as_of=as_of,
        now=now,
        freq=freq,
        source=source,
        model_version=model_version,
        record={"said": record.said, "came": record.came, "windows": record.windows},
    )
    publish(opened.state_dir, "parts", parts, as_of=as_of, now=now, freq=freq)
    tested = model.accuracy()
    publish(opened.state_dir, "accuracy", tested, as_of=as_of, now=now, freq=freq)
    recent = history[history["ds"] >= as_of - timedelta(days=ACTUAL_DAYS)]
    publish(opened.state_dir, "actuals", recent, as_of=as_of, now=now, freq=freq)
    with open_store(opened) as store:
        earlier = earlier_forecast(store, as_of, freq)
        save_forecast(
            store,
            frame,
            as_of=as_of,
            issued_at=now,
            model_version=model_version,
            meta={"freq": freq, "scale": 1.0},
        )
    joined, told = join_published(opened, tables, as_of)
    if joined is not None:
        published = newest(opened.state_dir, "forecast")
        assert published is not None
        frame = published.frame
    with open_store(opened) as store:
        changes = overrides_of(store, in_force_at=now)
    if changes:
        frame = frame.assign(overridden=overridden(frame, changes))
    if out is not None:
        write_frame(whole_contacts(frame) if asked.whole else frame, out)
    scale = 1.0 if joined is None else joined.forecast_scale
    report("comparing with the forecast before")

    def history_at(moment: datetime) -> pd.DataFrame:
        return series_of(tables, moment, freq, context)[0]

    change = what_changed(model, history_at, context, as_of, alone, frame, scale, earlier)
    publish(
        opened.state_dir, "change", change, as_of=as_of, now=now, since=earlier.as_of.isoformat()
    )
    extra: dict[str, Any] = {}
    if asked.why is not None:
        step = frame["ds"].min() if asked.ds is None else pd.Timestamp(asked.ds)
        parts_of_it = audit(model, history, asked.why, step, context)
        row = frame[(frame["unique_id"] == asked.why) & (frame["ds"] == step)]
        if row.empty:
            raise UsageError(f"{step} is after the last step of --horizon {horizon}")
        number = float(row["presage"].iloc[0])
        zone = opened.settings.company.time_zone
        extra["why"], lines = why(parts_of_it, number, scale, change, earlier, zone)
    else:
        lines = forecast_lines(frame, opened, tested)
    if asked.paths is not None:
        seed = opened.settings.volume.seed
        rows = write_paths(model, history, context, steps, asked.count, seed, scale, asked.paths)
        extra["paths"] = {"out": str(asked.paths), "rows": rows}
        lines.append(f"{asked.count} paths written to {asked.paths}")
    return Result(
        {
            "as_of": as_of,
            "series": int(frame["unique_id"].nunique()),
            "steps": steps,
            "rows": len(frame),
            "out": str(out) if out else None,
            "model_version": model_version,
            "one_number": None if joined is None else asdict(joined),
            "accuracy": tested.to_dict("records"),
            **extra,
        },
        [*lines, told, *([f"written to {out}"] if out else [])],
    )


def forecast_lines(frame: pd.DataFrame, workspace: Workspace, tested: pd.DataFrame) -> list[str]:
    """The next seven days of the widest nodes, by local day, and how far off each was in trials."""
    nodes = frame["unique_id"].unique()
    shown = [n for n in nodes if n == "total" or (n.startswith("channel=") and "/" not in n)]
    zone = workspace.settings.company.time_zone
    part = frame[frame["unique_id"].isin(shown or list(nodes[:8]))]
    day = part["ds"].dt.tz_localize("UTC").dt.tz_convert(zone).dt.strftime("%a %d %b")
    wide = part.assign(day=day).pivot_table(
        index="unique_id", columns="day", values="presage", aggfunc="sum", sort=False
    )[list(dict.fromkeys(day))[:7]]
    rows = [
        [name, *(f"{v:.0f}" for v in row)]
        for name, row in zip(wide.index, wide.values, strict=True)
    ]
    trials = int(tested["trials"].max()) if len(tested) else 0
    if not len(tested):
        off = ["how far off it was in trials is not known of this model: train it again"]
    elif not trials:
        off = [
            "no trial was possible with so short a history: the mean of the same slots, and "
            "intervals that are a guess, 30 % beside chance"
        ]
    else:
        own = tested.set_index("unique_id").reindex(wide.index)[list(OFF)]
        off = [
            f"off in {trials} trials (sum of errors over sum of contacts, step by step):",
            *table_of_errors(own),
        ]
    return ["contacts expected, by local day:", *text_table(["series", *wide.columns], rows), *off]


def table_of_errors(errors: pd.DataFrame) -> list[str]:
    """Errors (columns ``OFF``) of the series in the index, in percent, as lines."""
    rows = [
        [str(name), *("-" if value != value else f"{value:.1%}" for value in row)]
        for name, row in zip(errors.index, errors.to_numpy(dtype="float64"), strict=True)
    ]
    return text_table(["series", *(OFF[name] for name in errors.columns)], rows)


def model_for(
    workspace: Workspace, history: pd.DataFrame, steps: int, freq: str, context: VolumeContext
) -> tuple[VolumeModel, str]:
    """The model to forecast with, and its name: the champion, or one learned for this step."""
    settings = workspace.settings.volume
    at_work = champion(workspace.state_dir, "volume")
    if at_work is not None:
        model = load_volume(at_work.folder)
        if model.freq == freq:
            return model, at_work.model_version
    why_not = f"is for steps of {model.freq}" if at_work is not None else "is not trained yet"
    say(f"the volume champion {why_not}: learning one for steps of {freq} now")
    model = train_volume(history, horizon=steps, freq=freq, context=context, seed=settings.seed)
    return model, "volume-in-place"
