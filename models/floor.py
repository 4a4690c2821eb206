"""The gate's floor: a model of risk must be worth more than each simple baseline, beyond noise.

Against each baseline two gains are measured on the judged rows, each the mean over the horizons:

- of **average precision**, how it ranks: ``model / baseline - 1``;
- of **log loss**, how true its probabilities are: ``1 - model / baseline``.

Their noise is that of resampled customers, drawn alike for both models and all horizons. The floor
is cleared if log loss gains beyond noise, with ``confidence`` on one side, and average precision
does not lose beyond noise. Log loss is a proper score and shows a gain on fewer complaints, so it
decides; alone it would let a model pass that knows the level and ranks worse.

**Few complaints** must not refuse every model for ever: where the noise of average precision is
wider than ``VISIBLE``, so that even a gain of a tenth could be lost in it, it is enough that both
gains are above zero on the mean, and the verdict says so.

>>> rng = np.random.default_rng(0)
>>> p = rng.beta(1, 9, 4000)
>>> y = (rng.random(4000) < p).astype(float)
>>> floor = Floor({14: y}, {14: p}, {"its like": {14: p}, "chance": {14: rng.permutation(p)}})
>>> [against.cleared for against in compared(floor)]
[False, True]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.arrays import Floats
from data.errors import DataError
from models.bootstrap import Interval, Metric, interval, resampled
from models.metrics import average_precision, log_loss

VISIBLE = 0.1
"""A gain of average precision that the judged rows should be able to show."""
GUARD = 1e-9
"""Probabilities stay this far from 0 and 1, so that one baseline's row cannot cost infinitely."""


@dataclass(frozen=True)
class Floor:
    """By horizon in days: labels, and what the candidate and each baseline said of the same rows.

    ``groups``: whose each row is; whole groups are drawn.
    """

    y: Mapping[int, npt.ArrayLike]
    candidate: Mapping[int, npt.ArrayLike]
    baselines: Mapping[str, Mapping[int, npt.ArrayLike]]
    groups: npt.ArrayLike | None = None
    seed: int = 0
    resamples: int = 200


@dataclass(frozen=True)
class Against:
    """The gains on one baseline, as shares, and whether they clear the floor; see the module."""

    name: str
    horizons: tuple[int, ...]
    precision: tuple[float, ...]
    """The candidate's average precision, a horizon each."""
    other: tuple[float, ...]
    """The baseline's."""
    precision_gain: Interval
    loss_gain: Interval

    @property
    def beyond_noise(self) -> bool:
        """Log loss gains beyond noise, and average precision does not lose beyond it."""
        return self.loss_gain.low > 0 and self.precision_gain.high >= 0

    @property
    def few(self) -> bool:
        """Whether these rows could not show a gain of ``VISIBLE``."""
        return self.precision_gain.estimate - self.precision_gain.low > VISIBLE

    @property
    def cleared(self) -> bool:
        on_the_mean = min(self.precision_gain.estimate, self.loss_gain.estimate) > 0
        return self.beyond_noise or (self.few and on_the_mean)

    def __str__(self) -> str:
        days = ", ".join(map(str, self.horizons))
        verb = "beats" if self.cleared else "does not beat"
        noise = ""
        if not self.beyond_noise:
            noise = f", {'too few complaints to show a tenth' if self.few else 'within noise'}"
        if min(self.precision_gain.high, self.loss_gain.high) < 0:
            noise = ", worse beyond noise"
        return (
            f"average precision {_several(self.precision)} {verb} {self.name}'s "
            f"{_several(self.other)} at {days} days (gain {_percent(self.precision_gain)}, of log "
            f"loss {_percent(self.loss_gain)}{noise})"
        )


def compared(floor: Floor, confidence: float = 0.9) -> list[Against]:
    """The candidate against each baseline, over all horizons in which anybody complained.

    The lower end of a gain's interval is passed with ``confidence``, one-sided. Raises
    DataError where no horizon has both classes, and where resamples often lack complaints.
    """
    labels = {h: np.asarray(y, dtype=np.float64) for h, y in floor.y.items()}
    horizons = tuple(sorted(h for h, y in labels.items() if y.size and 0 < y.mean() < 1))
    if not horizons:
        raise DataError(
            "nobody, or everybody, complained in the judged rows, so nothing can be told of how a "
            "model ranks them; wait for more labels"
        )

    def values(metric: Metric, of: Mapping[int, npt.ArrayLike]) -> Floats:
        """On all rows, then on each resample: (horizons, 1 + resamples)."""
        return np.array([
            resampled(
                metric,
                labels[h],
                np.clip(np.asarray(of[h], dtype=np.float64), GUARD, 1 - GUARD),
                groups=floor.groups,
                seed=floor.seed,
                resamples=floor.resamples,
            )
            for h in horizons
        ])  # fmt: skip

    precision, loss = (values(metric, floor.candidate) for metric in (average_precision, log_loss))
    level = 2 * confidence - 1
    against = []
    for name, probabilities in floor.baselines.items():
        of_precision, of_loss = (
            values(average_precision, probabilities),
            values(log_loss, probabilities),
        )
        against.append(
            Against(
                name,
                horizons,
                tuple(precision[:, 0].tolist()),
                tuple(of_precision[:, 0].tolist()),
                interval((precision / of_precision - 1).mean(axis=0), level),
                interval((1 - loss / of_loss).mean(axis=0), level),
            )
        )
    return against


def _several(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def _percent(gain: Interval) -> str:
    estimate, low, high = (f"{value:+.1%}" for value in gain)
    return f"{estimate} [{low}, {high}]"
