"""What outreach changes: the effect of past randomised contacts on complaints, with its interval.

``measure`` compares treated and control customers of the ``treatments`` table by inverse
propensity (Hajek's ratio estimator), per action and over all. The effect is relative,
``rate treated / rate control - 1``, since a contact can only avoid complaints that were coming;
it shrunk by a normal prior, the more the less was tried: that of all contacts towards none, that of
one action towards all. ``uplift`` turns it into
how much a contact lowers one customer's probability: positive helps, negative harms.

>>> effects = [Effect("all", 4000, 0.10, -0.30, -0.45, -0.15, -0.27)]
>>> uplift(np.array([0.2, 0.0]), ["check_in", "check_in"], effects).round(3)
array([0.054, 0.   ])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

CONTROL_ARMS = ("control", "holdout", "hold-out", "none", "no contact", "no e-mail")
PRIOR_SD = 0.3
"""Contacts rarely change complaints by more than a third either way."""
BETWEEN_ACTIONS_SD = 0.15
"""How far one action's effect lies from that of all, before it is measured."""
MIN_ROWS = 50
"""Fewer contacts or controls than this tell nothing."""


@dataclass(frozen=True)
class Effect:
    """A measured effect: relative change in the complaint rate, its 95 % interval, and shrunk."""

    action: str
    rows: int
    base_rate: float
    relative: float
    low: float
    high: float
    shrunk: float


def measure(
    treatments: pd.DataFrame, complaints: pd.DataFrame, *, as_of: datetime, window_days: int = 30
) -> list[Effect]:
    """The effect over all (``action`` "all"), then per action; empty where too little was tried.

    ``treatments``: the table as of ``as_of``; ``complaints``: customer_id, opened_at. Only contacts
    whose window [treated_at, + ``window_days``) has passed by ``as_of`` count. A missing propensity
    is the arm's share in its campaign.
    """
    ended = treatments["treated_at"] + timedelta(days=window_days) <= as_of
    past = treatments[ended].reset_index(drop=True)
    if past.empty:
        return []
    control = past["arm"].str.lower().isin(CONTROL_ARMS).to_numpy(bool)
    complained = _complained(past, complaints, timedelta(days=window_days))
    shares = past.groupby(["campaign", "arm"])["treatment_id"].transform("size") / past.groupby(
        "campaign"
    )["treatment_id"].transform("size")
    stated = past["propensity"].astype("float64").to_numpy()
    # the table's propensity is that of the row's own arm; half-logged campaigns get their shares
    weight = 1.0 / np.where(np.isnan(stated) | (stated <= 0), shares.to_numpy(), stated)
    found = []
    actions = past["action"].astype("str")
    names = sorted(actions[~control].dropna().unique())
    centre = 0.0
    for name in ["all", *names]:
        treated = (
            ~control if name == "all" else ~control & (actions == name).fillna(False).to_numpy()
        )
        campaigns = past.loc[treated, "campaign"].unique()
        beside = control & past["campaign"].isin(campaigns).to_numpy(bool)
        if min(treated.sum(), beside.sum()) < MIN_ROWS:
            continue
        spread = PRIOR_SD if name == "all" else BETWEEN_ACTIONS_SD
        effect = _effect(name, complained, weight, treated, beside, centre, spread)
        if effect is not None:
            found.append(effect)
            centre = effect.shrunk if name == "all" else centre
    return found


def uplift(
    risk: npt.ArrayLike, actions: Sequence[str | None], effects: Sequence[Effect]
) -> npt.NDArray[np.float64]:
    """How much a contact lowers each customer's P(complaint); NaN where nothing was measured."""
    known = {effect.action: effect.shrunk for effect in effects}
    whole = known.get("all", np.nan)
    relative = np.array([known.get(a or "", whole) for a in actions], dtype=np.float64)
    return -relative * np.asarray(risk, dtype=np.float64)


def _complained(
    past: pd.DataFrame, complaints: pd.DataFrame, window: timedelta
) -> npt.NDArray[np.float64]:
    spans = past[["customer_id", "treated_at"]].assign(row=np.arange(len(past)))
    pairs = spans.merge(complaints[["customer_id", "opened_at"]], on="customer_id")
    inside = (pairs["opened_at"] >= pairs["treated_at"]) & (
        pairs["opened_at"] < pairs["treated_at"] + window
    )
    found = np.zeros(len(past))
    found[pairs.loc[inside, "row"].to_numpy()] = 1.0
    return found


def _effect(
    name: str,
    y: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    treated: npt.NDArray[np.bool_],
    control: npt.NDArray[np.bool_],
    centre: float,
    spread: float,
) -> Effect | None:
    rate_t, var_t = _ratio(y[treated], weight[treated])
    rate_c, var_c = _ratio(y[control], weight[control])
    if rate_c == 0:
        return None
    ratio = rate_t / rate_c
    # delta method for a ratio of two independent means
    sd = float(np.sqrt(var_t / rate_c**2 + ratio**2 * var_c / rate_c**2))
    relative = ratio - 1.0
    keep = spread**2 / (spread**2 + sd**2)
    shrunk = centre + keep * (relative - centre)
    low, high = relative - 1.96 * sd, relative + 1.96 * sd
    rows = int(treated.sum() + control.sum())
    return Effect(name, rows, float(rate_c), relative, low, high, shrunk)


def _ratio(y: npt.NDArray[np.float64], w: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Hajek's mean and its variance by linearisation."""
    mean = float(np.sum(w * y) / np.sum(w))
    return mean, float(np.sum((w * (y - mean)) ** 2) / np.sum(w) ** 2)
