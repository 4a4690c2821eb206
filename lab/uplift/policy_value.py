"""What would a policy have been worth? Doubly robust off-policy evaluation.

A policy names an action (or ``"none"``) for each decision of a trial. Where chance happened to do
the same, the outcome is seen; elsewhere a model of the arms stands in, and its error is corrected
by the odds: V = mean[m_π(x) + 1{A = π} (y - m_A(x)) / e_A] (Dudík, Langford & Li 2011, "Doubly
robust policy evaluation and learning", 2). It needs the odds of the arm that was drawn and no
others. Policies are compared on the same decisions, so most of the noise cancels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats
from data.errors import DataError
from models.risk.encode import learn_encoder
from models.uplift.clusters import clustered_mean
from models.uplift.folds import content_folds
from models.uplift.nuisance import UpliftTrees, boost, raw_predictions
from models.uplift.trial import BETTER, NONE, Trial

LEAST_FOR_TREES = 400
"""Fewer decisions in an arm: its mean stands in for a model."""


def expected_outcomes(of: Trial, outcome: str, *, trees: UpliftTrees | None = None) -> pd.DataFrame:
    """n × arms: each decision's expected outcome in each arm, from models that never saw the
    customer; an arm's mean where the trial has no features or the arm is small."""
    settings = trees or UpliftTrees()
    frame = of.frame
    y = frame[outcome].to_numpy(np.float64)
    actions = frame["action"].to_numpy(object)
    odds = frame["propensity"].to_numpy(np.float64)
    _, fold = content_folds(
        frame["customer_id"].astype(str).to_numpy(object), np.nan_to_num(y), settings.folds
    )
    encoder, matrix = None, None
    if of.features is not None:
        encoder = learn_encoder(of.features, [str(name) for name in of.features.columns])
        matrix = encoder.matrix(of.features)
    columns = {}
    for arm in (NONE, *of.actions):
        outcomes = np.empty(len(frame))
        for k in range(settings.folds):
            rows = (actions == arm) & (fold != k) & np.isfinite(y)
            if not rows.any():
                raise DataError(f"the arm {arm!r} has too few decisions to tell what it brings")
            here = fold == k
            if encoder is None or matrix is None or rows.sum() < LEAST_FOR_TREES:
                outcomes[here] = np.average(y[rows], weights=1.0 / odds[rows])
            else:
                booster = boost(matrix[rows], y[rows], settings, encoder.categorical)
                raw = raw_predictions(booster, matrix[here], settings)
                outcomes[here] = np.clip(raw, y[rows].min(), y[rows].max())
        columns[arm] = outcomes
    return pd.DataFrame(columns)


def policy_scores(of: Trial, policy: npt.ArrayLike, outcome: str, expected: pd.DataFrame) -> Floats:
    """n scores whose mean is the outcome under the policy; more is better.

    DataError for an action that the trial does not know, or that a decision could not have had.
    """
    frame = of.frame
    wanted = np.asarray(policy, dtype=object)
    if len(wanted) != len(frame):
        raise DataError(f"{len(frame)} decisions, but a policy for {len(wanted)}: one action each")
    arms = list(expected.columns)
    unknown = sorted({str(arm) for arm in wanted} - set(arms))
    if unknown:
        raise DataError(f"nobody was in the arm {unknown[0]!r}; there are {', '.join(arms)}")
    offered = frame["offered"].to_numpy(object)
    actions = frame["action"].to_numpy(object)
    elsewhere = (
        (wanted != NONE)
        & ~frame["offered"].isna().to_numpy(bool)
        & (offered != wanted)
        & (actions == NONE)
    )
    if elsewhere.any():
        at = int(elsewhere.argmax())
        raise DataError(
            f"the policy does {wanted[at]!r} at decision {at}, which could only have had "
            f"{offered[at]!r}: such a policy cannot be judged on this trial"
        )
    y = frame[outcome].to_numpy(np.float64)
    if not np.isfinite(y).all():
        raise DataError(
            f"{int((~np.isfinite(y)).sum())} decisions have no {outcome} yet: leave them out"
        )
    odds = frame["propensity"].to_numpy(np.float64)
    table = expected.to_numpy(np.float64)
    index = {arm: at for at, arm in enumerate(arms)}
    rows = np.arange(len(frame))
    model = table[rows, [index[arm] for arm in wanted]]
    own = table[rows, [index[arm] for arm in actions]]
    return BETTER[outcome] * (model + np.where(actions == wanted, (y - own) / odds, 0.0))


def compare_policies(
    of: Trial,
    policies: Mapping[str, npt.ArrayLike],
    outcome: str = "value",
    *,
    expected: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Each policy's value per decision beside treating nobody, with 95 % intervals.

    Parameters
    ----------
    policies: by name, n actions each.
    outcome: ``value`` for money; others with the sign that more is better.
    expected: what ``expected_outcomes`` returns, when it is known already.

    Returns
    -------
    ``policy, contacted`` (share), ``value, low, high, over_none, over_none_low, over_none_high,
    over_first, over_first_low, over_first_high``: the last against the first policy named.
    """
    known = expected_outcomes(of, outcome) if expected is None else expected
    customers = pd.factorize(of.frame["customer_id"].astype(str))[0]
    nobody = policy_scores(of, np.full(len(of.frame), NONE, dtype=object), outcome, known)
    scores = {name: policy_scores(of, policy, outcome, known) for name, policy in policies.items()}
    first = next(iter(scores.values()))
    lines = []
    for name, own in scores.items():
        line: dict[str, object] = {
            "policy": name,
            "contacted": float(np.mean(np.asarray(policies[name], dtype=object) != NONE)),
        }
        for column, beside in (("value", 0.0), ("over_none", nobody), ("over_first", first)):
            mean, se = clustered_mean(own - beside, customers)
            low, high = f"{column}_low", f"{column}_high"
            line |= {column: mean, low: mean - 1.96 * se, high: mean + 1.96 * se}
        lines.append(line)
    return pd.DataFrame(lines).rename(columns={"value_low": "low", "value_high": "high"})


def best_by(gains: pd.DataFrame, capacity: int | None = None) -> npt.NDArray[np.object_]:
    """The policy that takes each row's best action where its gain is above 0, the largest gains
    first until ``capacity`` is used; ties go to the earlier row and column."""
    table = gains.to_numpy(np.float64)
    best = table.argmax(axis=1)
    gain = table[np.arange(len(table)), best]
    chosen = np.full(len(table), NONE, dtype=object)
    order = np.argsort(-gain, kind="stable")
    take = order[gain[order] > 0][:capacity]
    chosen[take] = np.array(gains.columns, dtype=object)[best[take]]
    return chosen
