"""One forecast with all that it is made of, so that it can be read off, drawn from and audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.arrays import Floats
from models.volume.intervals import Spread, apply_spread
from models.volume.members import NAMES

BEYOND, BEYOND_LEAST = 4.0, 20.0
"""No quantile lies further beyond the highest usual count."""


@dataclass(frozen=True)
class ForecastComponents:
    """One forecast before its quantiles are read off: ``members`` (members x series x steps, the
    special days' ``effect`` and the calendar's ``event`` in them; with drivers each twice, the
    second time on what drivers leave and multiplied by ``load``), ``weight`` (members x series),
    what they ``combined`` to and the reconciled ``mean`` (series x steps), ``spread`` and special
    days' and events' ``doubt``; ``rows`` are the series' places in the model, -1 for new ones.
    ``paths`` (paths x series x steps): what the forecast is times if trouble ends early, and late.
    ``highest``: the highest usual count of each series.
    """

    members: Floats
    weight: Floats
    effect: Floats
    event: Floats
    combined: Floats
    mean: Floats
    spread: Spread
    doubt: Floats | None
    rows: npt.NDArray[np.int64]
    load: Floats | None = None
    paths: Floats | None = None
    highest: Floats | None = None

    def quantiles(self, probabilities: Sequence[float]) -> Floats:
        """The counts that these shares stay below (probabilities x series x steps)."""
        quantiles = apply_spread(self.mean, self.spread, probabilities, self.doubt, self.paths)
        if self.highest is None:
            return quantiles
        # trials of a level that has leapt since are no measure of how much more may come
        most = BEYOND * np.maximum(self.highest[:, None], self.mean) + BEYOND_LEAST
        return np.minimum(quantiles, most[None])

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, in their order."""
        return NAMES if self.load is None else (*NAMES, *(f"{one} with drivers" for one in NAMES))
