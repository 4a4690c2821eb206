"""Should the model at work stand? Answers it gives, how long they take, and whether the champion
before it would do better now.

A model goes back only for something that the one before does not have as well: where the world
changed, both are wrong, and going back mends nothing. So a broken calibration counts only if the
former champion's log loss on the same live rows is lower beyond noise; errors and slowness only if
the former has neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from data.errors import DataError
from data.tables import Tables
from features.compute import compute
from models.faults import seconds_of
from models.metrics import log_loss, paired_bootstrap
from serving.monitoring.finding import Finding, Status
from serving.predictor import Predictor

MOST_CUSTOMERS = 200
"""Customers whose answers are looked at."""


@dataclass(frozen=True)
class Answers:
    """What a model answered of so many customers: how many answers were no probabilities, and the
    CPU seconds of one with its reasons. ``error``: why it gave none."""

    count: int
    wrong: int = 0
    seconds: float = 0.0
    error: str = ""

    def fault(self, most_seconds: float) -> str:
        """What is wrong with them, empty if nothing."""
        if self.error:
            return f"the model gives no answers: {self.error}"
        if self.wrong:
            return f"{self.wrong} of {self.count} answers are no probabilities"
        if self.seconds > most_seconds:
            return (
                f"one answer takes {1000 * self.seconds:.0f} ms, at most "
                f"{1000 * most_seconds:.0f} ms are allowed ([risk] answer_ms)"
            )
        return ""


def answers_of(predictor: Predictor, spine: pd.DataFrame, tables: Tables) -> Answers:
    """Ask a model about the first customers of a spine."""
    customers = spine.head(MOST_CUSTOMERS)
    if customers.empty:
        return Answers(0)
    try:
        features = compute(predictor.view, customers, predictor.reads(tables))
        predictions = predictor.model.predict(features)
        one = features.head(1)
        seconds = seconds_of(lambda: (predictor.model.predict(one), predictor.model.reasons(one)))
    except (DataError, ValueError, KeyError, FloatingPointError) as error:
        return Answers(len(customers), error=str(error))
    risks = predictions[[name for name in predictions if str(name).startswith("risk_")]].to_numpy(
        np.float64
    )
    right = np.isfinite(risks) & (risks >= 0) & (risks <= 1)
    return Answers(len(customers), int((~right.all(axis=1)).sum()), seconds)


def answers_finding(answers: Answers, most_seconds: float) -> Finding:
    """The answers as a line of the monitor."""
    fault = answers.fault(most_seconds)
    text = fault or (
        f"{answers.count} answers are probabilities, one takes {1000 * answers.seconds:.1f} ms"
    )
    act = "Go back (`presage models DIR rollback`), or train anew." if fault else ""
    value = 1000 * answers.seconds
    status: Status = "alarm" if fault else "ok" if answers.count else "too early"
    return Finding(
        "predictions", "answers", status, text, act, value=value, limit=1000 * most_seconds
    )


@dataclass(frozen=True)
class Verdict:
    """Whether to go back to the champion before, why (or why not), and the figures of it."""

    back: bool
    why: str
    figures: dict[str, float] = field(default_factory=dict)


def judge_answers(own: Answers, before: Answers, most_seconds: float) -> Verdict | None:
    """Where the model at work answers wrongly or slowly; None where it does not."""
    fault = own.fault(most_seconds)
    if not fault:
        return None
    also = before.fault(most_seconds)
    figures = {
        "wrong_answers": float(own.wrong),
        "answer_ms": 1000 * own.seconds,
        "former_wrong_answers": float(before.wrong),
        "former_answer_ms": 1000 * before.seconds,
    }
    if also:
        return Verdict(False, f"{fault}; but of the champion before: {also}", figures)
    return Verdict(True, fault, figures)


def judge_calibration(
    broken: Sequence[str],
    y: np.ndarray,
    own: np.ndarray,
    before: np.ndarray,
    groups: np.ndarray,
    seed: int = 0,
) -> Verdict:
    """Where live calibration broke (``broken``: the monitor's lines): ``own`` beside what the
    champion ``before`` says of the same rows, customers drawn as wholes."""
    why = "; ".join(broken)
    try:
        gain = paired_bootstrap(log_loss, y, own, before, groups, seed, resamples=200, level=0.95)
    except DataError as error:
        return Verdict(False, f"{why}; the champion before cannot be judged: {error}")
    figures = {
        "log_loss": log_loss(y, own),
        "former_log_loss": log_loss(y, before),
        "gain": gain.estimate,
        "gain_low": gain.low,
        "gain_high": gain.high,
    }
    losses = (figures["log_loss"], figures["former_log_loss"])
    beside = "log loss {:.4f}, the champion's before {:.4f}".format(*losses)
    if gain.low > 0:
        return Verdict(True, f"{why}; {beside}", figures)
    return Verdict(False, f"{why}; {beside}: no better beyond noise", figures)
