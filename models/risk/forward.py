"""What later slices of time teach: how many trees, which penalty, how to mix and calibrate.

Everything here is trained before a slice (and an embargo as long as the label) and judged on it, so
it says how the parts do on customers' futures, not how well they remember their pasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from data.arrays import Bools, Floats
from data.errors import NotEnoughHistory
from models.metrics import average_precision, log_loss, roc_auc
from models.risk.fit import (
    Rows,
    fit_causes,
    fit_regressions,
    together,
    training,
    try_trees,
)
from models.risk.hazards import Hazards, Roles
from models.risk.mixture import Mixture, mix, recalibrated_losses
from models.risk.rows import Slice, later_slices, with_both
from models.risk.settings import RiskSettings

SHARES = (0.55, 0.45)
"""Shares that the mixture is drawn to within a horizon: of trees, and of hazards or regression."""


class Trial:
    """The parts trained before one later slice, and their scores on it, for every candidate."""

    def __init__(
        self, rows: Rows, part: Slice, horizons: Sequence[int], settings: RiskSettings
    ) -> None:
        self.part, self.judged = part, part.judged
        self.trees: dict[int, dict[int, Floats]] = {}
        self.linear: dict[int, Floats] = {}
        self.hazards: dict[int, Floats] = {}
        self.causes: dict[int, Hazards] = {}
        held = rows.matrix[part.judged]
        causes: Hazards | None = None
        for h in horizons:
            mask, weights = self._rows(rows, h, settings)
            causes = fit_causes(rows, mask, weights, h, settings, causes)
            if causes is not None:
                self.causes[h], self.hazards[h] = causes, causes.score(held)

    def _rows(self, rows: Rows, horizon: int, settings: RiskSettings) -> tuple[Bools, Floats]:
        return training(
            rows, self.part.before[horizon], horizon, settings, settings.most_rows_tried
        )

    def regress(
        self, rows: Rows, horizon: int, penalties: Sequence[float], settings: RiskSettings
    ) -> list[Floats]:
        """The scores of a horizon's regression under each penalty."""
        mask, weights = self._rows(rows, horizon, settings)
        fitted = fit_regressions(rows, mask, weights, horizon, penalties, settings)
        held = rows.matrix[self.judged]
        return [line.score(held) for line in fitted]

    def grow(self, rows: Rows, horizon: int, settings: RiskSettings, seed: int) -> None:
        """The horizon's trees."""
        mask, weights = self._rows(rows, horizon, settings)
        self.trees[horizon] = try_trees(rows, mask, weights, horizon, self.judged, settings, seed)

    def parts(self, horizon: int, rounds: int) -> list[Floats]:
        """The scores of a horizon's parts, in the order in which a model has them."""
        beside = self.hazards if horizon in self.hazards else self.linear
        return [self.trees[horizon][rounds], beside[horizon]]


@dataclass(frozen=True)
class Trials:
    """``trials`` on the later slices, and what they chose: the rows' roles (none if hazards are of
    no use), the regression's penalty, and by horizon the number of trees."""

    rows: Rows
    trials: Sequence[Trial]
    penalty: float
    rounds: Mapping[int, int]


def slices_of(
    rows: Rows, horizons: Sequence[int], settings: RiskSettings, gap_days: float
) -> list[Slice]:
    """The slices that hold complaints enough on both sides, from two down to folds of customers.

    Raises NotEnoughHistory if there are none.
    """
    known = {h: rows.known(h) for h in horizons}

    def cut(slices: int, share: float) -> list[Slice]:
        return later_slices(
            rows.as_of, known, rows.customers, slices=slices, share=share, gap_days=gap_days
        )

    def usable(parts: list[Slice]) -> list[Slice]:
        return [
            part
            for part in parts
            if all(
                with_both(part.before[h], rows.y[h], 20) and with_both(part.judged, rows.y[h], 10)
                for h in horizons
            )
        ]

    for parts in (cut(settings.slices, settings.slice_share), cut(1, 0.01), cut(1, 2.0)):
        enough = usable(parts)
        if enough:
            return [_bounded(rows, part, horizons, settings) for part in enough]
    raise NotEnoughHistory(
        "complaints are too few to hold some of them back for calibration: no later slice and no "
        "third of the customers has 10 of them with 20 left to learn from; bring more history"
    )


def _bounded(rows: Rows, part: Slice, horizons: Sequence[int], settings: RiskSettings) -> Slice:
    """The slice with no more judged rows than tell, by a draw that looks at no label."""
    fewest = min(float(rows.y[h][part.judged].sum()) for h in horizons)
    share = max(
        settings.most_rows_tried / part.judged.sum(), settings.least_complaints_judged / fewest
    )
    return part if share >= 1 else Slice(part.before, part.judged & (rows.drawn < share))


def try_parts(
    rows: Rows,
    slices: Sequence[Slice],
    horizons: Sequence[int],
    settings: RiskSettings,
    seed: int,
) -> Trials:
    """The parts tried on the later slices.

    Causes do not add up everywhere. Where a regression tells the later slices better than hazards
    do, beyond noise, it takes their place beside the trees. It costs more than all else, so the
    middle horizon decides, and chooses the penalty, for all.
    """
    alone, threads = replace(settings, num_threads=1), settings.num_threads
    trials = together([partial(Trial, rows, part, horizons, alone) for part in slices], threads)
    middle = horizons[len(horizons) // 2]
    scores = together(
        [partial(trial.regress, rows, middle, settings.penalties, alone) for trial in trials],
        threads,
    )
    losses = [
        _losses(rows, trials, middle, [of_slice[at] for of_slice in scores])
        for at in range(len(settings.penalties))
    ]
    best = int(np.argmin([float(of.mean()) for of in losses]))
    penalty = settings.penalties[best]
    if trials[0].hazards and not _add_up(rows, trials, middle, losses[best]):
        rows = replace(rows, roles=Roles((), (), None))
        for trial in trials:
            trial.hazards, trial.causes = {}, {}
    if not trials[0].hazards:
        others = [h for h in horizons if h != middle]
        for trial, of_slice in zip(trials, scores, strict=True):
            trial.linear[middle] = of_slice[best]
        regressions = [(trial, h) for trial in trials for h in others]
        regressed = together(
            [partial(trial.regress, rows, h, (penalty,), alone) for trial, h in regressions],
            threads,
        )
        for (trial, h), [score] in zip(regressions, regressed, strict=True):
            trial.linear[h] = score
    together([partial(t.grow, rows, h, alone, seed) for t in trials for h in horizons], threads)
    rounds = {h: _rounds(rows, trials, h, settings) for h in horizons}
    return Trials(rows, trials, penalty, rounds)


def _losses(rows: Rows, trials: Sequence[Trial], horizon: int, scores: Sequence[Floats]) -> Floats:
    """Row by row the losses of the slices' scores, recalibrated."""
    losses = []
    for trial, score in zip(trials, scores, strict=True):
        y = rows.y[horizon][trial.judged]
        losses.append(recalibrated_losses(score, y, np.ones(len(y))))
    return np.concatenate(losses)


def _add_up(rows: Rows, trials: Sequence[Trial], horizon: int, regression: Floats) -> bool:
    """Whether hazards tell the later slices as well as the best regression, whose losses are given,
    up to one standard error: where complaints are few, the better of two is a matter of chance."""
    worse = (
        _losses(rows, trials, horizon, [trial.hazards[horizon] for trial in trials]) - regression
    )
    return float(worse.mean()) < float(worse.std()) / np.sqrt(len(worse))


def _rounds(rows: Rows, trials: Sequence[Trial], horizon: int, settings: RiskSettings) -> int:
    """The number of trees with the least recalibrated loss over the slices' rows."""
    every = [
        count for count in settings.trees.rounds if all(count in t.trees[horizon] for t in trials)
    ]
    loss = {
        count: _losses(rows, trials, horizon, [t.trees[horizon][count] for t in trials]).mean()
        for count in every
    }
    return min(every, key=lambda count: float(loss[count]))


def mixtures_of(
    outcome: Trials, horizons: Sequence[int], settings: RiskSettings
) -> tuple[dict[int, Mixture], dict[int, dict[str, float]]]:
    """Per horizon the mixture of all parts, and how it did on the later slices."""
    rows, trials = outcome.rows, outcome.trials
    scores = np.vstack(
        [
            np.column_stack(
                [score for h in horizons for score in trial.parts(h, outcome.rounds[h])]
            )
            for trial in trials
        ]
    )
    mixtures, forward = {}, {}
    for at, h in enumerate(horizons):
        y = np.concatenate([rows.y[h][trial.judged] for trial in trials])
        prior = np.zeros(scores.shape[1])
        prior[len(SHARES) * at : len(SHARES) * (at + 1)] = SHARES
        stand_for = np.concatenate([rows.stands_for[trial.judged] for trial in trials])
        mixtures[h] = mix(
            scores,
            y,
            stand_for,
            prior=prior,
            strength=settings.mixture_prior,
            steady=settings.slope_prior,
        )
        risk = 1 / (1 + np.exp(-mixtures[h].score(scores)))
        forward[h] = {
            "rows": float(len(y)),
            "base_rate": float(y.mean()),
            "average_precision": average_precision(y, risk),
            "roc_auc": roc_auc(y, risk),
            "log_loss": log_loss(y, risk),
        }
    return mixtures, forward


def leaks(outcome: Trials, horizons: Sequence[int], settings: RiskSettings) -> list[str]:
    """Alarms for single features that rank later complaints too well to be true."""
    rows = outcome.rows
    judged = np.logical_or.reduce([trial.judged for trial in outcome.trials])
    every = rows.y[horizons[0]]
    y, past = every[judged], ~judged & ~np.isnan(every)
    alarms = []
    for at, name in enumerate(rows.encoder.columns):
        values = rows.matrix[judged, at].astype(np.float64)
        if at in rows.encoder.categorical:  # a category ranks by its rate so far
            values = _rates(rows.matrix[past, at], every[past], values)
        lowest = float(np.nanmin(values, initial=0.0))
        area = roc_auc(y, np.where(np.isnan(values), lowest - 1.0, values))
        area = max(area, 1 - area)
        if area >= settings.leak_auc:
            alarms.append(
                f"the feature {name} alone ranks later complaints almost perfectly (AUC "
                f"{area:.3f}): it probably knows the outcome; check when its values become known"
            )
    return alarms


def _rates(codes: Floats, y: Floats, wanted: Floats) -> Floats:
    """The shrunk rate of each asked code among rows with these codes; NaN for one not seen."""
    known = ~np.isnan(codes)
    values, at = np.unique(codes[known], return_inverse=True)
    if not len(values):
        return np.full(len(wanted), np.nan)
    hits = np.bincount(at, y[known]) + 20 * y[known].mean()
    rates = hits / (np.bincount(at) + 20)
    position = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
    return np.where(values[position] == wanted, rates[position], np.nan)
