"""Is it worth anything whom uplift would contact? Rankings and policies, judged on a trial.

``gain_scores`` with ``qini``, ``auuc`` and ``calibration`` judge a ranking of customers;
``compare_policies`` says what a policy would have been worth, by doubly robust evaluation.
``with_value`` turns a trial's outcomes into money; ``with_outcomes`` joins those that somebody else
recorded. Formulas and sources: docs/outreach.md.
"""

from lab.uplift.policy_value import (
    best_by,
    compare_policies,
    expected_outcomes,
    policy_scores,
)
from lab.uplift.ranking import (
    auuc,
    calibration,
    gain_curve,
    gain_scores,
    qini,
    qini_interval,
)
from lab.uplift.values import with_outcomes, with_value

__all__ = [
    "auuc",
    "best_by",
    "calibration",
    "compare_policies",
    "expected_outcomes",
    "gain_curve",
    "gain_scores",
    "policy_scores",
    "qini",
    "qini_interval",
    "with_outcomes",
    "with_value",
]
