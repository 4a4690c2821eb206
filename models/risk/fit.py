"""The training rows in memory, and the fits of a single part on a choice of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats, Ints
from features.untreated import WEIGHT
from models.risk.encode import Encoder, Matrix
from models.risk.hazards import Hazards, Roles, fit_hazards, roles_of
from models.risk.linear import Linear, design, designed, fit_linear
from models.risk.mixture import recalibrated_loss
from models.risk.rows import (
    Digest,
    age_weights,
    content_order,
    customer_digests,
    digest,
    draws,
    microseconds,
    thinned,
)
from models.risk.settings import RiskSettings
from models.risk.trees import grow, growing

Result = TypeVar("Result")

PATIENCE = 2
"""So many numbers of trees in a row may fail to help before no more are grown."""


def together(tasks: Sequence[Callable[[], Result]], threads: int) -> list[Result]:
    """What each task returns, in their order, ``threads`` of them at work at once.

    Fits on one thread each, side by side: LightGBM and linear algebra leave Python's lock, small
    trees gain little from a second thread, and no sum depends on how many threads there are.
    """
    if threads <= 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda task: task(), tasks))


@dataclass(frozen=True)
class Rows:
    """Training rows in the order of their content.

    ``stands_for``: for how many rows each (features/untreated.py); ``age``: what its age leaves of
    it. ``weights``: what parts learn by, both, but of no row more than ``most_weight``; the level
    is told by all that rows stand for.
    """

    matrix: Matrix
    as_of: Ints
    y: Mapping[int, Floats]
    drawn: Floats
    customers: Digest
    encoder: Encoder
    stands_for: Floats
    age: Floats
    weights: Floats
    roles: Roles

    def known(self, horizon: int) -> Bools:
        return ~np.isnan(self.y[horizon])


def gather(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    encoder: Encoder,
    horizons: Sequence[int],
    settings: RiskSettings,
    roles: Mapping[str, str],
) -> tuple[Rows, Ints]:
    """The rows in the order of their content, and their positions in the frames given.

    ``roles``: features' names to their roles (features/roles.py).
    """
    matrix = encoder.matrix(features)
    as_of = microseconds(features["as_of"])
    y = np.column_stack([labels[f"label_{h}d"].to_numpy(dtype=np.float64) for h in horizons])
    digests = digest(matrix, as_of, y)
    customers = customer_digests(features["customer_id"], digests)
    order = content_order(as_of, digests)
    as_of = as_of[order]
    alone = WEIGHT not in labels
    stands_for = np.ones(len(order)) if alone else labels[WEIGHT].to_numpy(np.float64)[order]
    age = age_weights(as_of, settings.half_life_days)
    rows = Rows(
        matrix=np.ascontiguousarray(matrix[order]),
        as_of=as_of,
        y={h: (y[order, at] > 0) * 1.0 + y[order, at] * 0 for at, h in enumerate(horizons)},
        drawn=draws(digests[order]),
        customers=customers[order],
        encoder=encoder,
        stands_for=stands_for,
        age=age,
        weights=age * np.minimum(stands_for, settings.most_weight),
        roles=roles_of(encoder, roles),
    )
    return rows, order


def training(
    rows: Rows,
    allowed: Bools,
    horizon: int,
    settings: RiskSettings,
    most: int,
    others: float | None = None,
) -> tuple[Bools, Floats]:
    """Which of the allowed rows to train on, ``most`` at most, and the weights of those; with
    ``others``, so many without a complaint for each with one."""
    mask = allowed.copy()
    per_complaint = settings.others_per_complaint if others is None else others
    chosen, weight = thinned(rows.y[horizon][allowed], rows.drawn[allowed], per_complaint, most)
    mask[allowed] = chosen
    return mask, (weight * rows.weights[allowed])[chosen]


def fit_causes(
    rows: Rows,
    mask: Bools,
    weights: Floats,
    horizon: int,
    settings: RiskSettings,
    start: Hazards | None = None,
) -> Hazards | None:
    """Hazards from ``most_rows_of_hazards`` at most; None if no feature is an amount."""
    if not rows.roles.causes:
        return None
    few, own = _fewer(mask, weights, settings.most_rows_of_hazards)
    return fit_hazards(
        rows.matrix[few],
        rows.y[horizon][few],
        own,
        rows.roles,
        penalty=settings.hazards_penalty,
        start=start,
    )


def fit_trees(
    rows: Rows,
    mask: Bools,
    weights: Floats,
    horizon: int,
    rounds: int,
    settings: RiskSettings,
    seed: int,
) -> Any:
    """Trees for the log odds of a complaint within ``horizon`` days, from the rows ``mask``."""
    return grow(
        rows.matrix[mask],
        rows.y[horizon][mask],
        weights,
        rows.encoder.categorical,
        settings.trees,
        rounds=rounds,
        seed=seed,
        num_threads=settings.num_threads,
    )


def try_trees(
    rows: Rows,
    mask: Bools,
    weights: Floats,
    horizon: int,
    held: Bools,
    settings: RiskSettings,
    seed: int,
) -> dict[int, Floats]:
    """Log odds of the rows ``held`` by number of trees, up to where two more numbers did not help
    those rows."""
    growth = growing(
        rows.matrix[mask],
        rows.y[horizon][mask],
        weights,
        rows.encoder.categorical,
        settings.trees,
        rows.matrix[held],
        seed=seed,
        num_threads=settings.num_threads,
    )
    y = rows.y[horizon][held]
    scores: dict[int, Floats] = {}

    def loss(count: int, score: Floats) -> float:
        scores[count] = score
        return recalibrated_loss(score, y, np.ones(len(y)))

    _patiently(growth, loss)
    return scores


def _patiently(growth: Iterable[tuple[int, Floats]], loss: Callable[[int, Floats], float]) -> int:
    """The number of trees with the least loss, up to where some more did not help."""
    losses: dict[int, float] = {}
    for count, score in growth:
        losses[count] = loss(count, score)
        since = list(losses.values())
        if len(since) - int(np.argmin(since)) > PATIENCE:
            break
    return min(losses, key=losses.__getitem__)


def try_contacts(
    rows: Rows,
    contacts: Floats,
    before: Bools,
    held: Bools,
    settings: RiskSettings,
    seed: int,
) -> int:
    """The number of trees that tells the contacts of the rows ``held`` best, learned from those
    ``before``: by the likelihood of Poisson counts once the level is right."""
    known = ~np.isnan(contacts)
    held = held & known
    mask = drawn(rows, before & known, settings.most_rows_of_contacts)
    growth = growing(
        rows.matrix[mask],
        contacts[mask],
        rows.weights[mask],
        rows.encoder.categorical,
        settings.trees,
        rows.matrix[held],
        objective="poisson",
        seed=seed,
        num_threads=settings.num_threads,
    )
    counts = contacts[held]

    def loss(count: int, score: Floats) -> float:
        expected = np.exp(score)
        expected *= max(float(counts.sum()), 0.5) / float(expected.sum())
        return float(np.mean(expected - counts * np.log(expected)))

    return _patiently(growth, loss)


def drawn(rows: Rows, allowed: Bools, most: int) -> Bools:
    """``most`` of the allowed rows at most, by a draw that looks at no label."""
    return allowed & (rows.drawn < most / max(int(allowed.sum()), 1))


def fit_contacts(
    rows: Rows,
    allowed: Bools,
    contacts: Floats,
    rounds: int,
    settings: RiskSettings,
    seed: int,
) -> Any:
    """Trees for the log of expected contacts; nobody is thinned by a label, only by a draw."""
    mask = drawn(rows, allowed & ~np.isnan(contacts), settings.most_rows_of_contacts)
    return grow(
        rows.matrix[mask],
        contacts[mask],
        rows.weights[mask],
        rows.encoder.categorical,
        settings.trees,
        objective="poisson",
        rounds=rounds,
        seed=seed,
        num_threads=settings.num_threads,
    )


def fit_regressions(
    rows: Rows,
    mask: Bools,
    weights: Floats,
    horizon: int,
    penalties: Sequence[float],
    settings: RiskSettings,
) -> list[Linear]:
    """A regression on all features under each penalty, from ``most_rows_of_regression`` at most."""
    few, own = _fewer(mask, weights, settings.most_rows_of_regression)
    terms = design(rows.matrix[few], rows.encoder, own)
    values = designed(rows.matrix[few], terms)
    return fit_linear(values, terms, rows.y[horizon][few], own, penalties=penalties)


def _fewer(mask: Bools, weights: Floats, most: int) -> tuple[Ints, Floats]:
    """Positions of the kept rows to learn from, ``most`` spread evenly, and their weights.

    A Newton step costs rows × terms²; a few hundred weights are known well enough from fewer rows.
    """
    positions = np.flatnonzero(mask)
    step = max(-(-len(positions) // most), 1)
    return positions[::step], weights[::step]
