"""Our own features under our own audit: real sets and a simulated company, not one alarm; and a
well-known mistake on the same data raises one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from data.settings import Complaint
from data.simulate import Company
from data.tables import MemoryTables, Tables
from features.compute import compute
from features.spec import FeatureView
from features.spine import customers_at
from features.views import default_view
from lab.leaks import audit

from .conftest import EVERY

RealTables = Callable[..., Tables]

FEW = 29 // EVERY["online-retail"]
SETS = {
    "online-retail": (
        "online_retail",
        datetime(2011, 3, 1, 12),
        Complaint(),
        29 // EVERY["online-retail"],
    ),
    "incidents": ("incidents", datetime(2016, 5, 2, 11, 30), Complaint(all=True), 13),
}


def asked(tables: Tables, t: datetime, rule: Complaint, every: int) -> SimpleNamespace:
    """The default view and every so manyth customer at T and three weeks before."""
    view = default_view(tables, SimpleNamespace(complaint=rule), t)
    spine = customers_at(tables, [t, t - timedelta(days=21)])
    return SimpleNamespace(
        tables=tables, view=view, spine=spine.iloc[::every].reset_index(drop=True)
    )


def alarms(view: FeatureView, spine: pd.DataFrame, tables: Tables) -> list[str]:
    return [str(a) for a in audit(lambda s, t: compute(view, s, t), spine, tables)]


@pytest.mark.parametrize("name", sorted(SETS))
def test_no_feature_of_a_real_set_alarms(name: str, real_tables: RealTables) -> None:
    folder, t, rule, every = SETS[name]
    tables = real_tables(name, folder)
    given = asked(tables, t, rule, every)
    assert len(given.spine) > 200 and len(given.view) > 40
    assert alarms(given.view, given.spine, tables) == []


def test_the_publishers_resolved_at_is_caught(real_tables: RealTables) -> None:
    """It stands on every ticket of the log, also on those that were open at T."""
    folder, t, rule, every = SETS["incidents"]
    tables = real_tables("incidents", folder)
    given = asked(tables, t, rule, every)

    def resolved(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
        tickets = tables.frame("tickets", ["customer_id", "opened_at", "resolved_at"])
        rows = spine.reset_index(names="row").merge(tickets, on="customer_id")
        rows = rows[rows["opened_at"] < rows["as_of"]]
        share = rows["resolved_at"].notna().groupby(rows["row"]).mean()
        return pd.DataFrame({"resolved_share": share.reindex(range(len(spine))).to_numpy()})

    found = {(a.kind, a.column) for a in audit(resolved, given.spine, tables)}
    assert ("edited status", "resolved_share") in found


@pytest.mark.parametrize("make", [None, 17])
def test_no_feature_there_is_alarms_on_a_simulated_company(make: int | None) -> None:
    company = Company(300, 170, 3, make=make, hazard_every=0)
    while company.day < 170:
        company.step()
    tables = MemoryTables(company.tables())
    given = asked(tables, company.now - timedelta(days=30, hours=7.3), Complaint(), 2)
    assert len(given.view) > (200 if make is None else 100)
    assert alarms(given.view, given.spine, tables) == []
