"""What outreach changed: those drawn to be contacted against those left alone.

By intention to treat: who was drawn counts as drawn, sent or not. The estimate is the mean of
doubly robust scores whose arms' models are lines in the predicted risk, one an arm (Lin 2013,
"Agnostic notes on regression adjustments to experimental data"; as CUPED: Deng, Xu, Kohavi & Walker
2013): what the risk foretold of the outcome is no noise any more. Lines need not be right, the odds
are. Errors are robust, a customer's decisions taken together.

Every measurement has two intervals: ``low, high`` for one look at a size fixed beforehand, and
``always_low, always_high`` for looks whenever one likes (``always.py``). Signs are the outcome's:
an ``effect`` of -0.02 on ``complained`` is two complaints fewer among a hundred; ``verdict`` knows
which way is better. ``inquiries`` measures induced contacts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats
from data.errors import DataError
from models.uplift.always import TIGHTEST_AT, always_valid_factor
from models.uplift.clusters import clustered_mean, distinct
from models.uplift.nuisance import score
from models.uplift.trial import ALL, BETTER, NONE, Pair, Trial, has_both, pair

LEAST_EVENTS = 10
"""Before each arm has seen so many outcomes above the least, the always-valid interval is open:
the theorem is about large samples."""


@dataclass(frozen=True)
class Measured:
    """One effect. Rates are means of the outcome by arm, weighted by the odds."""

    action: str
    outcome: str
    contacted: int
    left_alone: int
    rate_contacted: float
    rate_left_alone: float
    effect: float
    se: float
    low: float
    high: float
    always_low: float
    always_high: float
    variance_ratio: float
    """Variance with the predicted risk over that without: 0.8 saves a fifth of the customers."""

    @property
    def relative(self) -> float:
        """The effect over the rate of those left alone; NaN where that is 0."""
        return self.effect / self.rate_left_alone if self.rate_left_alone else float("nan")

    @property
    def verdict(self) -> str:
        """``helps``, ``harms`` or ``not known``, by the always-valid interval."""
        ends = sorted(BETTER[self.outcome] * end for end in (self.always_low, self.always_high))
        return "helps" if ends[0] > 0 else "harms" if ends[1] < 0 else "not known"


def measure(
    of: Trial,
    outcome: str = "complained",
    action: str = ALL,
    *,
    risk: npt.ArrayLike | None = None,
    level: float = 0.95,
    tightest_at: float = TIGHTEST_AT,
) -> Measured:
    """The effect of an action (``"all"``: any) on an outcome, over the trial's decisions.

    Parameters
    ----------
    risk: n predicted risks of the trial's rows, known before the decision; None takes the trial's
        column ``risk`` where there is one.
    level: of both intervals.
    tightest_at: decisions at which the always-valid interval is tightest; fix it beforehand.

    Raises
    ------
    DataError: nobody was in one of the arms, an unknown outcome, a risk that is missing.
    """
    two = pair(of, action, outcome)
    known = of.frame["risk"] if risk is None and "risk" in of.frame.columns else risk
    if known is None:
        covariate = np.zeros(len(two.rows))
    else:
        covariate = np.asarray(known, dtype=np.float64)[two.rows]
        if not np.isfinite(covariate).all():
            at = int((~np.isfinite(covariate)).argmax())
            raise DataError(
                f"decision {int(two.rows[at])} has no predicted risk; give every row one, or "
                "measure without"
            )
    return measure_pair(two, covariate, level=level, tightest_at=tightest_at)


def measure_pair(
    two: Pair, covariate: Floats, *, level: float = 0.95, tightest_at: float = TIGHTEST_AT
) -> Measured:
    """``measure`` for a pair of arms and n numbers known before the decision."""
    from scipy.stats import norm

    plain, (none, contact) = _scores(two, np.zeros(len(two.y)))
    scores, _ = _scores(two, covariate)
    effect, se = clustered_mean(scores, two.customers)
    _, plain_se = clustered_mean(plain, two.customers)
    z = float(norm.ppf((1 + level) / 2))
    # customers, not decisions: a customer's repeats are one line of evidence
    rows = float(distinct(two.customers))
    known = all(_known(two.y[arm]) for arm in (two.treated, ~two.treated))
    reach = always_valid_factor(rows, tightest_at=tightest_at, level=level) * se
    reach = reach if known else float("inf")
    return Measured(
        two.action,
        two.outcome,
        int(two.treated.sum()),
        int((~two.treated).sum()),
        contact,
        none,
        effect,
        se,
        effect - z * se,
        effect + z * se,
        effect - reach,
        effect + reach,
        float((se / plain_se) ** 2) if plain_se > 0 else 1.0,
    )


def measure_by(
    of: Trial,
    by: str,
    outcome: str = "complained",
    *,
    level: float = 0.95,
    tightest_at: float = TIGHTEST_AT,
) -> pd.DataFrame:
    """The effect per action, channel, segment or any other column of the trial's frame.

    A row a value, in order: the fields of ``Measured`` and ``verdict``. Always-valid intervals hold
    for all values together (Bonferroni), so that the luckiest of many segments is not taken for an
    effect. Values with nobody in one of the arms have their counts and no effect.
    """
    frame = of.frame
    if by not in frame.columns:
        raise DataError(f"the trial has no column {by!r} to measure by")
    column = "offered" if by == "action" else by
    values = sorted({str(value) for value in frame[column].dropna()})
    if by == "action":
        values = [name for name in of.actions if name in values]
    shared = 1.0 - (1.0 - level) / max(len(values), 1)
    lines = []
    for value in values:
        if by == "action":
            part, action = of, value
        else:
            inside = (frame[by].astype(str) == value).to_numpy(bool)
            part, action = Trial(frame[inside].reset_index(drop=True)), ALL
        if not has_both(part, action):
            actions = part.frame["action"].to_numpy(object)
            contacted = int((actions == action).sum() if action != ALL else (actions != NONE).sum())
            counts = {"contacted": contacted, "left_alone": int((actions == NONE).sum())}
            lines.append({by: value, **counts, "verdict": "not known"})
            continue
        one = measure(part, outcome, action, level=level, tightest_at=tightest_at)
        wide = measure(part, outcome, action, level=shared, tightest_at=tightest_at)
        fields = {**vars(one), "always_low": wide.always_low, "always_high": wide.always_high}
        fields.pop("action")
        lines.append({by: value, **fields, "verdict": wide.verdict})
    return pd.DataFrame(lines)


def _known(y: Floats) -> bool:
    return bool(min(np.sum(y > y.min()), np.sum(y < y.max())) >= LEAST_EVENTS)


def _scores(two: Pair, covariate: Floats) -> tuple[Floats, tuple[float, float]]:
    """n scores of the effect with lines in the covariate, and both arms' fitted means."""
    e, t = two.propensity, two.treated
    none, m0 = _line(two.y, covariate, ~t, 1.0 - e)
    contact, m1 = _line(two.y, covariate, t, e)
    return score(two.y, t, e, none, contact), (m0, m1)


def _line(y: Floats, x: Floats, arm: Bools, odds: Floats) -> tuple[Floats, float]:
    """The arm's weighted line, for all rows, and its weighted mean."""
    w = 1.0 / odds[arm]
    mean, middle = np.average(y[arm], weights=w), np.average(x[arm], weights=w)
    spread = float(np.sum(w * (x[arm] - middle) ** 2))
    # an arm of a handful has no line of its own
    few = arm.sum() < 20 or spread <= 1e-12
    slope = 0.0 if few else float(np.sum(w * (x[arm] - middle) * (y[arm] - mean))) / spread
    return mean + slope * (x - middle), float(mean)
