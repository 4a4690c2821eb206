"""A company's own features and dates: lines of features.py, and attributes that are dates."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.check import check
from data.errors import DefinitionError
from data.overlay import WithEvents
from data.settings import Settings
from data.snapshot import take
from data.tables import MemoryTables, Tables
from data.workspace import Workspace, init, set_setting
from features.compute import compute
from features.own import own_features
from features.predicate import Null
from features.sources import ORDERS, TICKETS
from features.spec import FeatureView
from features.spine import customers_at
from features.views import default_view
from presage.rooms import _of_workspace

T = datetime(2026, 3, 1)
FRAMES = {
    "customers": pd.DataFrame(
        {
            "customer_id": ["a", "b", "a"],
            "signed_up_at": pd.Timestamp("2025-01-01"),
            "renewal": ["2026-02-19", "2026-03-11", "2026-03-31"],
            "recorded_at": pd.to_datetime(["2025-01-01", "2025-01-01", "2026-02-25"]),
        }
    ),
    "orders": pd.DataFrame(
        {
            "order_id": ["1", "2", "3"],
            "ordered_at": pd.to_datetime(["2026-02-01", "2026-02-02", "2026-02-03"]),
            "customer_id": ["a", "a", "b"],
            "amount": [50, 500, 900],
            "discount": [10.0, 20.0, 30.0],
            "warranty": ["2026-02-20", "2026-04-10", None],
        }
    ),
}
OWN = ("renewal:date", "orders.discount", "orders.warranty:date")
TEXT = '''"""What we sell."""
from features.language import *
BIG = Compare(">", ORDERS["amount"], 100)
big_orders = count(ORDERS, where=BIG.named("big"), days=28)
[total(ORDERS, "discount", days=days) for days in (27, 90)]
rate(count(ORDERS, where=BIG & ~Null(ORDERS["carrier"])), count(ORDERS), "big_share")
'''


def tables() -> MemoryTables:
    return MemoryTables(FRAMES, OWN)


def values(read: Tables, settings: Settings, at: datetime = T) -> pd.DataFrame:
    view = default_view(read, settings)
    view = FeatureView.from_json(view.to_json())  # as it travels with a model
    return compute(view, customers_at(read, [at]), read).set_index("customer_id")


def workspace(path: Path, text: str = TEXT) -> Workspace:
    folder = init(path / "w")
    for name, frame in FRAMES.items():
        frame.to_csv(folder.tables_dir / f"{name}.csv", index=False)
    set_setting(folder.path, "data.attributes", list(OWN))
    (folder.path / "features.py").write_text(text)
    return Workspace.open(folder.path)


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_lines_of_the_workspace_are_features(place: str, tmp_path: Path) -> None:
    opened = workspace(tmp_path)
    read = tables() if place == "memory" else take(opened, now=T)
    found = values(read, opened.settings)
    assert found.loc["a", "big_orders"] == 1 and found.loc["b", "big_orders"] == 1
    assert found.loc["a", "orders_discount_sum_27d"] == 20
    assert found.loc["a", "orders_discount_sum_90d"] == 30


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_dates_give_days_since_and_until_as_of_any_time(place: str, tmp_path: Path) -> None:
    opened = workspace(tmp_path, "")
    read: Tables = tables() if place == "memory" else take(opened, now=T)
    found = values(read, opened.settings)
    # a's renewal was moved on 25 February: nobody knew before
    assert found.loc["a", "customer_renewal_until_days"] == 30
    assert pd.isna(found.loc["a", "customer_renewal_since_days"])
    assert found.loc["b", "customer_renewal_until_days"] == 10
    before = values(read, opened.settings, datetime(2026, 2, 24))
    assert before.loc["a", "customer_renewal_since_days"] == 5
    assert pd.isna(before.loc["a", "customer_renewal_until_days"])
    assert found.loc["a", "orders_warranty_since_days"] == 9
    assert found.loc["a", "orders_warranty_until_days"] == 40
    assert pd.isna(found.loc["b", "orders_warranty_until_days"])


def test_a_posted_date_counts_like_those_of_the_tables() -> None:
    posted = pd.DataFrame(
        {"customer_id": ["b"], "signed_up_at": "2025-01-01", "renewal": "2026-03-21T00:00:00Z",
         "recorded_at": "2026-02-27"}
    )  # fmt: skip
    found = values(WithEvents(tables(), {"customers": posted}), Settings())
    assert found.loc["b", "customer_renewal_until_days"] == 20


def test_a_value_that_is_no_date_is_said_and_unknown(tmp_path: Path) -> None:
    opened = workspace(tmp_path, "")
    file = opened.tables_dir / "customers.csv"
    file.write_text(file.read_text().replace("2026-03-11", "soon"))
    told = [str(v) for v in check(opened, T).warnings if v.rule == "no date"]
    assert len(told) == 1 and "'soon'" in told[0] and "renewal" in told[0]
    found = values(take(opened, now=T), opened.settings)
    assert pd.isna(found.loc["b", "customer_renewal_until_days"])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("count(ORDER)", "line 1: 'ORDER' is no word of this file. Did you mean \"ORDERS\""),
        ("\ncount(ORDERS, dais=3)", "line 2: .*dais"),
        ("total(ORDERS, 'amont')", 'line 1: .*Did you mean "amount"'),
        ("import os", "line 1: a line is a feature"),
        ("count(ORDERS", "line 1: .*never closed"),
        ("__import__('os')", "line 1: '__import__' is no word"),
        ("count(ORDERS).__class__", "line 1: .*not possible"),
        ("(lambda: 1)()", "line 1: .*not possible"),
        ("'a' * 10 ** 9", "line 1: .*not possible"),
        ("3", "line 1: it is no feature: 3"),
        ("part = Null(ORDERS['amount'])", "line 1: part is no feature; .*capitals"),
        ("ORDERS = count(ORDERS)", "line 1: ORDERS is a word already"),
    ],
)
def test_a_wrong_line_is_named_with_what_to_do(line: str, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        own_features(line, tables(), Null(ORDERS["amount"]))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("orders_count_28d = count(ORDERS, days=5)", "the name orders_count_28d is taken"),
        ("my_orders = count(ORDERS, days=28)", "my_orders is orders_count_28d"),
    ],
)
def test_what_is_there_already_is_not_defined_again(line: str, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        default_view(tables(), Settings(own_features=line))
    again = default_view(tables(), Settings(own_features="count(ORDERS, days=28)"))
    assert again.fingerprint == default_view(tables(), Settings()).fingerprint


def test_the_lines_of_bring_your_data_are_features() -> None:
    page = (Path(__file__).parents[3] / "docs" / "adapters.md").read_text()
    block = page.split("```python file=company/features.py\n")[1].split("```")[0]
    found = [f.name for f in own_features(block, tables(), Null(TICKETS["topic"]).named("bad"))]
    assert found[0] == "big_orders" and len(found) == 4


def test_only_the_workspace_named_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "features.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path / "here")
    opened = workspace(tmp_path)
    assert opened.settings.own_features == TEXT
    assert _of_workspace(opened.path / "features.py")
    assert not _of_workspace(tmp_path / "here" / "features.py")


def test_a_models_view_names_them(tmp_path: Path) -> None:
    with_own = default_view(tables(), Settings(own_features=TEXT))
    without = default_view(tables(), Settings())
    assert with_own.fingerprint != without.fingerprint
    assert "big_orders" in {f["name"] for f in json.loads(with_own.to_json())}
