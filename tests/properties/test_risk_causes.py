"""A cause more in the tables of a company never lowers the mean risk of those whom it happened to.

Not columns are changed but what happened: an order's promise is broken, a use fails once more, a
ticket gets no answer. Then everything is computed again, from the tables on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from data.settings import Settings
from data.simulate import Company
from data.tables import MemoryTables
from features.compute import compute
from features.orders import ENDS
from features.spec import FeatureView
from features.spine import customers_at
from features.views import default_view
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
Frames = dict[str, pd.DataFrame]


class World(NamedTuple):
    """A company as of T, and a model of it."""

    frames: Frames
    at: pd.Timestamp
    view: FeatureView
    model: RiskModel

    def features(self, frames: Frames) -> pd.DataFrame:
        tables = MemoryTables(frames)
        return compute(self.view, customers_at(tables, [self.at.to_pydatetime()]), tables)


def trained(frames: Frames, at: pd.Timestamp, view: FeatureView) -> RiskModel:
    rows = training_set(MemoryTables(frames), view, at.to_pydatetime(), HORIZONS, Settings())
    return train_risk(
        rows.features, rows.labels, horizons=HORIZONS, settings=QUICK, cards=view.cards()
    )


@pytest.fixture(scope="module")
def world() -> World:
    company = Company(customers=900, days=210, seed=12, hazard_every=0)
    while company.day < company.days:
        company.step()
    at, frames = pd.Timestamp(company.moment(company.days)), company.tables()
    view = default_view(MemoryTables(frames), Settings(), at.to_pydatetime())
    return World(frames, at, view, trained(frames, at, view))


def newest(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """The newest version of each row that is not deleted."""
    last = frame.sort_values("recorded_at", kind="stable").drop_duplicates(key, keep="last")
    return last[~last["deleted"].astype(bool)] if "deleted" in last else last


def broken_promises(frames: Frames, at: pd.Timestamp) -> tuple[Frames, set[str]]:
    """No order of the last ten days has come, and each should have, halfway from then to now."""
    orders = newest(frames["orders"], "order_id")
    lately = (orders["ordered_at"] < at) & (orders["ordered_at"] >= at - pd.Timedelta(days=10))
    called_off = (orders[[name for name in ENDS if name != "delivered_at"]] < at).any(axis=1)
    late = orders[lately & ~called_off]
    changed = frames["orders"].copy()
    of_them = changed["order_id"].isin(late["order_id"])
    halfway = changed["ordered_at"] + (at - changed["ordered_at"]) / 2
    changed.loc[of_them, "promised_at"] = changed["promised_at"].where(
        changed["promised_at"] < halfway, halfway
    )
    changed.loc[of_them, "delivered_at"] = None
    return {**frames, "orders": changed}, set(late["customer_id"])


def one_error_more(frames: Frames, at: pd.Timestamp) -> tuple[Frames, set[str]]:
    """The last use of everybody who used anything within three days failed once more."""
    usage = frames["usage"]
    lately = usage[(usage["used_at"] < at) & (usage["used_at"] >= at - pd.Timedelta(days=3))]
    last = lately.sort_values("used_at").drop_duplicates("customer_id", keep="last")
    changed = usage.copy()
    changed.loc[last.index, "errors"] = changed.loc[last.index, "errors"] + 1
    return {**frames, "usage": changed}, set(last["customer_id"])


def left_unanswered(frames: Frames, at: pd.Timestamp) -> tuple[Frames, set[str]]:
    """Every ticket of the last ten days that was answered was not."""
    tickets = newest(frames["tickets"], "ticket_id")
    lately = (tickets["opened_at"] < at) & (tickets["opened_at"] >= at - pd.Timedelta(days=10))
    answered = tickets[lately & (tickets["first_response_at"] < at)]
    answered = answered[answered["customer_id"].notna()]
    changed = frames["tickets"].copy()
    of_them = changed["ticket_id"].isin(answered["ticket_id"])
    facts = ["first_response_at", "resolved_at", "reopened_at", "csat_at", "csat", "handle_seconds"]
    changed.loc[of_them, facts] = None
    return {**frames, "tickets": changed}, set(answered["customer_id"])


@pytest.mark.parametrize("cause", [broken_promises, one_error_more, left_unanswered])
def test_a_cause_more_never_lowers_the_mean_risk(
    world: World, cause: Callable[[Frames, pd.Timestamp], tuple[Frames, set[str]]]
) -> None:
    frames, whom = cause(world.frames, world.at)
    before, after = world.features(world.frames), world.features(frames)
    rows = before["customer_id"].isin(whom).to_numpy()
    assert rows.sum() >= 20
    told = [world.model.predict(each)[rows].mean(numeric_only=True) for each in (before, after)]
    for name in ("risk_7d", "risk_14d", "expected_tickets_30d"):
        assert told[1][name] >= told[0][name]


def test_what_customers_are_called_and_where_their_rows_stand_changes_nothing(
    world: World,
) -> None:
    """Everybody gets another name, so the order of all rows too: same risks, same reasons."""
    names = world.frames["customers"]["customer_id"].unique()
    drawn = np.random.default_rng(3).permutation(len(names))
    called = {name: f"k{at:05d}" for name, at in zip(names, drawn, strict=True)}
    frames = {
        name: frame.assign(customer_id=frame["customer_id"].map(called))
        if "customer_id" in frame
        else frame
        for name, frame in world.frames.items()
    }
    frames["customers"] = frames["customers"].sample(frac=1.0, random_state=4)
    again = trained(frames, world.at, world.view)
    before, after = world.features(world.frames), world.features(frames)
    one = world.model.predict(before).set_index(before["customer_id"].map(called))
    two = again.predict(after).set_index(after["customer_id"])
    pd.testing.assert_frame_equal(one.sort_index(), two.sort_index(), check_exact=True)
    why = dict(zip(before["customer_id"].map(called), world.model.reasons(before), strict=True))
    assert dict(zip(after["customer_id"], again.reasons(after), strict=True)) == why
    assert any(why.values())
