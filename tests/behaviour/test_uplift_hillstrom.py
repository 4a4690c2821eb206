"""A real randomised campaign of three arms: the women's mail moves those who bought women's things.

``python -m benchmarks.uplift_hillstrom`` compares the rankings over 20 splits with other libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.uplift_hillstrom import hillstrom, part, splits
from lab.uplift import best_by, compare_policies, gain_scores, qini
from models.uplift import NONE, fit_uplift, pair


def test_the_ranking_holds_on_customers_who_were_held_back(
    real_data: Callable[[str], Path],
) -> None:
    whole = hillstrom(real_data("outreach") / "hillstrom.csv.gz")
    ((learn, judge),) = splits(len(whole.frame), 1)
    assert not set(learn) & set(judge) and len(learn) + len(judge) == len(whole.frame)
    model = fit_uplift(part(whole, learn), outcome="value", actions=["women's"])
    held = part(whole, judge)
    gains = model.gains(held.features)
    bought = (held.features["womens"] == 1).to_numpy()
    assert gains["women's"][bought].mean() > gains["women's"][~bought].mean() + 0.02
    two = pair(held, "women's", "value")
    assert qini(gain_scores(two), gains["women's"].to_numpy()[two.rows]) > 0.001
    size = len(judge)
    found = compare_policies(
        held,
        {
            "all": np.full(size, "women's", dtype=object),
            "half": best_by(gains, size // 2),
            "none": np.full(size, NONE, dtype=object),
        },
    ).set_index("policy")
    assert found.loc["half", "over_none_low"] > 0
    # half of the mails bring well over half of what all bring
    assert found.loc["half", "over_none"] > 0.55 * found.loc["all", "over_none"]
