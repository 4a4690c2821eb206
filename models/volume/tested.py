"""How far off forecasts of each series were in the judge's trials, beside the two plain rules.

A trial forecasts from a past origin, with weights from the errors of the other trials. An error is
WAPE: the sum of absolute errors over the sum of counts, all trials and steps of a series together.
Steps shorter than a day are added up to days too: that is how far off a day's total was.

>>> forecast, actual = np.array([[[8.0, 12.0]]]), np.array([[[10.0, 10.0]]])
>>> wape_of(forecast, actual)
array([0.2])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.arrays import Floats
from models.volume.judge import Trials, score_of, tally
from models.volume.members import NAMES

DAYS = ("presage_days", "seasonal_naive_days", "mean_of_8_days", "within_days")
"""WAPE of whole days' totals, and the share of its forecast within which four of five days lay."""
DAYS_WITHIN = 0.8


@dataclass(frozen=True)
class Tested:
    """WAPE of the forecast as ``presage`` (series) and of the ``members`` (members x series), NaN
    without a trial or a contact in them; ``mean`` is the mean count per step of the trials, and
    ``scores`` (members x series) what the judge made weights of. With drivers, members are there
    twice, as in a forecast. ``days`` (rows of ``DAYS`` x series) is the same of whole days, NaN
    where a step is a day or longer.
    """

    mean: Floats
    presage: Floats
    members: Floats
    scores: Floats
    days: Floats

    @classmethod
    def of(cls, combination: Floats, *benches: Trials, per_day: int = 1) -> Tested:
        """From the combination's forecasts in the trials (origins x series x steps) and the trials
        themselves, those without drivers first; ``per_day`` steps make a day.
        """
        actual = benches[0].actual
        if not len(actual):
            return cls.none(actual.shape[1])
        known = ~np.isnan(actual)
        count = np.where(known, actual, 0.0).sum(axis=(0, 2))
        steps = known.sum(axis=(0, 2))
        mean = np.where(steps > 0, count / np.maximum(steps, 1), np.nan)
        members = [
            wape_of(one.forecast[:, m], one.actual) for one in benches for m in range(len(NAMES))
        ]
        every = np.arange(len(actual))
        scores = np.concatenate([score_of(tally(one), every) for one in benches])
        days = _days_of(combination, benches[0], per_day)
        return cls(mean, wape_of(combination, actual), np.stack(members), scores, days)

    @classmethod
    def none(cls, series: int) -> Tested:
        """Nothing was tried."""
        shapes = (series, series, *[(len(NAMES), series)] * 2, (len(DAYS), series))
        return cls(*(np.full(shape, np.nan) for shape in shapes))

    def table(self, ids: Sequence[str], trials: int) -> pd.DataFrame:
        """``unique_id, trials, mean_count, presage, seasonal_naive, mean_of_8`` and ``DAYS``."""
        return pd.DataFrame(
            {
                "unique_id": list(ids),
                "trials": trials,
                "mean_count": self.mean,
                "presage": self.presage,
                "seasonal_naive": self.members[NAMES.index("seasonal_naive")],
                "mean_of_8": self.members[NAMES.index("mean_of_8")],
                **dict(zip(DAYS, self.days, strict=True)),
            }
        )


def wape_of(forecast: Floats, actual: Floats) -> Floats:
    """WAPE (series) over origins and steps (origins x series x steps) that have both."""
    known = ~np.isnan(actual) & ~np.isnan(forecast)
    error = np.where(known, np.abs(forecast - actual), 0.0).sum(axis=(0, 2))
    count = np.where(known, actual, 0.0).sum(axis=(0, 2))
    return np.where(count > 0, error / np.where(count > 0, count, 1.0), np.nan)


def by_day(values: Floats, per_day: int) -> Floats:
    """Sums of whole days (origins x series x days) of steps (origins x series x steps), counted
    from each origin; NaN where a step of the day is. Steps after the last whole day are left out.

    >>> by_day(np.array([[[1.0, 2.0, 3.0, np.nan, 9.0]]]), per_day=2)
    array([[[ 3., nan]]])
    """
    days = values.shape[2] // per_day
    whole = values[:, :, : days * per_day]
    return np.asarray(whole.reshape(*whole.shape[:2], days, per_day).sum(axis=3))


def _days_of(combination: Floats, bench: Trials, per_day: int) -> Floats:
    """The rows ``DAYS``, NaN where a step is a day or longer, or no whole day was tried."""
    series = combination.shape[1]
    if per_day <= 1 or combination.shape[2] < per_day:
        return np.full((len(DAYS), series), np.nan)
    actual, forecast = by_day(bench.actual, per_day), by_day(combination, per_day)
    plain = [
        wape_of(by_day(bench.forecast[:, NAMES.index(name)], per_day), actual)
        for name in ("seasonal_naive", "mean_of_8")
    ]
    within = np.full(series, np.nan)
    for each in range(series):
        forecast_day, actual_day = forecast[:, each].ravel(), actual[:, each].ravel()
        known = (forecast_day >= 1) & ~np.isnan(actual_day)
        if known.any():
            off = np.abs(actual_day[known] / forecast_day[known] - 1)
            within[each] = np.quantile(off, DAYS_WITHIN)
    return np.stack([wape_of(forecast, actual), *plain, within])
