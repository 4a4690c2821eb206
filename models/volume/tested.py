"""How far off forecasts of each series were in the judge's trials, beside the two plain rules.

A trial forecasts from a past origin, with weights from the errors of the other trials. An error is
WAPE: the sum of absolute errors over the sum of counts, all trials and steps of a series together.

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


@dataclass(frozen=True)
class Tested:
    """WAPE of the forecast as ``presage`` (series) and of the ``members`` (members x series), NaN
    without a trial or a contact in them; ``mean`` is the mean count per step of the trials, and
    ``scores`` (members x series) what the judge made weights of. With drivers, members are there
    twice, as in a forecast.
    """

    mean: Floats
    presage: Floats
    members: Floats
    scores: Floats

    @classmethod
    def of(cls, made: Floats, *benches: Trials) -> Tested:
        """From the combination's forecasts ``made`` (origins x series x steps) in the trials,
        those without drivers first.
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
        return cls(mean, wape_of(made, actual), np.stack(members), scores)

    @classmethod
    def none(cls, series: int) -> Tested:
        """Nothing was tried."""
        shapes = (series, series, (len(NAMES), series), (len(NAMES), series))
        return cls(*(np.full(shape, np.nan) for shape in shapes))

    def table(self, ids: Sequence[str], trials: int) -> pd.DataFrame:
        """``unique_id, trials, mean_count, presage, seasonal_naive, mean_of_8``."""
        return pd.DataFrame(
            {
                "unique_id": list(ids),
                "trials": trials,
                "mean_count": self.mean,
                "presage": self.presage,
                "seasonal_naive": self.members[NAMES.index("seasonal_naive")],
                "mean_of_8": self.members[NAMES.index("mean_of_8")],
            }
        )


def wape_of(forecast: Floats, actual: Floats) -> Floats:
    """WAPE (series) over origins and steps (origins x series x steps) that have both."""
    known = ~np.isnan(actual) & ~np.isnan(forecast)
    error = np.where(known, np.abs(forecast - actual), 0.0).sum(axis=(0, 2))
    count = np.where(known, actual, 0.0).sum(axis=(0, 2))
    return np.where(count > 0, error / np.where(count > 0, count, 1.0), np.nan)
