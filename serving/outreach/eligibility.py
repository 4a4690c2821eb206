"""Who may be contacted, through what and when, and why not.

The rules stand in order: of several that forbid, the last one is told. Consent is by channel;
unknown consent is refused unless ``[outreach] consent_when_unknown``. A customer who was selected
and held out counts as contacted, or the arms would part: one would be selected again each day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Times
from data.settings import Outreach
from serving.outreach.actions import CHANNELS
from serving.outreach.quiet import windows

OPTIONAL = {
    "time_zone": None,
    "contacts_90d": 0.0,
    "has_open_complaint": False,
    "vulnerable": False,
    "closed": False,
    "suppressed": None,
}
"""Columns of candidates that may be left out, and what then holds for everybody."""


@dataclass(frozen=True)
class Eligibility:
    """``channels`` (n, channels): through which they may be contacted; ``blocked``: why not, ""
    where they may; ``opens``, ``closes``: when, outside their quiet hours (naive UTC)."""

    channels: Bools
    blocked: npt.NDArray[np.object_]
    opens: Times
    closes: Times


def eligibility(
    candidates: pd.DataFrame, policy: Outreach, as_of: datetime, time_zone: str = "UTC"
) -> Eligibility:
    """Every rule for every customer; columns as ``policy.plan`` takes them.

    ``time_zone``: of customers who state none.
    """
    rows = len(candidates)
    unknown = policy.consent_when_unknown
    allowed = np.column_stack(
        [truth(candidates[f"{name}_consent"], unknown) for name in CHANNELS]
    ).reshape(rows, len(CHANNELS))
    opens, closes, known = windows(
        as_of, column(candidates, "time_zone"), time_zone, policy.quiet_from, policy.quiet_to
    )
    blocked = np.full(rows, "", dtype=object)
    blocked[np.isnat(opens)] = "quiet hours all day"
    blocked[~known] = "the time zone is unknown, so quiet hours could not be kept"
    blocked[~allowed.any(axis=1)] = "no consent for any channel"
    many = numbers(candidates, "contacts_90d") >= policy.most_in_90_days
    blocked[many] = f"selected {policy.most_in_90_days} times in 90 days, the most there may be"
    recently = candidates["last_contacted_at"] > as_of - timedelta(days=policy.min_days_between)
    blocked[truth(recently, False)] = (
        f"selected for contact within the last {policy.min_days_between:g} days"
    )
    blocked[truth(column(candidates, "has_open_complaint"), False)] = (
        "has an open complaint: an agent answers it"
    )
    suppressed = column(candidates, "suppressed")
    stopped = (suppressed.notna() & (suppressed.astype(object) != "")).to_numpy(bool)
    blocked[stopped] = suppressed.to_numpy(object)[stopped]
    if not policy.contact_vulnerable:
        blocked[truth(column(candidates, "vulnerable"), False)] = (
            "vulnerable: a person decides, not a machine"
        )
    blocked[truth(candidates["do_not_contact"], False)] = "asked not to be contacted"
    blocked[truth(column(candidates, "closed"), False)] = "the account is closed"
    return Eligibility(allowed, blocked, opens, closes)


def column(candidates: pd.DataFrame, name: str) -> pd.Series:
    """The column, or what holds for everybody where it is left out."""
    if name in candidates:
        return candidates[name]
    return pd.Series([OPTIONAL[name]] * len(candidates), index=candidates.index, dtype=object)


def truth(values: pd.Series, otherwise: bool) -> Bools:
    """Nullable flags as bools; null is ``otherwise``."""
    return values.astype("boolean").fillna(otherwise).to_numpy(bool)


def numbers(candidates: pd.DataFrame, name: str) -> Floats:
    """A column of numbers as floats."""
    return column(candidates, name).astype("float64").to_numpy(np.float64)
