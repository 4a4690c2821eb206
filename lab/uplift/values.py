"""A trial with what somebody else recorded of it, and with outcomes in money."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data.errors import DataError
from models.uplift import NONE, Trial, trial
from models.uplift.trial import KEYS


def with_outcomes(decisions: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Decisions beside outcomes that somebody else recorded, joined by customer_id and time.

    DataError for an outcome of an unknown decision, or two of one; a decision without has NaN.
    """
    keys = list(KEYS)
    again = outcomes.duplicated(keys).to_numpy(bool)
    if again.any():
        first = outcomes.loc[again, keys].iloc[0]
        raise DataError(
            f"the outcome of customer {str(first['customer_id'])!r} at {first['time']} is there "
            f"twice ({int(again.sum())} such rows); a decision has one outcome"
        )
    known = pd.MultiIndex.from_frame(decisions[keys])
    stray = ~pd.MultiIndex.from_frame(outcomes[keys]).isin(known)
    if stray.any():
        first = outcomes.loc[stray, keys].iloc[0]
        raise DataError(
            f"there is an outcome of customer {str(first['customer_id'])!r} at {first['time']}, "
            f"but no such decision ({int(stray.sum())} such rows)"
        )
    return decisions.merge(outcomes, on=keys, how="left", validate="one_to_one")


def with_value(
    of: Trial,
    *,
    complaint_cost: float,
    inquiry_cost: float = 0.0,
    action_costs: Mapping[str, float] | float = 0.0,
) -> Trial:
    """The trial with ``value``: minus what the outcome and the action cost, money a decision.

    DataError for a negative or missing cost of an action that was drawn.
    """
    frame = of.frame.copy()
    costs = (
        action_costs
        if isinstance(action_costs, Mapping)
        else dict.fromkeys(of.actions, float(action_costs))
    )
    absent = [name for name in of.actions if name not in costs]
    if absent:
        raise DataError(f"the action {absent[0]!r} was drawn and has no cost; state one")
    for name, cost in {"a complaint": complaint_cost, "an inquiry": inquiry_cost, **costs}.items():
        if not cost >= 0:
            raise DataError(f"{name} costs {cost}; a cost is 0 or more")
    spent = frame["action"].map({**costs, NONE: 0.0}).to_numpy(np.float64)
    inquiries = frame["inquiries"].to_numpy(np.float64) if "inquiries" in frame else 0.0
    frame["value"] = -(
        complaint_cost * frame["complained"].to_numpy(np.float64) + inquiry_cost * inquiries + spent
    )
    return trial(frame, of.features, left_out=of.left_out)
