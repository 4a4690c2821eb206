"""A planner's questions to the forecast: why this number, why another than yesterday, what else
may come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from models.volume import Issue, VolumeContext, VolumeModel, audit, explain_change
from models.volume.change import PARTS
from models.volume.grid import grid_of, parse_frequency
from pipelines.console import table
from pipelines.output import write_frame

YESTERDAY = timedelta(days=1)
WORDS = {
    "corrected": "counts corrected",
    "calendar": "newly announced",
    "new_counts": "counts since",
    "drivers": "orders, errors, open tickets since",
    "model": "trained again",
}


def why(
    model: VolumeModel,
    history_at: Callable[[datetime], pd.DataFrame],
    context: VolumeContext,
    as_of: datetime,
    unique_id: str,
    ds: datetime | None,
    scale: float,
) -> tuple[dict[str, Any], list[str]]:
    """One number taken apart, and what moved it since the day before; as data and as lines.

    ``ds``: the step, default the next; ``history_at``: the counts as known at a moment; ``scale``:
    what the one number (models/one_number.py) multiplies all forecasts by. UsageError for a
    series or step that was not forecast.
    """
    history = history_at(as_of)
    last = np.array([history["ds"].max()], dtype="datetime64[us]")
    grid = grid_of(
        history["ds"].to_numpy().astype("datetime64[us]"),
        parse_frequency(model.freq),
        context.time_zone,
        context.local_days,
    )
    step = grid.ds(grid.index(last) + 1)[0] if ds is None else np.datetime64(ds, "us")
    told = audit(model, history, unique_id, pd.Timestamp(step), context)
    data: dict[str, Any] = {
        "unique_id": unique_id,
        "ds": told.ds,
        "members": told.members.to_dict("records"),
        "combined": told.combined,
        "holiday_effect": told.holiday_effect,
        "event_effect": told.event_effect,
        "load": told.load,
        "reconciled": told.reconciled,
        "scale": scale,
        "presage": told.presage * scale,
        "trials": told.trials,
    }
    rows = [
        [row.member, f"{row.forecast:.2f}", f"{row.weight:.1%}", f"{row.part:.2f}"]
        for row in told.members.itertuples()
    ]
    lines = [
        f"why {unique_id} at {told.ds}: {told.presage * scale:.2f}",
        *table(["member", "says", "weight", "part"], rows),
        f"together {told.combined:.2f} (holidays x {told.holiday_effect:.2f} and events x "
        f"{told.event_effect:.2f} in each, drivers x {told.load:.2f} in those with drivers), "
        f"{told.reconciled:+.2f} to add up, one number x {scale:.3f}; judged by "
        f"{told.trials} trials",
    ]
    try:
        before = history_at(as_of - YESTERDAY)
    except NotEnoughHistory:
        return data | {"change": None}, [*lines, "there is no forecast of the day before"]
    ahead = int((grid.index(np.array([step])) - grid.index(last))[0])
    moved = explain_change(Issue(model, before, context), Issue(model, history, context), ahead)
    moved = moved[(moved["unique_id"] == unique_id) & (moved["ds"] == told.ds)]
    if moved.empty:
        return data | {"change": None}, [*lines, "the series is new since the day before"]
    change = {name: float(moved[name].iloc[0]) for name in ("before", *PARTS, "after")}
    parts = ", ".join(f"{WORDS[name]} {change[name]:+.2f}" for name in PARTS)
    lines.append(f"a day ago {change['before']:.2f}; {parts}; now {change['after']:.2f}")
    return data | {"change": change}, lines


def write_paths(
    model: VolumeModel,
    history: pd.DataFrame,
    context: VolumeContext,
    steps: int,
    count: int,
    seed: int,
    scale: float,
    out: Path,
) -> int:
    """Write ``path, unique_id, ds, y``: joint sample paths; the number of rows.

    Whole contacts, unless the one number scales them.
    """
    made = model.paths(
        history, count, seed=seed, horizon=steps, context=context, whole=scale == 1.0
    )
    paths, series, length = made.counts.shape
    frame = pd.DataFrame(
        {
            "path": np.repeat(np.arange(paths), series * length),
            "unique_id": np.tile(np.repeat(np.array(made.ids, dtype=object), length), paths),
            "ds": np.tile(made.ds, paths * series),
            "y": made.counts.reshape(-1) * scale,
        }
    )
    frame["unique_id"] = frame["unique_id"].astype("str")
    write_frame(frame, out)
    return len(frame)
