"""On a company with known truth: the model finds the causes, and never sees the future."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.settings import Settings
from data.simulate import Company, true_probabilities
from data.tables import MemoryTables
from features.compute import compute
from features.spine import customers_at
from features.views import default_view
from models.metrics import average_precision, roc_auc
from models.risk.backtest import backtest_risk
from models.risk.model import RiskModel
from models.risk.population import training_set
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings

QUICK = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, num_leaves=7, rounds=(40, 80)),
    penalties=(300.0,),
    slices=1,
)

HORIZONS = (7, 14)
JUDGED_DAYS = 21


@pytest.fixture(scope="module")
def company() -> tuple[Company, pd.Series]:
    """A company three weeks after the cutoff, and each customer's chance of a complaint within 14
    days of it: what happened to some 30 of a thousand says little of a ranking."""
    company = Company(customers=1000, days=210, seed=11, hazard_every=0)
    while company.day < company.days - JUDGED_DAYS:
        company.step()
    truth = true_probabilities(company, (14,), 24, of=("complaint",))
    while company.day < company.days:
        company.step()
    return company, truth.set_index("customer_id")["complaint_14d"]


@pytest.fixture(scope="module")
def worlds(company: tuple[Company, pd.Series]) -> tuple[datetime, MemoryTables, MemoryTables]:
    """A cutoff, the tables as they stood then, and as they stood three weeks later."""
    made, _ = company
    cutoff = made.moment(made.days - JUDGED_DAYS)
    later = MemoryTables(made.tables())
    return cutoff, cut(later, cutoff), later


def cut(tables: MemoryTables, at: datetime) -> MemoryTables:
    """What was recorded by ``at``, with every fact that was not yet known then blanked."""
    frames = {}
    for name in tables.names:
        frame = tables.frame(name)
        frame = frame[frame["recorded_at"] <= at].copy()
        columns = [c for c in TABLES[name].columns if c.known_at is not None]
        unknown = {c.name: frame[str(c.known_at)] >= at for c in columns}
        for column, rows in unknown.items():
            frame.loc[rows, column] = None
        frames[name] = frame
    return MemoryTables(frames)


@pytest.fixture(scope="module")
def judged(worlds: tuple[datetime, MemoryTables, MemoryTables]) -> pd.DataFrame:
    cutoff, _, later = worlds
    return backtest_risk(later, [cutoff], HORIZONS, Settings(), settings=QUICK)


@pytest.fixture(scope="module")
def learned(
    worlds: tuple[datetime, MemoryTables, MemoryTables],
) -> tuple[RiskModel, pd.DataFrame]:
    """A model of the cutoff, and everybody's features then."""
    cutoff, then, _ = worlds
    view = default_view(then, Settings(), cutoff)
    rows = training_set(then, view, cutoff, HORIZONS, Settings())
    model = train_risk(
        rows.features, rows.labels, horizons=HORIZONS, settings=QUICK, cards=view.cards()
    )
    return model, compute(view, customers_at(then, [cutoff]), then)


def test_nothing_after_the_cutoff_changes_a_prediction(
    worlds: tuple[datetime, MemoryTables, MemoryTables], judged: pd.DataFrame
) -> None:
    cutoff, then, _ = worlds
    again = backtest_risk(then, [cutoff], HORIZONS, Settings(), known_as_of=cutoff, settings=QUICK)
    told = [name for name in judged.columns if not name.startswith(("label_", "tickets_"))]
    pd.testing.assert_frame_equal(again[told], judged[told], check_exact=True)
    assert again["label_7d"].isna().all() and judged["label_7d"].notna().all()


def test_it_ranks_better_than_the_rule(
    judged: pd.DataFrame, company: tuple[Company, pd.Series]
) -> None:
    y = judged["customer_id"].map(company[1])
    assert 20 < y.sum() < 0.3 * len(y) and y.notna().all()
    assert average_precision(y, judged["risk_14d"]) > 1.15 * average_precision(
        y, judged["rule_14d"]
    )
    assert roc_auc(y, judged["risk_14d"]) > roc_auc(y, judged["rule_14d"])


def test_the_topic_told_is_right_more_often_than_the_commonest(
    judged: pd.DataFrame, worlds: tuple[datetime, MemoryTables, MemoryTables]
) -> None:
    cutoff, _, later = worlds
    tickets = later.frame("tickets")
    coming = tickets[tickets["is_complaint"].fillna(False) & (tickets["opened_at"] >= cutoff)]
    first = coming.sort_values("opened_at").drop_duplicates("customer_id")
    met = judged.merge(first[["customer_id", "topic"]], on="customer_id", suffixes=("", "_came"))
    assert len(met) > 30
    commonest = met["topic_came"].value_counts(normalize=True).iloc[0]
    assert (met["topic"] == met["topic_came"]).mean() > commonest


def test_the_level_is_near_what_came(judged: pd.DataFrame) -> None:
    # some forty complaints in a company half a year old, which has not seen a winter yet
    assert 0.5 < judged["risk_14d"].sum() / judged["label_14d"].sum() < 2


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("orders_overdue_now", {"orders_overdue_now": 1.0, "orders_overdue_age_days": 3.0}),
        ("tickets_open_now", {"tickets_open_now": 1.0, "tickets_open_age_days": 3.0}),
        (
            "usage_errors_sum_3d",
            {f"usage_errors_sum_{days}d": 3.0 for days in (1, 3, 7, 14, 28)}
            | {"usage_with_errors_since_last_days": 0.5},
        ),
    ],
)
def test_a_cause_more_never_lowers_the_mean_risk(
    learned: tuple[RiskModel, pd.DataFrame], cause: str, change: dict[str, float]
) -> None:
    model, features = learned
    without = features[features[cause] == 0]
    before = model.predict(without)["risk_7d"].mean()
    after = model.predict(without.assign(**change))["risk_7d"].mean()
    assert after >= before


def test_reasons_of_the_riskiest_speak_of_what_happened_to_them(
    learned: tuple[RiskModel, pd.DataFrame],
) -> None:
    model, features = learned
    risk = model.predict(features)["risk_7d"]
    riskiest = features.loc[risk.nlargest(20).index]
    said = model.reasons(riskiest, horizon=7)
    assert all(reasons and reasons[0]["contribution"] > 0.1 for reasons in said)
    sources = {reason["feature"].split("_")[0] for reasons in said for reason in reasons}
    assert sources & {"orders", "tickets", "usage", "region", "carrier"}
    assert np.isfinite([r["contribution"] for reasons in said for r in reasons]).all()
