"""Looking back: forecasts at past cutoffs from what was known then, beside two baselines."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from data.snapshot import Snapshot, open_snapshot
from data.tables import Tables
from data.workspace import Workspace
from features.calendar import utc_times
from models.volume import (
    VolumeContext,
    backtest,
    forecast,
    mean_of_same_slots,
    seasonal_naive,
    whole_contacts,
)
from pipelines.console import Progress, Result, table
from pipelines.output import write_frame
from pipelines.steps.volume import context_of, refuse_finer, series_of


def backtest_volume_model(
    workspace: Path,
    snapshot: Path,
    cutoffs: list[datetime],
    horizon: int,
    freq: str,
    levels: tuple[int, ...],
    out: Path,
    report: Progress,
    whole: bool = False,
) -> Result:
    """Forecast at each cutoff with what was known then, beside the two baselines; ``whole``: median
    and intervals in whole contacts.
    """
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    context = context_of(opened, tables)
    refuse_finer(tables, freq)
    # what came is compared with, however short a history is learned from
    unlimited = replace(context, history_days=0)
    final, _ = series_of(tables, end_of(opened, tables), freq, unlimited)
    cutoffs = [begin_of(tables, cutoff, freq, context) for cutoff in cutoffs]
    known = {cutoff: known_at(tables, cutoff, freq, context) for cutoff in cutoffs}
    report(f"{len(cutoffs)} cutoffs of {final['unique_id'].nunique()} series")
    forecasts = backtest_as_known(
        final,
        known,
        horizon=horizon,
        freq=freq,
        context=context,
        levels=levels,
        seed=opened.settings.volume.seed,
    )
    forecasts = whole_contacts(forecasts) if whole else forecasts
    frame = with_baselines(forecasts, known, horizon, freq, context)
    if tables.has("forecasts"):
        ends = {cutoff: step_after(tables, cutoff, freq, context) for cutoff in cutoffs}
        frame = with_yours(frame, tables.frame("forecasts"), ends)
    write_frame(frame, out)
    data, lines = accuracy(frame)
    short = too_short(known, freq, context)
    data = {"rows": len(frame), "out": str(out), "too_short": short, **data}
    return Result(data, [*short, *lines, f"written to {out}"])


def end_of(workspace: Workspace, tables: Snapshot) -> datetime:
    """The moment to which counts are complete: ``complete_to``, or the newest birth."""
    end = workspace.settings.data.complete_to or tables.newest_birth
    if end is None:
        raise NotEnoughHistory("the tables have no rows to count")
    return end


def begin_of(tables: Tables, cutoff: datetime, freq: str, context: VolumeContext) -> datetime:
    """A cutoff given as a plain date, as the moment at which that local day, week or month begins;
    any other as it is.

    >>> from data.tables import MemoryTables
    >>> oslo = VolumeContext(time_zone="Europe/Oslo")
    >>> begin_of(MemoryTables({}), datetime(2026, 7, 2), "D", oslo)
    datetime.datetime(2026, 7, 1, 22, 0)
    """
    from models.volume.grid import parse_frequency
    from models.volume.series import company_grid

    frequency = parse_frequency(freq)
    plain = cutoff.time() == time(0) and frequency.unit != "minute"
    if not plain or context.time_zone == "UTC" or tables.has("volumes"):
        return cutoff
    day = np.array([cutoff], dtype="datetime64[us]")
    grid = company_grid(frequency, context.time_zone, cutoff)
    if grid.ds(grid.index(day))[0] == day[0]:
        return cutoff
    midnight = utc_times(day, context.time_zone)
    begin: datetime = grid.ds(grid.index(midnight))[0].item()
    return begin


def known_at(tables: Tables, cutoff: datetime, freq: str, context: VolumeContext) -> pd.DataFrame:
    """The counts as they were known when the step that begins at ``cutoff`` had ended."""
    as_of = step_after(tables, cutoff, freq, context)
    history, _ = series_of(tables, as_of, freq, context)
    return history[history["ds"] <= cutoff].reset_index(drop=True)


def step_after(tables: Tables, cutoff: datetime, freq: str, context: VolumeContext) -> datetime:
    """The end of the step that begins at ``cutoff``: where the next one of the counts' grid does.

    Raises NotEnoughHistory for a cutoff before the first count of ``volumes``.
    """
    from models.volume.grid import grid_of, parse_frequency
    from models.volume.series import volumes_grid

    begin = np.array([cutoff], dtype="datetime64[us]")
    if tables.has("volumes"):
        grid = volumes_grid(tables, cutoff + timedelta(microseconds=1), freq, context)
    else:
        frequency = parse_frequency(freq)
        grid = grid_of(begin, frequency, context.time_zone, context.local_days)
    end: datetime = grid.ds(grid.index(begin) + 1).astype("datetime64[us]")[0].item()
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
        rows = backtest(
            final,
            cutoffs=steady,
            horizon=horizon,
            freq=freq,
            context=context,
            levels=levels,
            seed=seed,
        )
        parts.append(rows)
    for cutoff, past in known.items():
        if cutoff not in steady:
            rows = forecast(
                past, horizon=horizon, freq=freq, context=context, levels=levels, seed=seed
            )
            rows.insert(2, "cutoff", pd.Timestamp(cutoff))
            actual = final.rename(columns={"y": "actual"})
            rows.insert(3, "y", rows.merge(actual, on=["unique_id", "ds"], how="left")["actual"])
            parts.append(rows)
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


def with_yours(
    frame: pd.DataFrame, forecasts: pd.DataFrame, ends: dict[datetime, datetime]
) -> pd.DataFrame:
    """The backtest with a column ``yours``: of the table's forecasts of each step the newest that
    was issued, and recorded, by the end of the cutoff's step; null where there is none."""
    own = forecasts[~forecasts["deleted"].astype(bool)]
    parts = []
    for cutoff, end in ends.items():
        known = own[(own["issued_at"] <= end) & (own["recorded_at"] <= end)]
        newest = known.sort_values(["issued_at", "recorded_at", "_row"], kind="stable")
        newest = newest.drop_duplicates(["unique_id", "ds"], keep="last")
        parts.append(newest[["unique_id", "ds", "y"]].assign(cutoff=pd.Timestamp(cutoff)))
    yours = pd.concat(parts, ignore_index=True).rename(columns={"y": "yours"})
    yours["cutoff"] = yours["cutoff"].astype(frame["cutoff"].dtype)
    return frame.merge(yours, on=["unique_id", "ds", "cutoff"], how="left")


MEMBERS = {
    "presage-median": "presage",
    "seasonal_naive": "the seasonal naive",
    "mean_of_same_slots": "the mean of 8 same slots",
    "yours": "your own forecast",
}
MOST_SHOWN = 12


def accuracy(frame: pd.DataFrame) -> tuple[dict[str, object], list[str]]:
    """WAPE beside the baselines, of all series and of each (the busiest as lines), and the coverage
    of each interval, over rows with an actual.
    """
    known = frame[frame["y"].notna()]
    if known.empty:
        return {"rows_with_actuals": 0}, ["no actuals to compare with yet"]
    y = known["y"].to_numpy(float)
    levels = [c.rpartition("-")[2] for c in known.columns if c.startswith("presage-lo-")]
    inside = {
        level: float(
            ((known[f"presage-lo-{level}"] <= y) & (y <= known[f"presage-hi-{level}"])).mean()
        )
        for level in levels
    }
    covered = [f"inside the {level} % interval: {share:.1%}" for level, share in inside.items()]
    about = {"coverage": inside, "rows_with_actuals": len(known)}
    if not y.sum():
        nothing = [f"none of the {len(known)} steps had a contact: there is no WAPE", *covered]
        return about, nothing
    scores = _wapes(known)
    single = []
    for name, part in known.groupby("unique_id"):
        if part["y"].sum() > 0:
            mean = float(part["y"].mean())
            single.append({"unique_id": str(name), "mean_count": mean, **_wapes(part)})
    lines = [f"WAPE of {name}: {value:.4f}" for name, value in scores.items()]
    if len(single) > 1:
        named = [name for column, name in MEMBERS.items() if column in known]
        busiest = sorted(single, key=lambda one: -one["mean_count"])[:MOST_SHOWN]
        rows = [
            [
                one["unique_id"],
                f"{one['mean_count']:.1f}",
                *(f"{one[name]:.4f}" if name in one else "-" for name in named),
            ]
            for one in busiest
        ]
        lines += table(["WAPE of", "mean count", *named], rows)
        if len(single) > len(busiest):
            lines.append(f"and {len(single) - len(busiest)} less busy series, in --json")
    return {"wape": scores, "series": single, **about}, [*lines, *covered]


def _wapes(known: pd.DataFrame) -> dict[str, Any]:
    """WAPE of each method that has an answer for every row."""
    from models.metrics import wape

    y = known["y"].to_numpy(float)
    return {
        name: wape(y, known[column].to_numpy(float))
        for column, name in MEMBERS.items()
        if column in known and known[column].notna().all()
    }


def too_short(known: dict[datetime, pd.DataFrame], freq: str, context: VolumeContext) -> list[str]:
    """A line for each cutoff before which no trial was possible."""
    from models.volume.judge import inner_origins
    from models.volume.panel import panel_of

    lines = []
    for cutoff, past in known.items():
        panel = panel_of(past, freq, context)
        if not len(inner_origins(panel)):
            lines.append(
                f"cutoff {cutoff}: {panel.y.shape[1]} steps of {freq} are too few for a trial; the "
                "forecast is the mean of the same slots, its intervals a guess, 30 % beside chance"
            )
    return lines
