"""The judge: an inner rolling-origin backtest decides how much each member counts, per series.

At past origins every member forecasts what has since happened; nothing after the cutoff is ever
read. A member's score is its absolute error relative to the mean of the last eight same slots,
the series' own score shrunk towards that of all series together. Members that fail, or are more
than ``GATE`` times the best, are dropped; the rest are weighted by how near the best they are.
Forecasts at an origin depend on the past of that origin only, so a backtest with many cutoffs
computes each origin once (``Workbench``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from data.arrays import Bools, Floats
from models.volume import classical
from models.volume.context import VolumeContext
from models.volume.drivers import Loads, known_after, loads_at
from models.volume.members import NAMES, forecasts_at, origin_of, train_trees
from models.volume.panel import Panel
from models.volume.prepare import usual_counts
from models.volume.smooth import SPARSE
from models.volume.trees import TreeModel

MOST_ORIGINS = 12
GATE = 1.25
NEARNESS = 0.06
SHRINK_ORIGINS = 3.0
FORGET = 0.96
MOST_USUAL_ERRORS = 5.0
FAULTLESS = 1e-6
"""Scores below this are alike: no error to speak of."""
REFERENCE = NAMES.index("mean_of_8")
LOW_WHERE_SPARSE = [
    NAMES.index(name) for name in (*classical.MEMBERS, "regression", "trees_median")
]
"""Members of square roots, of logs and of medians: below the mean of small, skewed counts."""
LOST = 1.2
"""Forecasts with drivers that have erred so many times as much as those without get no share."""


@dataclass(frozen=True)
class Trials:
    """Past forecasts with what happened: ``forecast`` (origins x members x series x steps) and
    ``actual`` (origins x series x steps; NaN where not known by the cutoff), oldest first, the
    origins ``spacing`` steps apart.
    """

    forecast: Floats
    actual: Floats
    spacing: int = 1

    @property
    def windows(self) -> float:
        """How many horizons the trials cover, side by side: those that overlap err together."""
        origins, horizon = self.actual.shape[0], max(self.actual.shape[2], 1)
        return origins * min(self.spacing / horizon, 1.0)


@dataclass
class Workbench:
    """A panel with its origins' forecasts, computed once each.

    ``panel`` may hold the future of a cutoff; every computation goes through ``past``. With
    ``driven``, the members forecast what the context's drivers leave (see ``drivers``), and a
    trial knows of the drivers what was known at its own origin.
    """

    panel: Panel
    horizon: int
    context: VolumeContext
    seed: int
    driven: bool = False
    _forecasts: dict[int, Floats] = field(default_factory=dict)
    _models: dict[int, TreeModel | None] = field(default_factory=dict)

    def past(self, last: int) -> tuple[Panel, Loads | None]:
        """The panel up to step ``last``, and the loads that its drivers make."""
        past = self.panel.until(last)
        if not self.driven or self.context.drivers is None or not past.ids:
            return past, None
        return past, loads_at(self.context.drivers, past)

    def useful(self, last: int) -> bool:
        """Whether drivers were known after step ``last``."""
        past = self.panel.until(last)
        source = self.context.drivers
        return bool(past.ids) and source is not None and known_after(source, past).useful

    def model(self, last: int) -> TreeModel | None:
        """The tree member trained on everything up to step ``last``."""
        if last not in self._models:
            past, loads = self.past(last)
            past = past if loads is None else loads.without(past)
            self._models[last] = (
                train_trees(past, self.horizon, self.context, self.seed) if past.ids else None
            )
        return self._models[last]

    def anchor(self, origin: int) -> int:
        """The step up to which the tree member is trained for trials from ``origin``."""
        frequency = self.panel.grid.frequency
        every = {"minute": 28 * frequency.per_day, "day": 28, "week": 13, "month": 12}[
            frequency.unit
        ]
        return origin // every * every - 1

    def forecasts(self, origin: int, model: TreeModel | None = None) -> Floats:
        """All members' forecasts from ``origin`` (members x series of that time x steps)."""
        past, loads = self.past(origin)
        bare = past if loads is None else loads.without(past)
        forecasts = forecasts_at(
            origin_of(bare, self.horizon, self.context), self.horizon, self.context, model
        )
        return forecasts if loads is None else forecasts * loads.coming(past, self.horizon)

    def trial(self, origin: int) -> Floats:
        """The same, with the tree member of the origin's anchor; kept."""
        if origin not in self._forecasts:
            self._forecasts[origin] = self.forecasts(origin, self.model(self.anchor(origin)))
        return self._forecasts[origin]

    def trials(self, cutoff: int) -> Trials:
        """Past forecasts from origins before ``cutoff``, with the actuals up to it."""
        past = self.panel.until(cutoff)
        origins = inner_origins(past)
        n = len(past.ids)
        forecast = np.full((len(origins), len(NAMES), n, self.horizon), np.nan)
        actual = np.full((len(origins), n, self.horizon), np.nan)
        counts = usual_counts(past, past.y, self.context) if n else past.y
        for place, origin in enumerate(origins):
            one = self.trial(int(origin))
            forecast[place, :, : one.shape[1]] = one
            first = int(origin) + 1 - past.start
            known = counts[:, first : first + self.horizon]
            # of a series that had not begun there is nothing to be right or wrong about
            begun = (~np.isnan(counts[:, :first])).sum(axis=1) > 0
            actual[place, :, : known.shape[1]] = np.where(begun[:, None], known, np.nan)
        spacing = int(origins[1] - origins[0]) if len(origins) > 1 else self.horizon
        return Trials(forecast, actual, spacing)


def benches(
    panel: Panel, horizon: int, context: VolumeContext, seed: int
) -> tuple[Workbench, Workbench | None]:
    """The bench without drivers, and the one with them where the company has some."""
    plain = Workbench(panel, horizon, context, seed)
    daily = panel.grid.frequency.unit in ("minute", "day")
    if context.drivers is None or not daily or not context.drivers.company.useful:
        return plain, None
    return plain, Workbench(panel, horizon, context, seed, driven=True)


def share_of(plain: Floats, driven: Floats, actual: Floats) -> Floats:
    """The share (series) that forecasts with drivers get, by trials (origins x series x steps).

    All of it unless they have lost: the ratio of absolute errors, shrunk to that of all series by
    ``SHRINK_ORIGINS``, takes it away between 1 and ``LOST``.
    """
    known: Bools = ~np.isnan(actual) & ~np.isnan(plain) & ~np.isnan(driven)
    if not known.any():
        return np.ones(actual.shape[1])
    age = FORGET ** np.arange(len(actual) - 1, -1, -1.0)
    lost = [
        np.einsum("o,osh->s", age, np.where(known, np.abs(one - actual), 0.0))
        for one in (driven, plain)
    ]
    origins = known.any(axis=2).sum(axis=0)
    judged = (lost[0] > 0) & (lost[1] > 0)
    ratio = np.log(np.where(judged, lost[0], 1.0) / np.where(judged, lost[1], 1.0))
    everyone = ratio[judged].mean() if judged.any() else 0.0
    shrunk = (ratio * origins * judged + everyone * SHRINK_ORIGINS) / (
        origins * judged + SHRINK_ORIGINS
    )
    return np.asarray(np.clip(1 - (np.exp(shrunk) - 1) / (LOST - 1), 0.0, 1.0))


def inner_origins(panel: Panel) -> np.ndarray:
    """Trial origins before the panel's end, oldest first: weekly, closer where history is short."""
    frequency = panel.grid.frequency
    width = panel.y.shape[1]
    if frequency.unit in ("week", "month"):
        least, every = max(8, min(width // 2, frequency.season + 4)), 1
    else:
        week = 7 * frequency.per_day
        least = 3 * week
        room = (width - least) // frequency.per_day
        every = frequency.per_day * (7 if room >= 42 else 3 if room >= 9 else 1)
    back = every * np.arange(MOST_ORIGINS, 0, -1)
    return panel.end - back[width - back >= least]


@dataclass(frozen=True)
class Tally:
    """Trials summed up per origin: ``error`` (origins x members x series), whether a member
    ``failed`` (the same), whether a series was ``tried`` (origins x series), which are ``sparse``.
    """

    error: Floats
    failed: Bools
    tried: Bools
    sparse: Bools


def tally(trials: Trials) -> Tally:
    """Every member's errors at every origin: absolute, of sparse series squared."""
    known: Bools = ~np.isnan(trials.actual)
    counts = known.sum(axis=(0, 2))
    # one storm must not choose the members: an error counts as at most this many usual ones
    usual = np.abs(np.where(known, trials.forecast[:, REFERENCE] - trials.actual, 0.0))
    usual = np.nansum(usual, axis=(0, 2)) / np.maximum(counts, 1)
    edge = np.where(usual > 0, MOST_USUAL_ERRORS * usual, np.inf)
    # the absolute error of a sparse count is least at 0, whatever its mean; the square is not
    total_seen = np.where(known, trials.actual, 0.0).sum(axis=(0, 2))
    sparse: Bools = total_seen < SPARSE * np.maximum(counts, 1)
    errors, failures = [], []
    for forecast, actual, there in zip(trials.forecast, trials.actual, known, strict=True):
        error = np.minimum(np.abs(forecast - actual), edge[None, :, None])
        error = np.where(sparse[None, :, None], (forecast - actual) ** 2, error)
        failures.append((np.isnan(error) & there[None]).any(axis=2))
        errors.append(np.where(there[None], np.nan_to_num(error), 0.0).sum(axis=2))
    seen_at: Bools = np.asarray(known.any(axis=2))
    return Tally(np.stack(errors), np.stack(failures), seen_at, sparse)


def weights_of(trials: Trials) -> Floats:
    """How much each member counts (members x series; each series' weights add up to 1)."""
    origins, _, n, _ = trials.forecast.shape
    if origins == 0 or n == 0:
        return untried(n)
    return weigh(tally(trials), np.arange(origins))


def weigh(errors: Tally, origins: npt.NDArray[np.int64]) -> Floats:
    """The weights by the errors at some of the trials' origins."""
    score = score_of(errors, origins)
    members, n = score.shape
    best = score.min(axis=0)
    weight = np.zeros((members, n))
    fine = np.isfinite(best)
    floor = np.where(fine, np.maximum(best, FAULTLESS), 1.0)
    relative = np.where(fine, np.maximum(score, FAULTLESS) / floor, np.inf)
    # a sparse series' mean is what adds up: who forecasts the middle, or on a bent scale, is low
    straight = relative.copy()
    straight[LOW_WHERE_SPARSE] = np.inf
    least = straight.min(axis=0)
    straight = straight / np.where(np.isfinite(least), np.maximum(least, FAULTLESS), 1.0)
    relative = np.where(errors.sparse & np.isfinite(least), straight, relative)
    weight = np.where(relative <= GATE, np.exp(-(relative - 1) / NEARNESS), 0.0)
    weight[:, ~fine] = untried(int((~fine).sum()))
    return weight / weight.sum(axis=0)


def score_of(errors: Tally, origins: npt.NDArray[np.int64]) -> Floats:
    """Each member's error over the reference's at some origins, the series' own pulled to that of
    all series (members x series; infinite for a member that failed or was never tried).
    """
    age = FORGET ** (len(errors.error) - 1 - origins.astype("float64"))
    total = np.einsum("o,omn->mn", age, errors.error[origins])
    failed = errors.failed.any(axis=0)
    trusted = np.where(failed, np.nan, total)
    reference = total[REFERENCE]
    judged = reference > 0
    ratio = np.where(judged, trusted / np.where(judged, reference, 1.0), np.nan)
    ratio = np.where(errors.sparse, np.sqrt(ratio), ratio)
    share = np.where(judged, 1.0, 0.0)
    everyone = np.nansum(np.where(np.isnan(ratio), 0.0, ratio) * share, axis=1)
    counted = ((~np.isnan(ratio)) * share).sum(axis=1)
    everyone = np.where(counted > 0, everyone / np.maximum(counted, 1e-9), np.nan)
    tried = errors.tried[origins].sum(axis=0).astype("float64")
    own = np.where(np.isnan(ratio), 0.0, ratio) * tried
    pulled = (own + SHRINK_ORIGINS * everyone[:, None]) / (tried * judged + SHRINK_ORIGINS)
    return np.where(failed, np.inf, np.where(np.isnan(pulled), np.inf, pulled))


def tried(trials: Trials) -> Floats:
    """What the combination would have forecast in each trial (origins x series x steps), weighted
    by the errors at all other origins: a forecast is not judged by the errors that chose it.
    """
    origins, _, n, horizon = trials.forecast.shape
    if origins == 0 or n == 0:
        return np.empty((origins, n, horizon))
    errors = tally(trials)
    combinations = []
    for origin in range(origins):
        others = np.flatnonzero(np.arange(origins) != origin)
        weight = weigh(errors, others) if len(others) else untried(n)
        combinations.append(combine(trials.forecast[origin], weight))
    return np.stack(combinations)


def untried(n: int) -> Floats:
    """Weights of series without a trial: half the mean of eight same slots, half smoothing."""
    weight = np.zeros((len(NAMES), n))
    weight[REFERENCE] = 0.5
    weight[NAMES.index("smooth")] = 0.5
    return weight


def combine(forecast: Floats, weight: Floats) -> Floats:
    """Weighted mean over members (axis -3 of ``forecast``), members without an answer left out.

    Where every weighted member is silent, the mean of eight same slots speaks.
    """
    there = ~np.isnan(forecast)
    share = np.where(there, weight[:, :, None], 0.0)
    whole = share.sum(axis=-3)
    mixed = (share * np.nan_to_num(forecast)).sum(axis=-3) / np.where(whole > 0, whole, 1.0)
    return np.where(whole > 0, mixed, forecast[..., REFERENCE, :, :])
