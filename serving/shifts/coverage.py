"""Whom a roster puts on which channel, interval by interval, beside whom the plan needs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.arrays import Floats, Ints
from serving.shifts.need import MINUTE, Need, people_needed
from serving.shifts.response import Draft

GAP_COLUMNS = ("channel", "starts_at", "ends_at", "needed", "rostered", "gap")


def coverage_of(draft: Draft, frame: pd.DataFrame, absence: float) -> pd.DataFrame:
    """``GAP_COLUMNS`` for the plan's rows on the roster's days: who is there for the whole
    interval; ``gap`` below 0: so many are missing."""
    need = draft.problem.need
    served = served_by(draft.supply, need.people, draft.problem.skills)
    slot = need.slot_minutes
    at = ((frame["starts_at"].to_numpy() - need.begin) / MINUTE).astype(np.int64) // slot
    until = ((frame["ends_at"].to_numpy() - need.begin) / MINUTE).astype(np.int64) // slot
    channel = frame["channel"].map({name: i for i, name in enumerate(need.channels)}).to_numpy()
    rostered = np.zeros(len(frame), np.int64)
    inside = (at >= 0) & (at < need.own_slots)
    for i in np.flatnonzero(inside).tolist():
        rostered[i] = served[channel[i], at[i] : until[i]].min(initial=10**9)
    coverage = frame[["channel", "starts_at", "ends_at"]].assign(rostered=rostered)
    return with_gap(coverage[inside], frame[inside], absence)


def with_gap(rostered: pd.DataFrame, frame: pd.DataFrame, absence: float) -> pd.DataFrame:
    """A roster's people beside those that the plan ``frame`` needs now."""
    needed = frame[["channel", "starts_at"]].assign(needed=people_needed(frame, absence))
    coverage = rostered.drop(columns=["needed", "gap"], errors="ignore").merge(
        needed, on=["channel", "starts_at"], how="inner"
    )
    coverage["gap"] = coverage["rostered"] - coverage["needed"]
    return coverage[list(GAP_COLUMNS)].sort_values(["channel", "starts_at"], ignore_index=True)


def served_by(supply: Ints, people: Ints, skills: tuple[tuple[int, ...], ...]) -> Ints:
    """Channels x slots: who serves what, so that as few as possible are missing. Who is not needed
    anywhere counts for the first of their channels."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    channels, slots = people.shape
    groups = len(skills)
    sink = groups + channels + 1
    able = [(k, c) for k, every in enumerate(skills) for c in every]
    row = [0] * groups + [1 + k for k, _ in able] + [1 + groups + c for c in range(channels)]
    column = [1 + k for k in range(groups)] + [1 + groups + c for _, c in able]
    column += [sink] * channels
    served = np.zeros((channels, slots), np.int64)
    for t in range(slots):
        there = supply[:, t]
        if not there.any():
            continue
        limits = [*there, *(int(there[k]) for k, _ in able), *people[:, t]]
        graph = csr_array((np.array(limits, np.int32), (row, column)), shape=(sink + 1, sink + 1))
        flow = maximum_flow(graph, 0, sink).flow.toarray()
        served[:, t] = flow[1 + groups : sink, sink]
        for k, every in enumerate(skills):
            served[every[0], t] += there[k] - flow[0, 1 + k]
    return served


def presence(shifts: pd.DataFrame, need: Need) -> dict[tuple[str, ...], Floats]:
    """People of shifts that began before, by skills, on the slots of ``need``."""
    by_skills: dict[tuple[str, ...], Floats] = {}
    starts = need.begin + np.arange(need.slots) * need.slot_minutes * MINUTE
    ends = starts + need.slot_minutes * MINUTE
    if shifts.empty:
        return by_skills
    for row in shifts[shifts["ends_at"] > need.begin].itertuples():
        there = (starts >= row.starts_at) & (ends <= row.ends_at)
        if not pd.isna(row.break_starts_at):
            there &= (ends <= row.break_starts_at) | (starts >= row.break_ends_at)
        key = tuple(str(row.skills).split("+"))
        by_skills[key] = by_skills.get(key, np.zeros(need.slots)) + there
    return by_skills
