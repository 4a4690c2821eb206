"""Volume: series from the snapshot, forecasts published as vintages, backtests."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.clock import SYSTEM
from data.errors import NotEnoughHistory, UsageError
from data.snapshot import Snapshot, open_snapshot
from data.store import open_store, overrides_of, save_forecast
from data.tables import Tables
from data.workspace import Workspace
from models.champion import champion
from models.volume import (
    VolumeContext,
    VolumeModel,
    backtest,
    forecast,
    mean_of_same_slots,
    seasonal_naive,
    train_volume,
)
from models.volume.drivers import DriverSource
from models.volume.intraday import reforecast
from models.volume.model import load_volume
from pipelines.console import Progress, Result, say
from pipelines.console import table as text_table
from pipelines.output import write_frame
from pipelines.steps.explaining import why, write_paths
from pipelines.steps.one_number import join_published
from serving.overrides import overridden
from serving.published import newest, publish

SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
ACTUAL_DAYS = 28
"""Days of counts that are published beside a forecast, for the page."""


@dataclass(frozen=True)
class Asked:
    """What a planner asks besides: ``why`` a series' number at ``ds`` (default: the next step),
    and ``count`` sample paths, written to ``paths``.
    """

    why: str | None = None
    ds: datetime | None = None
    paths: Path | None = None
    count: int = 100


def context_of(workspace: Workspace, tables: Tables) -> VolumeContext:
    """What a forecast may know besides the counts, from settings and tables."""
    company = workspace.settings.company
    return VolumeContext(
        country=company.country,
        time_zone=company.time_zone,
        opening_hours=workspace.settings.opening_hours,
        calendar=tables.frame("calendar") if tables.has("calendar") else None,
        local_days=None if tables.has("volumes") else True,
        drivers=drivers_of(workspace, tables),
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
    rows = tables.frame("volumes", ["unique_id", "ds"]).drop_duplicates()
    gaps = rows.sort_values(["unique_id", "ds"]).groupby("unique_id")["ds"].diff().dropna()
    if gaps.empty:
        return None
    minutes = round(gaps.mode().iloc[0].total_seconds() / 60)
    named = {60: "h", 1440: "D", 10_080: "W"}
    if 28 * 1440 <= minutes <= 31 * 1440:
        return "MS"
    return named.get(minutes, f"{minutes}min")


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
    horizon: str,
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
    freq = freq or native_freq(tables) or "h"
    steps = horizon_steps(horizon, freq)
    report("counting contacts")
    history, source = series_of(tables, as_of, freq, context)
    report(f"forecasting {history['unique_id'].nunique()} series, {steps} steps ahead")
    model, model_version = model_for(opened, history, steps, freq, context)
    levels, record = opened.settings.volume.levels, model.record
    frame, parts = model.told(history, horizon=steps, context=context, levels=levels)
    frame, today = reforecast(model, history, context, frame)
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
    recent = history[history["ds"] >= as_of - timedelta(days=ACTUAL_DAYS)]
    publish(opened.state_dir, "actuals", recent, as_of=as_of, now=now, freq=freq)
    with open_store(opened) as store:
        save_forecast(store, frame, as_of=as_of, issued_at=now, model_version=model_version)
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
        write_frame(frame, out)
    scale = 1.0 if joined is None else joined.forecast_scale
    extra: dict[str, Any] = {}
    if asked.why is not None:

        def history_at(moment: datetime) -> pd.DataFrame:
            return series_of(tables, moment, freq, context)[0]

        extra["why"], lines = why(model, history_at, context, as_of, asked.why, asked.ds, scale)
    else:
        lines = forecast_lines(frame, opened)
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
            **extra,
        },
        [*lines, told, *([f"written to {out}"] if out else [])],
    )


def forecast_lines(frame: pd.DataFrame, workspace: Workspace) -> list[str]:
    """The next seven days of the widest nodes, by local day."""
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
    return ["contacts expected, by local day:", *text_table(["series", *wide.columns], rows)]


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


def backtest_volume_model(
    workspace: Path,
    snapshot: Path,
    cutoffs: list[datetime],
    horizon: int,
    freq: str,
    levels: tuple[int, ...],
    out: Path,
    report: Progress,
) -> Result:
    """Forecast at each cutoff with what was known then, beside the two baselines."""
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    context = context_of(opened, tables)
    final, _ = series_of(tables, end_of(opened, tables), freq, context)
    known = {cutoff: known_at(tables, cutoff, freq, context) for cutoff in cutoffs}
    report(f"{len(cutoffs)} cutoffs of {final['unique_id'].nunique()} series")
    made = backtest_as_known(
        final,
        known,
        horizon=horizon,
        freq=freq,
        context=context,
        levels=levels,
        seed=opened.settings.volume.seed,
    )
    frame = with_baselines(made, known, horizon, freq, context)
    write_frame(frame, out)
    data, lines = accuracy(frame)
    return Result({"rows": len(frame), "out": str(out), **data}, [*lines, f"written to {out}"])


def end_of(workspace: Workspace, tables: Snapshot) -> datetime:
    """The moment to which counts are complete: ``complete_to``, or the newest birth."""
    end = workspace.settings.data.complete_to or tables.newest_birth
    if end is None:
        raise NotEnoughHistory("the tables have no rows to count")
    return end


def known_at(tables: Tables, cutoff: datetime, freq: str, context: VolumeContext) -> pd.DataFrame:
    """The counts as they were known when the step that begins at ``cutoff`` had ended."""
    as_of = step_after(cutoff, freq, context)
    history, _ = series_of(tables, as_of, freq, context)
    return history[history["ds"] <= cutoff].reset_index(drop=True)


def step_after(cutoff: datetime, freq: str, context: VolumeContext) -> datetime:
    """The end of the step that begins at ``cutoff``, by the company's local days and months."""
    from models.volume.grid import grid_of, parse_frequency

    frequency = parse_frequency(freq)
    grid = grid_of(
        np.array([cutoff], dtype="datetime64[us]"),
        frequency,
        context.time_zone,
        context.local_days,
    )
    (index,) = grid.index(np.array([cutoff], dtype="datetime64[us]"))
    end: datetime = grid.ds(np.array([index + 1])).astype("datetime64[us]")[0].item()
    return end


def backtest_as_known(
    final: pd.DataFrame,
    known: dict[datetime, pd.DataFrame],
    *,
    horizon: int,
    freq: str,
    context: VolumeContext,
    levels: tuple[int, ...],
    seed: int,
) -> pd.DataFrame:
    """``models.volume.backtest`` where history was never rewritten, else a forecast per cutoff.

    Counts that were corrected or came in late differ from what was known at a cutoff; a forecast
    from there may only use the latter.
    """
    steady = [c for c, past in known.items() if same_counts(past, final[final["ds"] <= c])]
    parts = []
    if steady:
        made = backtest(
            final,
            cutoffs=steady,
            horizon=horizon,
            freq=freq,
            context=context,
            levels=levels,
            seed=seed,
        )
        parts.append(made)
    for cutoff, past in known.items():
        if cutoff not in steady:
            made = forecast(
                past, horizon=horizon, freq=freq, context=context, levels=levels, seed=seed
            )
            made.insert(2, "cutoff", pd.Timestamp(cutoff))
            actual = final.rename(columns={"y": "actual"})
            made.insert(3, "y", made.merge(actual, on=["unique_id", "ds"], how="left")["actual"])
            parts.append(made)
    frame = pd.concat(parts, ignore_index=True)
    return frame.sort_values(["cutoff", "unique_id", "ds"], ignore_index=True)


def same_counts(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two histories hold the same series and counts; a series not yet seen is a difference,
    for a forecast from there must not know that it will exist."""
    a, b = (part.set_index(["unique_id", "ds"])["y"].sort_index() for part in (one, other))
    return len(a) == len(b) and a.equals(b)


def with_baselines(
    frame: pd.DataFrame,
    known: dict[datetime, pd.DataFrame],
    horizon: int,
    freq: str,
    context: VolumeContext,
) -> pd.DataFrame:
    """The backtest with columns ``seasonal_naive`` and ``mean_of_same_slots`` (of the last 8)."""
    parts = []
    for cutoff, past in known.items():
        naive = seasonal_naive(past, horizon=horizon, freq=freq, context=context)
        mean = mean_of_same_slots(past, horizon=horizon, freq=freq, context=context)
        both = naive.merge(mean, on=["unique_id", "ds"])
        parts.append(both.assign(cutoff=pd.Timestamp(cutoff)))
    baselines = pd.concat(parts, ignore_index=True)
    return frame.merge(baselines, on=["unique_id", "ds", "cutoff"], how="left")


def accuracy(frame: pd.DataFrame) -> tuple[dict[str, object], list[str]]:
    """WAPE beside the baselines, and the coverage of each interval, over rows with an actual."""
    from models.metrics import wape

    known = frame[frame["y"].notna()]
    if known.empty or not known["y"].abs().sum():
        return {"rows_with_actuals": len(known)}, ["no actuals to compare with yet"]
    y = known["y"].to_numpy(float)
    scores = {
        name: wape(y, known[column].to_numpy(float))
        for name, column in (
            ("presage", "presage-median"),
            ("the seasonal naive", "seasonal_naive"),
            ("the mean of 8 same slots", "mean_of_same_slots"),
        )
        if known[column].notna().all()
    }
    levels = [c.rpartition("-")[2] for c in known.columns if c.startswith("presage-lo-")]
    inside = {
        level: float(
            ((known[f"presage-lo-{level}"] <= y) & (y <= known[f"presage-hi-{level}"])).mean()
        )
        for level in levels
    }
    lines = [f"WAPE of {name}: {value:.4f}" for name, value in scores.items()]
    lines += [f"inside the {level} % interval: {share:.1%}" for level, share in inside.items()]
    return {"wape": scores, "coverage": inside, "rows_with_actuals": len(known)}, lines
