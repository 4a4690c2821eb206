"""Why did the forecast change since yesterday: parts that sum to the change.

A forecast is a function of a model, the counts and what else is known. Going from the earlier issue
to the later one thing at a time, each step's difference is that thing's part:

    corrected    counts of the past that were changed or came in late
    calendar     what is newly announced, opening hours, settings
    new_counts   the steps that have passed since
    drivers      what was learned since of orders, errors and open tickets
    model        training again: other weights, other trees

The order is fixed and stated because parts may depend on it; their sum does not.

>>> [name for name in PARTS]
['corrected', 'calendar', 'new_counts', 'drivers', 'model']
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.errors import UsageError
from models.volume.context import VolumeContext
from models.volume.model import VolumeModel
from models.volume.panel import panel_of

PARTS = ("corrected", "calendar", "new_counts", "drivers", "model")


@dataclass(frozen=True)
class Issue:
    """What a forecast was made of."""

    model: VolumeModel
    history: pd.DataFrame
    context: VolumeContext


def explain_change(
    before: Issue, after: Issue, horizon: int, forecast: pd.DataFrame | None = None
) -> pd.DataFrame:
    """``unique_id, ds, before, corrected, calendar, new_counts, drivers, model, after`` of the
    ``horizon`` steps after the later history; the five parts add up to ``after - before``.

    Series that the earlier history did not have are left out: nothing of theirs changed.
    ``forecast``: the later issue's forecast of these steps, for a caller who has it already.
    Raises UsageError where the steps differ, or the later history ends before the earlier one.
    """
    if before.model.freq != after.model.freq:
        raise UsageError(
            f"the forecasts have steps of {before.model.freq!r} and {after.model.freq!r}; only "
            "forecasts of one step can be compared."
        )
    freq = after.model.freq
    earlier = panel_of(before.history, freq, before.context)
    later = panel_of(after.history, freq, after.context)
    passed = later.end - earlier.end
    if passed < 0:
        raise UsageError(
            f"the later history ends at {later.grid.ds(later.index[-1:])[0]}, before the earlier "
            f"one, at {earlier.grid.ds(earlier.index[-1:])[0]}; give them the other way round."
        )
    last = earlier.grid.ds(earlier.index[-1:])[0]
    corrected = after.history[after.history["ds"] <= last]
    if _alike(before.history, corrected):
        corrected = before.history
    context = after.context
    now = later.grid.ds(later.future(1))[0]
    if before.context is context and _no_news(context, earlier.grid.ds(earlier.future(1))[0], now):
        announced = context
    else:
        announced = replace(context, calendar_known=now)
    held = announced
    if held.drivers is not None:
        begun = earlier.grid.days(earlier.future(1)).astype("int64")[0]
        held = replace(held, drivers=held.drivers.held(int(begun)))
    stages = [
        (before.model, before.history, before.context),
        (before.model, corrected, before.context),
        (before.model, corrected, announced if announced is context else held),
        (before.model, after.history, held),
        (before.model, after.history, held if context.drivers is None else context),
        (after.model, after.history, held if context.drivers is None else context),
    ]
    steps = [passed + horizon] * 3 + [horizon] * 3
    of_after = 3 if context.drivers is None else 4
    means: list[pd.Series] = []
    for place, (stage, count) in enumerate(zip(stages, steps, strict=True)):
        if place and all(a is b for a, b in zip(stage, stages[place - 1], strict=True)):
            means.append(means[-1])
        elif forecast is not None and stage[0] is after.model and place >= of_after:
            means.append(forecast.set_index(["unique_id", "ds"])["presage"])
        else:
            means.append(_means(Issue(*stage), count))
    common = means[0].index
    for one in means[1:]:
        common = common.intersection(one.index)
    values = [one.loc[common] for one in means]
    out = {"before": values[0]}
    for name, old, new in zip(PARTS, values, values[1:], strict=False):
        out[name] = new - old
    out["after"] = values[-1]
    return pd.DataFrame(out).reset_index().sort_values(["unique_id", "ds"], ignore_index=True)


def _no_news(context: VolumeContext, then: np.datetime64, now: np.datetime64) -> bool:
    """Whether the calendar says now what it said then."""
    return context.events(then).equals(context.events(now))


def _alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two histories hold the same counts, in whatever order."""
    a, b = (part.set_index(["unique_id", "ds"])["y"].sort_index() for part in (one, other))
    return a.equals(b)


def _means(issue: Issue, steps: int) -> pd.Series:
    forecast = issue.model.forecast(issue.history, horizon=steps, context=issue.context)
    return forecast.set_index(["unique_id", "ds"])["presage"]
