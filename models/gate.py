"""May this model go to work? Judged on the same rows as the one at work and the simplest ones.

A candidate passes if all of this holds; each line of the verdict says what was found:

- its predictions are finite;
- it beats every simple baseline: a risk model over all its horizons and beyond the noise of the
  sample (``models/floor.py`` has the rule), others on the mean, and whether beyond noise is said;
- it is not worse than the champion: better on the mean, or behind by no more than ``tolerance``
  and by no more than noise explains;
- its calibration slope and its level are in bounds, or not surely other than 1, the slope at other
  horizons than the middle one in wider bounds (eight weeks hold two windows of 30 days); the
  coverage of its intervals is not out of bounds by more than noise explains;
- ``models/faults.py`` finds no leak, no broken group, and no cost beyond its limit.

The first model has no champion and meets the baselines only.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> p = rng.beta(1, 9, 4000)
>>> y = (rng.random(4000) < p).astype(float)
>>> evaluation = Evaluation(y, baselines={"chance": rng.random(4000)})
>>> gate(p, None, evaluation).passed
True
>>> print(gate(rng.permutation(p), p, evaluation).refusals[0])
average precision ... does not beat chance's ... (difference ...)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from data.errors import DataError
from models.bootstrap import Prediction
from models.floor import Floor, compared
from models.metrics import (
    Interval,
    average_precision,
    bootstrap,
    calibration_slope,
    coverage,
    observed_over_predicted,
    paired_bootstrap,
    wape,
)


@dataclass(frozen=True)
class Evaluation:
    """The rows that judge: actuals, who they belong to, and what the baselines said about them.

    ``low`` and ``high`` are the ends of the candidate's interval, where ``Rules.coverage`` asks.
    """

    y: npt.ArrayLike
    groups: npt.ArrayLike | None = None
    baselines: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    low: npt.ArrayLike | None = None
    high: npt.ArrayLike | None = None
    seed: int = 0
    resamples: int = 200


@dataclass(frozen=True)
class Rules:
    """What a kind of model is held to. Bounds are (lowest, highest) and None where not asked."""

    metric: Callable[..., float]
    name: str
    higher_is_better: bool
    tolerance: float = 0.02
    """How far behind the champion, as a share of the champion's metric, when noise explains it."""
    confidence: float = 0.9
    """That the candidate beats a baseline: one-sided, or shared by a floor's two gains."""
    slope: tuple[float, float] | None = None
    """Of the calibration, at the middle horizon; at the others ``slope_elsewhere``."""
    slope_elsewhere: tuple[float, float] | None = None
    level: tuple[float, float] | None = None
    """Observed over predicted."""
    coverage: tuple[float, float] | None = None


RISK = Rules(
    average_precision,
    "average precision",
    True,
    slope=(0.8, 1.25),
    slope_elsewhere=(0.7, 1 / 0.7),
    level=(2 / 3, 1.5),
)
VOLUME = Rules(wape, "WAPE", False)


@dataclass(frozen=True)
class GateDecision:
    """The verdict: every finding as a line, those that refuse, and all numbers by name."""

    passed: bool
    reasons: tuple[str, ...]
    refusals: tuple[str, ...]
    numbers: Mapping[str, float]

    def __str__(self) -> str:
        return "; ".join(self.reasons if self.passed else self.refusals)


def gate(
    candidate: npt.ArrayLike,
    champion: npt.ArrayLike | None,
    evaluation: Evaluation,
    rules: Rules = RISK,
    floor: Floor | None = None,
) -> GateDecision:
    """Judge the candidate's predictions against the champion's (None: there is none) on the rows.

    ``floor``: what it and the baselines say at every horizon; these must be beaten beyond noise.
    A figure that is not defined (one class only, say) raises DataError, as the metrics do: nobody
    can be promoted on rows that cannot judge.
    """
    verdict = _Verdict()
    predicted = np.asarray(candidate, dtype=np.float64)
    if not _all_finite(verdict, predicted):
        return verdict.decision()
    if not evaluation.baselines and floor is None and champion is None:
        raise DataError("a first model needs a baseline to be compared with; give one at least")
    value = rules.metric(evaluation.y, predicted)
    verdict.numbers[_key(rules.name)] = value
    for name, baseline in evaluation.baselines.items():
        gain = _gain(rules, evaluation, predicted, baseline, 2 * rules.confidence - 1)
        other = rules.metric(evaluation.y, baseline)
        verdict.note(f"gain over {name}", gain)
        what = f"{rules.name} {value:.4g}"
        noise = "" if gain.low > 0 else ", within noise"
        if gain.estimate > 0:
            verdict.say(True, f"{what} beats {name}'s {other:.4g} (difference {gain}{noise})")
        else:
            verdict.say(False, f"{what} does not beat {name}'s {other:.4g} (difference {gain})")
    for against in compared(floor, rules.confidence) if floor is not None else ():
        verdict.say(against.cleared, str(against))
        verdict.note(f"gain over {against.name}", against.precision_gain)
        verdict.note(f"log loss gain over {against.name}", against.loss_gain)
    if champion is not None:
        _against_champion(verdict, rules, evaluation, predicted, champion, value)
    _in_bounds(verdict, rules, evaluation, predicted)
    return verdict.decision()


@dataclass(frozen=True)
class Horizon:
    """One further horizon's rows: what candidate and champion (None: not known) say of them, and
    the candidate's slope and level (observed over predicted) where they are defined."""

    candidate: npt.ArrayLike
    champion: npt.ArrayLike | None
    evaluation: Evaluation
    slope: Interval | None = None
    level: Interval | None = None


def joined(
    decision: GateDecision,
    horizons: Mapping[str, Horizon],
    kept_back: Sequence[str] = (),
    rules: Rules = RISK,
    findings: Sequence[tuple[bool, str]] = (),
) -> GateDecision:
    """The verdict, and beside it the other horizons', by name: they must be finite, not worse than
    the champion, and in bounds. What a horizon's rows cannot judge is said. ``findings``: what
    ``models/faults.py`` finds, each line with whether it passes. ``kept_back``: further refusals.
    """
    verdict = _Verdict()
    verdict.numbers |= decision.numbers
    for line in decision.reasons:
        verdict.say(line not in decision.refusals, line)
    for name, of in horizons.items():
        one = _Verdict()
        predicted = np.asarray(of.candidate, dtype=np.float64)
        if _all_finite(one, predicted):
            _of_horizon(one, rules, of, predicted)
        for line in one.reasons:
            verdict.say(line not in one.refusals, f"{name}: {line}")
        verdict.numbers |= {f"{_key(name)}_{key}": number for key, number in one.numbers.items()}
    for passed, line in findings:
        verdict.say(passed, line)
    for line in kept_back:
        verdict.say(False, line)
    return verdict.decision()


def _of_horizon(
    verdict: _Verdict, rules: Rules, of: Horizon, predicted: npt.NDArray[np.float64]
) -> None:
    if of.champion is not None:
        try:
            value = rules.metric(of.evaluation.y, predicted)
            _against_champion(verdict, rules, of.evaluation, predicted, of.champion, value)
        except DataError as error:
            verdict.say(True, f"not judged beside the champion: {error}")
    for name, limits, interval in (
        ("calibration slope", rules.slope_elsewhere, of.slope),
        ("observed over predicted", rules.level, of.level),
    ):
        if limits is not None and interval is not None:
            _bound(verdict, name, limits, interval)


def _all_finite(verdict: _Verdict, predicted: npt.NDArray[np.float64]) -> bool:
    broken = int((~np.isfinite(predicted)).sum())
    verdict.say(
        not broken,
        f"{broken} of {predicted.size} predictions are not finite"
        if broken
        else f"all {predicted.size} predictions are finite",
    )
    return not broken


def gate_fallback(
    candidate: npt.ArrayLike,
    champion: npt.ArrayLike | None,
    evaluation: Evaluation | None,
    *,
    at_work: Literal["nothing", "rule", "learned"],
    called: str = "a rule, served until there is enough to learn from",
    rules: Rules = RISK,
) -> GateDecision:
    """Judge a simple baseline that stands in where no model could be learned, or none passed.

    It is a baseline, so there is none for it to beat: its predictions must be finite. Where a
    model is at work already (``at_work``), it must also not be worse than the ``champion``'s
    predictions on the same rows, and its level not be out of bounds by more than noise explains;
    in the place of a model that has learned it takes rows to show that. In the place of nothing it
    is better than that, and its level is told. ``evaluation`` is None where no row can judge.
    """
    verdict = _Verdict()
    verdict.say(True, f"{called}: it has none to beat")
    predicted = np.asarray(candidate, dtype=np.float64)
    if not _all_finite(verdict, predicted):
        return verdict.decision()
    unknown = "the model at work has learned, and cannot be compared with a rule"
    if evaluation is None or not _has_both(evaluation.y):
        verdict.say(True, "there are no rows with and without a complaint to judge it by yet")
        if at_work == "learned":
            verdict.say(False, unknown)
        return verdict.decision()
    value = rules.metric(evaluation.y, predicted)
    verdict.numbers[_key(rules.name)] = value
    try:
        if champion is not None:
            _against_champion(verdict, rules, evaluation, predicted, champion, value)
        elif at_work == "learned":
            verdict.say(False, unknown)
        _in_bounds(verdict, replace(rules, slope=None), evaluation, predicted)
    except DataError as error:  # a handful of complaints: resamples that hold none
        verdict.say(at_work != "learned", f"too few complaints to judge it by: {error}")
    if at_work == "nothing":
        verdict.refusals.clear()
    return verdict.decision()


def _has_both(y: npt.ArrayLike) -> bool:
    return len(np.unique(np.asarray(y, dtype=np.float64))) > 1


class _Verdict:
    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.refusals: list[str] = []
        self.numbers: dict[str, float] = {}

    def say(self, passed: bool, line: str) -> None:
        self.reasons.append(line)
        if not passed:
            self.refusals.append(line)

    def note(self, name: str, interval: Interval) -> None:
        key = _key(name)
        self.numbers |= {
            key: interval.estimate,
            f"{key}_low": interval.low,
            f"{key}_high": interval.high,
        }

    def decision(self) -> GateDecision:
        return GateDecision(
            not self.refusals, tuple(self.reasons), tuple(self.refusals), dict(self.numbers)
        )


def _against_champion(
    verdict: _Verdict,
    rules: Rules,
    evaluation: Evaluation,
    candidate: npt.ArrayLike,
    champion: npt.ArrayLike,
    value: float,
) -> None:
    gain = _gain(rules, evaluation, candidate, champion, 0.95)
    other = rules.metric(evaluation.y, champion)
    verdict.note("gain over champion", gain)
    line = f"{rules.name} {value:.4g} against the champion's {other:.4g} (difference {gain})"
    allowed = rules.tolerance * abs(other)
    if gain.estimate >= 0:
        verdict.say(True, f"{line}: not worse")
    elif gain.high >= 0 and -gain.estimate <= allowed:
        verdict.say(True, f"{line}: behind by noise, within the tolerance of {allowed:.4g}")
    else:
        verdict.say(False, f"{line}: worse than the model at work")


def _in_bounds(
    verdict: _Verdict, rules: Rules, evaluation: Evaluation, candidate: npt.ArrayLike
) -> None:
    def spread(metric: Callable[..., float], prediction: Prediction) -> Interval:
        return bootstrap(
            metric,
            evaluation.y,
            prediction,
            groups=evaluation.groups,
            seed=evaluation.seed,
            resamples=evaluation.resamples,
        )

    figures: list[tuple[str, tuple[float, float], Interval]] = []
    if np.ptp(np.asarray(candidate, dtype=np.float64)) == 0 and rules.slope is not None:
        verdict.say(False, "everybody has the same prediction: nobody is told from another")
    elif rules.slope is not None:
        try:
            slope = spread(calibration_slope, candidate)
            figures.append(("calibration slope", rules.slope, slope))
        except DataError as error:
            if not _has_both(evaluation.y):
                raise
            verdict.say(False, f"calibration slope: there is none ({error})")
    if rules.level is not None:
        level = spread(observed_over_predicted, candidate)
        figures.append(("observed over predicted", rules.level, level))
    if rules.coverage is not None:
        if evaluation.low is None or evaluation.high is None:
            raise DataError("coverage can only be judged with both ends of the interval: low, high")
        ends = (evaluation.low, evaluation.high)
        share = spread(coverage, ends)
        figures.append(("coverage", rules.coverage, share))
    for name, limits, interval in figures:
        _bound(verdict, name, limits, interval)


def _bound(verdict: _Verdict, name: str, limits: tuple[float, float], interval: Interval) -> None:
    lowest, highest = limits
    verdict.note(name, interval)
    inside = lowest <= interval.estimate <= highest
    if name == "coverage":
        within = interval.high >= lowest and interval.low <= highest
    else:  # out of bounds, and by more than chance away from what is right
        within = inside or interval.low <= 1 <= interval.high
    where = "within" if inside else "not surely outside of" if within else "outside of"
    verdict.say(within, f"{name} {interval} is {where} {lowest:.3g} to {highest:.3g}")


def _gain(
    rules: Rules, evaluation: Evaluation, a: npt.ArrayLike, b: npt.ArrayLike, level: float
) -> Interval:
    """How much better ``a`` is than ``b``: positive is better whatever the metric's direction."""
    first, second = (a, b) if rules.higher_is_better else (b, a)
    return paired_bootstrap(
        rules.metric,
        evaluation.y,
        first,
        second,
        evaluation.groups,
        evaluation.seed,
        resamples=evaluation.resamples,
        level=level,
    )


def _key(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")
