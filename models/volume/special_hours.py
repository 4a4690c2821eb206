"""Special hours: a day that a date or a holiday in the opening hours closes, opens, or shortens.

``[opening_hours]`` says what is usual by weekday, and what is not by date (``2026-12-24``) and by
``holidays``. Where the two differ, a channel whose contacts come while it is open (calls, chats) is
forecast by the special hours: nothing in steps that they close; in steps that they open what its
usually open days had at that time of day of late (a Sunday as the Saturday, where that is open),
times what earlier such openings had of that, one day's worth of evidence for 1. Neither kind of day
is learned as usual.

Whether contacts come in opening hours only is read off the counts: a channel that had next to none
in the hours when it was shut. Mail comes at any hour: of its forecast special hours change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.settings import DAYS, opening_intervals
from features.opening import hours_on, open_seconds, with_holidays
from models.volume.context import VolumeContext
from models.volume.grid import Grid
from models.volume.panel import Panel
from models.volume.series import escape

NEXT_TO_NONE = 0.05
"""Of the contacts of an open step: what a step outside has at most where contacts keep to hours."""
LEAST_MISSED = 6.0
"""So many contacts must be missing outside before that says anything."""
DAYS_BACK = 28
OPENED_DOUBT = 0.3
"""Relative error of a day opened, beside the usual one."""
WEEKEND = 5


@dataclass(frozen=True)
class SpecialHours:
    """Steps (series x steps) that special hours close, and that they open."""

    closed: Bools
    opened: Bools

    @property
    def any(self) -> bool:
        """Whether there are such steps."""
        return bool(self.closed.any() or self.opened.any())


def special_hours(panel: Panel, index: Ints, context: VolumeContext) -> SpecialHours:
    """What special hours change in the steps of ``index``, by what the panel's counts say of its
    channels."""
    closed = np.zeros((len(panel.ids), len(index)), bool)
    opened = closed.copy()
    for channel, (usual, now) in _changed(panel.grid, index, context).items():
        rows = _rows(panel, channel)
        if len(rows) and _keeps_to_hours(panel, channel, rows, context):
            closed[rows] |= usual & ~now
            opened[rows] |= now & ~usual
    return SpecialHours(closed, opened)


def opened_counts(
    panel: Panel, raw: Floats, future: Ints, opened: Bools, context: VolumeContext
) -> Floats:
    """What comes in the ``opened`` steps (series x future steps); NaN elsewhere, or where nothing
    like them is known.

    ``panel``: usual counts; ``raw``: counts as they were, those of earlier openings too.
    """
    out = np.full(opened.shape, np.nan)
    earlier = special_hours(replace(panel, y=raw), panel.index, context).opened
    for channel, (usual, _) in _changed(panel.grid, panel.index, context, every=True).items():
        rows = _rows(panel, channel)
        ahead = np.flatnonzero(opened[rows].any(axis=0)) if len(rows) else rows
        if not len(ahead):
            continue
        out[np.ix_(rows, ahead)] = _like(panel, rows, usual, future[ahead])
        before = np.flatnonzero(earlier[rows].any(axis=0))
        if len(before):
            like = np.nan_to_num(_like(panel, rows, usual, panel.index[before])).sum(axis=1)
            actual = np.nan_to_num(raw[np.ix_(rows, before)]).sum(axis=1)
            one = like / len(np.unique(panel.grid.days(panel.index[before])))
            factor = (actual + one) / np.where(like + one > 0, like + one, 1.0)
            out[np.ix_(rows, ahead)] *= factor[:, None]
    return np.where(opened, out, np.nan)


def _like(panel: Panel, rows: Ints, usual: Bools, index: Ints) -> Floats:
    """The mean count (rows x ``index``) of usually open steps at the same time of day of late."""
    day = panel.grid.days(panel.index)
    late = usual & (day > day[-1] - np.timedelta64(DAYS_BACK, "D"))
    weekend, clock = _weekend(panel.grid, panel.index), _clock(panel.grid, panel.index)
    y = panel.y[rows]
    out = np.full((len(rows), len(index)), np.nan)
    for place, (rest, time) in enumerate(
        zip(_weekend(panel.grid, index), _clock(panel.grid, index), strict=True)
    ):
        same = late & (clock == time)
        alike = same & (weekend == rest)
        chosen = y[:, alike if alike.any() else same]
        known = ~np.isnan(chosen)
        mean = np.where(known, chosen, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        out[:, place] = np.where(known.any(axis=1), mean, np.nan)
    return out


def _weekend(grid: Grid, index: Ints) -> Bools:
    weekday = (grid.days(index).astype("datetime64[D]").astype(np.int64) + 3) % 7
    return np.asarray(weekday >= WEEKEND)


def _clock(grid: Grid, index: Ints) -> Ints:
    local = grid.local(index)
    return np.asarray((local - local.astype("datetime64[D]")).astype(np.int64))


def _rows(panel: Panel, channel: str) -> Ints:
    part = f"channel={escape(channel)}"
    return np.flatnonzero([part in name.split("/") for name in panel.ids])


def _keeps_to_hours(panel: Panel, channel: str, rows: Ints, context: VolumeContext) -> bool:
    """Whether a channel's contacts come while it is open."""
    whole = [row for row in rows if panel.ids[row] == f"channel={escape(channel)}"]
    counts = np.nan_to_num(panel.y[whole or rows]).sum(axis=0)
    _, now = _changed(panel.grid, panel.index, context, every=True)[channel]
    inside, outside = now.sum(), (~now).sum()
    if not inside:
        return False
    rate = counts[now].sum() / inside
    return bool(
        rate * outside >= LEAST_MISSED and counts[~now].sum() <= NEXT_TO_NONE * rate * outside
    )


def _changed(
    grid: Grid, index: Ints, context: VolumeContext, *, every: bool = False
) -> dict[str, tuple[Bools, Bools]]:
    """By channel with special hours: which steps are open by its weekdays, and which by all it
    says. ``every``: channels without a special day among these steps, too."""
    if grid.frequency.unit not in ("minute", "day") or not len(index):
        return {}
    changed = {}
    for channel, hours in context.opening_hours.items():
        if set(hours) <= set(DAYS):
            continue
        rules = tuple(sorted(hours.items()))
        both = _open_steps(grid, int(index[0]), int(index[-1]), rules, context.country)
        if every or (both[0] != both[1]).any():
            changed[channel] = both
    return changed


@lru_cache(maxsize=64)
def _open_steps(
    grid: Grid, first: int, last: int, rules: tuple[tuple[str, str], ...], country: tuple[str, ...]
) -> tuple[Bools, Bools]:
    """Which steps from ``first`` to ``last`` are open by weekday, and by all that is said."""
    index = np.arange(first, last + 1)
    days = grid.days(index).astype("datetime64[D]")
    margin = np.timedelta64(1, "D")
    dated = with_holidays(dict(rules), country, days[0] - margin, days[-1] + margin)
    weekly = {name: text for name, text in rules if name in DAYS}
    both = []
    for hours in (weekly, dated):
        if grid.frequency.unit == "day":
            opened = np.array([bool(opening_intervals(hours_on(hours, day))) for day in days])
        else:
            seconds = grid.frequency.count * 60.0
            opened = open_seconds(grid.ds(index), seconds, hours, grid.time_zone) > 0
        opened.setflags(write=False)
        both.append(opened)
    return cast(tuple[Bools, Bools], tuple(both))
