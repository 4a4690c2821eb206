"""A model whose view has lost what orders tell is refused; the complete one is not.

The baselines are made of the tables, so they know of orders whatever the view does.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data.settings import Settings
from data.simulate import Company, Rates
from data.tables import MemoryTables
from features.compute import compute
from features.labels import labels
from features.spec import Feature, FeatureView
from features.spine import customers_at
from features.views import default_view
from models.floor import Floor
from models.gate import Evaluation, GateDecision, gate
from models.risk.backtest import judged_baselines
from models.risk.baselines import BASELINES
from models.risk.population import training_set
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings

QUICK = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, num_leaves=7, rounds=(20, 40)),
    penalties=(300.0,),
    slices=1,
)
HORIZONS = (7, 14)
WEEKS = 4
SETTINGS = Settings()
LATE_ORDERS = Rates(
    orders=0.04, c_overdue=0.2, c_overdue_day=0.1, c_delivered_late=0.08, c_defective=0.01,
    c_error=0.01, c_payment=0.02, c_open_ticket=0.0, c_unmet=0.0, q_overdue=0.0, q_due=0.0,
)  # fmt: skip
"""Most complaints are about orders that are late, and nobody asks about these beforehand."""


@pytest.fixture(scope="module")
def company() -> tuple[MemoryTables, datetime]:
    made = Company(customers=900, days=200, seed=6, rates=LATE_ORDERS, hazard_every=0)
    while made.day < made.days:
        made.step()
    return MemoryTables(made.tables()), made.now


def judged(
    tables: MemoryTables, end: datetime, view: FeatureView
) -> tuple[GateDecision, dict[str, np.ndarray]]:
    """The gate's verdict on a model of this view, and what the baselines said of the same rows."""
    learned_at = end - timedelta(days=14 + 7 * (WEEKS - 1))
    rows = training_set(tables, view, learned_at, HORIZONS, SETTINGS)
    model = train_risk(
        rows.features, rows.labels, horizons=HORIZONS, settings=QUICK, cards=view.cards()
    )
    spine = customers_at(tables, [learned_at + timedelta(days=7 * week) for week in range(WEEKS)])
    complaint = SETTINGS.complaint
    came = labels(spine, tables, horizons=HORIZONS, known_as_of=end, complaint=complaint)
    told = model.predict(compute(view, spine, tables), choices=False)
    beside = judged_baselines(tables, rows, spine, HORIZONS, BASELINES, complaint=complaint)

    def by_horizon(frame: pd.DataFrame | dict[str, np.ndarray], name: str) -> dict[int, np.ndarray]:
        return {h: np.asarray(frame[f"{name}_{h}d"], dtype=np.float64) for h in HORIZONS}

    y, risk, groups = by_horizon(came, "label"), by_horizon(told, "risk"), spine["customer_id"]
    others = {name: by_horizon(beside, name) for name in BASELINES}
    floor = Floor(y, risk, others, groups, resamples=100)
    evaluation = Evaluation(y[14], groups, resamples=100)
    return gate(risk[14], None, evaluation, floor=floor), beside


def reads_orders(feature: Feature) -> bool:
    return any(
        "orders" in {term.source.table, *(column.table for column in term.columns)}
        for term in feature.node.terms()
    )


def test_a_view_that_lost_its_orders_is_refused_and_the_whole_one_is_not(
    company: tuple[MemoryTables, datetime],
) -> None:
    tables, end = company
    view = default_view(tables, SETTINGS, end)
    whole, beside = judged(tables, end, view)
    assert whole.passed, str(whole)

    without = view.select([f.name for f in view.features if not reads_orders(f)])
    assert not any("orders_" in name for name in without.names) and len(without.names) > 150
    poorer, same = judged(tables, end, without)
    assert not poorer.passed
    beyond = [line for line in poorer.refusals if line.endswith("worse beyond noise)")]
    assert any("does not beat logistic's" in line for line in beyond), str(poorer)
    for name, values in beside.items():  # the baselines have lost nothing, to the bit
        np.testing.assert_array_equal(same[name], values)
