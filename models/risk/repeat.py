"""Will they write again about the same issue? Failed first-contact resolution, foretold.

For a customer with a ticket that is open, or was resolved within the last 7 days: the probability
that within 14 days they write again on its topic or issue, or that it is reopened
(``features.labels.repeats``). Nobody else has one.

A small ridge regression on what their tickets look like now, from columns of the risk model's own
view, so nothing is computed twice and nothing after T can enter. Where rows are few, or where it
did not help on later ones, the rates of topic and channel, each shrunk to the rate of all, stand
in. Both are a ``Linear`` (models/risk/linear.py), so a row gets the same alone and in a batch.

The newest three tenths of the as-of times judge, after an embargo as long as the label: their
earlier half chooses between the two, their later half tells how good the chosen one is, beside the
base rate (``figures``). Then it learns from everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from data.arrays import Bools, Floats, Ints
from data.errors import DataError
from data.tables import Tables
from features.labels import repeats
from models.metrics import (
    average_precision,
    calibration_slope,
    log_loss,
    observed_over_predicted,
    paired_bootstrap,
    roc_auc,
)
from models.risk.encode import Encoder, Matrix, encoder_from_json, learn_encoder
from models.risk.linear import Linear, Term, design, designed, fit_linear, linear_from_json
from models.risk.population import TrainingSet
from models.risk.rows import age_weights, microseconds

DAYS, RESOLVED_WITHIN_DAYS = 14, 7
OPEN, RESOLVED = "tickets_open_now", "tickets_resolved_since_last_days"
TOPIC, CHANNEL = "tickets_topic_last", "tickets_channel_last"
COLUMNS = (
    OPEN, "tickets_open_age_days", "tickets_unanswered_now", "tickets_unanswered_age_days",
    "tickets_complaint_open_now", RESOLVED, "tickets_since_last_days", "tickets_count_3d",
    "tickets_count_7d", "tickets_count_28d", "tickets_count_90d", "tickets_complaint_count_28d",
    "tickets_reopened_count_90d", "tickets_reopened_since_last_days", "tickets_topic_distinct_90d",
    "tickets_per_issue_90d", "tickets_resolution_last_days", "tickets_csat_last", TOPIC, CHANNEL,
    "tickets_priority_last", "orders_overdue_now", "usage_errors_sum_7d",
)  # fmt: skip
"""Features that it may read, those of them that a view has."""
ENOUGH = 60
"""Rows that were followed by a repeat, and as many others, that a regression takes."""
STRENGTH = 50.0
"""Rows after which a topic's own rate weighs as much as the rate of all."""
PENALTY = 30.0
HALF_LIFE_DAYS = 180.0


@dataclass(frozen=True)
class RepeatModel:
    """``kind``: ``regression`` or ``shrunk rates``; ``figures``: its worth on later rows."""

    kind: str
    encoder: Encoder
    linear: Linear
    figures: Mapping[str, float]

    def chance(self, features: pd.DataFrame) -> Floats:
        """P(repeat within ``DAYS``) per row, in (0, 1); NaN for those whom it does not concern."""
        rows = concerned(features)
        out = np.full(len(features), np.nan)
        if rows.any():
            out[rows] = expit(self.linear.score(self.encoder.matrix(features[rows])))
        return out

    def to_json(self) -> dict[str, Any]:
        """As JSON values; ``repeat_from_json`` is the way back."""
        return {
            "kind": self.kind,
            "encoder": self.encoder.to_json(),
            "linear": self.linear.to_json(),
            "figures": dict(self.figures),
        }


def repeat_from_json(document: Mapping[str, Any]) -> RepeatModel:
    return RepeatModel(
        document["kind"],
        encoder_from_json(document["encoder"]),
        linear_from_json(document["linear"]),
        document["figures"],
    )


def concerned(features: pd.DataFrame) -> Bools:
    """Whose ticket is open, or was resolved within ``RESOLVED_WITHIN_DAYS``."""
    still = features[OPEN].to_numpy(np.float64, na_value=np.nan) > 0
    since = features[RESOLVED].to_numpy(np.float64, na_value=np.nan)
    return still | (since <= RESOLVED_WITHIN_DAYS)


def in_words(repeat: RepeatModel | None) -> tuple[dict[str, float], list[str]]:
    """Its figures as metrics by name, and a line for people."""
    if repeat is None:
        return {}, []
    of = repeat.figures
    metrics = {f"repeat_contact_{DAYS}d_{name}": value for name, value in of.items()}
    if "gain" not in of:
        return metrics, [f"  repeat contacts: {repeat.kind}, too few rows to judge them by"]
    return metrics, [
        f"  repeat contacts within {DAYS} days: {of['base_rate']:.1%} of {of['rows']:.0f} "
        f"later rows; {repeat.kind} gain {of['gain']:.4f} [{of['gain_low']:.4f}, "
        f"{of['gain_high']:.4f}] in log loss over the base rate's "
        f"{of['log_loss_of_base_rate']:.4f}"
    ]


def repeat_of(rows: TrainingSet, tables: Tables) -> RepeatModel | None:
    """``learn_repeat`` of a risk model's training rows; ``tables`` hold the tickets."""
    labels = repeats(
        rows.features[["customer_id", "as_of"]],
        tables,
        days=DAYS,
        resolved_within_days=RESOLVED_WITHIN_DAYS,
        known_as_of=rows.known_as_of,
    )
    return learn_repeat(rows.features, labels)


def learn_repeat(features: pd.DataFrame, labels: pd.Series) -> RepeatModel | None:
    """From feature rows of many as-of times and ``features.labels.repeats`` of the same rows.

    None where the features cannot tell whom it concerns (nothing is ever resolved), or where it
    never concerned anybody for long enough to know what came of it.
    """
    if OPEN not in features.columns or RESOLVED not in features.columns:
        return None
    y = labels.to_numpy(np.float64)
    rows = concerned(features) & ~np.isnan(y)
    if not rows.any():
        return None
    features, y = features[rows].reset_index(drop=True), y[rows]
    as_of = microseconds(features["as_of"])
    best, figures = _judged(features, y, as_of)
    encoder, linear = _fitted(best, features, y, as_of)
    return RepeatModel(best, encoder, linear, figures)


def _judged(features: pd.DataFrame, y: Floats, as_of: Ints) -> tuple[str, dict[str, float]]:
    """Which of the two does better on later rows, and how well on rows later still."""
    times = np.unique(as_of)
    held = times[len(times) - max(round(0.3 * len(times)), 1) :]
    before = as_of <= held[0] - DAYS * 86_400_000_000
    if len(held) < 2 or before.sum() == 0:
        return "shrunk rates", {}
    chooses = np.isin(as_of, held[: len(held) // 2])
    judges = np.isin(as_of, held[len(held) // 2 :])
    chances: dict[str, Floats] = {}
    for kind in ("shrunk rates", "regression"):
        if kind == "regression" and not _enough(y[before]):
            continue
        encoder, linear = _fitted(kind, features[before], y[before], as_of[before])
        chances[kind] = expit(linear.score(encoder.matrix(features)))
    best = min(chances, key=lambda kind: log_loss(y[chooses], chances[kind][chooses]))
    base = float((y[before].sum() + 0.5) / (before.sum() + 1))
    people = features["customer_id"].to_numpy()[judges]
    return best, _figures(y[judges], chances[best][judges], base, people)


def _figures(y: Floats, p: Floats, base: float, people: npt.ArrayLike) -> dict[str, float]:
    """Log loss beside that of the base rate with the gain's interval, ranking, calibration."""
    constant = np.full(len(y), base)
    figures = {
        "rows": float(len(y)),
        "base_rate": float(y.mean()),
        "log_loss": log_loss(y, p),
        "log_loss_of_base_rate": log_loss(y, constant),
        "observed_over_predicted": observed_over_predicted(y, p),
    }
    if 0 < y.mean() < 1:
        gain = paired_bootstrap(log_loss, y, constant, p, groups=people, resamples=200)
        figures |= {"gain": gain.estimate, "gain_low": gain.low, "gain_high": gain.high}
        figures["average_precision"] = average_precision(y, p)
        figures["roc_auc"] = roc_auc(y, p)
        with suppress(DataError):  # the same chance for everybody has no slope
            figures["calibration_slope"] = calibration_slope(y, p)
    return figures


def _fitted(kind: str, features: pd.DataFrame, y: Floats, as_of: Ints) -> tuple[Encoder, Linear]:
    columns = COLUMNS if kind == "regression" else (TOPIC, CHANNEL)
    encoder = learn_encoder(features, [name for name in columns if name in features.columns])
    matrix = encoder.matrix(features)
    weights = age_weights(as_of, HALF_LIFE_DAYS)
    if kind == "shrunk rates":
        return encoder, _shrunk(matrix, y, weights)
    terms = design(matrix, encoder, weights)
    values = designed(matrix, terms)
    [linear] = fit_linear(values, terms, y, weights, penalties=(PENALTY,))
    return encoder, linear


def _enough(y: Floats) -> bool:
    return min(y.sum(), len(y) - y.sum()) >= ENOUGH


def _shrunk(matrix: Matrix, y: Floats, weights: Floats) -> Linear:
    """Log odds of all, then a term per topic and per channel, each shrunk to none at all.

    A value's term is the log of what came over what the terms before it expected, both with
    ``STRENGTH`` rows of the base rate added.
    """
    base = float((weights @ y + 0.5) / (weights.sum() + 1))
    terms: list[Term] = []
    score = np.full(len(y), logit(base))
    for column in range(matrix.shape[1]):
        expected = expit(score)
        for code in np.unique(matrix[~np.isnan(matrix[:, column]), column]):
            rows = matrix[:, column] == code
            own = weights * rows
            actual, due = own @ y + STRENGTH * base, own @ expected + STRENGTH * base
            terms.append(Term(column, "value", 0.0, 1.0, float(code), float(np.log(actual / due))))
            score[rows] += terms[-1].weight
    return Linear(float(logit(base)), tuple(terms))
