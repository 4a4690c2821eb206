"""Trials from what was recorded: the ``treatments`` table, and our own decision log.

Both are read as of a moment: only decisions whose window [time, + ``window_days``) has passed by
then have an outcome. Rows that cannot tell anything are left out and counted, never silently.

Of our own log a row counts where it could have gone either way: ``treat``, ``holdout``, and
``capacity`` where the customer could have been drawn to explore. The log's ``propensity`` is
P(treat); left alone has 1 - P. ``only_selected`` compares treat with hold-out alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.errors import DataError
from models.uplift.trial import NONE, Trial, trial

CONTROL_ARMS = ("control", "holdout", "hold-out", "none", "no contact", "no e-mail")
OWN = "presage"
"""The campaign of our own decisions."""
NO_PROPENSITY = "no propensity was logged"
WINDOW_OPEN = "the window has not passed"
NOT_DRAWN = "nothing was left to chance"


def trial_of_treatments(
    treatments: pd.DataFrame,
    tickets: pd.DataFrame,
    *,
    as_of: datetime,
    window_days: int = 30,
    leave_out_without_propensity: bool = False,
) -> Trial:
    """The ``treatments`` table as a trial.

    Parameters
    ----------
    treatments: the contract's table as of ``as_of``; its propensity is that of the row's own arm.
    tickets: customer_id, opened_at, is_complaint (bool) as known at ``as_of``.
    leave_out_without_propensity: count rows without one instead of refusing them.

    Raises
    ------
    DataError: a treatment without propensity, one outside (0, 1), two of a customer at one time.
    """
    ended = _ended(treatments["treated_at"], as_of, window_days)
    left_out = {WINDOW_OPEN: int((~ended).sum())}
    past = treatments[ended].reset_index(drop=True)
    missing = past["propensity"].isna().to_numpy(bool)
    if leave_out_without_propensity:
        left_out[NO_PROPENSITY] = int(missing.sum())
        past = past[~missing].reset_index(drop=True)
    control = past["arm"].str.lower().isin(CONTROL_ARMS).to_numpy(bool)
    action = past["action"].astype(object).where(past["action"].notna(), past["arm"])
    frame = pd.DataFrame(
        {
            "customer_id": past["customer_id"].astype(str),
            "time": past["treated_at"],
            "action": np.where(control, NONE, action.to_numpy(object)),
            "offered": past["action"].astype(object),
            "propensity": past["propensity"].astype("float64"),
            "campaign": past["campaign"].astype(str),
            **({"channel": past["channel"]} if "channel" in past else {}),
        }
    )
    return _with_outcomes(frame, tickets, window_days, left_out)


def trial_of_log(
    decisions: Sequence[Mapping[str, Any]] | pd.DataFrame,
    tickets: pd.DataFrame,
    *,
    as_of: datetime,
    window_days: int = 30,
    only_selected: bool = False,
) -> Trial:
    """Our own arms as a trial; parameters and errors as above.

    ``decisions``: what ``data.store.decisions_of`` returns: customer_id, as_of, arm, propensity
    (P(treat)), action, channel, risk.
    """
    log = pd.DataFrame(decisions)
    if log.empty:
        log = pd.DataFrame(columns=["customer_id", "as_of", "arm", "propensity", "action"])
    log["as_of"] = pd.to_datetime(log["as_of"]).astype("datetime64[us]")
    ended = _ended(log["as_of"], as_of, window_days).to_numpy(bool)
    odds = log["propensity"].astype("float64").to_numpy()
    arm = log["arm"].astype(str)
    selected = arm.isin(("treat", "holdout")).to_numpy(bool)
    spared = ((arm == "capacity") & (odds > 0) & (not only_selected)).to_numpy(bool)
    usable = ended & (selected | spared)
    left_out = {
        WINDOW_OPEN: int((~ended).sum()),
        NOT_DRAWN: int((ended & ~(selected | spared)).sum()),
    }
    own = log[usable].reset_index(drop=True)
    treated = (own["arm"] == "treat").to_numpy(bool)
    odds = odds[usable]
    beside = [name for name in ("channel", "risk", "segment", "campaign") if name in own]
    frame = pd.DataFrame(
        {
            "customer_id": own["customer_id"].astype(str),
            "time": own["as_of"],
            "action": np.where(treated, own["action"].to_numpy(object), NONE),
            "offered": own["action"].astype(object),
            "propensity": np.where(treated, odds, 1.0 - odds),
            **{name: own[name] for name in beside},
        }
    )
    if "campaign" not in frame:
        frame["campaign"] = OWN
    return _with_outcomes(frame, tickets, window_days, left_out)


def outcomes_within(keys: pd.DataFrame, tickets: pd.DataFrame, window_days: int) -> pd.DataFrame:
    """``complained`` (0 or 1), ``contacts`` and ``inquiries`` of each key's window, in its order.

    ``keys``: customer_id, time. ``inquiries`` are tickets that are no complaints. A window counts
    [time, + ``window_days``); whether it has passed is the caller's question.
    """
    spans = pd.DataFrame(
        {
            "customer_id": keys["customer_id"].astype(str).to_numpy(object),
            "time": keys["time"].to_numpy("datetime64[us]"),
            "row": np.arange(len(keys)),
        }
    )
    written = pd.DataFrame(
        {
            "customer_id": tickets["customer_id"].astype(str).to_numpy(object),
            "opened_at": tickets["opened_at"].to_numpy("datetime64[us]"),
            "complaint": tickets["is_complaint"].fillna(False).to_numpy(bool),
        }
    )
    both = spans.merge(written, on="customer_id")
    inside = (both["opened_at"] >= both["time"]) & (
        both["opened_at"] < both["time"] + timedelta(days=window_days)
    )
    both = both[inside]
    size = len(keys)
    contacts = np.bincount(both["row"], minlength=size).astype(np.float64)
    complaints = np.bincount(both.loc[both["complaint"], "row"], minlength=size)
    return pd.DataFrame(
        {
            "complained": (complaints > 0).astype(np.float64),
            "contacts": contacts,
            "inquiries": contacts - complaints,
        }
    )


def with_features(of: Trial, features: pd.DataFrame) -> Trial:
    """The trial with features as of its decisions: a row a decision, in its order.

    ``features``: what ``features.compute`` returns for the spine (customer_id, as_of = time); those
    two columns are checked and left out. DataError where a row is another decision's.
    """
    for name, own in (("customer_id", "customer_id"), ("as_of", "time")):
        if name in features.columns:
            beside = features[name].reset_index(drop=True)
            differs = len(beside) != len(of.frame) or (beside != of.frame[own]).to_numpy().any()
            if differs:
                raise DataError(
                    f"the features' {name} are not those of the trial's decisions; compute them "
                    "for its customer_id and time, in its order"
                )
    columns = features.drop(columns=["customer_id", "as_of"], errors="ignore")
    return trial(of.frame, columns, left_out=of.left_out)


def _with_outcomes(
    frame: pd.DataFrame, tickets: pd.DataFrame, window_days: int, left_out: dict[str, int]
) -> Trial:
    outcomes = outcomes_within(frame, tickets, window_days)
    counted = {reason: count for reason, count in left_out.items() if count}
    return trial(pd.concat([frame, outcomes], axis=1), left_out=counted)


def _ended(times: pd.Series, as_of: datetime, window_days: int) -> pd.Series:
    return times + timedelta(days=window_days) <= as_of
