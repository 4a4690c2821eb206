"""What outreach changes, for whom, and how sure that is: from chance's own decisions only.

Everything is a pure function of a ``Trial``: decisions with the odds of the arm that was drawn,
what was known at the time, and what came of it. No odds, no row.

1. A trial. ``trial_of_treatments`` reads the ``treatments`` table, ``trial_of_log`` our own
   decision log, ``joined`` puts them together, ``with_features`` adds features as of each decision;
   ``trial`` checks a frame from elsewhere.
2. How much on average. ``measure`` and ``measure_by`` (action, channel, segment) by intention to
   treat; ``minimum_detectable`` and ``known_on`` say what is not known yet, and when it will be;
   ``stop`` says whether a campaign is to end.
3. For whom. ``fit_uplift(trial).gains(features)``: n rows × actions, how much contact helps each
   customer; below 0 for those it harms. ``.table()`` is the honest comparison behind it.

``relative_effects`` is the coarse version, one factor on the risk per action. Whether a ranking or
a policy is worth anything is judged in ``lab.uplift``.

Signs: an **effect** has the sign of the outcome (complaints: below 0 helps), a **gain** is above 0
where contact helps. Formulas and sources: docs/outreach.md.

>>> import numpy as np, pandas as pd
>>> rng = np.random.default_rng(1)
>>> size = 4000
>>> late = rng.integers(0, 2, size)
>>> contacted = rng.random(size) < 0.5
>>> chance = np.where(late == 1, 0.3 - 0.2 * contacted, 0.05 + 0.05 * contacted)
>>> decisions = pd.DataFrame({
...     "customer_id": [f"c{i}" for i in range(size)], "time": pd.Timestamp("2026-01-05"),
...     "action": np.where(contacted, "check_in", "none"), "propensity": 0.5,
...     "complained": (rng.random(size) < chance).astype(float)})
>>> ours = trial(decisions, pd.DataFrame({"late": late}))
>>> measure(ours).verdict
'helps'
>>> model = fit_uplift(ours)
>>> model.gains(pd.DataFrame({"late": [0, 1]})).round(2)["check_in"].tolist()
[-0.05, 0.17]
"""

from models.uplift.always import always_valid_factor
from models.uplift.measurement import Measured, measure, measure_by
from models.uplift.model import ActionEffect, Candidate, UpliftModel, fit_uplift
from models.uplift.nuisance import UpliftTrees
from models.uplift.relative import Effect, relative_effects
from models.uplift.sources import (
    NO_PROPENSITY,
    outcomes_within,
    trial_of_log,
    trial_of_treatments,
    with_features,
)
from models.uplift.trial import ALL, BETTER, NONE, Pair, Trial, has_both, joined, pair, trial
from models.uplift.verdict import known_on, minimum_detectable, planned_se, stop

__all__ = [
    "ALL",
    "BETTER",
    "NONE",
    "NO_PROPENSITY",
    "ActionEffect",
    "Candidate",
    "Effect",
    "Measured",
    "Pair",
    "Trial",
    "UpliftModel",
    "UpliftTrees",
    "always_valid_factor",
    "fit_uplift",
    "has_both",
    "joined",
    "known_on",
    "measure",
    "measure_by",
    "minimum_detectable",
    "outcomes_within",
    "pair",
    "planned_se",
    "relative_effects",
    "stop",
    "trial",
    "trial_of_log",
    "trial_of_treatments",
    "with_features",
]
