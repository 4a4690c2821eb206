"""The effect of every action on every customer, as far as the data tell it.

``fit_uplift`` sets each action beside being left alone, cross-fits the learners and stacks three of
their kinds (stack.py): ``proportional``, the ``mean`` of the trees ``t``, ``x`` and ``dr``, and
``linear``. The winner of many would be lucky, so none is picked: all weigh by the held-out doubly
robust loss, mean (score - effect)², which orders learners as their true error does (Kennedy 2023;
Knaus, Lechner & Strittmatter 2021). The stack is shrunk to the average effect by how sure its slope
is. The average is the answer where that slope is not above its error.

Effects are in the outcome's units: P(complaint) if contacted minus if not. Negative helps,
positive harms; ``gains`` turns the sign so that more is better.

Where there were far more customers left alone than contacted, some of them are drawn (by a hash)
and the odds set right for that: e' = e / (e + (1 - e) q).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats, Ints
from data.errors import DataError, NotEnoughHistory
from models.risk.encode import Encoder, learn_encoder
from models.uplift.folds import content_folds
from models.uplift.learners import LEARNERS, CrossFit, Rows, cross_fit
from models.uplift.nuisance import UpliftTrees
from models.uplift.shrink import Slope, keep_share, pooled, slope_of, sure_share
from models.uplift.stack import weights_of
from models.uplift.trial import BETTER, Pair, Trial, pair

AVERAGE = "average"
MEAN = "mean"
STACK = "stack"
_NAMES = (*LEARNERS, MEAN)
_TREES = [LEARNERS.index(name) for name in ("t", "x", "dr")]
_KINDS = [_NAMES.index(name) for name in ("proportional", MEAN, "linear")]
"""The columns that the stack weighs."""
LEAST_ROWS = 200
"""Fewer decisions in an arm than this, or less than ``LEAST_EVENTS``: only the average is told."""
LEAST_EVENTS = 20


@dataclass(frozen=True)
class Candidate:
    """A learner: its held-out loss minus the average's with its standard error (below 0: better),
    the slope of the scores on its differences, and the share of them that is kept."""

    learner: str
    loss: float
    loss_se: float
    slope: Slope
    keep: float


@dataclass(frozen=True)
class ActionEffect:
    """One action's effects. ``average``: over the decisions, weighted by e (1 - e), with ``se``;
    ``shrunk``: after pooling with the other actions. ``candidates``: the honest comparison."""

    action: str
    decisions: int
    average: float
    se: float
    shrunk: float
    chosen: str
    candidates: tuple[Candidate, ...]
    _fitted: CrossFit | None
    _means: Floats
    _weights: Floats

    @property
    def keep(self) -> float:
        """The share of predicted differences between customers that is kept."""
        return {c.learner: c.keep for c in self.candidates}.get(self.chosen, 0.0)


@dataclass(frozen=True)
class UpliftModel:
    """What ``fit_uplift`` returns; ``predict`` for whom it concerns."""

    outcome: str
    actions: Mapping[str, ActionEffect]
    encoder: Encoder | None

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Effects on the outcome: n rows × one column an action, in the outcome's units."""
        columns = {}
        matrix = None if self.encoder is None else self.encoder.matrix(features)
        for name, effect in self.actions.items():
            if effect._fitted is None or matrix is None or effect.keep == 0 or not len(features):
                columns[name] = np.full(len(features), effect.shrunk)
                continue
            kinds = _with_mean(effect._fitted.predict(matrix))[:, _KINDS] - effect._means
            columns[name] = effect.shrunk + effect.keep * (kinds @ effect._weights)
        return pd.DataFrame(columns, index=features.index)

    def gains(self, features: pd.DataFrame) -> pd.DataFrame:
        """The same with the sign that more is better: how much a contact helps."""
        return BETTER[self.outcome] * self.predict(features)

    def table(self) -> pd.DataFrame:
        """A row per action and candidate: what was compared, and what was taken."""
        return pd.DataFrame(
            [
                {
                    "action": effect.action,
                    "learner": c.learner,
                    "loss": c.loss,
                    "loss_se": c.loss_se,
                    "slope": c.slope.slope,
                    "slope_se": c.slope.se,
                    "keep": c.keep,
                    "chosen": c.learner == effect.chosen,
                }
                for effect in self.actions.values()
                for c in effect.candidates
            ]
        )


def fit_uplift(
    of: Trial,
    *,
    outcome: str = "complained",
    actions: Sequence[str] | None = None,
    trees: UpliftTrees | None = None,
) -> UpliftModel:
    """Learn every action's effects from the trial.

    Parameters
    ----------
    of: decisions with features; without features only averages are told.
    outcome: one of ``BETTER``.
    actions: which; None takes all that were drawn.
    trees: how the trees grow.

    Raises
    ------
    DataError: an action that nobody was in, an unknown outcome.
    NotEnoughHistory: nothing at all was drawn.
    """
    wanted = of.actions if actions is None else tuple(actions)
    if not wanted:
        raise NotEnoughHistory("nobody was contacted in the trial: there is no effect to learn")
    if outcome not in BETTER:
        raise DataError(f"{outcome!r} is no outcome; there are {', '.join(BETTER)}")
    settings = trees or UpliftTrees()
    encoder = (
        None
        if of.features is None
        else learn_encoder(of.features, [str(name) for name in of.features.columns])
    )
    estimates = {
        name: _fit_action(of, pair(of, name, outcome), encoder, settings) for name in wanted
    }
    shrunk = pooled(
        np.array([e.average for e in estimates.values()]),
        np.array([e.se for e in estimates.values()]),
    )
    effects = {
        name: ActionEffect(
            effect.action,
            effect.decisions,
            effect.average,
            effect.se,
            float(value),
            effect.chosen,
            effect.candidates,
            effect._fitted,
            effect._means,
            effect._weights,
        )
        for (name, effect), value in zip(estimates.items(), shrunk, strict=True)
    }
    return UpliftModel(outcome, effects, encoder)


def _fit_action(of: Trial, two: Pair, encoder: Encoder | None, trees: UpliftTrees) -> ActionEffect:
    frame = of.frame.iloc[two.rows]
    names = frame["customer_id"].astype(str).to_numpy(object)
    if encoder is None or of.features is None or not _enough(two):
        average, se = _plain_average(two)
        none = np.zeros(0)
        return ActionEffect(
            two.action, len(two.rows), average, se, average, AVERAGE, (), None, none, none
        )
    order, fold = content_folds(names, np.column_stack([two.y, two.treated]), trees.folds)
    inside, odds = _thinned(
        two, trees.none_per_contact, names + frame["time"].astype(str).to_numpy(object), order
    )
    rows = Rows(
        encoder.matrix(of.features.iloc[two.rows[inside]]),
        encoder,
        two.y[inside],
        two.treated[inside],
        odds,
        fold[inside],
    )
    fitted = cross_fit(rows, trees)
    customers, weight = two.customers[inside], rows.weight
    held_out = _with_mean(fitted.held_out)
    average, se = _average(fitted.scores, weight, customers)
    above = fitted.scores - fitted.average

    def candidate(name: str, differs: Floats) -> Candidate:
        slope = slope_of(fitted.scores, differs, fitted.average, weight, customers)
        keep = float((sure_share if name == STACK else keep_share)(*slope))
        own = keep * (differs - np.average(differs, weights=weight))
        return Candidate(
            name, *_average((above - own) ** 2 - above**2, weight, customers), slope, keep
        )

    kinds = held_out[:, _KINDS]
    weights, means = weights_of(kinds, above, weight), np.average(kinds, axis=0, weights=weight)
    candidates = [
        Candidate(AVERAGE, 0.0, 0.0, Slope(0.0, np.inf), 0.0),
        *(candidate(name, held_out[:, at]) for at, name in enumerate(_NAMES)),
        candidate(STACK, (kinds - means) @ weights),
    ]
    return ActionEffect(
        two.action,
        len(two.rows),
        average,
        se,
        average,
        STACK if candidates[-1].loss < 0 else AVERAGE,
        tuple(candidates),
        fitted,
        means,
        weights,
    )


def _enough(two: Pair) -> bool:
    """Whether trees could say anything: rows and, of a yes-or-no outcome, both answers."""
    arms = [two.y[two.treated], two.y[~two.treated]]
    if min(map(len, arms)) < LEAST_ROWS:
        return False
    rare = [min(np.sum(y > y.min()), np.sum(y < y.max())) for y in arms]
    return bool(min(rare) >= LEAST_EVENTS)


def _plain_average(two: Pair) -> tuple[float, float]:
    """Difference of the arms' weighted means (Hajek), and its standard error."""
    parts = []
    for arm, odds in ((two.treated, two.propensity), (~two.treated, 1.0 - two.propensity)):
        w = (two.weight / odds)[arm]
        mean = np.average(two.y[arm], weights=w)
        of_customer = np.bincount(two.customers[arm], weights=w * (two.y[arm] - mean))
        parts.append((mean, np.sum(of_customer**2) / np.sum(w) ** 2))
    # an arm of a few equal outcomes is not known to have no spread
    (m1, v1), (m0, v0) = parts
    smallest = max(1.0, float(np.ptp(two.y))) ** 2 / len(two.y) ** 2
    return float(m1 - m0), float(np.sqrt(max(v1 + v0, smallest)))


def _thinned(
    two: Pair, none_per_contact: float, keys: npt.NDArray[np.object_], order: Ints
) -> tuple[Ints, Floats]:
    """The rows to read, in the order of content, and P(contacted) among them."""
    left_alone = int((~two.treated).sum())
    q = min(1.0, none_per_contact * int(two.treated.sum()) / max(left_alone, 1))
    odds = two.propensity / (two.propensity + (1.0 - two.propensity) * q)
    if q == 1.0:
        return order, odds[order]
    draw = pd.util.hash_array(keys)
    keep = two.treated | (draw / 2.0**64 < q)
    inside = order[keep[order]]
    return inside, odds[inside]


def _average(values: Floats, weight: Floats, customers: Ints) -> tuple[float, float]:
    mean = float(np.average(values, weights=weight))
    of_customer = np.bincount(customers, weights=weight * (values - mean))
    return mean, float(np.sqrt(np.sum(of_customer**2)) / weight.sum())


def _with_mean(columns: Floats) -> Floats:
    """The learners' columns and, as the last, the mean of t, x and dr."""
    return np.column_stack([columns, columns[:, _TREES].mean(axis=1)])
