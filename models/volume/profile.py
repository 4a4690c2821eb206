"""How a day falls into its slots: day total times slot profile.

The share of each slot in its day is an exponentially weighted ratio of sums, per weekday, shrunk
towards the shares of all open weekdays of the series together: with few weeks behind it, a
Tuesday looks like the other days; later like Tuesdays.
"""

from __future__ import annotations

import numpy as np

from models.volume.panel import Bools, Floats, Panel
from models.volume.slots import cube_of

GAMMA = 0.12
SHRINK_WEEKS = 1.0


def slot_shares(panel: Panel, open_slots: Bools, gamma: float = GAMMA) -> Floats:
    """Each slot's share of its local day's total (series x slots of the week).

    The shares of a day's open slots add up to 1; closed slots have 0.
    """
    per_day = panel.grid.frequency.per_day
    cube = cube_of(panel.y, panel.grid, panel.index).y
    n, weeks, slots = cube.shape
    by_day = cube.reshape(n, weeks, 7, per_day)
    weight = (1 - gamma) ** np.arange(weeks - 1, -1, -1.0)
    is_open = open_slots.reshape(n, 7, per_day)
    seen = ~np.isnan(by_day) & is_open[:, None]
    total = np.where(seen, by_day, 0.0).sum(axis=3, keepdims=True)
    # a day with a gap says nothing about the slots it has no count for
    value = np.einsum("w,nwds->nds", weight, np.where(seen, by_day, 0.0))
    base = np.einsum("w,nwds->nds", weight, np.where(seen, total, 0.0))
    mean_total = base.max(axis=2, keepdims=True) / max(float(weight.sum()), 1e-9)
    pooled = value.sum(axis=1) / np.maximum(base.sum(axis=1), 1e-9)
    pull = SHRINK_WEEKS * np.maximum(mean_total, 1e-6)
    share = (value + pull * pooled[:, None, :]) / (base + pull)
    share = np.where(is_open, share, 0.0)
    whole = share.sum(axis=2, keepdims=True)
    even = is_open / np.maximum(is_open.sum(axis=2, keepdims=True), 1)
    share = np.where(whole > 0, share / np.where(whole > 0, whole, 1.0), even)
    return share.reshape(n, slots)
