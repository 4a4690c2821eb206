"""All members' forecasts at one origin, as one array (members x series x steps).

Everything here sees a panel that ends at the origin: what comes after does not exist. Ordinary
days are forecast by every member with special days blanked; the special days' effect is applied
to all alike. Steps shorter than a day are forecast as day totals times slot profile, beside the
plain same-slot means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from data.arrays import Bools, Floats
from models.volume import classical, regression, trees
from models.volume.baselines import same_slots
from models.volume.context import VolumeContext
from models.volume.events import Effects, events_of, learn_events, near_events, without_events
from models.volume.newcomers import shape_of_others, unlived
from models.volume.panel import Panel
from models.volume.prepare import (
    Problem,
    closed_by_calendar,
    day_problem,
    ended,
    settled,
    step_problem,
)
from models.volume.profile import bends, slot_shares
from models.volume.smooth import SmoothSettings, SmoothState, run
from models.volume.special_days import KINDS, kinds_of
from models.volume.special_hours import SpecialHours, opened_counts, special_hours
from models.volume.whose_holidays import SpecialOfSeries, WhoseHolidays, holidays_of

SMOOTH = {
    "smooth_slow": SmoothSettings(alpha=0.03, gamma=0.1),
    "smooth": SmoothSettings(alpha=0.1, gamma=0.1),
    "smooth_fast": SmoothSettings(alpha=0.3, gamma=0.1),
    "smooth_stable": SmoothSettings(alpha=0.1, gamma=0.04),
}
SAME_SLOTS = {"seasonal_naive": 1, "mean_of_4": 4, "mean_of_8": 8}
MOST_SERIES_CLASSICAL = 150
LEAST_STEPS = 3

NAMES = (
    *SAME_SLOTS,
    *SMOOTH,
    *classical.MEMBERS,
    "regression",
    "trees",
    "trees_median",
)


@dataclass(frozen=True)
class Origin:
    """A panel up to one step, brought into the form that members read: without what ``events``
    made of its counts. ``raw`` are the counts as they were.
    """

    panel: Panel
    open: Bools
    problem: Problem
    ordinary: Floats
    share: Floats | None
    bend: Floats | None = None
    events: Effects | None = None
    raw: Floats | None = None


def origin_of(panel: Panel, horizon: int, context: VolumeContext) -> Origin:
    """Prepare a panel for the members: zeros, closures, closed slots, day totals, special days."""
    ready, open_slots = settled(panel, context)
    plain = _ordinary(ready, open_slots, horizon, context)
    effects = _events(plain, context)
    if effects is None:
        return replace(plain, raw=panel.y)
    bare = _ordinary(without_events(ready, effects), open_slots, horizon, context)
    return replace(bare, events=effects, raw=panel.y)


def _ordinary(ready: Panel, open_slots: Bools, horizon: int, context: VolumeContext) -> Origin:
    bend = None
    if ready.grid.frequency.unit == "minute":
        share, bend = _profile(ready, open_slots, context)
        problem = day_problem(ready, open_slots, horizon, share)
    else:
        share, problem = None, step_problem(ready, open_slots, horizon)
    ordinary = problem.y
    whose = holidays_of(problem.ids, context)
    if problem.unit == "day" and whose:
        ordinary = np.where(whose.kinds(problem.days) > 0, np.nan, problem.y)
    return Origin(ready, open_slots, problem, ordinary, share, bend)


def _events(origin: Origin, context: VolumeContext) -> Effects | None:
    """What the calendar's events do to the counts; None where there are none to learn from."""
    problem, panel = origin.problem, origin.panel
    if problem.unit != "day" or problem.y.shape[1] < LEAST_STEPS:
        return None
    events = events_of(context, panel.grid.ds(np.array([panel.end + 1]))[0])
    if not events:
        return None
    near = near_events(events, problem.days)
    y = np.where(near[None, :], np.nan, origin.ordinary)
    base = run(y, problem.slot, problem.slots, SMOOTH["smooth"])
    first = min(2 * problem.slots, problem.y.shape[1])
    return learn_events(problem.ids, origin.ordinary, base.expected, problem.days, events, first)


def _profile(
    panel: Panel, open_slots: Bools, context: VolumeContext
) -> tuple[Floats, Floats | None]:
    """The slots' shares of ordinary days, and how special days bend them."""
    whose = holidays_of(panel.ids, context)
    if not whose:
        return slot_shares(panel, open_slots), None
    days, of_day = np.unique(panel.grid.days(panel.index), return_inverse=True)
    kind = whose.kinds(days)[:, of_day]
    ordinary = replace(panel, y=np.where(kind > 0, np.nan, panel.y))
    share = slot_shares(ordinary, open_slots)
    bend = np.ones((len(panel.ids), len(KINDS), panel.grid.frequency.per_day))
    for rows, countries in whose.groups:
        mine = replace(panel, ids=tuple(panel.ids[row] for row in rows), y=panel.y[rows])
        of_group = kinds_of(days, countries)[0][of_day]
        bend[rows] = bends(mine, share[rows], of_group, len(KINDS))
    return share, bend


def forecasts_at(
    origin: Origin,
    horizon: int,
    context: VolumeContext,
    model: trees.TreeModel | None,
    codes: Floats | None = None,
) -> Floats:
    """Every member's forecast of the ``horizon`` steps after the origin; NaN where it has none.

    ``codes`` are the series' numbers in the tree member's training (default: their places).
    """
    problem, ordinary = origin.problem, origin.ordinary
    n, whose = len(problem.ids), holidays_of(origin.problem.ids, context)
    days: dict[str, Floats] = {}
    enough = problem.y.shape[1] >= LEAST_STEPS
    effect = np.ones((n, problem.horizon))
    if enough:
        base = run(ordinary, problem.slot, problem.slots, SMOOTH["smooth"])
        special = _special(origin, context, base)
    if enough and special is not None:
        effect = special.multiplier(problem.future_days)
    for name, settings in SMOOTH.items():
        if enough:
            state = run(ordinary, problem.slot, problem.slots, settings)
            days[name] = state.forecast(problem.future_slot)
    if enough:
        days["regression"] = regression.forecasts(problem, ordinary)
    if n <= MOST_SERIES_CLASSICAL and enough:
        filled = np.where(np.isnan(ordinary), np.maximum(base.expected, 0.0), ordinary)
        days.update(classical.forecasts(problem, filled))
    if model is not None and enough:
        days |= trees.predict(model, problem, ordinary, whose, codes)
    shut = ~problem.open[:, problem.future_slot]
    new = np.zeros(problem.open.shape, dtype=bool)
    if enough and problem.unit == "day":
        new = unlived(ordinary, problem.slot, problem.slots)
        shape = shape_of_others(ordinary, problem.slot, problem.slots, base)
        days = {name: values * shape[:, problem.future_slot] for name, values in days.items()}
    out = np.full((len(NAMES), n, horizon), np.nan)
    spread = _spread(origin, horizon, whose)
    for name, values in days.items():
        values = np.where(shut, 0.0, np.maximum(values, 0.0)) * effect
        out[NAMES.index(name)] = spread(values)
    stepwise = spread(effect, shares=False)
    for name, count in SAME_SLOTS.items():
        same = same_slots(origin.panel, horizon, count) * stepwise
        if new.any():  # no such weekday yet
            same = np.where(_of_steps(origin, new, horizon), out[NAMES.index("smooth")], same)
        out[NAMES.index(name)] = same
    events = events_at(origin, horizon)
    if events is not None:
        out *= events[0]
    return _by_hours(origin, _closed_to_zero(origin, out, horizon, context), horizon, context)


def _of_steps(origin: Origin, slots: Bools, horizon: int) -> Bools:
    """What holds of a problem's slots, of each step ahead (series x horizon)."""
    problem = origin.problem
    days = origin.panel.grid.days(origin.panel.future(horizon))
    return slots[:, problem.future_slot[np.searchsorted(problem.future_days, days)]]


def events_at(origin: Origin, horizon: int) -> tuple[Floats, Floats] | None:
    """What the calendar's events multiply the forecast with, and their relative error beside the
    usual one (each series x horizon; 1 and 0 where none is near). None without events.
    """
    if origin.events is None:
        return None
    days = origin.panel.grid.days(origin.panel.future(horizon))
    unique, of_day = np.unique(days, return_inverse=True)
    factor, doubt = origin.events.on(unique)
    return factor[:, of_day], doubt[:, of_day]


def _special(origin: Origin, context: VolumeContext, base: SmoothState) -> SpecialOfSeries | None:
    """The special days of a problem of days, against what smoothing expected."""
    problem = origin.problem
    whose = holidays_of(problem.ids, context)
    if problem.unit != "day" or not whose:
        return None
    first = min(2 * problem.slots, problem.y.shape[1])
    return whose.learn(problem.y, base.expected, problem.days, first)


def special_at(
    origin: Origin, horizon: int, context: VolumeContext
) -> tuple[Floats, Floats] | None:
    """What special days multiply an ordinary forecast with, and their relative error beside the
    usual one (each series x horizon; 1 and 0 on ordinary days). None where no day is special.
    """
    problem = origin.problem
    if problem.y.shape[1] < LEAST_STEPS:
        return None
    base = run(origin.ordinary, problem.slot, problem.slots, SMOOTH["smooth"])
    special = _special(origin, context, base)
    if special is None:
        return None
    effect, doubt = special.multiplier(problem.future_days), special.doubt(problem.future_days)
    if origin.share is None:
        return effect, doubt
    future = origin.panel.future(horizon)
    column = np.searchsorted(problem.future_days, origin.panel.grid.days(future))
    return effect[:, column], doubt[:, column]


def _spread(origin: Origin, horizon: int, whose: WhoseHolidays) -> Callable[..., Floats]:
    """A function that turns (series x problem steps) into (series x horizon)."""
    panel = origin.panel
    if origin.share is None:
        return lambda values, shares=True: values
    future = panel.future(horizon)
    day = panel.grid.days(future)
    column = np.searchsorted(origin.problem.future_days, day)
    slot = panel.grid.cells(future)[1]
    share = origin.share[:, slot]
    bent = np.ones_like(share)
    if origin.bend is not None:
        kind = whose.kinds(origin.problem.future_days)
        rows = np.arange(len(share))[:, None]
        bent = origin.bend[rows, kind[:, column], slot % panel.grid.frequency.per_day]
        for place in np.flatnonzero((kind > 0).any(axis=0)):
            # a day's shares keep their sum: the rest of the day takes what the bend has freed
            mine = column == place
            usual, now = share[:, mine].sum(axis=1), (share * bent)[:, mine].sum(axis=1)
            even = np.where(now > 0, usual / np.where(now > 0, now, 1.0), 1.0)
            special = kind[:, place] > 0
            bent[:, mine] *= np.where(special, even, 1.0)[:, None]
    return lambda values, shares=True: values[:, column] * bent * (share if shares else 1.0)


def _closed_to_zero(origin: Origin, out: Floats, horizon: int, context: VolumeContext) -> Floats:
    panel = origin.panel
    future = panel.future(horizon)
    slot = panel.grid.cells(future)[1]
    closed = ~origin.open[:, slot]
    as_of = panel.grid.ds(future[:1])[0]
    closed |= closed_by_calendar(panel, future, context, as_of, kinds=("closure",))
    closed |= ended(panel, context)[:, None]
    return np.where(closed[None], 0.0, out)


def _by_hours(origin: Origin, out: Floats, horizon: int, context: VolumeContext) -> Floats:
    """Nothing where special hours close; where they open, what like times had, of all members."""
    panel, future = origin.panel, origin.panel.future(horizon)
    special = hours_at(origin, horizon, context)
    out = np.where(special.closed[None], 0.0, out)
    if not special.opened.any() or origin.raw is None:
        return out
    counts = opened_counts(panel, origin.raw, future, special.opened, context)
    return np.where(np.isnan(counts)[None], out, counts[None])


def hours_at(origin: Origin, horizon: int, context: VolumeContext) -> SpecialHours:
    """What special hours change in the steps after the origin."""
    raw = origin.panel if origin.raw is None else replace(origin.panel, y=origin.raw)
    return special_hours(raw, origin.panel.future(horizon), context)


def train_trees(
    panel: Panel, horizon: int, context: VolumeContext, seed: int
) -> trees.TreeModel | None:
    """The tree member's model of a panel; None where its history is too short."""
    origin = origin_of(panel, horizon, context)
    return trees.train(
        origin.problem, origin.ordinary, holidays_of(origin.problem.ids, context), seed
    )
