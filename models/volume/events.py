"""Campaigns, releases, billing runs: what announced events of the calendar do to the counts.

Each kind of event has three log effects per series: on the day before, on its days, and on the
``AFTER_DAYS`` days after it, times the event's size relative to its kind's usual one. They are what
a ridge regression finds for ``log((y + 1) / (expected + 1))`` on past days near events, so
events that overlap share their days. An event weighs one, however long it is; a series' effects are
pulled to all series' by one event's worth, those to none by half of one.

A series uses a kind's effects only where it has gained by them: with some of the events left out in
turn, the absolute error on their days must have become less. A kind never seen before gets the mean
of the kinds that were, one kind without effect counted in, and only where leaving out one kind in
turn shows the same gain. Counts are divided by the effects before any member sees them and
the forecast is multiplied by the coming ones, so a campaign is not learned as a higher level. An
event counts once it was announced, for its own channel and topic if it names one. Closures and
outages are ``prepare``'s part; public holidays ``special_days``', where the country is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats, Ints, Times
from features.calendar import holiday_names, local_times
from models.volume.context import VolumeContext
from models.volume.panel import Panel
from models.volume.series import escape

PHASES = ("before", "during", "after")
AFTER_DAYS = 3
SHRINK, SHRINK_ALL = 1.0, 0.5
EDGE = 1.5
QUIET = 3.0
"""A day on which so many were expected says half as much as a busy one."""
FOLDS = 12
MOST_KINDS = 6
SMALLEST, LARGEST = 0.2, 5.0
DOUBT_DAYS = 4.0


@dataclass(frozen=True)
class Event:
    """One event: local days ``first`` to ``last`` (since 1970), ``size`` relative to its kind's
    usual one, and the part of an id that its series must not contradict (``channel=chat``).
    """

    kind: str
    first: int
    last: int
    size: float
    parts: tuple[str, ...]

    def phases(self, days: Ints) -> Bools:
        """Which of ``days`` are before, during and after it (phases x days)."""
        return np.stack(
            [
                days == self.first - 1,
                (days >= self.first) & (days <= self.last),
                (days > self.last) & (days <= self.last + AFTER_DAYS),
            ]
        )


def events_of(context: VolumeContext, as_of: np.datetime64) -> tuple[Event, ...]:
    """The events announced before ``as_of``, in order of their first day.

    >>> rows = {"kind": ["campaign"], "announced_at": ["2024-01-01"], "size": [2.0],
    ...     "starts_at": ["2024-03-04T09:00"], "ends_at": ["2024-03-06"], "topic": ["sales"]}
    >>> calendar = pd.DataFrame(rows).astype(
    ...     {name: "datetime64[us]" for name in ("announced_at", "starts_at", "ends_at")})
    >>> events_of(VolumeContext(calendar=calendar), np.datetime64("2024-02-01"))
    (Event(kind='campaign', first=19786, last=19787, size=1.0, parts=('topic=sales',)),)
    """
    rows = context.events(as_of)
    rows = rows[~rows["kind"].isin(("closure", "outage"))]
    if context.country and not rows.empty:
        rows = rows[~_public(rows, context)]
    if rows.empty:
        return ()

    def day(values: pd.Series) -> Ints:
        times = values.to_numpy().astype("datetime64[us]")
        return local_times(times, context.time_zone).astype("datetime64[D]").astype("int64")

    first = day(rows["starts_at"])
    ends = rows["ends_at"] if "ends_at" in rows.columns else rows["starts_at"]
    ends = ends.fillna(rows["starts_at"]) - pd.Timedelta(microseconds=1)
    last = np.maximum(day(ends), first)
    size = _relative_sizes(rows)
    events = [
        Event(
            str(kind),
            int(first[place]),
            int(last[place]),
            float(size[place]),
            tuple(
                f"{name}={escape(str(rows[name].iloc[place]))}"
                for name in ("channel", "topic")
                if name in rows.columns and pd.notna(rows[name].iloc[place])
            ),
        )
        for place, kind in enumerate(rows["kind"])
    ]
    return tuple(sorted(events, key=lambda one: (one.first, one.last, one.kind, one.parts)))


def _public(rows: pd.DataFrame, context: VolumeContext) -> Bools:
    """Holidays of the calendar that the country has as well: ``special_days`` knows them."""
    is_holiday = (rows["kind"] == "holiday").to_numpy()
    if not is_holiday.any():
        return is_holiday
    starts = rows["starts_at"].to_numpy().astype("datetime64[us]")
    local = local_times(starts, context.time_zone).astype("datetime64[D]")
    named = holiday_names(context.country, local.min(), local.max() + 1)
    public = np.array(list(named), dtype="datetime64[D]")
    written = starts.astype("datetime64[D]")
    as_a_date = (written == starts) & np.isin(written, public)  # a date is written as 00:00 UTC
    return np.asarray(is_holiday & (np.isin(local, public) | as_a_date))


def _relative_sizes(rows: pd.DataFrame) -> Floats:
    """Sizes over the median of their kind, within reason; 1 where none is given."""
    if "size" not in rows.columns:
        return np.ones(len(rows))
    size = pd.to_numeric(rows["size"], errors="coerce").astype("float64").abs()
    usual = size.groupby(rows["kind"]).transform("median")
    relative = (size / usual.where(usual > 0)).clip(SMALLEST, LARGEST)
    return np.asarray(relative.fillna(1.0), dtype="float64")


@dataclass(frozen=True)
class Effects:
    """What ``events`` do to series ``ids``: log effects ``by_kind`` (series x kinds x phases) of
    the ``kinds`` seen and of any other (the last), 0 where not used; ``doubt`` (series): their
    relative error when left out, beyond chance.
    """

    events: tuple[Event, ...]
    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    by_kind: Floats
    doubt: Floats

    def on(self, days: Times) -> tuple[Floats, Floats]:
        """The factor and the relative error beside the usual one (each series x days; 1 and 0
        where no event is near).
        """
        x, group = _exposure(self.events, self.ids, (*self.kinds, ""), days)
        log = np.stack(
            [np.tensordot(own, x[g], 2) for own, g in zip(self.by_kind, group, strict=True)]
        )
        return np.exp(log), np.where(log != 0, self.doubt[:, None], 0.0)


def _exposure(
    events: Sequence[Event], ids: Sequence[str], kinds: Sequence[str], days: Times
) -> tuple[Floats, Ints]:
    """Sizes of the events near each day (groups x kinds x phases x days) and each series' group:
    series that the same events concern. The last kind is any that is not listed.
    """
    number = days.astype("datetime64[D]").astype("int64")
    named = sorted({one.parts for one in events})
    concerned = np.array([[_concerns(parts, name) for parts in named] for name in ids])
    scopes, group = np.unique(concerned, axis=0, return_inverse=True)
    out = np.zeros((len(scopes), len(kinds), len(PHASES), len(number)))
    for event in events:
        near = event.phases(number)
        if near.any():
            kind = kinds.index(event.kind) if event.kind in kinds[:-1] else len(kinds) - 1
            out[scopes[:, named.index(event.parts)], kind] += event.size * near
    return out, group.reshape(-1)


def _concerns(parts: tuple[str, ...], name: str) -> bool:
    """Whether a series can have contacts about an event: it has no other channel or topic."""
    own = name.split("/")
    return all(
        part in own or not any(one.startswith(part.split("=")[0] + "=") for one in own)
        for part in parts
    )


def learn_events(
    ids: tuple[str, ...],
    y: Floats,
    expected: Floats,
    days: Times,
    events: tuple[Event, ...],
    first: int,
) -> Effects | None:
    """The effects of ``events`` on daily counts ``y`` (series x days) against what was
    ``expected`` without them, from column ``first`` on; None where no event has passed.
    """
    number = days.astype("datetime64[D]").astype("int64")
    past = [one for one in events if one.phases(number[first:]).any()]
    if not past:
        return None
    columns = first + np.flatnonzero(near_events(past, days[first:]))
    number = number[columns]
    every, times = np.unique([one.kind for one in past], return_counts=True)
    kinds = tuple(sorted(str(every[place]) for place in np.argsort(-times)[:MOST_KINDS]))
    exposure, group = _exposure(past, ids, (*kinds, ""), days[columns])
    exposure = exposure[:, :-1]
    past_days = PastDays(
        exposure.reshape(len(exposure), -1, len(columns)),
        group,
        y[:, columns],
        expected[:, columns],
        _once(past, number),
    )
    n, k = len(ids), len(kinds)
    own, everyone = past_days.fitted(np.ones(len(columns), dtype=bool))
    everyone = everyone.reshape(k, len(PHASES))
    active: Bools = np.asarray(exposure.any(axis=2))[group]
    # some events left out in turn, and for kinds never seen one kind in turn
    gain, square, tried = np.zeros((n, k)), np.zeros(n), np.zeros(n)
    for fold in range(min(FOLDS, len(past))):
        out = near_events(past[fold::FOLDS], days[columns])
        with_events = past_days.expected * np.exp(past_days.log(past_days.fitted(~out)[0]))
        mine = past_days.known & out & active.any(axis=1)
        better = np.where(
            mine, np.abs(past_days.y - past_days.expected) - np.abs(past_days.y - with_events), 0.0
        )
        gain += np.einsum("nd,nkd->nk", better, active)
        base = np.maximum(with_events, 1.0)
        relative = np.minimum(np.abs(past_days.y - with_events) / base, 1.0) ** 2 - 1 / base
        square += np.where(mine, relative, 0.0).sum(axis=1)
        tried += mine.sum(axis=1)
    by_kind = np.zeros((n, k + 1, len(PHASES)))
    by_kind[:, :k] = np.where((gain > 0)[:, :, None], own.reshape(n, k, len(PHASES)), 0.0)
    by_kind[:, k] = np.where(
        _like_others(past_days, everyone)[:, None], everyone.sum(0) / (k + 1), 0.0
    )
    doubt = np.sqrt(np.maximum(square, 0.0) / (tried + DOUBT_DAYS))
    return Effects(events, ids, kinds, by_kind, doubt)


def near_events(events: Sequence[Event], days: Times) -> Bools:
    """Which days are before, in or after one of the events."""
    number = days.astype("datetime64[D]").astype("int64")
    near = np.zeros(len(number), dtype=bool)
    for one in events:
        near |= one.phases(number).any(axis=0)
    return near


def _once(past: Sequence[Event], number: Ints) -> Floats:
    """Each day's weight: the days of one phase of one event weigh one together."""
    total, times = np.zeros(len(number)), np.zeros(len(number))
    for one in past:
        for phase in one.phases(number):
            total += phase / max(int(phase.sum()), 1)
            times += phase
    return total / np.maximum(times, 1)


class PastDays:
    """Past days near events: exposures ``x`` (groups x columns x days), each series' ``group``,
    counts ``y`` and what was ``expected`` (series x days; 0 where not ``known``).
    """

    def __init__(self, x: Floats, group: Ints, y: Floats, expected: Floats, once: Floats) -> None:
        self.x, self.group = x, group
        self.known: Bools = ~np.isnan(y) & ~np.isnan(expected)
        self.y = np.where(self.known, y, 0.0)
        self.expected = np.where(self.known, np.maximum(expected, 0.0), 0.0)
        self.ratio = np.clip(np.log((self.y + 1) / (self.expected + 1)), -EDGE, EDGE)
        self.weight = self.expected / (self.expected + QUIET) * once

    def fitted(self, days: Bools) -> tuple[Floats, Floats]:
        """Effects by ridge on some days (series x columns), pulled to all series' (columns), and
        those to none.
        """
        n, c = len(self.y), self.x.shape[1]
        gram, right = np.zeros((n, c, c)), np.zeros((n, c))
        all_gram, all_right = SHRINK_ALL * np.eye(c), np.zeros(c)
        weight = np.where(days, self.weight, 0.0)
        near = np.asarray(self.x.any(axis=1))[self.group] & (weight > 0)
        # many series of one day are one observation of what days like it do
        even = weight / np.maximum(near.sum(axis=0), 1)
        for g, x in enumerate(self.x):
            rows = self.group == g
            pairs = (x[:, None, :] * x[None, :, :]).reshape(c * c, -1).T
            gram[rows] = (weight[rows] @ pairs).reshape(-1, c, c)
            right[rows] = (weight[rows] * self.ratio[rows]) @ x.T
            all_gram += (even[rows] @ pairs).sum(axis=0).reshape(c, c)
            all_right += ((even[rows] * self.ratio[rows]) @ x.T).sum(axis=0)
        everyone = np.linalg.solve(all_gram, all_right)
        pulled = right + SHRINK * everyone
        own = np.linalg.solve(gram + SHRINK * np.eye(c), pulled[:, :, None])[:, :, 0]
        return np.asarray(own, dtype="float64"), np.asarray(everyone, dtype="float64")

    def log(self, effect: Floats) -> Floats:
        """What effects (series x columns) come to on each day (series x days)."""
        return np.stack([own @ self.x[g] for own, g in zip(effect, self.group, strict=True)])


def _like_others(past_days: PastDays, everyone: Floats) -> Bools:
    """Which series gain when each kind in turn is taken for one never seen."""
    k, phases = everyone.shape
    gain = np.zeros(len(past_days.y))
    for kind in range(k if k > 1 else 0):
        other = np.zeros((k, phases))
        other[kind] = (everyone.sum(axis=0) - everyone[kind]) / k
        log = past_days.log(np.tile(other.reshape(-1), (len(past_days.y), 1)))
        better = np.abs(past_days.y - past_days.expected) - np.abs(
            past_days.y - past_days.expected * np.exp(log)
        )
        gain += np.where(past_days.known & (log != 0), better, 0.0).sum(axis=1)
    return gain > 0


def without_events(panel: Panel, effects: Effects) -> Panel:
    """The panel's counts divided by what events made of them."""
    days, of_day = np.unique(panel.grid.days(panel.index), return_inverse=True)
    return replace(panel, y=panel.y / effects.on(days)[0][:, of_day])
