"""Causes that add up, borne by customers who complain more or less readily.

Two overdue orders are twice as much to complain about as one, and an error on top adds to both: the
intensity of complaints is a sum over amounts, each at a rate that is never negative (an additive
hazard, Aalen 1989), times the customer's tendency. That tendency is gamma distributed and known by
what they bore: after n complaints under exposures X its mean is (shape + n) / (shape + weights·X)
(a shared frailty, Clayton 1978). With s = base + rates·x the chance of no complaint is

    (A / (A + s)) ** r        A = shape + weights · ever        r = shape + complaints so far

A tree needs many rows to find that sums are sums; here every rate is learned from all rows that
have any of its amount, so a few thousand complaints are enough. Which amounts are causes is left to
the likelihood, under a penalty that sets most rates to zero. ``now`` and ``ever`` are the roles of
features (features/roles.py).

Amounts are added one by one in a fixed order, so a row's score does not depend on other rows.

>>> made = Hazards(base=0.02, causes=(Cause(0, 0.3, 0.1, 9.0),), ever=(), complaints=None,
...                shape=1.0, usual_complaints=0.0)
>>> risk = 1 / (1 + np.exp(-made.score(np.array([[0.0], [2.0]], dtype=np.float32))))
>>> risk.round(4)
array([0.0196, 0.3827])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from data.arrays import Bools, Floats, Ints
from models.risk.encode import Encoder, Matrix

COMPLAINTS = "tickets_complaint_count"
"""The feature that tells how often a customer has complained so far."""
NO_EXPOSURE = ("tickets_count", COMPLAINTS)
"""Amounts since ever that follow from the tendency, so that they cannot tell what it bore."""
STEPS = 60
"""Newton steps at the most."""
ENOUGH = 1e-6
"""A step that gains less than this many nats a complaint is the last."""
TINY = 1e-12
SUREST = 14.0
"""Log odds at most: one in a million is sure of nothing."""


class Cause(NamedTuple):
    """A column of the matrix, its rate (weight for an exposure), its mean in training, and the
    most there was of it: of more than was ever seen nobody knows that it counts for more."""

    column: int
    rate: float
    mean: float
    most: float

    def amount(self, matrix: Matrix) -> Floats:
        """What each row has of it."""
        return np.minimum(_amount(matrix, self.column), self.most)


@dataclass(frozen=True)
class Hazards:
    """See the module's docstring; ``complaints``: the column of the number so far, if there is."""

    base: float
    causes: tuple[Cause, ...]
    ever: tuple[Cause, ...]
    complaints: int | None
    shape: float
    usual_complaints: float

    @property
    def intercept(self) -> float:
        """The log odds of somebody with the mean of every amount."""
        usual = self.base + sum(c.rate * c.mean for c in self.causes)
        borne = self.shape + sum(c.rate * c.mean for c in self.ever)
        one = np.ones(1)
        readiness = self.shape + self.usual_complaints
        return float(_log_odds(one * usual, one * borne, one * readiness)[0])

    def score(self, matrix: Matrix) -> Floats:
        """Log odds per row."""
        return _log_odds(*self._sums(matrix))

    def contributions(self, matrix: Matrix) -> Floats:
        """Log odds per row and column, which add up to the score with ``intercept``.

        The score moves from the mean's along three straight lines: what the customer bore, how
        often they complained, what is there now; within each, a column's share is its own part of
        the sum that moves (Aumann-Shapley, exact since the score depends on the sum alone).
        """
        out = np.zeros(matrix.shape)
        now, borne, readiness = self._sums(matrix)
        one = np.ones(len(matrix))
        usual = one * (self.base + sum(c.rate * c.mean for c in self.causes))
        usual_borne = one * (self.shape + sum(c.rate * c.mean for c in self.ever))
        usual_readiness = one * (self.shape + self.usual_complaints)
        whole = _log_odds(usual, usual_borne, usual_readiness)
        exposed = _log_odds(usual, borne, usual_readiness)
        ready = _log_odds(usual, borne, readiness)
        self._share(out, matrix, self.ever, exposed - whole, borne - usual_borne)
        if self.complaints is not None:
            out[:, self.complaints] += ready - exposed
        self._share(out, matrix, self.causes, _log_odds(now, borne, readiness) - ready, now - usual)
        return out

    def _share(
        self, out: Floats, matrix: Matrix, of: Sequence[Cause], moved: Floats, by: Floats
    ) -> None:
        still = np.abs(by) < TINY
        pace = np.where(still, 0.0, moved / np.where(still, 1.0, by))
        for cause in of:
            out[:, cause.column] += pace * cause.rate * (cause.amount(matrix) - cause.mean)

    def parts(self, matrix: Matrix) -> Floats:
        """Rows × (base, causes): what adds up to the intensity of somebody of usual tendency."""
        base = np.full(len(matrix), self.base)
        return np.column_stack([base, *(c.rate * c.amount(matrix) for c in self.causes)])

    def _sums(self, matrix: Matrix) -> tuple[Floats, Floats, Floats]:
        now = np.full(len(matrix), self.base)
        for cause in self.causes:
            now += cause.rate * cause.amount(matrix)
        borne = np.full(len(matrix), self.shape)
        for cause in self.ever:
            borne += cause.rate * cause.amount(matrix)
        readiness = np.full(len(matrix), self.shape)
        if self.complaints is not None:
            readiness += _amount(matrix, self.complaints)
        return now, borne, readiness

    def to_json(self) -> dict[str, Any]:
        return {
            "base": self.base,
            "causes": [list(cause) for cause in self.causes],
            "ever": [list(cause) for cause in self.ever],
            "complaints": self.complaints,
            "shape": self.shape,
            "usual_complaints": self.usual_complaints,
        }


def hazards_from_json(document: Mapping[str, Any]) -> Hazards:
    def causes(rows: Sequence[Sequence[float]]) -> tuple[Cause, ...]:
        return tuple(Cause(int(column), *map(float, numbers)) for column, *numbers in rows)

    return Hazards(
        base=float(document["base"]),
        causes=causes(document["causes"]),
        ever=causes(document["ever"]),
        complaints=document["complaints"],
        shape=float(document["shape"]),
        usual_complaints=float(document["usual_complaints"]),
    )


class Roles(NamedTuple):
    """Columns by what they can be: causes, exposures, the number of complaints so far."""

    causes: tuple[int, ...]
    ever: tuple[int, ...]
    complaints: int | None


def roles_of(encoder: Encoder, roles: Mapping[str, str]) -> Roles:
    """The columns that play a part, by the roles of their features; without any, no causes."""
    place = {name: at for at, name in enumerate(encoder.columns) if name not in encoder.categories}
    ever = [
        at
        for name, at in place.items()
        if roles.get(name) in ("ever", "tenure") and name not in NO_EXPOSURE
    ]
    causes = [at for name, at in place.items() if roles.get(name) == "now"]
    known = COMPLAINTS in place and bool(causes)
    return Roles(tuple(causes), tuple(ever), place[COMPLAINTS] if known else None)


def fit_hazards(
    matrix: Matrix,
    y: Floats,
    weights: Floats,
    roles: Roles,
    *,
    penalty: float,
    start: Hazards | None = None,
) -> Hazards:
    """The likeliest rates, weights and shape; ``start``: a model to begin from.

    ``penalty``: the complaints' worth of evidence that a cause must bring to be one; amounts are
    counted in their means for it, so units do not matter. Projected Newton steps (Bertsekas 1982)
    with the expected information as curvature.
    """
    rate = float(np.clip(np.average(y, weights=weights), 1e-6, 0.9))
    amounts, now_means = _scaled(matrix, roles.causes, weights)
    now = np.hstack([np.ones((len(y), 1), order="F"), amounts])
    ever, ever_means = _scaled(matrix, roles.ever, weights)
    so_far = np.zeros(len(y)) if roles.complaints is None else _amount(matrix, roles.complaints)
    rates, borne, shape = _begin(roles, now_means, ever_means, rate, start)
    likelihood = _Likelihood(now, ever, so_far, y, weights, penalty / rate)
    lowest = np.concatenate([[1e-3 * rate], np.zeros(len(rates) - 1 + len(borne)), [-2.0]])
    none = np.concatenate([[False], now_means == 0, ever_means == 0, [False]])
    at = likelihood.highest(np.concatenate([rates, borne, [np.log(shape)]]), lowest, none)
    rates, borne, shape = at[: len(rates)], at[len(rates) : -1], float(np.exp(at[-1]))

    def causes(columns: Sequence[int], own_rates: Floats, means: Floats) -> tuple[Cause, ...]:
        return tuple(
            Cause(column, float(own / mean), float(mean), float(_amount(matrix, column).max()))
            for column, own, mean in zip(columns, own_rates, means, strict=True)
            if mean > 0 and own > 1e-6 * rate
        )

    return Hazards(
        base=float(rates[0]),
        causes=causes(roles.causes, rates[1:], now_means),
        ever=causes(roles.ever, borne, ever_means),
        complaints=roles.complaints,
        shape=shape,
        usual_complaints=float(np.average(so_far, weights=weights)),
    )


class _Slopes(NamedTuple):
    """The gradient, and by row what a unit of now, of ever and of the shape's log moves."""

    gradient: Floats
    of_now: Floats
    of_ever: Floats
    of_shape: Floats


class _Likelihood:
    """Of rates of ``now``, weights of ``ever`` and the log of the shape, in this order; times -1,
    with the penalty on all rates but the first."""

    def __init__(
        self, now: Floats, ever: Floats, so_far: Floats, y: Floats, weights: Floats, penalty: float
    ) -> None:
        self.now, self.ever, self.so_far, self.y, self.weights = now, ever, so_far, y, weights
        self.penalty = np.append(0.0, np.full(now.shape[1] - 1, penalty))
        self.events = max(float((weights * y).sum()), 1.0)

    def highest(self, at: Floats, lowest: Floats, none: Bools) -> Floats:
        """Where it is least, from ``at`` on, never below ``lowest``, those in ``none`` left out."""
        at = np.where(none, 0.0, at)
        value = self.value(at)
        for _ in range(STEPS):
            slopes = self.slopes(at)
            held = none | ((at <= lowest + TINY) & (slopes.gradient > 0))
            moving = np.flatnonzero(~held)
            own = self.information(slopes, moving)
            own[np.diag_indices(len(own))] += 1e-8 * np.trace(own) / max(len(own), 1)
            step = np.zeros(len(at))
            step[moving] = -np.linalg.solve(own, slopes.gradient[moving])
            length = 1.0
            while True:
                tried = np.where(none, 0.0, np.maximum(at + length * step, lowest))
                tried[-1] = min(tried[-1], 3.0)
                next_value = self.value(tried)
                if next_value <= value or length < 1e-4:
                    break
                length /= 2
            gained = value - next_value
            if gained <= 0:
                break
            at, value = tried, next_value
            if gained < ENOUGH * self.events:
                break
        return at

    def value(self, at: Floats) -> float:
        """Its value: nats."""
        _, _, _, log_none, some, shaped = self._parts(at)
        value = -float((self.weights * (self.y * np.log(some) + (1 - self.y) * log_none)).sum())
        return value + float(self.penalty @ at[: self.now.shape[1]]) + 0.5 * shaped**2

    def slopes(self, at: Floats) -> _Slopes:
        """The gradient at ``at``, and of what each row's part of it is made."""
        s, A, r, _, some, shaped = self._parts(at)
        by_s, by_a = -r / (A + s), r * s / (A * (A + s))
        by_shape = (by_a - np.log1p(s / A)) * np.exp(shaped)
        error = -self.weights * ((1 - self.y) - self.y * (1 - some) / some)
        gradient = np.concatenate(
            [
                self.now.T @ (by_s * error) + self.penalty,
                self.ever.T @ (by_a * error),
                [by_shape @ error + shaped],
            ]
        )
        heft = np.sqrt(self.weights * (1 - some) / some)
        return _Slopes(gradient, by_s * heft, by_a * heft, by_shape * heft)

    def information(self, slopes: _Slopes, places: Ints) -> Floats:
        """The expected information of ``places``, most of which are held in most steps: it costs
        rows times their square. In single precision: that changes the path of the steps, not where
        they end."""
        rates, last = self.now.shape[1], len(slopes.gradient) - 1
        design = np.empty((len(self.y), len(places)), dtype=np.float32, order="F")
        for column, place in enumerate(places.tolist()):
            if place < rates:
                design[:, column] = self.now[:, place] * slopes.of_now
            elif place < last:
                design[:, column] = self.ever[:, place - rates] * slopes.of_ever
            else:
                design[:, column] = slopes.of_shape
        information = (design.T @ design).astype(np.float64)
        information[np.diag_indices(len(places))] += places == last
        return information

    def _parts(self, at: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, float]:
        rates = self.now.shape[1]
        some = np.flatnonzero(at[:rates])
        s = self.now[:, some] @ at[some] + TINY
        shape = float(np.exp(at[-1]))
        A, r = shape + self.ever @ at[rates:-1], shape + self.so_far
        log_none = -r * np.log1p(s / A)
        return s, A, r, log_none, np.maximum(-np.expm1(log_none), TINY), float(at[-1])


def _begin(
    roles: Roles, now: Floats, ever: Floats, rate: float, start: Hazards | None
) -> tuple[Floats, Floats, float]:
    """Rates and weights of scaled amounts to begin from."""
    if start is None:
        many = 1 + int((now > 0).sum())
        rates = np.append(1.0, (now > 0) * 1.0) * rate / many
        return rates, (ever > 0) * 0.5 / max(1, len(ever)), 1.0
    start_rates, borne = ({c.column: c.rate for c in of} for of in (start.causes, start.ever))
    known = [
        start.base,
        *(start_rates.get(c, 0.0) * m for c, m in zip(roles.causes, now, strict=True)),
    ]
    weights = [borne.get(c, 0.0) * m for c, m in zip(roles.ever, ever, strict=True)]
    return np.array(known), np.array(weights), start.shape


def _scaled(matrix: Matrix, columns: Sequence[int], weights: Floats) -> tuple[Floats, Floats]:
    """Amounts over their means, 0 where all are; and the means."""
    out = np.empty((len(matrix), len(columns)), order="F")  # columns are read one by one
    means = np.zeros(len(columns))
    for at, column in enumerate(columns):
        amount = _amount(matrix, column)
        means[at] = float(np.average(amount, weights=weights))
        out[:, at] = amount / means[at] if means[at] > 0 else 0.0
    return out, means


def _amount(matrix: Matrix, column: int) -> Floats:
    """A column as an amount: nothing where it is not known, or below nothing."""
    values = matrix[:, column].astype(np.float64)
    return np.where(values > 0, values, 0.0)


def _log_odds(s: Floats, A: Floats, r: Floats) -> Floats:
    """Of at least one complaint; nobody is surer to complain than ``SUREST``."""
    expected = np.minimum(r * np.log1p(s / A), SUREST)
    return np.log(np.expm1(expected))
