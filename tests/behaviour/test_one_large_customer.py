"""A customer with a million events costs their events, and gets what arithmetic says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.tables import MemoryTables
from features.compute import compute
from features.history import History
from features.language import count, largest, mean, since_last, total
from features.sources import USAGE
from features.spec import FeatureView

EVENTS = 1_000_000
DAY = 86_400_000_000


def test_a_million_events_of_one_customer() -> None:
    rng = np.random.default_rng(3)
    begin = int(np.datetime64("2026-01-01", "us").astype(np.int64))
    at = np.sort(begin + rng.integers(0, 90 * DAY, EVENTS))
    spent = np.round(rng.gamma(2, 50, EVENTS), 1)
    usage = pd.DataFrame({
        "customer_id": "one", "used_at": at.astype("datetime64[us]"), "feature": "f",
        "duration_seconds": spent,
    })  # fmt: skip
    days = (1, 7, 28)
    view = FeatureView([
        *(count(USAGE, days=d) for d in days),
        *(total(USAGE, "duration_seconds", days=d) for d in days),
        *(mean(USAGE, "duration_seconds", days=d) for d in days),
        *(largest(USAGE, "duration_seconds", days=d) for d in days), since_last(USAGE),
    ])  # fmt: skip
    moments = [begin + 40 * DAY + 1, int(at[700_000]), int(at[-1]) + 1]
    spine = pd.DataFrame({
        "customer_id": ["one"] * 3 + ["other"],
        "as_of": np.array([*moments, moments[0]]).astype("datetime64[us]"),
    })  # fmt: skip
    history = History.read(view, MemoryTables({"usage": usage})).keep()
    online, batch = (
        compute(view, spine, history),
        compute(view, spine, MemoryTables({"usage": usage})),
    )
    pd.testing.assert_frame_equal(online, batch, check_exact=True)
    for row, moment in enumerate(moments):
        for d in days:
            inside = (at >= moment - d * DAY) & (at < moment)
            assert batch[f"usage_count_{d}d"][row] == inside.sum()
            added = np.float32(spent[inside].sum())
            assert np.isclose(batch[f"usage_duration_seconds_sum_{d}d"][row], added, rtol=1e-6)
            assert batch[f"usage_duration_seconds_largest_{d}d"][row] == np.float32(
                spent[inside].max()
            )
        last = (moment - at[at < moment][-1]) / DAY
        assert np.isclose(batch["usage_since_last_days"][row], last, rtol=1e-6)
    assert batch["usage_count_28d"][3] == 0 and np.isnan(batch["usage_since_last_days"][3])
