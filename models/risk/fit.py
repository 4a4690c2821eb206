"""The training rows in memory, and the fits of a single part on a choice of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk.baselines import a_dozen
from models.risk.encode import Encoder, Matrix
from models.risk.linear import Linear, design, designed, fit_linear
from models.risk.rows import (
    Digest,
    Mask,
    age_weights,
    content_order,
    customer_digests,
    digest,
    draws,
    microseconds,
    thinned,
)
from models.risk.settings import RiskSettings
from models.risk.trees import grow

Array = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Training rows in the order of their content."""

    matrix: Matrix
    as_of: Times
    y: Mapping[int, Array]
    drawn: Array
    customers: Digest
    encoder: Encoder
    weights: Array

    def known(self, horizon: int) -> Mask:
        return ~np.isnan(self.y[horizon])


def gather(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    encoder: Encoder,
    horizons: Sequence[int],
    settings: RiskSettings,
) -> tuple[Rows, npt.NDArray[np.int64]]:
    """The rows in the order of their content, and their positions in the frames given."""
    matrix = encoder.matrix(features)
    as_of = microseconds(features["as_of"])
    y = np.column_stack([labels[f"label_{h}d"].to_numpy(dtype=np.float64) for h in horizons])
    digests = digest(matrix, as_of, y)
    customers = customer_digests(features["customer_id"], digests)
    order = content_order(as_of, digests)
    as_of = as_of[order]
    rows = Rows(
        matrix=np.ascontiguousarray(matrix[order]),
        as_of=as_of,
        y={h: (y[order, at] > 0) * 1.0 + y[order, at] * 0 for at, h in enumerate(horizons)},
        drawn=draws(digests[order]),
        customers=customers[order],
        encoder=encoder,
        weights=age_weights(as_of, settings.half_life_days),
    )
    return rows, order


def training(rows: Rows, allowed: Mask, horizon: int, settings: RiskSettings) -> tuple[Mask, Array]:
    """Which of the allowed rows to train on, and the weights of those."""
    kept = allowed.copy()
    chosen, weight = thinned(
        rows.y[horizon][allowed], rows.drawn[allowed], settings.others_per_complaint
    )
    kept[allowed] = chosen
    return kept, (weight * rows.weights[allowed])[chosen]


def fit_trees(
    rows: Rows,
    kept: Mask,
    weights: Array,
    horizon: int,
    rounds: int,
    settings: RiskSettings,
    seed: int,
) -> Any:
    """Trees for the log odds of a complaint within ``horizon`` days, from the rows ``kept``."""
    return grow(
        rows.matrix[kept],
        rows.y[horizon][kept],
        weights,
        rows.encoder.categorical,
        settings.trees,
        rounds=rounds,
        seed=seed,
        num_threads=settings.num_threads,
    )


def fit_contacts(
    rows: Rows, allowed: Mask, contacts: Array, rounds: int, settings: RiskSettings, seed: int
) -> Any:
    """Trees for the log of expected contacts; nobody is thinned by a label, only by a draw."""
    most = settings.most_rows
    kept = allowed & ~np.isnan(contacts)
    kept &= rows.drawn < most / max(int(kept.sum()), 1)
    return grow(
        rows.matrix[kept],
        contacts[kept],
        rows.weights[kept],
        rows.encoder.categorical,
        settings.trees,
        objective="poisson",
        rounds=rounds,
        seed=seed,
        num_threads=settings.num_threads,
    )


def fit_core(
    rows: Rows, kept: Mask, weights: Array, horizon: int, settings: RiskSettings
) -> Linear:
    """A regression on recency and frequency alone: little to see, so little to get wrong."""
    names = a_dozen(rows.encoder.columns) or rows.encoder.columns
    columns = [rows.encoder.columns.index(name) for name in names]
    terms = design(rows.matrix[kept], rows.encoder, weights, columns)
    values = designed(rows.matrix[kept], terms)
    y = rows.y[horizon][kept]
    [core] = fit_linear(values, terms, y, weights, penalties=(settings.core_penalty,))
    return core
