"""Labels of the world without outreach: what would have come had nobody been contacted.

A contact may act for ``ACTS_DAYS``. A row whose label window it reaches says nothing of the
untreated world, so it has no label. Those whom chance left alone stand for those it contacted: each
row that is left weighs 1 / P(left alone), by the odds that were logged (inverse probability of
censoring: Robins & Finkelstein 2000). Of our own decisions the hold-out is drawn once for ever:

    P(left alone) = h + (1 - h) x product of (1 - s q)

h the hold-out's share, s the odds of being selected, q the share of decisions that left the house.
Other campaigns draw anew each time. Where nobody was contacted nothing changes.

>>> drawn = pd.DataFrame({"customer_id": ["a", "b"], "at": pd.to_datetime(["2026-01-05"] * 2),
...                       "contacted": [True, False], "odds": [0.9, 0.9], "ours": [True, True]})
>>> rows = pd.DataFrame({"customer_id": ["a", "b", "c"], "as_of": pd.Timestamp("2026-01-01"),
...                      "label_7d": [0.0, 1.0, 0.0]})
>>> untreated(rows, Exposures(drawn, 0.1, 1.0), horizons=[7], gap_days=0,
...           known_as_of=datetime(2026, 2, 1))[["label_7d", "weight"]].values.tolist()
[[nan, 1.0], [1.0, 10.0], [0.0, 1.0]]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

ACTS_DAYS = 30
"""So long a contact may act: the window in which effects are measured."""
WEIGHT = "weight"
"""The labels' column that says for how many rows each stands; absent: each for itself."""


@dataclass(frozen=True)
class Exposures:
    """Who could have been contacted when, and who was.

    ``drawn``: ``customer_id, at, contacted`` (bool), ``odds`` (P(contacted) given all but the
    draw), ``ours`` (bool: under the permanent hold-out). ``holdout_share`` of customers; and
    ``left_share``, of our decisions those that left the house.
    """

    drawn: pd.DataFrame
    holdout_share: float
    left_share: float


def untreated(
    labels: pd.DataFrame,
    exposures: Exposures,
    *,
    horizons: Sequence[int],
    gap_days: float,
    known_as_of: datetime,
) -> pd.DataFrame:
    """The labels (``features.labels``), those under a contact null, with ``weight`` for the rest.

    As they are, without ``weight``, where no row's window could have been reached by a contact of
    before ``known_as_of``.
    """
    drawn = exposures.drawn
    drawn = drawn[(drawn["at"] < known_as_of) & drawn["customer_id"].isin(labels["customer_id"])]
    own = labels["customer_id"].isin(drawn["customer_id"])
    keys = labels.loc[own, ["customer_id", "as_of"]].assign(row=np.flatnonzero(own))
    both = keys.merge(drawn, on="customer_id")
    begins = both["as_of"] + timedelta(days=gap_days)
    acts = both["at"] + timedelta(days=ACTS_DAYS) > begins
    both = both[acts & (both["at"] < begins + timedelta(days=max(horizons)))]
    if both.empty:
        return labels
    h, q = exposures.holdout_share, exposures.left_share
    selected = np.minimum(both["odds"] / (1.0 - h), 1.0).to_numpy(np.float64)
    ours = both["ours"].to_numpy(bool)
    alone = 1.0 - np.where(ours, selected * q, both["odds"].to_numpy(np.float64))
    spared = {True: np.ones(len(labels)), False: np.ones(len(labels))}
    for by_us, product in spared.items():
        np.multiply.at(product, both.loc[ours == by_us, "row"], alone[ours == by_us])
    hit = np.zeros(len(labels), dtype=bool)
    hit[both.loc[both["contacted"].to_numpy(bool), "row"]] = True
    chance = (h + (1.0 - h) * spared[True]) * spared[False]
    out = labels.copy()
    for name in labels.columns:
        if name.startswith(("label_", "contact_", "tickets_")):
            out.loc[hit, name] = np.nan
        elif name.startswith("next_"):
            out.loc[hit, name] = None
    out[WEIGHT] = np.where(hit | (chance <= 0), 1.0, 1.0 / np.where(chance <= 0, 1.0, chance))
    return out
