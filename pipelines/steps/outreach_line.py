"""What outreach does to the forecast: the customers drawn so far, what was measured, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.settings import Outreach as Policy
from data.store import Store, count_of_run, newest_run, selected_decisions
from models.outreach_line import (
    ACTS_DAYS,
    HELD_DAYS,
    LINE,
    Change,
    Contacted,
    measured_change,
    with_line,
)
from models.volume.series import TOTAL
from pipelines.run import Run
from serving.outreach.candidates import RUN, run_name
from serving.outreach.measured import past_trial
from serving.outreach.pace import DAYS, OutreachRun, pace
from serving.outreach.policy import BEYOND


@dataclass(frozen=True)
class Outreach:
    """Our own contacts until a moment, and what one of them changes; None: not measured yet."""

    contacted: Contacted
    change: Change | None

    def on(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A forecast with its line of outreach; as it is where nothing was measured."""
        return frame if self.change is None else with_line(frame, self.contacted, self.change)


def outreach_until(run: Run, store: Store) -> Outreach | None:
    """What was decided by the run's moment; None: nobody was to be contacted in the last months."""
    contacted = contacted_until(store, run.as_of, run.settings.outreach)
    if contacted is None:
        return None
    past = past_trial(run.snapshot, store, run.settings, run.as_of)
    return Outreach(contacted, measured_change(past))


def contacted_until(store: Store, as_of: datetime, policy: Policy) -> Contacted | None:
    """Customers drawn to be contacted, by day before ``as_of``: as measured, sent or not; and so
    many a day as outreach contacts now, what was decided as of ``as_of`` included."""
    days = HELD_DAYS + ACTS_DAYS
    drawn = selected_decisions(store, run_name(as_of - timedelta(days=days)), run_name(as_of) + "!")
    moment = pd.Timestamp(as_of)
    by_run: dict[pd.Timestamp, list[dict[str, Any]]] = {}
    for decision in drawn:
        by_run.setdefault(pd.Timestamp(decision["as_of"]), []).append(decision)
    treated = {at: sum(d["arm"] == "treat" for d in of) for at, of in sorted(by_run.items())}
    if not any(treated.values()):
        return None
    counts = np.zeros(days)
    for at, count in treated.items():
        if at < moment:
            ago = -((at - moment) // pd.Timedelta(days=1))  # the day before the moment: 1
            counts[-min(ago, days)] += count
    runs = [
        OutreachRun(
            at.to_pydatetime(),
            by_run[at][0].get("policy"),
            not all(d.get("explored") for d in by_run[at]),
            len(by_run[at]),
            count,
        )
        for at, count in treated.items()
        if at > moment - pd.Timedelta(days=DAYS)
    ]
    last = newest_run(store, RUN, run_name(as_of) + "!")
    if runs and last is not None:
        at = datetime.fromisoformat(last.removeprefix(RUN))
        if at - runs[-1].at >= timedelta(days=1):  # a day on which nobody was selected
            runs.append(OutreachRun(at, None, False, 0, 0))
    planned = 0.0 if not runs else pace(runs, _others(store, runs[-1]), policy, as_of)
    return Contacted(tuple(counts.tolist()), planned)


def _others(store: Store, newest: OutreachRun) -> int:
    """Whom the newest run would have selected too, had the day had room."""
    run_id = run_name(newest.at)
    return count_of_run(store, run_id, BEYOND if newest.by_value else '"capacity"')


def line_words(frame: pd.DataFrame, outreach: Outreach | None) -> list[str]:
    """What outreach changes over the forecast's steps, as lines; none without outreach."""
    if outreach is None:
        return []
    change, ahead = outreach.change, outreach.contacted.ahead
    if change is None or LINE[0] not in frame:
        return [
            f"outreach of {ahead:.0f} customers a day: what it changes of the contacts is not "
            "measured yet"
        ]
    return [
        f"outreach of {ahead:.0f} customers a day, measured by {change.decisions} decisions: "
        + sentence(frame)
    ]


def sentence(frame: pd.DataFrame) -> str:
    """The line of a forecast over all its steps: contacts averted and induced, with interval."""
    total = frame.loc[frame["unique_id"] == TOTAL, ["presage", *LINE]].sum()
    line, low, high, averted, induced = (float(total[name]) for name in LINE)
    return (
        f"{line:+.0f} contacts (95 % interval {low:+.0f} to {high:+.0f}; {averted:+.0f} averted, "
        f"{induced:+.0f} induced), {float(total['presage']) - line:.0f} without it"
    )
