"""The plan made again on the days that a change reaches; all other days, and the past, stand.

Nothing is forecast anew: ``serving.staffing.basis.replan`` plans from what was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from data.settings import Settings
from data.store import Override
from serving.staffing.basis import Basis, passed_plan, replan
from serving.staffing.changes import Changes
from serving.staffing.gate import PlayedPlan

AFTER = timedelta(days=3)
"""So long after a change its waiting work may still be felt; later days stand as they were."""


@dataclass(frozen=True)
class Standing:
    """What the plan in force is made from: its basis, settings, the assumptions of the scenario
    that was published, and the overrides in force.
    """

    basis: Basis
    settings: Settings
    assumed: Changes
    overrides: tuple[Override, ...]

    def plan(
        self,
        changes: Changes | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> pd.DataFrame:
        """The plan of the intervals in [begin, end), under ``changes`` or as it is assumed."""
        return replan(
            self.basis,
            settings=self.settings,
            changes=self.assumed if changes is None else changes,
            overrides=self.overrides,
            begin=begin,
            end=end,
        )

    def played(self, changes: Changes) -> PlayedPlan:
        """The whole plan under ``changes``, played contact by contact and raised once where it did
        not pass: somebody waits for it."""
        return passed_plan(
            self.basis,
            settings=self.settings,
            changes=changes,
            overrides=self.overrides,
            rounds=2,
        )


def replanned(
    before: pd.DataFrame,
    standing: Standing,
    changed: Sequence[Override],
    now: datetime,
    days: Sequence[datetime],
) -> pd.DataFrame:
    """``before`` with the days planned again on which ``changed`` overrides begin to be or cease to
    be in force.

    ``standing`` holds the overrides in force. ``days``: the starts of local days (UTC), in order.
    Rows before ``now`` stay as they are.
    """
    starts = min(one.starts_at for one in changed)
    ends = max(one.ends_at for one in changed) + AFTER
    first = max((day for day in days if day <= max(starts, now)), default=days[0])
    last = min((day for day in days if day >= ends), default=before["ends_at"].max())
    if last <= first:
        return before
    return spliced(before, standing.plan(begin=first, end=last), max(first, now), last)


def spliced(
    before: pd.DataFrame, again: pd.DataFrame, first: datetime, last: datetime
) -> pd.DataFrame:
    """``before`` with the rows of [first, last) replaced by those of ``again``."""
    inside = (before["starts_at"] >= first) & (before["starts_at"] < last)
    new = again[(again["starts_at"] >= first) & (again["starts_at"] < last)]
    both = pd.concat([before[~inside], new], ignore_index=True)
    return both.sort_values(["channel", "starts_at"], ignore_index=True)
