"""The forecast: built once for a moment, published as a vintage, opened by whoever needs it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.clock import SYSTEM
from data.errors import UsageError
from data.store import open_store, overrides_of, save_forecast
from models.one_number import OneNumber
from models.volume import VolumeContext, VolumeModel, audit, load_volume, train_volume
from models.volume import whole_contacts as in_whole_contacts
from models.volume.intraday import reforecast
from pipelines.console import Result, say
from pipelines.exclusive import still_ours
from pipelines.output import write_frame
from pipelines.run import Run
from pipelines.steps.expected import forecast_lines
from pipelines.steps.explaining import (
    Earlier,
    earlier_forecast,
    moved_by,
    what_changed,
    why,
    write_paths,
)
from pipelines.steps.one_number import join_published, number_of
from pipelines.steps.outreach_line import Outreach, line_words, outreach_until
from pipelines.steps.volume import (
    context_of,
    horizon_steps,
    native_freq,
    refuse_finer,
    series_of,
)
from serving.overrides import overridden
from serving.published import finish, newest, publish
from serving.staffing.basis import path_table

PATHS = 400
"""Sample paths of each channel that are published with a forecast: a plan's scenarios, and as many
others by which the plan is judged."""

ACTUAL_DAYS = 28
"""Days of counts that are published beside a forecast, for the page."""


@dataclass(frozen=True)
class Question:
    """What a planner asks besides: ``why`` a series' number at ``ds`` (default: the next step),
    and ``count`` sample paths, written to ``paths``; ``whole``: write median and intervals in whole
    contacts.
    """

    why: str | None = None
    ds: datetime | None = None
    paths: Path | None = None
    count: int = 100
    whole: bool = False


@dataclass(frozen=True)
class Working:
    """What a forecast was built with, for questions that its numbers alone do not answer."""

    model: VolumeModel
    history: pd.DataFrame
    context: VolumeContext
    earlier: Earlier
    change: pd.DataFrame


@dataclass(frozen=True)
class Forecast:
    """A forecast of every node: ``frame`` as published, ``accuracy`` by series in trials.

    ``line`` says whether it was reconciled with the customers' scores, ``one_number`` how;
    ``working`` is None where it was opened, not built. ``paths``: joint sample paths of its
    channels (``serving.staffing.basis.path_table``), which plans stand on. ``outreach``: what its
    line stands on.
    """

    frame: pd.DataFrame
    accuracy: pd.DataFrame
    model_version: str
    steps: int
    one_number: OneNumber | None
    line: str
    working: Working | None = None
    paths: pd.DataFrame | None = None
    outreach: Outreach | None = None

    @property
    def scale(self) -> float:
        """What the one number multiplied the model's forecast by."""
        return 1.0 if self.one_number is None else self.one_number.forecast_scale


def forecast_of(
    run: Run, horizon: str | None = None, freq: str | None = None, *, anew: bool = False
) -> Forecast:
    """The forecast of a run: the published one where nothing it stands on has changed, else built,
    and published where the run may.

    ``horizon`` and ``freq`` default to ``[volume]``, or the step of a ``volumes`` table. ``anew``:
    build it in any case, for what an opened one has not.
    """
    settings = run.settings.volume
    freq = freq or native_freq(run.snapshot) or settings.freq
    refuse_finer(run.snapshot, freq)
    steps = horizon_steps(horizon or f"{settings.horizon_days:g}d", freq)
    at_work = None if run.retrain else run.champion("volume")
    version = "volume-in-place" if at_work is None else at_work.model_version
    with open_store(run.workspace) as store:
        outreach = outreach_until(run, store)
    reads = (run.settings.company, settings, run.settings.opening_hours)
    key = run.key(version, steps, freq, *reads, *([] if outreach is None else [outreach]))
    current = None if anew else run.current("forecast", key)
    accuracy = None if current is None else run.current("accuracy", key)
    paths = None if current is None else run.current("paths", key)
    # a plan without its scenarios would be another one
    whole = current is not None and (paths is not None or not _channels(current.frame))
    if current is not None and accuracy is not None and whole:
        run.report("the forecast is published already")
        joined, line = number_of(current)
        version = current.about["model_version"]
        drawn = None if paths is None else paths.frame
        return Forecast(
            current.frame, accuracy.frame, version, steps, joined, line, None, drawn, outreach
        )
    return _built(run, steps, freq, key, outreach)


def _built(run: Run, steps: int, freq: str, key: str, outreach: Outreach | None) -> Forecast:
    context = context_of(run.workspace, run.snapshot)
    run.report("counting contacts")
    history, source = series_of(run.snapshot, run.as_of, freq, context)
    run.report(f"forecasting {history['unique_id'].nunique()} series, {steps} steps ahead")
    model, model_version = model_for(run, history, steps, freq, context)
    levels, record = run.settings.volume.levels, model.record
    alone, parts = model.forecast_with_components(
        history, horizon=steps, context=context, levels=levels
    )
    frame, today = reforecast(model, history, context, alone)
    if today is not None:
        run.report("the rest of today is adjusted by what came so far")
    paths = channel_paths(model, history, context, steps, alone, run.settings.volume.seed)
    if outreach is not None:
        frame = outreach.on(frame)
    tested = model.accuracy()
    joined, line = None, "not published, so not reconciled with the published scores"
    published = run.publishes("forecast")
    now = SYSTEM.now()
    with open_store(run.workspace) as store:
        earlier = earlier_forecast(store, run.as_of, freq)
    if published:
        still_ours()
        about: dict[str, Any] = {"as_of": run.as_of, "now": now, "freq": freq, "key": key}
        recent = history[history["ds"] >= run.as_of - timedelta(days=ACTUAL_DAYS)]
        publish(
            run.state_dir,
            "forecast",
            frame,
            source=source,
            model_version=model_version,
            record={"said": record.forecast, "came": record.actual, "windows": record.windows},
            **about,
        )
        publish(run.state_dir, "parts", parts, **about)
        if paths is not None:
            publish(run.state_dir, "paths", paths, **about)
        publish(run.state_dir, "accuracy", tested, **about)
        publish(run.state_dir, "actuals", recent, **about)
        with open_store(run.workspace) as store:
            save_forecast(
                store,
                frame,
                as_of=run.as_of,
                issued_at=now,
                model_version=model_version,
                meta={"freq": freq, "scale": 1.0, "key": key},
            )
        joined, line = join_published(run.workspace, run.snapshot, run.as_of)
        if joined is not None:
            there = newest(run.state_dir, "forecast")
            assert there is not None
            frame = there.frame
    run.report("comparing with the forecast before")

    def history_at(moment: datetime) -> pd.DataFrame:
        return series_of(run.snapshot, moment, freq, context)[0]

    scale = 1.0 if joined is None else joined.forecast_scale
    change = what_changed(model, history_at, context, run.as_of, alone, frame, scale, earlier)
    if published:
        publish(run.state_dir, "change", change, since=earlier.as_of.isoformat(), **about)
        finish(run.state_dir, "forecast")
    working = Working(model, history, context, earlier, change)
    return Forecast(frame, tested, model_version, steps, joined, line, working, paths, outreach)


def _channels(frame: pd.DataFrame) -> list[str]:
    """The ids of a forecast's channels."""
    ids = frame["unique_id"].astype(str)
    return list(ids[ids.str.startswith("channel=") & ~ids.str.contains("/", regex=False)].unique())


def channel_paths(
    model: VolumeModel,
    history: pd.DataFrame,
    context: VolumeContext,
    steps: int,
    frame: pd.DataFrame,
    seed: int,
) -> pd.DataFrame | None:
    """``PATHS`` joint sample paths of the forecast's channels; None where it has no channel."""
    channels = _channels(frame)
    if not channels:
        return None
    drawn = model.paths(history, PATHS, seed=seed, horizon=steps, context=context, only=channels)
    return path_table(drawn.ids, drawn.ds, drawn.counts, frame)


def forecast_volume(
    run: Run,
    horizon: str | None,
    freq: str | None,
    out: Path | None,
    question: Question | None = None,
) -> Result:
    """Forecast every node and write it to ``out``; answer ``question`` besides."""
    question = question or Question()
    needs_working = question.why is not None or question.paths is not None
    forecast = forecast_of(run, horizon, freq, anew=needs_working)
    with open_store(run.workspace) as store:
        changes = overrides_of(store, in_force_at=SYSTEM.now())
    frame = forecast.frame
    if changes:
        frame = frame.assign(overridden=overridden(frame, changes))
    if out is not None:
        write_frame(in_whole_contacts(frame) if question.whole else frame, out)
    extra, lines = _answers(run, forecast, frame, question)
    joined = forecast.one_number
    return Result(
        {
            "as_of": run.as_of,
            "series": int(frame["unique_id"].nunique()),
            "steps": forecast.steps,
            "rows": len(frame),
            "published": run.publishes("forecast"),
            "out": str(out) if out else None,
            "model_version": forecast.model_version,
            "one_number": None if joined is None else asdict(joined),
            "accuracy": forecast.accuracy.to_dict("records"),
            **extra,
        },
        [
            *lines,
            *line_words(frame, forecast.outreach),
            *(run.not_published("forecast") or [forecast.line]),
            *([f"written to {out}"] if out else []),
        ],
    )


def _answers(
    run: Run, forecast: Forecast, frame: pd.DataFrame, question: Question
) -> tuple[dict[str, Any], list[str]]:
    """The answers to ``question``, as data and as lines."""
    if question.why is None and question.paths is None:
        return {}, forecast_lines(frame, run.workspace, forecast.accuracy)
    working, extra = forecast.working, dict[str, Any]()
    assert working is not None
    if question.why is not None:
        step = frame["ds"].min() if question.ds is None else pd.Timestamp(question.ds)
        parts = audit(working.model, working.history, question.why, step, working.context)
        row = frame[(frame["unique_id"] == question.why) & (frame["ds"] == step)]
        if row.empty:
            raise UsageError(
                f"{step} is after the last step of the forecast, {frame['ds'].max()}; "
                "give a longer --horizon"
            )
        number = float(row["presage"].iloc[0])
        zone = run.settings.company.time_zone
        extra["why"], lines = why(
            parts,
            number,
            forecast.scale,
            working.change,
            working.earlier,
            zone,
            float(moved_by(row).iloc[0]),
        )
    else:
        lines = forecast_lines(frame, run.workspace, forecast.accuracy)
    if question.paths is not None:
        rows = write_paths(
            working.model,
            working.history,
            working.context,
            forecast.steps,
            question.count,
            run.settings.volume.seed,
            frame,
            question.paths,
        )
        extra["paths"] = {"out": str(question.paths), "rows": rows}
        lines.append(f"{question.count} paths written to {question.paths}")
    return extra, lines


def model_for(
    run: Run, history: pd.DataFrame, steps: int, freq: str, context: VolumeContext
) -> tuple[VolumeModel, str]:
    """The model to forecast with, and its name: the one at work at the run's moment, or one
    learned now from ``history`` for this step."""
    at_work = None if run.retrain else run.champion("volume")
    if at_work is not None:
        model = load_volume(at_work.folder, at_work.fingerprint)
        if model.freq == freq:
            return model, at_work.model_version
    if run.retrain:
        say(f"learning a volume model from what was known as of {run.as_of}")
    elif at_work is not None:
        say(f"the volume model is for steps of {model.freq}: learning one for steps of {freq} now")
    else:
        since = f" as of {run.as_of}" if run.is_past else ""
        say(f"no volume model was at work{since}: learning one for steps of {freq} now")
    model = train_volume(
        history, horizon=steps, freq=freq, context=context, seed=run.settings.volume.seed
    )
    return model, "volume-in-place"
