"""A logistic regression as a real model, for where the gate refused the one that learned.

The baseline of models/risk/baselines.py is computed from the tables and cannot be served: a service
computes features of a view. Here the same columns are features, so it is a
``RiskModel`` like any other, and ``view_of_logistic`` takes none of them from the view that the
refused model saw. It knows recency and frequency, and the state of orders, tickets and use; what it
expects of contacts, topic and channel is the rule's (models/risk/rule.py).

>>> "orders_overdue_now" in COLUMNS
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from data.tables import Tables
from features.complaint import ComplaintRule, complaint_predicate
from features.spec import FeatureView
from features.views import absent_columns, all_features, without
from models.risk.encode import Encoder
from models.risk.enough import check_history
from models.risk.linear import design, designed, fit_linear
from models.risk.model import Part, RiskModel
from models.risk.rule import rule_view, train_rule
from models.risk.settings import RiskSettings

WINDOWS = {
    "tickets_complaint": (7, 28, 90, 365),
    "tickets": (7, 28, 90, 365),
    "orders": (7, 28, 90, 365),
    "usage": (7, 28, 90),
}
COLUMNS = (
    "tickets_complaint_since_last_days",
    "tickets_complaint_count",
    "customers_since_first_days",
    *(f"{of}_since_last_days" for of in WINDOWS if of != "tickets_complaint"),
    *(f"{of}_count_{days}d" for of, windows in WINDOWS.items() for days in windows),
    "tickets_open_now",
    "tickets_open_age_days",
    "tickets_unanswered_now",
    "tickets_unanswered_age_days",
    "orders_open_now",
    "orders_open_age_days",
    "orders_overdue_now",
    "orders_overdue_age_days",
    "orders_delivered_count_7d",
    "orders_late_delivered_count_28d",
    "orders_late_delivered_count_90d",
    "orders_amount_sum_90d",
    "usage_errors_sum_7d",
    "usage_errors_sum_28d",
    "usage_payment_failed_count_28d",
)
"""Features by name, the rule's two first."""

PENALTY = 10.0
"""Ridge penalty in pseudo-rows: so few columns have little to get wrong."""


def view_of_logistic(complaint: ComplaintRule, tables: Tables) -> FeatureView:
    """Those of ``COLUMNS`` that these tables can tell, and what else the rule's view has."""
    every = all_features(complaint_predicate(complaint))
    available = {f.name: f for f in without(every, absent_columns(tables, complaint))}
    of_rule = rule_view(complaint, tables).features
    known = {feature.name for feature in of_rule}
    more = [available[name] for name in COLUMNS if name in available and name not in known]
    return FeatureView([*of_rule, *more])


def train_logistic(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    tickets: pd.DataFrame,
    *,
    complaint: ComplaintRule,
    horizons: Sequence[int],
    gap_days: float = 0.0,
    cards: Sequence[Mapping[str, Any]] = (),
    why: str,
) -> RiskModel:
    """The regression as a risk model; everything as for ``train_rule``, whose tables it carries.

    Raises NotEnoughHistory where there are too few complaints to learn from.
    """
    settings = RiskSettings()
    check_history(labels, horizons, settings)
    rule = train_rule(
        features, labels, tickets, complaint=complaint, horizons=horizons, gap_days=gap_days,
        cards=cards, why=why,
    )  # fmt: skip
    encoder = Encoder(tuple(name for name in COLUMNS if name in features.columns), {})
    matrix = encoder.matrix(features)
    parts = []
    for horizon in rule.horizons:
        y = labels[f"label_{horizon}d"].to_numpy(np.float64, na_value=np.nan)
        known = np.flatnonzero(~np.isnan(y))
        few = known[:: max(-(-len(known) // settings.most_rows), 1)]
        rows, weights = matrix[few], np.ones(len(few))
        terms = design(rows, encoder, weights)
        values = designed(rows, terms)
        [linear] = fit_linear(values, terms, y[few], weights, penalties=(PENALTY,))
        parts.append(Part("linear", horizon, linear))
    return replace(rule, encoder=encoder, parts=tuple(parts), golden=np.zeros_like(matrix[:1]))
