"""Faults of a candidate that its figures on all rows hide: a leak, a group, its cost.

Each function returns findings: whether it holds, and a line that names the fault. The gate takes
them beside its own (``models.gate.joined``).

- **leaky**: it tells complaints from others better than anybody can, so something in its features
  knows the outcome;
- **upside down**: those whom it calls safe complain more than the others;
- **a broken group**: in one region, plan or platform its level is off by half, or its log loss
  surely worse than the champion's (without one: than the group's own rate said of everybody);
- **uneven**: the same in a group that no model is shown, such as the vulnerable, where the champion
  is not so: what it shares with the champion, or no champion is there to do better, is told only;
- **too slow**, **too large**: one answer, or the bundle, costs beyond a limit, or several times
  the champion's.

Noise is that of customers: their residuals are added up before they are squared.

>>> y, p = np.array([1.0, 0.0] * 40), np.tile([0.9, 0.1], 40)
>>> [line for passed, line in ranking(y, p) if not passed]
['leaky: it tells complaints from others with an AUC of 1.000, above 0.985; a feature knows ...
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from data.arrays import Bools, Floats
from models.metrics import roc_auc

Findings = list[tuple[bool, str]]

LEAKY_AUC = 0.985
SURE = 3.3
"""Standard errors: beside the sizes below, a false alarm in less than one of 40 trainings that look
at 50 groups."""
FEWEST = 30
"""Complaints, observed or foretold, below which nothing is said of a group."""
OFF = 2.0
"""Observed over predicted, or its reverse, of a group that is broken."""
WORSE = 1.1
"""Log loss over the champion's, of a group that is broken."""
GUARD = 1e-9
TIMES = 3.0
"""Times the champion's cost that a candidate may take."""
FREE_SECONDS = 0.005
"""An answer as quick as this is never too slow."""
FREE_BYTES = 20_000_000


def ranking(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    alarms: Sequence[str] = (),
) -> Findings:
    """Leaky, or upside down? A line for each fault, and whether a candidate may go to work with it.

    ``y``: labels (rows,), 0 or 1; ``p``: risks (rows,); ``groups``: whose row it is (rows,);
    ``alarms``: what training itself found of single features.
    """
    actual, risk = np.asarray(y, np.float64), np.asarray(p, np.float64)
    findings: Findings = [(False, f"leaky: {alarm}") for alarm in alarms]
    if not 0 < actual.sum() < actual.size or not np.isfinite(risk).all():
        return findings
    auc = roc_auc(actual, risk)
    if auc > LEAKY_AUC:
        findings.append(
            (
                False,
                f"leaky: it tells complaints from others with an AUC of {auc:.3f}, above "
                f"{LEAKY_AUC:g}; a feature knows the outcome (docs/leaks.md says how to find it)",
            )
        )
    place = np.argsort(np.argsort(risk, kind="stable"), kind="stable").astype(np.float64)
    rank = place / max(actual.size - 1, 1)
    moved = (actual - actual.mean()) * (rank - rank.mean())
    if auc < 0.5 and _z(moved, groups) < -SURE:
        findings.append(
            (
                False,
                f"upside down: whom it calls safe complains more than the others (AUC {auc:.3f})",
            )
        )
    return findings


def broken_groups(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    segments: Mapping[str, Bools],
    champion: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> Findings:
    """The groups in which the candidate fails; one line that passes where it fails in none.

    ``segments``: by name the rows of each. ``champion``: what the model at work says of the rows.
    ``groups``: whose each row is.
    """
    actual, risk = np.asarray(y, np.float64), np.asarray(p, np.float64)
    if not np.isfinite(risk).all():
        return []
    whose = None if groups is None else np.asarray(groups)
    failed: Findings = []
    judged = 0
    for name, rows in segments.items():
        mine, theirs = actual[rows], risk[rows]
        if min(mine.sum(), (1 - mine).sum()) < FEWEST and theirs.sum() < FEWEST:
            continue
        judged += 1
        who = None if whose is None else whose[rows]
        other, called = np.full(mine.size, mine.mean()), "its rate said of everybody"
        if champion is not None:
            other, called = np.asarray(champion, np.float64)[rows], "the champion's"
        for line in (_level(mine, theirs, who), _loss(mine, theirs, other, called, who)):
            if line is not None:
                failed.append((False, f"broken group {name}: {line}"))
    if failed or not judged:
        return failed
    return [(True, f"all {judged} groups hold")]


def uneven(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    unseen: Mapping[str, Bools],
    champion: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> Findings:
    """Groups that no model is shown: does it serve them as it serves the others?

    Parameters as of ``broken_groups``. A group that is broken keeps the candidate back where it is
    whole by the champion: no model can learn from a mark that it must not see, but one may do harm
    that another does not. A line says how many who complained stood among the tenth of highest
    risk, in the group and of the others.
    """
    actual, risk = np.asarray(y, np.float64), np.asarray(p, np.float64)
    findings: Findings = []
    if not np.isfinite(risk).all():
        return findings
    first = np.argsort(np.argsort(-risk, kind="stable"), kind="stable") < max(risk.size // 10, 1)
    for name, rows in unseen.items():
        own = broken_groups(actual, risk, {name: rows}, None, groups)
        if not own:  # too few to tell
            continue
        for passed, line in own:
            if passed:
                continue
            before: Findings = []
            if champion is not None:
                before = broken_groups(actual, champion, {name: rows}, None, groups)
            newly = bool(before) and all(held for held, _ in before)
            beside = "the champion is not" if newly else "no model at work is better"
            findings.append((not newly, f"uneven, {beside}: {line}"))
        shares = [float(first[who & (actual == 1)].mean()) if actual[who].any() else np.nan
                 for who in (rows, ~rows)]  # fmt: skip
        if not np.isnan(shares).any():
            findings.append(
                (True, f"{name}: {shares[0]:.0%} of their complaints are of the tenth of highest "
                 f"risk, of the others' {shares[1]:.0%}")
            )  # fmt: skip
    return findings


def _level(y: Floats, p: Floats, groups: npt.NDArray[np.generic] | None) -> str | None:
    ratio = float(y.sum() / max(p.sum(), GUARD))
    if 1 / OFF <= ratio <= OFF:
        return None
    # where few complained the residuals are small: chance is then as large as the model says
    wide = max(_squares(y - p, groups), 1e-300)
    repeats = wide / max(_squares(y - p, None), 1e-300)
    spread = sqrt(max(wide, repeats * float((p * (1 - p)).sum())))
    if abs(float((y - p).sum())) < SURE * spread:
        return None
    return f"{y.sum():.0f} complained, {p.sum():.0f} were foretold"


def _loss(
    y: Floats, p: Floats, other: Floats, called: str, groups: npt.NDArray[np.generic] | None
) -> str | None:
    own, theirs = _log_losses(y, p), _log_losses(y, other)
    if own.mean() <= WORSE * theirs.mean() or _z(own - theirs, groups) < SURE:
        return None
    return f"log loss {own.mean():.4f} against {theirs.mean():.4f}, {called}"


def _log_losses(y: Floats, p: Floats) -> Floats:
    safe = np.clip(p, GUARD, 1 - GUARD)
    losses: Floats = -(y * np.log(safe) + (1 - y) * np.log1p(-safe))
    return losses


def _z(amounts: Floats, groups: npt.ArrayLike | None) -> float:
    """The sum of the amounts over its standard error, whole groups being what chance draws."""
    return float(amounts.sum() / max(sqrt(_squares(amounts, groups)), 1e-300))


def _squares(amounts: Floats, groups: npt.ArrayLike | None) -> float:
    """The sum of the squares of the groups' sums; of the amounts, where there are no groups."""
    sums = amounts
    if groups is not None:
        whose = np.unique(np.asarray(groups), return_inverse=True)[1]
        sums = np.bincount(whose, amounts).astype(np.float64)
    return float((sums**2).sum())


@dataclass(frozen=True)
class Cost:
    """What a model costs: seconds of one answer with its reasons, and bytes of its bundle."""

    seconds: float
    size: int


def seconds_of(answer: Callable[[], object], times: int = 7) -> float:
    """CPU seconds of the quickest of so many calls, after one that warms up: a busy machine makes
    no model slow."""
    answer()
    taken = []
    for _ in range(times):
        began = time.thread_time()
        answer()
        taken.append(time.thread_time() - began)
    return min(taken)


def cost(candidate: Cost, champion: Cost | None, most_seconds: float) -> Findings:
    """Too slow, or too large? ``most_seconds``: what one answer may take, whatever the champion."""
    findings: Findings = []
    allowed = most_seconds
    if champion is not None:
        allowed = min(allowed, max(TIMES * champion.seconds, FREE_SECONDS))
    milliseconds, limit = 1000 * candidate.seconds, 1000 * allowed
    if candidate.seconds > allowed:
        beside = f", the champion {1000 * champion.seconds:.1f} ms" if champion else ""
        findings.append(
            (False, f"too slow: one answer takes {milliseconds:.1f} ms, at most {limit:.1f} ms are "
             f"allowed{beside}")
        )  # fmt: skip
    else:
        findings.append((True, f"one answer takes {milliseconds:.1f} ms, at most {limit:.1f} ms"))
    if champion is not None and candidate.size > max(TIMES * champion.size, FREE_BYTES):
        findings.append(
            (False, f"too large: {candidate.size / 1e6:.0f} MB, the champion "
             f"{champion.size / 1e6:.0f} MB")
        )  # fmt: skip
    return findings
