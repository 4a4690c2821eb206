"""Which as-of times train, which calibrate, which judge: always in the order of time.

An as-of time T with horizon h and gap g sees history before T and has its label in
``[T + g, T + g + h)``. A model that is judged at E may only have trained on labels that were over
an **embargo** before E, and the calibrator's slice stands between the two in the same way, so no
label that a model learned from overlaps one that judges it:

    training T T T ──label──┤ embargo ├ calibration T T ──label──┤ embargo ├ evaluation T T

>>> from datetime import datetime
>>> grid = as_of_grid(datetime(2026, 1, 1), datetime(2026, 4, 30), timedelta(days=7))
>>> split = time_split(grid, 14, embargo_days=1, calibration=2, evaluation=2)
>>> [len(split.training), len(split.calibration), len(split.evaluation)]
[10, 2, 2]
>>> split.training[-1] + timedelta(days=14 + 1) <= split.calibration[0]
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from data.errors import DataError, NotEnoughHistory


@dataclass(frozen=True)
class TimeSplit:
    """Three ascending tuples of as-of times (naive UTC), none in two of them."""

    training: tuple[datetime, ...]
    calibration: tuple[datetime, ...]
    evaluation: tuple[datetime, ...]


def as_of_grid(first: datetime, last: datetime, step: timedelta) -> list[datetime]:
    """Every ``step`` back from ``last`` down to ``first``, ascending; ``last`` is always in it.

    Counted from the end, so that the newest as-of time is as near to now as its labels allow.
    """
    if step <= timedelta(0):
        raise DataError(f"the step between as-of times is {step}; it must be above zero")
    if last < first:
        raise NotEnoughHistory(
            f"there is no as-of time between {first} and {last}: "
            f"{(first - last).total_seconds() / 86400:.1f} days of history are missing"
        )
    count = (last - first) // step
    return [last - step * back for back in range(count, -1, -1)]


def last_labelled(known_as_of: datetime, horizon_days: float, gap_days: float = 0) -> datetime:
    """The newest as-of time whose label is complete by ``known_as_of``."""
    return known_as_of - timedelta(days=horizon_days + gap_days)


def time_split(
    as_ofs: Sequence[datetime],
    horizon_days: float,
    *,
    gap_days: float = 0,
    embargo_days: float = 0,
    calibration: int = 2,
    evaluation: int | Sequence[datetime] = 2,
    minimum_training: int = 1,
) -> TimeSplit:
    """Training, calibration and evaluation out of ``as_ofs`` (in any order; duplicates count once).

    ``horizon_days`` is the longest horizon that is learned or judged. ``evaluation``: how many of
    the newest times judge, or the times themselves (a backtest's cutoffs, which need not be in
    ``as_ofs``); with 0 nothing is held out, as for the model that goes to work. ``calibration``:
    how many times before those calibrate; 0 for none. What the labels' ends and the embargo leave
    out is in no part. Labels of all ``as_ofs`` must be known; choose them up to ``last_labelled``.

    Raises NotEnoughHistory, saying how many days are missing, if fewer than ``minimum_training``
    training times or fewer calibration times than asked remain.
    """
    if horizon_days <= 0 or gap_days < 0 or embargo_days < 0 or calibration < 0:
        raise DataError(
            f"horizon {horizon_days:g}, gap {gap_days:g}, embargo {embargo_days:g} days, "
            f"{calibration} calibration times: the horizon must be above zero, the rest not below"
        )
    times = sorted(set(as_ofs))
    if isinstance(evaluation, int):
        judging = times[len(times) - evaluation :] if evaluation else []
        judging_wanted = evaluation
    else:
        judging = sorted(set(evaluation))
        judging_wanted = len(judging)
    reach = timedelta(days=gap_days + horizon_days + embargo_days)
    before = _ended_by(times, judging[0], reach) if judging else times
    calibrating = before[max(len(before) - calibration, 0) :] if calibration else []
    training = _ended_by(before, calibrating[0], reach) if calibrating else before
    if (
        len(judging) < judging_wanted
        or len(calibrating) < calibration
        or len(training) < minimum_training
    ):
        _not_enough(times, reach, judging_wanted, calibration, minimum_training, len(training))
    return TimeSplit(tuple(training), tuple(calibrating), tuple(judging))


def _ended_by(times: list[datetime], begin: datetime, reach: timedelta) -> list[datetime]:
    """Those of ``times`` whose label, with the embargo after it, is over when ``begin`` begins."""
    return [time for time in times if time + reach <= begin]


def _not_enough(
    times: list[datetime],
    reach: timedelta,
    evaluation: int,
    calibration: int,
    minimum_training: int,
    training: int,
) -> None:
    times_there = (
        f"{len(times)} as-of times from {times[0]} to {times[-1]}" if times else "no as-of times"
    )
    steps = [b - a for a, b in pairwise(times)]
    step = min(steps) if steps else timedelta(days=7)
    parts = [part for part in (minimum_training, calibration, evaluation) if part]
    between = step * -(-reach // step)  # on a grid, the next time at or after the reach
    needed = sum((step * (part - 1) for part in parts), timedelta(0)) + between * (len(parts) - 1)
    have = times[-1] - times[0] if times else timedelta(0)
    missing = max(needed - have, step)
    raise NotEnoughHistory(
        f"{minimum_training} training, {calibration} calibration and {evaluation} evaluation times "
        f"{_days(step)} days apart, each part {_days(reach)} days or more after the one before "
        f"(gap, horizon and embargo), span {_days(needed)} days; found {times_there} "
        f"({_days(have)} days, {training} left for training). "
        f"About {_days(missing)} more days of history are needed"
    )


def _days(duration: timedelta) -> str:
    return f"{duration / timedelta(days=1):.4g}"
