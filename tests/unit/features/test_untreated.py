"""Labels of the world without outreach: who has none, and who stands for whom."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.untreated import WEIGHT, Exposures, untreated

T = datetime(2026, 3, 1)
DAY = timedelta(days=1)


def drawn(*rows: tuple[str, datetime, bool, float, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer_id", "at", "contacted", "odds", "ours"])


def labels_of(*customers: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"customer_id": list(customers), "as_of": pd.Timestamp(T), "label_7d": 1.0,
         "label_30d": 1.0, "contact_7d": 1.0, "tickets_30d": 2.0, "next_topic": "billing"}
    )  # fmt: skip


def alone(labels: pd.DataFrame, rows: pd.DataFrame, h: float = 0.1, q: float = 1.0) -> pd.DataFrame:
    return untreated(labels, Exposures(rows, h, q), horizons=[7, 30], gap_days=0,
                     known_as_of=T + 90 * DAY)  # fmt: skip


def test_where_nobody_was_contacted_nothing_changes_to_the_bit() -> None:
    labels = labels_of("a", "b")
    rows = drawn(("c", T, True, 0.9, True), ("a", T - 40 * DAY, True, 0.9, True))
    found = alone(labels, rows)  # somebody else's, and one that has ended
    assert found is labels and WEIGHT not in found


def test_a_window_that_a_contact_reaches_has_no_label() -> None:
    moments = {"before": -29, "within": 29, "ended": -30, "later": 30}
    rows = drawn(*((name, T + at * DAY, True, 0.9, True) for name, at in moments.items()))
    found = alone(labels_of(*moments), rows).set_index("customer_id")
    assert found["label_7d"].isna().tolist() == [True, True, False, False]
    assert found["tickets_30d"].isna().tolist() == [True, True, False, False]
    assert found["next_topic"].isna().tolist() == [True, True, False, False]


def test_a_contact_that_was_not_known_yet_changes_nothing() -> None:
    labels = labels_of("a")
    rows = Exposures(drawn(("a", T + 5 * DAY, True, 0.9, True)), 0.1, 1.0)
    found = untreated(labels, rows, horizons=[7], gap_days=0, known_as_of=T + 5 * DAY)
    assert found is labels


def test_the_hold_out_is_drawn_once_and_campaigns_draw_anew() -> None:
    rows = drawn(
        *(("twice", T + at * DAY, False, 0.9, True) for at in (0, 15)),  # chosen by value
        ("explored", T, False, 0.09, True),
        *(("coin", T + at * DAY, False, 0.5, False) for at in (0, 15)),
    )
    weight = alone(labels_of("twice", "explored", "coin", "never"), rows)[WEIGHT]
    assert weight.round(9).tolist() == [10.0, round(1 / (1 - 0.09), 9), 4.0, 1.0]
    # half of what was decided never left: the hold-out stands for fewer
    assert round(alone(labels_of("twice"), rows, q=0.5)[WEIGHT].iloc[0], 6) == round(
        1 / (0.1 + 0.9 * 0.25), 6
    )


def test_the_weighted_rate_is_that_of_the_untreated_world() -> None:
    rng = np.random.default_rng(0)
    size, h = 60_000, 0.2
    risk = rng.beta(1, 4, size)
    held = rng.random(size) < h
    chosen = risk > 0.3  # by value: the riskiest
    contacted = chosen & ~held
    complains = rng.random(size) < np.where(contacted, 0.5 * risk, risk)
    ids = [f"c{i}" for i in range(size)]
    labels = pd.DataFrame(
        {"customer_id": ids, "as_of": pd.Timestamp(T), "label_30d": complains * 1.0}
    )
    rows = pd.DataFrame({"customer_id": ids, "at": T, "contacted": contacted, "odds": 1 - h,
                         "ours": True})[chosen]  # fmt: skip
    found = alone(labels, rows, h)
    left = found["label_30d"].notna()
    rate = np.average(found["label_30d"][left], weights=found[WEIGHT][left])
    assert abs(rate - risk.mean()) < 0.006
    assert abs(labels["label_30d"].mean() - risk.mean()) > 0.02  # what naive labels would say
