"""What the complaints of each cause are about: topics (or channels) by what lies behind them.

A complaint has one of the causes that add up (models/risk/hazards.py), each with the chance of its
part in the sum; given the cause, the topic does not depend on the customer. So

    P(topic | complaint) = Σ part of the cause in the sum × P(topic | cause)

and P(topic | cause) is the likeliest under past complaints, whose causes nobody wrote down: each is
taken as caused by all its causes in proportion, again and again (EM, Dempster, Laird & Rubin 1977),
with the shares of all complaints as a prior.

>>> parts = np.array([[0.01, 0.3], [0.01, 0.0], [0.01, 0.2], [0.01, 0.0]])
>>> learn_about(parts, np.array([1, 0, 1, 0]), np.ones(4), 2, prior=0.1).round(1)
array([[1., 0.],
       [0., 1.]])
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.arrays import Floats, Ints
from models.risk.encode import Matrix
from models.risk.hazards import Hazards, hazards_from_json

PRIOR = 10.0
"""Complaints' worth of belief that a cause's are about what all are about."""
STEPS = 200
ENOUGH = 1e-3
"""Once no share moves by more, the search ends."""
LEAST = 1e-12
"""The least probability whose log is told."""


@dataclass(frozen=True)
class About:
    """``shares``: base and causes of ``hazards`` × choices; each row adds up to 1."""

    hazards: Hazards
    shares: Floats

    def probabilities(self, matrix: Matrix) -> Floats:
        """Rows × choices; each row adds up to 1.

        One cause after the other, so that a row's answer does not depend on other rows.
        """
        parts = self.hazards.parts(matrix)
        out, whole = np.zeros((len(parts), self.shares.shape[1])), np.zeros((len(parts), 1))
        for part, of_cause in zip(parts.T, self.shares, strict=True):
            out += part[:, None] * of_cause
            whole += part[:, None]
        out /= whole
        return out

    def score(self, matrix: Matrix) -> Floats:
        """The logs of the probabilities; of a choice that no complaint made yet, a finite one."""
        score: Floats = np.log(np.maximum(self.probabilities(matrix), LEAST))
        return score

    def to_json(self) -> dict[str, Any]:
        return {"hazards": self.hazards.to_json(), "shares": self.shares.tolist()}


def about_from_json(document: Mapping[str, Any]) -> About:
    return About(
        hazards_from_json(document["hazards"]), np.array(document["shares"], dtype=np.float64)
    )


def about(hazards: Hazards, matrix: Matrix, chosen: Ints, weights: Floats, choices: int) -> About:
    """From the rows of past complaints and the position of what each chose."""
    parts = hazards.parts(matrix)
    return About(hazards, learn_about(parts, chosen, weights, choices, prior=PRIOR))


def learn_about(
    parts: Floats, chosen: Ints, weights: Floats, choices: int, *, prior: float
) -> Floats:
    """P(choice | cause), causes × choices, from complaints × causes and what each chose."""
    of_all = np.bincount(chosen, weights, choices) / weights.sum()
    shares = np.tile(of_all, (parts.shape[1], 1))
    rows = [np.flatnonzero(chosen == choice) for choice in range(choices)]
    for _ in range(STEPS):
        caused = np.empty_like(shares)
        for choice, own in enumerate(rows):
            behind = parts[own] * shares[:, choice]
            caused[:, choice] = (weights[own] / behind.sum(axis=1)) @ behind
        next_shares = caused + prior * of_all
        next_shares /= next_shares.sum(axis=1, keepdims=True)
        moved = float(np.abs(next_shares - shares).max())
        shares = next_shares
        if moved < ENOUGH:
            break
    return shares
