"""A trial: decisions that chance took, each with its odds and what came of it.

One row a decision. ``action`` is what was done (``"none"``: left alone), ``propensity`` the
probability with which that was drawn, ``offered`` the action that was the alternative to being left
alone (null: any of the campaign's). Nothing else makes two groups comparable, so a row without its
odds is refused, and so are odds of 0 or 1: such a row was not drawn.

``pair`` sets one action beside being left alone: from there on every question has two arms, and the
propensity is P(contacted) for contacted and uncontacted rows alike.

>>> frame = pd.DataFrame({"customer_id": ["a", "b"], "time": pd.to_datetime(["2026-01-05"] * 2),
...     "action": ["check_in", "none"], "propensity": [0.8, 0.2], "complained": [0.0, 1.0]})
>>> two = pair(trial(frame), "check_in", "complained")
>>> two.treated, two.propensity, two.y
(array([ True, False]), array([0.8, 0.8]), array([0., 1.]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats, Ints
from data.errors import DataError, did_you_mean

NONE = "none"
"""The action of those who were left alone."""
ALL = "all"
"""Every action together, against being left alone."""
KEYS = ("customer_id", "time")
BETTER: Mapping[str, int] = MappingProxyType(
    {"complained": -1, "contacts": -1, "inquiries": -1, "value": 1}
)
"""The outcomes that are known here, and whether more of it is better (1) or worse (-1).

``complained`` 0 or 1, ``contacts`` all tickets, ``inquiries`` those that are no complaints (what
outreach induces), ``value`` money."""


@dataclass(frozen=True)
class Trial:
    """Checked decisions; rows in the order given.

    ``frame``: customer_id, time, action, offered, propensity, campaign, the outcomes, and whatever
    else stood beside them (channel, segment, risk). ``features``: what was known at the decision, a
    row for each, or None. ``left_out``: rows that could not be used, counted by reason.
    """

    frame: pd.DataFrame
    features: pd.DataFrame | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that were drawn for anybody, sorted; without ``"none"``."""
        return tuple(sorted(set(self.frame["action"]) - {NONE}))


@dataclass(frozen=True)
class Pair:
    """One action against none: n decisions that could have gone either way.

    ``rows``: positions in the trial. ``propensity``: P(treated), of every row. ``customers``: codes
    of customers, one person's rows together.
    """

    action: str
    outcome: str
    rows: Ints
    customers: Ints
    treated: Bools
    propensity: Floats
    y: Floats

    @property
    def weight(self) -> Floats:
        """e (1 - e): the inverse of a row's variance as evidence on the effect (Li, Morgan &
        Zaslavsky 2018, "Balancing covariates via propensity score weighting", 3.1)."""
        return self.propensity * (1.0 - self.propensity)


def trial(
    frame: pd.DataFrame,
    features: pd.DataFrame | None = None,
    *,
    arms: Sequence[str] = (),
    left_out: Mapping[str, int] | None = None,
) -> Trial:
    """The decisions, checked.

    Parameters
    ----------
    frame: customer_id, time, action, propensity (of the arm drawn), at least one outcome;
        offered and campaign where known.
    features: n rows of what was known at each decision, in the same order.
    arms: actions that the campaign says it drew; each must have had somebody in it.
    left_out: rows left out before, by reason.

    Raises
    ------
    DataError: a column is missing or null, a propensity is missing or not inside (0, 1), a decision
        or outcome is there twice, an arm that nobody was in, features of another length.
    """
    for name in (*KEYS, "action", "propensity"):
        if name not in frame.columns:
            near = did_you_mean(name, map(str, frame.columns))
            raise DataError(f"a trial needs the column {name!r}, which is missing.{near}")
        if name != "propensity" and frame[name].isna().any():
            at = int(frame[name].isna().to_numpy().argmax())
            raise DataError(f"the trial's row {at} has no {name}; every decision needs one")
    if not set(BETTER) & set(frame.columns):
        raise DataError(f"a trial needs an outcome: one of {', '.join(BETTER)}")
    _check_propensity(frame)
    _check_twice(frame)
    _check_outcomes(frame)
    drawn = set(frame["action"].astype(str))
    for arm in arms:
        if arm not in drawn:
            raise DataError(
                f"nobody was in the arm {arm!r}; there are {', '.join(sorted(drawn))}. Draw "
                "customers into it, or leave it out"
            )
    if features is not None and len(features) != len(frame):
        raise DataError(f"{len(frame)} decisions, but features of {len(features)}: one row each")
    plain = frame.reset_index(drop=True).copy()
    plain["action"] = plain["action"].astype(str)
    plain["propensity"] = plain["propensity"].astype(np.float64)
    if "offered" not in plain:
        plain["offered"] = None
    plain["offered"] = plain["offered"].astype(object).where(plain["offered"].notna(), None)
    treated = plain["action"] != NONE
    plain.loc[treated, "offered"] = plain.loc[treated, "action"]
    if "campaign" not in plain:
        plain["campaign"] = ""
    plain["campaign"] = plain["campaign"].fillna("").astype(str)
    known = None if features is None else features.reset_index(drop=True)
    return Trial(plain, known, MappingProxyType(dict(left_out or {})))


def joined(trials: Sequence[Trial]) -> Trial:
    """Several trials as one: a campaign's name says from which. Features where all have the same.

    DataError where a decision is in two of them, or some have features and others not.
    """
    if not trials:
        raise DataError("there is no trial to join")
    with_features = [one.features for one in trials if one.features is not None]
    if with_features and len(with_features) != len(trials):
        raise DataError("some of the trials have features and others none; give them to all")
    left_out: dict[str, int] = {}
    for one in trials:
        for reason, count in one.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
    frame = pd.concat([one.frame for one in trials], ignore_index=True)
    features = pd.concat(with_features, ignore_index=True) if with_features else None
    return trial(frame, features, left_out=left_out)


def pair(of: Trial, action: str, outcome: str) -> Pair:
    """The decisions that could have been ``action`` (or ``"all"``: any) and could have been none.

    DataError for an unknown outcome, and where nobody was in one of the two arms.
    """
    frame = of.frame
    if outcome not in frame.columns or outcome not in BETTER:
        known = [name for name in BETTER if name in frame.columns]
        raise DataError(f"the trial has no outcome {outcome!r}; it has {', '.join(known)}")
    actions = frame["action"].to_numpy(object)
    if action == ALL:
        treated = actions != NONE
        possible = np.ones(len(frame), dtype=bool)
    else:
        treated = actions == action
        offered = frame["offered"].to_numpy(object)
        campaigns = frame.loc[treated, "campaign"].unique()
        anybody = frame["offered"].isna().to_numpy(bool) & frame["campaign"].isin(
            campaigns
        ).to_numpy(bool)
        possible = treated | ((actions == NONE) & ((offered == action) | anybody))
    y = frame[outcome].to_numpy(np.float64)
    rows = np.flatnonzero(possible & np.isfinite(y))
    for arm, inside in ((action, treated[rows]), (NONE, actions[rows] == NONE)):
        if not inside.any():
            raise DataError(
                f"nobody was in the arm {arm!r} beside {NONE if arm == action else action!r}: an "
                f"effect needs both. The trial has {_counts(frame)}"
            )
    propensity = _treated_odds(frame, rows, treated[rows], action)
    customers = pd.factorize(frame["customer_id"].iloc[rows].astype(str), sort=True)[0]
    return Pair(action, outcome, rows, customers, treated[rows], propensity, y[rows])


def has_both(of: Trial, action: str) -> bool:
    """Whether somebody could have had the action and was left alone, and somebody had it."""
    frame = of.frame
    actions = frame["action"].to_numpy(object)
    if action == ALL:
        return bool((actions == NONE).any() and (actions != NONE).any())
    campaigns = frame.loc[actions == action, "campaign"].unique()
    anybody = (frame["offered"].isna() & frame["campaign"].isin(campaigns)).to_numpy(bool)
    spared = (actions == NONE) & ((frame["offered"].to_numpy(object) == action) | anybody)
    return bool(spared.any() and (actions == action).any())


def _treated_odds(of: pd.DataFrame, rows: Ints, treated: Bools, action: str) -> Floats:
    """P(treated | one of the two arms).

    A row that says what was offered had two arms, so the odds of the other are what is left. In a
    campaign that does not say it for those left alone, one action is the same, and of several the
    odds must be one figure an arm: then they are the campaign's.
    """
    frame = of.iloc[rows]
    own = frame["propensity"].to_numpy(np.float64)
    odds = np.where(treated, own, 1.0 - own)
    campaigns = frame["campaign"].to_numpy(object)
    drawn = of[of["action"] != NONE].groupby("campaign")["action"].nunique()
    for campaign in pd.unique(campaigns[frame["offered"].isna().to_numpy(bool)]):
        if drawn.get(campaign, 0) < 2:
            continue
        inside = campaigns == campaign
        figures = [np.unique(own[inside & (treated == arm)]) for arm in (True, False)]
        none = figures[1]
        if action == ALL and len(none) == 1:
            odds[inside] = 1.0 - none[0]
        elif action != ALL and len(figures[0]) == len(none) == 1:
            odds[inside] = figures[0][0] / (figures[0][0] + none[0])
        else:
            raise DataError(
                f"the campaign {campaign!r} drew from several actions with odds that differ by "
                "customer, and does not say which action those left alone could have had; log it "
                "as `offered`"
            )
    return odds


def _counts(frame: pd.DataFrame) -> str:
    counts = frame["action"].value_counts().sort_index()
    return ", ".join(f"{count} of {name!r}" for name, count in counts.items())


def _check_propensity(frame: pd.DataFrame) -> None:
    try:
        odds = frame["propensity"].astype(np.float64).to_numpy()
    except (TypeError, ValueError):
        raise DataError("the trial's propensity is not a number; it is a probability") from None
    wrong = ~((odds > 0) & (odds < 1))
    if not wrong.any():
        return
    at = int(wrong.argmax())
    who = f"customer {str(frame['customer_id'].iloc[at])!r} at {frame['time'].iloc[at]}"
    if np.isnan(odds[at]):
        raise DataError(
            f"the treatment of {who} has no propensity ({int(np.isnan(odds).sum())} such rows); "
            "state the probability with which its arm was drawn, or leave the row out"
        )
    raise DataError(
        f"the treatment of {who} has the propensity {odds[at]:g}, which is not inside (0, 1): what "
        "is certain was not drawn, and tells nothing of the other arm"
    )


def _check_twice(frame: pd.DataFrame) -> None:
    again = frame.duplicated(list(KEYS)).to_numpy(bool)
    if again.any():
        at = int(again.argmax())
        raise DataError(
            f"customer {str(frame['customer_id'].iloc[at])!r} at {frame['time'].iloc[at]} has two "
            f"outcomes in the trial ({int(again.sum())} such rows); a decision has one"
        )


def _check_outcomes(frame: pd.DataFrame) -> None:
    if "complained" in frame.columns:
        y = frame["complained"].to_numpy(np.float64, na_value=np.nan)
        wrong = ~(np.isnan(y) | (y == 0) | (y == 1))
        if wrong.any():
            at = int(wrong.argmax())
            raise DataError(f"the trial's row {at} has complained = {y[at]:g}; it is 0 or 1")
