"""From counts as written to counts as meant: closed slots, gaps and zeros told apart.

A step without a row is one of three things, decided per series from the past alone:

- **closed**: the slot of the week was without a count each time of the last weeks; it is
  forecast as 0 and never learned as low demand;
- **zero**: a sparse series whose source writes no zeros (none is there, counts are small, and
  rows are missing about as often as a count of that size would be zero);
- **a gap**: everything else; it is left out.

A busy series that has been silent for two weeks has **ended**, rows or not, and is forecast as 0,
as long as any other has had a contact.

Steps shorter than a day become daily totals here (``day_problem``); how a day falls into its
slots is ``models.volume.profile``'s part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.arrays import Bools, Floats, Ints, Times
from features.calendar import local_times
from models.coherence import Sum, sums_of
from models.volume.context import VolumeContext
from models.volume.panel import Panel
from models.volume.series import escape
from models.volume.slots import cube_of
from models.volume.special_hours import special_hours
from models.volume.usual import freak_days, freak_steps, without_silence

WEEKS_FOR_CLOSED = 8
SPARSE_MEAN = 6.0
LEAST_SHARE_OF_A_DAY = 0.5
WORKING, MOST_OF_THEM = (9, 17), 0.75
"""The hours of a day that a closure must take most of to shut the day."""
DAYS_TO_END, LEAST_TO_END = 14, 6.0
"""A series with more contacts a day than this that has none for so many days has ended."""


@dataclass(frozen=True)
class Problem:
    """What the members see: one step a column, one cycle of ``slots`` slots.

    ``y`` (series x steps, NaN = not known), ``slot`` and ``days`` of the past steps, the same of
    the future ones, ``open`` (series x slots). Steps are days, weeks or months.
    """

    ids: tuple[str, ...]
    y: Floats
    slots: int
    slot: Ints
    days: Times
    future_slot: Ints
    future_days: Times
    open: Bools
    unit: str

    @property
    def horizon(self) -> int:
        """Steps to forecast."""
        return len(self.future_slot)


def settled(panel: Panel, context: VolumeContext) -> tuple[Panel, Bools]:
    """The panel with its zeros filled in and closures blanked, and which slots are open.

    The second value is (series x slots of the cycle), all True for weeks and months.
    """
    freak = _freaks(panel, panel.y)
    filled = _fill_zeros(np.where(freak, np.nan, panel.y))
    y = usual_counts(panel, np.where(freak, np.nan, filled), context)
    return replace(panel, y=y), _open_slots(panel, y)


def usual_counts(panel: Panel, y: Floats, context: VolumeContext) -> Floats:
    """The counts that say what is usual: without announced closures, special hours, freak days, and
    the silence before a series began or while it was shut (NaN)."""
    y = without_closures(panel, y, context)
    # first the freak days: one of them makes a quiet series look busy, and its silences long
    y = np.where(_freaks(panel, y), np.nan, y)
    if panel.grid.frequency.unit not in ("minute", "day"):
        return y
    return without_silence(y, panel.grid.days(panel.index))


def _freaks(panel: Panel, y: Floats) -> Bools:
    """Steps that no demand explains (series x steps)."""
    frequency = panel.grid.frequency
    if frequency.unit in ("week", "month"):
        return freak_steps(y, frequency.season)
    return freak_days(y, panel.grid.days(panel.index))


def _fill_zeros(y: Floats) -> Floats:
    """Absent counts of a sparse series whose source writes no zeros are zeros."""
    if not np.isnan(y).any():
        return y
    has_count = ~np.isnan(y)
    present = has_count.sum(axis=1)
    mean_present = np.where(has_count, y, 0.0).sum(axis=1) / np.maximum(present, 1)
    writes_zeros = ((y == 0) & has_count).any(axis=1)
    started = np.cumsum(has_count, axis=1) > 0
    absent = started & ~has_count
    share_absent = absent.sum(axis=1) / np.maximum(started.sum(axis=1), 1)
    # P(0) of a zero-truncated Poisson's rate near mean_present; counts in practice have more zeros
    expected = np.exp(-np.maximum(mean_present - 1, 0.05))
    sparse = (mean_present < SPARSE_MEAN) & (share_absent > 0) & (share_absent > 0.3 * expected)
    fill = (sparse & ~writes_zeros)[:, None] & absent
    return np.where(fill, 0.0, y) if fill.any() else y


def without_closures(panel: Panel, y: Floats, context: VolumeContext) -> Floats:
    """The counts without those of closures and outages announced by the panel's end, and of special
    hours (NaN)."""
    as_of = panel.grid.ds(np.array([panel.end + 1]))[0]
    shut = closed_by_calendar(panel, panel.index, context, as_of, kinds=("closure", "outage"))
    special = special_hours(panel, panel.index, context)
    shut = shut | special.closed | special.opened
    if not shut.any():
        return y
    return np.where(with_wholes(shut, sums_of(panel.ids, panel.y)), np.nan, y)


def with_wholes(shut: Bools, sums: Sequence[Sum]) -> Bools:
    """Where a node or one of its parts is shut (series x steps): a total without the telephone is
    no usual total.
    """
    out, before = shut.copy(), -1
    while out.sum() > before:
        before = int(out.sum())
        for one in sums:
            out[one.whole] |= out[list(one.parts)].any(axis=0)
    return out


def ended(panel: Panel, context: VolumeContext) -> Bools:
    """Busy series without a contact in the last ``DAYS_TO_END`` days, none of them closed by the
    calendar: a channel that was given up, or goes by another name now. Where nobody at all wrote,
    none has: counts are missing, or the company was shut.
    """
    frequency = panel.grid.frequency
    steps = DAYS_TO_END * frequency.per_day
    nobody = np.zeros(len(panel.ids), dtype=bool)
    if frequency.unit in ("week", "month") or panel.y.shape[1] <= steps:
        return nobody
    quiet: Bools = np.asarray((np.nan_to_num(panel.y[:, -steps:]) == 0).all(axis=1))
    if not quiet.any() or quiet.all():
        return nobody
    before = panel.y[:, :-steps]
    known = (~np.isnan(before)).sum(axis=1) / frequency.per_day
    busy = np.nansum(before, axis=1) > LEAST_TO_END * np.maximum(known, 1.0)
    as_of = panel.grid.ds(np.array([panel.end + 1]))[0]
    kinds = ("closure", "outage")
    shut = closed_by_calendar(panel, panel.index[-steps:], context, as_of, kinds=kinds)
    shut |= special_hours(panel, panel.index, context).closed[:, -steps:]
    shut = with_wholes(shut, sums_of(panel.ids))
    return np.asarray(quiet & busy & ~shut.any(axis=1))


def closed_by_calendar(
    panel: Panel, index: Ints, context: VolumeContext, as_of: np.datetime64, kinds: tuple[str, ...]
) -> Bools:
    """(series x steps) True where an announced event of these kinds covers the whole step."""
    covered = np.zeros((len(panel.ids), len(index)), dtype=bool)
    events = context.events(as_of)
    if events.empty:
        return covered
    begins, ends = panel.grid.ds(index), panel.grid.ds(index + 1)
    for event in events[events["kind"].isin(kinds)].itertuples():
        start = np.datetime64(event.starts_at, "us")
        ends_at = getattr(event, "ends_at", None)
        stop = ends[-1] if ends_at is None or ends_at != ends_at else np.datetime64(ends_at, "us")
        channel = getattr(event, "channel", None)
        everywhere = channel is None or channel != channel
        shut = None if everywhere else f"channel={escape(str(channel))}"
        rows = [everywhere or shut in name.split("/") for name in panel.ids]
        over = (begins >= start) & (ends <= stop)
        if panel.grid.frequency.unit == "day":
            over |= _day_is_shut(panel, index, context.time_zone, start, stop)
        covered |= np.array(rows)[:, None] & over[None, :]
    return covered


def _day_is_shut(
    panel: Panel, index: Ints, time_zone: str, start: np.datetime64, stop: np.datetime64
) -> Bools:
    """Days that an event covers in working hours, or by their dates: an event from 00:00 UTC to
    00:00 UTC is one of dates, wherever the company is."""
    days = panel.grid.days(index)
    midnight = np.timedelta64(1, "D")
    dates = [moment.astype("datetime64[D]") for moment in (start, stop)]
    if all(moment == date for moment, date in zip((start, stop), dates, strict=True)):
        return np.asarray((days >= dates[0]) & (days < max(dates[1], dates[0] + midnight)))
    first, last = local_times(np.array([start, stop]), time_zone)
    opens, closes = (days.astype("datetime64[us]") + np.timedelta64(h, "h") for h in WORKING)
    covered = np.minimum(closes, last) - np.maximum(opens, first)
    return np.asarray(covered >= MOST_OF_THEM * (closes - opens))


def _open_slots(panel: Panel, y: Floats) -> Bools:
    """False for slots that were without a count (no row, or always 0) each time of late."""
    frequency = panel.grid.frequency
    shape = (len(panel.ids), frequency.season)
    if frequency.unit in ("week", "month"):
        return np.ones(shape, dtype=bool)
    # a slot must have come by at least twice: the panel's own steps say when it did
    steps = np.ones((1, y.shape[1]))
    in_history = ~np.isnan(cube_of(steps, panel.grid, panel.index).y)[0]
    cube = cube_of(y, panel.grid, panel.index).y
    busy = np.nan_to_num(cube) > 0
    # a week without any contact says nothing of its slots: not begun yet, or shut as a whole
    lived: Bools = np.asarray(busy.any(axis=2))
    recent_busy, recent_came = np.zeros(shape), np.zeros(shape)
    never_row = np.ones(shape, dtype=bool)
    for week in range(cube.shape[1] - 1, -1, -1):
        take = in_history[week][None, :] & lived[:, [week]] & (recent_came < WEEKS_FOR_CLOSED)
        recent_busy += take & busy[:, week, :]
        recent_came += take
        never_row &= ~take | np.isnan(cube[:, week, :])
    level = np.nansum(y, axis=1) / np.maximum((~np.isnan(y)).sum(axis=1), 1)
    # a slot with zeros is closed only if the series is busy enough for the zeros to mean it
    meaningful = level[:, None] * recent_came > 12.0
    shut = (recent_busy == 0) & (recent_came >= 2) & (meaningful | never_row)
    shut &= ~np.asarray(shut.all(axis=1))[:, None]
    return ~shut


def step_problem(panel: Panel, open_slots: Bools, horizon: int) -> Problem:
    """Days, weeks or months as they are."""
    future = panel.future(horizon)
    slot = panel.grid.cells(panel.index)[1]
    y = np.where(open_slots[:, slot], panel.y, np.nan)
    return Problem(
        panel.ids,
        y,
        panel.grid.frequency.season,
        slot,
        panel.grid.days(panel.index),
        panel.grid.cells(future)[1],
        panel.grid.days(future),
        open_slots,
        panel.grid.frequency.unit,
    )


def day_problem(panel: Panel, open_slots: Bools, horizon: int, share: Floats) -> Problem:
    """Daily totals of a panel of shorter steps, up to the last complete local day.

    ``share`` (series x slots of the week) is the usual share of each slot in its day: totals of
    days with gaps are scaled up by the share that is there, or unknown if it is under a half.
    """
    slot = panel.grid.cells(panel.index)[1]
    day = panel.grid.days(panel.index)
    future = panel.future(horizon)
    future_day = np.unique(panel.grid.days(future))
    complete = day < future_day[0]
    names, code = np.unique(day[complete], return_inverse=True)
    is_open = open_slots[:, slot[complete]]
    counted = is_open & ~np.isnan(panel.y[:, complete])
    n, width = len(panel.ids), len(names)
    flat = (np.arange(n)[:, None] * width + code[None, :]).reshape(-1)

    def by_day(values: Floats) -> Floats:
        return np.bincount(flat, values.reshape(-1), n * width).reshape(n, width).astype("float64")

    total = by_day(np.where(counted, np.nan_to_num(panel.y[:, complete]), 0.0))
    usual = share[:, slot[complete]] * is_open
    there, all_of_it = by_day(np.where(counted, usual, 0.0)), by_day(usual)
    part = there / np.where(all_of_it > 0, all_of_it, 1.0)
    y = np.where(part >= LEAST_SHARE_OF_A_DAY, total / np.where(part > 0, part, 1.0), np.nan)
    if width:  # the first day may have begun before the history did
        first_full = counted_steps_from_midnight(panel, names[0])
        if not first_full:
            y[:, 0] = np.nan
    per_day = panel.grid.frequency.per_day
    open_days: Bools = np.asarray(open_slots.reshape(n, 7, per_day).any(axis=2))
    weekday = (names.astype("datetime64[D]").astype("int64") + 3) % 7
    y = np.where(open_days[:, weekday], y, np.nan)
    return Problem(
        panel.ids,
        y,
        7,
        weekday,
        names,
        (future_day.astype("int64") + 3) % 7,
        future_day,
        open_days,
        "day",
    )


def counted_steps_from_midnight(panel: Panel, first: np.datetime64) -> bool:
    """Whether the panel's first step begins its local day."""
    begins = panel.grid.local(panel.index[:1])[0]
    return bool(begins == first.astype("datetime64[us]"))
