"""How many customers a day outreach is going to contact: as it decides now, not last month.

Only days count on which decisions were made as they are now: by the same ``[outreach]``, by value
or to explore alone. So a plan that grew yesterday is not averaged with the weeks before. A day
never has more than the settings in force allow, and nobody is contacted more often than they
allow: where few are worth a contact, the pace falls once they have had theirs.

>>> day = datetime(2026, 3, 2)
>>> runs = [OutreachRun(day + timedelta(days=n), "a", n > 1, 20, 18) for n in range(4)]
>>> pace(runs, 500, Outreach(capacity_per_day=20), day + timedelta(days=4))
18.0
>>> pace(runs, 500, Outreach(capacity_per_day=0), day + timedelta(days=4))
0.0
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from data.settings import Outreach

DAYS = 28
"""So far back, and so far ahead, a pace is told."""
DAY = timedelta(days=1)


@dataclass(frozen=True)
class OutreachRun:
    """One run: its moment, a name for the settings it followed, whether anybody was chosen
    ``by_value``, how many were ``selected``, and how many of them drawn to be ``contacted``."""

    at: datetime
    policy: str | None
    by_value: bool
    selected: int
    contacted: int


def policy_digest(policy: Outreach) -> str:
    """A name for the settings that decisions were made by."""
    text = repr(sorted(asdict(policy).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pace(
    runs: Sequence[OutreachRun], others: int, policy: Outreach, as_of: datetime
) -> float | None:
    """Customers a day who are going to be contacted in the next ``DAYS``; None without runs.

    ``runs``: of the last ``DAYS``, those as of ``as_of`` too, in order; ``others``: whom the newest
    one would have selected too, had the day had room; ``policy``: the settings in force.
    """
    if not runs:
        return None
    newest = runs[-1]
    alike = [newest]
    for run in reversed(runs[:-1]):
        if (run.policy, run.by_value) != (newest.policy, newest.by_value):
            break
        alike.append(run)
    first = alike[-1].at
    days = max((newest.at - first) // DAY + 1, math.ceil((as_of - first) / DAY))
    contacted = sum(run.contacted for run in alike) / days
    limit = policy.capacity_per_day * (1.0 if newest.by_value else policy.explore_share)
    pool = others + sum(run.selected for run in alike if run.at > newest.at - DAY)
    days_between = max(policy.min_days_between, 90.0 / max(policy.most_in_90_days, 1), 1.0)
    most = min(float(limit), pool * math.ceil(DAYS / days_between) / DAYS)
    return min(contacted, most * (1.0 - policy.holdout_share))
