"""A company's own columns of any table: features, splits, and a name for a misspelt one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.check import check
from data.settings import Settings
from data.snapshot import take
from data.tables import MemoryTables, Tables
from data.workspace import Workspace, init, set_setting
from features.compute import compute
from features.spine import customers_at
from features.views import default_view
from models.volume.context import VolumeContext
from models.volume.series import series_from_tickets

T = datetime(2026, 3, 1)
OWN = ("tier", "tickets.plan", "orders.discount", "usage.screen")
FRAMES = {
    "customers": pd.DataFrame(
        {"customer_id": ["a", "b"], "signed_up_at": pd.Timestamp("2025-01-01"), "tier": ["x", "y"]}
    ),
    "tickets": pd.DataFrame(
        {
            "ticket_id": ["1", "2", "3"],
            "opened_at": pd.to_datetime(["2026-02-01", "2026-02-02", "2026-02-03"]),
            "customer_id": ["a", "a", "b"],
            "channel": "email",
            "plan": ["basic", "gold", None],
        }
    ),
    "orders": pd.DataFrame(
        {
            "order_id": ["1", "2"],
            "ordered_at": pd.to_datetime(["2026-02-01", "2026-02-02"]),
            "customer_id": ["a", "a"],
            "discount": [10.0, 20.0],
        }
    ),
}


def values(tables: Tables) -> pd.DataFrame:
    view = default_view(tables, Settings())
    return compute(view, customers_at(tables, [T]), tables).set_index("customer_id")


def on_disk(tmp_path: Path) -> Workspace:
    workspace = init(tmp_path / "w")
    for name, frame in FRAMES.items():
        frame.to_csv(workspace.tables_dir / f"{name}.csv", index=False)
    set_setting(workspace.path, "data.attributes", list(OWN[:3]))
    return Workspace.open(workspace.path)


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_own_columns_of_events_are_features(place: str, tmp_path: Path) -> None:
    tables = MemoryTables(FRAMES, OWN) if place == "memory" else take(on_disk(tmp_path), now=T)
    assert tables.attributes == OWN[:3] or set(tables.attributes) == set(OWN[:3])
    found = values(tables)
    assert found.loc["a", "tickets_plan_last"] == "gold"
    assert found.loc["a", "orders_discount_last"] == 20
    assert found.loc["a", "orders_discount_mean_365d"] == 15
    assert found.loc["b", "customer_tier"] == "y"
    assert pd.isna(found.loc["b", "orders_discount_last"])


def test_own_columns_of_tickets_split_the_volume() -> None:
    context = VolumeContext(split_by=("plan",))
    made = series_from_tickets(MemoryTables(FRAMES, OWN), T, "D", context)
    assert {"channel=email/plan=gold", "channel=email/plan="} <= set(made["unique_id"])


def test_a_misspelt_attribute_is_named(tmp_path: Path) -> None:
    workspace = on_disk(tmp_path)
    set_setting(workspace.path, "data.attributes", ["teir", "tickets.plann", "orders.discount"])
    report = check(Workspace.open(workspace.path), T)
    told = {v.value: str(v) for v in report.errors}
    assert set(told) == {"teir", "tickets.plann"}
    assert 'Did you mean "tier"' in told["teir"]
    assert 'Did you mean "plan"' in told["tickets.plann"]
