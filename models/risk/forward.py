"""What later slices of time teach: how many trees, which penalty, how to mix and calibrate.

Everything here is trained before a slice (and an embargo as long as the label) and judged on it, so
it says how the parts do on customers' futures, not how well they remember their pasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from data.errors import NotEnoughHistory
from models.metrics import average_precision, log_loss, roc_auc
from models.risk.fit import (
    Rows,
    fit_causes,
    fit_core,
    fit_regressions,
    together,
    training,
    try_trees,
)
from models.risk.hazards import Hazards, Roles
from models.risk.mixture import Mixture, mix, recalibrated_loss, recalibrated_losses
from models.risk.rows import Slice, later_slices, with_both
from models.risk.settings import RiskSettings

Array = npt.NDArray[np.float64]


PRIORS = {False: (0.4, 0.3, 0.3), True: (0.35, 0.35, 0.3)}
"""Shares that the mixture is drawn to within a horizon: of trees, regression and core; and, where
causes add up, of trees, hazards and core. The core is left out where no column of it is there."""


@dataclass(frozen=True)
class Chosen:
    """What the later slices chose for one horizon: number of trees, the regression's penalty."""

    rounds: int
    penalty: float


class Trial:
    """The parts trained before one later slice, and their scores on it, for every candidate."""

    def __init__(
        self, rows: Rows, part: Slice, horizons: Sequence[int], settings: RiskSettings
    ) -> None:
        self.part, self.judged = part, part.judged
        held = rows.matrix[part.judged]
        self.trees: dict[int, dict[int, Array]] = {}
        self.linear: dict[int, dict[float, Array]] = {}
        self.hazards: dict[int, Array] = {}
        self.core: dict[int, Array] = {}
        self.causes: dict[int, Hazards] = {}
        causes: Hazards | None = None
        for h in horizons:
            kept, weights = training(rows, part.before[h], h, settings, settings.most_rows_tried)
            causes = fit_causes(rows, kept, weights, h, settings, causes)
            if causes is not None:
                self.causes[h], self.hazards[h] = causes, causes.score(held)
            fitted = fit_regressions(rows, kept, weights, h, settings.penalties, settings)
            self.linear[h] = {
                penalty: line.score(held)
                for penalty, line in zip(settings.penalties, fitted, strict=True)
            }
            core = fit_core(rows, kept, weights, h, settings)
            if core is not None:
                self.core[h] = core.score(held)

    def grow(self, rows: Rows, horizon: int, settings: RiskSettings, seed: int) -> None:
        """The horizon's trees."""
        before = self.part.before[horizon]
        kept, weights = training(rows, before, horizon, settings, settings.most_rows_tried)
        self.trees[horizon] = try_trees(rows, kept, weights, horizon, self.judged, settings, seed)

    def parts(self, horizon: int, chosen: Chosen) -> list[Array]:
        """The scores of a horizon's parts, in the order in which a model has them."""
        beside = self.linear[horizon][chosen.penalty]
        if horizon in self.hazards:
            beside = self.hazards[horizon]
        core = [self.core[horizon]] if horizon in self.core else []
        return [self.trees[horizon][chosen.rounds], beside, *core]


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
        found = usable(parts)
        if found:
            return [_bounded(rows, part, horizons, settings) for part in found]
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


def trials(
    rows: Rows,
    slices: Sequence[Slice],
    horizons: Sequence[int],
    settings: RiskSettings,
    seed: int,
) -> tuple[Rows, list[Trial]]:
    """The parts tried on the later slices; and the rows, without roles if hazards are of no use.

    Causes do not add up everywhere. Where a regression tells the later slices better than hazards
    do, beyond noise, it takes their place beside the trees.
    """
    alone = replace(settings, num_threads=1)
    tried = together(
        [partial(Trial, rows, part, horizons, alone) for part in slices], settings.num_threads
    )
    if tried[0].hazards and not _add_up(rows, tried, horizons, settings):
        rows = replace(rows, roles=Roles((), (), None))
        for trial in tried:
            trial.hazards, trial.causes = {}, {}
    growing = [partial(trial.grow, rows, h, alone, seed) for trial in tried for h in horizons]
    together(growing, settings.num_threads)
    return rows, tried


def _add_up(
    rows: Rows, tried: Sequence[Trial], horizons: Sequence[int], settings: RiskSettings
) -> bool:
    """Whether hazards tell the later slices as well as the best regression, up to one standard
    error: where complaints are few, the better of two is a matter of chance."""

    def losses(score: Callable[[Trial, int], Array]) -> Array:
        return np.concatenate([
            recalibrated_losses(score(trial, h), y, np.ones(len(y)))
            for trial in tried
            for h in horizons
            for y in [rows.y[h][trial.judged]]
        ])  # fmt: skip

    others = [
        losses(lambda trial, h, penalty=penalty: trial.linear[h][penalty])  # type: ignore[misc]
        for penalty in settings.penalties
    ]
    best = min(others, key=lambda of: float(of.mean()))
    worse = losses(lambda trial, h: trial.hazards[h]) - best
    return float(worse.mean()) < float(worse.std()) / np.sqrt(len(worse))


def choose(rows: Rows, tried: Sequence[Trial], horizon: int, settings: RiskSettings) -> Chosen:
    """Rounds and penalty with the least recalibrated loss, over the slices by their rows."""

    def loss(of: str, candidate: float) -> float:
        losses, sizes = [], []
        for trial in tried:
            score = getattr(trial, of)[horizon][candidate]
            y = rows.y[horizon][trial.judged]
            losses.append(recalibrated_loss(score, y, np.ones(len(y))))
            sizes.append(len(y))
        return float(np.average(losses, weights=sizes))

    tried_by_all = [
        count for count in settings.trees.rounds if all(count in t.trees[horizon] for t in tried)
    ]
    rounds = min(tried_by_all, key=lambda count: loss("trees", count))
    penalty = min(settings.penalties, key=lambda value: loss("linear", value))
    return Chosen(rounds, penalty)


def mixtures_of(
    rows: Rows,
    tried: Sequence[Trial],
    chosen: Mapping[int, Chosen],
    horizons: Sequence[int],
    settings: RiskSettings,
) -> tuple[dict[int, Mixture], dict[int, dict[str, float]]]:
    """Per horizon the mixture of all parts, and how it did on the later slices."""
    scores = np.vstack(
        [
            np.column_stack([score for h in horizons for score in trial.parts(h, chosen[h])])
            for trial in tried
        ]
    )
    mixtures, forward = {}, {}
    for at, h in enumerate(horizons):
        y = np.concatenate([rows.y[h][trial.judged] for trial in tried])
        shares: tuple[float, ...] = PRIORS[bool(tried[0].hazards)]
        if not tried[0].core:
            shares = shares[:2]
        prior = np.zeros(scores.shape[1])
        prior[len(shares) * at : len(shares) * (at + 1)] = shares
        ones = np.ones(len(y))
        mixtures[h] = mix(
            scores,
            y,
            ones,
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


def leaks(
    rows: Rows, tried: Sequence[Trial], horizons: Sequence[int], settings: RiskSettings
) -> list[str]:
    """Alarms for single features that rank later complaints too well to be true."""
    judged = np.logical_or.reduce([trial.judged for trial in tried])
    every = rows.y[horizons[0]]
    y, past = every[judged], ~judged & ~np.isnan(every)
    found = []
    for at, name in enumerate(rows.encoder.columns):
        values = rows.matrix[judged, at].astype(np.float64)
        if at in rows.encoder.categorical:  # a category ranks by its rate so far
            values = _rates(rows.matrix[past, at], every[past], values)
        lowest = float(np.nanmin(values, initial=0.0))
        area = roc_auc(y, np.where(np.isnan(values), lowest - 1.0, values))
        area = max(area, 1 - area)
        if area >= settings.leak_auc:
            found.append(
                f"the feature {name} alone ranks later complaints almost perfectly (AUC "
                f"{area:.3f}): it probably knows the outcome; check when its values become known"
            )
    return found


def _rates(codes: Array, y: Array, asked: Array) -> Array:
    """The shrunk rate of each asked code among rows with these codes; NaN for one not seen."""
    known = ~np.isnan(codes)
    seen, at = np.unique(codes[known], return_inverse=True)
    if not len(seen):
        return np.full(len(asked), np.nan)
    hits = np.bincount(at, y[known]) + 20 * y[known].mean()
    rates = hits / (np.bincount(at) + 20)
    position = np.minimum(np.searchsorted(seen, asked), len(seen) - 1)
    return np.where(seen[position] == asked, rates[position], np.nan)
