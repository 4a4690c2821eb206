"""A small made-up company as the models see it: features and labels from a stated hazard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data.settings import Complaint
from features.complaint import complaint_predicate
from features.language import count, customer, since_last, total
from features.orders import OVERDUE
from features.sources import CUSTOMERS, ORDERS, TICKETS
from models.risk.model import RiskModel
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings

SMALL = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, rounds=(15, 30, 60)),
    penalties=(10.0, 100.0),
    num_threads=1,
)
COMPLAINT = complaint_predicate(Complaint())
# without roles: no hazards
CARDS = [
    {**feature.card(), "role": ""}
    for feature in (
        OVERDUE,
        count(TICKETS, where=COMPLAINT, days=28),
        since_last(TICKETS, where=COMPLAINT),
        total(ORDERS, "amount", days=90),
        customer(CUSTOMERS["region"]),
    )
]


def world(
    customers: int = 500, weeks: int = 16, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features and labels of all customers at weekly times; the truth is in column ``truth_7d``."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp("2026-01-05")
    rows = customers * weeks
    overdue = rng.poisson(0.3, rows)
    complaints = rng.poisson(0.5, rows)
    since = np.where(complaints > 0, rng.exponential(15, rows), np.nan)
    region = rng.choice(["north", "south", "west"], rows)
    daily = np.exp(-5.2 + 0.9 * overdue + 0.5 * np.log1p(complaints) + 0.6 * (region == "south"))
    features = pd.DataFrame(
        {
            "customer_id": np.tile([f"c{at}" for at in range(customers)], weeks),
            "as_of": np.repeat(
                [first + pd.Timedelta(days=7 * at) for at in range(weeks)], customers
            ).astype("datetime64[us]"),
            "orders_overdue_now": overdue.astype(np.float32),
            "tickets_complaint_count_28d": complaints.astype(np.float32),
            "tickets_complaint_since_last_days": since.astype(np.float32),
            "orders_amount_sum_90d": rng.gamma(2.0, 50.0, rows).astype(np.float32),
            "customer_region": pd.Categorical(region),
        }
    )
    day = rng.exponential(1.0, rows) / daily
    labels = features[["customer_id", "as_of"]].copy()
    for h in (7, 14, 30):
        labels[f"label_{h}d"] = (day < h).astype(np.float64)
        labels[f"tickets_{h}d"] = rng.poisson(daily * h * 1.5) + (day < h)
    topic = np.where(overdue > 0, "delivery", rng.choice(["billing", "app"], rows))
    labels["next_topic"] = pd.Series(topic).where(day < 30)
    labels["next_channel"] = pd.Series(rng.choice(["email", "chat"], rows)).where(day < 30)
    labels["truth_7d"] = 1 - np.exp(-7 * daily)
    return features, labels


@pytest.fixture(scope="session")
def make_world() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    return world


@pytest.fixture(scope="session")
def small() -> RiskSettings:
    return SMALL


@pytest.fixture(scope="session")
def trained() -> RiskModel:
    features, labels = world()
    return train_risk(features, labels, settings=SMALL, cards=CARDS)
