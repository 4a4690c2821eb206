"""A planner's questions to the forecast: why this number, why another than yesterday, what else
may come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from data.store import Store, publications, read_forecast
from models.outreach_line import HELD, LINE
from models.volume import Audit, Issue, VolumeContext, VolumeModel, explain_change
from pipelines.console import table
from pipelines.output import write_frame

WORDS = {
    "model": "trained again",
    "corrected": "counts corrected",
    "calendar": "newly announced",
    "new_counts": "counts since",
    "drivers": "orders, errors, open tickets since",
    "today": "what today brought so far",
    "outreach": "outreach",
    "one_number": "the customers' expected tickets",
}
ALIKE = 1e-9
NUMBERS = ("before", *WORDS, "after")
CHANGE = ("unique_id", "ds", *NUMBERS)


@dataclass(frozen=True)
class Earlier:
    """A forecast that was issued as of ``as_of``: its rows and what the one number multiplied them
    by; None for both where none was kept, and today's model says what it would have said.
    """

    as_of: datetime
    frame: pd.DataFrame | None = None
    scale: float = 1.0


def earlier_forecast(store: Store, as_of: datetime, freq: str) -> Earlier:
    """The newest forecast of these steps as of a day before ``as_of`` or earlier."""
    yesterday = as_of - timedelta(days=1)
    for one in publications(store, "forecast"):
        if one.as_of <= yesterday and one.meta.get("freq") == freq:
            stored = read_forecast(store, one.issued_at)
            frame = None if stored is None else stored[1]
            return Earlier(one.as_of, frame, float(one.meta.get("scale", 1.0)))
    return Earlier(yesterday)


def what_changed(
    model: VolumeModel,
    history_at: Callable[[datetime], pd.DataFrame],
    context: VolumeContext,
    as_of: datetime,
    alone: pd.DataFrame,
    published: pd.DataFrame,
    scale: float,
    earlier: Earlier,
) -> pd.DataFrame:
    """``CHANGE`` for every series and step of both forecasts: the parts (``WORDS``) add up to
    ``after - before``. No rows where there was nothing to forecast from then.

    ``alone``: what the model says; ``published``: the same after today's counts and the one number,
    which multiplied it by ``scale``.
    """
    try:
        then = history_at(earlier.as_of)
    except NotEnoughHistory:
        return pd.DataFrame(columns=list(CHANGE))
    now, steps = history_at(as_of), int(alone["ds"].nunique())
    moved = explain_change(Issue(model, then, context), Issue(model, now, context), steps, alone)
    key = ["unique_id", "ds"]
    now_published = published[[*key, "presage"]].rename(columns={"presage": "published"})
    now_published["outreach"] = moved_by(published) / (scale if scale > 0 else 1.0)
    now_published["ds"] = now_published["ds"].astype(moved["ds"].dtype)
    moved = moved.merge(now_published, on=key)
    number, of_then = moved["before"], 0.0
    before_scale = earlier.scale if earlier.scale > 0 else 1.0
    if earlier.frame is not None:
        then_said = earlier.frame[[*key, "presage"]].rename(columns={"presage": "said"})
        then_said["outreach_then"] = moved_by(earlier.frame) / before_scale
        then_said["ds"] = then_said["ds"].astype(moved["ds"].dtype)
        moved = moved.merge(then_said, on=key)
        number, of_then = moved["said"], moved["outreach_then"]
    unscaled = number / before_scale
    bare = moved["published"] / scale if scale > 0 else moved["after"]
    return moved.assign(
        model=moved["before"] - (unscaled - of_then),
        before=number,
        today=bare - moved["after"] - moved["outreach"],
        outreach=moved["outreach"] - of_then,
        one_number=(moved["published"] - bare) - (number - unscaled),
        after=moved["published"],
    )[list(CHANGE)]


def moved_by(frame: pd.DataFrame) -> pd.Series:
    """By how many contacts outreach moved each number of a published forecast; 0 without a line."""
    if LINE[0] not in frame:
        return pd.Series(0.0, index=frame.index)
    return frame[LINE[0]] - frame[HELD]


def why(
    audit: Audit,
    published: float,
    scale: float,
    change: pd.DataFrame,
    earlier: Earlier,
    zone: str,
    outreach: float = 0.0,
) -> tuple[dict[str, Any], list[str]]:
    """One number taken apart, and what moved it since the forecast before; as data and as lines.

    ``published``: the number as it was told; ``scale``: what the one number (models/one_number.py)
    multiplied it by; ``change``: of ``what_changed`` since ``earlier``; ``outreach``: by how many
    contacts outreach moved it (``moved_by``).
    """
    alone = audit.presage * scale
    today = (published - outreach) / alone if alone > 0 else 1.0
    local = pd.Timestamp(audit.ds, tz="UTC").tz_convert(zone)
    data: dict[str, Any] = {
        "unique_id": audit.unique_id,
        "ds": audit.ds,
        "members": audit.members.to_dict("records"),
        "combined": audit.combined,
        "holiday_effect": audit.holiday_effect,
        "event_effect": audit.event_effect,
        "load": audit.load,
        "reconciled": audit.reconciled,
        "scale": scale,
        "today": today,
        "outreach": outreach,
        "presage": published,
        "trials": audit.trials,
        "interval": {
            "phi": audit.phi,
            "growth": audit.growth,
            "doubt": audit.doubt,
            "unit": audit.unit,
            "centre": audit.centre,
            "reach": list(audit.reach),
            "quantiles": audit.quantiles.to_dict("records"),
        },
    }
    rows = [
        [
            row.member,
            _n(row.forecast),
            f"{row.weight:.1%}",
            _n(row.part),
            "-" if row.score != row.score else f"{row.score:.4f}",
            "-" if row.wape != row.wape else f"{row.wape:.1%}",
        ]
        for row in audit.members.itertuples()
    ]
    of_all = f"one number x {scale:.3f}"
    of_all += f", today so far x {today:.3f}" if abs(today - 1) > ALIKE else ""
    of_all += f", outreach {outreach:+.3f}" if outreach else ""
    lines = [
        f"why {audit.unique_id} at {audit.ds} UTC ({local:%a %d %b %H:%M} local): {_n(published)}",
        *table(["member", "says", "weight", "part", "score", "off in trials"], rows),
        f"together {_n(audit.combined)} (holidays x {audit.holiday_effect:.3f} and events x "
        f"{audit.event_effect:.3f} in each, drivers x {audit.load:.3f} in those with drivers), "
        f"{audit.reconciled:+.3f} to add up, {of_all}; judged by {audit.trials} trials",
        *_interval_lines(audit, published),
    ]
    moved = change[(change["unique_id"] == audit.unique_id) & (change["ds"] == audit.ds)]
    if moved.empty:
        return data | {"change": None}, [*lines, "there is no forecast of it of the day before"]
    parts = {name: float(moved[name].iloc[0]) for name in NUMBERS}
    shown = [f"{words} {parts[name]:+.3f}" for name, words in WORDS.items() if parts[name]]
    was = "it was" if earlier.frame is not None else "today's model says it was"
    lines.append(
        f"as of {earlier.as_of} UTC {was} {_n(parts['before'])}; "
        + (", ".join(shown) or "nothing has changed")
        + f"; now {_n(parts['after'])}"
    )
    return data | {"change": {"since": earlier.as_of, **parts}}, lines


def _n(value: float) -> str:
    """A number of contacts with digits enough to redo a sum by hand."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _interval_lines(audit: Audit, published: float) -> list[str]:
    """How the interval is made, in the shares that are written."""
    times = published / audit.presage if audit.presage > 0 else 1.0
    wanted = audit.quantiles[audit.quantiles["probability"].isin([0.025, 0.1, 0.5, 0.9, 0.975])]
    rows = [
        [f"{share:.1%}", f"{residual:+.3f}", _n(count * times)]
        for share, residual, count in wanted[["probability", "residual", "count"]].to_numpy()
    ]
    f = max(audit.presage, 0.25)
    more = f" + ({audit.doubt:.4f} x {audit.presage:.3f})^2" if audit.doubt else ""
    early, late = audit.reach
    widened = f"; wider by trouble that ends early ({early:+.2f}) or late ({late:+.2f})"
    return [
        f"its interval: unit {audit.unit:.3f} = root(({f:.3f} + {audit.phi:.5f} x "
        f"{audit.presage:.3f}^2) x {audit.growth:.4f}^2{more}), then ({audit.centre:.3f} + "
        f"residual x unit) x {times:.3f}, not below 0{widened if early or late else ''}",
        *table(["of outcomes below", "residual", "contacts"], rows),
    ]


def write_paths(
    model: VolumeModel,
    history: pd.DataFrame,
    context: VolumeContext,
    steps: int,
    count: int,
    seed: int,
    forecast: pd.DataFrame,
    out: Path,
) -> int:
    """Write ``path, unique_id, ds, y``: joint sample paths in whole contacts, their mean that of
    ``forecast``, outreach and the one number included; the number of rows.
    """
    sample = model.paths(history, count, seed=seed, horizon=steps, context=context, means=forecast)
    paths, series, length = sample.counts.shape
    frame = pd.DataFrame(
        {
            "path": np.repeat(np.arange(paths), series * length),
            "unique_id": np.tile(np.repeat(np.array(sample.ids, dtype=object), length), paths),
            "ds": np.tile(sample.ds, paths * series),
            "y": sample.counts.reshape(-1),
        }
    )
    frame["unique_id"] = frame["unique_id"].astype("str")
    write_frame(frame, out)
    return len(frame)
