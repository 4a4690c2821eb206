"""On companies of other makes: the model finds what the rule does not, and its level holds.

Two that differ in causes, strengths, seasons, words and columns. One records no product and no
calendar. In the other late deliveries make nobody complain, and rows are kept as they stand only.
Judged by the truth's probabilities, which say more of a ranking than a few dozen complaints.
"""

from __future__ import annotations

import pandas as pd
import pytest

from data.settings import Settings
from data.simulate import Company, true_probabilities
from data.tables import MemoryTables
from models.metrics import average_precision, roc_auc
from models.risk.backtest import backtest_risk
from models.risk.settings import RiskSettings
from models.risk.trees import TreeSettings

QUICK = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, num_leaves=7, rounds=(40, 80)),
    penalties=(300.0,),
    slices=1,
)
DAYS, JUDGED_DAYS = 240, 21


@pytest.fixture(scope="module", params=[17, 27])
def judged(request: pytest.FixtureRequest) -> pd.DataFrame:
    """A backtest at one cutoff, and ``truth``: the true chance of a complaint within 14 days."""
    company = Company(800, DAYS, seed=3, make=request.param, hazard_every=0)
    while company.day < DAYS - JUDGED_DAYS:
        company.step()
    cutoff = company.now
    truth = true_probabilities(company, (14,), 16, of=("complaint",))
    while company.day < DAYS:
        company.step()
    rows = backtest_risk(
        MemoryTables(company.tables()), [cutoff], (7, 14), Settings(), settings=QUICK
    )
    assert set(truth["customer_id"]) <= set(rows["customer_id"])
    # those whom the tables do not show to have closed their account complain no more
    known = rows["customer_id"].map(truth.set_index("customer_id")["complaint_14d"])
    return rows.assign(truth=known.fillna(0.0))


def test_it_ranks_better_than_chance_and_the_rule(judged: pd.DataFrame) -> None:
    truth = judged["truth"]
    risk, rule = (average_precision(truth, judged[name]) for name in ("risk_14d", "rule_14d"))
    assert (judged["model"] == "learned").all()
    assert risk > 1.5 * truth.mean()
    assert risk > 1.15 * rule
    assert roc_auc(truth, judged["risk_14d"]) > roc_auc(truth, judged["rule_14d"])


def test_its_level_is_near_the_truth_for_all_and_for_the_riskiest(judged: pd.DataFrame) -> None:
    riskiest = judged.nlargest(len(judged) // 5, "risk_14d")
    others = judged.drop(riskiest.index)
    assert 0.6 < judged["risk_14d"].sum() / judged["truth"].sum() < 1.6
    for group in (riskiest, others):
        assert 0.5 < group["risk_14d"].sum() / group["truth"].sum() < 2
    assert riskiest["truth"].mean() > 1.5 * others["truth"].mean()
