"""Training the volume model: learned from everything, judged through a twin on the last weeks."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from data.snapshot import open_snapshot
from data.workspace import Workspace
from models.frame_function import COUNTS, OfCounts
from models.gate import VOLUME, Evaluation, gate, joined
from models.metrics import Interval, bootstrap, coverage, wape
from models.training_record import flat_numbers
from models.volume import (
    VolumeContext,
    load_volume,
    mean_of_same_slots,
    seasonal_naive,
    train_with_twin,
)
from models.volume.series import TOTAL
from pipelines.console import Progress, Result, Timed
from pipelines.steps.promotion import USUAL, Promotion, kept_back_by
from pipelines.steps.provenance import flat, rows_of, twin_run
from pipelines.steps.training import Candidate, champion_twin, register
from pipelines.steps.volume import context_of, horizon_steps, native_freq, series_of

KIND = "volume"
EVALUATED_DAYS = 28
"""The twin is judged on so many days, or on a quarter of a shorter history."""
EXAMPLE = 24 * 14
"""Counts in the example of what the model reads."""


def train_volume_model(
    workspace: Path,
    snapshot: Path,
    as_of: datetime,
    report: Progress,
    promotion: Promotion = USUAL,
) -> Result:
    """Train, evaluate, register, gate, promote."""
    watched = Timed(report)
    opened = Workspace.open(workspace)
    tables = open_snapshot(snapshot)
    settings = opened.settings.volume
    context = context_of(opened, tables)
    freq = native_freq(tables) or settings.freq
    watched(f"counting contacts in steps of {freq}")
    history, source = series_of(tables, as_of, freq, context)
    span = as_of - history["ds"].min().to_pydatetime()
    if span < timedelta(days=14):
        missing = timedelta(days=14) - span
        raise NotEnoughHistory(
            f"a volume model needs 14 days of {source}, there are {span / timedelta(days=1):.1f}: "
            f"{missing / timedelta(days=1):.1f} more days are needed"
        )
    days = min(EVALUATED_DAYS, max(1, span // timedelta(days=4)))
    twin_as_of = as_of - timedelta(days=days)
    known, _ = series_of(tables, twin_as_of, freq, context)
    judged = horizon_steps(f"{days}d", freq)
    horizon = horizon_steps(f"{settings.horizon_days:g}d", freq)
    watched(
        f"training on everything, {history['unique_id'].nunique()} series, and the twin on what "
        f"was known at {twin_as_of:%Y-%m-%d}"
    )
    model, twin = train_with_twin(
        history,
        known,
        horizon=horizon,
        judged=judged,
        freq=freq,
        context=context,
        seed=settings.seed,
    )
    rows = twin.forecast(known, horizon=judged, context=context, levels=settings.levels)
    rows = rows.merge(history, on=["unique_id", "ds"])
    rows = _beside(rows, known, judged, freq, context)
    earlier = champion_twin(opened.state_dir, KIND, twin_as_of)
    before = None
    if earlier is not None:
        old = load_volume(earlier)
        if old.freq == freq:
            rival = old.forecast(known, horizon=judged, context=context, levels=settings.levels)
            rival = rows[["unique_id", "ds"]].merge(rival, on=["unique_id", "ds"], how="left")
            before = rival["presage-median"].fillna(0.0).to_numpy()
    y = rows["y"].to_numpy()
    baselines = {
        "the seasonal naive": rows["seasonal_naive"].to_numpy(),
        "the mean of 8 same slots": rows["mean_of_same_slots"].to_numpy(),
    }
    groups = rows["ds"].dt.floor("D").to_numpy()
    decision = gate(
        rows["presage-median"].to_numpy(),
        before,
        Evaluation(y, groups=groups, baselines=baselines, seed=settings.seed),
        VOLUME,
    )
    kept_back = kept_back_by(opened.state_dir, KIND, as_of, tables, (), promotion)
    decision = joined(decision, {}, kept_back, VOLUME)
    metrics: dict[str, float | Interval] = {
        "wape": bootstrap(wape, y, rows["presage-median"].to_numpy(), groups=groups, seed=0),
        **{
            f"coverage_{level}": coverage(
                y, rows[f"presage-lo-{level}"].to_numpy(), rows[f"presage-hi-{level}"].to_numpy()
            )
            for level in settings.levels
        },
        **{
            f"wape_{name.replace(' ', '_')}": wape(y, forecast)
            for name, forecast in baselines.items()
        },
    }
    example = _example(history)
    candidate = Candidate(
        kind=KIND,
        model=model,
        twin=twin,
        as_of=as_of,
        twin_as_of=twin_as_of,
        decision=decision,
        params={
            "freq": freq,
            "horizon_steps": horizon,
            "judged_steps": judged,
            "series": history["unique_id"].nunique(),
            "source": source,
            "seed": settings.seed,
            **flat("volume", settings),
        },
        metrics=metrics | {"training_seconds": watched.seconds},
        base_rates={"mean_count": float(np.mean(y))},
        data_fingerprint=tables.fingerprint,
        feature_fingerprint=f"volume/{freq}",
        example=example,
        predictions=OfCounts(model).predict(example),
        rows=rows_of(tables),
        children=(twin_run(twin_as_of, {"judged_days": days}, flat_numbers(metrics)),),
        plots=_plots(rows, known, judged),
        tables={"weights": model.weights(), "accuracy": _accuracy(rows)},
        summary=(
            f"  judged on {days} days after {twin_as_of:%Y-%m-%d}, {rows['unique_id'].nunique()} "
            "series, step by step",
            *_of_days(rows, opened.settings.company.time_zone),
        ),
    )
    return register(opened, candidate, report, promotion)


def _example(history: pd.DataFrame) -> pd.DataFrame:
    """The newest counts of one series, the total where there is one: what a forecast needs.

    Local days begin at another hour of UTC once clocks change; who reads the example knows no zone,
    so of days and longer steps it holds those since then.
    """
    ids = history["unique_id"]
    one = history[ids == (TOTAL if (ids == TOTAL).any() else ids.iloc[0])].sort_values("ds")
    newest = one[list(COUNTS)].tail(EXAMPLE).reset_index(drop=True)
    step = newest["ds"].diff().min()
    if step >= timedelta(hours=23):
        hour = newest["ds"].dt.hour
        newest = newest[(hour == hour.iloc[-1])[::-1].cummin()[::-1]].reset_index(drop=True)
    return newest


def _of_days(rows: pd.DataFrame, time_zone: str) -> list[str]:
    """How far off the total's local days were, beside the plain rules; none without a total, or
    where steps are as long as days."""
    total = rows[rows["unique_id"] == TOTAL]
    local = total["ds"].dt.tz_localize("UTC").dt.tz_convert(time_zone)
    names = ["y", "presage", "seasonal_naive", "mean_of_same_slots"]
    sums = total.groupby(local.dt.date)[names].sum()
    if sums["y"].sum() <= 0 or len(sums) > len(total) / 2:
        return []
    off = {name: wape(sums["y"].to_numpy(), sums[name].to_numpy()) for name in names[1:]}
    return [
        f"  all contacts of a day: {sums['y'].mean():.0f} on average, off by "
        f"{off['presage']:.1%}; the seasonal naive by {off['seasonal_naive']:.1%}, the mean of 8 "
        f"same slots by {off['mean_of_same_slots']:.1%}"
    ]


def _beside(
    rows: pd.DataFrame, known: pd.DataFrame, horizon: int, freq: str, context: VolumeContext
) -> pd.DataFrame:
    for baseline in (seasonal_naive, mean_of_same_slots):
        forecast = baseline(known, horizon=horizon, freq=freq, context=context)
        rows = rows.merge(forecast, on=["unique_id", "ds"])
    return rows


def _accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    """WAPE by series beside the baselines; series without a contact are left out."""
    by_series = []
    for name, part in rows.groupby("unique_id"):
        if part["y"].sum() > 0:
            y = part["y"].to_numpy()
            columns = ("presage-median", "seasonal_naive", "mean_of_same_slots")
            scores = {column: wape(y, part[column].to_numpy()) for column in columns}
            by_series.append({"unique_id": name, "mean_count": float(y.mean()), **scores})
    return pd.DataFrame(by_series)


def _plots(rows: pd.DataFrame, known: pd.DataFrame, horizon: int) -> dict[str, object]:
    from models.figures import fan_plot

    busiest = rows.groupby("unique_id")["y"].sum().idxmax()
    part = rows[rows["unique_id"] == busiest].sort_values("ds")
    past = known[known["unique_id"] == busiest].sort_values("ds").tail(horizon)
    return {"forecast": fan_plot(past, part, title=str(busiest))}
