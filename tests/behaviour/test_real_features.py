"""On real sets: nothing after T changes a feature or a label edge, and one is as good as all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from data.contract import TABLES
from data.settings import Complaint
from data.tables import MemoryTables
from features.asof import as_of_view
from features.compute import compute
from features.history import History
from features.labels import labels
from features.spec import FeatureView
from features.spine import customers_at
from features.views import default_view

RealTables = Callable[..., MemoryTables]
SETS = {
    "calls": ("bank_calls", datetime(1999, 2, 18, 13), Complaint(all=True)),
    "online-retail": ("online_retail", datetime(2011, 3, 1, 12), Complaint()),
    "incidents": ("incidents", datetime(2016, 5, 2, 11, 30), Complaint(all=True)),
}


@pytest.fixture(scope="module", params=sorted(SETS))
def real(request: pytest.FixtureRequest, real_tables: RealTables) -> SimpleNamespace:
    folder, t, rule = SETS[request.param]
    which = "call_log_february_1999.parquet" if request.param == "calls" else ""
    tables = real_tables(request.param, folder, which)
    view = default_view(tables, SimpleNamespace(complaint=rule), t)
    spine = customers_at(tables, [t]).iloc[::5].reset_index(drop=True)
    return SimpleNamespace(tables=tables, view=view, spine=spine, t=t, rule=rule)


def cut(tables: MemoryTables, t: datetime) -> MemoryTables:
    """Without rows born or recorded after T, and without facts not yet known at T."""
    out = {}
    for name in tables.names:
        frame, contract = tables.frame(name), TABLES[name]
        frame = frame[frame["recorded_at"] <= t]
        if contract.birth:
            frame = frame[frame[contract.birth] < t].copy()
        unknown = {
            c.known_at: ~(frame[c.known_at] < t) for c in contract.columns if c.known_at
        }  # fmt: skip
        for column in contract.columns:
            if column.known_at:
                frame[column.name] = frame[column.name].mask(unknown[column.known_at])
        out[name] = frame
    return MemoryTables(out)


def test_deleting_everything_after_t_changes_nothing(real: SimpleNamespace) -> None:
    past = cut(real.tables, real.t)
    again = default_view(past, SimpleNamespace(complaint=real.rule), real.t)
    assert set(again.names) <= set(real.view.names)
    whole, less = (compute(real.view, real.spine, t) for t in (real.tables, past))
    pd.testing.assert_frame_equal(whole, less, check_exact=True)
    all_of_them = customers_at(real.tables, [real.t])
    pd.testing.assert_frame_equal(all_of_them, customers_at(past, [real.t]))
    early = real.spine.assign(as_of=real.spine["as_of"] - pd.Timedelta(days=9))
    one, two = (
        labels(early, t, known_as_of=real.t, complaint=real.rule) for t in (real.tables, past)
    )
    pd.testing.assert_frame_equal(one, two)
    assert one["label_7d"].notna().all() and one["label_14d"].isna().all()
    assert 0 < one["label_7d"].mean() < 1


def test_requests_as_of_t_have_no_future(real_tables: RealTables) -> None:
    """Requests of Boston have no customers; what is known of them at T must stand all the same."""
    tables, t = real_tables("requests-311", "requests_311"), datetime(2011, 8, 29, 4)
    for name in tables.names:
        whole, less = (as_of_view(source, name, t) for source in (tables, cut(tables, t)))
        pd.testing.assert_frame_equal(whole, less)
    assert as_of_view(tables, "tickets", t)["resolved_at"].isna().any()


def test_one_customer_equals_the_batch_bit_for_bit(real: SimpleNamespace) -> None:
    batch = compute(real.view, real.spine, real.tables)
    history = History.read(real.view, real.tables)
    numbers = batch.select_dtypes("float32").columns
    at = np.random.default_rng(7).choice(len(real.spine), 12, replace=False)
    for i in at:
        one = compute(real.view, real.spine.iloc[[i]], history)
        assert one[numbers].to_numpy().tobytes() == batch.loc[[i], numbers].to_numpy().tobytes()


def test_the_view_fits_the_source_and_travels_as_json(real: SimpleNamespace) -> None:
    assert not any(name.startswith("usage_") for name in real.view.names)
    assert {"tickets_complaint_count_28d", "tickets_since_last_days"} <= set(real.view.names)
    again = FeatureView.from_json(real.view.to_json())
    few = real.spine.head(50)
    pd.testing.assert_frame_equal(
        compute(again, few, real.tables), compute(real.view, few, real.tables)
    )
